"""What reviewers decided: who said what of which unit, and what holds in the end?

A reviewer has one log, `decisions/<name>.jsonl`: one action a line, only ever appended, and on the
disk before it is acknowledged.

{"action": 1, "time": "...", "set": {"verdict": "reject"}, "units": [{"token": ..., "atoms": ...}]}
{"action": 2, "time": "...", "undo": 1}
{"action": 3, "time": "...", "redo": 1}

A unit is told by its canonical form and its atoms, never by a row, so that a log fits another run.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from miner.errors import ConfigError, RunError, UsageError, say_reason
from miner.runs.files import hold_lock, open_plain, sync_folder
from miner.runs.names import DECISIONS, MANIFEST

ENDING = ".jsonl"
KINDS = ("link", "hyperlexeme", "formula", "symbol", "marker", "atom")
POLICIES = ("majority", "latest", "unanimous")
LONGEST = 4096  # characters of a value
Policy = Literal["majority", "latest", "unanimous"]
Unit = tuple[str, tuple[str, ...]]  # canonical form and atoms


@dataclass(frozen=True)
class Decision:
    """What holds of a unit; None where nothing was said.

    `verdict` accept or reject; `token` the form it should have instead; `kind` one of `KINDS`;
    `family` the canonical form of the head it belongs to; `label` what people call it.
    """

    verdict: str | None = None
    token: str | None = None
    kind: str | None = None
    family: str | None = None
    label: str | None = None

    def said(self) -> dict[str, str]:
        """Return the fields of which something was said."""
        found = {name: getattr(self, name) for name in FIELDS}
        return {name: value for name, value in found.items() if value is not None}


FIELDS = tuple(entry.name for entry in fields(Decision))
NOTHING = Decision()


@dataclass(frozen=True)
class Action:
    """One thing that a reviewer did: to some units at once, or to an earlier action."""

    number: int
    time: str
    units: tuple[Unit, ...] = ()
    changes: Mapping[str, str | None] = field(default_factory=dict)
    undoes: int | None = None
    redoes: int | None = None

    def write(self) -> str:
        """Return the line of the log, without its end."""
        row: dict[str, Any] = {"action": self.number, "time": self.time}
        if self.undoes is not None:
            row["undo"] = self.undoes
        elif self.redoes is not None:
            row["redo"] = self.redoes
        else:
            row["set"] = dict(self.changes)
            row["units"] = [{"token": token, "atoms": list(atoms)} for token, atoms in self.units]
        return json.dumps(row, ensure_ascii=False)


def read_action(line: str) -> Action:
    """Return the action of a line; ValueError where it is none."""
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("is no object")
    number, time = row.get("action"), row.get("time", "")
    if type(number) is not int or not isinstance(time, str):
        raise ValueError("has no number or time")
    for name, key in (("undo", "undoes"), ("redo", "redoes")):
        if type(row.get(name)) is int:
            return Action(number, time, **{key: row[name]})
    return Action(number, time, _read_units(row.get("units")), check_changes(row.get("set")))


def _read_units(rows: object) -> tuple[Unit, ...]:
    if not isinstance(rows, list) or not rows:
        raise ValueError("names no units")
    units = []
    for row in rows:
        token = row.get("token") if isinstance(row, dict) else None
        atoms = row.get("atoms") if isinstance(row, dict) else None
        if not isinstance(token, str) or not token or not isinstance(atoms, list):
            raise ValueError("has a unit without a token or atoms")
        if not all(isinstance(atom, str) for atom in atoms):
            raise ValueError("has an atom that is no text")
        if any(map(_is_no_text, (token, *atoms))):
            raise ValueError("has a unit that is too long or no text")
        if "".join(token.split()) != "".join("".join(atoms).split()):
            raise ValueError("has a unit that its atoms do not spell")
        units.append((token, tuple(atoms)))
    return tuple(units)


def check_changes(changes: object) -> dict[str, str | None]:
    """Return what an action sets, if it has a meaning; ValueError says what has none."""
    if not isinstance(changes, dict) or not changes:
        raise ValueError("sets nothing")
    for name, value in changes.items():
        if name not in FIELDS:
            raise ValueError(f"sets {name!r}; known are {', '.join(FIELDS)}")
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ValueError(f"sets {name} to {value!r}, which is no text")
        if value is not None and _is_no_text(value):
            raise ValueError(f"sets {name} to what is too long or no text")
    if changes.get("verdict") not in (None, "accept", "reject"):
        raise ValueError(f"has the verdict {changes['verdict']!r}; it must be accept or reject")
    if changes.get("kind") not in (None, *KINDS):
        raise ValueError(f"has the kind {changes['kind']!r}; known are {', '.join(KINDS)}")
    return dict(changes)


def _is_no_text(value: str) -> bool:
    return len(value) > LONGEST or bool(re.search(r"[\ud800-\udfff]", value))


class Log:
    """The log of one reviewer, and what it says now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reviewer = path.name.removesuffix(ENDING)
        self.state: dict[Unit, Decision] = {}
        self.times: dict[tuple[Unit, str], str] = {}
        self.done: list[Action] = []
        self.undone: list[Action] = []
        self.damaged: Counter[tuple[str, str]] = Counter()  # (place, what is wrong), in order
        self._last = 0
        self._read = 0  # bytes
        self._file: int | None = None  # the number of the file on its disk

    def read(self) -> list[Unit]:
        """Take in what was written since the last time; return the units that it touches.

        A line that is not whole, as a cut-off write leaves it, is noted in `damaged`. A file that
        was replaced or cut in the meantime is read anew.
        """
        touched: list[Unit] = []
        try:
            with open_plain(self.path) as handle:
                about = os.fstat(handle.fileno())
                if about.st_size < self._read or self._file not in (None, about.st_ino):
                    touched += self._forget()
                self._file = about.st_ino
                handle.seek(self._read)
                content = handle.read()
        except FileNotFoundError:
            return self._forget()
        except OSError as error:
            reason = say_reason(error)
            raise RunError(
                f"the decisions cannot be read ({reason})",
                where=str(self.path),
                cure="Check the path and its permissions",
            ) from error
        whole, cut, rest = content.rpartition(b"\n")
        for line in whole.split(b"\n") if cut else []:
            touched += self._take_line(line)
        self._read += len(whole) + len(cut)
        if rest:
            self.damaged[str(self.path), "the last line is not whole and is left out"] = 1
        return touched

    def _forget(self) -> list[Unit]:
        """Begin anew, where the file that was read is there no longer; return what it was about."""
        touched = list(self.state)
        for held in (self.state, self.times, self.done, self.undone, self.damaged):
            held.clear()
        self._last, self._read, self._file = 0, 0, None
        return touched

    def _take_line(self, line: bytes) -> list[Unit]:
        if not line.strip():
            return []
        try:
            return self._take(read_action(line.decode("utf-8-sig")))  # some editors put a BOM
        except (ValueError, RecursionError) as error:
            place = f"{self.path}, after action {self._last}"
            self.damaged[place, f"a line {_shorten(error)} and is left out"] += 1
            return []

    def _take(self, action: Action) -> list[Unit]:
        """Make an action part of the state; return the units that it touches."""
        self._last = max(self._last, action.number)
        if action.undoes is not None:
            return self._move(self.done, self.undone, action.undoes)
        if action.redoes is not None:
            return self._move(self.undone, self.done, action.redoes)
        self.done.append(action)
        self.undone.clear()
        self._apply(action)
        return list(action.units)

    def _move(self, source: list[Action], target: list[Action], number: int) -> list[Unit]:
        """Move the last action from one list to the other, and tell its units anew."""
        if not source or source[-1].number != number:
            raise ValueError(f"undoes or redoes action {number}, which is not the last")
        action = source.pop()
        target.append(action)
        if target is self.done:
            self._apply(action)
        else:
            self._tell_anew(set(action.units))
        return list(action.units)

    def _apply(self, action: Action, only: set[Unit] | None = None) -> None:
        for unit in action.units:
            if only is None or unit in only:
                self.state[unit] = replace(self.state.get(unit, NOTHING), **action.changes)
                self.times |= {(unit, name): action.time for name in action.changes}

    def _tell_anew(self, units: set[Unit]) -> None:
        """Replay what is left of the log for some units."""
        for unit in units:
            self.state.pop(unit, None)
        for action in self.done:
            self._apply(action, units)

    def set(self, units: Sequence[Unit], changes: Mapping[str, str | None]) -> list[Unit]:
        """Append that `changes` hold of `units`; return all units touched since the last read."""
        checked = check_changes(dict(changes))
        return self._append(lambda number, time: Action(number, time, tuple(units), checked))

    def undo(self) -> list[Unit]:
        """Take the last action back; return the units that it was about, none if there is none."""
        touched = self.read()
        if not self.done:
            return touched
        last = self.done[-1].number
        return touched + self._append(lambda number, time: Action(number, time, undoes=last))

    def redo(self) -> list[Unit]:
        """Do again what was taken back last; return its units, none if there is nothing."""
        touched = self.read()
        if not self.undone:
            return touched
        last = self.undone[-1].number
        return touched + self._append(lambda number, time: Action(number, time, redoes=last))

    def _append(self, make: Any) -> list[Unit]:
        """Write one action to the disk, then believe it."""
        try:
            self.path.parent.mkdir(exist_ok=True)
            new = not self.path.exists()
            with hold_lock(self.path, wait=True), open_plain(self.path, append=True) as handle:
                handle.seek(0, os.SEEK_END)
                touched = self.read()
                action = make(self._last + 1, datetime.now(UTC).isoformat(timespec="milliseconds"))
                line = action.write().encode()
                torn = handle.tell() > self._read  # a cut-off line stays a line of its own
                handle.write(b"\n" * torn + line + b"\n")
                handle.flush()
                os.fsync(handle.fileno())
            if new:
                sync_folder(self.path.parent)
        except OSError as error:
            reason = say_reason(error)
            raise RunError(
                f"the decision is not saved ({reason})",
                where=str(self.path),
                cure="Free some space or mend the permissions, then decide again",
            ) from error
        return touched + self.read()


def _shorten(error: Exception) -> str:
    text = str(error)
    return text if text.startswith(("is ", "has ", "names ", "sets ", "undoes ")) else "is no JSON"


def join_log(source: Path, target: Path) -> None:
    """Add to a log the lines of another that it does not have; actions get the next numbers.

    Both are logs of one reviewer, and no other process writes to either meanwhile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(source, wait=True), hold_lock(target, wait=True):
        lines = _read_lines(source)
        known = _read_lines(target) if target.exists() else []
        has = set(known)
        more = [line for line in lines if line not in has]
        last = max([0, *(action.number for line in known if (action := _try_action(line)))])
        numbers: dict[int, int] = {}
        torn = target.exists() and target.read_bytes()[-1:] not in (b"", b"\n")
        with open_plain(target, append=True) as handle:
            handle.write(b"\n" * torn)  # a cut-off line stays a line of its own
            for line in more:
                action = _try_action(line)
                if action is not None:
                    last = numbers[action.number] = max(last + 1, action.number)
                    line = _renumber(action, line, numbers)
                handle.write(line + b"\n")
            handle.flush()
            os.fsync(handle.fileno())


def _read_lines(path: Path) -> list[bytes]:
    with open_plain(path) as handle:
        return [line for line in handle.read().split(b"\n") if line]


def _try_action(line: bytes) -> Action | None:
    try:
        return read_action(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _renumber(action: Action, line: bytes, numbers: Mapping[int, int]) -> bytes:
    """Return the line of an action under another number, itself where that is the same."""
    number = numbers[action.number]
    undoes, redoes = (
        old if old is None else numbers.get(old, old) for old in (action.undoes, action.redoes)
    )
    other = replace(action, number=number, undoes=undoes, redoes=redoes)
    return line if other == action else other.write().encode()


def name_log(run: Path, reviewer: str) -> Path:
    """Return the file of a reviewer's log; UsageError where the name cannot be one of a file.

    >>> name_log(Path("outputs/run"), "Анна К.").as_posix()
    'outputs/run/decisions/Анна К..jsonl'
    """
    if not re.fullmatch(r"\w[\w .@+-]{0,62}", reviewer) or reviewer != reviewer.strip():
        raise UsageError(
            f"the reviewer's name is {reviewer!r}",
            cure="It must be 1 to 63 letters, digits, spaces or any of . _ - @ +",
        )
    return run / DECISIONS / f"{reviewer}{ENDING}"


def read_logs(place: Path) -> list[Log]:
    """Return the logs of a run folder, of a folder of logs, or the one that is a file.

    No log in a run folder is no error; a file or folder that holds none is a ConfigError.
    """
    folder = place / DECISIONS if (place / MANIFEST).exists() else place
    if place.is_file():
        paths = [place]
    elif folder.is_dir() or folder != place:
        paths = sorted(folder.glob(f"*{ENDING}"))
    else:
        raise ConfigError(
            "no such file or folder of decisions",
            where=str(place),
            cure="Name a log of decisions, or a run",
        )
    if not paths and folder == place:
        raise ConfigError("holds no decisions", where=str(place), cure="Name a run or a log")
    logs = [Log(path) for path in paths]
    for log in logs:
        log.read()
        if place.is_file() and log.damaged and not log.state:
            raise ConfigError("is no log of decisions", where=str(place), cure="Name another file")
    return logs


@dataclass(frozen=True)
class Conflict:
    """A field of a unit of which reviewers say different things; `holds` is what came of it."""

    unit: Unit
    field: str
    said: Mapping[str, str]
    holds: str | None


@dataclass(frozen=True)
class Settled:
    """What holds of each unit that someone decided on, who said it, and where they differ."""

    decisions: Mapping[Unit, Decision]
    reviewers: Mapping[Unit, tuple[str, ...]]
    conflicts: tuple[Conflict, ...] = ()

    def verdicts(self) -> Counter[str]:
        """Count what was said, field by field; verdicts by their value."""
        said = [entry.said() for entry in self.decisions.values()]
        return Counter(
            value if name == "verdict" else name for row in said for name, value in row.items()
        )


def settle_logs(
    logs: Sequence[Log], policy: Policy = "majority", units: Iterable[Unit] | None = None
) -> Settled:
    """Return what holds when several reviewers have spoken: of `units`, or of all in the logs.

    Each field by itself. `majority`: what most say; `latest`: what was said last; `unanimous`:
    what all who spoke say. Where that tells nothing (a tie, a dissent), nothing holds and the
    run's own verdict stands.
    """
    if policy not in POLICIES:
        raise UsageError(f"the policy is {policy!r}", cure=f"It must be {' or '.join(POLICIES)}")
    chosen = (unit for log in logs for unit in log.state) if units is None else units
    decisions, reviewers, conflicts = {}, {}, []
    for unit in dict.fromkeys(chosen):
        spoke = [log for log in logs if log.state.get(unit, NOTHING) != NOTHING]
        held: dict[str, str | None] = {}
        for name in FIELDS:
            said = {log.reviewer: getattr(log.state[unit], name) for log in spoke}
            said = {reviewer: value for reviewer, value in said.items() if value is not None}
            times = {log.reviewer: log.times[unit, name] for log in spoke if log.reviewer in said}
            held[name] = _settle_field(said, times, policy)
            if len(set(said.values())) > 1:
                conflicts.append(Conflict(unit, name, said, held[name]))
        if spoke:
            decisions[unit] = Decision(**held)
            reviewers[unit] = tuple(log.reviewer for log in spoke)
    return Settled(decisions, reviewers, tuple(conflicts))


def _settle_field(said: Mapping[str, str], times: Mapping[str, str], policy: str) -> str | None:
    """Return the value that holds, None where nobody spoke or the policy does not tell.

    >>> _settle_field({"anna": "accept", "boris": "reject"}, {"anna": "1", "boris": "2"}, "latest")
    'reject'
    """
    if not said:
        return None
    if policy == "latest":
        return said[max(times, key=lambda reviewer: (times[reviewer], reviewer))]
    counted = Counter(said.values()).most_common()
    if len(counted) == 1:
        return counted[0][0]
    tie = counted[0][1] == counted[1][1]
    return None if policy == "unanimous" or tie else counted[0][0]


def list_damage(logs: Iterable[Log]) -> list[str]:
    """Return what could not be read of some logs, a line each."""
    return [
        f"{place}: {what}" + (f"; so are {count - 1:,} more" if count > 1 else "")
        for log in logs
        for (place, what), count in log.damaged.items()
    ]
