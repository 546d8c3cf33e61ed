"""A run to the reviewed vocabulary in one file, for people and other programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl

from miner.errors import UsageError
from miner.mining.vocabulary import list_rows, list_tokens, mark_spaces, write_merges
from miner.runs.annotations import review_run
from miner.runs.decisions import Policy
from miner.runs.finished import open_finished
from miner.runs.workplace import check_output, write_output

FORMATS = ("jsonl", "csv", "parquet", "txt", "json", "merges")


@dataclass(frozen=True)
class Exported:
    """What was written: how many units, what the decisions came to, what a person should know."""

    units: int
    counts: dict[str, int]
    notes: tuple[str, ...]


def export_vocabulary(
    run: Path, out: Path, *, form: str, policy: Policy = "majority", overwrite: bool = False
) -> Exported:
    """Write the vocabulary of a run, as its reviewers want it, to the file `out`.

    `jsonl`, `csv` and `parquet` hold every column, `txt` one token a line with `▁` for a space,
    `json` the `special_tokens` and `never_split` of tokenizer configs, `merges` the forced merges.
    """
    if form not in FORMATS:
        raise UsageError(f"--format is {form!r}", cure=f"It must be {' or '.join(FORMATS)}")
    check_output(out, overwrite=overwrite)  # before all the work
    finished = open_finished(run)
    reviewed = review_run(run, policy)
    units = reviewed.units if reviewed else finished.units
    spaced = finished.manifest.profile in ("words", "transliteration")
    if form == "merges":
        merges = reviewed.merges if reviewed else finished.merges
        content = write_merges(merges).encode()
    else:
        content = _write_units(units, form, spaced=spaced)
    write_output(out, content, overwrite=overwrite)
    if reviewed is None:
        return Exported(units.height, {}, ())
    return Exported(units.height, dict(reviewed.counts), reviewed.notes)


def _write_units(units: pl.DataFrame, form: str, *, spaced: bool) -> bytes:
    if form == "json":
        return (json.dumps(list_tokens(units), ensure_ascii=False, indent=1) + "\n").encode()
    if form == "txt":
        return "".join(f"{line}\n" for line in mark_spaces(units, spaced=spaced)).encode()
    rows = list_rows(units)
    if form == "jsonl":
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows.to_dicts())
        return "".join(f"{line}\n" for line in lines).encode()
    if form == "csv":
        nested = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.List)]
        told = [
            pl.Series(name, [json.dumps(list(one), ensure_ascii=False) for one in rows[name]])
            for name in nested
        ]
        return rows.with_columns(told).write_csv().encode()
    buffer = BytesIO()
    rows.write_parquet(buffer)
    return buffer.getvalue()
