"""Texts on a screen: how wide they are, where they are cut, and that nothing hides in them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from miner.report.screen import (
    SIDE,
    fill,
    fit,
    fit_middle,
    is_invisible,
    lay_context,
    measure_width,
    spell,
    tell_size,
    wrap,
)

FAMILY, FLAG, WAVE = "\U0001f469\u200d\U0001f469\u200d\U0001f467", "🇩🇪", "\U0001f44b\U0001f3fd"
SIGNS = [
    *(
        FAMILY,
        FLAG,
        WAVE,
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "e\u0301",
        "नमस्ते",
        "क्षि",
        "日",
        "각",
        "ᄀ",
        "กำ",
    ),
    *(
        "\u202e",
        "\u2066",
        "\x1b[31m",
        "\x00",
        "\ud800",
        "\u3000",
        "\u200d",
        "\u0301",
        "🇩",
        "ж",
        " ",
    ),
]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(SIGNS), max_size=30).map("".join))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        *((FAMILY, 2), (FLAG, 2), (FLAG * 2, 4), (WAVE, 2), ("❤\ufe0f", 2), ("❤", 1)),
        *(("e\u0301", 1), ("a" + "\u0301" * 50, 1), ("नमस्ते", 4), ("日本語", 6), ("각", 2)),
        *(("жар и тишина", 12), ("", 0), ("ab c", 4), ("ﷺ", 1)),
    ],
)  # fmt: skip
def test_widths(text: str, columns: int) -> None:
    assert measure_width(text) == columns
    assert measure_width(f"{text}|{text}") == 2 * columns + 1


def test_what_could_act_is_spelled_first() -> None:
    assert fit("a\u202eb\tc", 80) == "a[U+202E]b[U+0009]c"
    assert fit("\x1b[31m", 80) == "[U+001B][31m"
    assert spell(FAMILY) == FAMILY


def test_no_sign_is_cut_in_two() -> None:
    assert fit(FAMILY * 3, 5) == FAMILY * 2 + "…"
    assert fit(FAMILY * 3, 4) == FAMILY + "…"
    assert fit(FAMILY * 3, 4, left=True) == "…" + FAMILY
    assert fit("e\u0301" * 9, 4) == "e\u0301" * 3 + "…"
    assert fit("日本語", 5) == "日本…" and fit_middle("日本語日本語", 7) == "日…語"


@given(texts, st.integers(1, 40), st.booleans())
def test_whatever_fits_is_no_wider_and_shows_all(text: str, columns: int, left: bool) -> None:
    seen = fit(text, columns, left=left)
    assert measure_width(seen) <= columns and not any(map(is_invisible, seen))
    assert measure_width(fit_middle(text, columns)) <= columns
    if measure_width(spell(text, None)) <= columns and len(text) <= columns:
        assert seen == spell(text, None)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6), st.integers(1, 40))
def test_rows_of_a_table_are_equally_wide(rows: list[tuple[str, str]], columns: int) -> None:
    lines = [f"{fill(one, columns)} | {fill(two, columns, right=True)} |" for one, two in rows]
    assert {measure_width(line) for line in lines} == {2 * columns + 5}


@given(texts, texts, texts)
def test_units_of_a_concordance_stand_below_each_other(one: str, two: str, three: str) -> None:
    line = lay_context(one, two.replace("[", ""), three)
    left = fit(" ".join(one.split()), SIDE, left=True)
    assert line.startswith("  ") and "\n" not in line
    assert measure_width(line) <= 3 * SIDE + 4
    assert "[" in left or measure_width(line.split("[")[0]) in range(SIDE + 3)


@given(texts, st.integers(8, 40))
@example("\u1100" * 3, 8)  # three jamo are one sign, and wider than a line
def test_lines_are_no_wider_than_asked(text: str, columns: int) -> None:
    lines = wrap(text, columns, "  - ").split("\n")
    assert max(map(measure_width, lines)) <= columns
    assert all(line.startswith("    ") for line in lines[1:])
    assert "".join(lines).replace(" ", "") == "-" + spell(text, None).replace(" ", "")


def test_sizes() -> None:
    told = [tell_size(size) for size in (0, 999, 999.6, 131_072, 2e10, 1.5e12, 4e15)]
    assert told == ["0 bytes", "999 bytes", "1 kB", "131 kB", "20 GB", "1.5 TB", "4,000 TB"]
