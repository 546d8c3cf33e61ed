"""Vectors to a picture: where does each unit lie on a map of two dimensions?

UMAP (McInnes, Healy and Melville 2018, arXiv:1802.03426) with a = b = 1: near rows are drawn
together, rows at random pushed apart, each by a force of 1 / (1 + d^2). The kernels are our own, as
8,000 rows take a third of a second and t-SNE of scikit-learn half a minute. What is near on the map
is alike; distances between groups, and the axes, mean little.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numba import njit
from threadpoolctl import threadpool_limits

# Trustworthiness (k = 10) on the 1,211 runs of the demo and 7,995 of English novels, and seconds:
# 20 pushed away .947 (0.05), .940 (0.29); 10 .928, .938; 200 epochs .948 (0.09), .946 (0.55). With
# UMAP's a and b for a least distance of .1, 5 and 300: .920 (0.32), .939 (2.1). t-SNE .954 (2.4).
EPOCHS = 100
PUSHED = 20  # rows at random for each row drawn near
SOFT = np.float32(0.3)  # added to the square of a distance that pushes; UMAP's .001: .005 worse
SPREAD = 10.0  # where the optimisation starts, as in the authors' program
FARTHEST = np.float32(4)  # of a step, at the full rate
SAMPLE = 4096  # rows that tell the first two components
INNER, SHARE = 0.9, 99.0  # so much of the map holds so many percent of the rows
BESIDE = 5  # mapped rows that say where another lies
JITTER = 0.006
AT_ONCE = 2048


def lay_out(vectors: np.ndarray, table: pl.DataFrame, *, seed: int) -> np.ndarray:
    """Return where each row lies, float32 (n, 2) in [-1, 1]; the same seed gives the same bytes.

    `vectors` float32 (n, d) of length 1, `table` their neighbours as `find_neighbors` gives them.
    """
    rows = len(vectors)
    if rows < 2:
        return np.zeros((rows, 2), np.float32)
    left, right, weights = weigh_edges(table, rows)
    start = project(vectors)
    start *= SPREAD / max(float(np.abs(start).max()), 1e-9)
    start += np.random.default_rng(seed).normal(0, 1e-3, start.shape)
    points = start.astype(np.float32)
    needed = weights >= weights.max(initial=0) / EPOCHS  # the rest would not be drawn once
    pauses = weights.max(initial=1) / weights[needed]
    _optimise(points, left[needed], right[needed], pauses, EPOCHS, np.uint64(seed) + np.uint64(1))
    return _fit(points)


def place_beside(
    points: np.ndarray, vectors: np.ndarray, others: np.ndarray, *, seed: int, k: int = BESIDE
) -> np.ndarray:
    """Return where further rows lie on the map of `vectors`, float32 (others, 2).

    In the middle of the `k` mapped rows that are nearest, weighted by their cosines, and moved a
    little at random, or all with the same neighbours would lie on one spot.
    """
    jitter = np.random.default_rng(seed).normal(0, JITTER, (len(others), 2))
    placed = np.zeros((len(others), 2))
    k = min(k, len(points))
    for first in range(0, len(others) if k else 0, AT_ONCE):
        part = np.asarray(others[first : first + AT_ONCE], np.float32)
        cosines = part @ vectors.T
        near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        weights = np.maximum(np.take_along_axis(cosines, near, axis=1), 1e-6)[:, :, None]
        placed[first : first + AT_ONCE] = (points[near] * weights).sum(1) / weights.sum(1)
    return np.clip(placed + jitter, -1, 1).astype(np.float32)


def project(vectors: np.ndarray) -> np.ndarray:
    """Return the first two principal components of each row, float64 (n, 2)."""
    step = -(-len(vectors) // SAMPLE)
    with threadpool_limits(1):  # several would round differently from time to time
        sample = vectors[::step].astype(np.float64)
        mean = sample.mean(axis=0)
        _, axes = np.linalg.eigh((sample - mean).T @ (sample - mean))
        axes = axes[:, :-3:-1]
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        found = (vectors - mean) @ axes
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def weigh_edges(table: pl.DataFrame, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges of the fuzzy graph, each in both directions: left, right and weight.

    An edge is there if either end has it among its neighbours: a + b - ab. The nearest neighbour
    of a row has weight 1, and together they weigh the logarithm of their number, base 2.
    """
    ordered = table.sort("candidate", "cosine", "neighbor", descending=[False, True, False])
    left = ordered["candidate"].to_numpy().astype(np.int64)
    right = ordered["neighbor"].to_numpy().astype(np.int64)
    far = 1 - ordered["cosine"].to_numpy().astype(np.float64)
    weights = _weigh(far, np.searchsorted(left, np.arange(rows + 1)))
    codes, where = np.unique(
        np.concatenate([left * rows + right, right * rows + left]), return_inverse=True
    )
    there, back = np.zeros(len(codes)), np.zeros(len(codes))
    there[where[: len(left)]] = weights
    back[where[len(left) :]] = weights
    return codes // rows, codes % rows, there + back - there * back


@njit(nogil=True, cache=True)
def _weigh(far: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return exp(-(distance - nearest) / sigma) for each edge, sigma by bisection for each row."""
    weights = np.ones(far.shape[0])
    for row in range(starts.shape[0] - 1):
        first, last = starts[row], starts[row + 1]
        wanted = np.log2(last - first + 1) if last > first else 0.0
        low, high, sigma = 0.0, np.inf, 1.0
        for _ in range(48):
            total = 0.0
            for edge in range(first, last):
                total += np.exp(-(far[edge] - far[first]) / sigma)
            if total > wanted:
                high = sigma
                sigma = (low + high) / 2
            else:
                low = sigma
                sigma = sigma * 2 if high == np.inf else (low + high) / 2
            sigma = min(max(sigma, 1e-6), 1e6)
        for edge in range(first, last):
            weights[edge] = np.exp(-(far[edge] - far[first]) / sigma)
    return weights


@njit(nogil=True, cache=True)
def _optimise(
    points: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    pauses: np.ndarray,
    epochs: int,
    state: np.uint64,
) -> None:
    """Move the points: an edge draws its ends together once in `pauses` epochs.

    Each time one of them is pushed off `PUSHED` rows at random. The rate falls to 0 evenly.
    """
    rows = np.uint64(points.shape[0])
    due = pauses.copy()
    for epoch in range(epochs):
        rate = np.float32(1 - epoch / epochs)
        for edge in range(left.shape[0]):
            if due[edge] > epoch + 1:
                continue
            due[edge] += pauses[edge]
            i, j = left[edge], right[edge]
            _pull(points, i, j, rate)
            x, y = np.float32(0), np.float32(0)
            for _ in range(PUSHED):  # all from one place: none waits for another, 2.6 times as fast
                state = _draw(state)
                other = np.int64((state >> np.uint64(32)) * rows >> np.uint64(32))
                over, up = _push(points, i, other)
                x, y = x + over, y + up
            points[i, 0] += x * rate
            points[i, 1] += y * rate


@njit(nogil=True, cache=True, inline="always")
def _draw(state: np.uint64) -> np.uint64:
    """Return the next state of a 64-bit xorshift generator; never 0."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    return state ^ (state << np.uint64(17))


@njit(nogil=True, cache=True, inline="always")
def _pull(points: np.ndarray, i: np.int64, j: np.int64, rate: np.float32) -> None:
    x, y = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
    force = np.float32(-2) / (np.float32(1) + x * x + y * y)
    x, y = _clip(force * x) * rate, _clip(force * y) * rate
    points[i, 0] += x
    points[i, 1] += y
    points[j, 0] -= x
    points[j, 1] -= y


@njit(nogil=True, cache=True, inline="always")
def _push(points: np.ndarray, i: np.int64, j: np.int64) -> tuple[np.float32, np.float32]:
    x, y = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
    square = x * x + y * y
    force = np.float32(2) / ((SOFT + square) * (np.float32(1) + square))
    return _clip(force * x), _clip(force * y)


@njit(nogil=True, cache=True, inline="always")
def _clip(step: np.float32) -> np.float32:
    return min(max(step, -FARTHEST), FARTHEST)


def _fit(points: np.ndarray) -> np.ndarray:
    """Return the points in [-1, 1]: nearly all in `INNER` of it, what lies far out drawn in."""
    low, high = np.percentile(points, [100 - SHARE, SHARE], axis=0)
    centred = points.astype(np.float64) - (low + high) / 2
    reach = float((high - low).max()) / 2
    scaled = centred * (INNER / reach if reach > 0 else 0)
    over = np.maximum(np.abs(scaled) - INNER, 0)
    drawn_in = INNER + (1 - INNER) * np.tanh(over / (1 - INNER))
    return np.where(over > 0, np.sign(scaled) * drawn_in, scaled).astype(np.float32)
