"""Rewriting with tens of thousands of entries: how fast is it, beside a plain Aho-Corasick pass?

The entries are the most frequent runs of a mined corpus, each with its glued form, or with a sign
of its own, which has to be restored at once to be sure. The peer finds the same texts in the same
bytes, leftmost and longest, and does nothing with them (`ahocorasick_rs`). All in one process, CPU
time, the best of three.

    python -m benchmarks.rewriting --corpus novels.txt --entries 50000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ahocorasick_rs
import numpy as np
import polars as pl

import miner
from miner.rewriting.entries import Entry, check_entries, make_plan
from miner.rewriting.streaming import convert_lines

REPEATS = 3
FIRST_SIGN = 0xF0000  # of the private use planes, which no text here has


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--entries", type=int, default=50_000)
    arguments = parser.parse_args()
    content = arguments.corpus.read_bytes()
    texts = list_texts(arguments.corpus, arguments.entries)
    print(f"{len(content) / 1e6:.1f} MB, {len(texts):,} entries; MB per CPU second")
    print(f"{'':32}{'rewrite':>10}{'restore':>10}{'places':>12}{'times the peer':>16}")
    matcher = ahocorasick_rs.BytesAhoCorasick(
        [text.encode() for text in texts], matchkind=ahocorasick_rs.MatchKind.LeftmostLongest
    )
    peer = measure(lambda: matcher.find_matches_as_indexes(content))
    found = len(matcher.find_matches_as_indexes(content))
    print(f"{'Aho-Corasick, only finds':32}{len(content) / 1e6 / peer:>10.1f}{'':>10}{found:>12,}")
    signs = (chr(FIRST_SIGN + i) for i in range(len(texts)))
    for name, entries in (
        ("glued forms", [Entry(text, "".join(text.split())) for text in texts]),
        ("a sign each", [Entry(text, sign) for text, sign in zip(texts, signs, strict=True)]),
    ):
        show(name, entries, content, peer)


def show(name: str, entries: list[Entry], content: bytes, peer: float) -> None:
    """Print the row of one dictionary."""
    distinct = list({entry.sign: entry for entry in reversed(entries)}.values())
    plan = make_plan(check_entries(distinct, where=name))
    counts = np.zeros(3, np.int64)
    changed = convert_lines(content, plan, back=False, counts=counts)
    if convert_lines(changed, plan, back=True, counts=np.zeros(3, np.int64)) != content:
        raise SystemExit(f"{name}: it does not come back")
    there = measure(lambda: convert_lines(content, plan, back=False, counts=np.zeros(3, np.int64)))
    back = measure(lambda: convert_lines(changed, plan, back=True, counts=np.zeros(3, np.int64)))
    speeds = [len(content) / 1e6 / seconds for seconds in (there, back)]
    ratios = f"{peer / there:.2f}, {peer / back:.2f}"
    print(f"{name:32}{speeds[0]:>10.1f}{speeds[1]:>10.1f}{counts[0]:>12,}{ratios:>16}")


def measure(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work, the best of three."""
    spent = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return min(spent)


def list_texts(corpus: Path, count: int) -> list[str]:
    """Return the most frequent runs of a corpus, of two words and more."""
    with tempfile.TemporaryDirectory() as folder:
        miner.mine(corpus, vocab_size=count, out=Path(folder, "run"))
        proposals = pl.read_parquet(Path(folder, "run", "proposals.parquet"))
    runs = proposals.filter(pl.col("token").str.contains(" "))
    tokens = runs.sort("count", descending=True)["token"].unique(maintain_order=True)
    return tokens.head(count).to_list()


if __name__ == "__main__":
    main()
