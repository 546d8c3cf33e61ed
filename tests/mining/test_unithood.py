"""Likeness: what is shown to be a unit, and what looks like it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import mine_texts
from hypothesis import given
from hypothesis import strategies as st

from miner.errors import ConfigError
from miner.mining.candidates import Candidates
from miner.mining.scores import find_splits, score_candidates
from miner.mining.unithood import (
    FEWEST_EXAMPLES,
    FEWEST_WANTED,
    UNITHOOD,
    build_features,
    find_runs,
    find_seeds,
    fit_likeness,
    gather_evidence,
    judge_runs,
    rank,
)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_a_rank_is_the_mean_place_among_equals(values: list[int]) -> None:
    array = np.array(values, float)
    below = [(array < value).sum() + ((array == value).sum() + 1) / 2 for value in array]
    assert np.allclose(rank(array), np.array(below) / len(array))


def runs_of(candidates: Candidates, texts: list[str], rows: np.ndarray) -> list[str]:
    return [" ".join(texts[k >> 1] for k in row if k) for row in candidates.keys[rows].tolist()]


def test_marked_runs_are_those_wanted_in_order() -> None:
    atoms, candidates = mine_texts(["жар тишина", "тишина жар"] * 2, min_count=2)
    number = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    found = find_runs(candidates, {(number["тишина"], number["жар"]), (0, 1)})
    assert runs_of(candidates, ["", *atoms.table["text"]], found) == ["тишина жар"]
    assert len(find_runs(candidates, set())) == 0


def make_text() -> list[str]:
    """Return lines of words that follow Zipf, with planted pairs among them."""
    random = np.random.default_rng(3)
    lines = []
    for _ in range(2_000):
        words = [f"w{number}" for number in random.zipf(1.6, 9) % 200]
        words.insert(int(random.integers(9)), f"left{random.integers(40)} side")
        lines.append(" ".join(words))
    return lines


def test_words_are_judged_by_the_ranker_and_the_objective_chooses_the_head() -> None:
    atoms, candidates = mine_texts(make_text(), min_count=3)
    scores = score_candidates(candidates, find_splits(candidates), total=20_000)
    meaning, terms, phrases = (
        judge_runs(candidates, atoms, scores, objective=name)
        for name in ("meaning", "terms", "phrases")
    )
    assert meaning.schema == UNITHOOD and meaning["candidate"].equals(scores["candidate"])
    assert terms["score"].equals(terms["terms"]) and phrases["score"].equals(phrases["phrases"])
    assert meaning["likeness"].null_count() == meaning.height
    assert (meaning["score"] >= meaning["phrases"] - 1e-6).all()


@pytest.mark.parametrize(("lines", "ranked"), [(350, False), (400, True)])
def test_the_ranker_is_asked_from_500_runs_on(lines: int, ranked: bool) -> None:
    atoms, candidates = mine_texts(make_text()[:lines], min_count=3)
    scores = score_candidates(candidates, find_splits(candidates), total=10 * lines)
    assert (scores.height >= 500) == ranked
    judged = judge_runs(candidates, atoms, scores)
    assert judged["terms"].null_count() == (0 if ranked else scores.height)
    assert judged["likeness"].null_count() == (scores.height if ranked else 0)


def test_what_is_no_word_is_judged_by_the_corpus_itself() -> None:
    texts = ["if (x) { return; }", "while (y) { break; }"] * 9
    atoms, candidates = mine_texts(texts, min_count=2, profile="code")
    scores = score_candidates(candidates, find_splits(candidates), total=200)
    judged = judge_runs(candidates, atoms, scores)
    assert judged["terms"].null_count() == judged.height
    assert judged["likeness"].is_between(0, 1).all() and judged["score"].is_between(0, 1).all()
    order = judged.sort("likeness")["score"].to_numpy()
    assert (np.diff(order) >= 0).all()


def test_an_objective_that_asks_for_words_is_answered_where_there_are_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    atoms, candidates = mine_texts(["if (x) { return; }"] * 9, min_count=2, profile="code")
    scores = score_candidates(candidates, find_splits(candidates), total=100)
    asked = judge_runs(candidates, atoms, scores, objective="terms")
    assert "here meaning decides" in caplog.text
    assert asked.equals(judge_runs(candidates, atoms, scores))


def test_examples_change_the_order_of_the_scores_and_too_few_do_not() -> None:
    atoms, candidates = mine_texts(make_text(), min_count=3)
    scores = score_candidates(candidates, find_splits(candidates), total=20_000)
    texts = ["", *atoms.table["text"]]
    rows = scores["candidate"].to_numpy().astype(np.int64)
    spelled = runs_of(candidates, texts, rows)
    seeds = rows[[i for i, text in enumerate(spelled) if text.startswith("left")]]
    plain = judge_runs(candidates, atoms, scores)
    taught = judge_runs(candidates, atoms, scores, wanted=seeds)
    few = judge_runs(candidates, atoms, scores, wanted=seeds[: FEWEST_EXAMPLES - 1])
    assert len(seeds) >= FEWEST_EXAMPLES and few.equals(plain)
    assert taught["score"].sort().equals(plain["score"].sort())
    like = np.isin(rows, seeds)
    better = rank(taught["score"].to_numpy())[like] - rank(plain["score"].to_numpy())[like]
    assert better.mean() > 0


def test_the_discriminant_is_fishers_and_projects_what_it_gathers() -> None:
    random = np.random.default_rng(0)
    _, candidates = mine_texts(["a b c", "b c a", "c a b c"] * 3, min_count=2)
    scores = score_candidates(candidates, find_splits(candidates), total=30)
    ranks = {name: rank(values) for name, values in gather_evidence(candidates, scores).items()}
    vectors = random.normal(size=(candidates.table.height, 4)).astype(np.float32)
    features = build_features(ranks, candidates, scores, vectors)
    design = features.gather(np.arange(scores.height))
    weights = random.normal(size=design.shape[1])
    assert np.allclose(features.project(weights), design @ weights, atol=1e-4)

    examples = np.zeros(scores.height, bool)
    examples[:2] = True
    found = fit_likeness(features, examples, seed=0)
    groups = design[examples], design[~examples]
    spread = sum(np.cov(group.T, bias=True) for group in groups) + 0.03 * np.eye(design.shape[1])
    wanted = design @ np.linalg.solve(spread, groups[0].mean(axis=0) - groups[1].mean(axis=0))
    assert np.allclose(found, wanted, atol=1e-3)


def test_without_examples_nothing_is_told_apart() -> None:
    _, candidates = mine_texts(["a b"] * 3, min_count=2)
    scores = score_candidates(candidates, find_splits(candidates), total=9)
    nothing = np.zeros(scores.height, bool)
    features = build_features({"count": np.ones(scores.height)}, candidates, scores, None)
    assert not fit_likeness(features, nothing, seed=0).any()


def test_function_words_give_themselves_away_by_never_closing_a_clause() -> None:
    texts = ["the point of view, the end of time", "a point of view. an end of war"] * 5
    atoms, candidates = mine_texts(texts, min_count=3)
    scores = score_candidates(candidates, find_splits(candidates), total=100)
    evidence = gather_evidence(candidates, scores)
    rows = scores["candidate"].to_numpy().astype(np.int64)
    place = {n: i for i, n in enumerate(runs_of(candidates, ["", *atoms.table["text"]], rows))}
    assert evidence["last_closes"][place["point of"]] == 0
    assert evidence["last_closes"][place["point of view"]] == 1
    lift = evidence["right_lift"]
    assert lift[place["point of view"]] >= lift[place["point of"]]


def test_evidence_of_stops_is_what_counting_by_hand_gives() -> None:
    texts = ["red wine, red wine is red", "a red wine. wine is red", "the wine is red wine"]
    atoms, candidates = mine_texts(texts * 2, min_count=2)
    scores = score_candidates(candidates, find_splits(candidates), total=100)
    evidence = gather_evidence(candidates, scores)
    rows = scores["candidate"].to_numpy().astype(np.int64)
    place = {n: i for i, n in enumerate(runs_of(candidates, ["", *atoms.table["text"]], rows))}
    here = {name: values[place["red wine"]] for name, values in evidence.items()}
    # of 8 places 4 begin a clause, 6 end one, 2 are all of it; `red` begins one at 4 of its 12
    # places, `wine` ends one at 6 of its 12
    assert here["count"] == 8 and here["first_count"] == 12 and here["last_count"] == 12
    assert here["left_stops"] == 4 / 8 and here["right_stops"] == 6 / 8 and here["whole"] == 2 / 8
    assert here["left_lift"] == pytest.approx(np.log2((4 + 1) / (4 / 12 * 8 + 1)))
    assert here["right_lift"] == pytest.approx(np.log2((6 + 1) / (6 / 12 * 8 + 1)))
    assert here["whole_lift"] == pytest.approx(np.log2((2 + 0.5) / (4 / 8 * 6 / 8 * 8 + 0.5)))
    assert here["first_opens"] == 4 / 12 and here["last_closes"] == 6 / 12
    assert here["either_closes"] == min(here["first_closes"], here["last_closes"])
    assert here["larger_count"] == 12 and here["length"] == 2
    assert here["weaker_side"] == min(here["forward"], here["backward"])
    assert here["closed_side"] == min(here["left_entropy"], here["right_entropy"])


def test_seeds_are_cut_as_the_corpus_is(tmp_path: Path) -> None:
    atoms, _ = mine_texts(["New York, new deal", "new york"], min_count=2)
    number = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    seeds = tmp_path / "seeds.txt"
    seeds.write_text("NEW  York\n\nnew world\n", encoding="utf-8")
    assert find_seeds(str(seeds), atoms) == {(number["new"], number["york"]), (number["new"], 0)}


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "no such file"), (b"\n \n", "no seed"), (b"ok\n\xff\n", "not UTF-8 at byte 3")],
)
def test_a_bad_file_of_seeds_is_named_with_its_cure(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    atoms, _ = mine_texts(["a b"], min_count=2)
    path = tmp_path / "seeds.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=problem) as caught:
        find_seeds(str(path), atoms)
    assert str(path) in str(caught.value)


def test_seeds_of_one_word_are_answered(caplog: pytest.LogCaptureFixture) -> None:
    atoms, _ = mine_texts(["blood pressure is tablelamp"] * 3, min_count=2)
    assert len(find_seeds(["blood pressure", "tablelamp", "Tablelamp"], atoms)) == 2
    assert "one word here, which needs no joining: 2 of 3" in caplog.text


def test_what_is_refused_teaches_beside_what_is_wanted() -> None:
    atoms, candidates = mine_texts(make_text(), min_count=3)
    scores = score_candidates(candidates, find_splits(candidates), total=20_000)
    rows = scores["candidate"].to_numpy().astype(np.int64)
    wanted, refused = rows[:FEWEST_WANTED], rows[-(FEWEST_EXAMPLES - FEWEST_WANTED) :]
    plain = judge_runs(candidates, atoms, scores)
    taught = judge_runs(candidates, atoms, scores, wanted=wanted, refused=refused)
    assert not taught["score"].equals(plain["score"])
    change = rank(taught["score"].to_numpy()) - rank(plain["score"].to_numpy())
    assert change[np.isin(rows, wanted)].mean() > 0 > change[np.isin(rows, refused)].mean()
    for fewer in ((wanted[1:], refused), (wanted, refused[1:])):
        told = judge_runs(candidates, atoms, scores, wanted=fewer[0], refused=fewer[1])
        assert told.equals(plain)
