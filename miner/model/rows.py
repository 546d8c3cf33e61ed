"""Parts to rows: what does a new id begin with, in the input and in the output?

Each new row is a weighted mean of the rows of its parts, the ids that its text was cut into before.
The weights may differ between input and output: what is read is known best by its last part, and
what is to be written begins with its first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from scipy import sparse

from miner.tensors import Tensor

Init = Literal["mean", "weighted", "edges", "random"]
INITS: tuple[Init, ...] = get_args(Init)
STEEP = 2.0  # each part weighs e^2 times the one before, as in AdaptiVocab (arXiv:2503.19693)
SAMPLED = 16_384  # rows that random ones are drawn like
AT_ONCE = 1 << 26  # numbers of rows that are held at a time


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
    table: Tensor, parts: Sequence[Sequence[int]], *, init: Init, output: bool, seed: int = 0
) -> np.ndarray:
    """Return a row for each unit, float32 (units, ...), from the rows of its `parts`.

    `random` rows are drawn with the mean and the spread of the table's own.
    """
    if init == "random":
        return draw_rows(table, len(parts), seed=seed)
    lengths = np.array([len(ids) for ids in parts], np.int64)
    ids = np.array([number for numbers in parts for number in numbers], np.int64)
    used, places = np.unique(ids, return_inverse=True)
    weights = weigh_parts(lengths, init=init, output=output)
    rows = np.repeat(np.arange(len(parts)), lengths)
    mixing = sparse.csr_array((weights, (rows, places)), shape=(len(parts), len(used)))
    step = max(AT_ONCE // max(table.size // table.rows, 1), 1)
    made = np.zeros((len(parts), *table.shape[1:]), np.float32)
    for start in range(0, len(used), step):
        held = table.read(used[start : start + step]).reshape(len(used[start : start + step]), -1)
        made += (mixing[:, start : start + step] @ held).reshape(made.shape)
    return made


def draw_rows(table: Tensor, count: int, *, seed: int) -> np.ndarray:
    """Return rows at random, each column with the mean and the deviation of the table's."""
    random = np.random.default_rng(seed)
    sample = np.unique(random.integers(0, table.rows, SAMPLED))
    held = table.read(sample)
    noise = random.standard_normal((count, *table.shape[1:]), np.float32)
    return (held.mean(axis=0) + noise * held.std(axis=0)).astype(np.float32)
