"""The board in Jupyter: a table, a map and the reasons, decided on by key or by mouse.

The page asks for what it shows, by messages with a ticket; each is answered under that ticket,
with an error too. The notebook stores nothing of it.
"""

from __future__ import annotations

import contextvars
import getpass
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.errors import MinerError, UsageError, need_extra
from miner.report.screen import spell
from miner.review.board import MOST_ROWS, Board, Outcome, Query
from miner.runs.decisions import KINDS, Policy
from miner.runs.finished import open_finished

need_extra("review", "the review in Jupyter")
import anywidget  # noqa: E402 - a missing one is told with its cure
import traitlets  # noqa: E402

STATIC = Path(__file__).parent / "static"
VIEWS = 8  # of the last queries that a page may still ask rows of
FAMILIES = 500  # heads to choose from
SLOW = {"detail", "points"}  # answered beside the others: no decision waits for a reason
Answer = tuple[dict[str, Any], list[bytes]]


class Review(anywidget.AnyWidget):
    """The review of a run: `Review("outputs/run")` as the last line of a cell shows it.

    `reviewer` is the name of the log, by default that of the system's user. `policy` says what
    holds where reviewers differ.
    """

    _esm = STATIC / "review.js"
    _css = STATIC / "review.css"
    _run = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, run: str | Path, reviewer: str | None = None, *, policy: Policy = "majority"
    ) -> None:
        self.board = Board(open_finished(Path(run)), reviewer or getpass.getuser(), policy)
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "miner-review")
        self._views: dict[int, np.ndarray] = {}
        self._last_view = 0
        super().__init__(_run=Path(run).absolute().resolve().name)
        self.on_msg(self._receive)

    @property
    def decisions(self) -> pl.DataFrame:
        """What holds of each unit that someone decided on."""
        self.board.refresh()
        return self.board.tabulate()

    @property
    def table(self) -> pl.DataFrame:
        """All proposals, with what I said of each by its code: see `Board.states`."""
        return self.board.table.with_columns(decision=pl.Series(self.board.states()))

    def _receive(self, _: object, content: Mapping[str, Any], buffers: object) -> None:  # noqa: ARG002
        """Answer a message, or have it answered."""
        if content.get("do") in SLOW:
            self._do_beside(self._reply, content)
        else:
            with self._lock:
                self._reply(content)

    def _do_beside(self, task: Callable[..., None], *given: object) -> None:
        """Do something in the thread for slow things, in the order in which it came."""
        done = self._worker.submit(contextvars.copy_context().run, task, *given)
        done.add_done_callback(_log_failure)

    def _reply(self, content: Mapping[str, Any]) -> None:
        """Send the answer to a message; what goes wrong is an answer too."""
        ticket = content.get("ticket")
        try:
            answer, binary = self._answer(content)
        except MinerError as error:
            self.send({"ticket": ticket, "error": str(error)})
        except Exception as error:
            self.send({"ticket": ticket, "error": f"{type(error).__name__}: {error}"})
            raise
        else:
            self.send({"ticket": ticket, "answer": answer}, buffers=binary)

    def _answer(self, content: Mapping[str, Any]) -> Answer:
        answers: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "open": self._open,
            "find": self._find,
            "rows": self._list_rows,
            "detail": self._detail,
            "place": self._place,
            "points": self._draw,
            "states": self._tell_states,
            "act": self._act,
        }
        wanted = str(content.get("do"))
        if wanted not in answers:
            raise UsageError(f"the page asks for {wanted!r}", cure="Load the page again")
        return answers[wanted](content)

    def _open(self, _: Mapping[str, Any]) -> Answer:
        """Tell what the page needs to be drawn."""
        table = self.board.table
        heads = table["family"].drop_nulls().value_counts(sort=True).head(FAMILIES)
        self.board.refresh()
        self._do_beside(self.board.warm)
        return self._tell_state() | {
            "run": self._run,
            "reviewer": self.board.reviewer,
            "kinds": list(KINDS),
            "present": table["kind"].unique().sort().to_list(),
            "verdicts": table["verdict"].unique().sort().to_list(),
            "heads": [list(row) for row in heads.iter_rows()],
            "fields": [[name, dtype.is_float()] for name, dtype in self.board.known.schema.items()],
        }, []

    def _tell_state(self) -> dict[str, Any]:
        return {"counts": self.board.count(), "notes": self.board.notes()}

    def _find(self, content: Mapping[str, Any]) -> Answer:
        """Take a snapshot of a query; tell its size, and where the current row went."""
        rows = self.board.find(Query(**content["query"]))
        self._last_view += 1
        self._views[self._last_view] = rows
        while len(self._views) > VIEWS:
            del self._views[next(iter(self._views))]
        at = max(_find_row(rows, content.get("row")), 0)
        first = max(at - 50, 0)
        return {
            "view": self._last_view,
            "total": len(rows),
            "at": at,
            "first": first,
            "rows": self.board.list_rows(rows[first : first + 150]),
        }, []

    def _view(self, content: Mapping[str, Any]) -> np.ndarray:
        if content.get("view") not in self._views:
            raise UsageError("this view is too old", cure="Sort or filter again")
        return self._views[content["view"]]

    def _list_rows(self, content: Mapping[str, Any]) -> Answer:
        if "list" in content:
            return {"rows": self.board.list_rows(content["list"])}, []
        first = int(content["first"])
        part = self._view(content)[first : first + min(int(content["count"]), MOST_ROWS)]
        return {"first": first, "rows": self.board.list_rows(part)}, []

    def _place(self, content: Mapping[str, Any]) -> Answer:
        return {"at": _find_row(self._view(content), content["row"])}, []

    def _detail(self, content: Mapping[str, Any]) -> Answer:
        return self.board.detail(int(content["row"])), []

    def _draw(self, _: Mapping[str, Any]) -> Answer:
        """Tell the points of the map: names, and columns as bytes."""
        points = self.board.points()
        part = self.board.table[points.rows]
        codes = {name: part[name].rank("dense").cast(pl.Int32) - 1 for name in ("kind", "verdict")}
        heads = part["family"].drop_nulls().value_counts(sort=True).head(8)["family"].to_list()
        numbers = {head: i for i, head in enumerate(heads)}
        family = [numbers.get(head, 255) for head in part["family"]]
        names = {name: part[name].unique().sort().to_list() for name in codes}
        columns = [
            points.rows.astype("<u4"),
            points.places.astype("<f4"),
            np.log2(part["count"].to_numpy() + 1.0).astype("<f4"),
            codes["kind"].to_numpy().astype(np.uint8),
            codes["verdict"].to_numpy().astype(np.uint8),
            np.array(family, np.uint8),
            self.board.states()[points.rows],
        ]
        tokens = [spell(token) for token in part["token"]]
        return {"tokens": tokens, "families": heads, "names": names}, [
            column.tobytes() for column in columns
        ]

    def _tell_states(self, _: Mapping[str, Any]) -> Answer:
        return {}, [self.board.states()[self.board.points().rows].tobytes()]

    def _act(self, content: Mapping[str, Any]) -> Answer:
        """Do what was decided; answered when it is on the disk."""
        action = content.get("action")
        if action == "decide":
            rows = self._view(content) if content.get("rows") is None else content["rows"]
            outcome = self.board.decide(rows, content["changes"])
        elif action == "add":
            outcome = self.board.add(str(content["text"]))
        elif action in ("undo", "redo", "refresh"):
            outcome = getattr(self.board, action)()
        else:
            raise UsageError(f"the page does {action!r}", cure="Load the page again")
        return self._tell_outcome(outcome), []

    def _tell_outcome(self, outcome: Outcome) -> dict[str, Any]:
        few = outcome.rows[:MOST_ROWS] if len(outcome.rows) <= MOST_ROWS else []
        return (
            asdict(outcome)
            | self._tell_state()
            | {"rows": self.board.list_rows(few), "touched": len(outcome.rows)}
        )


def _log_failure(done: Future[None]) -> None:
    """Log what went wrong beside, as Jupyter does with what goes wrong before its eyes."""
    if error := done.exception():
        logging.getLogger(__name__).error("the review could not answer", exc_info=error)


def _find_row(rows: np.ndarray | Sequence[int], row: int | None) -> int:
    """Return where a row is in a view, -1 where it is not."""
    if row is None:
        return -1
    found = np.flatnonzero(np.asarray(rows) == row)
    return int(found[0]) if len(found) else -1
