"""Units to tables: what was found, where, and what means nearly the same?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from miner.report.screen import tell_number
from miner.report.text import KINDS, make_bar, make_section, mark, show

TOP = 50  # units shown of each kind
IN_FULL = 10  # of which two places are shown, one of the others
FAMILIES, MEMBERS = 20, 12
CONTEXTS: dict[str, pl.DataType] = {
    "rank": pl.UInt32(), "before": pl.String(), "unit": pl.String(), "after": pl.String(),
}  # fmt: skip


def list_shown(vocabulary: pl.DataFrame) -> pl.DataFrame:
    """Return the units whose places are shown: the best of every kind, in rank order."""
    if vocabulary.height == 0:
        return vocabulary
    return vocabulary.filter(pl.int_range(pl.len()).over("kind") < TOP)


def write_units(vocabulary: pl.DataFrame, contexts: pl.DataFrame, *, exact: bool) -> str:
    """Return the best units of every kind, each with its family and places of it."""
    kinds = vocabulary["kind"].unique().to_list() if vocabulary.height else []
    ordered = [kind for kind in KINDS if kind in kinds] + sorted(set(kinds) - set(KINDS))
    families, places = name_families(vocabulary), _show_places(contexts)
    parts = [
        _write_kind(vocabulary.filter(pl.col("kind") == kind), kind, families, places)
        for kind in ordered
    ]
    return f"""<h2 id="found">What was found</h2>
<p><b>Count</b> is how often the run occurs; <b>as unit</b>, in how many of these places it is the
unit, once those that overlap have competed for the text. A unit of a family means nearly the same
as the family's head. {_tell_places(contexts, exact=exact)}</p>
<div class="columns">{"".join(parts) or "<p>Nothing: no candidate was good enough.</p>"}</div>"""


def _tell_places(contexts: pl.DataFrame, *, exact: bool) -> str:
    if contexts.height == 0:
        return ""
    if exact:
        return "Below a unit is how the corpus has it."
    return "Below a unit is a place of it, as its atoms spell it: the run has no copy of the text."


def _show_places(contexts: pl.DataFrame) -> dict[int, list[str]]:
    """Return the places of each unit by its rank, ready to be shown, none twice."""
    places: dict[int, list[str]] = {}
    if contexts.height:
        for rank, *parts in contexts.select(*CONTEXTS).iter_rows():
            found = places.setdefault(rank, [])
            found += [shown for shown in [mark(*parts)] if shown not in found]
    return places


def _write_kind(
    units: pl.DataFrame,
    kind: str,
    families: Mapping[int, list[str]],
    places: Mapping[int, list[str]],
) -> str:
    rows, notes = [], []
    for place, unit in enumerate(units.head(TOP).iter_rows(named=True)):
        score = unit.get("score") or 0
        name = show(unit["token"]) + _tell_family(unit, families)
        numbers = [tell_number(unit.get(column)) for column in ("rank", "count", "unit_count")]
        rows.append((numbers[0], name, *numbers[1:], make_bar(score, 1, f"{score:.2f}")))
        found = places.get(unit.get("rank"), [])  # type: ignore[arg-type]
        notes.append("".join(found[: 2 if place < IN_FULL else 1]))
    shown = f"the best {TOP} of {tell_number(units.height)}" if units.height > TOP else len(rows)
    title = f"{show(KINDS.get(kind, kind))} ({shown})"
    return make_section(title, ["#rank", "token", "#count", "#as unit", "#score"], rows, notes)


def name_families(vocabulary: pl.DataFrame) -> dict[int, list[str]]:
    """Return the members of each family of two or more, its head, the best ranked, first."""
    if "family" not in vocabulary.columns:
        return {}
    members = vocabulary.drop_nulls("family").group_by("family", maintain_order=True).agg("token")
    return {family: tokens for family, tokens in members.iter_rows() if len(tokens) > 1}


def _tell_family(unit: Mapping[str, Any], families: Mapping[int, list[str]]) -> str:
    members = families.get(unit.get("family"), [])  # type: ignore[arg-type]
    if not members:
        return ""
    if members[0] == unit["token"]:
        return f"<small>head of a family of {tell_number(len(members))}</small>"
    return f"<small>family of {show(members[0])}</small>"


def write_families(vocabulary: pl.DataFrame) -> str:
    """Return the largest families, nothing where there are none."""
    families = name_families(vocabulary)
    if not families:
        return ""
    largest = sorted(families.values(), key=len, reverse=True)[:FAMILIES]
    rows = [
        (tell_number(len(tokens)), show(tokens[0]), _list_members(tokens[1:])) for tokens in largest
    ]
    total = sum(map(len, families.values()))
    count = tell_number(len(families))
    which = f"the largest {FAMILIES} of {count}" if len(families) > FAMILIES else count
    return f"""<h2 id="families">Families</h2>
<p>Units that mean nearly the same by their vectors, around the best ranked of them. Each keeps a
token of its own. {tell_number(total)} units are in families; {which}:</p>
{make_section("", ["#units", "head", "other members"], rows)}"""


def _list_members(tokens: list[str]) -> str:
    more = len(tokens) - MEMBERS
    rest = f" and {tell_number(more)} more" if more > 0 else ""
    return ", ".join(map(show, tokens[:MEMBERS])) + rest
