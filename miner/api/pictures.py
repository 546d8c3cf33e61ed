"""Pictures and tables for a notebook: the look of the report, kept to the cell that shows it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from miner.errors import UsageError
from miner.report.charts import draw_curve
from miner.report.map import draw_map
from miner.report.screen import tell_number, tell_percent
from miner.report.style import STYLE, lay_page
from miner.report.text import make_bar, make_table, show
from miner.runs.files import replace_file
from miner.runs.manifest import Manifest

BEST = 20  # units shown of a run


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
            UsageError: it cannot be written there.
        """
        try:
            replace_file(Path(path), lay_page(self.title, [self.content]).encode())
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written ({(error.strerror or str(error)).lower()})",
                cure="Name a file in a folder that is there",
            ) from error
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
        f"tokens (95 %: {tell_percent(last['low'])} to {tell_percent(last['high'])}); "
        f"beyond {tell_number(knee)} more of them hardly pay."
    )
    figure = f"<figure>{draw_curve(curve)}<figcaption>{told}</figcaption></figure>"
    return Picture("savings against the number of units", figure)


def draw_units(units: pl.DataFrame, places: pl.DataFrame | None) -> Picture:
    """Return the units on a map, where those lie together that are used alike."""
    drawn = "" if places is None or not units.height else draw_map(units, places)
    return Picture("map of the units", drawn or "<p>No unit has a place on the map.</p>")


def write_run(headline: str, units: pl.DataFrame, manifest: Manifest) -> str:
    """Return a run as a notebook shows it: what was found, and the best units."""
    rows = [
        (
            tell_number(row["rank"]),
            show(row["token"]),
            show(row["kind"]),
            tell_number(row["count"]),
            make_bar(row["score"], 1, f"{row['score']:.2f}"),
        )
        for row in units.head(BEST).iter_rows(named=True)
    ]
    kinds = ", ".join(
        f"{tell_number(count)} {show(kind)}" for kind, count in manifest.kinds.items()
    )
    table = make_table(["#rank", "unit", "kind", "#count", "#score"], rows)
    more = units.height - len(rows)
    return frame(
        f"<p><b>{show(headline)}</b></p><p>{kinds}</p>{table}"
        + (f"<p>and {tell_number(more)} more: <code>run.units</code></p>" if more > 0 else "")
    )


def write_text(text: str) -> str:
    """Return lines of text as a notebook shows them, to the letter."""
    import html

    return frame(f"<pre>{html.escape(text)}</pre>")
