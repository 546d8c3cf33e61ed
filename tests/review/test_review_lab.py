"""The review in a real JupyterLab, in a real browser, with no network: does a person get by?"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tokenizers import Tokenizer
from watched import DEMO, ROOT, MinedDemo, watch_command

from miner.fields import read_fields
from miner.fields.layers import Layer, write_layer
from miner.review.explainer import Explainer
from miner.review.lab import make_notebook
from miner.runs.decisions import Log, name_log
from miner.runs.finished import open_finished

for library in ("anywidget", "jupyterlab", "ipykernel", "playwright"):
    if importlib.util.find_spec(library) is None:  # to import them takes seconds
        pytest.skip(f"no {library}", allow_module_level=True)
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
if not CHROMIUM:
    pytest.skip("no chromium", allow_module_level=True)

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]
OPTIONS = [
    "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0",
    "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
    "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
]  # fmt: skip
QUIET = '{"fetchNews": "false", "checkForUpdates": false}'
PATIENCE = 300  # seconds: a bound on what hangs, not on what is slow
IDLE = (
    "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
    "?.status === 'idle'"
)
ROW_COUNT = ".miner-review .row .count:not(:empty)"
Page = Any


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Wait for something to be true."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """JupyterLab in a process of its own: its address and the folder that it shows."""
    place = tmp_path_factory.mktemp("lab")
    settings = place / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(QUIET)
    (work := place / "work").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{(port := free.getsockname()[1])}"
    private = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
    }
    environment = os.environ | {name: str(place / folder) for name, folder in private.items()}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        *OPTIONS,
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={work}",
    ]
    with (place / "lab.log").open("w") as told:
        process = subprocess.Popen(
            command, stdout=told, stderr=told, env=environment | {"PYTHONPATH": str(ROOT)}
        )
        try:
            wait_until(lambda: answers(url, process), "JupyterLab did not start")
            yield url, work
        finally:
            process.terminate()
            process.wait(PATIENCE)


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Say whether the server is there."""
    assert process.poll() is None, "JupyterLab ended"
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"{url}/api/status", timeout=1).status == 200)  # noqa: S310
    return False


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


class Notebook:
    """A notebook with one review, in its page."""

    def __init__(self, page: Page, url: str, run: Path, reviewer: str) -> None:
        self.page = page
        self.log = Log(name_log(run, reviewer))
        page.goto(f"{url}/lab/workspaces/{run.name}/tree/{run.name}.ipynb?reset")
        page.wait_for_function(IDLE)
        self.run_cells()

    def run_cells(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_selector(ROW_COUNT)
        self.page.locator(".miner-review .grid").focus()

    def restart(self) -> None:
        """Restart the kernel, as its menu does, and run the cells again."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
        )
        self.run_cells()

    def count_cells(self) -> int:
        return int(
            self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length")
        )

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def text(self, selector: str) -> str:
        return str(self.page.locator(f".miner-review {selector}").first.inner_text())

    def tokens(self, column: str = "token") -> list[str]:
        return list(self.page.locator(f".miner-review .row .{column}").all_inner_texts())

    def wait(self, happened: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, f"{what}; it says {self.text('.message')!r}"
            self.page.wait_for_timeout(30)

    def wait_saved(self) -> None:
        self.page.wait_for_function(
            "() => document.querySelector('.miner-review .saved').textContent === 'saved'"
        )

    def decided(self) -> dict[str, dict[str, str]]:
        """What the log says now, by token."""
        self.wait_saved()
        self.log.read()
        return {unit[0]: said.said() for unit, said in self.log.state.items() if said.said()}


@pytest.fixture
def review(
    lab: tuple[str, Path], browser: Any, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Open the review of a run; what leaves the machine or breaks on the page fails the test."""
    url, work = lab
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    away: list[str] = []
    broken: list[str] = []

    def watch(route: Any) -> None:
        if route.request.url.startswith((url, "data:", "blob:", "file:")):
            route.continue_()
        else:
            away.append(route.request.url)
            route.abort()

    context.route("**/*", watch)
    page.on("pageerror", lambda error: broken.append(str(error)))

    def open_review(run: Path, reviewer: str = "anna") -> Notebook:
        book = work / f"{run.name}.ipynb"
        book.write_text(json.dumps(make_notebook(str(run), reviewer)))
        return Notebook(page, url, run, reviewer)

    yield open_review
    if shots := os.environ.get("REVIEW_SHOTS"):
        page.screenshot(path=Path(shots) / f"{request.node.name}.png")
    context.close()
    assert not away, f"needs the network: {away}"
    assert not broken, broken


def copy_run(demo: MinedDemo, place: Path) -> Path:
    """A copy of the demo's run that a test may decide on."""
    shutil.copytree(demo.folder, place)
    return place


@pytest.mark.slow
def test_a_reader_decides_by_key_and_by_mouse(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    book = review(copy_run(demo, tmp_path / "keys"))
    page, cells = book.page, book.count_cells()
    first = book.tokens()[:4]
    book.press("a r x d d j")
    assert book.count_cells() == cells
    assert book.decided() == {first[0]: {"verdict": "accept"}, first[1]: {"verdict": "reject"}}
    assert book.tokens()[:4] == first  # a decided row stays where it is
    book.press("u")
    book.wait(lambda: first[1] not in book.decided(), "undo")
    book.press("y")
    book.wait(lambda: first[1] in book.decided(), "redo")
    page.locator(".miner-review .row").nth(2).click()
    page.locator(".miner-review .bar .accept").click()
    assert book.decided()[first[2]] == {"verdict": "accept"}
    book.restart()
    assert page.locator(".miner-review .row.is-accept").count() == 2
    assert book.tokens()[:4] == first


@pytest.mark.slow
def test_the_table_sorts_searches_and_filters(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    book = review(copy_run(demo, tmp_path / "find"))
    page = book.page
    kept = open_finished(demo.folder).proposals.filter(verdict="kept").height
    page.locator(".miner-review .head .count button").focus()
    page.keyboard.press("Enter")
    book.wait(lambda: _falling(book.tokens("count")), "sorted by count")
    page.get_by_label("Verdict of the run").select_option("kept")
    book.wait(lambda: book.text(".shown").startswith(f"{kept:,} of"), "only kept ones")
    page.locator(".miner-review .grid").focus()
    page.keyboard.press("/")
    page.keyboard.type("ЖАР", delay=20)
    book.wait(lambda: all("жар" in token for token in book.tokens()), "found")
    page.keyboard.press("Escape")
    book.press("End")
    last = page.locator(".miner-review .row.current")
    assert last.get_attribute("aria-rowindex") == page.locator(".miner-review .grid").get_attribute(
        "aria-rowcount"
    )
    book.press("a")
    page.get_by_label("My decision").select_option("accept")
    book.wait(lambda: book.text(".shown").startswith("1 of"), "only accepted ones")


@pytest.mark.slow
def test_the_table_shows_and_sorts_by_any_field(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    run = copy_run(demo, tmp_path / "fields")
    senses = pl.DataFrame({"token": ["жар тишина"], "item": [None], "value": ["<b>дым</b>"]})
    write_layer(run, Layer("smell", senses.cast(pl.String)))
    book = review(run)
    page = book.page
    assert book.tokens("field")[0] == read_fields(run).table["address"][0]
    page.get_by_label("Field that the table shows").select_option("emotion")
    page.locator(".miner-review .head .field button").click()
    book.wait(lambda: _falling(book.tokens("field")), "sorted by emotion")
    page.get_by_label("Field that the table shows").select_option("smell")
    page.locator(".miner-review .grid").focus()
    page.keyboard.press("/")
    page.keyboard.type("жар тишина", delay=20)
    book.wait(lambda: "<b>дым</b>" in book.tokens("field"), "what people said, as text")
    page.keyboard.press("Escape")
    book.wait(lambda: "Known of it" in book.text(".detail"), "in the pane too")


def _falling(texts: list[str]) -> bool:
    numbers = [float(text.replace(",", "")) for text in texts if text]
    return len(numbers) > 10 and numbers == sorted(numbers, reverse=True)


@pytest.mark.slow
def test_no_key_and_no_field_decides_on_what_the_reader_no_longer_means(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    book = review(copy_run(demo, tmp_path / "meant"))
    page = book.page
    # a key right behind the search is about what was searched for
    page.keyboard.press("/")
    page.keyboard.type("railway")
    page.keyboard.press("Enter")
    page.keyboard.press("a")
    book.wait(lambda: len(book.decided()) == 1, "decided once")
    assert "railway" in next(iter(book.decided()))
    # what was decided has left the view when all of it is decided
    found = page.locator(".miner-review .grid")
    left = int(found.get_attribute("aria-rowcount") or 0) - 2
    page.get_by_label("My decision").select_option("undecided")
    book.wait(lambda: book.text(".shown").startswith(f"{left:,} of"), "not decided")
    found.focus()
    book.press("a a R")
    book.wait(lambda: page.locator(".dialog").count() == 1, "asked")
    assert f"Reject {left - 2} rows" in page.locator(".dialog").inner_text()
    book.press("Enter")
    book.wait(lambda: len(book.decided()) == left + 1, "all decided")
    said = [what["verdict"] for what in book.decided().values()]
    assert said.count("accept") == 3 and said.count("reject") == left - 2
    # what was typed is saved when the field is left, and given up by Escape alone
    page.get_by_label("My decision").select_option("")
    shown = f"{left + 1:,} of"
    book.wait(lambda: book.text(".shown").startswith(shown), "all that was searched for")
    first = book.tokens()[0]
    page.locator(".miner-review .row").nth(0).click()
    page.keyboard.press("l")
    page.keyboard.type("not this")
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.keyboard.type("a name")
    page.locator(".miner-review .row").nth(1).click()
    book.wait(lambda: any("label" in what for what in book.decided().values()), "saved")
    labels = {what["label"] for what in book.decided().values() if "label" in what}
    assert labels == {"a name"} and "a name" in book.tokens()[0] and first in book.tokens()[0]


@pytest.mark.slow
def test_a_kernel_that_is_gone_is_told_with_its_cure(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    book = review(copy_run(demo, tmp_path / "gone"))
    page = book.page
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.wait_for_timeout(500)
    book.press("a")
    book.wait(lambda: "Not saved: " in book.text(".lost"), "told")
    assert "Run the cell again" in book.text(".lost")
    assert book.text(".saved") == "not saved"


@pytest.mark.slow
def test_a_lasso_chooses_and_all_of_it_is_decided_after_a_question(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    book = review(copy_run(demo, tmp_path / "lasso"))
    page = book.page
    page.wait_for_selector(".miner-review .legend i")
    box = page.locator(".miner-review .over").bounding_box()
    x, y, w, h = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + 0.1 * w, y + 0.1 * h)
    page.mouse.down()
    for across, down in ((0.45, 0.1), (0.45, 0.9), (0.1, 0.9)):
        page.mouse.move(x + across * w, y + down * h, steps=5)
    page.mouse.up()
    book.wait(lambda: "of the lasso" in book.text(".chips"), "a chip")
    chosen = int(book.text(".shown").split()[0].replace(",", ""))
    assert 0 < chosen < demo.proposals.height
    book.press("Shift+R")
    assert f"Reject {chosen:,} rows of the lasso?" in book.text(".dialog")
    assert not book.decided()
    book.press("Tab Tab Tab Escape")
    assert not book.decided()
    book.press("x x Shift+A")
    assert "Accept 2 selected rows?" in book.text(".dialog")
    page.keyboard.press("Enter")
    book.wait(lambda: len(book.decided()) == 2, "two are decided")
    book.press("u")
    book.wait(lambda: not book.decided(), "undo takes both back")
    page.locator(".miner-review .chip").first.click()
    whole = f"{demo.proposals.height:,} of"
    book.wait(lambda: book.text(".shown").startswith(whole), "all again")
    page.mouse.click(x + 0.3 * w, y + 0.5 * h)
    book.wait(lambda: book.text(".detail .unit"), "a click on the map shows a unit")


@pytest.mark.slow
def test_a_name_that_cannot_be_is_refused_and_others_are_heard(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    run = copy_run(demo, tmp_path / "others")
    named = open_finished(run).proposals["token"]
    link = next(row for row, token in enumerate(named) if token == "жар тишина")  # noqa: S105
    log = Log(name_log(run, "boris"))
    log.set([(named[link], ("жар", "тишина"))], {"verdict": "reject"})
    book = review(run)
    page = book.page
    page.keyboard.press("/")
    page.keyboard.type("жар тишина")
    page.keyboard.press("Enter")
    book.wait(lambda: all("жар тишина" in token for token in book.tokens()), "found")
    place = book.tokens().index("жар тишина")
    page.locator(".miner-review .row").nth(place).click()
    book.wait(lambda: "boris" in book.text(".detail .others"), "what boris said")
    book.press("a")
    book.wait(lambda: book.text(".said") == "1 accepted · 1 in conflict", "a conflict")
    page.locator(".miner-review .row").nth(place).click()
    book.wait(lambda: "Reviewers differ" in book.text(".detail .others"), "it says so")
    assert page.locator(".miner-review .contexts mark").count() > 0
    book.press("e")
    page.keyboard.type("жар. тишина")
    page.keyboard.press("Enter")
    book.wait(lambda: "Not saved: жар. тишина cannot be its form" in book.text(".lost"), "why")
    assert book.text(".saved") == "not saved"
    page.keyboard.press("Escape")
    assert book.decided() == {"жар тишина": {"verdict": "accept"}}
    book.press("e")
    page.keyboard.type("Тишина  Жара")
    page.keyboard.press("Enter")
    book.wait(lambda: "Saved" in book.text(".message"), "saved")
    assert book.decided()["жар тишина"]["token"] == "тишина жара"  # noqa: S105


def test_hostile_text_is_text_and_no_decision_waits_for_the_kernel(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    run = copy_run(demo, tmp_path / "many")
    path = run / "proposals.parquet"
    proposals = pl.read_parquet(path)
    evil = [
        "<script>window.evil=1</script>",
        "<img src=x onerror=window.evil=1>",
        "a\u202eb\u2066c",
    ]
    evil += [f"unit {i}" for i in range(50_000 - proposals.height - len(evil))]
    single = proposals.filter(pl.col("candidate").is_null())[:1]
    more = pl.concat([single] * len(evil)).with_columns(
        token=pl.Series(evil), order=pl.lit(0, pl.UInt32)
    )
    many = pl.concat([more[:3], proposals, more[3:]])
    many.write_parquet(path)
    book = review(run)
    page = book.page
    assert book.tokens()[:3] == [*evil[:2], "a[U+202E]b[U+2066]c"]
    assert page.evaluate("() => window.evil") is None
    # in one turn of the page's own loop, in which no answer of the kernel can come
    shown = [page.evaluate(AT_ONCE, "a") for _ in range(30)]
    assert shown == [["mark accept", True]] * 30
    book.wait_saved()
    book.press("End")
    book.wait(lambda: page.locator(".row.current .count:not(:empty)").count() == 1, "the last row")
    assert page.locator(".row.current").get_attribute("aria-rowindex") == "50001"
    shutil.move(run / "decisions", tmp_path / "away")
    (run / "decisions").write_text("a file where the folder was")
    book.press("r")
    book.wait(lambda: "Not saved: " in book.text(".lost"), "what is not saved is told")
    book.wait(lambda: not page.locator(".row.current .mark").count(), "and taken back")


@pytest.mark.slow
def test_after_a_restart_the_decisions_are_exported_and_trained_on(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    run = copy_run(demo, tmp_path / "onward")
    book = review(run)
    spaced = pl.col("token").str.contains(" ")
    refused = demo.proposals.filter((pl.col("verdict") == "weak") & spaced)
    wished = refused["token"][0]
    first = book.tokens()[0]
    book.press("r")
    book.press("/")
    book.page.keyboard.type(wished)
    book.press("Enter")
    book.wait(lambda: wished in book.tokens(), "the refused one is found")
    book.page.locator(".miner-review .row").nth(book.tokens().index(wished)).click()
    book.press("a")
    said = {first: {"verdict": "reject"}, wished: {"verdict": "accept"}}
    assert book.decided() == said
    book.restart()
    assert book.decided() == said
    assert book.text(".said").startswith("1 accepted · 1 rejected")
    vocabulary, folder = tmp_path / "vocabulary.txt", tmp_path / "tokenizer"
    for command in (
        ["export", str(run), "--format", "txt", "--out", str(vocabulary)],
        [
            "train",
            str(run),
            "--corpus",
            str(DEMO),
            "--vocab-size",
            "4000",
            "--trainer",
            "hf-bpe",
            "--out",
            str(folder),
        ],
    ):
        done = watch_command(tmp_path / "used.json", *command)
        assert done.code == 0, done.err
    lines = vocabulary.read_text(encoding="utf-8").replace("▁", " ").splitlines()
    units = [line.strip() for line in lines]
    assert wished in units
    assert first not in units
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    alone = len(tokenizer.encode("it").ids)
    assert len(tokenizer.encode(f"it {wished}").ids) == alone + 1
    assert len(tokenizer.encode(f"it {first}").ids) > alone + 1


@pytest.mark.slow
def test_all_of_it_by_keyboard(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path
) -> None:
    """Whatever the mouse does, and from the first Tab on."""
    book = review(copy_run(demo, tmp_path / "by_hand"))
    page, cells, first = book.page, book.count_cells(), book.tokens()[:6]
    book.wait(lambda: page.locator(".detail .evidence li").count() > 0, "reasons")
    names = tab_through(page)
    wanted = [
        "Search units",
        "Kind",
        "Verdict of the run",
        "My decision",
        "Family",
        "✓ Accept",
        "✗ Reject",
        "Undo",
        "Redo",
        "Add a unit that was not proposed",
        "Help: all keys",
        "Proposals: j and k move",
        "Unit",
        "Count",
        "Why",
        "Colour of the map",
        "Form",
        "Save",
    ]
    missing = [name for name in wanted if not any(told.startswith(name) for told in names)]
    assert not missing, names
    book.press("Escape a r e")  # Escape from anywhere leads to the table
    page.keyboard.type("x")
    book.press("Escape t ArrowDown ArrowDown Escape f Escape l")
    page.keyboard.type("seen")
    book.press("Enter")
    book.wait(lambda: book.decided().get(first[2]) == {"label": "seen"}, "a label")
    book.press("Home j j j x x Shift+R")
    assert "Reject 2 selected rows?" in book.text(".dialog")
    book.press("Enter")
    book.wait(lambda: book.decided().get(first[4]) == {"verdict": "reject"}, "two in bulk")
    book.press("u")
    book.wait(lambda: first[4] not in book.decided(), "undo")
    book.press("n")
    page.keyboard.type("совсем новое имя")
    book.press("Enter")
    book.wait(lambda: "совсем новое имя" in book.decided() or book.text(".lost"), "an answer")
    focus_on(page, "My decision")
    book.press("ArrowDown ArrowDown")
    book.wait(lambda: book.text(".shown").startswith("1 of"), "only accepted ones")
    focus_on(page, "Count")
    book.press("Enter")
    book.wait(lambda: page.locator("[aria-sort=descending]").count() == 1, "sorted")
    book.press("Escape ?")
    assert "select the row" in book.text(".dialog")
    book.press("Escape")
    assert page.locator(".miner-review .grid").evaluate("node => node === document.activeElement")
    assert book.count_cells() == cells


NAME = """() => { const node = document.activeElement;
  if (!node.closest('.miner-review')) return '';
  return node.getAttribute('aria-label') || node.closest('label')?.innerText || node.innerText; }"""


def tab_through(page: Page) -> list[str]:
    """Return the names of what Tab comes to, once around the review from its first field."""
    page.locator(".miner-review .search").focus()
    names = []
    while (name := page.evaluate(NAME).strip()) and len(names) < 200:
        names.append(name)
        page.keyboard.press("Tab")
    assert len(names) < 200, "Tab never leaves the review"
    page.keyboard.press("Shift+Tab")
    return names


def focus_on(page: Page, name: str) -> None:
    """Go by Shift+Tab to what has the name."""
    for _ in range(200):
        if page.evaluate(NAME).strip().startswith(name):
            return
        page.keyboard.press("Shift+Tab")
    raise AssertionError(f"no way to {name}")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.slow
def test_all_text_can_be_read(
    review: Callable[..., Notebook], demo: MinedDemo, tmp_path: Path, theme: str
) -> None:
    """Contrast of 4.5 and more (WCAG 2.2, 1.4.3) in each state that a row can be in."""
    run = copy_run(demo, tmp_path / "seen")
    first = open_finished(run).proposals.sort("order", nulls_last=True)["token"][0]
    book = review(run)
    page = book.page
    unit = next(iter_units(run, first))
    Log(name_log(run, "boris")).set([unit], {"verdict": "reject"})
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    book.press("a r x x a Home u y")
    book.wait_saved()
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    book.wait(lambda: "conflict" in book.text(".said"), "a conflict")
    book.press("Home l")
    page.keyboard.type("x")
    book.press("Enter Home")
    book.wait(lambda: page.locator(".detail .evidence li").count() > 0, "reasons")
    book.wait(lambda: not page.evaluate(CONTRAST, ".miner-review"), "to be read")
    book.press("?")
    weak = page.evaluate(CONTRAST, ".miner-review")
    assert not weak, weak


CONTRAST = """home => {
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const read = colour => { paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1); const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255]; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const ground = node => { const stack = [];
    for (let n = node; n; n = n.parentElement) stack.push(read(getComputedStyle(n).backgroundColor));
    return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
  const light = colour => { const [r, g, b] = colour.map(v => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const weak = [];
  let seen = 0;
  for (const node of document.querySelectorAll(`${home} *`)) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!(own || node.matches('input, select')) || !node.getClientRects().length) continue;
    seen += 1;
    const under = ground(node), style = getComputedStyle(node);
    let share = 1;
    for (let n = node; n; n = n.parentElement) share *= Number(getComputedStyle(n).opacity);
    const ink = read(style.color);
    const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * share], under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${node.className || node.tagName} ${ratio.toFixed(2)} ${node.textContent.slice(0, 30)}`);
  }
  if (seen < 100) weak.push(`only ${seen} texts were seen`);
  return weak;
}"""  # noqa: E501


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_a_phone_and_can_be_read(
    browser: Any, demo: MinedDemo, tmp_path: Path, scheme: str
) -> None:
    """No sideways scrolling down to 320 px (WCAG 2.2, 1.4.10), nor on paper."""
    log = Log(name_log(run := copy_run(demo, tmp_path / "page"), "anna"))
    log.set([next(iter_units(run, "town square"))], {"verdict": "reject"})
    assert watch_command(tmp_path / "used.json", "report", str(run)).code == 0
    page = browser.new_page(color_scheme=scheme)
    page.goto((run / "report.html").as_uri())
    for width in (320, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    weak = page.evaluate(CONTRAST, "main, body")
    assert not weak, weak
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 1000})  # A4 less its margins
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 680
    assert page.locator("nav").is_hidden()
    page.close()


def iter_units(run: Path, token: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the units of a run that have a canonical form."""
    explainer = Explainer(open_finished(run))
    for row in explainer.table.filter(token=token)["row"]:
        yield explainer.unit(row)


EXPLAINED = """() => {
  const [row, unit] = ['.row.current .token', '.detail .unit'].map(
    (name) => document.querySelector(`.miner-review ${name}`));
  const told = document.querySelector('.miner-review .detail .reasons li');
  return row && unit && told && row.textContent === unit.textContent;
}"""


@pytest.mark.slow
def test_a_hostile_corpus_is_mined_and_shown_as_text(
    review: Callable[..., Notebook], tmp_path: Path
) -> None:
    evil = '<img src=x onerror="window.evil=1"><script>window.evil=1</script>'
    rest = "and \u202eabc {} </style><b>{}</b> \x00 {{{{7*7}}}}"
    lines = [f"{evil} {rest.format(i % 7, i % 5)}" for i in range(300)]
    corpus = tmp_path / "evil.txt"
    corpus.write_text("\n".join(lines), encoding="utf-8")
    run = tmp_path / "evil"
    done = watch_command(
        tmp_path / "used.json",
        "mine",
        "--corpus",
        str(corpus),
        "--out",
        str(run),
        "--profile",
        "code",
    )
    assert done.code == 0, done.err
    book = review(run)
    page, seen = book.page, ""
    for _ in range(min(40, open_finished(run).proposals.height)):
        book.press("a")
        page.wait_for_function(EXPLAINED)
        seen += book.text(".detail")
    assert "<script>" in seen
    assert "onerror" in seen
    assert "[U+202E]" in seen
    assert not any(sign in seen + "".join(book.tokens()) for sign in "\u202e\x00")
    assert page.locator(".miner-review script, .miner-review img").count() == 0
    assert page.evaluate("() => window.evil") is None
    page.goto((run / "report.html").as_uri())
    assert page.locator("script, img").count() == 0
    assert page.evaluate("() => window.evil") is None


AT_ONCE = """key => {
  const grid = document.querySelector('.miner-review .grid');
  const before = grid.getAttribute('aria-activedescendant');
  grid.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  const mark = document.getElementById(before).querySelector('.mark')?.className;
  return [mark, grid.getAttribute('aria-activedescendant') !== before];
}"""


HOSTILE = "open({place!r}, 'a').write(__file__ + '\\n')\n"


def test_nothing_that_came_with_a_run_is_executed(
    demo: MinedDemo, tmp_path: Path, browser: Any
) -> None:
    """`miner review` inside a stranger's run, whose files have the names that Python looks for."""
    run = Path(shutil.copytree(demo.folder, tmp_path / "run"))
    executed = tmp_path / "executed"
    names = ("miner/__init__", "anywidget", "jupyter_server_config", "jupyter_lab_config",
             "jupyter_config", "ipython_config", "polars", "sitecustomize", "startup")  # fmt: skip
    for name in names:
        for folder in (run, run / "review"):
            place = folder / f"{name}.py"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(HOSTILE.format(place=str(executed)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = "import sys; from miner.commands.main import main; main(sys.argv[1:])"
    asked = ["review", str(run), "--reviewer", "anna", "--no-browser", "--port", str(port)]
    private = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    environment = os.environ | {f"JUPYTER_{name}": str(tmp_path / name) for name in private}
    environment |= {"IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": str(ROOT)}
    (tmp_path / "CONFIG_DIR").mkdir()  # the user's own settings, which hold
    exposed = json.dumps({"LabApp": {"expose_app_in_browser": True}})
    (tmp_path / "CONFIG_DIR" / "jupyter_lab_config.json").write_text(exposed)
    with (tmp_path / "told").open("w+") as told:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", script, *asked],
            cwd=run, env=environment, stdout=told, stderr=told,
        )  # fmt: skip
        try:
            seen = (tmp_path / "told").read_text
            wait_until(lambda: "token=" in seen() or process.poll() is not None, "no address")
            address = re.search(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+", seen())
            assert address, seen()
            page = browser.new_page()
            page.goto(address[0])
            page.wait_for_function(IDLE, timeout=PATIENCE * 1000)  # before, no cell is run
            page.locator(".jp-CodeCell .cm-content").first.click()
            page.keyboard.press("Shift+Enter")
            shown = page.locator(ROW_COUNT)
            wait_until(lambda: shown.count() or executed.exists(), "no review")
            page.close()
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert not executed.exists(), executed.read_text()
