"""Take the pictures of the README: the review in JupyterLab, the report, wide and on a phone.

    python docs/take_pictures.py outputs/demo

Needs `pip install -e '.[test]'`, chromium and fonts with emoji and symbols. The run is copied,
and nothing of it is changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
REPORTS = {"report.png": (1200, 1000, 1), "report-phone.png": (390, 844, 2)}
KEYS = "j j j j j r j j a j j a j r" + " j" * 20


def take_report(browser: Any, run: Path) -> None:
    """Take the report of a run."""
    for name, (width, height, scale) in REPORTS.items():
        size = {"width": width, "height": height}
        page = browser.new_page(viewport=size, device_scale_factor=scale)
        page.goto((run / "report.html").absolute().as_uri())
        page.screenshot(path=DOCS / name)
        page.close()


@contextmanager
def open_review(run: Path) -> Iterator[str]:
    """Start `miner review`; yield the address that it prints."""
    command = [
        sys.executable,
        "-m",
        "miner",
        "review",
        str(run),
        "--reviewer",
        "anna",
        "--no-browser",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            found = (re.search(r"http://127\S+token=\S+", line) for line in process.stderr or ())
            yield next(address[0] for address in found if address)
        finally:
            process.terminate()


def take_review(browser: Any, run: Path) -> None:
    """Take the review of a copy of a run, with some decisions made."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(run, Path(folder) / "demo"))
        shutil.rmtree(copy / "decisions", ignore_errors=True)
        with open_review(copy) as address:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(address)
            page.get_by_text("| Idle").wait_for(timeout=60_000)
            page.keyboard.press("Control+b")  # the files at the side
            page.keyboard.press("Shift+Enter")
            page.wait_for_selector(".miner-review .row .count:not(:empty)", timeout=60_000)
            for key in KEYS.split():
                page.keyboard.press(key)
            page.wait_for_selector(".miner-review .legend i")
            page.wait_for_timeout(1500)
            page.screenshot(path=DOCS / "review.png")


def main() -> None:
    """Take all pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        take_report(browser, Path(sys.argv[1]))
        take_review(browser, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
