"""Units to tokens saved: hand-counted savings, brute force against the cut, honest intervals."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.mining.candidates import Candidates, count_candidates
from miner.mining.savings import (
    CURVE,
    choose_grid,
    cut_blocks,
    find_knee,
    measure_savings,
    resample_blocks,
    take_slice,
)
from miner.text.pretokens import MOST_ATOMS, Stream


def make_stream(documents: list[list[int]]) -> Stream:
    """One key an atom, white space before all but a document's first; a stop after each."""
    spelled = [[(atom << 1) | (place > 0) for place, atom in enumerate(d)] for d in documents]
    keys = [0, *(key for document in spelled for key in [*document, 0]), *([0] * (MOST_ATOMS + 1))]
    starts = 1 + np.cumsum([0, *(len(document) + 1 for document in documents)])
    ids = np.array(keys, np.uint32)
    return Stream(ids, np.zeros(len(ids), np.uint8), starts.astype(np.int64))


def count_runs(stream: Stream) -> Candidates:
    atoms = np.asarray(stream.ids) >> 1
    counts = np.bincount(atoms, minlength=2)[1:]
    return count_candidates(stream, counts, min_count=1, longest=4, threads=1)


def find_row(candidates: Candidates, *atoms: int) -> int:
    wanted = np.zeros(candidates.keys.shape[1], np.int64)
    wanted[: len(atoms)] = atoms
    return int(np.flatnonzero((candidates.keys >> 1 == wanted).all(axis=1))[0])


def make_values(candidates: Candidates, worth: dict[int, float]) -> np.ndarray:
    values = np.zeros(candidates.table.height)
    for row, value in worth.items():
        values[row] = value
    return values


def make_curve(units: list[int], saved: list[float], low: list[float | None]) -> pl.DataFrame:
    each: list[float | None] = [None] * len(units)
    rows = {"units": units, "saved": saved, "low": saved, "high": saved}
    return pl.DataFrame(rows | {"per_unit": each, "per_unit_low": low}, schema=CURVE)


def test_counts_by_hand() -> None:
    """`1 2 3` twice and `1 2` once are 8 atoms: `1 2` saves 3, `1 2 3` on top 4 at its places."""
    stream = make_stream([[1, 2, 3], [1, 2, 3], [1, 2]])
    runs = count_runs(stream)
    pair, triple = find_row(runs, 1, 2), find_row(runs, 1, 2, 3)
    values = make_values(runs, {pair: 1.0, triple: 3.0})
    curve = measure_savings(stream, runs, values, np.array([pair, triple]), seed=0)
    assert curve["units"].to_list() == [0, 1, 2]
    assert curve["saved"].to_list() == [0.0, 3 / 8, 5 / 8]
    assert curve["per_unit"].to_list() == [None, 3.0, 2.0]


def test_cuts_by_value() -> None:
    """`1 2 3` is worth more as `1` + `2 3`, whatever is first in order; an atom saves none."""
    stream = make_stream([[1, 2, 3]] * 4)
    runs = count_runs(stream)
    rows = [find_row(runs, 1, 2, 3), find_row(runs, 2, 3), find_row(runs, 1)]
    values = make_values(runs, dict(zip(rows, (1.0, 2.0, 0.5), strict=True)))
    curve = measure_savings(stream, runs, values, np.array(rows), seed=0)
    assert curve["saved"].to_list() == pytest.approx([0, 2 / 3, 1 / 3, 1 / 3])
    assert curve["per_unit"].to_list() == [None, 8.0, -4.0, 0.0]


def save_most(document: tuple[int, ...], worth: dict[tuple[int, ...], float]) -> int:
    """Atoms that the cut of the greatest value saves, by trying every cut."""

    @lru_cache
    def best(start: int) -> tuple[float, int]:
        if start == len(document):
            return 0.0, 0
        tries = [best(start + 1)]
        for run, value in worth.items():  # an atom by itself takes no part in the cut
            if len(run) > 1 and document[start : start + len(run)] == run:
                rest = best(start + len(run))
                tries.append((value + rest[0], len(run) - 1 + rest[1]))
        return max(tries)

    return best(0)[1]


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(1, 3), max_size=9), min_size=1, max_size=30),
    st.integers(0, 2**32),
)
def test_equals_brute_force(documents: list[list[int]], seed: int) -> None:
    stream = make_stream([[1, 2, 3], *documents])
    runs = count_runs(stream)
    random = np.random.default_rng(seed)
    values = random.random(runs.table.height)
    order = random.permutation(runs.table.height)
    curve = measure_savings(stream, runs, values, order, seed=0)
    total = 3 + sum(map(len, documents))
    for units, saved in curve.select("units", "saved").iter_rows():
        worth = {tuple(int(k) >> 1 for k in runs.keys[r] if k): values[r] for r in order[:units]}
        most = sum(save_most(tuple(document), worth) for document in [[1, 2, 3], *documents])
        assert saved == pytest.approx(most / total)


def test_interval_holds_truth() -> None:
    """Of 200 samples of documents, about 95 % of the intervals hold the share of the whole."""
    random = np.random.default_rng(1)
    truth = 0.3 / 2  # three documents in ten are `1 2`, which is one atom of two
    hits = 0
    for seed in range(200):
        chosen = random.random(100) < 0.3
        stream = make_stream([[1, 2], *([1, 2] if yes else [2, 1] for yes in chosen)])
        runs = count_runs(stream)
        row = find_row(runs, 1, 2)
        curve = measure_savings(
            stream, runs, make_values(runs, {row: 1.0}), np.array([row]), seed=seed
        )
        low, high = curve.row(1, named=True)["low"], curve.row(1, named=True)["high"]
        hits += low <= truth <= high
    assert 180 <= hits <= 199


def test_same_seed_gives_same_curve() -> None:
    random = np.random.default_rng(0)
    stream = make_stream(random.integers(1, 4, (60, 8)).tolist())
    runs = count_runs(stream)
    values = random.random(runs.table.height)
    order = np.argsort(-values)
    first, again, other = (
        measure_savings(stream, runs, values, order, seed=seed) for seed in (5, 5, 6)
    )
    assert first.equals(again)
    assert first["saved"].equals(other["saved"])
    assert not first["low"].equals(other["low"])
    assert (first["low"] <= first["saved"]).all()
    assert (first["saved"] <= first["high"]).all()


def test_one_document_has_an_interval() -> None:
    """A single long document is cut into stretches, or its interval would be of width 0."""
    random = np.random.default_rng(0)
    stream = make_stream([random.integers(1, 4, 2_000).tolist()])
    runs = count_runs(stream)
    row = find_row(runs, 1, 2)
    curve = measure_savings(stream, runs, make_values(runs, {row: 1.0}), np.array([row]), seed=0)
    low, saved, high = curve.select("low", "saved", "high").row(1)
    assert 0 < low < saved < high < 0.2
    assert saved == pytest.approx(1 / 9, abs=0.02)


def test_nothing_to_measure() -> None:
    runs = count_runs(make_stream([[1, 2]]))
    row = find_row(runs, 1, 2)
    values = make_values(runs, {row: 1.0})
    for empty in (make_stream([]), make_stream([[], []])):
        curve = measure_savings(empty, runs, values, np.array([row]), seed=0)
        assert curve["saved"].to_list() == curve["high"].to_list() == [0.0, 0.0]
        assert find_knee(curve) == 0
    none = measure_savings(make_stream([[1, 2]]), runs, values, np.array([], np.int64), seed=0)
    assert none["units"].to_list() == [0]
    assert find_knee(none) == 0


@pytest.mark.parametrize(
    ("units", "grid"),
    [(0, [0]), (1, [0, 1]), (3, [0, 1, 2, 3]), (130, [0, 1, 2, 5, 10, 20, 50, 100, 130])],
)
def test_grid(units: int, grid: list[int]) -> None:
    assert choose_grid(units).tolist() == grid
    assert len(choose_grid(8_000)) == 14


def test_knee_by_hand() -> None:
    saved = [0.0, 0.1, 0.1001, 0.10015]
    sure: list[float | None] = [None, 1.0, 1.0, 1.0]
    assert find_knee(make_curve([0, 100, 200, 300], saved, sure)) == 200
    assert find_knee(make_curve([0, 100, 200, 300], saved, [None, 1.0, -0.1, 1.0])) == 100
    assert find_knee(make_curve([0, 100, 200, 300], saved, [None, 0.0, 0.0, 0.0])) == 0


def test_knee_finds_units_that_do_nothing() -> None:
    """Units that the slice does not hold do not move the knee."""
    mined = make_stream([[1, 2], [3, 4], [5, 6], [7, 8]])
    runs = count_runs(mined)
    order = np.array([find_row(runs, a, a + 1) for a in (1, 3, 5, 7)])
    values = make_values(runs, dict.fromkeys(order.tolist(), 1.0))
    held = make_stream([[1, 2], [3, 4]] * 30)
    curve = measure_savings(held, runs, values, order, seed=0)
    assert curve["saved"].to_list() == [0, 0.25, 0.5, 0.5]
    assert find_knee(curve) == 2


def test_slice_takes_whole_documents() -> None:
    documents = [[n % 7 + 1] * (n % 5 + 1) for n in range(200)]
    stream = make_stream(documents)
    assert take_slice(stream) is stream
    part = take_slice(stream, most_keys=100)
    starts = part.documents
    found = [(part.ids[a:b] >> 1).tolist() for a, b in pairwise(starts)]
    assert 60 <= len(part.ids) - 1 <= 100
    assert all(document[:-1] in documents and document[-1] == 0 for document in found)
    assert len({document[0] for document in found}) > 3  # from all over, not only the first
    assert part.ids[0] == 0


def test_slice_cuts_a_giant() -> None:
    part = take_slice(make_stream([[1] * 500, [2] * 500]), most_keys=100)
    assert part.documents.tolist() == [1, 101]
    assert (part.ids[1:] >> 1).tolist() == [1] * 100


def test_blocks_cover_the_text() -> None:
    for count in (1, 19, 20, 2_500):
        stream = make_stream([[1, 2]] * count)
        edges = cut_blocks(stream)
        assert edges[0] == 1
        assert edges[-1] == stream.documents[-1]
        assert (np.diff(edges) > 0).all()
        assert len(edges) <= 1_001


def test_resamples_are_whole() -> None:
    weights = resample_blocks(30, seed=0)
    assert (weights.sum(axis=1) == 30).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(30), abs=0.15)
