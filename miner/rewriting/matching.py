"""Texts to places in bytes: which of many texts stands here, the longest that is not inside a word?

A trie in a double array, walked by compiled code. A text that begins or ends with a letter is
found between words only; any bytes may be searched, also those that are no UTF-8.

Where it is hot, indices are unsigned: numba then need not ask whether they count from the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from miner.text.unicode import (
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
)

IN_WORD = sum(1 << kind for kind in (LETTER, DIGIT, EXTEND, ZWJ, CONNECTOR, KATAKANA, VIRAMA))
TRIED = 32  # free places that are looked at before a node goes to the end
JOINS = sum(1 << kind for kind in (APOSTROPHE, HYPHEN, POINT))  # between two letters, in a word


BEGINS, _INSIDE, _JOINER = 1, 2, 4  # of a byte: may a text begin, is it in a word, or joins two
_NODE = 0xFFFFFFFE  # the bits of a unit that name the node it belongs to
_NONE = 0xFFFFFFFE  # of a place that belongs to no node


class Trie(NamedTuple):
    """Texts to find, as a double array (Aoe 1989): from node n byte b leads to its base + b.

    `units` int64 (nodes,): the base in the upper half; below, the node that it belongs to, times
    two, and whether a text ends there. A step reads one of them, and nodes that follow each other
    lie side by side. `values` int32 (nodes,): the number of the text that ends there, or -1.
    """

    units: np.ndarray
    values: np.ndarray


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
            return _pack(steps[:used])
        room *= 2


def _pack(steps: np.ndarray) -> Trie:
    """Return the units of nodes: base, parent and value of each, -1 for none."""
    bases, parents, values = steps.T.astype(np.int64)
    units = np.where(parents < 0, _NONE, parents << 1) | (values >= 0)
    return Trie(np.maximum(bases, 0) << 32 | units, steps[:, 2].copy())


@njit(nogil=True, cache=True)
def _fill(joined: np.ndarray, starts: np.ndarray, names: np.ndarray, steps: np.ndarray) -> int:
    """Fill the double array of sorted texts, depth first; return its length, 0 if it is too small.

    `steps` int32 (room, 3): base, parent and value of each node, -1 for none.
    """
    room = steps.shape[0]
    after = np.arange(1, room + 1)  # free places, as a list linked both ways
    before = np.arange(-1, room - 1)
    stack = np.zeros((joined.shape[0] + 1, 4), np.int64)  # node, first text, last, depth
    stack[0] = (0, 0, starts.shape[0] - 1, 0)
    kinds, edges = np.zeros(256, np.int64), np.zeros(257, np.int64)
    top, used = 1, 257
    first = 257  # a leaf has the base 0: no step may lead to what is before
    before[first] = -1
    while top:
        top -= 1
        node, depth = stack[top, 0], stack[top, 3]
        count = _list_kinds(joined, starts, names, steps, stack[top], kinds, edges)
        if count == 0:
            continue
        base = _find_base(steps, after, kinds[:count], first, used)
        if base < 0:
            return 0
        steps[node, 0] = base
        used = max(used, base + 257)
        for kind in range(count - 1, -1, -1):
            child = base + kinds[kind]
            steps[child, 1] = node
            left, right = before[child], after[child]
            if left >= 0:
                after[left] = right
            else:
                first = right
            if right < room:
                before[right] = left
            stack[top] = (child, edges[kind], edges[kind + 1], depth + 1)
            top += 1
    return used


@njit(nogil=True, cache=True)
def _list_kinds(
    joined: np.ndarray,
    starts: np.ndarray,
    names: np.ndarray,
    steps: np.ndarray,
    about: np.ndarray,
    kinds: np.ndarray,
    edges: np.ndarray,
) -> int:
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
    buffer: np.ndarray, at: int, end: int, low: int, trie: Trie, classes: np.ndarray
) -> tuple[int, int]:
    """Return the number and the length of the longest text at a place, (-1, 0) where none stands.

    `low` and `end` bound the document. The caller sees to it that the place is no inside of a word.
    """
    units = trie.units
    value: Any = -1
    length, place = 0, at
    node: Any = np.int64(0)
    unit: Any = units[0]
    while place < end:
        child: Any = (unit >> 32) + np.int64(buffer[np.uint64(place)])
        unit = units[np.uint64(child)]
        if unit & _NODE != node << 1:
            break
        node = child
        place += 1
        if unit & 1 and ends_well(buffer, place, end, low, classes):
            value = np.int64(trie.values[node])
            length = place - at
    return value, length


@njit(nogil=True, cache=True)
def next_value(
    buffer: np.ndarray, node: int, place: int, end: int, trie: Trie
) -> tuple[int, int, int]:
    """Walk on from a node to the next where a text ends; return it, the place and the text or -1.

    Edges of words do not matter here.
    """
    units = trie.units
    while place < end:
        child: Any = (units[np.uint64(node)] >> 32) + np.int64(buffer[np.uint64(place)])
        unit: Any = units[np.uint64(child)]
        if unit & _NODE != node << 1:
            break
        node = child
        place += 1
        if unit & 1:
            return node, place, trie.values[node]
    return node, place, -1


@njit(nogil=True, cache=True)
def mark_starts(trie: Trie, classes: np.ndarray, escape: int) -> np.ndarray:
    """Return what each byte may be: uint8 (256,) of `BEGINS` a text, and for ASCII of its class.

    The byte `escape` begins one too.
    """
    starts = np.zeros(256, np.uint8)
    for byte in range(256):
        if byte == escape or trie.units[(trie.units[0] >> 32) + byte] & _NODE == 0:
            starts[byte] = BEGINS
        if byte < 0x80:
            kind: Any = np.int64(classes[byte] & CLASS)
            starts[byte] |= _mark_class(kind)
    return starts


@njit(nogil=True, cache=True)
def _mark_class(kind: int) -> int:
    return _INSIDE * (1 << kind & IN_WORD != 0) | _JOINER * (1 << kind & JOINS != 0)


@njit(nogil=True, cache=True)
def find_start(
    buffer: np.ndarray,
    place: int,
    until: int,
    stop: int,
    word: bool,
    joined: bool,
    starts: np.ndarray,
    classes: np.ndarray,
) -> tuple[int, bool, bool]:
    """Return the next place where a text may begin: between words, by its first byte.

    Where there is none, `until` or just behind it. `word`, `joined`: whether a letter stands before
    a place, and whether a joiner behind a letter does; of the place given, then of that returned.
    """
    while place < until:
        byte = buffer[np.uint64(place)]
        mark: Any = np.int64(starts[np.uint64(byte)])
        width: Any = 1
        if byte >= 0x80:
            kind, width = look(buffer, place, stop, classes)
            mark |= _mark_class(kind)
        if mark & BEGINS and not (
            (mark & _INSIDE and (word or joined))
            or (mark & _JOINER and word and in_word(buffer, place + width, stop, classes))
        ):
            break
        joined = word and mark & _JOINER != 0
        word = mark & _INSIDE != 0
        place += width
    return place, word, joined


@njit(nogil=True, cache=True)
def step_over(
    buffer: np.ndarray, place: int, stop: int, word: bool, classes: np.ndarray
) -> tuple[int, bool, bool]:
    """Return the place behind a character, and whether a letter, or a joiner, stands before it."""
    kind, width = look(buffer, place, stop, classes)
    return place + width, 1 << kind & IN_WORD != 0, word and 1 << kind & JOINS != 0


@njit(nogil=True, cache=True)
def ends_well(buffer: np.ndarray, place: int, end: int, low: int, classes: np.ndarray) -> bool:
    """Say whether a place lies on no inside of a character, nor between two letters of a word."""
    if place >= end or place <= low:
        return True
    if buffer[place] & 0xC0 == 0x80:
        return False
    if buffer[place] < 0x80 and buffer[place - 1] < 0x80:  # the usual ends, quickly
        kind = 1 << (classes[buffer[place]] & CLASS)
        if not kind & (IN_WORD | JOINS):
            return True
        if kind & IN_WORD and 1 << (classes[buffer[place - 1]] & CLASS) & IN_WORD:
            return False
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
    byte: Any = np.uint64(buffer[np.uint64(place)])
    if byte < 0x80:
        kind: Any = np.int64(classes[byte] & CLASS)
        return kind, 1
    if 0xC2 <= byte < 0xE0 and place + 1 < stop:
        follows = np.uint64(buffer[np.uint64(place + 1)])
        if follows & np.uint64(0xC0) == 0x80:
            code = (byte & np.uint64(31)) << np.uint64(6) | follows & np.uint64(63)
            kind = np.int64(classes[code] & CLASS)
            return kind, 2
    return name_class(buffer, place, stop, classes), min(width_of(byte), stop - place)
