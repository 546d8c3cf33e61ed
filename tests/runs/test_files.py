"""Folders that may be a stranger's: a link, a pipe or a leftover leads nowhere."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from watched import MinedDemo

from miner.commands.main import main
from miner.errors import RunError
from miner.runs.decisions import Log, name_log
from miner.runs.files import make_plain_folder, open_plain, replace_file

OWN = "alias ls=ls\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file of the user's that no run should touch."""
    path = tmp_path / "profile"
    path.write_text(OWN)
    return path


def test_a_file_is_replaced_and_a_link_is_not_written_through(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    theirs = tmp_path / "out.txt.partial"
    theirs.symlink_to(mine)
    replace_file(out, b"new")
    out.unlink()
    out.symlink_to(mine)
    replace_file(out, b"newer")
    assert not out.is_symlink() and theirs.is_symlink()
    assert (out.read_bytes(), mine.read_text()) == (b"newer", OWN)
    assert {path.name for path in tmp_path.iterdir()} == {"out.txt", theirs.name, "profile"}


def test_what_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.txt"
    out.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="broken"):
        replace_file(out, b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_links_pipes_and_devices_are_not_opened(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(mine)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "pipe"):
        for append in (False, True):
            with pytest.raises(OSError, match=r"link|plain|No such device"):
                open_plain(tmp_path / name, append=append)
    with pytest.raises(OSError, match="plain"):
        open_plain(Path("/dev/null"))
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(OSError, match="link"):
        make_plain_folder(tmp_path / "elsewhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def run(demo: MinedDemo, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo.folder, tmp_path / "run"))


def test_a_log_that_is_a_link_is_neither_read_nor_written(
    run: Path, mine: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = name_log(run, "anna")
    path.parent.mkdir()
    path.symlink_to(mine)
    log = Log(path)
    with pytest.raises(RunError, match="link to another place"):
        log.set([("new york", ("new", "york"))], {"verdict": "accept"})
    with pytest.raises(SystemExit) as end:
        main(["export", str(run), "--out", str(tmp_path / "units.jsonl")])
    assert end.value.code == 3
    assert f"{path}" in capsys.readouterr().err
    assert mine.read_text() == OWN


@pytest.mark.parametrize("name", ["manifest.json", "proposals.parquet", "1_atoms/atoms.parquet"])
def test_a_pipe_in_a_run_is_one_line_and_no_waiting(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    for words in (["explain", str(run), "a b"], ["lookup", str(run), "a"], ["report", str(run)]):
        with pytest.raises(SystemExit) as end:
            main(words)
        told = capsys.readouterr().err
        assert end.value.code == 3 and f"{name}: is no plain file" in told


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_pipe_in_a_model_is_one_line_and_no_waiting(
    run: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / name).unlink(missing_ok=True)
    os.mkfifo(model / name)
    with pytest.raises(SystemExit) as end:
        main(["adopt", str(model), "--run", str(run), "--out", str(tmp_path / "out")])
    told = capsys.readouterr().err
    assert end.value.code in (2, 3) and ("no plain file" in told or "pip install" in told)


def test_a_run_does_not_say_what_is_fetched(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names a model of a hub: nothing is asked there, and the way to fetch it is told."""
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def note(*names: str, **options: object) -> str:
        asked.append((names, options))
        raise OSError("not here")

    monkeypatch.setattr(hub, "snapshot_download", note)
    place = run / "4_vectors" / "encoder.json"
    about = json.loads(place.read_text())
    place.write_text(json.dumps(about | {"encoder": "stranger/model", "adds_up": False}))
    with pytest.raises(SystemExit) as end:
        main(["fields", str(run)])
    told = capsys.readouterr().err
    assert end.value.code in (2, 3)
    if asked:
        assert all(options["local_files_only"] for _, options in asked)
        assert "hf download stranger/model" in told and "never fetched" in told


def test_what_a_run_has_as_a_link_is_not_written_through(
    run: Path, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(tmp_path / "nowhere.html")
    with pytest.raises(SystemExit):
        main(["report", str(run)])
    assert not (tmp_path / "nowhere.html").exists() and not (run / "report.html").is_symlink()
    shutil.rmtree(run / "7_fields")
    (run / "7_fields").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SystemExit) as end:
        main(["fields", str(run)])
    assert end.value.code == 3 and "link to another place" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists() and mine.read_text() == OWN
