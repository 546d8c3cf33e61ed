"""What a run says of itself: what went in, what came out, what it cost?

`manifest.json` is written and read here and nowhere else. Its `format` grows when what it means
changes; a run of another format is refused with the way to mine it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as list_fields
from pathlib import Path
from typing import Any, Literal, get_args

from miner.config import MineConfig
from miner.corpus import Skipped
from miner.errors import RunError
from miner.runs.files import check_plain
from miner.runs.names import CONFIG, MANIFEST
from miner.runs.store import Cost
from miner.text.profiles import PROFILES

FORMAT = 5
Measured = Literal["held back", "mined"]
_CURE = "Copy the whole run folder, or mine again"


@dataclass(frozen=True)
class Input:
    """A file of the corpus: its name, its bytes on disk, their SHA-256 in hexadecimal."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Vectors:
    """What embedded the runs: its name or folder, columns, and whether it only adds up atoms."""

    encoder: str
    dimension: int
    adds_up: bool
    device: str
    precision: str


@dataclass(frozen=True)
class Search:
    """How neighbours were found, and after how many units more of them stop paying (`knee`)."""

    index: str
    recall_at_10: float
    device: str
    knee: int


@dataclass(frozen=True)
class Manifest:
    """A finished run in figures.

    `key`: what the run depends on, for `--resume`. `bytes` on disk, `text_bytes` of documents;
    `measured_on`: the text of the savings curve. `min_count`: how often a run had to occur,
    `least_count` how often the rarest does. `verdicts` and `kinds`: proposals and units of each;
    `decisions`: what was obeyed, None where nothing was named. `saved`: the last point of the
    savings curve, empty where there is no unit. `fields`: facets, and the mean cosine by shared
    signs of addresses. Sizes are in bytes; seconds and peak megabytes of each stage in `stages`.
    """

    key: Mapping[str, Any]
    config: MineConfig
    inputs: tuple[Input, ...]
    versions: Mapping[str, str]
    bytes: int
    text_bytes: int
    profile: str
    documents: int
    held_documents: int
    measured_on: Measured
    atoms: int
    min_count: int
    least_count: int
    verdicts: Mapping[str, int]
    kinds: Mapping[str, int]
    decisions: Mapping[str, int] | None
    saved: Mapping[str, float]
    encoder: Vectors
    search: Search
    fields: Mapping[str, Any]
    skipped: tuple[Skipped, ...]
    stages: tuple[Cost, ...]
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Refuse what cannot be; ValueError, TypeError."""
        counts = {
            name: getattr(self, name)
            for name in ("bytes", "text_bytes", "documents", "held_documents", "atoms", "min_count")
        }
        for name, count in {**counts, **self.verdicts, **self.kinds}.items():
            if type(count) is not int or count < 0:
                raise ValueError(f"{name} is {count!r}")
        if self.profile not in PROFILES or self.measured_on not in get_args(Measured):
            raise ValueError(f"profile {self.profile!r}, measured on {self.measured_on!r}")

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON holds it."""
        return dict(json.loads(json.dumps(asdict(self))))


def read_manifest(run: Path) -> Manifest:
    """Return the manifest of a run; RunError where there is none, or one of something else."""
    place = run / MANIFEST
    check_plain(run, below=True)
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        if _is_other_format(content):
            raise RunError(
                "was written by another version of miner",
                where=str(run),
                cure=f"Mine it again: miner mine --config {run / CONFIG} --out {run} --overwrite",
            )
        return parse_manifest(content)
    except OSError as error:
        raise RunError(
            "holds no run of miner",
            where=str(run),
            cure="Name the folder that `miner mine --out` wrote",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError("is no manifest of a run", where=str(place), cure=_CURE) from error


def _is_other_format(content: Any) -> bool:
    known = isinstance(content, dict) and "key" in content and "config" in content
    return known and content.get("format") != FORMAT


def parse_manifest(content: Mapping[str, Any]) -> Manifest:
    """Return what `Manifest.to_json` gave; ValueError, KeyError, TypeError where it is no such."""
    row = dict(content)
    if set(row["config"]) != {entry.name for entry in list_fields(MineConfig)}:
        raise ValueError("not the settings of a run")
    row["config"] = MineConfig(**row["config"])
    row["inputs"] = tuple(Input(**entry) for entry in row["inputs"])
    row["encoder"] = Vectors(**row["encoder"])
    row["search"] = Search(**row["search"])
    row["skipped"] = tuple(Skipped(**entry) for entry in row["skipped"])
    row["stages"] = tuple(Cost(**entry) for entry in row["stages"])
    return Manifest(**row)
