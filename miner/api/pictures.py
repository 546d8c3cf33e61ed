"""Pictures and tables for a notebook: the look of the report, kept to the cell that shows it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from miner.report.charts import draw_curve
from miner.report.map import draw_map
from miner.report.screen import tell_number, tell_percent
from miner.report.sections import tell_knee
from miner.report.style import STYLE, lay_page, save_page
from miner.report.text import KINDS, make_bar, make_section, show
from miner.runs.manifest import Manifest

BEST = 8  # units shown of each kind


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture that a notebook shows as the last line of a cell; `save` writes it to a file.

    `title` says what is drawn, `content` is HTML with an SVG in it, and no script.

    >>> Picture("a dot", "<svg></svg>")
    <picture: a dot; .save('picture.html') writes it>
    """

    title: str
    content: str

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as a page that opens in a browser with no network; return its path.

        Raises:
            RunError: it cannot be written there, or a file is there that miner did not write.
        """
        save_page(Path(path), lay_page(self.title, [self.content]))
        return Path(path)

    def __repr__(self) -> str:
        return f"<picture: {self.title}; .save('picture.html') writes it>"

    def _repr_html_(self) -> str:
        return frame(self.content)


def frame(content: str) -> str:
    """Return HTML that a notebook shows in the look of the report."""
    return f'<div class="miner"><style>{_scope()}</style>{content}</div>'


@cache
def _scope() -> str:
    """Return the style of the report for what is inside a frame, and nothing else on the page."""
    scoped = STYLE.replace(":root{", "&{").replace("body{", "&{")
    return f".miner{{{scoped}&{{margin:0;padding:.5rem}}}}"


def draw_savings(curve: pl.DataFrame, knee: int) -> Picture:
    """Return how much shorter text gets with the first k units, with a 95 % interval."""
    if curve.height < 2:
        return Picture("savings", "<p>Not measured: there are no units.</p>")
    last = curve.row(-1, named=True)
    told = (
        f"With {tell_number(last['units'])} units text has {tell_percent(last['saved'])} fewer "
        f"tokens (95 %: {tell_percent(last['low'])} to {tell_percent(last['high'])}). "
        + tell_knee(knee, last["units"])
    )
    figure = f"<figure>{draw_curve(curve)}<figcaption>{told}</figcaption></figure>"
    return Picture("savings against the number of units", figure)


def draw_units(units: pl.DataFrame, places: pl.DataFrame | None) -> Picture:
    """Return the units on a map, where those lie together that are used alike."""
    drawn = "" if places is None or not units.height else draw_map(units, places)
    return Picture("map of the units", drawn or "<p>No unit has a place on the map.</p>")


def write_run(headline: str, units: pl.DataFrame, manifest: Manifest) -> str:
    """Return a run as a notebook shows it: what was found, and the best units of each kind."""
    kinds = "".join(_write_kind(units.filter(kind=kind), kind) for kind in manifest.kinds)
    return frame(
        f'<p><b>{show(headline)}</b></p><div class="columns">{kinds}</div>'
        "<p>All of them: <code>run.units</code>; why: <code>run.explain(text)</code></p>"
    )


def _write_kind(units: pl.DataFrame, kind: str) -> str:
    rows = [
        (
            tell_number(row["rank"]),
            show(row["token"]),
            tell_number(row["count"]),
            make_bar(row["score"], 1, f"{row['score']:.2f}"),
        )
        for row in units.head(BEST).iter_rows(named=True)
    ]
    title = f"{show(KINDS.get(kind, kind))} ({tell_number(units.height)})"
    return make_section(title, ["#rank", "unit", "#count", "#score"], rows)


def write_text(text: str) -> str:
    """Return lines of text as a notebook shows them, to the letter."""
    import html

    return frame(f"<pre>{html.escape(text)}</pre>")
