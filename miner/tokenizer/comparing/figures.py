"""Counts to figures: what does a tokenizer cost, keep and save, and how sure is that?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from miner.mining.savings import BOUNDS, FEWEST_DOCUMENTS, MOST_BLOCKS, choose_grid, resample_blocks
from miner.tokenizer.checking.checking import read_unit_ids
from miner.tokenizer.comparing.places import has_units
from miner.tokenizer.comparing.tallies import Tally, join
from miner.tokenizer.reading.loading import LoadedTokenizer

ALPHA = 2.5  # order of the Renyi entropy that goes best with translation quality (Zouhar 2023)
BEST = 10


@dataclass(frozen=True)
class Shape:
    """What a model keeps for each token: keys and values of every layer."""

    layers: int
    heads: int
    width: int
    bytes: int = 2

    @property
    def per_token(self) -> int:
        """Bytes of the KV cache for one token.

        >>> Shape(layers=32, heads=8, width=128).per_token
        131072
        """
        return 2 * self.layers * self.heads * self.width * self.bytes


SHAPES = {
    "llama-3-8b": Shape(32, 8, 128),
    "llama-3-70b": Shape(80, 8, 128),
    "mistral-7b": Shape(32, 8, 128),
    "qwen2.5-0.5b": Shape(24, 2, 64),
    "qwen2.5-7b": Shape(28, 4, 128),
    "gpt2": Shape(12, 12, 64),
}


@dataclass(frozen=True)
class Measure:
    """A figure and its 95 % interval, which is None where there are too few documents."""

    value: float
    low: float | None = None
    high: float | None = None


def divide(part: float, whole: float) -> float:
    """Return a share, 0 of nothing."""
    return float(part / whole) if whole else 0.0


def measure_ratio(part: np.ndarray, whole: np.ndarray, *, seed: int = 0) -> Measure:
    """Return the sum of `part` by the sum of `whole`, both (documents,), and its interval.

    Blocks of consecutive documents are drawn anew, the same ones above and below the line.
    """
    value = divide(part.sum(), whole.sum())
    count = len(part)
    if count < FEWEST_DOCUMENTS:
        return Measure(value)
    edges = np.linspace(0, count, min(count, MOST_BLOCKS) + 1).astype(np.int64)[:-1]
    weights = resample_blocks(len(edges), seed=seed)
    above, below = (weights @ np.add.reduceat(side, edges) for side in (part, whole))
    low, high = np.quantile(above / np.maximum(below, 1), BOUNDS)
    return Measure(value, float(low), float(high))


def measure_renyi(uses: np.ndarray, *, alpha: float = ALPHA) -> float:
    """Return the Renyi efficiency of the ids: 1 where all of them are used alike.

    The entropy of order `alpha` of `uses` (ids,) by the logarithm of their number (Zouhar 2023).

    >>> measure_renyi(np.array([5, 5, 5, 5])), measure_renyi(np.array([9, 0, 0, 0]))
    (1.0, 0.0)
    """
    if len(uses) < 2 or not uses.sum():
        return 0.0
    shares = uses[uses > 0] / uses.sum()
    entropy = np.log2((shares**alpha).sum()) / (1 - alpha)
    return float(max(0.0, entropy) / np.log2(len(uses)))


def measure_entropy(uses: np.ndarray) -> float:
    """Return the bits that a token carries if each is drawn by itself.

    >>> measure_entropy(np.array([2, 1, 1, 0]))
    1.5
    """
    shares = uses[uses > 0] / max(uses.sum(), 1)
    return max(0.0, float(-(shares * np.log2(shares)).sum()))


def list_curve(tokenizer: LoadedTokenizer, uses: np.ndarray) -> list[dict[str, Any]]:
    """Return the curve of a tokenizer of miner: `units`, `saved` tokens, their `share`.

    A unit saves, wherever its id stands, the tokens it would be cut into but one; the units come
    in the order of their list. The share is of the tokens there would be without any.
    """
    if not has_units(tokenizer):
        return []
    listed = read_unit_ids(tokenizer.path).filter(pl.col("id").is_between(0, len(uses) - 1))
    spared = uses[listed["id"].to_numpy()] * np.maximum(
        listed["parts"].list.len().fill_null(1).cast(pl.Int64).to_numpy() - 1, 0
    )
    units = listed.select("token", spared=spared).group_by("token", maintain_order=True).sum()
    running = np.concatenate([[0], np.cumsum(units["spared"].to_numpy())])
    without = int(uses.sum() + running[-1])
    return [
        {"units": int(k), "saved": int(running[k]), "share": divide(running[k], without)}
        for k in choose_grid(len(units))
    ]


def list_figures(
    tally: Tally,
    first: Tally,
    *,
    sizes: np.ndarray,
    words: int,
    scenes: int,
    places: int,
    shape: Shape,
    near: np.ndarray | None,
    units: Sequence[str],
) -> dict[str, Any]:
    """Return all figures of a tokenizer, against those of the `first`.

    `sizes` int64 (documents,): bytes; `near` int64 (units,), -1 where not known.
    """
    tokens, theirs = count_tokens(tally), count_tokens(first)
    total, bits = int(tokens.sum()), measure_entropy(tally.uses)
    cells = len(tally.uses)
    return {
        **describe(tally.tokenizer),
        "tokens": total,
        "bytes_per_token": vars(measure_ratio(sizes, tokens)),
        "ratio": vars(measure_ratio(theirs, tokens)),
        "tokens_per_document": {
            "mean": divide(total, len(tokens)),
            "median": float(np.median(tokens)) if len(tokens) else 0.0,
        },
        "tokens_per_scene": divide(total, scenes),
        "tokens_per_word": divide(total, words),
        "ids_used": int((tally.uses > 0).sum()),
        "share_used": divide((tally.uses > 0).sum(), cells),
        "renyi_efficiency": measure_renyi(tally.uses),
        "bits_per_token": bits,
        "bits_per_byte": divide(bits * total, sizes.sum()),
        "round_trip": {
            "exact": tally.exact,
            "canonical": tally.canonical,
            "lost": len(tokens) - tally.exact - tally.canonical,
        },
        "unknown": tally.unknown,
        "units": list_unit_figures(tally, places),
        "capacity": list_capacity(tally, units, near),
        "savings": list_savings(tokens, theirs, shape),
        "lengths": tally.lengths.tolist(),
        "curve": list_curve(tally.tokenizer, tally.uses),
    }


def count_tokens(tally: Tally) -> np.ndarray:
    """Return the tokens of each document, int64 (documents,)."""
    return np.concatenate([np.zeros(0, np.int64), *tally.tokens])


def describe(tokenizer: LoadedTokenizer) -> dict[str, Any]:
    """Return what a tokenizer says of itself; `semantic`: it has units of miner."""
    card = tokenizer.card
    return {
        "path": str(tokenizer.path),
        "kind": str(card.get("trainer") or tokenizer.kind),
        "mode": str(card.get("mode") or ""),
        "semantic": has_units(tokenizer),
        "vocabulary": tokenizer.size,
    }


def list_unit_figures(tally: Tally, places: int) -> dict[str, Any] | None:
    """Return how the places of units are cut; None where there are no units to look for."""
    if not tally.units:
        return None
    apart = places - tally.whole - tally.inside
    return {
        "whole": tally.whole,
        "inside": tally.inside,
        "apart": apart,
        "share_whole": divide(tally.whole, places),
        "tokens_each": divide(tally.unit_tokens, places),
    }


def list_savings(tokens: np.ndarray, first: np.ndarray, shape: Shape) -> dict[str, Any]:
    """Return what `tokens` (documents,) spare against `first`, each document a context."""
    squares, theirs = (float((side.astype(np.float64) ** 2).sum()) for side in (tokens, first))
    saved = int(first.sum() - tokens.sum())
    return {
        "tokens": saved,
        "share": divide(saved, first.sum()),
        "attention": squares,
        "attention_ratio": divide(squares, theirs),
        "kv_bytes": int(tokens.sum()) * shape.per_token,
        "kv_bytes_per_document": divide(int(tokens.sum()) * shape.per_token, len(tokens)),
    }


def list_capacity(tally: Tally, units: Sequence[str], near: np.ndarray | None) -> dict[str, Any]:
    """Return in how many contexts tokens live, and how many units lie near those of units.

    A context is a distinct token beside it, left or right, in the text. `per_token` is over the
    ids in use, `per_unit` over the units that are one token somewhere.
    """
    size = max(tally.tokenizer.size, 1)
    used = int((tally.uses > 0).sum())
    contexts = np.bincount(join(tally.contexts) // size // 2, minlength=tally.units)
    whole = np.flatnonzero(tally.whole_units)
    known = whole[near[whole] >= 0] if near is not None else whole[:0]
    best = whole[np.argsort(-contexts[whole], kind="stable")][:BEST]
    return {
        "per_token": divide(2 * len(join(tally.pairs)), used),
        "units": len(whole) if tally.units else None,
        "per_unit": float(contexts[whole].mean()) if len(whole) else None,
        "near": float(near[known].mean()) if near is not None and len(known) else None,
        "best": [
            {
                "unit": units[unit],
                "count": int(tally.whole_units[unit]),
                "contexts": int(contexts[unit]),
                "near": int(near[unit]) if near is not None and near[unit] >= 0 else None,
            }
            for unit in best
        ],
    }
