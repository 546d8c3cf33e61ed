"""What does a run depend on? The settings, the corpus and every file that was named, by hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from miner import __version__
from miner.config import MineConfig
from miner.corpus import Source, hash_sources
from miner.errors import ConfigError, say_reason
from miner.runs.decisions import read_logs
from miner.runs.manifest import Input


def list_inputs(sources: Sequence[Source]) -> tuple[Input, ...]:
    """Return each file of a corpus with its size and its hash."""
    hashes = hash_sources(list(sources))
    return tuple(
        Input(source.path, source.bytes, digest)
        for source, digest in zip(sources, hashes, strict=True)
    )


def make_key(
    config: MineConfig, inputs: Sequence[Input], anchors: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return what a run depends on, as JSON gives it back: a run is resumed under the same key."""
    key: dict[str, Any] = {
        "miner": __version__,
        "config": asdict(config),
        "inputs": [asdict(entry) for entry in inputs],
        "seeds": hash_seeds(config.seeds) if config.seeds else None,
    }
    if config.facets:
        key["facets"] = {name: list(words) for name, words in anchors.items()}
    if config.decisions:
        key["decisions"] = hash_logs(Path(config.decisions))
    return dict(json.loads(json.dumps(key)))


def hash_seeds(seeds: str | tuple[str, ...]) -> str:
    """Return the SHA-256 of the user's seeds, of the file where they lie in one."""
    if not isinstance(seeds, str):
        return hashlib.sha256("\n".join(seeds).encode()).hexdigest()
    try:
        return hashlib.sha256(Path(seeds).read_bytes()).hexdigest()
    except OSError as error:
        reason = say_reason(error)
        raise ConfigError(
            f"the file of seeds cannot be read ({reason})", where=seeds, cure="Check --seeds"
        ) from error


def hash_logs(place: Path) -> str:
    """Return the SHA-256 of all that reviewers decided."""
    logs = [log.path.read_bytes() for log in read_logs(place)]
    return hashlib.sha256(b"\0".join(logs)).hexdigest()
