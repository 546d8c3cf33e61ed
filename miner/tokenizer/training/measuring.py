"""Units to the number of places that they should have: where does a vocabulary do most?

Units come in the order of the tokens that they spare in the corpus, an id for an id: English with
8,000 of them has 5.51 bytes per token so, and 4.98 in the order of meaning. The share of units is
tried on held-back text, with one BPE trained beside: its first merges fill what the units leave.
For compression the share with the fewest tokens wins; for meaning, the largest whose text is at
most half a percent longer than that: units are what it is for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from miner.progress import Progress
from miner.tokenizer.reading.loading import LoadedTokenizer
from miner.tokenizer.training.hugging_face import (
    ALPHABET,
    SPECIALS,
    Batches,
    build_bpe,
    open_finder,
)
from miner.tokenizer.training.normal_form import NormalForm, Spec
from miner.tokenizer.training.sentence_piece import is_sign

SHARES = (0, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8)
LEEWAY = 1.005  # of the fewest tokens, where units are there for their meaning
PRICE = 1.05
PART = 2048  # documents that are cut at a time


@dataclass(frozen=True)
class Point:
    """How many tokens the held-back text has with so many units, which take so many ids."""

    units: int
    ids: int
    tokens: int


def count_tokens(spec: Spec, texts: Sequence[str]) -> int:
    """Return how many tokens a tokenizer cuts `texts` into."""
    return sum(map(len, encode_texts(spec, texts)))


def encode_texts(spec: Spec, texts: Sequence[str]) -> list[np.ndarray]:
    """Return the ids of each text, int64 (tokens,)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(spec))
    return [
        np.array(encoding.ids, np.int64)
        for start in range(0, len(texts), PART)
        for encoding in tokenizer.encode_batch_fast(
            list(texts[start : start + PART]), add_special_tokens=False
        )
    ]


def count_units(batches: Batches, form: NormalForm, texts: Sequence[str]) -> np.ndarray:
    """Return how often each unit, in its normal form, stands in a corpus: int64 (units,).

    Where units overlap, the one that starts first counts, then the longest.
    """
    if not texts:
        return np.zeros(0, np.int64)
    tokenizer = open_finder(form, texts)
    counts = np.zeros(len(texts) + 1, np.int64)
    for batch in batches():
        found = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        ids = np.fromiter(chain.from_iterable(encoding.ids for encoding in found), np.int64)
        counts += np.bincount(ids, minlength=len(counts))
    return counts[:-1]


def measure_shares(
    held: Sequence[str],
    form: NormalForm,
    entries: Sequence[list[str]],
    merges: Sequence[tuple[str, str]],
    size: int,
    *,
    progress: Progress,
) -> list[Point]:
    """Return the tokens of `held` for growing numbers of units; entries[u] are the forms of unit u.

    The forms are in normal form; what they leave of `size` ids is filled with the first `merges`.
    """
    room = size - len(SPECIALS) - len(ALPHABET)
    ids = np.cumsum([0, *map(len, entries)])
    numbers = {int(np.searchsorted(ids, share * room, side="right")) - 1 for share in SHARES}
    points = []
    for number in sorted(numbers):
        units = [text for forms in entries[:number] for text in forms]
        spec = build_bpe(form, units, merges, size=size)
        points.append(Point(number, len(units), count_tokens(spec, held)))
        progress.note(f"{number:,} units in {len(units):,} ids: {points[-1].tokens:,} tokens")
    return points


def choose_share(points: Sequence[Point], objective: str) -> int:
    """Return how many units to take.

    Where units only make a text longer, since merges have learned its few texts by heart, any
    objective but compression takes as many as cost `PRICE`.

    >>> choose_share([Point(0, 0, 1000), Point(5, 5, 900), Point(9, 9, 904)], "meaning")
    9
    """
    least = min(points, key=lambda point: point.tokens)
    leeway = 1.0 if objective == "compression" else PRICE if least.units == 0 else LEEWAY
    return max(point.units for point in points if point.tokens <= leeway * least.tokens)


def measure(
    tokenizer: LoadedTokenizer,
    held: Sequence[str],
    ids: pl.DataFrame,
    points: Sequence[Point],
    *,
    unseen: bool,
) -> dict[str, Any]:
    """Return the figures of a tokenizer on text that is `unseen`, or that it was trained on.

    `inside`: how many units end inside a longer word, which only SentencePiece lets them do.
    """
    encoded = tokenizer.encode(held)
    joined = np.concatenate([*encoded, np.zeros(0, np.int64)])
    uses = np.bincount(joined, minlength=tokenizer.size)
    lengths = ids["parts"].list.len().cast(pl.Int64).to_numpy()
    numbers = ids["id"].to_numpy()
    return {
        "on": "held back" if unseen else "the corpus itself",
        "bytes": sum(len(text.encode()) for text in held),
        "tokens": len(joined),
        "unit_tokens": int(uses[numbers].sum()),
        "spared_by_units": int((uses[numbers] * (lengths - 1)).sum()),
        "inside": count_inside(tokenizer, held, set(numbers.tolist())),
        "shares": [asdict(point) for point in points],
    }


def count_inside(tokenizer: LoadedTokenizer, texts: Sequence[str], units: set[int]) -> int:
    """Return how many unit tokens are followed by a letter or a digit of the same word."""
    if tokenizer.kind != "sentencepiece":
        return 0
    return sum(
        number in units
        and text[end - 1 : end].isalnum()
        and text[end : end + 1].isalnum()
        and not is_sign(text[end])
        for text, spans in zip(texts, tokenizer.spans(texts), strict=True)
        for number, _, end in spans
    )
