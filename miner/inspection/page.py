"""Figures of a corpus to one page: what is it, with pictures?

One HTML file without scripts that loads nothing, in the style of a run's report. Every text of the
corpus is escaped and its invisible characters are spelled out.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from miner.inspection.classes import CLASSES, tell_value
from miner.inspection.view import (
    LEAST,
    PLURALS,
    list_bytes,
    list_encoding,
    name_class,
    tell_class,
    tell_files,
    tell_languages,
    tell_lengths_line,
    tell_missing,
    tell_packing,
    tell_pages,
    tell_profile_line,
    tell_repeats,
    tell_size_line,
    tell_skipped,
    tell_steps,
    tell_tokens,
)
from miner.report.charts import make_figure, make_svg
from miner.report.screen import fit, spell, tell_size
from miner.report.style import lay_page, save_page
from miner.report.text import make_section, show

WIDE, ROW, NAMES, TELLS = 520, 24, 200, 70  # of a picture: its width, a bar, names, figures
EXTRA = """
.pictures{display:grid;gap:0 2.5rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
svg .name{fill:var(--ink)}
svg .track{fill:var(--line);opacity:.45}
svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.facts{overflow-wrap:anywhere}
.figures td:first-child{white-space:nowrap}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
figure{max-width:38rem}
"""
SHORT = ("plain prose", "1 made-up language", "2 old languages", "3 mixes, code, JSON", "4 signs",
         "5 bytes", "6 packed nodes")  # fmt: skip
TICKS = {1: "1", 100: "100", 10_000: "10,000", 1_000_000: "1 million", 100_000_000: "100 million"}
Bar = tuple[str, float, str]  # name, part of the whole width, figure


def write_inspection(path: Path, record: dict[str, Any]) -> None:
    """Write the page to `path`, first under another name; UsageError where that is not possible."""
    save_page(path, make_inspection(record))


def make_inspection(record: dict[str, Any]) -> str:
    """Return the page as HTML."""
    name = Path(record["paths"][0]).name or record["paths"][0]
    body = [
        f'<header><h1>What {show(name)} is</h1><p class="facts">{_text(tell_files(record))}</p>'
        "</header>",
        f'<p class="lead"><b>{_text(name_class(record))}</b> '
        f"({record['class']['certainty']}). Enough for {_text(tell_steps(record))}.</p>",
        f'<div class="pictures">{"".join(_draw_pictures(record))}</div>',
        _write_figures(record),
        _write_evidence(record),
        *([_write_tensors(record)] if record["binary"] else []),
        f"<section><h2>Next</h2><pre>{_text(spell(record['next'], None))}</pre></section>",
    ]
    return lay_page(f"What {name} is", body, EXTRA)


def _text(text: str) -> str:
    """Return a text whose invisible characters are spelled out already as HTML."""
    return html.escape(text)


# Pictures


def _draw_pictures(record: dict[str, Any]) -> list[str]:
    figures = [
        make_figure(
            draw_ladder(record),
            "What it is enough for: lines on a log scale, with the range of each step.",
        ),
        make_figure(
            _draw_classes(record),
            "What speaks for each class: its strongest measure, times "
            "the value from which it counts (the dashed line).",
        ),
    ]
    if record["binary"]:
        figures.append(
            make_figure(
                _draw_entropy(record), "Bits that a byte tells, of 8, by its place in an element."
            )
        )
        return figures
    shares = list(record["scripts"].items())[:8]
    if shares:
        figures.append(
            make_figure(
                draw_bars([(n, s, tell_value(s)) for n, s in shares]),
                "Scripts, by their share of the letters.",
            )
        )
    if record["lengths"]["bins"]:
        figures.append(
            make_figure(
                _draw_lengths(record),
                "How many characters documents have; the figure is how many documents.",
            )
        )
    return figures


def draw_bars(bars: Sequence[Bar], *, line: float | None = None) -> str:
    """Return horizontal bars with names and figures; a dashed `line` at a part of the width."""
    full = WIDE - NAMES - TELLS
    parts = []
    for place, (name, part, figure) in enumerate(bars):
        top = place * ROW + 4
        long = full * min(max(part, 0), 1)
        parts.append(
            f'<text class="name" x="{NAMES - 8}" y="{top + 13}" text-anchor="end">{_fit(name)}'
            f'</text><rect class="track" x="{NAMES}" y="{top}" width="{full}" height="{ROW - 8}"/>'
            f'<rect class="dot" x="{NAMES}" y="{top}" width="{long:.1f}" height="{ROW - 8}"/>'
            f'<text x="{WIDE - TELLS + 6}" y="{top + 13}">{_text(figure)}</text>'
        )
    height = len(bars) * ROW + 4
    if line is not None:
        parts.append(f'<path class="knee" d="M{NAMES + full * line:.1f} 0V{height}"/>')
    told = "; ".join(f"{name}: {figure}" for name, _, figure in bars)
    return make_svg(parts, told, width=WIDE, height=height)


def _fit(name: str) -> str:
    return _text(fit(name, 32))


def _draw_classes(record: dict[str, Any]) -> str:
    """Return the strongest measure of each class, as times the value from which it counts."""
    best: dict[int, float] = dict.fromkeys(CLASSES, 0.0)
    for signal in record["class"]["signals"]:
        strength = signal["value"] / signal["counts_from"]
        best[signal["number"]] = max(best[signal["number"]], strength)
    bars = [
        (name, strength / 3, f"{strength:.1f} times")
        for name, strength in zip(SHORT, best.values(), strict=True)
    ]
    return draw_bars(bars, line=1 / 3)


def _draw_lengths(record: dict[str, Any]) -> str:
    bins = record["lengths"]["bins"]
    most = max(entry["documents"] for entry in bins)
    return draw_bars(
        [
            (
                f"{e['from']:,} to {e['to']:,}" if e["to"] > e["from"] else f"{e['from']}",
                e["documents"] / max(most, 1),
                f"{e['documents']:,}",
            )
            for e in bins
        ]
    )


def _draw_entropy(record: dict[str, Any]) -> str:
    found = record["binary"]
    bars: list[Bar] = [
        ("all bytes", found["entropy_per_byte"] / 8, f"{found['entropy_per_byte']:.2f}")
    ]
    for form in found["forms"]:
        bars += [
            (f"{form['dtype']}, byte {place}", bits / 8, f"{bits:.2f}")
            for place, bits in enumerate(form["entropy_by_place"], start=1)
        ]
    return draw_bars(bars)


def draw_ladder(record: dict[str, Any]) -> str:
    """Return the steps of sizing on a log scale, and where the corpus stands."""
    rungs = record["sizing"]
    lines = rungs[0]["lines"]

    def x(number: float) -> float:
        return 10 + (WIDE - 20) * min(math.log10(max(number, 1)) / 8, 1)

    parts = []
    for place, rung in enumerate(rungs):
        top = 34 + 30 * place
        low, high = x(rung["from_lines"]), x(rung["to_lines"])
        parts.append(
            f'<rect class="band" x="{low:.1f}" y="{top}" width="{high - low:.1f}" height="20"/>'
            f'<text class="name" x="{low - 6:.1f}" y="{top + 14}" text-anchor="end">'
            f"{rung['step']}</text>"
        )
    bottom = 34 + 30 * len(rungs)
    for number, told in TICKS.items():
        tick = x(number)
        anchor = "end" if tick > WIDE - 20 else "middle"
        parts.append(
            f'<path class="grid" d="M{tick:.1f} {bottom}v5"/><text x="{tick:.1f}" '
            f'y="{bottom + 19}" text-anchor="{anchor}">{told}</text>'
        )
    here = x(lines)
    side = "end" if here > WIDE / 2 else "start"
    unit = "lines of 100 bytes" if record["binary"] else "lines"
    parts.append(
        f'<path class="knee" d="M{here:.1f} 20V{bottom}"/><text class="strong" x="{here:.1f}" '
        f'y="14" text-anchor="{side}">{lines:,} {unit}</text>'
    )
    told = f"{lines:,} {unit}; {tell_steps(record)}"
    return make_svg(parts, told, width=WIDE, height=bottom + 26)


# Tables


def _write_figures(record: dict[str, Any]) -> str:
    """Return all figures in words."""
    rows = [("class", tell_class(record)), ("profile", tell_profile_line(record))]
    if record["binary"]:
        rows += [("bytes", line) for line in list_bytes(record)]
    else:
        rows += [
            ("size", tell_size_line(record)),
            ("pages", tell_pages(record)),
            ("tokens", tell_tokens(record)),
            ("languages", tell_languages(record)),
            ("lengths", tell_lengths_line(record)),
            ("repeats", tell_repeats(record)),
            *(("encoding", line) for line in list_encoding(record["encoding"])),
        ]
    rows.append(("packing", tell_packing(record)))
    for rung in record["sizing"]:
        state = "reached" if rung["reached"] else tell_missing(rung, record)
        rows.append((PLURALS[rung["step"]], state))
    if record["skipped"]:
        rows.append(("skipped", tell_skipped(record)))
    cells = [[_text(name), f"<bdi>{_text(told)}</bdi>"] for name, told in rows if told]
    table = make_section("", ["what", "figure"], cells)
    return f'<h2>Figures</h2><div class="figures">{table}</div>'


def _write_evidence(record: dict[str, Any]) -> str:
    """Return the measures that decide on class and profile."""
    verdict = record["class"]
    rows = [
        [
            _text(f"{s['number']} {CLASSES[s['number']]}" if s["number"] else CLASSES[0]),
            _text(s["what"]),
            tell_value(s["value"]),
            tell_value(s["counts_from"]),
        ]
        for s in verdict["signals"]
    ]
    shares = {**record["characters"], **{f"words: {n}": v for n, v in record["words"].items()}}
    tongues = [
        [_text(t["name"]), tell_value(t["share"]), t["certainty"], _text(t["evidence"])]
        for t in record["languages"]
    ]
    measures = [
        [_text(name), tell_value(value)] for name, value in record["profile"]["measures"].items()
    ]
    parts = [[_text(name), tell_value(share)] for name, share in shares.items() if share >= LEAST]
    return (
        "<h2>Evidence</h2>"
        + make_section(
            "What speaks for each class", ["class", "measure", "#value", "#counts from"], rows
        )
        + make_section(
            f"What decides the profile {record['profile']['name']}",
            ["measure at the beginning of the corpus", "#value"],
            measures,
        )
        + make_section("Languages", ["language", "#share", "certainty", "evidence"], tongues)
        + make_section("Shares of characters and of words", ["what", "#share"], parts)
    )


def _write_tensors(record: dict[str, Any]) -> str:
    rows = [
        [show(t["name"]), show(t["dtype"]), " x ".join(map(str, t["shape"])), tell_size(t["bytes"])]
        for t in record["binary"]["shapes"]
    ]
    return make_section("The largest tensors", ["name", "dtype", "shape", "#size"], rows)
