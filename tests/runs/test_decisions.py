"""Logs of decisions: nothing said is lost, and what holds is what people meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.errors import ConfigError, RunError, UsageError
from miner.runs.decisions import (
    NOTHING,
    Decision,
    Log,
    Unit,
    list_damage,
    name_log,
    read_logs,
    settle_logs,
)

AB: Unit = ("a b", ("a", "b"))
CD: Unit = ("c d", ("c", "d"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path


def tell(changes: dict[str, object], atom: object = "a") -> str:
    units = [{"token": "a", "atoms": [atom]}]
    return json.dumps({"action": 9, "time": "", "set": changes, "units": units})


def reread(log: Log) -> Log:
    again = Log(log.path)
    again.read()
    return again


def test_the_last_word_on_a_field_holds_and_the_others_stay(run: Path) -> None:
    log = Log(name_log(run, "anna"))
    log.set([AB, CD], {"verdict": "reject"})
    log.set([AB], {"verdict": "accept", "label": "тепло"})
    log.set([CD], {"verdict": None})
    assert log.state == {AB: Decision(verdict="accept", label="тепло"), CD: NOTHING}
    assert reread(log).state == log.state


def test_a_decision_is_on_the_disk_when_it_is_acknowledged(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    path = name_log(run, "anna")
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.stat().st_size))
    Log(path).set([AB], {"verdict": "accept"})
    assert synced[0] == path.stat().st_size > 0, "the whole line, before `set` returns"


def test_undo_and_redo_go_back_and_forth_and_survive_a_restart(run: Path) -> None:
    log = Log(name_log(run, "anna"))
    log.set([AB], {"verdict": "reject"})
    log.set([AB, CD], {"verdict": "accept"})
    assert set(log.undo()) == {AB, CD}
    assert log.state == {AB: Decision(verdict="reject")}
    log = reread(log)
    assert log.undo() == [AB] and log.state == {}
    assert log.undo() == [], "nothing is left"
    assert log.redo() == [AB] and log.redo() == [AB, CD] and log.redo() == []
    assert log.state == {AB: Decision(verdict="accept"), CD: Decision(verdict="accept")}
    log.undo()
    log.set([CD], {"kind": "link"})
    assert log.redo() == [], "what came after takes the place of what was undone"


def test_a_torn_last_line_costs_that_line_only(run: Path) -> None:
    log = Log(name_log(run, "anna"))
    log.set([AB], {"verdict": "accept"})
    with log.path.open("ab") as handle:
        handle.write(b'{"action": 2, "set": {"verd')
    torn = reread(log)
    assert torn.state == log.state and "not whole" in list_damage([torn])[0]
    torn.set([CD], {"verdict": "reject"})
    after = reread(log)
    assert after.state == {AB: Decision(verdict="accept"), CD: Decision(verdict="reject")}
    assert len(after.damaged) == 1 and "left out" in list_damage([after])[0]


@pytest.mark.parametrize(
    "line",
    [
        "null",
        "[]",
        "{}",
        '{"action": "1", "time": ""}',
        "\\",
        '{"action": 1, "time": 3}',
        tell({"verdict": "maybe"}),
        tell({"colour": "red"}),
        tell({"kind": "link"}, atom=1),
        tell({"verdict": "accept"}, atom="b"),
        tell({}),
        tell({"label": " "}),
        tell({"token": 3}),
        tell({"label": "x" * 5000}),
        '{"action": 9, "time": "", "set": {"kind": "link"}, "units": []}',
        '{"action": 9, "time": "", "undo": 77}',
        "[" * 100_000,
        '{"action": 9, "undo": true}',
    ],
)
def test_a_line_that_means_nothing_is_named_and_left_out(run: Path, line: str) -> None:
    log = Log(name_log(run, "anna"))
    log.set([AB], {"verdict": "accept"})
    log.path.write_text(log.path.read_text() + line + "\n")
    again = reread(log)
    assert again.state == log.state and len(again.damaged) == 1


def test_many_lost_lines_are_counted_and_a_mark_of_an_editor_is_none(run: Path) -> None:
    log = Log(name_log(run, "anna"))
    log.set([AB], {"verdict": "accept"})
    log.path.write_bytes(b"\xef\xbb\xbf" + log.path.read_bytes() + b"junk\n" * 20)
    again = reread(log)
    assert again.state == log.state
    assert [line.partition(": ")[2] for line in list_damage([again])] == [
        "a line is no JSON and is left out; so are 19 more"
    ]


@pytest.mark.parametrize("how", ["removed", "replaced", "cut"])
def test_a_log_that_changes_behind_us_is_read_anew(run: Path, how: str) -> None:
    log = Log(name_log(run, "anna"))
    log.set([AB], {"verdict": "accept"})
    first = log.path.read_bytes()
    log.set([CD], {"verdict": "reject"})
    log.set([CD], {"label": "x" * 2000})
    if how == "removed":
        log.path.unlink()
    elif how == "replaced":
        log.path.rename(run / "away")
        log.path.write_bytes(first + b" " * 5000 + b"\n")
    else:
        log.path.write_bytes(first)
    assert set(log.set([CD], {"verdict": "accept"})) >= {CD}
    assert log.state == reread(log).state and not reread(log).damaged
    assert (AB in log.state) == (how != "removed")
    assert log.undo() == [CD] and CD not in log.state


def test_two_windows_of_one_reviewer_do_not_lose_each_other(run: Path) -> None:
    one, two = Log(name_log(run, "anna")), Log(name_log(run, "anna"))
    one.set([AB], {"verdict": "accept"})
    assert set(two.set([CD], {"verdict": "reject"})) == {AB, CD}, "what the other one wrote too"
    assert one.read() == [CD] and one.state == two.state
    numbers = [json.loads(line)["action"] for line in one.path.read_text().splitlines()]
    assert numbers == [1, 2]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from([AB, CD]), st.sampled_from(["accept", "reject", None])),
            st.sampled_from(["undo", "redo"]),
        ),
        max_size=25,
    )
)
def test_undo_is_the_state_before(steps: list[object]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder) / "x.jsonl")
        past: list[dict[Unit, Decision]] = [{}]
        future: list[dict[Unit, Decision]] = []
        for step in steps:
            if step == "undo":
                log.undo()
                if len(past) > 1:
                    future.append(past.pop())
            elif step == "redo":
                log.redo()
                if future:
                    past.append(future.pop())
            else:
                assert isinstance(step, tuple)
                log.set([step[0]], {"verdict": step[1]})
                past.append({**past[-1], step[0]: Decision(verdict=step[1])})
                future.clear()
            assert log.state == past[-1]
        assert reread(log).state == log.state


def test_conflicts_are_settled_by_policy_and_shown(run: Path) -> None:
    for name, verdict in (("anna", "accept"), ("boris", "reject"), ("vera", "reject")):
        log = Log(name_log(run, name))
        log.set([AB], {"verdict": verdict})
        if name == "anna":
            log.set([CD], {"verdict": "accept"})
    logs = read_logs(run)
    for policy, held in (("majority", "reject"), ("latest", "reject"), ("unanimous", None)):
        settled = settle_logs(logs, policy)  # type: ignore[arg-type]
        assert settled.decisions[AB].verdict == held
        assert settled.decisions[CD].verdict == "accept", "one voice is a majority"
        (conflict,) = settled.conflicts
        assert conflict.said == {"anna": "accept", "boris": "reject", "vera": "reject"}
        assert conflict.holds == held
    tie = settle_logs(logs[:2], "majority")
    assert tie.decisions[AB].verdict is None and len(tie.conflicts) == 1
    assert settle_logs(logs[:2], "latest").decisions[AB].verdict == "reject"
    with pytest.raises(UsageError, match="majority or latest"):
        settle_logs(logs, "loudest")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "../anna", "a/b", ".hidden", "a\nb", "x" * 64, " a", "a "])
def test_a_reviewer_cannot_write_elsewhere(run: Path, name: str) -> None:
    with pytest.raises(UsageError, match="reviewer"):
        name_log(run, name)


def test_what_cannot_be_written_or_read_is_told(run: Path, tmp_path: Path) -> None:
    (run / "decisions").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="not saved"):
        Log(name_log(run, "anna")).set([AB], {"verdict": "accept"})
    with pytest.raises(ConfigError, match="no such file"):
        read_logs(tmp_path / "nowhere")
    other = tmp_path / "other.txt"
    other.write_text("words\n")
    with pytest.raises(ConfigError, match="no log"):
        read_logs(other)
