"""The tables that flow from stage to stage: which columns, of which type?"""

from __future__ import annotations

import polars as pl

ATOMS: dict[str, pl.DataType] = {
    "atom": pl.UInt32(),
    "text": pl.String(),
    "surface": pl.String(),
    "count": pl.Int64(),
    "kind": pl.String(),
}

CANDIDATES: dict[str, pl.DataType] = {
    "candidate": pl.UInt32(),
    "length": pl.UInt8(),
    "count": pl.Int64(),
    "documents": pl.Int64(),
    "place": pl.Int64(),
    "left_stops": pl.Int64(),
    "right_stops": pl.Int64(),
    "whole": pl.Int64(),
    "capitals": pl.Int64(),
    "middle": pl.Int64(),
    "lines": pl.Int64(),
    "blocks": pl.Int64(),
    "again": pl.Int64(),
    "left_kinds": pl.Int64(),
    "right_kinds": pl.Int64(),
    "parts": pl.Int64(),
    "left_entropy": pl.Float64(),
    "right_entropy": pl.Float64(),
    "dispersion": pl.Float64(),
}

SCORES: dict[str, pl.DataType] = {
    "candidate": pl.UInt32(),
    "length": pl.UInt8(),
    "count": pl.Int64(),
    "documents": pl.Int64(),
    "dispersion": pl.Float64(),
    "left_entropy": pl.Float64(),
    "right_entropy": pl.Float64(),
    "pmi": pl.Float64(),
    "npmi": pl.Float64(),
    "log_likelihood": pl.Float64(),
    "dice": pl.Float64(),
    "forward": pl.Float64(),
    "backward": pl.Float64(),
    "nestedness": pl.Float64(),
}


def checked(table: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Return `table` if it has the columns of `schema`, in order, else say what differs."""
    found = dict(table.schema)
    if list(found.items()) != list(schema.items()):
        raise ValueError(f"the table has {found}, expected {schema}")
    return table
