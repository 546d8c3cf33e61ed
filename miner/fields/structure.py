"""Units to how they hold together: resonance, direction, tension.

resonance   do the parts of a unit keep to the same documents, apart from the unit itself?
direction   which side calls for which? delta P from left to right less that from right to left
tension     do words of far meanings stand close? NPMI times how far apart the vectors are
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numba import njit


def measure_structure(units: pl.DataFrame) -> pl.DataFrame:
    """Return `direction` and `tension` of units, null where they are single atoms.

    `direction` from -1, the right part calls for the left one, to 1, the left calls for the right.
    `tension` from 0 to 1. From the columns `forward`, `backward`, `npmi` and `closeness`.
    """
    far = 1 - pl.col("closeness").clip(0, 1)
    return units.select(
        direction=(pl.col("forward") - pl.col("backward")).cast(pl.Float32),
        tension=(pl.col("npmi").clip(0, 1) * far).cast(pl.Float32),
    )


def measure_resonance(ids: np.ndarray, documents: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return how far the parts of each run keep to the same documents, float32 (runs,), -1 to 1.

    The normalised pointwise mutual information of documents (Bouma 2009, for more than two parts
    their total correlation) that hold all parts apart from the run itself, with one document more
    at chance level: 0 where nothing tells, 1 where one part is never without the others. NaN for
    single atoms, for runs of one atom repeated, and for a corpus of one document.

    `ids`, `documents` as `miner.text.pretokens.Stream` has them, `keys` uint32 (runs, longest).
    """
    total = len(documents) - 1
    parts, lengths = list_distinct(keys)
    result = np.full(len(keys), np.nan, np.float32)
    if total < 2 or not len(keys):
        return result
    atoms = int(max(parts.max(initial=0), int(np.asarray(ids).max(initial=0)) >> 1)) + 1
    rarest = parts.max(axis=1)  # atoms are numbered by falling count
    order = np.argsort(rarest, kind="stable").astype(np.int64)
    starts = np.searchsorted(rarest[order], np.arange(atoms + 1)).astype(np.int64)
    at = np.argmax(keys >> 1, axis=1)  # its first place in the run
    both, alone = _count_documents(
        np.asarray(ids), documents, keys, parts, lengths, at, order, starts, atoms
    )
    several = lengths > 1
    used = np.arange(parts.shape[1]) < lengths[:, None]
    logs = np.log2(np.maximum(np.where(used, alone, total), 1) / total).sum(axis=1)
    chance = total * np.exp2(logs)
    share = (both + 1) / (total + 1)
    told = np.log2((both + 1) / (chance + 1))
    scale = np.maximum(lengths - 1, 1) * np.maximum(-np.log2(share), 1e-9)
    result[several] = np.clip(told / scale, -1, 1)[several]
    return result


def list_distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct atoms of each run, int64 (runs, longest), zeros behind; how many each.

    >>> list_distinct(np.array([[4, 7, 4], [2, 0, 0]], np.uint32))
    (array([[3, 2, 0],
           [1, 0, 0]]), array([2, 1]))
    """
    atoms = -np.sort(-(keys.astype(np.int64) >> 1), axis=1)
    again = np.zeros(atoms.shape, bool)
    again[:, 1:] = atoms[:, 1:] == atoms[:, :-1]
    atoms = -np.sort(-np.where(again, 0, atoms), axis=1)
    return atoms, np.count_nonzero(atoms, axis=1)


@njit(nogil=True, cache=True)
def _count_documents(
    ids: np.ndarray,
    documents: np.ndarray,
    keys: np.ndarray,
    parts: np.ndarray,
    lengths: np.ndarray,
    at: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    atoms: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return in how many documents all parts of a run stand outside of it, and each part does.

    `order[starts[a]:starts[a + 1]]` are the runs whose rarest atom is a.
    """
    runs, width = parts.shape
    both = np.zeros(runs, np.int64)
    inside = np.zeros((runs, width), np.int64)  # documents where a part stands in the run only
    holding = np.zeros(atoms, np.int64)
    counts = np.zeros(atoms, np.int64)
    own = np.zeros(runs, np.int64)
    seen = np.zeros(atoms, np.int64)
    for document in range(documents.shape[0] - 1):
        first, last = documents[document], documents[document + 1]
        kinds = _read_document(ids, first, last, keys, at, order, starts, counts, own, seen)
        for kind in range(kinds):
            atom = seen[kind]
            holding[atom] += 1
            for i in range(starts[atom], starts[atom + 1]):
                run = order[i]
                both[run] += _note_apart(run, keys, parts, lengths, counts, own, inside)
                own[run] = 0
        counts[seen[:kinds]] = 0
    alone = np.zeros((runs, width), np.int64)
    for run in range(runs):
        for j in range(lengths[run]):
            alone[run, j] = holding[parts[run, j]] - inside[run, j]
    return both, alone


@njit(nogil=True, cache=True)
def _read_document(
    ids: np.ndarray,
    first: int,
    last: int,
    keys: np.ndarray,
    at: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
    own: np.ndarray,
    seen: np.ndarray,
) -> int:
    """Count the atoms of a document and the runs in it; list its atoms in `seen`: how many."""
    kinds = 0
    for place in range(first, last):
        atom = np.int64(ids[place] >> 1)
        if atom == 0:
            continue
        if counts[atom] == 0:
            seen[kinds] = atom
            kinds += 1
        counts[atom] += 1
        for i in range(starts[atom], starts[atom + 1]):
            run = order[i]
            own[run] += _stands(ids, place - at[run], first, last, keys, run)
    return kinds


@njit(nogil=True, cache=True)
def _note_apart(
    run: int,
    keys: np.ndarray,
    parts: np.ndarray,
    lengths: np.ndarray,
    counts: np.ndarray,
    own: np.ndarray,
    inside: np.ndarray,
) -> bool:
    """Say whether all parts of a run stand in a document apart from it; note those that do not."""
    whole = True
    for j in range(lengths[run]):
        there = counts[parts[run, j]]
        if there > 0 and own[run] > 0:
            for i in range(keys.shape[1]):
                there -= own[run] * (keys[run, i] >> 1 == parts[run, j])
            inside[run, j] += there <= 0
        elif there == 0 and own[run] == 0:
            return False
        whole = whole and there > 0
    return whole


@njit(nogil=True, cache=True)
def _stands(ids: np.ndarray, start: int, first: int, last: int, keys: np.ndarray, run: int) -> bool:
    """Say whether a run of keys stands at a place of a document."""
    if start < first or ids[start] >> 1 != keys[run, 0] >> 1:
        return False
    for i in range(1, keys.shape[1]):
        if keys[run, i] == 0:
            break
        if start + i >= last or ids[start + i] != keys[run, i]:
            return False
    return True
