"""Cosines, neighbours and families against brute force."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.errors import EncoderError
from miner.vectors.neighbors import (
    NEIGHBORS,
    find_neighbors,
    group_families,
    measure_pairs,
    unit_rows,
)


def random_rows(n: int, dimension: int = 16, *, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).standard_normal((n, dimension)))


def topics(n: int, *, seed: int = 0) -> np.ndarray:
    """Return rows in clusters, as texts are."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((n // 20, 32))
    return unit_rows(centers[rng.integers(0, len(centers), n)] + 0.5 * rng.standard_normal((n, 32)))


def brute(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosines, order, 1)


def test_exact_neighbors_are_those_of_brute_force() -> None:
    vectors = random_rows(500)
    found = find_neighbors(vectors, k=7)
    order, cosines = brute(vectors, 7)
    assert dict(found.table.schema) == NEIGHBORS
    assert found.table["candidate"].to_list() == np.repeat(np.arange(500), 7).tolist()
    assert np.array_equal(found.table["neighbor"].to_numpy().reshape(-1, 7), order)
    assert found.table["cosine"].to_numpy() == pytest.approx(cosines.ravel(), abs=1e-5)
    assert (found.index, found.recall) == ("flat", 1.0)


def test_inverted_file_reaches_and_reports_its_recall() -> None:
    vectors = topics(4000)
    found = find_neighbors(vectors, k=10, exact_below=100, recall=0.95, device="cpu")
    order, _ = brute(vectors, 10)
    true = {(i, j) for i in range(4000) for j in order[i].tolist()}
    pairs = set(zip(found.table["candidate"], found.table["neighbor"], strict=True))
    share = len(pairs & true) / len(true)
    assert found.index.startswith("ivf252")
    assert found.recall >= 0.95
    assert share == pytest.approx(found.recall, abs=0.03)


def test_recall_of_one_is_reached_where_it_is_asked_for() -> None:
    found = find_neighbors(random_rows(600), k=3, exact_below=10, recall=1.0)
    assert found.recall == 1.0


@pytest.mark.parametrize("exact_below", [10_000, 10])
def test_result_does_not_depend_on_threads(exact_below: int) -> None:
    import faiss

    vectors, threads = topics(2000), faiss.omp_get_max_threads()
    tables = []
    try:
        for count in (1, 2):
            faiss.omp_set_num_threads(count)
            tables.append(find_neighbors(vectors, k=5, exact_below=exact_below).table)
    finally:
        faiss.omp_set_num_threads(threads)
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("exact_below", [1000, 10])
def test_queries_in_blocks_find_the_same(exact_below: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = topics(200)
    whole = find_neighbors(vectors, k=5, exact_below=exact_below).table
    monkeypatch.setattr("miner.vectors.neighbors.QUERIES_AT_ONCE", 7)
    assert find_neighbors(vectors, k=5, exact_below=exact_below).table.equals(whole)


@pytest.mark.parametrize("exact_below", [1000, 5])
def test_no_row_is_its_own_neighbor_even_among_duplicates(exact_below: int) -> None:
    vectors = np.repeat(random_rows(2), 30, axis=0)
    table = find_neighbors(vectors, k=4, exact_below=exact_below).table
    assert (table["candidate"] != table["neighbor"]).all()
    assert table["cosine"].to_numpy() == pytest.approx(np.ones(len(table)), abs=1e-5)
    assert table.group_by("candidate").len()["len"].to_list() == [4] * 60


@pytest.mark.parametrize(("n", "rows"), [(0, 0), (1, 0), (2, 2), (3, 6)])
def test_more_neighbors_asked_than_there_are(n: int, rows: int) -> None:
    table = find_neighbors(random_rows(n), k=50).table
    assert len(table) == rows
    assert dict(table.schema) == NEIGHBORS


def test_neighbors_of_some_rows_only() -> None:
    vectors = random_rows(100)
    every = find_neighbors(vectors, k=3).table
    some = find_neighbors(vectors, k=3, queries=np.array([42, 7])).table
    assert some["candidate"].to_list() == [42] * 3 + [7] * 3
    assert some.sort("candidate", "neighbor").equals(
        every.filter(pl.col("candidate").is_in([7, 42])).sort("candidate", "neighbor")
    )


def test_cosines_of_pairs() -> None:
    vectors = unit_rows(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, -2.0]]))
    cosines = measure_pairs(vectors, np.array([0, 0, 1, 2]), np.array([0, 1, 2, 0]))
    assert cosines == pytest.approx(np.array([1, 0.5**0.5, -(0.5**0.5), 0]))
    with pytest.raises(ValueError, match="left"):
        measure_pairs(vectors, np.array([0]), np.array([0, 1]))


def table_of(*edges: tuple[int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(edges, schema=dict(NEIGHBORS), orient="row")


CHAIN = table_of((0, 1, 0.95), (1, 0, 0.95), (1, 2, 0.95), (2, 1, 0.95), (2, 3, 0.5), (3, 2, 0.5))


@pytest.mark.parametrize(
    ("ranks", "heads"),
    [([0, 1, 2, 3], [0, 0, 2, 3]), ([1, 0, 2, 3], [1, 1, 1, 3]), ([3, 1, 0, 2], [0, 2, 2, 3])],
)
def test_families_are_stars_around_the_best(ranks: list[int], heads: list[int]) -> None:
    assert group_families(CHAIN, np.array(ranks), threshold=0.9).tolist() == heads


def test_one_sided_nearness_makes_a_family_only_where_it_is_allowed() -> None:
    table = table_of((0, 1, 0.99))
    assert group_families(table, np.arange(2), threshold=0.9).tolist() == [0, 1]
    assert group_families(table, np.arange(2), threshold=0.9, mutual=False).tolist() == [0, 0]
    assert group_families(table, np.array([1, 0]), threshold=0.9, mutual=False).tolist() == [1, 1]


@settings(max_examples=25)
@given(st.integers(2, 60), st.integers(0, 9), st.floats(0.2, 0.95))
def test_members_are_close_to_a_better_head(n: int, seed: int, threshold: float) -> None:
    vectors = random_rows(n, 4, seed=seed)
    ranks = np.random.default_rng(seed).permutation(n)
    heads = group_families(find_neighbors(vectors, k=n).table, ranks, threshold=threshold)
    cosines = vectors @ vectors.T
    for member, head in enumerate(heads.tolist()):
        assert heads[head] == head
        assert member == head or cosines[member, head] >= threshold - 1e-5
        assert ranks[head] <= ranks[member]
        better = [h for h in set(heads.tolist()) if ranks[h] < ranks[head]]
        assert all(cosines[member, h] < threshold + 1e-5 for h in better)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be"):
        find_neighbors(random_rows(3), k=0)
    with pytest.raises(ValueError, match="device"):
        find_neighbors(random_rows(3), k=1, device="tpu")
    with pytest.raises(ValueError, match="past"):
        group_families(CHAIN, np.arange(2), threshold=0.1)


def test_cuda_that_is_not_there_is_said_with_the_cure() -> None:
    import faiss

    if hasattr(faiss, "get_num_gpus") and faiss.get_num_gpus():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(EncoderError, match="Use device auto"):
        find_neighbors(random_rows(3), k=1, device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("exact_below", [100_000, 1000])
def test_gpu_finds_what_the_cpu_finds(exact_below: int) -> None:
    vectors = topics(20_000)
    on_gpu = find_neighbors(vectors, k=10, device="cuda", exact_below=exact_below)
    on_cpu = find_neighbors(vectors, k=10, device="cpu", exact_below=10**6)
    pairs = [
        set(zip(found.table["candidate"], found.table["neighbor"], strict=True))
        for found in (on_gpu, on_cpu)
    ]
    assert on_gpu.device == "cuda"
    assert len(pairs[0] & pairs[1]) / len(pairs[1]) >= (0.999 if exact_below > 20_000 else 0.94)
