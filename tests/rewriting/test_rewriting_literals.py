"""Literals: what a pattern needs is never more than what it needs, so that no place is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from miner.rewriting.literals import Needs, find_needs, fold, make_sieve, sift_lines
from miner.rewriting.patterns import Pattern, compile_compound, compile_expression, find_spans


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (r"\d{4} год\w*", ((" год",),)),
        (r"(?:время|[Чч]еловек)\s+\d+x", (("время", "еловек"), ("x",))),
        (r"(?i)слово\w+", (("слово",),)),
        ("(ab)?cd{0,2}", (("c",),)),
        ("x(?P<n>ab|cd)+?y?", (("x",), ("ab", "cd"))),
        ("x|(a+b|cde)", (("x", "a", "cde"),)),
        (r"a\.b\-c\\", (("a.b-c\\",),)),
        ("(?!foo)b(?<=bar)", (("b",),)),
        ("(?=foo)[]a]b", (("b",),)),
        (r"\p{Han}道\N{SPACE}", (("道",),)),
        ("ab+?c", (("ab",), ("c",))),
        ("(abc){2}d", (("d",),)),
        ("(abc){2}?d?", ()),
        ("(a|)", ()),
        ("a|", ()),
        ("a|b*", ()),
        ("", ()),
        ("[«»]", ()),
        ("()", ()),
        ("foo{e<=1}", ()),
        ("(?:foo){e}", ()),
        ("(?x) a b", ()),
        (r"(?<a>x)\g<a>", ()),
        ("a(?#()b", ()),
        ("[[a]b]c", ()),
        (r"(?(1)a|b)", ()),
        (r"\x41b", ()),
        ("(*FAIL)a", ()),
    ],
)
def test_what_an_expression_needs(expression: str, wanted: Needs) -> None:
    assert find_needs(expression) == wanted


def test_what_is_equal_in_any_case_folds_to_the_same() -> None:
    cased = [
        sign
        for sign in map(chr, [*range(0xD800), *range(0xE000, 0x20000)])
        if {sign.lower(), sign.upper(), sign.title(), sign.casefold()} != {sign}
    ]
    everything = "".join(cased) + "ss ff fi ffi st i\u0307 ʼn"
    for sign in [*cased, "ss", "ffi", "i\u0307", "\u0307"]:
        expression = regex.compile(regex.escape(sign), regex.V1 | regex.IGNORECASE)
        for place in expression.finditer(everything):
            assert fold(sign) in fold(place.group())


atoms = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "é",
        "ß",
        "ss",
        "İ",
        "ж",
        "Ж",
        ".",
        r"\w",
        r"\s",
        r"\.",
        "[ab]",
        "[^a]",
        "^",
        "$",
        r"\b",
        "(?=a)",
        "(?!b)",
        "(?<!a)",
        "(?i)",
        " ",
        "-",
        "道",
        "a?",
        "b+",
        r"\p{L}",
    ]
)
marks = st.sampled_from(["", "", "", "?", "*", "+", "{0}", "{2}", "{1,2}", "+?", "??", "*+"])
expressions = st.recursive(
    st.tuples(atoms, marks).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(st.sampled_from(["(", "(?:", "(?>", "(?P<n>", "(?i:"]), inner, marks).map(
            lambda parts: f"{parts[0]}{parts[1]}){parts[2]}"
        ),
    ),
    max_leaves=6,
)
lines = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "ab",
            "é",
            "É",
            "ß",
            "SS",
            "i",
            "ж",
            "Ж",
            "道",
            ".",
            " ",
            "-",
            "\n",
            "\r",
            "\u0307",
            "A",
            "\udcff",
            "\udce2",
        ]
    ),
    max_size=24,
).map("".join)


def open_patterns(expression: str, any_case: bool) -> list[Pattern]:
    flags = regex.V1 | (regex.IGNORECASE if any_case else 0)
    return [
        Pattern("re", "x", regex.compile(expression, flags), find_needs(expression)),
        compile_compound("c", [["ab", "Ж"], ["É"]], "y", any_case=any_case),
        compile_compound("d", [["ss b"], ["道"]], "z", within=0, any_case=any_case),
    ]


@given(expressions, lines, st.booleans())
@example("(ab)?c", "c", False)
@example("ß", "SS\nss", True)
def test_no_place_is_lost(expression: str, text: str, any_case: bool) -> None:
    """What is found in the lines that are kept is what is found in all lines."""
    try:
        patterns = open_patterns(expression, any_case)
    except regex.error:
        return
    block = text.encode("utf-8", "surrogateescape")
    numbers = {b"x": 0, b"y": 1, b"z": 2}
    wanted = find_spans(block, [replace(one, needs=()) for one in patterns], numbers)
    assert find_spans(block, patterns, numbers).tolist() == wanted.tolist()


def test_lines_that_lack_what_is_needed_are_passed_over() -> None:
    block = "год\nв 1841 году\nГОДА\n\nдождь\nгрусть и дождь".encode()
    needs = ((("год",),), (("дождь",), ("грусть", "печаль")), (), (("нет",),))
    kept = [None if one is None else one.tolist() for one in sift_lines(block, make_sieve(needs))]
    assert kept == [[0, 1, 2], [5], None, []]


def test_many_literals_in_many_lines_are_all_listed() -> None:
    block = b"abcdefgh\n" * 20_000
    needs = tuple(((letter,),) for letter in "abcdefgh")
    for kept in sift_lines(block, make_sieve(needs)):
        assert kept is not None and len(kept) == 20_000


def test_a_line_that_a_slow_expression_cannot_stand_in_costs_nothing() -> None:
    slow = compile_expression(r"re:(x|xx)+\b\d§", "⟁", where="test")
    assert find_spans(b"x" * 60, [slow], {"⟁".encode(): 0}).tolist() == []
