"""Compounds: which words are others written as one, and which only look so."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from conftest import mine_texts
from hypothesis import given
from hypothesis import strategies as st

from miner.mining import compounds
from miner.mining.compounds import (
    EULER,
    EXPECTED,
    SHORTEST_PART,
    SURE,
    WEIGHT,
    find_compounds,
    find_content_words,
    measure_letters,
    weigh_gains,
)

NO_RUNS = pl.DataFrame(schema={"token": pl.String})


def tabulate(counts: dict[str, int], *, function: tuple[str, ...] = ()) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "text": list(counts),
            "count": list(counts.values()),
            "content": [word not in function for word in counts],
        }
    )


def letter_bits(word: str, words: list[str]) -> float:
    """Return the bits of a word by its letters: interpolated, each other word counting once."""
    size = len(set("".join(words))) + 1
    followers: list[dict[str, Counter[str]]] = [{}, {}, {}]
    for one in words:
        told = "^^" + one + "$"
        for at in range(2, len(told)):
            for order in range(3):
                followers[order].setdefault(told[at - order : at], Counter())[told[at]] += 1
    bits = 0.0
    told = "^^" + word + "$"
    for at in range(2, len(told)):
        share = 1 / size
        for order in range(3):
            seen = followers[order][told[at - order : at]]
            count, total = seen[told[at]] - 1, seen.total() - 1
            kinds = len(seen) - (count == 0)
            if total > 0:
                share = (count + kinds * share) / (total + kinds)
        bits -= math.log2(share)
    return bits


def part_bits(word: str, costs: dict[str, float]) -> float:
    """Return the bits of the cheapest cut of a word into known parts, two at least."""
    best = [0.0] + [math.inf] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            if (start, end) != (0, len(word)) and end - start >= SHORTEST_PART:
                best[end] = min(best[end], best[start] + costs.get(word[start:end], math.inf))
    return best[-1]


LEXICON = st.lists(
    st.text(alphabet="abcж𒀀", min_size=1, max_size=9), min_size=1, max_size=30, unique=True
)


@given(LEXICON)
def test_letters_cost_what_the_formula_says(words: list[str]) -> None:
    found = measure_letters(compounds._spell(pl.Series(words)))
    assert np.allclose(found, [letter_bits(word, words) for word in words])


@given(LEXICON, st.data())
def test_words_are_cut_where_it_is_cheapest(words: list[str], data: st.DataObject) -> None:
    glued = {"".join(data.draw(st.permutations(words))[:2]) for _ in range(4)}
    every = [*words, *sorted(glued - set(words))]
    table = tabulate({word: len(every) - place for place, word in enumerate(every)})
    able = [word for word in every if len(word) >= SHORTEST_PART]
    costs = {
        word: math.log2(rank) + math.log2(math.log(len(able)) + EULER)
        for rank, word in enumerate(able, 1)
    }
    gains = [letter_bits(word, every) - part_bits(word, costs) for word in every]
    sure = dict(zip(every, weigh_gains(np.array(gains)).tolist(), strict=True))
    found = dict(find_compounds(table, NO_RUNS).select("text", "sure").iter_rows())
    wanted = {word: share for word, share in sure.items() if share >= SURE}
    assert found.keys() == wanted.keys()
    assert all(math.isclose(share, wanted[word], rel_tol=1e-6) for word, share in found.items())


def test_how_common_compounds_are_is_learned() -> None:
    few = weigh_gains(np.array([6.0] + [-np.inf] * 9_999))
    many = weigh_gains(np.array([6.0] + [9.0] * 3_000 + [-np.inf] * 6_999))
    assert few[0] < SURE < 0.95 < many[0]
    odds = 2.0 ** np.array([6.0, 9.0, -3.0])
    sure = weigh_gains(np.log2(odds))
    share = (sure.sum() + EXPECTED * WEIGHT) / (3 + WEIGHT)
    assert np.allclose(sure, share * odds / (share * odds + 1 - share))


@pytest.mark.parametrize(("count", "found"), [(8, 0), (40, 6)])
def test_a_part_of_more_words_than_it_stands_alone_is_an_ending(count: int, found: int) -> None:
    counts = {word: 90 - place for place, word in enumerate(VOCABULARY)} | {"mente": count}
    counts |= {stem + "mente": 3 for stem in VOCABULARY[:6]}
    assert find_compounds(tabulate(counts), NO_RUNS).height == found


VOCABULARY = [
    *("тишина", "вход", "жар", "порог", "зеркало", "память", "дорога", "огонь", "река", "камень"),
    *("песня", "голос", "свет", "тень", "земля", "небо", "звезда", "ветер", "пламя", "корень"),
    *("лист", "вода", "гора", "поле", "снег", "трава", "берег", "птица", "облако", "мост"),
]


def test_glued_words_come_with_their_parts_though_they_never_stand_apart() -> None:
    counts = {word: 90 - place for place, word in enumerate(VOCABULARY)}
    counts |= {"жартишина": 5, "входтишинажар": 4, "тенькамень": 3}
    found = find_compounds(tabulate(counts), NO_RUNS)
    assert dict(found.select("text", "parts").iter_rows()) == {
        "жартишина": ["жар", "тишина"],
        "входтишинажар": ["вход", "тишина", "жар"],
        "тенькамень": ["тень", "камень"],
    }


def test_a_kept_run_written_as_one_is_cheap_and_shows_its_words() -> None:
    counts = {word: 90 - place for place, word in enumerate(VOCABULARY)}
    counts |= {"эх": 9, "эхтень": 5, "мостэхтень": 4}
    assert "эхтень" not in find_compounds(tabulate(counts), NO_RUNS)["text"]
    runs = pl.DataFrame({"token": ["эх тень", "голос огня"]})
    found = dict(find_compounds(tabulate(counts), runs).select("text", "parts").iter_rows())
    assert found == {"эхтень": ["эх", "тень"], "мостэхтень": ["мост", "эх", "тень"]}


def test_what_falls_into_words_by_chance_is_hardly_ever_one() -> None:
    ends = ["pet", "ton", "her", "age", "son", "bow", "den", "mer", "gain", "ness"]
    starts = ["car", "fat", "sea", "rain", "bar", "gar", "ham", "hon", "mat", "sum", "win"]
    others = ["pup", "lim", "wit", "los", "pan", "mil", "rea", "les", "pri", "vil", "bur", "rub"]
    counts = {start + end: 9 for start in starts + others for end in ends}
    counts = {word: 90 - place for place, word in enumerate([*ends, *starts])} | counts
    assert find_compounds(tabulate(counts), NO_RUNS).height <= len(counts) / 100


def test_a_function_word_is_a_dear_part() -> None:
    counts = {word: 90 - place for place, word in enumerate([*VOCABULARY, "перед"])} | {
        "передогонь": 3
    }
    assert find_compounds(tabulate(counts), NO_RUNS)["text"].to_list() == ["передогонь"]
    assert find_compounds(tabulate(counts, function=("перед",)), NO_RUNS).is_empty()


def test_words_that_end_no_clause_are_function_words_unless_they_are_rare() -> None:
    texts = ["the cat sat", "the dog ran", "the cat ran, the dog sat"] * 1_000
    texts += ["very grand sun"] * 3
    atoms, candidates = mine_texts(texts, min_count=2)
    found = find_content_words(atoms.table, candidates)
    assert set(found.filter(~pl.col("content"))["text"]) == {"the", "cat", "dog"}
    assert {"very", "grand", "sat"} <= set(found.filter("content")["text"])


def test_no_words_no_compounds() -> None:
    empty = tabulate({}).cast({"text": pl.String, "count": pl.Int64, "content": pl.Boolean})
    assert find_compounds(empty, NO_RUNS).columns == ["text", "count", "content", "sure", "parts"]
    assert find_compounds(tabulate({"a": 3}), NO_RUNS).is_empty()


def test_a_hash_that_two_texts_share_makes_no_part() -> None:
    found = tabulate({"abcdef": 3}).with_columns(sure=pl.lit(0.9))
    cuts = np.array([[3, 6, 0, 0, 0, 0, 0, 0]])
    known = pl.DataFrame({"text": ["abc"], "parts": [["abc"]]})
    assert compounds._name_parts(found, cuts, known).is_empty()


def test_a_long_word_is_left_alone() -> None:
    counts = {"тишина": 9, "жар": 8, "тишинажар" * 20: 3}
    assert find_compounds(tabulate(counts), NO_RUNS)["text"].to_list() == []
