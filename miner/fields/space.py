"""Units to rows in the space of the run's encoder, and any other text with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from miner.errors import RunError
from miner.mining.candidates import Candidates
from miner.mining.spelling import list_keys
from miner.runs.forms import cut_forms
from miner.runs.names import ABOUT_VECTORS, ENCODER, find_stage
from miner.text.pretokens import Atoms
from miner.text.recut import Cutter
from miner.vectors.encoder import Encoder, load_encoder
from miner.vectors.neighbors import unit_rows

Encode = Callable[[Sequence[str]], np.ndarray]


def open_encoder(run: Path, *, device: str = "cpu") -> tuple[Encoder, bool]:
    """Return the encoder that a run was mined with, and whether it was trained on its corpus."""
    place = find_stage(run, "vectors")
    try:
        about = json.loads((place / ABOUT_VECTORS).read_text(encoding="utf-8"))
        name, trained = str(about["encoder"]), bool(about["adds_up"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            "the encoder of the run cannot be told",
            where=str(place),
            cure="Copy the whole run folder, or mine again",
        ) from error
    found = load_encoder(place / ENCODER if trained else name, device=device, fetch=False)
    return found, trained


def embed_units(
    units: pl.DataFrame, candidates: Candidates, vectors: np.ndarray, encode: Encode
) -> np.ndarray:
    """Return a row for each unit, float32 (units, dim) of length 1, zeros where nothing is known.

    What was mined has its vector in the run; what people added is encoded from its text.
    """
    rows = np.zeros((units.height, vectors.shape[1]), np.float32)
    numbers = number_rows(units, candidates)
    known = (numbers >= 0) & (numbers < len(vectors))
    rows[known] = vectors[numbers[known]]
    if not known.all():
        rows[~known] = encode(units["surface"].filter(~known).to_list())
    return unit_rows(rows)


def number_rows(units: pl.DataFrame, candidates: Candidates) -> np.ndarray:
    """Return the candidate of each unit, int64 (units,), of an atom the run of it alone, or -1."""
    alone = number_atoms(candidates)
    atoms = units["atom"].fill_null(0).to_numpy().astype(np.int64)
    single = np.where(atoms < len(alone), alone[np.minimum(atoms, len(alone) - 1)], -1)
    runs = units["candidate"].cast(pl.Int64).fill_null(-1).to_numpy()
    return np.where(atoms > 0, single, runs)


def number_atoms(candidates: Candidates) -> np.ndarray:
    """Return the candidate that is each atom alone, int64 (atoms + 1,), -1 where there is none."""
    rows = np.flatnonzero(candidates.parent < 0)
    atoms = (candidates.keys[rows, 0] >> 1).astype(np.int64)
    numbers = np.full(int(atoms.max(initial=0)) + 1, -1, np.int64)
    numbers[atoms] = rows
    return numbers


def read_keys(
    units: pl.DataFrame, atoms: Atoms, candidates: Candidates, patterns: Mapping[str, str]
) -> np.ndarray:
    """Return the keys of units, uint32 (units, longest); what people added is cut from its text."""
    mined = (pl.col("candidate") < candidates.table.height) | pl.col("atom").is_not_null()
    there = units.select(mined.fill_null(False).alias("there"))["there"]
    known = list_keys(units.filter(there), candidates)
    texts = units["token"].filter(~there).to_list()
    added = [form.keys for form in cut_forms(texts, atoms, patterns)]
    longest = max([known.shape[1], *map(len, added)])
    keys = np.zeros((units.height, longest), np.uint32)
    keys[there.to_numpy(), : known.shape[1]] = known
    for row, of_row in zip(np.flatnonzero(~there.to_numpy()).tolist(), added, strict=True):
        keys[row, : len(of_row)] = of_row
    return keys


def find_known(texts: Sequence[str], atoms: Atoms, patterns: Mapping[str, str]) -> list[bool]:
    """Say of each text whether all its atoms stand in the corpus: else its encoder only guesses."""
    if atoms.profile.name == "bytes" or not texts:
        return [False] * len(texts)
    cut = Cutter.of(atoms, patterns).cut(texts)
    parts = [cut.keys[start:end] for start, end in pairwise(cut.first.tolist())]
    inner = [(keys >> 1)[keys != 0] for keys in parts]
    return [bool(len(keys)) and bool((keys <= atoms.table.height).all()) for keys in inner]
