"""Golden cases of mining, in `tests/cases/mining`: a small corpus, the units in it, the reasons.

Each of `lines` is written `times` times, its `{0}`, `{1}` and so on being words that chance draws
from `words`. `kept` are units that must be found, `refused` what must have such a verdict, and
`absent` what must not even be a candidate.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import mine_texts

from miner.mining.proposals import find_proposals
from miner.mining.ranking import prove_proposals
from miner.mining.scores import find_splits, score_candidates

CASES = sorted((Path(__file__).parents[1] / "cases/mining").glob("*.toml"))
WORDS = (
    "river window garden engine winter letter doctor mountain village paper kitchen morning "
    "evening harbour forest teacher bridge station market summer"
)


def write(case: dict[str, Any]) -> list[str]:
    random = np.random.default_rng(0)
    words = case.get("words", WORDS).split()
    lines = case["lines"] * case.get("times", 30)
    return [line.format(*random.choice(words, 6, replace=False)) for line in lines]


@pytest.mark.parametrize("place", CASES, ids=lambda place: place.stem)
def test_a_corpus_gives_the_units_that_a_reader_expects(place: Path) -> None:
    case = tomllib.loads(place.read_text(encoding="utf-8"))
    atoms, candidates = mine_texts(write(case), min_count=3, profile=case.get("profile", "words"))
    total = int(atoms.table["count"].sum())
    scores = score_candidates(candidates, find_splits(candidates), total=total)
    proposals = find_proposals(atoms, candidates, scores, min_count=3, budget=1_000)
    proposals = prove_proposals(proposals, atoms, candidates, patterns={})
    verdicts = dict(zip(proposals["token"], proposals["verdict"], strict=True))
    wanted = dict.fromkeys(case.get("kept", ()), "kept") | case.get("refused", {})
    wanted |= dict.fromkeys(case.get("absent", ()), None)
    assert {token: verdicts.get(token) for token in wanted} == wanted


def test_there_are_cases() -> None:
    assert len(CASES) >= 10
