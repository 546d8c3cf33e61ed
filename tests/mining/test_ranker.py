"""The ranker: what it sees of a run, how its trees are read, and what it makes of noise."""

from __future__ import annotations

import random
import string
from pathlib import Path

import numpy as np
import pytest
from conftest import mine_texts
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from miner.mining.features import EDGES, NAMES, RUN, WORD, survey
from miner.mining.ranker import (
    JUDGED,
    LEAF,
    Forest,
    Ranker,
    join_heads,
    load_ranker,
    rank_among,
    trust_terms,
)

DEMO = Path(__file__).parents[2] / "corpora/demo.txt"


def grow(features: int, *, trees: int, seed: int, ranks: bool) -> Forest:
    """Return a forest of random stumps over features, or over features and their ranks."""
    made = np.random.default_rng(seed)
    count = 3 * trees
    feature = np.full(count, LEAF, np.int16)
    child, bound = np.zeros(count, np.int32), made.normal(size=count).astype(np.float32)
    roots = np.arange(0, count, 3, dtype=np.int32)
    feature[roots] = made.integers(2 * features if ranks else features, size=trees)
    child[roots] = roots + 1
    ranked = roots[feature[roots] >= features]
    bound[ranked] = made.choice(np.linspace(0, 1, 9), len(ranked))
    nothing = np.zeros(2, np.float32)
    return Forest(roots, feature, child, bound, nothing, nothing)


@given(
    st.integers(1, 12).flatmap(
        lambda rows: arrays(np.float32, (rows, 3), elements=st.integers(-3, 3).map(float))
    ),
    st.integers(0, 10_000),
)
def test_a_settled_forest_votes_as_one_that_is_told_the_ranks(
    features: np.ndarray, seed: int
) -> None:
    forest = grow(3, trees=12, seed=seed, ranks=True)
    known = np.sort(features[::2], axis=0)
    told = np.concatenate([features, rank_among(features, known)], axis=1)
    assert np.array_equal(forest.settle(known).vote(features), forest.vote(told))


def test_trees_are_read_as_by_the_library_that_grew_them() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from training.ranker import convert

    made = np.random.default_rng(0)
    features = made.normal(size=(2_000, 6)).astype(np.float32)
    units = features[:, 0] * features[:, 1] + 0.3 * made.normal(size=2_000) > 0
    model = lightgbm.LGBMClassifier(n_estimators=30, num_leaves=9, n_jobs=1, verbose=-1)
    booster = model.fit(features, units).booster_
    unseen = made.normal(size=(500, 6)).astype(np.float32)
    wanted = booster.predict(unseen, raw_score=True)
    assert np.allclose(convert(booster).vote(unseen), wanted, atol=1e-5)


def test_the_ranker_that_ships_is_small_and_its_curves_rise() -> None:
    ranker = load_ranker()
    assert sorted(ranker.forests) == ["bonds", "phrases", "terms"]
    for forest in ranker.forests.values():
        assert forest.feature.max() < 2 * len(NAMES)
        inner = forest.feature >= 0
        assert (forest.child[inner] + 1 < len(forest.feature)).all()
        assert (np.diff(forest.odds) > 0).all() and (np.diff(forest.shares) >= 0).all()
        assert forest.shares.min() >= 0 and forest.shares.max() <= 1
    arrays_ = [getattr(f, n) for f in ranker.forests.values() for n in ("feature", "child")]
    assert sum(array.nbytes for array in arrays_) < 700_000


def test_what_stands_where_is_counted_right() -> None:
    """Five lines, a sentence each; `big dog` stands in all, alone in the last two."""
    texts = [
        "See the big dog run.",
        "A big dog, and so on.",
        "The Big Dog ran",
        "Big dog",
        "big dog",
    ]
    atoms, candidates = mine_texts(texts, min_count=2)
    found = survey(candidates, atoms)
    text = ["", *atoms.table["text"]]
    spelled = [" ".join(text[key] for key in keys if key) for keys in found.keys.tolist()]
    row = dict(
        zip(NAMES, found.gather(np.arange(len(spelled)))[spelled.index("big dog")], strict=True)
    )
    assert row["starts"] == pytest.approx(2 / 5) and row["ends"] == pytest.approx(3 / 5)
    assert row["alone"] == row["line"] == pytest.approx(2 / 5)
    assert row["again"] == 1.0  # all within 512 atoms of the one before
    assert row["length"] == 2 and row["of_larger"] == row["of_smaller"] == 1.0
    assert row["first_starts"] == pytest.approx(2 / 5) and row["last_ends"] == pytest.approx(3 / 5)
    assert row["end_lift"] == 0 and row["hyphen"] == 0 and row["glued"] == 0
    assert row["rate"] == pytest.approx(np.log(5 / atoms.table["count"].sum()))
    assert row["most_digit"] == 0 and row["first_letters"] == row["last_letters"]


def test_other_spellings_of_a_run_are_counted() -> None:
    texts = [
        "decision making is hard",
        "good decision making",
        "their decision-making",
        "decisionmaking",
    ]
    atoms, candidates = mine_texts(texts, min_count=2)
    found = survey(candidates, atoms)
    row = dict(zip(NAMES, found.gather(np.arange(1))[0], strict=True))
    assert len(found.rows) == 1 and row["hyphen"] == row["glued"] == pytest.approx(1 / 2)


def test_features_of_words_are_those_of_its_edges_and_extremes() -> None:
    atoms, candidates = mine_texts(DEMO.read_text(encoding="utf-8").splitlines()[:800], min_count=3)
    found = survey(candidates, atoms)
    rows = np.arange(0, len(found.rows), 7)
    features = found.gather(rows)
    words = np.split(features[:, len(RUN) :], len(EDGES), axis=1)
    for i, keys in enumerate(found.keys[rows]):
        own = found.words[keys[keys > 0]]
        for told, wanted in zip(words, (own[0], own[-1], own.max(0), own.min(0)), strict=True):
            assert np.array_equal(told[i], wanted)
    assert features.shape == (len(rows), len(RUN) + len(EDGES) * len(WORD))
    assert np.isfinite(features).all()


def test_no_word_is_known_only_its_length_and_its_case() -> None:
    """Other letters in the place of each: the same text to the ranker, whatever it says."""
    texts = DEMO.read_text(encoding="utf-8").splitlines()
    latin = [line for line in texts if line.isascii()][:1200]
    swapped = str.maketrans(
        string.ascii_letters, string.ascii_lowercase[::-1] + string.ascii_uppercase[::-1]
    )
    judged = []
    for lines in (latin, [line.translate(swapped) for line in latin]):
        atoms, candidates = mine_texts(lines, min_count=3)
        told = load_ranker().judge(survey(candidates, atoms))
        judged.append(np.sort(told["meaning"].to_numpy()))
    assert len(judged[0]) > 500 and np.allclose(*judged, atol=1e-6)


def test_words_in_random_order_have_hardly_a_unit() -> None:
    lines = DEMO.read_text(encoding="utf-8").splitlines()
    words = " ".join(lines).split()
    random.Random(0).shuffle(words)
    places = iter(words)
    mixed = [" ".join(next(places) for _ in line.split()) for line in lines]
    atoms, candidates = mine_texts(mixed, min_count=3)
    told = load_ranker().judge(survey(candidates, atoms))
    assert told.height > 500 and (told["meaning"] >= 0.05).sum() < 10


def test_heads_are_joined_as_the_page_says() -> None:
    lengths, none = np.array([2, 3, 4, 8]), np.zeros(4)
    floor = join_heads(none, none, np.ones(4), trust=1.0, lengths=lengths)
    assert floor.tolist() == [0.08, 0.08, 0.15, 0.15]
    half = np.full(4, 0.5)
    either = join_heads(half, np.full(4, 0.2), none, trust=0.6, lengths=lengths)
    assert np.allclose(either, 1 - (1 - 0.3) * (1 - 0.2))
    assert np.allclose(join_heads(half, none, none, trust=0.0, lengths=lengths), 0)


def test_the_first_trees_tell_alone_of_what_is_no_unit() -> None:
    # two stumps a booster: feature 0 above 0, and above 1
    roots, bound = np.array([0, 3, 6, 9], np.int32), np.array([0.0, -1, 1, 1, -1, 2], np.float32)
    feature = np.tile(np.array([0, LEAF, LEAF], np.int16), 4)
    child = np.concatenate([[root + 1, 0, 0] for root in roots]).astype(np.int32)
    votes = np.concatenate([bound, bound / 2])
    votes[6], votes[9] = 0, 1
    curve = np.zeros(0, np.float32)
    forest = Forest(roots, feature, child, votes, curve, curve, first=2, enough=1.0)
    rows = np.array([[-5.0], [0.5], [7.0]], np.float32)
    # the first two say -2, 0, 3, twice as much for all four; only the last goes on, to 4.5
    assert forest.vote(rows).tolist() == [-4, 0, 4.5]
    everyone = Forest(roots, feature, child, votes, curve, curve)
    assert everyone.vote(rows).tolist() == [-3, 0, 4.5]


def test_terms_are_trusted_where_the_best_vocabulary_is_terms() -> None:
    phrases = np.linspace(-3, 3, 1_000)
    assert trust_terms(phrases, phrases) == 1.0
    assert trust_terms(-phrases, phrases) == 0.0
    assert trust_terms(np.zeros(0), np.zeros(0)) == 0.0


def test_a_corpus_without_runs_is_judged_too() -> None:
    atoms, candidates = mine_texts(["a b", "c d"], min_count=2)
    told = Ranker(load_ranker().forests).judge(survey(candidates, atoms))
    assert told.height == 0 and told.columns == list(JUDGED)
