"""Texts in memory to a source: documents of any iterable, on disk once, to be hashed and read.

They lie in a temporary file, each with a byte behind it that no UTF-8 holds.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from miner.corpus.documents import Chunk, Reading, Source
from miner.corpus.streams import Stream
from miner.corpus.text import BREAK, Parsed, read_records
from miner.errors import UsageError
from miner.progress import Advance, idle

END = b"\xff"
AT_ONCE = 4_096  # texts written at a time


def spool_texts(
    texts: Iterable[str | None], *, name: str = "texts", advance: Advance = idle
) -> Source:
    """Return a source of documents, one a text; None is an empty one, as in tables.

    `name` stands for them in messages. UsageError names the first that is no text, or holds half a
    surrogate pair, and says where there is none at all. `advance` is called with how many are
    written.
    """
    numbers = count()
    with tempfile.NamedTemporaryFile(prefix="miner-", delete=False) as spool:
        atexit.register(Path(spool.name).unlink, missing_ok=True)
        try:
            rest = iter(texts)
            while batch := list(islice(rest, AT_ONCE)):
                spool.write(b"".join(_encode(text, next(numbers), name) + END for text in batch))
                advance(len(batch))
            size = spool.tell()
            if size == 0:
                raise UsageError("the corpus holds no text", cure="Give one text at least")
        except BaseException:
            spool.close()  # Windows removes no file that is open
            Path(spool.name).unlink()
            raise
    return Source(name, "texts", None, size, spool.name)


def _encode(text: str | None, number: int, name: str) -> bytes:
    return b"" if text is None else encode_text(text, f"{name}[{number}]")


def check_texts(texts: Iterable[Any], name: str = "texts") -> None:
    """UsageError where a text stands in the place of several: it would be read letter by letter."""
    if isinstance(texts, str):
        raise UsageError(f"{name} is str, one text", cure=f"Give several: {name}=[{texts[:20]!r}]")
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise UsageError(f"{name} is {type(texts).__name__}", cure="Give an iterable of str")


def encode_text(
    text: object,
    where: str,
    *,
    errors: str = "strict",
    cure: str = "Give strings; of a table name the column: text_column",
) -> bytes:
    """Return a text in UTF-8; UsageError where it is no text, or holds half a surrogate pair.

    >>> encode_text("жар", "texts[0]") == "жар".encode()
    True
    """
    if not isinstance(text, str):
        raise UsageError(f"is {type(text).__name__}, and no text", where=where, cure=cure)
    try:
        return text.encode(errors=errors)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"half a surrogate pair at character {error.start}",
            where=where,
            cure='Mend it: text.encode("utf-8", "replace").decode()',
        ) from error


def read_spooled(stream: Stream, reading: Reading) -> Iterator[Chunk]:
    """Each text is a document; nothing is changed."""
    return read_records(stream, _parse, reading)


def _parse(block: bytes, final: bool) -> Parsed:
    """Take the whole texts at the front of a block."""
    del final
    buffer = np.frombuffer(block, np.uint8).copy()
    ends = np.flatnonzero(buffer == END[0])
    buffer[ends] = BREAK
    starts = np.append(0, ends[:-1] + 1) if len(ends) else ends
    return Parsed(buffer, starts, ends, int(ends[-1]) + 1 if len(ends) else 0, [])
