"""A run that is nearly done to its manifest: what came out, and what did it cost?"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import polars as pl

from miner.config import MineConfig
from miner.corpus import Skipped
from miner.mining.candidates import Candidates, default_min_count
from miner.mining.settling import Verdict
from miner.runs.manifest import Input, Manifest, Search, Vectors
from miner.runs.names import ABOUT_VECTORS, READING, SEARCH, find_stage
from miner.runs.stages import Ranked, read_json
from miner.runs.store import Draft
from miner.text.pretokens import Atoms, has_documents

_FALLING = [True, False]  # by number, then by name
LIBRARIES = (
    "numpy", "numba", "polars", "scipy", "faiss-gpu", "faiss-cpu", "sentence-transformers", "torch",
    "tokenizers",
)  # fmt: skip


def describe_run(
    draft: Draft,
    config: MineConfig,
    key: Mapping[str, Any],
    inputs: Sequence[Input],
    atoms: Atoms,
    candidates: Candidates,
    ranked: Ranked,
    *,
    decisions: Mapping[str, int] | None = None,
) -> Manifest:
    """Return the manifest: what went in, what came out, what it cost."""
    reading = read_json(find_stage(draft.folder, "atoms") / READING)
    curve, total = ranked.curve, int(atoms.table["count"].sum())
    return Manifest(
        key=key,
        config=config,
        inputs=tuple(inputs),
        versions=list_versions(),
        bytes=sum(entry.bytes for entry in inputs),
        text_bytes=reading["text_bytes"],
        profile=atoms.profile.name,
        documents=len(atoms.mined.documents) - 1,
        held_documents=len(atoms.held.documents) - 1,
        measured_on="held back" if has_documents(atoms.held) else "mined",
        atoms=total,
        min_count=config.min_count or default_min_count(total),
        least_count=int(candidates.table.filter(pl.col("length") > 1)["count"].to_numpy().min()),
        verdicts=count_values(ranked.proposals["verdict"]),
        kinds=count_values(ranked.proposals.filter(verdict=Verdict.KEPT)["kind"]),
        decisions=decisions,
        saved=curve.row(-1, named=True) if curve.height else {},
        encoder=Vectors(**read_json(find_stage(draft.folder, "vectors") / ABOUT_VECTORS)),
        search=Search(**read_json(find_stage(draft.folder, "vocabulary") / SEARCH)),
        fields=tell_space(read_json(find_stage(draft.folder, "fields") / "fields.json")),
        skipped=tuple(Skipped(**entry) for entry in reading["skipped"]),
        stages=tuple(draft.costs),
    )


def count_values(column: pl.Series) -> dict[str, int]:
    """Return how often each value stands in a column, most first, then by name.

    >>> count_values(pl.Series(["b", "a", "b", "c"]))
    {'b': 2, 'a': 1, 'c': 1}
    """
    counted = column.value_counts().sort("count", column.name, descending=_FALLING)
    return dict(counted.iter_rows())


def tell_space(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest says of fields: the facets, and what a shared address means."""
    prefixes = [(str(row["signs"]), row["cosine"]) for row in about["prefixes"]]
    return {"facets": list(about["facets"]), "cosine_by_shared_signs": dict(prefixes)}


def list_versions() -> dict[str, str]:
    """Return the versions of Python, of the machine and of the libraries that matter."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
