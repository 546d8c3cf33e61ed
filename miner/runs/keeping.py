"""What reviewing changed, kept with the run: proven once, then read by every command.

It lies in `reviewed/`, in a folder named by all that it depends on: the logs of the reviewers, the
policy, the run and the version of miner. What cannot be kept, as on a disk that is read only, or
cannot be read, is proven anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from miner import __version__
from miner.runs.decisions import Conflict, Log, Policy, Unit
from miner.runs.files import write_json
from miner.runs.forms import Form
from miner.runs.names import MANIFEST, REVIEWED

ABOUT = "reviewed.json"
TABLES = ("units", "merges", "proposals")


@dataclass(frozen=True)
class Reviewed:
    """A vocabulary that obeys its reviewers.

    `units` in rank order, with `label`; `merges` as `order_merges` gives them; `counts`: how many
    units were accepted, rejected and so on; `notes`: what a person should know, a line each.
    `proposals` stand in the order of the run, what was added last. `refused`: see `Applied`;
    `conflicts`: where reviewers differ. `added`: units that are no candidates of the run.
    """

    units: pl.DataFrame
    merges: pl.DataFrame
    proposals: pl.DataFrame
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    refused: Mapping[Unit, str]
    conflicts: tuple[Conflict, ...]
    added: tuple[Form, ...]


def keep_review(
    run: Path, policy: Policy, logs: Sequence[Log], prove: Callable[[], Reviewed]
) -> Reviewed:
    """Return what reviewing changes, read where it was proven before, else proven and kept."""
    place = run / REVIEWED / name_review(run, policy, logs)
    try:
        return _read(place)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        found = prove()
    with suppress(OSError):
        _write(place, found)
    return found


def name_review(run: Path, policy: Policy, logs: Sequence[Log]) -> str:
    """Return the SHA-256 of all that a review depends on, in hexadecimal."""
    digest = hashlib.sha256(f"{__version__}\0{policy}\0".encode())
    for path in (run / MANIFEST, *(log.path for log in logs)):
        digest.update(f"{path.name}\0".encode("utf-8", "surrogateescape"))
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _write(place: Path, found: Reviewed) -> None:
    """Write a review under another name first; of each run the last one is kept."""
    if place.parent.is_symlink():
        return
    draft = place.with_name(f"{place.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in TABLES:
        getattr(found, name).write_parquet(draft / f"{name}.parquet")
    about = {
        "counts": dict(found.counts),
        "notes": list(found.notes),
        "refused": [[*unit, why] for unit, why in found.refused.items()],
        "conflicts": [asdict(one) for one in found.conflicts],
        "added": [asdict(form) for form in found.added],
    }
    write_json(draft / ABOUT, about)
    for old in place.parent.iterdir():
        if old != draft and (old / ABOUT).is_file():
            shutil.rmtree(old, ignore_errors=True)
    draft.rename(place)


def _read(place: Path) -> Reviewed:
    about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
    units, merges, proposals = (pl.read_parquet(place / f"{name}.parquet") for name in TABLES)
    if units["rank"].to_list() != list(range(1, units.height + 1)):
        raise ValueError("not in the order of ranks")
    return Reviewed(
        units,
        merges,
        proposals,
        about["counts"],
        tuple(about["notes"]),
        {(token, tuple(atoms)): why for token, atoms, why in about["refused"]},
        tuple(_read_conflict(row) for row in about["conflicts"]),
        tuple(_read_form(row) for row in about["added"]),
    )


def _read_conflict(row: Mapping[str, Any]) -> Conflict:
    token, atoms = row["unit"]
    return Conflict(**{**row, "unit": (token, tuple(atoms))})


def _read_form(row: Mapping[str, Any]) -> Form:
    token, atoms = row["unit"]
    return Form((token, tuple(atoms)), tuple(row["keys"]), row["problem"])
