"""Files to documents: what is in the corpus?

sources     which files the user means       text, texts, jsonlines,
streams     files to unpacked bytes          separated, tables    text forms to documents
documents   the types that come out          binary               byte forms to documents

>>> for chunk in read_chunks(find_sources(["corpus/"])):  # doctest: +SKIP
...     first = chunk.buffer[chunk.starts[0] : chunk.ends[0]].tobytes()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from miner.corpus.binary import read_bytes, read_hex, read_safetensors
from miner.corpus.documents import TO_SKIP, Chunk, Form, Reading, Skipped, Source
from miner.corpus.jsonlines import read_jsonl
from miner.corpus.separated import read_separated
from miner.corpus.sources import find_sources, hash_sources, is_bytes
from miner.corpus.streams import Stream
from miner.corpus.tables import read_parquet
from miner.corpus.text import LONGEST_RECORD, read_lines
from miner.corpus.texts import check_texts, encode_text, read_spooled, spool_texts
from miner.errors import say_reason
from miner.progress import Advance, idle

__all__ = [
    "Chunk",
    "Skipped",
    "Source",
    "check_texts",
    "encode_text",
    "find_sources",
    "hash_sources",
    "is_bytes",
    "read_chunks",
    "spool_texts",
]

READERS: dict[Form, Callable[[Stream, Reading], Iterator[Chunk]]] = {
    "lines": read_lines,
    "jsonl": read_jsonl,
    "csv": partial(read_separated, separator=","),
    "tsv": partial(read_separated, separator="\t"),
    "parquet": read_parquet,
    "texts": read_spooled,
    "bytes": read_bytes,
    "hex": read_hex,
    "safetensors": read_safetensors,
}


def read_chunks(
    sources: Sequence[Source],
    *,
    text_column: str | None = None,
    chunk_bytes: int = 16 << 20,
    on_error: str = "stop",
    skipped: list[Skipped] | None = None,
    advance: Advance = idle,
) -> Iterator[Chunk]:
    """The documents of a corpus in order, about `chunk_bytes` at a time.

    A document is never cut: a longer one makes a larger chunk. CorpusError where something cannot
    be read, or, with `on_error="skip"`, a line in `skipped`, and the rest goes on. `advance` is
    called with the bytes of files read since the last call; they sum up to the sources' bytes.
    """
    if on_error not in ("stop", "skip"):
        raise ValueError(f"on_error must be 'stop' or 'skip', not {on_error!r}")
    if not 1 <= chunk_bytes <= LONGEST_RECORD:
        raise ValueError(f"chunk_bytes must be in 1..{LONGEST_RECORD}, not {chunk_bytes}")
    reading = Reading(
        text_column, chunk_bytes, on_error == "stop", [] if skipped is None else skipped
    )
    return _read_sources(sources, reading, advance)


def _read_sources(sources: Sequence[Source], reading: Reading, advance: Advance) -> Iterator[Chunk]:
    for source in sources:
        done = 0
        for position, chunk in _read_source(source, reading):
            advance(position - done)
            done = position
            yield chunk
        advance(source.bytes - done)


def _read_source(source: Source, reading: Reading) -> Iterator[tuple[int, Chunk]]:
    """(bytes of the file read so far, documents)."""
    noted, empty = len(reading.skipped), True
    try:
        with Stream(source) as stream:
            for chunk in READERS[source.form](stream, reading):
                empty = False
                yield min(stream.position, source.bytes), chunk
    except OSError as error:
        problem = say_reason(error)
        reading.report(Skipped(source.path, "", problem, f"Check the file, {TO_SKIP}"))
    if empty and len(reading.skipped) == noted:
        reading.report(Skipped(source.path, "", "empty file", f"Leave it away, {TO_SKIP}"))
