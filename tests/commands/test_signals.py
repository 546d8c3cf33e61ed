"""A signal at any moment of any command: one line, exit code 130, and nothing is lost."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from watched import DEMO, ROOT, MinedDemo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
LINES = (
    "stopped; the same command with --resume goes on where it was cut off",
    "stopped; what was there is as it was",
    "stopped before anything was done",
)
VARY = {"manifest.json", "stage.json", "report.html", "miner-files.json"}  # they tell what it cost


@dataclass
class Job:
    """A command, what it writes, and whether it can be gone on with."""

    words: list[str]
    out: Path
    resumes: bool

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "miner", *self.words, "--out", str(self.out), *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def finish(self, *more: str) -> float:
        """Run it to its end; return the seconds that it took."""
        began = time.monotonic()
        process = self.start(*more)
        _, told = process.communicate()
        assert process.returncode == 0, told.decode()
        return time.monotonic() - began

    def digest(self) -> dict[str, str]:
        """The hashes of all that it wrote, but for what it cost."""
        paths = sorted(self.out.rglob("*")) if self.out.is_dir() else [self.out]
        return {
            str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if path.is_file() and path.name not in VARY
        }

    def clear(self) -> None:
        for path in (self.out, self.out.with_name(f".{self.out.name}.miner")):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.fixture
def make(demo: MinedDemo, tmp_path: Path) -> Callable[[str], Job]:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(DEMO.read_text(encoding="utf-8").splitlines()[:900]))
    book = tmp_path / "book.txt"
    book.write_text(DEMO.read_text(encoding="utf-8") * 10)
    run = str(demo.folder)
    words = {
        "mine": ["mine", "--corpus", str(corpus)],
        "train": ["train", run, "--corpus", str(corpus), "--vocab-size", "1500"],
        "synth": ["synth", "--lines", "20000"],
        "rewrite": ["rewrite", "--run", run, "--corpus", str(book)],
        "export": ["export", run, "--format", "csv"],
    }
    return lambda name: Job(words[name], tmp_path / "out", name in ("mine", "rewrite"))


def stop_and_go_on(job: Job, wanted: dict[str, str], delay: float, number: int) -> bool:
    """Send a signal after a while; True where it came in time. Then go on, to the same bytes."""
    process = job.start()
    time.sleep(delay)
    process.send_signal(number)
    process.send_signal(number)  # and a second one, as people do
    _, told = process.communicate()
    lines = told.decode("utf-8", "replace").replace("\r", "\n").strip().split("\n")
    if process.returncode not in (0, 130):  # Python had not come to our first line
        assert "/miner/" not in told.decode(), told.decode()
    else:
        assert "Traceback" not in told.decode(), told.decode()
    if process.returncode == 130:
        assert lines[-1] in LINES, told.decode()
    whole = job.out.exists()
    assert not whole or job.digest() == wanted
    if not job.resumes:
        assert not job.out.with_name(f".{job.out.name}.miner").exists()
    if not whole:
        job.finish(*(["--resume"] if job.resumes else []))
    assert job.digest() == wanted
    assert not job.out.with_name(f".{job.out.name}.miner").exists()
    return process.returncode == 130


SLOW = [
    pytest.param(name, 25, marks=pytest.mark.slow)
    for name in ("mine", "train", "synth", "rewrite", "export")
]


@pytest.mark.parametrize(("name", "times"), [("mine", 1), ("export", 1), *SLOW])
def test_a_signal_at_any_moment(make: Callable[[str], Job], name: str, times: int) -> None:
    """Moments are drawn by chance: each must end well, whatever the machine is doing."""
    job = make(name)
    seconds = job.finish()
    wanted = job.digest()
    chance = random.Random(f"{name} {times}")
    for turn in range(times):
        job.clear()
        number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[turn % 3]
        stop_and_go_on(job, wanted, chance.random() * seconds, number)
    assert job.digest() == wanted


def test_what_nohup_has_ignored_stays_ignored(make: Callable[[str], Job]) -> None:
    job = make("synth")
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "miner", *job.words, "--out", str(job.out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    place = job.out.with_name(f".{job.out.name}.miner")
    while not place.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 0 and (job.out / "corpus.txt").exists()
