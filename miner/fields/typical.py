"""Places of units to the typical ones: in what company does a unit mostly stand?

The text around a place is the weighted sum of its atoms' vectors; the places nearest to what all
of a unit's places have in common are the typical ones. Where a place is, is kept; what it says, the
run's own copy of the corpus tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from miner.runs.concordance import find_places
from miner.text.pretokens import Stream
from miner.vectors.corpus_encoder import embed_runs, weigh_atoms

LOOKED_AT = 8  # places of a unit, spread evenly over all
AROUND = 10  # atoms on each side
KEPT = 3
TYPICAL = {
    "unit": pl.Int64(), "place": pl.Int64(), "length": pl.UInt8(), "cosine": pl.Float32(),
}  # fmt: skip


def find_typical(
    stream: Stream, keys: Sequence[np.ndarray], vectors: np.ndarray, counts: np.ndarray
) -> pl.DataFrame:
    """Return the typical places of runs of keys: `unit, place, length, cosine`, best first.

    `unit` is the number of the run, `place` where it starts in the stream, `cosine` how near the
    place is to the middle of them all. `vectors` float32 (atoms + 1, dim): a row for each atom by
    its number, zeros where it has none; `counts` (atoms,).
    """
    _, places = find_places(stream.ids, keys, most=LOOKED_AT)
    rows, columns = np.nonzero(places >= 0)
    lengths = np.array([np.count_nonzero(run) for run in keys], np.int64)
    starts = places[rows, columns]
    near = _embed_around(stream, starts, lengths[rows], vectors, counts)
    middles = np.zeros((len(keys), vectors.shape[1]), np.float32)
    np.add.at(middles, rows, near)
    norms = np.linalg.norm(middles, axis=1, keepdims=True)
    middles /= np.where(norms > 0, norms, 1)
    cosines = np.einsum("ij,ij->i", near, middles[rows])
    found = pl.DataFrame(
        {"unit": rows, "place": starts, "length": lengths[rows], "cosine": cosines}, schema=TYPICAL
    )
    distinct = found.unique(["unit", "cosine"], keep="first", maintain_order=True)  # one text
    best = distinct.sort("unit", -pl.col("cosine"), "place")
    return best.filter(pl.int_range(pl.len()).over("unit") < KEPT)


def _embed_around(
    stream: Stream, starts: np.ndarray, lengths: np.ndarray, vectors: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Return the unit row of what stands around each run, float32 (places, dim)."""
    document = np.searchsorted(stream.documents, starts, side="right") - 1
    first, last = stream.documents[document], stream.documents[document + 1]
    before = starts[:, None] + np.arange(-AROUND, 0)
    after = (starts + lengths)[:, None] + np.arange(AROUND)
    around = np.concatenate([before, after], axis=1)
    inside = (around >= first[:, None]) & (around < last[:, None])
    atoms = np.where(inside, stream.ids[np.where(inside, around, 0)] >> 1, 0).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum((atoms > 0).sum(axis=1))])
    return embed_runs(vectors[1:], weigh_atoms(counts), atoms[atoms > 0], offsets)
