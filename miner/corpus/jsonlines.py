"""JSON lines to documents: what does the text field say in each line?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from miner.corpus.documents import BYTE_ORDER_MARK, TO_SKIP, Chunk, Reading, Skipped
from miner.corpus.streams import Stream
from miner.corpus.tables import COLUMN_CURE, DEFAULT_COLUMN, choose_column, pack_strings
from miner.corpus.text import NATIVE_ERRORS, Fault, Parsed, read_records, split_lines, utf8_fault
from miner.errors import CorpusError

HEAD_BYTES = 1 << 20  # the first object is looked for in the first megabyte
PIECE_BYTES = 1 << 21  # a piece that polars refuses goes the slow way as a whole
LINE_CURE = f"Mend the line, {TO_SKIP}"
FIELD_CURE = f"{COLUMN_CURE}, {TO_SKIP}"

SURROGATE = r"\\u[dD][89a-fA-F]"
SURROGATE_PAIR = r"\\u[dD][89abAB]..\\u[dD][c-fC-F].."
# polars turns a number, a truth value, an object or a list into a string that looks like this.
NOT_A_STRING = r"(?s)^(?:-?[0-9.]+(?:[eE][-+]?[0-9]+)?|true|false|\{.*\}|\[.*\])$"
EMPTY = pl.Series([], dtype=pl.String)


def read_jsonl(stream: Stream, reading: Reading) -> Iterator[Chunk]:
    """The text field of each line; a blank line is no record."""
    head = stream.peek(HEAD_BYTES)
    before = stream.read(3) if head.startswith(BYTE_ORDER_MARK) else b""
    try:
        column = reading.text_column or _choose_field(head[len(before) :])
    except CorpusError as error:
        reading.report(Skipped(stream.source.path, "", error.problem, error.cure or ""))
        return
    yield from read_records(stream, partial(parse_json, column=column), reading, before=before)


def parse_json(block: bytes, final: bool, column: str) -> Parsed:
    """The field `column` of each whole line of a block."""
    consumed = len(block) if final else block.rfind(b"\n") + 1
    parts, faults, start = [EMPTY], [], 0
    while start < consumed:
        end = block.find(b"\n", start + PIECE_BYTES, consumed) + 1 or consumed
        strings, wrong = _take_strings(block[start:end], column)
        faults += [fault._replace(offset=fault.offset + start) for fault in wrong]
        parts.append(strings)
        start = end
    return Parsed(*pack_strings(pl.concat(parts)), consumed, faults)


def _choose_field(head: bytes) -> str:
    """The text field by the first line that is an object, as far as it can be seen."""
    for line in head.split(b"\n"):
        try:
            record = _load_json(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and DEFAULT_COLUMN not in record:
            return choose_column([name for name in record if isinstance(record[name], str)], None)
        break
    return DEFAULT_COLUMN


def _take_strings(piece: bytes, column: str) -> tuple[pl.Series, list[Fault]]:
    """The field of each line that is not blank, and the lines at fault.

    polars reads the lines, four times as fast as `json`, which judges what polars refuses or
    changes: it drops blank lines, has null for a missing field, makes a number a string.
    """
    starts, ends, _ = split_lines(piece, final=True)
    strings = _parse_natively(piece, column)
    if strings is None or len(strings) != len(starts):
        strings, rows = None, np.arange(len(starts))
    else:
        rows = (strings.is_null() | strings.str.contains(NOT_A_STRING)).arg_true().to_numpy()
    found = [_take_string(piece[starts[row] : ends[row]], int(starts[row]), column) for row in rows]
    faults = [fault for fault in found if isinstance(fault, Fault)]
    if strings is None:
        return pl.Series([text for text in found if isinstance(text, str)], dtype=pl.String), faults
    keep = np.ones(len(strings), dtype=bool)
    keep[[row for row, fault in zip(rows, found, strict=True) if isinstance(fault, Fault)]] = False
    return strings.filter(keep) if faults else strings, faults


def _parse_natively(piece: bytes, column: str) -> pl.Series | None:
    """The field of each line by polars, or None where it refuses a line or misreads one."""
    try:
        if _has_lone_surrogate(piece):
            return None
        return pl.read_ndjson(piece, schema={column: pl.String})[column]
    except NATIVE_ERRORS:
        return None


def _has_lone_surrogate(piece: bytes) -> bool:
    """Whether there may be an escaped first half of a pair alone, which polars reads as NUL."""
    if b"\\u" not in piece or (b"\\ud" not in piece and b"\\uD" not in piece):
        return False
    text = pl.Series([piece], dtype=pl.Binary).cast(pl.String)
    halves, pairs = text.str.count_matches(SURROGATE), text.str.count_matches(SURROGATE_PAIR)
    return bool(halves.item() != 2 * pairs.item())


def _take_string(line: bytes, offset: int, column: str) -> str | Fault | None:
    """The field of one line; None where the line is blank."""
    if not line.strip(b" \t\r"):
        return None
    try:
        record = _load_json(line)
    except UnicodeDecodeError as error:
        return utf8_fault(error, offset)
    except RecursionError:
        return Fault(offset, "bad JSON (nested too deep)", LINE_CURE)
    except ValueError as error:
        return Fault(offset, f"bad JSON ({error})", LINE_CURE)
    if not isinstance(record, dict):
        return Fault(offset, f"bad JSON line ({_json_type(record)}, not an object)", LINE_CURE)
    if column not in record:
        problem = f"no field {column!r}; there are: {', '.join(record) or 'none'}"
        return Fault(offset, problem, FIELD_CURE)
    return _check_text(record[column], offset, column)


def _check_text(text: object, offset: int, column: str) -> str | Fault:
    if text is None:
        return ""
    if not isinstance(text, str):
        problem = f"field {column!r} holds {_json_type(text)}, not a string"
        return Fault(offset, problem, FIELD_CURE)
    try:
        text.encode()
    except UnicodeEncodeError:
        problem = f"field {column!r} holds half of a surrogate pair"
        return Fault(offset, problem, LINE_CURE)
    return text


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")


def _load_json(line: bytes) -> Any:
    """One JSON value. ValueError says what is wrong with it, UnicodeDecodeError too."""
    return DECODER.decode(line.decode())


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    return record if len(record) == len(pairs) else dict(reversed(pairs))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# Of two equal keys the first counts, as in polars. float takes an integer of any length, where
# int refuses more than 4,300 digits.
DECODER = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_int=float, parse_constant=_refuse_constant
)
