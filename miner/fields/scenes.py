"""Families to scene tokens: which member stands for all, and where does their field lie?"""

from __future__ import annotations

import numpy as np
import polars as pl

from miner.vectors.neighbors import unit_rows

SCENES = {
    "family": pl.UInt32(), "anchor": pl.UInt32(), "members": pl.List(pl.UInt32()),
    "closeness": pl.Float32(),
}  # fmt: skip


def find_scenes(units: pl.DataFrame, vectors: np.ndarray) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the families of two and more, and where the field of each lies, float32 (rows, dim).

    `family` is the rank of its head, `anchor` that of the member nearest to the field, the mean of
    the members by how many places they own; `members` ranks, `closeness` their mean cosine to it.
    """
    grouped = units.select("rank", "family", "unit_count", "count").with_row_index("row")
    grouped = grouped.filter(pl.col("family").is_not_null())
    grouped = grouped.filter(pl.len().over("family") > 1).sort("family", "rank")
    heads, starts = np.unique(grouped["family"].to_numpy(), return_index=True)
    if not len(heads):
        return pl.DataFrame(schema=SCENES), np.zeros((0, vectors.shape[1]), np.float32)
    rows = vectors[grouped["row"].to_numpy()]
    weights = np.maximum(grouped["unit_count"].fill_null(0).to_numpy(), 1).astype(np.float32)
    fields = unit_rows(np.add.reduceat(rows * weights[:, None], starts, axis=0))
    of_row = np.repeat(np.arange(len(heads)), np.diff([*starts, grouped.height]))
    cosines = np.einsum("ij,ij->i", rows, fields[of_row]).astype(np.float32)
    scenes = (
        grouped.with_columns(cosine=pl.Series(cosines))
        .group_by("family", maintain_order=True)
        .agg(
            anchor=pl.col("rank").sort_by("cosine", descending=True).first(),
            members=pl.col("rank"),
            closeness=pl.col("cosine").mean(),
        )
    )
    return scenes.cast(pl.Schema(SCENES)), fields


def write_scene(anchor: str, address: str) -> str:
    """Return the name of a scene token: its anchor and the address of its field.

    >>> write_scene("жартишина", "VXS_ΔC1:R8K")
    'жартишина@VXS_ΔC1:R8K'
    """
    return f"{anchor}@{address}"
