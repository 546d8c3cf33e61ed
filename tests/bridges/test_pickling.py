"""A run that goes with what holds it: copies, other processes, other days."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from watched import ROOT

import miner
from miner.errors import RunError, UsageError

TEXTS = ["new york is large", "i like new york", "new york again"] * 9
OTHER = ["old town is large", "i like old town", "old town again"] * 9
READ = """
import pickle, sys
with open(sys.argv[1], "rb") as kept:
    print(pickle.load(kept)("Is New York far?"))
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> miner.Run:
    return miner.mine(TEXTS, out=tmp_path_factory.mktemp("kept") / "run")


@pytest.fixture(scope="module")
def passing() -> miner.Run:
    return miner.mine(TEXTS)


def test_a_run_is_its_own_copy(passing: miner.Run) -> None:
    assert copy.copy(passing) is copy.deepcopy(passing) is passing
    held = copy.deepcopy({"analyzer": partial(passing.segment, canonical=True)})
    assert held["analyzer"]("Is New York far?") == ["is", "new york", "far"]


def test_who_unpickles_it_here_gets_the_same_object(kept: miner.Run) -> None:
    assert pickle.loads(pickle.dumps(kept)) is kept  # noqa: S301
    segment = pickle.loads(pickle.dumps(kept.segment))  # noqa: S301
    assert segment.__self__ is kept


def test_another_process_opens_its_folder(kept: miner.Run, tmp_path: Path) -> None:
    place = tmp_path / "kept.pickle"
    place.write_bytes(pickle.dumps(partial(kept.segment, canonical=True)))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(place)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout) == (0, "['is', 'new york', 'far']\n"), done.stderr


def test_the_policy_goes_with_it(kept: miner.Run) -> None:
    strict = miner.open_run(kept.folder, policy="unanimous")
    content = pickle.dumps(strict)
    del strict
    assert pickle.loads(content).policy == "unanimous"  # noqa: S301


def test_a_run_that_goes_with_the_object_is_not_pickled(passing: miner.Run) -> None:
    with pytest.raises(UsageError, match=r"temporary folder.*run\.save"):
        pickle.dumps(passing.segment)


def test_the_pickle_of_a_run_that_was_replaced_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    content = pickle.dumps(miner.mine(TEXTS, out=out))
    miner.mine(OTHER, out=out, overwrite=True)
    with pytest.raises(RunError, match="the units are others"):
        pickle.loads(content)  # noqa: S301


def test_decisions_make_another_run_of_it(tmp_path: Path) -> None:
    run = miner.mine(TEXTS, out=tmp_path / "run")
    before, content = run.stamp, pickle.dumps(run)
    run.decide(reject=["new york"], reviewer="test")
    assert run.stamp != before and run.segment("new york") == ["new", "york"]
    with pytest.raises(RunError, match="the units are others"):
        pickle.loads(content)  # noqa: S301
    assert pickle.loads(pickle.dumps(run)) is run  # noqa: S301


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_segments_what_was_pickled_and_waits_for_nothing(tmp_path: Path) -> None:
    run = miner.mine(TEXTS, out=tmp_path / "run")
    assert in_fork(run) == "forked from the one that opened the run"
    segment = pickle.loads(pickle.dumps(run.segment))  # noqa: S301
    assert in_fork(segment.__self__) == "['Is', 'New York']"


def in_fork(run: miner.Run) -> str:
    """What a process that is forked now says of a text."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(run.segment("Is New York"))
        except UsageError as error:
            said = error.problem[17:56]
        os.write(writes, said.encode())
        os._exit(0)
    os.close(writes)
    timer = threading.Timer(60, os.kill, (child, 9))
    timer.start()
    with os.fdopen(reads, encoding="utf-8") as told:
        said = told.read()
    timer.cancel()
    os.waitpid(child, 0)
    return said
