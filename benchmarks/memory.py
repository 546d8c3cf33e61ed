"""Corpora to tables: how much memory does counting take, and does a budget change a row?

A corpus is cut into atoms and counted as `miner mine` does, with its defaults, in a process of its
own. Anonymous memory is what no file backs, and cannot be given back; the peak of all memory also
holds those pages of the streams on disk that the system had no reason to drop. Both are looked up
every few milliseconds, the peak in the kernel's own record.

    python -m benchmarks.memory --corpora ../shared/corpora
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.gold import print_table, read_text
from benchmarks.peers import read_cpu_seconds, read_memory
from miner.config import parse_size
from miner.corpus import find_sources, read_chunks
from miner.mining.candidates import Candidates, count_candidates, default_min_count
from miner.text.pretokens import cut_chunks
from miner.text.profiles import PROFILES

BYTES_PER_TEXT_BYTE, BASE_MB = 5, 250
TICK = 0.005  # seconds between two looks at the memory
PIECE = re.compile(r"\w+|\W+")
CHANGED = 0.2  # of the words, in each repetition: fewer would make units of whole sentences
NEW = 0.01  # of the words get an ending that the text does not have
ENDINGS = 400


@dataclass(frozen=True)
class Counted:
    """What counting a file took, in megabytes and seconds, and what came out.

    `base_mb` stood before it began.
    """

    base_mb: float
    cutting_mb: float
    counting_mb: float
    peak_mb: float
    seconds: float
    cpu_seconds: float
    rows: int
    digest: str


class Peak:
    """The most anonymous memory that this process held while it was watched."""

    def __init__(self) -> None:
        self.megabytes = read_memory("RssAnon")

    def look(self) -> None:
        """Take notice of the memory held now."""
        self.megabytes = max(self.megabytes, read_memory("RssAnon"))


@contextmanager
def watch_memory() -> Iterator[Peak]:
    """Watch the anonymous memory while the block runs; the kernels leave other threads room."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(TICK):
            peak.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak.look()
        done.set()
        watcher.join()


def count_here(path: Path, memory: int | None) -> Counted:
    """Cut and count a file in this process."""
    base = read_memory("VmRSS")
    clock, cpu = time.perf_counter(), read_cpu_seconds()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        with watch_memory() as cutting:
            chunks = read_chunks(find_sources([str(path)]))
            atoms = cut_chunks(chunks, Path(folder), profile=PROFILES["words"], patterns={})
            counts = atoms.table["count"].to_numpy()
        with watch_memory() as counting:
            min_count = default_min_count(int(counts.sum()))
            found = count_candidates(atoms.mined, counts, min_count=min_count, memory=memory)
        clock, cpu = time.perf_counter() - clock, read_cpu_seconds() - cpu
        held = base, cutting.megabytes, counting.megabytes, read_memory("VmHWM")
    return Counted(*held, clock, cpu, found.table.height, hash_rows(found))


def hash_rows(found: Candidates) -> str:
    """SHA-256 of every column and array of the candidates, in order."""
    digest = hashlib.sha256()
    for column in found.table.iter_columns():
        digest.update(f"{column.name} {column.dtype}".encode())
        digest.update(np.ascontiguousarray(column.to_numpy()).data)
    for array in (found.keys, found.parent, found.suffix):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def count_apart(path: Path, memory: str | None) -> Counted:
    """Cut and count a file in a new process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--count", str(path)]
    if memory:
        command += ["--memory", memory]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Counted(**json.loads(done.stdout.splitlines()[-1]))


def compile_kernels(path: Path) -> None:
    """Count a few lines in another process: the compiler's memory is not the counting's."""
    path.write_text("a rose is a rose\n" * 20, encoding="utf-8")
    count_apart(path, None)


def write_bulk(text: str, path: Path, *, size: int, seed: int) -> None:
    """Write `size` bytes: the text again and again, each time with other words changed."""
    random = np.random.default_rng(seed)
    pieces = np.array(PIECE.findall(text), dtype=object)
    words = np.flatnonzero([piece[0].isalnum() for piece in pieces.tolist()])
    left = size
    with path.open("wb") as file:
        while left > 0:
            changed = change_words(pieces, words, random)
            left -= file.write(memoryview("".join(changed.tolist()).encode())[:left])
        file.truncate(cut_behind_line(path, size))


def change_words(pieces: np.ndarray, words: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the pieces with some words replaced by others, and some with a new ending."""
    changed = pieces.copy()
    swapped = random.choice(words, int(CHANGED * len(words)), replace=False)
    changed[swapped] = pieces[random.choice(words, len(swapped))]
    new = random.choice(words, int(NEW * len(words)), replace=False)
    endings = np.array([f"x{number}" for number in range(ENDINGS)], dtype=object)
    changed[new] = changed[new] + endings[random.integers(ENDINGS, size=len(new))]
    return changed


def cut_behind_line(path: Path, size: int) -> int:
    """Return where the last whole line within the first `size` bytes ends."""
    with path.open("rb") as file:
        file.seek(max(size - (1 << 20), 0))
        start = file.tell()
        return start + file.read(size - start).rfind(b"\n") + 1


def describe(counted: Counted, megabytes: float) -> dict[str, object]:
    """The cells of a row."""
    return {
        "rows": counted.rows,
        "seconds": round(counted.seconds, 1),
        "CPU-s": round(counted.cpu_seconds, 1),
        "before, MB": round(counted.base_mb),
        "cutting, anonymous MB": round(counted.cutting_mb),
        "counting, anonymous MB": round(counted.counting_mb),
        "peak MB": round(counted.peak_mb),
        "peak - 250 MB, bytes per text byte": round((counted.peak_mb - BASE_MB) / megabytes, 1),
    }


def measure_in_memory(path: Path, name: str) -> dict[str, object]:
    """Count a corpus with no budget."""
    megabytes = path.stat().st_size / 1e6
    row: dict[str, object] = {"corpus": f"{name} ({megabytes:.1f} MB)"}
    row |= describe(count_apart(path, None), megabytes)
    return row | {"target, peak MB": round(BYTES_PER_TEXT_BYTE * megabytes + BASE_MB)}


def compare_budget(path: Path, memory: str) -> Iterator[dict[str, object]]:
    """Count a corpus without a budget and with it."""
    megabytes = path.stat().st_size / 1e6
    digests = set()
    for budget in (None, memory):
        counted = count_apart(path, budget)
        digests.add(counted.digest)
        row: dict[str, object] = {"corpus": f"bulk text ({megabytes:,.0f} MB)"}
        row |= {"--memory": budget or "none"} | describe(counted, megabytes)
        same = "identical" if len(digests) == 1 else "DIFFERENT"
        yield row | {"all columns and keys": same if budget else counted.digest[:12]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--names", nargs="+", default=["en_novels", "ru_prose"])
    parser.add_argument("--megabytes", type=float, default=1000, help="of bulk text; 0 for none")
    parser.add_argument("--memory", help="the budget; 1GiB by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        budget = parse_size(options.memory) if options.memory else None
        print(json.dumps(vars(count_here(options.count, budget))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "corpus.txt")
        compile_kernels(path)
        rows = []
        texts = {name: read_text(options.corpora / f"{name}.txt.gz") for name in options.names}
        for name, text in texts.items():
            path.write_text(text, encoding="utf-8")
            rows.append(measure_in_memory(path, name))
        print_table(rows)
        if options.megabytes:
            text = "".join(texts.values())
            write_bulk(text, path, size=int(options.megabytes * 1e6), seed=options.seed)
            print()
            print_table(list(compare_budget(path, options.memory or "1GiB")))


if __name__ == "__main__":
    main()
