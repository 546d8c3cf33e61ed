"""Runs to vectors: where does each candidate lie in the space of an encoder?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.scores import Splits
from miner.mining.spelling import spell_runs
from miner.progress import Advance, idle
from miner.text.pretokens import open_array
from miner.vectors.corpus_encoder import CorpusEncoder, embed_runs
from miner.vectors.encoder import Encoder
from miner.vectors.neighbors import measure_pairs, unit_rows

BLOCK = 1 << 16
STORED = np.float16  # twice the rows on disk; a cosine moves by less than 0.001


def embed_candidates(
    path: Path,
    encoder: CorpusEncoder | Encoder,
    candidates: Candidates,
    surfaces: pl.Series,
    *,
    advance: Advance = idle,
) -> int:
    """Write a unit row for each candidate, single atoms too, to `path`; return the dimension.

    An encoder that miner trained reads atoms; any other reads the text, spelled in `surfaces`, the
    most frequent form of each atom.
    """
    with path.open("wb") as rows:
        for first in range(0, len(candidates.keys), BLOCK):
            keys = candidates.keys[first : first + BLOCK]
            if isinstance(encoder, CorpusEncoder):
                vectors = embed_runs(encoder.vectors, encoder.weights, *flatten_keys(keys))
            else:
                vectors = encoder.encode(spell_runs(keys, surfaces))
            rows.write(vectors.astype(STORED).data)
            advance(len(keys))
    return encoder.dimension


def load_vectors(path: Path, dimension: int) -> np.ndarray:
    """Return the rows that `embed_candidates` wrote, float16 (candidates, dim)."""
    return open_array(path, STORED).reshape(-1, dimension)


def flatten_keys(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the atoms of all runs one after the other, and where each run starts among them.

    >>> flatten_keys(np.array([[4, 7, 0], [2, 0, 0]], np.uint32))
    (array([2, 3, 1]), array([0, 2, 3]))
    """
    present = keys != 0
    atoms = (keys[present] >> 1).astype(np.int64)
    return atoms, np.concatenate([[0], np.cumsum(present.sum(axis=1))])


def measure_closeness(vectors: np.ndarray, splits: Splits, rows: np.ndarray) -> np.ndarray:
    """Return the cosine of the two parts of each run at its best split: float32 (rows,)."""
    return _by_block(
        rows, lambda block: measure_pairs(vectors, splits.left[block], splits.right[block])
    )


def measure_wholeness(vectors: np.ndarray, splits: Splits, rows: np.ndarray) -> np.ndarray:
    """Return the cosine of each run and the sum of its two parts: float32 (rows,).

    1 where an encoder only adds up; lower where the whole means something else than its parts.
    """

    def compare(block: np.ndarray) -> np.ndarray:
        parts = vectors[splits.left[block]].astype(np.float32) + vectors[splits.right[block]]
        whole = vectors[block].astype(np.float32)
        return np.clip(np.einsum("ij,ij->i", whole, unit_rows(parts)), -1, 1)

    return _by_block(rows, compare)


def _by_block(rows: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return `measure` of all rows, so many at a time."""
    parts = [measure(rows[i : i + BLOCK]) for i in range(0, len(rows), BLOCK)]
    return np.concatenate([np.zeros(0, np.float32), *parts]).astype(np.float32)
