"""Constants to what moves: which of the numbers in the rules decide, and by how much?

Each constant that has a part in what is kept is halved and doubled (or moved to what is written
here), alone, and the runs of two corpora are judged and settled anew: an English textbook, whose
key terms and WordNet entries are known, and a made-up language, whose units are. A constant whose
row equals that of `as it is` in all columns is not needed; one whose row is better is wrong.

    python -m benchmarks.sensitivity --shared ../shared
    python -m benchmarks.sensitivity --shared ../shared --only LESS=0.2 LESS=0.3,SHARED=0.1
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.gold import GOLD_LISTS, average_precision, join_words, print_table, read_gold
from miner.corpus import find_sources, read_chunks
from miner.mining import compounds, proposals, ranker, settling, unithood
from miner.mining.candidates import Candidates, count_candidates, default_min_count
from miner.mining.proposals import find_proposals
from miner.mining.scores import find_splits, score_candidates
from miner.mining.settling import Verdict
from miner.text.pretokens import Atoms, cut_chunks
from miner.text.profiles import PROFILES

MODULES = (compounds, proposals, ranker, settling, unithood)
MOVED: dict[str, tuple[Any, ...]] = {
    "BY_CHANCE": (0.1, 10.0, 100.0),
    "SWALLOWED": (0.6, 0.95),
    "NEARLY": (),
    "ALLOWED": (),
    "ALWAYS": (),
    "SHARED": (),
    "LESS": (),
    "STEEPNESS": (),
    "CROWD": (1.0, 3.0),
    "ROUNDS": ((1.0,), (0.5, 1.0)),
    "LEAST_SCORE": (),
    "FOLD": (),
    "AGREED": ((0.2, 0.3), (0.4, 0.55)),
    "WORDY": (),
    "LONG_WORDY": (),
    "LONG": (3, 5),
    "CLOSES": (),
    "RARE": (),
    "SURE": (0.1, 0.9),
    "EXPECTED": (),
    "AFFIXED": (),
    "FUNCTION": (),
    "GROUPS": (),
}
BUDGET = 8_000
KINDS = ("link", "hyperlexeme", "compound")


@dataclass(frozen=True)
class Counted:
    """A corpus as it is before anything is judged, and what is known of its units by name."""

    atoms: Atoms
    candidates: Candidates
    scores: pl.DataFrame
    known: dict[str, set[str]]


def count_text(path: Path, folder: Path, known: dict[str, set[str]]) -> Counted:
    """Return a corpus cut, counted and scored as `miner mine` does it."""
    folder.mkdir()
    chunks = read_chunks(find_sources([str(path)]))
    atoms = cut_chunks(chunks, folder, profile=PROFILES["words"], patterns={})
    counts = atoms.table["count"].to_numpy()
    least = default_min_count(len(atoms.mined.ids))
    candidates = count_candidates(atoms.mined, counts, min_count=least)
    scores = score_candidates(candidates, find_splits(candidates), total=int(counts.sum()))
    return Counted(atoms, candidates, scores, known)


def propose(counted: Counted) -> pl.DataFrame:
    """Return the proposals of a corpus, before they are proven."""
    least = default_min_count(len(counted.atoms.mined.ids))
    return find_proposals(
        counted.atoms, counted.candidates, counted.scores, min_count=least, budget=BUDGET
    )


@contextmanager
def moved(values: dict[str, Any]) -> Iterator[None]:
    """Give constants other values, in all modules that know them."""
    before = [
        (module, name, getattr(module, name))
        for name in values
        for module in MODULES
        if hasattr(module, name)
    ]
    for module, name, _ in before:
        setattr(module, name, values[name])
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def measure(counted: Counted, was: set[str]) -> dict[str, object]:
    """Return what is kept of a corpus, which share of it is new, and how good it is."""
    found = propose(counted)
    kept = set(found.filter(pl.col("verdict") == Verdict.KEPT)["token"])
    row: dict[str, object] = {"kept": len(kept)}
    row["changed"] = len(kept ^ was) / max(len(kept | was), 1) if was else 0.0
    order = found.sort([pl.col("verdict") != Verdict.KEPT, -pl.col("score"), "token"])
    ranked = list(dict.fromkeys(join_words(token) for token in order["token"]))
    for kind, units in counted.known.items():
        if kind in KINDS:
            row[kind] = len(kept & units)
        else:
            there = units & set(ranked)
            row[kind] = average_precision(
                [text for text in ranked if " " in text], there, len(there)
            )
    planted = set().union(*(units for kind, units in counted.known.items() if kind in KINDS))
    if planted:
        spaced = {text for text in kept if " " in text}
        row["right"] = len(spaced & planted) / max(len(spaced), 1)
    was |= kept if not was else set()
    return row


def list_moves(only: list[str]) -> Iterator[dict[str, Any]]:
    """Yield constants and the values that they are given."""
    if only:
        for text in only:
            pairs = [pair.split("=") for pair in text.split(",")]
            yield {name: float(value) for name, value in pairs}
        return
    for name, values in MOVED.items():
        now = next(getattr(module, name) for module in MODULES if hasattr(module, name))
        for value in values or (type(now)(now / 2), type(now)(now * 2)):
            yield {name: value}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    gold = {name: read_gold(options.shared / path) for name, path in GOLD_LISTS.items()}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        command = [sys.executable, "-m", "miner", "synth", "--lines", "20000", "--seed", "5"]
        subprocess.run([*command, "--out", str(made)], check=True, capture_output=True)
        key = pl.read_ndjson(made / "key.jsonl", infer_schema_length=None)
        planted = {kind: set(key.filter(pl.col("kind") == kind)["token"]) for kind in KINDS}
        text = options.shared / "gold/openstax_ccby.txt.gz"
        corpora = {
            "textbook": count_text(text, Path(folder, "textbook"), gold),
            "made-up": count_text(made / "corpus.txt", Path(folder, "cut"), planted),
        }
        was: dict[str, set[str]] = {name: set() for name in corpora}
        rows = []
        for values in [{}, *list_moves(options.only)]:
            told = ", ".join(f"{name} = {value}" for name, value in values.items())
            row: dict[str, object] = {"moved": told or "as it is"}
            for corpus, counted in corpora.items():
                with moved(values):
                    row |= {
                        f"{corpus}: {column}": cell
                        for column, cell in measure(counted, was[corpus]).items()
                    }
            rows.append(row)
            print(told, flush=True, file=sys.stderr)
        print_table(rows)


if __name__ == "__main__":
    main()
