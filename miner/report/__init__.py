"""A run to one page: what was found, why, and what was refused?

One HTML file that needs nothing else: no script, no font, no network. Its content policy forbids
them too, so that a corpus full of markup stays text. Nothing from the corpus stands in an
attribute.

screen              texts and numbers to columns
text                texts to HTML                 units, sections   the parts of the page
charts, map         figures to pictures           style, page       its look, and all of it
"""

from __future__ import annotations

from miner.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP_EDGE,
    WIDTH,
    draw_axes,
    draw_scatter,
    find_decades,
    find_ticks,
)
from miner.report.page import write_report
from miner.report.screen import is_invisible, spell
from miner.report.sections import VERDICTS
from miner.report.style import POLICY, STYLE
from miner.report.text import show
from miner.report.units import CONTEXTS, list_shown

__all__ = [
    "BOTTOM",
    "CONTEXTS",
    "HEIGHT",
    "LEFT",
    "POLICY",
    "RIGHT",
    "STYLE",
    "TOP_EDGE",
    "VERDICTS",
    "WIDTH",
    "draw_axes",
    "draw_scatter",
    "find_decades",
    "find_ticks",
    "is_invisible",
    "list_shown",
    "show",
    "spell",
    "write_report",
]
