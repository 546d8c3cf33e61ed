"""The examples in docstrings: each does what it shows, in any folder."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from watched import ROOT

HOUSE = ROOT / "miner"
SHOWN = sorted(path for path in HOUSE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


def name_module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


@pytest.mark.parametrize("path", SHOWN, ids=name_module)
def test_examples_give_what_they_show(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(name_module(path))
    monkeypatch.chdir(tmp_path)
    found = doctest.DocTestFinder(exclude_empty=True).find(module)
    written = path.read_text(encoding="utf-8").count(">>> ")
    assert sum(len(test.examples) for test in found) == written, "one is in no docstring that runs"
    runner = doctest.DocTestRunner(verbose=False)
    for test in found:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_package_shows_examples() -> None:
    assert len(SHOWN) > 50
