"""The history of a training to one picture: does it still learn, and does it still generalise?

Bits per byte of held-back text are the line to read; the loss of each step is thin behind it, on
a scale of its own. One SVG file without scripts that loads nothing; it holds numbers alone.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from miner.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP_EDGE,
    WIDTH,
    draw_axes,
    find_ticks,
    join_points,
    make_scale,
)

MOST_POINTS = 400  # of the thin line
LOOK = """
svg{background:#fdfdfb}
text{font:12px system-ui,sans-serif;fill:#5c6570}
.strong{fill:#1d2126;font-weight:600}
.grid{stroke:#d9dce0;fill:none}
.loss{stroke:#a8470b;stroke-opacity:.45;fill:none}
.curve{stroke:#1b5fb4;stroke-width:2;fill:none}
.dot{fill:#1b5fb4}
@media (prefers-color-scheme:dark){svg{background:#15181c}text{fill:#a1a9b3}
.strong{fill:#e6e8ea}.grid{stroke:#383e46}.loss{stroke:#f2a765}.curve{stroke:#7db5ff}
.dot{fill:#7db5ff}}
"""
Point = tuple[float, float]


def draw_training(history: Sequence[dict[str, Any]], title: str) -> str:
    """Return the learning curve as an SVG file."""
    bits = [(line["step"], line["bits_per_byte"]) for line in history if "bits_per_byte" in line]
    losses = smooth([(line["step"], line["loss"]) for line in history if "loss" in line])
    last = max(bits[-1][0], 1)
    ticks = find_ticks(*widen([value for _, value in bits]), beyond=True)
    low, high = min(ticks[0], *(b for _, b in bits)), max(ticks[-1], *(b for _, b in bits))
    least, most = widen([value for _, value in losses] or [0.0])

    x, y = make_scale(0, last, LEFT, RIGHT), make_scale(low, high, BOTTOM, TOP_EDGE)
    behind = make_scale(least, most, BOTTOM, TOP_EDGE)
    dots = [(x(step), y(value)) for step, value in bits]
    parts = [
        draw_axes(
            [(x(step), f"{step:,.0f}") for step in find_ticks(0, last)],
            [(y(tick), f"{tick:.4g}") for tick in ticks],
            "steps",
            "bits per byte of held-back text; thin: loss of each step, on its own scale",
        ),
        f'<polyline class="loss" points="{join_points((x(s), behind(v)) for s, v in losses)}"/>',
        f'<polyline class="curve" points="{join_points(dots)}"/>',
        *(
            f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="3"><title>step {step:,}: '
            f"{value:.4f} bits per byte</title></circle>"
            for (a, b), (step, value) in zip(dots, bits, strict=True)
        ),
        *(
            f'<text class="strong" x="{a + side:.1f}" y="{b - 8:.1f}" text-anchor="{anchor}">'
            f"{value:.3f}</text>"
            for (a, b), (_, value), side, anchor in (
                (dots[0], bits[0], 6, "start"),
                (dots[-1], bits[-1], 0, "end"),
            )
        ),
    ]
    label = f"{title}: {bits[0][1]:.3f} to {bits[-1][1]:.3f} bits per byte in {last:,} steps"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(label)}"><style>{LOOK}</style>' + "".join(parts) + "</svg>\n"
    )


def smooth(points: Sequence[Point]) -> list[Point]:
    """Return at most `MOST_POINTS` points, each the mean of as many neighbours.

    >>> smooth([(1, 4.0), (2, 2.0)])
    [(1, 4.0), (2, 2.0)]
    """
    size = math.ceil(len(points) / MOST_POINTS) or 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], math.fsum(value for _, value in group) / len(group)) for group in groups]


def widen(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the largest value, apart where all agree."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
