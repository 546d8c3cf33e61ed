"""A tokenizer and batches of text to counts: all that the figures are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain

import numpy as np

from miner.tokenizer.checking.checking import Checker
from miner.tokenizer.comparing.batches import SIGN, Batch
from miner.tokenizer.comparing.places import Places
from miner.tokenizer.reading.loading import LoadedTokenizer, SentencePieceEngine

LONGEST = 32  # bytes of a token that are told apart
EDGE = -1  # the neighbour of a token at the end of a document


@dataclass(frozen=True)
class Tokens:
    """The tokens of a batch, int64 (tokens,) each: places in characters, `documents` by row.

    `bounds` int64 (documents + 1,): where the tokens of each document begin.
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    documents: np.ndarray
    bounds: np.ndarray

    def beside(self, places: np.ndarray, step: int) -> np.ndarray:
        """Return the ids `step` tokens further in the same document, `EDGE` where it ends."""
        there = np.clip(places + step, 0, max(len(self.ids) - 1, 0))
        same = (there != places) & (self.documents[there] == self.documents[places])
        return np.where(same, self.ids[there], EDGE)


@dataclass
class Tally:
    """What one tokenizer did with all batches so far.

    `tokens`, one array a batch, of documents; `uses` (ids,); `lengths` (`LONGEST` + 1,) tokens by
    bytes; `unit_tokens` sums the tokens at places of units, of which `whole` are one token, and
    `inside` one longer token; `whole_units` (units,) counts places. `pairs` are the distinct
    neighbours of ids, `contexts` those of units that are one token, as numbers in some arrays.
    """

    tokenizer: LoadedTokenizer
    units: int
    tokens: list[np.ndarray] = field(default_factory=list)
    exact: int = 0
    canonical: int = 0
    unknown: int = 0
    whole: int = 0
    inside: int = 0
    unit_tokens: int = 0
    pairs: list[np.ndarray] = field(default_factory=list)
    contexts: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.uses = np.zeros(self.tokenizer.size, np.int64)
        self.lengths = np.zeros(LONGEST + 1, np.int64)
        self.whole_units = np.zeros(self.units, np.int64)
        self.fold = choose_fold(self.tokenizer)
        self.unknown_id = find_unknown(self.tokenizer)

    def add(self, batch: Batch, places: Places | None) -> None:
        """Count a batch."""
        tokens = cut_batch(self.tokenizer, batch)
        self.tokens.append(np.diff(tokens.bounds))
        uses = np.bincount(tokens.ids, minlength=len(self.uses))
        self.uses += uses
        if self.unknown_id is not None:
            self.unknown += int(uses[self.unknown_id])
        self.lengths += np.bincount(measure_lengths(batch, tokens), minlength=LONGEST + 1)
        gather(self.pairs, self._number(tokens.ids, tokens, 1))
        self._add_returns(batch, tokens)
        if places is not None:
            self._add_places(tokens, places)

    def _add_returns(self, batch: Batch, tokens: Tokens) -> None:
        """Count the documents that come back, byte for byte or in canonical form."""
        decoded = self.tokenizer.decode(np.split(tokens.ids, tokens.bounds[1:-1]))
        changed = [
            (text, back) for text, back in zip(batch.texts, decoded, strict=True) if text != back
        ]
        self.exact += len(decoded) - len(changed)
        if self.fold is not None:
            self.canonical += sum(is_canonical(back, text, self.fold) for text, back in changed)

    def _add_places(self, tokens: Tokens, places: Places) -> None:
        """Count how the places of units are cut."""
        first = np.searchsorted(tokens.ends, places.starts, side="right")
        last = np.searchsorted(tokens.starts, places.ends, side="left")
        pieces = last - first
        at = np.minimum(first, len(tokens.ids) - 1)
        fits = (tokens.ends[at] == places.ends) & (tokens.starts[at] >= places.starts - 1)
        whole = (pieces == 1) & fits
        self.unit_tokens += int(pieces.sum())
        self.whole += int(whole.sum())
        self.inside += int(((pieces == 1) & ~fits).sum())
        self.whole_units += np.bincount(places.units[whole], minlength=self.units)
        sides = [
            self._number(2 * places.units[whole] + side, tokens, step, at[whole])
            for side, step in enumerate((-1, 1))
        ]
        gather(self.contexts, np.concatenate(sides))

    def _number(
        self, keys: np.ndarray, tokens: Tokens, step: int, at: np.ndarray | None = None
    ) -> np.ndarray:
        """Return one number for each distinct key and the token beside it; edges are left out."""
        places = np.arange(len(tokens.ids)) if at is None else at
        beside = tokens.beside(places, step)
        return np.unique((keys * self.tokenizer.size + beside)[beside != EDGE])


def gather(arrays: list[np.ndarray], numbers: np.ndarray) -> None:
    """Add distinct numbers to arrays of them, each more than twice as long as the next.

    So that a number is sorted anew a few times, and not with every batch.

    >>> arrays = [np.array([1, 2, 3, 4, 5]), np.array([7])]
    >>> gather(arrays, np.array([8]))
    >>> [array.tolist() for array in arrays], join(arrays).tolist()
    ([[1, 2, 3, 4, 5], [7, 8]], [1, 2, 3, 4, 5, 7, 8])
    """
    while arrays and len(arrays[-1]) <= 2 * len(numbers):
        numbers = np.union1d(arrays.pop(), numbers)
    arrays.append(numbers)


def join(arrays: list[np.ndarray]) -> np.ndarray:
    """Return the distinct numbers of all arrays, int64, rising."""
    return reduce(np.union1d, arrays, np.zeros(0, np.int64))


def cut_batch(tokenizer: LoadedTokenizer, batch: Batch) -> Tokens:
    """Return the tokens of a batch; special tokens are not added."""
    spans = tokenizer.spans(batch.texts)
    counts = np.array([len(entry) for entry in spans], np.int64)
    flat = chain.from_iterable(chain.from_iterable(spans))
    rows = np.fromiter(flat, np.int64, 3 * int(counts.sum())).reshape(-1, 3)
    documents = np.repeat(np.arange(len(counts)), counts)
    shift = batch.starts[documents]
    ends = np.maximum.accumulate(rows[:, 2] + shift)
    starts = np.maximum.accumulate(np.minimum(rows[:, 1] + shift, ends))
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return Tokens(rows[:, 0], starts, ends, documents, bounds)


def measure_lengths(batch: Batch, tokens: Tokens) -> np.ndarray:
    """Return the bytes of text that each token stands for, at most `LONGEST`: int64 (tokens,).

    A token has what lies between the end of the one before and its own, so that a space that is
    swallowed counts; tokens that share a character share its bytes, one each at least.
    """
    before = np.concatenate([[0], tokens.ends[:-1]])
    before = np.maximum(before, batch.starts[tokens.documents])
    covered = batch.bytes[tokens.ends] - batch.bytes[np.minimum(before, tokens.ends)]
    group = np.cumsum(covered > 0)
    total, members = np.bincount(group, covered), np.bincount(group)
    share = np.ceil(total[group] / members[group]).astype(np.int64)
    return np.clip(share, 1, LONGEST)


def choose_fold(tokenizer: LoadedTokenizer) -> Callable[[str], str] | None:
    """Return what gives the canonical form of a text, None where the tokenizer promises none."""
    checker = Checker(tokenizer)
    return checker.fold if checker.ours and not checker.exact else None


def is_canonical(back: str, text: str, fold: Callable[[str], str]) -> bool:
    """Whether `back` is the canonical form of `text`: where signs part it, that of each scene.

    The spaces beside signs are left aside: not every trainer keeps them.

    >>> is_canonical("[SCN]a b[SEP]c", "[SCN]A b [SEP] C", str.casefold)
    True
    """
    if back == fold(text):
        return True
    scenes, others = SIGN.split(text), SIGN.split(back)
    return len(scenes) > 1 and (
        [fold(scene).strip() for scene in scenes] == [scene.strip() for scene in others]
    )


def find_unknown(tokenizer: LoadedTokenizer) -> int | None:
    """Return the id that stands for what a tokenizer cannot say, None where it has none."""
    if isinstance(tokenizer.engine, SentencePieceEngine):
        number = int(tokenizer.engine.processor.unk_id())
        return number if 0 <= number < tokenizer.size else None
    model = tokenizer.spec.get("model", {})
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    name = model.get("unk_token")
    return tokenizer.pieces.index(name) if name in tokenizer.pieces else None
