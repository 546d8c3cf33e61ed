"""A capital to a sign and its small letter: how does a word share its pieces at the head of a text?

    He said. The END.   ->   ⇧ he said.⇧ the⇪ end.

The sign stands in front of the space, where it joins the mark before it (`.⇧` is one piece), and
the word is the one that stands anywhere else. On books not trained on this makes tokens 1.6 %
longer in English and 1.8 % in Russian than with capitals in the pieces; with the sign behind the
space, 0.3 and 0.4 %.

For `tokenizer.json`, models that choose pieces across words, exact mode. Both ways are data of the
tokenizer: the decoder knows each letter, so a text comes back byte for byte. Inside words it would
lose: with a BPE the sign is a token of its own too often (4.08 bytes per token for 4.35). And a
SentencePiece model puts the space before the sign at the start of a text, where no piece fits.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

CAPITAL = "⇧"  # U+21E7; a letter, or a space and a letter, behind it is a capital in the text
LAST = 0x1FFFF  # no letter beyond has a case
CAPITALS = "⇪"  # U+21EA; so are all letters of the word behind it
LONGEST = 40  # letters of a word that has one sign for all
SECOND = CAPITAL + "⁀"  # so is this, of the two capitals of one small letter the rarer: K, Å, ǅ


@cache
def pair_letters() -> dict[str, str]:
    """Return each capital of Unicode with the sign and the letters that stand for it.

    As the library that will write them knows capitals. No two of them are written alike.

    >>> pair_letters()["T"], pair_letters()["\\u212a"]
    ('⇧t', '⇧⁀k')
    """
    from tokenizers.normalizers import Lowercase

    lower = Lowercase().normalize_str
    points = [chr(point) for point in range(LAST + 1) if not 0xD800 <= point < 0xE000]
    cased = {letter: way for letter in points if (way := lower(letter)) != letter}
    ways = Counter(cased.values())
    return {
        letter: (
            CAPITAL if len(way) == 1 and (ways[way] == 1 or way.upper() == letter) else SECOND
        ) + way
        for letter, way in cased.items()
    }  # fmt: skip


@cache
def match_capitals(sign: str) -> str:
    """Return the capitals that `sign` stands for, as the inside of a class."""
    points = sorted(
        ord(letter) for letter, way in pair_letters().items()
        if way.startswith(SECOND) == (sign == SECOND)
    )  # fmt: skip
    edges = [i for i, point in enumerate(points) if i == 0 or point != points[i - 1] + 1]
    ends = [*edges[1:], len(points)]
    return "".join(
        rf"\x{{{points[start]:x}}}-\x{{{points[end - 1]:x}}}"
        for start, end in zip(edges, ends, strict=True)
    )
