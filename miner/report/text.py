"""Texts to HTML: how are they shown so that nothing hides and nothing acts?

Every text is escaped, isolated from the direction of its neighbours, and its invisible characters
are spelled out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from miner.report.screen import spell

KINDS = {
    "link": "Links", "hyperlexeme": "Hyperlexemes", "formula": "Formulas", "symbol": "Symbols",
    "marker": "Markers", "atom": "Atoms kept whole",
}  # fmt: skip


def show(text: object) -> str:
    """Return the text as HTML: escaped, isolated, invisible characters spelled out in a box."""
    return f"<bdi>{_box(str(text))}</bdi>"


def mark(before: str, text: str, after: str) -> str:
    """Return a text in its context, marked; white space of any kind is shown as one space.

    >>> mark("not ", "<b>\\n", "")
    '<bdi class="place">not <mark>&lt;b&gt;</mark></bdi>'
    """
    parts = [_box(re.sub(r"\s+", " ", part)) for part in (before.lstrip(), text, after.rstrip())]
    return f'<bdi class="place">{parts[0]}<mark>{parts[1].strip()}</mark>{parts[2]}</bdi>'


def _box(text: str) -> str:
    escaped = html.escape(spell(text, open_mark="\ue000", close_mark="\ue001"))
    return escaped.replace("\ue000", '<span class="hidden">').replace("\ue001", "</span>")


def make_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()
) -> str:
    """Return a table of ready HTML cells; a head that starts with `#` is of numbers.

    A note, where there is one for a row, stands below it, as wide as the table.
    """
    marks = [' class="n"' if head.startswith("#") else "" for head in heads]
    names = zip(marks, heads, strict=True)
    top = "".join(f"<th{mark}>{head.removeprefix('#')}</th>" for mark, head in names)
    body, noted = [], ' class="noted"'
    for i, row in enumerate(rows):
        cells = "".join(f"<td{m}>{cell}</td>" for m, cell in zip(marks, row, strict=True))
        note = notes[i] if i < len(notes) else ""
        below = f'\n<tr class="note"><td colspan="{len(heads)}">{note}</td></tr>' if note else ""
        body.append(f"<tr{noted if note else ''}>{cells}</tr>{below}")
    lines = "\n".join(body)
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{lines}</tbody></table>"


def make_bar(value: float, most: float, label: str) -> str:
    share = min(max(value / most, 0), 1) if most > 0 else 0
    return f'<span class="bar">{label}<i><b style="width:{100 * share:.0f}%"></b></i></span>'


def make_section(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()
) -> str:
    """Return a table under its title; nothing where it has no rows."""
    head = f"<h3>{title}</h3>" if title else ""
    return f"<section>{head}{make_table(heads, rows, notes)}</section>" if rows else ""
