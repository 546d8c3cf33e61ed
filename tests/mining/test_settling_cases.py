"""Golden cases of settling, in `tests/cases/settling`: texts and bids, what is kept, and why not.

`[bids]` are given by hand; what has none bids .01. `[kept]` lists every run that is kept and how
often it owns its place, `[refused]` the verdict of some others.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import mine_texts

from miner.mining.scores import find_splits, score_candidates
from miner.mining.settling import Verdict, settle_runs
from miner.mining.spelling import spell_runs

CASES = sorted((Path(__file__).parents[1] / "cases/settling").glob("*.toml"))


def settle(case: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Return the verdict of each run of a case, and how often it owns its place."""
    texts = case["texts"] * case.get("times", 1) + case.get("filler", []) * case.get(
        "filler_times", 1
    )
    atoms, candidates = mine_texts([*texts, *["."] * 20], min_count=3)
    total = int(atoms.table["count"].sum())
    scores = score_candidates(candidates, find_splits(candidates), total=total)
    names = spell_runs(candidates.keys, atoms.table["text"]).to_list()
    rows = {name: row for row, name in enumerate(names)}
    token = scores.select(
        "candidate",
        token=spell_runs(candidates.keys[scores["candidate"].to_numpy()], atoms.table["text"]),
    )
    bids, surprise = case.get("bids", {}), case.get("surprise", {})
    assert {*bids, *surprise, *case.get("kept", {}), *case.get("refused", {})} <= {*token["token"]}
    bid = [bids.get(name, 0.01) for name in token["token"]]
    judged = token.select("candidate", score=pl.Series(bid), bid=pl.Series(bid)).with_columns(
        log_likelihood=pl.Series([surprise.get(name, 100.0) for name in token["token"]])
    )

    def mark(name: str) -> np.ndarray:
        return np.isin(np.arange(len(names)), [rows[text] for text in case.get(name, [])])

    def number(name: str) -> np.ndarray | None:
        return np.flatnonzero(mark(name)) if name in case else None

    settled = settle_runs(
        atoms.mined,
        candidates,
        judged,
        objective=case.get("objective", "meaning"),
        budget=case.get("budget", 100),
        min_count=3,
        unsound={Verdict.TORN: mark("torn"), Verdict.VALUE: mark("value")},
        glue=mark("glue") if "glue" in case else None,
        accepted=number("accepted"),
        rejected=number("rejected"),
    )
    told = settled.select("verdict", "unit_count").rows()
    return {name: told[row] for name, row in rows.items() if " " in name}


@pytest.mark.parametrize("place", CASES, ids=lambda place: place.stem)
def test_a_case_is_settled_as_its_file_says(place: Path) -> None:
    case = tomllib.loads(place.read_text(encoding="utf-8"))
    found = settle(case)
    kept = {name: count for name, (verdict, count) in found.items() if verdict == Verdict.KEPT}
    assert kept == case["kept"]
    refused = {name: found[name][0] for name in case.get("refused", {})}
    assert refused == case.get("refused", {})
