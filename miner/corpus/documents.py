"""What a corpus is made of: which file, which documents, what was left out?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from miner.errors import CorpusError

Form = Literal["lines", "jsonl", "csv", "tsv", "parquet", "texts", "bytes", "hex", "safetensors"]
Compression = Literal["gz", "zst", "xz"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
TO_SKIP = "or go on without it by --on-error skip"


@dataclass(frozen=True)
class Source:
    """One file of a corpus: `path` is its name in messages, `file` is where its bytes lie.

    The two differ for standard input and for texts in memory. `bytes` is the size on disk.
    """

    path: str
    form: Form
    compression: Compression | None
    bytes: int
    file: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some whole documents of one source; document i is `buffer[starts[i]:ends[i]]`.

    `buffer` is uint8, and UTF-8 in each document of a text form; `starts` and `ends` are int64;
    all are read-only. Bytes between documents mean nothing. `width`: of tensor data, the bytes of
    an element.
    """

    buffer: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    path: str
    width: int = 1

    def __post_init__(self) -> None:
        for array in (self.buffer, self.starts, self.ends):
            array.flags.writeable = False


@dataclass(frozen=True)
class Skipped:
    """Something that was not read: where it stands, what is wrong, what mends it.

    `place` is a line (from 1) and a byte (from 0, after unpacking), or what was lost of the file.
    """

    path: str
    place: str
    problem: str
    cure: str = ""


@dataclass(frozen=True)
class Reading:
    """How a corpus is read, and what becomes of what is wrong in it."""

    text_column: str | None
    chunk_bytes: int
    stop: bool
    skipped: list[Skipped]

    def report(self, trouble: Skipped) -> None:
        """Stop here, or note what is skipped and go on."""
        if self.stop:
            where = ", ".join(filter(None, (trouble.path, trouble.place)))
            raise CorpusError(trouble.problem, where=where, cure=trouble.cure)
        self.skipped.append(trouble)
