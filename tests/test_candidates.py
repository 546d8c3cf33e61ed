"""Counting against brute force."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from math import log2
from pathlib import Path

import numpy as np
from conftest import make_chunk
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.atoms import PROFILES, Atoms, cut_chunks
from miner.candidates import PARTS, Candidates, count_candidates, default_min_count
from miner.cutting import CAPITAL, STARTS

texts = st.lists(
    st.lists(st.sampled_from(["a", "B", "c", ",", "."]), max_size=12).map(" ".join),
    min_size=1, max_size=8,
)  # fmt: skip


def cut(documents: list[str]) -> Atoms:
    with tempfile.TemporaryDirectory() as folder:
        return cut_chunks(
            [make_chunk(documents)], Path(folder), profile=PROFILES["words"], patterns={}
        )


def count(atoms: Atoms, min_count: int, **options: int) -> Candidates:
    counts = atoms.table["count"].to_numpy()
    return count_candidates(atoms.mined, counts, min_count=min_count, **options)


def entropy(neighbors: Counter[object]) -> float:
    total = sum(neighbors.values())
    return -sum(n / total * log2(n / total) for n in neighbors.values())


def count_slowly(atoms: Atoms, min_count: int, longest: int) -> dict[tuple[int, ...], dict]:
    """Count by a loop over every place and length."""
    ids = [int(key) for key in atoms.mined.ids]
    flags = atoms.mined.flags
    starts = atoms.mined.documents
    places: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place in range(len(ids)):
        for length in range(1, longest + 1):
            run = ids[place : place + length]
            if len(run) < length or 0 in run:
                break
            places[(run[0] & ~1, *run[1:])].append(place)
    rows = {}
    for run, found in places.items():
        if len(found) < min_count:
            continue
        size = len(run)
        left = Counter(ids[p - 1] >> 1 or ("stop", p) for p in found)
        right = Counter(ids[p + size] or ("stop", p) for p in found)
        parts = Counter(int(p / (len(ids) / PARTS)) for p in found)
        middle = [p for p in found if not flags[p] & STARTS]
        rows[run] = {
            "count": len(found),
            "documents": len({int(np.searchsorted(starts, p, side="right")) for p in found}),
            "place": found[0],
            "left_entropy": entropy(left),
            "right_entropy": entropy(right),
            "left_stops": sum(ids[p - 1] == 0 for p in found),
            "right_stops": sum(ids[p + size] == 0 for p in found),
            "whole": sum(ids[p - 1] == 0 and ids[p + size] == 0 for p in found),
            "middle": len(middle),
            "capitals": sum(bool(flags[p] & flags[p + size - 1] & CAPITAL) for p in middle),
            "dispersion": sum(
                abs(parts[part] / len(found) - 1 / PARTS) for part in range(PARTS)
            ) / 2,
        }  # fmt: skip
    return rows


@settings(max_examples=60, deadline=None)
@given(documents=texts, min_count=st.integers(2, 4), longest=st.integers(2, 8))
def test_every_column_is_what_a_slow_count_gives(
    documents: list[str], min_count: int, longest: int
) -> None:
    atoms = cut(documents)
    found = count(atoms, min_count, longest=longest)
    wanted = count_slowly(atoms, min_count, longest)
    runs = [tuple(key for key in row if key) for row in found.keys.tolist()]
    assert sorted(runs) == sorted(wanted)
    for run, row in zip(runs, found.table.iter_rows(named=True), strict=True):
        for column, value in wanted[run].items():
            if len(run) > 1 or column not in ("documents", "dispersion", "capitals", "middle"):
                assert np.isclose(row[column], value), (run, column)


@settings(max_examples=40, deadline=None)
@given(documents=texts)
def test_parts_of_a_run_are_linked(documents: list[str]) -> None:
    found = count(cut(documents), 2)
    runs = [tuple(key for key in row if key) for row in found.keys.tolist()]
    for number, run in enumerate(runs):
        if len(run) == 1:
            assert found.parent[number] == found.suffix[number] == -1
        else:
            assert runs[found.parent[number]] == run[:-1]
            assert runs[found.suffix[number]] == (run[1] & ~1, *run[2:])


@settings(max_examples=20, deadline=None)
@given(documents=texts, threads=st.integers(1, 3))
def test_threads_and_memory_change_nothing(documents: list[str], threads: int) -> None:
    atoms = cut(documents)
    first = count(atoms, 2, threads=1)
    again = count(atoms, 2, threads=threads, memory=1)
    assert first.table.equals(again.table)
    assert np.array_equal(first.keys, again.keys)


def test_a_run_with_a_space_and_one_without_are_two() -> None:
    atoms = cut(["字 字", "字字"] * 3)
    found = count(atoms, 2)
    pairs = found.keys[found.table["length"].to_numpy() == 2][:, :2].tolist()
    assert sorted(pairs) == [[2, 2], [2, 3]]


def test_the_default_follows_the_square_root_of_the_corpus() -> None:
    counts = [default_min_count(atoms) for atoms in (0, 10**6, 4 * 10**6, 10**8)]
    assert counts == [3, 3, 6, 30]
