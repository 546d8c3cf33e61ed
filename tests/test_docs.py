"""The pages: what they name is there, and Python in them does what it shows."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shown import (
    ROOT,
    check_commands,
    find_anchors,
    find_links,
    python_shown,
    run_python,
    write_texts,
)
from watched import MinedDemo

import miner
from miner.commands.main import commands

DOCS = ROOT / "docs"
ALONE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
PAGES = sorted([*DOCS.rglob("*.md"), *ALONE])
NAMES = [name for name in miner.__all__ if not name.startswith("__")]
# Written anew with the batch form of segmenting
LATER = {"Run.segment_batch"}


def name_page(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(params=PAGES, ids=name_page)
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def list_anchors(page: Path) -> set[str]:
    text = read(page)
    return find_anchors(text) | set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))


def test_every_link_leads_somewhere(page: Path) -> None:
    for link in find_links(read(page)):
        if re.match(r"[a-z]+:", link):
            assert link.startswith(("https://", "mailto:")), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} is not there"
        assert target.is_relative_to(ROOT), link
        if DOCS in page.parents:
            assert target.is_relative_to(DOCS), f"{link} leaves the site"
        if anchor and target.suffix == ".md":
            assert anchor in list_anchors(target), f"{link} has no such heading"


def test_every_file_it_names_is_there(page: Path) -> None:
    folders = ("benchmarks", "docs", "miner", "notebooks", "tests", "corpora")
    for name in re.findall(r"(?<![\w./-])[\w.-]+/[\w./-]*\w", read(page)):
        if name.split("/")[0] in folders and not name.startswith("miner/__"):
            assert (ROOT / name).exists() or (ROOT / name).with_suffix("").exists(), name


def test_every_module_it_names_is_there(page: Path) -> None:
    for name in re.findall(r"`(miner(?:\.[a-z_]+)+)`", read(page)):
        parts = name.split(".")
        place = ROOT.joinpath(*parts)
        public = parts[1] in [*NAMES, "__all__", "json"]
        assert public or place.is_dir() or place.with_suffix(".py").exists(), name


def test_every_command_and_option_it_shows_exists(page: Path) -> None:
    check_commands(read(page))


def test_python_does_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, reasons = python_shown(read(page))
    assert all(len(reason) > 10 for reason in reasons)
    if not blocks or page in ALONE:
        return
    if "bridges" in page.parts:
        pytest.skip("bridges are tried by tests of their own")
    write_texts(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert sum(run_python(block, names) for block in blocks) > 0, "it shows no value"


def test_python_that_is_wrong_is_noticed() -> None:
    assert run_python("x = 2\nx + 1  # -> 3\n", {}) == 1
    with pytest.raises(AssertionError, match="x is 2"):
        run_python("x = 2\nx  # -> 3\n", {})
    blocks, reasons = python_shown("<!-- not run: too slow -->\n```python\n1/0\n```\n")
    assert (blocks, reasons) == ([], ["too slow"])


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    menu = menu[menu.index("\nnav:") :]
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name.startswith("bridges/") or re.search(rf"[ :]{re.escape(name)}$", menu, re.M), (
            name
        )
    for name in re.findall(r"\S+\.md$", menu, re.MULTILINE):
        assert (DOCS / name).exists(), name


def test_every_command_has_a_line_of_its_own() -> None:
    shown = re.findall(r"^\| `miner ([a-z]+)` \|", read(DOCS / "api/commands.md"), re.MULTILINE)
    assert sorted(shown) == sorted(commands.commands)


def test_every_public_name_is_on_a_page_of_the_api() -> None:
    pages = [read(page) for page in (DOCS / "api").glob("*.md")]
    shown = [name for text in pages for name in re.findall(r"^::: miner\.(\w+)$", text, re.M)]
    assert sorted(shown) == sorted(NAMES)


def test_one_version_is_named() -> None:
    assert f"\nversion: {miner.__version__}\n" in read(ROOT / "CITATION.cff")
    assert re.search(rf"^## {re.escape(miner.__version__)}$", read(ROOT / "CHANGELOG.md"), re.M)


def test_examples_of_docstrings_get_a_section_on_the_site() -> None:
    pytest.importorskip("griffe")
    name_examples = runpy.run_path(str(DOCS / "examples.py"))["name_examples"]
    shown = name_examples("Add.\n\nRaises:\n    KeyError: none.\n\n>>> 1 + 1\n2\n")
    assert shown.endswith("\n\nExamples:\n    >>> 1 + 1\n    2")
    assert name_examples("Add.") == "Add."


def list_documented() -> Iterator[tuple[str, Any]]:
    """(name, function or class) of all that is public, methods of classes included."""
    for name in NAMES:
        thing = getattr(miner, name)
        yield name, thing
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for key, value in vars(thing).items():
                function = getattr(value, "func", getattr(value, "fget", value))
                if key[0] != "_" and inspect.isfunction(function):
                    yield f"{name}.{key}", function


DOCUMENTED = dict(list_documented())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_name_has_a_docstring(name: str) -> None:
    """With each argument, where there are several: one alone is told by the first line."""
    thing = DOCUMENTED[name]
    text = inspect.getdoc(thing) or ""
    assert text.split("\n")[0].endswith((".", "?")), text
    if not inspect.isfunction(thing) or name in LATER:
        return
    wanted = [key for key in inspect.signature(thing).parameters if key != "self"]
    if len(wanted) > 1 or (wanted and "." not in name):
        told = re.findall(r"^    (\w+): ", text.partition("Args:\n")[2], re.MULTILINE)
        assert [key for key in told if key in wanted] == wanted


@pytest.mark.parametrize("name", [n for n in NAMES if inspect.isfunction(getattr(miner, n))])
def test_every_public_function_tells_its_errors_and_shows_itself(name: str) -> None:
    text = inspect.getdoc(getattr(miner, name)) or ""
    assert "Raises:\n" in text and ">>> " in text


def test_stable_columns_are_those_of_a_run() -> None:
    run = miner.mine(["new york is large", "i like new york", "new york again"] * 9)
    page = read(DOCS / "stable.md")
    table = page[page.index("## Columns") : page.index("## JSON")]
    told = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert set(run.units.columns) | {"verdict", "rival", "detail", "label", "bid"} == told
    assert set(run.proposals.columns) <= told


def test_the_table_of_the_readme_is_printed(demo: MinedDemo) -> None:
    table = read(ROOT / "README.md").split("\n\n```\n")[1].partition("```")[0].splitlines()
    assert len(table) > 5 and set(table) <= set(demo.command.out.splitlines())
