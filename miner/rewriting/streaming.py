"""Files of any size to hyperword text and back, block by block: in constant memory, and resumed.

A block ends at a line. What was written is on the disk before the journal says so, so that a run
that was killed goes on behind the last whole block, to the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from miner.corpus import Source, encode_text, find_sources
from miner.corpus.streams import Stream
from miner.errors import CorpusError, RunError, UsageError
from miner.progress import SILENT, Advance, Progress
from miner.rewriting.kernel import LITERAL, Plan, restore_lines, rewrite_lines
from miner.rewriting.patterns import Pattern, find_spans
from miner.rewriting.provenance import check_provenance_place, write_provenance
from miner.runs.files import open_plain, replace_file
from miner.runs.workplace import (
    DRAFT,
    JOURNAL,
    check_output,
    discard,
    finish_file,
    is_stream,
    open_stream,
    open_workplace,
    told_simply,
)

BLOCK = 4 << 20  # bytes read at a time
LONGEST = 64 << 20  # bytes of a line that is rewritten; a longer one passes as it is
NOTED = 64 << 20  # bytes read between two entries of the journal
THREADS = 8
TEXTS_AT_ONCE = 4_096
Form = Literal["txt", "jsonl", "pairs"]
Part = Literal["lines", "begin", "inside"]
NO_SPANS = np.empty((0, 3), np.int64)
_LITERAL = LITERAL.encode()


@dataclass
class Done:
    """What was done: bytes read and written, places replaced, signs escaped, lines left."""

    read: int = 0
    written: int = 0
    replaced: int = 0
    escaped: int = 0
    left: int = 0

    def add(self, counts: np.ndarray) -> None:
        """Add what the kernel counted."""
        self.replaced += int(counts[0])
        self.escaped += int(counts[1])
        self.left += int(counts[2])


@dataclass(frozen=True)
class Job:
    """A file to read, one to write, and how: `back` restores; the result depends on `key`."""

    source: str
    out: Path
    plan: Plan
    form: Form = "txt"
    back: bool = False
    key: dict[str, Any] = field(default_factory=dict)
    patterns: Sequence[Pattern] = ()
    numbers: dict[bytes, int] = field(default_factory=dict)  # of the signs of patterns
    how: dict[str, Any] = field(default_factory=dict)  # what is said beside the text


def run_job(
    job: Job,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = SILENT,
    threads: int | None = None,
    source: Source | None = None,
) -> Done:
    """Read a file, rewrite or restore it, and write another, which appears when it is whole.

    A pipe or a device is written to as it stands, and cannot be gone on with.
    """
    if source is None:
        (source,) = find_sources([job.source], as_bytes=True)
    out = check_output(job.out, overwrite=overwrite)
    if is_stream(out):
        if resume:
            raise UsageError(f"{out} cannot be gone on with", cure="Leave --resume away")
        with told_simply(out), open_stream(out) as target:
            return write_all(job, source, target, Begun(), None, progress, threads)
    if not job.back:
        check_provenance_place(out)
    with open_workplace(out) as place:
        draft, journal = place / DRAFT, place / JOURNAL
        begun = _read_journal(journal, draft, job.key, out) if resume else Begun()
        if not begun.done.read:
            discard(place, draft)
            journal.unlink(missing_ok=True)
        try:
            with draft.open("r+b" if begun.done.read else "xb") as target:
                done = write_all(job, source, target, begun, journal, progress, threads)
        except Exception:
            if not journal.exists():
                discard(place, draft)
            raise
        if not job.back:
            write_provenance(out, {**job.how, "bytes": done.written}, folder=False)
        finish_file(draft, out)
        journal.unlink(missing_ok=True)
    return done


@dataclass
class Begun:
    """How far a file has come, and the SHA-256 of what was read of it."""

    done: Done = field(default_factory=Done)
    sha256: str = ""


def write_all(
    job: Job,
    source: Source,
    target: IO[bytes],
    begun: Begun,
    journal: Path | None,
    progress: Progress,
    threads: int | None,
) -> Done:
    """Write what comes of a file behind what was done before."""
    done, digest = begun.done, hashlib.sha256()
    task = progress.task("restoring" if job.back else "rewriting", source.bytes, "B")
    with Stream(source) as stream, task as advance:
        _skip(stream, begun, digest)
        if done.read:
            target.seek(done.written)
            target.truncate()
        note = partial(_note, journal, job.key, done, digest) if journal else None
        _write_blocks(job, stream, target, done, digest, note, advance, threads)
        if stream.failure is not None:
            raise CorpusError("the archive is not whole", where=job.source, cure="Fetch it anew")
    return done


def _note(journal: Path, key: dict[str, Any], done: Done, digest: Any) -> None:
    """Write how far the file has come; what is written before must be on the disk."""
    told = {"key": key, "done": vars(done), "sha256": digest.hexdigest()}
    replace_file(journal, json.dumps(told).encode())


def _skip(stream: Stream, begun: Begun, digest: Any) -> None:
    """Read what was read before; CorpusError where it is something else by now."""
    left = begun.done.read
    while left:
        piece = stream.read(min(left, BLOCK))
        digest.update(piece)
        left = left - len(piece) if piece else 0
    if begun.done.read and digest.hexdigest() != begun.sha256:
        raise CorpusError(
            "the file has changed since the work was cut off",
            where=stream.source.path,
            cure="Start afresh: leave --resume away",
        )


def _read_journal(journal: Path, draft: Path, key: dict[str, Any], out: Path) -> Begun:
    try:
        with open_plain(journal) as handle:
            told = json.loads(handle.read())
        begun = Begun(Done(**told["done"]), str(told["sha256"]))
        whole = draft.is_file() and 0 <= begun.done.written <= draft.stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        return Begun()
    if told.get("key") != json.loads(json.dumps(key)):
        raise RunError(
            "the unfinished work there has other settings, or another input",
            where=str(out),
            cure="Start afresh: leave --resume away",
        )
    return begun if whole else Begun()


def _write_blocks(
    job: Job,
    stream: Stream,
    target: IO[bytes],
    done: Done,
    digest: Any,
    note: Callable[[], None] | None,
    advance: Advance,
    threads: int | None,
) -> None:
    """Write what comes of each block in order; some are worked on at the same time."""
    workers = threads or min(os.cpu_count() or 1, THREADS)
    told = done.read
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[int, Future[tuple[bytes, np.ndarray]]]] = deque()

        def finish() -> None:
            size, future = waiting.popleft()
            content, counts = future.result()
            target.write(content)
            done.read += size
            done.written += len(content)
            done.add(counts)
            advance(size)

        for block, part in read_blocks(stream, back=job.back):
            digest.update(block)
            work = partial(convert_block, block, part, job)
            waiting.append((len(block), pool.submit(work)))
            if len(waiting) > 2 * workers:
                finish()
            if note and part == "lines" and done.read - told >= NOTED:
                while waiting:
                    finish()
                target.flush()
                os.fsync(target.fileno())
                note()
                told = done.read
        while waiting:
            finish()
        target.flush()


def read_blocks(stream: Stream, *, back: bool) -> Iterator[tuple[bytes, Part]]:
    """Yield the bytes of a file in blocks of whole lines, each with what it is a part of.

    A line longer than `LONGEST` comes in several blocks. One of hyperword text does so only where
    it was left as it was; any other, however long its signs have made it, is held whole.
    """
    held = bytearray()
    inside = False
    while piece := stream.read(BLOCK):
        held += piece
        if inside:
            end = held.find(b"\n") + 1
            yield bytes(held[: end or len(held)]), "inside"
            del held[: end or len(held)]
            inside = not end
        end = held.rfind(b"\n") + 1
        if end:
            yield bytes(held[:end]), "lines"
            del held[:end]
        if len(held) > LONGEST and (not back or held.startswith(_LITERAL)):
            yield bytes(held), "begin"
            held.clear()
            inside = True
    if held:
        yield bytes(held), "inside" if inside else "lines"


def convert_block(block: bytes, part: Part, job: Job) -> tuple[bytes, np.ndarray]:
    """Return what a block becomes, and what the kernel counted; part of a line passes as it is."""
    counts = np.zeros(3, np.int64)
    if part != "lines":
        return _pass(block, part, job, counts), counts
    spans = find_spans(block, () if job.back else job.patterns, job.numbers)
    if job.form == "txt":
        return convert_lines(block, job.plan, back=job.back, counts=counts, spans=spans), counts
    if job.back:
        texts = [_read_line(line, job) for line in block.splitlines()]
        return convert_lines(b"".join(texts), job.plan, back=True, counts=counts), counts
    changed = convert_lines(block, job.plan, back=False, counts=counts, spans=spans)
    lines = zip(_split(block), _split(changed), strict=True)
    return b"".join(_write_line(old, new, job.form) for old, new in lines), counts


def _pass(block: bytes, part: Part, job: Job, counts: np.ndarray) -> bytes:
    """Return a part of a line that is too long to be looked at whole."""
    if job.form != "txt":
        raise CorpusError(
            f"a line of more than {LONGEST >> 20} MB", where=job.source, cure="Give --format txt"
        )
    if part == "inside":
        return block
    counts[2] += not job.back
    return block.removeprefix(_LITERAL) if job.back else _LITERAL + block


def convert_texts(texts: Iterable[str], job: Job) -> Iterator[str]:
    """Yield each text as hyperword text, or restored: a text may hold line ends, and keeps them."""
    rest, numbers = iter(texts), count()
    while batch := list(islice(rest, TEXTS_AT_ONCE)):
        block = b"".join(
            encode_text(text, f"texts[{next(numbers)}]", errors="surrogateescape", cure="Give str")
            + b"\n"
            for text in batch
        )
        changed, _ = convert_block(block, "lines", job)
        lines = iter(changed.decode("utf-8", "surrogateescape").split("\n"))
        for text in batch:
            yield "\n".join(islice(lines, text.count("\n") + 1))


def convert_lines(
    block: bytes, plan: Plan, *, back: bool, counts: np.ndarray, spans: np.ndarray = NO_SPANS
) -> bytes:
    """Return lines of bytes as hyperword text, or as they were."""
    buffer = np.frombuffer(block, np.uint8)
    ends = np.append(0, np.flatnonzero(buffer == 10) + 1)
    if ends[-1] != len(buffer):
        ends = np.append(ends, len(buffer))
    room = 2 * len(buffer) + (1 << 12)
    while True:
        out = np.empty(room, np.uint8)
        told = np.zeros(3, np.int64)
        size = (
            restore_lines(buffer, ends, plan, out)
            if back
            else rewrite_lines(buffer, ends, plan, spans, out, told)
        )
        if size >= 0:
            counts += told
            return out[:size].tobytes()
        room *= 2


def _split(block: bytes) -> list[bytes]:
    """Return the lines of a block with their ends."""
    lines = block.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _write_line(old: bytes, new: bytes, form: Form) -> bytes:
    """Return a line of JSON: the text without its end, and whether it had one."""
    source, hyper = (part.decode("utf-8", "surrogateescape") for part in (old, new))
    row = {"text": hyper.removesuffix("\n")}
    if form == "pairs":
        row = {"source": source.removesuffix("\n"), "hyper": hyper.removesuffix("\n")}
    told = json.dumps(row | ({} if hyper.endswith("\n") else {"ends": False}), ensure_ascii=False)
    return told.encode("utf-8", "backslashreplace") + b"\n"


def _read_line(line: bytes, job: Job) -> bytes:
    """Return the hyperword text of a line of JSON; CorpusError where it is none."""
    try:
        row = json.loads(line)
        text = row["hyper" if "hyper" in row else "text"]
        return (text + "\n" * row.get("ends", True)).encode("utf-8", "surrogateescape")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{line[:80]!r} is no line of hyperword text",
            where=job.source,
            cure="Give the --format that it was written in",
        ) from error
