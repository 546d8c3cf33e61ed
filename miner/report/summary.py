"""A run to a screen of text: what was found, and what did it cost?"""

from __future__ import annotations

import polars as pl

from miner.report.screen import fill
from miner.runs.manifest import Manifest

SHOWN = 10  # units of a kind
LEGEND = (
    "count: how often it occurs; as unit: in how many of these places it is the unit, once all\n"
    "compete for the text; score: how much it looks like one, 0 to 1"
)
WIDTH = 46  # columns for a token


def summarize(vocabulary: pl.DataFrame, manifest: Manifest, folder: str) -> str:
    """Return the best units of each kind, the verdicts, the savings and the cost of a run."""
    sections = [_units(vocabulary, kind) for kind in manifest.kinds]
    if vocabulary.is_empty():
        sections.append("no unit was kept: mine a larger corpus, or see proposals.parquet for why")
    else:
        sections.append(LEGEND)
    sections.append(_verdicts(manifest))
    sections.append(_fields(manifest))
    sections.append(_costs(manifest))
    sections.append(f"Next: open {folder}/report.html, or miner review {folder}")
    return "\n\n".join(section for section in sections if section)


def _units(vocabulary: pl.DataFrame, kind: str) -> str:
    """Return the table of the best units of one kind."""
    units = vocabulary.filter(pl.col("kind") == kind)
    lines = [fill(f"{kind} ({units.height:,})", WIDTH + 8) + "count  as unit  score"]
    for row in units.head(SHOWN).iter_rows(named=True):
        lines.append(
            f"{row['rank']:>6}  {fill(row['token'], WIDTH)}"
            f"{row['count']:>7,}{row['unit_count']:>9,}{row['score']:>7.3f}"
        )
    return "\n".join(lines)


def _verdicts(manifest: Manifest) -> str:
    """Return how many proposals got which verdict, and what reviewers said."""
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest.verdicts.items())
    lines = [f"verdicts: {counts}"]
    if manifest.decisions is not None:
        said = (f"{count:,} {name}" for name, count in manifest.decisions.items())
        lines.append(f"decided:  {', '.join(said) or 'no decision'}")
    return "\n".join(lines)


def _fields(manifest: Manifest) -> str:
    """Return what is known of units beyond their text, and what a shared address means."""
    fields = manifest.fields
    cosines = list(fields["cosine_by_shared_signs"].values())[:4]
    shared = [f"{cosine:.2f}" for cosine in cosines if cosine is not None]
    if len(shared) < 2:
        return ""
    facets = f"facets {', '.join(fields['facets'])}; " if fields["facets"] else ""
    counts = ", ".join(str(i) for i in range(1, len(shared)))
    return (
        f"fields:   {facets}two addresses that begin with the same {counts} signs have a mean "
        f"cosine of {', '.join(shared[1:])} (any two: {shared[0]})"
    )


def _costs(manifest: Manifest) -> str:
    """Return what was read, what it saves and what it took."""
    stages = manifest.stages
    seconds = sum(stage.seconds for stage in stages)
    processor = sum(stage.cpu_seconds for stage in stages)
    megabytes = manifest.text_bytes / 1e6
    saved = manifest.saved
    lines = [
        f"corpus:   {megabytes:,.1f} MB of text, {manifest.documents:,} documents and "
        f"{manifest.held_documents:,} held back, {manifest.atoms:,} atoms, profile "
        f"{manifest.profile}, runs that occur {manifest.min_count} times and more"
    ]
    if saved:
        knee = manifest.search.knee
        pays = "every unit still pays"
        if knee < saved["units"]:
            pays = f"beyond {knee:,} units more of them hardly pay"
        if knee == 0:
            pays = "too little to say how many units pay"
        text = "the mined text" if manifest.measured_on == "mined" else "held-back text"
        lines.append(
            f"savings:  {saved['saved']:.1%} fewer tokens on {text} (95%: {saved['low']:.1%} to "
            f"{saved['high']:.1%}), an atom counted as a token; {pays}"
        )
    peak = max(stage.peak_mb for stage in stages)
    shares = ", ".join(f"{stage.name} {stage.cpu_seconds:.1f}" for stage in stages)
    lines.append(
        f"cost:     {seconds:.1f} s ({megabytes / max(seconds, 1e-9):.1f} MB/s), "
        f"{processor:.1f} CPU-s ({shares})" + (f", {peak:,} MB at most" if peak else "")
    )
    if manifest.skipped:
        lines.append(f"skipped:  {len(manifest.skipped):,} places; see manifest.json")
    return "\n".join(lines)
