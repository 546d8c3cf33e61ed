"""Any text to the units of a run in it: the same cut that the corpus was given.

The text is pre-tokenized as the corpus was, and the cut with the largest sum of values wins, as in
`mining.segmentation`. What is no unit stays as it is: a word by itself, a mark by itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.ranking import final_values
from miner.mining.segmentation import Trie, build_trie, find_owners
from miner.text.pretokens import MOST_ATOMS, Atoms, Stream
from miner.text.recut import Cutter, Recut

AT_ONCE = 2_048  # texts cut at a time
_MARKS = re.compile(r"(\S)\1*")  # of punctuation: each sign by itself, the same ones together


@dataclass(frozen=True)
class Span:
    """A piece of a text: `text[start:end]`, and the rank of the unit that it is, None for none."""

    start: int
    end: int
    text: str
    rank: int | None


@dataclass(frozen=True)
class Segmenter:
    """The units of a run, ready to be found in texts. It is never changed: threads may share it."""

    cutter: Cutter
    candidates: Candidates
    values: np.ndarray
    trie: Trie
    ranks: np.ndarray
    whole: Mapping[int, int]
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
        single = units.filter(pl.col("candidate").is_null())
        whole = dict(zip(single["atom"].to_list(), single["rank"].to_list(), strict=True))
        cutter = Cutter.of(atoms, patterns)
        trie = build_trie(candidates, values > 0)
        return cls(cutter, candidates, values, trie, ranks, whole, units["token"].to_list())

    def spans(self, text: str) -> list[Span]:
        """Return the pieces of a text in order, white space left out."""
        return next(self.spans_of([text]))

    def spans_of(self, texts: Iterable[str]) -> Iterator[list[Span]]:
        """Yield the pieces of each text; several threads cut, and the order stays."""
        workers = min(os.cpu_count() or 1, 16)
        with ThreadPoolExecutor(workers) as pool:
            rest = iter(texts)
            while group := list(islice(rest, AT_ONCE * workers)):
                parts = [group[i : i + AT_ONCE] for i in range(0, len(group), AT_ONCE)]
                for pieces in pool.map(self._cut_batch, parts):
                    yield from pieces

    def join_tokens(self, tokens: Sequence[str]) -> list[str]:
        """Return the tokens of a text, those of a unit joined by a space; none is cut.

        A unit that ends inside a token is none here.
        """
        starts = np.cumsum([0, *(len(token) + 1 for token in tokens)]).tolist()
        number = {start: i for i, start in enumerate(starts)}
        joined, done = [], 0
        for span in self.spans(" ".join(tokens)):
            first, last = number.get(span.start), number.get(span.end + 1)
            if span.rank and first is not None and last is not None and first >= done:
                joined += [*tokens[done:first], " ".join(tokens[first:last])]
                done = last
        return [*joined, *tokens[done:]]

    def _cut_batch(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the pieces of a few texts."""
        cut = self.cutter.cut(texts)
        owners = self._find_owners(cut)
        spans, firsts = cut.spans(), cut.first.tolist()
        edges = cut.edges.tolist()
        return [
            self._read_spans(
                text, spans[first:last] - edge, cut.keys[first:last], owners[first:last]
            )
            for text, edge, (first, last) in zip(texts, edges, pairwise(firsts), strict=False)
        ]

    def _find_owners(self, cut: Recut) -> np.ndarray:
        """Return the candidate that starts at each key, -1 where none does."""
        stops = np.zeros(MOST_ATOMS + 1, np.uint32)
        ids = np.concatenate([stops[:1], cut.keys, stops])
        stream = Stream(ids, np.zeros(len(ids), np.uint8), np.array([1, 1 + len(cut.keys)]))
        owners = find_owners(stream, self.candidates, self.values, trie=self.trie)
        return owners[1 : 1 + len(cut.keys)]

    def _read_spans(
        self, text: str, spans: np.ndarray, keys: np.ndarray, owners: np.ndarray
    ) -> list[Span]:
        """Return the pieces of one text, of which `spans` are the bytes of its keys."""
        lengths = self.candidates.table["length"]
        places = _to_characters(text, spans)
        found: list[Span] = []
        end = row = 0
        while row < len(keys):
            start, stop = places[row]
            owner = int(owners[row])
            rank = int(self.ranks[owner]) if owner >= 0 else self.whole.get(int(keys[row]) >> 1)
            row += int(lengths[owner]) if owner >= 0 else 1
            if owner >= 0:
                stop = places[row - 1][1]
            if stop > start:
                found += _read_marks(text, end, start)
                found.append(Span(start, stop, text[start:stop], rank))
                end = stop
        return found + _read_marks(text, end, len(text))


def _to_characters(text: str, spans: np.ndarray) -> list[tuple[int, int]]:
    """Return places of bytes as places of characters."""
    if text.isascii():
        return [(start, stop) for start, stop in spans.tolist()]
    content = np.frombuffer(text.encode(), np.uint8)
    numbers = np.cumsum((content & 0xC0) != 0x80)
    before = np.append(0, numbers)
    return [(int(before[start]), int(before[stop])) for start, stop in spans.tolist()]


def _read_marks(text: str, start: int, end: int) -> list[Span]:
    """Return the signs between two pieces: punctuation, which is no atom."""
    return [
        Span(match.start(), match.end(), match[0], None)
        for match in _MARKS.finditer(text, start, end)
    ]
