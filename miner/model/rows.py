"""Parts to rows: what does a new id begin with, in the input and in the output?

Each new row is a weighted mean of the rows of its parts, the ids that its text was cut into before.
The weights may differ between input and output: what is read is known best by its last part, and
what is to be written begins with its first. `calibrated` rows then move in the output, until the
model expects a unit as often as it occurs: a mean is expected far too often, as often as its parts.
On English novels a small model with rows by `mean` has 2.380 bits per byte, by `weighted` 2.542, by
`calibrated` 2.130, and 2.085 without units (`benchmarks/initialising.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from miner.corpus.tensors import Tensor

if TYPE_CHECKING:
    from scipy import sparse

Init = Literal["mean", "weighted", "edges", "random", "calibrated"]
INITS: tuple[Init, ...] = get_args(Init)
STEEP = 2.0  # each part weighs e^2 times the one before, as in AdaptiVocab (arXiv:2503.19693)
SAMPLED = 16_384  # rows that random ones are drawn like
AT_ONCE = 1 << 23  # bytes of rows that are held at a time
UNSEEN = 0.5  # how often an id that never occurs is taken to occur
# How far a row goes that is also read, where 1 is as far as its count asks. Bits per byte in
# English at step 0 and 60: 2.170 and 2.147; with 1 2.180 and 2.157, with 0 2.390 and 2.153.
TIED = 0.75


@dataclass(frozen=True)
class Counts:
    """How often each unit occurs, and `before`, how often each old id did without units: int."""

    units: np.ndarray
    before: np.ndarray


def weigh_parts(lengths: np.ndarray, *, init: Init, output: bool) -> np.ndarray:
    """Return the weight of each part of each unit, float32, those of a unit sum to 1.

    `lengths` int (units,): how many parts each has, one at least.

    >>> weigh_parts(np.array([2, 1]), init="mean", output=False).tolist()
    [0.5, 0.5, 1.0]
    >>> weigh_parts(np.array([3]), init="edges", output=True).tolist()
    [1.0, 0.0, 0.0]
    """
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.arange(int(lengths.sum())) - starts
    behind = np.repeat(lengths, lengths) - 1 - place
    far = place if output else behind
    raw = {
        "mean": np.ones(len(place)),
        "weighted": np.exp(-STEEP * far),
        "edges": (far == 0).astype(np.float64),
    }[init]
    sums = np.add.reduceat(raw, np.cumsum(lengths) - lengths) if len(lengths) else raw
    return (raw / np.repeat(sums, lengths)).astype(np.float32)


def make_rows(
    table: Tensor,
    parts: Sequence[Sequence[int]],
    *,
    init: Init,
    output: bool,
    tied: bool = False,
    seed: int = 0,
    counts: Counts | None = None,
) -> np.ndarray:
    """Return a row for each unit, float32 (units, ...), from the rows of its `parts`.

    `tied`: the table is both input and output. `random` rows are drawn with the mean and the spread
    of the table's own. `calibrated` ones are `weighted`, in a tied table a `mean`, and what is
    written moves along the slope of `counts`.
    """
    if init == "random":
        return draw_rows(table, len(parts), seed=seed)
    from scipy import sparse

    lengths, ids = flatten_parts(parts)
    used, places = np.unique(ids, return_inverse=True)
    weights = weigh_parts(lengths, init=choose_weights(init, tied=tied), output=output)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    mixing = sparse.csr_array((weights, places, starts), shape=(len(parts), len(used)))
    made = mix_rows(table, used, mixing)
    if init != "calibrated" or not (output or tied):
        return made
    if counts is None:
        raise ValueError("calibrated rows of an output need counts")
    rarer = measure_logs(counts.units) - mixing @ measure_logs(counts.before[used])
    slope = find_slope(table, counts.before) * (TIED if tied else 1.0)
    return made + np.multiply.outer(rarer, slope).astype(np.float32)


def choose_weights(init: Init, *, tied: bool) -> Init:
    """Return how parts are weighed before `calibrated` rows move; else `init` itself."""
    if init != "calibrated":
        return init
    return "mean" if tied else "weighted"


def flatten_parts(parts: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return how many parts each unit has, and all parts one after the other: int64."""
    lengths = np.array([len(ids) for ids in parts], np.int64)
    return lengths, np.array([number for numbers in parts for number in numbers], np.int64)


def mix_rows(table: Tensor, used: np.ndarray, mixing: sparse.csr_array) -> np.ndarray:
    """Return sums of the rows `used` of a table, weighed by `mixing`: float32 (sums, ...)."""
    step = max(AT_ONCE // max(table.size // table.rows, 1), 1)
    made = np.zeros((mixing.shape[0], *table.shape[1:]), np.float32)
    for start in range(0, len(used), step):
        held = table.read(used[start : start + step]).reshape(len(used[start : start + step]), -1)
        made += (mixing[:, start : start + step] @ held).reshape(made.shape)
    return made


def split_counts(counts: np.ndarray, parts: Sequence[Sequence[int]]) -> Counts:
    """Return the counts of units, and of old ids as if no unit had an id.

    `counts` int (ids,): how often each occurs, those of units behind all others. Of three ids
    units are made, 0 1 and 1 2, that occur 5 times and once:

    >>> split_counts(np.array([7, 0, 2, 5, 1]), [[0, 1], [1, 2]]).before
    array([12,  6,  3])
    """
    old = len(counts) - len(parts)
    lengths, ids = flatten_parts(parts)
    before = counts[:old].copy()
    np.add.at(before, ids, np.repeat(counts[old:], lengths))
    return Counts(counts[old:], before)


def measure_logs(counts: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of counts, as logits have it: float64."""
    return np.log(np.maximum(counts, UNSEEN))


def find_slope(table: Tensor, counts: np.ndarray) -> np.ndarray:
    """Return how the rows of a table change with the logarithm of the count, float32 (...).

    The slope of least squares in each column, of ids that occur. A row that moves along it has a
    logit as high as its count asks for, on average, and lies where rows of such a count do.

    Rows of 0, 2 and 4 with counts of 1, e and e^2: 2.
    """
    from scipy import sparse

    used = np.flatnonzero(counts)
    logs = measure_logs(counts[used])
    far = logs - logs.mean() if len(logs) else logs
    weights = far / max(far @ far, np.finfo(np.float64).tiny)
    return mix_rows(table, used, sparse.csr_array(weights[None]))[0]


def draw_rows(table: Tensor, count: int, *, seed: int) -> np.ndarray:
    """Return rows at random, each column with the mean and the deviation of the table's."""
    random = np.random.default_rng(seed)
    sample = np.unique(random.integers(0, table.rows, SAMPLED))
    held = table.read(sample)
    noise = random.standard_normal((count, *table.shape[1:]), np.float32)
    return (held.mean(axis=0) + noise * held.std(axis=0)).astype(np.float32)
