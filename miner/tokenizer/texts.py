"""A corpus to batches of texts, read anew at each pass: what is trained on, what is held back?

One document in twenty, the same that `miner mine` holds back of the same corpus, is not trained
on; it measures. Bytes become text, each the character of its number (Latin-1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from miner.atoms import choose_held
from miner.corpus import Chunk, Skipped, Source, find_sources, is_bytes, read_chunks
from miner.errors import CorpusError

MOST_HELD = 4 << 20  # characters that are held back; more measures nothing better
CHUNK = 4 << 20  # bytes read at a time


@dataclass
class Corpus:
    """The documents of some files, parted into those to train on and those held back."""

    sources: tuple[Source, ...]
    text_column: str | None = None
    on_error: str = "stop"
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
        for chunk in self._chunks(None):
            texts = decode_chunk(chunk, bytes_too=is_bytes(self.sources[0].form))
            yield texts, self._held[start : start + len(texts)]
            start += len(texts)

    def _chunks(self, skipped: list[Skipped] | None) -> Iterator[Chunk]:
        return read_chunks(
            self.sources, text_column=self.text_column, chunk_bytes=CHUNK, on_error=self.on_error,
            skipped=skipped,
        )  # fmt: skip


def open_corpus(
    paths: Sequence[str], *, text_column: str | None = None, on_error: str = "stop",
    as_bytes: bool = False, told: Callable[[str], None] = lambda _: None,
) -> Corpus:  # fmt: skip
    """Return a corpus whose files have been read once; CorpusError where they cannot be."""
    corpus = Corpus(find_sources(paths, as_bytes=as_bytes), text_column, on_error)
    for chunk in corpus._chunks(corpus.skipped):
        corpus.documents += len(chunk.starts)
        corpus.bytes += int((chunk.ends - chunk.starts).sum())
    if corpus.documents == 0:
        raise CorpusError("no document in it", where=", ".join(paths), cure="Name other files")
    corpus._held = choose_held(corpus.documents)
    told(f"corpus: {corpus.documents:,} documents, {corpus.bytes:,} bytes")
    return corpus


def decode_chunk(chunk: Chunk, *, bytes_too: bool) -> list[str]:
    """Return the documents of a chunk as texts."""
    encoding = "latin-1" if bytes_too else "utf-8"
    whole = chunk.buffer.tobytes()
    return [
        whole[start:end].decode(encoding)
        for start, end in zip(chunk.starts.tolist(), chunk.ends.tolist(), strict=True)
    ]
