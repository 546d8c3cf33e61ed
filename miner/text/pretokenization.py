"""UTF-8 to atoms, one compiled pass: where does each atom start and end?

The kernel decodes, looks each code point up in the class table of `miner.text.unicode`, cuts, and
interns the exact text of every atom, so that a corpus becomes one array of integers. The rules
are UAX #29 word boundaries, plus the shapes that the profiles of `miner.text.profiles` add.
"""

from __future__ import annotations

import unicodedata
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from miner.text.unicode import (
    APOSTROPHE,
    CLASS,
    COLON,
    CONNECTOR,
    DIGIT,
    ENDING,
    EXTEND,
    HYPHEN,
    INFINITY,
    KATAKANA,
    LETTER,
    LINE,
    OPENING,
    PICTOGRAPH,
    POINT,
    PUNCTUATION,
    REGIONAL,
    SIGN,
    SPACE,
    SYMBOL,
    UPPER,
    VIRAMA,
    ZWJ,
)

WORDS, CODE, SIGNS, SPACED_OUT, MOLECULES = range(5)  # the rules a profile cuts by
CAPITAL, OPENED, STARTS = 1, 2, 4  # what is known of an atom's place, one byte an atom
# Of a stop: a period right behind an atom; that a word or a number follows it in the line; and
# that white space is between.
PERIOD, FOLLOWED, SPACED_BEHIND = 1, 2, 4

# Where a pass stands: the next document, the next byte, white space seen, a sentence starts,
# an opening bracket or quote stands before, keys written, atoms known, the next span.
DOCUMENT, POSITION, SPACED, SENTENCE, OPEN, WRITTEN, TYPES, SPAN = range(8)
# Atoms that were found, and those with a number; keys up to a period that is behind an atom.
BATCHED, NUMBERED, TOUCHED, BEHIND = range(8, 12)
STATE_SIZE = 12
# Of an atom in a batch: its bytes, where its key is looked for, the three words of its key.
START, STOP, AT, LOW, MIDDLE, HIGH, HOME, BATCH_FIELDS = range(8)
BATCH = 256  # atoms that are looked up together
SHORT = 23  # bytes; a text as short as this is its own key
LONGEST_GROUP = 96  # bytes between brackets that hold a sign group or an element
CARTOUCHE, END_OF_CARTOUCHE = 0x13379, 0x1337A

# Words that Romance languages write as one with the next, where that begins with a vowel or h:
# articles, prepositions, pronouns and conjunctions of French, Italian, Catalan and Occitan.
ELIDED = (
    *("l", "d", "j", "m", "n", "s", "t", "c", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu"),
    *("un", "gl", "ch", "v", "all", "agl", "dall", "dagl", "dell", "degl", "nell", "negl"),
    *("sull", "sugl", "coll", "quell", "quest", "bell", "nessun", "ciascun"),
)

_ENDS_A_WORD = sum(
    1 << kind for kind in (SPACE, LINE, PUNCTUATION, SYMBOL, PICTOGRAPH, REGIONAL, SIGN)
)

_u32, _u64 = np.uint32, np.uint64


class Documents(NamedTuple):
    """Documents in a buffer of UTF-8, uint8: document d is `buffer[starts[d]:ends[d]]`, int64."""

    buffer: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class Rules(NamedTuple):
    """How text is cut: a rule, whether white space is kept, the class of each code point."""

    rules: int
    keep_space: bool
    classes: np.ndarray


class Words(NamedTuple):
    """The exact texts that were seen: text n is `pool[offsets[n]:offsets[n + 1]]`.

    `table` uint64 holds four words a place: the three of `_key` and the number.
    """

    table: np.ndarray
    offsets: np.ndarray
    pool: np.ndarray


class Keys(NamedTuple):
    """What comes out: `ids` uint32 and `flags` uint8 (keys,), `first` int64 (documents,)."""

    ids: np.ndarray
    flags: np.ndarray
    first: np.ndarray


def _type_load_word(_: Any, buffer: types.Array, start: types.Integer) -> Any:  # noqa: ARG001
    """Return the 8 bytes from `start` on as a number, the first one lowest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        at = builder.gep(held.data, [arguments[1]])
        return builder.load(builder.bitcast(at, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(buffer, types.int64), generate


def _type_trailing_zeros(_: Any, word: types.Integer) -> Any:  # noqa: ARG001
    """Return how many of the lowest bits of a number are zero; 64 for zero."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


_load_word: Any = intrinsic(_type_load_word)  # reads past no end: its callers see to it
_trailing_zeros: Any = intrinsic(_type_trailing_zeros)


@njit(nogil=True, cache=True, inline="always")
def _ascii_letters(word: int) -> int:
    """Return how many of 8 bytes, the lowest first, are ASCII letters before one is not.

    Each byte, made lower case and 7 bits wide, overflows into its top bit from "a" on, and again
    from behind "z" on.
    """
    top = _u64(0x8080808080808080)
    low = (word | _u64(0x2020202020202020)) & ~top
    letters = (low + _u64(0x1F1F1F1F1F1F1F1F)) & ~(low + _u64(0x0505050505050505)) & ~word & top
    return np.int64(_trailing_zeros(letters ^ top) >> _u64(3))


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

    Nearly every word of nearly every text ends here; the rest goes to `_end_of_atom`. ASCII is
    taken eight bytes at a time: no branch that depends on how long the word is.
    """
    if buffer[i - 1] < 0x80:
        while i + 8 <= end:
            letters = _ascii_letters(_load_word(buffer, i))
            i += letters
            if letters < 8:
                break
    while i < end:
        entry, length = _short_class(buffer, i, classes)
        kind = entry & CLASS
        if kind != LETTER:
            return i if length > 0 and (1 << kind) & _ENDS_A_WORD else -1
        i += length
    return i


def _pack(word: str) -> int:
    """Return up to 8 ASCII letters as a number, the first one lowest."""
    return int.from_bytes(word.encode(), "little")


_LATIN = 0x250  # where the Latin letters end
_ELIDED = np.array([_pack(word) for word in ELIDED], np.uint64)
# Which code points the next word may begin with: a vowel, whatever its accents, or h.
VOWEL = np.array(
    [unicodedata.normalize("NFD", chr(point))[0].lower() in "aeiouyhæœø" for point in range(_LATIN)]
)


@njit(nogil=True, cache=True)
def _is_elided(buffer: np.ndarray, start: int, stop: int, following: int, end: int) -> bool:
    """Say whether `buffer[start:stop]` is a word of `ELIDED` and a vowel is at byte `following`."""
    if stop - start > 8 or following >= end:
        return False
    point, _ = _decode(buffer, following)
    if point >= _LATIN or not VOWEL[point]:
        return False
    word = _u64(0)
    for i in range(stop - 1, start - 1, -1):
        word = (word << _u64(8)) | _u64(buffer[i] | 0x20)
    for elided in _ELIDED:
        if word == elided:
            return True
    return False


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
                if joins and _is_elided(buffer, start, i, i + length, end):
                    return i + length  # an article with its apostrophe, before a word: l'eau
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
def _end_of_uuid(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the UUID that starts at byte `start` ends (RFC 9562), -1 if there is none."""
    stop = start + 36
    if stop > end or buffer[start + 8] != 0x2D:
        return -1
    for i in range(36):
        byte = buffer[start + i]
        dash = i == 8 or i == 13 or i == 18 or i == 23
        low = byte | 0x20
        if dash != (byte == 0x2D) or not (dash or 0x30 <= byte <= 0x39 or 0x61 <= low <= 0x66):
            return -1
    return stop


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
def _end_of_brackets(buffer: np.ndarray, i: int, end: int, classes: np.ndarray, close: int) -> int:
    """Return where the brackets that open at byte `i` close; -1 if white space comes first."""
    opening, _ = _decode(buffer, i)
    depth = 0
    limit = min(end, i + LONGEST_GROUP)
    while i < limit:
        point, length = _decode(buffer, i)
        what = classes[point] & CLASS
        if what == SPACE or what == LINE:
            return -1
        i += length
        depth += (point == opening) - (point == close)
        if depth == 0:
            return i
    return -1


@njit(nogil=True, cache=True)
def _end_of_element(buffer: np.ndarray, start: int, end: int, classes: np.ndarray) -> int:
    """Return where the element or ring bond of a SMILES ends: `Cl`, `[nH+]`, `%12`; -1 if none.

    http://opensmiles.org/opensmiles.html: only these are longer than a character.
    """
    first = buffer[start]
    if first == 0x5B:
        return _end_of_brackets(buffer, start, end, classes, 0x5D)
    if start + 1 < end:
        second = buffer[start + 1]
        if (first == 0x43 and second == 0x6C) or (first == 0x42 and second == 0x72):
            return start + 2
        if first == 0x25 and start + 2 < end:
            digits = 0x30 <= second <= 0x39 and 0x30 <= buffer[start + 2] <= 0x39
            return start + 3 if digits else -1
    return -1


@njit(nogil=True, cache=True, inline="always")
def _is_hieroglyph(point: int, classes: np.ndarray) -> bool:
    return 0x13000 <= point <= 0x143FF and classes[point] & CLASS == SIGN


@njit(nogil=True, cache=True)
def _end_of_group_part(buffer: np.ndarray, i: int, end: int, classes: np.ndarray) -> int:
    """Return where the sign at byte `i`, or the brackets around signs, end; -1 if none is there."""
    if i >= end:
        return -1
    point, length = _decode(buffer, i)
    if point == 0x28 or point == CARTOUCHE:
        close = 0x29 if point == 0x28 else END_OF_CARTOUCHE
        stop = _end_of_brackets(buffer, i, end, classes, close)
        j = i + length
        while j < stop:
            inside, size = _decode(buffer, j)
            if _is_hieroglyph(inside, classes):
                return stop
            j += size
    if not _is_hieroglyph(point, classes):
        return -1
    return _end_of_cluster(buffer, i + length, end, classes, SIGN)


@njit(nogil=True, cache=True)
def _end_of_group(buffer: np.ndarray, start: int, end: int, classes: np.ndarray) -> int:
    """Return where the group of hieroglyphs that starts at byte `start` ends, -1 if none starts.

    In the layout of the Manuel de Codage `:` sets signs one above the other, `*` and `&` side by
    side, brackets hold what is set as one; a cartouche is a name, and one.
    """
    i = _end_of_group_part(buffer, start, end, classes)
    while 0 <= i < end:
        sign = buffer[i]
        at = i
        if sign == 0x3A or sign == 0x2A or sign == 0x26:
            at = i + 1
        elif not (
            (sign == 0x28 and i + 1 < end and (buffer[i + 1] == 0x3A or buffer[i + 1] == 0x2A))
            or (buffer[i - 1] == 0x29 and (buffer[i - 2] == 0x3A or buffer[i - 2] == 0x2A))
        ):
            break
        stop = _end_of_group_part(buffer, at, end, classes)
        if stop < 0:
            break
        i = stop
    return i


@njit(nogil=True, cache=True, inline="always")
def _may_start_group(buffer: np.ndarray, start: int, end: int, point: int) -> bool:
    """Say at a glance whether a group may start with `point`: a sign, or `(` before one."""
    if point != 0x28 or start + 1 >= end:
        return 0x13000 <= point <= 0x143FF
    following = buffer[start + 1]
    return following == 0xF0 or following == 0x28 or following == 0x3A or following == 0x2A


@njit(nogil=True, cache=True)
def _end_of_atom(
    buffer: np.ndarray, start: int, end: int, classes: np.ndarray, rules: int, entry: int
) -> int:
    """Return where the atom that starts at byte `start` ends."""
    point, length = _decode(buffer, start)
    what = entry & CLASS
    if rules == SPACED_OUT:
        return _end_of_run(buffer, start + length, end, classes)
    stop = -1
    if rules == MOLECULES:
        stop = _end_of_element(buffer, start, end, classes)
    elif _may_start_group(buffer, start, end, point):
        stop = _end_of_group(buffer, start, end, classes)
    if stop >= 0:
        return stop
    if rules == SIGNS or rules == MOLECULES:
        return _end_of_cluster(buffer, start + length, end, classes, what)
    if what == LETTER or what == DIGIT or what == CONNECTOR or what == KATAKANA:
        if rules == CODE:
            i = _end_of_uuid(buffer, start, end)
            return i if i >= 0 else _end_of_word(buffer, start, end, classes, False)
        return _end_of_address(
            buffer, _end_of_word(buffer, start, end, classes, True), end, classes
        )
    if rules == CODE and _is_stop(what) and not entry & OPENING:
        bracket = point == 0x29 or point == 0x5D or point == 0x7D
        return start + length if bracket else _end_of_repeat(buffer, start + length, end, point)
    return _end_of_cluster(buffer, start + length, end, classes, what)


@njit(nogil=True, cache=True, inline="always")
def _bytes(buffer: np.ndarray, start: int, size: int) -> int:
    """Return `size` bytes (0 to 8) from `start` on as a number, the first one lowest."""
    if size == 0:
        return _u64(0)
    if start + 8 <= buffer.shape[0]:
        return _load_word(buffer, start) & (_u64(0xFFFFFFFFFFFFFFFF) >> _u64(64 - 8 * size))
    word = _u64(0)
    for i in range(start + size - 1, start - 1, -1):
        word = (word << _u64(8)) | _u64(buffer[i])
    return word


@njit(nogil=True, cache=True, inline="always")
def _key(buffer: np.ndarray, start: int, end: int) -> tuple[int, int, int]:
    """Return three words that stand for a text: its bytes themselves where they fit in 23."""
    size = end - start
    if size <= 8:
        return _bytes(buffer, start, size), _u64(0), _u64(size)
    low = _bytes(buffer, start, 8)
    if size <= 16:
        return low, _bytes(buffer, start + 8, size - 8), _u64(size)
    middle = _bytes(buffer, start + 8, 8)
    if size <= SHORT:
        return low, middle, (_bytes(buffer, start + 16, size - 16) << _u64(8)) | _u64(size)
    high = _u64(size)
    for i in range(start + 16, end, 8):
        word = _bytes(buffer, i, min(8, end - i))
        low = (low ^ (low >> _u64(32)) ^ word) * _u64(0x9E3779B97F4A7C15)
        middle = (middle ^ (middle >> _u64(29)) ^ word) * _u64(0xD6E8FEB86659FD93)
        high += low ^ middle
    return low, middle, (high << _u64(8)) | _u64(SHORT + 1)


@njit(nogil=True, cache=True, inline="always")
def _place(low: int, middle: int, high: int, mask: int) -> int:
    """Return the place in a table, counted in words, where the search for a key starts."""
    mixed = (low ^ (high * _u64(0x9E3779B97F4A7C15))) * _u64(0xD6E8FEB86659FD93)
    mixed = (mixed ^ (mixed >> _u64(32)) ^ middle) * _u64(0xFF51AFD7ED558CCD)
    return ((mixed ^ (mixed >> _u64(32))) & mask) * _u64(4)


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
def _find(table: np.ndarray, place: int, low: int, middle: int, high: int) -> tuple[int, int]:
    """Return the number of a short text, 0 if unseen, and its place in `table` from `place` on.

    `table` holds four words a place: the three of `_key` and the number.
    """
    mask = _u64(table.shape[0] - 4)
    number = np.int64(table[place + _u64(3)])
    while number != 0 and (
        table[place] != low or table[place + _u64(1)] != middle or table[place + _u64(2)] != high
    ):
        place = (place + _u64(4)) & mask
        number = np.int64(table[place + _u64(3)])
    return number, place


@njit(nogil=True, cache=True)
def _find_text(
    buffer: np.ndarray, start: int, end: int, words: Words, place: int, key: tuple[int, int, int]
) -> tuple[int, int]:
    """Do what `_find` does for any text; a long one, whose key is a hash, is compared by bytes."""
    low, middle, high = key
    mask = _u64(words.table.shape[0] - 4)
    number, place = _find(words.table, place, low, middle, high)
    while end - start > SHORT and number != 0:
        at, until = words.offsets[number], words.offsets[number + 1]
        if _is_text(buffer, start, end, words.pool, at, until):
            break
        number, place = _find(words.table, (place + _u64(4)) & mask, low, middle, high)
    return number, place


@njit(nogil=True, cache=True)
def _insert(
    buffer: np.ndarray,
    start: int,
    end: int,
    words: Words,
    place: int,
    key: tuple[int, int, int],
    number: int,
) -> bool:
    """Give `number` to a text not seen before; False where the tables are full."""
    table, offsets, pool = words
    at = offsets[number]
    full = number * 6 >= table.shape[0] or number + 2 > offsets.shape[0]
    if full or at + (end - start) > pool.shape[0]:
        return False
    for i in range(end - start):
        pool[at + i] = buffer[start + i]
    offsets[number + 1] = at + (end - start)
    table[place], table[place + _u64(1)], table[place + _u64(2)] = key
    table[place + _u64(3)] = _u64(number)
    return True


@njit(nogil=True, cache=True)
def rehash(old: np.ndarray, table: np.ndarray) -> None:
    """Put the entries of `old` into the larger `table`; four words a place, both flat."""
    mask = _u64(table.shape[0] // 4 - 1)
    for entry in range(0, old.shape[0], 4):
        if old[entry + 3] != 0:
            place = _place(old[entry], old[entry + 1], old[entry + 2], mask)
            while table[place + _u64(3)] != 0:
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
    documents: Documents,
    spans: np.ndarray,
    rules: Rules,
    words: Words,
    keys: Keys,
    state: np.ndarray,
    batch: np.ndarray,
) -> bool:
    """Cut documents into `keys`; `keys.first[d]` is where document d starts in them.

    `spans` (n, 2) are bytes that a pattern of the user makes one atom. Every document ends in a
    stop (0), and no two stops stand side by side. Returns False where an array of `words` is full:
    grow it and call again with the same `state` and `batch`.
    """
    while True:
        if not _number_batch(documents.buffer, words, keys.ids, state, batch):
            return False
        if state[DOCUMENT] == documents.starts.shape[0]:
            return True
        _fill_batch(documents, spans, rules, keys, state, batch)


@njit(nogil=True, cache=True)
def _number_batch(
    buffer: np.ndarray, words: Words, ids: np.ndarray, state: np.ndarray, batch: np.ndarray
) -> bool:
    """Write the numbers of the atoms of `batch` to `ids`; False where the tables are full.

    Three rounds, for the processor waits for many places of the table at a time, but not where
    a branch may take another way before.
    """
    types = state[TYPES]
    table = words.table
    full = False
    size = state[BATCHED]
    mask = _u64(table.shape[0] // 4 - 1)
    for i in range(state[NUMBERED], size):
        low, middle, high = _key(buffer, batch[i, START], batch[i, STOP])
        batch[i, LOW], batch[i, MIDDLE], batch[i, HIGH] = low, middle, high
        batch[i, HOME] = _place(low, middle, high, mask)
    touched = 0
    for i in range(state[NUMBERED], size):
        touched += np.int64(table[batch[i, HOME]])
    state[TOUCHED] = touched
    for i in range(state[NUMBERED], size):
        start, stop, home = batch[i, START], batch[i, STOP], _u64(batch[i, HOME])
        low, middle, high = _u64(batch[i, LOW]), _u64(batch[i, MIDDLE]), _u64(batch[i, HIGH])
        if stop - start <= SHORT:
            number, place = _find(table, home, low, middle, high)
        else:
            number, place = _find_text(buffer, start, stop, words, home, (low, middle, high))
        if number == 0:
            number = types + 1
            key = low, middle, high
            full = not _insert(buffer, start, stop, words, place, key, number)
            if full:
                size = i
                break
            types = number
        at = batch[i, AT]
        ids[at] = _u32(number << 1) | (ids[at] & _u32(1))
    state[TYPES], state[NUMBERED] = types, size
    return not full


@njit(nogil=True, cache=True)
def _fill_batch(
    documents: Documents,
    spans: np.ndarray,
    how: Rules,
    keys: Keys,
    state: np.ndarray,
    batch: np.ndarray,
) -> None:
    """Find where the next atoms start and stop, as many as `batch` takes, or all that are left.

    What is written to `keys.ids` has no number yet but is not 0.
    """
    buffer, starts, ends = documents
    rules, keep_space, classes = how
    ids, flags, first = keys
    written, span, size = state[WRITTEN], state[SPAN], 0
    spaced, sentence, opened = state[SPACED] != 0, state[SENTENCE] != 0, state[OPEN] != 0
    i, document, behind = state[POSITION], state[DOCUMENT], state[BEHIND]
    letters = rules == WORDS or rules == CODE
    while document < starts.shape[0] and size < batch.shape[0]:
        end = ends[document]
        if i < 0:
            i = starts[document]
            first[document] = written
            spaced, sentence, opened, behind = False, True, False, 0
        while i < end and size < batch.shape[0]:
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
                    behind = 0
                spaced = True
                continue
            elif rules == WORDS and _is_stop(what):
                stops = _write_stop(ids, flags, written)
                behind = 0
                if point == 0x2E and stops > written and not spaced:
                    following = buffer[i + length] if i + length < end else 0
                    if following != 0x2E:  # no ellipsis
                        flags[written], behind = PERIOD, stops
                written = stops
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
            if behind > 0 and (what == LETTER or what == DIGIT):
                flags[behind - 1] |= FOLLOWED + SPACED_BEHIND * spaced
            behind = 0
            joined = spaced and written > 0 and ids[written - 1] != 0
            ids[written] = _u32(2) | _u32(joined)
            flags[written] = CAPITAL * (entry & UPPER != 0) + OPENED * opened + STARTS * sentence
            batch[size, START], batch[size, STOP], batch[size, AT] = i, stop, written
            size += 1
            written += 1
            spaced, sentence, opened = False, False, False
            i = stop
            if i < end and buffer[i] == 0x20 and spans.shape[0] == 0:  # the way of most text
                spaced = True
                i += 1
        if i >= end:
            written = _write_stop(ids, flags, written)
            document += 1
            i = -1
    state[DOCUMENT], state[POSITION], state[WRITTEN], state[SPAN] = document, i, written, span
    state[SPACED], state[SENTENCE], state[OPEN], state[BEHIND] = spaced, sentence, opened, behind
    state[BATCHED], state[NUMBERED] = size, 0


@njit(nogil=True, cache=True)
def intern(
    texts: Documents, words: Words, numbers: np.ndarray, done: int, types: int
) -> tuple[int, int]:
    """Write the number of each text from `done` on; return how many are done, and the types.

    Where an array of `words` is full: grow it and call again.
    """
    buffer, starts, ends = texts
    mask = _u64(words.table.shape[0] // 4 - 1)
    for i in range(done, starts.shape[0]):
        start, end = starts[i], ends[i]
        key = _key(buffer, start, end)
        home = _place(key[0], key[1], key[2], mask)
        number, place = _find_text(buffer, start, end, words, home, key)
        if number == 0:
            number = types + 1
            if not _insert(buffer, start, end, words, place, key, number):
                return i, types
            types = number
        numbers[i] = number
    return starts.shape[0], types


@njit(nogil=True, cache=True)
def mark_points(text: np.ndarray, seen: np.ndarray) -> None:
    """Set `seen` for every code point of some UTF-8."""
    i = 0
    while i < text.shape[0]:
        point, length = _decode(text, i)
        seen[point] = True
        i += length


@njit(nogil=True, cache=True, inline="always")
def _encode(point: int, buffer: np.ndarray, i: int) -> int:
    """Write a code point at byte `i`; return where the next one goes."""
    if point < 0x80:
        buffer[i] = point
        return i + 1
    if point < 0x800:
        buffer[i], buffer[i + 1] = 0xC0 | (point >> 6), 0x80 | (point & 63)
        return i + 2
    if point < 0x10000:
        buffer[i], buffer[i + 1] = 0xE0 | (point >> 12), 0x80 | ((point >> 6) & 63)
        buffer[i + 2] = 0x80 | (point & 63)
        return i + 3
    buffer[i], buffer[i + 1] = 0xF0 | (point >> 18), 0x80 | ((point >> 12) & 63)
    buffer[i + 2], buffer[i + 3] = 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)
    return i + 4


@njit(nogil=True, cache=True)
def fold_texts(
    pool: np.ndarray,
    offsets: np.ndarray,
    folds: np.ndarray,
    folded: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> int:
    """Write every text to `folded`, each code point p as `folds[p]`; return the bytes written.

    A text with a point that `folds` gives as -1 is left out: its end is -1.
    """
    written = 0
    for text in range(starts.shape[0]):
        starts[text] = written
        i = offsets[text + 1]
        while i < offsets[text + 2]:
            point, length = _decode(pool, i)
            if folds[point] < 0:
                break
            written = _encode(np.int64(folds[point]), folded, written)
            i += length
        if i < offsets[text + 2]:
            written = starts[text]
            ends[text] = -1
        else:
            ends[text] = written
    return written


@njit(nogil=True, cache=True)
def join_texts(
    pool: np.ndarray, offsets: np.ndarray, numbers: np.ndarray, separator: int, joined: np.ndarray
) -> None:
    """Write the texts of `numbers` one after another, each with `separator` behind it."""
    written = 0
    for number in numbers:
        for i in range(offsets[number], offsets[number + 1]):
            joined[written] = pool[i]
            written += 1
        joined[written] = separator
        written += 1


@njit(nogil=True, cache=True)
def find_words(
    pool: np.ndarray, offsets: np.ndarray, letters: np.ndarray, words: np.ndarray
) -> None:
    """Say of each text, from number 1 on, whether every code point is one of `letters`."""
    for number in range(1, words.shape[0]):
        i = offsets[number]
        while i < offsets[number + 1]:
            point, length = _decode(pool, i)
            if not letters[point]:
                break
            i += length
        words[number] = i == offsets[number + 1]


@njit(nogil=True, cache=True)
def total_forms(
    groups: np.ndarray, counts: np.ndarray, totals: np.ndarray, best: np.ndarray
) -> None:
    """Sum the counts of each group, and write which of its forms is most frequent, or first."""
    most = np.full(totals.shape[0], -1, np.int64)
    for form in range(groups.shape[0]):
        group = groups[form]
        totals[group] += counts[form]
        if counts[form] > most[group]:
            most[group] = counts[form]
            best[group] = form


@njit(nogil=True, cache=True)
def count_atoms(
    keys: np.ndarray,
    start: int,
    document: int,
    documents: np.ndarray,
    held: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Add each atom of a slice of a stream to `counts`, but for those of held documents.

    `keys[0]` is key `start` of the stream and stands in `document`.
    """
    for i in range(keys.shape[0]):
        while start + i >= documents[document + 1]:
            document += 1
        counts[keys[i] >> 1] += not held[document]


@njit(nogil=True, cache=True)
def part_off(
    keys: np.ndarray,
    flags: np.ndarray,
    start: int,
    document: int,
    documents: np.ndarray,
    held: np.ndarray,
    numbers: np.ndarray,
    ids: np.ndarray,
    marks: np.ndarray,
) -> tuple[int, int]:
    """Write a slice to row 0 (mined) and row 1 (held) of `ids` and `marks`, renumbered.

    What is noted of a stop is left away. Returns how many keys each row got; the other arguments
    are as in `count_atoms`.
    """
    mined, kept = 0, 0
    for i in range(keys.shape[0]):
        while start + i >= documents[document + 1]:
            document += 1
        key = (numbers[keys[i] >> 1] << _u32(1)) | (keys[i] & _u32(1))
        mark = flags[i] if key != 0 else np.uint8(0)
        if held[document]:
            ids[1, kept], marks[1, kept] = key, mark
            kept += 1
        else:
            ids[0, mined], marks[0, mined] = key, mark
            mined += 1
    return mined, kept


@njit(nogil=True, cache=True)
def renumber(ids: np.ndarray, numbers: np.ndarray) -> None:
    """Replace the atom of each key by `numbers[atom]`, in place; the space bit stays."""
    for i in range(ids.shape[0]):
        key = ids[i]
        ids[i] = (numbers[key >> 1] << _u32(1)) | (key & _u32(1))
