"""A comparison to one page: what do the figures look like side by side?

One HTML file without scripts that loads nothing, in the style of a run's report. Every text is
escaped and its invisible characters are spelled out. Tokenizers differ by colour (Okabe and Ito's,
safe for colour-blind eyes), by dash or hatch, and by the name beside them.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from miner.report.charts import find_ticks, make_figure
from miner.report.screen import spell, tell_size
from miner.report.style import lay_page, save_page
from miner.report.text import make_section, show
from miner.tokenizer.comparing.charts import COLORS, DASHES, Line, draw_bars, draw_lines
from miner.tokenizer.comparing.comparison import Comparison
from miner.tokenizer.comparing.places import NEAR
from miner.tokenizer.comparing.table import GOES_ON, list_rows

LIGHT = ("#0072b2", "#b24a00", "#007a5a", "#9c4a80", "#7a6a00", "#4d4d4d")
DARK = ("#56b4e9", "#e69f00", "#2fc79b", "#e09bc4", "#f0e442", "#bdbdbd")
EXTRA = """
.wide{overflow-x:auto}
.measures th,.measures td{white-space:nowrap;padding-left:.7rem}
.measures th:first-child,.measures td:first-child{padding-left:0;white-space:pre}
@media (max-width:40rem){.measures th:first-child,.measures td:first-child{position:sticky;left:0;
max-width:9.5rem;white-space:pre-wrap;background:var(--paper)}}
.measures thead th{white-space:normal;overflow-wrap:anywhere;min-width:5.5rem;color:var(--ink)}
.pictures{display:grid;gap:0 2rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
svg .name{fill:var(--ink)}
svg .line{fill:none;stroke-width:2.2}
svg .whisker{stroke:var(--ink);stroke-width:1.4;fill:none}
svg .track{fill:var(--line);opacity:.45}
.key{display:inline-block;width:1.6rem;height:.7rem;margin-right:.3rem}
.cut{margin:.2rem 0 .7rem;max-width:48rem;line-height:1.9}
.cut span{padding:.1rem 0;border-left:2px solid var(--paper);unicode-bidi:isolate;
white-space:pre-wrap;overflow-wrap:anywhere;-webkit-box-decoration-break:clone;box-decoration-break:clone;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.cut .t0{background:var(--even)}.cut .t1{background:var(--odd);text-decoration:underline dotted;
text-underline-offset:.25em}
.cut .hidden{padding:0 .2em}
dl{max-width:42rem}dt{font-weight:600;margin-top:.6rem}dd{margin:0}
svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}
@media print{.wide{overflow:visible}.measures{font-size:8pt}}
"""
MEANINGS = {
    "bytes per token": "How much text a token stands for. The interval comes from drawing blocks "
    "of documents anew a thousand times; that of the ratio uses the same draws for both, so it is "
    "narrower.",
    "tokens per scene": "A scene is a document, or what the signs [SCN] and [SEP] part it into.",
    "fertility": "Tokens for each run of anything but white space.",
    "attention cost": "The sum over documents of the square of their tokens, as attention without "
    "a cache pays it, each document a context of its own.",
    "places of units": "Where units stand in the text, whatever a tokenizer makes of them: the "
    "canonical form is searched, the first unit, then the longest.",
    "bits per token": "What a token tells if each is drawn by itself from how often it occurs. "
    "Bits per byte is the same for a byte of text.",
    "Renyi efficiency": "The entropy of order 2.5 of the tokens by the logarithm of the number of "
    "ids: 1 where every id is used alike, low where a few ids are most of the text.",
    "neighbours": "How many different tokens stand left or right of a token in this text, on "
    "average over the ids in use; for units, over the units that are one token somewhere.",
    "units that lie near": "Units of the run whose vectors have a cosine of {near} or more with "
    "those of a unit that is one token.",
    "documents that come back": "Decoding gives the document byte for byte; or, where a tokenizer "
    "folds on purpose, its canonical form.",
}


def write_page(path: Path, comparison: Comparison) -> None:
    """Write the page to `path`, first under another name; UsageError where that is not possible."""
    save_page(path, make_page(comparison))


def make_page(comparison: Comparison) -> str:
    """Return the page as HTML."""
    title = "Tokenizers compared"
    body = [
        _write_header(title, comparison),
        *(
            write(comparison)
            for write in (
                _write_lead,
                _write_pictures,
                _write_table,
                _write_curve,
                _write_lengths,
                _write_units,
                _write_examples,
                _write_meanings,
            )
        ),
    ]
    return lay_page(title, body, EXTRA + _write_colors())


def _write_colors() -> str:
    """Return the colours of tokenizers as CSS, for both kinds of light."""
    light = ";".join(f"--k{place}:{color}" for place, color in enumerate(LIGHT))
    dark = ";".join(f"--k{place}:{color}" for place, color in enumerate(DARK))
    return (
        f":root{{{light};--even:#cfe3f5;--odd:#fbe0bf}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark};--even:#1f4260;--odd:#5a3d12}}}}\n"
        f"@media print{{:root{{{light};--even:#cfe3f5;--odd:#fbe0bf}}}}"
    )


def _write_header(title: str, comparison: Comparison) -> str:
    corpus, links = (
        comparison.corpus,
        {
            "table": "Table",
            "curve": "Savings",
            "lengths": "Lengths",
            "units": "Units",
            "texts": "Texts",
            "meaning": "How to read it",
        },
    )
    names = ", ".join(show(Path(path).name or path) for path in corpus["paths"][:5])
    facts = [
        f"{corpus['documents']:,} documents",
        tell_size(corpus["bytes"]),
        f"{corpus['words']:,} words",
    ]
    if comparison.units:
        facts.append(f"{comparison.units['places']:,} places of units")
    nav = " ".join(f'<a href="#{name}">{link}</a>' for name, link in links.items())
    return (
        f'<header><h1>{title} on {names}</h1><p class="facts">{" · ".join(facts)}</p>'
        f"<nav>{nav}</nav></header>"
    )


def _write_lead(comparison: Comparison) -> str:
    first = comparison.tokenizers[0]
    best = min(comparison.tokenizers, key=lambda entry: entry["tokens"])
    if best["tokens"] >= first["tokens"]:
        return f'<p class="lead">None has fewer tokens than {show(first["name"])}.</p>'
    saved = best["savings"]
    return (
        f'<p class="lead">{show(best["name"])} needs <b>{saved["share"]:.1%}</b> fewer tokens than '
        f"{show(first['name'])}, so its KV cache is smaller by as much, and attention costs "
        f"<b>{saved['attention_ratio']:.2f}</b> times what it did.</p>"
    )


# Pictures


def _write_pictures(comparison: Comparison) -> str:
    shape = comparison.shape
    figures = [
        make_figure(
            _draw(comparison, lambda t: t["bytes_per_token"], lambda v: f"{v:.2f}"),
            "Bytes per token, with the 95% interval: more is shorter text.",
        ),
        make_figure(
            _draw(comparison, lambda t: {"value": t["savings"]["kv_bytes"]}, tell_size),
            f"KV cache of the whole text in a model of the shape {show(shape['name'])}: "
            f"{shape['layers']} layers, {shape['heads']} heads of {shape['width']}, "
            f"{shape['bytes']} bytes: {shape['bytes_per_token']:,} bytes a token.",
        ),
        make_figure(
            _draw(
                comparison,
                lambda t: {"value": t["savings"]["attention_ratio"]},
                lambda v: f"{v:.2f}",
            ),
            "Attention cost, times that of the first.",
        ),
    ]
    if comparison.units:
        figures.append(
            make_figure(
                _draw(
                    comparison,
                    lambda t: {"value": t["units"]["share_whole"]},
                    lambda v: f"{v:.1%}",
                    most=1.0,
                ),
                "Places of units that are one token.",
            )
        )
    return (
        f'<div class="pictures">{"".join(figures)}</div><p><small>Full bars are semantic '
        "tokenizers, made of units; hatched bars are classical ones.</small></p>"
    )


def _draw(
    comparison: Comparison,
    measure: Callable[[dict[str, Any]], dict[str, Any]],
    tell: Callable[[float], str],
    *,
    most: float = 0.0,
) -> str:
    bars = [
        (spell(entry["name"]), measure(entry), place, entry["semantic"])
        for place, entry in enumerate(comparison.tokenizers)
    ]
    return draw_bars(bars, tell, most=most)


def _write_curve(comparison: Comparison) -> str:
    title = '<h2 id="curve">What the units save</h2>'
    lines = [
        (spell(entry["name"]), place, [(p["units"], 100 * p["share"]) for p in entry["curve"]])
        for place, entry in enumerate(comparison.tokenizers)
        if len(entry["curve"]) > 1
    ]
    if not lines:
        return f"{title}<p>None of the tokenizers lists units.</p>"
    xs = find_ticks(0, max(points[-1][0] for _, _, points in lines))
    ys = find_ticks(0, max(max(points[-1][1] for _, _, points in lines), 0.01), beyond=True)
    picture = draw_lines(
        lines,
        [(x, f"{x:,.0f}") for x in xs],
        [(y, f"{y:g}%") for y in ys],
        "units, in the order of their list",
        "tokens saved",
    )
    return f"""{title}
<p>Tokens that the first units save where they stand in this text, each against the pieces that the
same tokenizer would cut it into; as a share of the tokens there would be without any unit.</p>
{make_figure(picture, _write_key(comparison, [place for _, place, _ in lines]))}"""


def _write_lengths(comparison: Comparison) -> str:
    lines: list[Line] = [
        (
            spell(entry["name"]),
            place,
            [
                (n, 100 * count / max(entry["tokens"], 1))
                for n, count in enumerate(entry["lengths"])
                if n
            ],
        )
        for place, entry in enumerate(comparison.tokenizers)
    ]
    last = len(comparison.tokenizers[0]["lengths"]) - 1
    ys = find_ticks(0, max(y for _, _, points in lines for _, y in points) or 1, beyond=True)
    marks = [(1, "1"), *((x, f"{x}") for x in range(5, last - 2, 5)), (last, f"{last}+")]
    picture = draw_lines(
        lines, marks, [(y, f"{y:g}%") for y in ys], "bytes of text in a token", "share of tokens"
    )
    key = _write_key(comparison, range(len(lines)))
    return f'<h2 id="lengths">How long tokens are</h2>{make_figure(picture, key)}'


def _write_key(comparison: Comparison, places: Iterable[int]) -> str:
    """Return which line is whose."""
    entries = []
    for place in places:
        stroke = f'style="stroke:var(--k{place % COLORS})"'
        dash = f'stroke-dasharray="{DASHES[place % len(DASHES)]}"' if place % len(DASHES) else ""
        sample = (
            f'<svg class="key" viewBox="0 0 26 10" style="display:inline-block;width:1.6rem" '
            f'aria-hidden="true"><path class="line" d="M0 5h26" {stroke} {dash}/></svg>'
        )
        entries.append(f"{sample}{show(comparison.tokenizers[place]['name'])}")
    return " &nbsp; ".join(entries)


# Tables and texts


def _write_table(comparison: Comparison) -> str:
    heads = "".join(f'<th class="n">{show(entry["name"])}</th>' for entry in comparison.tokenizers)
    rows = "\n".join(
        f"<tr><td>{html.escape(label)}</td>"
        + "".join(f'<td class="n">{html.escape(cell)}</td>' for cell in cells)
        + "</tr>"
        for label, cells in list_rows(comparison)
    )
    return f"""<h2 id="table">All figures</h2>
<div class="wide"><table class="measures"><thead><tr><th></th>{heads}</tr></thead><tbody>
{rows}</tbody></table></div>"""


def _write_units(comparison: Comparison) -> str:
    title = '<h2 id="units">The units with the most neighbours</h2>'
    tables = "".join(_write_best(entry) for entry in comparison.tokenizers)
    if not tables:
        return f"{title}<p>No unit is one token in this text.</p>"
    return f"""{title}
<p>Units that are one token, by the number of different tokens beside them in this text.</p>
<div class="columns">{tables}</div>"""


def _write_best(entry: dict[str, Any]) -> str:
    best = entry["capacity"]["best"]
    if not best:
        return ""
    near = any(row["near"] is not None for row in best)
    heads = ["unit", "#places", "#neighbours", *(["#units near"] if near else [])]
    rows = [
        [show(row["unit"]), f"{row['count']:,}", f"{row['contexts']:,}"]
        + (["" if row["near"] is None else f"{row['near']}"] if near else [])
        for row in best
    ]
    return make_section(show(entry["name"]), heads, rows)


def _write_examples(comparison: Comparison) -> str:
    parts = []
    for place in range(len(comparison.texts)):
        parts.append(f"<h3>Text {place + 1}</h3>")
        for entry in comparison.tokenizers:
            cut = entry["examples"][place]
            parts.append(
                f"<small>{show(entry['name'])}: {len(cut):,} tokens</small>"
                f'<p class="cut" dir="auto">{paint_tokens(cut)}</p>'
            )
    return f"""<h2 id="texts">How they cut</h2>
<p>Texts from the beginning of the corpus, chosen by their length alone. Every token has the other
colour than its neighbours; a dot goes on with the character before it.</p>{"".join(parts)}"""


def paint_tokens(pieces: Sequence[str]) -> str:
    """Return pieces of text as spans of two colours in turn.

    >>> paint_tokens(["<a>", ""])
    '<span class="t0"><bdi>&lt;a&gt;</bdi></span><span class="t1"><bdi>·</bdi></span>'
    """
    return "".join(
        f'<span class="t{place % 2}">{show(piece or GOES_ON)}</span>'
        for place, piece in enumerate(pieces)
    )


def _write_meanings(comparison: Comparison) -> str:
    entries = "".join(
        f"<dt>{name}</dt><dd>{meaning.format(near=NEAR)}</dd>"
        for name, meaning in MEANINGS.items()
        if comparison.units or "unit" not in name
    )
    return f'<h2 id="meaning">How to read it</h2><dl>{entries}</dl>'
