"""Units to markers: how does a link hold together, written behind it?

_RESO_   resonance: its parts recur together across a document
_FORE_   direction: the left part calls for the right one
_BACK_   direction: the right part calls for the left one
_TENS_   tension: words of far meanings stand close
"""

from __future__ import annotations

import polars as pl

MARKERS = {
    "_RESO_": pl.col("resonance"), "_FORE_": pl.col("direction"),
    "_BACK_": -pl.col("direction"), "_TENS_": pl.col("tension"),
}  # fmt: skip
SHARE = 0.2  # of the units bear a marker: those in which it is strongest


def list_markers(fields: pl.DataFrame) -> dict[str, str]:
    """Return the markers of each unit that has some, by its token: `_RESO_ _TENS_`.

    `fields`: `token`, `resonance`, `direction`, `tension`, null where they are not known. A marker
    is where its measure is above 0 and among the highest `SHARE` of the run.
    """
    told = [
        pl.when((measure > 0) & (measure >= measure.quantile(1 - SHARE, "higher")))
        .then(pl.lit(name))
        .alias(name)
        for name, measure in MARKERS.items()
    ]
    marked = fields.with_columns(pl.col("resonance", "direction", "tension").fill_nan(None)).select(
        "token", marks=pl.concat_str(told, separator=" ", ignore_nulls=True)
    )
    return dict(marked.filter(pl.col("marks") != "").iter_rows())
