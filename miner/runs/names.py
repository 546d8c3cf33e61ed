"""A run folder to its files: what is each called, and where does it lie?

A stage has a folder of its own, numbered in the order of the stages; what other programs read lies
at the top.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

Stage = Literal["atoms", "candidates", "scores", "vectors", "proposals", "vocabulary", "fields"]
STAGES: tuple[Stage, ...] = (
    "atoms", "candidates", "scores", "vectors", "proposals", "vocabulary", "fields",
)  # fmt: skip

MANIFEST = "manifest.json"
CONFIG = "config.toml"
REPORT = "report.html"
PROPOSALS = "proposals.parquet"
VOCABULARY = "vocabulary.jsonl"
TOKENS = "vocabulary.txt"
MERGES = "merges.tsv"
NAMED = "tokens.json"
ENCODER = "encoder"
DECISIONS = "decisions"
LAYERS = "layers"
REVIEWED = "reviewed"
CONTENTS = "miner-files.json"  # of every folder that miner writes
UNFINISHED = "unfinished.json"  # in a folder that has not got its name yet
PLACES = "review/map.parquet"  # drawn when a run is reviewed
KEPT = (DECISIONS, LAYERS)  # folders of a run that people write to
# What reviewing makes anew, by its place in a run
_KEPT_REVIEW = rf"{REVIEWED}/[0-9a-f]{{64}}(\.partial)?/\w+\.(json|parquet)"
AGAIN = re.compile(f"{re.escape(PLACES)}|{_KEPT_REVIEW}")

# within stages
READING = "reading.json"
ABOUT_VECTORS, VECTORS = "encoder.json", "vectors.f16"
UNITS, CURVE, MAP, SEARCH = "units.parquet", "savings.parquet", "map.parquet", "search.json"


def find_stage(run: Path, stage: Stage) -> Path:
    """Return the folder of a stage.

    >>> find_stage(Path("run"), "vocabulary").name
    '6_vocabulary'
    """
    return run / f"{STAGES.index(stage) + 1}_{stage}"
