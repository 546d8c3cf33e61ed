"""A run's stages to the files at its top, which other programs read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from miner.config import MineConfig, write_config
from miner.runs.decisions import name_log, read_logs
from miner.runs.names import (
    CONFIG,
    ENCODER,
    MERGES,
    NAMED,
    PROPOSALS,
    TOKENS,
    VOCABULARY,
    find_stage,
)  # fmt: skip


def publish_files(run: Path, config: MineConfig) -> None:
    """Put the files for other programs at the top of a run folder, and the logs it obeyed."""
    last = find_stage(run, "vocabulary")
    for name in (VOCABULARY, TOKENS, MERGES, NAMED):
        _link(last / name, run / name)
    decided = last / PROPOSALS
    found = decided if decided.exists() else find_stage(run, "proposals") / PROPOSALS
    _link(found, run / PROPOSALS)
    if config.decisions:
        copy_logs(Path(config.decisions), run)
    encoder = find_stage(run, "vectors") / ENCODER
    if encoder.exists():
        shutil.copytree(encoder, run / ENCODER, copy_function=_link, dirs_exist_ok=True)
    (run / CONFIG).write_text(write_config(config), encoding="utf-8")


def copy_logs(place: Path, run: Path) -> None:
    """Put the logs that were obeyed into the new run: its reviewers go on with them."""
    for log in read_logs(place):
        target = name_log(run, log.reviewer)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(log.path, target)


def _link(source: str | Path, target: str | Path) -> None:
    """Give a file a second name, or copy it where the file system cannot."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
