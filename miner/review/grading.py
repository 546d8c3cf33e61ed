"""A run and an answer key to a grade: which units of the key did it find, and why not the others?

A key is a list of texts, one a line, or lines of JSON with `token` and perhaps `kind` and `count`,
as `miner synth` writes it. Both sides are compared in the canonical form of the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.errors import ConfigError, say_reason
from miner.mining.settling import Verdict
from miner.report.screen import fill, fit
from miner.review.words import tell_shortly
from miner.runs.finished import Finished, open_finished
from miner.text.profiles import Profile
from miner.text.recut import normalize

KEY = {"token": pl.String, "kind": pl.String, "wanted": pl.Int64}
RUNS = ("link", "hyperlexeme")
SHOWN = 15  # of what was missed, and of what the key does not have
WIDTH = 56  # columns for a token
_CURE = 'Give one unit a line, or lines of JSON: {"token": "жар тишина", "kind": "link"}'


@dataclass(frozen=True)
class Grade:
    """What became of a key.

    `key`, a row for each of its units: token, kind, wanted (the count that the key tells, or
    null), verdict, order (the rank of a kept one, else null), why. `strange`: the kept links and
    hyperlexemes that it does not have: order, token, kind, count. `precision`: the mean precision
    at each unit of the key that was found, over all of them.
    """

    key: pl.DataFrame
    strange: pl.DataFrame
    kept: int
    precision: float


def grade_run(folder: Path, key: Path) -> Grade:
    """Hold the links and hyperlexemes of a run, and its other units, against a key."""
    run = open_finished(folder)
    wanted = read_key(key, run.atoms.profile)
    return grade_units(run, wanted)


def grade_units(run: Finished, wanted: pl.DataFrame) -> Grade:
    """Do what `grade_run` does, with a key in the columns of `KEY`."""
    ranked = run.proposals.sort("order")
    kept = ranked.filter(verdict=Verdict.KEPT)
    found = wanted.join(
        ranked.unique("token", keep="first", maintain_order=True),
        on="token",
        how="left",
        maintain_order="left",
        suffix="_found",
    )
    whole = set(run.atoms.table["text"])
    rows = found.to_dicts()
    key = wanted.with_columns(
        verdict=pl.Series(
            [row["verdict"] or _tell_absent(row["token"], whole) for row in rows], dtype=pl.String
        ),
        order=pl.when(found["verdict"] == Verdict.KEPT).then(found["order"]),
        why=pl.Series([_tell_why(row, whole) for row in rows], dtype=pl.String),
    )
    runs = kept.filter(pl.col("kind").is_in(RUNS))
    strange = runs.join(wanted, on="token", how="anti", maintain_order="left")
    return Grade(
        key,
        strange.select("order", "token", "kind", "count"),
        runs.height,
        _average_precision(kept["token"].is_in(wanted["token"].to_list()), wanted.height),
    )


def read_key(path: Path, profile: Profile) -> pl.DataFrame:
    """Return the units of a key in the columns of `KEY`, each canonical form once."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        reason = say_reason(error)
        raise ConfigError(
            f"cannot be read ({reason})", where=str(path), cure="Check --key"
        ) from error
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start}"
        raise ConfigError(problem, where=str(path), cure="Save it as UTF-8") from error
    rows = [
        _read_row(line, f"{path}, line {number}", profile)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not rows:
        raise ConfigError("no unit in it", where=str(path), cure=_CURE)
    return pl.DataFrame(rows, schema=KEY, orient="row").unique(
        "token", keep="first", maintain_order=True
    )


def _read_row(line: str, where: str, profile: Profile) -> tuple[str, str | None, int | None]:
    """Return what a line of a key says of a unit."""
    row: Any = {"token": line.strip("\n")}
    if line.lstrip().startswith("{"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"is not JSON ({error})", where=where, cure=_CURE) from error
    token, kind, count = row.get("token"), row.get("kind"), row.get("count")
    sound = isinstance(token, str) and isinstance(kind, str | None)
    if not sound or not isinstance(count, int | None) or not normalize(token, profile):
        raise ConfigError("names no unit", where=where, cure=_CURE)
    return normalize(token, profile), kind, count


def _tell_absent(token: str, whole: set[str]) -> str:
    return "one atom" if token in whole else "rare"


def _tell_why(row: Mapping[str, Any], whole: set[str]) -> str:
    """Return in a few words what became of a unit of the key."""
    if row["verdict"] is not None:
        return tell_shortly({**row, "kind": row["kind_found"]})
    if row["token"] in whole:
        return "one atom, which no run joins"
    return "stands too rarely, or never in one piece"


def _average_precision(hits: pl.Series, wanted: int) -> float:
    """Return the mean, over `wanted` units, of the precision at each hit of a ranking."""
    marks = hits.to_numpy()
    precision = np.cumsum(marks) / np.arange(1, len(marks) + 1)
    return float(precision[marks].sum() / wanted)


def summarize_grade(grade: Grade) -> dict[str, Any]:
    """Return the figures: for each kind of the key how many were found, and the verdicts."""
    kinds = {
        kind or "unit": {
            "in_key": part.height,
            "found": part["order"].count(),
            "verdicts": dict(part["verdict"].value_counts(sort=True).iter_rows()),
        }
        for (kind,), part in grade.key.group_by("kind", maintain_order=True)
    }
    return {
        "kinds": kinds,
        "in_key": grade.key.height,
        "found": grade.key["order"].count(),
        "kept_runs": grade.kept,
        "kept_runs_in_key": grade.kept - grade.strange.height,
        "average_precision": grade.precision,
    }


def describe_grade(grade: Grade) -> str:
    """Return a grade as text for a terminal."""
    told = summarize_grade(grade)
    lines = [f"{'':14}{'in key':>9}{'found':>9}{'':>7}  of the missed"]
    for kind, counts in told["kinds"].items():
        missed = ", ".join(
            f"{verdict} {count:,}"
            for verdict, count in counts["verdicts"].items()
            if verdict != Verdict.KEPT
        )
        share = counts["found"] / counts["in_key"]
        lines.append(
            f"{fill(kind, 14)}{counts['in_key']:>9,}{counts['found']:>9,}{share:>7.1%}  "
            f"{missed}".rstrip()
        )
    lines += [
        "",
        f"{told['kept_runs_in_key']:,} of the {told['kept_runs']:,} links and hyperlexemes that "
        f"were kept are in the key; average precision {told['average_precision']:.3f}",
    ]
    absent = grade.key.filter(pl.col("order").is_null()).sort("wanted", descending=True)
    lines += _list_some("missed", absent, "wanted", absent["why"].to_list())
    lines += _list_some(
        "kept, not in the key", grade.strange, "count", grade.strange["kind"].to_list()
    )
    return "\n".join(lines)


def _list_some(title: str, table: pl.DataFrame, counts: str, notes: list[str]) -> list[str]:
    """Return the first rows of a table as lines: how often, the token, a note."""
    if table.is_empty():
        return []
    shown = table.head(SHOWN)
    lines = ["", f"{title} ({table.height:,})"]
    for token, count, note in zip(shown["token"], shown[counts], notes, strict=False):
        often = "" if count is None else f"{count:,}"
        lines.append(f"{often:>8}  {fill(fit(token, WIDTH - 1), WIDTH)}{note}")
    return lines
