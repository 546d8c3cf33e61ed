r"""Patterns to lines: which lines can a pattern stand in, by the letters that it must have?

A pattern that needs `год` is not looked for in a line without it. One pass through a block finds
the letters of all patterns, in any case; where nothing is sure to be needed, all lines are kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from miner.rewriting.matching import Trie, build_trie, next_value

Needs = tuple[tuple[str, ...], ...]  # of each tuple, a line must have one literal
_CLASSES = "wWdDsSbBmMAZzntrfvaXRK"  # letters behind a backslash that stand for no letter
_PROPERTY = re.compile(r"\\[pPN]\{[^{}\\]*\}")
_SET = re.compile(r"\[\^?\]?(?:[^\[\]\\]|\\.)*\]", re.DOTALL)
_FLAGS = re.compile(r"\(\?[aimsuf]+\)")
_GROUP = re.compile(r"\((?![?*])|\(\?(?:[aimsuf]*:|[>|]|P?<\w+>)")
_AROUND = re.compile(r"\(\?<?[=!]")
_QUANTIFIER = re.compile(r"(?:[?*+]|\{[0-9]*,?[0-9]*\})[?+]?")


def fold(text: str) -> str:
    """Return a text in one case: what an expression holds to be equal in any case has one form.

    >>> fold("Straße"), fold("İı")
    ('strasse', 'ii')
    """
    return text.casefold().replace("ı", "i").replace("\u0307", "")


def find_needs(expression: str) -> Needs:
    r"""Return what every match of an expression has: of each tuple one text; () if none is sure.

    None is sure where a branch has none, or where anything is not known here, such as flags.

    >>> find_needs(r"\d{4} год\w*"), find_needs("(?:sun|moon)s? [ab]x"), find_needs("a|b*")
    (((' год',),), (('sun', 'moon'), (' ',), ('x',)), ())
    """
    try:
        branches, end = _read_branches(expression, 0)
    except (ValueError, RecursionError):
        return ()
    if end < len(expression):
        return ()
    groups = branches[0] if len(branches) == 1 else [_unite(branches)]
    return tuple(group for group in groups if group and all(group))


def _read_branches(expression: str, place: int) -> tuple[list[list[tuple[str, ...]]], int]:
    """Return what the branches of a group have, and where it ends; ValueError: it is not known."""
    branches: list[list[tuple[str, ...]]] = []
    pieces: list[tuple[str, ...]] = [("",)]  # the last: letters that go on
    while place < len(expression) and expression[place] != ")":
        sign = expression[place]
        if sign == "|":
            branches.append(pieces)
            pieces = [("",)]
            place += 1
        elif sign == "(":
            literals, place = _read_group(expression, place)
            pieces += [literals, ("",)]
        else:
            part, literal = _read_part(expression, place)
            place += len(part)
            if literal:
                pieces[-1] = (pieces[-1][0] + literal,)
            elif sign not in "?*+{":
                pieces += [(), ("",)]
            elif pieces[-1][0]:  # of letters, it is of the last alone, which may be missing
                pieces[-1] = (pieces[-1][0][: None if sign == "+" else -1],)
                pieces.append(("",))
            elif sign != "+":
                del pieces[-2:-1]
    return [*branches, pieces], place


def _unite(branches: Sequence[Sequence[tuple[str, ...]]]) -> tuple[str, ...]:
    """Return texts of which any match of some branches has one: of each branch the longest."""
    best = [
        max(pieces, key=lambda literals: min(map(len, literals), default=0)) for pieces in branches
    ]
    return tuple(literal for literals in best for literal in (literals or ("",)))


def _read_group(expression: str, place: int) -> tuple[tuple[str, ...], int]:
    """Return the literals of a group, () of one that matches nothing itself, and where it ends."""
    flags = _FLAGS.match(expression, place)
    if flags:
        return (), flags.end()
    around = _AROUND.match(expression, place)
    start = around or _GROUP.match(expression, place)
    if not start:
        raise ValueError("a group of another kind")
    branches, end = _read_branches(expression, start.end())
    if end == len(expression):
        raise ValueError("a group without its end")
    return (() if around else _unite(branches)), end + 1


def _read_part(expression: str, place: int) -> tuple[str, str]:
    """Return what stands at a place, and the letter it stands for, "" for none; or ValueError."""
    sign = expression[place]
    for first, kind in (("[", _SET), ("?*+{", _QUANTIFIER)):
        if sign in first:
            read = kind.match(expression, place)
            if not read:
                raise ValueError("brackets of another kind")
            return read[0], ""
    if sign == "\\":
        return _read_escape(expression, place)
    special = sign in ".^$" or "\ud800" <= sign <= "\udfff"
    return sign, "" if special else sign


def _read_escape(expression: str, place: int) -> tuple[str, str]:
    sign = expression[place + 1 : place + 2]
    read = _PROPERTY.match(expression, place)
    if read:
        return read[0], ""
    if sign and sign in _CLASSES:
        return "\\" + sign, ""
    if not sign or sign.isalnum() or "\ud800" <= sign <= "\udfff":
        raise ValueError("an escape of another kind")
    return "\\" + sign, sign


class Sieve(NamedTuple):
    """Literals to find, and of each pattern the numbers of those that it needs, as in `Needs`."""

    trie: Trie
    literals: int
    needs: tuple[tuple[tuple[int, ...], ...], ...]


@lru_cache(maxsize=8)
def make_sieve(needs: tuple[Needs, ...]) -> Sieve:
    """Return the sieve of patterns by what each needs."""
    folded = [
        [list(dict.fromkeys(map(fold, literals))) for literals in pattern] for pattern in needs
    ]
    texts = dict.fromkeys(text for pattern in folded for group in pattern for text in group if text)
    numbers = {text: number for number, text in enumerate(texts)}
    found = tuple(
        tuple(tuple(numbers[text] for text in group) for group in pattern if group and all(group))
        for pattern in folded
    )
    return Sieve(build_trie([text.encode() for text in numbers]), len(numbers), found)


def sift_lines(block: bytes, sieve: Sieve) -> list[np.ndarray | None]:
    """Return for each pattern the lines of a block that it can stand in, None for all."""
    if not sieve.literals:
        return [None] * len(sieve.needs)
    folded = fold(block.decode("utf-8", "surrogateescape")) + "\n"
    buffer = np.frombuffer(folded.encode("utf-8", "surrogateescape"), np.uint8)
    ends = np.append(0, np.flatnonzero(buffer == 10) + 1)
    pairs = np.empty((0, 2), np.int64)
    size = -1
    while size < 0:
        pairs = np.empty((4 * len(pairs) + (1 << 16), 2), np.int64)
        size = _list_holders(buffer, ends, sieve.trie, np.full(sieve.literals, -1), pairs)
    literals, lines = pairs[:size][np.argsort(pairs[:size, 0], kind="stable")].T
    held = np.split(lines, np.searchsorted(literals, np.arange(1, sieve.literals)))
    return [_meet([[held[i] for i in group] for group in needs]) for needs in sieve.needs]


def _meet(groups: Sequence[Sequence[np.ndarray]]) -> np.ndarray | None:
    """Return the lines that hold one literal at least of each group, None where there is none."""
    met = None
    for group in groups:
        lines = np.unique(np.concatenate(group))
        met = lines if met is None else np.intersect1d(met, lines, assume_unique=True)
    return met


@njit(nogil=True, cache=True)
def _mark_pairs(trie: Trie) -> np.ndarray:
    """Say which pairs of bytes a literal may begin with: bool (65536,)."""
    begins = np.zeros(1 << 16, np.bool_)
    pair = np.empty(2, np.uint8)
    for i in range(1 << 16):
        pair[0], pair[1] = i >> 8, i & 255
        _, place, value = next_value(pair, 0, 0, 2, trie)
        begins[i] = place == 2 or value >= 0
    return begins


@njit(nogil=True, cache=True)
def _list_holders(
    buffer: np.ndarray, ends: np.ndarray, trie: Trie, last: np.ndarray, pairs: np.ndarray
) -> int:
    """List which literal is in which line, each once; return how many, -1 if `pairs` is short.

    `last` int64 (literals,): the last line where each was seen.
    """
    count = 0
    begins = _mark_pairs(trie)
    for line in range(ends.shape[0] - 1):
        for start in range(ends[line], ends[line + 1] - 1):
            if not begins[np.uint64(buffer[start]) << np.uint64(8) | np.uint64(buffer[start + 1])]:
                continue
            node, place, value = next_value(buffer, 0, start, ends[line + 1], trie)
            while value >= 0:
                if last[value] != line:
                    if count == pairs.shape[0]:
                        return -1
                    last[value] = line
                    pairs[count, 0], pairs[count, 1] = value, line
                    count += 1
                node, place, value = next_value(buffer, node, place, ends[line + 1], trie)
    return count
