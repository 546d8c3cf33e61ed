"""The README: two commands that CI runs as they stand, and nothing named that is not there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from shown import (
    FENCE,
    ROOT,
    check_commands,
    commands_shown,
    find_anchors,
    find_links,
    python_shown,
    run_python,
    write_texts,
)

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_opens_with_two_commands() -> None:
    language, body = FENCE.findall(README)[0]
    lines = body.splitlines()
    assert language == "bash" and len(lines) == 2
    assert all(line.strip() and not line.endswith("\\") for line in lines)
    mines, tests = lines
    assert "pip install" in mines and "miner mine --corpus corpora/demo.txt" in mines
    assert "pip install" in tests and "python -m pytest" in tests
    assert len(README[: README.index("```")].split()) < 100, "before it, a sentence or two"


GATES = ["ruff check .", "ruff format --check .", "mypy miner"]
SITE = ["pip install -q -c constraints.txt -e .[docs]", "mkdocs build --strict --quiet"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project with the same CI script, another README, and gates that note who passed."""
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("ruff", "mypy", "pip", "mkdocs"):
        gate = tmp_path / ".venv" / "bin" / name
        gate.write_text(f'#!/bin/sh\necho {name} "$@" >> passed\ntest "{name} $*" != "$SHUT"\n')
        gate.chmod(0o755)
    return tmp_path


def run_ci(
    checkout: Path, *lines: str, more: str = "", shut: str = ""
) -> subprocess.CompletedProcess[str]:
    body = "".join(f"{line}\n" for line in lines)
    (checkout / "README.md").write_text(f"# x\n\n```bash\n{body}```\n{more}")
    return subprocess.run(
        ["bash", ".ci/run"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_BROWSER": "1", "SHUT": shut},
    )


def test_ci_runs_the_two_commands_and_the_gates_between(checkout: Path) -> None:
    done = run_ci(
        checkout,
        "echo one >> passed && touch here",
        "test -e here && echo two | tr t T >> passed",
        more="\n```bash\nfalse\n```\n",
    )
    assert done.returncode == 0, done.stderr
    assert (checkout / "passed").read_text().splitlines() == ["one", *GATES, *SITE, "Two"]


@pytest.mark.parametrize(
    "lines",
    [
        ["false", "true && echo two"],
        ["echo one", "false && echo two"],
        ["echo one", "true && false"],
        ["echo one", "echo two"],
        ["echo one"],
        [],
    ],
)
def test_ci_fails_where_a_command_fails_or_is_missing(checkout: Path, lines: list[str]) -> None:
    assert run_ci(checkout, *lines).returncode != 0


@pytest.mark.parametrize("gate", [*GATES, *SITE])
def test_ci_stops_at_a_gate_that_is_shut(checkout: Path, gate: str) -> None:
    assert run_ci(checkout, "true", "true && touch tested", shut=gate).returncode != 0
    assert (checkout / "passed").read_text().splitlines()[-1] == gate
    assert not (checkout / "tested").exists()


def test_the_gates_before_a_commit_are_those_of_ci() -> None:
    yaml = pytest.importorskip("yaml")
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))[
        "repos"
    ]
    assert local["repo"] == "local" and all(hook["language"] == "system" for hook in local["hooks"])
    entries = [hook["entry"].removeprefix(".venv/bin/").split() for hook in local["hooks"]]
    wanted = [gate.removesuffix(" .").split() for gate in GATES]
    assert [entry[: len(gate)] for entry, gate in zip(entries, wanted, strict=True)] == wanted


def test_every_link_leads_somewhere() -> None:
    for link in find_links(README):
        if re.match(r"[a-z]+:", link):
            assert link.startswith(("https://", "mailto:")), link
            continue
        path, _, anchor = link.partition("#")
        assert not path or (ROOT / path).exists(), link
        assert path or anchor in find_anchors(README), link


def test_every_file_it_names_is_there() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"outputs", ".venv"}
    known = [
        path.relative_to(ROOT).as_posix()
        for folder in sorted(folders)
        if folder[0] != "."
        for path in (ROOT / folder).rglob("*.py")
    ]
    for name in re.findall(r"(?<![\w./-])[\w./-]+\.py\b", README):
        assert any(path == name or path.endswith(f"/{name}") for path in known), name
    for name in re.findall(r"(?<![\w./-])[\w.-]+/[\w./-]*\w", README):
        if name.split("/")[0] in folders:
            assert (ROOT / name).exists(), name


def test_every_command_and_option_it_shows_exists() -> None:
    assert check_commands(README) > 5


def test_it_is_short() -> None:
    assert len(README.split()) <= 1_200


def test_it_shows_three_pictures() -> None:
    assert len(re.findall(r"^!\[[^\]]+\]\([^)]+\.png\)$", README, re.MULTILINE)) == 3


def test_its_python_does_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("anywidget")
    blocks, reasons = python_shown(README)
    assert len(blocks) == 1 and not reasons
    write_texts(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert run_python(blocks[0], names) == 2
    assert (tmp_path / "tokenizer" / "tokenizer.json").exists()
    assert "in the" not in names["run"] and "ad hoc" in names["run"]  # type: ignore[operator]


def test_the_commands_of_the_help_are_found_by_this_test() -> None:
    text = (
        "Try `miner mine a.txt`:\n```bash\nx && .venv/bin/miner mine --corpus - \\\n  --out r\n```"
    )
    assert commands_shown(text) == [("mine", ["--corpus", "--out"]), ("mine", [])]
