"""A comparison to a table for a screen: one measure a row, one tokenizer a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from miner.report.screen import fill, fit, fit_middle, measure_width, tell_size
from miner.tokenizer.comparing.comparison import Comparison

WIDTH = 100
LABEL = 33  # columns of the widest label
SPLIT, GOES_ON = "|", "·"
Row = tuple[str, list[str]]
Figures = dict[str, Any]


def summarize_comparison(comparison: Comparison) -> str:
    """Return the comparison as a table and examples that fit a screen of `WIDTH` columns."""
    corpus = comparison.corpus
    lines = [
        f"{corpus['documents']:,} documents, {corpus['bytes']:,} bytes, {corpus['words']:,} words: "
        + fit(", ".join(corpus["paths"]), WIDTH),
        *_tell_units(comparison),
        "",
        *_lay_table(comparison),
        "",
        *_lay_examples(comparison),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _tell_units(comparison: Comparison) -> list[str]:
    if comparison.units is None:
        return ["units: none listed, neither by a run nor by a tokenizer of miner"]
    units = comparison.units
    source = fit(units["source"], 60)
    return [f"{units['count']:,} units of {source}: {units['places']:,} places"]


def list_rows(comparison: Comparison) -> list[Row]:
    """Return the label and the cells of every row that some tokenizer has a value for."""
    sections = [_list_size, _list_savings, _list_meaning, _list_losses]
    rows = [row for section in sections for row in section(comparison)]
    return [(label, [cell or "-" for cell in cells]) for label, cells in rows if any(cells)]


def _fill(comparison: Comparison, cell: Callable[[Figures], str]) -> list[str]:
    return [cell(entry) for entry in comparison.tokenizers]


def _list_size(comparison: Comparison) -> list[Row]:
    return [
        (label, _fill(comparison, cell))
        for label, cell in (
            ("kind", lambda t: "semantic" if t["semantic"] else "classical"),
            ("mode", lambda t: t["mode"]),
            ("ids", lambda t: f"{t['vocabulary']:,}"),
            ("ids used here", lambda t: f"{t['share_used']:.1%}"),
            ("tokens", lambda t: f"{t['tokens']:,}"),
            ("bytes per token", lambda t: f"{t['bytes_per_token']['value']:.3f}"),
            ("  95% interval", lambda t: tell_interval(t["bytes_per_token"])),
            ("  times the first", lambda t: f"{t['ratio']['value']:.3f}"),
            ("  95% interval", lambda t: tell_interval(t["ratio"])),
            ("tokens per document, mean", lambda t: f"{t['tokens_per_document']['mean']:,.2f}"),
            ("  median", lambda t: f"{t['tokens_per_document']['median']:,.1f}"),
            ("tokens per scene", lambda t: f"{t['tokens_per_scene']:,.2f}"),
            ("tokens per word (fertility)", lambda t: f"{t['tokens_per_word']:.3f}"),
        )
    ]


def _list_savings(comparison: Comparison) -> list[Row]:
    cells: dict[str, Callable[[Figures], str]] = {
        "tokens saved against the first": lambda s: f"{s['share']:.1%}",
        "attention cost (n squared)": lambda s: f"{s['attention_ratio']:.3f}",
        f"KV cache, {comparison.shape['name']}": lambda s: tell_size(s["kv_bytes"]),
        "  per document": lambda s: tell_size(s["kv_bytes_per_document"]),
    }
    return [
        (label, [cell(entry["savings"]) for entry in comparison.tokenizers])
        for label, cell in cells.items()
    ]


def _list_meaning(comparison: Comparison) -> list[Row]:
    def unit(key: str, form: str) -> Callable[[Figures], str]:
        return lambda t: "" if t["units"] is None else format(t["units"][key], form)

    def capacity(key: str, form: str) -> Callable[[Figures], str]:
        return lambda t: "" if t["capacity"][key] is None else format(t["capacity"][key], form)

    return [
        (label, _fill(comparison, cell))
        for label, cell in (
            ("places of units: one token", unit("whole", ",")),
            ("  share", unit("share_whole", ".1%")),
            ("  inside a longer token", unit("inside", ",")),
            ("  cut apart", unit("apart", ",")),
            ("  tokens each", unit("tokens_each", ".3f")),
            ("bits per token", lambda t: f"{t['bits_per_token']:.3f}"),
            ("bits per byte", lambda t: f"{t['bits_per_byte']:.3f}"),
            ("Renyi efficiency (2.5)", lambda t: f"{t['renyi_efficiency']:.3f}"),
            ("neighbours of a token", capacity("per_token", ",.1f")),
            ("units that are one token here", capacity("units", ",")),
            ("  neighbours of one", capacity("per_unit", ",.1f")),
            ("  units that lie near one", capacity("near", ",.1f")),
        )
    ]


def _list_losses(comparison: Comparison) -> list[Row]:
    back = [entry["round_trip"] for entry in comparison.tokenizers]
    folded = any(entry["canonical"] for entry in back)
    return [
        ("documents that come back", [f"{entry['exact']:,}" for entry in back]),
        ("  in canonical form only", [f"{e['canonical']:,}" if folded else "" for e in back]),
        ("  changed", [f"{entry['lost']:,}" for entry in back]),
        ("unknown tokens", _fill(comparison, lambda t: f"{t['unknown']:,}")),
    ]


def tell_interval(measure: Figures) -> str:
    """Return an interval in few characters, a dash where there is none."""
    return "-" if measure["low"] is None else f"{measure['low']:.3f}-{measure['high']:.3f}"


def _lay_table(comparison: Comparison) -> list[str]:
    """Return the lines of the table; the middle of a name too long for its column is left out."""
    names = [entry["name"] for entry in comparison.tokenizers]
    rows = list_rows(comparison)
    widest = max(measure_width(cell) for _, cells in rows for cell in cells)
    room = max((WIDTH - LABEL) // len(names) - 2, widest)
    heads = [fit_middle(name, room) for name in names]
    widths = [
        max(measure_width(head), *(measure_width(cells[place]) for _, cells in rows))
        for place, head in enumerate(heads)
    ]
    lines = [
        fill(label, LABEL)
        + "".join("  " + fill(c, w, right=True) for c, w in zip(cells, widths, strict=True))
        for label, cells in [("", heads), *rows]
    ]
    if heads == names:
        return lines
    legend = [
        f"{head}: {fit(name, WIDTH - measure_width(head) - 2)}"
        for head, name in zip(heads, names, strict=True)
        if head != name
    ]
    return [*legend, "", *lines]


def _lay_examples(comparison: Comparison) -> list[str]:
    lines: list[str] = []
    names = [fit_middle(entry["name"], 20) for entry in comparison.tokenizers]
    width = max(map(measure_width, names))
    for place in range(len(comparison.texts)):
        for name, entry in zip(names, comparison.tokenizers, strict=True):
            cut = entry["examples"][place]
            pieces = join_pieces(cut, WIDTH - width - 7)
            lines.append(f"{fill(name, width)}  {len(cut):>3}  {pieces}")
        lines.append("")
    return lines[:-1]


def join_pieces(pieces: Sequence[str], room: int) -> str:
    """Return pieces with bars between them, in at most `room` columns.

    A dot goes on with the character before it.

    >>> join_pieces(["жар", " тишина"], 80), join_pieces(["a\\u202e"], 80)
    ('жар| тишина', 'a[U+202E]')
    """
    return fit(SPLIT.join(piece or GOES_ON for piece in pieces), room)
