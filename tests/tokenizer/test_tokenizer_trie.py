"""Texts as one expression: it finds the leftmost, longest text, as plain search does."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from miner.tokenizer.training.trie_regex import build_trie_regex, escape

SMALL = st.text(alphabet="ab", min_size=1, max_size=5)
SPECIAL = st.text(alphabet=r"ab.*+?()[]{}|^$\-&~# ", min_size=1, max_size=4)
WIDE = st.text(alphabet="aя學⟁🜂\U0010ffff\u0301\n\t\x00", min_size=1, max_size=4)
ORDERED = st.text(alphabet="abcdefghij", min_size=1, max_size=3)  # many ways on: ranges
TEXTS = st.one_of(*(st.lists(one, min_size=1, max_size=12) for one in (SMALL, SPECIAL, WIDE)))


def cut_brute(texts: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Return where the leftmost, longest of `texts` stand."""
    found, start = [], 0
    while start < len(text):
        fits = [len(one) for one in texts if text.startswith(one, start)]
        if fits:
            found.append((start, start + max(fits)))
        start += max(fits, default=1)
    return found


def cut(texts: Sequence[str], text: str, behavior: str = "removed") -> list[tuple[str, tuple]]:
    splitter = pre_tokenizers.Split(
        Regex(f"(?:{build_trie_regex(texts)})"), behavior, invert=behavior == "removed"
    )
    return list(splitter.pre_tokenize_str(text))


def find(texts: Sequence[str], text: str) -> list[tuple[int, int]]:
    return [span for _, span in cut(texts, text)]


@given(TEXTS, st.data())
def test_the_leftmost_and_longest_text_is_found(texts: list[str], data: st.DataObject) -> None:
    alphabet = sorted(set("".join(texts)) | {"a", "x"})
    filler = st.text(alphabet=alphabet, max_size=3)
    text = "".join(data.draw(st.lists(st.one_of(filler, st.sampled_from(texts)), max_size=8)))
    assert find(texts, text) == cut_brute(texts, text)


@given(st.lists(ORDERED, min_size=10, max_size=60), st.text(alphabet="abcdefghijkl", max_size=30))
def test_many_ways_on_are_halved_rightly(texts: list[str], text: str) -> None:
    assert find(texts, text) == cut_brute(texts, text)


@given(TEXTS, st.text(alphabet="abx.*[]\\", max_size=12))
@settings(max_examples=80)
def test_isolated_pieces_are_the_texts_and_what_is_between(texts: list[str], text: str) -> None:
    spans = cut_brute(texts, text)
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    pieces = [text[low:high] for low, high in pairwise(edges)]
    assert [piece for piece, _ in cut(texts, text, "isolated")] == pieces


@given(st.characters(exclude_categories=["Cs"]), st.characters(exclude_categories=["Cs"]))
def test_one_character_matches_itself_and_no_other(character: str, other: str) -> None:
    assert find([character], character) == [(0, 1)]
    assert character == other or find([character], other) == []


def test_every_ascii_character_is_taken_literally() -> None:
    every = [chr(point) for point in range(128)]
    assert find(every, "".join(every)) == [(i, i + 1) for i in range(128)]
    for character in every:
        pair = f"{character}{character}"
        assert find([pair], f"a{pair}b") == cut_brute([pair], f"a{pair}b")


def test_a_range_of_ways_takes_in_no_stranger() -> None:
    texts = ["ba", "bc", "be", "bg", "bi", "bk"]
    assert find(texts, "ba bb bc bd be bf bg bh bi bj bk bl") == [
        (i, i + 2) for i in range(0, 36, 6)
    ]


def test_a_longer_text_that_fails_gives_way_to_a_shorter_one() -> None:
    assert [piece for piece, _ in cut(["ab", "abcde", "cd"], "abcdx")] == ["ab", "cd"]


def test_a_guard_behind_all_makes_the_longer_give_way() -> None:
    expression = rf"(?:{build_trie_regex(['new york', 'new york city', 'new'])})(?!\w)"
    splitter = pre_tokenizers.Split(Regex(expression), "removed", invert=True)
    found = [piece for piece, _ in splitter.pre_tokenize_str("new york cityx newer new")]
    assert found == ["new york", "new"]


def test_the_examples_of_the_docstrings() -> None:
    assert build_trie_regex(["ab", "abc", "x"]) == "ab(?:c)?|x"
    assert (escape("a"), escape("."), escape("⟁")) == ("a", "\\x{2e}", "\\x{27c1}")


def test_order_and_repetition_do_not_matter() -> None:
    texts = ["b", "abc", "ab", "zz", "я", "a b", "c", "d", "e"]
    shuffled = texts * 2
    random.Random(0).shuffle(shuffled)
    assert build_trie_regex(shuffled) == build_trie_regex(texts)


@pytest.mark.parametrize("texts", [[], [""], ["a", ""]])
def test_no_text_and_an_empty_text_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="none may be empty"):
        build_trie_regex(texts)


def test_deep_tries_compile_and_leave_the_recursion_limit_alone() -> None:
    before = sys.getrecursionlimit()
    texts = ["a" * length for length in range(1, 513)]
    expression = build_trie_regex(texts)
    assert sys.getrecursionlimit() == before
    splitter = pre_tokenizers.Split(Regex(f"(?:{expression})"), "removed", invert=True)
    found = splitter.pre_tokenize_str("b" + "a" * 600)
    assert [span for _, span in found] == [(1, 513), (513, 601)]


def test_ten_thousand_texts_are_all_found() -> None:
    random.seed(1)
    lengths = [random.randint(3, 9) for _ in range(9999)]
    texts = sorted({"".join(random.choices("abcdeжш學 ", k=length)) for length in lengths})
    text = "\n".join(texts)
    assert find(texts, text) == cut_brute_by_lines(texts, text)


def cut_brute_by_lines(texts: Sequence[str], text: str) -> list[tuple[int, int]]:
    """As `cut_brute`, with a set instead of a list."""
    known, found, start = set(texts), [], 0
    while start < len(text):
        fits = [
            n for n in range(1, 1 + min(9, len(text) - start)) if text[start : start + n] in known
        ]
        if fits:
            found.append((start, start + max(fits)))
        start += max(fits, default=1)
    return found
