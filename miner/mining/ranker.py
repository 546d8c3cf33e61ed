"""Features to probabilities: how likely is a run a unit, in the sense of which lists?

Three forests of decision trees that ship with the package, trained by `training/` on open texts
and lists in many languages: one knows key terms, one general vocabulary, and one, from made-up
languages, what holds together in any signs. They see no word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit

from miner.mining.features import NAMES, Survey

MODEL = "ranker.npz"
LEAF = -1
BLOCK = 512  # runs whose features fit a cache
# Of the runs, the best by `phrases` are asked whether they are terms. Without the language in
# training .13 to .28 in nine novels and collections of prose say yes, .41 in a Bible, and .43 to
# .70 in textbooks and parts of them.
AGREE_AMONG = 0.005
AGREED = (0.28, 0.45)
# What a bond counts for: among words, which the lists know better, as a floor that moves hardly
# an average precision by .005 (.15 would by .02). Lists have few runs of `LONG` words: there .15
# moves none by .008 (.3 would by .03). Runs without any word are in no list.
WORDY, LONG_WORDY, OTHER = 0.08, 0.15, 0.5
LONG = 4
HEADS = ("terms", "phrases", "bonds")
VOTES = tuple(f"{head}_votes" for head in HEADS)
JUDGED = dict.fromkeys((*HEADS, "meaning", *VOTES), pl.Float32())


@dataclass(frozen=True)
class Forest:
    """Trees that vote: a row goes right where its feature is above the bound.

    `roots` int32 (trees,). Of each node: `feature` int16, `LEAF` at a leaf; `child` int32, the
    left one, the right one follows; `bound` float32, at a leaf its vote. `odds` and `shares`
    float32 (knots,): which share of the runs with such a sum of votes were units. The `first`
    trees are a forest by themselves, which alone tells of a run that they give less than `enough`.
    """

    roots: np.ndarray
    feature: np.ndarray
    child: np.ndarray
    bound: np.ndarray
    odds: np.ndarray
    shares: np.ndarray
    first: int = 0
    enough: float = -np.inf

    def vote(self, features: np.ndarray) -> np.ndarray:
        """Return the sum of votes for each row of float32 (rows, features): float32 (rows,)."""
        trees, first, size = _close_leaves(self), int(self.first), len(self.roots)
        if not 0 < first < size:
            return _vote(features, trees, 0, size)
        part = _vote(features, trees, 0, first)
        votes = part * np.float32(size / first)
        rows = np.flatnonzero(votes >= self.enough)
        votes[rows] = part[rows] + _vote(features[rows], trees, first, size)
        return votes

    @classmethod
    def mean(cls, forests: Sequence[Forest]) -> Forest:
        """Return the trees of all, whose votes add up to the mean of theirs; without a curve."""
        sizes = np.cumsum([0, *(len(forest.feature) for forest in forests)])[:-1].astype(np.int32)
        child = [forest.child + size for forest, size in zip(forests, sizes, strict=True)]
        feature = np.concatenate([forest.feature for forest in forests])
        bound, leaf = np.concatenate([forest.bound for forest in forests]), feature == LEAF
        nothing = np.zeros(0, np.float32)
        return cls(
            np.concatenate([f.roots + size for f, size in zip(forests, sizes, strict=True)]),
            feature,
            np.where(leaf, 0, np.concatenate(child)).astype(np.int32),
            np.where(leaf, bound / np.float32(len(forests)), bound).astype(np.float32),
            nothing,
            nothing,
        )

    def settle(self, known: np.ndarray) -> Forest:
        """Return a forest that does as this one in a corpus, and sees no ranks.

        `known` float32 (sample, features), each column sorted. A rank is above a bound where the
        value is above another, which is looked up once, not for every run.
        """
        bound, feature = self.bound.copy(), self.feature.copy()
        plain = known.shape[1]
        for column in range(plain):
            nodes = np.flatnonzero(self.feature == plain + column)
            if len(nodes):
                bound[nodes] = _find_values(self.bound[nodes], known[:, column])
        feature[feature >= plain] -= np.int16(plain)
        return replace(self, bound=bound, feature=feature)

    def weigh(self, votes: np.ndarray) -> np.ndarray:
        """Return the share of the runs with such votes that are units: float32 (rows,)."""
        return np.interp(votes, self.odds, self.shares).astype(np.float32)


@dataclass(frozen=True)
class Ranker:
    """The forests by name. They see `NAMES`, and behind them the ranks of the same features."""

    forests: Mapping[str, Forest]

    def judge(self, survey: Survey) -> pl.DataFrame:
        """Return what is thought of every run, a row each: `terms`, `phrases`, `bonds`, `meaning`.

        All in [0, 1]: which share of such runs are key terms, general vocabulary, planted in a
        made-up language, and a unit all in all. `terms_votes` and so on are the votes behind them.
        """
        known = np.sort(survey.sample(), axis=0)
        forests = {name: forest.settle(known) for name, forest in self.forests.items()}
        votes = {name: np.empty(len(survey.table), np.float32) for name in forests}
        for rows, features in survey.walk():
            for name, forest in forests.items():
                votes[name][rows] = forest.vote(features)
        wordy = survey.wordy
        trust = trust_terms(votes["terms"][wordy], votes["phrases"][wordy])
        shares = {name: forest.weigh(votes[name]) for name, forest in forests.items()}
        for name in ("terms", "phrases"):  # no list has anything but words
            shares[name] = np.where(wordy, shares[name], 0)
        meaning = join_heads(
            shares["terms"], shares["phrases"], shares["bonds"], trust=trust, lengths=survey.lengths
        )
        shares["meaning"] = np.where(survey.wordless, OTHER * shares["bonds"], meaning)
        told = shares | {f"{name}_votes": found for name, found in votes.items()}
        return pl.DataFrame(told).select(*JUDGED).cast(pl.Schema(JUDGED))


def join_heads(
    terms: np.ndarray, phrases: np.ndarray, bonds: np.ndarray, *, trust: float, lengths: np.ndarray
) -> np.ndarray:
    """Return the share of units among runs of words by all heads: one of both lists, or a floor.

    >>> half, none = np.array([0.5]), np.array([0.0])
    >>> join_heads(half, half, none, trust=1.0, lengths=np.array([2])).tolist()
    [0.75]
    """
    either = 1 - (1 - trust * terms) * (1 - phrases)
    return np.maximum(either, np.where(lengths < LONG, WORDY, LONG_WORDY) * bonds)


def trust_terms(terms: np.ndarray, phrases: np.ndarray) -> float:
    """Return how far the head of terms is right to speak in this corpus, from 0 to 1.

    `terms` and `phrases` are votes. In a text that explains something, the best of its vocabulary
    are key terms too. In a novel they are not, and what looks like a term there is a name.
    """
    best = max(1, round(AGREE_AMONG * len(phrases)))
    top = np.argsort(-phrases, kind="stable")[:best]
    agreed = float((1 / (1 + np.exp(-terms[top].astype(np.float64)))).mean()) if len(top) else 0.0
    return float(np.interp(agreed, AGREED, (0.0, 1.0)))


def rank_among(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the rank of each value among the sorted `known` of its column, in [0, 1], float32.

    >>> rank_among(np.array([[2.0], [9.0]]), np.array([[1.0], [2.0], [2.0], [3.0]])).tolist()
    [[0.5], [1.0]]
    """
    ranks = np.empty(values.shape, np.float32)
    for place in range(values.shape[1]):
        below = np.searchsorted(known[:, place], values[:, place], "left")
        above = np.searchsorted(known[:, place], values[:, place], "right")
        ranks[:, place] = (below + above) / (2 * len(known))
    return ranks


def _find_values(ranks: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the largest value of each rank or a lower one: float32 (ranks,).

    The rank of a value rises in two steps at each different one of the sorted `known`: to the
    middle of those that equal it, and behind them.
    """
    values, first, sizes = np.unique(known, return_index=True, return_counts=True)
    steps = np.stack([2 * first + sizes, 2 * (first + sizes)], axis=1).ravel() / (2 * len(known))
    nexts = np.append(np.nextafter(values, np.float32(-np.inf)), np.float32(np.inf))
    largest = np.empty(2 * len(values) + 1, np.float32)
    largest[0::2], largest[1::2] = nexts, values
    return largest[np.searchsorted(steps.astype(np.float32), ranks, "right")]


class _Trees(NamedTuple):
    """The nodes of a forest as the kernel walks them: a leaf leads to itself, and has a `value`.

    `depths` int64 (trees,): how many steps lead to the deepest leaf.
    """

    roots: np.ndarray
    feature: np.ndarray
    child: np.ndarray
    bound: np.ndarray
    value: np.ndarray
    depths: np.ndarray


def _close_leaves(forest: Forest) -> _Trees:
    """Return the trees of a forest for the kernel."""
    leaf = forest.feature == LEAF
    tree = np.searchsorted(forest.roots, np.arange(len(leaf)), "right") - 1
    depths = np.zeros(len(forest.roots), np.int64)
    level = forest.roots[~leaf[forest.roots]]
    while len(level):
        depths[np.unique(tree[level])] += 1
        below = np.concatenate([forest.child[level], forest.child[level] + 1])
        level = below[~leaf[below]]
    return _Trees(
        forest.roots,
        np.where(leaf, 0, forest.feature).astype(np.int16),
        np.where(leaf, np.arange(len(leaf)), forest.child).astype(np.int32),
        np.where(leaf, np.inf, forest.bound).astype(np.float32),
        np.where(leaf, forest.bound, 0).astype(np.float32),
        depths,
    )


@njit(nogil=True, cache=True)
def _vote(features: np.ndarray, trees: _Trees, start: int, stop: int) -> np.ndarray:
    """Return the sum of the votes of some trees for each row: float32 (rows,).

    Four rows in step, `BLOCK` rows a tree: no branch depends on a row, and both fit a cache. That
    takes three fifths of the time of one row after the other.
    """
    rows = features.shape[0]
    feature, child, bound, value = trees.feature, trees.child, trees.bound, trees.value
    votes = np.zeros(rows)
    for low in range(0, rows, BLOCK):
        high = min(low + BLOCK, rows)
        for tree in range(start, stop):
            root = trees.roots[tree]
            for row in range(low, high - 3, 4):
                first, second, third, fourth = root, root, root, root
                for _ in range(trees.depths[tree]):
                    first = child[first] + (features[row, feature[first]] > bound[first])
                    second = child[second] + (features[row + 1, feature[second]] > bound[second])
                    third = child[third] + (features[row + 2, feature[third]] > bound[third])
                    fourth = child[fourth] + (features[row + 3, feature[fourth]] > bound[fourth])
                votes[row] += value[first]
                votes[row + 1] += value[second]
                votes[row + 2] += value[third]
                votes[row + 3] += value[fourth]
            for row in range(low + (high - low) // 4 * 4, high):
                node = root
                for _ in range(trees.depths[tree]):
                    node = child[node] + (features[row, feature[node]] > bound[node])
                votes[row] += value[node]
    return votes.astype(np.float32)


@cache
def load_ranker() -> Ranker:
    """Return the ranker that ships with the package."""
    with resources.files("miner.mining").joinpath(MODEL).open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        parts = {name: arrays[name][()] for name in arrays.files}  # one number is no array
    if parts.pop("features").tolist() != list(NAMES):
        raise ValueError("the ranker was trained on other features: python -m training.ranker")
    names = sorted({name.split(".")[0] for name in parts})
    fields = Forest.__dataclass_fields__
    return Ranker({name: Forest(*(parts[f"{name}.{part}"] for part in fields)) for name in names})
