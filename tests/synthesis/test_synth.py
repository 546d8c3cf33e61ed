"""Synth: are the lines those of the language, and is the key true?"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from miner.commands.main import commands
from miner.errors import MinerError
from miner.synthesis import lines as lines_module
from miner.synthesis.alphabet import SCRIPTS
from miner.synthesis.units import SHARES
from miner.synthesis.writing import SynthConfig, write_language

KINDS = set(SHARES)


def read(folder: Path) -> tuple[list[str], list[dict[str, object]]]:
    lines = (folder / "corpus.txt").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    with (folder / "key.jsonl").open(encoding="utf-8") as rows:
        return lines, [json.loads(row) for row in rows]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_key_is_what_stands_in_the_lines(tmp_path: Path, script: str) -> None:
    told = write_language(SynthConfig(2_000, tmp_path / "made", seed=4, script=script))
    lines, key = read(tmp_path / "made")
    assert len(lines) == told["lines"] == 2_000
    assert {row["kind"] for row in key} == KINDS
    assert [row["count"] for row in key] == sorted((row["count"] for row in key), reverse=True)
    assert told["placed"] == sum(row["count"] for row in key)  # type: ignore[misc]
    text = "".join(f" {line} " for line in lines)
    for mark in (".", ",", "?", "!", ":", ";", "·", *vars(SCRIPTS[script]).values()):
        text = text.replace(mark, f" {mark} ") if len(mark) == 1 and mark not in "_" else text
    words = Counter(text.split())
    for row in key:
        token, count = str(row["token"]), row["count"]
        if row["kind"] in ("formula", "symbol"):
            assert words[token] == count, row
        elif row["kind"] in ("link", "hyperlexeme"):
            assert sum(line.count(token) for line in lines) >= count, row
            assert " ".join(row["parts"]) == token  # type: ignore[arg-type]
        elif row["kind"] == "compound":
            assert "".join(row["parts"]).replace(" ", "") == token  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    config = SynthConfig(300, tmp_path / "a", seed=1)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_language(replace(config, out=tmp_path / name, seed=seed))
    a, b, c = (
        [file.read_bytes() for file in sorted((tmp_path / name).iterdir())] for name in "abc"
    )
    assert a == b
    assert all(one != other for one, other in zip(a, c, strict=True))


def test_a_longer_corpus_begins_with_the_blocks_of_a_shorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner.synthesis.writing.BLOCK", 100)
    assert lines_module.BLOCK == 20_000
    for name, count in (("short", 200), ("long", 350)):
        config = SynthConfig(count, tmp_path / name, words=500, units=40)
        write_language(config)
    short, long = (read(tmp_path / name)[0] for name in ("short", "long"))
    assert (len(short), len(long)) == (200, 350)
    assert long[:200] == short


def test_words_are_zipf_and_scenes_have_their_marks(tmp_path: Path) -> None:
    write_language(SynthConfig(20_000, tmp_path / "made", seed=7))
    lines, _ = read(tmp_path / "made")
    counts = np.sort(list(Counter(" ".join(lines).split()).values()))[::-1][20:1000]
    slope = np.polyfit(np.log(np.arange(21, 1001)), np.log(counts), 1)[0]
    assert -1.4 < slope < -0.6
    scenes = [line for line in lines if line.startswith("[SCN] ")]
    assert 0.10 < len(scenes) / len(lines) < 0.14
    assert all(" [SEP] " in line for line in scenes)
    assert not any("[SCN]" in line or "[SEP]" in line for line in set(lines) - set(scenes))
    assert not any("  " in line or line.endswith(" ") or " ." in line for line in lines)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lines": 99}, "lines is 99"),
        ({"units": 3}, "units is 3"),
        ({"seed": -1}, "seed is -1"),
        ({"words": 10}, "words is 10"),
        ({"script": "klingon"}, "one of cyrillic"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, change: dict[str, object], told: str) -> None:
    config = replace(SynthConfig(200, tmp_path / "made"), **change)  # type: ignore[arg-type]
    with pytest.raises(MinerError, match=told):
        write_language(config)
    assert not (tmp_path / "made").exists()


def test_a_folder_is_kept_and_a_broken_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "made"
    arguments = ["synth", "--lines", "200", "--out", str(out)]
    result = CliRunner().invoke(commands, [*arguments, "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["lines"] == 200
    before = (out / "corpus.txt").read_bytes()
    with pytest.raises(MinerError):
        write_language(SynthConfig(300, out))

    def stop(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("miner.synthesis.writing.write_key", stop)
    with pytest.raises(KeyboardInterrupt):
        write_language(SynthConfig(300, out, overwrite=True))
    assert (out / "corpus.txt").read_bytes() == before
    assert sorted(path.name for path in out.iterdir()) == [
        "corpus.txt",
        "grammar.json",
        "key.jsonl",
        "miner-files.json",
    ]
