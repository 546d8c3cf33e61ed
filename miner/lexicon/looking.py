"""A text, a number or an address to all that a lexicon knows of it, ready for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from miner.errors import UsageError
from miner.fields.addresses import read_address
from miner.lexicon.lexicon import Lexicon

NEAREST = 8
WAYS = ("auto", "text", "id", "address")


def look_up(
    lexicon: Lexicon, text: str, *, by: str = "auto", k: int = NEAREST, layer: str | None = None
) -> dict[str, Any]:
    """Return what is known of a text: `text, rank, unit, ids, field, made_of, nearest, ...`.

    `by` is one of `WAYS`: what `text` is. `auto`: a text; an address where it is written as one and
    is no unit. `id` is one of the tokenizer, or a rank where none was named.
    """
    if by not in WAYS:
        raise UsageError(f"by is {by!r}", cure=f"It must be {' or '.join(WAYS)}")
    if layer is not None:
        items = lexicon.search_layer(layer, text, k)
        return {"text": text, "layer": layer, "items": items.to_dicts()}
    rank = _find(lexicon, text, by)
    if rank is not None:
        return _look_up_unit(lexicon, rank, k)
    if by == "address" or (by == "auto" and _is_address(lexicon, text)):
        return _look_up_address(lexicon, text, k)
    return _look_up_text(lexicon, text, k)


def _is_address(lexicon: Lexicon, text: str) -> bool:
    """Say whether a text is an address: written as one, or nothing else that the corpus has."""
    if read_address(text) is None:
        return False
    return "_Δ" in text.upper() or lexicon.decompose(text).by == "nothing"


def _find(lexicon: Lexicon, text: str, by: str) -> int | None:
    if by == "address":
        return None
    if by != "id":
        return lexicon.find(text)
    if not text.strip().isdecimal():
        raise UsageError(f"{text!r} is no id", cure="Give a whole number")
    rank = lexicon.by_id(int(text))
    if rank is None:
        raise UsageError(f"no unit has the id {text}", cure="Other tokens are not known here")
    return rank


def _look_up_unit(lexicon: Lexicon, rank: int, k: int) -> dict[str, Any]:
    unit = lexicon.unit(rank)
    near = lexicon.near(rank, k, beside=unit["atoms"])
    return {
        "text": unit["token"],
        "rank": rank,
        "unit": {name: unit[name] for name in ("token", "surface", "glued", "kind", "count")},
        "ids": [{"id": number, "text": text} for number, text in lexicon.ids(rank)],
        "made_of": asdict(lexicon.decompose(unit["token"])),
        "merges": [list(pair) for pair in lexicon.build(rank)],
        "field": lexicon.field(rank),
        "nearest": near.to_dicts(),
    }


def _look_up_text(lexicon: Lexicon, text: str, k: int) -> dict[str, Any]:
    row = lexicon.vector(text).reshape(1, -1)
    told = lexicon.fields.space.tell(row).row(0, named=True)
    made = lexicon.decompose(text)
    return {
        "text": text,
        "rank": None,
        "made_of": asdict(made),
        "field": {"address": told.pop("address"), "facets": told},
        "nearest": lexicon.near(row[0], k, beside=made.parts).to_dicts(),
    }


def _look_up_address(lexicon: Lexicon, text: str, k: int) -> dict[str, Any]:
    return {
        "text": text,
        "rank": None,
        "region": lexicon.in_region(text).head(k).to_dicts(),
        "nearest": lexicon.near_address(text, k).to_dicts(),
        "prefixes": lexicon.fields.about.get("prefixes", []),
    }
