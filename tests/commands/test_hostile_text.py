"""What strangers write is shown, and does nothing: in errors, notes and names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from miner.commands.main import main
from miner.errors import MinerError, escape_hidden
from miner.progress import Bars

ESCAPES = ("\x1b[31m", "\x9b2J", "\x07", "\r", "\u202e", "\u2066", "\ufeff", "\x00", "\x7f")


@pytest.mark.parametrize("escape", ESCAPES, ids=ascii)
def test_no_error_moves_a_cursor_or_turns_a_line(escape: str) -> None:
    error = MinerError(f"a {escape} b", where=f"/x/{escape}", cure=f"do {escape}")
    for line in (str(error), error.as_command()):
        assert escape not in line and ascii(escape)[1:-1] in line
    assert escape_hidden("→ Δ41, жар 🧑‍🍳 é") == "→ Δ41, жар 🧑‍🍳 é"


def test_notes_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    Bars().note("two\nlines \x1b[31m")
    assert capsys.readouterr().err == "two\nlines \\x1b[31m\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("k.csv", "a\x1b[31mb,c\n1,2\n"),
        ("k.jsonl", '{"a\\u001b[31mb": "x", "c": "y"}\n'),
        ("k\x1b[31m.txt", ""),
        ("k.toml", 'corpus = "x"\n"\\u001b[31mb" = 1\n'),
    ],
)
def test_keys_headers_and_names_of_files(
    tmp_path: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / name
    place.write_text(content)
    way = ["--config", str(place)] if name.endswith("toml") else ["--corpus", str(place)]
    with pytest.raises(SystemExit) as end:
        main(["mine", *way, "--out", str(tmp_path / "run")])
    told = capsys.readouterr().err
    assert end.value.code in (2, 3) and "\x1b" not in told and "\\x1b[31m" in told


@pytest.mark.skipif(os.name != "posix", reason="such names are of POSIX")
@pytest.mark.parametrize("command", [["mine", "--corpus"], ["synth", "--lines", "200"]])
def test_an_output_whose_name_is_no_text(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("жар и тишина\n" * 30)
    words = [*command, str(corpus)] if command[-1] == "--corpus" else command
    out = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")
    with pytest.raises(SystemExit) as end:
        main([*words, "--out", out])
    assert end.value.code == 3 and "is no UTF-8" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.txt"]
