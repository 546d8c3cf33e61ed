"""The Python face: is it light, whole, typed, and does a wrong argument say what is right?"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from watched import ROOT

import miner
from miner.config import MineConfig

PAIRS = ["new york is large", "i like new york", "new york again"] * 9
HEAVY = ("click", "faiss", "numba", "numpy", "polars", "regex", "tokenizers", "torch", "tqdm")


def run_python(script: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_loads_nothing_heavy() -> None:
    script = f"import miner, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run_python(script).strip() == "[]"


def test_every_public_name_is_there_and_is_documented() -> None:
    assert miner.__all__ == sorted(miner.__all__)
    for name in miner.__all__:
        value = getattr(miner, name)
        assert name in dir(miner)
        assert name == "__version__" or (inspect.getdoc(value) or "").strip(), name
    with pytest.raises(AttributeError, match="nothing_such"):
        miner.nothing_such  # noqa: B018 - asking is the test


def test_no_public_name_is_a_package_of_ours_too() -> None:
    """Else importing that package would put itself in the place of the function."""
    rooms = {path.stem for path in (ROOT / "miner").iterdir()}
    assert not rooms & set(miner.__all__)


def test_the_stub_says_the_same() -> None:
    stub = ast.parse((ROOT / "miner" / "__init__.pyi").read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == miner._MODULES
    listed = next(node for node in stub.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(listed.value) == miner.__all__


def test_settings_are_keyword_arguments_with_the_defaults_of_a_run() -> None:
    parameters = inspect.signature(miner.mine).parameters
    for entry in dataclasses.fields(MineConfig):
        if entry.name in ("corpus", "patterns"):
            continue
        assert parameters[entry.name].default == entry.default, entry.name
        assert parameters[entry.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert miner.mine(PAIRS).config == MineConfig()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"vocab_size": 0}, "vocab-size is 0. It must be 1 to"),
        ({"vocab_size": "many"}, "vocab-size is 'many'. It must be a whole number"),
        ({"vocab_size": 8_000.0}, "vocab-size is 8000.0. It must be a whole number"),
        ({"vocab_size": True}, "vocab-size is True. It must be a whole number"),
        ({"max_length": None}, "max-length is None. It must be a whole number"),
        (
            {"objective": "beauty"},
            "objective is 'beauty'. It must be meaning or terms or phrases or compression",
        ),
        ({"profile": 5}, "profile is 5. It must be a text"),
        ({"policy": "loudest"}, "policy is 'loudest'. It must be majority or latest or unanimous"),
        ({"patterns": ["a"]}, "patterns is ['a']. It must be a table of texts"),
        ({"seeds": [1]}, "seeds is [1]. It must be a file, or the units as texts"),
        ({"seeds": []}, "seeds is []"),
        ({"memory": "much"}, "memory is 'much'. Write it like 2GiB or 500MB"),
        ({"resume": True}, "resume goes on with a run in out"),
    ],
)
def test_a_wrong_setting_is_one_clear_error(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(miner.UsageError, match=re.escape(told)) as caught:
        miner.mine(PAIRS, **settings)
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


def test_what_goes_on_until_it_is_done_meets_it_done(tmp_path: Path) -> None:
    made = miner.mine(PAIRS, out=tmp_path / "run")
    again = miner.mine(PAIRS, out=tmp_path / "run", resume=True)
    assert again.stamp == made.stamp and again.manifest == made.manifest
    with pytest.raises(miner.RunError, match="a run is already there"):
        miner.mine(PAIRS[:9], out=tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("corpus", "told"),
    [
        (["", " ", "\n"], "nothing but white space"),
        ([{"text": "a b"}], r"a list of dict. Give polars.DataFrame"),
        (pl.DataFrame({"n": [1]}), "the table has no column of text"),
        ("x" * 5_000, r"x{300}\.\.\. ?: "),
    ],
)
def test_a_corpus_that_holds_no_text_says_so(corpus: Any, told: str) -> None:
    with pytest.raises(miner.MinerError, match=told):
        miner.mine(corpus)


@pytest.mark.parametrize("open_it", [miner.open_run, miner.load_tokenizer])
def test_what_is_no_path_says_so(open_it: Any) -> None:
    for wrong in (None, 3, ["outputs/x"]):
        with pytest.raises(miner.UsageError, match="Give the path of a"):
            open_it(wrong)


def test_progress_is_a_truth_or_of_the_protocol() -> None:
    for wrong in ("yes", None, 1):
        with pytest.raises(miner.UsageError, match="progress is"):
            miner.mine(PAIRS, progress=wrong)  # type: ignore[arg-type]


def test_a_wrong_pattern_is_named() -> None:
    with pytest.raises(miner.ConfigError, match="pattern x: '\\(' is no regular expression"):
        miner.mine(PAIRS, patterns={"x": "("})


def test_a_wrong_name_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="vocab_sise"):
        miner.mine(PAIRS, vocab_sise=5)  # type: ignore[call-arg]


def test_a_config_takes_a_path_as_one() -> None:
    assert MineConfig(corpus="x.txt").corpus == ("x.txt",)  # type: ignore[arg-type]
    assert MineConfig(corpus=Path("x.txt")).corpus == ("x.txt",)  # type: ignore[arg-type]
    assert MineConfig(corpus=["a", Path("b")]).corpus == ("a", "b")  # type: ignore[arg-type]
    with pytest.raises(miner.UsageError, match="a path or several"):
        MineConfig(corpus=5)  # type: ignore[arg-type]


def test_it_is_silent(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run = miner.mine(PAIRS)
        run.train_tokenizer(vocab_size=300)
        run.explain("new york")
    assert capfd.readouterr() == ("", "") and not caplog.records


def test_progress_is_shown_where_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    miner.mine(PAIRS, progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "cutting" in err and "counting" in err and "embedding" in err


def test_any_object_of_the_protocol_is_told(recorder: Any) -> None:
    miner.mine(iter(PAIRS), progress=recorder)
    assert sum(recorder.steps) > len(PAIRS)
    miner.mine(PAIRS).train_tokenizer(vocab_size=300, progress=recorder)
    assert any("corpus" in note for note in recorder.notes)


# Types, under both checkers that people use

TYPED = """
from pathlib import Path
from typing import assert_type

import polars as pl

import miner

run = miner.mine("texts/*.txt", vocab_size=8_000, objective="meaning", progress=True)
assert_type(run, miner.Run)
assert_type(miner.open_run(Path("run")), miner.Run)
assert_type(run.units, pl.DataFrame)
assert_type(run["time zone"], miner.Unit)
assert_type(run["time zone"].count, int)
assert_type(run[1].family, int | None)
assert_type(run.segment("a text"), list[str])
assert_type(run.spans("a text"), list[miner.Span])
assert_type(run.explain("in order to"), miner.Explanation)
assert_type(run.decompose("a"), miner.Decomposition)
assert_type(run.train_tokenizer("hf-bpe", vocab_size=300).encode("a"), list[int])
assert_type(run.plot_map(), miner.Picture)
assert_type(miner.inspect("texts").text, str)
assert_type("time zone" in run, bool)
for unit in run:
    assert_type(unit, miner.Unit)
"""
WRONG = """
import miner

miner.mine("x", vocab_sise=3)
miner.mine("x", objective="beauty")
miner.open_run(5)
"""


def test_the_types_are_what_they_say_under_mypy(tmp_path: Path) -> None:
    """In one go, and with the cache that the gate leaves: without it this takes half a minute."""
    from mypy import api

    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(TYPED)
    wrong.write_text(WRONG)
    options = ["--config-file", str(ROOT / "pyproject.toml")]
    options += ["--cache-dir", str(ROOT / ".mypy_cache"), "--no-error-summary"]
    told, _, _ = api.run([*options, str(right), str(wrong)])
    places = [line for line in told.splitlines() if ": error: " in line]
    assert len(places) == 3 and all("wrong.py" in place for place in places), told


@pytest.mark.slow
def test_the_types_are_what_they_say_under_pyright(tmp_path: Path) -> None:
    pytest.importorskip("basedpyright")
    (tmp_path / "right.py").write_text(TYPED)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "basedpyright", "--level", "error", "--outputjson"]
    done = subprocess.run(
        [*command, "--pythonpath", sys.executable, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    places = [Path(entry["file"]).name for entry in found if entry["severity"] == "error"]
    assert places == ["wrong.py"] * 3, found


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "miner" / "py.typed").exists()
