"""Statistics against hand-made arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import mine_texts
from scipy.stats import chi2_contingency

from miner.mining.scores import (
    delta_p,
    dice,
    find_splits,
    log_likelihood,
    nestedness,
    normalized_information,
    pointwise_information,
    score_candidates,
)
from miner.mining.spelling import spell_runs


def one(value: float) -> np.ndarray:
    return np.array([value], float)


def test_pmi_by_hand() -> None:
    # 8 together, 16 x 32 / 1024 = 0.5 expected: 16 times as often, 4 bits
    assert pointwise_information(one(8), one(16), one(32), total=1024)[0] == 4
    # the run itself carries log2(1024 / 8) = 7 bits
    assert normalized_information(one(8), one(16), one(32), total=1024)[0] == 4 / 7


def test_npmi_is_1_for_parts_that_only_occur_together_and_0_at_chance() -> None:
    assert normalized_information(one(5), one(5), one(5), total=320)[0] == pytest.approx(1)
    assert normalized_information(one(2), one(20), one(10), total=100)[0] == 0


@pytest.mark.parametrize(("together", "left", "right"), [(8, 16, 32), (1, 400, 300), (30, 30, 30)])
def test_log_likelihood_is_the_g_statistic_of_scipy(together: int, left: int, right: int) -> None:
    table = [[together, left - together], [right - together, 1024 - left - right + together]]
    wanted = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    found = log_likelihood(one(together), one(left), one(right), total=1024)[0]
    sign = 1 if together * 1024 >= left * right else -1
    assert found == pytest.approx(sign * wanted)


def test_dice_and_delta_p_by_hand() -> None:
    # 8 of 16 and 8 of 32: 2 x 8 / 48
    assert dice(one(8), one(16), one(32))[0] == pytest.approx(1 / 3)
    # after the cue 8 / 16; elsewhere 24 / 1008
    found = delta_p(one(8), one(16), one(32), total=1024)[0]
    assert found == pytest.approx(0.5 - 24 / 1008)


def test_the_best_split_is_the_one_that_chance_explains_best() -> None:
    # the 6, cat 4, sat 2: `the cat | sat` has 4 x 2 = 8, `the | cat sat` has 6 x 2 = 12
    texts = ["the cat sat"] * 2 + ["the cat"] * 2 + ["the dog"] * 2
    atoms, candidates = mine_texts(texts, min_count=2)
    names = spell_runs(candidates.keys, atoms.table["text"]).to_list()
    splits = find_splits(candidates)
    row = names.index("the cat sat")
    assert (names[splits.left[row]], names[splits.right[row]]) == ("the", "cat sat")


def test_nestedness_is_the_share_inside_the_most_frequent_longer_run() -> None:
    texts = ["a b c"] * 3 + ["a b d"] + ["a b"] * 4
    atoms, candidates = mine_texts(texts, min_count=1)
    names = spell_runs(candidates.keys, atoms.table["text"]).to_list()
    inside = nestedness(candidates)
    assert inside[names.index("a b")] == 3 / 8
    assert inside[names.index("b c")] == 1
    assert inside[names.index("a b c")] == 0


def test_scores_have_a_row_for_each_run_of_two_and_more() -> None:
    _, candidates = mine_texts(["a b c", "a b"] * 3, min_count=2)
    scores = score_candidates(candidates, find_splits(candidates), total=15)
    assert scores["candidate"].to_list() == np.flatnonzero(candidates.parent >= 0).tolist()
    assert not scores.select(pl_float).null_count().sum_horizontal().item()


pl_float = ("pmi", "npmi", "log_likelihood", "dice", "forward", "backward", "nestedness")
