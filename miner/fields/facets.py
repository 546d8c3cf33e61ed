"""Anchor words to facets: how much logic, emotion or function does a unit carry?

A facet is a direction in the space of the encoder: from what its anchors share with those of all
facets to what they have for themselves. Units are measured from their own middle, so that no facet
is high for all. The same directions, made upright, begin a nested basis: whoever takes the first
columns of a vector in it has the facets, whoever takes more has more of the rest.
"""

from __future__ import annotations

import numpy as np

from miner.vectors.neighbors import unit_rows

WIDTHS = (8, 32, 128)  # of nested vectors, whose neighbours are compared
SAMPLE = 250
NEAREST = 10


def find_axes(anchors: list[np.ndarray], middle: np.ndarray) -> np.ndarray:
    """Return the direction of each facet, float32 (facets, dim) of length 1.

    `anchors`: unit rows of the anchor words of each facet, one row at least; `middle` (dim,): the
    mean of the units, from which the only facet is measured where there is one.

    >>> find_axes([np.eye(2)[:1], np.eye(2)[1:]], np.zeros(2)).round(2).tolist()
    [[0.7099999785423279, -0.7099999785423279], [-0.7099999785423279, 0.7099999785423279]]
    """
    means = unit_rows(np.stack([rows.mean(axis=0) for rows in anchors]))
    shared = means.mean(axis=0) if len(means) > 1 else middle
    return unit_rows(means - shared)


def measure_facets(vectors: np.ndarray, axes: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Return the cosine of each row, seen from `middle`, with each axis: float32 (rows, facets).

    Rows of zeros, of which nothing is known, are NaN.
    """
    known = vectors.any(axis=1, keepdims=True)
    cosines = unit_rows(vectors - middle) @ axes.T
    return np.where(known, np.clip(cosines, -1, 1), np.nan).astype(np.float32)


def nest_columns(vectors: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return a basis, float32 (dim, dim): `vectors @ basis` has the facets first, then the rest.

    Column i is axis i without what the axes before it say; the other columns are the principal
    components of what is left, the largest first. Cosines of whole rows stay as they are.
    """
    dim = vectors.shape[1]
    upright: list[np.ndarray] = []
    for axis in axes.astype(np.float64):
        rest = axis - sum((axis @ one) * one for one in upright)
        if np.linalg.norm(rest) > 1e-6:
            upright.append(rest / np.linalg.norm(rest))
    first = np.array(upright).reshape(-1, dim)
    left = vectors.astype(np.float64) - (vectors @ first.T) @ first
    _, components = np.linalg.eigh(left.T @ left)
    whole = np.concatenate([first.T, components[:, ::-1]], axis=1)
    basis, signs = np.linalg.qr(whole)
    return (basis * np.sign(np.diag(signs[:, :dim]) + 1e-12))[:, :dim].astype(np.float32)


def measure_widths(vectors: np.ndarray, basis: np.ndarray, *, seed: int) -> dict[int, float]:
    """Return, by how many nested columns are taken, the share of the true nearest ten they find.

    Measured on a sample of `SAMPLE` rows against all.
    """
    if len(vectors) <= NEAREST + 1:
        return {}
    asked = np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE]
    nested = vectors @ basis
    true = _find_nearest(nested, asked)
    shares = {}
    for width in WIDTHS:
        if width < vectors.shape[1]:
            found = _find_nearest(unit_rows(nested[:, :width]), asked)
            both = (found[:, :, None] == true[:, None, :]).any(axis=2)
            shares[width] = round(float(both.mean()), 4)
    return shares


def _find_nearest(rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
    cosines = rows[asked] @ rows.T
    cosines[np.arange(len(asked)), asked] = -np.inf
    return np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST]
