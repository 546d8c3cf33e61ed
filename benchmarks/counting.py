"""Corpus to a table: what does counting runs of 1..5 words cost, against others?

Every engine reads the same file: the corpus case folded, letters only, words joined by one
space, the lines as they were. So each has the same words and, where it is exact, must have the
same counts. miner gives both boundary entropies besides, the others none.

    python -m benchmarks.counting --corpora ../shared/corpora
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import unicodedata
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.gold import print_table, read_text
from benchmarks.peers import MAX_LENGTH, MIN_COUNT, Counts, Measure, Run, Spell, measure

WORD = re.compile(r"[^\W\d_]+")
MINER = "benchmarks.counting:prepare_miner"
# the engine, whether its counts are exact, and how many times the miner's CPU time it must take
PEERS = {
    "gensim Phrases, 3 passes": ("benchmarks.peers:prepare_gensim", False, 40),
    "scikit-learn CountVectorizer(1, 5)": ("benchmarks.peers:prepare_sklearn", True, 100),
    "polars strings": ("benchmarks.peers:prepare_polars", True, 8),
    "Hugging Face BPE trainer 32k": ("benchmarks.peers:prepare_hf_bpe", False, 14),
}


def count_with_miner(path: Path) -> Spell:
    """Count runs of 1..5 words with both boundary entropies; nothing is held back here."""
    from miner.corpus import find_sources, read_chunks
    from miner.mining.candidates import count_candidates
    from miner.text.pretokens import cut_chunks
    from miner.text.profiles import PROFILES

    def hold_nothing(documents: int) -> np.ndarray:
        return np.zeros(documents, dtype=bool)

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("miner.text.pretokens.choose_held", hold_nothing),
    ):
        chunks = read_chunks(find_sources([str(path)]))
        atoms = cut_chunks(chunks, Path(folder), profile=PROFILES["words"], patterns={})
        found = count_candidates(
            atoms.mined, atoms.table["count"].to_numpy(), min_count=MIN_COUNT, longest=MAX_LENGTH
        )

    def spell() -> Counts:
        texts = np.array(["", *atoms.table["text"]], dtype=object)
        lengths, counts = found.table["length"].to_list(), found.table["count"].to_list()
        rows = zip(texts[found.keys >> 1].tolist(), lengths, counts, strict=True)
        return {" ".join(words[:length]): count for words, length, count in rows}

    return spell


def prepare_miner() -> Run:
    """Load the compiled kernels by counting a few lines: imports are not counting."""
    with tempfile.TemporaryDirectory() as folder:
        line = Path(folder, "line.txt")
        line.write_text("a rose is a rose\n" * 20, encoding="utf-8")
        count_with_miner(line)
    return count_with_miner


def write_words(source: Path, target: Path, *, megabytes: float | None = None) -> None:
    """Write the file that all engines read; `megabytes` cuts it short."""
    folded = unicodedata.normalize("NFC", read_text(source)).casefold()
    lines = (" ".join(WORD.findall(line)) for line in folded.splitlines())
    text = "".join(f"{line}\n" for line in lines if line)
    if megabytes:
        text = text.encode()[: int(megabytes * 1e6)].decode("utf-8", "ignore").rpartition("\n")[0]
    target.write_text(text, encoding="utf-8")


def compare_counts(found: Path, expected: Counts) -> str:
    """`identical`, or how many texts differ."""
    counts = json.loads(found.read_text(encoding="utf-8"))
    different = len(counts.items() ^ expected.items())
    return "identical" if not different else f"{different:,} differ"


def describe(measured: Measure, megabytes: float) -> dict[str, object]:
    """The cells of a row that every engine has."""
    return {
        "CPU-s": round(measured.cpu_seconds, 2),
        "MB/CPU-s": round(megabytes / measured.cpu_seconds, 1),
        "peak MB": round(measured.peak_mb),
        "bytes per text byte": round((measured.peak_mb - measured.base_mb) / megabytes, 1),
    }


def measure_best(engine: str, words: Path, *, repeats: int, counts: Path | None = None) -> Measure:
    """The run of least CPU time: what other work on the machine adds is no cost of the engine's."""
    runs = [measure(engine, words, counts=counts) for _ in range(repeats)]
    return min(runs, key=lambda run: run.cpu_seconds)


def compare(words: Path, name: str, peers: list[str], *, repeats: int) -> list[dict[str, object]]:
    """One row per engine for one corpus, miner first; each engine runs as many times."""
    megabytes = words.stat().st_size / 1e6
    ours_at, theirs_at = words.with_suffix(".miner.json"), words.with_suffix(".peer.json")
    ours = measure_best(MINER, words, repeats=repeats, counts=ours_at)
    expected = json.loads(ours_at.read_text(encoding="utf-8"))
    start: dict[str, object] = {"corpus": f"{name} ({megabytes:.1f} MB)"}
    rows = [start | {"engine": "miner"} | describe(ours, megabytes)]
    rows[0] |= {"times miner": 1.0, "target": "", "counts": f"{len(expected):,} runs"}
    for peer in peers:
        engine, exact, target = PEERS[peer]
        written = theirs_at if exact else None
        theirs = measure_best(engine, words, repeats=repeats, counts=written)
        row = start | {"engine": peer} | describe(theirs, megabytes)
        row |= {"times miner": round(theirs.cpu_seconds / ours.cpu_seconds, 1), "target": target}
        rows.append(row | {"counts": compare_counts(theirs_at, expected) if exact else "-"})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--names", nargs="+", default=["en_novels", "ru_prose"])
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--megabytes", type=float, help="only the first of each corpus")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each engine")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name in options.names:
        with tempfile.TemporaryDirectory() as folder:
            words = Path(folder, "words.txt")
            source = options.corpora / f"{name}.txt.gz"
            write_words(source, words, megabytes=options.megabytes)
            rows += compare(words, name, options.peers, repeats=options.repeats)
    print_table(rows)


if __name__ == "__main__":
    main()
