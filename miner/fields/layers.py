"""Named layers of a run: what people say of units, and vectors of pictures, sounds and films.

A layer is a table of people's own, `layers/<name>.parquet`, which no stage makes again: `token` (a
unit, or null for an item that belongs to none), `item` (a file or a name), and `value`, a text, or
`vector`, a row of an encoder of their own. `encoder` names it: `run` is that of the run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from miner.errors import ConfigError, RunError, UsageError, say_reason
from miner.runs.files import make_plain_folder, open_plain, replace_file
from miner.runs.names import LAYERS
from miner.text.tables import checked
from miner.vectors.neighbors import unit_rows

ENDING = ".parquet"
RESERVED = ("token", "item", "value", "vector", "encoder")
MOST_LAYERS = 64
TEXTS: dict[str, pl.DataType] = {
    "token": pl.String(), "item": pl.String(), "value": pl.String()
}  # fmt: skip
VECTORS: dict[str, pl.DataType] = {
    "token": pl.String(), "item": pl.String(), "vector": pl.List(pl.Float32()),
    "encoder": pl.String(),
}  # fmt: skip
_NAME = re.compile(r"[^\W\d]\w{0,63}")


@dataclass(frozen=True)
class Layer:
    """A named layer: `table` as `TEXTS` or `VECTORS` say; `rows` float32 unit rows of vectors."""

    name: str
    table: pl.DataFrame
    rows: np.ndarray | None = None

    @property
    def encoder(self) -> str | None:
        """What made the vectors: `run` for the encoder of the run, None where nobody said."""
        known = self.rows is not None and self.table.height > 0
        return self.table["encoder"][0] if known else None


def read_texts(file: Path) -> list[Layer]:
    """Return the layers of a table with a column `token`: one a column, empty cells left out.

    TSV, CSV, JSON lines and Parquet by their names. ConfigError where it is no such table.
    """
    table = _read_table(file)
    names = [name for name in table.columns if name not in ("token", "item")]
    if not names:
        raise ConfigError(
            "has no column beside token", where=str(file), cure="Add one for each layer"
        )
    for name in names:
        check_name(name)
    item = pl.col("item") if "item" in table.columns else pl.lit(None, pl.String)
    try:
        cells = table.with_columns(pl.col(*names).cast(pl.String), item=item.cast(pl.String))
    except pl.exceptions.PolarsError as error:
        raise ConfigError(
            "has a column that is no text and no number",
            where=str(file),
            cure="Attach vectors with --attach NAME=FILE",
        ) from error
    layers = []
    for name in names:
        chosen = cells.select("token", "item", value=name)
        chosen = chosen.filter(pl.col("token").is_not_null() & (pl.col("value") != ""))
        layers.append(Layer(name, checked(chosen, TEXTS)))
    return layers


def read_vectors(name: str, file: Path, *, encoder: str | None) -> Layer:
    """Return a layer of vectors from a table with `vector` and `token` or `item`.

    ConfigError where it is no such table, or its vectors are not numbers of one length.
    """
    check_name(name)
    table = _read_table(file)
    cure = "Give a list of numbers in each row, all of one length"
    if "vector" not in table.columns:
        raise ConfigError("has no column vector", where=str(file), cure=cure)
    table = table.filter(pl.col("vector").is_not_null())
    try:
        vectors = [np.asarray(_read_list(cell), np.float64) for cell in table["vector"].to_list()]
        rows = np.stack(vectors).astype(np.float32)
    except (ValueError, TypeError) as error:
        raise ConfigError("has vectors that are no rows", where=str(file), cure=cure) from error
    if rows.ndim != 2 or not rows.shape[1] or not np.isfinite(rows).all():
        raise ConfigError("has vectors that are no rows", where=str(file), cure=cure)
    rows = unit_rows(rows)
    item = "item" if "item" in table.columns else "token"
    filled = pl.DataFrame(
        {
            "token": table["token"].cast(pl.String),
            "item": table[item].cast(pl.String),
            "vector": pl.Series(rows.tolist(), dtype=pl.List(pl.Float32)),
            "encoder": pl.Series([encoder] * len(rows), dtype=pl.String),
        }
    )
    return Layer(name, checked(filled, VECTORS), rows)


def _read_list(cell: object) -> object:
    return json.loads(cell) if isinstance(cell, str) else cell


def _read_table(file: Path) -> pl.DataFrame:
    readers = {
        ".tsv": lambda: _read_separated(file, "\t"),
        ".csv": lambda: _read_separated(file, ","),
        ".jsonl": lambda: pl.read_ndjson(file, infer_schema_length=None),
        ".parquet": lambda: pl.read_parquet(file),
    }
    if file.suffix not in readers:
        raise ConfigError(
            "is no table by its name", where=str(file), cure=f"Name it {', '.join(readers)}"
        )
    try:
        table = readers[file.suffix]()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        told = str(error).splitlines()[0][:200]
        raise ConfigError(
            f"cannot be read ({told})", where=str(file), cure="Check the file"
        ) from error
    if "token" not in table.columns:
        if "item" not in table.columns:
            raise ConfigError("has no column token", where=str(file), cure="Name units in one")
        table = table.with_columns(token=pl.lit(None, pl.String))
    return table.with_columns(pl.col("token").cast(pl.String))


def _read_separated(file: Path, separator: str) -> pl.DataFrame:
    return pl.read_csv(file, separator=separator, infer_schema=False)


def check_name(name: str) -> None:
    """Raise UsageError where a layer cannot have this name."""
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise UsageError(
            f"{name!r} is no name for a layer",
            cure=f"Use letters, digits and _, none of {', '.join(RESERVED)}",
        )


def write_layer(run: Path, layer: Layer) -> None:
    """Put a layer into a run, in place of one of the same name; RunError where that fails."""
    buffer = BytesIO()
    layer.table.write_parquet(buffer)
    place = run / LAYERS
    try:
        make_plain_folder(place)
        there = [path.stem for path in place.glob(f"*{ENDING}")]
        if len({*there, layer.name}) > MOST_LAYERS:
            raise UsageError(f"a run has at most {MOST_LAYERS} layers", cure="Drop some: --drop")
        replace_file(place / f"{layer.name}{ENDING}", buffer.getvalue())
    except OSError as error:
        reason = say_reason(error)
        raise RunError(
            f"cannot be written ({reason})", where=str(place), cure="Check the path and the disk"
        ) from error


def drop_layer(run: Path, name: str) -> None:
    """Take a layer out of a run; UsageError where there is none of that name."""
    check_name(name)
    place = run / LAYERS / f"{name}{ENDING}"
    if not place.is_file() or place.is_symlink():
        raise UsageError(f"there is no layer {name!r}", cure=f"Look into {run / LAYERS}")
    place.unlink()


def read_layers(run: Path) -> dict[str, Layer]:
    """Return the layers of a run by name; RunError where one is damaged."""
    folder = run / LAYERS
    if not folder.is_dir() or folder.is_symlink():
        return {}
    layers = {}
    for file in sorted(folder.glob(f"*{ENDING}"))[:MOST_LAYERS]:
        try:
            check_name(file.stem)
            with open_plain(file) as stream:
                table = pl.read_parquet(stream)
            layers[file.stem] = _check_layer(file.stem, table)
        except (OSError, ValueError, UsageError, pl.exceptions.PolarsError) as error:
            raise RunError(
                f"is no layer ({type(error).__name__})",
                where=str(file),
                cure="Take it away, or attach it again",
            ) from error
    return layers


def _check_layer(name: str, table: pl.DataFrame) -> Layer:
    if "vector" not in table.columns:
        return Layer(name, checked(table, TEXTS))
    table = checked(table, VECTORS)
    rows = np.array(table["vector"].to_list(), np.float32)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError("vectors of different lengths")
    return Layer(name, table, unit_rows(rows))


def tell_values(layers: Mapping[str, Layer], token: str) -> dict[str, list[str]]:
    """Return what each layer says of a unit: its values, or the items attached to it."""
    told = {}
    for name, layer in layers.items():
        column = "value" if layer.rows is None else "item"
        found = layer.table.filter(pl.col("token") == token)[column].drop_nulls().to_list()
        if found:
            told[name] = found
    return told
