"""A corpus to batches of texts, read anew at each pass: what is trained on, what is held back?

One document in twenty, the same that `miner mine` holds back of the same corpus, is not trained
on; it measures. Bytes become text, each the character of its number (Latin-1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from miner.corpus import Chunk, Skipped, find_sources, is_bytes, read_chunks
from miner.errors import CorpusError
from miner.progress import SILENT, Progress
from miner.runs.concordance import open_originals
from miner.text.pretokens import choose_held

MOST_HELD = 4 << 20  # characters that are held back; more measures nothing better
CHUNK = 4 << 20  # bytes read at a time


Chunks = Callable[[list[Skipped] | None], Iterator[Chunk]]  # told what it skips


@dataclass
class Corpus:
    """The documents of a corpus, parted into those to train on and those held back."""

    chunks: Chunks
    as_bytes: bool = False
    skipped: list[Skipped] = field(default_factory=list)
    documents: int = 0
    bytes: int = 0
    _held: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def has_held(self) -> bool:
        """Whether anything is held back; a corpus of few documents is measured on itself."""
        return bool(self._held.any())

    def train(self) -> Iterator[list[str]]:
        """Yield the texts to train on, some thousands at a time."""
        for texts, held in self._read():
            batch = [text for text, skip in zip(texts, held.tolist(), strict=True) if not skip]
            if batch:
                yield batch

    def all(self) -> Iterator[list[str]]:
        """Yield all texts, some thousands at a time."""
        for texts, _ in self._read():
            yield texts

    def held(self) -> list[str]:
        """Return the texts to measure on, at most `MOST_HELD` characters."""
        chosen: list[str] = []
        size = 0
        for texts, held in self._read():
            for text, wanted in zip(texts, held.tolist(), strict=True):
                if (wanted or not self.has_held) and size < MOST_HELD:
                    chosen.append(text[: MOST_HELD - size])
                    size += len(chosen[-1])
        return chosen

    def _read(self) -> Iterator[tuple[list[str], np.ndarray]]:
        start = 0
        for chunk in self.chunks(None):
            texts = decode_chunk(chunk, bytes_too=self.as_bytes)
            yield texts, self._held[start : start + len(texts)]
            start += len(texts)

    def count(self) -> None:
        """Read it once: how large is it, and what is held back?"""
        for chunk in self.chunks(self.skipped):
            self.documents += len(chunk.starts)
            self.bytes += int((chunk.ends - chunk.starts).sum())
        self._held = choose_held(self.documents)


def open_corpus(
    paths: Sequence[str],
    *,
    text_column: str | None = None,
    on_error: str = "stop",
    as_bytes: bool = False,
    progress: Progress = SILENT,
) -> Corpus:
    """Return a corpus whose files have been read once; CorpusError where they cannot be."""
    sources = find_sources(paths, as_bytes=as_bytes)

    def read(skipped: list[Skipped] | None) -> Iterator[Chunk]:
        return read_chunks(
            sources, text_column=text_column, chunk_bytes=CHUNK, on_error=on_error, skipped=skipped
        )

    corpus = Corpus(read, is_bytes(sources[0].form))
    corpus.count()
    if corpus.documents == 0:
        raise CorpusError("no document in it", where=", ".join(paths), cure="Name other files")
    progress.note(f"corpus: {corpus.documents:,} documents, {corpus.bytes:,} bytes")
    return corpus


def open_mined(run: Path, progress: Progress = SILENT) -> Corpus:
    """Return the corpus that a run was mined from; RunError where it has no copy of it."""
    originals = open_originals(run)
    corpus = Corpus(lambda _: originals.read_chunks())
    corpus.count()
    progress.note(f"the run's own corpus: {corpus.documents:,} documents, {corpus.bytes:,} bytes")
    return corpus


def decode_chunk(chunk: Chunk, *, bytes_too: bool) -> list[str]:
    """Return the documents of a chunk as texts."""
    encoding = "latin-1" if bytes_too else "utf-8"
    whole = chunk.buffer.tobytes()
    return [
        whole[start:end].decode(encoding)
        for start, end in zip(chunk.starts.tolist(), chunk.ends.tolist(), strict=True)
    ]
