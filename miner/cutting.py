"""UTF-8 to atoms, one compiled pass: where does each atom start and end?

The kernel decodes, looks each code point up in the class table of `miner.unicode`, cuts, and
interns the exact text of every atom, so that a corpus becomes one array of integers. The rules
are UAX #29 word boundaries, plus the shapes that the profiles of `miner.atoms` add.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from miner.unicode import (
    APOSTROPHE, CLASS, COLON, CONNECTOR, DIGIT, ENDING, EXTEND, HYPHEN, INFINITY, KATAKANA, LETTER,
    LINE, OPENING, PICTOGRAPH, POINT, PUNCTUATION, REGIONAL, SIGN, SPACE, SYMBOL, UPPER, VIRAMA, ZWJ,
)  # fmt: skip

WORDS, CODE, SIGNS, SPACED_OUT = range(4)  # the rules a profile cuts by
CAPITAL, OPENED, STARTS = 1, 2, 4  # what is known of an atom's place, one byte an atom

# Where a pass stands: the next document, the next byte, white space seen, a sentence starts,
# an opening bracket or quote stands before.
DOCUMENT, POSITION, SPACED, SENTENCE, OPEN, WRITTEN, TYPES, POOLED, SPAN = range(9)
STATE_SIZE = 9
SHORT = 15  # bytes; a text as short as this is its own key

_ENDS_A_WORD = sum(
    1 << kind for kind in (SPACE, LINE, PUNCTUATION, SYMBOL, PICTOGRAPH, REGIONAL, SIGN)
)

_u32, _u64 = np.uint32, np.uint64


@njit(nogil=True, cache=True, inline="always")
def _decode(buffer: np.ndarray, i: int) -> tuple[int, int]:
    """Return the code point at byte `i` of valid UTF-8 and its length in bytes."""
    byte = np.int64(buffer[i])
    if byte < 0x80:
        return byte, 1
    if byte < 0xE0:
        return ((byte & 31) << 6) | (buffer[i + 1] & 63), 2
    if byte < 0xF0:
        return ((byte & 15) << 12) | ((buffer[i + 1] & 63) << 6) | (buffer[i + 2] & 63), 3
    high = ((byte & 7) << 18) | (np.int64(buffer[i + 1] & 63) << 12)
    return high | ((buffer[i + 2] & 63) << 6) | (buffer[i + 3] & 63), 4


@njit(nogil=True, cache=True, inline="always")
def _short_class(buffer: np.ndarray, i: int, classes: np.ndarray) -> tuple[int, int]:
    """Return the table entry and the length of a character of one or two bytes, else (0, 0)."""
    byte = np.int64(buffer[i])
    if byte < 0x80:
        return np.int64(classes[byte]), 1
    if byte < 0xE0:
        return np.int64(classes[((byte & 31) << 6) | (buffer[i + 1] & 63)]), 2
    return 0, 0


@njit(nogil=True, cache=True, inline="always")
def _class_at(buffer: np.ndarray, i: int, end: int, classes: np.ndarray) -> int:
    """Return the table entry of the code point at byte `i`, LINE past the end."""
    if i >= end:
        return LINE
    point, _ = _decode(buffer, i)
    return classes[point]


@njit(nogil=True, cache=True, inline="always")
def _is_stop(what: int) -> bool:
    return (what >= APOSTROPHE and what <= PUNCTUATION) or what == COLON


@njit(nogil=True, cache=True)
def _end_of_cluster(buffer: np.ndarray, i: int, end: int, classes: np.ndarray, kind: int) -> int:
    """Return where the grapheme cluster that goes on at byte `i` ends; `kind` is its base."""
    while i < end:
        point, length = _decode(buffer, i)
        what = classes[point] & CLASS
        if what == EXTEND or what == VIRAMA or what == ZWJ:
            i += length
            after = _class_at(buffer, i, end, classes) & CLASS
            joins = (what == ZWJ and kind == PICTOGRAPH and after == PICTOGRAPH) or (
                what == VIRAMA and (after == LETTER or after == SIGN)
            )
            if joins:
                i += _decode(buffer, i)[1]
        elif what == REGIONAL and kind == REGIONAL:
            i += length
            kind = EXTEND
        else:
            break
    return i


@njit(nogil=True, cache=True, inline="always")
def _end_of_plain_word(buffer: np.ndarray, i: int, end: int, classes: np.ndarray) -> int:
    """Return where the letters that go on at byte `i` end, -1 where more than letters follows.

    Nearly every word of nearly every text ends here; the rest goes to `_end_of_atom`.
    """
    while i < end:
        entry, length = _short_class(buffer, i, classes)
        kind = entry & CLASS
        if kind != LETTER:
            return i if length > 0 and (1 << kind) & _ENDS_A_WORD else -1
        i += length
    return i


@njit(nogil=True, cache=True)
def _end_of_word(
    buffer: np.ndarray, start: int, end: int, classes: np.ndarray, joiners: bool
) -> int:
    """Return where the word, number, marker, formula or code node that starts at `start` ends."""
    point, length = _decode(buffer, start)
    entry = classes[point]
    last = entry & CLASS
    katakana = last == KATAKANA
    i = start + length
    letters, digits, connectors, lower = 0, 0, 0, False
    letters += last == LETTER
    digits += last == DIGIT
    connectors += last == CONNECTOR
    lower = last == LETTER and not entry & UPPER
    while i < end:
        point, length = _decode(buffer, i)
        entry = classes[point]
        what = entry & CLASS
        if what == LETTER:
            if katakana:
                break
            letters += 1
            lower |= not entry & UPPER
            last = what
        elif what == DIGIT:
            digits += 1
            last = what
        elif what == CONNECTOR:
            connectors += 1
            last = what
        elif what == KATAKANA:
            if not katakana:
                break
        elif what == EXTEND or what == VIRAMA or what == ZWJ:
            pass
        elif what == INFINITY and i == start + _decode(buffer, start)[1] and letters == 1:
            return i + length  # a formula: one letter and the sign of infinity
        else:
            after = _class_at(buffer, i + length, end, classes)
            following = after & CLASS
            if what == POINT:
                joins = last == DIGIT and following == DIGIT
                joins |= joiners and point == 0x2E and last == LETTER and following == LETTER
            elif what == APOSTROPHE:
                joins = joiners and last == LETTER and following == LETTER
            elif what == HYPHEN:
                joins = joiners and (last == LETTER or last == DIGIT)
                joins &= following == LETTER or following == DIGIT
            elif what == COLON:  # a code node: VXS_ΔC1:R8K
                joins = not lower and connectors > 0 and letters > 0 and digits > 0
                joins &= (following == LETTER and after & UPPER != 0) or following == DIGIT
            else:
                joins = False
            if not joins:
                break
            last = what
        i += length
    return i


@njit(nogil=True, cache=True)
def _end_of_address(buffer: np.ndarray, i: int, end: int, classes: np.ndarray) -> int:
    """Return where the URL whose scheme ends at byte `i` ends, `i` itself if there is none."""
    if i + 3 >= end or buffer[i] != 0x3A or buffer[i + 1] != 0x2F or buffer[i + 2] != 0x2F:
        return i
    last = i
    j = i + 3
    while j < end:
        point, length = _decode(buffer, j)
        what = classes[point] & CLASS
        if what == SPACE or what == LINE or point in (0x22, 0x3C, 0x3E, 0x29, 0x5D, 0x7D):
            break
        if classes[point] & OPENING and point != 0x28:
            break
        j += length
        if what == LETTER or what == DIGIT or what == CONNECTOR or point == 0x2F:
            last = j  # trailing punctuation belongs to the sentence
    return last


@njit(nogil=True, cache=True)
def _end_of_run(buffer: np.ndarray, i: int, end: int, classes: np.ndarray) -> int:
    """Return where the next white space is."""
    while i < end:
        point, length = _decode(buffer, i)
        what = classes[point] & CLASS
        if what == SPACE or what == LINE:
            break
        i += length
    return i


@njit(nogil=True, cache=True)
def _end_of_repeat(buffer: np.ndarray, i: int, end: int, point: int) -> int:
    """Return where a run of the punctuation mark `point` ends."""
    while i < end:
        other, length = _decode(buffer, i)
        if other != point:
            break
        i += length
    return i


@njit(nogil=True, cache=True)
def _end_of_atom(
    buffer: np.ndarray, start: int, end: int, classes: np.ndarray, rules: int, entry: int
) -> int:
    """Return where the atom that starts at byte `start` ends."""
    point, length = _decode(buffer, start)
    what = entry & CLASS
    if rules == SIGNS:
        return _end_of_cluster(buffer, start + length, end, classes, what)
    if rules == SPACED_OUT:
        return _end_of_run(buffer, start + length, end, classes)
    if what == LETTER or what == DIGIT or what == CONNECTOR or what == KATAKANA:
        i = _end_of_word(buffer, start, end, classes, rules == WORDS)
        return _end_of_address(buffer, i, end, classes) if rules == WORDS else i
    if rules == CODE and _is_stop(what) and not entry & OPENING:
        bracket = point == 0x29 or point == 0x5D or point == 0x7D
        return start + length if bracket else _end_of_repeat(buffer, start + length, end, point)
    return _end_of_cluster(buffer, start + length, end, classes, what)


@njit(nogil=True, cache=True, inline="always")
def _key(buffer: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Return two words that stand for a text: its bytes themselves where they fit in 15."""
    low, high = _u64(0), _u64(0)
    if end - start <= 8:
        for i in range(start, end):
            low = (low << _u64(8)) | _u64(buffer[i])
        return low, _u64(end - start)
    if end - start <= SHORT:
        for i in range(start, start + 8):
            low = (low << _u64(8)) | _u64(buffer[i])
        for i in range(start + 8, end):
            high = (high << _u64(8)) | _u64(buffer[i])
        return low, (high << _u64(8)) | _u64(end - start)
    low, high = _u64(14695981039346656037), _u64(0x9E3779B97F4A7C15)
    for i in range(start, end):
        low = (low ^ _u64(buffer[i])) * _u64(1099511628211)
        high = (high + _u64(buffer[i])) * _u64(0xD6E8FEB86659FD93)
    return low, (high << _u64(8)) | _u64(16)


@njit(nogil=True, cache=True, inline="always")
def _place(low: int, high: int, mask: int) -> int:
    mixed = (low ^ (high * _u64(0x9E3779B97F4A7C15))) * _u64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> _u64(32)
    return mixed & mask


@njit(nogil=True, cache=True)
def _is_text(
    buffer: np.ndarray, start: int, end: int, pool: np.ndarray, at: int, until: int
) -> bool:
    if until - at != end - start:
        return False
    for i in range(end - start):
        if pool[at + i] != buffer[start + i]:
            return False
    return True


@njit(nogil=True, cache=True, inline="always")
def _find(table: np.ndarray, low: int, high: int) -> tuple[int, int]:
    """Return the number of a text of at most 15 bytes, 0 if unseen, and its place in `table`.

    `table` holds four words a place: the two of `_key`, the number, nothing.
    """
    mask = _u64(table.shape[0] // 4 - 1)
    place = _place(low, high, mask) * _u64(4)
    number = np.int64(table[place + _u64(2)])
    while number != 0 and (table[place] != low or table[place + _u64(1)] != high):
        place = (place + _u64(4)) & (mask * _u64(4))
        number = np.int64(table[place + _u64(2)])
    return number, place


@njit(nogil=True, cache=True)
def _find_long(
    buffer: np.ndarray, start: int, end: int, table: np.ndarray, offsets: np.ndarray,
    pool: np.ndarray, low: int, high: int,
) -> tuple[int, int]:  # fmt: skip
    """Do what `_find` does for a longer text, whose key is a hash: it is compared by letters."""
    mask = _u64(table.shape[0] // 4 - 1)
    number, place = _find(table, low, high)
    while number != 0 and not _is_text(
        buffer, start, end, pool, offsets[number], offsets[number + 1]
    ):
        place = (place + _u64(4)) & (mask * _u64(4))
        number = np.int64(table[place + _u64(2)])
    return number, place


@njit(nogil=True, cache=True)
def _insert(
    buffer: np.ndarray, start: int, end: int, table: np.ndarray, offsets: np.ndarray,
    pool: np.ndarray, low: int, high: int, place: int, number: int,
) -> bool:  # fmt: skip
    """Give `number` to a text not seen before; False where the tables are full."""
    at = offsets[number]
    full = number * 6 >= table.shape[0] or number + 2 > offsets.shape[0]
    if full or at + (end - start) > pool.shape[0]:
        return False
    for i in range(end - start):
        pool[at + i] = buffer[start + i]
    offsets[number + 1] = at + (end - start)
    table[place], table[place + _u64(1)], table[place + _u64(2)] = low, high, _u64(number)
    return True


@njit(nogil=True, cache=True)
def rehash(old: np.ndarray, table: np.ndarray) -> None:
    """Put the entries of `old` into the larger `table`; four words a place, both flat."""
    mask = _u64(table.shape[0] // 4 - 1)
    for entry in range(0, old.shape[0], 4):
        if old[entry + 2] != 0:
            place = _place(old[entry], old[entry + 1], mask) * _u64(4)
            while table[place + _u64(2)] != 0:
                place = (place + _u64(4)) & (mask * _u64(4))
            table[place : place + _u64(4)] = old[entry : entry + 4]


@njit(nogil=True, cache=True, inline="always")
def _write_stop(ids: np.ndarray, flags: np.ndarray, written: int) -> int:
    """Write a stop unless one stands there already; return how many keys are written."""
    if written > 0 and ids[written - 1] != 0:
        ids[written] = 0
        flags[written] = 0
        return written + 1
    return written


@njit(nogil=True, cache=True)
def cut(
    buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, spans: np.ndarray, rules: int,
    keep_space: bool, classes: np.ndarray, table: np.ndarray, offsets: np.ndarray,
    pool: np.ndarray, ids: np.ndarray, flags: np.ndarray, first: np.ndarray, state: np.ndarray,
) -> bool:  # fmt: skip
    """Cut documents into `ids` and `flags`; `first[d]` is where document d starts in `ids`.

    `spans` (n, 2) are bytes that a pattern of the user makes one atom. Every document ends in a
    stop (0), and no two stops stand side by side. Returns False where `table`, `offsets` or
    `pool` is full: grow it and call again with the same `state`.
    """
    written, types, span = state[WRITTEN], state[TYPES], state[SPAN]
    spaced, sentence, opened = state[SPACED] != 0, state[SENTENCE] != 0, state[OPEN] != 0
    i, document = state[POSITION], state[DOCUMENT]
    letters = rules == WORDS or rules == CODE
    while document < starts.shape[0]:
        end = ends[document]
        if i < 0:
            i = starts[document]
            first[document] = written
            spaced, sentence, opened = False, True, False
        while i < end:
            point, length = _decode(buffer, i)
            entry = classes[point]
            what = entry & CLASS
            while span < spans.shape[0] and spans[span, 0] < i:
                span += 1
            stop = -1
            if span < spans.shape[0] and spans[span, 0] == i and spans[span, 1] <= end:
                stop = spans[span, 1]
            elif what == LETTER and letters:
                stop = _end_of_plain_word(buffer, i + length, end, classes)
                if span < spans.shape[0] and spans[span, 0] < stop:
                    stop = -1
            elif what == SPACE or (what == LINE and not keep_space):
                i += length
                breaks = what == LINE and rules == WORDS
                sentence |= breaks
                if breaks or (keep_space and (spaced or point != 0x20)):
                    written = _write_stop(ids, flags, written)
                spaced = True
                continue
            elif rules == WORDS and _is_stop(what):
                written = _write_stop(ids, flags, written)
                opened = entry & OPENING != 0
                if point == 0x22:  # a straight quote closes unless something stands open
                    opened = spaced or i == starts[document]
                sentence |= entry & ENDING != 0
                spaced = False
                i += length
                continue
            if stop < 0:
                stop = _end_of_atom(buffer, i, end, classes, rules, entry)
                if span < spans.shape[0] and spans[span, 0] > i and spans[span, 0] < stop:
                    stop = spans[span, 0]  # a pattern of the user starts inside
            low, high = _key(buffer, i, stop)
            if stop - i <= SHORT:
                number, place = _find(table, low, high)
            else:
                number, place = _find_long(buffer, i, stop, table, offsets, pool, low, high)
            if number == 0:
                number = types + 1
                if not _insert(buffer, i, stop, table, offsets, pool, low, high, place, number):
                    state[DOCUMENT], state[POSITION] = document, i
                    state[SPACED], state[SENTENCE], state[OPEN] = spaced, sentence, opened
                    state[WRITTEN], state[TYPES], state[SPAN] = written, types, span
                    return False
                types = number
            joined = spaced and written > 0 and ids[written - 1] != 0
            ids[written] = _u32(number << 1) | _u32(joined)
            flags[written] = CAPITAL * (entry & UPPER != 0) + OPENED * opened + STARTS * sentence
            written += 1
            spaced, sentence, opened = False, False, False
            i = stop
        written = _write_stop(ids, flags, written)
        document += 1
        i = -1
    state[DOCUMENT], state[POSITION] = 0, -1
    state[WRITTEN], state[TYPES], state[SPAN] = written, types, 0
    return True


@njit(nogil=True, cache=True)
def count_atoms(ids: np.ndarray, counts: np.ndarray) -> None:
    """Add each atom of the stream to `counts`."""
    for key in ids:
        counts[key >> 1] += 1


@njit(nogil=True, cache=True)
def renumber(ids: np.ndarray, numbers: np.ndarray) -> None:
    """Replace the atom of each key by `numbers[atom]`, in place; the space bit stays."""
    for i in range(ids.shape[0]):
        key = ids[i]
        ids[i] = (numbers[key >> 1] << _u32(1)) | (key & _u32(1))
