"""Code points to classes: what part can a character play in an atom?

The table is built from the standard library's Unicode data and a short list of blocks, in some
30 ms; the rules that use it follow UAX #29 (words and grapheme clusters).
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

# The low five bits of an entry are the class, the rest are flags.
SPACE, LINE, LETTER, DIGIT, EXTEND, ZWJ, CONNECTOR, APOSTROPHE, HYPHEN, POINT = range(10)
PUNCTUATION, SYMBOL, PICTOGRAPH, REGIONAL, SIGN, KATAKANA, INFINITY, COLON, VIRAMA = range(10, 19)
CLASS = 0x1F
UPPER = 0x20  # an upper-case or title-case letter
OPENING = 0x40  # an opening bracket or quote
ENDING = 0x80  # ends a sentence

CODE_POINTS = 0x110000
_CATEGORISED = 0x20000  # above: ideographs, tags, variation selectors, private use

_CATEGORY_CLASS = {
    "Lu": LETTER | UPPER, "Lt": LETTER | UPPER, "Ll": LETTER, "Lm": LETTER, "Lo": LETTER,
    "Mn": EXTEND, "Mc": EXTEND, "Me": EXTEND,
    "Nd": DIGIT, "No": DIGIT, "Nl": LETTER,
    "Pc": CONNECTOR, "Pd": PUNCTUATION, "Pe": PUNCTUATION, "Po": PUNCTUATION,
    "Ps": PUNCTUATION | OPENING, "Pi": PUNCTUATION | OPENING, "Pf": PUNCTUATION,
    "Sm": SYMBOL, "Sc": SYMBOL, "Sk": SYMBOL, "So": SYMBOL, "Cn": SYMBOL,
    "Zs": SPACE, "Zl": LINE, "Zp": LINE,
    "Cc": PUNCTUATION, "Cf": EXTEND, "Cs": PUNCTUATION,
    "Co": LETTER,  # made-up scripts live in the private use areas
}  # fmt: skip

# Scripts written without spaces between words: a letter in these blocks is an atom by itself.
_SIGN_BLOCKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF), (0x1A20, 0x1AAF),  # Tai Le, New Tai Lue, Tai Tham
    (0x1B00, 0x1B7F), (0xA980, 0xA9DF),  # Balinese, Javanese
    (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303C),  # Han
    (0x3041, 0x309F), (0x1B000, 0x1B167),  # Hiragana, Kana supplements
    (0x3100, 0x312F), (0x31A0, 0x31BF),  # Bopomofo
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),  # Han
    (0xA000, 0xA4CF),  # Yi
    (0x10000, 0x100FF), (0x10600, 0x1077F),  # Linear B, Linear A
    (0x12000, 0x1254F),  # cuneiform
    (0x13000, 0x143FF), (0x14400, 0x1467F),  # hieroglyphs of Egypt and Anatolia
    (0x16FE0, 0x18DFF), (0x1B170, 0x1B2FF),  # Tangut, Khitan, Nushu
    (0x1D800, 0x1DAAF),  # SignWriting
)  # fmt: skip
_KATAKANA_BLOCKS = ((0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))
_PICTOGRAPH_BLOCKS = (
    (0x00A9, 0x00A9), (0x00AE, 0x00AE), (0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122),
    (0x2139, 0x2139), (0x2194, 0x21AA), (0x231A, 0x23FF), (0x24C2, 0x24C2), (0x25AA, 0x25FE),
    (0x2600, 0x27BF), (0x2934, 0x2935), (0x2B05, 0x2B55), (0x3030, 0x3030), (0x303D, 0x303D),
    (0x3297, 0x3299), (0x1F000, 0x1FAFF),
)  # fmt: skip
# Linkers: the letter after one belongs to the same akshara (Unicode InCB=Linker, stackers and
# the joiners of Egyptian quadrats).
_VIRAMAS = (
    0x094D, 0x09CD, 0x0A4D, 0x0ACD, 0x0B4D, 0x0BCD, 0x0C4D, 0x0CCD, 0x0D4D, 0x0DCA, 0x1039,
    0x17D2, 0x1A60, 0x1B44, 0xA9C0, 0xAAF6, 0x11046, 0x11133, 0x111C0, 0x1134D, 0x11442, 0x114C2,
    *range(0x13430, 0x13437),
)  # fmt: skip


def _fill(table: np.ndarray, blocks: tuple[tuple[int, int], ...], value: int, *was: int) -> None:
    """Give `value` to the code points of `blocks` whose class is one of `was`."""
    for first, last in blocks:
        part = table[first : last + 1]
        part[np.isin(part & CLASS, was)] = value


@cache
def class_table() -> np.ndarray:
    """Return the class of every code point: uint8 (0x110000,), read-only."""
    table = np.full(CODE_POINTS, SYMBOL, np.uint8)
    categories = map(unicodedata.category, map(chr, range(_CATEGORISED)))
    table[:_CATEGORISED] = [_CATEGORY_CLASS[category] for category in categories]
    table[0x20000:0x40000] = SIGN
    table[0xE0000:0xE1000] = EXTEND  # tags and variation selectors
    table[0xF0000:] = LETTER  # private use
    _fill(table, _SIGN_BLOCKS, SIGN, LETTER)
    _fill(table, ((0x13460, 0x143FF),), SIGN, SYMBOL)  # hieroglyphs that Python may not know yet
    _fill(table, _KATAKANA_BLOCKS, KATAKANA, LETTER)
    _fill(table, _PICTOGRAPH_BLOCKS, PICTOGRAPH, SYMBOL, PUNCTUATION)
    table[0x1F1E6:0x1F200] = REGIONAL
    table[0x1F3FB:0x1F400] = EXTEND  # skin tones
    table[0x1160:0x1200] = EXTEND  # medial and final jamo
    table[list(_VIRAMAS)] = VIRAMA
    table[[0x0E33, 0x0EB3, 0x0F0B]] = EXTEND  # sara am, the Tibetan syllable mark
    table[[0x09, 0x0D, 0x20]] = SPACE
    table[[0x0A, 0x0B, 0x0C, 0x85, 0x2028, 0x2029]] = LINE
    table[0x200B] = PUNCTUATION  # zero-width space: a word boundary
    table[0x200D] = ZWJ
    table[[0x27, 0x2019, 0x02BC]] = APOSTROPHE
    table[[0x2D, 0x2010, 0x2011]] = HYPHEN
    table[[0x2C, 0x2E]] = POINT
    table[0x2E] |= ENDING
    table[0x3A] = COLON
    table[0x221E] = INFINITY
    table[[0x21, 0x3F, 0x2026, 0x3002, 0xFF01, 0xFF1F, 0x0964, 0x0965]] |= ENDING
    table[0x22] |= OPENING  # a straight quote opens as well as closes
    table.setflags(write=False)
    return table
