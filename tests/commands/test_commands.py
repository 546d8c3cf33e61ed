"""The front door: one line for each mistake, results on one stream, progress on the other."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from watched import ROOT, MinedDemo, watch_command

from miner import __version__, pipeline
from miner.commands.main import main
from miner.commands.mining import name_run
from miner.runs.store import Draft

HEAVY = {"torch", "faiss", "numba", "polars", "numpy", "sklearn", "scipy", "transformers",
         "sentence_transformers", "miner.pipeline"}  # fmt: skip
TEXT = "".join(
    f"{word} lives in New York and reads {other}\n"
    for word in ("Anna", "Boris", "Clara", "Dmitri", "Emma", "Fyodor", "Greta")
    for other in ("novels", "letters", "laws", "maps", "poems")
)


@dataclass(frozen=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str


Say = Callable[..., Told]


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    """The command listens to SIGTERM; the test run gets its own ear back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in this process."""

    def run(*arguments: str | Path) -> Told:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Told(left.value.code, printed.out, printed.err)

    return run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "people.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "run"


def mine_command(corpus: Path | str, out: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return ("mine", "--corpus", corpus, "--out", out, *more)


# ---------------------------------------------------------------- what is printed


def test_the_summary_tells_what_was_found(say: Say, corpus: Path, out: Path) -> None:
    told = say(*mine_command(corpus, out))
    assert told.code == 0 and told.err == ""
    assert "new york" in told.out and "verdicts: " in told.out and "kept" in told.out
    assert "MB/s" in told.out and "CPU-s" in told.out and f"{out}/report.html" in told.out
    assert max(map(len, told.out.splitlines())) < 240


def test_a_corpus_without_units_is_told_as_one(say: Say, corpus: Path, out: Path) -> None:
    corpus.write_text("a " * 5000)
    told = say(*mine_command(corpus, out))
    assert told.code == 0 and "no unit was kept" in told.out and "still pays" not in told.out
    assert (out / "vocabulary.txt").read_bytes() == b""


def test_a_file_whose_name_is_no_utf8_is_read_by_its_folder(
    say: Say, corpus: Path, out: Path
) -> None:
    folder = corpus.parent / "names"
    folder.mkdir()
    try:
        Path(os.fsdecode(bytes(folder) + b"/caf\xe9.txt")).write_text(TEXT)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    told = say(*mine_command(folder, out, "--json"))
    assert told.code == 0
    assert json.loads(told.out)["inputs"][0]["path"] == str(folder) + "/caf\udce9.txt"
    assert json.loads((out / "manifest.json").read_bytes()) == json.loads(told.out)


def test_json_is_one_object_on_standard_output(say: Say, corpus: Path, out: Path) -> None:
    told = say(*mine_command(corpus, out, "--json"))
    assert told.code == 0 and told.err == ""
    assert len(told.out.splitlines()) == 1
    assert json.loads(told.out) == json.loads((out / "manifest.json").read_text())


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_goes_to_standard_error_alone(
    say: Say, corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = say(*mine_command(corpus, out, "--json"))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    shown = say(*mine_command(corpus, out, "--json", "--overwrite"))
    for name in ("cutting", "counting", "embedding"):
        assert name in terminal.getvalue()
        assert name not in shown.out + silent.out
    assert json.loads(shown.out)["verdicts"] == json.loads(silent.out)["verdicts"]


def test_a_terminal_that_lacks_a_sign_gets_its_escape(
    corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus.write_text(TEXT.replace("New York", "Нью Йорк ⟁"), encoding="utf-8")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="koi8-r"))
    with pytest.raises(SystemExit, match="0"):
        main([str(part) for part in mine_command(corpus, out)])
    sys.stdout.flush()
    assert rb"\u27c1" in printed.getvalue() and "нью йорк".encode("koi8-r") in printed.getvalue()


def test_standard_input_is_a_corpus(
    say: Say, corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(*mine_command(corpus, out.with_name("file")))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(corpus.read_bytes())))
    told = say(*mine_command("-", out))
    assert told.code == 0
    files = [folder / "vocabulary.jsonl" for folder in (out, out.with_name("file"))]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert json.loads((out / "manifest.json").read_text())["inputs"][0]["path"] == "standard input"


def test_options_win_over_the_config_file(
    say: Say, corpus: Path, out: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'corpus = "{corpus}"\nvocab-size = 5\nmin-count = 4\nobjective = "meaning"\n'
    )
    told = say("mine", "--config", config, "--out", out, "--vocab-size", "7", "--json")
    settings = json.loads(told.out)["config"]
    assert settings["corpus"] == [str(corpus)]
    assert settings["vocab_size"] == 7 and settings["min_count"] == 4


def test_a_saved_config_mines_the_same(say: Say, corpus: Path, out: Path) -> None:
    say(*mine_command(corpus, out, "--vocab-size", "9", "--seed", "3"))
    again = out.with_name("again")
    assert say("mine", "--config", out / "config.toml", "--out", again).code == 0
    assert (again / "config.toml").read_bytes() == (out / "config.toml").read_bytes()
    assert (again / "vocabulary.jsonl").read_bytes() == (out / "vocabulary.jsonl").read_bytes()


def test_several_paths_follow_one_option(say: Say, corpus: Path, out: Path) -> None:
    other = corpus.with_name("other.txt")
    other.write_text(TEXT.replace("New York", "Hong Kong"))
    told = say("mine", "--out", out, "--json", "--corpus", corpus, other)
    assert [entry["path"] for entry in json.loads(told.out)["inputs"]] == [str(corpus), str(other)]


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        ("a/novel.txt.gz", "novel"),
        ("texts/", "texts"),
        ("logs/*.jsonl", "logs"),
        ("-", "run"),
        ("*.txt", "run"),
        ("my texts", "my_texts"),
        ("../..", "run"),
        ("/", "run"),
        ("дом.txt", "дом"),
        ("a/.hidden", "a"),
        ("texts/aux.txt", "aux_"),  # a device of Windows
        ("COM1.csv", "COM1_"),
    ],
)
def test_a_run_without_a_name_takes_that_of_its_corpus(corpus: str, name: str) -> None:
    assert name_run(corpus) == name


def test_a_run_without_a_name_lies_in_outputs(
    say: Say, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(corpus.parent)
    assert say("mine", "people.txt").code == 0
    assert (corpus.parent / "outputs" / "people" / "manifest.json").exists()


# ---------------------------------------------------------------- mistakes


def truncated_archive(folder: Path) -> tuple[str | Path, ...]:
    path = folder / "cut.txt.gz"
    path.write_bytes(gzip.compress(os.urandom(4000).hex().encode())[:-200])
    return (path,)


def parquet_without_text(folder: Path) -> tuple[str | Path, ...]:
    path = folder / "table.parquet"
    pl.DataFrame({"id": [1, 2], "size": [3, 4]}).write_parquet(path)
    return (path,)


def parquet_without_column(folder: Path) -> tuple[str | Path, ...]:
    path = folder / "table.parquet"
    pl.DataFrame({"text": ["a", "b"]}).write_parquet(path)
    return (path, "--text-column", "body")


def written(name: str, content: bytes) -> Callable[[Path], tuple[str | Path, ...]]:
    def write(folder: Path) -> tuple[str | Path, ...]:
        (folder / name).write_bytes(content)
        return (folder / name,)

    return write


def with_encoder(*files: str) -> Callable[[Path], tuple[str | Path, ...]]:
    """A corpus, and an encoder folder that holds these files and lacks the others."""

    def write(folder: Path) -> tuple[str | Path, ...]:
        (folder / "a.txt").write_text(TEXT)
        (folder / "model").mkdir()
        for name in files:
            (folder / "model" / name).write_text("{}")
        return (folder / "a.txt", "--encoder", folder / "model")

    return write


def without_encoder(folder: Path) -> tuple[str | Path, ...]:
    (folder / "a.txt").write_text(TEXT)
    return (folder / "a.txt", "--encoder", folder / "no-such-model")


MISTAKES: dict[str, tuple[Callable[[Path], tuple[str | Path, ...]], str]] = {
    "missing path": (lambda folder: (folder / "no.txt",), "no.txt: no such file or folder"),
    "no match": (lambda folder: (folder / "*.txt",), "*.txt: no file matches"),
    "empty folder": (lambda folder: (folder,), "no files in this folder"),
    "empty corpus": (written("empty.txt", b""), "empty.txt: empty file"),
    "nothing but white space": (written("blank.txt", b" \n\t\n\n"), "blank.txt"),
    "one word": (written("word.txt", b"word"), "no run of atoms occurs 3 times"),
    "nothing repeats": (written("once.txt", b"each word stands here once\n"), "occurs 3 times"),
    "bad UTF-8": (written("latin.txt", b"good\ncaf\xe9\n"), "latin.txt, line 2"),
    "truncated archive": (truncated_archive, "cut.txt.gz"),
    "no text column": (parquet_without_text, "table.parquet"),
    "no such column": (parquet_without_column, "body"),
    "unknown encoder": (without_encoder, "no-such-model"),
    "encoder without files": (with_encoder(), "model"),
    "encoder without weights": (with_encoder("config.json", "tokenizer.json"), "model"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(name: str, say: Say, tmp_path: Path) -> None:
    make, named = MISTAKES[name]
    (tmp_path / "here").mkdir()
    path, *more = make(tmp_path / "here")
    told = say(*mine_command(path, tmp_path / "outputs" / "run", *more))
    check_mistake(told, named)
    assert [child.name for child in tmp_path.iterdir()] == ["here"]


def check_mistake(told: Told, named: str) -> None:
    """One line on standard error: `error: where: what. Cure`."""
    assert told.code == 3 and told.out == ""
    assert told.err.startswith("error: ") and named in told.err
    assert told.err.count("\n") == 1 and told.err.endswith("\n")
    assert ". " in told.err, "a cure follows"


def test_cuda_where_there_is_none(
    say: Say, corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faiss

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0, raising=False)
    check_mistake(say(*mine_command(corpus, out, "--device", "cuda")), "CUDA was asked for")
    assert not out.parent.exists()


def test_a_name_that_no_model_has(
    say: Say, corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    check_mistake(say(*mine_command(corpus, out, "--encoder", "nobody/nothing")), "nobody/nothing")
    assert not out.parent.exists()


def test_a_folder_with_another_run(say: Say, corpus: Path, out: Path) -> None:
    assert say(*mine_command(corpus, out)).code == 0
    before = (out / "manifest.json").read_bytes()
    told = say(*mine_command(corpus, out, "--vocab-size", "3"))
    check_mistake(told, "a run is already there")
    assert "--overwrite" in told.err
    check_mistake(say(*mine_command(corpus, out, "--resume")), "already finished")
    assert (out / "manifest.json").read_bytes() == before
    assert say(*mine_command(corpus, out, "--vocab-size", "3", "--overwrite")).code == 0
    assert (out / "manifest.json").read_bytes() != before


def test_a_folder_of_somebody_else(say: Say, corpus: Path, out: Path) -> None:
    out.mkdir(parents=True)
    (out / "thesis.docx").write_text("mine")
    for more in ((), ("--overwrite",), ("--resume",)):
        check_mistake(say(*mine_command(corpus, out, *more)), "which miner did not write")
    assert [path.name for path in out.iterdir()] == ["thesis.docx"]


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root makes a small disk"
)
@pytest.mark.parametrize("size", ["8k", "64k", "200k"])
def test_no_space_on_the_disk(size: str, say: Say, corpus: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs may be mounted here")
    try:
        corpus.write_text(TEXT * 20)
        check_mistake(say(*mine_command(corpus, disk / "run")), "no space is left on the disk")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_what_cannot_be_read_is_skipped_and_listed(say: Say, corpus: Path, out: Path) -> None:
    corpus.write_bytes(TEXT.encode() + b"caf\xe9\n" + TEXT.encode())
    check_mistake(say(*mine_command(corpus, out)), "people.txt, line 36")
    told = say(*mine_command(corpus, out, "--on-error", "skip"))
    assert told.code == 0 and "skipped:  1 place" in told.out
    (entry,) = json.loads((out / "manifest.json").read_text())["skipped"]
    assert entry["path"] == str(corpus) and entry["place"].startswith("line 36")
    assert "UTF-8" in entry["problem"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mine"], "no corpus is named"),
        (["mine", "{corpus}", "--resume", "--overwrite"], "--resume and --overwrite exclude"),
        (["mine", "{corpus}", "--vocab-size", "0"], "vocab-size is 0"),
        (["mine", "{corpus}", "--vocab-size", "many"], "'many' is not a valid integer"),
        (["mine", "{corpus}", "--max-length", "9"], "max-length is 9"),
        (["mine", "{corpus}", "--memory", "much"], "memory is 'much'"),
        (["mine", "{corpus}", "--objective", "beauty"], "--objective"),
        (["mine", "{corpus}", "--encoder", ""], "encoder is ''"),
        (["mine", "{corpus}", "--vocabsize", "5"], "--vocabsize"),
        (["mine", "{corpus}", "--out"], "--out"),
        (["dig"], "No such command 'dig'"),
        ([], "Usage: miner"),
    ],
)
def test_wrong_use_is_told_with_code_2(
    arguments: list[str], named: str, say: Say, corpus: Path
) -> None:
    told = say(*(argument.format(corpus=corpus) for argument in arguments))
    assert told.code == 2 and told.out == "" and named in told.err
    assert list(corpus.parent.iterdir()) == [corpus]


@pytest.mark.parametrize("content", [b"vocabsize = 5", b"vocab-size = ", None])
def test_a_wrong_config_file(
    content: bytes | None, say: Say, corpus: Path, out: Path, tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    if content:
        config.write_bytes(content)
    check_mistake(say(*mine_command(corpus, out, "--config", config)), str(config))
    assert not out.parent.exists()


def test_a_bug_is_not_hidden(
    say: Say, corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(pipeline, "count_candidates", count)
    with pytest.raises(ZeroDivisionError):
        say(*mine_command(corpus, out))
    assert not out.parent.exists()


# ---------------------------------------------------------------- stopped by the user


def test_a_run_that_is_stopped_goes_on(
    say: Say, corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = out.with_name("whole")
    say(*mine_command(corpus, whole))
    real = Draft.stage

    def stop(run: Draft, name: str, *rest: Callable[[Path], int]) -> object:
        if name == "proposals":
            raise KeyboardInterrupt
        return real(run, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Draft, "stage", stop)
        told = say(*mine_command(corpus, out))
    assert told.code == 130 and told.out == ""
    assert told.err.strip() == (
        "stopped; the same command with --resume goes on where it was cut off"
    )
    assert sorted(path.name for path in out.parent.iterdir()) == [".run.miner", "whole"]
    check_mistake(say(*mine_command(corpus, out)), "an unfinished run is there")
    assert say(*mine_command(corpus, out, "--resume")).code == 0
    assert sorted(path.name for path in out.parent.iterdir()) == ["run", "whole"]
    for name in ("vocabulary.jsonl", "merges.tsv", "proposals.parquet"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


# ---------------------------------------------------------------- what is imported


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["mine", "--help"]])
def test_help_needs_none_of_the_libraries(arguments: list[str], tmp_path: Path) -> None:
    told = watch_command(tmp_path / "used.json", *arguments)
    assert told.code == 0 and told.err == ""
    assert told.modules.isdisjoint(HEAVY)
    assert "Usage: miner" in told.out or told.out == f"miner, version {__version__}\n"


def test_the_default_encoder_needs_neither_torch_nor_the_network(demo: MinedDemo) -> None:
    used = demo.command.modules
    assert {"polars", "numba", "miner.pipeline"} <= used
    assert used.isdisjoint({"torch", "sentence_transformers", "transformers", "huggingface_hub"})
    assert demo.command.touched == []


def test_python_dash_m_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "miner", "mine", "--corpus", str(tmp_path / "no.txt")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    check_mistake(Told(done.returncode, done.stdout, done.stderr), "no such file or folder")
    assert list(tmp_path.iterdir()) == []
