"""Run folders to a table: how many of the best units are only a part of another one?

A unit is a nested duplicate where one longer kept unit, any of them, accounts for four fifths or
more of its count: `defense authorization` beside `national defense authorization act`.

    python -m benchmarks.nested outputs/en_novels outputs/ru_prose
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks.gold import print_table

TOP = 2_000
ACCOUNTED = 0.8
TARGET = 0.01

Spelled = tuple[str, ...]  # the atoms of a unit, each but the first with the space before it


def spell_atoms(token: str, atoms: list[str]) -> Spelled:
    """Return the atoms with the space that stands before them in the token.

    >>> spell_atoms("a bc", ["a", "b", "c"])
    ('a', ' b', 'c')
    """
    spelled, at = [], 0
    for atom in atoms:
        end = token.index(atom, at) + len(atom)
        spelled.append(token[at:end])
        at = end
    if at != len(token):
        raise ValueError(f"{token!r} is not made of {atoms}")
    return tuple(spelled)


def list_inner_runs(unit: Spelled) -> Iterator[Spelled]:
    """Yield every shorter run inside a unit, as it would be spelled by itself."""
    for length in range(1, len(unit)):
        for first in range(len(unit) - length + 1):
            run = unit[first : first + length]
            yield (run[0].removeprefix(" "), *run[1:])


def find_nested(units: pl.DataFrame, *, top: int = TOP) -> pl.DataFrame:
    """Return those of the `top` units that another one accounts for, with that one as `holder`.

    `units`: `rank, token, atoms, count`. A unit that holds a run twice accounts for it twice.
    """
    rows = units.sort("rank").select("token", "atoms", "count").rows()
    spelled = [spell_atoms(token, atoms) for token, atoms, _ in rows]
    most: dict[Spelled, tuple[int, str]] = {}
    for unit, (token, _, count) in zip(spelled, rows, strict=True):
        for run, times in Counter(list_inner_runs(unit)).items():
            most[run] = max(most.get(run, (0, "")), (times * count, token))
    nested = [
        (token, count, most[unit][1], most[unit][0])
        for unit, (token, _, count) in zip(spelled[:top], rows[:top], strict=True)
        if unit in most and most[unit][0] >= ACCOUNTED * count
    ]
    names = {"token": pl.String, "count": pl.Int64, "holder": pl.String, "inside": pl.Int64}
    return pl.DataFrame(nested, schema=names, orient="row")


def measure_nested(run: Path, *, top: int) -> dict[str, object]:
    """One row for a run folder."""
    units = pl.read_ndjson(run / "vocabulary.jsonl").select("rank", "token", "atoms", "count")
    nested = find_nested(units, top=top)
    best = min(top, len(units))
    examples = [f"{token} ({holder})" for token, holder in nested.select("token", "holder").rows()]
    return {
        "run": run.name,
        "kept": len(units),
        "of the best": best,
        "nested": len(nested),
        "share": f"{len(nested) / max(best, 1):.2%}",
        "target": f"under {TARGET:.0%}",
        "first three": ", ".join(examples[:3]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--top", type=int, default=TOP)
    options = parser.parse_args()
    print_table([measure_nested(run, top=options.top) for run in options.runs])


if __name__ == "__main__":
    main()
