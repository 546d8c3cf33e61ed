"""Teaching: trees that learn from a few examples, and what they make of the rest."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import mine_texts

from miner.mining.features import survey
from miner.mining.ranker import LEAF, Forest
from miner.mining.teaching import (
    FEWEST,
    Lesson,
    grow_forest,
    learn_order,
    measure_nearness,
    stand_out,
    weigh_opinions,
)


def make_lesson(rows: int, *, seed: int) -> Lesson:
    """Return rows of which those are wanted where two of ten features are large together."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, 10)).astype(np.float32)
    features[:, 9] = 1.0
    odds = 3 * np.minimum(features[:, 0], features[:, 1]) - 0.5
    wanted = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    return Lesson(features, wanted, random.uniform(0.5, 2, rows))


def find_leaves(forest: Forest, tree: int, features: np.ndarray) -> np.ndarray:
    """Return the leaf of each row in a tree, walked step by step."""
    leaves = []
    for row in features:
        node = int(forest.roots[tree])
        while forest.feature[node] != LEAF:
            above = row[forest.feature[node]] > forest.bound[node]
            node = int(forest.child[node]) + int(above)
        leaves.append(node)
    return np.array(leaves)


def test_a_leaf_has_the_share_of_wanted_rows_in_it_and_enough_of_them() -> None:
    lesson = make_lesson(400, seed=1)
    forest = grow_forest(lesson, trees=3, seed=0)
    votes = np.zeros(400)
    for tree in range(3):
        leaves = find_leaves(forest, tree, lesson.features)
        for leaf in np.unique(leaves):
            here = leaves == leaf
            share = np.average(lesson.wanted[here], weights=lesson.weights[here])
            assert here.sum() >= FEWEST
            assert forest.bound[leaf] == pytest.approx(share / 3, abs=1e-6)
            votes[here] += share / 3
    assert np.allclose(forest.vote(lesson.features), votes, atol=1e-5)
    assert 9 not in forest.feature  # which is the same everywhere


def test_the_trees_see_what_those_of_scikit_learn_see() -> None:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import average_precision_score

    lesson, asked = make_lesson(2_000, seed=2), make_lesson(4_000, seed=3)
    own = grow_forest(lesson, seed=0).vote(asked.features)
    peer = ExtraTreesClassifier(200, min_samples_leaf=FEWEST, max_features=0.3, random_state=0)
    peer.fit(lesson.features, lesson.wanted, sample_weight=lesson.weights)
    other = peer.predict_proba(asked.features)[:, 1]
    assert np.corrcoef(own, other)[0, 1] > 0.98
    assert average_precision_score(asked.wanted, own) == pytest.approx(
        average_precision_score(asked.wanted, other), abs=0.02
    )


def test_a_forest_is_the_same_again_and_another_by_another_seed() -> None:
    lesson = make_lesson(300, seed=4)
    votes = [grow_forest(lesson, trees=9, seed=seed).vote(lesson.features) for seed in (7, 7, 8)]
    assert np.array_equal(votes[0], votes[1]) and not np.array_equal(votes[0], votes[2])


@pytest.mark.parametrize("wanted", [0.0, 1.0])
def test_where_nothing_differs_there_is_one_leaf(wanted: float) -> None:
    lesson = Lesson(np.ones((30, 2), np.float32), np.full(30, wanted), np.ones(30))
    forest = grow_forest(lesson, trees=4, seed=0)
    assert np.allclose(forest.vote(lesson.features), wanted) and len(forest.feature) == 4


def test_opinions_are_weighed_as_a_logistic_model_does() -> None:
    from sklearn.linear_model import LogisticRegression

    lesson = make_lesson(3_000, seed=5)
    table = lesson.features[:, :3]
    peer = LogisticRegression(C=np.inf).fit(table, lesson.wanted, sample_weight=lesson.weights)
    found = weigh_opinions(Lesson(table, lesson.wanted, lesson.weights))
    assert np.allclose(found, peer.coef_[0], atol=2e-3)


def test_opinions_that_tell_all_apart_do_not_run_away() -> None:
    opinion = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    found = weigh_opinions(Lesson(opinion, (opinion[:, 0] > 0).astype(float), np.full(40, 0.05)))
    assert 0 < found[0] < 1e4


def test_the_top_stands_out() -> None:
    values = np.random.default_rng(0).permutation(1_000).astype(float)
    shown = stand_out(values)
    assert np.array_equal(np.argsort(shown), np.argsort(values))
    assert shown.max() == pytest.approx(np.log(1_001)) and stand_out(np.zeros(0)).size == 0


def make_text() -> list[str]:
    """Lines with a pair of one kind in the middle and one of another at the end; 40 of each."""
    random = np.random.default_rng(3)
    words = [f"w{number}" for number in range(60)]
    pairs = (["east{0} west{0}"], ["left{0} right{0}"])
    return [
        " ".join(
            part.format(line % 40) for pair in pairs for part in [*random.choice(words, 10), *pair]
        )
        for line in range(400)
    ]


def test_runs_like_the_refused_sink_and_runs_like_the_wanted_rise() -> None:
    atoms, candidates = mine_texts(make_text(), min_count=3)
    surveyed = survey(candidates, atoms)
    numbers = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    keys = candidates.keys[surveyed.rows, :3] >> 1
    rows = {tuple(run): place for place, run in enumerate(keys.tolist())}
    inside, ends = (
        np.array([rows[numbers[f"{a}{n}"], numbers[f"{b}{n}"], 0] for n in range(40)])
        for a, b in (("east", "west"), ("left", "right"))
    )
    opinions = np.zeros((len(keys), 1), np.float32)
    wanted, refused = np.zeros((2, len(keys)), bool)
    wanted[ends[::2]] = wanted[inside[::4]] = True
    nothing = stand_out(learn_order(surveyed, opinions, wanted, refused, seed=0))
    refused[inside[1::2]] = True
    order = learn_order(surveyed, opinions, wanted, refused, seed=0)
    told = stand_out(order)
    others, alike = inside[2::4], ends[1::2]
    assert nothing[others].mean() > nothing.mean() + 1  # some of them are wanted
    assert told[others].mean() < nothing[others].mean() - 0.1
    assert told[alike].mean() > nothing[alike].mean() + 0.1
    assert np.array_equal(order, learn_order(surveyed, opinions, wanted, refused, seed=0))


def test_nearness_is_that_of_plain_cosines() -> None:
    vectors = np.random.default_rng(3).normal(size=(400, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted, others = np.arange(0, 400, 20), np.arange(3, 400, 9)
    found = measure_nearness(vectors, wanted, others)

    def mean_of_nearest(row: int, rows: np.ndarray) -> float:
        cosines = vectors[rows[rows != row]] @ vectors[row]
        return float(np.sort(cosines)[-5:].mean())

    plain = [mean_of_nearest(i, wanted) - mean_of_nearest(i, others) for i in range(400)]
    assert found == pytest.approx(plain, abs=1e-5)
    alone = measure_nearness(vectors, wanted[:1], others[:0])
    assert alone[0] == 0 and alone[1:] == pytest.approx(vectors[1:] @ vectors[0], abs=1e-5)
