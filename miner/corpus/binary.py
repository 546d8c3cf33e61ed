"""Files to documents of bytes: what does the file, the dump or the tensor hold?"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator
from typing import NoReturn

import numpy as np

from miner.corpus.documents import TO_SKIP, Chunk, Reading, Skipped
from miner.corpus.streams import Stream
from miner.errors import CorpusError

FILE_CURE = f"Fetch or write the file again, {TO_SKIP}"
INTEL_CURE = "Convert it by objcopy -I ihex -O binary"
LONGEST_HEADER = 100_000_000  # as in the safetensors library
MOST_REPEATED = 1 << 26  # bytes that all `*` of a dump may stand for: a few letters say so much

# `00000010: 4865 6c6c 6f0a  Hello.` (xxd), `00000010  48 65 6c 6c 6f 0a  |Hello.|` (hexdump -C),
# `000010 48 65 6c 6c 6f 0a` (od -A x -t x1): the place, pairs of digits, perhaps a picture.
XXD_LINE = re.compile(rb"([0-9a-fA-F]+):((?: ?[0-9a-fA-F]{2})*)(?: | {2,}.*)?")
HEXDUMP_LINE = re.compile(rb"([0-9a-fA-F]{6,})((?: {1,2}[0-9a-fA-F]{2})*)(?: *| +[|>].*)")
FIRST_OF_XXD = re.compile(rb"[0-9a-fA-F]+: ")
FIRST_OF_HEXDUMP = re.compile(rb"[0-9a-fA-F]{6,}  [0-9a-fA-F]{2}\b|0{6,} [0-9a-fA-F]{2}\b")
DIGITS = re.compile(rb"[0-9a-fA-F\s]*")


def read_bytes(stream: Stream, reading: Reading) -> Iterator[Chunk]:
    """The whole file is one document."""
    content = _read_all(stream, reading)
    if content:
        yield _one_document(content, stream)


def read_hex(stream: Stream, reading: Reading) -> Iterator[Chunk]:
    """The bytes that a hex dump shows are one document."""
    dump = _read_all(stream, reading)
    try:
        content = parse_hex(dump)
    except CorpusError as error:
        _report(error, stream, reading)
    else:
        if content:
            yield _one_document(content, stream)


def parse_hex(dump: bytes) -> bytes:
    """The bytes of plain hex, or of what xxd, hexdump -C and od -A x -t x1 print.

    CorpusError with the line where there is something else.

    >>> parse_hex(b"0000000a: 4142 4344  ABCD\\n0000000e: 45  E\\n"), parse_hex(b"41 42\\n4344\\n")
    (b'ABCDE', b'ABCD')
    """
    first = dump.lstrip()[:80]
    if FIRST_OF_XXD.match(first):
        return _parse_dump(dump, XXD_LINE)
    if FIRST_OF_HEXDUMP.match(first):
        return _parse_dump(dump, HEXDUMP_LINE)
    return _parse_digits(dump)


def read_safetensors(stream: Stream, reading: Reading) -> Iterator[Chunk]:
    """The values of each tensor, in the order in which they lie, are one document."""
    packed = stream.source.compression is not None
    try:
        for name, size, width in _read_tensor_sizes(stream):
            # A plain file is asked for no more than it has: `size` is only what the header says.
            content = stream.read(size if packed else min(size, stream.source.bytes))
            if len(content) < size:
                problem = f"truncated safetensors file: {len(content)} of {size} bytes"
                raise CorpusError(problem, where=f"tensor {name!r}")
            yield _one_document(content, stream, width=width)
        if stream.read(1):
            raise CorpusError("malformed safetensors file: bytes behind the last tensor")
    except CorpusError as error:
        _report(error, stream, reading)


def _parse_digits(dump: bytes) -> bytes:
    try:
        return binascii.unhexlify(b"".join(dump.split()))
    except binascii.Error as error:
        for number, line in enumerate(dump.splitlines(), start=1):
            if not DIGITS.fullmatch(line):
                _refuse_hex(line, number)
        raise CorpusError(f"malformed hex ({error})", cure=FILE_CURE) from error


def _parse_dump(dump: bytes, pattern: re.Pattern[bytes]) -> bytes:
    """The bytes of a dump whose places fit; `*` repeats the line before up to the next place."""
    content, row, base = bytearray(), b"", None
    repeat, room = False, MOST_REPEATED
    for number, line in enumerate(dump.splitlines(), start=1):
        match = pattern.fullmatch(line)
        if match is None and line.strip() not in (b"", b"*"):
            _refuse_hex(line, number)
        if match is None:
            repeat = repeat or line.strip() == b"*"
            continue
        place = int(match[1], 16)
        base = place if base is None else base
        missing = place - base - len(content)
        if repeat and row and missing > room:
            _refuse_hex(
                line, number, f"* stands for {missing:,} bytes and {MOST_REPEATED:,} are read"
            )
        if repeat and row and missing > 0:
            room -= missing
            content += (row * (missing // len(row) + 1))[:missing]
        elif missing:
            _refuse_hex(line, number, f"bytes {base + len(content):#x} expected here")
        row, repeat = bytes.fromhex(match[2].decode()), False
        content += row
    return bytes(content)


def _refuse_hex(line: bytes, number: int, why: str = "") -> NoReturn:
    shown = why or repr(line[:40].decode(errors="replace"))
    cure = INTEL_CURE if line.startswith(b":") else FILE_CURE
    raise CorpusError(f"malformed hex: {shown}", where=f"line {number}", cure=cure)


def _read_tensor_sizes(stream: Stream) -> list[tuple[str, int, int]]:
    """(name, bytes, bytes of an element) of each tensor in the order of their bytes.

    They leave no gap. An element of less than a byte, or of a type without a size, counts as one.

    The layout is that of https://github.com/huggingface/safetensors: eight bytes of length, the
    header as JSON, the values.
    """
    length = int.from_bytes(stream.read(8), "little")
    if length > LONGEST_HEADER:
        raise CorpusError(f"malformed safetensors file: a header of {length} bytes")
    header = stream.read(length)
    if len(header) < length or not header:
        raise CorpusError("truncated safetensors file: the header is not whole")
    try:
        entries = dict(json.loads(header))
        entries.pop("__metadata__", None)
        spans = sorted(
            (*map(int, entry["data_offsets"]), name, _read_width(entry["dtype"]))
            for name, entry in entries.items()
        )
        end = 0
        for start, stop, *_ in spans:
            if not end == start <= stop:
                raise ValueError(f"the offsets {start} and {stop} do not follow {end}")
            end = stop
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError) as error:
        raise CorpusError(f"malformed safetensors file: {error}", where="header") from error
    return [(name, stop - start, width) for start, stop, name, width in spans]


def _read_width(dtype: str) -> int:
    """The bytes of an element of a type of safetensors.

    >>> _read_width("BF16"), _read_width("F8_E4M3"), _read_width("I64"), _read_width("BOOL")
    (2, 1, 8, 1)
    """
    bits = re.search(r"\d+", dtype)
    return {16: 2, 32: 4, 64: 8}.get(int(bits[0]), 1) if bits else 1


def _read_all(stream: Stream, reading: Reading) -> bytes:
    """All of a source; nothing where its archive is broken, as a part is another document."""
    content = b"".join(iter(lambda: stream.read(reading.chunk_bytes), b""))
    if stream.failure is None:
        return content
    reading.report(stream.failure)
    return b""


def _one_document(content: bytes, stream: Stream, *, width: int = 1) -> Chunk:
    buffer = np.frombuffer(content, dtype=np.uint8)
    starts, ends = np.array([0], dtype=np.int64), np.array([len(content)], dtype=np.int64)
    return Chunk(buffer, starts, ends, stream.source.path, width)


def _report(error: CorpusError, stream: Stream, reading: Reading) -> None:
    trouble = Skipped(stream.source.path, error.where or "", error.problem, error.cure or FILE_CURE)
    reading.report(stream.failure or trouble)
