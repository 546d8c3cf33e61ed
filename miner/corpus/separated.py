"""Separated values to documents: where does each record end, and what does its text field say?

RFC 4180: a field in quotes may hold separators, line breaks and doubled quotes. A quote inside a
field without quotes is a character like any other. A record ends in LF or CRLF. polars was
refused here: it fills up short records in silence and tells no place.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numba
import numpy as np

from miner.corpus.documents import BYTE_ORDER_MARK, TO_SKIP, Chunk, Reading, Skipped
from miner.corpus.streams import Stream
from miner.corpus.tables import choose_column
from miner.corpus.text import Fault, Parsed, count_breaks, keep_utf8, read_records
from miner.errors import CorpusError

HEAD_BYTES = 1 << 20  # a header is no longer
MOST_COLUMNS = 4_096  # each name is read by a pass over the header
RECORD_CURE = f"Mend the record, {TO_SKIP}"
QUOTE, BREAK, RETURN = 34, 10, 13
AFTER_QUOTE, OPEN_QUOTE = -1, -2
RECORD_PROBLEMS = {AFTER_QUOTE: "text after a closing quote", OPEN_QUOTE: "a quote is never closed"}


def read_separated(stream: Stream, reading: Reading, separator: str) -> Iterator[Chunk]:
    """The text column of each record behind the header."""
    head = stream.peek(HEAD_BYTES)
    if not head:
        return
    try:
        names, size = read_header(head, separator)
        column = names.index(choose_column(names, reading.text_column))
    except CorpusError as error:
        reading.report(Skipped(stream.source.path, "line 1", error.problem, error.cure or ""))
        return
    parse = partial(parse_separated, separator=separator, column=column, columns=len(names))
    yield from read_records(stream, parse, reading, before=stream.read(size))


def read_header(head: bytes, separator: str) -> tuple[list[str], int]:
    """The column names and the length of the header in bytes.

    >>> read_header(b'id;"text"\\n1;a\\n', ";")
    (['id', 'text'], 10)
    """
    text = head.removeprefix(BYTE_ORDER_MARK)
    block = np.frombuffer(text, dtype=np.uint8)
    out = np.empty(len(block) + 1, dtype=np.uint8)
    end, fields, _, _ = scan_record(block, 0, ord(separator), -1, out, 0)
    if fields < 0:
        raise CorpusError(f"malformed header: {RECORD_PROBLEMS[fields]}", cure="Mend it")
    if fields > MOST_COLUMNS:
        raise CorpusError(
            f"it has {fields:,} columns, and {MOST_COLUMNS:,} are read",
            cure="Cut out the column of the texts, or name another separator by the ending",
        )
    names = []
    for column in range(fields):
        *_, written = scan_record(block, 0, ord(separator), column, out, 0)
        names.append(out[:written].tobytes().decode(errors="replace"))
    return names, min(len(head) - len(text) + end + 1, len(head))


def parse_separated(block: bytes, final: bool, separator: str, column: int, columns: int) -> Parsed:
    """Field number `column` of each whole record of a block.

    Where the fields are not as many as the columns, the record is at fault.
    """
    out = np.empty(len(block) + 1, dtype=np.uint8)
    rows = np.empty((count_breaks(block, len(block)) + 1, 4), dtype=np.int64)
    count, consumed, written = scan_records(
        np.frombuffer(block, dtype=np.uint8), ord(separator), column, columns, final, out, rows
    )
    rows = rows[:count]
    whole = rows[:, 3] == columns
    faults = [_record_fault(row, columns) for row in rows[~whole].tolist()]
    starts, ends, origins, _ = np.ascontiguousarray(rows[whole].T)
    text = out[:written].tobytes()
    starts, ends, invalid = keep_utf8(text, written, starts, ends, origins=origins)
    buffer = np.frombuffer(text, dtype=np.uint8)
    return Parsed(buffer, starts, ends, consumed, sorted(faults + invalid))


def _record_fault(row: list[int], columns: int) -> Fault:
    _, _, place, fields = row
    problem = RECORD_PROBLEMS.get(fields, f"{fields} fields where the header has {columns}")
    return Fault(place, f"malformed record: {problem}", RECORD_CURE)


@numba.njit(cache=True, nogil=True)
def _copy_quoted(block, position, out, written):  # type: ignore[no-untyped-def]
    """Unquote a field that opens at `position`: (place behind it, or -1 if it is open, written)."""
    size = len(block)
    position += 1
    while position < size:
        byte = block[position]
        if byte == QUOTE:
            if position + 1 == size or block[position + 1] != QUOTE:
                return position + 1, written
            position += 1
        out[written] = byte
        written += 1
        position += 1
    return -1, written


@numba.njit(cache=True, nogil=True)
def _copy_plain(block, position, separator, out, written):  # type: ignore[no-untyped-def]
    """Copy up to the separator, line break or end: (place of it, written)."""
    size = len(block)
    start = position
    while position < size and block[position] != separator and block[position] != BREAK:
        out[written] = block[position]
        written += 1
        position += 1
    ends_record = position < size and block[position] == BREAK
    if ends_record and position > start and block[position - 1] == RETURN:
        written -= 1
    return position, written


@numba.njit(cache=True, nogil=True)
def scan_record(block, position, separator, column, out, written):  # type: ignore[no-untyped-def]
    """One record: (place of its end, fields or a problem, start of the field, written).

    Every field is written where it would stand if it were the wanted one, and only that one stays.
    """
    size = len(block)
    fields, origin, problem, kept = 0, position, 0, written
    while True:
        quoted = position < size and block[position] == QUOTE
        if fields == column:
            origin = position + quoted
        if quoted:
            position, after = _copy_quoted(block, position, out, kept)
            if position < 0:
                return size, OPEN_QUOTE, origin, written
            if position + 1 < size and block[position] == RETURN and block[position + 1] == BREAK:
                position += 1
            if position < size and block[position] != separator and block[position] != BREAK:
                problem = AFTER_QUOTE
                position, _ = _copy_plain(block, position, separator, out, after)
        else:
            position, after = _copy_plain(block, position, separator, out, kept)
        if fields == column:
            kept = after
        fields += 1
        if position >= size or block[position] == BREAK:
            return position, problem or fields, origin, kept
        position += 1


@numba.njit(cache=True, nogil=True)
def scan_records(block, separator, column, columns, final, out, rows):  # type: ignore[no-untyped-def]
    """The wanted field of each record, one after another with a line break behind each.

    `out` (uint8) has room for the block and one byte more; `rows` (int64) has a row per line and
    receives (start in out, end in out, place in the block, fields or problem). A record that
    does not have as many fields as there are columns writes nothing.
    Returns how many rows, and how many bytes of the block and of `out` they take.
    """
    size = len(block)
    position, written, count = 0, 0, 0
    while position < size:
        end, fields, origin, after = scan_record(block, position, separator, column, out, written)
        if end >= size and not final:
            break
        blank = end == position or (end == position + 1 and block[position] == RETURN)
        if fields == columns:
            rows[count] = (written, after, origin, fields)
            out[after] = BREAK
            written = after + 1
            count += 1
        elif not (blank and fields == 1):
            rows[count] = (written, written, position, fields)
            count += 1
        position = min(end + 1, size)
    return count, position, written
