"""Vectors to cosines, neighbours and families: which candidates mean nearly the same?

The only home of faiss, which is imported when a search starts and not before. Rows are float32 of
length 1, so that an inner product is a cosine: higher is closer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numba import njit
from threadpoolctl import threadpool_limits

from miner.errors import EncoderError

NEIGHBORS: dict[str, pl.DataType] = {
    "candidate": pl.UInt32(),
    "neighbor": pl.UInt32(),
    "cosine": pl.Float32(),
}
DEVICES = ("auto", "cpu", "cuda")
# Rows below which all pairs are compared: up to there a GPU is faster so (H200: 300,000 rows of 96
# columns 1.0 s, by the inverted file 1.9 s; of 384 columns 2.4 s and 1.7 s).
EXACT_BELOW = {"cpu": 50_000, "cuda": 300_000}
RECALL, RECALL_AT, SAMPLE = 0.95, 10, 1000
FIRST_PROBES = 8  # enough for .965-.979 on 100,000 and 500,000 measured rows; doubled as needed
TRAINING_ROWS = 64  # a cell of the inverted file
SPARE = 8  # rows searched beyond k, so that ties fall alike whatever the threads
CENTER_STEPS, CENTER_ROWS = 8, 128  # of k-means; 20 and 256 change mean cosines by under .01
PAIRS_AT_ONCE = 1 << 16
ROWS_AT_ONCE = 1 << 14
QUERIES_AT_ONCE = 1 << 16  # of a million in one call an H200 runs out of its 139 GiB

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Neighbors:
    """What lies near what: `table` by candidate, nearest first, never a candidate itself.

    `recall` is the share of the true nearest ten that `index` found for a sample of candidates.
    """

    table: pl.DataFrame
    index: str
    recall: float
    device: str


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return float32 rows of length 1; a row of zeros stays one.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def measure_pairs(vectors: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the cosine of row `left[i]` and row `right[i]`, float32, for unit rows.

    Rows may be float16 on disk; the sum is float32.
    """
    if left.shape != right.shape:
        raise ValueError(f"left has {left.shape} rows and right {right.shape}")
    cosines = np.empty(left.shape[0], np.float32)
    for first in range(0, left.shape[0], PAIRS_AT_ONCE):
        part = slice(first, first + PAIRS_AT_ONCE)
        ours = vectors[left[part]].astype(np.float32, copy=False)
        theirs = vectors[right[part]].astype(np.float32, copy=False)
        cosines[part] = np.einsum("ij,ij->i", ours, theirs)
    return np.clip(cosines, -1, 1)


def find_neighbors(
    vectors: np.ndarray,
    *,
    k: int,
    queries: np.ndarray | None = None,
    device: str = "auto",
    exact_below: int | None = None,
    recall: float = RECALL,
    seed: int = 0,
) -> Neighbors:
    """Find the `k` nearest other rows of each row, or of the rows numbered in `queries`.

    Up to `exact_below` rows, by default as many as the device is quicker with, every pair is
    compared. Above, an inverted file of 4 sqrt(n) cells is
    searched in as many cells as it takes until `recall` of the true nearest ten is found for a
    sample. Fewer than `k` come back where there are no more rows.
    """
    if k < 1 or device not in DEVICES or not 0 < recall <= 1:
        raise ValueError(f"k must be 1 or more, device one of {DEVICES}, recall in (0, 1]")
    rows = np.ascontiguousarray(vectors, np.float32)
    asked = np.arange(rows.shape[0]) if queries is None else np.asarray(queries, np.int64)
    wanted = min(k, rows.shape[0] - 1)
    if wanted < 1 or asked.shape[0] == 0:
        nothing = np.empty((0, 1))
        return Neighbors(_tabulate(asked[:0], nothing, nothing), "none", 1.0, "cpu")
    place = choose_device(device)
    exact = _search_with(_build_flat(rows, place))
    name, found_share, search = "flat", 1.0, exact
    if rows.shape[0] > (EXACT_BELOW[place] if exact_below is None else exact_below):
        name, found_share, search = _fit_inverted(rows, exact, place, recall=recall, seed=seed)
    cosines, found = _search_others(search, rows, asked, wanted)
    return Neighbors(_tabulate(asked, found, cosines), name, found_share, place)


def group_families(
    table: pl.DataFrame, ranks: np.ndarray, *, threshold: float, mutual: bool = True
) -> np.ndarray:
    """Return the head of each candidate's family, int64 (n,); a head is its own.

    `ranks` (n,) orders the candidates, lowest is best. Families are stars, never chains: the best
    candidate without a family becomes a head, and takes the free ones of its neighbours at
    `threshold` or closer; with `mutual`, only those that have it among their neighbours too.

    0 - 1 at .95 and 1 - 2 at .95, ranks 0, 1, 2: 0 takes 1, and 2, which is near 1 alone, stays by
    itself: [0, 0, 2]. With 1 the best of them it takes both: [1, 1, 1].
    """
    close = table.filter(pl.col("cosine") >= threshold)
    left = close["candidate"].to_numpy().astype(np.int64)
    right = close["neighbor"].to_numpy().astype(np.int64)
    size = ranks.shape[0]
    if left.size and max(left.max(), right.max()) >= size:
        raise ValueError(f"the table names candidates past the {size} ranks")
    if mutual:
        both = np.isin(left * size + right, right * size + left)
        left, right = left[both], right[both]
    else:
        left, right = np.concatenate([left, right]), np.concatenate([right, left])
    order = np.argsort(left, kind="stable")
    starts = np.searchsorted(left[order], np.arange(size + 1))
    return _gather_stars(np.argsort(ranks, kind="stable"), starts, right[order])


@njit(nogil=True, cache=True)
def _gather_stars(order: np.ndarray, starts: np.ndarray, near: np.ndarray) -> np.ndarray:
    heads = np.full(order.shape[0], -1, np.int64)
    for head in order:
        if heads[head] < 0:
            heads[head] = head
            for edge in range(starts[head], starts[head + 1]):
                if heads[near[edge]] < 0:
                    heads[near[edge]] = head
    return heads


def open_search(vectors: np.ndarray, *, device: str = "auto") -> Search:
    """Return a search in unit rows: (float32 queries (n, dim), k) -> cosines, rows, both (n, k).

    Exact. Rows that do not exist, where k is more than there are, are -1.
    """
    rows = np.ascontiguousarray(vectors, np.float32)
    return _search_with(_build_flat(rows, choose_device(device)))


def find_centers(rows: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Return `count` centres of float32 rows by k-means: float32 (count, dim).

    No more than there are rows. At most `CENTER_ROWS` rows a centre are looked at.
    """
    import faiss

    if not 1 <= count <= len(rows):
        raise ValueError(f"count must be 1 to {len(rows)}, the number of rows")
    means = faiss.Kmeans(
        rows.shape[1],
        count,
        niter=CENTER_STEPS,
        seed=seed + 1,
        min_points_per_centroid=1,
        max_points_per_centroid=CENTER_ROWS,
    )
    with threadpool_limits(1):  # so little work that threads wait for each other
        means.train(np.ascontiguousarray(rows, np.float32))
    return np.asarray(means.centroids, np.float32).reshape(count, -1)


# ---------------------------------------------------------------- indexes


def choose_device(device: str) -> str:
    """Return `cpu` or `cuda`, where the search will run; EncoderError where there is no CUDA."""
    import faiss

    found = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    if device == "cuda" and not found:
        raise EncoderError(
            "CUDA was asked for and faiss finds none here",
            cure="Use --device auto or cpu, or put faiss-gpu in the place of faiss-cpu, which "
            "is the same module: pip uninstall -y faiss-cpu faiss-gpu && pip install 'faiss-gpu<2'",
        )
    return "cuda" if found and device != "cpu" else "cpu"


def _place_index(index: Any, device: str) -> Any:
    """Return the index, moved to the first GPU where `device` is one."""
    import faiss

    if device == "cpu":
        return index
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)


def _build_flat(rows: np.ndarray, device: str) -> Any:
    import faiss

    index = _place_index(faiss.IndexFlatIP(rows.shape[1]), device)
    index.add(rows)
    return index


def _build_inverted(rows: np.ndarray, device: str, *, cells: int, seed: int) -> Any:
    import faiss

    quantizer = faiss.IndexFlatIP(rows.shape[1])
    index = faiss.IndexIVFFlat(quantizer, rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    placed = _place_index(index, device)
    placed.cp.seed = seed + 1
    placed.cp.spherical = True
    placed.cp.max_points_per_centroid = TRAINING_ROWS
    placed.cp.min_points_per_centroid = 1
    placed.train(rows)
    placed.add(rows)
    return placed


def _search_with(index: Any, *, probes: int | None = None) -> Search:
    """Return a search in an index: (vectors, k) -> cosines, rows; -1 where nothing was found."""
    import faiss

    how = None
    if probes is not None:
        how = faiss.SearchParametersIVF()
        how.nprobe = probes

    def search(asked: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        parts = [
            index.search(asked[first : first + QUERIES_AT_ONCE], k, params=how)
            for first in range(0, len(asked), QUERIES_AT_ONCE)
        ]
        cosines, found = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cosines, found

    return search


def _fit_inverted(
    rows: np.ndarray, exact: Search, device: str, *, recall: float, seed: int
) -> tuple[str, float, Search]:
    """Return name, measured recall and search of an inverted file that reaches `recall`."""
    cells = min(int(4 * np.sqrt(rows.shape[0])), rows.shape[0])
    index = _build_inverted(rows, device, cells=cells, seed=seed)
    size = rows.shape[0]
    sample = np.random.default_rng(seed).choice(size, min(SAMPLE, size), replace=False)
    nearest = min(RECALL_AT, size - 1)
    true, _ = _search_others(exact, rows, sample, nearest)
    probes = FIRST_PROBES
    while True:
        probes = min(probes, cells)
        search = _search_with(index, probes=probes)
        found, _ = _search_others(search, rows, sample, nearest)
        # By cosine, not by row: of two rows that are alike, either is right.
        share = float((found >= true[:, -1:] - 1e-5).mean())
        if share >= recall or probes == cells:
            return f"ivf{cells}, {probes} probes", share, search
        probes *= 2


def _search_others(
    search: Search, rows: np.ndarray, asked: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return cosines and rows (asked, k), nearest first, ties by row, never the row itself.

    A few more than k are asked for and measured again, as the last bits of a matrix product
    depend on how it was split between threads.
    """
    _, found = search(rows[asked], min(k + 1 + SPARE, rows.shape[0]))
    cosines = np.empty(found.shape, np.float32)
    blocks = [slice(i, i + ROWS_AT_ONCE) for i in range(0, len(asked), ROWS_AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda b: _settle_rows(rows, asked[b], found[b], cosines[b]), blocks))
    return cosines[:, :k], found[:, :k]


@njit(nogil=True, cache=True)
def _settle_rows(
    rows: np.ndarray, asked: np.ndarray, found: np.ndarray, cosines: np.ndarray
) -> None:
    """Measure the rows found and sort them in place: by cosine, then by row.

    The row itself and places where nothing was found become -1, last, at -inf.
    """
    for i in range(found.shape[0]):
        for j in range(found.shape[1]):
            other, cosine = found[i, j], np.float32(-np.inf)
            if other == asked[i]:
                other = -1
            if other >= 0:
                cosine = min(max(_dot(rows[asked[i]], rows[other]), np.float32(-1)), np.float32(1))
            place = j
            while place > 0 and (
                cosines[i, place - 1] < cosine
                or (cosines[i, place - 1] == cosine and found[i, place - 1] > other)
            ):
                cosines[i, place], found[i, place] = cosines[i, place - 1], found[i, place - 1]
                place -= 1
            cosines[i, place], found[i, place] = cosine, other


@njit(nogil=True, cache=True, fastmath=True)
def _dot(left: np.ndarray, right: np.ndarray) -> np.float32:
    total = np.float32(0)
    for d in range(left.shape[0]):
        total += left[d] * right[d]
    return total


def _tabulate(asked: np.ndarray, found: np.ndarray, cosines: np.ndarray) -> pl.DataFrame:
    """Return the table of neighbours, without the places where nothing was found."""
    there = found.ravel() >= 0
    table = pl.DataFrame(
        {
            "candidate": np.repeat(asked, found.shape[1])[there],
            "neighbor": found.ravel()[there],
            "cosine": cosines.ravel()[there],
        }
    )
    return table.cast(pl.Schema(NEIGHBORS))


def average_nearest(vectors: np.ndarray, rows: np.ndarray, nearest: int) -> np.ndarray:
    """Return the mean cosine of each vector to its `nearest` among some: float32 (vectors,).

    `vectors` (vectors, dim) of length 1, left on disk if they are; `rows`: which are searched. No
    vector is its own neighbour; 0 where there is none.
    """
    import faiss

    found = np.zeros(len(vectors), np.float32)
    if len(rows) == 0:
        return found
    among = np.asarray(vectors[rows], np.float32)
    most = min(nearest + 1, len(rows))
    for low in range(0, len(vectors), QUERIES_AT_ONCE):
        some = np.asarray(vectors[low : low + QUERIES_AT_ONCE], np.float32)
        cosines, places = faiss.knn(some, among, most, metric=faiss.METRIC_INNER_PRODUCT)
        own = rows[places] == np.arange(low, low + len(some))[:, None]
        cosines[own] = -np.inf  # and the one that is too many comes in its place
        kept = -np.sort(-cosines, axis=1)[:, : min(nearest, most)]
        counted = np.isfinite(kept)
        sums = np.where(counted, kept, 0).sum(axis=1)
        found[low : low + len(some)] = sums / np.maximum(counted.sum(axis=1), 1)
    return found
