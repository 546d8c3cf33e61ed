"""JSON lines to documents: what does the text field say in each line?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import orjson

from miner.corpus.documents import BYTE_ORDER_MARK, TO_SKIP, Chunk, Reading, Skipped
from miner.corpus.streams import Stream
from miner.corpus.tables import COLUMN_CURE, DEFAULT_COLUMN, choose_column
from miner.corpus.text import Fault, Parsed, read_records, split_lines, utf8_fault
from miner.errors import CorpusError

HEAD_BYTES = 1 << 20  # the first object is looked for in the first megabyte
LINE_CURE = f"Mend the line, {TO_SKIP}"
FIELD_CURE = f"{COLUMN_CURE}, {TO_SKIP}"


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
    starts, ends, consumed = split_lines(block, final)
    key = json.dumps(column, ensure_ascii=False).encode("utf-8", "surrogatepass")
    texts, faults = [], []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        found = _take_string(block[start:end], start, column, key)
        if isinstance(found, str):
            texts.append(found.encode())
        elif found is not None:
            faults.append(found)
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    stops = sizes.cumsum()
    whole = np.frombuffer(b"".join(texts), dtype=np.uint8)
    return Parsed(whole, stops - sizes, stops, consumed, faults)


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


def _take_string(line: bytes, offset: int, column: str, key: bytes) -> str | Fault | None:
    """The field of one line; None where the line is blank.

    What orjson refuses (half of a surrogate pair, too many digits) or reads otherwise than we
    promise (of two fields of one name the first counts) is left to the `json` module.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _judge_line(line, offset, column)
    text = record.get(column) if isinstance(record, dict) else None
    once = line.count(key) == 1
    return text if once and isinstance(text, str) else _judge_line(line, offset, column)


def _judge_line(line: bytes, offset: int, column: str) -> str | Fault | None:
    """The field of one line, or what is wrong with it; None where it is blank."""
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


# Of two equal keys the first counts. float takes an integer of any length, where
# int refuses more than 4,300 digits.
DECODER = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_int=float, parse_constant=_refuse_constant
)
