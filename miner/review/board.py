"""A run and what is said of it to a board: which proposals, in which order, and who decided what?

All that the notebook shows comes from here, and all that is decided goes through here. Rows are
told by `row`, their number in the proposals of this run; the logs tell them by what they are.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from miner.errors import UsageError
from miner.report.screen import spell
from miner.review.absent import count_text
from miner.review.explainer import Explainer
from miner.review.known import list_known, show_value
from miner.review.places import Points, find_points
from miner.review.reasons import explain
from miner.review.words import tell_shortly
from miner.runs.annotations import check_form
from miner.runs.decisions import (
    NOTHING,
    Conflict,
    Decision,
    Log,
    Policy,
    Unit,
    check_changes,
    list_damage,
    name_log,
    settle_logs,
)
from miner.runs.finished import Finished
from miner.text.recut import normalize

SORTS = {
    "rank": "order", "token": "token", "kind": "kind", "count": "count", "unit_count": "unit_count",
    "score": "score", "verdict": "verdict", "length": "length", "family": "family",
}  # fmt: skip
FIELD = "field:"  # and the name of a field: an order too
DECIDED = ("undecided", "accept", "reject", "changed", "conflict", "falls")
SHOWN = ("row", "token", "kind", "count", "unit_count", "score", "verdict", "family")
MOST_ROWS = 1_000  # to show at a time
MOST_UNITS = 200_000  # to decide on at once: a line of about 20 MB in the log
Rows = Sequence[int] | np.ndarray
VERDICTS = {None: 0, "accept": 1, "reject": 2}


@dataclass(frozen=True)
class Query:
    """What to show: all conditions hold together, an empty one is none.

    `search` looks for a part of the canonical form, in any case. `verdict` is the run's own, or
    `refused` for all but `kept`. `decision` is one of `DECIDED`. `family` is the token of its
    head. `only` are the rows of a lasso. Equal rows stay in the order of the run.
    """

    search: str = ""
    kind: str = ""
    verdict: str = ""
    decision: str = ""
    family: str = ""
    only: Sequence[int] | None = None
    sort: str = "rank"
    descending: bool = False


@dataclass(frozen=True)
class Outcome:
    """What an action came to: the rows to show anew, or why it was refused; what is odd of it."""

    rows: list[int] = field(default_factory=list)
    problem: str | None = None
    note: str | None = None


class Board:
    """The proposals of a run, and the decisions of one reviewer among others.

    What is said of each row stands in arrays too, so that a million rows are searched at once; an
    action touches those of its own rows alone. Its methods may be called from any thread.
    """

    def __init__(self, run: Finished, reviewer: str, policy: Policy = "majority") -> None:
        self.run = run
        self.reviewer = reviewer
        self.policy: Policy = policy
        self.explainer = Explainer(run)
        self.table = self.explainer.table
        self.known, self._unknown = list_known(run.folder, self.table)
        self.decisions: dict[Unit, Decision] = {}  # what holds
        self.conflicts: dict[Unit, list[Conflict]] = {}
        self._mine = Log(name_log(run.folder, reviewer))
        self._others: list[Log] = []
        self._rows: dict[Unit, int | None] = {}
        self._away: dict[Unit, None] = {}  # decided on, but not proposed; in order
        self._kept = (self.table["verdict"] == "kept").to_numpy()
        self._said = np.zeros(self.table.height, np.uint8)  # by me: 1 accept, 2 reject, 3 another
        self._holds = np.zeros(self.table.height, np.uint8)  # 1 accept, 2 reject
        self._differs = np.zeros(self.table.height, bool)
        self._lacks = np.zeros(self.table.height, np.uint16)  # rejected units that it is built on
        self._orders: dict[tuple[str, bool], np.ndarray] = {}
        self._lock = threading.RLock()
        self._points: Points | None = None
        self._search = self.table["token"].str.to_lowercase()
        self.refresh()

    # What to show

    def find(self, query: Query) -> np.ndarray:
        """Return the rows of a query in its order, int64; UsageError where it has no meaning."""
        with self._lock:
            wanted = self._filter(query)
            order = self._order(query.sort, query.descending)
            return order[wanted[order]]

    def _filter(self, query: Query) -> np.ndarray:
        conditions = [
            pl.col(name) == value
            for name, value in (("kind", query.kind), ("family", query.family))
            if value
        ]
        if query.verdict == "refused":
            conditions.append(pl.col("verdict") != "kept")
        elif query.verdict:
            conditions.append(pl.col("verdict") == query.verdict)
        wanted = np.ones(self.table.height, bool)
        if conditions:
            found = self.table.select(pl.all_horizontal(conditions).fill_null(False))
            wanted &= found.to_series().to_numpy()
        if text := " ".join(query.search.lower().split()):
            wanted &= self._search.str.contains(text, literal=True).to_numpy()
        if query.only is not None:
            inside = np.zeros(self.table.height, bool)
            inside[self._check_rows(query.only)] = True
            wanted &= inside
        return wanted & self._mark(query.decision) if query.decision else wanted

    def _mark(self, decision: str) -> np.ndarray:
        """Return which rows have a decision of the name."""
        marks = {
            "undecided": lambda: self._said == 0,
            "accept": lambda: self._said == 1,
            "reject": lambda: self._said == 2,
            "changed": lambda: self._said == 3,
            "conflict": lambda: self._differs,
            "falls": self._falls,
        }
        if decision not in marks:
            raise UsageError(f"the decision is {decision!r}", cure=f"Known are {', '.join(marks)}")
        return marks[decision]()

    def _falls(self) -> np.ndarray:
        return self._kept & (self._lacks > 0) & (self._holds == 0)

    def _order(self, sort: str, descending: bool) -> np.ndarray:
        if sort == "decision":
            codes = self._said.astype(np.int16)
            return np.argsort(-codes if descending else codes, kind="stable")
        field = sort.removeprefix(FIELD)
        if sort not in SORTS and (sort == field or field not in self.known.columns):
            raise UsageError(f"the order is {sort!r}", cure=f"Known are {', '.join(SORTS)}")
        if (sort, descending) not in self._orders:
            value = self.table[SORTS[sort]] if sort in SORTS else self.known[field]
            keyed = pl.DataFrame({"value": value, "row": self.table["row"]})
            by = pl.arg_sort_by(
                ["value", "row"], descending=[descending, False], nulls_last=[True, True]
            )
            order = keyed.select(by).to_series().to_numpy().astype(np.int64)
            self._orders[sort, descending] = order
        return self._orders[sort, descending]

    def list_rows(self, rows: Rows) -> list[dict[str, Any]]:
        """Return what the table shows of some rows, in their order; the first `MOST_ROWS`."""
        with self._lock:
            chosen = self._check_rows(rows[:MOST_ROWS])
            units = self.explainer.list_units(chosen.tolist())
            table = self.table[chosen].iter_rows(named=True)
            known = self._tell_known(chosen)
            told = zip(table, units, known, strict=True)
            return [self._tell(row, unit) | {"known": fields} for row, unit, fields in told]

    def _tell_known(self, chosen: np.ndarray) -> list[dict[str, str]]:
        """Return the fields of some rows as the page shows them, without those that are empty."""
        if not self.known.width:
            return [{}] * len(chosen)
        return [
            {name: show_value(value) for name, value in row.items() if value is not None}
            for row in self.known[chosen].iter_rows(named=True)
        ]

    def _tell(self, row: dict[str, Any], unit: Unit) -> dict[str, Any]:
        told = {name: row[name] for name in SHOWN}
        others = {log.reviewer: log.state.get(unit, NOTHING).said() for log in self._others}
        return told | {
            "shown": spell(row["token"]),
            "head": spell(row["family"]) if row["family"] else "",
            "why": tell_shortly(row),
            "mine": self._mine.state.get(unit, NOTHING).said(),
            "others": {name: said for name, said in others.items() if said},
            "conflict": bool(self._differs[row["row"]]),
            "falls": bool(self._falls_at(row["row"])),
        }

    def _falls_at(self, row: int) -> bool:
        return bool(self._kept[row] and self._lacks[row] and not self._holds[row])

    def detail(self, row: int) -> dict[str, Any]:
        """Return all that is known of a row: what the table shows, and what explains it."""
        with self._lock:
            told = self.list_rows([row])[0]
            unit = self.explainer.unit(row)
            differ = [
                {"field": conflict.field, "said": dict(conflict.said), "holds": conflict.holds}
                for conflict in self.conflicts.get(unit, [])
            ]
        explained = _spell_texts(explain(self.explainer, row))
        return told | {"explained": explained, "conflicts": differ}

    def warm(self) -> None:
        """Read what the reasons are made of, before the first is asked for."""
        if self.table.height:
            explain(self.explainer, 0)

    def count(self) -> dict[str, int]:
        """Return how many rows there are, and how many have which decision."""
        with self._lock:
            said = np.bincount(self._said, minlength=4).tolist()
            names = ("undecided", "accept", "reject", "changed")
            return dict(zip(names, said, strict=True)) | {
                "proposals": self.table.height,
                "conflict": int(self._differs.sum()),
                "falls": int(self._falls().sum()),
            }

    def notes(self) -> list[str]:
        """Return what a person should know of the logs, a line each."""
        with self._lock:
            notes = [*list_damage([self._mine, *self._others]), *self._unknown]
            away = list(self._away)
        if away:
            named = ", ".join(spell(token) for token, _ in away[:5])
            more = f" and {len(away) - 5:,} more" if len(away) > 5 else ""
            notes.append(f"decided on, but no proposal of this run: {named}{more}")
        return notes

    def points(self) -> Points:
        """Return the map: where the units lie, the best `places.MOST` of them."""
        with self._lock:
            if self._points is None:
                self._points = find_points(self.run, self.table)
            return self._points

    def states(self) -> np.ndarray:
        """Return what is said of each row by me, uint8: see `DECIDED`; 4 where it falls."""
        with self._lock:
            return np.where((self._said == 0) & self._falls(), 4, self._said).astype(np.uint8)

    # What is decided

    def decide(self, rows: Rows, changes: Mapping[str, str | None]) -> Outcome:
        """Write that `changes` hold of some rows; back when it is on the disk."""
        with self._lock:
            chosen = self._check_rows(rows).tolist()
            try:
                checked, problem = self._check(chosen, dict(changes))
            except ValueError as error:
                return Outcome(chosen[:MOST_ROWS], f"this {error}")
            if problem or not chosen:
                return Outcome(chosen[:MOST_ROWS], problem or "no rows are chosen")
            units = self.explainer.list_units(chosen)
            self._rows.update(zip(units, chosen, strict=True))
            rows = self._settle(self._mine.set(units, checked))
            form = checked.get("token")
            unit = check_form(self.run, form)[0] if form else None
            return Outcome(rows, note=self._tell_absence(unit) if unit else None)

    def _check(
        self, rows: list[int], changes: dict[str, str | None]
    ) -> tuple[dict[str, str | None], str | None]:
        """Return the changes in the form that the log keeps, or why they cannot be."""
        changes = check_changes(changes)
        if len(rows) > MOST_UNITS:
            return changes, f"{len(rows):,} at once are too many; at most {MOST_UNITS:,}"
        for name in ("token", "family"):
            value = changes.get(name)
            if value is None:
                continue
            if name == "token" and len(rows) > 1:
                return changes, "only one unit at a time can have another form"
            unit, problem = self._check_text(name, value)
            if unit is None:
                what = "form" if name == "token" else name
                return changes, f"{spell(value)} cannot be its {what}: {problem}"
            changes[name] = unit[0]
        return changes, None

    def _check_text(self, name: str, value: str) -> tuple[Unit | None, str | None]:
        """Return the unit that a text names; the head of a family may be any proposal."""
        form = normalize(value, self.run.atoms.profile)
        if name == "family" and (known := self.explainer.find(form)) is not None:
            return self.explainer.unit(known), None
        return check_form(self.run, value)

    def add(self, text: str) -> Outcome:
        """Accept a form that the run may not have proposed."""
        with self._lock:
            unit, problem = check_form(self.run, text)
            if unit is None:
                return Outcome([], f"{spell(text)} cannot be a unit: {problem}")
            rows = self._settle(self._mine.set([unit], {"verdict": "accept"}))
            return Outcome(rows, note=self._tell_absence(unit))

    def _tell_absence(self, unit: Unit) -> str | None:
        """Say that a form stands nowhere in the corpus, None where it does."""
        if self.explainer.find(unit[0]) is not None:
            return None
        there = count_text(self.explainer, self.explainer.cut(unit[0]))
        return None if there else "It stands nowhere in this corpus."

    def undo(self) -> Outcome:
        """Take my last action back."""
        with self._lock:
            touched = self._mine.undo()
            return Outcome(self._settle(touched), None if touched else "nothing to undo")

    def redo(self) -> Outcome:
        """Do again what I took back last."""
        with self._lock:
            touched = self._mine.redo()
            return Outcome(self._settle(touched), None if touched else "nothing to redo")

    def refresh(self) -> Outcome:
        """Take in what others wrote, and I in another window."""
        with self._lock:
            known = {log.path: log for log in self._others}
            paths = sorted(self._mine.path.parent.glob("*.jsonl"))
            self._others = [
                known.get(path) or Log(path) for path in paths if path != self._mine.path
            ]
            touched = self._mine.read()
            for log in self._others:
                touched += log.read()
            return Outcome(self._settle(touched))

    def _settle(self, touched: Iterable[Unit]) -> list[int]:
        """Find what holds of some units now; return the rows that show it."""
        units = list(dict.fromkeys(touched))
        settled = settle_logs([self._mine, *self._others], self.policy, units)
        differ: dict[Unit, list[Conflict]] = {}
        for conflict in settled.conflicts:
            differ.setdefault(conflict.unit, []).append(conflict)
        rows: list[int] = []
        for unit, row in self._find_rows(units).items():
            self._hold(unit, settled.decisions.get(unit), differ.get(unit))
            if row is not None:
                rows += self._write(row, unit)
        return list(dict.fromkeys(rows))

    def _find_rows(self, units: list[Unit]) -> dict[Unit, int | None]:
        """Return the row of each unit, None where this run does not propose it."""
        unknown = [unit for unit in units if unit not in self._rows]
        if unknown:
            found = self.explainer.find_rows(unknown)
            self._rows.update({unit: found.get(unit) for unit in unknown})
        return {unit: self._rows[unit] for unit in units}

    def _hold(
        self, unit: Unit, decision: Decision | None, conflicts: list[Conflict] | None
    ) -> None:
        self.decisions.pop(unit, None)
        self.conflicts.pop(unit, None)
        self._away.pop(unit, None)
        if decision and decision != NOTHING:
            self.decisions[unit] = decision
            if self._rows[unit] is None:
                self._away[unit] = None
        if conflicts:
            self.conflicts[unit] = conflicts

    def _write(self, row: int, unit: Unit) -> list[int]:
        """Write into the arrays what holds of a row; return the rows that it changes."""
        mine = self._mine.state.get(unit, NOTHING)
        self._said[row] = VERDICTS[mine.verdict] or (3 if mine != NOTHING else 0)
        self._differs[row] = unit in self.conflicts
        was, now = self._holds[row], VERDICTS[self.decisions.get(unit, NOTHING).verdict]
        self._holds[row] = now
        if (was == 2) == (now == 2):
            return [row]
        built = self.explainer.built_on.get(row, [])
        self._lacks[built] += np.uint16(1) if now == 2 else np.uint16(65_535)  # one less
        return [row, *built]

    def _check_rows(self, rows: Rows) -> np.ndarray:
        """Return row numbers as an array; UsageError where there is no such row."""
        chosen = np.asarray(rows, np.int64)
        if chosen.size and not 0 <= chosen.min() <= chosen.max() < self.table.height:
            raise UsageError("names a row that is not there", cure="Load the page again")
        return chosen

    def tabulate(self) -> pl.DataFrame:
        """Return what holds of each unit that someone decided on, a row each."""
        with self._lock:
            rows = [
                {
                    "token": unit[0],
                    "atoms": list(unit[1]),
                    "verdict": said.verdict,
                    "rename": said.token,
                    "kind": said.kind,
                    "family": said.family,
                    "label": said.label,
                    "conflict": unit in self.conflicts,
                    "row": self._rows.get(unit),
                }
                for unit, said in self._list_decided().items()
            ]
        return pl.DataFrame(rows, schema=DECISIONS)

    def _list_decided(self) -> dict[Unit, Decision]:
        return self.decisions | {
            unit: NOTHING for unit in self.conflicts if unit not in self.decisions
        }


def _spell_texts(explained: dict[str, Any]) -> dict[str, Any]:
    """Return an explanation whose texts show what is invisible in them; its sentences do so."""
    listed = ("owners", "contains", "contained_in", "neighbors")
    named = {
        name: [entry | {"token": spell(entry["token"])} for entry in explained[name]]
        for name in listed
    }
    return (
        explained
        | named
        | {
            "merges": [[spell(part) for part in merge] for merge in explained["merges"]],
            "built_on": [spell(token) for token in explained["built_on"]],
            "contexts": [
                {name: spell(re.sub(r"\s+", " ", text)) for name, text in context.items()}
                for context in explained["contexts"]
            ],
        }
    )


DECISIONS = {
    "token": pl.String(), "atoms": pl.List(pl.String()), "verdict": pl.String(),
    "rename": pl.String(), "kind": pl.String(), "family": pl.String(), "label": pl.String(),
    "conflict": pl.Boolean(), "row": pl.UInt32(),
}  # fmt: skip
