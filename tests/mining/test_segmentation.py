"""Settling: the cut with the largest value, and who owns a place."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from conftest import mine_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.mining.candidates import Candidates
from miner.mining.segmentation import count_pieces, cut_stream, find_owners


def spell(candidates: Candidates, texts: list[str]) -> dict[str, int]:
    """Return the row of each run by its words."""
    return {
        " ".join(texts[key >> 1] for key in row if key): number
        for number, row in enumerate(candidates.keys.tolist())
    }


def value_of(candidates: Candidates, rows: dict[str, int], worth: dict[str, float]) -> np.ndarray:
    values = np.zeros(len(candidates.keys))
    for run, amount in worth.items():
        values[rows[run]] = amount
    return values


def test_the_better_unit_owns_the_place_that_two_want() -> None:
    atoms, candidates = mine_texts(["a b c"] * 4, min_count=2)
    rows = spell(candidates, ["", *atoms.table["text"]])
    values = value_of(candidates, rows, {"a b": 2.0, "b c": 3.0})
    counts = cut_stream(atoms.mined, candidates, values)
    assert (counts[rows["a b"]], counts[rows["b c"]]) == (0, 4)


def test_two_units_together_outweigh_a_better_one_between_them() -> None:
    atoms, candidates = mine_texts(["a b c d"] * 3, min_count=2)
    rows = spell(candidates, ["", *atoms.table["text"]])
    values = value_of(candidates, rows, {"a b": 2.0, "b c": 3.0, "c d": 2.0})
    counts = cut_stream(atoms.mined, candidates, values)
    assert [counts[rows[run]] for run in ("a b", "b c", "c d")] == [3, 0, 3]


def test_owners_start_where_their_unit_starts_and_never_cross_a_stop() -> None:
    atoms, candidates = mine_texts(["a b", "b a b, a b"] * 2, min_count=2)
    rows = spell(candidates, ["", *atoms.table["text"]])
    owners = find_owners(
        atoms.mined, candidates, value_of(candidates, rows, {"a b": 1.0, "b a": 0.5})
    )
    texts = ["|" if key == 0 else atoms.table["text"][int(key >> 1) - 1] for key in atoms.mined.ids]
    owned = ["".join(texts[i : i + 2]) for i in np.flatnonzero(owners >= 0)]
    assert owned == ["ab", "ab", "ab"] * 2


def test_pieces_are_what_the_text_pays_without_the_unit() -> None:
    _, candidates = mine_texts(["a b c d"] * 3, min_count=2)
    names = {2: "ab", 3: "abc", 4: "abcd"}
    lengths = candidates.table["length"].to_numpy()
    first = candidates.keys[:, 0]
    head = first[lengths == 4][0]
    units = (first == head) & (lengths > 1)
    pieces = count_pieces(candidates, units)
    found = {names[int(lengths[row])]: int(pieces[row]) for row in np.flatnonzero(units)}
    assert found == {"ab": 2, "abc": 2, "abcd": 2}  # abc + d, ab + c, a + b


words = st.lists(st.sampled_from("abc"), min_size=1, max_size=9)


@settings(max_examples=60)
@given(texts=st.lists(words, min_size=2, max_size=4), seed=st.integers(0, 2**16))
def test_a_cut_is_worth_as_much_as_the_best_of_all_cuts(texts: list[list[str]], seed: int) -> None:
    documents = [" ".join(text) for text in texts] * 2
    atoms, candidates = mine_texts(documents, min_count=2, longest=4)
    lengths = candidates.table["length"].to_numpy()
    random = np.random.default_rng(seed)
    values = np.where(lengths > 1, random.integers(0, 5, len(lengths)), 0).astype(float)
    counts = cut_stream(atoms.mined, candidates, values)
    rows = spell(candidates, ["", *atoms.table["text"]])
    worth = {tuple(run.split()): values[row] for run, row in rows.items()}
    best = sum(best_cut(document.split(), worth) for document in documents)
    assert np.isclose((counts * values).sum(), best)


def best_cut(text: list[str], worth: dict[tuple[str, ...], float]) -> float:
    """Return the value of the best cut, by trying every set of places to cut at."""
    best = 0.0
    for size in range(len(text)):
        for cuts in combinations(range(1, len(text)), size):
            edges = [0, *cuts, len(text)]
            parts = [tuple(text[a:b]) for a, b in pairwise(edges)]
            best = max(best, sum(worth.get(part, 0.0) for part in parts if len(part) > 1))
    return best
