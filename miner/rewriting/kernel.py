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
    Trie,
    find_longest,
    find_start,
    joins_words,
    mark_starts,
    step_over,
)

ESCAPE, LITERAL = "␛", "␚"  # U+241B, U+241A
OPEN, CLOSE = "⟨", "⟩"
_ESCAPE = np.frombuffer(ESCAPE.encode(), np.uint8)
_LITERAL = np.frombuffer(LITERAL.encode(), np.uint8)
_OPEN = np.frombuffer(OPEN.encode(), np.uint8)
_CLOSE = np.frombuffer(CLOSE.encode(), np.uint8)
_SIGN = 3  # bytes of each of these
_LEFT = -2  # a line that would not come back
_u64 = np.uint64


class Plan(NamedTuple):
    """Texts and signs as arrays.

    `texts` finds texts, then signs (`forward` int32: of a text its sign, of a sign -1), `signs`
    finds signs; `classes` of code points. `blob` holds all bytes; `sign_at` (signs, 2) and
    `text_at` (signs, 2) where a sign and the text it stands for lie in it, -1 where it stands for
    forms alone; `formed` (texts,) which texts keep their form, `forms` (signs,) which signs may
    have one. `share` of the places, by `seed`. `safe`: only lines with a text or a sign of
    `careful` (texts,), `careful_signs` (signs,) must be restored to be sure; see `find_careful`.
    """

    texts: Trie
    signs: Trie
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
def rewrite_lines(
    buffer: np.ndarray,
    ends: np.ndarray,
    plan: Plan,
    spans: np.ndarray,
    out: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Write lines, each with its newline, as hyperword text; return the bytes, -1 if out is short.

    Line i is `buffer[ends[i]:ends[i + 1]]`. `spans` int64 (n, 3): where what patterns found begins
    and ends, and its sign, in order and apart. `counts` int64 (3,) grows: places replaced, signs
    escaped, lines left as they are.
    """
    at = 0
    span = 0
    scratch = np.empty(1 << 16, np.uint8)
    starts = mark_starts(plan.texts, plan.classes, _ESCAPE[0])
    back = mark_starts(plan.signs, plan.classes, _ESCAPE[0])
    for line in range(ends.shape[0] - 1):
        low, high = ends[line], ends[line + 1]
        stop = high - 1 if high > low and buffer[high - 1] == 10 else high
        if scratch.shape[0] < 2 * (stop - low) + 64:
            scratch = np.empty(3 * (stop - low) + 64, np.uint8)
        while span < spans.shape[0] and spans[span, 0] < low:
            span += 1
        end, replaced, escaped = _rewrite_safely(
            buffer, low, stop, plan, starts, back, spans[span:], out, at, scratch
        )
        counts[0] += replaced
        counts[1] += escaped
        if end == _LEFT:
            end = -1
            if at + _SIGN + stop - low < out.shape[0]:
                end = _put(out, at, _LITERAL, 0, _SIGN)
                end = _put(out, end, buffer, low, stop - low)
            counts[2] += 1
        if end < 0:
            return -1
        at = end
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
    starts = mark_starts(plan.signs, plan.classes, _ESCAPE[0])
    for line in range(ends.shape[0] - 1):
        low, high = ends[line], ends[line + 1]
        stop = high - 1 if high > low and buffer[high - 1] == 10 else high
        if _is_at(buffer, low, stop, _LITERAL):
            if at + stop - low >= out.shape[0]:
                return -1
            at = _put(out, at, buffer, low + _SIGN, stop - low - _SIGN)
        else:
            at = _restore(buffer, low, stop, plan, starts, out, at)
            if at < 0:
                return -1
        if stop < high:
            if at >= out.shape[0]:
                return -1
            out[at] = 10
            at += 1
    return at


@njit(nogil=True, cache=True)
def _rewrite_safely(
    buffer: np.ndarray,
    low: int,
    stop: int,
    plan: Plan,
    starts: np.ndarray,
    back: np.ndarray,
    spans: np.ndarray,
    out: np.ndarray,
    at: int,
    scratch: np.ndarray,
) -> tuple[int, int, int]:
    """Write one line; return where it ends (-1 if `out` is short), places replaced and escaped.

    Where it would not come back, it is written again without what wants care; where that would not
    either, the end is `_LEFT`.
    """
    if _is_at(buffer, low, stop, _LITERAL):
        return _LEFT, 0, 0
    for wary in (False, True):
        end, replaced, escaped, marks = _rewrite(
            buffer, low, stop, plan, starts, spans, out, at, wary
        )
        if end < 0 or (marks == 0 and (replaced + escaped == 0 or plan.safe)):
            return end, replaced, escaped
        size = _restore(out, at, end, plan, back, scratch, 0)
        if size == stop - low and _same(scratch, buffer, low, size):
            return end, replaced, escaped
    return _LEFT, 0, 0


@njit(nogil=True, cache=True)
def _rewrite(  # noqa: C901 - a kernel
    buffer: np.ndarray,
    low: int,
    stop: int,
    plan: Plan,
    starts: np.ndarray,
    spans: np.ndarray,
    out: np.ndarray,
    at: int,
    wary: bool,
) -> tuple[int, int, int, int]:
    """Write one line; return where it ends (-1 if `out` is short), places replaced and escaped.

    `wary`: texts that want care, and what patterns found, stay as they are.
    Last, how many marks of ours the line had by itself, and texts and signs that want care.
    """
    place, copied, replaced, escaped, marks = low, low, 0, 0, 0
    word, joined = False, False
    texts, signs, classes = plan.texts, plan.signs, plan.classes
    room = out.shape[0] - 2 * _SIGN - 16
    span = 0
    next_span = spans[0, 0] if spans.shape[0] and not wary else stop
    while True:
        place, word, joined = find_start(
            buffer, place, min(next_span, stop), stop, word, joined, starts, classes
        )
        if place >= stop:
            break
        text: Any = -1
        sign: Any = -1
        spanned = place >= next_span
        if spanned:
            span, sign, length = _take_span(
                buffer, place, stop, low, word or joined, plan, spans, span
            )
            next_span = spans[span, 0] if span < spans.shape[0] else stop
        else:
            text, length = find_longest(buffer, place, stop, low, texts, classes)
            if text >= 0 and not (wary and plan.careful[text]):
                sign = np.int64(plan.forward[text])
        if sign >= 0 and _is_chosen(buffer, low, stop, place, plan.share, plan.seed):
            start, size = plan.sign_at[sign]
            follows = plan.forms[sign] and _is_at(buffer, place + length, stop, _OPEN)
            formed = text < 0 or plan.formed[text] or follows
            if not formed or _find_sign(buffer, place, place + length, _CLOSE) < 0:
                if at + (place - copied) + size + length > room:
                    return -1, 0, 0, 0
                at = _put(out, at, buffer, copied, place - copied)
                at = _put(out, at, plan.blob, start, size)
                if formed:
                    at = _put_form(out, at, buffer, place, length)
                replaced += 1
                marks += text < 0 or plan.careful[text]
                place += length
                copied = place
                word, joined = joins_words(buffer, place, low, classes)
                continue
        if spanned:  # what is not replaced is looked at once more, as any place is
            continue
        length = 0
        if text >= 0:
            own, length = find_longest(buffer, place, stop, low, signs, classes)
            marks += own >= 0 and plan.careful_signs[own]
        if length == 0 and _is_at(buffer, place, stop, _ESCAPE):
            length = _SIGN
            marks += 1
        if length == 0:
            place, word, joined = step_over(buffer, place, stop, word, classes)
            continue
        if at + (place - copied) > room:
            return -1, 0, 0, 0
        at = _put(out, at, buffer, copied, place - copied)
        at = _put(out, at, _ESCAPE, 0, _SIGN)
        escaped += 1
        copied = place
        place += length
        word, joined = joins_words(buffer, place, low, classes)
    if at + (stop - copied) > room:
        return -1, 0, 0, 0
    return _put(out, at, buffer, copied, stop - copied), replaced, escaped, marks


@njit(nogil=True, cache=True)
def _take_span(
    buffer: np.ndarray,
    place: int,
    stop: int,
    low: int,
    inside: bool,
    plan: Plan,
    spans: np.ndarray,
    span: int,
) -> tuple[int, int, int]:
    """Return the number of the next span, and the sign and the length of that at a place.

    The sign is -1 where no span begins, or where a text that is longer does; `inside` a word none.
    """
    while span < spans.shape[0] and spans[span, 0] < place:
        span += 1
    if span == spans.shape[0] or spans[span, 0] != place:
        return span, -1, 0
    length: Any = spans[span, 1] - place
    _, other = find_longest(buffer, place, stop, low, plan.texts, plan.classes)
    return span + 1, spans[span, 2] if inside or other <= length else -1, length


@njit(nogil=True, cache=True)
def _restore(
    buffer: np.ndarray,
    low: int,
    stop: int,
    plan: Plan,
    starts: np.ndarray,
    out: np.ndarray,
    at: int,
) -> int:
    """Write one line of hyperword text as it was; return where it ends, -1 if `out` is short."""
    place = copied = low
    word, joined = False, False
    signs, classes = plan.signs, plan.classes
    room = out.shape[0] - 16
    while True:
        place, word, joined = find_start(buffer, place, stop, stop, word, joined, starts, classes)
        if place >= stop:
            break
        if _is_at(buffer, place, stop, _ESCAPE):
            behind = place + _SIGN
            length: Any = _SIGN if _is_at(buffer, behind, stop, _ESCAPE) else 0
            if length == 0 and behind < stop:
                _, length = find_longest(buffer, behind, stop, low, signs, classes)
            if at + (behind - copied) + length > room:
                return -1
            # an escape that escapes nothing is not of ours, and stays
            at = _put(out, at, buffer, copied, (place if length else behind) - copied)
            copied = behind
            place = behind + length
        else:
            sign, length = find_longest(buffer, place, stop, low, signs, classes)
            if sign < 0:
                place, word, joined = step_over(buffer, place, stop, word, classes)
                continue
            if at + (place - copied) > room:
                return -1
            at = _put(out, at, buffer, copied, place - copied)
            used, at = _put_text(buffer, place, length, stop, plan, out, at, sign)
            if at < 0:
                return -1
            place += used
            copied = place
        word, joined = joins_words(buffer, place, low, classes)
    if at + (stop - copied) > room:
        return -1
    return _put(out, at, buffer, copied, stop - copied)


@njit(nogil=True, cache=True)
def _put_text(
    buffer: np.ndarray,
    place: int,
    length: int,
    stop: int,
    plan: Plan,
    out: np.ndarray,
    at: int,
    sign: int,
) -> tuple[int, int]:
    """Write what a sign stands for; return the bytes read, and where it ends or -1."""
    behind = place + length
    if plan.forms[sign] and _is_at(buffer, behind, stop, _OPEN):
        end = _find_sign(buffer, behind + _SIGN, stop, _CLOSE)
        if end >= 0:
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
    for i in range(np.uint64(size)):
        out[np.uint64(at) + i] = source[np.uint64(start) + i]
    return at + size


@njit(nogil=True, cache=True)
def _put_form(out: np.ndarray, at: int, buffer: np.ndarray, place: int, length: int) -> int:
    """Write what stands at a place between the marks of a form; return where it ends."""
    at = _put(out, at, _OPEN, 0, _SIGN)
    at = _put(out, at, buffer, place, length)
    return _put(out, at, _CLOSE, 0, _SIGN)


@njit(nogil=True, cache=True)
def _find_sign(buffer: np.ndarray, place: int, stop: int, sign: np.ndarray) -> int:
    """Return where a sign of three bytes first stands between two places, or -1."""
    while place < stop:
        if _is_at(buffer, place, stop, sign):
            return place
        place += 1
    return -1


@njit(nogil=True, cache=True)
def _is_at(buffer: np.ndarray, place: int, stop: int, sign: np.ndarray) -> bool:
    """Say whether a sign of three bytes stands at a place."""
    return (
        place + _SIGN <= stop
        and buffer[place] == sign[0]
        and buffer[place + 1] == sign[1]
        and buffer[place + 2] == sign[2]
    )


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
