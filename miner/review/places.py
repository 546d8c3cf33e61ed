"""Proposals to places on the map: where do the refused ones lie among the kept?"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from miner.runs.files import make_plain_folder, replace_file
from miner.runs.finished import Finished
from miner.runs.names import MAP, PLACES, find_stage
from miner.vectors.layout import place_beside

MOST = 20_000  # points drawn in all


@dataclass(frozen=True)
class Points:
    """Where rows lie on the map: `rows` int64 (n,), best first; `places` float32 (n, 2)."""

    rows: np.ndarray
    places: np.ndarray


def find_points(run: Finished, table: pl.DataFrame) -> Points:
    """Return the places of the kept runs, and of the refused that score best, `MOST` in all.

    The places of the refused are found once and kept in the run's folder.
    """
    drawn = find_stage(run.folder, "vocabulary") / MAP
    if not drawn.exists():
        return Points(np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
    kept = _place_kept(run, table, pl.read_parquet(drawn)).head(MOST)
    refused = (
        table.filter(pl.col("verdict") != "kept", pl.col("candidate").is_not_null())
        .sort("score", "row", descending=[True, False], nulls_last=True)
        .head(MOST - kept.height)
        .select("row", "token", "candidate")
    )
    placed = _read_cache(run.folder / PLACES, refused, drawn)
    if placed is None:
        placed = _place_refused(run, kept, refused)
        _write_cache(run.folder / PLACES, placed)
    both = pl.concat([kept.select("row", "x", "y"), placed.select("row", "x", "y")])
    places = both.select("x", "y").to_numpy().astype(np.float32)
    return Points(both["row"].to_numpy().astype(np.int64), places)


def _place_kept(run: Finished, table: pl.DataFrame, drawn: pl.DataFrame) -> pl.DataFrame:
    """Return `row, candidate, x, y` of the kept runs, best first."""
    ranks = run.units.select("rank", "token", "candidate")
    rows = table.select("row", "candidate").filter(pl.col("candidate").is_not_null())
    return (
        drawn.join(ranks, on="rank", validate="1:1")
        .join(rows, on="candidate", validate="1:1")
        .sort("rank")
    )


def _place_refused(run: Finished, kept: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    points = kept.select("x", "y").to_numpy().astype(np.float32)
    vectors, others = (
        np.asarray(run.vectors[part["candidate"].to_numpy()], np.float32)
        for part in (kept, refused)
    )
    x, y = place_beside(points, vectors, others, seed=0).T
    return refused.select("row", "token").with_columns(x=pl.Series(x), y=pl.Series(y))


def _read_cache(place: Path, refused: pl.DataFrame, drawn: Path) -> pl.DataFrame | None:
    """Return the places found before, None where they are not those of this run."""
    try:
        if place.stat().st_mtime_ns < drawn.stat().st_mtime_ns:
            return None
        placed = pl.read_parquet(place)
        same = placed.select("row", "token").equals(refused.select("row", "token"))
        return placed.select("row", "token", "x", "y") if same else None
    except (OSError, pl.exceptions.PolarsError):
        return None  # not there, or cut off: it is found again


def _write_cache(place: Path, placed: pl.DataFrame) -> None:
    """Keep the places for the next time; a folder that takes no files is no harm."""
    content = BytesIO()
    placed.write_parquet(content)
    try:
        make_plain_folder(place.parent)
        replace_file(place, content.getvalue())
    except OSError:
        return
