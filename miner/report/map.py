"""Places of units to a picture: which of them are used alike?"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.report.screen import measure_width, spell, tell_number
from miner.report.text import KINDS, show

WIDTH, TALLEST, MARGIN, HEAD = 460, 460, 16, 14
MOST_DOTS = 5_000  # the best ranked
MOST_LABELS, LONGEST_LABEL = 24, 26
FONT = 14.5  # of a label on a phone, where it is largest
APART = 5  # between two labels
SMALLEST, LARGEST = 2.0, 6.5  # width of a dot


def write_map(vocabulary: pl.DataFrame, places: pl.DataFrame) -> str:
    """Return the map under its title; nothing where no unit has a place on it."""
    figure = draw_map(vocabulary, places) if vocabulary.height and places.height else ""
    return f'<h2 id="map">What is alike</h2>{figure}' if figure else ""


def draw_map(vocabulary: pl.DataFrame, places: pl.DataFrame) -> str:
    """Return the map as a figure: a dot for each unit in `places` (`rank`, `x`, `y`).

    Coloured by kind and as large as the logarithm of its count; the best ranked are labelled where
    there is room.
    """
    dots = vocabulary.select("rank", "token", "kind", "count").join(
        places.unique("rank"), on="rank", how="inner", validate="1:1", maintain_order="left"
    )
    dots = dots.filter(pl.col("x").is_finite() & pl.col("y").is_finite()).head(MOST_DOTS)
    if dots.height == 0:
        return ""
    points, height = _fit(dots.select("x", "y").to_numpy())
    widths = _measure_dots(dots["count"].to_numpy())
    labels = list(place_labels(dots["token"].to_list(), points, height))
    about = f"Map of {dots.height:,} units, {len(labels)} of them labelled"
    drawing = (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{about}">'
        + _draw_dots(dots["kind"].to_list(), points, widths)
        + "".join(_draw_named(points[label.row], dots.row(label.row)) for label in labels)
        + "".join(_draw_label(label, dots["token"][label.row]) for label in labels)
        + "</svg>"
    )
    best = f"; the best {MOST_DOTS:,} are drawn" if places.height > dots.height else ""
    return f"""<figure class="map">{_write_legend(dots["kind"].to_list())}
{drawing}<figcaption>Each dot is a unit of several atoms{best}. Those that lie together have vectors
that are alike. Only nearness counts; the axes and the distance between groups mean nothing.
</figcaption></figure>"""


def _fit(points: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the points in the picture, and how tall it is; both axes have one scale."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([WIDTH, TALLEST]) - 2 * MARGIN - np.array([0, HEAD])
    scale = float((room / np.maximum(high - low, 1e-6)).min()) if len(points) > 1 else 0.0
    size = (high - low) * scale
    height = round(max(float(size[1]), room[1] / 3)) + 2 * MARGIN + HEAD
    middle = np.array([WIDTH / 2, (height + HEAD) / 2])
    flipped = (points - (low + high) / 2) * scale * np.array([1, -1])
    return flipped + middle, height


def _measure_dots(counts: np.ndarray) -> np.ndarray:
    """Return the width of each dot in steps of a half, by the logarithm of its count."""
    size = np.log(np.maximum(counts.astype(np.float64), 1))
    share = (size - size.min()) / max(float(np.ptp(size)), 1e-9)
    return np.round(2 * (SMALLEST + (LARGEST - SMALLEST) * share)) / 2


def _draw_dots(kinds: Sequence[str], points: np.ndarray, widths: np.ndarray) -> str:
    """Return one path for all dots of a kind and a width; the small ones lie on top."""
    strokes: dict[tuple[float, str], list[str]] = {}
    for kind, (x, y), width in zip(kinds, points.tolist(), widths.tolist(), strict=True):
        strokes.setdefault((-width, name_color(kind)), []).append(f"M{x:.1f} {y:.1f}h0")
    return "".join(
        f'<path class="{color}" stroke-width="{-width:g}" d="{"".join(marks)}"/>'
        for (width, color), marks in sorted(strokes.items())
    )


def name_color(kind: str) -> str:
    """Return the class of a kind's colour; a kind that is not known has the last."""
    return f"k{list(KINDS).index(kind) if kind in KINDS else len(KINDS) - 1}"


def _write_legend(kinds: Sequence[str]) -> str:
    found = [kind for kind in KINDS if kind in kinds] + sorted(set(kinds) - set(KINDS))
    names = [
        f'<span><i class="key {name_color(kind)}"></i>{show(KINDS.get(kind, kind))}</span>'
        for kind in found
    ]
    return f'<p class="legend">{" ".join(names)} <span>larger: more frequent</span></p>'


@dataclass(frozen=True)
class Label:
    """Where the text of a dot stands, on its base line; `box`: left, top, right, bottom of both."""

    row: int
    x: float
    y: float
    anchor: str
    box: tuple[float, float, float, float]


def place_labels(tokens: Sequence[str], points: np.ndarray, height: float) -> Iterator[Label]:
    """Yield labels that do not touch each other: the first tokens have the first choice."""
    taken = np.empty((0, 4))
    for row, (token, (x, y)) in enumerate(zip(tokens, points.tolist(), strict=True)):
        if len(taken) == MOST_LABELS:
            return
        width = _measure_text(token)
        anchor = "start" if x < width / 2 else "end" if x > WIDTH - width / 2 else "middle"
        left = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        box = left, y - FONT - 5, left + width, y + 4
        after, before = taken[:, 2:] + APART < box[:2], taken[:, :2] - APART > box[2:]
        inside = min(box) >= 0 and box[2] <= WIDTH and box[3] <= height
        if len(token) <= LONGEST_LABEL and inside and (after | before).any(axis=1).all():
            taken = np.vstack([taken, box])
            yield Label(row, x, y - 5, anchor, box)


def _measure_text(text: str) -> float:
    """Return about how wide a text is at `FONT`."""
    return FONT * 0.6 * measure_width(spell(text))


def _draw_named(point: np.ndarray, dot: tuple[object, ...]) -> str:
    """Return the dot of a label, with its rank, token, kind and count."""
    rank, token, kind, count = dot[:4]
    name, times = html.escape(spell(str(token))), tell_number(float(str(count)))
    return (
        f'<circle class="{name_color(str(kind))}" cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="3">'
        f"<title>{name}: rank {rank}, {times} times</title></circle>"
    )


def _draw_label(label: Label, token: str) -> str:
    place = f'x="{label.x:.1f}" y="{label.y:.1f}" text-anchor="{label.anchor}"'
    return f"<text {place}>{html.escape(spell(token))}</text>"
