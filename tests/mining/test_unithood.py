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
    build_features,
    find_runs,
    find_seeds,
    find_shown,
    fit_likeness,
    gather_evidence,
    judge_runs,
    mark_runs,
    rank,
)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_a_rank_is_the_mean_place_among_equals(values: list[int]) -> None:
    array = np.array(values, float)
    below = [(array < value).sum() + ((array == value).sum() + 1) / 2 for value in array]
    assert np.allclose(rank(array), np.array(below) / len(array))


def runs_of(candidates: Candidates, texts: list[str], rows: np.ndarray) -> list[str]:
    return [" ".join(texts[k >> 1] for k in row if k) for row in candidates.keys[rows].tolist()]


def test_a_run_that_is_also_written_with_a_hyphen_is_shown() -> None:
    texts = ["decision making is hard", "good decision making", "their decision-making was slow"]
    atoms, candidates = mine_texts(texts * 2, min_count=2)
    shown = find_shown(candidates, atoms.table)
    assert runs_of(candidates, ["", *atoms.table["text"]], shown) == ["decision making"]


def test_marked_runs_are_those_wanted_in_order() -> None:
    atoms, candidates = mine_texts(["жар тишина", "тишина жар"] * 2, min_count=2)
    number = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    found = find_runs(candidates, {(number["тишина"], number["жар"]), (0, 1)})
    assert runs_of(candidates, ["", *atoms.table["text"]], found) == ["тишина жар"]
    assert len(find_runs(candidates, set())) == 0


def test_a_mark_is_told_by_the_number_of_a_candidate_whatever_the_order() -> None:
    _, candidates = mine_texts(["a b c", "b c a", "c a b c"] * 3, min_count=2)
    scores = score_candidates(candidates, find_splits(candidates), total=30)
    some = scores["candidate"][[0, 3]].to_numpy()
    marks = mark_runs(scores, shown=some, seeds=some[:1], unsound=some[1:])
    assert marks.filter("shown")["candidate"].to_list() == some.tolist()
    judged = judge_runs(candidates, scores, None, marks, seed=0)
    turned = judge_runs(candidates, scores, None, marks.reverse(), seed=0)
    assert judged.equals(turned) and judged["candidate"].equals(scores["candidate"])


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
    nobody = np.zeros(0, np.int64)
    marks = mark_runs(scores, shown=nobody, seeds=nobody, unsound=nobody)
    judged = judge_runs(candidates, scores, None, marks, seed=0)
    assert judged["score"].is_not_null().all() and judged.height == scores.height


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
