"""Text to bytes per token: which vocabulary of equal size makes text it never saw shortest?

Every id counts, the 256 bytes included. Train and test share no book, and test lines that also
occur in train are dropped. A document is a block of consecutive lines of about 4 KB; peers learn
from such documents, intervals come from resampling them. A peer (`superword_peers`) trains in a
process of its own and keeps its tokenizer in the cache folder. Rows marked `(info)` do not stand
for "the best peer".

miner is run by its two commands, for each objective (`OURS`), on the same documents as JSON lines.

    python -m benchmarks.superwords
    python -m benchmarks.superwords --language en --ours outputs/tokenizer  # instead of making it
    python -m benchmarks.superwords --ours en=outputs/en ru=outputs/ru --want 1.03
    python -m benchmarks.superwords --train train.txt --test test.txt
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.gold import print_table, read_text
from benchmarks.peers import Measure, read_cpu_seconds, read_memory
from benchmarks.superword_peers import (
    INFORMATION,
    NAMES,
    NOT_HERE,
    PEERS,
    read_documents,
    write_changed,
)
from miner import MinerError
from miner.mining.savings import BOUNDS, resample_blocks
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer

SIZE = 32_768
ORDER = 2.5  # of the Renyi entropy
SEED = 0
WANT_MEANING = 1.15  # times a plain BPE
MOST_MEMORY = 8 << 30  # bytes of a training process, addresses included


@dataclass(frozen=True)
class Split:
    """Files of one language: no line of `test` is in `train`."""

    name: str
    train: Path
    test: Path


@dataclass(frozen=True)
class Cut:
    """What an encoder made of the test: bytes and tokens of each document, and how it did it."""

    size: int
    length: np.ndarray
    tokens: np.ndarray
    renyi: float
    exact: float
    speed: float


# Which lines are held out, and which are left out of both: whole books as near as can be told.
# Their borders were found by hand; of the 8-word runs held out at most 0.03 % of a novel and 0.3 %
# of the textbook also occur in train.
Lines = tuple[tuple[int, int], ...]
SOURCES: dict[str, tuple[tuple[str, Lines, Lines], ...]] = {
    "en": (
        (
            "corpora/en_novels.txt.gz",
            # The Rover, Saint's Progress, "Captains Courageous"
            ((48_914, 54_434), (95_506, 102_716), (123_833, 127_581)),
            (),
        ),
        # The first half of Introduction to Business; the other half would be the same book
        ("gold/openstax_ccby.txt.gz", ((4_471, 8_200),), ((8_200, 11_945),)),
    ),
    "ru": (
        (
            "corpora/ru_prose.txt.gz",
            # Палата № 6, Капитанская дочка, Дворянское гнездо, Отцы и дети
            ((8_319, 8_713), (34_067, 34_856), (61_966, 63_099), (67_501, 69_884)),
            (),
        ),
    ),
}


def make_split(language: str, shared: Path, cache: Path) -> Split:
    """Whole books held out of the language's corpora, as files in the cache folder."""
    train: list[str] = []
    test: list[str] = []
    for name, held, dropped in SOURCES[language]:
        lines = read_text(shared / name).split("\n")
        inside = mark_lines(len(lines), held)
        outside = ~inside & ~mark_lines(len(lines), dropped)
        train += [line for line, kept in zip(lines, outside, strict=True) if kept]
        test += [line for line, kept in zip(lines, inside, strict=True) if kept]
    known = set(train)
    test = [line for line in test if line not in known]
    folder = cache / "superwords"
    folder.mkdir(parents=True, exist_ok=True)
    files = (folder / f"{language}.train.txt", folder / f"{language}.test.txt")
    for file, lines in zip(files, (train, test), strict=True):
        write_changed(file, "".join(f"{line}\n" for line in lines).encode())
    return Split(language, *files)


def mark_lines(count: int, ranges: Lines) -> np.ndarray:
    """True for the lines of the ranges: bool (count,)."""
    marked = np.zeros(count, dtype=bool)
    for start, end in ranges:
        marked[start:end] = True
    return marked


# --- miner

OURS: dict[str, tuple[list[str], list[str]]] = {  # what `miner mine` and `miner train` are told
    "miner, compression": (
        ["--objective", "compression", "--vocab-size", "30000"], ["--trainer", "hf-unigram"],
    ),
    "miner, meaning": (
        ["--objective", "meaning", "--vocab-size", "60000", "--min-count", "4"],
        ["--trainer", "hf-bpe"],
    ),
}  # fmt: skip


def make_ours(split: Split, home: Path, size: int) -> dict[str, Path]:
    """Mine and train for each objective, from nothing; the folders of the tokenizers."""
    home.mkdir(parents=True, exist_ok=True)
    corpus = home / "documents.jsonl"
    rows = (json.dumps({"text": text}, ensure_ascii=False) for text in read_documents(split.train))
    write_changed(corpus, "".join(f"{row}\n" for row in rows).encode())
    made = {}
    for name, (mine, train) in OURS.items():
        run, out = (home / f"{name.split()[-1]} {kind}" for kind in ("run", "tokenizer"))
        steps = (
            ["mine", "--corpus", str(corpus), *mine, "--out", str(run), "--overwrite"],
            [
                "train",
                str(run),
                "--corpus",
                str(corpus),
                *train,
                "--exact",
                "--vocab-size",
                str(size),
                "--out",
                str(out),
                "--overwrite",
            ],
        )
        cpu = read_cpu_seconds()
        for step in steps:
            subprocess.run([sys.executable, "-m", "miner", *step], check=True, stdout=sys.stderr)
        (out / "cpu_seconds").write_text(f"{read_cpu_seconds() - cpu:.1f}")
        (out / "chosen").write_text(" ".join([*mine, *train]))
        made[name] = out
    return made


# --- processes


def train_here(peer: str, train: Path, size: int, folder: Path) -> None:
    """Train a peer in this process; `measure.json` tells what it took, and that it is done."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    base, cpu, clock = read_memory("VmRSS"), read_cpu_seconds(), time.perf_counter()
    PEERS[peer](train, size, folder)
    cpu, clock = read_cpu_seconds() - cpu, time.perf_counter() - clock
    spent = Measure(cpu, clock, base, read_memory("VmHWM"))
    write_changed(folder / "measure.json", json.dumps(asdict(spent)).encode())


def train_apart(peer: str, train: Path, size: int, folder: Path, *, limit: float) -> str | None:
    """Train a peer in a process of its own, unless the cache has it; why not, where it fails."""
    if (folder / "measure.json").exists():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "benchmarks.superwords",
        "--train-peer",
        peer,
        "--train",
        str(train),
        "--size",
        str(size),
        "--folder",
        str(folder),
    ]
    try:
        done = subprocess.run(command, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"not done after {limit:,.0f} s"
    return f"failed with exit code {done.returncode}" if done.returncode else None


# --- measuring


def cut_test(encoder: LoadedTokenizer, documents: Sequence[str]) -> Cut:
    """Encode each document alone, on one thread, and decode it again."""
    ids: list[list[int]] = []
    clock = time.process_time()
    for document in documents:
        ids += encoder.engine.encode([document])
    clock = time.process_time() - clock
    back = encoder.decode(ids)
    length = np.array([len(document.encode()) for document in documents], np.int64)
    uses = np.bincount(np.concatenate([np.array(numbers, np.int64) for numbers in ids]))
    return Cut(
        size=encoder.size,
        length=length,
        tokens=np.array([len(numbers) for numbers in ids], np.int64),
        renyi=renyi_efficiency(uses, encoder.size),
        exact=float(np.mean([a == b for a, b in zip(documents, back, strict=True)])),
        speed=length.sum() / 1e6 / clock,
    )


def renyi_efficiency(uses: np.ndarray, size: int) -> float:
    """Renyi entropy of the order `ORDER` of the ids in use, over log of all ids there are.

    Zouhar et al. 2023. Uses of 1, 1, 1, 1 with 4 ids: 1.0; with 16 ids: 0.5.
    """
    share = uses[uses > 0] / uses.sum()
    entropy = np.log2((share**ORDER).sum()) / (1 - ORDER)
    return float(entropy / np.log2(size))


def find_interval(over: np.ndarray, under: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of sum(over) / sum(under) when documents are resampled."""
    low, high = np.quantile((weights @ over) / (weights @ under), BOUNDS)
    return float(low), float(high)


def show_interval(value: float, bounds: tuple[float, float]) -> str:
    """A number with its interval: 5.630 (5.601-5.660)."""
    return f"{value:.3f} ({bounds[0]:.3f}-{bounds[1]:.3f})"


def find_best(cuts: dict[str, Cut], size: int) -> str:
    """The peer with the most bytes per token; rows for information and bigger ones aside."""
    peers = {name: cut for name, cut in cuts.items() if name in PEERS and name not in INFORMATION}
    fitting = {name: cut for name, cut in peers.items() if cut.size <= size}
    if not fitting:
        raise ValueError(f"no peer of at most {size} ids was measured")
    return min(fitting, key=lambda name: int(fitting[name].tokens.sum()))


def describe_training(folder: Path) -> dict[str, object]:
    """What the folder tells of a tokenizer: CPU seconds of its last training, memory, options."""
    spent, timed, chosen = (folder / name for name in ("measure.json", "cpu_seconds", "chosen"))
    return {
        "train CPU-s": f"{float(timed.read_text()):,.0f}" if timed.exists() else "",
        "peak GB": (
            f"{json.loads(spent.read_text())['peak_mb'] / 1000:.1f}" if spent.exists() else ""
        ),
        "options": chosen.read_text() if chosen.exists() else "",
    }


def compare_cuts(
    cuts: dict[str, Cut], told: dict[str, dict[str, object]], *, language: str, best: str
) -> list[dict[str, object]]:
    """One row per encoder, the longest tokens first."""
    length, best_tokens = cuts[best].length, cuts[best].tokens
    weights = resample_blocks(len(length), seed=SEED)
    rows: list[dict[str, object]] = []
    for name in sorted(cuts, key=lambda name: int(cuts[name].tokens.sum())):
        cut = cuts[name]
        per_token = find_interval(length, cut.tokens, weights)
        ratio = find_interval(best_tokens, cut.tokens, weights)
        row: dict[str, object] = {
            "text": language,
            "encoder": NAMES.get(name, name),
            "ids": cut.size,
            "bytes/token (95 %)": show_interval(length.sum() / cut.tokens.sum(), per_token),
            "x best peer (95 %)": show_interval(best_tokens.sum() / cut.tokens.sum(), ratio),
            "Renyi 2.5": f"{cut.renyi:.3f}",
            "exact": f"{cut.exact:.1%}",
            "MB/CPU-s": f"{cut.speed:.2f}",
        }
        rows.append(row | told.get(name, {}))
    return rows


def judge(cuts: dict[str, Cut], ours: Iterable[str], *, best: str, size: int, want: float) -> None:
    """Say of each of ours whether it makes tokens `want` times as long as the best peer's.

    For meaning the peer is a plain BPE, and `WANT_MEANING` is wanted.
    """
    weights = resample_blocks(len(cuts[best].length), seed=SEED)
    for name in ours:
        means = "meaning" in name and "hf_bpe" in cuts
        peer, wanted = ("hf_bpe", WANT_MEANING) if means else (best, want)
        over, under = cuts[peer].tokens, cuts[name].tokens
        ratio = over.sum() / under.sum()
        passed = ratio >= wanted and cuts[name].size <= size
        shown = show_interval(ratio, find_interval(over, under, weights))
        bigger = f", with {cuts[name].size:,} ids for {size:,}" if cuts[name].size > size else ""
        lossy = f", {cuts[name].exact:.1%} exact" if cuts[name].exact < 1 else ""
        print(
            f"{'PASS' if passed else 'MISS'}: {name} is {shown} times {NAMES[peer]}, "
            f"wanted {wanted}{bigger}{lossy}"
        )


def train_peers(
    split: Split, options: argparse.Namespace
) -> tuple[dict[str, Path], dict[str, str]]:
    """Folders of the peers that are trained, and why others are not."""
    checksum = zlib.crc32(split.train.read_bytes())
    home = options.cache / "superwords" / f"{split.name}.{options.size}.{checksum:08x}"
    folders: dict[str, Path] = {}
    failures: dict[str, str] = {}
    for peer in options.peers:
        print(f"{split.name}: {peer}", file=sys.stderr, flush=True)
        why = train_apart(peer, split.train, options.size, home / peer, limit=options.limit)
        if why:
            failures[peer] = why
        else:
            folders[peer] = home / peer
    return folders, failures


def find_ours(named: Sequence[str], split: str) -> dict[str, Path]:
    """Tokenizers of ours for one text: `PATH` is for each, `en=PATH` for one of them."""
    found: dict[str, Path] = {}
    for text in named:
        prefix, _, rest = text.partition("=")
        path = Path(rest) if rest else Path(text)
        if not rest or prefix == split:
            found[path.name if path.name not in PEERS else str(path)] = path
    return found


def compare(split: Split, options: argparse.Namespace) -> list[dict[str, object]]:
    """Train what is missing, measure all, say what ours is worth; the rows of the table."""
    folders, failures = train_peers(split, options)
    home = options.cache / "superwords" / f"{split.name}.ours"
    ours = (
        find_ours(options.ours, split.name)
        if options.ours
        else make_ours(split, home, options.size)
    )
    documents = read_documents(split.test)
    cuts = {
        name: cut_test(load_tokenizer(path), documents) for name, path in (folders | ours).items()
    }
    best = find_best(cuts, options.size)
    sizes = [f"{file.stat().st_size / 1e6:.1f} MB" for file in (split.train, split.test)]
    print(
        f"{split.name}: {sizes[0]} to train ({split.train}), {sizes[1]} held out "
        f"({split.test}) in {len(documents):,} documents; best peer: {NAMES[best]}"
    )
    for peer, why in failures.items():
        print(f"{split.name}: {NAMES[peer]}: no row, {why}")
    judge(cuts, ours, best=best, size=options.size, want=options.want)
    told = {name: describe_training(folder) for name, folder in (folders | ours).items()}
    return compare_cuts(cuts, told, language=split.name, best=best)


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--language", nargs="+", choices=tuple(SOURCES), default=list(SOURCES))
    parser.add_argument("--train", type=Path, help="plain text, instead of a language's corpora")
    parser.add_argument("--test", type=Path, help="plain text that shares no book with --train")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.cache"))
    parser.add_argument("--size", type=int, default=SIZE, help="ids, all of them counted")
    parser.add_argument("--peers", nargs="+", choices=tuple(PEERS), default=list(PEERS))
    parser.add_argument("--ours", nargs="+", default=[], metavar="[LANGUAGE=]PATH")
    parser.add_argument("--want", type=float, default=1.03, help="times the best peer")
    parser.add_argument("--limit", type=float, default=1800, help="seconds to train one peer")
    parser.add_argument("--train-peer", choices=tuple(PEERS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train_peer is None and (options.train is None) != (options.test is None):
        parser.error("--train and --test go together")
    return options


def main() -> None:
    options = read_options()
    if options.train_peer:
        train_here(options.train_peer, options.train, options.size, options.folder)
        return
    splits = (
        [Split(options.train.stem, options.train, options.test)]
        if options.train
        else [make_split(name, options.shared, options.cache) for name in options.language]
    )
    try:
        rows = [row for split in splits for row in compare(split, options)]
    except MinerError as error:
        raise SystemExit(str(error)) from error
    print_table(rows)
    print(NOT_HERE)


if __name__ == "__main__":
    main()
