"""Keys to text: how is a run of atoms written?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates


def spell_runs(keys: np.ndarray, texts: pl.Series | Sequence[str]) -> pl.Series:
    """Return the text of each run of keys, uint32 (rows, longest); atom i is spelled texts[i - 1].

    A key of 0 spells nothing. Where a key has the space bit, a space stands before its atom; the
    first key of a row should have none.

    >>> spell_runs(np.array([[2, 5, 0], [4, 2, 0]], np.uint32), ["жар", "тишина"]).to_list()
    ['жар тишина', 'тишинажар']
    """
    plain = pl.Series("token", texts, dtype=pl.String)
    nothing = pl.Series("token", [""], dtype=pl.String)
    spelling = pl.concat([nothing, plain, nothing, " " + plain])
    places = (keys >> 1).astype(np.int64) + (keys & 1) * np.int64(len(plain) + 1)
    if keys.size == 0:
        return pl.Series("token", [""] * len(keys), dtype=pl.String)
    places[:, 0] = keys[:, 0] >> 1
    columns = [spelling.gather(column).alias(str(i)) for i, column in enumerate(places.T)]
    return pl.select(pl.concat_str(columns).alias("token"))["token"]


def list_parts(keys: np.ndarray, texts: pl.Series | Sequence[str]) -> pl.Series:
    """Return the texts of the atoms of each run of keys, uint32 (rows, longest): lists of strings.

    >>> list_parts(np.array([[2, 5, 0]], np.uint32), ["жар", "тишина"]).to_list()
    [['жар', 'тишина']]
    """
    if keys.size == 0:
        return pl.Series("atoms", [[]] * len(keys), dtype=pl.List(pl.String))
    spelling = pl.concat([pl.Series([None], dtype=pl.String), pl.Series(texts, dtype=pl.String)])
    columns = [spelling.gather(column).alias(str(i)) for i, column in enumerate((keys >> 1).T)]
    return pl.select(pl.concat_list(columns).list.drop_nulls().alias("atoms"))["atoms"]


def list_keys(units: pl.DataFrame, candidates: Candidates) -> np.ndarray:
    """Return the keys of units, uint32 (units, longest); a single atom is a run of one."""
    single = units["candidate"].is_null().to_numpy()
    keys = np.zeros((units.height, max(candidates.keys.shape[1], 1)), np.uint32)
    keys[~single] = candidates.keys[units["candidate"].drop_nulls().to_numpy()]
    keys[single, 0] = units.filter(single)["atom"].to_numpy().astype(np.uint32) << np.uint32(1)
    return keys
