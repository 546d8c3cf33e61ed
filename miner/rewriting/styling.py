"""Units to signs of their own: which free sign, so that near meanings look alike?

A family has a sign, its head bears it as it is, the others with a number below: `⟁`, `⟁₁`, `⟁₂`. Or
a unit is its address, and near meanings begin alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import polars as pl

_BLOCKS = (  # alchemy, figures, symbols, ornaments, arrows and stars, hexagrams, technical signs
    (0x1F700, 0x1F773), (0x25A0, 0x25FF), (0x2600, 0x26FF), (0x2700, 0x27BF), (0x2B12, 0x2B59),
    (0x4DC0, 0x4DFF), (0x2300, 0x23FF),
)  # fmt: skip
_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
LEADS = 4  # of an alphabet of n signs n / LEADS begin a pair, the others stand alone


def list_alphabet() -> list[str]:
    """Return the signs that are used where the user names none: 930 symbols of Unicode."""
    codes = (chr(code) for first, last in _BLOCKS for code in range(first, last + 1))
    return [sign for sign in codes if unicodedata.category(sign) == "So"]


def free_signs(alphabet: Iterable[str], texts: Iterable[str]) -> list[str]:
    """Return the signs of an alphabet that no text has, each once.

    >>> free_signs("☀☔☀🌙", ["☔ rain"])
    ['☀', '🌙']
    """
    taken: set[str] = set().union(*map(set, texts))
    return [sign for sign in dict.fromkeys(alphabet) if taken.isdisjoint(sign)]


def list_signs(free: list[str], count: int) -> list[str]:
    """Return `count` signs at most, none the beginning of another: single ones, then pairs.

    >>> list_signs(["☀", "☔", "🌙"], 5)
    ['☀', '☔', '🌙☀', '🌙☔', '🌙🌙']
    """
    if count <= len(free):
        return free[:count]
    leads = max(1, len(free) // LEADS) if free else 0
    alone = free[: len(free) - leads]
    pairs = (lead + sign for lead in free[len(alone) :] for sign in free)
    return [*alone, *(pair for pair, _ in zip(pairs, range(count - len(alone)), strict=False))]


def number_addresses(units: pl.DataFrame, fields: pl.DataFrame) -> dict[int, str]:
    """Return the address of each unit by its `rank`, numbered below where others have it too.

    `units`: `rank`, `token`; `fields`: `token`, `address`. `VXS_ΔC1:R8K`, `VXS_ΔC1:R8K₁`.
    """
    known = fields.select("token", "address").unique("token", keep="first", maintain_order=True)
    found = units.sort("rank").join(known, on="token", how="inner", maintain_order="left")
    found = found.with_columns(place=pl.int_range(pl.len()).over("address"))
    return {
        rank: address + (str(place).translate(_BELOW) if place else "")
        for rank, address, place in found.select("rank", "address", "place").iter_rows()
    }


def assign_signs(units: pl.DataFrame, free: list[str]) -> dict[int, str]:
    """Return the sign of each unit by its `rank`; where signs run out, the last have none.

    `units`: `rank`, `family` (rank of the head). Families come in the order of their best.
    """
    rows = units.sort("rank")
    members: dict[int, list[int]] = {}
    for rank, family in rows.select("rank", "family").iter_rows():
        group = members.setdefault(family, [])
        group.insert(0, rank) if rank == family else group.append(rank)
    signs = list_signs(free, len(members))
    return {
        rank: sign + (str(place).translate(_BELOW) if place else "")
        for sign, group in zip(signs, members.values(), strict=False)
        for place, rank in enumerate(group)
    }
