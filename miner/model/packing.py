"""Documents to blocks of ids: what does a model read at each step, and what measures it?

Documents are cut into ids as they stream by, joined with an end token behind each, and packed into
blocks of one length. Blocks are shuffled within a buffer, so that memory never holds the corpus;
the order depends on the seed and the pass alone, so that training can go on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from miner.errors import CorpusError
from miner.tokenizer.reading.texts import Corpus

BATCH = 1 << 20  # characters that are cut into ids at a time
PIECE = 200_000  # characters of a document that are cut at once; a longer one comes in pieces
BUFFER = 4_096  # blocks that are shuffled among each other
MEASURED = 1 << 17  # characters of held-back text; more costs time and tells the same

Encode = Callable[[list[str]], list[list[int]]]


class Place(NamedTuple):
    """How far the corpus was read: passes before this one, and blocks of it."""

    epoch: int = 0
    block: int = 0


@dataclass(frozen=True)
class Packing:
    """What makes blocks of a corpus: `end` stands behind each document, where a model has one."""

    corpus: Corpus
    encode: Encode
    end: int | None
    length: int
    seed: int

    def count(self) -> int:
        """Return how many blocks one pass has; CorpusError where there is none."""
        return sum(1 for _ in pack_blocks(self))

    def read(self, start: Place) -> Iterator[tuple[Place, np.ndarray]]:
        """Yield blocks without end, from `start` on, each with the place behind it."""
        epoch, skipped = start
        while True:
            random = np.random.default_rng([self.seed, epoch])
            for number, block in enumerate(shuffle_blocks(pack_blocks(self), random), 1):
                if number > skipped:
                    yield Place(epoch, number), block
            epoch, skipped = epoch + 1, 0


def pack_blocks(packing: Packing) -> Iterator[np.ndarray]:
    """Yield the blocks of one pass, int32 (length,); what is left at its end is no block."""
    rest = np.zeros(0, np.int32)
    found = ids = 0
    for texts in packing.corpus.train():
        for batch in cut_texts(texts):
            more, _ = join_ids(batch, packing.encode, packing.end)
            ids += len(more)
            whole = np.concatenate([rest, more])
            count = len(whole) // packing.length
            for block in whole[: count * packing.length].reshape(count, packing.length):
                yield block.copy()  # a view would keep the whole batch
            rest = whole[count * packing.length :]
            found += count
    if not found:
        raise CorpusError(
            f"the text to train on has {ids:,} ids, and a block {packing.length:,}",
            cure="Name a longer --corpus, or a shorter --context",
        )


def cut_texts(texts: Sequence[str]) -> Iterator[list[tuple[str, bool]]]:
    """Yield pieces of the texts, about `BATCH` characters at a time; True at the end of a text."""
    batch: list[tuple[str, bool]] = []
    size = 0
    for text in texts:
        pieces = cut_text(text)
        for number, piece in enumerate(pieces, 1):
            batch.append((piece, number == len(pieces)))
            size += len(piece)
            if size >= BATCH:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def cut_text(text: str, most: int = PIECE) -> list[str]:
    """Return a text in pieces that join back to it, cut before a space where there is one.

    >>> cut_text("to be or not", 7)
    ['to be', ' or not']
    """
    pieces = []
    while len(text) > most:
        end = max(text.rfind(space, 1, most) for space in (" ", "\n"))
        end = end if end > 0 else most
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text]


def join_ids(
    pieces: Sequence[tuple[str, bool]], encode: Encode, end: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of pieces in one row, int32, and which of them are text, bool."""
    rows: list[np.ndarray] = []
    is_text: list[np.ndarray] = []
    for (_, last), ids in zip(pieces, encode([text for text, _ in pieces]), strict=True):
        tail = [end] if last and end is not None else []
        rows.append(np.array([*ids, *tail], np.int32))
        is_text.append(np.arange(len(rows[-1])) < len(ids))
    if not rows:
        return np.zeros(0, np.int32), np.zeros(0, bool)
    return np.concatenate(rows), np.concatenate(is_text)


def shuffle_blocks(
    blocks: Iterable[np.ndarray], random: np.random.Generator, size: int = BUFFER
) -> Iterator[np.ndarray]:
    """Yield the blocks in another order, each at most some `size` places late."""
    buffer: list[np.ndarray] = []
    for block in blocks:
        if len(buffer) < size:
            buffer.append(block)
            continue
        place = int(random.integers(size))
        yield buffer[place]
        buffer[place] = block
    for place in random.permutation(len(buffer)):
        yield buffer[place]


@dataclass(frozen=True)
class Sample:
    """Held-back text to measure on: windows of ids, which of them count, and bytes of text.

    A window begins with the last id of the one before, so that each id is told once.
    """

    windows: tuple[tuple[np.ndarray, np.ndarray], ...]
    bytes: int


def make_sample(packing: Packing, begin: int | None) -> Sample:
    """Return the held-back text of a corpus as windows; `begin` is read before it."""
    texts = choose_texts(packing.corpus.held(), MEASURED, seed=packing.seed)
    size = sum(len(text if packing.corpus.as_bytes else text.encode()) for text in texts)
    pieces = [piece for batch in cut_texts(texts) for piece in batch]
    ids, is_text = join_ids(pieces, packing.encode, packing.end)
    if begin is not None:
        ids, is_text = np.append(np.int32(begin), ids), np.append(False, is_text)
    if not size or len(ids) < 2:
        raise CorpusError("there is no text to measure on", cure="Name a longer --corpus")
    return Sample(tuple(cut_windows(ids, is_text, packing.length)), size)


def choose_texts(texts: Sequence[str], most: int, *, seed: int) -> list[str]:
    """Return some of the texts, at random and in their order, about `most` characters in all."""
    chosen: dict[int, str] = {}
    left = most
    for place in np.random.default_rng(seed).permutation(len(texts)).tolist():
        if left <= 0:
            break
        chosen[place] = texts[place][:left]
        left -= len(chosen[place])
    return [chosen[place] for place in sorted(chosen)]


def cut_windows(
    ids: np.ndarray, is_text: np.ndarray, length: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield windows of ids that overlap by one, with which of the ids behind the first count.

    >>> [(ids.tolist(), told.tolist()) for ids, told in
    ...  cut_windows(np.arange(5), np.array([False, True, True, False, True]), 3)]
    [([0, 1, 2], [True, True]), ([2, 3, 4], [False, True])]
    """
    for start in range(0, len(ids) - 1, length - 1):
        window = slice(start, start + length)
        yield ids[window], is_text[window][1:]
