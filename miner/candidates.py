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
from queue import Empty, SimpleQueue

import numpy as np
import polars as pl
from numba import njit

from miner.atoms import MOST_ATOMS, Stream
from miner.cutting import CAPITAL, STARTS
from miner.tables import CANDIDATES, checked

PARTS = 64  # the corpus is cut into so many parts of equal size to measure dispersion
_SCALE = 50  # bits behind the point of the number of parts in a place
FEWEST_PASSES = 4
_SPARSE = 1024  # a run with fewer places is spread over the parts one by one

# One visited run: where its row starts in the integer and in the real table.
PARENT, KEY, LENGTH, COUNT, DOCUMENTS, PLACE, LEFT_STOPS, RIGHT_STOPS, WHOLE, CAPITALS, MIDDLE = (
    range(11)
)
LEFT_ENTROPY, RIGHT_ENTROPY, DISPERSION = range(3)
_INTEGERS, _REALS = 11, 3

# What is gathered of a place, side by side, for a look into the text costs ten times as much:
# the place; the atom before, and in its lowest bit whether the place is inside a sentence; its
# document, and whether it is a capital inside a sentence; the keys after.
_PLACE, _BEFORE, _DOCUMENT, _AFTER = range(4)
_AHEAD = 3  # keys after; what stands further on is looked up
_FIELDS = _AFTER + _AHEAD


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
    ids: np.ndarray, flags: np.ndarray, documents: np.ndarray, low: int, high: int,
    cursor: np.ndarray, places: np.ndarray,
) -> None:  # fmt: skip
    """Write a record for each place of the atoms [low, high), sorted by atom, then by place."""
    document, until = -1, documents[0]
    for place in range(1, ids.shape[0] - _AHEAD):
        while place >= until:
            document += 1
            until = documents[document + 1] if document + 2 <= documents.shape[0] else ids.shape[0]
        atom = np.int64(ids[place] >> 1)
        if atom >= low and atom < high:
            at = cursor[atom - low]
            cursor[atom - low] = at + 1
            inside = flags[place] & STARTS == 0
            capital = inside and flags[place] & CAPITAL != 0
            places[at, _PLACE] = place
            places[at, _BEFORE] = np.int64(ids[place - 1] >> 1) << 1 | inside
            places[at, _DOCUMENT] = document << 1 | capital
            for ahead in range(_AHEAD):
                places[at, _AFTER + ahead] = ids[place + ahead + 1]


@njit(nogil=True, cache=True)
def _look_around(
    ids: np.ndarray, flags: np.ndarray, places: np.ndarray, left: np.ndarray, right: np.ndarray,
    befores: np.ndarray, afters: np.ndarray, row: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """Fill the row of the run at `places`, and count its neighbours in `left` and `right`.

    Returns how many different ones `befores` and `afters` list. Hardly a branch depends on the
    text: a mispredicted one costs as much as the rest of the loop.
    """
    length = row[LENGTH]
    next_key = _AFTER + min(length, _AHEAD) - 1
    seen, whole, capitals, middle, earlier = 0, 0, 0, 0, -1
    kinds_before, kinds_after = 0, 0
    for i in range(places.shape[0]):
        before = np.int64(places[i, _BEFORE])
        document = np.int64(places[i, _DOCUMENT])
        if length > _AHEAD:
            places[i, next_key] = ids[np.int64(places[i, _PLACE]) + length]
        after = np.int64(places[i, next_key])
        capitals += document & 1 and flags[np.int64(places[i, _PLACE]) + length - 1] & CAPITAL != 0
        middle += before & 1
        before >>= 1
        whole += before | after == 0
        seen += document >> 1 != earlier
        earlier = document >> 1
        count = left[before]
        befores[kinds_before] = before
        kinds_before += count == 0
        left[before] = count + 1
        count = right[after]
        afters[kinds_after] = after
        kinds_after += count == 0
        right[after] = count + 1
    row[COUNT], row[PLACE], row[DOCUMENTS] = places.shape[0], places[0, _PLACE], seen
    row[WHOLE], row[CAPITALS], row[MIDDLE] = whole, capitals, middle
    row[LEFT_STOPS], row[RIGHT_STOPS] = left[0], right[0]
    return kinds_before, kinds_after


@njit(nogil=True, cache=True)
def _entropy(
    counts: np.ndarray, keys: np.ndarray, kinds: int, total: int, logs: np.ndarray
) -> float:
    """Return the entropy in bits of the neighbours; every stop is one of its own."""
    known = 0.0
    for i in range(kinds):
        count = np.int64(counts[keys[i]])
        if keys[i] != 0 and count > 1:
            known += logs[count] if count < logs.shape[0] else count * np.log2(count)
    return np.log2(total) - known / total


@njit(nogil=True, cache=True)
def _unevenness(places: np.ndarray, scale: int, parts: np.ndarray) -> float:
    """Return Gries' DP of the places: 0 where each part holds as many, 1 - 1 / PARTS at most.

    `parts` is scratch.
    """
    count = places.shape[0]
    parts[:] = 0
    if count < _SPARSE:
        for i in range(count):
            parts[(np.int64(places[i, _PLACE]) * scale) >> _SCALE] += 1
    else:
        start = 0
        for part in range(PARTS):
            low, high = start, count
            while low < high:
                middle = (low + high) // 2
                if (np.int64(places[middle, _PLACE]) * scale) >> _SCALE <= part:
                    low = middle + 1
                else:
                    high = middle
            parts[part] = low - start
            start = low
    deviation = 0
    for part in range(PARTS):
        deviation += abs(PARTS * parts[part] - count)
    return deviation / (2 * PARTS * count)


@njit(nogil=True, cache=True)
def _move_places(
    places: np.ndarray, slots: np.ndarray, size: int, next_key: int, moved: np.ndarray
) -> None:
    """Sort `places` by the slot of the key that follows, stably; only `size` of them have one.

    The slot of any other key is `size` itself.
    """
    for i in range(places.shape[0]):
        key = places[i, next_key]
        at = np.int64(slots[key])
        for field in range(_FIELDS):
            moved[at, field] = places[i, field]
        slots[key] = at + (at < size)
    for i in range(size):
        for field in range(_FIELDS):
            places[i, field] = moved[i, field]


@njit(nogil=True, cache=True)
def _clear(counts: np.ndarray, keys: np.ndarray, kinds: int) -> None:
    for i in range(kinds):
        counts[keys[i]] = 0


@njit(nogil=True, cache=True)
def _visit(
    ids: np.ndarray, flags: np.ndarray, places: np.ndarray, starts: np.ndarray, base: int,
    first: int, last: int, min_count: int, longest: int, scale: int, logs: np.ndarray,
    left: np.ndarray, right: np.ndarray, integers: np.ndarray, reals: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """Write a row for every frequent run that starts with an atom of [first, last).

    `places[starts[a - base]:starts[a - base + 1]]` are where atom a stands; they are reordered.
    `left` (atoms,) and `right` (keys,) are zero before and after. Returns the atom before which
    the tables were full (`last` if none) and the number of rows.
    """
    rows = 0
    most = 0
    for atom in range(first, last):
        most = max(most, starts[atom - base + 1] - starts[atom - base])
    moved = np.empty((most + 1, _FIELDS), places.dtype)
    befores = np.empty(min(most, left.shape[0]) + 1, np.uint32)
    afters = np.empty(min(most, right.shape[0]) + 1, np.uint32)
    parts = np.zeros(PARTS, np.int64)
    todo = np.empty((longest * (most // min_count + 2), 3), np.int64)
    for atom in range(first, last):
        low, high = starts[atom - base], starts[atom - base + 1]
        if high - low < min_count:
            continue
        if rows + (longest * (high - low)) // min_count + 1 > integers.shape[0]:
            return atom, rows
        integers[rows, PARENT], integers[rows, KEY], integers[rows, LENGTH] = -1, atom << 1, 1
        todo[0, 0], todo[0, 1], todo[0, 2] = low, high, rows
        rows += 1
        waiting = 1
        while waiting > 0:
            waiting -= 1
            low, high, row = todo[waiting, 0], todo[waiting, 1], todo[waiting, 2]
            here = places[low:high]
            length, count = integers[row, LENGTH], high - low
            kinds_before, kinds = _look_around(
                ids, flags, here, left, right, befores, afters, integers[row]
            )
            reals[row, LEFT_ENTROPY] = _entropy(left, befores, kinds_before, count, logs)
            reals[row, RIGHT_ENTROPY] = _entropy(right, afters, kinds, count, logs)
            reals[row, DISPERSION] = _unevenness(here, scale, parts)
            _clear(left, befores, kinds_before)
            size = 0
            first_row = rows
            for i in range(kinds):
                key = afters[i]
                repeats = np.int64(right[key])
                if length < longest and key != 0 and repeats >= min_count:
                    integers[rows, PARENT], integers[rows, KEY] = row, key
                    integers[rows, LENGTH], integers[rows, COUNT] = length + 1, repeats
                    rows += 1
                    size += repeats
                else:
                    right[key] = 0
            if size > 0:
                at = 0
                for i in range(kinds):
                    if right[afters[i]] == 0:
                        right[afters[i]] = size
                for child in range(first_row, rows):
                    repeats = integers[child, COUNT]
                    right[integers[child, KEY]] = at
                    todo[waiting, 0], todo[waiting, 1] = low + at, low + at + repeats
                    todo[waiting, 2] = child
                    waiting += 1
                    at += repeats
                _move_places(here, right, size, _AFTER + min(length, _AHEAD) - 1, moved)
                _clear(right, afters, kinds)
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
    """Count every run of 1..`longest` atoms that occurs `min_count` times, exactly.

    `longest` is at most `MOST_ATOMS`. `atom_counts` int64 (atoms,): how often atom i + 1 stands
    in the stream, falling. `memory`, in bytes, bounds what is held beside the rows themselves: a
    larger corpus is counted in more passes, to the same rows; it cannot fall below what the most
    frequent atom needs. `progress` is called with the number of places done. Length 1 is
    included: the statistics of a run need the counts of its parts.
    """
    threads = threads or min(os.cpu_count() or 1, 16)
    counter = _Counter(stream, atom_counts, min_count=min_count, longest=longest)
    ranges = counter.cut_ranges(memory, threads)
    rows: list[_Rows] = []
    with ThreadPoolExecutor(threads) as pool:
        for (first, last), counted in zip(ranges, pool.map(counter.count_range, ranges), strict=True):
            rows += counted
            if progress:
                progress(int(atom_counts[first - 1 : last - 1].sum()))
    return _assemble(rows, longest=longest)


_Rows = tuple[np.ndarray, np.ndarray]  # integers and reals of some runs, parents within them


class _Counter:
    """What every range of first atoms needs to be counted."""

    def __init__(
        self, stream: Stream, atom_counts: np.ndarray, *, min_count: int, longest: int
    ) -> None:
        size = len(stream.ids)
        self.ids, self.flags = _read_only(stream.ids), _read_only(stream.flags)
        self.documents = _read_only(stream.documents)
        self.counts = atom_counts
        self.min_count = min_count
        self.longest = longest
        self.dtype = np.dtype(np.uint32 if size < 2**31 else np.uint64)
        self.scale = -(-(PARTS << _SCALE) // size)
        self.logs = np.arange(4096) * np.log2(np.maximum(np.arange(4096), 1))
        self.idle: SimpleQueue[_Desk] = SimpleQueue()

    def cut_ranges(self, memory: int | None, threads: int) -> list[tuple[int, int]]:
        """Return ranges [first, last) of frequent atoms, of equal mass as far as atoms allow.

        A pass reads the whole stream, and `FEWEST_PASSES` keep its records near the processor.
        """
        frequent = int(np.searchsorted(-self.counts, -self.min_count, side="right"))
        if frequent == 0:
            return []
        ends = np.cumsum(self.counts[:frequent])
        parts = max(FEWEST_PASSES, threads)
        if memory:
            desk = 12 * (len(self.counts) + 1)
            room = max(memory // threads - desk, 1 << 20) // (_FIELDS * self.dtype.itemsize * 2)
            parts = max(parts, -(-int(ends[-1]) // room))
        cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts) + 1
        edges = np.unique(np.concatenate([[0], cuts, [frequent]])) + 1
        return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def count_range(self, atoms: tuple[int, int]) -> list[_Rows]:
        """Return the rows of the runs that start with an atom of [first, last)."""
        first, last = atoms
        starts = np.concatenate([[0], np.cumsum(self.counts[first - 1 : last - 1])])
        desk = self._take_desk(int(starts[-1]))
        _gather_places(
            self.ids, self.flags, self.documents, first, last, starts[:-1].copy(), desk.places
        )
        largest = int(np.diff(starts).max()) * self.longest // self.min_count + 1
        room = max(1 << 14, largest)
        done, counted = first, []
        while done < last:
            integers, reals = np.empty((room, _INTEGERS), np.int64), np.empty((room, _REALS))
            done, rows = _visit(
                self.ids, self.flags, desk.places, starts, first, done, last, self.min_count,
                self.longest, self.scale, self.logs, desk.left, desk.right, integers, reals,
            )  # fmt: skip
            counted.append((integers[:rows].copy(), reals[:rows].copy()))
        self.idle.put(desk)
        return counted

    def _take_desk(self, places: int) -> _Desk:
        """Return room for so many places, from a range that is done where it has as much."""
        atoms = len(self.counts) + 1
        try:
            desk = self.idle.get_nowait()
        except Empty:
            left, right = np.zeros(atoms, np.uint32), np.zeros(2 * atoms, np.uint32)
            desk = _Desk(np.empty((0, _FIELDS), self.dtype), left, right)
        if len(desk.places) < places:
            desk.places = np.empty((0, _FIELDS), self.dtype)  # the old is given back first
            desk.places = np.empty((places, _FIELDS), self.dtype)
        return desk


@dataclass
class _Desk:
    """What one thread writes on: the records of a range, counts of atoms and of keys (all 0)."""

    places: np.ndarray
    left: np.ndarray
    right: np.ndarray


def _read_only(numbers: np.ndarray) -> np.ndarray:
    """Return a view that is compiled for like any other, whether it lies on disk or not."""
    view = np.asarray(numbers)[:]
    view.setflags(write=False)
    return view


def _assemble(counted: list[_Rows], *, longest: int) -> Candidates:
    """Join the rows of all ranges, spell their keys and link each run to its parts."""
    size = 0
    for integers, _ in counted:
        integers[:, PARENT] += np.where(integers[:, PARENT] >= 0, size, 0)
        size += len(integers)
    rows = np.concatenate([np.empty((0, _INTEGERS), np.int64), *(part for part, _ in counted)])
    real = np.concatenate([np.empty((0, _REALS)), *(part for _, part in counted)])
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
