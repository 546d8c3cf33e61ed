"""Examples to an order: which runs look like those that a person wants, and unlike the others?

Extremely randomised trees (Geurts, Ernst & Wehenkel 2006), whose cuts are drawn by chance, over the
statistics of a run and what the ranker thinks of it. A few dozen examples are enough: boosted trees
were worse up to 200 of them, and so was a linear discriminant (docs/teaching.md). scikit-learn has
such trees; with SciPy it takes 140 MB, a fifth of an install, and does not walk them faster.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit

from miner.mining.features import Survey
from miner.mining.ranker import LEAF, Forest
from miner.vectors.neighbors import average_nearest

TREES = 200
FEWEST = 5  # examples in a leaf; with 3 fifty examples teach less, and hundreds as much
SHARE = 0.3  # of the features that a cut is chosen from
OTHERS = 10_000  # runs that stand for all that nobody spoke of
REFUSED = 0.5  # what all refused runs weigh, 1 being what all examples weigh
STEPS = 12  # of Newton's method; it has come to rest after 8
# Of nearness to examples: at .3 of 21 average precisions one was lower, by .001, and 17 higher,
# by .008 on average (five lists, three languages, 50 to 500 examples); at 1 terms lose up to .06
BY_NEARNESS = 0.3
NEAREST, STEP = 5, 5  # vectors that are averaged, and of the others one in so many
BY_TREES = 1.5  # of what the trees say beside opinions; 1 and 2 are as good in one of seven texts


class Lesson(NamedTuple):
    """What is learned from: a row for each run, whether it is wanted, and what it weighs.

    `features` float32 (rows, features), `wanted` float64 (rows,), 0 or 1, `weights` float64.
    """

    features: np.ndarray
    wanted: np.ndarray
    weights: np.ndarray


def learn_order(
    survey: Survey,
    opinions: np.ndarray,
    wanted: np.ndarray,
    refused: np.ndarray,
    vectors: np.ndarray | None = None,
    *,
    seed: int,
) -> np.ndarray:
    """Return a number for each run, the higher the more it is like the wanted ones: float64.

    `opinions` float32 (runs, opinions): what else is thought of each, which is weighed by the
    examples too. `wanted` and `refused` bool (runs,). All other runs count as such that nobody
    wants, though some are; they weigh as much as the wanted ones. `vectors` (runs, dim) of length
    1: what lies near the wanted ones, and far from others, comes before.
    """
    random = np.random.default_rng(seed)
    rest = np.flatnonzero(~(wanted | refused))
    rest = np.sort(random.choice(rest, min(OTHERS, len(rest)), replace=False))
    groups = np.flatnonzero(wanted), np.flatnonzero(refused), rest
    share = REFUSED if len(groups[1]) else 0.0
    weights = [
        np.full(len(group), weight / max(len(group), 1))
        for group, weight in zip(groups, (1.0, share, 1.0 - share), strict=True)
    ]
    rows = np.concatenate(groups)
    target, weight = wanted[rows].astype(np.float64), np.concatenate(weights)
    features = np.hstack([survey.gather(rows), opinions[rows]])
    forest = grow_forest(Lesson(features, target, weight), seed=seed)
    alike = np.empty(len(wanted))
    for some, told in survey.walk():
        alike[some] = forest.vote(np.hstack([told, opinions[some]]))
    weighed = weigh_opinions(Lesson(opinions[rows], target, weight))
    order = BY_TREES * stand_out(alike) + stand_out(opinions @ weighed)
    if vectors is not None:
        order += BY_NEARNESS * stand_out(measure_nearness(vectors, groups[0], rest[::STEP]))
    return order


def measure_nearness(vectors: np.ndarray, wanted: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how much nearer each run lies to wanted ones than to others: float32 (runs,).

    `vectors` (runs, dim) of length 1; `wanted` and `others`: rows of it. The mean cosine to the
    `NEAREST` of each, of which none is the run itself.
    """
    return average_nearest(vectors, wanted, NEAREST) - average_nearest(vectors, others, NEAREST)


def stand_out(values: np.ndarray) -> np.ndarray:
    """Return how few values are as large, as the logarithm of their share: float64 (values,).

    What one measure puts at the very top stands out in a sum of these, not in one of ranks.

    >>> stand_out(np.array([5.0, 7.0, 7.0])).round(2).tolist()
    [0.29, 0.98, 0.98]
    """
    _, order, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return -np.log1p(-ranks / (len(values) + 1))[order]


def weigh_opinions(lesson: Lesson) -> np.ndarray:
    """Return the weights of a logistic model, its last being that of nothing: float64 (features,).

    By Newton's method, held a little so that what tells all apart does not run away.
    """
    ones = np.ones((len(lesson.features), 1))
    table = np.hstack([lesson.features.astype(np.float64), ones])
    weights = np.zeros(table.shape[1])
    held = 1e-4 * np.eye(len(weights))
    for _ in range(STEPS):
        odds = 1 / (1 + np.exp(-np.clip(table @ weights, -30, 30)))
        slope = table.T @ (lesson.weights * (lesson.wanted - odds)) - held @ weights
        curve = (table.T * (lesson.weights * odds * (1 - odds))) @ table + held
        weights += np.linalg.solve(curve, slope)
    return weights[:-1]


def grow_forest(lesson: Lesson, *, trees: int = TREES, seed: int) -> Forest:
    """Return trees whose votes add up to the share of wanted runs among such ones."""
    columns = np.ascontiguousarray(lesson.features.T)
    grow = partial(_grow_tree, columns, lesson.wanted, lesson.weights, FEWEST, SHARE)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        grown = list(pool.map(grow, [(seed * trees + tree) % (1 << 32) for tree in range(trees)]))
    root, nothing = np.zeros(1, np.int32), np.zeros(0, np.float32)
    return Forest.mean([Forest(root, *nodes, nothing, nothing) for nodes in grown])


@njit(nogil=True, cache=True)
def _grow_tree(
    columns: np.ndarray,
    wanted: np.ndarray,
    weights: np.ndarray,
    fewest: int,
    share: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nodes of a tree as `Forest` has them; a leaf has its share of wanted runs."""
    np.random.seed(seed)  # of this thread's numbers in compiled code
    size, rows = columns.shape
    tried = max(1, int(np.ceil(share * size)))
    feature = np.full(2 * rows + 1, LEAF, np.int16)
    child = np.zeros(2 * rows + 1, np.int32)
    bound = np.zeros(2 * rows + 1, np.float32)
    order, features = np.arange(rows), np.arange(size)
    todo = np.empty((rows + 1, 3), np.int64)
    todo[0] = 0, rows, 0
    waiting, nodes = 1, 1
    while waiting > 0:
        waiting -= 1
        low, high, node = todo[waiting]
        here = order[low:high]
        total, good = _add_up(here, wanted, weights)
        bound[node] = good / total
        if len(here) < 2 * fewest or good <= 0.0 or good >= total:
            continue
        whole = total, good
        chosen, cut = _choose_cut(columns, wanted, weights, here, whole, features, tried, fewest)
        if chosen < 0:
            continue
        middle = low + _part(columns[chosen], here, cut)
        feature[node], child[node], bound[node] = chosen, nodes, cut
        todo[waiting] = low, middle, nodes
        todo[waiting + 1] = middle, high, nodes + 1
        waiting += 2
        nodes += 2
    return feature[:nodes].copy(), child[:nodes].copy(), bound[:nodes].copy()


@njit(nogil=True, cache=True)
def _add_up(rows: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return the weight of some rows, and of those that are wanted."""
    total, good = 0.0, 0.0
    for row in rows:
        total += weights[row]
        good += weights[row] * wanted[row]
    return total, good


@njit(nogil=True, cache=True)
def _choose_cut(
    columns: np.ndarray,
    wanted: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    whole: tuple[float, float],
    features: np.ndarray,
    tried: int,
    fewest: int,
) -> tuple[int, np.float32]:
    """Return the purest of some cuts by Gini: a feature, -1 where there is none, and a bound.

    `whole`: the weight of the rows, and of those that are wanted. Features are drawn until `tried`
    of them differ between rows, and of each a bound between its least and its largest value.
    """
    best, chosen, cut = -1.0, -1, np.float32(0)
    found = 0
    for place in range(len(features)):
        other = np.random.randint(place, len(features))
        features[place], features[other] = features[other], features[place]
        column = columns[features[place]]
        least, largest = column[rows[0]], column[rows[0]]
        for row in rows:
            least, largest = min(least, column[row]), max(largest, column[row])
        if not least < largest:
            continue
        at = np.float32(least + np.random.random() * (largest - least))
        at = at if at < largest else least
        pure = _weigh_cut(column, wanted, weights, rows, whole, at, fewest)
        if pure > best:
            best, chosen, cut = pure, features[place], at
        found += 1
        if found == tried:
            break
    return chosen, cut


@njit(nogil=True, cache=True)
def _weigh_cut(
    column: np.ndarray,
    wanted: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    whole: tuple[float, float],
    bound: np.float32,
    fewest: int,
) -> float:
    """Return how pure a cut leaves both sides, -1 where one has too few rows or no weight."""
    under, under_total, under_good = 0, 0.0, 0.0
    for row in rows:
        if column[row] <= bound:
            under += 1
            under_total += weights[row]
            under_good += weights[row] * wanted[row]
    over_total, over_good = whole[0] - under_total, whole[1] - under_good
    if min(under, len(rows) - under) < fewest or under_total <= 0 or over_total <= 0:
        return -1.0
    return under_good * under_good / under_total + over_good * over_good / over_total


@njit(nogil=True, cache=True)
def _part(column: np.ndarray, rows: np.ndarray, bound: np.float32) -> int:
    """Move the rows that are not above the bound to the front, in order; return how many."""
    moved = np.empty(len(rows), np.int64)
    under, over = 0, 0
    for row in rows:
        if column[row] <= bound:
            rows[under] = row
            under += 1
        else:
            moved[over] = row
            over += 1
    rows[under:] = moved[:over]
    return under
