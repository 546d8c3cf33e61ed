"""Many files to hyperword text and back: a folder or a glob keeps its tree, each file its name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from miner.corpus import Source
from miner.errors import UsageError
from miner.progress import SILENT, Progress
from miner.rewriting.provenance import write_provenance
from miner.rewriting.streaming import Begun, Done, Job, write_all
from miner.runs.names import CONTENTS
from miner.runs.workplace import is_stream, open_folder

KIND = "folder of hyperword text"


def run_tree(
    job: Job,
    sources: Sequence[Source],
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = SILENT,
    threads: int | None = None,
) -> Done:
    """Rewrite or restore every file into a folder, which appears when all are whole."""
    if is_stream(job.out) or job.out.is_file():
        raise UsageError(f"{job.source} is many files, and {job.out} is one", cure="Name a folder")
    if resume:
        raise UsageError("many files cannot be gone on with", cure="Leave --resume away")
    total = Done()
    with open_folder(job.out, kind=KIND, overwrite=overwrite) as folder:
        for source, name in name_files(job, sources):
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            one = replace(job, source=source.path)
            with place.open("xb") as target:
                done = write_all(one, source, target, Begun(), None, progress, threads)
            for field in fields(Done):
                setattr(total, field.name, getattr(total, field.name) + getattr(done, field.name))
        if not job.back:
            write_provenance(folder, job.how, folder=True)
    return total


def name_files(job: Job, sources: Sequence[Source]) -> list[tuple[Source, Path]]:
    """Return the files with their places below the new folder; packed ones come unpacked.

    UsageError where two would have one place.
    """
    root = Path(job.source)
    if not root.is_dir():
        root = Path(os.path.commonpath([Path(source.path).parent for source in sources]))
    taken: dict[Path, str] = {}
    named = []
    for source in sources:
        place = Path(source.path).relative_to(root)
        if place.name == CONTENTS:
            continue
        if source.compression:
            place = place.with_suffix("")
        if place in taken:
            raise UsageError(
                f"{taken[place]} and {source.path} would both become {place}",
                cure="Rename one, or name them one by one",
            )
        taken[place] = source.path
        named.append((source, place))
    return named
