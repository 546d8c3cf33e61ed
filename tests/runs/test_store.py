"""A run on disk: whole or not there, whatever kills it, and nothing of others is touched."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from filelock import lock_descriptor

from miner.errors import RunError
from miner.runs import files, store
from miner.runs.contents import CONTENTS
from miner.runs.files import hold_lock, write_json
from miner.runs.names import MANIFEST
from miner.runs.store import Existing, draft_run
from miner.runs.workplace import find_workplace

KEY: dict[str, object] = {"config": {"seed": 0}, "inputs": ["sha"]}
OTHER: dict[str, object] = {"config": {"seed": 1}, "inputs": ["sha"]}
ROOT = Path(__file__).parents[2]


COSTS = ("stage.json", CONTENTS)  # files that tell what it cost, and their sums


class Killed(BaseException):
    """The process is gone: no handler of errors sees this."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "run"


def write_run(
    out: Path,
    *,
    key: dict[str, object] = KEY,
    existing: Existing = "refuse",
    text: str = "new",
    calls: list[str] | None = None,
    fail: BaseException | None = None,
    where: str = "",
) -> None:
    """Write a run of two stages; `fail` is raised `before`, `in` or `after` the second one."""
    done = [] if calls is None else calls

    def compute(name: str) -> Callable[[Path], int]:
        def write(folder: Path) -> int:
            done.append(name)
            assert list(folder.iterdir()) == []
            (folder / "rows.txt").write_text(f"{text} {name}")
            if fail and name == "candidates" and where == "in":
                raise fail
            return len(name)

        return write

    with draft_run(out, key, existing=existing) as run:
        for name in ("atoms", "candidates"):
            if fail and name == "candidates" and where == "before":
                raise fail
            found = run.stage(name, compute(name), lambda folder: (folder / "rows.txt").read_text())
            assert found == f"{text} {name}"
        if fail and where == "after":
            raise fail
        assert not (run.out / MANIFEST).exists() or existing != "refuse"
        write_json(run.folder / MANIFEST, {"key": key, "stages": len(run.costs)})


def kill_run(out: Path, where: str, **options: object) -> None:
    with pytest.raises(Killed):
        write_run(out, fail=Killed(), where=where, **options)  # type: ignore[arg-type]


def listing(folder: Path) -> dict[str, str]:
    """Every file below a folder with its text, but for what it cost."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.name not in COSTS else ""
        for path in folder.rglob("*")
        if path.is_file()
    }


def refusal(out: Path, **options: object) -> RunError:
    """The error, with a place and a cure in one line; what lies there stays as it was."""
    before = listing(out.parent)
    with pytest.raises(RunError) as caught:
        write_run(out, **options)  # type: ignore[arg-type]
    assert caught.value.where and caught.value.cure and "\n" not in str(caught.value)
    assert listing(out.parent) == before
    return caught.value


def test_a_finished_run_is_one_folder_and_nothing_beside_it(out: Path) -> None:
    write_run(out)
    assert [path.name for path in out.parent.iterdir()] == ["run"]
    assert sorted(listing(out)) == [
        "1_atoms/miner-files.json",
        "1_atoms/rows.txt",
        "1_atoms/stage.json",
        "2_candidates/miner-files.json",
        "2_candidates/rows.txt",
        "2_candidates/stage.json",
        MANIFEST,
        "miner-files.json",
    ]
    record = json.loads((out / "2_candidates" / "stage.json").read_text())
    assert record["name"] == "candidates" and record["rows"] == len("candidates")
    assert record["seconds"] >= 0 and record["peak_mb"] > 1


def test_the_folder_appears_only_at_the_end(out: Path) -> None:
    with draft_run(out, KEY, existing="refuse") as run:
        run.stage("atoms", lambda folder: (folder / "a").write_text("a"), lambda _: None)
        write_json(run.folder / MANIFEST, {"key": KEY})
        assert not out.exists()
    assert out.exists()


@pytest.mark.parametrize("where", ["before", "in", "after"])
def test_a_killed_run_goes_on_behind_its_last_whole_stage(out: Path, where: str) -> None:
    kill_run(out, where)
    assert not out.exists()
    calls: list[str] = []
    write_run(out, existing="resume", calls=calls)
    assert calls == ([] if where == "after" else ["candidates"])
    resumed = listing(out)
    write_run(out, existing="overwrite")
    assert listing(out) == resumed


def test_a_draft_of_a_killed_stage_is_thrown_away(out: Path) -> None:
    kill_run(out, "in")
    draft = find_workplace(out) / "draft" / "2_candidates.tmp"
    assert (draft / "rows.txt").exists()
    write_run(out, existing="resume")
    assert (out / "2_candidates" / "rows.txt").read_text() == "new candidates"
    assert not list(out.rglob("*.tmp"))


def test_a_run_that_was_killed_before_it_said_its_key_is_no_obstacle(out: Path) -> None:
    place = find_workplace(out)
    for made, said in ((False, ""), (True, ""), (True, '{"key": {"con')):
        place.mkdir(parents=True)
        (place / "lock").touch()
        if made:
            about = {"made_by": "miner", "format": 1, "for": "run"}
            (place / "workplace.json").write_text(json.dumps(about))
            (place / "draft").mkdir()
        if said:
            (place / "draft" / "unfinished.json").write_text(said)
        write_run(out, existing="resume" if said else "refuse")
        assert (out / MANIFEST).exists() and not place.exists()
        store.shutil.rmtree(out)


def test_resume_where_nothing_is_yet_starts_afresh(out: Path) -> None:
    write_run(out, existing="resume")
    assert (out / MANIFEST).exists()


def test_resume_of_other_settings_is_refused(out: Path) -> None:
    kill_run(out, "in")
    assert "other settings" in refusal(out, key=OTHER, existing="resume").problem
    write_run(out, existing="resume")
    assert "already there" in refusal(out, key=OTHER, existing="resume").problem
    assert "already finished" in refusal(out, existing="resume").problem


def test_an_unfinished_run_is_not_replaced_unasked(out: Path) -> None:
    kill_run(out, "in")
    assert "unfinished" in refusal(out).problem
    calls: list[str] = []
    write_run(out, key=OTHER, existing="overwrite", calls=calls, text="other")
    assert calls == ["atoms", "candidates"]
    assert "other atoms" in listing(out).values()


@pytest.mark.parametrize("where", ["before", "in", "after"])
def test_an_error_leaves_nothing(out: Path, where: str) -> None:
    for error in (RunError("nothing to count"), ValueError("a bug")):
        with pytest.raises(type(error), match=str(error)):
            write_run(out, fail=error, where=where)
        assert not out.parent.exists()


def test_an_error_leaves_folders_that_were_there(out: Path) -> None:
    out.parent.mkdir()
    (out.parent / "notes.txt").write_text("mine")
    with pytest.raises(RunError):
        write_run(out, fail=RunError("no"), where="in")
    assert listing(out.parent) == {"notes.txt": "mine"}


def test_an_error_of_a_resumed_run_keeps_what_was_done(out: Path) -> None:
    kill_run(out, "in")
    with pytest.raises(RunError):
        write_run(out, existing="resume", fail=RunError("the disk is full"), where="before")
    calls: list[str] = []
    write_run(out, existing="resume", calls=calls)
    assert calls == ["candidates"]


# ---------------------------------------------------------------- a run that is there already


@pytest.fixture
def old(out: Path) -> dict[str, str]:
    """The files of a finished run at `out`."""
    write_run(out, text="old")
    return listing(out)


@pytest.mark.usefixtures("old")
def test_another_run_is_kept_unless_given_up(out: Path) -> None:
    assert "or overwrite" in str(refusal(out))
    write_run(out, existing="overwrite")
    assert "new atoms" in listing(out).values() and "old atoms" not in listing(out).values()
    assert [path.name for path in out.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("where", ["before", "in", "after"])
@pytest.mark.parametrize("fail", [Killed(), RunError("no")])
def test_the_old_run_stays_until_the_new_one_stands(
    out: Path, old: dict[str, str], where: str, fail: BaseException
) -> None:
    with pytest.raises(type(fail)):
        write_run(out, existing="overwrite", fail=fail, where=where)
    assert listing(out) == old


@pytest.mark.usefixtures("old")
def test_a_killed_replacement_can_be_resumed(out: Path) -> None:
    kill_run(out, "in", existing="overwrite")
    calls: list[str] = []
    write_run(out, existing="resume", calls=calls)
    assert calls == ["candidates"]
    assert "new atoms" in listing(out).values()


@pytest.mark.parametrize("existing", ["refuse", "overwrite", "resume"])
@pytest.mark.parametrize("name", ["thesis.docx", MANIFEST, "1_atoms/rows.txt"])
def test_a_folder_of_others_is_never_touched(out: Path, existing: Existing, name: str) -> None:
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text('{"name": "an app of somebody", "key": "MIIBIjANBg"}')
    problem = refusal(out, existing=existing).problem
    assert problem == f"a folder with {name.split('/')[0]} is there, which miner did not write"


@pytest.mark.parametrize("existing", ["refuse", "overwrite", "resume"])
def test_a_file_of_others_is_never_touched(out: Path, existing: Existing) -> None:
    out.parent.mkdir()
    out.write_text("mine")
    assert refusal(out, existing=existing).problem == "a file is there, which miner did not write"


@pytest.mark.parametrize("existing", ["refuse", "overwrite", "resume"])
@pytest.mark.parametrize("name", ["thesis.docx", "draft", ""])
def test_a_workplace_of_others_is_never_touched(out: Path, existing: Existing, name: str) -> None:
    place = find_workplace(out)
    (place / name).parent.mkdir(parents=True)
    (place / name if name else place).write_text("mine")
    assert "which miner did not write" in refusal(out, existing=existing).problem


@pytest.mark.parametrize("existing", ["refuse", "overwrite", "resume"])
def test_backups_and_files_beside_a_run_stay(out: Path, existing: Existing) -> None:
    """Whatever the run is called and other programs and people call theirs."""
    write_run(out, text="old")
    backups = [out.with_name(f"run.{end}") for end in ("old", "partial", "bak", "checkpoint")]
    for backup in backups:
        store.shutil.copytree(out, backup)
    others = [out.with_name(f"run.{end}") for end in ("lock", "journal")]
    for other in others:
        other.write_text("of poetry")
    before = listing(out.parent)
    if existing != "overwrite":
        refusal(out, key=OTHER, existing=existing)
        assert listing(out.parent) == before
    write_run(out, existing="overwrite")
    assert all("old atoms" in listing(backup).values() for backup in backups)
    assert all(other.read_text() == "of poetry" for other in others)
    assert "new atoms" in listing(out).values()


def test_a_link_stays_and_what_it_leads_to_is_written(out: Path, tmp_path: Path) -> None:
    place = tmp_path / "disk" / "of mine"
    write_run(place, text="old")
    out.parent.mkdir()
    out.symlink_to(place)
    for _ in range(2):
        write_run(out, existing="overwrite")
    assert out.is_symlink() and "new atoms" in listing(place).values()
    assert [path.name for path in out.parent.iterdir()] == ["run"]
    assert [path.name for path in place.parent.iterdir()] == ["of mine"]


def test_an_empty_folder_is_taken(out: Path) -> None:
    out.mkdir(parents=True)
    write_run(out)
    assert (out / MANIFEST).exists()


@pytest.mark.parametrize("name", [".", "/", ".."])
def test_a_run_needs_a_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="no name for an output"):
        write_run(Path(name))
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- two processes, a full disk

HOLDER = """
import sys
from pathlib import Path
from typing import Any
from miner.runs.store import draft_run
with draft_run(Path(sys.argv[1]), {}, existing="refuse") as run:
    run.stage("atoms", lambda folder: (folder / "a").write_text("a"), lambda _: None)
    print("holding", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(out: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes the run."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    with process:
        assert process.stdout.readline() == "holding\n"
        yield process
        process.kill()


def refuse_work(folder: Path) -> int:
    raise AssertionError(f"{folder} was done")


def test_two_processes_never_write_one_run(out: Path, holder: subprocess.Popen[str]) -> None:
    for existing in ("refuse", "overwrite", "resume"):
        error = refusal(out, key={}, existing=existing)
        assert f"another process is writing it (process {holder.pid}, since 2" in error.problem
    holder.kill()
    holder.wait()
    with draft_run(out, {}, existing="resume") as run:
        run.stage("atoms", refuse_work, lambda _: None)
        write_json(run.folder / MANIFEST, {"key": {}})


def test_a_lock_that_its_holder_removed_is_no_lock(tmp_path: Path) -> None:
    path, taken = tmp_path / "run", []

    def lock_late(number: int, **rest: Any) -> bool:
        """Our lock is of a file that its holder removes in the meantime."""
        taken.append(number)
        if len(taken) == 1:
            path.with_name("run.lock").unlink()
        return lock_descriptor(number, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "lock_descriptor", lock_late)
        with hold_lock(path):
            with pytest.raises(RunError, match="another process"), hold_lock(path):
                pass
            assert path.with_name("run.lock").exists()
    assert len(taken) == 3 and not list(tmp_path.iterdir())


def test_where_there_are_no_locks_all_go_on(tmp_path: Path) -> None:
    def refuse(*_: Any, **__: Any) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "lock_descriptor", refuse)
        with hold_lock(tmp_path / "run"), hold_lock(tmp_path / "run"):
            pass
    assert not list(tmp_path.iterdir())


def test_a_file_of_somebody_else_is_no_lock_of_ours(tmp_path: Path) -> None:
    named, link, victim = (tmp_path / name for name in ("poetry.lock", "run.lock", "victim"))
    named.write_text("of poetry")
    victim.write_text("of a person")
    link.symlink_to(victim)
    with hold_lock(tmp_path / "poetry"):
        assert named.read_text() == "of poetry"
    with pytest.raises(OSError, match="link"), hold_lock(tmp_path / "run"):
        pass
    assert named.read_text() == "of poetry" and victim.read_text() == "of a person"


def fill_by_python(folder: Path) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "x"))


def fill_by_quota(folder: Path) -> int:
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), str(folder / "x"))


def fill_by_numpy(folder: Path) -> int:
    del folder
    raise OSError("100000 requested and 8176 written")


def fill_by_polars(folder: Path) -> int:
    del folder
    raise pl.exceptions.ComputeError("underlying IO error: No space left on device (os error 28)")


@pytest.mark.parametrize("fill", [fill_by_python, fill_by_quota, fill_by_numpy, fill_by_polars])
def test_a_full_disk_is_one_line_and_leaves_nothing(out: Path, fill: Callable[[Path], int]) -> None:
    with pytest.raises(RunError) as caught, draft_run(out, KEY, existing="refuse") as run:
        run.stage("atoms", fill, lambda _: None)
    assert caught.value.exit_code == 3
    assert str(caught.value).startswith(f"{out}: no space is left on the disk. Free some")
    assert not out.parent.exists()


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root makes a disk of 64 KB"
)
@pytest.mark.parametrize("library", ["python", "numpy", "polars"])
def test_a_disk_that_is_really_full(tmp_path: Path, library: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs may be mounted here")
    numbers = np.random.default_rng(0).random(100_000)
    write: dict[str, Callable[[Path], object]] = {
        "python": lambda folder: (folder / "a").write_bytes(numbers.tobytes()),
        "numpy": lambda folder: np.save(folder / "a.npy", numbers),
        "polars": lambda folder: pl.DataFrame({"a": numbers}).write_parquet(folder / "a.parquet"),
    }
    try:
        with (
            pytest.raises(RunError, match="no space is left"),
            draft_run(disk / "run", KEY, existing="refuse") as run,
        ):
            run.stage("atoms", lambda folder: len(str(write[library](folder))), print)
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        with pytest.raises(RunError) as caught:
            write_run(out)
        assert "cannot be read or written" in str(caught.value) and "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_stage_times_are_measured(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of the test: a stage takes 2.5 s on two busy cores."""
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(store, "_cpu_seconds", lambda: 2 * clock[0])

    def work(folder: Path) -> int:
        clock[0] += 2.5
        return len(list(folder.iterdir())) + 7

    with draft_run(out, KEY, existing="refuse") as run:
        run.stage("atoms", work, lambda _: None)
        write_json(run.folder / MANIFEST, {"key": KEY})
        (stage,) = run.costs
    assert (stage.rows, stage.seconds, stage.cpu_seconds) == (7, 2.5, 5.0)
