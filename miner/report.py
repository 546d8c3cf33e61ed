"""A run to one page: what was found, why, and what was refused?

One HTML file that needs nothing else: no script, no font, no network. Its content policy forbids
them too, so that a corpus full of markup stays text. Nothing from the corpus stands in an
attribute; every text is escaped, isolated from the direction of its neighbours, and its invisible
characters are spelled out.
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import polars as pl

from miner.savings import find_knee

TOP = 50  # units shown of each kind
EXAMPLES = 10  # of each verdict
MOST_POINTS = 2_000  # in the scatter, half of them kept units
MOST_INPUTS = 20
WIDEST = 80  # characters shown of a text
KINDS = {
    "link": "Links", "hyperlexeme": "Hyperlexemes", "formula": "Formulas", "symbol": "Symbols",
    "marker": "Markers", "atom": "Atoms kept whole",
}  # fmt: skip
VERDICTS = {
    "kept": "Good enough, owner of its places in the text, and it comes back whole.",
    "chance": "Its parts meet no more often than chance has it.",
    "weak": "It repeats, but other runs look much more like units.",
    "fragment": "Most of its places lie inside one longer unit.",
    "outbid": "Better units own its places.",
    "budget": "Good enough, but one too many for <code>--vocab-size</code>.",
    "changes": "Encoding and decoding does not give its canonical form back.",
    "duplicate": "A better unit has the same canonical form.",
    "rebuild": "The merges do not rebuild it from its atoms.",
    "inside": "It would match inside a word, or cut a grapheme.",
    "rejected": "A reviewer said so.",
}
SCORES = {
    "meaning": """
<p>Every candidate is ranked among all of them by several kinds of evidence, and the score is a
weighted mean of those ranks: 1 would be the best in all of them.</p>
<ul><li><b>Association</b>: how surprising it is that its parts meet (NPMI), and how sure that is
(log-likelihood), at the place where the run falls apart most easily.</li>
<li><b>Freedom</b>: how many different things can follow it, and how much more often it ends a
clause than its last atom does. A fragment goes on in one way; a unit stands by itself.</li>
<li><b>Likeness</b>: how much it resembles, in all its statistics and in the vectors of its edges,
the units that the corpus itself points out (written with a hyphen elsewhere), those given as
seeds, and those that association and freedom already put on top.</li></ul>""",
    "compression": """
<p>The text is cut into the fewest pieces. The score is what a unit saves: how often it owns its
place in that cut, times the pieces that the text would pay there without it, as a share of what
the best unit saves.</p>""",
}
STYLE = """
:root{color-scheme:light dark;--paper:#fdfdfb;--ink:#1d2126;--dim:#5c6570;--line:#d9dce0;
--kept:#1b5fb4;--kept-soft:#c9dcf4;--refused:#a8470b}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e6e8ea;--dim:#a1a9b3;
--line:#383e46;--kept:#7db5ff;--kept-soft:#24446b;--refused:#f2a765}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:70rem;background:var(--paper);
color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-top:.5rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
p,ul{max-width:42rem}
p.facts,small,figcaption,nav{color:var(--dim)}
p.lead{font-size:1.1rem}
nav a{color:inherit;margin-right:1rem;white-space:nowrap}
small{display:block;font-size:.8rem;line-height:1.3}
bdi{white-space:pre-wrap;overflow-wrap:anywhere}
.hidden{font:.75em ui-monospace,monospace;border:1px solid;border-radius:3px;padding:0 .2em;
color:var(--refused)}
.columns{display:grid;gap:0 3rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr))}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .5rem .15rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--line)}
th{color:var(--dim);font-weight:400;vertical-align:bottom}
.n{text-align:right}
td.n{white-space:nowrap}
.names bdi{overflow-wrap:normal}
td:last-child,th:last-child{padding-right:0}
.bar{display:flex;gap:.4rem;align-items:center;justify-content:flex-end;white-space:nowrap}
.bar i{flex:0 0 3.5rem;height:.5rem;background:var(--line)}
.bar b{display:block;height:100%;background:var(--kept)}
.bar i,.bar b{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.narrow{max-width:42rem}
figure{margin:1rem 0;max-width:34rem}
svg{display:block;width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:var(--dim)}
svg .strong{fill:var(--ink);font-weight:600}
svg .grid{stroke:var(--line);fill:none}
svg .band{fill:var(--kept-soft)}
svg .curve{stroke:var(--kept);stroke-width:2;fill:none}
svg .dot{fill:var(--kept)}
svg .knee{stroke:var(--ink);stroke-dasharray:4 3}
svg .kept{stroke:var(--kept);stroke-width:4.5;stroke-linecap:round;stroke-opacity:.65}
svg .refused{stroke:var(--refused);stroke-width:1.2;stroke-opacity:.75;fill:none}
svg .kept-name{fill:var(--kept)}
svg .refused-name{fill:var(--refused)}
code{white-space:nowrap}
figcaption{font-size:.9rem}
@media (max-width:30rem){svg text{font-size:15px}table{font-size:.85rem}.bar i{flex-basis:2rem}}
@media print{:root{--paper:#fff;--ink:#000;--dim:#444;--line:#bbb;--kept:#1b5fb4;
--kept-soft:#c9dcf4;--refused:#a8470b}body{font-size:10pt;max-width:none;padding:0}nav{display:none}
tr,figure{break-inside:avoid}h2,h3{break-after:avoid}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
WIDTH, HEIGHT, LEFT, RIGHT, TOP_EDGE, BOTTOM = 460, 300, 50, 446, 30, 254  # of a chart
Scale = Callable[[float], float]


def write_report(
    path: Path,
    *,
    vocabulary: pl.DataFrame,
    proposals: pl.DataFrame,
    curve: pl.DataFrame,
    manifest: dict[str, Any],
) -> None:
    """Write the page to `path`, first under another name.

    `vocabulary` in rank order and `proposals` as in the files of a run, with `verdict` and
    `rival`; `curve` as `measure_savings` gives it; any of them may be empty. `manifest` as saved;
    what it lacks is left out. A `measured_on` of `mined` says that no text was held back.
    """
    names = _name_inputs(manifest)
    page = "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{html.escape(spell(names))} - miner</title>",
            f"<style>{STYLE}</style></head><body>",
            _write_header(names, manifest),
            _write_summary(vocabulary, proposals, curve, manifest),
            _write_units(vocabulary),
            _write_savings(curve, manifest),
            _write_reasons(proposals, manifest),
            _write_refusals(proposals, manifest),
            _write_making(manifest),
            "</body></html>\n",
        )
    )
    partial = path.with_name(path.name + ".partial")
    partial.write_text(page, encoding="utf-8", newline="\n")
    partial.replace(path)


# Text and numbers


def is_invisible(character: str) -> bool:
    """Say whether a reader could not see the character, or it would reorder or hide others.

    Joiners stay, since emoji and several scripts are made with them.
    """
    if character == " " or character in "\u200c\u200d":
        return False
    code = ord(character)
    unassigned = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return unassigned or unicodedata.category(character) in {
        "Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp",
    }  # fmt: skip


def spell(text: str, *, open_mark: str = "[", close_mark: str = "]") -> str:
    """Return the text with the code points of what is invisible spelled out, cut at `WIDEST`.

    >>> spell("a\\u202eb")
    'a[U+202E]b'
    """
    parts: list[str] = []
    room = WIDEST
    for place, character in enumerate(text):
        hidden = is_invisible(character)
        part = f"U+{ord(character):04X}" if hidden else character
        room -= len(part)
        if room < 0:
            return "".join(parts) + f"… ({len(text) - place:,} more)"
        parts.append(f"{open_mark}{part}{close_mark}" if hidden else part)
    return "".join(parts)


def show(text: object) -> str:
    """Return the text as HTML: escaped, isolated, invisible characters spelled out in a box."""
    escaped = html.escape(spell(str(text), open_mark="\ue000", close_mark="\ue001"))
    boxed = escaped.replace("\ue000", '<span class="hidden">').replace("\ue001", "</span>")
    return f"<bdi>{boxed}</bdi>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _percent(share: float) -> str:
    """Two figures at least: 19.8 %, 0.42 %; the space does not break."""
    percent = 100 * share
    if percent >= 1 or percent <= 0:
        return f"{percent:.1f}\u00a0%"
    return f"{percent:#.2g}\u00a0%" if percent >= 0.001 else "under\u00a00.001\u00a0%"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of ready HTML cells; a head that starts with `#` is of numbers."""
    marks = [' class="n"' if head.startswith("#") else "" for head in heads]
    names = zip(marks, heads, strict=True)
    top = "".join(f"<th{mark}>{head.removeprefix('#')}</th>" for mark, head in names)
    body = "\n".join(
        "<tr>"
        + "".join(f"<td{m}>{cell}</td>" for m, cell in zip(marks, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table>"


def _bar(value: float, most: float, label: str) -> str:
    share = min(max(value / most, 0), 1) if most > 0 else 0
    return f'<span class="bar">{label}<i><b style="width:{100 * share:.0f}%"></b></i></span>'


# Sections


def _name_inputs(manifest: Mapping[str, Any]) -> str:
    """Return the names of the first inputs, without their folders."""
    paths = [entry["path"] for entry in manifest.get("inputs", [])]
    names = ["standard input" if path == "-" else PurePath(path).name or path for path in paths]
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "a corpus") + more


def _write_header(names: str, manifest: Mapping[str, Any]) -> str:
    size = sum(entry.get("bytes", 0) for entry in manifest.get("inputs", []))
    facts = [_size(size)] if size else []
    facts += [
        f"{_number(manifest[name])} {name}" for name in ("atoms", "documents") if name in manifest
    ]
    if "profile" in manifest:
        facts.append(f"profile {show(manifest['profile'])}")
    if "min_count" in manifest:
        facts.append(f"candidates occur {_number(manifest['min_count'])} times or more")
    sections = {
        "found": "Found", "savings": "Shorter text", "why": "Why", "refused": "Refused",
        "making": "How it was made",
    }  # fmt: skip
    links = " ".join(f'<a href="#{name}">{title}</a>' for name, title in sections.items())
    return (
        f"<header><h1>Units of meaning in {show(names)}</h1>"
        f'<p class="facts">{" · ".join(facts)}</p><nav>{links}</nav></header>'
    )


def _write_summary(
    vocabulary: pl.DataFrame, proposals: pl.DataFrame, curve: pl.DataFrame,
    manifest: Mapping[str, Any],
) -> str:  # fmt: skip
    kept = f"<b>{_number(vocabulary.height)}</b> of <b>{_number(proposals.height)}</b> candidates"
    lines = [f"{kept} act as one unit each and were kept; every other one has its reason below."]
    if curve.height:
        last = curve.row(-1, named=True)
        lines.append(
            f"With them, {_name_slice(manifest)} is <b>{_percent(last['saved'])}</b> shorter, "
            f"counted in atoms (95 % interval: {_interval(last)})."
        )
        lines.append(_tell_knee(curve))
    return f'<p class="lead">{" ".join(lines)}</p>'


def _name_slice(manifest: Mapping[str, Any]) -> str:
    if manifest.get("measured_on") == "mined":
        return "the mined text itself (too little to hold any back, so this flatters)"
    return "text that was held back"


def _interval(point: Mapping[str, Any]) -> str:
    return f"{_percent(point['low'])} to {_percent(point['high'])}"


def _tell_knee(curve: pl.DataFrame) -> str:
    knee, last = find_knee(curve), int(curve["units"].to_numpy().max(initial=0))
    if knee == 0:
        return "No number of units makes it shorter for sure."
    if knee == last:
        return f"The last of the {_number(last)} units still pay: more would make it shorter yet."
    return f"After about <b>{_number(knee)}</b> units more of them stop paying."


def _write_units(vocabulary: pl.DataFrame) -> str:
    """Return the best units of every kind, each with its family."""
    kinds = vocabulary["kind"].unique().to_list() if vocabulary.height else []
    ordered = [kind for kind in KINDS if kind in kinds] + sorted(set(kinds) - set(KINDS))
    families = _name_families(vocabulary)
    parts = [
        _write_kind(vocabulary.filter(pl.col("kind") == kind), kind, families) for kind in ordered
    ]
    return f"""<h2 id="found">What was found</h2>
<p><b>Count</b> is how often the run occurs; <b>settled</b>, how often it owns its place once
overlapping units have settled who stands where. A unit of a family means nearly the same as the
family's head.</p>
<div class="columns">{"".join(parts) or "<p>Nothing: no candidate was good enough.</p>"}</div>"""


def _write_kind(units: pl.DataFrame, kind: str, families: Mapping[int, list[str]]) -> str:
    rows = [
        (
            _number(unit.get("rank")),
            show(unit["token"]) + _tell_family(unit, families),
            _number(unit.get("count")),
            _number(unit.get("settled")),
            _bar(unit.get("score") or 0, 1, f"{unit.get('score') or 0:.2f}"),
        )
        for unit in units.head(TOP).iter_rows(named=True)
    ]
    shown = f"the best {TOP} of {_number(units.height)}" if units.height > TOP else len(rows)
    title = f"{show(KINDS.get(kind, kind))} ({shown})"
    return _section(title, ["#rank", "token", "#count", "#settled", "#score"], rows)


def _name_families(vocabulary: pl.DataFrame) -> dict[int, list[str]]:
    """Return the members of each family of two or more, its head, the best ranked, first."""
    if "family" not in vocabulary.columns:
        return {}
    members = vocabulary.drop_nulls("family").group_by("family", maintain_order=True).agg("token")
    return {family: tokens for family, tokens in members.iter_rows() if len(tokens) > 1}


def _tell_family(unit: Mapping[str, Any], families: Mapping[int, list[str]]) -> str:
    members = families.get(unit.get("family"), [])  # type: ignore[arg-type]
    if not members:
        return ""
    if members[0] == unit["token"]:
        return f"<small>head of a family of {_number(len(members))}</small>"
    return f"<small>family of {show(members[0])}</small>"


def _write_savings(curve: pl.DataFrame, manifest: Mapping[str, Any]) -> str:
    title = '<h2 id="savings">How much shorter the text gets</h2>'
    if curve.height < 2:
        return f"{title}<p>Not measured: there are no units.</p>"
    rows = [
        (
            _number(point["units"]),
            _percent(point["saved"]),
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
{_table(["#units", "#saved", "#95 % interval", "#atoms per added unit"], rows)}</div>"""


def _write_reasons(proposals: pl.DataFrame, manifest: Mapping[str, Any]) -> str:
    config = manifest.get("config", {})
    made = SCORES.get(config.get("objective", "meaning"), "")
    picture = draw_scatter(proposals, seed=int(config.get("seed") or 0))
    return f"""<h2 id="why">Why</h2>{made}{picture}"""


def _write_refusals(proposals: pl.DataFrame, manifest: Mapping[str, Any]) -> str:
    """Return how many got each verdict, what it means, and the best-scored examples."""
    counts = dict(manifest.get("verdicts", {}))
    if not counts and "verdict" in proposals.columns:
        counts = dict(proposals["verdict"].value_counts().sort("verdict").iter_rows())
    ordered = [name for name in VERDICTS if counts.get(name)]
    ordered += sorted(name for name in set(counts) - set(VERDICTS) if counts[name])
    if not ordered:
        return '<h2 id="refused">What was refused</h2><p>Nothing: there were no candidates.</p>'
    most = max(counts.values())
    rows = [
        (show(name), VERDICTS.get(name, ""), _bar(counts[name], most, _number(counts[name])))
        for name in ordered
    ]
    examples = "".join(_write_examples(proposals, name) for name in ordered if name != "kept")
    return f"""<h2 id="refused">What was refused</h2>
<p>Every candidate has a verdict. The examples are those with the highest score: the nearest
misses.</p>
<div class="names">{_table(["verdict", "what it means", "#candidates"], rows)}</div>
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
            _number(row.get("count")),
            f"{row.get('score') or 0:.2f}",
        )
        for row in found.iter_rows(named=True)
    ]
    heads = ["token", *(["lost to"] if rivals else []), "#count", "#score"]
    return _section(show(verdict), heads, rows)


def _write_making(manifest: Mapping[str, Any]) -> str:
    inputs = manifest.get("inputs", [])
    files = [
        (show(entry["path"]), _size(entry.get("bytes", 0)), show((entry.get("sha256") or "")[:16]))
        for entry in inputs[:MOST_INPUTS]
    ]
    more = f"<p>and {len(inputs) - MOST_INPUTS:,} more</p>" if len(inputs) > MOST_INPUTS else ""
    settings = [(show(k), show(v)) for k, v in flatten(manifest.get("config", {}))]
    versions = [(show(k), show(v)) for k, v in flatten(manifest.get("versions", {}))]
    return f"""<h2 id="making">How it was made</h2>
{_write_stages(manifest.get("stages", []))}
{_section("Corpus", ["file", "#size", "SHA-256 begins"], files)}{more}
<div class="columns">{_section("Settings", ["setting", "value"], settings)}
{_section("Versions", ["package", "version"], versions)}</div>"""


def _section(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<section><h3>{title}</h3>{_table(heads, rows)}</section>" if rows else ""


def _write_stages(stages: Sequence[Mapping[str, Any]]) -> str:
    if not stages:
        return ""
    longest = max(stage.get("seconds") or 0 for stage in stages)
    largest = max(stage.get("peak_mb") or 0 for stage in stages)
    rows = [
        (
            show(stage.get("name", "")) + _tell_rows(stage.get("rows")),
            _bar(stage.get("seconds") or 0, longest, _duration(stage.get("seconds") or 0)),
            _duration(stage.get("cpu_seconds") or 0),
            _bar(stage.get("peak_mb") or 0, largest, f"{_number(stage.get('peak_mb') or 0)} MB"),
        )
        for stage in stages
    ]
    total = _duration(sum(stage.get("seconds") or 0 for stage in stages))
    table = _table(["stage", "#time", "#CPU time", "#peak memory"], rows)
    return f'<h3>Time and memory: {total} in all</h3><div class="names narrow">{table}</div>'


def _tell_rows(rows: int | None) -> str:
    return "" if rows is None else f"<small>{_number(rows)} rows</small>"


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


# Charts


def draw_curve(curve: pl.DataFrame) -> str:
    """Return the savings curve as SVG: the line, its interval as a band, the knee marked."""
    rows = curve.select("units", "saved", "low", "high").rows()
    last, knee = rows[-1], find_knee(curve)
    x_ticks = find_ticks(0, max(last[0], 1))
    y_ticks = find_ticks(0, max(max(row[3] for row in rows), 1e-4) * 1.08, beyond=True)
    x = _scale(0, max(last[0], 1), LEFT, RIGHT)
    y = _scale(0, y_ticks[-1], BOTTOM, TOP_EDGE)
    outline = [(x(k), y(high)) for k, _, _, high in rows]
    outline += [(x(k), y(low)) for k, _, low, _ in reversed(rows)]
    parts = [
        draw_axes(
            [(x(v), _number(v)) for v in x_ticks], [(y(v), f"{100 * v:.3g} %") for v in y_ticks],
            "units in the vocabulary", "atoms saved",
        ),
        f'<polygon class="band" points="{_points(outline)}"/>',
        f'<polyline class="curve" points="{_points((x(k), y(s)) for k, s, _, _ in rows)}"/>',
        *(
            f'<circle class="dot" cx="{x(k):.1f}" cy="{y(s):.1f}" r="3"><title>'
            f"{_number(k)} units save {_percent(s)}</title></circle>"
            for k, s, _, _ in rows
        ),
        f'<text class="strong" x="{x(last[0]):.1f}" y="{y(last[3]) - 8:.1f}" '
        f'text-anchor="end">{_percent(last[1])}</text>',
        *([_draw_knee(x(knee), y(dict(curve.select("units", "saved").rows())[knee]), knee, last[0])]
          if knee else []),
    ]  # fmt: skip
    label = f"{_percent(last[1])} of the atoms saved by {_number(last[0])} units; knee at {knee}"
    return _svg(parts, label)


def _draw_knee(x: float, y: float, knee: int, last: int) -> str:
    words = "still paying" if knee == last else "more stop paying"
    end = x > (LEFT + RIGHT) / 2
    place = f'x="{x - 6 if end else x + 6:.1f}" text-anchor="{"end" if end else "start"}"'
    return (
        f'<path class="knee" d="M{x:.1f} {y:.1f}V{BOTTOM}"/>'
        f'<text class="strong" {place} y="{BOTTOM - 26}">{_number(knee)} units:</text>'
        f'<text class="strong" {place} y="{BOTTOM - 9}">{words}</text>'
    )


def draw_scatter(proposals: pl.DataFrame, *, seed: int) -> str:
    """Return a figure of a sample of proposals, NPMI against count; nothing where they lack them.

    As many kept as refused ones are drawn where there are enough, or the kept would not be seen.
    """
    if not {"npmi", "count", "verdict"} <= set(proposals.columns):
        return ""
    usable = proposals.filter(pl.col("npmi").is_finite() & (pl.col("count") > 0))
    is_kept = pl.col("verdict") == "kept"
    kept = _sample(usable.filter(is_kept), MOST_POINTS // 2, seed)
    refused = _sample(usable.filter(~is_kept), MOST_POINTS // 2, seed)
    drawn = np.concatenate([kept, refused])
    if not len(drawn):
        return ""
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    x = _scale(math.log10(low[0]), math.log10(high[0]), LEFT + 8, RIGHT - 8)
    y_ticks = find_ticks(low[1], high[1])
    y = _scale(low[1], high[1], BOTTOM - 8, TOP_EDGE + 8)
    parts = [
        draw_axes(
            [(x(math.log10(v)), _number(v)) for v in find_decades(low[0], high[0])],
            [(y(v), f"{v:.2g}") for v in y_ticks],
            "count (log scale)", "NPMI: how much more than chance",
        ),
        _draw_points(refused, x, y, "refused", "M{:.1f} {:.1f}m-2-2l4 4m0-4l-4 4"),
        _draw_points(kept, x, y, "kept", "M{:.1f} {:.1f}h0"),
        f'<path class="kept" d="M{RIGHT - 138} 12h0"/>'
        f'<text class="kept-name" x="{RIGHT - 130}" y="16">kept</text>'
        f'<path class="refused" d="M{RIGHT - 75} 12m-2-2l4 4m0-4l-4 4"/>'
        f'<text class="refused-name" x="{RIGHT - 67}" y="16">refused</text>',
    ]  # fmt: skip
    label = f"NPMI against count of {len(kept)} kept and {len(refused)} refused candidates"
    return f"""<figure>{_svg(parts, label)}<figcaption>{_number(len(kept))} kept (dots) and
{_number(len(refused))} refused candidates (crosses), drawn at random, small counts spread
a little. Association alone does not decide: where both lie together, the other evidence did.
</figcaption></figure>"""


def _sample(proposals: pl.DataFrame, most: int, seed: int) -> np.ndarray:
    """Return count and NPMI of at most `most` rows: float64 (rows, 2).

    Counts are spread by up to a half, or the many candidates of a small count hide each other.
    """
    pairs = proposals.select("count", "npmi").to_numpy().astype(np.float64).reshape(-1, 2)
    random = np.random.default_rng(seed)
    if len(pairs) > most:
        pairs = pairs[np.sort(random.choice(len(pairs), most, replace=False))]
    return pairs + np.stack([random.uniform(-0.5, 0.5, len(pairs)), np.zeros(len(pairs))], axis=1)


def _draw_points(pairs: np.ndarray, x: Scale, y: Scale, name: str, stroke: str) -> str:
    strokes = "".join(stroke.format(x(math.log10(count)), y(npmi)) for count, npmi in pairs)
    return f'<path class="{name}" d="{strokes}"/>'


def draw_axes(
    x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]], x_name: str,
    y_name: str,
) -> str:  # fmt: skip
    """Return the grid with the value at each line, and the names of both axes."""
    rules = "".join(f"M{LEFT} {y:.1f}H{RIGHT}" for y, _ in y_ticks) + f"M{LEFT} {BOTTOM}H{RIGHT}"
    marks = "".join(f"M{x:.1f} {BOTTOM}v4" for x, _ in x_ticks)
    below = "".join(
        f'<text x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="{_anchor(x)}">{label}</text>'
        for x, label in x_ticks
    )
    beside = "".join(
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        for y, label in y_ticks
    )
    return (
        f'<path class="grid" d="{rules}{marks}"/>{below}{beside}'
        f'<text x="{RIGHT}" y="{BOTTOM + 38}" text-anchor="end">{x_name}</text>'
        f'<text x="2" y="14">{y_name}</text>'
    )


def _anchor(x: float) -> str:
    return "end" if x > RIGHT - 15 else "middle"


def _svg(parts: Iterable[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


def _points(pairs: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    """Return the straight line that takes [low, high] to [start, end]; its middle if both agree."""
    if low == high:
        return lambda _: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def find_ticks(low: float, high: float, *, beyond: bool = False) -> list[float]:
    """Return about five round values from `low` to `high`, one more where it may go `beyond`.

    >>> find_ticks(0, 8000)
    [0.0, 2000.0, 4000.0, 6000.0, 8000.0]
    """
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(s * power for s in (1, 2, 5, 10) if (high - low) / (s * power) <= 6)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    last += beyond and last * step < high
    return [round(n * step, 12) for n in range(first, last + 1)]


def find_decades(low: float, high: float) -> list[float]:
    """Return the round values of a log axis: powers of ten, and 2 and 5 times them if few.

    >>> find_decades(3, 60), find_decades(3, 20_000)
    ([5.0, 10.0, 20.0, 50.0], [10.0, 100.0, 1000.0, 10000.0])
    """
    factors = (1, 2, 5) if high / low < 1000 else (1,)
    values = [factor * 10.0**power for power in range(19) for factor in factors]
    return [value for value in values if low <= value <= high] or [low]
