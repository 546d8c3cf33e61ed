"""Figures to SVG: bars with intervals, and lines with names.

Colours are those of the page: `--k0`, `--k1` and so on, by the place of a
tokenizer; a classical one is hatched, so that a bar says what it is without its colour too.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from miner.report.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP_EDGE,
    WIDTH,
    draw_axes,
    join_points,
    make_scale,
    make_svg,
)

COLORS = 6  # tokenizers that are told apart by colour
DASHES = ("", "7 3", "2 3", "9 3 2 3")
ROW = 42  # of bars

Bar = tuple[str, dict[str, Any], int, bool]  # name, value with low and high, place, semantic
Line = tuple[str, int, list[tuple[float, float]]]  # name, place, points
Tick = tuple[float, str]


def draw_bars(bars: Sequence[Bar], tell: Callable[[float], str], *, most: float = 0.0) -> str:
    """Return one bar a tokenizer from 0 on; `most` is the longest, or the largest value."""
    top = most or max(max(m["value"], m.get("high") or 0) for _, m, _, _ in bars) or 1.0
    span = WIDTH - 90
    parts = [_draw_hatches(bars)]
    for row, (name, measure, place, semantic) in enumerate(bars):
        y, end = row * ROW, span * measure["value"] / top
        color = f"var(--k{place % COLORS})" if semantic else f"url(#h{place % COLORS})"
        label = max(end, span * (measure.get("high") or 0) / top) + 8
        parts.append(
            f'<text class="name" x="0" y="{y + 14}">{html.escape(name)}</text>'
            f'<rect class="track" x="0" y="{y + 20}" width="{span}" height="16"/>'
            f'<rect x="0" y="{y + 20}" width="{end:.1f}" height="16" '
            f'style="fill:{color};stroke:var(--k{place % COLORS})"/>'
            + _draw_whisker(measure, span / top, y + 28)
            + f'<text class="strong" x="{label:.1f}" y="{y + 33}">'
            + f"{html.escape(tell(measure['value']))}</text>"
        )
    told = "; ".join(f"{name}: {tell(measure['value'])}" for name, measure, _, _ in bars)
    return make_svg(parts, told, height=len(bars) * ROW + 4)


def _draw_hatches(bars: Sequence[Bar]) -> str:
    """Return the hatch of each colour that a classical tokenizer needs."""
    colors = {place % COLORS for _, _, place, semantic in bars if not semantic}
    hatches = "".join(
        f'<pattern id="h{color}" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><path d="M0 0V6" '
        f'style="stroke:var(--k{color});stroke-width:5"/></pattern>'
        for color in sorted(colors)
    )
    return f"<defs>{hatches}</defs>" if hatches else ""


def _draw_whisker(measure: dict[str, Any], scale: float, y: float) -> str:
    if measure.get("low") is None:
        return ""
    low, high = measure["low"] * scale, measure["high"] * scale
    return (
        f'<path class="whisker" d="M{low:.1f} {y - 5}v10M{high:.1f} {y - 5}v10'
        f'M{low:.1f} {y}H{high:.1f}"/>'
    )


def draw_lines(
    lines: Sequence[Line],
    x_ticks: Sequence[Tick],
    y_ticks: Sequence[Tick],
    x_name: str,
    y_name: str,
) -> str:
    """Return lines over a grid; the field ends where the values or the last tick do."""
    first = min(x_ticks[0][0], *(points[0][0] for _, _, points in lines), x_ticks[-1][0])
    last = max(x_ticks[-1][0], *(points[-1][0] for _, _, points in lines))
    high = max(y_ticks[-1][0], *(y for _, _, points in lines for _, y in points)) or 1

    x, y = make_scale(first, last, LEFT, RIGHT), make_scale(0, high, BOTTOM, TOP_EDGE)
    parts = [
        draw_axes(
            [(x(value), name) for value, name in x_ticks],
            [(y(value), name) for value, name in y_ticks],
            x_name,
            y_name,
        )
    ]
    for name, place, points in lines:
        dash = DASHES[place % len(DASHES)]
        path = join_points((x(a), y(b)) for a, b in points)
        parts.append(
            f'<polyline class="line" style="stroke:var(--k{place % COLORS})"'
            + (f' stroke-dasharray="{dash}"' if dash else "")
            + f' points="{path}"><title>{html.escape(name)}</title></polyline>'
        )
    return make_svg(parts, f"{y_name} by {x_name}")
