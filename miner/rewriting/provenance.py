"""Beside hyperword text: how was it written, so that nothing else is taken for its restoring?

`NAME.hyperword.json` beside a file, `.hyperword.json` in a folder. Text without one, as a model
writes it, or that was changed since, is restored too, with a note that nothing was checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miner.errors import RunError
from miner.progress import Progress
from miner.runs.contents import describe_found
from miner.runs.files import encode_json, open_plain, replace_file

ENDING = ".hyperword.json"
CHECKED = ("entries", "form")  # what must be the same, for the text to come back


def find_provenance(text: Path, *, folder: bool) -> Path:
    """Return where it is said how a text was written.

    >>> find_provenance(Path("a/hyper.txt"), folder=False).as_posix()
    'a/hyper.txt.hyperword.json'
    """
    return text / ENDING if folder else text.with_name(f"{text.name}{ENDING}")


def check_provenance_place(text: Path) -> None:
    """RunError where the name beside a file is taken by something else."""
    place = find_provenance(text, folder=False)
    if (place.exists() or place.is_symlink()) and read_provenance(place) is None:
        raise RunError(
            f"{describe_found(place)} is there, which miner did not write",
            where=str(place),
            cure="Move it away, or choose another --out",
        )


def write_provenance(text: Path, how: Mapping[str, Any], *, folder: bool) -> None:
    """Say how a text was written: `how` has what `CHECKED` names, and the `options` for people."""
    content = {"made_by": "miner", "kind": "hyperword text", "format": 1, **how}
    replace_file(find_provenance(text, folder=folder), encode_json(content))


def read_provenance(place: Path) -> dict[str, Any] | None:
    """Return what was said, None where nothing of ours is."""
    try:
        with open_plain(place) as handle:
            told = json.loads(handle.read(1 << 20))
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(told, dict) and (told.get("made_by"), told.get("kind")) == (
        "miner", "hyperword text",
    )  # fmt: skip
    return told if ours else None


def check_provenance(text: Path, how: Mapping[str, Any], progress: Progress) -> None:
    """RunError where a text was written in another way than it is to be restored."""
    told = read_provenance(find_provenance(text, folder=text.is_dir()))
    if told is None or (text.is_file() and told.get("bytes") != text.stat().st_size):
        progress.note("how it was written is not said beside it, so it is not checked")
        return
    if any(told.get(name) != how[name] for name in CHECKED):
        options = told.get("options")
        told_plainly = isinstance(options, str) and options.isprintable()
        written = f": `miner rewrite {options}`" if told_plainly else ""
        raise RunError(
            f"it was written with other texts, signs or options{written}",
            where=str(text),
            cure="Restore it with the options that it was written with",
        )
