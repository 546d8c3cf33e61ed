"""How long does a reviewer wait? The table and the map of a large run in JupyterLab.

    python -m benchmarks.review outputs/novels --proposals 1000000

The run is copied, and its words are repeated under other names until there are as many proposals.
Every figure is the median of the presses, in a headless Chromium, from the key to the next frame;
what it is held against is the same press until the kernel has written it and has said so. Needs
`pip install -e '.[test]'` and chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from playwright.sync_api import sync_playwright

PRESSES = 30
PAUSE = 60  # ms between presses
PRESS = """async ([key, until]) => {
  const part = (name) => document.querySelector(`.miner-review ${name}`);
  const frame = () => new Promise(requestAnimationFrame);
  const before = part('.grid').getAttribute('aria-activedescendant');
  const start = performance.now();
  part('.grid').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  const happened = {
    shown: () => document.getElementById(before).querySelector('.mark'),
    saved: () => part('.saved').textContent === 'saved',
    moved: () => part('.row.current .count:not(:empty)')
      && part('.grid').getAttribute('aria-activedescendant') !== before,
  }[until];
  do await frame(); while (!happened());
  return performance.now() - start;
}"""
PAN = """async (steps) => {
  const over = document.querySelector('.miner-review .over');
  const box = over.getBoundingClientRect();
  const send = (name, x, shiftKey = true) => over.dispatchEvent(new PointerEvent(name, {
    clientX: box.left + x, clientY: box.top + 80, bubbles: true, shiftKey, pointerId: 1}));
  over.setPointerCapture = () => {};
  const frame = () => new Promise(requestAnimationFrame);
  const taken = [];
  send('pointerdown', 80);
  for (let i = 1; i <= steps; i++) {
    const start = performance.now();
    send('pointermove', 80 + 3 * i);
    await frame(); await frame();
    taken.push(performance.now() - start);
  }
  send('pointerup', 80 + 3 * steps);
  return taken;
}"""
POINTS = """() => [...document.querySelectorAll('.miner-review .legend .small')]
  .reduce((sum, count) => sum + Number(count.textContent.replaceAll(',', '')), 0)"""


def enlarge(run: Path, proposals: int) -> int:
    """Repeat the single words of a run under other names; return how many proposals there are."""
    path = run / "proposals.parquet"
    table = pl.read_parquet(path)
    single = table.filter(pl.col("candidate").is_null())
    more = single[np.arange(max(proposals - table.height, 0)) % single.height]
    names = pl.Series([f"unit {i}" for i in range(more.height)], dtype=pl.String)
    table = pl.concat([table, more.with_columns(token=names)])
    table.write_parquet(path)
    return table.height


@contextmanager
def open_review(run: Path, browser: Any) -> Iterator[Any]:
    """Start `miner review`; yield its page when the rows are there."""
    command = [
        sys.executable,
        "-m",
        "miner",
        "review",
        str(run),
        "--reviewer",
        "timer",
        "--no-browser",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            found = (re.search(r"http://127\S+token=\S+", line) for line in process.stderr or ())
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(next(address[0] for address in found if address))
            page.get_by_text("| Idle").wait_for(timeout=60_000)
            page.keyboard.press("Shift+Enter")
            page.wait_for_selector(".miner-review .row .count:not(:empty)", timeout=60_000)
            page.wait_for_selector(".miner-review .legend i", timeout=60_000)
            page.wait_for_timeout(5000)  # the reasons are read beside
            yield page
        finally:
            process.terminate()


def press(page: Any, key: str, until: str) -> list[float]:
    """Return milliseconds of each press until something is seen."""
    taken = []
    for _ in range(PRESSES):
        taken.append(page.evaluate(PRESS, [key, until]))
        page.wait_for_timeout(PAUSE)
    return taken


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--proposals", type=int, default=0)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        copy = Path(shutil.copytree(options.run, Path(folder) / options.run.name))
        shutil.rmtree(copy / "decisions", ignore_errors=True)
        proposals = enlarge(copy, options.proposals)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with open_review(copy, browser) as page:
            shown = press(page, "a", "shown")
            saved = press(page, "r", "saved")
            jumped = [page.evaluate(PRESS, [key, "moved"]) for key in ["End", "Home"] * 10]
            panned = page.evaluate(PAN, PRESSES)
            points = page.evaluate(POINTS)
    kernel = statistics.median(saved)
    print(f"{proposals:,} proposals, {points:,} points on the map\n")
    print("| what | median, ms | worst | of the way through the kernel |\n|---|---|---|---|")
    for what, taken in {
        "a decision is on the page": shown,
        "a decision is on the disk": saved,
        "to the last row or the first, filled": jumped,
        "the map follows the mouse": panned,
    }.items():
        median = statistics.median(taken)
        print(f"| {what} | {median:.1f} | {max(taken):.1f} | {median / kernel:.2f} |")


if __name__ == "__main__":
    main()
