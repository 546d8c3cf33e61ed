"""What was looked up to a screen of text; nothing invisible is left in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from miner.report.screen import fill, lay_context, spell

BAR = 12  # columns of a facet of 1


def describe_lookup(found: Mapping[str, Any]) -> str:
    """Return what `look_up` found as text for a terminal."""
    if "items" in found:
        return _describe_items(found)
    if "region" in found:
        return _describe_region(found)
    lines = [_head(found), _describe_parts(found["made_of"])]
    field = found["field"]
    if field.get("address"):
        lines.append(f"  address    {field['address']}")
    lines += [_describe_facets(field["facets"]), *_describe_unit(found)]
    blocks = ["\n".join(line for line in lines if line)]
    places = [_describe_place(place) for place in field.get("contexts", [])]
    blocks.append("\n".join(["Typical places", *places]) if places else "")
    blocks.append(_describe_near(found["nearest"]))
    return "\n\n".join(block for block in blocks if block)


def _head(found: Mapping[str, Any]) -> str:
    if found["rank"] is None:
        return f"«{spell(found['text'])}» is no unit of this run"
    unit = found["unit"]
    ids = ", ".join(f"{row['id']} ({spell(row['text'])})" for row in found["ids"])
    told = f"unit {found['rank']:,}, {unit['kind']}, {unit['count']:,} times"
    return f"«{spell(unit['token'])}»  {told}" + (f", id {ids}" if ids else "")


def _describe_parts(made: Mapping[str, Any]) -> str:
    parts = " | ".join(
        spell(part) + ("" if known else "?")
        for part, known in zip(made["parts"], made["known"], strict=True)
    )
    if made["by"] in ("unit", "atoms"):
        return f"  made of    {parts}"
    sure = f"{made['certainty']:.3f}".removeprefix("0")
    if made["by"] == "nothing":
        return f"  made of    nothing that the corpus has ({sure})"
    rivals = "; ".join(" | ".join(map(spell, rival["parts"])) for rival in made["rivals"][:1])
    return f"  made of    {parts}, sure by {sure}" + (f" (or {rivals})" if rivals else "")


def _describe_facets(facets: Mapping[str, float | None]) -> str:
    told = [
        f"{spell(name)} {value:+.2f} {'█' * round(max(value, 0) * BAR)}".rstrip()
        for name, value in facets.items()
        if value is not None
    ]
    return "  facets     " + ", ".join(told) if told else ""


def _describe_unit(found: Mapping[str, Any]) -> list[str]:
    if found["rank"] is None:
        return []
    field = found["field"]
    structure = field["structure"].items()
    told = [f"{name} {value:+.2f}" for name, value in structure if value is not None]
    lines = ["  structure  " + ", ".join(told)] if told else []
    if field["scene"]:
        scene = field["scene"]
        members = ", ".join(map(spell, scene["members"]))
        lines.append(f"  scene      {spell(scene['name'])}: {members}")
    if field["label"]:
        lines.append(f"  operation  {spell(field['label'])}")
    for name, values in field["layers"].items():
        lines.append(f"  {fill(name, 10)} " + ", ".join(map(spell, values)))
    return lines


def _describe_place(place: Mapping[str, str]) -> str:
    return lay_context(place["before"], place["unit"], place["after"])


def _describe_near(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"  {row['cosine']:+.2f}  {row.get('address', '')}{'  ' * ('address' in row)}"
        f"{spell(row['token'])}  ({row['rank']:,})"
        for row in rows
    ]
    return "\n".join(["Nearest", *lines]) if lines else ""


def _describe_region(found: Mapping[str, Any]) -> str:
    rows = found["region"]
    inside = [f"  {row['address']}  {spell(row['token'])}  ({row['rank']:,})" for row in rows]
    head = f"{spell(found['text'])}: an address"
    blocks = [head, "\n".join(["Begin so", *inside]) if inside else "No address begins so."]
    return "\n\n".join([*blocks, _describe_near(found["nearest"])])


def _describe_items(found: Mapping[str, Any]) -> str:
    lines = [
        f"  {row['score']:+.2f}  {spell(row['item'] or '')}"
        + (f"  ({spell(row['token'])})" if row["token"] else "")
        for row in found["items"]
    ]
    return "\n".join([f"«{spell(found['text'])}» in {spell(found['layer'])}", *lines])
