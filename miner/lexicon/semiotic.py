"""The semiotic map: token <-> meaning <-> operation, a table that people fill and give back.

`operation` is the label of a unit, the one that is given in review: what is filled in goes into the
log of a reviewer, and can be undone. `meaning` in people's own words becomes a layer. The other
columns tell what is known of a unit, and are not read back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from miner.errors import ConfigError, UsageError
from miner.fields.layers import Layer, read_texts, write_layer
from miner.lexicon.lexicon import Lexicon
from miner.runs.decisions import Log, Unit, check_changes, name_log
from miner.runs.workplace import write_output

MEANING, OPERATION = "meaning", "operation"


@dataclass(frozen=True)
class Filled:
    """What came back: how many operations and meanings changed, which tokens are no units."""

    operations: int
    meanings: int
    unknown: tuple[str, ...]


def make_map(lexicon: Lexicon) -> pl.DataFrame:
    """Return a row a unit: `token, meaning, operation`, then what helps to fill them in."""
    units = lexicon.units
    label = pl.col("label") if "label" in units.columns else pl.lit(None, pl.String)
    said = lexicon.layers.get(MEANING)
    meanings = dict(said.table.select("token", "value").iter_rows()) if said else {}
    heads = dict(units.select("rank", "token").iter_rows())
    told = lexicon.fields.space.tell(lexicon.vectors)
    known = lexicon.fields.table.select("token", "scene", "resonance", "direction", "tension")
    table = units.select(
        "token",
        _name("token", meanings).alias(MEANING),
        label.alias(OPERATION),
        "rank",
        "kind",
        "count",
        "surface",
        family=_name("family", heads),
    )
    table = pl.concat([table, told], how="horizontal")
    return table.join(known, on="token", how="left", validate="1:1", maintain_order="left")


def _name(column: str, names: Mapping[Any, str]) -> pl.Expr:
    """Return what each value of a column is called, null for what has no name."""
    return pl.col(column).replace_strict(names, default=None, return_dtype=pl.String)


def write_map(lexicon: Lexicon, out: Path, *, overwrite: bool = False) -> int:
    """Write the map to a TSV or CSV file; return its rows. UsageError for another name."""
    separator = {".tsv": "\t", ".csv": ","}.get(out.suffix)
    if separator is None:
        raise UsageError(f"--out {out} is no table by its name", cure="Name it .tsv or .csv")
    table = make_map(lexicon)
    content = table.write_csv(separator=separator, float_precision=3).encode()
    write_output(out, content, overwrite=overwrite)
    return table.height


def read_map(lexicon: Lexicon, file: Path, *, reviewer: str) -> Filled:
    """Take over what people filled into a map: operations as decisions, meanings as a layer."""
    layers = {layer.name: layer for layer in read_texts(file) if layer.name in (MEANING, OPERATION)}
    if not layers:
        raise ConfigError(
            "has neither meaning nor operation",
            where=str(file),
            cure="Write it with miner export --format map",
        )
    unknown: list[str] = []
    operations = meanings = 0
    if OPERATION in layers:
        operations = _set_labels(lexicon, layers[OPERATION], reviewer, unknown)
    if MEANING in layers:
        meanings = _set_meanings(lexicon, layers[MEANING], unknown)
    return Filled(operations, meanings, tuple(dict.fromkeys(unknown)))


def _set_labels(lexicon: Lexicon, layer: Layer, reviewer: str, unknown: list[str]) -> int:
    wanted = dict(layer.table.select("token", "value").iter_rows())
    changed: dict[str | None, list[Unit]] = defaultdict(list)
    for token, value in wanted.items():
        unit = _find_unit(lexicon, token, unknown)
        if unit and (unit.get("label") or "") != value:
            changed[value].append((unit["token"], tuple(unit["atoms"])))
    for value in changed:  # all are fit before any is written
        try:
            check_changes({"label": value})
        except ValueError as error:
            raise ConfigError(
                f"{value!r} is no operation ({error})", where="the map", cure="Write a short text"
            ) from error
    log = Log(name_log(lexicon.folder, reviewer))
    for value, units in changed.items():
        log.set(units, {"label": value})
    return sum(map(len, changed.values()))


def _set_meanings(lexicon: Lexicon, layer: Layer, unknown: list[str]) -> int:
    known = [token for token in layer.table["token"] if _find_unit(lexicon, token, unknown)]
    table = layer.table.filter(pl.col("token").is_in(known))
    if table.height:
        write_layer(lexicon.folder, Layer(MEANING, table))
    return table.height


def _find_unit(lexicon: Lexicon, token: str, unknown: list[str]) -> dict[str, Any] | None:
    rank = lexicon.find(token)
    if rank is None:
        unknown.append(token)
        return None
    return lexicon.unit(rank)
