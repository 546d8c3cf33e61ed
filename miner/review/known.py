"""The fields of a run to columns of the review: what is known of a row beyond its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from miner.errors import RunError
from miner.fields import read_fields
from miner.fields.layers import read_layers
from miner.report.screen import spell

STRUCTURE = ("resonance", "direction", "tension")


def list_known(run: Path, table: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return a column for each field, in the order of `table`, and what a person should know.

    `address`, `scene`, the facets, the structure, then the layers of people; null where a row is
    no unit, or nothing is known of it. A run whose fields cannot be read has none, and says so.
    """
    try:
        fields, layers = read_fields(run), read_layers(run)
    except RunError as error:
        return table.select(), [str(error)]
    kept = fields.table.select("token", "address", "scene", *fields.space.facets, *STRUCTURE)
    for name, layer in layers.items():
        said = layer.table.select("token", text="value" if layer.rows is None else "item")
        texts = said.drop_nulls().group_by("token").agg(pl.col("text").str.join(", "))
        column = f"{name} (layer)" if name in kept.columns else name
        kept = kept.join(texts.rename({"text": column}), on="token", how="left", validate="m:1")
    units = pl.when(pl.col("verdict") == "kept").then("token")
    known = table.select(token=units).join(
        kept, on="token", how="left", maintain_order="left", validate="m:1"
    )
    return known.drop("token"), []


def show_value(value: Any) -> str:
    """Return a field as the table shows it.

    >>> show_value(0.123), show_value(None), show_value("VXS_ΔC1:R8K")
    ('+0.12', '', 'VXS_ΔC1:R8K')
    """
    if value is None:
        return ""
    return f"{value:+.2f}" if isinstance(value, float) else spell(str(value))
