"""Proposals to ranked units: what is proven, in which order, in which families?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.proof import prove_units
from miner.mining.segmentation import cut_stream
from miner.mining.settling import Verdict
from miner.mining.spelling import list_keys, list_parts, spell_runs
from miner.text.pretokens import Atoms
from miner.vectors.neighbors import Neighbors, find_neighbors, group_families

NEIGHBORS = 10
FAMILY = 0.93  # cosine from which two units mean nearly the same; lower, `eight` joins `nine`


def prove_proposals(
    proposals: pl.DataFrame, atoms: Atoms, candidates: Candidates, *, patterns: Mapping[str, str]
) -> pl.DataFrame:
    """Refuse what cannot be taken apart again, and count the places of what is left once more."""
    kept = proposals.filter(pl.col("verdict") == Verdict.KEPT).sort("order")
    proven = prove_units(
        kept.select("token", "candidate", "atom", "score"), atoms, candidates, patterns=patterns
    ).select("token", "candidate", "atom", "verdict", "detail", "glued")
    keys = ["token", "candidate", "atom"]
    if "detail" not in proposals.columns:
        proposals = proposals.with_columns(detail=pl.lit(None, pl.String))
    joined = proposals.drop("glued", strict=False).join(
        proven,
        on=keys,
        how="left",
        nulls_equal=True,
        suffix="_proven",
        maintain_order="left",
        validate="1:1",
    )
    told = [pl.coalesce(f"{name}_proven", name).alias(name) for name in ("verdict", "detail")]
    joined = joined.with_columns(told).drop("verdict_proven", "detail_proven")
    return count_places(joined, atoms, candidates)


def count_places(proposals: pl.DataFrame, atoms: Atoms, candidates: Candidates) -> pl.DataFrame:
    """Return `proposals` with `unit_count`: the places that each unit owns once all are cut.

    What is one atom owns the places that no kept run takes.
    """
    stays = (pl.col("verdict") == Verdict.KEPT) & pl.col("candidate").is_not_null()
    values = final_values(proposals.filter(stays), candidates)
    counts = cut_stream(atoms.mined, candidates, values)
    owned = pl.Series(counts[proposals["candidate"].fill_null(0).to_numpy()])
    numbers = proposals["atom"].fill_null(0).to_numpy()
    taken = pl.Series(_count_taken(counts, atoms, candidates)[numbers])
    kept = pl.col("verdict") == Verdict.KEPT
    others = pl.when(kept).then(pl.col("count") - taken).otherwise(0)
    return proposals.with_columns(unit_count=pl.when(stays).then(owned).otherwise(others))


def _count_taken(counts: np.ndarray, atoms: Atoms, candidates: Candidates) -> np.ndarray:
    """Return how many places of each atom stand in a run that owns its place, int64 (atoms + 1,).

    `counts` int64 (candidates,): the places that each run owns.
    """
    rows = np.flatnonzero(counts)
    keys = candidates.keys[rows] >> 1
    taken = np.zeros(atoms.table.height + 1, np.int64)
    np.add.at(taken, keys, counts[rows, None])
    taken[0] = 0  # a key of 0 is no atom
    return taken


def final_values(kept: pl.DataFrame, candidates: Candidates) -> np.ndarray:
    """Return what each candidate is worth in the final cut, float64 (candidates,)."""
    values = np.zeros(candidates.table.height)
    rows = kept.filter(pl.col("candidate").is_not_null())
    values[rows["candidate"].to_numpy()] = rows["value"].to_numpy()
    return values


def rank_kept(proposals: pl.DataFrame, atoms: Atoms, candidates: Candidates) -> pl.DataFrame:
    """Return the kept proposals, best first, with their rank, their atoms and their spelling.

    `surface` is the most frequent spelling of each atom, one after the other.
    """
    kept = proposals.filter(pl.col("verdict") == Verdict.KEPT).sort("order")
    keys = list_keys(kept, candidates)
    return kept.with_columns(
        rank=pl.int_range(1, kept.height + 1, dtype=pl.UInt32),
        surface=spell_runs(keys, atoms.table["surface"]),
        atoms=list_parts(keys, atoms.table["text"]),
    )


def gather_families(
    units: pl.DataFrame, vectors: np.ndarray, *, device: str, seed: int
) -> tuple[pl.DataFrame, np.ndarray, Neighbors]:
    """Give each unit that is a run the rank of its family's head.

    Also return their vectors, float32 (runs, dim), and what lies near what. Units without a
    vector, single atoms and what a reviewer added, have no family.
    """
    runs = units.filter(pl.col("candidate") < len(vectors))
    rows = np.asarray(vectors[runs["candidate"].to_numpy()], np.float32)
    near = find_neighbors(rows, k=NEIGHBORS, device=device, seed=seed)
    heads = group_families(near.table, np.arange(len(rows)), threshold=FAMILY)
    families = runs.select("rank", family=runs["rank"].gather(heads))
    joined = units.join(families, on="rank", how="left", validate="1:1", maintain_order="left")
    return joined, rows, near
