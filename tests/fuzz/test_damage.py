"""Damaged runs: whatever is wrong with a file, each command ends with an answer or one line."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from watched import DEMO, MinedDemo

import miner
from miner.commands.main import main

Damage = Callable[[bytes, random.Random], bytes]


def flip(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(min(len(changed), 20)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


DAMAGES: dict[str, Damage] = {
    "empty": lambda _, __: b"",
    "cut": lambda content, chance: content[: chance.randrange(len(content) + 1)],
    "flipped": flip,
    "longer": lambda content, _: content + content[:9] + b"\xff",
    "zeros": lambda content, _: bytes(len(content)),
    "text": lambda _, __: b'{"a": [1, null, "\\ud800"]}\n',
    "a list": lambda _, __: b"[]",
    "huge": lambda _, __: b'{"format": 1e400, "key": ' + b"9" * 5000 + b"}",
}
COMMANDS: dict[str, list[str]] = {
    "explain": ["explain", "RUN", "тело помнит раньше слова"],
    "lookup": ["lookup", "RUN", "тишина"],
    "export": ["export", "RUN", "--out", "OUT/units.jsonl"],
    "merges": ["export", "RUN", "--format", "merges", "--out", "OUT/merges.tsv"],
    "report": ["report", "RUN"],
    "fields": ["fields", "RUN"],
    "rewrite": ["rewrite", "--run", "RUN", "--corpus", str(DEMO), "--out", "OUT/hyper.txt"],
    "train": ["train", "RUN", "--corpus", str(DEMO), "--vocab-size", "900", "--out", "OUT/tok"],
}


@pytest.fixture(scope="module")
def decided(demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with decisions, which commands read too."""
    run = tmp_path_factory.mktemp("decided") / "run"
    shutil.copytree(demo.folder, run)
    miner.open_run(run).decide(accept=["ad hoc"], reject=["in the"], reviewer="me")
    return run


@pytest.mark.parametrize("times", [1, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_damaged_file_is_one_line(
    decided: Path, tmp_path: Path, command: str, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file and a damage drawn by chance: no traceback, and what is told names a place."""
    chance = random.Random(f"{command} {times}")
    files = sorted(path.relative_to(decided) for path in decided.rglob("*") if path.is_file())
    for turn in range(times):
        run, out = tmp_path / f"run{turn}", tmp_path / f"out{turn}"
        shutil.copytree(decided, run)
        out.mkdir()
        name, damage = chance.choice(files), chance.choice(list(DAMAGES))
        (run / name).write_bytes(DAMAGES[damage]((run / name).read_bytes(), chance))
        words = [
            word.replace("RUN", str(run)).replace("OUT", str(out)) for word in COMMANDS[command]
        ]
        with pytest.raises(SystemExit) as end:
            main(words)
        told = capsys.readouterr().err
        assert end.value.code in (0, 1, 3), (name, damage, told)
        if end.value.code == 3:
            assert told.splitlines()[-1].startswith("error: /"), (name, damage, told)
        shutil.rmtree(run)
        shutil.rmtree(out)
