"""Corpora to tables: what does the whole of `miner mine` cost, against trainers of tokenizers?

Every engine reads the same plain text and runs once with its defaults in a process of its own,
imports included. `without imports` begins when the libraries are loaded.

    python -m benchmarks.mining --corpora ../shared/corpora
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gold import print_table, read_text
from benchmarks.peers import Measure, Run, measure

MINER = "benchmarks.mining:prepare_miner"
# the engine, and how many times its CPU time the miner may take
PEERS = {
    "SentencePiece Unigram trainer 32k": ("benchmarks.peers:prepare_sentencepiece_unigram", 1.0),
    "Hugging Face BPE trainer 32k": ("benchmarks.peers:prepare_hf_bpe", 2.0),
}
SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
# what a run loads where it first needs it
LOADED_LATE = (
    "faiss", "miner.pipeline", "miner.report.summary", "safetensors.numpy", "scipy.sparse.linalg",
    "tokenizers", "tqdm",
)  # fmt: skip
DEMO = Path(__file__).parent.parent / "corpora" / "demo.txt"
DEMO_SECONDS, HELP_SECONDS = 5.0, 0.3


def prepare_miner() -> Run:
    """`miner mine` with its defaults, to a run folder beside the file."""
    from miner.commands.main import commands

    for name in LOADED_LATE:
        importlib.import_module(name)

    def run(path: Path) -> None:
        arguments = ["mine", "--corpus", str(path), "--out", str(path.with_suffix(".run"))]
        commands.main([*arguments, "--overwrite"], prog_name="miner", standalone_mode=False)

    return run


def measure_whole(engine: str, path: Path) -> tuple[float, Measure]:
    """Run an engine in a new process; return the CPU seconds of all of it, and of what it ran."""
    before = read_children_cpu()
    measured = measure(engine, path)
    return read_children_cpu() - before, measured


def read_children_cpu() -> float:
    """User and system time of the finished children of this process."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_share(text: bytes, path: Path, share: float) -> float:
    """Write the first `share` of a text, cut behind a line; return its megabytes."""
    cut = text if share >= 1 else text[: text.find(b"\n", int(len(text) * share)) + 1]
    path.write_bytes(cut)
    return len(cut) / 1e6


def describe(cpu_seconds: float, measured: Measure, megabytes: float) -> dict[str, object]:
    """The cells that every run has."""
    return {
        "CPU-s": round(cpu_seconds, 2),
        "CPU-s per MB": round(cpu_seconds / megabytes, 3),
        "without imports": round(measured.cpu_seconds, 2),
        "peak MB": round(measured.peak_mb),
    }


def measure_growth(text: bytes, name: str, path: Path) -> Iterator[dict[str, object]]:
    """Mine the beginnings of a corpus, and all of it last."""
    for share in SHARES:
        megabytes = write_share(text, path, share)
        cpu_seconds, measured = measure_whole(MINER, path)
        row: dict[str, object] = {"corpus": name, "MB": round(megabytes, 1)}
        row |= describe(cpu_seconds, measured, megabytes)
        row["without imports, per MB"] = round(measured.cpu_seconds / megabytes, 3)
        yield row


def list_stages(run: Path, name: str, cpu_seconds: float) -> Iterator[dict[str, object]]:
    """What each stage of a finished run cost; the rest is imports, hashing and the report."""
    stages = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["stages"]
    spent = {stage["name"]: stage["cpu_seconds"] for stage in stages}
    spent["all else, imports too"] = cpu_seconds - sum(spent.values())
    for stage, seconds in spent.items():
        share = f"{seconds / cpu_seconds:.0%}"
        yield {"corpus": name, "stage": stage, "CPU-s": round(seconds, 2), "share": share}


def compare_peers(
    path: Path, name: str, ours: dict[str, object], peers: list[str]
) -> Iterator[dict[str, object]]:
    """One row per engine on one whole corpus, miner first."""
    megabytes = path.stat().st_size / 1e6
    start: dict[str, object] = {"corpus": f"{name} ({megabytes:.1f} MB)"}
    cells = {cell: ours[cell] for cell in ("CPU-s", "CPU-s per MB", "without imports", "peak MB")}
    yield start | {"engine": "miner mine"} | cells
    for peer in peers:
        engine, allowed = PEERS[peer]
        cpu_seconds, measured = measure_whole(engine, path)
        row = start | {"engine": peer} | describe(cpu_seconds, measured, megabytes)
        times = float(str(ours["CPU-s"])) / cpu_seconds
        yield row | {"miner takes": f"{times:.2f}x", "at most": f"{allowed:.0f}x"}


def time_command(*arguments: str) -> float:
    """Wall seconds of a Python command in a new process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - start


def list_imports(*arguments: str) -> set[str]:
    """Names of all modules that a Python command loads."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def measure_start() -> Iterator[dict[str, object]]:
    """The demo corpus, warm, and `miner --help`: best of three and of five."""
    with tempfile.TemporaryDirectory() as folder:
        demo = ["-m", "miner", "mine", "--corpus", str(DEMO), "--out", str(Path(folder, "run"))]
        demo.append("--overwrite")
        time_command(*demo)
        seconds = min(time_command(*demo) for _ in range(3))
        loaded = "torch" in list_imports(*demo)
    yield describe_start("the demo corpus", seconds, DEMO_SECONDS, loaded)
    shown = ["-m", "miner", "--help"]
    seconds = min(time_command(*shown) for _ in range(5))
    loaded = "torch" in list_imports(*shown)
    yield describe_start("miner --help", seconds, HELP_SECONDS, loaded)


def describe_start(name: str, seconds: float, target: float, loaded: bool) -> dict[str, object]:
    """The cells of one command."""
    told = "yes" if loaded else "no"
    return {"": name, "seconds": round(seconds, 2), "under": target, "loads torch": told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--names", nargs="*", default=["ru_prose", "en_novels"])
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--megabytes", type=float, help="only the first of each corpus")
    options = parser.parse_args()
    print_table(list(measure_start()))
    growth: list[dict[str, object]] = []
    stages: list[dict[str, object]] = []
    peers: list[dict[str, object]] = []
    for name in options.names:
        text = read_text(options.corpora / f"{name}.txt.gz").encode()
        if options.megabytes:
            text = text[: text.find(b"\n", int(options.megabytes * 1e6)) + 1]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "corpus.txt")
            growth += measure_growth(text, name, path)
            whole = growth[-1]
            stages += list_stages(path.with_suffix(".run"), name, float(str(whole["CPU-s"])))
            peers += compare_peers(path, name, whole, options.peers)
    for rows in (peers, stages, growth):
        if rows:
            print()
            print_table(rows)


if __name__ == "__main__":
    main()
