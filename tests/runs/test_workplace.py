"""Where an output is made: killed at any moment, nothing of it, of people or of others is lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from miner.errors import RunError
from miner.runs import workplace
from miner.runs.contents import check_files, list_owned, read_contents
from miner.runs.decisions import Log, Unit, join_log, name_log
from miner.runs.files import write_json
from miner.runs.names import CONTENTS, MANIFEST
from miner.runs.store import draft_run
from miner.runs.workplace import find_workplace, open_folder, open_output

UNITS: list[Unit] = [("new york", ("new", "york")), ("in order", ("in", "order"))]
NOTES = {"notes.md": "mine", "figures/plot.svg": "<svg/>", "1_atoms/remark.txt": "odd atoms"}
CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync", "link", "open")


def write_run(out: Path, text: str, *, existing: str = "overwrite") -> None:
    key = {"text": text}

    def compute(folder: Path) -> int:
        return (folder / "rows.txt").write_text(text)

    with draft_run(out, key, existing=existing) as run:  # type: ignore[arg-type]
        for name in ("atoms", "candidates"):
            run.stage(name, compute, lambda _: None)  # type: ignore[arg-type]
        write_json(run.folder / MANIFEST, {"key": key})


def read_run(out: Path) -> str:
    """The text of a run of which all files are as they were written."""
    for folder in (out, out / "1_atoms", out / "2_candidates"):
        check_files(folder)
    return (out / "1_atoms" / "rows.txt").read_text()


def add_notes(out: Path) -> None:
    for name, text in NOTES.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text)
    (out / "link").symlink_to("notes.md")
    Log(name_log(out, "anna")).set(UNITS[:1], {"verdict": "accept"})


def read_notes(out: Path) -> dict[str, str]:
    return {name: (out / name).read_text() for name in NOTES if (out / name).exists()}


def decided(out: Path) -> set[Unit]:
    log = Log(name_log(out, "anna"))
    log.read()
    assert not log.damaged
    return set(log.state)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture(params=["one rename", "two renames"])
def swaps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "two renames":
        monkeypatch.setattr(workplace, "exchange", lambda *_: False)
    return str(request.param)


@pytest.mark.usefixtures("swaps")
def test_what_people_put_into_a_run_outlives_it(out: Path) -> None:
    write_run(out, "old")
    add_notes(out)
    for text in ("new", "newer"):
        write_run(out, text)
        assert read_run(out) == text and read_notes(out) == NOTES
        assert (out / "link").is_symlink() and decided(out) == {UNITS[0]}
        assert not {*NOTES, "link"} & list_owned(out)
    assert [path.name for path in out.parent.iterdir()] == ["run"]


def test_a_note_under_a_name_that_the_new_run_needs_is_kept_beside(out: Path) -> None:
    with open_folder(out, kind="model", overwrite=False) as folder:
        (folder / "a").write_text("old")
    (out / "b").write_text("mine")
    with open_folder(out, kind="model", overwrite=True) as folder:
        (folder / "b").write_text("new")
    assert {path.name: path.read_text() for path in out.iterdir() if path.name != CONTENTS} == {
        "b": "new",
        "b.kept": "mine",
    }


def clear(out: Path) -> None:
    for leftover in (out, find_workplace(out)):
        shutil.rmtree(leftover, ignore_errors=True)


@pytest.fixture
def again(out: Path, tmp_path: Path) -> Callable[[], None]:
    """Puts a run with notes and a decision at `out`, and nothing beside it."""
    write_run(tmp_path / "first", "old")
    add_notes(tmp_path / "first")

    def prepare() -> None:
        clear(out)
        shutil.copytree(tmp_path / "first", out, symlinks=True)

    return prepare


def count_calls(work: Callable[[], None], kill_at: int) -> Callable[[], int]:
    """Return what does some work and kills itself before the call of that number to the disk.

    It returns how many calls there were.
    """

    def run() -> int:
        seen = 0

        def wrap(call: Callable[..., object]) -> Callable[..., object]:
            def counted(*args: object, **options: object) -> object:
                nonlocal seen
                if seen == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen += 1
                return call(*args, **options)

            return counted

        def kill_behind(call: Callable[..., object]) -> Callable[..., object]:
            """What is opened to be written is there by then, and empty."""
            counted = wrap(lambda: None)

            def opened(*args: object, **options: object) -> object:
                handle = call(*args, **options)
                counted()
                return handle

            return opened

        for name in CALLS:
            setattr(os, name, wrap(getattr(os, name)))
        io.open = kill_behind(io.open)  # type: ignore[assignment]
        workplace.exchange = wrap(workplace.exchange)  # type: ignore[assignment]
        work()
        return seen

    return run


def fork(run: Callable[[], int]) -> bool:
    """Run in another process; True where it was killed, False where it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def kill_everywhere(
    prepare: Callable[[], None], work: Callable[[], None], *, step: int = 1
) -> Iterator[int]:
    """Yield behind each kill, before every `step`-th call to the disk that some work makes."""
    for place in count(0, step):
        prepare()
        if not fork(count_calls(work, place)):
            return
        yield place


EVERY = (7, pytest.param(1, marks=pytest.mark.slow))
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills by forking")


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("goes_on", ["resume", "overwrite"])
@pytest.mark.parametrize("step", EVERY)
def test_a_run_that_is_killed_anywhere_loses_nothing(
    out: Path, again: Callable[[], None], swaps: str, goes_on: str, step: int
) -> None:
    """At every call to the disk: the old run or the new one stands, or comes back at once."""
    last = 0
    for place in kill_everywhere(again, lambda: write_run(out, "new"), step=step):
        last = place
        assert not (out / "unfinished.json").exists()
        if out.exists():
            assert read_run(out) in ("old", "new") and decided(out) == {UNITS[0]}
        else:
            assert swaps == "two renames"
        try:
            write_run(out, "new", existing=goes_on)
        except RunError as error:
            assert goes_on == "resume" and ("finished" in str(error) or "a run is" in str(error))
            write_run(out, "new")
        assert read_run(out) == "new" and read_notes(out) == NOTES
        assert (out / "link").is_symlink() and decided(out) == {UNITS[0]}
        assert sorted(path.name for path in out.parent.iterdir()) == ["first", "run"]
    assert last > 60


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow)])
def test_a_decision_that_is_made_while_a_run_is_swapped_is_not_lost(
    out: Path, again: Callable[[], None], swaps: str, step: int
) -> None:
    """An open page saves one behind each kill, before another command finds what was left."""
    refused = 0
    for _ in kill_everywhere(again, lambda: write_run(out, "new"), step=step):
        wanted = {UNITS[0]}
        try:
            Log(name_log(out, "anna")).set(UNITS[1:], {"verdict": "reject"})
            wanted = set(UNITS)
        except RunError as error:
            refused += 1
            assert "not saved" in str(error) and not out.exists() and swaps == "two renames"
        write_run(out, "new")
        assert read_run(out) == "new" and decided(out) == wanted
    assert refused == (0 if swaps == "one rename" else 1)


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_first_run_that_is_killed_anywhere_is_no_obstacle(out: Path) -> None:
    for _ in kill_everywhere(partial(clear, out), lambda: write_run(out, "new", existing="refuse")):
        assert not (out / "unfinished.json").exists()
        try:
            write_run(out, "new", existing="resume")
        except RunError as error:
            assert "finished" in str(error)  # by then, at the latest
        assert read_run(out) == "new"


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_file_that_is_killed_anywhere_is_the_old_or_the_new(tmp_path: Path) -> None:
    out = tmp_path / "units.csv"

    def write() -> None:
        with open_output(out, overwrite=True) as handle:
            handle.write(b"new")

    for _ in kill_everywhere(lambda: out.write_bytes(b"old") and None, write):
        assert out.read_bytes() in (b"old", b"new")
        write()
        assert out.read_bytes() == b"new"
        assert [path.name for path in tmp_path.iterdir()] == ["units.csv"]


def test_everything_is_on_the_disk_before_it_has_its_name(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file, each folder that holds it, and behind the swap the folder with the name."""
    synced: list[tuple[int, int]] = []
    fsync, swap = os.fsync, workplace._swap

    def note(descriptor: int) -> None:
        about = os.fstat(descriptor)
        synced.append((about.st_dev, about.st_ino))
        fsync(descriptor)

    def check(place: Path, draft: Path, target: Path) -> None:
        for path in (draft, *draft.rglob("*")):
            about = path.lstat()
            if path.name != "unfinished.json" and not path.is_symlink():
                assert (about.st_dev, about.st_ino) in synced, path
        swap(place, draft, target)
        synced.clear()

    write_run(out, "old")
    add_notes(out)
    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(workplace, "_swap", check)
    write_run(out, "new")
    about = out.parent.stat()
    assert (about.st_dev, about.st_ino) in synced


@pytest.mark.parametrize("kind", ["model", "language"])
def test_what_is_of_another_kind_is_not_replaced(out: Path, kind: str) -> None:
    with open_folder(out, kind="tokenizer", overwrite=False) as folder:
        (folder / "tokenizer.json").write_text("{}")
    with (
        pytest.raises(RunError, match="a tokenizer of miner's is there"),
        open_folder(out, kind=kind, overwrite=True),
    ):
        pass
    assert (out / "tokenizer.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        {"manifest_version": 3, "key": "MIIBIjANBg"},
        {"made_by": "miner"},
        {"made_by": "miner", "kind": "run", "format": 99, "files": {}},
        {"made_by": "miner", "kind": "run", "format": 1, "files": {"../x": [1, "0"]}},
        {"made_by": "miner", "kind": "run", "format": 1, "files": {"/etc/passwd": [1, "0"]}},
        {"made_by": "miner", "kind": "run", "format": 1, "files": {"x": "0"}},
        [],
    ],
)
def test_what_only_looks_like_ours_is_not(out: Path, content: object) -> None:
    out.mkdir()
    (out / CONTENTS).write_text(json.dumps(content))
    (out / MANIFEST).write_text(json.dumps({"key": {"text": "new"}}))
    assert read_contents(out) is None
    with pytest.raises(RunError, match="which miner did not write"):
        write_run(out, "new")
    assert sorted(path.name for path in out.iterdir()) == [MANIFEST, CONTENTS]


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "gone", "link", "list"])
def test_a_stage_that_is_not_as_it_was_written_is_not_gone_on_with(out: Path, damage: str) -> None:
    class Killed(BaseException):
        pass

    with pytest.raises(Killed), draft_run(out, {"text": "new"}, existing="refuse") as run:
        run.stage("atoms", lambda folder: (folder / "rows.txt").write_text("new"), lambda _: None)
        raise Killed
    rows = find_workplace(out) / "draft" / "1_atoms" / "rows.txt"
    if damage == "list":
        (rows.parent / CONTENTS).write_text("{}")
        write_run(out, "new", existing="resume")  # as one that was never whole
        assert read_run(out) == "new"
        return
    rows.unlink() if damage in ("gone", "link") else rows.write_text(
        {"flipped": "neW", "cut": "ne", "longer": "newer"}[damage]
    )
    if damage == "link":
        (out.parent / "rows").write_text("new")
        rows.symlink_to(out.parent / "rows")
    with pytest.raises(RunError, match=r"rows.txt: is not .*Start afresh with overwrite"):
        write_run(out, "new", existing="resume")
    write_run(out, "new")
    assert read_run(out) == "new"


@pytest.mark.parametrize("content", ["", '{"made_by": "mi', "\x00"])
def test_a_workplace_that_was_killed_as_it_began_is_no_obstacle(out: Path, content: str) -> None:
    place = find_workplace(out)
    place.mkdir()
    (place / "workplace.json").write_text(content)
    write_run(out, "new")
    assert read_run(out) == "new" and not place.exists()


@pytest.mark.parametrize("name", ["workplace.json", "lock", "draft"])
def test_a_link_in_a_workplace_is_not_followed(out: Path, name: str) -> None:
    victim = out.parent / "victim"
    victim.write_text("mine")
    find_workplace(out).mkdir()
    (find_workplace(out) / name).symlink_to(victim)
    with pytest.raises(RunError, match="which miner did not write"):
        write_run(out, "new")
    assert victim.read_text() == "mine" and not out.exists()


@pytest.mark.usefixtures("swaps")
def test_what_miner_wrote_for_somebody_inside_a_run_is_theirs(out: Path) -> None:
    """A tokenizer that was trained into the run's folder has a list of its own."""
    write_run(out, "old")
    with open_folder(out / "tok", kind="tokenizer", overwrite=False) as folder:
        (folder / "tokenizer.json").write_text("{}")
    (out / "reviewed").mkdir()
    (out / "reviewed" / "remarks.md").write_text("mine")
    write_run(out, "new")
    assert read_run(out) == "new" and (out / "tok" / "tokenizer.json").read_text() == "{}"
    assert (out / "reviewed" / "remarks.md").read_text() == "mine"
    check_files(out / "tok")


def test_a_note_that_was_changed_behind_a_kill_is_the_one_that_stays(
    out: Path, again: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed behind the swap; a person changes one note in the new run, and adds another."""

    class Killed(BaseException):
        pass

    def kill(place: Path, _: Path) -> None:
        if (place / workplace.SWAP).exists():
            raise Killed

    again()
    with monkeypatch.context() as patch:
        patch.setattr(workplace, "_end_swap", kill)
        with pytest.raises(Killed):
            write_run(out, "new")
    assert read_run(out) == "new" and read_notes(out) == NOTES
    (out / "notes.md").write_text("changed")
    (out / "more.md").write_text("added")
    with pytest.raises(RunError, match="a run is already there"):
        write_run(out, "other", existing="refuse")
    assert not find_workplace(out).exists()
    assert (out / "notes.md").read_text() == "changed" and (out / "more.md").read_text() == "added"


def test_a_file_does_not_take_the_place_of_a_run_that_waits(
    out: Path, again: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed behind the swap, and then a file is written under the same name."""
    again()
    with monkeypatch.context() as patch:
        patch.setattr(workplace, "_end_swap", lambda *_: None)
        write_run(out, "new")
    shutil.rmtree(out)
    with pytest.raises(RunError), open_output(out, overwrite=True) as handle:
        handle.write(b"units")
    assert read_notes(out) == NOTES and decided(out) == {UNITS[0]}


def test_a_log_with_a_torn_end_is_joined_without_loss(tmp_path: Path) -> None:
    old, new = (name_log(tmp_path / name, "anna") for name in ("a", "b"))
    for path in (old, new):
        path.parent.parent.mkdir()
    Log(old).set(UNITS[:1], {"verdict": "accept"})
    Log(new).set(UNITS[1:], {"verdict": "reject"})
    with new.open("ab") as handle:
        handle.write(b'{"action": 2, "ti')  # cut off
    join_log(old, new)
    log = Log(new)
    log.read()
    assert set(log.state) == set(UNITS) and log.damaged.total() == 1
