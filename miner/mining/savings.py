"""Units to tokens saved: how much shorter does held-back text get with the first k units?

The slice is cut once for each point of a grid over k, as `settling` cuts the corpus. A unit of n
atoms saves n - 1 of them wherever it owns a place. The interval comes from resampling documents.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.segmentation import find_owners
from miner.text.pretokens import Stream
from miner.text.tables import checked

MOST_KEYS = 2_000_000  # of the slice; more narrows the interval by less than anyone can see
RESAMPLES = 1_000
MOST_BLOCKS = 1_000  # of consecutive documents, resampled together
FEWEST_DOCUMENTS = 20  # fewer say too little of each other: the text is cut into stretches instead
STRETCHES = 50
BOUNDS = (0.025, 0.975)
# An added unit pays if it saves one atom in a million. An id of a word-level vocabulary is bought
# for that: 32,768 more on top of 32,768 made English prose 3.4 % shorter.
LEAST_SAVING = 1e-6

CURVE: dict[str, pl.DataType] = {
    "units": pl.Int64(),
    "saved": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "per_unit": pl.Float64(),
    "per_unit_low": pl.Float64(),
}


def measure_savings(
    held: Stream, candidates: Candidates, values: np.ndarray, order: np.ndarray, *, seed: int
) -> pl.DataFrame:
    """Cut `held` with the first k units for each k of a grid, and say what that saves.

    `values` float64 (rows,): what a run is worth in the cut; `order` int64 (units,): rows, best
    first. Returns `units` (0, then 1, 2, 5, 10, ... to all), `saved`, the share of the slice's
    atoms that the units save, its 95 % interval `low` and `high`, and `per_unit`, the atoms that
    each unit since the point before saves in the slice, with `per_unit_low`, the lower end of its
    95 % interval (null at 0 units). A slice without atoms saves nothing, surely.
    """
    part = take_slice(held)
    edges = cut_blocks(part)
    atoms = _sum_blocks(np.asarray(part.ids) != 0, edges)
    units = choose_grid(len(order))
    lengths = candidates.table["length"].to_numpy().astype(np.int64)
    spares = np.append(lengths - 1, 0)  # the last for -1, where no unit starts
    cuts = _cut_by_first(part, candidates, values, order, units)
    spared = np.stack([_sum_blocks(spares[owners], edges) for owners in cuts], axis=1)
    return _curve_rows(units, atoms, spared, seed=seed)


def choose_grid(units: int) -> np.ndarray:
    """Return the numbers of units to measure: int64 (points,), rising from 0 to `units`.

    >>> choose_grid(130).tolist()
    [0, 1, 2, 5, 10, 20, 50, 100, 130]
    """
    steps = np.outer(10 ** np.arange(10), [1, 2, 5]).ravel()
    inner = steps[steps * 1.25 <= units]
    return np.unique(np.concatenate([[0], inner, [units]])).astype(np.int64)


def take_slice(stream: Stream, *, most_keys: int = MOST_KEYS) -> Stream:
    """Return whole documents spread evenly over the stream, `most_keys` keys of them.

    A first document that is longer by itself is cut off there.
    """
    lengths = np.diff(stream.documents)
    if lengths.sum() <= most_keys:
        return stream
    chosen = np.arange(0, len(lengths), -(-int(lengths.sum()) // most_keys))
    fitting = int(np.searchsorted(np.cumsum(lengths[chosen]), most_keys, side="right"))
    chosen = chosen[: max(fitting, 1)]
    starts = stream.documents[chosen]
    ends = np.minimum(stream.documents[chosen + 1], starts + most_keys)
    places = np.concatenate(
        [[0], *(np.arange(a, b) for a, b in zip(starts, ends, strict=True))]
    ).astype(np.int64)
    documents = 1 + np.concatenate([[0], np.cumsum(ends - starts)])
    return Stream(np.asarray(stream.ids[places]), np.asarray(stream.flags[places]), documents)


def cut_blocks(stream: Stream) -> np.ndarray:
    """Return where the blocks to resample start, and where the last ends: int64 (blocks + 1,).

    A block is a document; where there are many, several neighbours, which are alike and would
    make the interval too narrow one by one; where there are too few, a stretch of the text.
    """
    count = len(stream.documents) - 1
    if count < FEWEST_DOCUMENTS:
        first, last = stream.documents[0], stream.documents[-1]
        return np.unique(np.linspace(first, last, STRETCHES + 1).astype(np.int64))
    edges = np.linspace(0, count, min(count, MOST_BLOCKS) + 1).astype(np.int64)
    return stream.documents[edges]


def find_knee(curve: pl.DataFrame) -> int:
    """Return after how many units more of them stop paying, 0 where none pays.

    That is the last point of the curve at which the units added since the point before still save
    `LEAST_SAVING` of the text each, and surely save something: their `per_unit_low` is above 0.

    From 0 to 0.10000 with 100 units is 0.001 each, to 0.10010 with 100 more 0.000001 each, to
    0.10015 with 100 more half of that: the knee is at 200.
    """
    share = curve["saved"].diff() / curve["units"].diff()
    rounding = 1e-9
    pays = (share >= LEAST_SAVING * (1 - rounding)) & (curve["per_unit_low"] > 0)
    return int(curve["units"].filter(pays).to_numpy().max(initial=0))


def _cut_by_first(
    stream: Stream, candidates: Candidates, values: np.ndarray, order: np.ndarray, units: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield, for each number of units, the row that starts at each place of the stream."""
    for count in units:
        first = np.zeros(len(values))
        first[order[:count]] = values[order[:count]]
        yield find_owners(stream, candidates, first)


def _sum_blocks(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the sum of `values` in each block, float64 (blocks,); exact up to 2^53."""
    running = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return np.diff(running[edges]).astype(np.float64)


def _curve_rows(
    units: np.ndarray, atoms: np.ndarray, spared: np.ndarray, *, seed: int
) -> pl.DataFrame:
    """Join sums and intervals: `atoms` (blocks,), `spared` (blocks, points), the atoms saved.

    The same resamples serve every point, so that the interval of what a step adds is that of the
    difference, which is much narrower than the two intervals of its ends.
    """
    steps = np.maximum(np.diff(units), 1)
    weights = resample_blocks(len(atoms), seed=seed)
    shares = (weights @ spared) / np.maximum(weights @ atoms, 1)[:, None]
    low, high = np.quantile(shares, BOUNDS, axis=0)
    added = np.quantile(np.diff(shares, axis=1), BOUNDS[0], axis=0) * atoms.sum() / steps
    each = np.diff(spared.sum(axis=0)) / steps
    rows = {
        "units": units,
        "saved": spared.sum(axis=0) / max(atoms.sum(), 1),
        "low": low,
        "high": high,
        "per_unit": [None, *each.tolist()],
        "per_unit_low": [None, *added.tolist()],
    }
    return checked(pl.DataFrame(rows, schema=CURVE), CURVE)


def resample_blocks(blocks: int, *, seed: int) -> np.ndarray:
    """Return how often each block is drawn in each resample: float64 (`RESAMPLES`, blocks).

    Every row sums to the number of blocks, drawn with replacement (Efron 1979).
    """
    random = np.random.default_rng(seed)
    drawn = random.integers(0, max(blocks, 1), (RESAMPLES, blocks))
    cells = drawn + np.arange(RESAMPLES)[:, None] * blocks
    counts = np.bincount(cells.ravel(), minlength=RESAMPLES * blocks)
    return counts.reshape(RESAMPLES, blocks).astype(np.float64)
