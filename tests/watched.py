"""The command in a process of its own: what did it print, import and touch? And the demo corpus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "corpora" / "demo.txt"

DRIVER = """
import json, sys
touched = []
sys.addaudithook(lambda event, args: event.startswith("socket.") and touched.append(event))
from miner.commands.main import main
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as told:
        json.dump({"modules": sorted(sys.modules), "touched": touched}, told)
"""


@dataclass(frozen=True)
class Watched:
    """What a command printed and used."""

    code: int
    out: str
    err: str
    modules: set[str]
    touched: list[str]


@dataclass(frozen=True)
class MinedDemo:
    """The run of the demo corpus."""

    folder: Path
    command: Watched
    units: pl.DataFrame
    proposals: pl.DataFrame
    manifest: dict[str, Any]


def watch_command(told: Path, *arguments: str) -> Watched:
    """Run `miner` as a user would; `told` is a file to write."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(told), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    used = json.loads(told.read_text())
    return Watched(done.returncode, done.stdout, done.stderr, set(used["modules"]), used["touched"])


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> MinedDemo:
    """The demo corpus, mined once; `conftest.py` lends it to every file."""
    place = tmp_path_factory.mktemp("demo")
    out = place / "run"
    command = watch_command(place / "used.json", "mine", "--corpus", str(DEMO), "--out", str(out))
    assert command.code == 0, command.err
    return MinedDemo(
        out,
        command,
        pl.read_ndjson(out / "vocabulary.jsonl", infer_schema_length=None),
        pl.read_parquet(out / "proposals.parquet"),
        json.loads((out / "manifest.json").read_text(encoding="utf-8")),
    )
