"""Bytes to documents, by line: where does each line end, and is it UTF-8?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from miner.corpus.documents import TO_SKIP, Chunk, Reading, Skipped
from miner.corpus.streams import Stream

BREAK = 10
PIECE_BYTES = 1 << 19
UTF8_CURE = f"Convert the file to UTF-8 (iconv -f ENCODING -t UTF-8), {TO_SKIP}"
LONGEST_RECORD = 1 << 30  # polars takes strings below 4 GiB
TOO_LONG = "a record without end: no line break, or a quote that is never closed"
TOO_LONG_CURE = f"Mend it, read the file as bytes by --profile bytes, {TO_SKIP}"
NATIVE_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


class Fault(NamedTuple):
    """Something wrong at a byte of a block."""

    offset: int
    problem: str
    cure: str


@dataclass(frozen=True)
class Parsed:
    """The documents of a block, how much of it they took, and the records that are not well."""

    buffer: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    consumed: int
    faults: list[Fault]


Parser = Callable[[bytes, bool], Parsed]


def read_lines(stream: Stream, reading: Reading) -> Iterator[Chunk]:
    """Each line, without its line feed, is a document; nothing else is changed."""
    return read_records(stream, parse_lines, reading)


def read_records(
    stream: Stream, parse: Parser, reading: Reading, *, before: bytes = b""
) -> Iterator[Chunk]:
    """The documents of a stream, block by block.

    `parse(block, final)` takes the whole records at the front of a block; what it leaves comes
    back with more behind it. `before` was read from the stream already and counts in places.
    """
    held, offset, line = b"", len(before), before.count(b"\n") + 1
    final = False
    while not final:
        # As much again as is held, so that a record of any length is copied a few times only.
        wanted = max(reading.chunk_bytes, len(held))
        fresh = stream.read(wanted)
        final = len(fresh) < wanted
        block = held + fresh
        parsed = parse(block, final and stream.failure is None)
        for fault, place in zip(parsed.faults, _places(block, parsed, offset, line), strict=True):
            reading.report(Skipped(stream.source.path, place, fault.problem, fault.cure))
        if len(parsed.starts):
            yield Chunk(parsed.buffer, parsed.starts, parsed.ends, stream.source.path)
        held = block[parsed.consumed :]
        offset += parsed.consumed
        line += count_breaks(block, parsed.consumed)
        if len(held) > LONGEST_RECORD and not final:
            place = f"line {line}, byte {offset}"
            reading.report(Skipped(stream.source.path, place, TOO_LONG, TOO_LONG_CURE))
            return
    if stream.failure is not None:
        reading.report(stream.failure)


def parse_lines(block: bytes, final: bool) -> Parsed:
    """Lines of a block; the last one needs no line feed where the file ends.

    >>> parsed = parse_lines(b"ab\\n\\nc", True)
    >>> parsed.starts.tolist(), parsed.ends.tolist()
    ([0, 3, 4], [2, 3, 5])
    """
    starts, ends, consumed = split_lines(block, final)
    starts, ends, faults = keep_utf8(block, consumed, starts, ends)
    return Parsed(np.frombuffer(block, dtype=np.uint8), starts, ends, consumed, faults)


def split_lines(block: bytes, final: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Starts and ends of the whole lines of a block, and how many bytes they take."""
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == BREAK)
    consumed = int(ends[-1]) + 1 if len(ends) else 0
    if final and consumed < len(block):
        ends = np.append(ends, len(block))
        consumed = len(block)
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    return starts, ends, consumed


def count_breaks(block: bytes, size: int) -> int:
    """Line feeds among the first `size` bytes; where lines are short, bytes.count is slower."""
    return int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8, count=size) == BREAK))


def keep_utf8(
    text: bytes,
    size: int,
    starts: np.ndarray,
    ends: np.ndarray,
    *,
    origins: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, list[Fault]]:
    """The documents that are UTF-8, and a fault for each other one.

    They lie in the first `size` bytes of `text`, with something ASCII between them. `origins`
    says where each document starts in the block, where `text` is not the block itself.
    """
    if is_utf8(text, size):
        return starts, ends, []
    keep, faults = np.ones(len(starts), dtype=bool), []
    places = starts if origins is None else origins
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        try:
            text[start:end].decode()
        except UnicodeDecodeError as error:
            keep[row] = False
            faults.append(utf8_fault(error, int(places[row])))
    return starts[keep], ends[keep], faults


def is_utf8(text: bytes, size: int) -> bool:
    """Whether the first `size` bytes are UTF-8: no overlong form, no surrogate, nothing cut.

    polars is six times as fast as bytes.decode on Cyrillic, and pieces that stay in the cache are
    twice as fast as one.
    """
    start = 0
    while start < size:
        end = text.find(b"\n", start + PIECE_BYTES, size) + 1 or size
        try:
            pl.Series([text[start:end]], dtype=pl.Binary).cast(pl.String)
        except pl.exceptions.ComputeError:
            return False
        start = end
    return True


def utf8_fault(error: UnicodeDecodeError, origin: int) -> Fault:
    """The first bad byte of a document that starts at `origin`."""
    found = error.object[error.start : error.end].hex(" ")
    return Fault(origin + error.start, f"bad UTF-8 (bytes {found})", UTF8_CURE)


def _places(block: bytes, parsed: Parsed, offset: int, line: int) -> list[str]:
    if not parsed.faults:
        return []
    offsets = np.array([fault.offset for fault in parsed.faults])
    breaks = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == BREAK)
    lines = np.searchsorted(breaks, offsets) + line
    return [
        f"line {a}, byte {b}"
        for a, b in zip(lines.tolist(), (offsets + offset).tolist(), strict=True)
    ]
