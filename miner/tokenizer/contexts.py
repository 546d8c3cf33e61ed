"""A run folder to places of its units: in which text were they found?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from miner.errors import RunError
from miner.tokenizer.units import name_bytes

REACH = 3  # atoms of context on each side
CONTEXTS: dict[str, pl.DataType] = {
    "token": pl.String(), "before": pl.String(), "unit": pl.String(), "after": pl.String(),
}  # fmt: skip


def read_contexts(run: Path) -> pl.DataFrame:
    """Return a place of each unit that is a run, spelled as the corpus mostly writes its atoms.

    In the columns of `CONTEXTS`. RunError where the stages of the run are not there any more.
    """
    try:
        atoms = pl.read_parquet(run / "1_atoms" / "atoms.parquet")
        places = pl.read_parquet(
            run / "2_candidates" / "candidates.parquet", columns=["candidate", "length", "place"]
        )
        kept = pl.read_parquet(run / "proposals.parquet").filter(
            (pl.col("verdict") == "kept") & pl.col("candidate").is_not_null()
        )
        reading = json.loads((run / "1_atoms" / "reading.json").read_text(encoding="utf-8"))
        ids = np.memmap(run / "1_atoms" / "mined.ids.u32", np.uint32, mode="r")
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise RunError(
            f"the stages of the run cannot be read ({type(error).__name__})", where=str(run),
            cure="Copy the whole run folder, or mine again",
        ) from error  # fmt: skip
    found = kept.select("token", "candidate").join(
        places, on="candidate", how="inner", validate="m:1", maintain_order="left"
    )
    keys, start, end = _take_keys(ids, found)
    if reading["profile"] == "bytes":
        surface = pl.Series([name_bytes(text) for text in atoms["surface"]], dtype=pl.String)
    else:
        surface = atoms["surface"]
    column = np.arange(keys.shape[1])
    before = _spell(np.where(column < start[:, None], keys, 0), surface)
    inside = (column >= start[:, None]) & (column < end[:, None])
    unit = _spell(np.where(inside, keys, 0), surface)
    after = _spell(np.where(column >= end[:, None], keys, 0), surface)
    return pl.DataFrame(
        {"token": found["token"], "before": before, "unit": unit, "after": after}, schema=CONTEXTS
    )


def _take_keys(ids: np.ndarray, found: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the keys around each place, uint32 (places, columns), and where the unit lies."""
    lengths = found["length"].to_numpy().astype(np.int64)
    columns = np.arange(-REACH, int(lengths.max(initial=0)) + REACH)
    at = np.clip(found["place"].to_numpy().astype(np.int64)[:, None] + columns, 0, len(ids) - 1)
    keys = np.asarray(ids[at.ravel()]).reshape(at.shape).astype(np.uint32)
    inside = columns[None, :] < lengths[:, None] + REACH
    left = np.logical_and.accumulate(keys[:, REACH - 1 :: -1] != 0, axis=1)[:, ::-1]
    right = np.logical_and.accumulate((keys != 0)[:, REACH:] & inside[:, REACH:], axis=1)
    open_ = np.concatenate([left, right], axis=1)
    start = np.full(len(lengths), REACH, np.int64)
    return np.where(open_, keys, np.uint32(0)), start, start + lengths


def _spell(keys: np.ndarray, surface: pl.Series) -> pl.Series:
    """Return the text of each row of keys; 0 spells nothing, the space bit spells a space."""
    nothing = pl.Series("", [""], dtype=pl.String)
    spelling = pl.concat([nothing, surface.alias(""), nothing, " " + surface.alias("")])
    places = (keys >> 1).astype(np.int64) + (keys & 1) * np.int64(len(surface) + 1)
    places[keys == 0] = 0
    columns = [spelling.gather(column).alias(str(i)) for i, column in enumerate(places.T)]
    return pl.select(pl.concat_str(columns).alias("text"))["text"]
