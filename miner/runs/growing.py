"""Units that no candidate is to rows behind the candidates: the tables with more runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.runs.forms import Form
from miner.text.pretokens import Atoms


def add_runs(
    forms: Sequence[Form], atoms: Atoms, candidates: Candidates
) -> tuple[Atoms, Candidates, list[tuple[int | None, int | None]]]:
    """Return atoms and candidates with some more units, and the number of each.

    A number is that of a candidate, or that of an atom where the unit is one atom. Atoms and
    prefixes that the corpus does not have come with a count of nothing.
    """
    numbered, atoms = _number_atoms(forms, atoms)
    if not forms:
        return atoms, candidates, []
    grown = _Grown(candidates, max([candidates.keys.shape[1], *map(len, numbered)]))
    numbers: list[tuple[int | None, int | None]] = [
        (None, keys[0] >> 1) if len(keys) == 1 else (grown.add(keys), None) for keys in numbered
    ]
    return atoms, grown.finish(atoms), numbers


def _number_atoms(forms: Sequence[Form], atoms: Atoms) -> tuple[list[tuple[int, ...]], Atoms]:
    """Give atoms that the corpus does not have numbers behind its own."""
    most = atoms.table.height
    new: dict[str, int] = {}
    numbered = [
        tuple(
            key
            if 0 < key >> 1 <= most
            else (new.setdefault(text, most + 1 + len(new)) << 1) | (key & 1)
            for key, text in zip(form.keys, form.unit[1], strict=True)
        )
        for form in forms
    ]
    rows = pl.DataFrame(
        {
            "atom": list(new.values()),
            "text": list(new),
            "surface": list(new),
            "count": [0] * len(new),
            "kind": ["word"] * len(new),
        },
        schema=dict(atoms.table.schema),
    )
    return numbered, replace(atoms, table=pl.concat([atoms.table, rows]))


class _Grown:
    """Candidates that get more rows: a trie needs every prefix of a run."""

    def __init__(self, candidates: Candidates, longest: int) -> None:
        self.old = candidates
        self.longest = longest
        self.rows: dict[tuple[int, ...], int] = {}
        self.parents: list[int] = []

    def add(self, keys: tuple[int, ...]) -> int:
        """Return the row of a run, which is made, with its prefixes, where it is not there."""
        row = -1
        for length in range(1, len(keys) + 1):
            part = keys[:length]
            found = self.rows.get(part, self._find(row, part) if length == 1 or row >= 0 else -1)
            if found < 0:
                found = self.rows[part] = len(self.old.keys) + len(self.parents)
                self.parents.append(row)
            row = found
        return row

    def _find(self, parent: int, part: tuple[int, ...]) -> int:
        """Return the row of a run among the old ones by that of its prefix, -1 if there is none."""
        width = self.old.keys.shape[1]
        if len(part) > width or parent >= len(self.old.keys):
            return -1
        same = (self.old.parent == parent) & (self.old.keys[:, len(part) - 1] == part[-1])
        rows = np.flatnonzero(same)
        return int(rows[0]) if len(rows) else -1

    def finish(self, atoms: Atoms) -> Candidates:
        """Return the candidates with the rows that were made."""
        more = len(self.parents)
        if not more:
            return self.old
        keys = np.zeros((len(self.old.keys) + more, self.longest), np.uint32)
        keys[: len(self.old.keys), : self.old.keys.shape[1]] = self.old.keys
        for part, row in self.rows.items():
            keys[row, : len(part)] = part
        parents = np.append(self.old.parent, np.array(self.parents, np.int64))
        suffix = np.append(self.old.suffix, np.full(more, -1, np.int64))
        return Candidates(self._table(atoms), keys, parents, suffix)

    def _table(self, atoms: Atoms) -> pl.DataFrame:
        """Return a row for each; a run that was made stands at the end, where a stop is."""
        old = self.old.table
        made = pl.DataFrame(
            {"candidate": list(self.rows.values()), "length": [len(part) for part in self.rows]},
            schema={name: old.schema[name] for name in ("candidate", "length")},
        )
        end = len(atoms.mined.ids) - 1
        blank = [
            pl.lit(end if name == "place" else 0).cast(kind).alias(name)
            for name, kind in old.schema.items()
            if name not in made.columns
        ]
        return pl.concat([old, made.with_columns(blank).select(old.columns)])
