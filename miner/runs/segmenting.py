"""Any text to the units of a run in it: the same cut that the corpus was given.

The text is pre-tokenized as the corpus was, and the cut with the largest sum of values wins, as in
`mining.segmentation`. What is no unit stays as it is: a word by itself, a mark by itself.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numba import njit

from miner.corpus import check_texts, encode_text
from miner.errors import UsageError
from miner.mining.candidates import Candidates
from miner.mining.ranking import final_values
from miner.mining.segmentation import Trie, build_trie, find_owners
from miner.text.pretokens import MOST_ATOMS, Atoms, Stream
from miner.text.profiles import Profile
from miner.text.recut import Cutter, Recut, normalize

AT_ONCE = 16_384  # texts cut at a time,
CHARACTERS = 1 << 20  # or as many as have so many characters
_SPACES = np.array([chr(point).isspace() for point in range(0x3001)])  # all that Python knows


class Span(NamedTuple):
    """A piece of a text: `text[start:end]`, and the rank of the unit that it is, None for none."""

    start: int
    end: int
    text: str
    rank: int | None


@dataclass(frozen=True)
class Pieces:
    """Some texts in pieces, white space left out.

    Text i has the pieces `first[i]` to `first[i + 1]`; piece p is `joined[starts[p]:stops[p]]`,
    `ranks[p]` that of the unit that it is, 0 for none, and `forms[atoms[p]]` the same text where it
    is one atom, 0 elsewhere. `edges[i]` is where text i begins in `joined`.
    """

    joined: str
    forms: Sequence[str]
    edges: np.ndarray
    first: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    ranks: np.ndarray
    atoms: np.ndarray

    def __len__(self) -> int:
        return len(self.first) - 1

    def texts(self) -> list[str]:
        """Return the text of each piece; that of an atom is one object wherever it stands."""
        texts = list(map(self.forms.__getitem__, self.atoms.tolist()))
        for piece, text in self._read(self.atoms == 0):
            texts[piece] = text
        return texts

    def _read(self, wanted: np.ndarray) -> Iterator[tuple[int, str]]:
        """Yield some pieces, bool (pieces,), each with its text."""
        joined, places = self.joined, np.flatnonzero(wanted)
        starts, stops = self.starts[places].tolist(), self.stops[places].tolist()
        for piece, start, stop in zip(places.tolist(), starts, stops, strict=True):
            yield piece, joined[start:stop]

    def part(self, pieces: list[str]) -> Iterator[list[str]]:
        """Yield what there is of each text: a slice of something for each piece."""
        return (pieces[start:end] for start, end in pairwise(self.first.tolist()))

    def spans(self) -> Iterator[list[Span]]:
        """Yield the pieces of each text with their places in it."""
        texts, make = self.texts(), partial(tuple.__new__, Span)  # calls no code of Python's
        offsets = np.repeat(self.edges[:-1], np.diff(self.first))
        starts, stops = (self.starts - offsets).tolist(), (self.stops - offsets).tolist()
        columns = starts, stops, texts, [rank or None for rank in self.ranks.tolist()]
        rows = zip(*columns, strict=True)
        for pieces in np.diff(self.first).tolist():
            yield list(map(make, islice(rows, pieces)))

    def canonical(self, tokens: Sequence[str], spell: _Forms) -> Iterator[list[str]]:
        """Yield the words of each text in canonical form, the `tokens` of its units by rank."""
        forms = [spell[form] for form in self.forms]
        words = list(map(forms.__getitem__, self.atoms.tolist()))
        for piece, text in self._read((self.atoms == 0) & (self.ranks == 0)):
            words[piece] = spell[text]
        units = np.flatnonzero(self.ranks)
        for piece, rank in zip(units.tolist(), self.ranks[units].tolist(), strict=True):
            words[piece] = tokens[rank - 1]
        for start, end in pairwise(self.first.tolist()):
            yield [word for word in words[start:end] if word is not None]


class _Forms(dict[str, str | None]):
    """The canonical form of each text that was asked for, None of marks that are not kept."""

    def __init__(self, profile: Profile, *, keeps_marks: bool = False) -> None:
        self._profile, self._keeps_marks = profile, keeps_marks

    def __missing__(self, text: str) -> str | None:
        said = self._keeps_marks or any(sign.isalnum() for sign in text)
        self[text] = form = normalize(text, self._profile) if said else None
        return form


@dataclass(frozen=True)
class Segmenter:
    """The units of a run, ready to be found in texts. It is never changed: threads may share it.

    `ranks` and `lengths` of each candidate, `single` the rank of each atom that is a unit itself;
    0 for none. `tokens` are the units by rank.
    """

    cutter: Cutter
    candidates: Candidates
    values: np.ndarray
    trie: Trie
    ranks: np.ndarray
    lengths: np.ndarray
    single: np.ndarray
    tokens: Sequence[str]

    @classmethod
    def of(
        cls, units: pl.DataFrame, atoms: Atoms, candidates: Candidates, patterns: Mapping[str, str]
    ) -> Segmenter:
        """Return the segmenter of some units: `rank, token, candidate, atom, value`."""
        runs = units.filter(pl.col("candidate").is_not_null())
        values = final_values(runs, candidates)
        ranks = np.zeros(candidates.table.height, np.int64)
        ranks[runs["candidate"].to_numpy()] = runs["rank"].to_numpy()
        lengths = candidates.table["length"].to_numpy().astype(np.int64)
        alone = units.filter(pl.col("candidate").is_null())
        single = np.zeros(atoms.table.height + 2, np.int64)  # and one that no corpus has
        single[alone["atom"].to_numpy()] = alone["rank"].to_numpy()
        trie = build_trie(candidates, values > 0)
        cutter, tokens = Cutter.of(atoms, patterns), units["token"].to_list()
        return cls(cutter, candidates, values, trie, ranks, lengths, single, tokens)

    def spans(self, text: str) -> list[Span]:
        """Return the pieces of a text in order, white space left out."""
        return next(self.spans_of([text]))

    def spans_of(self, texts: Iterable[str]) -> Iterator[list[Span]]:
        """Yield the pieces of each text; several threads cut, and the order stays."""
        check_texts(texts)
        return chain.from_iterable(pieces.spans() for pieces in self._cut(texts))

    def segment_of(
        self, texts: Iterable[str | Sequence[str]], *, canonical: bool = False
    ) -> Iterator[list[str]]:
        """Yield the texts of the pieces of each text, or its words in canonical form.

        Where the texts come in tokens, these are the pieces, those of a unit joined by a space; a
        unit that begins or ends inside a token is none then.
        """
        check_texts(texts)
        rest: Iterator[Any] = iter(texts)
        first = list(islice(rest, 1))
        in_tokens = bool(first) and not isinstance(first[0], str)
        spell = _Forms(self.cutter.profile, keeps_marks=in_tokens)
        if in_tokens:
            for tokens in self._join_tokens(chain(first, rest)):
                yield [spell[token] or "" for token in tokens] if canonical else tokens
            return
        for pieces in self._cut(chain(first, rest)):
            if canonical:
                yield from pieces.canonical(self.tokens, spell)
            else:
                yield from pieces.part(pieces.texts())

    def _join_tokens(self, texts: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Yield the tokens of each text, those of a unit as one; none is cut."""
        waiting: deque[list[str]] = deque()
        for pieces in self._cut(_join_each(texts, waiting)):
            yield from _join_units([waiting.popleft() for _ in range(len(pieces))], pieces)

    def _cut(self, texts: Iterable[str]) -> Iterator[Pieces]:
        """Yield the pieces of some texts at a time, in order."""
        parts = _gather(texts)
        first, second = next(parts, None), next(parts, None)
        if first and not second:
            yield self._cut_part(*first)
        if not first or not second:
            return
        workers = min(os.cpu_count() or 1, 16)
        ready: deque[Future[Pieces]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for part in chain((first, second), parts):
                ready.append(pool.submit(self._cut_part, *part))
                if len(ready) > workers:
                    yield ready.popleft().result()
            while ready:
                yield ready.popleft().result()

    def _cut_part(self, number: int, texts: Sequence[str]) -> Pieces:
        """Return the pieces of a few texts, of which the first is the text `number` of all."""
        try:
            cut = self.cutter.cut(texts)
        except UnicodeEncodeError as error:
            number += next(i for i, text in enumerate(texts) if text == error.object)
            encode_text(error.object, f"texts[{number}]")
            raise
        spans, owners = cut.spans(), self._find_owners(cut)
        room = len(cut.keys) + len(cut.text) - int(np.subtract(*spans.T[::-1]).sum())
        pieces, first = np.empty((4, room), np.int64), np.empty(len(texts) + 1, np.int64)
        _list_pieces(
            cut.text,
            cut.edges,
            cut.first,
            spans,
            cut.raw,
            cut.keys,
            owners,
            self.lengths,
            self.ranks,
            self.single,
            _SPACES,
            pieces,
            first,
        )
        edges = np.cumsum([0, *(len(text) + 1 for text in texts)], dtype=np.int64)
        return Pieces("\n".join(texts), cut.forms, edges, first, *pieces[:, : first[-1]])

    def _find_owners(self, cut: Recut) -> np.ndarray:
        """Return the candidate that starts at each key, -1 where none does."""
        stops = np.zeros(MOST_ATOMS + 1, np.uint32)
        ids = np.concatenate([stops[:1], cut.keys, stops])
        stream = Stream(ids, np.zeros(len(ids), np.uint8), np.array([1, 1 + len(cut.keys)]))
        owners = find_owners(stream, self.candidates, self.values, trie=self.trie)
        return owners[1 : 1 + len(cut.keys)]


def _gather(texts: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield some texts at a time, with the number of the first."""
    part: list[str] = []
    number = size = 0
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(
                f"is {type(text).__name__}, and no text",
                where=f"texts[{number + len(part)}]",
                cure="Give texts, or lists of strings, but not both",
            )
        part.append(text)
        size += len(text)
        if size >= CHARACTERS or len(part) >= AT_ONCE:
            yield number, part
            number, size, part = number + len(part), 0, []
    if part:
        yield number, part


def _join_each(texts: Iterable[Sequence[str]], waiting: deque[list[str]]) -> Iterator[str]:
    """Yield the tokens of each text as a text, and keep them in `waiting`."""
    for number, tokens in enumerate(texts):
        try:
            held = tokens if isinstance(tokens, list) else list(tokens)
            text = " ".join(held)
        except TypeError:
            text = None
        if text is None or isinstance(tokens, str):
            raise UsageError(
                f"is {type(tokens).__name__}, and no list of tokens",
                where=f"texts[{number}]",
                cure="Give texts, or lists of strings, but not both",
            )
        waiting.append(held)
        yield text


def _join_units(texts: Sequence[list[str]], pieces: Pieces) -> Iterator[list[str]]:
    """Yield the tokens of each text, those of each unit as one."""
    tokens = [token for held in texts for token in held or ("",)]  # a line end is behind each text
    bounds = np.cumsum([0, *(len(held) or 1 for held in texts)])
    starts = np.cumsum(np.fromiter(map(len, ["", *tokens]), np.int64, len(tokens) + 1) + 1) - 1
    units = pieces.ranks > 0
    begin, behind = pieces.starts[units], pieces.stops[units] + 1
    low, high = np.searchsorted(starts, begin), np.searchsorted(starts, behind)
    whole = (starts[low] == begin) & (starts[high] == behind) & (high - low > 1)
    low, high = low[whole], high[whole]
    joined: list[str] = []
    done = 0
    for start, end in zip(low.tolist(), high.tolist(), strict=True):
        joined += tokens[done:start]
        joined.append(" ".join(tokens[start:end]))
        done = end
    joined += tokens[done:]
    fewer = np.append(0, np.cumsum(high - low - 1))[np.searchsorted(low, bounds)]
    for held, (start, end) in zip(texts, pairwise((bounds - fewer).tolist()), strict=True):
        yield joined[start:end] if held else []


@njit(nogil=True, cache=True)
def _list_pieces(
    text: np.ndarray,
    edges: np.ndarray,
    first_keys: np.ndarray,
    spans: np.ndarray,
    raw: np.ndarray,
    keys: np.ndarray,
    owners: np.ndarray,
    lengths: np.ndarray,
    ranks: np.ndarray,
    single: np.ndarray,
    spaces: np.ndarray,
    pieces: np.ndarray,
    first: np.ndarray,
) -> None:
    """Write where each piece starts and stops in characters, its rank and its atom where it is one.

    `first` gets the first piece of each text. Behind each is a line end, which is a character too.
    """
    place = character = size = 0
    for i in range(edges.shape[0] - 1):
        first[i] = size
        row, last = first_keys[i], first_keys[i + 1]
        while row < last:
            start, stop = spans[row, 0], spans[row, 1]
            owner, atom = owners[row], raw[row] >> 1
            if owner >= 0:
                rank = ranks[owner]
                row += lengths[owner]
                atom *= lengths[owner] == 1
                stop = spans[row - 1, 1]
            else:
                rank = single[keys[row] >> 1]
                row += 1
            if stop > start:
                size, character = _list_marks(text, place, start, character, spaces, pieces, size)
                pieces[0, size] = character
                for place in range(start, stop):
                    character += (text[place] & 0xC0) != 0x80
                pieces[1, size], pieces[2, size], pieces[3, size] = character, rank, atom
                size += 1
                place = stop
        end = edges[i + 1] - 1
        size, character = _list_marks(text, place, end, character, spaces, pieces, size)
        place, character = int(edges[i + 1]), character + 1
    first[edges.shape[0] - 1] = size


@njit(nogil=True, cache=True)
def _list_marks(
    text: np.ndarray,
    place: int,
    end: int,
    character: int,
    spaces: np.ndarray,
    pieces: np.ndarray,
    size: int,
) -> tuple[int, int]:
    """Write the signs between two pieces: each by itself, the same ones together.

    Return how many pieces there are then, and the character behind.
    """
    before = np.int64(-1)
    while place < end:
        point = np.int64(text[place])
        if point >= 0xC0:  # a sign of two bytes or more: its code point
            more = 1 + (point >= 0xE0) + (point >= 0xF0)
            point &= 0x3F >> more
            for _ in range(more):
                place += 1
                point = point << 6 | (text[place] & 0x3F)
        place += 1
        if point >= spaces.shape[0] or not spaces[point]:
            if point != before:
                pieces[0, size], pieces[2, size], pieces[3, size] = character, 0, 0
                size += 1
            pieces[1, size - 1] = character + 1
            before = point
        else:
            before = np.int64(-1)
        character += 1
    return size, character
