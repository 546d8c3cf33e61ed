"""Texts to one line of characters: where in it does each document, word and byte stand?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.tokenizer.reading.loading import cut_batches
from miner.tokenizer.reading.scenes import SCENE, SEPARATOR
from miner.tokenizer.reading.texts import Corpus

EXAMPLES, SHORTEST, LONGEST = 4, 40, 160  # texts that are shown, and their characters
SIGN = re.compile(f"{re.escape(SCENE)}|{re.escape(SEPARATOR)}")  # what parts scenes


@dataclass(frozen=True)
class Batch:
    """Some documents, one behind the other, counted in characters.

    `starts` int64 (documents + 1,): where each begins; `codes` uint32 (characters,); `bytes` int64
    (characters + 1,): the bytes in front of each character. `words` are runs of anything but white
    space; a document is one of the `scenes`, or as many as [SCN] and [SEP] part it into.
    """

    texts: list[str]
    starts: np.ndarray
    codes: np.ndarray
    bytes: np.ndarray
    words: int
    scenes: int

    @property
    def sizes(self) -> np.ndarray:
        """The bytes of each document, int64 (documents,)."""
        return np.diff(self.bytes[self.starts])


def make_batch(texts: Sequence[str], *, raw: bool = False) -> Batch:
    """Return documents as a batch; `raw`: each character is a byte, whatever its number.

    >>> batch = make_batch(["a é", "жар"])
    >>> batch.starts.tolist(), batch.sizes.tolist(), batch.words, batch.scenes
    ([0, 3, 6], [4, 6], 3, 2)
    """
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
    widths = np.ones(len(codes), np.int64)
    if not raw:
        for edge in (0x80, 0x800, 0x10000):
            widths += codes >= edge
    starts = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    column = pl.Series(texts, dtype=pl.String).str
    forms = (r"\S+", f"{SIGN.pattern}|^")
    words, scenes = (int(column.count_matches(form).sum()) for form in forms)
    edges = np.concatenate([[0], np.cumsum(widths)])
    return Batch(list(texts), starts, codes, edges, words, scenes)


def read_batches(corpus: Corpus) -> Iterator[Batch]:
    """Yield the documents of a corpus that hold anything, about a million characters at a time."""
    raw = corpus.as_bytes
    for texts in corpus.all():
        for batch in cut_batches([text for text in texts if text]):
            yield make_batch(batch, raw=raw)


def choose_examples(texts: Sequence[str]) -> list[str]:
    """Return `EXAMPLES` texts of a readable length, evenly spread, or the beginnings of some."""
    fitting = [text for text in texts if SHORTEST <= len(text) <= LONGEST]
    usable = fitting or [text[:LONGEST] for text in texts]
    places = np.linspace(0, len(usable) - 1, min(EXAMPLES, len(usable))).astype(int)
    return [usable[place] for place in places]
