"""A grade: is a key read as it is meant, and does every unit of it get its true verdict?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from miner.commands.main import commands
from miner.config import MineConfig
from miner.errors import MinerError
from miner.pipeline import mine
from miner.review.grading import grade_run, summarize_grade
from miner.synthesis.writing import SynthConfig, write_language


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a run of a made-up language, and the folder of the language."""
    folder = tmp_path_factory.mktemp("made")
    write_language(SynthConfig(4_000, folder / "language", seed=3))
    mine(MineConfig(corpus=(str(folder / "language/corpus.txt"),)), folder / "run")
    return folder / "run", folder / "language"


def test_what_was_planted_is_found(made: tuple[Path, Path]) -> None:
    run, language = made
    told = summarize_grade(grade_run(run, language / "key.jsonl"))
    kinds = told["kinds"]
    for kind in ("formula", "symbol", "marker"):
        assert kinds[kind]["found"] == kinds[kind]["in_key"], kind
    for kind, least in (("link", 0.85), ("hyperlexeme", 0.33)):
        there = kinds[kind]["in_key"] - kinds[kind]["verdicts"].get("rare", 0)
        assert kinds[kind]["found"] > least * there, kind
    assert told["kept_runs_in_key"] > 0.75 * told["kept_runs"]


def test_each_unit_of_a_key_gets_its_verdict(made: tuple[Path, Path], tmp_path: Path) -> None:
    run, language = made
    rows = [json.loads(line) for line in (language / "key.jsonl").read_text().splitlines()]
    link = next(row["token"] for row in rows if row["kind"] == "link")
    words = Counter((language / "corpus.txt").read_text().split())
    word = next(word for word, _ in words.most_common() if word.isalpha())
    key = tmp_path / "key.txt"
    key.write_text(f"{link.upper()} \n\n{link}\n{word}\nnowhere here\n", encoding="utf-8")
    graded = grade_run(run, key)
    assert graded.key["token"].to_list() == [link, word, "nowhere here"]
    assert graded.key["verdict"].to_list() == ["kept", "one atom", "rare"]
    order = graded.key["order"].to_list()
    assert order[0] >= 1
    assert order[1:] == [None, None]
    assert graded.strange.height == graded.kept - 1
    assert graded.precision == pytest.approx(1 / order[0] / 3)


def test_the_command_tells_it_in_words_and_in_json(made: tuple[Path, Path]) -> None:
    run, language = made
    arguments = ["grade", str(run), "--key", str(language / "key.jsonl")]
    said = CliRunner().invoke(commands, arguments)
    assert said.exit_code == 0
    assert "average precision" in said.output
    assert "missed (" in said.output
    told = json.loads(CliRunner().invoke(commands, [*arguments, "--json"]).output)
    assert told["found"] == sum(row["order"] is not None for row in told["key"])
    assert told["kept_runs"] - told["kept_runs_in_key"] == len(told["not_in_key"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no unit in it"),
        (b'{"token": 5}', "line 1: names no unit"),
        (b'a b\n{"token": "x", "count": "many"}', "line 2: names no unit"),
        (b'{"token": "  "}', "line 1: names no unit"),
        (b'{"token": "x"', "line 1: is not JSON"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
    ],
)
def test_a_damaged_key_is_named(
    made: tuple[Path, Path], tmp_path: Path, content: bytes, problem: str
) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    with pytest.raises(MinerError) as caught:
        grade_run(made[0], key)
    assert problem in str(caught.value)


def test_a_key_that_is_not_there(made: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(MinerError, match="no such file"):
        grade_run(made[0], tmp_path / "nothing")
