"""Patterns to places: where do regular expressions, and words near each other, stand in lines?

`re:Δ\\d+`         a regular expression, in the syntax of the `regex` package
`дождь + грусть`   a compound: both words, with few others between, in any order or in this one
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import regex

from miner.errors import ConfigError
from miner.rewriting.literals import Needs, find_needs, make_sieve, sift_lines
from miner.rewriting.matching import IN_WORD
from miner.text.unicode import CLASS, class_table

EXPRESSION, PLUS = "re:", " + "
WITHIN = 3  # words between two parts of a compound
MOST_WITHIN, MOST_PARTS = 50, 4
PATIENCE = 10.0  # seconds for one line
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = rf"(?:[\w--[{_SPACELESS}]]++|[{_SPACELESS}])"
_BETWEEN = r"[^\w.!?…。！？]*+"  # no end of a sentence


@dataclass(frozen=True)
class Pattern:
    """What is looked for, as the dictionary has it and compiled, and the sign in its place.

    `needs`: a line in which it stands has one literal at least of each.
    """

    source: str
    sign: str
    expression: regex.Pattern[str]
    needs: Needs = ()


def compile_expression(source: str, sign: str, *, where: str, any_case: bool = False) -> Pattern:
    """Return the pattern of `re:...`; ConfigError where it is none, or stands for nothing."""
    written = source.removeprefix(EXPRESSION)
    try:
        expression = regex.compile(written, regex.V1 | (regex.IGNORECASE if any_case else 0))
    except (regex.error, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"{source!r} is no regular expression ({error})", where=where, cure="Mend it"
        ) from error
    if expression.search("", timeout=PATIENCE):
        raise ConfigError(
            f"{source!r} fits nothing at all, which is everywhere",
            where=where,
            cure="Write + instead of *",
        )
    return Pattern(source, sign, expression, find_needs(written))


def compile_compound(
    source: str,
    parts: Sequence[Iterable[str]],
    sign: str,
    *,
    within: int = WITHIN,
    ordered: bool = False,
    any_case: bool = False,
) -> Pattern:
    """Return the pattern of words near each other; each part is one of some texts.

    At most `within` words stand between two neighbours, and no end of a sentence.
    """
    forms = [sorted(part, key=len, reverse=True) for part in parts]
    gap = rf"(?:{_BETWEEN}{_WORD}){{0,{within}}}?{_BETWEEN}"
    told = ["(?:" + "|".join(map(_bound, part)) + ")" for part in forms]
    orders = [tuple(told)] if ordered else dict.fromkeys(permutations(told))
    written = "|".join(gap.join(order) for order in orders)
    expression = regex.compile(written, regex.V1 | (regex.IGNORECASE if any_case else 0))
    needs = tuple(tuple(max(text.split(), key=len) for text in part) for part in forms)
    return Pattern(source, sign, expression, needs)


def _bound(text: str) -> str:
    r"""Return the expression of a text that is not inside a word.

    >>> _bound("дождь"), _bound("雨")
    ('(?<!\\w)дождь(?!\\w)', '雨')
    """
    words = r"\s+".join(regex.escape(word, special_only=True) for word in text.split())
    before, after = (1 << int(class_table()[ord(text[i])] & CLASS) & IN_WORD for i in (0, -1))
    return (r"(?<!\w)" if before else "") + words + (r"(?!\w)" if after else "")


def find_spans(block: bytes, patterns: Sequence[Pattern], numbers: dict[bytes, int]) -> np.ndarray:
    """Return where patterns stand in a block of lines: int64 (n, 3) of begin, end and sign.

    In order and apart: the first wins, of two that begin together the longer.
    """
    found: list[tuple[int, int, int]] = []
    kept = sift_lines(block, make_sieve(tuple(one.needs for one in patterns))) if patterns else []
    ends = _list_ends(block) if patterns else []
    texts: dict[int, str] = {}
    for pattern, lines in zip(patterns, kept, strict=True):
        sign = numbers[pattern.sign.encode()]
        for i in range(len(ends) - 1) if lines is None else lines.tolist():
            if i not in texts:
                texts[i] = block[ends[i] : ends[i + 1] - 1].decode("utf-8", "surrogateescape")
            places = _find(texts[i], pattern)
            found += [
                (ends[i] + begin, ends[i] + end, sign) for begin, end in _count(texts[i], places)
            ]
    found.sort(key=lambda span: (span[0], -span[1]))
    apart: list[tuple[int, int, int]] = []
    for span in found:
        if not apart or span[0] >= apart[-1][1]:
            apart.append(span)
    return np.array(apart, np.int64).reshape(-1, 3)


def _list_ends(block: bytes) -> list[int]:
    """Return where lines begin, and where one more would behind the last.

    >>> _list_ends(b"ab\\nc")
    [0, 3, 5]
    """
    breaks = np.flatnonzero(np.frombuffer(block, np.uint8) == 10) + 1
    return [0, *breaks.tolist(), len(block) + 1]


def _find(line: str, pattern: Pattern) -> list[tuple[int, int]]:
    try:
        places = pattern.expression.finditer(line, timeout=PATIENCE)
        return sorted(place.span() for place in places if place.end() > place.start())
    except TimeoutError as error:
        raise ConfigError(
            f"{pattern.source!r} takes more than {PATIENCE:.0f} s in the line {line[:60]!r}",
            where="the dictionary",
            cure="Write it so that it can fit in one way only",
        ) from error


def _count(line: str, places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return places in a line, in order and apart, in bytes.

    >>> _count("éé a", [(0, 1), (3, 4)])
    [(0, 2), (5, 6)]
    """
    if line.isascii() or not places:
        return places
    counted = []
    last = size = 0
    for begin, end in places:
        first = size + _measure(line[last:begin])
        last, size = end, first + _measure(line[begin:end])
        counted.append((first, size))
    return counted


def _measure(text: str) -> int:
    """Return the bytes of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
