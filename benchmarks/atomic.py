"""Tokenizers with 1,000 to 100,000 units: does every occurrence come out as one id, and how fast?

The units are the best runs of a mined corpus, refused ones too where the number needs them. What
an occurrence is, is found by a matcher of this script's own: words by a plain expression, one
space between, the first unit from the left, the longest that fits. Held-out text is not trained on.

    python -m benchmarks.atomic --train en_train.txt --test en_test.txt --units 1000 10000 100000
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import miner
from miner.text.profiles import PROFILES
from miner.tokenizer.checking.checking import read_unit_ids
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.training.building import Trainer
from miner.tokenizer.training.training import TRAINERS, TrainConfig, train_tokenizer

WORD = re.compile(r"[^\W_]+(?:['’ʼ\-‐‑][^\W_]+)*")
PLAIN = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)+")  # units of words only are looked for
BASE = 32_768  # ids of the same tokenizer without units
SPELLINGS = 1.4  # ids of a unit in exact mode, at most, on average
LOAD = """
import sys, time
from transformers import AutoTokenizer
started = time.perf_counter()
AutoTokenizer.from_pretrained(sys.argv[1])
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Row:
    """What one tokenizer did."""

    trainer: str
    mode: str
    units: int
    ids: int
    seen: int
    whole: int
    returned: float
    speed: float
    base_speed: float
    load_seconds: float
    train_seconds: float
    megabytes: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--units", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--min-count", type=int, default=4, help="lower where units are too few")
    parser.add_argument("--trainers", nargs="+", default=["hf-bpe"], choices=TRAINERS)
    arguments = parser.parse_args()
    lines = arguments.test.read_text(encoding="utf-8").rstrip("\n").split("\n")
    with tempfile.TemporaryDirectory() as folder:
        run = mine_widely(arguments.train, arguments.min_count, Path(folder))
        print_header()
        for trainer in arguments.trainers:
            for exact in (False, True):
                base, speed = train_base(run, arguments.train, trainer, exact, Path(folder), lines)
                for units in arguments.units:
                    print_row(
                        measure(
                            run, arguments.train, trainer, exact, units, Path(folder), lines, speed
                        )
                    )
                del base


def mine_widely(corpus: Path, min_count: int, folder: Path) -> Path:
    """Return a run of the corpus with all its candidates."""
    miner.mine(corpus, min_count=min_count, vocab_size=100_000, out=folder / "run")
    return folder / "run"


def take_units(run: Path, number: int, folder: Path) -> Path:
    """Return a run folder whose vocabulary is the best `number` runs of `run`."""
    best = (
        pl.read_parquet(run / "proposals.parquet")
        .filter(pl.col("length") > 1)
        .sort("score", "count", "token", descending=[True, True, False])
        .head(number)
    )
    place = folder / f"run_{number}"
    place.mkdir(exist_ok=True)
    (place / "manifest.json").write_bytes((run / "manifest.json").read_bytes())
    with (place / "vocabulary.jsonl").open("w", encoding="utf-8") as out:
        for token, kind, count in best.select("token", "kind", "count").iter_rows():
            row = {
                "token": token,
                "surface": token,
                "atoms": token.split(),
                "kind": kind,
                "count": count,
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return place


def train_base(
    run: Path, corpus: Path, trainer: Trainer, exact: bool, folder: Path, lines: Sequence[str]
) -> tuple[Path, float]:
    """Return the tokenizer without units and its speed in MB/s of CPU time."""
    out = folder / f"base_{trainer}_{exact}"
    config = TrainConfig(run, (str(corpus),), trainer, BASE, units=0, exact=exact)
    train_tokenizer(config, out, overwrite=True)
    return out, measure_speed(load_tokenizer(out), lines)


def measure_speed(tokenizer: LoadedTokenizer, lines: Sequence[str]) -> float:
    """Return MB/s of CPU time, the best of three."""
    size = sum(len(line.encode()) for line in lines) / 1e6
    spent = []
    for _ in range(3):
        started = time.process_time()
        tokenizer.engine.encode(list(lines))
        spent.append(time.process_time() - started)
    return size / min(spent)


def measure(
    run: Path,
    corpus: Path,
    trainer: Trainer,
    exact: bool,
    units: int,
    folder: Path,
    lines: Sequence[str],
    base_speed: float,
) -> Row:
    """Train one tokenizer with so many units and measure it."""
    out = folder / f"{trainer}_{exact}_{units}"
    started = time.perf_counter()
    room = int(SPELLINGS * units) if exact else units
    config = TrainConfig(
        take_units(run, units, folder),
        (str(corpus),),
        trainer,
        BASE + room,
        units=units,
        exact=exact,
    )
    card = train_tokenizer(config, out, overwrite=True).card
    seconds = time.perf_counter() - started
    tokenizer = load_tokenizer(out)
    listed = read_unit_ids(out)
    fold = (lambda text: text) if exact else PROFILES["words"].normalize
    texts = [fold(line) for line in lines]
    seen, whole = count_whole(tokenizer, texts, listed)
    back = tokenizer.decode(tokenizer.encode(lines))
    returned = sum(a == b for a, b in zip(texts, back, strict=True)) / len(texts)
    return Row(
        trainer,
        "exact" if exact else "canonical",
        card["units"],
        card["unit_ids"],
        seen,
        whole,
        returned,
        measure_speed(tokenizer, lines),
        base_speed,
        load_seconds(out, trainer),
        seconds,
        sum(path.stat().st_size for path in out.glob("tokenizer.*")) / 1e6,
    )


def load_seconds(folder: Path, trainer: str) -> float:
    """Return how long AutoTokenizer takes in a new process, imports not counted."""
    if not trainer.startswith("hf"):
        started = time.perf_counter()
        load_tokenizer(folder)
        return time.perf_counter() - started
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def count_whole(
    tokenizer: LoadedTokenizer, texts: Sequence[str], listed: pl.DataFrame
) -> tuple[int, int]:
    """Return how many occurrences of units the texts have, and how many are one id of theirs."""
    ids = {
        text: number
        for text, number in listed.filter(pl.col("side") == "").select("text", "id").iter_rows()
        if PLAIN.fullmatch(text)
    }
    everyone = set(listed["id"])
    longest = max((text.count(" ") for text in ids), default=0) + 1
    seen = whole = 0
    for text, spans in zip(texts, tokenizer.spans(texts), strict=True):
        ends = {end: (number, start) for number, start, end in spans if start < end}
        for start, end in find_units(text, ids, longest):
            number, first = ends.get(end, (-1, -1))
            if crossed(spans, start, end, everyone):
                continue  # a unit of other characters, which starts before or ends later, has it
            seen += 1
            whole += number == ids[text[start:end]] and first in (start, start - 1)
    return seen, whole


def crossed(spans: Sequence[tuple[int, int, int]], start: int, end: int, units: set[int]) -> bool:
    """Say whether a unit reaches over an end of text[start:end]."""
    return any(
        number in units and (low < start - 1 < high - 1 or low < end < high)
        for number, low, high in spans
        if low < end and high > start
    )


def find_units(text: str, units: dict[str, int], longest: int) -> Iterator[tuple[int, int]]:
    """Yield where units stand in a text, from the left, the longest first, none overlapping."""
    words = [match.span() for match in WORD.finditer(text)]
    at = 0
    while at < len(words):
        for last in range(min(at + longest, len(words)) - 1, at, -1):
            start, end = words[at][0], words[last][1]
            if text[start:end] in units:
                yield start, end
                at = last
                break
        at += 1


def print_header() -> None:
    print(
        f"{'trainer':22}{'mode':10}{'units':>8}{'ids':>8}{'found':>9}{'one id':>9}{'back':>8}"
        f"{'MB/s':>6}{'of base':>8}{'load s':>7}{'train s':>8}{'MB':>6}"
    )


def print_row(row: Row) -> None:
    share = row.whole / max(row.seen, 1)
    print(
        f"{row.trainer:22}{row.mode:10}{row.units:>8,}{row.ids:>8,}{row.seen:>9,}{share:>9.3%}"
        f"{row.returned:>8.2%}{row.speed:>6.2f}{row.speed / row.base_speed:>8.2f}"
        f"{row.load_seconds:>7.2f}{row.train_seconds:>8.1f}{row.megabytes:>6.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
