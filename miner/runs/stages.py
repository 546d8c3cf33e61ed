"""What each stage leaves in its folder, written and read: one pair of functions a stage."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.corpus import Skipped
from miner.mining.candidates import Candidates
from miner.mining.embeddings import load_vectors
from miner.runs.files import write_json
from miner.runs.names import (
    ABOUT_VECTORS,
    CURVE,
    MAP,
    PROPOSALS,
    READING,
    SEARCH,
    UNITS,
    VECTORS,
    find_stage,
)  # fmt: skip
from miner.text.pretokens import Atoms, load_atoms
from miner.text.profiles import PROFILES

TABLE, SCORES = "candidates.parquet", "scores.parquet"
ARRAYS = ("keys", "parent", "suffix")


def save_reading(
    folder: Path,
    *,
    profile: str,
    patterns: Mapping[str, str],
    abbreviations: Collection[str],
    text_bytes: int,
    skipped: Sequence[Skipped],
) -> None:
    """Write how a corpus was read beside its atoms."""
    about = {
        "profile": profile,
        "patterns": dict(patterns),
        "abbreviations": sorted(abbreviations),
        "text_bytes": text_bytes,
        "skipped": [asdict(entry) for entry in skipped],
    }
    write_json(folder / READING, about)


def read_json(place: Path) -> dict[str, Any]:
    """Return the object of a JSON file that a stage wrote."""
    return dict(json.loads(place.read_text(encoding="utf-8")))


def load_cut(folder: Path) -> Atoms:
    """Return the atoms of a corpus."""
    reading = read_json(folder / READING)
    words = frozenset(reading.get("abbreviations", ()))
    return load_atoms(folder, profile=PROFILES[reading["profile"]], abbreviations=words)


def save_candidates(folder: Path, candidates: Candidates) -> None:
    """Write the runs that were counted."""
    candidates.table.write_parquet(folder / TABLE)
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(candidates, name))


def load_candidates(folder: Path) -> Candidates:
    """Return the runs that were counted."""
    arrays = [np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS]
    return Candidates(pl.read_parquet(folder / TABLE), *arrays)


def load_scores(folder: Path) -> pl.DataFrame:
    """Return the statistics of every run."""
    return pl.read_parquet(folder / SCORES)


def load_rows(folder: Path) -> np.ndarray:
    """Return a row for each candidate, left on disk."""
    return load_vectors(folder / VECTORS, int(read_json(folder / ABOUT_VECTORS)["dimension"]))


def load_proposals(folder: Path) -> pl.DataFrame:
    """Return every proposal with its verdict."""
    return pl.read_parquet(folder / PROPOSALS)


@dataclass(frozen=True)
class Ranked:
    """The units best first, what the first k of them save, and the proposals as decisions left
    them."""

    units: pl.DataFrame
    curve: pl.DataFrame
    proposals: pl.DataFrame


def load_ranked(folder: Path, proposals: pl.DataFrame) -> Ranked:
    """Return the ranked units of a stage; `proposals` are those from before any decision."""
    decided = folder / PROPOSALS
    left = pl.read_parquet(decided) if decided.exists() else proposals
    return Ranked(pl.read_parquet(folder / UNITS), pl.read_parquet(folder / CURVE), left)


def save_map(folder: Path, units: pl.DataFrame, points: np.ndarray, vectors: int) -> None:
    """Write where each unit that has one of the vectors lies on the map."""
    ranks = units.filter(pl.col("candidate") < vectors)["rank"]
    x, y = points.T
    pl.DataFrame({"rank": ranks, "x": x, "y": y}).write_parquet(folder / MAP)


def read_map(run: Path) -> pl.DataFrame | None:
    """Return where units lie on the map, `rank, x, y`, None where nothing was drawn."""
    drawn = find_stage(run, "vocabulary") / MAP
    return pl.read_parquet(drawn) if drawn.exists() else None


def read_curve(run: Path) -> pl.DataFrame:
    """Return the savings curve of a run."""
    return pl.read_parquet(find_stage(run, "vocabulary") / CURVE)


def save_search(folder: Path, *, index: str, recall: float, device: str, knee: int) -> None:
    """Write how neighbours were found, and after how many units more of them stop paying."""
    about = {"index": index, "recall_at_10": recall, "device": device, "knee": knee}
    write_json(folder / SEARCH, about)
