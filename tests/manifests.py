"""A manifest as a run of English novels would have it, with what a test wants otherwise."""

from __future__ import annotations

from typing import Any

from miner.config import MineConfig
from miner.runs.manifest import Input, Manifest, Search, Vectors
from miner.runs.store import Cost


def make_manifest(**entries: Any) -> Manifest:
    return Manifest(
        **{
            "key": {},
            "config": MineConfig(corpus="novels.txt"),
            "inputs": (Input("texts/novels.txt", 18_460_819, "ab" * 32),),
            "versions": {"polars": "2.1.0"},
            "bytes": 18_460_819,
            "text_bytes": 18_460_819,
            "profile": "words",
            "documents": 27_182,
            "held_documents": 1_400,
            "measured_on": "held back",
            "atoms": 3_141_592,
            "min_count": 5,
            "least_count": 5,
            "verdicts": {"kept": 8_000, "weak": 41_234, "invented": 7},
            "kinds": {"link": 8_000},
            "decisions": None,
            "saved": {},
            "encoder": Vectors("corpus", 96, True, "cpu", "float32"),
            "search": Search("exact", 1.0, "cpu", 1_000),
            "fields": {"facets": [], "cosine_by_shared_signs": {}},
            "skipped": (),
            "stages": (Cost("atoms", 1.5, 2, 12_345, 300),),
        }
        | entries
    )
