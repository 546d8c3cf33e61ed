"""A run on disk: which stages are done, and how does the finished folder appear all at once?

A run grows in `<out>.partial`, each stage in a folder that is written under a temporary name and
then renamed, so that a killed run can go on behind its last whole stage. The finished folder takes
its name in one step.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from miner.errors import RunError

Existing = Literal["refuse", "overwrite", "resume"]
MANIFEST = "manifest.json"
_KEY = "run.json"
_LOCK = "lock"
T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """What a stage cost: wall and CPU seconds, rows that came out, peak memory of the process."""

    name: str
    seconds: float
    cpu_seconds: float
    rows: int
    peak_mb: int


class Run:
    """A run folder in the making."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder = folder
        self.out = out
        self.stages: list[Stage] = []

    def stage(
        self, name: str, compute: Callable[[Path], int], load: Callable[[Path], T]
    ) -> T:
        """Return what `load` reads from the folder of a stage, which `compute` fills if need be.

        `compute` gets an empty folder and returns the number of rows it wrote.
        """
        folder = self.folder / f"{len(self.stages) + 1}_{name}"
        record = folder / "stage.json"
        if not record.exists():
            draft = folder.with_name(folder.name + ".tmp")
            for leftover in (folder, draft):
                shutil.rmtree(leftover, ignore_errors=True)
            draft.mkdir()
            wall, cpu = time.perf_counter(), _cpu_seconds()
            rows = compute(draft)
            spent = Stage(
                name, round(time.perf_counter() - wall, 3), round(_cpu_seconds() - cpu, 3), rows,
                peak_memory() >> 20,
            )  # fmt: skip
            write_json(draft / record.name, asdict(spent))
            _sync(draft)
            draft.rename(folder)
        self.stages.append(Stage(**json.loads(record.read_text(encoding="utf-8"))))
        return load(folder)


@contextmanager
def open_run(out: Path, key: dict[str, Any], *, existing: Existing) -> Iterator[Run]:
    """Yield a run that becomes the folder `out` when the block ends well.

    `key` says what the run depends on: an unfinished run goes on only under the same key. An
    error that the user can mend leaves nothing behind; a killed run leaves what `resume` goes on
    with.
    """
    partial = out.with_name(out.name + ".partial")
    _recover(out)
    if out.exists() and existing == "resume" and _is_same(out / MANIFEST, key):
        raise RunError("the run is already finished", where=str(out), cure="Nothing is left to do")
    _check_target(out, partial, existing=existing)
    if partial.exists() and not (existing == "resume" and _is_same(partial / _KEY, key)):
        if existing == "resume":
            raise RunError(
                "the unfinished run there has other settings or another corpus",
                where=str(partial), cure="Give the same options, or --overwrite to start afresh",
            )  # fmt: skip
        shutil.rmtree(partial)
    resumed = partial.exists()
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with _locked(partial):
            if not resumed:
                write_json(partial / _KEY, {"key": key})
            run = Run(partial, out)
            yield run
        _publish(partial, out)
    except Exception as error:
        if not resumed:
            shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                "no space is left on the disk", where=str(out),
                cure="Free some, or give --out a folder on another disk",
            ) from error  # fmt: skip
        if isinstance(error, PermissionError):
            raise RunError(
                "the folder cannot be written", where=str(error.filename or out),
                cure="Give --out a folder that you may write to",
            ) from error  # fmt: skip
        raise


def _check_target(out: Path, partial: Path, *, existing: Existing) -> None:
    """Refuse to write where something stands that the user has not given up."""
    if out.exists() and not (out / MANIFEST).exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            "something other than a run is there", where=str(out), cure="Choose another --out"
        )
    if out.exists() and (out / MANIFEST).exists() and existing != "overwrite":
        raise RunError(
            "another run is there", where=str(out),
            cure="Choose another --out, or --overwrite to replace it",
        )  # fmt: skip
    if partial.exists() and existing == "refuse":
        raise RunError(
            "an unfinished run is there", where=str(partial),
            cure="--resume goes on with it, --overwrite starts afresh",
        )  # fmt: skip


def _is_same(path: Path, key: dict[str, Any]) -> bool:
    """Say whether a JSON file tells of a run with this key."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("key") == key)
    except (OSError, ValueError, AttributeError):
        return False


def _recover(out: Path) -> None:
    """Put an old run back whose replacement was cut off between two renames."""
    old = out.with_name(out.name + ".old")
    if old.exists():
        if out.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(out)


def _publish(partial: Path, out: Path) -> None:
    """Give the finished run its name; an old run there goes only when the new one stands."""
    (partial / _KEY).unlink()
    old = out.with_name(out.name + ".old")
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock that dies with the process; another process that holds it is an error."""
    path = folder / _LOCK
    with path.open("w") as handle:
        if not _lock(handle):
            raise RunError(
                "another process is writing this run", where=str(folder), cure="Wait, or stop it"
            )
        yield
    path.unlink(missing_ok=True)


def _lock(handle: IO[str]) -> bool:
    """Take the lock of an open file; True where the system has none to offer."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON with a last newline."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _sync(folder: Path) -> None:
    """Bring the files of a folder to the disk before their folder gets its name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_memory() -> int:
    """Return the most memory in bytes that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
