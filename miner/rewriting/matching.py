"""Texts to places in bytes: which of many texts stands here, the longest that is not inside a word?

A trie in an open hash table, walked by compiled code. A text that begins or ends with a letter is
found between words only; any bytes may be searched, also those that are no UTF-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from miner.unicode import (
    APOSTROPHE,
    CLASS,
    CONNECTOR,
    DIGIT,
    EXTEND,
    HYPHEN,
    KATAKANA,
    LETTER,
    POINT,
    VIRAMA,
    ZWJ,
    class_table,
)

IN_WORD = sum(1 << kind for kind in (LETTER, DIGIT, EXTEND, ZWJ, CONNECTOR, KATAKANA, VIRAMA))
TRIED = 32  # free places that are looked at before a node goes to the end
JOINS = sum(1 << kind for kind in (APOSTROPHE, HYPHEN, POINT))  # between two letters, in a word


@dataclass(frozen=True)
class Trie:
    """Texts to find, as a double array (Aoe 1989): from node n byte b leads to `steps[n, 0] + b`.

    `steps` int32 (nodes, 3): where the steps of a node begin, the node that it belongs to, and the
    number of the text that ends there, -1 for none. `classes` of code points.
    """

    steps: np.ndarray
    classes: np.ndarray


def build_trie(texts: Sequence[bytes]) -> Trie:
    """Return the trie of some texts, none empty, none twice; text i has the value i."""
    if not all(texts) or len(set(texts)) != len(texts):
        raise ValueError("a trie has no empty text, and none twice")
    order = sorted(range(len(texts)), key=texts.__getitem__)
    joined = np.frombuffer(b"".join(texts[i] for i in order) + b"\0", np.uint8)
    ends = np.cumsum([0, *(len(texts[i]) for i in order)], dtype=np.int64)
    room = 2 * len(joined) + (1 << 12)
    while True:
        steps = np.full((room, 3), -1, np.int32)
        used = _fill(joined, ends, np.array(order, np.int32), steps)
        if used:
            return Trie(steps[:used].copy(), class_table())
        room *= 2


@njit(nogil=True, cache=True)
def _fill(joined: np.ndarray, starts: np.ndarray, names: np.ndarray, steps: np.ndarray) -> int:
    """Fill the double array of sorted texts; return its length, 0 where the room is too small."""
    room = steps.shape[0]
    after = np.arange(1, room + 1)  # free places, as a list linked both ways
    before = np.arange(-1, room - 1)
    queue = np.zeros((joined.shape[0] + 1, 4), np.int64)  # node, first text, last, depth
    queue[0] = (0, 0, starts.shape[0] - 1, 0)
    kinds, edges = np.zeros(256, np.int64), np.zeros(257, np.int64)
    head, tail, used = 0, 1, 257
    steps[0, 1] = 0
    first = 257  # places before it would begin before the array
    before[first] = -1
    while head < tail:
        node, depth = queue[head, 0], queue[head, 3]
        count = _list_kinds(joined, starts, names, steps, queue[head], kinds, edges)
        head += 1
        if count == 0:
            continue
        base = _find_base(steps, after, kinds[:count], first, used)
        if base < 0:
            return 0
        steps[node, 0] = base
        used = max(used, base + 257)
        for kind in range(count):
            child = base + kinds[kind]
            steps[child, 1] = node
            left, right = before[child], after[child]
            if left >= 0:
                after[left] = right
            else:
                first = right
            if right < room:
                before[right] = left
            queue[tail] = (child, edges[kind], edges[kind + 1], depth + 1)
            tail += 1
    return used


@njit(nogil=True, cache=True)
def _list_kinds(
    joined: np.ndarray, starts: np.ndarray, names: np.ndarray, steps: np.ndarray,
    about: np.ndarray, kinds: np.ndarray, edges: np.ndarray,
) -> int:  # fmt: skip
    """List the bytes that follow a node, and which texts have them; note the text that ends."""
    node, low, high, depth = about[0], about[1], about[2], about[3]
    count = 0
    for text in range(low, high):
        if starts[text] + depth == starts[text + 1]:
            steps[node, 2] = names[text]
            continue
        byte = np.int64(joined[starts[text] + depth])
        if count == 0 or kinds[count - 1] != byte:
            kinds[count], edges[count] = byte, text
            count += 1
    edges[count] = high
    return count


@njit(nogil=True, cache=True)
def _find_base(
    steps: np.ndarray, after: np.ndarray, kinds: np.ndarray, first: int, used: int
) -> int:
    """Return where the steps of a node may begin: the first that fits of `TRIED`, else new."""
    room = steps.shape[0]
    place = first
    tries = 0
    while place < room and tries < TRIED:
        base = place - kinds[0]
        if base > 0 and base + 257 < room:
            fits = True
            for kind in kinds[1:]:
                fits = fits and steps[base + kind, 1] < 0
            if fits:
                return base
        place = after[place]
        tries += 1
    return used if used + 257 < room else -1


@njit(nogil=True, cache=True)
def find_longest(
    buffer: np.ndarray, at: int, end: int, low: int, steps: np.ndarray, classes: np.ndarray
) -> tuple[int, int]:
    """Return the number and the length of the longest text at a place, (-1, 0) where none stands.

    `low` and `end` bound the document. The caller sees to it that the place is no inside of a word.
    """
    value: Any = -1
    node: Any = np.int64(0)
    length, place = 0, at
    while place < end:
        base = np.int64(steps[node, 0])
        child = base + np.int64(buffer[place])
        if base < 0 or np.int64(steps[child, 1]) != node:
            break
        node = child
        place += 1
        if steps[node, 2] >= 0 and ends_well(buffer, place, end, low, classes):
            value = np.int64(steps[node, 2])
            length = place - at
    return value, length


@njit(nogil=True, cache=True)
def ends_well(buffer: np.ndarray, place: int, end: int, low: int, classes: np.ndarray) -> bool:
    """Say whether a place lies on no inside of a character, nor between two letters of a word."""
    if place >= end or place <= low:
        return True
    if buffer[place] & 0xC0 == 0x80:
        return False
    if (
        buffer[place] < 0x80
        and buffer[place - 1] < 0x80
        and not (1 << (classes[buffer[place]] & CLASS) & (IN_WORD | JOINS))
    ):  # the usual end: a space
        return True
    after = name_class(buffer, place, end, classes)
    before, width = _class_before(buffer, place, low, classes)
    if 1 << before & IN_WORD and 1 << after & IN_WORD:
        return False
    if 1 << before & IN_WORD and 1 << after & JOINS:
        beyond = place + width_of(buffer[place])
        return beyond >= end or not 1 << name_class(buffer, beyond, end, classes) & IN_WORD
    if 1 << after & IN_WORD and 1 << before & JOINS:
        earlier = place - width
        return earlier <= low or not (
            1 << _class_before(buffer, earlier, low, classes)[0] & IN_WORD
        )
    return True


@njit(nogil=True, cache=True)
def width_of(byte: int) -> int:
    """Return how many bytes a character has by its first; 1 where it is none."""
    if byte < 0xC0:
        return 1
    return 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4


@njit(nogil=True, cache=True)
def name_class(buffer: np.ndarray, place: int, end: int, classes: np.ndarray) -> int:
    """Return the class of the character at a place; that of a sign where bytes are no UTF-8."""
    byte: Any = np.int64(buffer[place])
    if byte < 0x80:
        return classes[byte] & CLASS
    width = width_of(byte)
    if byte < 0xC2 or byte > 0xF4 or place + width > end:
        return classes[0] & CLASS
    code = byte & (0xFF >> (width + 1))
    for i in range(1, width):
        if buffer[place + i] & 0xC0 != 0x80:
            return classes[0] & CLASS
        code = code << 6 | (buffer[place + i] & 0x3F)
    return classes[code] & CLASS if code < classes.shape[0] else classes[0] & CLASS


@njit(nogil=True, cache=True)
def _class_before(buffer: np.ndarray, place: int, low: int, classes: np.ndarray) -> tuple[int, int]:
    """Return the class of the character before a place, and its bytes."""
    start = place - 1
    while start > low and place - start < 4 and buffer[start] & 0xC0 == 0x80:
        start -= 1
    if start + width_of(buffer[start]) != place:
        return classes[0] & CLASS, 1
    return name_class(buffer, start, place, classes), place - start


@njit(nogil=True, cache=True)
def in_word(buffer: np.ndarray, place: int, end: int, classes: np.ndarray) -> bool:
    """Say whether a letter, a digit or what belongs to one stands at a place."""
    return place < end and 1 << name_class(buffer, place, end, classes) & IN_WORD != 0


@njit(nogil=True, cache=True)
def joins_words(buffer: np.ndarray, place: int, low: int, classes: np.ndarray) -> tuple[bool, bool]:
    """Say whether a letter stands before a place, and whether a joiner behind a letter does."""
    if place <= low:
        return False, False
    before, width = _class_before(buffer, place, low, classes)
    if 1 << before & IN_WORD:
        return True, False
    if not 1 << before & JOINS or place - width <= low:
        return False, False
    return False, 1 << _class_before(buffer, place - width, low, classes)[0] & IN_WORD != 0


@njit(nogil=True, cache=True)
def look(buffer: np.ndarray, place: int, stop: int, classes: np.ndarray) -> tuple[int, int]:
    """Return the class and the bytes of the character at a place."""
    byte: Any = np.int64(buffer[place])
    if byte < 0x80:
        kind: Any = np.int64(classes[byte] & CLASS)
        return kind, 1
    if 0xC2 <= byte < 0xE0 and place + 1 < stop and buffer[place + 1] & 0xC0 == 0x80:
        kind = np.int64(classes[(byte & 31) << 6 | np.int64(buffer[place + 1] & 63)] & CLASS)
        return kind, 2
    return name_class(buffer, place, stop, classes), min(width_of(byte), stop - place)
