"""Files to tallies: what is counted while a corpus streams by?

Memory does not grow with the corpus: a block, a count per code point, a table of hashes that is
sampled by the hash where it is full, and evenly spread pieces of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from miner.corpus import Chunk, Skipped, Source, is_bytes, read_chunks
from miner.corpus.streams import Stream
from miner.corpus.tensors import Tensor, list_tensors
from miner.errors import CorpusError, ModelError, say_reason
from miner.inspection import kernel
from miner.progress import Advance, idle
from miner.text.unicode import CODE_POINTS

BLOCK = 1 << 20  # bytes scanned at a time
HEAD = 1 << 20  # bytes from which `miner mine` tells the profile
PIECE, MOST_PIECES = 1 << 14, 256  # of the sample: 4 MB at most
MOST_SLOTS = 1 << 23  # of the table of hashes: 64 MB, half of them used at most
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_UTF8 = "bad UTF-8"
EMPTY_CURE = "Leave it away, or go on without it by --on-error skip"
LOOKS_BINARY = 0.02  # share of bytes that are no text, from which a file is none
MOST_TROUBLES = 1_000  # that are kept
Documents = tuple[np.ndarray, np.ndarray]  # hash and size of those that are not empty


class Sample:
    """Pieces of a long text, evenly spread; all of a short one.

    Piece n is the bytes from n * PIECE on. Where there are too many pieces, every second goes.
    """

    def __init__(self) -> None:
        self.stride = 1
        self.size = 0
        self._pieces: dict[int, bytearray] = {}

    def feed(self, content: bytes | memoryview) -> None:
        """Take what is wanted of the next bytes of the text."""
        start, stop = self.size, self.size + len(content)
        number = start // PIECE
        number += -number % self.stride
        while number * PIECE < stop:
            low, high = max(start, number * PIECE), min(stop, (number + 1) * PIECE)
            held = self._pieces.setdefault(number, bytearray())
            held += content[low - start : high - start]
            if len(self._pieces) > MOST_PIECES:
                self._thin()
            number += self.stride - number % self.stride
        self.size = stop

    def _thin(self) -> None:
        self.stride *= 2
        self._pieces = {n: held for n, held in self._pieces.items() if n % self.stride == 0}

    @property
    def is_whole(self) -> bool:
        return self.stride == 1

    def runs(self) -> list[bytes]:
        """Return what is held: the whole text, or pieces cut at white space where they can be."""
        if self.is_whole:
            return [b"".join(self._pieces[number] for number in sorted(self._pieces))]
        return [_cut_piece(bytes(self._pieces[number])) for number in sorted(self._pieces)]

    def text(self) -> bytes:
        """Return all that is held, a line feed between pieces."""
        return b"\n".join(self.runs())


def _cut_piece(piece: bytes) -> bytes:
    """Return a piece without the words at its ends, which may be cut."""
    first, last = piece.find(b" ") + 1, piece.rfind(b" ")
    first = min(first or PIECE, piece.find(b"\n") + 1 or PIECE)
    last = max(last, piece.rfind(b"\n"))
    return piece[first:last] if first < last else piece


class Repeats:
    """How many documents were met before, byte for byte, by hashes of 64 bits."""

    def __init__(self, most: int = MOST_SLOTS) -> None:
        self.level = 0
        self._most = most
        self._used = 0
        self._table = np.zeros(1 << 12, np.uint64)
        self._seen = np.zeros((kernel.LEVELS, 4), np.int64)

    def note(self, hashes: np.ndarray, sizes: np.ndarray) -> None:
        """Count documents that are not empty."""
        room = 1 << 11
        for start in range(0, len(hashes), room):
            self._make_room(room)
            part = slice(start, start + room)
            self._used += kernel.count_repeats(
                hashes[part], sizes[part], self._table, self.level, self._seen
            )

    def _make_room(self, more: int) -> None:
        while 2 * (self._used + more) > len(self._table):
            full = len(self._table) >= self._most
            self.level += full
            table = np.zeros(len(self._table) * (1 if full else 2), np.uint64)
            self._used = kernel.move_hashes(self._table, table, self.level)
            self._table = table

    def totals(self) -> tuple[int, int, int, int]:
        """Return documents, bytes, documents met before and their bytes, of those sampled."""
        documents, size, again, bytes_again = self._seen[self.level :].sum(axis=0).tolist()
        return documents, size, again, bytes_again


@dataclass
class Tally:
    """What was counted in texts. `where` is the file of the longest document."""

    state: np.ndarray = field(default_factory=lambda: np.zeros(kernel.STATE_SIZE, np.int64))
    points: np.ndarray = field(default_factory=lambda: np.zeros(CODE_POINTS, np.int64))
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(kernel.LENGTH_BINS, np.int64))
    where: str = ""
    size: int = 0
    first_bad: tuple[str, int, int] | None = None  # file, line, byte

    def __post_init__(self) -> None:
        self.state[kernel.HASH] = kernel.SEED
        self._hashes = np.empty(0, np.uint64)
        self._sizes = np.empty(0, np.int64)

    def count(self, name: int) -> int:
        return int(self.state[name])

    def strange(self) -> int:
        """Return the bytes that are not UTF-8, or control characters that no text has."""
        controls = int(self.points[:9].sum() + self.points[14:27].sum())
        return self.count(kernel.BAD) + controls

    def open(self) -> None:
        """Begin another file."""
        for name in (kernel.NUMBER, kernel.OFFSET, kernel.AFTER_CR, kernel.IN_WORD):
            self.state[name] = 0
        self._base = self.count(kernel.LINES)

    def scan(self, block: np.ndarray, path: str, *, final: bool) -> tuple[int, Documents]:
        """Count a block of lines; return the bytes used, and hash and size of its documents."""
        longest, bad = self.count(kernel.LONGEST), self.count(kernel.BAD)
        self._reserve(len(block) + 2)
        used, ended = kernel.scan_lines(
            block,
            final,
            white_points(),
            self.state,
            self.points,
            self.lengths,
            self._hashes,
            self._sizes,
        )
        self.size += used
        if self.count(kernel.LONGEST) > longest:
            self.where = path
        if bad == 0 < self.count(kernel.BAD):
            line = self.count(kernel.FIRST_BAD_LINE) - self._base
            self.first_bad = (path, line, self.count(kernel.FIRST_BAD))
        return used, (self._hashes[:ended], self._sizes[:ended])

    def scan_chunk(self, chunk: Chunk) -> Documents:
        """Count documents that are whole; return hash and size of those that are not empty."""
        longest = self.count(kernel.LONGEST)
        self._reserve(len(chunk.starts) + 2)
        ended = kernel.scan_documents(
            chunk.buffer,
            chunk.starts,
            chunk.ends,
            white_points(),
            self.state,
            self.points,
            self.lengths,
            self._hashes,
            self._sizes,
        )
        self.size += int((chunk.ends - chunk.starts).sum())
        if self.count(kernel.LONGEST) > longest:
            self.where = chunk.path
        return self._hashes[:ended], self._sizes[:ended]

    def _reserve(self, room: int) -> None:
        if len(self._hashes) < room:
            self._hashes, self._sizes = np.empty(room, np.uint64), np.empty(room, np.int64)


@dataclass
class Weights:
    """What was counted in bytes: every value, by its place in an element where that is known."""

    counts: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    by_form: dict[str, np.ndarray] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    begins: dict[str, bytes] = field(default_factory=dict)
    documents: int = 0


class Troubles(list[Skipped]):
    """What was not read: the first are kept, all are counted.

    CorpusError at once where trouble shall stop the reading; bytes that are not UTF-8 never do.
    """

    def __init__(self, *, stop: bool) -> None:
        super().__init__()
        self.total = 0
        self._stop = stop

    def append(self, entry: Skipped) -> None:
        if self._stop and not entry.problem.startswith(NOT_UTF8):
            where = ", ".join(filter(None, (entry.path, entry.place)))
            raise CorpusError(entry.problem, where=where, cure=entry.cure)
        self.total += 1
        if self.total <= MOST_TROUBLES:
            super().append(entry)


@dataclass
class Reading:
    """A corpus as it was read: `files` counts what the files hold, `texts` their documents.

    The two are one where each line is a document.
    """

    sources: tuple[Source, ...]
    skipped: Troubles
    texts: Tally = field(default_factory=Tally)
    files: Tally | None = None
    weights: Weights = field(default_factory=Weights)
    repeats: Repeats = field(default_factory=Repeats)
    sample: Sample = field(default_factory=Sample)
    head: bytes = b""
    marks: list[str] = field(default_factory=list)  # files with a byte order mark
    strange: list[str] = field(default_factory=list)  # files read as text that are none

    @property
    def is_binary(self) -> bool:
        return is_bytes(self.sources[0].form)


@cache
def white_points() -> np.ndarray:
    """Say of every code point whether it parts words, as `str.split` does: bool (0x110000,)."""
    white = np.zeros(CODE_POINTS, np.bool_)
    white[[point for point in range(0x3001) if chr(point).isspace()]] = True
    return white


def read_corpus(
    sources: Sequence[Source], *, text_column: str | None, on_error: str, advance: Advance
) -> Reading:
    """Count all that is in a corpus, file by file.

    CorpusError where a file cannot be read, or with `on_error="skip"` an entry in `skipped`. Bytes
    that are not UTF-8 are counted and stop nothing.
    """
    reading = Reading(tuple(sources), Troubles(stop=on_error == "stop"))
    for source in sources:
        if is_bytes(source.form):
            _read_binary(source, reading, advance)
        elif source.form == "lines":
            _read_lines(source, reading, reading.texts, advance)
        else:
            _read_documents(source, reading, text_column, advance)
    return reading


def _read_lines(
    source: Source, reading: Reading, tally: Tally, advance: Advance, *, raw: bool = False
) -> None:
    """Count a file whose lines are documents; of a `raw` one only what is wrong with its bytes."""
    tally.open()
    held, seen, known, odd = b"", 0, reading.skipped.total, tally.strange()
    skipped = [] if raw else reading.skipped  # the reader of documents tells it again
    for fresh, final in _read_blocks(source, skipped, advance):
        if not seen and fresh.startswith(BYTE_ORDER_MARK):
            reading.marks.append(source.path)
        seen += len(fresh)
        block = held + fresh
        used, documents = tally.scan(np.frombuffer(block, np.uint8), source.path, final=final)
        if not raw:
            _keep(reading, memoryview(block)[:used])
            reading.repeats.note(*documents)
        held = block[used:]
    if tally.strange() - odd > LOOKS_BINARY * seen:
        reading.strange.append(source.path)
    if not seen and not raw and known == reading.skipped.total:
        reading.skipped.append(Skipped(source.path, "", "empty file", EMPTY_CURE))


def _keep(reading: Reading, content: memoryview) -> None:
    """Keep the beginning of the corpus, and pieces of all of it."""
    if len(reading.head) < HEAD:
        reading.head += content[: HEAD - len(reading.head)]
    reading.sample.feed(content)


def _read_blocks(
    source: Source, skipped: list[Skipped], advance: Advance
) -> Iterator[tuple[bytes, bool]]:
    """Yield the unpacked bytes of a file, and whether they are the last; trouble is noted."""
    done = 0
    try:
        with Stream(source) as stream:
            final = False
            while not final:
                fresh = stream.read(BLOCK)
                final = len(fresh) < BLOCK
                advance(stream.position - done)
                done = stream.position
                yield fresh, final
            if stream.failure is not None:
                skipped.append(stream.failure)
    except OSError as error:
        problem = say_reason(error)
        skipped.append(Skipped(source.path, "", problem, "Check the file"))


def _read_documents(
    source: Source, reading: Reading, text_column: str | None, advance: Advance
) -> None:
    """Count the documents of a table or of JSON lines, and the bytes of the file itself."""
    if source.form != "parquet":
        reading.files = reading.files or Tally()
        _read_lines(source, reading, reading.files, idle, raw=True)
    reading.texts.open()
    chunks = read_chunks(
        [source],
        text_column=text_column,
        chunk_bytes=BLOCK,
        on_error="skip",
        skipped=reading.skipped,
        advance=advance,
    )
    for chunk in chunks:
        if not reading.head:
            reading.head = chunk.buffer[:HEAD].tobytes()
        out = np.empty(len(chunk.buffer) + len(chunk.starts), np.uint8)
        written = kernel.join_documents(chunk.buffer, chunk.starts, chunk.ends, out)
        reading.sample.feed(memoryview(out.data)[:written])
        reading.repeats.note(*reading.texts.scan_chunk(chunk))


def _read_binary(source: Source, reading: Reading, advance: Advance) -> None:
    """Count the values of bytes; those of tensors by their form."""
    weights, known = reading.weights, reading.skipped.total
    if source.form == "safetensors" and source.compression is None:
        _read_tensors(source, reading)
        advance(source.bytes)
        return
    if source.form == "bytes":
        blocks = (fresh for fresh, _ in _read_blocks(source, reading.skipped, advance))
    else:
        chunks = read_chunks([source], on_error="skip", skipped=reading.skipped, advance=advance)
        blocks = (chunk.buffer.tobytes() for chunk in chunks)
    size = 0
    for block in blocks:
        if not size:
            weights.begins[source.path] = block[:64]
        size += len(block)
        kernel.count_bytes(np.frombuffer(block, np.uint8), 0, 1, weights.counts.reshape(1, 256))
        reading.sample.feed(block)
    weights.documents += size > 0
    if not size and known == reading.skipped.total:
        reading.skipped.append(Skipped(source.path, "", "empty file", EMPTY_CURE))
    reading.texts.size += size


WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2,
          "I16": 2, "U16": 2}  # fmt: skip


def _read_tensors(source: Source, reading: Reading) -> None:
    """Count the bytes of each tensor by their place in an element of its form."""
    weights = reading.weights
    try:
        tensors = list_tensors(Path(source.file))
    except ModelError as error:
        entry = Skipped(source.path, "", error.problem, error.cure or "Fetch the weights anew")
        reading.skipped.append(entry)
        return
    for tensor in tensors:
        weights.tensors.append(tensor)
        width = WIDTHS.get(tensor.form, 1)
        counts = weights.by_form.setdefault(tensor.form, np.zeros((width, 256), np.int64))
        before = counts.sum(axis=0)
        with tensor.file.open("rb") as handle:
            handle.seek(tensor.offset)
            for done in range(0, tensor.size, BLOCK):
                block = handle.read(min(BLOCK, tensor.size - done))
                kernel.count_bytes(np.frombuffer(block, np.uint8), done, width, counts)
                reading.sample.feed(block)
        weights.counts += counts.sum(axis=0) - before
        reading.texts.size += tensor.size
        weights.documents += 1
