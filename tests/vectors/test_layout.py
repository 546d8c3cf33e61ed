"""Vectors to a picture: what is alike lies together, and the same seed draws the same map."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched import MinedDemo

from miner.mining.embeddings import load_vectors
from miner.vectors.layout import lay_out, place_beside, project, weigh_edges
from miner.vectors.neighbors import NEIGHBORS, find_neighbors, unit_rows

NONE = pl.DataFrame(schema=NEIGHBORS)


def make_clusters(sizes: list[int], *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows around a centre for each size, and which centre each row has."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(len(sizes), 40))
    which = np.repeat(np.arange(len(sizes)), sizes)
    return unit_rows(centres[which] + random.normal(0, 0.35, (len(which), 40))), which


def draw(vectors: np.ndarray, *, seed: int = 0) -> np.ndarray:
    return lay_out(vectors, find_neighbors(vectors, k=10).table, seed=seed)


def agree(points: np.ndarray, which: np.ndarray) -> float:
    """The share of rows whose nearest row on the map is of the same cluster."""
    far = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(far, np.inf)
    return float((which[far.argmin(axis=1)] == which).mean())


def measure_trust(vectors: np.ndarray, points: np.ndarray) -> float:
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(vectors, points, n_neighbors=10, metric="cosine"))


def test_clusters_come_apart() -> None:
    vectors, which = make_clusters([15] * 40)
    points, flat = draw(vectors), project(vectors)
    assert points.dtype == np.float32 and points.shape == (600, 2)
    assert np.abs(points).max() <= 1
    assert np.ptp(points, axis=0).max() > 1.7
    assert agree(points, which) > 0.94
    assert agree(flat, which) < 0.7
    assert measure_trust(vectors, points) > measure_trust(vectors, flat) + 0.05


def read_runs(demo: MinedDemo) -> pl.DataFrame:
    units = pl.read_parquet(demo.folder / "6_vocabulary" / "units.parquet")
    return units.filter(pl.col("candidate").is_not_null())


def test_the_demo_is_drawn_well(demo: MinedDemo) -> None:
    folder = demo.folder / "4_vectors"
    dimension = json.loads((folder / "encoder.json").read_text())["dimension"]
    runs = read_runs(demo)["candidate"].to_numpy()
    vectors = load_vectors(folder / "vectors.f16", dimension)[runs].astype(np.float32)
    points = draw(vectors)
    assert measure_trust(vectors, points) > 0.93  # t-SNE: .954
    assert measure_trust(vectors, project(vectors)) < 0.8


def test_the_map_of_a_run_is_saved(demo: MinedDemo) -> None:
    places = pl.read_parquet(demo.folder / "6_vocabulary" / "map.parquet")
    assert dict(places.schema) == {"rank": pl.UInt32, "x": pl.Float32, "y": pl.Float32}
    assert places["rank"].to_list() == read_runs(demo)["rank"].to_list()
    assert places.select(pl.max_horizontal(pl.col("x", "y").abs().max())).item() <= 1


def test_the_same_seed_draws_the_same_map() -> None:
    vectors, _ = make_clusters([30] * 5)
    assert draw(vectors, seed=3).tobytes() == draw(vectors, seed=3).tobytes()
    assert draw(vectors, seed=3).tobytes() != draw(vectors, seed=4).tobytes()


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_rows(rows: int) -> None:
    vectors = np.eye(5, dtype=np.float32)[:rows]
    points = draw(vectors) if rows else lay_out(vectors, NONE, seed=0)
    assert points.shape == (rows, 2) and points.dtype == np.float32
    assert np.isfinite(points).all()
    assert len(np.unique(points, axis=0)) == rows


def test_rows_that_are_all_alike_are_still_seen() -> None:
    points = draw(np.tile(np.eye(1, 8, dtype=np.float32), (50, 1)))
    assert np.isfinite(points).all() and np.abs(points).max() <= 1
    assert len(np.unique(points, axis=0)) == 50


def test_rows_of_zeros_without_neighbours() -> None:
    points = lay_out(np.zeros((20, 4), np.float32), NONE, seed=0)
    assert np.isfinite(points).all() and np.abs(points).max() <= 1


def test_parts_without_a_bridge_stay_on_the_map() -> None:
    vectors, which = make_clusters([400, 30, 12])
    points = draw(vectors)
    assert agree(points, which) > 0.98
    inside = np.abs(points).max(axis=1) <= 0.9 + 1e-6
    assert 0.95 < inside.mean() <= 1


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**40))
def test_any_vectors_are_placed(rows: int, width: int, seed: int) -> None:
    vectors = unit_rows(np.random.default_rng(seed).integers(-1, 2, (rows, width)))
    points = draw(vectors, seed=seed)
    assert np.isfinite(points).all() and np.abs(points).max(initial=0) <= 1


def test_an_edge_weighs_what_both_ends_say() -> None:
    """Of three neighbours the nearest weighs 1, all together log2(3 + 1) = 2."""
    table = pl.DataFrame(
        {"candidate": [0, 0, 0, 1], "neighbor": [1, 2, 3, 0], "cosine": [0.9, 0.8, 0.7, 0.9]},
        schema=NEIGHBORS,
    )
    left, right, weights = weigh_edges(table, 4)
    found = {(a, b): w for a, b, w in zip(left, right, weights, strict=True)}
    assert found[0, 1] == found[1, 0] == pytest.approx(1)
    assert found[0, 2] + found[0, 3] == pytest.approx(1, abs=1e-6)
    assert found[2, 0] == found[0, 2] > found[0, 3]


def test_further_rows_lie_beside_what_they_are_like() -> None:
    vectors, which = make_clusters([40] * 6)
    points = draw(vectors[::2])
    placed = place_beside(points, vectors[::2], vectors[1::2], seed=0)
    assert placed.dtype == np.float32 and np.abs(placed).max() <= 1
    far = ((placed[:, None] - points[None]) ** 2).sum(axis=2)
    assert (which[::2][far.argmin(axis=1)] == which[1::2]).mean() > 0.95
    assert placed.tobytes() == place_beside(points, vectors[::2], vectors[1::2], seed=0).tobytes()
    same = place_beside(points, vectors[::2], vectors[[1, 1, 1]], seed=0)
    assert len(np.unique(same, axis=0)) == 3


def test_further_rows_of_few_or_none() -> None:
    one = np.eye(1, 4, dtype=np.float32)
    assert place_beside(np.zeros((0, 2), np.float32), one[:0], one, seed=0).shape == (1, 2)
    assert place_beside(np.zeros((1, 2), np.float32), one, one[:0], seed=0).shape == (0, 2)
    assert np.abs(place_beside(np.ones((1, 2), np.float32), one, one, seed=0)).max() <= 1


@pytest.mark.slow
def test_a_vocabulary_of_the_default_size_comes_apart() -> None:
    vectors, which = make_clusters([100] * 80)
    points = draw(vectors)
    assert points.shape == (8000, 2) and agree(points, which) > 0.94
