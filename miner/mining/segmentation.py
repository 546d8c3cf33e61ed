"""Runs to a cut text: which units does the corpus really consist of, once each place has one owner?

A corpus is cut by a dynamic programme over each stretch between stops: the cut with the largest
sum of values wins. A unit's settled count is how often it owns its place in that cut.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import njit

from miner.mining.candidates import Candidates
from miner.text.pretokens import Stream

LONGEST_STRETCH = 1 << 16  # atoms cut at a time where no stop comes
_u64 = np.uint64


class Trie(NamedTuple):
    """The runs that begin a unit, as a hash of (row, next key) -> row.

    `heads` int64 (atoms + 1,): the row of a single atom, -1 where no unit starts with it.
    """

    heads: np.ndarray
    entries: np.ndarray
    rows: np.ndarray


def build_trie(candidates: Candidates, units: np.ndarray) -> Trie:
    """Return the trie of the runs marked in `units`, bool (rows,)."""
    keys, parent = candidates.keys, candidates.parent
    open_rows = units.copy()
    reached = np.flatnonzero(units)
    while len(reached):
        reached = np.unique(parent[reached])
        reached = reached[(reached >= 0) & ~open_rows[reached]]
        open_rows[reached] = True
    heads = np.full(int(keys[:, 0].max(initial=0) >> 1) + 1, -1, np.int64)
    roots = np.flatnonzero(open_rows & (parent < 0))
    heads[keys[roots, 0] >> 1] = roots
    inner = np.flatnonzero(open_rows & (parent >= 0))
    last = candidates.table["length"].to_numpy()[inner].astype(np.int64) - 1
    entries = (parent[inner].astype(np.uint64) << _u64(32)) | keys[inner, last]
    size = 1 << max(4, int(2 * len(inner)).bit_length())
    table, rows = np.zeros(size, np.uint64), np.empty(size, np.int64)
    _fill_trie(entries, inner, table, rows)
    return Trie(heads, table, rows)


@njit(nogil=True, cache=True, inline="always")
def _mix(entry: int) -> int:
    entry *= _u64(0xD6E8FEB86659FD93)
    entry ^= entry >> _u64(32)
    return entry * _u64(0xD6E8FEB86659FD93) >> _u64(8)


@njit(nogil=True, cache=True)
def _fill_trie(entries: np.ndarray, inner: np.ndarray, table: np.ndarray, rows: np.ndarray) -> None:
    mask = _u64(table.shape[0] - 1)
    for i in range(entries.shape[0]):
        place = _mix(entries[i]) & mask
        while table[place] != 0:
            place = (place + _u64(1)) & mask
        table[place] = entries[i]
        rows[place] = inner[i]


@njit(nogil=True, cache=True, inline="always")
def _step(row: int, key: int, table: np.ndarray, rows: np.ndarray) -> int:
    """Return the row of the run `row` with one more atom, -1 where no unit goes on so."""
    entry = (_u64(row) << _u64(32)) | _u64(key)
    mask = _u64(table.shape[0] - 1)
    place = _mix(entry) & mask
    while table[place] != 0:
        if table[place] == entry:
            return rows[place]
        place = (place + _u64(1)) & mask
    return -1


def count_aligned(
    stream: Stream, candidates: Candidates, wanted: np.ndarray, widths: np.ndarray
) -> np.ndarray:
    """Return how often each wanted run stands on the bounds of elements: int64 (rows,).

    `wanted` bool (rows,); `widths` (documents,): the atoms of an element in each document.
    """
    trie = build_trie(candidates, wanted)
    counts = np.zeros(len(wanted), np.int64)
    _count_aligned(stream.ids, stream.documents, widths, trie, counts)
    return counts


@njit(nogil=True, cache=True)
def _count_aligned(
    ids: np.ndarray, documents: np.ndarray, widths: np.ndarray, trie: Trie, counts: np.ndarray
) -> None:
    heads, table, rows = trie
    for document in range(widths.shape[0]):
        end = documents[document + 1]
        width = np.int64(widths[document])
        for place in range(documents[document], end, width):
            atom = ids[place] >> 1
            row = heads[atom] if atom < heads.shape[0] else -1
            after = place + 1
            while row >= 0 and after < end:
                row = _step(row, ids[after], table, rows)
                after += 1
                if row >= 0 and (after - place) % width == 0:
                    counts[row] += 1


@njit(nogil=True, cache=True)
def _cut_range(
    ids: np.ndarray,
    within: tuple[int, int],
    trie: Trie,
    values: np.ndarray,
    counts: np.ndarray,
    owners: np.ndarray,
) -> None:
    """Cut the part of `ids` that is `within`: add to `counts`, and write who starts at each place.

    `values` (rows,) above 0 mark the units. `owners` (keys,) is -1 elsewhere; either may be empty.
    """
    heads, table, rows = trie
    low, high = within
    longest = min(LONGEST_STRETCH, high - low)
    best = np.zeros(longest + 1)
    choice = np.empty(longest, np.int64)
    steps = np.empty(longest, np.int64)
    start = low
    while start < high:
        if ids[start] == 0:
            start += 1
            continue
        end = start
        while end < high and ids[end] != 0 and end - start < LONGEST_STRETCH:
            end += 1
        best[end - start] = 0.0
        for i in range(end - start - 1, -1, -1):
            best[i] = best[i + 1]
            choice[i] = -1
            steps[i] = 1
            atom = ids[start + i] >> 1
            row = heads[atom] if atom < heads.shape[0] else -1
            j = i + 1
            while row >= 0 and j < end - start:
                row = _step(row, ids[start + j], table, rows)
                j += 1
                if row >= 0 and values[row] > 0 and values[row] + best[j] > best[i]:
                    best[i] = values[row] + best[j]
                    choice[i] = row
                    steps[i] = j - i
        i = 0
        while i < end - start:
            if choice[i] >= 0:
                if counts.shape[0] > 0:
                    counts[choice[i]] += 1
                if owners.shape[0] > 0:
                    owners[start + i - low] = choice[i]
            i += steps[i]
        start = end


def cut_stream(
    stream: Stream, candidates: Candidates, values: np.ndarray, *, trie: Trie | None = None
) -> np.ndarray:
    """Return how often each row owns a place, int64 (rows,), when the stream is cut by `values`.

    `values` float64 (rows,): what a run is worth in the cut; 0 or less where it is no unit.
    """
    trie = trie or build_trie(candidates, values > 0)
    parts = min(os.cpu_count() or 1, 16)
    edges = stream.documents[np.linspace(0, len(stream.documents) - 1, parts + 1).astype(int)]
    nobody = np.empty(0, np.int64)

    def cut_part(low: int, high: int) -> np.ndarray:
        counts = np.zeros(len(values), np.int64)
        _cut_range(stream.ids, (low, high), trie, values, counts, nobody)
        return counts

    with ThreadPoolExecutor(parts) as pool:
        return np.sum(list(pool.map(cut_part, edges[:-1], edges[1:])), axis=0, dtype=np.int64)


def find_owners(
    stream: Stream, candidates: Candidates, values: np.ndarray, *, trie: Trie | None = None
) -> np.ndarray:
    """Return the row that starts at each place of a (small) stream, -1 elsewhere: int64 (keys,)."""
    trie = trie or build_trie(candidates, values > 0)
    owners = np.full(len(stream.ids), -1, np.int64)
    nothing = np.empty(0, np.int64)
    _cut_range(np.asarray(stream.ids), (0, len(stream.ids)), trie, values, nothing, owners)
    return owners


def count_pieces(candidates: Candidates, units: np.ndarray) -> np.ndarray:
    """Return the fewest pieces that each unit falls into without itself: int64 (rows,).

    What the text would pay if the unit were not there; 0 where there is no unit.
    """
    trie = build_trie(candidates, units)
    pieces = np.zeros(len(units), np.int64)
    lengths = candidates.table["length"].to_numpy().astype(np.int64)
    _count_pieces(candidates.keys, lengths, np.flatnonzero(units), units, trie, pieces)
    return pieces


@njit(nogil=True, cache=True)
def _count_pieces(
    keys: np.ndarray,
    lengths: np.ndarray,
    wanted: np.ndarray,
    units: np.ndarray,
    trie: Trie,
    pieces: np.ndarray,
) -> None:
    heads, table, rows = trie
    best = np.zeros(keys.shape[1] + 1, np.int64)
    for unit in wanted:
        length = lengths[unit]
        best[length] = 0
        for i in range(length - 1, -1, -1):
            best[i] = best[i + 1] + 1
            row = heads[keys[unit, i] >> 1]
            j = i + 1
            while row >= 0 and j < length:
                row = _step(row, keys[unit, j], table, rows)
                j += 1
                if row >= 0 and units[row] and row != unit and best[j] + 1 < best[i]:
                    best[i] = best[j] + 1
        pieces[unit] = best[0]
