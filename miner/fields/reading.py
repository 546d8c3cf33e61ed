"""A run folder to its fields: the tables and the space that `making` wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.errors import RunError
from miner.fields.making import ABOUT, CONTEXTS, FIELDS, SCENES, SPACE, Space
from miner.runs.names import find_stage


@dataclass(frozen=True)
class Fields:
    """The fields of a run: see `making` for what each table holds."""

    table: pl.DataFrame
    contexts: pl.DataFrame
    scenes: pl.DataFrame
    space: Space
    about: dict[str, Any]


def read_fields(run: Path) -> Fields:
    """Return the fields of a run; RunError where it has none, or they are damaged."""
    folder = find_stage(run, "fields")
    if not folder.is_dir():
        raise RunError(
            "has no fields: it is of an earlier version",
            where=str(run),
            cure=f"Run miner fields {run}",
        )
    try:
        tables = [pl.read_parquet(folder / name) for name in (FIELDS, CONTEXTS, SCENES)]
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        space = _read_space(folder / SPACE)
        _check(tables, space, about)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise RunError(
            f"its fields cannot be read ({type(error).__name__})",
            where=str(folder),
            cure=f"Run miner fields {run}",
        ) from error
    table, contexts, scenes = tables
    return Fields(table, contexts, scenes, space, about)


def _check(tables: list[pl.DataFrame], space: Space, about: dict[str, Any]) -> None:
    """Raise ValueError where the parts are not of one piece."""
    wanted = (
        {"rank", "token", "address", "resonance", "direction", "tension", "anchor", "scene"},
        {"rank", "place", "length", "cosine"},
        {"family", "anchor", "members", "closeness", "address", "scene"},
    )
    for table, names in zip(tables, wanted, strict=True):
        if missing := names - set(table.columns):
            raise ValueError(f"no columns {', '.join(sorted(missing))}")
    dim = space.vectors.shape[1]
    shapes = (space.middle.shape, space.axes.shape[1:], space.books.shape[2:])
    if any(shape != (dim,) for shape in shapes) or space.basis.shape != (dim, dim):
        raise ValueError("arrays of different widths")
    if len(space.vectors) != tables[0].height or len(space.axes) != len(space.facets):
        raise ValueError("arrays of different lengths")
    if not isinstance(about, dict) or not isinstance(about.get("facets"), dict):
        raise ValueError("no list of facets")


def _read_space(file: Path) -> Space:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as arrays:
            names = (arrays.metadata() or {}).get("facets", "")
            parts = {name: np.asarray(arrays.get_tensor(name)) for name in arrays.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    parts["vectors"] = parts["vectors"].astype(np.float32)
    facets = tuple(names.split("\t")) if names else ()
    chosen = {name: parts[name] for name in ("vectors", "middle", "axes", "basis", "books")}
    if any(array.ndim not in (1, 2, 3) for array in chosen.values()):
        raise ValueError("arrays of no shape")
    return Space(facets=facets, **chosen)
