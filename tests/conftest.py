"""What several tests need: a small corpus cut and counted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numba.core.dispatcher import Dispatcher
from watched import beginning, demo, lock_work

from miner.corpus import Chunk
from miner.mining.candidates import Candidates, count_candidates
from miner.text.pretokens import Atoms, cut_chunks
from miner.text.profiles import PROFILES

__all__ = ["Recorder", "beginning", "demo", "make_chunk", "mine_texts", "shared"]
SHARED = Path(__file__).parents[2] / "shared"
LONG = ("test_review_lab.py", "test_tokenizer_train.py", "test_model_tune.py")

# No clock judges a property: a busy machine neither fails one nor makes it look slow. Examples are
# drawn anew each time, and a failure prints the line that draws its example again.
settings.register_profile(
    "tests",
    deadline=None,
    max_examples=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: several processes then end together."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def _compile_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A kernel that several processes need is compiled by one; the others find it on the disk."""
    compile_kernel, lock = Dispatcher.compile, lock_work(tmp_path_factory)

    def compile_alone(kernel: Dispatcher, signature: object) -> object:
        with lock:
            return compile_kernel(kernel, signature)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Dispatcher, "compile", compile_alone)
        yield


class Recorder:
    """Keeps what it is told: the notes, and the steps of all tasks; both may be watched."""

    def __init__(
        self,
        on_note: Callable[[str], None] = lambda _: None,
        on_step: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.notes: list[str] = []
        self.steps: list[int] = []
        self.on_note, self.on_step = on_note, on_step

    @contextmanager
    def task(self, name: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        del name, total, unit

        def advance(steps: int) -> None:
            self.steps.append(steps)
            self.on_step(steps)

        yield advance

    def note(self, line: str) -> None:
        self.notes.append(line)
        self.on_note(line)


@pytest.fixture
def recorder() -> Recorder:
    """Somebody who keeps what is told of long work."""
    return Recorder()


@pytest.fixture
def shared() -> Path:
    """The folder of real corpora, gold lists and models; skips where it is not there."""
    if not SHARED.exists():
        pytest.skip("no ../shared here")
    return SHARED


def make_chunk(texts: Sequence[str | bytes]) -> Chunk:
    """Return documents as one chunk."""
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    starts = ends - np.array([len(text) for text in encoded], np.int64)
    return Chunk(np.frombuffer(b"".join(encoded), np.uint8), starts, ends, "test")


def mine_texts(
    texts: Sequence[str], *, min_count: int, longest: int = 8, profile: str = "words"
) -> tuple[Atoms, Candidates]:
    """Return the atoms and candidates of a few documents; the streams are in memory."""
    with tempfile.TemporaryDirectory() as folder:
        atoms = cut_chunks(
            [make_chunk(texts)], Path(folder), profile=PROFILES[profile], patterns={}
        )
        counts = atoms.table["count"].to_numpy()
        candidates = count_candidates(
            atoms.mined, counts, min_count=min_count, longest=longest, threads=1
        )
        return atoms, candidates
