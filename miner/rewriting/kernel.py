"""Lines of bytes to hyperword text and back, compiled: what is replaced, escaped, left as it is?

Signs stand for texts, and a sign that a text has by itself is escaped by `ESCAPE`. Each changed
line is restored at once; one that would not come back is left as it is, behind `LITERAL`. So every
line comes back, whatever is in it.

form    a sign may stand for several texts: `☀` for `свет`, `☀⟨света⟩` for `света`
span    what a pattern found; its sign always keeps the form
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from miner.rewriting.matching import (
    IN_WORD,
    JOINS,
    find_longest,
    in_word,
    joins_words,
    look,
)

ESCAPE, LITERAL = "␛", "␚"  # U+241B, U+241A
OPEN, CLOSE = "⟨", "⟩"
_ESCAPE = np.frombuffer(ESCAPE.encode(), np.uint8)
_LITERAL = np.frombuffer(LITERAL.encode(), np.uint8)
_OPEN = np.frombuffer(OPEN.encode(), np.uint8)
_CLOSE = np.frombuffer(CLOSE.encode(), np.uint8)
_SIGN = 3  # bytes of each of these
_u64 = np.uint64


class Plan(NamedTuple):
    """Texts and signs as arrays.

    `texts` finds texts, then signs (`forward` int32: of a text its sign, of a sign -1), `signs`
    finds signs. `blob` holds all bytes; `sign_at` (signs, 2) and `text_at` (signs, 2) where a sign
    and the text it stands for lie in it, -1 where it stands for forms alone; `formed` (texts,)
    which texts keep their form, `forms` (signs,) which signs may have one. `share` of the places,
    by `seed`. `safe`: only lines with a text or a sign of `careful` (texts,), `careful_signs`
    (signs,) must be restored to be sure; see `find_careful`.
    """

    texts: np.ndarray
    signs: np.ndarray
    classes: np.ndarray
    blob: np.ndarray
    forward: np.ndarray
    formed: np.ndarray
    sign_at: np.ndarray
    text_at: np.ndarray
    forms: np.ndarray
    share: float
    seed: int
    safe: bool
    careful: np.ndarray
    careful_signs: np.ndarray


@njit(nogil=True, cache=True)
def rewrite_lines(  # noqa: C901 - a kernel
    buffer: np.ndarray, ends: np.ndarray, plan: Plan, spans: np.ndarray, out: np.ndarray,
    counts: np.ndarray,
) -> int:  # fmt: skip
    """Write lines, each with its newline, as hyperword text; return the bytes, -1 if out is short.

    Line i is `buffer[ends[i]:ends[i + 1]]`. `spans` int64 (n, 3): where what patterns found begins
    and ends, and its sign, in order and apart. `counts` int64 (3,) grows: places replaced, signs
    escaped, lines left as they are.
    """
    at = 0
    span = 0
    scratch = np.empty(1 << 16, np.uint8)
    for line in range(ends.shape[0] - 1):
        low, high = ends[line], ends[line + 1]
        stop = high - 1 if high > low and buffer[high - 1] == 10 else high
        if scratch.shape[0] < 2 * (stop - low) + 64:
            scratch = np.empty(3 * (stop - low) + 64, np.uint8)
        comes_back = False
        while span < spans.shape[0] and spans[span, 0] < low:
            span += 1
        if not _is_at(buffer, low, stop, _LITERAL):
            for wary in (False, True):  # again without what wants care, where it does not come back
                end, replaced, escaped, marks = _rewrite(
                    buffer, low, stop, plan, spans[span:], out, at, wary
                )
                if end < 0:
                    return -1
                comes_back = marks == 0 and (replaced + escaped == 0 or plan.safe)
                if not comes_back:
                    size = _restore(out, at, end, plan, scratch, 0)
                    comes_back = size == stop - low and _same(scratch, buffer, low, size)
                if comes_back:
                    break
        if comes_back:
            at = end
            counts[0] += replaced
            counts[1] += escaped
        else:
            if at + _SIGN + stop - low >= out.shape[0]:
                return -1
            at = _put(out, at, _LITERAL, 0, _SIGN)
            at = _put(out, at, buffer, low, stop - low)
            counts[2] += 1
        if stop < high:
            if at >= out.shape[0]:
                return -1
            out[at] = 10
            at += 1
    return at


@njit(nogil=True, cache=True)
def restore_lines(buffer: np.ndarray, ends: np.ndarray, plan: Plan, out: np.ndarray) -> int:
    """Write lines of hyperword text as they were; return the bytes, -1 if `out` is too short."""
    at = 0
    for line in range(ends.shape[0] - 1):
        low, high = ends[line], ends[line + 1]
        stop = high - 1 if high > low and buffer[high - 1] == 10 else high
        if _is_at(buffer, low, stop, _LITERAL):
            if at + stop - low >= out.shape[0]:
                return -1
            at = _put(out, at, buffer, low + _SIGN, stop - low - _SIGN)
        else:
            at = _restore(buffer, low, stop, plan, out, at)
            if at < 0:
                return -1
        if stop < high:
            if at >= out.shape[0]:
                return -1
            out[at] = 10
            at += 1
    return at


@njit(nogil=True, cache=True)
def _rewrite(  # noqa: C901 - a kernel
    buffer: np.ndarray, low: int, stop: int, plan: Plan, spans: np.ndarray, out: np.ndarray,
    at: int, wary: bool,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Write one line; return where it ends (-1 if `out` is short), places replaced and escaped.

    `wary`: texts that want care, and what patterns found, stay as they are.
    Last, how many marks of ours the line had by itself, and texts and signs that want care.
    """
    place, copied, replaced, escaped, marks = low, low, 0, 0, 0
    word, joined = False, False
    texts, signs, classes = plan.texts, plan.signs, plan.classes
    room = out.shape[0] - 16
    first = np.int64(texts[0, 0])
    span = 0
    next_span = spans[0, 0] if spans.shape[0] and not wary else stop
    while place < stop:
        if place >= next_span:
            begin = place
            while span < spans.shape[0] and spans[span, 0] < place:
                span += 1
            if span < spans.shape[0] and spans[span, 0] == place:
                length = spans[span, 1] - place
                _, other = find_longest(buffer, place, stop, low, texts, classes)
                if at + (place - copied) + length > room:
                    return -1, 0, 0, 0
                end = 0
                if (
                    (other <= length or word or joined)
                    and _is_chosen(buffer, low, stop, place, plan.share, plan.seed)
                ):  # fmt: skip
                    at = _put(out, at, buffer, copied, place - copied)
                    copied = place
                    end = _put_sign(buffer, place, length, stop, plan, out, at, -1, spans[span, 2])
                    if end < 0:
                        return -1, 0, 0, 0
                span += 1
                if end > 0:
                    at, replaced, marks = end, replaced + 1, marks + 1
                    place += length
                    copied = place
                    word, joined = joins_words(buffer, place, low, classes)
            next_span = spans[span, 0] if span < spans.shape[0] else stop
            if place > begin:
                continue
        byte = np.int64(buffer[place])
        kind, width = look(buffer, place, stop, classes)
        inside = 1 << kind & IN_WORD != 0
        if not (inside and (word or joined)):
            if texts[first + byte, 1] == 0 and not (
                1 << kind & JOINS and word and in_word(buffer, place + width, stop, classes)
            ):
                text, length = find_longest(buffer, place, stop, low, texts, classes)
                if text >= 0:
                    if at + (place - copied) + length > room:
                        return -1, 0, 0, 0
                    sign: Any = np.int64(plan.forward[text])
                    end = 0
                    kept = wary and plan.careful[text]
                    if (
                        sign >= 0
                        and not kept
                        and _is_chosen(buffer, low, stop, place, plan.share, plan.seed)
                    ):
                        at = _put(out, at, buffer, copied, place - copied)
                        copied = place
                        end = _put_sign(buffer, place, length, stop, plan, out, at, text, sign)
                        if end < 0:
                            return -1, 0, 0, 0
                    if end > 0:
                        at, replaced = end, replaced + 1
                        marks += plan.careful[text]
                        place += length
                        copied = place
                        word, joined = joins_words(buffer, place, low, classes)
                        continue
                    text, length = find_longest(buffer, place, stop, low, signs, classes)
                    if text >= 0:
                        at = _put(out, at, buffer, copied, place - copied)
                        at = _put(out, at, _ESCAPE, 0, _SIGN)
                        copied = place
                        escaped += 1
                        marks += plan.careful_signs[text]
                        place += length
                        word, joined = joins_words(buffer, place, low, classes)
                        continue
            if byte == _ESCAPE[0] and _is_at(buffer, place, stop, _ESCAPE):
                if at + (place - copied) + _SIGN > room:
                    return -1, 0, 0, 0
                at = _put(out, at, buffer, copied, place - copied)
                at = _put(out, at, _ESCAPE, 0, _SIGN)
                copied = place
                escaped += 1
                marks += 1
        joined = word and 1 << kind & JOINS != 0
        word = inside
        place += width
    if at + (stop - copied) > room:
        return -1, 0, 0, 0
    return _put(out, at, buffer, copied, stop - copied), replaced, escaped, marks


@njit(nogil=True, cache=True)
def _put_sign(
    buffer: np.ndarray, place: int, length: int, stop: int, plan: Plan, out: np.ndarray, at: int,
    text: int, sign: int,
) -> int:  # fmt: skip
    """Write the sign of a text, -1 for what a pattern found, and its form if need be.

    Return where it ends, 0 where a form cannot be written, -1 where `out` is too short.
    """
    start, size = plan.sign_at[sign]
    follows = plan.forms[sign] and _is_at(buffer, place + length, stop, _OPEN)
    formed = text < 0 or plan.formed[text] or follows
    if at + size + length + 2 * _SIGN + 16 > out.shape[0]:
        return -1
    if formed:
        for i in range(place, place + length):
            if _is_at(buffer, i, place + length, _CLOSE):
                return 0
    at = _put(out, at, plan.blob, start, size)
    if formed:
        at = _put(out, at, _OPEN, 0, _SIGN)
        at = _put(out, at, buffer, place, length)
        at = _put(out, at, _CLOSE, 0, _SIGN)
    return at


@njit(nogil=True, cache=True)
def _restore(  # noqa: C901 - a kernel
    buffer: np.ndarray, low: int, stop: int, plan: Plan, out: np.ndarray, at: int
) -> int:
    """Write one line of hyperword text as it was; return where it ends, -1 if `out` is short."""
    place = copied = low
    word, joined = False, False
    signs, classes = plan.signs, plan.classes
    room = out.shape[0] - 16
    first = np.int64(signs[0, 0])
    while place < stop:
        byte = np.int64(buffer[place])
        kind, width = look(buffer, place, stop, classes)
        inside = 1 << kind & IN_WORD != 0
        if not (inside and (word or joined)):
            if byte == _ESCAPE[0] and _is_at(buffer, place, stop, _ESCAPE):
                behind = place + _SIGN
                length = _SIGN if _is_at(buffer, behind, stop, _ESCAPE) else 0
                if length == 0 and behind < stop:
                    _, length = find_longest(buffer, behind, stop, low, signs, classes)
                if at + (behind - copied) + length > room:
                    return -1
                # an escape that escapes nothing is not of ours, and stays
                at = _put(out, at, buffer, copied, (place if length else behind) - copied)
                copied = behind
                place = behind + length
                word, joined = joins_words(buffer, place, low, classes)
                continue
            if signs[first + byte, 1] == 0 and not (
                1 << kind & JOINS and word and in_word(buffer, place + width, stop, classes)
            ):
                sign, length = find_longest(buffer, place, stop, low, signs, classes)
                if sign >= 0:
                    if at + (place - copied) > room:
                        return -1
                    at = _put(out, at, buffer, copied, place - copied)
                    used, at = _put_text(buffer, place, length, stop, plan, out, at, sign)
                    if at < 0:
                        return -1
                    place += used
                    copied = place
                    word, joined = joins_words(buffer, place, low, classes)
                    continue
        joined = word and 1 << kind & JOINS != 0
        word = inside
        place += width
    if at + (stop - copied) > room:
        return -1
    return _put(out, at, buffer, copied, stop - copied)


@njit(nogil=True, cache=True)
def _put_text(
    buffer: np.ndarray, place: int, length: int, stop: int, plan: Plan, out: np.ndarray, at: int,
    sign: int,
) -> tuple[int, int]:  # fmt: skip
    """Write what a sign stands for; return the bytes read, and where it ends or -1."""
    behind = place + length
    if plan.forms[sign] and _is_at(buffer, behind, stop, _OPEN):
        end = behind + _SIGN
        while end < stop and not _is_at(buffer, end, stop, _CLOSE):
            end += 1
        if end < stop:
            size = end - behind - _SIGN
            if at + size + 16 > out.shape[0]:
                return 0, -1
            return end + _SIGN - place, _put(out, at, buffer, behind + _SIGN, size)
    start, size = plan.text_at[sign]
    if start < 0:
        if at + length + 16 > out.shape[0]:
            return 0, -1
        return length, _put(out, at, buffer, place, length)
    if at + size + 16 > out.shape[0]:
        return 0, -1
    return length, _put(out, at, plan.blob, start, size)


@njit(nogil=True, cache=True)
def _put(out: np.ndarray, at: int, source: np.ndarray, start: int, size: int) -> int:
    """Copy bytes; return where they end."""
    for i in range(size):
        out[at + i] = source[start + i]
    return at + size


@njit(nogil=True, cache=True)
def _is_at(buffer: np.ndarray, place: int, stop: int, sign: np.ndarray) -> bool:
    """Say whether a sign of three bytes stands at a place."""
    return (
        place + _SIGN <= stop and buffer[place] == sign[0] and buffer[place + 1] == sign[1]
        and buffer[place + 2] == sign[2]
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _same(left: np.ndarray, right: np.ndarray, start: int, size: int) -> bool:
    for i in range(size):  # noqa: SIM110 - a kernel
        if left[i] != right[start + i]:
            return False
    return True


@njit(nogil=True, cache=True)
def _is_chosen(
    buffer: np.ndarray, low: int, stop: int, place: int, share: float, seed: int
) -> bool:
    """Say whether a place is rewritten: by the seed, its place in the line, and what is around."""
    if share >= 1:
        return True
    mixed = _u64(seed) * _u64(0x9E3779B97F4A7C15) + _u64(place - low) * _u64(0xC2B2AE3D27D4EB4F)
    for i in range(max(low, place - 16), min(stop, place + 16)):
        mixed = (mixed ^ _u64(buffer[i])) * _u64(0x100000001B3)
    mixed ^= mixed >> _u64(29)
    mixed *= _u64(0xBF58476D1CE4E5B9)
    return bool((mixed >> _u64(11)) * (1.0 / (1 << 53)) < share)
