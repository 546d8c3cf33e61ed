"""A run on disk: which stages are done, and how does the finished folder appear all at once?

A run grows in its workplace (`workplace.py`), each stage in a folder that is written under a
temporary name and then renamed, so that a killed run can go on behind its last whole stage.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from miner.errors import RunError
from miner.runs.contents import check_files, read_contents, seal
from miner.runs.files import open_plain, write_json
from miner.runs.names import MANIFEST, UNFINISHED, Stage, find_stage
from miner.runs.workplace import DRAFT, check_target, discard, follow_link, open_workplace, publish

Existing = Literal["refuse", "overwrite", "resume"]
RUN, STAGE = "run", "stage"  # kinds of folders
_RECORD = "stage.json"
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

        `compute` gets an empty folder and returns the number of rows it wrote. RunError where a
        stage that was made before is not as it was written.
        """
        folder = find_stage(self.folder, name)
        if read_contents(folder) is None:
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
            write_json(draft / _RECORD, asdict(spent))
            seal(draft, STAGE)
            draft.rename(folder)
        else:
            check_files(folder, cure="Start afresh with --overwrite")
        self.costs.append(Cost(**json.loads((folder / _RECORD).read_text(encoding="utf-8"))))
        return load(folder)


@contextmanager
def draft_run(out: Path, key: dict[str, Any], *, existing: Existing) -> Iterator[Draft]:
    """Yield a run that becomes the folder `out` when the block ends well.

    `key` says what the run depends on: an unfinished run goes on only under the same key. An
    error leaves nothing behind; a run that was killed or stopped leaves what `resume` goes on with.
    """
    out = follow_link(out)
    with open_workplace(out) as place:
        draft = place / DRAFT
        resumed = _clear_way(out, place, key, existing=existing)
        try:
            if not resumed:
                draft.mkdir()
                write_json(draft / UNFINISHED, {"key": key, "existing": existing})
            yield Draft(draft, out)
            seal(draft, RUN)
            publish(place, out)
        except Exception:
            if not resumed and (draft / UNFINISHED).exists():
                discard(place, draft)
            raise


def _clear_way(out: Path, place: Path, key: dict[str, Any], *, existing: Existing) -> bool:
    """Refuse to write where something stands that the user has not given up; else make room.

    True where an unfinished run of the same key is there to go on with.
    """
    draft = place / DRAFT
    told = _read_key(draft / UNFINISHED)
    if existing == "resume" and told.get("key") == key:
        check_target(out, kind=RUN, overwrite=told.get("existing") == "overwrite")
        return True
    if existing == "resume" and _read_key(out / MANIFEST).get("key") == key:
        raise FinishedError(
            "the run is already finished", where=str(out), cure="Nothing is left to do"
        )
    check_target(out, kind=RUN, overwrite=existing == "overwrite")
    if told and existing == "resume":
        raise RunError(
            "the unfinished run there has other settings or another corpus",
            where=str(out),
            cure="Give the same options, or --overwrite to start afresh",
        )
    if told and existing == "refuse":
        raise RunError(
            "an unfinished run is there",
            where=str(out),
            cure="--resume goes on with it, --overwrite starts afresh",
        )
    discard(place, draft)
    return False


def _read_key(path: Path) -> dict[str, Any]:
    """Return what a JSON file tells of a run, nothing where it tells of none."""
    try:
        with open_plain(path) as handle:
            content = json.loads(handle.read())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and "key" in content else {}


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
