"""Units to fields: all that is known of a unit beyond its text, in one folder.

fields.parquet      a row a unit: address, facets, resonance, direction, tension, anchor, scene
contexts.parquet    the typical places of each unit, in the stream of atoms
scenes.parquet      families: head, anchor, members, address and facets of their field
space.safetensors   rows of the units, axes of the facets, nested basis, centres of the addresses
fields.json         anchors that were found, what a shared prefix means, which encoder it was
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.fields.addresses import (
    find_codes,
    measure_prefixes,
    measure_return,
    train_codebooks,
    write_addresses,
)
from miner.fields.anchors import Anchors
from miner.fields.facets import find_axes, measure_facets, measure_widths, nest_columns
from miner.fields.scenes import find_scenes, write_scene
from miner.fields.space import embed_units, find_known, number_atoms, read_keys
from miner.fields.structure import measure_resonance, measure_structure
from miner.fields.typical import find_typical
from miner.mining.candidates import Candidates
from miner.runs.files import write_json
from miner.text.pretokens import Atoms
from miner.vectors.encoder import Encoder

FIELDS, CONTEXTS, SCENES = "fields.parquet", "contexts.parquet", "scenes.parquet"
SPACE, ABOUT = "space.safetensors", "fields.json"
LEAST_ANCHORS = 3  # of a facet that the corpus must have, or all where there are fewer


@dataclass(frozen=True)
class Space:
    """Where units lie: `vectors` float32 (units, dim), `middle` their mean, `axes` (facets, dim),
    `basis` (dim, dim) of nested vectors, `books` (levels, codes, dim) of addresses.
    """

    vectors: np.ndarray
    middle: np.ndarray
    axes: np.ndarray
    basis: np.ndarray
    books: np.ndarray
    facets: tuple[str, ...]

    def tell(self, vectors: np.ndarray) -> pl.DataFrame:
        """Return `address` and the facets of rows in this space, null for rows of zeros."""
        known = pl.Series(vectors.any(axis=1)) if len(vectors) else pl.Series([], dtype=pl.Boolean)
        table = pl.DataFrame({"address": self._address(vectors)})
        facets = measure_facets(vectors, self.axes, self.middle)
        columns = [pl.Series(name, facets[:, i]) for i, name in enumerate(self.facets)]
        table = table.with_columns(columns)
        return table.select(pl.when(known).then(pl.all()))

    def _address(self, vectors: np.ndarray) -> pl.Series:
        if not len(self.books) or not len(vectors):
            return pl.Series("address", [None] * len(vectors), pl.String)
        return write_addresses(find_codes(vectors, self.books))


def make_fields(
    folder: Path,
    units: pl.DataFrame,
    atoms: Atoms,
    candidates: Candidates,
    vectors: np.ndarray,
    encoder: Encoder,
    *,
    trained: bool,
    anchors: Anchors,
    patterns: Mapping[str, str],
    seed: int = 0,
) -> int:
    """Write the fields of units to a folder; return how many there are.

    `trained`: the encoder knows the corpus alone, and anchors that are not in it are left out.
    """
    rows = embed_units(units, candidates, vectors, encoder.encode)
    keys = read_keys(units, atoms, candidates, patterns)
    with ThreadPoolExecutor(2) as beside:  # compiled, and free of each other
        typical = beside.submit(_find_typical, keys, atoms, candidates, vectors)
        resonance = beside.submit(measure_resonance, atoms.mined.ids, atoms.mined.documents, keys)
        found = find_anchors(anchors, encoder, atoms, patterns, trained=trained)
        space = build_space(rows, {name: rows for name, (_, rows) in found.items()}, seed=seed)
        told = space.tell(rows)
        scenes = _tell_scenes(units, rows, space)
        typical.result().write_parquet(folder / CONTEXTS)
        structure = measure_structure(units).with_columns(
            resonance=pl.Series(resonance.result()).fill_nan(None)
        )
    anchored = scenes.explode("members").select(rank="members", anchor="anchor", scene="scene")
    table = pl.concat([units.select("rank", "token"), told, structure], how="horizontal")
    table = table.join(anchored, on="rank", how="left", validate="1:1", maintain_order="left")
    table.write_parquet(folder / FIELDS)
    scenes.write_parquet(folder / SCENES)
    write_space(folder / SPACE, space)
    about = {
        "encoder": "corpus" if trained else encoder.name,
        "dimension": int(rows.shape[1]),
        "facets": {name: list(words) for name, (words, _) in found.items()},
        "anchors": {name: list(words) for name, words in anchors.items()},
    }
    write_json(folder / ABOUT, about | measure_space(rows, space, seed=seed))
    return units.height


def find_anchors(
    anchors: Anchors, encoder: Encoder, atoms: Atoms, patterns: Mapping[str, str], *, trained: bool
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the anchors of each facet that the encoder knows, and their rows.

    A facet with fewer than `LEAST_ANCHORS` of several is left out: `sad` is Sanskrit too.
    """
    texts = sorted({word for words in anchors.values() for word in words})
    known = find_known(texts, atoms, patterns) if trained else [True] * len(texts)
    chosen = [text for text, there in zip(texts, known, strict=True) if there]
    rows = encoder.encode(chosen)
    place = {text: i for i, text in enumerate(chosen) if rows[i].any()}
    found = {}
    for name, words in anchors.items():
        there = tuple(word for word in words if word in place)
        if len(there) >= min(LEAST_ANCHORS, len(words)):
            found[name] = (there, rows[[place[word] for word in there]])
    return found


def build_space(rows: np.ndarray, anchors: Mapping[str, np.ndarray], *, seed: int) -> Space:
    """Return the space of units: its middle, axes, nested basis and centres."""
    known = rows[rows.any(axis=1)]
    dim = rows.shape[1]
    middle = known.mean(axis=0) if len(known) else np.zeros(dim, np.float32)
    axes = np.zeros((0, dim), np.float32)
    if anchors:
        axes = find_axes(list(anchors.values()), middle)
    basis = nest_columns(known - middle, axes)
    books = train_codebooks(known, seed=seed)
    return Space(rows, middle, axes, basis, books, tuple(anchors))


def measure_space(rows: np.ndarray, space: Space, *, seed: int) -> dict[str, Any]:
    """Return what addresses and nested vectors are worth on these rows."""
    known = rows[rows.any(axis=1)]
    if not len(known) or not len(space.books):
        return {"prefixes": [], "return": {}, "nested": {}}
    codes = find_codes(known, space.books)
    return {
        "prefixes": measure_prefixes(known, codes).to_dicts(),
        "return": measure_return(known, codes, space.books, seed=seed),
        "nested": measure_widths(known, space.basis, seed=seed),
    }


def _find_typical(
    keys: np.ndarray, atoms: Atoms, candidates: Candidates, vectors: np.ndarray
) -> pl.DataFrame:
    """Return the typical places of units: `rank, place, length, cosine`."""
    alone = number_atoms(candidates)
    rows = np.zeros((atoms.table.height + 1, vectors.shape[1]), np.float32)
    there = np.flatnonzero((alone >= 0) & (alone < len(vectors)))
    rows[there] = vectors[alone[there]]
    counts = atoms.table["count"].to_numpy()
    found = find_typical(atoms.mined, list(keys), rows, counts)
    return found.select(
        rank=(pl.col("unit") + 1).cast(pl.UInt32), place="place", length="length", cosine="cosine"
    )


def _tell_scenes(units: pl.DataFrame, rows: np.ndarray, space: Space) -> pl.DataFrame:
    scenes, fields = find_scenes(units, rows)
    told = pl.concat([scenes, space.tell(fields)], how="horizontal")
    names = units.select(anchor="rank", name=pl.coalesce("glued", "token"))
    named = told.join(names, on="anchor", how="left", validate="m:1", maintain_order="left")
    texts = [
        write_scene(name, address) for name, address in named.select("name", "address").iter_rows()
    ]
    return named.drop("name").with_columns(scene=pl.Series(texts, dtype=pl.String))


def write_space(file: Path, space: Space) -> None:
    """Write the arrays of a space; their names and shapes are in the header."""
    from safetensors.numpy import save

    arrays = {
        "vectors": space.vectors.astype(np.float16),
        "middle": space.middle,
        "axes": space.axes,
        "basis": space.basis,
        "books": space.books,
    }
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    file.write_bytes(save(plain, {"facets": "\t".join(space.facets)}))
