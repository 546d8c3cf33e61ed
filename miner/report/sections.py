"""A run to the parts of its page: what does each number say?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

import polars as pl

from miner.mining.savings import find_knee
from miner.report.charts import draw_curve, draw_scatter
from miner.report.screen import tell_duration, tell_number, tell_percent, tell_size
from miner.report.text import make_bar, make_section, make_table, show
from miner.runs.manifest import Manifest
from miner.runs.store import Cost

EXAMPLES = 10  # of each verdict
MOST_INPUTS = 20
MOST_CONFLICTS = 50
VERDICTS = {
    "kept": "Good enough, owner of its places in the text, and it comes back whole.",
    "chance": "Its parts meet no more often than chance has it.",
    "weak": "It repeats, but other runs look much more like units.",
    "torn": "It cuts through brackets, quotes, a ring or an element, or begins where another ends.",
    "value": "It holds a number that is one of many in its place, as records do.",
    "fragment": "Most of its places lie inside one longer unit.",
    "outbid": "Better units own its places.",
    "budget": "Good enough, but one too many for <code>--vocab-size</code>.",
    "changes": "Encoding and decoding does not give its canonical form back.",
    "duplicate": "A better unit has the same canonical form.",
    "rebuild": "The merges do not rebuild it from its atoms.",
    "inside": "It would match inside a word, or cut a grapheme.",
    "rejected": "A reviewer said so.",
}
_LIKENESS = """
<p>The score is the share of such runs, in texts of other languages, that people have put into a
list: .5 says that one in two is a unit to them. What a run is like is told by some eighty
statistics of it and of the words in it, never by the words themselves: how surprising it is that
its parts meet, how often it begins and ends a clause, how it gathers in some places of the text,
what follows it.</p>
<ul><li><b>Terms</b>: the share of such runs that the authors of textbooks marked as key terms.</li>
<li><b>Phrases</b>: the share of such runs that stand in dictionaries.</li></ul>
"""
BY_ITSELF = """
<p>Nobody has lists of such units, or there is too little text for a share to mean anything, so the
corpus itself tells: every candidate is ranked among all of them, by how surprising it is that its
parts meet, by how many things can follow it, and by how much it resembles, in all its statistics
and in the vectors of its edges, those that these two put on top. The score is a mean of such
ranks: it orders this run, and is no share.</p>"""
SCORES = {
    "meaning": _LIKENESS
    + "<p>Here both count, key terms as far as the text is of the kind that has them.</p>",
    "terms": _LIKENESS + "<p>Here the terms alone count.</p>",
    "phrases": _LIKENESS + "<p>Here the phrases alone count.</p>",
    "compression": """
<p>The text is cut into the fewest pieces. The score is what a unit saves: how often it owns its
place in that cut, times the pieces that the text would pay there without it, as a share of what
the best unit saves.</p>""",
}


def name_inputs(manifest: Manifest) -> str:
    """Return the names of the first inputs, without their folders."""
    paths = [entry.path for entry in manifest.inputs]
    names = ["standard input" if path == "-" else PurePath(path).name or path for path in paths]
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "a corpus") + more


def write_header(names: str, manifest: Manifest, sections: Mapping[str, str]) -> str:
    """Return the title, what was read, and links to `sections`: their titles by name."""
    facts = [
        tell_size(manifest.text_bytes),
        f"{tell_number(manifest.atoms)} atoms",
        f"{tell_number(manifest.documents)} documents",
        f"profile {show(manifest.profile)}",
        f"candidates occur {tell_number(manifest.min_count)} times or more",
    ]
    links = " ".join(f'<a href="#{name}">{title}</a>' for name, title in sections.items())
    return (
        f"<header><h1>Units of meaning in {show(names)}</h1>"
        f'<p class="facts">{" · ".join(facts)}</p><nav>{links}</nav></header>'
    )


def write_summary(
    vocabulary: pl.DataFrame, proposals: pl.DataFrame, curve: pl.DataFrame, manifest: Manifest
) -> str:
    kept, all_ = tell_number(vocabulary.height), tell_number(proposals.height)
    kept = f"<b>{kept}</b> of <b>{all_}</b> candidates"
    lines = [f"{kept} act as one unit each and were kept; every other one has its reason below."]
    if curve.height:
        last = curve.row(-1, named=True)
        lines.append(
            f"With them, {_name_slice(manifest)} is <b>{tell_percent(last['saved'])}</b> shorter, "
            f"counted in atoms (95 % interval: {_interval(last)})."
        )
        lines.append(_tell_knee(curve))
    return f'<p class="lead">{" ".join(lines)}</p>'


def _name_slice(manifest: Manifest) -> str:
    if manifest.measured_on == "mined":
        return "the mined text itself (too little to hold any back, so this flatters)"
    return "text that was held back"


def _interval(point: Mapping[str, Any]) -> str:
    return f"{tell_percent(point['low'])} to {tell_percent(point['high'])}"


def _tell_knee(curve: pl.DataFrame) -> str:
    return tell_knee(find_knee(curve), int(curve["units"].to_numpy().max(initial=0)))


def tell_knee(knee: int, last: int) -> str:
    """Return after how many of `last` units more of them stop paying, as a sentence."""
    if knee == 0:
        return "No number of units makes it shorter for sure."
    if knee == last:
        units = tell_number(last)
        return f"The last of the {units} units still pay: more would make it shorter yet."
    return f"After about <b>{tell_number(knee)}</b> units more of them stop paying."


def write_savings(curve: pl.DataFrame, manifest: Manifest) -> str:
    title = '<h2 id="savings">How much shorter the text gets</h2>'
    if curve.height < 2:
        return f"{title}<p>Not measured: there are no units.</p>"
    rows = [
        (
            tell_number(point["units"]),
            tell_percent(point["saved"]),
            _interval(point),
            "" if point["per_unit"] is None else f"{point['per_unit']:,.2f}",
        )
        for point in curve.iter_rows(named=True)
    ]
    return f"""{title}
<p>Measured on {_name_slice(manifest)}, cut with the best units only, then with more and more of
them. A unit of three atoms saves two wherever it stands. {_tell_knee(curve)} A unit pays while it
saves at least one atom in a million, and something for sure.</p>
<figure>{draw_curve(curve)}<figcaption>Share of atoms saved against the number of units, with its
95 % interval as a band.</figcaption></figure>
<div class="narrow">
{make_table(["#units", "#saved", "#95 % interval", "#atoms per added unit"], rows)}</div>"""


def write_reasons(proposals: pl.DataFrame, manifest: Manifest) -> str:
    told = proposals["likeness"] if "likeness" in proposals.columns else pl.Series()
    by_itself = told.is_not_null().any()
    saves = manifest.config.objective == "compression"
    made = BY_ITSELF if by_itself and not saves else SCORES[manifest.config.objective]
    picture = draw_scatter(proposals, seed=manifest.config.seed)
    return f"""<h2 id="why">Why</h2>{made}{picture}"""


def write_refusals(proposals: pl.DataFrame, manifest: Manifest) -> str:
    """Return how many got each verdict, what it means, and the best-scored examples."""
    counts = manifest.verdicts
    ordered = [name for name in VERDICTS if counts.get(name)]
    ordered += sorted(name for name in set(counts) - set(VERDICTS) if counts[name])
    if not ordered:
        return '<h2 id="refused">What was refused</h2><p>Nothing: there were no candidates.</p>'
    most = max(counts.values())
    rows = [
        (show(name), VERDICTS.get(name, ""), make_bar(count, most, tell_number(count)))
        for name, count in ((name, counts[name]) for name in ordered)
    ]
    examples = "".join(_write_examples(proposals, name) for name in ordered if name != "kept")
    return f"""<h2 id="refused">What was refused</h2>
<p>Every candidate has a verdict. The examples are those with the highest score: the nearest
misses.</p>
<div class="names">{make_table(["verdict", "what it means", "#candidates"], rows)}</div>
<div class="columns">{examples}</div>"""


def _write_examples(proposals: pl.DataFrame, verdict: str) -> str:
    if "verdict" not in proposals.columns:
        return ""
    found = proposals.filter(pl.col("verdict") == verdict)
    found = found.sort(["score", "token"], descending=[True, False], nulls_last=True).head(EXAMPLES)
    rivals = "rival" in found.columns and found["rival"].is_not_null().any()
    rows = [
        (
            show(row["token"]),
            *((show(row["rival"]) if row["rival"] is not None else "",) if rivals else ()),
            tell_number(row.get("count")),
            f"{row.get('score') or 0:.2f}",
        )
        for row in found.iter_rows(named=True)
    ]
    heads = ["token", *(["lost to"] if rivals else []), "#count", "#score"]
    return make_section(show(verdict), heads, rows)


Difference = tuple[str, str, Mapping[str, str], str | None]  # unit, field, who says what, holds


def write_decisions(decisions: Mapping[str, int], conflicts: Sequence[Difference] = ()) -> str:
    """Return what people decided: each kind of decision with its count, and where they differ."""
    rows = [(show(name), tell_number(count)) for name, count in decisions.items()]
    table = make_section("", ["decision", "#units"], rows) or "<p>Nothing yet.</p>"
    differ = [
        (
            show(token),
            "form" if field == "token" else show(field),
            ", ".join(f"{show(name)} says {show(value)}" for name, value in said.items()),
            "the run's own" if holds is None else show(holds),
        )
        for token, field, said, holds in conflicts[:MOST_CONFLICTS]
    ]
    more = len(conflicts) - len(differ)
    title = f"Where they differ ({tell_number(len(conflicts))})"
    return f"""<h2 id="decisions">What reviewers decided</h2>
<div class="names narrow">{table}</div>
{make_section(title, ["token", "of its", "said", "what holds"], differ)}
{f"<p>and {tell_number(more)} more</p>" if more else ""}"""


def write_making(manifest: Manifest) -> str:
    inputs = manifest.inputs
    files = [
        (show(entry.path), tell_size(entry.bytes), show(entry.sha256[:16]))
        for entry in inputs[:MOST_INPUTS]
    ]
    more = f"<p>and {len(inputs) - MOST_INPUTS:,} more</p>" if len(inputs) > MOST_INPUTS else ""
    settings = [(show(k), show(v)) for k, v in flatten(asdict(manifest.config))]
    versions = [(show(k), show(v)) for k, v in manifest.versions.items()]
    return f"""<h2 id="making">How it was made</h2>
{_write_stages(manifest.stages)}
{make_section("Corpus", ["file", "#size", "SHA-256 begins"], files)}{more}
<div class="columns">{make_section("Settings", ["setting", "value"], settings)}
{make_section("Versions", ["package", "version"], versions)}</div>"""


def _write_stages(stages: Sequence[Cost]) -> str:
    longest = max((stage.seconds for stage in stages), default=0)
    largest = max((stage.peak_mb for stage in stages), default=0)
    rows = [
        (
            f"{show(stage.name)}<small>{tell_number(stage.rows)} rows</small>",
            make_bar(stage.seconds, longest, tell_duration(stage.seconds)),
            tell_duration(stage.cpu_seconds),
            make_bar(
                stage.peak_mb, largest, f"{tell_number(stage.peak_mb)} MB" if stage.peak_mb else ""
            ),
        )
        for stage in stages
    ]
    total = tell_duration(sum(stage.seconds for stage in stages))
    table = make_table(["stage", "#time", "#CPU time", "#peak memory"], rows)
    return f'<h3>Time and memory: {total} in all</h3><div class="names narrow">{table}</div>'


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting by its dotted name.

    >>> list(flatten({"seed": 0, "encoder": {"name": "corpus", "dim": None}}))
    [('seed', '0'), ('encoder.name', 'corpus'), ('encoder.dim', '-')]
    """
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value)) or "-"
        else:
            yield f"{prefix}{name}", "-" if value is None or value == {} else str(value)
