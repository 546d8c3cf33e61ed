"""The board: does it find, order, decide, undo and hear others, and never lose a decision?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from watched import MinedDemo

from miner.errors import RunError, UsageError
from miner.fields import read_fields
from miner.fields.layers import Layer, write_layer
from miner.review.board import Board, Query
from miner.review.lab import made_notebook, make_notebook, open_lab
from miner.runs.decisions import Log, name_log
from miner.runs.finished import open_finished


@pytest.fixture
def run(demo: MinedDemo, tmp_path: Path) -> Path:
    """A copy of the demo's run that a test may decide on."""
    shutil.copytree(demo.folder, tmp_path / "run")
    return tmp_path / "run"


def open_board(run: Path, reviewer: str = "anna") -> Board:
    return Board(open_finished(run), reviewer)


def find(board: Board, token: str) -> int:
    return board.table["token"].to_list().index(token)


def test_all_conditions_hold_together_and_equals_stay_in_order(run: Path) -> None:
    board = open_board(run)
    table = board.table
    assert (
        board.find(Query()).tolist() == table.sort("order", "row", nulls_last=True)["row"].to_list()
    )
    rows = board.find(Query(search="  ЖАР ", kind="link", verdict="kept", sort="count"))
    found = table[rows]
    assert found.height > 3
    assert found["token"].str.contains("жар").all()
    assert set(found["kind"]) == {"link"} and set(found["verdict"]) == {"kept"}
    assert found["count"].is_sorted()
    down = table[board.find(Query(sort="count", descending=True))]
    assert down.select("count", "row").equals(
        down.select("count", "row").sort("count", "row", descending=[True, False])
    )
    assert board.find(Query(only=[5, 3])).tolist() == [3, 5]
    assert "kept" not in set(table[board.find(Query(verdict="refused"))]["verdict"])
    family = table["family"].drop_nulls()[0]
    assert set(table[board.find(Query(family=family))]["family"]) == {family}


def test_fields_are_columns_and_orders(run: Path) -> None:
    senses = pl.DataFrame({"token": ["жар тишина"], "item": [None], "value": ["дым"]})
    write_layer(run, Layer("emotion", senses.cast(pl.String)))  # called like a facet
    board = open_board(run)
    fields = read_fields(run)
    row = find(board, "жар тишина")
    known = board.list_rows([row])[0]["known"]
    told = fields.table.filter(pl.col("token") == "жар тишина").row(0, named=True)
    assert known["address"] == told["address"] and known["emotion (layer)"] == "дым"
    assert known["emotion"] == f"{told['emotion']:+.2f}"
    found = board.find(Query(sort="field:emotion", descending=True))
    values = board.known["emotion"].gather(found).to_list()
    there = [value for value in values if value is not None]
    assert there == sorted(there, reverse=True) and values[len(there) :] == [None] * (
        len(values) - len(there)
    )
    refused = board.table.filter(pl.col("verdict") != "kept")["row"][0]
    assert board.list_rows([refused])[0]["known"] == {}


def test_a_run_without_fields_is_reviewed_and_says_so(run: Path) -> None:
    shutil.rmtree(run / "7_fields")
    board = open_board(run)
    assert board.known.width == 0 and any("miner fields" in note for note in board.notes())
    assert board.list_rows([0])[0]["known"] == {}
    with pytest.raises(UsageError):
        board.find(Query(sort="field:address"))


@pytest.mark.parametrize(
    "query",
    [Query(sort="best"), Query(sort="field:best"), Query(decision="so"), Query(only=[10**9])],
)
def test_a_query_without_meaning_is_an_error(run: Path, query: Query) -> None:
    with pytest.raises(UsageError):
        open_board(run).find(query)


def test_a_decision_is_on_the_disk_and_can_be_taken_back(run: Path) -> None:
    board = open_board(run)
    assert board.decide([3, 4], {"verdict": "reject"}).rows[:2] == [3, 4]
    assert board.find(Query(decision="reject")).tolist() == [3, 4]
    again = open_board(run)
    assert again.find(Query(decision="reject")).tolist() == [3, 4]
    assert again.list_rows([4])[0]["mine"] == {"verdict": "reject"}
    assert board.undo().rows[:2] == [3, 4]
    assert board.count()["reject"] == 0
    assert board.undo().problem == "nothing to undo"
    assert board.redo().rows[:2] == [3, 4]
    assert board.redo().problem == "nothing to redo"
    board.decide([3], {"verdict": None})
    assert again.refresh().rows[0] in (3, 4)  # another window
    assert again.find(Query(decision="reject")).tolist() == [4]


def test_a_unit_built_on_a_rejected_one_falls_unless_it_is_accepted(run: Path) -> None:
    board = open_board(run)
    kept = set(board.find(Query(verdict="kept")).tolist())
    row, built = next(
        (row, rows)
        for row, rows in board.explainer.built_on.items()
        if row in kept and set(rows) & kept
    )
    outcome = board.decide([row], {"verdict": "reject"})
    assert set(outcome.rows) == {row, *built}
    falls = board.find(Query(decision="falls")).tolist()
    assert set(falls) == set(built) & kept
    assert board.list_rows([falls[0]])[0]["falls"]
    board.decide([falls[0]], {"verdict": "accept"})
    assert falls[0] not in board.find(Query(decision="falls"))
    board.undo()
    board.undo()
    assert board.count()["falls"] == 0


def test_what_cannot_be_a_unit_is_refused_with_the_reason(run: Path) -> None:
    board = open_board(run)
    row = find(board, "жар тишина")
    for changes, reason in [
        ({"token": "жар. тишина"}, "жар. тишина cannot be its form: punctuation"),
        ({"token": " "}, "this sets token to ' '"),
        ({"kind": "sentence"}, "this has the kind 'sentence'"),
        ({"family": "?!"}, "?! cannot be its family"),
    ]:
        problem = board.decide([row], changes).problem
        assert problem and problem.startswith(reason)
    assert "only one unit" in str(board.decide([row, row + 1], {"token": "жар"}).problem)
    assert board.tabulate().height == 0
    board.decide([row], {"token": "Тишина  Жара", "label": "Heat"})
    assert board.list_rows([row])[0]["mine"] == {"token": "тишина жара", "label": "Heat"}
    assert board.find(Query(decision="changed")).tolist() == [row]


def test_a_form_that_the_corpus_lacks_is_told(run: Path) -> None:
    board = open_board(run)
    assert board.add("railway station").note is None, "a proposal"
    assert board.add("station railway nowhere").note == "It stands nowhere in this corpus."
    row = find(board, "жар тишина")
    assert board.decide([row], {"token": "тишина тишина"}).note
    assert board.decide([row], {"verdict": "accept"}).note is None


def test_what_this_run_does_not_propose_is_kept_and_told(run: Path) -> None:
    board = open_board(run)
    assert board.add("Дрожь голоса звезды").problem is None
    assert board.notes() == ["decided on, but no proposal of this run: дрожь голоса звезды"]
    assert board.tabulate().select("token", "verdict", "row").rows() == [
        ("дрожь голоса звезды", "accept", None)
    ]
    assert str(board.add("...").problem).startswith("... cannot be a unit: ")
    assert board.undo().problem is None
    assert board.notes() == []


def test_reviewers_who_differ_are_a_conflict(run: Path) -> None:
    board = open_board(run)
    row = find(board, "жар тишина")
    board.decide([row], {"verdict": "accept"})
    other = Log(name_log(run, "boris"))
    other.set([board.explainer.unit(row)], {"verdict": "reject"})
    assert board.refresh().rows == [row]
    told = board.list_rows([row])[0]
    assert told["conflict"] and told["others"] == {"boris": {"verdict": "reject"}}
    assert board.detail(row)["conflicts"][0]["said"] == {"anna": "accept", "boris": "reject"}
    assert board.find(Query(decision="conflict")).tolist() == [row]
    other.undo()
    assert board.refresh().rows[:1] == [row]
    assert board.count()["conflict"] == 0


def test_a_decision_is_about_the_unit_not_the_row(run: Path) -> None:
    board = open_board(run)
    board.decide([find(board, "жар тишина")], {"verdict": "reject"})
    path = run / "proposals.parquet"
    proposals = board.run.proposals.drop("row")
    proposals.reverse().write_parquet(path)
    again = open_board(run)
    assert again.find(Query(decision="reject")).tolist() == [find(again, "жар тишина")]


def test_the_map_places_the_refused_and_remembers_it(run: Path) -> None:
    board = open_board(run)
    points = board.points()
    assert len(set(points.rows.tolist())) == len(points.rows)
    assert points.places.shape == (len(points.rows), 2)
    assert np.abs(points.places).max() <= 1
    runs = board.table.drop_nulls("candidate")
    assert set(points.rows.tolist()) == set(runs["row"].to_list())
    stored = (run / "review" / "map.parquet").read_bytes()
    again = open_board(run).points()
    assert (again.places == points.places).all() and (again.rows == points.rows).all()
    (run / "review" / "map.parquet").write_bytes(stored[:100])  # cut off
    assert (open_board(run).points().places == points.places).all()


def test_the_notebook_lies_outside_of_the_run_and_goes(run: Path) -> None:
    before = sorted(run.rglob("*"))
    with made_notebook(run, "anna") as place:
        assert [path.name for path in place.parent.iterdir()] == ["review.ipynb"]
        assert not place.is_relative_to(run) and sorted(run.rglob("*")) == before
        book = json.loads(place.read_text(encoding="utf-8"))
        assert "reviewer='anna'" in book["cells"][0]["source"] and str(run) in str(book["cells"][0])
    assert not place.parent.exists()
    with made_notebook(run, "anna") as place:
        (place.parent / "mine.ipynb").write_text("{}")
    assert [path.name for path in place.parent.iterdir()] == ["mine.ipynb"]
    shutil.rmtree(place.parent)
    assert make_notebook("..", None)["cells"][0]["outputs"] == []


def test_a_missing_extra_names_its_cure(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'miner\[review\]'"):
        open_lab(run, None)


def test_a_reviewer_who_cannot_be_is_told_before_the_lab_opens(run: Path) -> None:
    for name in ("../x", ""):
        with pytest.raises(UsageError, match="reviewer's name"):
            open_lab(run, name)


def test_the_policy_stands_in_the_notebook(run: Path) -> None:
    with made_notebook(run, "anna", "latest") as place:
        book = json.loads(place.read_text(encoding="utf-8"))
    assert "Review(RUN, reviewer='anna', policy='latest')" in book["cells"][0]["source"]


def test_what_is_no_run_opens_no_lab(tmp_path: Path) -> None:
    for library in ("anywidget", "ipykernel", "jupyterlab"):
        pytest.importorskip(library)
    with pytest.raises(RunError):
        open_lab(tmp_path, None)
