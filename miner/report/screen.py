"""Texts and numbers to columns of a screen: how wide is it, where is it cut, what hides in it?

A width is counted in columns of a terminal, by signs as a reader sees them: a family of emoji takes
2, a letter with its accent 1, two signs of Chinese 4. What is invisible is spelled out first, so
that it has a width and no effect.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import wcwidth

WIDEST = 80  # characters shown of a text
SIDE = 32  # columns of a context on each side
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp"}


def is_invisible(character: str) -> bool:
    """Say whether a reader could not see the character, or it would reorder or hide others.

    Joiners stay, since emoji and several scripts are made with them.
    """
    if character in " \u200c\u200d":
        return False
    code = ord(character)
    unassigned = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return unassigned or unicodedata.category(character) in HIDDEN


def spell(
    text: str, most: int | None = WIDEST, *, open_mark: str = "[", close_mark: str = "]"
) -> str:
    """Return the text with the code points of what is invisible spelled out, cut at `most`.

    >>> spell("a\\u202eb"), spell("abcdef", 4)
    ('a[U+202E]b', 'abcd… (2 more)')
    """
    parts: list[str] = []
    room = most
    for place, character in enumerate(text):
        hidden = is_invisible(character)
        part = f"U+{ord(character):04X}" if hidden else character
        if room is not None:
            room -= len(part)
            if room < 0:
                return "".join(parts) + f"… ({len(text) - place:,} more)"
        parts.append(f"{open_mark}{part}{close_mark}" if hidden else part)
    return "".join(parts)


def measure_width(text: str) -> int:
    """Return how many columns a visible text takes.

    >>> [measure_width(text) for text in ("ab", "e\\u0301", "日本", "👩‍👩‍👧", "🇩🇪")]
    [2, 1, 4, 2, 2]
    """
    if text.isascii():
        return len(text)
    return sum(max(wcwidth.wcswidth(sign), 0) for sign in wcwidth.iter_graphemes(text))


def fit(text: str, columns: int, *, left: bool = False) -> str:
    """Return the beginning, or with `left` the end, of a text in at most so many columns.

    >>> fit("слово", 4), fit("слово", 4, left=True), fit("日本語", 4), fit("a\\x1b", 9)
    ('сло…', '…ово', '日…', 'a[U+001B]')
    """
    most = 8 * columns  # characters: a sign of a hundred marks is no sign
    piece = spell(text[-most:] if left else text[:most], None)
    if measure_width(piece) <= columns and len(text) <= most:
        return piece
    signs = list(wcwidth.iter_graphemes(piece))
    kept, room = [], columns - 1
    for sign in reversed(signs) if left else signs:
        room -= measure_width(sign)
        if room < 0:
            break
        kept.append(sign)
    return "…" + "".join(reversed(kept)) if left else "".join(kept) + "…"


def fit_middle(text: str, columns: int) -> str:
    """Return a text with its middle left out where it is too long.

    >>> fit_middle("en_plain_bpe.json", 11)
    'en_pl….json'
    """
    seen = spell(text, None)
    if measure_width(seen) <= columns:
        return seen
    half = (columns - 1) // 2
    return fit(seen, columns - half) + fit(seen, half + 1, left=True)[1:]


def fill(text: str, columns: int, *, right: bool = False) -> str:
    """Return a text in exactly so many columns, cut or with spaces behind, or in front, of it.

    >>> fill("日本", 6), fill("日本", 6, right=True), fill("日本", 3)
    ('日本  ', '  日本', '日…')
    """
    shown = fit(text, columns)
    space = " " * (columns - measure_width(shown))
    return space + shown if right else shown + space


def wrap(text: str, columns: int, start: str = "") -> str:
    """Return a text in lines of at most so many columns, all as far in as `start` is wide.

    >>> wrap("one and two", 9, "- ")
    '- one and\\n  two'
    """
    lines, line, margin = [], start, " " * measure_width(start)
    for word in spell(text, None).split():
        if line not in (start, margin):
            if measure_width(line) + 1 + measure_width(word) > columns:
                lines.append(line)
                line = margin
            else:
                line += " "
        for sign in _list_signs(word, columns - len(margin)):  # a word may be longer than a line
            if measure_width(line) + measure_width(sign) > columns:
                lines.append(line)
                line = margin
            line += sign
    return "\n".join([*lines, line.rstrip()])


def _list_signs(text: str, columns: int) -> Iterator[str]:
    """Yield the signs of a text; of one that is wider than a line (`ᄀᄀᄀ`), its characters."""
    for sign in wcwidth.iter_graphemes(text):
        yield from (sign if measure_width(sign) > columns else (sign,))


def lay_context(before: str, unit: str, after: str) -> str:
    """Return a line of a concordance: the unit in the middle, `SIDE` columns on both sides."""
    before, unit, after = (re.sub(r"\s+", " ", part) for part in (before, unit, after))
    left = fit(before, SIDE, left=True)
    space = " " * (SIDE - measure_width(left))
    return f"  {space}{left}[{fit(unit, SIDE)}]{fit(after, SIDE)}".rstrip()


def tell_count(count: int, noun: str, plural: str = "") -> str:
    """Return a number and its noun.

    >>> tell_count(1, "line"), tell_count(2000, "line")
    ('1 line', '2,000 lines')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def tell_number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def tell_percent(share: float) -> str:
    """Two figures at least: 19.8 %, 0.42 %; the space does not break."""
    percent = 100 * share
    if percent >= 1 or percent <= 0:
        return f"{percent:.1f}\u00a0%"
    return f"{percent:#.2g}\u00a0%" if percent >= 0.001 else "under\u00a00.001\u00a0%"


def tell_size(size: float) -> str:
    """Return bytes in three figures.

    >>> tell_size(999_900_000), tell_size(12_345), tell_size(4e15)
    ('1 GB', '12.3 kB', '4,000 TB')
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB" if size < 999.5 else f"{size:,.0f} TB"


def tell_duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
