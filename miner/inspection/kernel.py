"""Bytes to counts: how many characters, words, lines and repeated documents are there?

Compiled kernels over blocks of any size. What goes on from block to block is in `state`.
"""

from __future__ import annotations

import numba
import numpy as np

from miner.text.unicode import CODE_POINTS

# What `state` holds, int64. INSIDE are the characters of documents, without line ends between.
(
    WORDS,
    LINES,
    DOCUMENTS,
    EMPTY,
    BAD,
    FIRST_BAD,
    FIRST_BAD_LINE,
    CRLF,
    IN_WORD,
    AFTER_CR,
    OPEN_CHARACTERS,
    OPEN_BYTES,
    NUMBER,
    LONGEST,
    LONGEST_BYTES,
    LONGEST_NUMBER,
    OFFSET,
    HASH,
    INSIDE,
    STATE_SIZE,
) = range(20)
BREAK, RETURN = 10, 13
EXACT_LENGTHS = 1024  # shorter documents are counted by length, longer ones to a sixteenth
LENGTH_BINS = EXACT_LENGTHS + 16 * 54
LEVELS = 32
SEED, PRIME = np.int64(-3750763034362895579), np.int64(1099511628211)  # FNV-1a of 64 bits


@numba.njit(cache=True, nogil=True)
def scan_lines(block, final, white, state, points, lengths, hashes, sizes):  # type: ignore[no-untyped-def]
    """Count the lines of a block, each one document; return (bytes used, documents ended).

    `white` bool (0x110000,) says what parts words; `points` int64 counts every code point.
    `hashes` uint64 and `sizes` int64 have room for a document per byte and one more. A character
    that the block cuts is left for the next one, unless this is the `final` one.
    """
    used, ended = _scan(
        block, 0, len(block), True, final, white, state, points, lengths, hashes, sizes, 0
    )
    state[OFFSET] += used
    if final and state[OPEN_BYTES] > 0:
        ended = _finish(state, lengths, hashes, sizes, ended)
        state[LINES] += 1
        state[IN_WORD] = 0
    return used, ended


@numba.njit(cache=True, nogil=True)
def scan_documents(buffer, starts, ends, white, state, points, lengths, hashes, sizes):  # type: ignore[no-untyped-def]
    """Count documents that are whole and UTF-8; return how many they are."""
    ended = 0
    for number in range(len(starts)):
        _scan(
            buffer,
            starts[number],
            ends[number],
            False,
            True,
            white,
            state,
            points,
            lengths,
            hashes,
            sizes,
            ended,
        )
        ended = _finish(state, lengths, hashes, sizes, ended)
        state[LINES] += 1
        state[IN_WORD] = 0
        state[AFTER_CR] = 0
    return ended


@numba.njit(cache=True, nogil=True)
def _scan(block, place, end, by_line, final, white, state, points, lengths, hashes, sizes, ended):  # type: ignore[no-untyped-def]
    """Count from `place` to `end`; return (where it stopped, documents ended)."""
    words, in_word = np.int64(0), state[IN_WORD] != 0
    mixed, characters, size = state[HASH], state[OPEN_CHARACTERS], state[OPEN_BYTES]
    first, begin = place, place - size
    while place < end:
        byte = np.int64(block[place])
        if byte == BREAK:
            points[BREAK] += 1
            state[LINES] += 1
            cr = block[place - 1] == RETURN if place > first else state[AFTER_CR] != 0
            state[CRLF] += cr
            in_word = False
            place += 1
            if not by_line:
                mixed = (mixed ^ BREAK) * PRIME
                characters += 1
                continue
            state[HASH], state[OPEN_CHARACTERS] = mixed, characters
            state[OPEN_BYTES] = place - 1 - begin
            ended = _finish(state, lengths, hashes, sizes, ended)
            mixed, characters, begin = SEED, np.int64(0), place
            continue
        width, point = 1, byte
        if byte >= 0x80:
            width, point = _decode(block, place, end)
            if width == 0 and final:
                width, point = 1, CODE_POINTS + byte
            if width == 0:
                break
        if point < CODE_POINTS:
            points[point] += 1
            solid = not white[point]
            words += solid and not in_word
            in_word = solid
        else:
            if state[BAD] == 0:
                state[FIRST_BAD] = state[OFFSET] + place - first
                state[FIRST_BAD_LINE] = state[LINES] + 1
            state[BAD] += 1
            words += not in_word
            in_word = True
        mixed = (mixed ^ point) * PRIME
        characters += 1
        place += width
    state[WORDS] += words
    state[IN_WORD] = in_word
    state[HASH], state[OPEN_CHARACTERS], state[OPEN_BYTES] = mixed, characters, place - begin
    if place > first:
        state[AFTER_CR] = block[place - 1] == RETURN
    return place, ended


@numba.njit(cache=True, nogil=True, inline="always")
def _decode(block, place, end):  # type: ignore[no-untyped-def]
    """Return (bytes, code point) of a character; (1, above all) if bad, (0, 0) if it is cut."""
    byte = np.int64(block[place])
    if byte < 0xC2 or byte >= 0xF5:
        return 1, CODE_POINTS + byte
    width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    point = byte & (0x7F >> width)
    for ahead in range(1, width):
        if place + ahead >= end:
            return 0, np.int64(0)
        follow = np.int64(block[place + ahead])
        low = 0xA0 if byte == 0xE0 else 0x90 if byte == 0xF0 else 0x80
        high = 0x9F if byte == 0xED else 0x8F if byte == 0xF4 else 0xBF
        if ahead > 1:
            low, high = 0x80, 0xBF
        if not low <= follow <= high:
            return 1, CODE_POINTS + byte
        point = (point << 6) | (follow & 0x3F)
    return width, point


@numba.njit(cache=True, nogil=True)
def _finish(state, lengths, hashes, sizes, ended):  # type: ignore[no-untyped-def]
    """End the open document: note its length, and its hash unless it is empty."""
    characters, size = state[OPEN_CHARACTERS], state[OPEN_BYTES]
    state[DOCUMENTS] += 1
    state[INSIDE] += characters
    state[NUMBER] += 1
    lengths[length_bin(characters)] += 1
    if characters > state[LONGEST]:
        state[LONGEST], state[LONGEST_BYTES] = characters, size
        state[LONGEST_NUMBER] = state[NUMBER]
    if size == 0:
        state[EMPTY] += 1
    else:
        mixed = np.uint64(state[HASH])
        mixed ^= mixed >> np.uint64(31)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        hashes[ended], sizes[ended] = mixed, size
        ended += 1
    state[HASH], state[OPEN_CHARACTERS], state[OPEN_BYTES] = SEED, 0, 0
    return ended


@numba.njit(cache=True, nogil=True)
def length_bin(length):  # type: ignore[no-untyped-def]
    """Return the bin of a length: itself if small, else by its first five binary digits."""
    if length < EXACT_LENGTHS:
        return length
    power = 0
    while length >> power >= 32:
        power += 1
    return EXACT_LENGTHS + 16 * (power - 6) + ((length >> power) - 16)


@numba.njit(cache=True, nogil=True)
def count_repeats(hashes, sizes, table, level, seen):  # type: ignore[no-untyped-def]
    """Note documents in a table of hashes; return how many were new to it.

    A document's level is how many zeros its hash ends in; those below `level` are counted and not
    looked up. `seen` int64 (LEVELS, 4): documents, their bytes, those met before, their bytes.
    """
    fresh, room = 0, len(table) - 1
    for number in range(len(hashes)):
        mixed = hashes[number]
        own = _trailing_zeros(mixed)
        seen[own, 0] += 1
        seen[own, 1] += sizes[number]
        if own < level:
            continue
        slot = np.int64(mixed >> np.uint64(20)) & room
        key = mixed | np.uint64(1) << np.uint64(63)  # no hash is 0, which means free
        while table[slot] != 0 and table[slot] != key:
            slot = (slot + 1) & room
        if table[slot] == 0:
            table[slot] = key
            fresh += 1
        else:
            seen[own, 2] += 1
            seen[own, 3] += sizes[number]
    return fresh


@numba.njit(cache=True, nogil=True)
def move_hashes(old, table, level):  # type: ignore[no-untyped-def]
    """Put the hashes of at least `level` into an empty table; return how many they are."""
    moved, room = 0, len(table) - 1
    for key in old:
        if key == 0 or _trailing_zeros(key) < level:
            continue
        slot = np.int64((key & ~(np.uint64(1) << np.uint64(63))) >> np.uint64(20)) & room
        while table[slot] != 0:
            slot = (slot + 1) & room
        table[slot] = key
        moved += 1
    return moved


@numba.njit(cache=True, nogil=True, inline="always")
def _trailing_zeros(mixed):  # type: ignore[no-untyped-def]
    zeros = 0
    while zeros < LEVELS - 1 and (mixed >> np.uint64(zeros)) & np.uint64(1) == 0:
        zeros += 1
    return zeros


@numba.njit(cache=True, nogil=True)
def join_documents(buffer, starts, ends, out):  # type: ignore[no-untyped-def]
    """Write documents one after another, a line feed behind each; return the bytes written."""
    written = 0
    for number in range(len(starts)):
        size = ends[number] - starts[number]
        out[written : written + size] = buffer[starts[number] : ends[number]]
        written += size
        out[written] = BREAK
        written += 1
    return written


@numba.njit(cache=True, nogil=True)
def count_bytes(block, place, period, counts):  # type: ignore[no-untyped-def]
    """Count byte values by place in an element of `period` bytes: counts int64 (period, 256)."""
    row = place % period
    for byte in block:
        counts[row, byte] += 1
        row = row + 1 if row + 1 < period else 0
