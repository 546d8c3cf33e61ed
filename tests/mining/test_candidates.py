"""Counting against brute force."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from itertools import pairwise
from math import log2
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from conftest import make_chunk
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.mining.candidates import (
    BLOCK,
    NEAR,
    PARTS,
    Candidates,
    count_candidates,
    default_min_count,
)
from miner.text.pretokenization import CAPITAL, STARTS
from miner.text.pretokens import Atoms, cut_chunks
from miner.text.profiles import PROFILES

texts = st.lists(
    st.lists(st.sampled_from(["a", "B", "c", ",", "."]), max_size=12).map(" ".join),
    min_size=1,
    max_size=8,
)


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
            "lines": sum(
                p in starts and bool(np.any(starts == p + size + 1)) and 0 not in ids[p : p + size]
                for p in found
            ),
            "blocks": len({p >> BLOCK for p in found}),
            "again": sum(b - a < NEAR for a, b in pairwise(found)),
            "left_kinds": len({ids[p - 1] >> 1 for p in found} - {0}),
            "right_kinds": len({ids[p + size] for p in found} - {0}),
            "parts": len(parts),
            "dispersion": sum(abs(parts[part] / len(found) - 1 / PARTS) for part in range(PARTS))
            / 2,
        }
    return rows


@settings(max_examples=60)
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
            assert np.isclose(row[column], value, rtol=1e-12, atol=1e-12), (run, column)


@settings(max_examples=40)
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


@settings(max_examples=20)
@given(documents=texts, threads=st.integers(1, 3), shelf=st.sampled_from([1, 3, 10]))
def test_threads_memory_and_shelves_change_nothing(
    documents: list[str], threads: int, shelf: int
) -> None:
    atoms = cut(documents)
    first = count(atoms, 2, threads=1)
    with mock.patch("miner.mining.candidates.SHELF", shelf):
        again = count(atoms, 2, threads=threads, memory=1)
    assert first.table.equals(again.table)
    for name in ("keys", "parent", "suffix"):
        assert np.array_equal(getattr(first, name), getattr(again, name))


def make_long_text() -> list[str]:
    """Return documents with a word that stands in thousands of places."""
    numbers = np.random.default_rng(7).zipf(1.5, 40_000) % 300
    words = [f"w{chr(97 + number % 26)}{number // 26}" for number in numbers.tolist()]
    return [" ".join(words[i : i + 37]) for i in range(0, len(words), 37)]


def test_a_longer_text_is_counted_as_slowly_counted() -> None:
    atoms = cut(make_long_text())
    found = count(atoms, 5, longest=4)
    wanted = count_slowly(atoms, 5, 4)
    assert found.table["count"].max() > 5_000  # past the table of logarithms and `_SPARSE`
    runs = [tuple(key for key in row if key) for row in found.keys.tolist()]
    assert sorted(runs) == sorted(wanted)
    for name in wanted[runs[0]]:
        values = [wanted[run][name] for run in runs]
        np.testing.assert_allclose(found.table[name], values, rtol=1e-12, atol=1e-12, err_msg=name)


def test_the_places_told_to_progress_are_all_places_of_frequent_atoms() -> None:
    atoms = cut(make_long_text())
    told: list[int] = []
    counts = atoms.table["count"].to_numpy()
    count_candidates(atoms.mined, counts, min_count=5, threads=3, advance=told.append)
    assert len(told) == 3 and sum(told) == counts[counts >= 5].sum()


def test_a_corpus_where_nothing_repeats_has_no_candidates() -> None:
    for documents in (["a b c"], [""], [",", "."]):
        found = count(cut(documents), 2)
        assert found.table.height == 0 and found.keys.shape == (0, 8)


def test_entropy_and_dispersion_by_hand() -> None:
    # before `x`: a, a, b and a document's start: shares 1/2, 1/4, 1/4 give 1.5 bits; after it:
    # four stops, each one of its own: 2 bits. All places lie in different parts of 64.
    found = count(cut(["a x", "a x", "b x", "x"] + [f"u{i} v{i}" for i in range(40)]), 2)
    row = found.table.filter(found.table["count"] == 4).to_dicts()[0]
    assert (row["left_entropy"], row["right_entropy"]) == (1.5, 2.0)
    assert (row["left_stops"], row["right_stops"], row["whole"]) == (1, 4, 1)
    assert row["documents"] == 4


def test_dispersion_is_0_where_all_parts_hold_as_many() -> None:
    documents = [f"x u{i}" for i in range(10_000)]
    found = count(cut(documents), 100)
    assert found.table["dispersion"][0] < 0.05  # one document in twenty is held back
    clumped = count(cut(["x"] * 100 + [f"u{i}" for i in range(10_000)]), 50)
    assert clumped.table["dispersion"][0] > 0.95


@pytest.mark.slow
def test_places_past_four_billion_are_counted_alike() -> None:
    """64-bit records compile anew, which takes a while; the numbers must not differ."""
    atoms = cut(make_long_text())
    counts = atoms.table["count"].to_numpy()
    narrow = count(atoms, 5)
    with mock.patch("miner.mining.candidates.WIDE", 0):
        wide = count_candidates(atoms.mined, counts, min_count=5)
    assert narrow.table.equals(wide.table)


def test_a_run_with_a_space_and_one_without_are_two() -> None:
    atoms = cut(["字 字", "字字"] * 3)
    found = count(atoms, 2)
    pairs = found.keys[found.table["length"].to_numpy() == 2][:, :2].tolist()
    assert sorted(pairs) == [[2, 2], [2, 3]]


def test_the_default_follows_the_square_root_of_the_corpus() -> None:
    counts = [default_min_count(atoms) for atoms in (0, 10**6, 4 * 10**6, 10**8)]
    assert counts == [3, 3, 6, 30]
