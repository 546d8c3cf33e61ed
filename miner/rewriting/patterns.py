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
from miner.rewriting.matching import IN_WORD
from miner.unicode import CLASS, class_table

EXPRESSION, PLUS = "re:", " + "
WITHIN = 3  # words between two parts of a compound
MOST_WITHIN, MOST_PARTS = 50, 4
PATIENCE = 10.0  # seconds for one line
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = rf"(?:[\w--[{_SPACELESS}]]++|[{_SPACELESS}])"
_BETWEEN = r"[^\w.!?…。！？]*+"  # no end of a sentence


@dataclass(frozen=True)
class Pattern:
    """What is looked for, as the dictionary has it and compiled, and the sign in its place."""

    source: str
    sign: str
    expression: regex.Pattern[str]


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
            f"{source!r} fits nothing at all, which is everywhere", where=where,
            cure="Write + instead of *",
        )  # fmt: skip
    return Pattern(source, sign, expression)


def compile_compound(
    source: str, parts: Sequence[Iterable[str]], sign: str, *, within: int = WITHIN,
    ordered: bool = False, any_case: bool = False,
) -> Pattern:  # fmt: skip
    """Return the pattern of words near each other; each part is one of some texts.

    At most `within` words stand between two neighbours, and no end of a sentence.
    """
    gap = rf"(?:{_BETWEEN}{_WORD}){{0,{within}}}?{_BETWEEN}"
    told = ["(?:" + "|".join(map(_bound, sorted(part, key=len, reverse=True))) + ")"
            for part in parts]  # fmt: skip
    orders = [tuple(told)] if ordered else dict.fromkeys(permutations(told))
    written = "|".join(gap.join(order) for order in orders)
    return Pattern(
        source, sign, regex.compile(written, regex.V1 | (regex.IGNORECASE if any_case else 0))
    )


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
    text = block.decode("utf-8", "surrogateescape")
    lines = text.split("\n") if patterns else []
    low = 0
    for line in lines:
        for pattern in patterns:
            sign = numbers[pattern.sign.encode()]
            for begin, end in _find(line, pattern):
                first = low + _measure(line[:begin])
                found.append((first, first + _measure(line[begin:end]), sign))
        low += _measure(line) + 1
    found.sort(key=lambda span: (span[0], -span[1]))
    apart: list[tuple[int, int, int]] = []
    for span in found:
        if not apart or span[0] >= apart[-1][1]:
            apart.append(span)
    return np.array(apart, np.int64).reshape(-1, 3)


def _find(line: str, pattern: Pattern) -> list[tuple[int, int]]:
    try:
        places = pattern.expression.finditer(line, timeout=PATIENCE)
        return [place.span() for place in places if place.end() > place.start()]
    except TimeoutError as error:
        raise ConfigError(
            f"{pattern.source!r} takes more than {PATIENCE:.0f} s in the line {line[:60]!r}",
            where="the dictionary", cure="Write it so that it can fit in one way only",
        ) from error  # fmt: skip


def _measure(text: str) -> int:
    """Return the bytes of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
