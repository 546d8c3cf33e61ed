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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit

from miner.progress import Advance, idle
from miner.text.pretokenization import CAPITAL, STARTS
from miner.text.pretokens import MOST_ATOMS, Stream
from miner.text.tables import CANDIDATES, checked

PARTS = 64  # the corpus is cut into so many parts of equal size to measure dispersion
BLOCK = 8  # bits of a place that count within a block: 256 places
NEAR = 512  # places within which a run comes again
_SCALE = 50  # bits behind the point of the number of parts in a place
WIDE = 1 << 31  # from so many places on, they are kept in 64 bits
SHELF = 1 << 19  # places whose records are held at a time, where atoms allow: they fit a cache
MOST_SHELVES = 255
THREAD = 1 << 22  # places that are worth a thread: two that share a cache cost a third more
MOST_THREADS = 16
_SPARSE = 1024  # a run with fewer places is spread over the parts one by one

# One visited run: where its row starts in the integer and in the real table.
PARENT, KEY, LENGTH, COUNT, DOCUMENTS, PLACE, LEFT_STOPS, RIGHT_STOPS, WHOLE, CAPITALS, MIDDLE = (
    range(11)
)
LINES, BLOCKS, AGAIN, LEFT_KINDS, RIGHT_KINDS, FILLED = range(11, 17)
LEFT_ENTROPY, RIGHT_ENTROPY, DISPERSION = range(3)
_INTEGERS, _REALS = 17, 3

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


class _Text(NamedTuple):
    """A stream, and how many parts of it one place is: see `_unevenness`."""

    ids: np.ndarray
    flags: np.ndarray
    documents: np.ndarray
    scale: int


class _Shelf(NamedTuple):
    """Records of places, where those of each atom from `base` on start, and the end of the last."""

    places: np.ndarray
    starts: np.ndarray
    base: int


class _Limits(NamedTuple):
    """What a run must be to have a row."""

    min_count: int
    longest: int


class _Counts(NamedTuple):
    """Scratch, zero before and after: how often each atom stands before, and each key behind."""

    left: np.ndarray
    right: np.ndarray


class _Room(NamedTuple):
    """Where rows go, int64 (rows, integers) and float64 (rows, reals)."""

    integers: np.ndarray
    reals: np.ndarray


@njit(nogil=True, cache=True)
def _list_places(
    ids: np.ndarray, shelves: np.ndarray, cursor: np.ndarray, listed: np.ndarray
) -> None:
    """Write where the atoms of each shelf stand to `listed`, shelf by shelf, in text order.

    `shelves[atom]` is its shelf, `cursor[shelf]` where the places of that shelf go. Atoms that
    are not wanted have the last shelf, which never fills: no branch depends on the text.
    """
    last = cursor.shape[0] - 1
    for place in range(ids.shape[0]):
        shelf = shelves[ids[place] >> 1]
        listed[cursor[shelf]] = place
        cursor[shelf] += shelf < last


@njit(nogil=True, cache=True)
def _gather_records(
    ids: np.ndarray,
    flags: np.ndarray,
    documents: np.ndarray,
    listed: np.ndarray,
    low: int,
    cursor: np.ndarray,
    places: np.ndarray,
) -> None:
    """Write a record for each listed place to `places`, sorted by atom, then by place.

    `cursor[atom - low]` is where the records of an atom go.
    """
    document = np.searchsorted(documents, listed[0], side="right") - 1
    until = documents[document + 1]
    for i in range(listed.shape[0]):
        place = np.int64(listed[i])
        while place >= until:
            document += 1
            until = documents[document + 1]
        atom = np.int64(ids[place] >> 1) - low
        at = cursor[atom]
        cursor[atom] = at + 1
        inside = flags[place] & STARTS == 0
        capital = inside and flags[place] & CAPITAL != 0
        places[at, _PLACE] = place
        places[at, _BEFORE] = np.int64(ids[place - 1] >> 1) << 1 | inside
        places[at, _DOCUMENT] = document << 1 | capital
        for ahead in range(_AHEAD):
            places[at, _AFTER + ahead] = ids[place + ahead + 1]


@njit(nogil=True, cache=True)
def _look_around(
    text: _Text,
    places: np.ndarray,
    counts: _Counts,
    befores: np.ndarray,
    afters: np.ndarray,
    row: np.ndarray,
) -> tuple[int, int]:
    """Fill the row of the run at `places`, and count its neighbours in `counts`.

    Returns how many different ones `befores` and `afters` list. Hardly a branch depends on the
    text: a mispredicted one costs as much as the rest of the loop.
    """
    ids, flags, left, right = text.ids, text.flags, counts.left, counts.right
    length = row[LENGTH]
    next_key = _AFTER + min(length, _AHEAD) - 1
    seen, whole, capitals, middle, earlier = 0, 0, 0, 0, -1
    lines, blocks, again, previous = 0, 0, 0, -NEAR << 1
    kinds_before, kinds_after = 0, 0
    for i in range(places.shape[0]):
        before = np.int64(places[i, _BEFORE])
        document = np.int64(places[i, _DOCUMENT])
        place = np.int64(places[i, _PLACE])
        if length > _AHEAD:
            places[i, next_key] = ids[place + length]
        after = np.int64(places[i, next_key])
        capitals += document & 1 and flags[place + length - 1] & CAPITAL != 0
        middle += before & 1
        before >>= 1
        document >>= 1
        if before | after == 0:
            whole += 1
            ends = text.documents[document + 1] == place + length + 1
            lines += text.documents[document] == place and ends
        seen += document != earlier
        earlier = document
        blocks += place >> BLOCK != previous >> BLOCK
        again += place - previous < NEAR
        previous = place
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
    row[LINES], row[BLOCKS], row[AGAIN] = lines, blocks, again
    row[LEFT_KINDS] = kinds_before - (left[0] > 0)
    row[RIGHT_KINDS] = kinds_after - (right[0] > 0)
    left[0], right[0] = 0, 0  # every stop is a neighbour of its own
    return kinds_before, kinds_after


@njit(nogil=True, cache=True)
def _entropy(
    counts: np.ndarray, keys: np.ndarray, kinds: int, total: int, logs: np.ndarray
) -> float:
    """Return the entropy in bits of `total` neighbours; what `counts` lacks are one of a kind."""
    known = 0.0
    for i in range(kinds):
        count = np.int64(counts[keys[i]])
        known += logs[count] if count < logs.shape[0] else count * np.log2(count)
    return max(0.0, np.log2(total) - known / total)


@njit(nogil=True, cache=True)
def _unevenness(places: np.ndarray, scale: int, parts: np.ndarray) -> tuple[float, int]:
    """Return Gries' DP of the places, and how many parts hold one.

    DP is 0 where each part holds as many, 1 - 1 / PARTS at most. `parts` is scratch.
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
    deviation, filled = 0, 0
    for part in range(PARTS):
        deviation += abs(PARTS * parts[part] - count)
        filled += parts[part] > 0
    return deviation / (2 * PARTS * count), filled


@njit(nogil=True, cache=True)
def _move_places(
    places: np.ndarray, slots: np.ndarray, size: int, next_key: int, moved: np.ndarray
) -> None:
    """Sort `places` by the slot of the key that follows, stably; the first `size` come back.

    The slot of a key that is not wanted is the last row of `moved`.
    """
    last = moved.shape[0] - 1
    for i in range(places.shape[0]):
        key = places[i, next_key]
        at = np.int64(slots[key])
        for field in range(_FIELDS):
            moved[at, field] = places[i, field]
        slots[key] = at + (at < last)
    for i in range(size):
        for field in range(_FIELDS):
            places[i, field] = moved[i, field]


@njit(nogil=True, cache=True)
def _clear(counts: np.ndarray, keys: np.ndarray, kinds: int) -> None:
    for i in range(kinds):
        counts[keys[i]] = 0


@njit(nogil=True, cache=True)
def _visit(
    text: _Text,
    shelf: _Shelf,
    atoms: tuple[int, int],
    limits: _Limits,
    counts: _Counts,
    room: _Room,
    logs: np.ndarray,
) -> tuple[int, int]:
    """Write a row for every frequent run that starts with one of `atoms`, from the first on.

    The places of the shelf are reordered. Returns the atom before which the room was full (the end
    of `atoms` if none) and the number of rows.
    """
    places, starts, base = shelf
    first, last = atoms
    min_count, longest = limits
    left, right = counts
    integers, reals = room
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
            kinds_before, kinds = _look_around(text, here, counts, befores, afters, integers[row])
            reals[row, LEFT_ENTROPY] = _entropy(left, befores, kinds_before, count, logs)
            reals[row, RIGHT_ENTROPY] = _entropy(right, afters, kinds, count, logs)
            uneven, filled = _unevenness(here, text.scale, parts)
            reals[row, DISPERSION], integers[row, FILLED] = uneven, filled
            _clear(left, befores, kinds_before)
            size = 0
            if length < longest:
                for i in range(kinds):
                    key = afters[i]
                    repeats = np.int64(right[key])
                    if repeats < min_count:
                        right[key] = most
                        continue
                    right[key] = size
                    integers[rows, PARENT], integers[rows, KEY] = row, key
                    integers[rows, LENGTH] = length + 1
                    todo[waiting, 0], todo[waiting, 1] = low + size, low + size + repeats
                    todo[waiting, 2] = rows
                    waiting += 1
                    rows += 1
                    size += repeats
            if size > 0:
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
    advance: Advance = idle,
) -> Candidates:
    """Count every run of 1..`longest` atoms that occurs `min_count` times, exactly.

    `longest` is at most `MOST_ATOMS`. `atom_counts` int64 (atoms,): how often atom i + 1 stands
    in the stream, falling. `memory`, in bytes, bounds what is held beside the rows themselves: a
    larger corpus is counted in more passes, to the same rows; it cannot fall below what the most
    frequent atom needs. `advance` is called with the number of places done. Length 1 is
    included: the statistics of a run need the counts of its parts.
    """
    threads = threads or min(os.cpu_count() or 1, MOST_THREADS, 1 + len(stream.ids) // THREAD)
    counter = _Counter(stream, atom_counts, min_count=min_count, longest=longest)
    ranges = counter.cut_ranges(memory, threads)
    rows: list[_Rows] = []
    with ThreadPoolExecutor(threads) as pool:
        counted = pool.map(counter.count_range, ranges)
        for (first, last), found in zip(ranges, counted, strict=True):
            rows += found
            advance(int(atom_counts[first - 1 : last - 1].sum()))
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
        self.dtype = np.dtype(np.uint32 if size < WIDE else np.uint64)
        self.scale = -(-(PARTS << _SCALE) // size)
        self.logs = np.arange(4096) * np.log2(np.maximum(np.arange(4096), 1))

    def cut_ranges(self, memory: int | None, threads: int) -> list[tuple[int, int]]:
        """Return ranges [first, last) of frequent atoms of equal mass: one pass over the stream.

        A pass needs 4 bytes a place, 12 an atom, and twice the records of a shelf.
        """
        frequent = int(np.searchsorted(-self.counts, -self.min_count, side="right"))
        if frequent == 0:
            return []
        mass = int(self.counts[:frequent].sum())
        parts = threads
        if memory:
            record = _FIELDS * self.dtype.itemsize
            shelf = 2 * record * max(SHELF, int(self.counts[0]))
            room = memory // threads - shelf - 13 * (len(self.counts) + 1)
            parts = max(parts, -(-mass * self.dtype.itemsize // max(room, 1 << 22)))
        return _cut_evenly(self.counts[:frequent], parts)

    def count_range(self, atoms: tuple[int, int]) -> list[_Rows]:
        """Return the rows of the runs that start with an atom of [first, last)."""
        first, last = atoms
        counts = self.counts[first - 1 : last - 1]
        parts = min(-(-int(counts.sum()) // SHELF), MOST_SHELVES)
        cuts = [(first + low - 1, first + high - 1) for low, high in _cut_evenly(counts, parts)]
        listed = self._list_places(cuts)
        size = len(self.counts) + 1
        neighbours = np.zeros(size, np.uint32), np.zeros(2 * size, np.uint32)
        most = max(len(places) for places in listed)
        records = np.empty((most, _FIELDS), self.dtype)
        counted = []
        for (low, high), places in zip(cuts, listed, strict=True):
            counted += self._count_shelf(low, high, places, records, neighbours)
        return counted

    def _list_places(self, cuts: list[tuple[int, int]]) -> list[np.ndarray]:
        """Return where the atoms of each of `cuts` stand, in text order."""
        shelves = np.full(len(self.counts) + 1, len(cuts), np.uint8)
        for shelf, (low, high) in enumerate(cuts):
            shelves[low:high] = shelf
        sizes = [int(self.counts[low - 1 : high - 1].sum()) for low, high in cuts]
        ends = np.cumsum(sizes)
        listed = np.empty(int(ends[-1]) + 1, self.dtype)
        _list_places(self.ids, shelves, np.concatenate([[0], ends]), listed)
        return np.split(listed[:-1], ends[:-1])

    def _count_shelf(
        self,
        first: int,
        last: int,
        listed: np.ndarray,
        records: np.ndarray,
        neighbours: tuple[np.ndarray, np.ndarray],
    ) -> list[_Rows]:
        """Return the rows of the runs that start with an atom of [first, last)."""
        starts = np.concatenate([[0], np.cumsum(self.counts[first - 1 : last - 1])])
        _gather_records(
            self.ids, self.flags, self.documents, listed, first, starts[:-1].copy(), records
        )
        largest = int(np.diff(starts).max()) * self.longest // self.min_count + 1
        room = max(1 << 12, largest)
        done, counted = first, []
        while done < last:
            integers, reals = np.empty((room, _INTEGERS), np.int64), np.empty((room, _REALS))
            done, rows = _visit(
                _Text(self.ids, self.flags, self.documents, self.scale),
                _Shelf(records, starts, first),
                (done, last),
                _Limits(self.min_count, self.longest),
                _Counts(*neighbours),
                _Room(integers, reals),
                self.logs,
            )
            counted.append((integers[:rows].copy(), reals[:rows].copy()))
        return counted


def _cut_evenly(counts: np.ndarray, parts: int) -> list[tuple[int, int]]:
    """Cut the atoms from 1 to len(counts) into at most `parts` ranges of like mass.

    >>> _cut_evenly(np.array([6, 3, 2, 1]), 2)
    [(1, 2), (2, 5)]
    """
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts) + 1
    edges = np.unique(np.concatenate([[0], cuts, [len(counts)]])) + 1
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


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
        "length": LENGTH,
        "count": COUNT,
        "documents": DOCUMENTS,
        "place": PLACE,
        "left_stops": LEFT_STOPS,
        "right_stops": RIGHT_STOPS,
        "whole": WHOLE,
        "capitals": CAPITALS,
        "middle": MIDDLE,
        "lines": LINES,
        "blocks": BLOCKS,
        "again": AGAIN,
        "left_kinds": LEFT_KINDS,
        "right_kinds": RIGHT_KINDS,
        "parts": FILLED,
    }
    reals = {"left_entropy": LEFT_ENTROPY, "right_entropy": RIGHT_ENTROPY, "dispersion": DISPERSION}
    table = pl.DataFrame(
        {"candidate": np.arange(len(rows), dtype=np.uint32)}
        | {name: rows[:, column] for name, column in integers.items()}
        | {name: real[:, column] for name, column in reals.items()}
    )
    return checked(table.cast({"length": pl.UInt8}), CANDIDATES)
