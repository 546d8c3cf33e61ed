"""Documents to a packed copy: what did the corpus say around a place?

A run keeps atoms, not text. The copy lies with them in `1_atoms/`:

originals.zst         a zstd frame for each block of whole documents; `zstd -d` gives them all
originals.places.u32  where each document starts in its block
originals.blocks.i64  a row for each block: where its frame starts, its first document; the end

Profile `bytes` needs none: there an atom is a byte.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numba import njit

from miner.corpus import Chunk
from miner.errors import RunError
from miner.runs.finished import told_damage
from miner.runs.names import READING, find_stage
from miner.runs.stages import load_cut
from miner.text.pretokens import Atoms, choose_held
from miner.text.recut import recut_chunk
from miner.text.unicode import CLASS, EXTEND, REGIONAL, VIRAMA, ZWJ, class_table

if sys.version_info >= (3, 14):
    zstandard = importlib.import_module("compression.zstd")
else:
    import zstandard

PACKED, PLACES, BLOCKS = "originals.zst", "originals.places.u32", "originals.blocks.i64"
BLOCK = 1 << 20  # bytes of documents in a block; the last of them may be longer
LEVEL = 3
SHELF = 64 << 20  # bytes of blocks, and of long documents cut again, that are held in memory
LONG = 1 << 14  # a document of so many bytes is not cut a second time while there is room
ROOM = 1 << 16  # places noted in the first look at a stream; where there are more, it takes two
EDGE = 16  # characters given away so that a context ends between two words


@dataclass(frozen=True)
class Context:
    """A place of a unit: the text before, its own, the text after; the document, from 0."""

    before: str
    unit: str
    after: str
    document: int


# Writing


def record_documents(chunks: Iterable[Chunk], folder: Path) -> Iterator[Chunk]:
    """Yield the chunks as they are, and leave a packed copy of their documents in `folder`.

    A thread packs a chunk while the caller works on it.
    """
    with (
        (folder / PACKED).open("wb") as packed,
        (folder / PLACES).open("wb") as places,
        ThreadPoolExecutor(1) as packing,
    ):
        recorder = _Recorder(packed, places)
        pending: Future[None] | None = None
        for chunk in chunks:
            if pending:
                pending.result()
            pending = packing.submit(recorder.add, chunk)
            yield chunk
        if pending:
            pending.result()
        recorder.finish()
    np.array(recorder.blocks, np.int64).tofile(folder / BLOCKS)


@dataclass
class _Recorder:
    """Packs documents as they come; what does not fill a block waits for more.

    `blocks`: where the frame of each block starts, and its first document.
    """

    packed: BinaryIO
    places: BinaryIO
    blocks: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    waiting: list[np.ndarray] = field(default_factory=list)
    size: int = 0
    documents: int = 0

    def add(self, chunk: Chunk) -> None:
        """Take in the documents of a chunk; a document is in the block in which it starts."""
        lengths = chunk.ends - chunk.starts
        starts = np.cumsum(lengths) - lengths
        joined = np.empty(int(lengths.sum()), np.uint8)
        _join_documents(chunk.buffer, chunk.starts, chunk.ends, joined)
        blocks = (self.size + starts) // BLOCK
        edges = [0, *(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(starts)]
        for first, last in pairwise(edges):
            if first < last and blocks[first] > 0:
                self._pack()
            stop = starts[last] if last < len(starts) else len(joined)
            if first < last:
                self._hold(joined[starts[first] : stop], starts[first:last] - starts[first])

    def _hold(self, text: np.ndarray, starts: np.ndarray) -> None:
        self.places.write((starts + self.size).astype(np.uint32).tobytes())
        self.waiting.append(text)
        self.size += len(text)
        self.documents += len(starts)

    def _pack(self) -> None:
        frame = pack(np.concatenate(self.waiting).tobytes())
        self.packed.write(frame)
        self.blocks.append((self.blocks[-1][0] + len(frame), self.documents))
        self.waiting, self.size = [], 0

    def finish(self) -> None:
        """Pack what still waits."""
        if self.waiting:
            self._pack()


@njit(nogil=True, cache=True)
def _join_documents(
    buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, joined: np.ndarray
) -> None:
    place = 0
    for document in range(starts.shape[0]):
        for i in range(starts[document], ends[document]):
            joined[place] = buffer[i]
            place += 1


def pack(text: bytes) -> bytes:
    """Return a zstd frame that knows its size and its checksum."""
    if sys.version_info >= (3, 14):
        names = zstandard.CompressionParameter
        options = {names.compression_level: LEVEL, names.checksum_flag: 1}
        return bytes(zstandard.compress(text, options=options))
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(text)


def unpack(frame: bytes) -> bytes:
    """Return the text of a frame; ZstdError where it is damaged."""
    if sys.version_info >= (3, 14):
        return bytes(zstandard.decompress(frame))
    return zstandard.ZstdDecompressor().decompress(frame)


# Reading


class _Shelf(OrderedDict[int, np.ndarray]):
    """Arrays by number, those used last, as many as `SHELF` bytes hold."""

    def take(self, number: int) -> np.ndarray | None:
        if number in self:
            self.move_to_end(number)
        return self.get(number)

    def put(self, number: int, array: np.ndarray) -> None:
        self[number] = array
        while len(self) > 1 and sum(held.nbytes for held in self.values()) > SHELF:
            self.popitem(last=False)


@dataclass(frozen=True)
class Copy:
    """The packed documents of a corpus, as `record_documents` left them."""

    folder: Path
    places: np.ndarray
    blocks: np.ndarray
    shelf: _Shelf = field(default_factory=_Shelf)

    def read(self, document: int) -> np.ndarray:
        """Return the bytes of a document: uint8, read-only."""
        block = int(np.searchsorted(self.blocks[:, 1], document, side="right")) - 1
        text = self._read_block(block)
        last = document + 1 == self.blocks[block + 1, 1]
        stop = len(text) if last else int(self.places[document + 1])
        if not self.places[document] <= stop <= len(text):
            raise ValueError("a document ends before it starts")
        return text[self.places[document] : stop]

    def read_chunks(self) -> Iterator[Chunk]:
        """Yield all documents in the order of the corpus, a block at a time."""
        for block, (first, last) in enumerate(pairwise(self.blocks[:, 1].tolist())):
            text = self._read_block(block)
            starts = self.places[first:last].astype(np.int64)
            ends = np.append(starts[1:], len(text))
            if (starts > ends).any():
                raise ValueError("a document ends before it starts")
            yield Chunk(text, starts, ends, str(self.folder / PACKED))

    def _read_block(self, block: int) -> np.ndarray:
        """Return the documents of a block, one behind the other."""
        held = self.shelf.take(block)
        if held is None:
            start, stop = self.blocks[block : block + 2, 0].tolist()
            with (self.folder / PACKED).open("rb") as packed:
                packed.seek(start)
                held = np.frombuffer(unpack(packed.read(stop - start)), np.uint8)
            self.shelf.put(block, held)
        return held


def _open_copy(folder: Path, documents: int) -> Copy | None:
    """Return the copy in a folder, None where an earlier version of miner has left none."""
    if not any((folder / name).exists() for name in (PACKED, PLACES, BLOCKS)):
        return None
    blocks = np.fromfile(folder / BLOCKS, np.int64).reshape(-1, 2)
    places = np.memmap(folder / PLACES, np.uint32, mode="r")
    size = (folder / PACKED).stat().st_size
    whole = len(blocks) > 1 and blocks[0].tolist() == [0, 0]
    whole = whole and blocks[-1].tolist() == [size, documents] and len(places) == documents
    if not whole or (np.diff(blocks, axis=0) <= 0).any():
        raise ValueError("the copy of the documents is not whole")
    return Copy(folder, places, blocks)


def open_originals(run: Path) -> Originals:
    """Return the text of a run, finished or nearly so; RunError where it is damaged."""
    folder = find_stage(run, "atoms")
    with _told(run):
        reading = json.loads((folder / READING).read_text(encoding="utf-8"))
        atoms = load_cut(folder)
        documents = len(atoms.mined.documents) + len(atoms.held.documents) - 2
        numbers = np.flatnonzero(~choose_held(documents))
        ends = int(atoms.mined.documents[-1]), len(atoms.mined.documents) - 1
        if ends[0] > len(atoms.mined.ids) or ends[1] != len(numbers):
            raise ValueError("the stream is not whole")
        is_bytes = atoms.profile.name == "bytes"
        copy = None if is_bytes else _open_copy(folder, documents)
        patterns = dict(reading.get("patterns", {}))
    return Originals(run, atoms, numbers, patterns, copy)


def _told(run: Path) -> AbstractContextManager[None]:
    """Turn what a damaged copy or stream raises into one line with its cure."""
    problem = "the text of the run cannot be read"
    return told_damage(run, problem, also=(zstandard.ZstdError, re.error))


@dataclass(frozen=True)
class Originals:
    """The text of a corpus that was mined: `numbers[d]` is what the corpus calls document d.

    Without a copy, as in runs of an earlier version, contexts are spelled from the atoms.
    """

    run: Path
    atoms: Atoms
    numbers: np.ndarray
    patterns: Mapping[str, str]
    copy: Copy | None
    shelf: _Shelf = field(default_factory=_Shelf)

    @property
    def exact(self) -> bool:
        """Whether contexts are what the corpus says, to the letter; bytes are in hexadecimal."""
        return self.copy is not None or self.atoms.profile.name == "bytes"

    def read_chunks(self) -> Iterator[Chunk]:
        """Yield all documents of the corpus, those that were held back too, in its order.

        RunError where the run has no copy of them, or a damaged one.
        """
        if self.copy is None:
            raise RunError(
                "holds no copy of its text", where=str(self.run), cure="Name the corpus: --corpus"
            )
        with _told(self.run):
            yield from self.copy.read_chunks()

    def count_places(self, keys: np.ndarray) -> int:
        """Return how often a run of keys stands in the mined text."""
        with _told(self.run):
            counts, _ = find_places(self.atoms.mined.ids, [keys], most=0)
        return int(counts[0])

    def find_contexts(self, keys: np.ndarray, *, most: int = 10, reach: int = 60) -> list[Context]:
        """Return at most `most` places of a run of keys, spread evenly over all of them.

        `keys` uint32 (atoms,), zeros behind them mean nothing; the space of the first does not
        count. At most `reach` characters on each side, all of the same document.
        """
        return self.find_all([keys], most=most, reach=reach)[0]

    def find_all(
        self, runs: Sequence[np.ndarray], *, most: int = 10, reach: int = 60
    ) -> list[list[Context]]:
        """Return the contexts of several runs of keys, as `find_contexts`, in one go."""
        with _told(self.run):
            _, places = find_places(self.atoms.mined.ids, runs, most=most)
            rows, columns = np.nonzero(places >= 0)
            lengths = np.array([np.count_nonzero(keys) for keys in runs], np.int64)
            contexts = self._read_places(places[rows, columns], lengths[rows], reach)
        found: list[list[Context]] = [[] for _ in runs]
        for row, context in zip(rows.tolist(), contexts, strict=True):
            found[row].append(context)
        return found

    def read_places(
        self, places: np.ndarray, lengths: np.ndarray, *, reach: int = 60
    ) -> list[Context]:
        """Return the contexts of runs of `lengths` atoms that start at `places` of the stream."""
        with _told(self.run):
            size = len(self.atoms.mined.ids)
            if len(places) and not (places.min() >= 1 and (places + lengths).max() <= size):
                raise ValueError("places beyond the stream")
            return self._read_places(places, lengths, reach)

    def _read_places(self, places: np.ndarray, lengths: np.ndarray, reach: int) -> list[Context]:
        """Return the contexts of runs of `lengths` atoms that start at `places`, in their order."""
        starts = self.atoms.mined.documents
        mined = np.searchsorted(starts, places, side="right") - 1
        within = (places - starts[mined]).tolist()
        found: dict[int, Context] = {}
        read = self._spell if self.copy is None else partial(self._read, self.copy)
        for i in np.argsort(mined, kind="stable").tolist():
            found[i] = read(int(mined[i]), within[i], within[i] + int(lengths[i]), reach)
        return [found[i] for i in range(len(places))]

    def _read(self, copy: Copy, document: int, first: int, last: int, reach: int) -> Context:
        """Return the context of the keys from `first` to `last` of a document of the stream."""
        number = int(self.numbers[document])
        text = copy.read(number)
        spans = self.shelf.take(document)
        if spans is None:
            size = int(np.diff(self.atoms.mined.documents[document : document + 2])[0])
            chunk = Chunk(text, np.array([0]), np.array([len(text)]), "document")
            words = self.atoms.abbreviations
            spans = recut_chunk(chunk, self.atoms.profile, self.patterns, words).spans()
            if len(spans) != size:
                raise ValueError("the copy and the stream are not of the same corpus")
            if len(text) >= LONG:
                self.shelf.put(document, spans)
        start, stop = int(spans[first, 0]), int(spans[last - 1, 1])
        before = text[max(start - 4 * reach - 4, 0) : start].tobytes().decode("utf-8", "ignore")
        after = text[stop : stop + 4 * reach + 4].tobytes().decode("utf-8", "ignore")
        unit = text[start:stop].tobytes().decode("utf-8")
        return Context(cut_left(before, reach), unit, cut_right(after, reach), number)

    def _spell(self, document: int, first: int, last: int, reach: int) -> Context:
        """Return the same from the keys, as the corpus mostly writes each atom."""
        start, stop = self.atoms.mined.documents[document : document + 2].tolist()
        is_bytes = self.atoms.profile.name == "bytes"
        near = reach // 3 if is_bytes else reach
        edges = [max(first - near, 0), first, last, min(last + near, stop - start - 1)]
        parts = [self.atoms.mined.ids[start + a : start + b].tolist() for a, b in pairwise(edges)]
        before, unit, after = map(self._spell_bytes if is_bytes else self._spell_atoms, parts)
        gap = unit[: len(unit) - len(unit.lstrip())]
        before, after = cut_left(before + gap, reach), cut_right(after, reach)
        return Context(before, unit.lstrip(), after, int(self.numbers[document]))

    def _spell_atoms(self, keys: list[int]) -> str:
        surface = self.atoms.table["surface"]
        parts = [" " * (key & 1) + surface[(key >> 1) - 1] if key else " " for key in keys]
        return re.sub(" +", " ", "".join(parts))

    def _spell_bytes(self, keys: list[int]) -> str:
        """Return bytes as ` 41 42`, by the names of their atoms: `<0x41>`."""
        text = self.atoms.table["text"]
        return "".join(" " + text[(key >> 1) - 1][3:5] for key in keys if key)


# Places in a stream


def find_places(
    ids: np.ndarray, runs: Sequence[np.ndarray], *, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each run of keys stands in a stream, and `most` of its places.

    Counts int64 (runs,); places int64 (runs, most), spread evenly over all, -1 where there are no
    more. A run of zeros alone stands nowhere. The space of its first key does not count.
    """
    lengths = np.array([np.count_nonzero(run) for run in runs], np.int64)
    keys = np.zeros((len(runs), int(lengths.max(initial=1))), np.uint32)
    for row, run in enumerate(runs):
        if (run[lengths[row] :] != 0).any():
            raise ValueError("zeros stand behind the keys of a run only")
        keys[row, : lengths[row]] = run[: lengths[row]]
    rarest = np.argmax(keys >> 1, axis=1)  # atoms are numbered by falling count
    heads, others = _chain(keys[np.arange(len(keys)), rarest] >> 1)
    look = partial(_look, np.asarray(ids), heads, others, keys, lengths, rarest)
    room = max(ROOM // max(len(runs), 1), 1) if most else 0
    counts, places = look(np.tile(np.arange(room), (len(runs), 1)))
    wanted = _spread(counts, most)
    if counts.max(initial=0) > room and most:
        return look(wanted)
    chosen = np.take_along_axis(places, np.maximum(wanted, 0), axis=1) if most else wanted
    return counts, np.where(wanted >= 0, chosen, -1)


def _look(*about: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts of runs, and the places whose turn the last of `about` names."""
    counts, places = np.zeros(len(about[-1]), np.int64), np.full(about[-1].shape, -1, np.int64)
    _visit(*about, counts, places)  # type: ignore[call-arg]  # numba's count them
    return counts, places


def _chain(atoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each atom, and for each row the next of the same; -1 for none."""
    heads = np.full(int(atoms.max(initial=0)) + 1, -1, np.int32)
    others = np.full(len(atoms), -1, np.int64)
    for row in range(len(atoms) - 1, -1, -1):
        if atoms[row]:
            others[row], heads[atoms[row]] = heads[atoms[row]], row
    return heads, others


def _spread(counts: np.ndarray, most: int) -> np.ndarray:
    """Return which of so many places to take, int64 (runs, most), -1 for none.

    >>> _spread(np.array([2, 30]), 3).tolist()
    [[0, 1, -1], [5, 15, 25]]
    """
    column = np.arange(most)
    evenly = ((2 * column + 1) * counts[:, None]) // (2 * most)
    few = np.where(column < counts[:, None], column, -1)
    return np.where(counts[:, None] > most, evenly, few)


@njit(nogil=True, cache=True)
def _visit(
    ids: np.ndarray,
    heads: np.ndarray,
    others: np.ndarray,
    keys: np.ndarray,
    lengths: np.ndarray,
    rarest: np.ndarray,
    wanted: np.ndarray,
    counts: np.ndarray,
    places: np.ndarray,
) -> None:
    """Count the places of each run, and write down those whose turn `wanted` names."""
    taken = np.zeros(keys.shape[0], np.int64)
    for place in range(ids.shape[0]):
        atom = ids[place] >> 1
        row = heads[atom] if atom < heads.shape[0] else -1
        while row >= 0:
            start = place - rarest[row]
            if start >= 0 and _stands(ids, start, keys[row], lengths[row]):
                turn = taken[row]
                if turn < wanted.shape[1] and wanted[row, turn] == counts[row]:
                    places[row, turn] = start
                    taken[row] += 1
                counts[row] += 1
            row = others[row]


@njit(nogil=True, cache=True)
def _stands(ids: np.ndarray, start: int, keys: np.ndarray, length: int) -> bool:
    """Say whether a run of keys stands at a place."""
    if start + length > ids.shape[0] or ids[start] >> 1 != keys[0] >> 1:
        return False
    for i in range(1, length):  # noqa: SIM110 - a kernel
        if ids[start + i] != keys[i]:
            return False
    return True


# Around a place


def cut_left(text: str, most: int) -> str:
    """Return the end of a text: at most so many characters, from a word or a whole sign on.

    >>> cut_left("they appear too often", 12)
    'too often'
    """
    if len(text) <= most:
        return text
    for place in range(len(text) - most, min(len(text) - most + EDGE, len(text))):
        if text[place - 1].isspace():
            return text[place:]
    place = len(text) - most
    while place < len(text) and _goes_on(text[place - 1], text[place]):
        place += 1
    return text[place:]


def cut_right(text: str, most: int) -> str:
    """Return the beginning of a text, in the same way.

    >>> cut_right("they appear too often", 9)
    'they'
    """
    if len(text) <= most:
        return text
    for place in range(most, max(most - EDGE, 0), -1):
        if text[place].isspace():
            return text[:place]
    place = most
    while place > 0 and _goes_on(text[place - 1], text[place]):
        place -= 1
    return text[:place]


def _goes_on(left: str, right: str) -> bool:
    """Say whether two characters may belong to one sign."""
    before, after = (int(class_table()[ord(c)] & CLASS) for c in (left, right))
    joined = before in (ZWJ, VIRAMA) or after in (EXTEND, ZWJ, VIRAMA)
    return joined or before == after == REGIONAL
