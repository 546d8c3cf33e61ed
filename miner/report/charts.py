"""Figures to pictures: how do the savings grow, and where do kept and refused runs lie?"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl

from miner.mining.savings import find_knee
from miner.report.screen import tell_number, tell_percent

WIDTH, HEIGHT, LEFT, RIGHT, TOP_EDGE, BOTTOM = 460, 300, 50, 446, 30, 254  # of a chart
MOST_POINTS = 2_000  # in the scatter, half of them kept units
Scale = Callable[[float], float]


def draw_curve(curve: pl.DataFrame) -> str:
    """Return the savings curve as SVG: the line, its interval as a band, the knee marked."""
    rows = curve.select("units", "saved", "low", "high").rows()
    last, knee = rows[-1], find_knee(curve)
    x_ticks = find_ticks(0, max(last[0], 1))
    y_ticks = find_ticks(0, max(max(row[3] for row in rows), 1e-4) * 1.08, beyond=True)
    x = make_scale(0, max(last[0], 1), LEFT, RIGHT)
    y = make_scale(0, y_ticks[-1], BOTTOM, TOP_EDGE)
    outline = [(x(k), y(high)) for k, _, _, high in rows]
    outline += [(x(k), y(low)) for k, _, low, _ in reversed(rows)]
    parts = [
        draw_axes(
            [(x(v), tell_number(v)) for v in x_ticks],
            [(y(v), f"{100 * v:.3g} %") for v in y_ticks],
            "units in the vocabulary",
            "atoms saved",
        ),
        f'<polygon class="band" points="{join_points(outline)}"/>',
        f'<polyline class="curve" points="{join_points((x(k), y(s)) for k, s, _, _ in rows)}"/>',
        *(
            f'<circle class="dot" cx="{x(k):.1f}" cy="{y(s):.1f}" r="3"><title>'
            f"{tell_number(k)} units save {tell_percent(s)}</title></circle>"
            for k, s, _, _ in rows
        ),
        f'<text class="strong" x="{x(last[0]):.1f}" y="{y(last[3]) - 8:.1f}" '
        f'text-anchor="end">{tell_percent(last[1])}</text>',
        *(
            [
                _draw_knee(
                    x(knee), y(dict(curve.select("units", "saved").rows())[knee]), knee, last[0]
                )
            ]
            if knee
            else []
        ),
    ]
    most = f"{tell_percent(last[1])} of the atoms saved by {tell_number(last[0])} units"
    label = f"{most}; knee at {knee}"
    return make_svg(parts, label)


def _draw_knee(x: float, y: float, knee: int, last: int) -> str:
    words = "still paying" if knee == last else "more stop paying"
    end = x > (LEFT + RIGHT) / 2
    place = f'x="{x - 6 if end else x + 6:.1f}" text-anchor="{"end" if end else "start"}"'
    return (
        f'<path class="knee" d="M{x:.1f} {y:.1f}V{BOTTOM}"/>'
        f'<text class="strong" {place} y="{BOTTOM - 26}">{tell_number(knee)} units:</text>'
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
    x = make_scale(math.log10(low[0]), math.log10(high[0]), LEFT + 8, RIGHT - 8)
    y_ticks = find_ticks(low[1], high[1])
    y = make_scale(low[1], high[1], BOTTOM - 8, TOP_EDGE + 8)
    parts = [
        draw_axes(
            [(x(math.log10(v)), tell_number(v)) for v in find_decades(low[0], high[0])],
            [(y(v), f"{v:.2g}") for v in y_ticks],
            "count (log scale)",
            "NPMI: how much more than chance",
        ),
        _draw_points(refused, x, y, "refused", "M{:.1f} {:.1f}m-2-2l4 4m0-4l-4 4"),
        _draw_points(kept, x, y, "kept", "M{:.1f} {:.1f}h0"),
        f'<path class="kept" d="M{RIGHT - 138} 12h0"/>'
        f'<text class="kept-name" x="{RIGHT - 130}" y="16">kept</text>'
        f'<path class="refused" d="M{RIGHT - 75} 12m-2-2l4 4m0-4l-4 4"/>'
        f'<text class="refused-name" x="{RIGHT - 67}" y="16">refused</text>',
    ]
    label = f"NPMI against count of {len(kept)} kept and {len(refused)} refused candidates"
    return f"""<figure>{make_svg(parts, label)}<figcaption>{tell_number(len(kept))} kept (dots) and
{tell_number(len(refused))} refused candidates (crosses), drawn at random, small counts spread
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
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    x_name: str,
    y_name: str,
) -> str:
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


def make_svg(
    parts: Iterable[str], label: str, *, width: int = WIDTH, height: float = HEIGHT
) -> str:
    """Return a picture of ready parts; `label` is text, for who does not see it."""
    size = f'viewBox="0 0 {width} {height:.0f}" role="img"'
    return f'<svg {size} aria-label="{html.escape(label)}">{"".join(parts)}</svg>'


def make_figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def join_points(pairs: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)


def make_scale(low: float, high: float, start: float, end: float) -> Scale:
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
