"""Atoms to candidates: which runs of atoms repeat, how often, and between what neighbours?

Depth first: the places of an atom are split by the atom that follows, and only runs that repeat
`min_count` times are entered, so the cost is the text covered by frequent runs. First atoms are
independent of each other: threads, and passes over a corpus larger than memory, each take a range
of first atoms of equal mass, and the rows come out the same, in the same order, with nothing to
merge. Both branching entropies, the number of documents and the dispersion come from the same
visit. A run keeps its spaces: `𒀭|𒂗` and `𒀭 𒂗` are two candidates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit

from miner.atoms import MOST_ATOMS, Stream
from miner.cutting import CAPITAL, STARTS
from miner.tables import CANDIDATES, checked

PARTS = 64  # the corpus is cut into so many parts of equal size to measure dispersion
BLOCK = 16  # places that share an entry of the index of documents
_u32, _u64 = np.uint32, np.uint64

# One visited run: where its row starts in the integer and in the real table.
PARENT, KEY, LENGTH, COUNT, DOCUMENTS, PLACE, LEFT_STOPS, RIGHT_STOPS, WHOLE, CAPITALS, MIDDLE = (
    range(11)
)
LEFT_ENTROPY, RIGHT_ENTROPY, DISPERSION = range(3)


def default_min_count(atoms: int) -> int:
    """Return how often a run must occur to be a candidate, for a corpus of so many atoms.

    Grows with the square root of the corpus, so that the number of candidates does too:
    3 up to 1 million atoms, 5 at 2.8 million, 30 at 100 million.

    >>> [default_min_count(atoms) for atoms in (1_000, 2_577_507, 100_000_000)]
    [3, 5, 30]
    """
    return max(3, round(3 * (atoms / 1e6) ** 0.5))


@njit(nogil=True, cache=True)
def _gather_places(
    ids: np.ndarray, low: int, high: int, cursor: np.ndarray, places: np.ndarray
) -> None:
    """Write where each atom of [low, high) stands to `places`, sorted by atom, then by place."""
    for place in range(ids.shape[0]):
        atom = ids[place] >> 1
        if atom >= low and atom < high:
            places[cursor[atom - low]] = place
            cursor[atom - low] += 1


@njit(nogil=True, cache=True, inline="always")
def _log(count: int, logs: np.ndarray) -> float:
    """Return count x log2(count), from a table where it is small."""
    return logs[count] if count < logs.shape[0] else count * np.log2(count)


@njit(nogil=True, cache=True)
def _spread(
    places: np.ndarray, low: int, high: int, documents: np.ndarray, blocks: np.ndarray,
    part_size: float,
) -> tuple[int, float]:  # fmt: skip
    """Return in how many documents, and how unevenly (Gries' DP), the places are spread.

    `blocks[b]` is the document in which block b of `BLOCK` places starts.
    """
    count = high - low
    share = 1.0 / PARTS
    seen = 0
    document, until = -1, -1
    part, in_part, visited = -1, 0, 0
    deviation = 0.0
    for i in range(low, high):
        place = np.int64(places[i])
        if place >= until:
            document = np.int64(blocks[place // BLOCK])
            while documents[document + 1] <= place:
                document += 1
            until = documents[document + 1]
            seen += 1
        here = np.int64(place / part_size)
        if here != part:
            if in_part > 0:
                deviation += abs(in_part / count - share)
            part, in_part = here, 0
            visited += 1
        in_part += 1
    deviation += abs(in_part / count - share) + (PARTS - visited) * share
    return seen, deviation / 2


@njit(nogil=True, cache=True)
def _visit(
    ids: np.ndarray, flags: np.ndarray, documents: np.ndarray, blocks: np.ndarray,
    places: np.ndarray, starts: np.ndarray, base: int, first: int, last: int, min_count: int, longest: int,
    part_size: float, logs: np.ndarray, counts: np.ndarray, offsets: np.ndarray,
    integers: np.ndarray, reals: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """Write a row for every frequent run that starts with an atom of [first, last).

    `places[starts[a - base]:starts[a - base + 1]]` are where atom a stands; they are reordered.
    `counts` (keys,) is zero before and after, `offsets` (keys,) is scratch. Returns the atom
    before which the tables were full (`last` if none) and the number of rows.
    """
    rows = 0
    most = 0
    for atom in range(first, last):
        most = max(most, starts[atom - base + 1] - starts[atom - base])
    following = np.empty(most, np.uint32)
    moved = np.empty(most, places.dtype)
    seen_keys = np.empty(most + 1, np.uint32)
    depth = longest * (most // min_count + 2)
    todo_low = np.empty(depth, np.int64)
    todo_high = np.empty(depth, np.int64)
    todo_row = np.empty(depth, np.int64)
    for atom in range(first, last):
        low, high = starts[atom - base], starts[atom - base + 1]
        if high - low < min_count:
            continue
        if rows + (longest * (high - low)) // min_count + 1 > integers.shape[0]:
            return atom, rows
        integers[rows, PARENT] = -1
        integers[rows, KEY] = atom << 1
        integers[rows, LENGTH] = 1
        todo_low[0], todo_high[0], todo_row[0] = low, high, rows
        rows += 1
        todo = 1
        while todo > 0:
            todo -= 1
            low, high, row = todo_low[todo], todo_high[todo], todo_row[todo]
            length = integers[row, LENGTH]
            count = high - low
            integers[row, COUNT] = count
            integers[row, PLACE] = places[low]
            left_stops, right_stops, whole, capitals, middle = 0, 0, 0, 0, 0
            kinds = 0
            total = 0.0
            for i in range(low, high):
                place = places[i]
                before = ids[place - 1] >> 1
                after = ids[place + length]
                following[i - low] = after
                left_stops += before == 0
                right_stops += after == 0
                whole += before == 0 and after == 0
                if not flags[place] & STARTS:
                    middle += 1
                    capitals += flags[place] & flags[place + length - 1] & CAPITAL
                if before != 0:  # every stop is a neighbour of its own: it adds 1 x log 1
                    if counts[before] == 0:
                        seen_keys[kinds] = before
                        kinds += 1
                    counts[before] += 1
            for i in range(kinds):
                total += _log(counts[seen_keys[i]], logs)
                counts[seen_keys[i]] = 0
            reals[row, LEFT_ENTROPY] = np.log2(count) - total / count
            integers[row, LEFT_STOPS] = left_stops
            integers[row, RIGHT_STOPS] = right_stops
            integers[row, WHOLE] = whole
            integers[row, CAPITALS] = capitals
            integers[row, MIDDLE] = middle
            seen, deviation = _spread(places, low, high, documents, blocks, part_size)
            integers[row, DOCUMENTS] = seen
            reals[row, DISPERSION] = deviation
            kinds = 0
            for i in range(count):
                after = following[i]
                if after != 0:
                    if counts[after] == 0:
                        seen_keys[kinds] = after
                        kinds += 1
                    counts[after] += 1
            total = 0.0
            size = 0
            for i in range(kinds):
                key = seen_keys[i]
                repeats = np.int64(counts[key])
                total += _log(repeats, logs)
                counts[key] = 0
                offsets[key] = -1
                if repeats >= min_count and length < longest:
                    offsets[key] = low + size
                    integers[rows, PARENT] = row
                    integers[rows, KEY] = key
                    integers[rows, LENGTH] = length + 1
                    todo_low[todo] = low + size
                    todo_high[todo] = low + size + repeats
                    todo_row[todo] = rows
                    todo += 1
                    rows += 1
                    size += repeats
            reals[row, RIGHT_ENTROPY] = np.log2(count) - total / count
            if size > 0:  # a stable counting sort: the places of each longer run stay in order
                for i in range(count):
                    after = following[i]
                    if after != 0 and offsets[after] >= 0:
                        moved[offsets[after] - low] = places[low + i]
                        offsets[after] += 1
                for i in range(size):
                    places[low + i] = moved[i]
    return last, rows


@dataclass(frozen=True)
class Candidates:
    """Runs of atoms that repeat.

    `table`: a row each, `candidate` is the row's number. `keys` uint32 (rows, longest): the keys
    of its atoms, zero-filled on the right; the first key has no space bit.
    `parent`, `suffix` int64 (rows,): the row without the last and without the first atom, -1
    for a single atom.
    """

    table: pl.DataFrame
    keys: np.ndarray
    parent: np.ndarray
    suffix: np.ndarray


def count_candidates(
    stream: Stream,
    atom_counts: np.ndarray,
    *,
    min_count: int,
    longest: int = MOST_ATOMS,
    memory: int | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Candidates:
    """Count every run of 1..`longest` atoms (at most `MOST_ATOMS`) that occurs `min_count` times, exactly.

    `atom_counts` int64 (atoms,): how often atom i + 1 stands in the stream, falling. `memory`,
    in bytes, bounds the places held at a time: a larger corpus is counted in several passes,
    to the same rows. `progress` is called with the number of places done. Length 1 is included:
    the statistics of a run need the counts of its parts.
    """
    frequent = int(np.searchsorted(-atom_counts, -min_count, side="right"))
    counter = _Counter(stream, atom_counts, min_count=min_count, longest=longest)
    threads = threads or min(os.cpu_count() or 1, 16)
    integers, reals = [], []
    with ThreadPoolExecutor(threads) as pool:
        for first, last in _ranges(atom_counts[:frequent], counter.places_at_once(memory)):
            ranges = _cut_range(atom_counts, first, last, threads)
            for rows, real in pool.map(counter.count_range, *zip(*ranges, strict=True)):
                shift = sum(len(part) for part in integers)
                rows[:, PARENT] += np.where(rows[:, PARENT] >= 0, shift, 0)
                integers.append(rows)
                reals.append(real)
            if progress:
                progress(int(atom_counts[first - 1 : last - 1].sum()))
    return _assemble(integers, reals, longest=longest)


class _Counter:
    """What every range of first atoms needs to be counted."""

    def __init__(
        self, stream: Stream, atom_counts: np.ndarray, *, min_count: int, longest: int
    ) -> None:
        self.stream = stream
        self.counts = atom_counts
        self.min_count = min_count
        self.longest = longest
        size = len(stream.ids)
        self.blocks = np.searchsorted(
            stream.documents, np.arange(0, size, BLOCK), side="right"
        ).astype(np.uint32) - np.uint32(1)
        self.blocks[0] = 0  # the stop in front
        self.dtype = np.uint32 if size < 2**32 else np.uint64
        self.part_size = size / PARTS
        self.logs = np.arange(4096) * np.log2(np.maximum(np.arange(4096), 1))

    def places_at_once(self, memory: int | None) -> int:
        return max(1 << 20, (memory or 1 << 62) // (4 * np.dtype(self.dtype).itemsize))

    def count_range(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the runs that start with an atom of [first, last)."""
        starts = np.concatenate([[0], np.cumsum(self.counts[first - 1 : last - 1])])
        places = np.empty(int(starts[-1]), self.dtype)
        _gather_places(self.stream.ids, first, last, starts[:-1].copy(), places)
        keys = 2 * (len(self.counts) + 1)
        counts, offsets = np.zeros(keys, np.uint32), np.empty(keys, np.int64)
        largest = int(np.diff(starts).max(initial=0)) * self.longest // self.min_count + 1
        room = max(1 << 16, largest)
        done, integers, reals = first, [], []
        size = 0
        while done < last:
            table = np.empty((room, 11), np.int64)
            real = np.empty((room, 3))
            done, rows = _visit(
                self.stream.ids, self.stream.flags, self.stream.documents, self.blocks, places,
                starts, first, done, last, self.min_count, self.longest, self.part_size, self.logs, counts, offsets,
                table, real,
            )  # fmt: skip
            table = table[:rows].copy()
            table[:, PARENT] += np.where(table[:, PARENT] >= 0, size, 0)
            integers.append(table)
            reals.append(real[:rows].copy())
            size += rows
        return np.concatenate(integers), np.concatenate(reals)


def _ranges(counts: np.ndarray, places: int) -> Iterator[tuple[int, int]]:
    """Yield ranges [first, last) of atoms whose places fit in memory together."""
    ends = np.cumsum(counts)
    first = 1
    while first <= len(counts):
        before = ends[first - 2] if first > 1 else 0
        last = max(first + 1, int(np.searchsorted(ends, before + places, side="right")) + 1)
        yield first, last
        first = last


def _cut_range(counts: np.ndarray, first: int, last: int, parts: int) -> list[tuple[int, int]]:
    """Cut [first, last) into `parts` ranges of equal mass."""
    ends = np.cumsum(counts[first - 1 : last - 1])
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts) + 1
    edges = np.unique(np.concatenate([[0], cuts, [last - first]]))
    return [(first + int(a), first + int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _assemble(integers: list[np.ndarray], reals: list[np.ndarray], *, longest: int) -> Candidates:
    """Join the rows of all ranges, spell their keys and link each run to its parts."""
    rows = np.concatenate(integers) if integers else np.empty((0, 11), np.int64)
    real = np.concatenate(reals) if reals else np.empty((0, 3))
    keys = np.zeros((len(rows), longest), np.uint32)
    suffix = np.full(len(rows), -1, np.int64)
    parent, key, length = rows[:, PARENT], rows[:, KEY], rows[:, LENGTH]
    codes = (parent << 32) | key
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    for level in range(1, longest + 1):
        here = np.flatnonzero(length == level)
        if level > 1:
            keys[here] = keys[parent[here]]
            above = suffix[parent[here]]
            wanted = (above << 32) | (key[here] if level > 2 else key[here] & ~1)
            suffix[here] = order[np.searchsorted(codes, wanted)]
        keys[here, level - 1] = key[here]
    return Candidates(_candidate_rows(rows, real), keys, parent.copy(), suffix)


def _candidate_rows(rows: np.ndarray, real: np.ndarray) -> pl.DataFrame:
    """Return the table of what was measured of each run."""
    integers = {
        "length": LENGTH, "count": COUNT, "documents": DOCUMENTS, "place": PLACE,
        "left_stops": LEFT_STOPS, "right_stops": RIGHT_STOPS, "whole": WHOLE,
        "capitals": CAPITALS, "middle": MIDDLE,
    }  # fmt: skip
    reals = {
        "left_entropy": LEFT_ENTROPY, "right_entropy": RIGHT_ENTROPY, "dispersion": DISPERSION,
    }  # fmt: skip
    table = pl.DataFrame(
        {"candidate": np.arange(len(rows), dtype=np.uint32)}
        | {name: rows[:, column] for name, column in integers.items()}
        | {name: real[:, column] for name, column in reals.items()}
    )
    return checked(table.cast({"length": pl.UInt8}), CANDIDATES)
