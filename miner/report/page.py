"""The parts to one page: what was found, why, and what was refused?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from miner.report.map import write_map
from miner.report.sections import (
    Difference,
    name_inputs,
    write_decisions,
    write_header,
    write_making,
    write_reasons,
    write_refusals,
    write_savings,
    write_summary,
)
from miner.report.style import lay_page
from miner.report.units import CONTEXTS, write_families, write_units
from miner.runs.files import replace_file
from miner.runs.manifest import Manifest


def write_report(
    path: Path,
    *,
    vocabulary: pl.DataFrame,
    proposals: pl.DataFrame,
    curve: pl.DataFrame,
    manifest: Manifest,
    contexts: pl.DataFrame | None = None,
    exact: bool = True,
    places: pl.DataFrame | None = None,
    decisions: Mapping[str, int] | None = None,
    conflicts: Sequence[Difference] = (),
) -> None:
    """Write the page to `path`, first under another name.

    `vocabulary` in rank order and `proposals` as in the files of a run, with `verdict` and
    `rival`; `curve` as `measure_savings` gives it; any of them may be empty. `contexts`: places
    of units in columns of `CONTEXTS`, `exact` if they are the text itself; `places`: where units
    lie on the map, `rank`, `x`, `y`; `decisions`: how many of each kind; `conflicts`: where
    reviewers differ.
    """
    contexts = pl.DataFrame(schema=CONTEXTS) if contexts is None else contexts
    names = name_inputs(manifest)
    sections = {
        ("found", "Found"): write_units(vocabulary, contexts, exact=exact),
        ("families", "Families"): write_families(vocabulary),
        ("map", "Map"): "" if places is None else write_map(vocabulary, places),
        ("savings", "Shorter text"): write_savings(curve, manifest),
        ("why", "Why"): write_reasons(proposals, manifest),
        ("refused", "Refused"): write_refusals(proposals, manifest),
        ("decisions", "Reviewers"): ""
        if decisions is None
        else (write_decisions(decisions, conflicts)),
        ("making", "How it was made"): write_making(manifest),
    }
    links = dict(name for name, section in sections.items() if section)
    summary = write_summary(vocabulary, proposals, curve, manifest)
    body = [write_header(names, manifest, links), summary, *filter(None, sections.values())]
    replace_file(path, lay_page(names, body).encode())
