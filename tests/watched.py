"""The command in a process of its own: what did it print, import and touch? And the demo corpus."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from filelock import FileLock

from miner.commands.main import main

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
class Called:
    """What a command printed in this process."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class MinedDemo:
    """The run of the demo corpus, and what lay in its place when it was mined."""

    folder: Path
    command: Watched
    beside: list[str]
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


def call_command(*arguments: str) -> Called:
    """Run `miner` in this process: cheaper, where nothing is asked of what it imports."""
    out, err, listener = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as left,
        ):
            main(list(arguments))
    finally:
        signal.signal(signal.SIGTERM, listener)
    assert isinstance(left.value.code, int)
    return Called(left.value.code, out.getvalue(), err.getvalue())


def find_common(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of one test run see."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def lock_work(factory: pytest.TempPathFactory) -> FileLock:
    """Return the lock under which one process of a test run does what all others use."""
    return FileLock(find_common(factory) / "work.lock", is_singleton=True)


def mine_demo(place: Path) -> None:
    """Mine the demo corpus into `place/run`; `place/told.json` comes last."""
    place.mkdir()
    out = place / "run"
    command = watch_command(place / "used.json", "mine", "--corpus", str(DEMO), "--out", str(out))
    assert command.code == 0, command.err
    told = vars(command) | {
        "modules": sorted(command.modules),
        "beside": sorted(path.name for path in place.iterdir()),
    }
    (place / "told.json").write_text(json.dumps(told), encoding="utf-8")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> MinedDemo:
    """The demo corpus, mined once for all processes of a test run: each gets a copy."""
    place = find_common(tmp_path_factory) / "mined-demo"
    with lock_work(tmp_path_factory):
        if not place.exists():
            mine_demo(place)
    told = json.loads((place / "told.json").read_text(encoding="utf-8"))
    beside = told.pop("beside")
    out = Path(shutil.copytree(place / "run", tmp_path_factory.mktemp("demo") / "run"))
    return MinedDemo(
        out,
        Watched(**told | {"modules": set(told["modules"])}),
        beside,
        pl.read_ndjson(out / "vocabulary.jsonl", infer_schema_length=None),
        pl.read_parquet(out / "proposals.parquet"),
        json.loads((out / "manifest.json").read_text(encoding="utf-8")),
    )


@pytest.fixture(scope="session")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first lines of the demo corpus: enough where a size is asked for."""
    lines = DEMO.read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path_factory.mktemp("beginning") / "corpus.txt"
    path.write_text("".join(lines[:600]), encoding="utf-8")
    return path
