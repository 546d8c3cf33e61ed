"""Code points to classes, checked by hand and against the standard library's data."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from miner.text.unicode import (
    APOSTROPHE,
    CLASS,
    COLON,
    CONNECTOR,
    DIGIT,
    ENDING,
    EXTEND,
    HYPHEN,
    KATAKANA,
    LETTER,
    LINE,
    OPENING,
    PICTOGRAPH,
    POINT,
    PUNCTUATION,
    REGIONAL,
    SIGN,
    SPACE,
    SYMBOL,
    UPPER,
    VIRAMA,
    ZWJ,
    class_table,
)


@pytest.mark.parametrize(
    ("characters", "what"),
    [
        ("aжßλ한ꜣب", LETTER),
        ("字𒀭𓏏ກက\U000143f0", SIGN),
        ("ᚠ𐌀\ue864", LETTER),
        ("カー", KATAKANA),
        ("7٣²₂", DIGIT),
        ("\u0301\u093f\u0e31\ufe0f🏽", EXTEND),
        ("\u094d\u0bcd", VIRAMA),
        ("\u200d", ZWJ),
        (" \t\r\u00a0\u3000", SPACE),
        ("\n\u2028", LINE),
        ("_‿", CONNECTOR),
        ("'’ʼ", APOSTROPHE),
        ("-‐", HYPHEN),
        (".,", POINT),
        (":", COLON),
        ("!(«—\x00", PUNCTUATION),
        ("=№€⊘⟁", SYMBOL),
        ("☔😀❤🜂", PICTOGRAPH),
        ("🇷", REGIONAL),
    ],
)
def test_a_character_has_the_class_of_its_part(characters: str, what: int) -> None:
    assert {int(class_table()[ord(character)] & CLASS) for character in characters} == {what}


def test_flags_tell_capitals_openings_and_ends() -> None:
    table = class_table()
    assert table[ord("Ж")] & UPPER and table[ord("ǅ")] & UPPER and not table[ord("ж")] & UPPER
    assert table[ord("«")] & OPENING and table[ord("(")] & OPENING and not table[ord("»")] & OPENING
    assert all(table[ord(mark)] & ENDING for mark in ".!?…。।")
    assert not table[ord(",")] & ENDING


def test_every_mark_extends_and_every_space_parts() -> None:
    table = class_table() & CLASS
    for point in range(0x20000):
        character = chr(point)
        if unicodedata.category(character).startswith("M"):
            assert table[point] in (EXTEND, VIRAMA), hex(point)
        if unicodedata.category(character) == "Zs":
            assert table[point] == SPACE, hex(point)
    assert len(table) == sys.maxunicode + 1


def test_the_table_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        class_table()[0] = 1
