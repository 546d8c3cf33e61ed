"""A finished run to its fields once more: with other anchors, or with what reviewers decided."""

from __future__ import annotations

from pathlib import Path

from miner.errors import RunError
from miner.fields.anchors import DEFAULT, Anchors, read_anchors
from miner.fields.making import make_fields
from miner.fields.reading import Fields, read_fields
from miner.fields.space import open_encoder
from miner.runs.annotations import review_run
from miner.runs.decisions import Policy
from miner.runs.finished import open_finished
from miner.runs.names import find_stage
from miner.runs.store import STAGE
from miner.runs.workplace import open_folder


def remake_fields(
    run: Path, *, facets: Path | None = None, policy: Policy = "majority", device: str = "cpu"
) -> Fields:
    """Write the fields of a run again, all at once, and return them.

    Without a file of anchors those stay that the run has.
    """
    place = find_stage(run, "fields")
    if place.is_symlink():  # which is followed where a user names it, not where a run has it
        raise RunError("is a link to another place", where=str(place), cure="Remove it")
    anchors = read_anchors(facets) if facets else find_anchors_of(run)
    finished = open_finished(run)
    reviewed = review_run(run, policy)
    units = reviewed.units if reviewed else finished.units
    encoder, trained = open_encoder(run, device=device)
    with open_folder(place, kind=STAGE, overwrite=True) as folder:
        make_fields(
            folder,
            units,
            finished.atoms,
            finished.candidates,
            finished.vectors,
            encoder,
            trained=trained,
            anchors=anchors,
            patterns=finished.patterns,
            seed=finished.manifest.config.seed,
        )
    return read_fields(run)


def find_anchors_of(run: Path) -> Anchors:
    """Return the anchors that the fields of a run were made with, else the default ones."""
    try:
        told = read_fields(run).about["anchors"]
        return {str(name): tuple(map(str, words)) for name, words in told.items()}
    except (RunError, KeyError, TypeError, AttributeError):
        return DEFAULT
