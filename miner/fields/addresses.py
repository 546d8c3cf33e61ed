"""Vectors to addresses: a short code whose beginning says roughly where a meaning lies.

Residual quantisation (Juang & Gray 1982): each sign names the nearest of 32 centres of what the
signs before it have left over. It is chosen sign by sign, so a shared beginning is a shared region,
and any vector has an address, also one that came later. Written as `VXS_ΔC1:R8K`.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from miner.vectors.neighbors import find_centers, unit_rows

SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # base 32 without I, L, O, U (Crockford)
LEVELS = 8
SAMPLE = 1000
_FORM = re.compile(r"([0-9A-Z]{1,3})(?:_(?:Δ([0-9A-Z]{0,2})(?::([0-9A-Z]{0,3}))?)?)?")


def train_codebooks(vectors: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return the centres of each level, float32 (levels, codes, dim), from unit rows.

    32 codes, or as many as there are rows; none where there are no rows.
    """
    codes = min(len(SIGNS), len(vectors))
    books = np.zeros((LEVELS if codes else 0, codes, vectors.shape[1]), np.float32)
    left = vectors.astype(np.float32)
    for level in range(len(books)):
        books[level] = find_centers(left, codes, seed=seed + level)
        left = left - books[level][_choose(left, books[level])]
    return books


def find_codes(vectors: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Return the code of each row at each level, uint8 (rows, levels)."""
    codes = np.zeros((len(vectors), len(books)), np.uint8)
    left = vectors.astype(np.float32)
    for level, centers in enumerate(books):
        codes[:, level] = _choose(left, centers)
        left = left - centers[codes[:, level]]
    return codes


def _choose(rows: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return the number of the nearest centre of each row."""
    far = np.einsum("ij,ij->i", centers, centers) - 2 * rows @ centers.T
    return np.argmin(far, axis=1)


def place_codes(codes: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Return the unit row that codes stand for: float32 (rows, dim). Fewer levels are a region."""
    rows = np.zeros((len(codes), books.shape[2]), np.float32)
    for level in range(codes.shape[1]):
        rows += books[level][codes[:, level]]
    return unit_rows(rows)


def write_addresses(codes: np.ndarray) -> pl.Series:
    """Return codes as addresses.

    >>> write_addresses(np.array([[27, 29, 25, 12, 1, 24, 8, 19]])).to_list()
    ['VXS_ΔC1:R8K']
    """
    signs = np.array(list(SIGNS))[codes].reshape(len(codes), LEVELS)
    parts = [pl.Series(str(level), signs[:, level], pl.String) for level in range(LEVELS)]
    marked = [*parts[:3], pl.lit("_Δ"), *parts[3:5], pl.lit(":"), *parts[5:]]
    return pl.select(pl.concat_str(marked).alias("address"))["address"]


def read_address(text: str) -> np.ndarray | None:
    """Return the codes of an address or of its beginning, uint8 (levels,); None for other text.

    >>> read_address("VXS_ΔC1:R8K").tolist(), read_address("vx").tolist(), read_address("no")
    ([27, 29, 25, 12, 1, 24, 8, 19], [27, 29], None)
    """
    found = _FORM.fullmatch(text.strip().upper().replace("δ", "Δ"))
    if not found:
        return None
    groups = [group or "" for group in found.groups()]
    wanted = (3, 2, 3)
    cut = [len(group) < size for group, size in zip(groups, wanted, strict=True)]
    if any(short and groups[i + 1] for i, short in enumerate(cut[:-1])):
        return None
    signs = "".join(groups)
    if any(sign not in SIGNS for sign in signs):
        return None
    return np.array([SIGNS.index(sign) for sign in signs], np.uint8)


def measure_prefixes(vectors: np.ndarray, codes: np.ndarray) -> pl.DataFrame:
    """Return the mean cosine of all pairs of rows that share a beginning of so many signs.

    `signs, groups, pairs, cosine`, from 0 signs, all pairs, on; cosine is null without pairs.
    """
    groups = np.zeros(len(vectors), np.int64)
    rows = []
    for signs in range(codes.shape[1] + 1):
        if signs:
            pairs_of = groups * len(SIGNS) + codes[:, signs - 1]
            groups = np.unique(pairs_of, return_inverse=True)[1]
        order = np.argsort(groups, kind="stable")
        starts = np.unique(groups[order], return_index=True)[1]
        sizes = np.diff([*starts, len(groups)])
        sums = np.add.reduceat(vectors[order], starts, axis=0).astype(np.float64)
        pairs = int((sizes * (sizes - 1)).sum()) // 2
        total = ((sums * sums).sum() - (vectors.astype(np.float64) ** 2).sum()) / 2
        rows.append((signs, len(sizes), pairs, float(total / pairs) if pairs else None))
    schema = {"signs": pl.UInt8, "groups": pl.Int64, "pairs": pl.Int64, "cosine": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def measure_return(
    vectors: np.ndarray, codes: np.ndarray, books: np.ndarray, *, seed: int
) -> dict[str, float]:
    """Return how often the nearest row, or one of ten, to an address is the row that has it.

    Told from a sample of `SAMPLE` rows. A row that is as near counts as the row itself.
    """
    asked = np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE]
    places = place_codes(codes[asked], books)
    own = np.einsum("ij,ij->i", places, vectors[asked]) + 1e-5
    nearer = (places @ vectors.T > own[:, None]).sum(axis=1)
    shares = {"first": nearer < 1, "ten": nearer < 10}
    return {name: round(float(share.mean()), 4) for name, share in shares.items()}
