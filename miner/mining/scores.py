"""Counts to statistics: how strongly does a run hold together, and how freely does it stand?

A run of n atoms is judged at its best split, the cut into two parts that explains the run best as
chance, so a longer run has no advantage that its weakest joint does not earn. Logarithms are to
base 2; `total` is the number of atoms in the corpus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.text.tables import SCORES, checked


@dataclass(frozen=True)
class Splits:
    """Where each run falls apart most easily: int64 (rows,) of its two parts, -1 for an atom."""

    left: np.ndarray
    right: np.ndarray


def find_splits(candidates: Candidates) -> Splits:
    """Return the best split of every run: the one with the largest product of its parts' counts.

    That product over the corpus size is the count that chance would give (Church & Hanks 1990
    for pairs); the largest is the hardest to beat.
    """
    counts = candidates.table["count"].to_numpy().astype(np.float64)
    lengths = candidates.table["length"].to_numpy()
    left = np.full(len(counts), -1, np.int64)
    right = np.full(len(counts), -1, np.int64)
    for length in range(2, int(lengths.max(initial=0)) + 1):
        rows = np.flatnonzero(lengths == length)
        best = np.full(len(rows), -1.0)
        for first, second in walk_splits(candidates, rows, length):
            chance = counts[first] * counts[second]
            better = chance > best
            best[better] = chance[better]
            left[rows[better]], right[rows[better]] = first[better], second[better]
    return Splits(left, right)


def walk_splits(
    candidates: Candidates, rows: np.ndarray, length: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the two parts of `rows`, all of one length, for each place to split, left to right."""
    prefixes = [rows]
    for _ in range(length - 1):
        prefixes.append(candidates.parent[prefixes[-1]])
    suffix = rows
    splits = []
    for cut in range(1, length):
        suffix = candidates.suffix[suffix]
        splits.append((prefixes[length - cut], suffix))
    return splits


def pointwise_information(
    together: np.ndarray, left: np.ndarray, right: np.ndarray, *, total: float
) -> np.ndarray:
    """Return PMI in bits: log2 of the count over the count that chance gives.

    Church & Hanks 1990. 8 occurrences where 16 x 32 / 1024 = 0.5 are expected: 4 bits.
    """
    return np.log2(together * total / (left * right))


def normalized_information(
    together: np.ndarray, left: np.ndarray, right: np.ndarray, *, total: float
) -> np.ndarray:
    """Return NPMI in [-1, 1]: PMI over the information of the run itself (Bouma 2009)."""
    information = pointwise_information(together, left, right, total=total)
    return information / np.maximum(-np.log2(together / total), 1e-12)


def log_likelihood(
    together: np.ndarray, left: np.ndarray, right: np.ndarray, *, total: float
) -> np.ndarray:
    """Return the log-likelihood ratio G2 of the 2 x 2 table (Dunning 1993), signed by attraction.

    In nats, as tables of chi-square expect: 10.83 is p = 0.001 at one degree of freedom.
    """
    table = (
        together,
        np.maximum(left - together, 0),
        np.maximum(right - together, 0),
        np.maximum(total - left - right + together, 0),
    )
    first, second, third, fourth = table
    cells = sum(_x_log_x(cell) for cell in table)
    margins = _x_log_x(first + second) + _x_log_x(third + fourth)
    margins = margins + _x_log_x(first + third) + _x_log_x(second + fourth)
    ratio = 2 * (cells - margins + _x_log_x(first + second + third + fourth))
    return np.where(together * total >= left * right, ratio, -ratio)


def _x_log_x(values: np.ndarray) -> np.ndarray:
    return values * np.log(np.maximum(values, 1e-300))


def dice(together: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the share of the parts' occurrences that are the run, in [0, 1] (Dice 1945)."""
    return 2 * together / (left + right)


def delta_p(
    together: np.ndarray, cue: np.ndarray, outcome: np.ndarray, *, total: float
) -> np.ndarray:
    """Return how much the cue raises the chance of the outcome, in [-1, 1] (Ellis 2006)."""
    return together / cue - (outcome - together) / np.maximum(total - cue, 1)


def nestedness(candidates: Candidates) -> np.ndarray:
    """Return, in [0, 1], the share of a run that lies inside its most frequent longer run.

    1 where it never stands without the same atom before or after it (after Frantzi et al. 2000).
    """
    counts = candidates.table["count"].to_numpy()
    inside = np.zeros(len(counts), np.int64)
    longer = np.flatnonzero(candidates.parent >= 0)
    np.maximum.at(inside, candidates.parent[longer], counts[longer])
    np.maximum.at(inside, candidates.suffix[longer], counts[longer])
    return inside / counts


def score_candidates(candidates: Candidates, splits: Splits, *, total: int) -> pl.DataFrame:
    """Return the statistics of every run of two atoms and more, one row each."""
    counts = candidates.table["count"].to_numpy().astype(np.float64)
    rows = np.flatnonzero(splits.left >= 0)
    together, left, right = counts[rows], counts[splits.left[rows]], counts[splits.right[rows]]
    table = candidates.table[rows].select(
        "candidate", "length", "count", "documents", "dispersion", "left_entropy", "right_entropy"
    )
    return checked(
        table.with_columns(
            pmi=pointwise_information(together, left, right, total=total),
            npmi=normalized_information(together, left, right, total=total),
            log_likelihood=log_likelihood(together, left, right, total=total),
            dice=dice(together, left, right),
            forward=delta_p(together, left, right, total=total),
            backward=delta_p(together, right, left, total=total),
            nestedness=nestedness(candidates)[rows],
        ),
        SCORES,
    )
