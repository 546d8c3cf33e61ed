"""The fewest pieces: the kernel against plain Python, and a stock model that cuts the same way."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import Recorder
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from miner.tokenizer.training.fewest import (
    LONGEST,
    UNKNOWN,
    Text,
    build_trie,
    cost_without,
    cut_fewest,
    list_costs,
    prune_pieces,
)
from miner.tokenizer.training.normal_form import NormalForm
from miner.tokenizer.training.superwords import build_superwords, score_superwords

LETTERS = "abя學🜂"
PIECES = st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=4), min_size=1, max_size=10)
DOCUMENTS = st.lists(st.text(alphabet=LETTERS, max_size=14), min_size=1, max_size=5)


def cut_brute(text: str, pieces: set[str]) -> list[str | None]:
    """The cheapest cut of a text, None for a character that is no piece."""
    best: list[tuple[int, list[str | None]]] = [(0, [])]
    for end in range(1, len(text) + 1):
        ways = [
            (best[start][0] + 1, [*best[start][1], text[start:end]])
            for start in range(end)
            if text[start:end] in pieces
        ]
        ways.append((best[end - 1][0] + UNKNOWN, [*best[end - 1][1], None]))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]


def cost_brute(text: str, pieces: set[str]) -> int:
    return sum(UNKNOWN if piece is None else 1 for piece in cut_brute(text, pieces))


@given(DOCUMENTS, PIECES)
def test_no_cut_is_shorter_than_the_one_of_the_kernel(
    documents: list[str], pieces: list[str]
) -> None:
    known = sorted(set(pieces))
    for document in documents:
        uses, tokens = cut_fewest(Text.join([document]), Text.join(known))
        wanted = cut_brute(document, set(known))
        missing = len(document) - sum(
            len(piece) * int(count) for piece, count in zip(known, uses, strict=True)
        )
        assert uses.sum() + UNKNOWN * missing == cost_brute(document, set(known))
        if None not in wanted:
            assert tokens.tolist() == [len(wanted)]


@given(st.lists(st.text(alphabet="ab", max_size=12), min_size=1, max_size=40))
def test_documents_are_cut_by_themselves_and_in_order(documents: list[str]) -> None:
    pieces = Text.join(["a", "b", "ab", "aab", "bb"])
    uses, tokens = cut_fewest(Text.join(documents), pieces)
    alone = [cut_fewest(Text.join([document]), pieces) for document in documents]
    assert tokens.tolist() == [int(one[1][0]) for one in alone]
    assert uses.tolist() == np.sum([one[0] for one in alone], axis=0).tolist()
    assert tokens.sum() == uses.sum()


def test_what_is_no_piece_costs_its_bytes() -> None:
    uses, tokens = cut_fewest(Text.join(["aя學🜂"]), Text.join(["a"]))
    assert (uses.tolist(), tokens.tolist()) == ([1], [1 + 2 + 3 + 4])


def test_of_equal_cuts_the_last_piece_is_longer() -> None:
    uses, tokens = cut_fewest(Text.join(["abc"]), Text.join(["a", "ab", "bc", "c"]))
    assert (uses.tolist(), tokens.tolist()) == ([1, 0, 1, 0], [2])


def test_of_equal_cuts_the_more_frequent_pieces_are_taken() -> None:
    pieces = Text.join(["a", "ab", "bc", "c"])
    often = list_costs(np.array([2, 50, 2, 50]))
    assert cut_fewest(Text.join(["abc"]), pieces, often)[0].tolist() == [0, 1, 0, 1]
    often = list_costs(np.array([10**9, 0, 0, 10**9]))
    longer = cut_fewest(Text.join(["abc"]), Text.join(["a", "abc", "b", "c"]), often)
    assert longer[1].tolist() == [1]


def test_the_example_of_the_docstring() -> None:
    uses, tokens = cut_fewest(Text.join(["abab"]), Text.join(["ab", "a", "b", "aba"]))
    assert (uses.tolist(), tokens.tolist()) == ([2, 0, 0, 0], [2])


def test_no_text_has_no_tokens() -> None:
    uses, tokens = cut_fewest(Text.join(["", ""]), Text.join(["a"]))
    assert (uses.tolist(), tokens.tolist()) == ([0], [0, 0])


@given(PIECES)
def test_the_cost_without_a_piece_is_that_of_its_text_cut_by_the_others(pieces: list[str]) -> None:
    known = sorted(set(pieces))
    costs = cost_without(Text.join(known)).tolist()
    for piece, cost in zip(known, costs, strict=True):
        if len(piece) > 1:
            assert cost == cost_brute(piece, set(known) - {piece})
        else:
            assert cost == max(len(piece.encode()), 2)


@given(st.lists(st.text(alphabet="abcdefghij", min_size=1, max_size=6), min_size=1, max_size=80))
def test_the_trie_holds_each_piece_once(pieces: list[str]) -> None:
    known = sorted(set(pieces))
    trie = build_trie(Text.join(known))
    assert sorted(trie.piece[trie.piece >= 0].tolist()) == list(range(len(known)))
    uses, _ = cut_fewest(Text.join(known), Text.join(known))
    assert uses.sum() == len(known)


def test_pruning_keeps_what_saves_most() -> None:
    documents = ["the cat"] * 50 + ["a dog"] * 20 + ["the dog"] * 2
    pieces = [*"thecaodg ", "the cat", "a dog", "the dog", "at"]
    kept, uses = prune_pieces(Text.join(documents), pieces, 3)
    assert kept == ["the cat", "a dog", "the dog"]
    assert uses.tolist() == [50, 20, 2]


def test_pruning_stops_at_the_size_and_falls_all_the_way() -> None:
    told = Recorder()
    pieces = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"] + list("abcdefghijklmnopqrst")
    kept, uses = prune_pieces(Text.join(["akblcm"] * 9), pieces, 7, progress=told)
    left = [int(note.split()[0].replace(",", "")) for note in told.notes]
    assert len(kept) == len(uses) == 7
    assert {"ak", "bl", "cm"} <= set(kept)
    assert left[0] == 120
    assert left == sorted(left, reverse=True)
    assert left[-1] == 7


def test_fewer_pieces_than_asked_for_are_all_kept() -> None:
    kept, uses = prune_pieces(Text.join(["aab"]), ["a", "b", "a"], 99)
    assert (kept, uses.tolist()) == (["a", "b"], [2, 1])


def test_pruning_is_the_same_in_any_order_of_pieces() -> None:
    documents = ["abcabcabd", "bcd abc"] * 5
    pieces = ["a", "b", "c", "d", " ", "ab", "bc", "abc", "abd", "cab", "bcd", "ca"]
    first, second = (prune_pieces(Text.join(documents), p, 7)[0] for p in (pieces, pieces[::-1]))
    assert first == second


@pytest.mark.parametrize("piece", ["", "a" * (LONGEST + 1)])
def test_a_piece_that_is_empty_or_too_long_is_refused(piece: str) -> None:
    with pytest.raises(ValueError, match="1 to 256 characters"):
        prune_pieces(Text.join(["a"]), ["a", piece], 1)


def test_the_longest_piece_is_used() -> None:
    longest = "ab" * (LONGEST // 2)
    assert cut_fewest(Text.join([longest]), Text.join([longest, "a", "b"]))[1].tolist() == [1]
    assert cost_without(Text.join([longest, "a", "b"])).tolist() == [LONGEST, 2, 2]


@given(
    st.lists(st.text(alphabet="ab я學", max_size=12), min_size=1, max_size=4),
    st.lists(st.text(alphabet="ab я學", min_size=2, max_size=5), max_size=8),
)
def test_a_unigram_model_of_these_pieces_has_as_many_tokens(
    documents: list[str], pieces: list[str]
) -> None:
    form = NormalForm.of("symbols", exact=True, marked=True)
    known = sorted({*pieces, *"ab я學"})
    normal = Text.join(form.normalize(documents))
    uses, tokens = cut_fewest(normal, Text.join(known))
    counted = dict(zip(known, uses.tolist(), strict=True))
    spec = build_superwords(form, [], score_superwords(counted))
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    encoded = [tokenizer.encode(text, add_special_tokens=False) for text in documents]
    assert [len(one.ids) for one in encoded] == tokens.tolist()
    decoded = [tokenizer.decode(one.ids, skip_special_tokens=False) for one in encoded]
    assert decoded == documents


@given(st.lists(st.text(alphabet="ab ,(", max_size=14), min_size=1, max_size=4))
def test_a_unigram_model_of_words_has_as_many_tokens_and_gives_them_back(
    documents: list[str],
) -> None:
    form = NormalForm.of("words", exact=True, marked=True)
    known = ["⁀", "⁀ ", "⁁", " ", "a", "b", ",", "(", " a", " ab", " a b", ", a", "(⁀ a", "ab"]
    uses, tokens = cut_fewest(Text.join(form.normalize(documents)), Text.join(known))
    counted = dict(zip(known, uses.tolist(), strict=True))
    spec = build_superwords(form, [], score_superwords(counted))
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    encoded = [tokenizer.encode(text, add_special_tokens=False) for text in documents]
    assert [len(one.ids) for one in encoded] == tokens.tolist()
    assert [tokenizer.decode(e.ids, skip_special_tokens=False) for e in encoded] == documents


def test_the_text_of_a_byte_is_not_the_byte() -> None:
    form = NormalForm.of("symbols", exact=True, marked=True)
    pieces = score_superwords(dict.fromkeys("<0x41>A", 1))
    tokenizer = Tokenizer.from_str(json.dumps(build_superwords(form, [], pieces)))
    ids = tokenizer.encode("<0x41>A", add_special_tokens=False).ids
    assert tokenizer.decode(ids) == "<0x41>A"


def test_documents_are_joined_as_code_points() -> None:
    text = Text.join(["a🜂", "", "学"])
    assert text.points.tolist() == [0x61, 0x1F702, 0x5B66]
    assert text.starts.tolist() == [0, 2, 2, 3]
