"""A run on disk: which stages are done, and how does the finished folder appear all at once?

A run grows in `<out>.partial`, each stage in a folder that is written under a temporary name and
then renamed, so that a killed run can go on behind its last whole stage. The finished folder takes
its name in one step.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from polars.exceptions import PolarsError

from miner.errors import RunError, say_reason
from miner.runs.files import LOCK, hold_lock
from miner.runs.names import KEPT, MANIFEST, Stage, find_stage

Existing = Literal["refuse", "overwrite", "resume"]
_KEY = "run.json"
T = TypeVar("T")


class FinishedError(RunError):
    """The run that was to go on is whole."""


@dataclass(frozen=True)
class Cost:
    """What a stage cost: wall and CPU seconds, rows that came out, peak memory of the process.

    `peak_mb` is 0 where the system does not tell it.
    """

    name: str
    seconds: float
    cpu_seconds: float
    rows: int
    peak_mb: int


class Draft:
    """A run folder in the making; `costs` of the stages that are done."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder = folder
        self.out = out
        self.costs: list[Cost] = []

    def stage(self, name: Stage, compute: Callable[[Path], int], load: Callable[[Path], T]) -> T:
        """Return what `load` reads from the folder of a stage, which `compute` fills if need be.

        `compute` gets an empty folder and returns the number of rows it wrote.
        """
        folder = find_stage(self.folder, name)
        record = folder / "stage.json"
        if not record.exists():
            draft = folder.with_name(folder.name + ".tmp")
            for leftover in (folder, draft):
                shutil.rmtree(leftover, ignore_errors=True)
            draft.mkdir()
            wall, cpu = time.perf_counter(), _cpu_seconds()
            rows = compute(draft)
            spent = Cost(
                name,
                round(time.perf_counter() - wall, 3),
                round(_cpu_seconds() - cpu, 3),
                rows,
                peak_memory() >> 20,
            )
            write_json(draft / record.name, asdict(spent))
            _sync(draft)
            draft.rename(folder)
        self.costs.append(Cost(**json.loads(record.read_text(encoding="utf-8"))))
        return load(folder)


@contextmanager
def draft_run(out: Path, key: dict[str, Any], *, existing: Existing) -> Iterator[Draft]:
    """Yield a run that becomes the folder `out` when the block ends well.

    `key` says what the run depends on: an unfinished run goes on only under the same key. An
    error leaves nothing behind; a run that was killed or stopped leaves what `resume` goes on with.
    """
    if out.name in ("", ".."):
        raise RunError("this is no name for a run", where=str(out), cure="Name a folder to create")
    partial = _beside(out, "partial")
    with _told_simply(out), _made_parents(out), hold_lock(out):
        _recover(out)
        resumed = _clear_way(out, partial, key, existing=existing)
        try:
            if not resumed:
                partial.mkdir()
                write_json(partial / _KEY, {"key": key, "existing": existing})
            yield Draft(partial, out)
            _publish(partial, out)
        except Exception:
            if not resumed:
                shutil.rmtree(partial, ignore_errors=True)
            raise


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(f"{out.name}.{ending}")


def _clear_way(out: Path, partial: Path, key: dict[str, Any], *, existing: Existing) -> bool:
    """Refuse to write where something stands that the user has not given up; else make room.

    True where an unfinished run of the same key is there to go on with.
    """
    told = _read_key(partial / _KEY)
    if existing == "resume" and told.get("key") == key:
        _check_target(out, existing=told.get("existing", existing))
        return True
    if existing == "resume" and _read_key(out / MANIFEST).get("key") == key:
        raise FinishedError(
            "the run is already finished", where=str(out), cure="Nothing is left to do"
        )
    _check_target(out, existing=existing)
    if not partial.exists():
        return False
    if not told:
        _remove_stub(partial)
        return False
    if existing == "resume":
        raise RunError(
            "the unfinished run there has other settings or another corpus",
            where=str(partial),
            cure="Give the same options, or --overwrite to start afresh",
        )
    if existing == "refuse":
        raise RunError(
            "an unfinished run is there",
            where=str(partial),
            cure="--resume goes on with it, --overwrite starts afresh",
        )
    shutil.rmtree(partial)
    return False


def _remove_stub(partial: Path) -> None:
    """Remove a run that was killed before it wrote its key; refuse what is no run."""
    if not partial.is_dir() or any(path.name != _KEY for path in partial.iterdir()):
        raise _foreign(partial)
    shutil.rmtree(partial)


def _check_target(out: Path, *, existing: Existing) -> None:
    """Refuse a target that holds something else, or a run that is not to be overwritten."""
    if not out.exists():
        return
    if not out.is_dir() or (not _read_key(out / MANIFEST) and any(out.iterdir())):
        raise _foreign(out)
    if existing != "overwrite" and (out / MANIFEST).exists():
        raise RunError(
            "another run is there",
            where=str(out),
            cure="Choose another --out, or --overwrite to replace it",
        )
    if _beside(out, "old").exists():  # where the run would wait until the new one stands
        raise _foreign(_beside(out, "old"))


def _foreign(path: Path) -> RunError:
    return RunError(
        "something other than a run is there", where=str(path), cure="Choose another --out"
    )


def _read_key(path: Path) -> dict[str, Any]:
    """Return what a JSON file tells of a run, nothing where it tells of none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and "key" in content else {}


def _recover(out: Path) -> None:
    """Put an old run back whose replacement was cut off between two renames."""
    old = _beside(out, "old")
    if not _read_key(old / MANIFEST):
        return
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(out)


def _publish(partial: Path, out: Path) -> None:
    """Give the finished run its name; an old run there goes only when the new one stands."""
    _keep(out, partial)
    _sync(partial)
    old = _swap(partial, out)
    (out / _KEY).unlink()
    if old:
        _keep(old, out)  # what was decided since
        shutil.rmtree(old, ignore_errors=True)


def _keep(old: Path, new: Path) -> None:
    """Copy what people wrote into an old run, and no stage makes again; the longer file wins."""
    kept = [path for name in KEPT for path in (old / name).glob("*") if path.suffix != LOCK]
    for path in sorted(kept):
        target = new / path.parent.name / path.name
        if path.is_file() and (not target.exists() or target.stat().st_size < path.stat().st_size):
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)


def _swap(draft: Path, out: Path) -> Path | None:
    """Give a draft its name; return where what stood there waits to be removed, if anything did."""
    old = _beside(out, "old")
    replaces = out.exists()
    if replaces:
        out.rename(old)
    draft.rename(out)
    return old if replaces else None


@contextmanager
def _told_simply(out: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line with its cure."""
    try:
        yield
    except (OSError, PolarsError) as error:
        if _is_full(error):
            raise RunError(
                "no space is left on the disk",
                where=str(out),
                cure="Free some, or give --out a folder on another disk",
            ) from error
        if not isinstance(error, OSError):
            raise
        reason = say_reason(error)
        raise RunError(
            f"cannot be read or written ({reason})",
            where=str(error.filename or out),
            cure="Check the path and its permissions",
        ) from error


def _is_full(error: Exception) -> bool:
    """Say whether a disk or a quota is full: by the message, as libraries drop the number."""
    full = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError) and error.errno in full:
        return True
    words = [word for word in map(os.strerror, full) if not word.startswith("Unknown")]
    words.append("Invalid thrift: transport error")  # polars, at the end of a Parquet file
    short = re.fullmatch(r"\d+ requested and \d+ written", str(error)) is not None
    return short or any(word in str(error) for word in words)


@contextmanager
def _made_parents(out: Path) -> Iterator[None]:
    """Make the folders above `out`, and remove them again if they stay empty."""
    made = [folder for folder in out.parents if not folder.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        with suppress(OSError):  # one that is not empty stays, and those above it
            for folder in made:
                folder.rmdir()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON with a last newline; what of a name is no UTF-8 comes escaped."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    path.write_bytes((text + "\n").encode("utf-8", "backslashreplace"))


def _sync(folder: Path) -> None:
    """Bring the files of a folder to the disk before their folder gets its name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with _open_to_sync(path) as handle:
                os.fsync(handle.fileno())


def _open_to_sync(path: Path) -> IO[bytes]:
    """Open a file so that it can be brought to the disk: Windows wants one that can be written."""
    try:
        return path.open("r+b")
    except PermissionError:
        return path.open("rb")


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_memory() -> int:
    """Return the most memory in bytes that this process has held so far, 0 where nobody knows."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


@contextmanager
def open_folder(out: Path, *, marker: str, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder that becomes `out` when the block ends well, all at once.

    An error leaves what was there. A folder that is there is replaced only with `overwrite`, and
    only if it holds `marker`, a file that says that it was made in this way.
    """
    if out.name in ("", ".."):
        raise RunError("this is no name for a folder", where=str(out), cure="Name one to create")
    draft = _beside(out, "partial")
    with _told_simply(out), _made_parents(out), hold_lock(out):
        old = _beside(out, "old")
        if (old / marker).is_file() and not out.exists():  # cut off between two renames
            old.rename(out)
        _check_folder(out, marker=marker, overwrite=overwrite)
        for leftover in (old, draft):
            if leftover.exists():
                _check_folder(leftover, marker=marker, overwrite=True)
                shutil.rmtree(leftover)
        draft.mkdir()
        (draft / marker).touch()
        try:
            yield draft
            _sync(draft)
            replaced = _swap(draft, out)
        except Exception:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        if replaced:
            shutil.rmtree(replaced, ignore_errors=True)


def _check_folder(out: Path, *, marker: str, overwrite: bool) -> None:
    """Refuse to replace what was not made here, or what the user has not given up."""
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / marker).is_file()):
        raise RunError(
            "something other than miner's work is there",
            where=str(out),
            cure="Choose another --out",
        )
    if not overwrite and (out / marker).exists():
        raise RunError(
            "it is already there", where=str(out), cure="Choose another --out, or --overwrite"
        )
