"""Proposals: who wins when runs compete for the text."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from conftest import mine_texts

from miner.mining.candidates import Candidates
from miner.mining.proposals import list_units, propose_atoms, tabulate_runs
from miner.mining.scores import find_splits, score_candidates
from miner.mining.settling import (
    Objective,
    Verdict,
    find_yielding,
    raise_bids,
    settle_runs,
    surpass_chance,
)
from miner.mining.spelling import spell_runs
from miner.mining.unithood import LEAST_SCORE, judge_runs

FILLER = ["one day {} came by", "we saw {}, at last", "is {} far away?", "then {} sang", "{}"]


def name_rows(candidates: Candidates, texts: pl.Series) -> dict[str, int]:
    return {name: row for row, name in enumerate(spell_runs(candidates.keys, texts))}


def settle(
    texts: list[str],
    worth: dict[str, float],
    *,
    objective: Objective = "meaning",
    budget: int = 100,
    min_count: int = 3,
    surprise: float = 100.0,
) -> tuple[dict[str, Verdict], dict[str, int], pl.DataFrame]:
    """Return verdict and settled count of each run, with scores given by hand (0.01 otherwise)."""
    atoms, candidates = mine_texts(texts, min_count=min_count)
    total = int(atoms.table["count"].sum())
    scores = score_candidates(candidates, find_splits(candidates), total=total)
    scores = scores.with_columns(log_likelihood=pl.lit(surprise))
    rows = name_rows(candidates, atoms.table["text"])
    names = {row: name for name, row in rows.items()}
    runs = scores["candidate"].to_list()
    score = [worth.get(names[row], 0.01) for row in runs]
    judged = scores.select(
        "candidate", "log_likelihood", score=pl.Series(score), bid=pl.Series(score)
    )
    settled = settle_runs(
        atoms.mined, candidates, judged, objective=objective, budget=budget, min_count=min_count
    )
    verdicts = {names[row]: Verdict(settled["verdict"][row]) for row in runs}
    return verdicts, {names[row]: settled["unit_count"][row] for row in runs}, settled


def test_a_part_that_lives_inside_a_longer_unit_yields_to_it() -> None:
    texts = [line.format("gross domestic product") for line in FILLER] * 2
    verdicts, counts, _ = settle(
        texts, {"gross domestic product": 0.9, "gross domestic": 0.93, "domestic product": 0.8}
    )
    assert verdicts["gross domestic product"] is Verdict.KEPT
    assert counts["gross domestic product"] == 10
    assert verdicts["gross domestic"] is Verdict.FRAGMENT
    assert verdicts["domestic product"] is Verdict.FRAGMENT
    assert counts["gross domestic"] == 0


def test_a_longer_run_that_is_much_worse_yields_to_its_part() -> None:
    texts = [line.format("the united states") for line in FILLER] * 2
    verdicts, counts, settled = settle(
        texts, {"the united states": 0.8, "united states": 0.98, "the united": 0.75}
    )
    assert verdicts["united states"] is Verdict.KEPT
    assert counts["united states"] == 10
    assert verdicts["the united states"] is Verdict.OUTBID
    assert verdicts["the united"] in (Verdict.OUTBID, Verdict.FRAGMENT)
    assert settled["rival"].is_not_null().any()


def test_a_part_that_often_stands_alone_stays_beside_the_longer_unit() -> None:
    texts = [line.format("supply chain") for line in FILLER] * 3
    texts += [line.format("global supply chain risk") for line in FILLER]
    verdicts, counts, _ = settle(texts, {"supply chain": 0.9, "global supply chain risk": 0.9})
    assert verdicts["supply chain"] is Verdict.KEPT
    assert verdicts["global supply chain risk"] is Verdict.KEPT
    assert (counts["supply chain"], counts["global supply chain risk"]) == (15, 5)


def test_what_loses_its_places_to_better_units_is_outbid() -> None:
    texts = ["red hot iron", "red hot coal", "red hot sand", "red hot glass"] * 3
    verdicts, counts, _ = settle(
        texts, {"red hot": 0.95, "hot iron": 0.8, "hot coal": 0.8, "hot sand": 0.8}
    )
    assert verdicts["red hot"] is Verdict.KEPT
    assert verdicts["hot iron"] is Verdict.OUTBID
    assert counts["hot iron"] == 0


def test_the_budget_keeps_the_best_and_says_so_of_the_rest() -> None:
    texts = ["a b", "c d", "e f"] * 4
    verdicts, _, _ = settle(texts, {"a b": 0.9, "c d": 0.95, "e f": 0.8}, budget=2)
    assert [verdicts[run] for run in ("a b", "c d", "e f")] == [
        Verdict.KEPT,
        Verdict.KEPT,
        Verdict.BUDGET,
    ]


def test_compression_keeps_what_saves_the_most_and_drops_what_saves_nothing() -> None:
    texts = ["of the long river bank", "of the old river bank"] * 6
    verdicts, counts, _ = settle(texts, {}, objective="compression", budget=3)
    kept = {run for run, verdict in verdicts.items() if verdict is Verdict.KEPT}
    assert all(counts[run] > 0 for run in kept)
    covered = sum(counts[run] * run.count(" ") for run in kept)
    assert covered == 12 * 4  # every line becomes one token


def test_compression_does_not_buy_units_for_a_single_document() -> None:
    texts = ["spam eggs " * 30, "x y", "x y", "x y", "z"]
    verdicts, _, _ = settle(texts, {}, objective="compression", budget=5)
    kept = {run for run, verdict in verdicts.items() if verdict is Verdict.KEPT}
    assert kept == {"x y"}


@pytest.mark.parametrize("seed", range(5))
def test_no_kept_unit_has_most_of_its_places_in_another(seed: int) -> None:
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(list("abcdef"), 6)) for _ in range(60)]
    atoms, candidates = mine_texts(texts, min_count=2)
    worth = random.random(candidates.table.height)
    units = random.random(len(worth)) < 0.6
    units &= candidates.parent >= 0
    yields, rival = find_yielding(candidates, worth, units)
    assert units[yields].all()
    assert (rival[yields] >= 0).all()
    kept = np.flatnonzero(units & ~yields)
    counts = candidates.table["count"].to_numpy()
    spelled = [f" {name} " for name in spell_runs(candidates.keys, atoms.table["text"])]
    for short in kept:
        for long in kept:
            if short != long and spelled[short] in spelled[long]:
                assert counts[long] < 0.8 * counts[short], (spelled[short], spelled[long])


def test_a_longer_unit_bids_just_more_than_the_part_it_shares() -> None:
    _, candidates = mine_texts(["a b c"] * 3 + ["a b"] * 3, min_count=3)
    lengths = candidates.table["length"].to_numpy()
    units = lengths > 1
    worth = np.where(lengths == 3, 0.90, np.where(units, 0.92, 0.0))
    bid = raise_bids(candidates, worth, units, min_count=3)
    assert bid[lengths == 3] > bid[lengths == 2].max() > 0.9


def tabulate(texts: list[str]) -> tuple[pl.DataFrame, pl.DataFrame, Candidates]:
    """Return atoms, judged runs with the run of most words kept, and candidates."""
    atoms, candidates = mine_texts(texts, min_count=2)
    total = int(atoms.table["count"].sum())
    scores = score_candidates(candidates, find_splits(candidates), total=total)
    judged = judge_runs(candidates, atoms, scores)
    judged = judged.join(scores.select("candidate", "log_likelihood"), on="candidate")
    settled = settle_runs(
        atoms.mined, candidates, judged, objective="meaning", budget=100, min_count=2
    )
    rows = scores["candidate"].to_numpy()
    token = spell_runs(candidates.keys[rows], atoms.table["text"])
    tokens = scores.select("candidate", token=token)
    return atoms.table, tabulate_runs(scores, judged, settled, tokens), candidates


def test_formulas_symbols_markers_and_nodes_stay_whole() -> None:
    texts = ["Δ41 and ⟁ with _RESO_ at VXS_ΔC1:R8K, then rain; 1 $ now"] * 3
    atoms, runs, candidates = tabulate(texts)
    whole = propose_atoms(atoms, runs, candidates, min_count=3, objective="meaning")
    assert dict(whole.select("token", "kind").iter_rows()) == {
        "Δ41": "formula",
        "⟁": "symbol",
        "_RESO_": "marker",
        "VXS_ΔC1:R8K": "atom",
    }
    assert whole.columns == runs.columns


def test_a_single_atom_stands_among_the_runs_that_are_as_frequent() -> None:
    atoms, runs, candidates = tabulate(["Δ41 and rain fell, and rain fell, and rain came"] * 3)
    ladder = np.linspace(LEAST_SCORE, 0.9, runs.height)
    whole = propose_atoms(
        atoms,
        runs.sort("count").with_columns(score=pl.Series(ladder)),
        candidates,
        min_count=3,
        objective="meaning",
    )
    rarer = (runs["count"] < 3).mean()  # the score of as rare a run: all are good enough
    assert whole["score"].to_list() == pytest.approx([np.quantile(ladder, rarer)])


def test_what_a_pattern_of_the_user_matches_stays_whole() -> None:
    atoms, runs, candidates = tabulate(["ticket AB12 was closed, XY99 was not"] * 3)
    whole = propose_atoms(
        atoms,
        runs,
        candidates,
        min_count=3,
        objective="compression",
        patterns={"ticket": "[A-Z]{2}[0-9]{2}", "formula": "XY99"},
    )
    assert dict(whole.select("token", "kind").iter_rows()) == {"ab12": "atom", "xy99": "atom"}


def test_glued_words_have_the_score_of_runs_as_frequent_by_how_sure_they_are() -> None:
    texts = ["жар тишина", "вход тишина жар", "она: тишина", "это жар", "мой вход"] * 4
    texts += ["дом горит ночью", "пришла весна", "птица поёт", "снег идёт тихо"] * 5
    texts += ["входтишинажар", "жартишина", "порогжар", "из дома", "издома"] * 2
    atoms, runs, candidates = tabulate(texts)
    kept = runs.with_columns(verdict=pl.lit(str(Verdict.KEPT)), score=pl.lit(0.5))
    found = propose_atoms(atoms, kept, candidates, min_count=2, objective="meaning")
    assert dict(found.select("token", "parts").iter_rows()) == {
        "жартишина": ["жар", "тишина"],
        "входтишинажар": ["вход", "тишина", "жар"],
    }
    assert found["kind"].to_list() == ["link", "link"]
    assert found["score"].is_between(0.25, 0.5).all()
    saved = propose_atoms(atoms, kept, candidates, min_count=2, objective="compression")
    assert saved.is_empty()


def test_units_are_ordered_by_score_and_cut_to_the_budget() -> None:
    proposals = pl.DataFrame(
        {
            "token": ["a", "b", "c", "d"],
            "score": [0.5, 0.9, 0.9, 1.0],
            "count": [9, 1, 2, 9],
            "verdict": ["kept", "kept", "kept", "weak"],
        }
    )
    units = list_units(proposals, budget=2)
    assert units.select("token", "order", "verdict").rows() == [
        ("c", 1, "kept"),
        ("b", 2, "kept"),
        ("a", 3, "budget"),
        ("d", 4, "weak"),
    ]


def test_the_more_runs_are_tried_the_surer_each_must_be() -> None:
    from scipy.stats import chi2

    for runs in (1_000, 20_000, 3_000_000):
        assert surpass_chance(runs) == pytest.approx(chi2.isf(1 / runs, 1))
    assert surpass_chance(5) == surpass_chance(1_000)


def test_of_more_runs_those_by_chance_do_not_compete() -> None:
    texts = [f"one{i} two{i}" for i in range(2_000)] * 4
    few = settle(texts[:100] * 4, {"one1 two1": 0.9}, surprise=11.0)[0]
    many = settle(texts, {"one1 two1": 0.9}, surprise=11.0)[0]
    assert few["one1 two1"] is Verdict.KEPT and many["one1 two1"] is Verdict.CHANCE
