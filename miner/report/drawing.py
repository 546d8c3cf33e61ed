"""A run folder to its report: the page, with places of the best units from the text itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.spelling import list_keys
from miner.report.page import write_report
from miner.report.units import CONTEXTS, list_shown
from miner.runs.annotations import review_run
from miner.runs.concordance import open_originals
from miner.runs.contents import relist
from miner.runs.decisions import Conflict, Policy
from miner.runs.describing import count_values
from miner.runs.finished import open_finished, told_damage
from miner.runs.manifest import Manifest
from miner.runs.names import REPORT
from miner.runs.stages import Ranked, read_curve, read_map

PLACES, REACH = 2, 48  # of a unit in the report, and the characters on each side


def draw_report(
    folder: Path,
    candidates: Candidates,
    ranked: Ranked,
    manifest: Manifest,
    *,
    decisions: Mapping[str, int] | None = None,
    conflicts: Sequence[Conflict] = (),
) -> Path:
    """Write the report of a run, with places of its best units; return where it is."""
    originals = open_originals(folder)
    shown = list_shown(ranked.units)
    known = pl.col("candidate").fill_null(0) < candidates.table.height  # not what people added
    shown = shown.filter(known)
    keys = list(list_keys(shown, candidates)) if shown.height else []
    found = originals.find_all(keys, most=PLACES, reach=REACH)
    rows = [
        (rank, place.before, place.unit, place.after)
        for rank, places in zip(shown["rank"] if keys else [], found, strict=True)
        for place in places
    ]
    write_report(
        folder / REPORT,
        vocabulary=ranked.units,
        proposals=ranked.proposals,
        curve=ranked.curve,
        manifest=manifest,
        contexts=pl.DataFrame(rows, schema=CONTEXTS, orient="row"),
        exact=originals.exact,
        places=read_map(folder),
        decisions=decisions,
        conflicts=[(one.unit[0], one.field, one.said, one.holds) for one in conflicts],
    )
    return folder / REPORT


def redraw_report(run: Path, *, policy: Policy = "majority") -> Path:
    """Write the report of a finished run again, with what reviewers have decided since.

    RunError where the run is damaged.
    """
    finished = open_finished(run)
    reviewed = review_run(run, policy)
    units, proposals = finished.units, finished.proposals.drop("row")
    manifest = finished.manifest
    if reviewed:
        units, proposals = reviewed.units, reviewed.proposals
        manifest = replace(manifest, verdicts=count_values(proposals["verdict"]))
    with told_damage(run, "its report cannot be written"):
        place = draw_report(
            run,
            finished.candidates,
            Ranked(units, read_curve(run), proposals),
            manifest,
            decisions=reviewed.counts if reviewed else None,
            conflicts=reviewed.conflicts if reviewed else (),
        )
        relist(run, place.name)
        return place
