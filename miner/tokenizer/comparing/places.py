"""Texts to the places of units: where should a tokenizer have one token?

The reference is the canonical form of the text, the unit that starts first, then the longest: the
same for every tokenizer, whatever it folds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl

from miner.runs.finished import told_damage
from miner.runs.names import ABOUT_VECTORS, PROPOSALS, VECTORS, find_stage
from miner.text.profiles import PROFILES
from miner.tokenizer.checking.checking import read_unit_ids
from miner.tokenizer.comparing.batches import Batch
from miner.tokenizer.reading.loading import LoadedTokenizer
from miner.tokenizer.reading.units import list_forms, name_bytes, read_units
from miner.tokenizer.training.hugging_face import open_finder
from miner.tokenizer.training.normal_form import NormalForm

# Cosine from which a unit lies near another: related, not yet the same, which is .93. In English
# 19 of 29,000 units do so on average; at .7 it is 69.
NEAR = 0.8
BLOCK = 1 << 10


@dataclass(frozen=True)
class Places:
    """Places of units in a batch: int64 (places,) each, in characters; `units` are rows."""

    starts: np.ndarray
    ends: np.ndarray
    units: np.ndarray


class UnitFinder:
    """Units, `texts` in canonical form, and how to find them in a text."""

    def __init__(self, texts: Sequence[str], profile: str, source: str) -> None:
        self.texts, self.source = list(texts), source
        form = NormalForm.of(profile, exact=False)
        normal = form.normalize(self.texts)
        self.tokenizer = open_finder(form, normal)
        # Of a unit that begins with a word, the place may take in the mark in front of it.
        self.words = np.array([n.startswith(" ") and n[1:2].isalnum() for n in normal], bool)

    def find(self, batch: Batch) -> Places:
        """Return the places of units in a batch, in order."""
        found = self.tokenizer.encode_batch(batch.texts, add_special_tokens=False)
        units = np.fromiter(chain.from_iterable(e.ids for e in found), np.int64)
        flat = chain.from_iterable(chain.from_iterable(e.offsets for e in found))
        offsets = np.fromiter(flat, np.int64).reshape(-1, 2)
        shift = np.repeat(batch.starts[:-1], [len(entry.ids) for entry in found])
        known = units < len(self.texts)
        starts, ends = (offsets + shift[:, None])[known].T
        units = units[known]
        return Places(self._trim(batch, starts, units), ends, units)

    def _trim(self, batch: Batch, starts: np.ndarray, units: np.ndarray) -> np.ndarray:
        first = batch.codes[starts].view("<U1") if len(starts) else np.zeros(0, "<U1")
        outside = np.char.isspace(first) | (self.words[units] & ~np.char.isalnum(first))
        return starts + outside


def choose_units(tokenizers: Sequence[LoadedTokenizer], run: Path | None) -> UnitFinder | None:
    """Return the units of a run, else of the first tokenizer that lists any; None without."""
    if run is not None:
        units = read_units(run)
        texts = list_forms(units, exact=False)["text"].to_list()
        return UnitFinder(texts, units.profile.name, str(run)) if texts else None
    for tokenizer in tokenizers:
        if has_units(tokenizer):
            texts = read_unit_ids(tokenizer.path)["token"].unique(maintain_order=True).to_list()
            profile = str(tokenizer.card.get("profile"))
            if profile == "bytes":
                texts = [name_bytes(text) for text in texts]
            if texts:
                known = profile if profile in PROFILES else "words"
                return UnitFinder(texts, known, tokenizer.name)
    return None


def has_units(tokenizer: LoadedTokenizer) -> bool:
    """Whether miner made the tokenizer, and so lists its units."""
    return "mode" in tokenizer.card


def read_vectors(run: Path, texts: Sequence[str]) -> np.ndarray:
    """Return the vector of each unit of a run, float32 (units, dim), zeros where it has none.

    A unit of one atom that the corpus never counted as a run has none. RunError where the stages of
    the run are not there any more.
    """
    folder = find_stage(run, "vectors")
    place = folder / VECTORS
    with told_damage(run):
        about = json.loads((folder / ABOUT_VECTORS).read_text(encoding="utf-8"))
        filled = place.stat().st_size > 0
        cells = np.memmap(place, np.float16, mode="r") if filled else np.zeros(0, np.float16)
        stored = cells.reshape(-1, about["dimension"])
        kept = pl.read_parquet(run / PROPOSALS, columns=["token", "candidate"])
        known = kept.drop_nulls().unique("token", keep="first", maintain_order=True)
        numbers = pl.DataFrame({"token": list(texts)}).with_row_index("unit")
        rows = numbers.join(known, on="token", how="inner", validate="m:1")
        vectors = np.zeros((len(numbers), stored.shape[1]), np.float32)
        vectors[rows["unit"].to_numpy()] = stored[rows["candidate"].to_numpy()]
    return vectors


def count_near(vectors: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return how many other units lie near each of those `asked`, int64 (units,), -1 elsewhere.

    `vectors` float32 (units, dim) of length 1, or zeros where it is not known what lies near;
    `asked` int64: rows.

    >>> count_near(np.array([[1, 0], [1, 0], [0, 1], [0, 0]], np.float32), np.array([0, 2, 3]))
    array([ 1, -1,  0, -1])
    """
    near = np.full(len(vectors), -1, np.int64)
    known = np.any(vectors != 0, axis=1)
    wanted, others = asked[known[asked]], vectors[known].T
    for first in range(0, len(wanted), BLOCK):
        rows = wanted[first : first + BLOCK]
        near[rows] = (vectors[rows] @ others >= NEAR).sum(axis=1) - 1
    return near
