"""Other machines: does miner run where a library or a part of Unix is missing?

What is missing is hidden in a process of its own. On Linux the rules of Windows for open files are
put in force there too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from miner.errors import EXTRAS

ROOT = Path(__file__).parents[1]
TEXT = "".join(
    f"{word} lives in New York and reads {other} ⟁ {word} живёт в Новом Городе\n"
    for word in ("Anna", "Boris", "Clara", "Dmitri", "Emma", "Fyodor", "Greta")
    for other in ("novels", "letters", "laws", "maps", "poems")
)
BEGIN = """
import errno, importlib, json, os, pkgutil, sys, warnings
from contextlib import redirect_stderr
import io

class Hider:
    def find_spec(self, name, *rest):
        if name in HIDDEN or name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hider())

def run(*words):
    from miner.commands.main import main
    told = io.StringIO()
    try:
        with redirect_stderr(told):
            main(list(words))
    except SystemExit as end:
        return end.code or 0, told.getvalue()

def import_all():
    import miner
    for module in pkgutil.walk_packages(miner.__path__, "miner."):
        if module.name not in ("miner.__main__", "miner.review.widget"):
            importlib.import_module(module.name)
"""
# An open or mapped file is neither removed nor renamed, nor is a folder around it; nothing is
# renamed over something; what is open to read alone is not brought to the disk.
WINDOWS = """
for name in ("fork", "O_NOFOLLOW", "O_NONBLOCK", "geteuid", "getuid", "link"):
    if name != "link":
        delattr(os, name)
def refuse(source, target):
    raise OSError(errno.EPERM, "no second names here")
os.link = refuse

def list_held():
    maps = [line.split(None, 5)[5:] for line in open("/proc/self/maps", encoding="utf-8")]
    held = [line[0].strip() for line in maps if line]
    for number in os.listdir("/proc/self/fd"):
        try:
            held.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return held

def check(path):
    place = os.path.realpath(path)
    for held in list_held():
        if held == place and not os.path.isdir(place) or held.startswith(place + "/"):
            raise PermissionError(errno.EACCES, "it is open", str(path), held)

rename, replace, unlink, sync = os.rename, os.replace, os.unlink, os.fsync

def strict_rename(source, target, **rest):
    check(source)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "it is there", str(target))
    rename(source, target, **rest)

def strict_replace(source, target, **rest):
    check(source)
    check(target)
    replace(source, target, **rest)

def strict_unlink(path, **rest):
    if not rest:
        check(path)
    unlink(path, **rest)

def strict_sync(number):
    about = open(f"/proc/self/fdinfo/{number}", encoding="utf-8").read().split()
    if int(about[about.index("flags:") + 1], 8) & 3 == 0:
        raise OSError(errno.EBADF, "it is open to read")
    sync(number)

os.rename, os.replace, os.unlink, os.fsync = (
    strict_rename, strict_replace, strict_unlink, strict_sync)
import miner.text.pretokens
miner.text.pretokens.MAPPED = False  # as on Windows
warnings.filterwarnings("error", category=EncodingWarning, module="miner")
"""


def run_hidden(hidden: set[str], script: str, *words: str, **environment: str) -> list[str]:
    """The lines that a script prints in a process where some modules cannot be imported."""
    ended = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c",
         f"HIDDEN = {hidden!r}\n{BEGIN}\n{script}", *words],
        capture_output=True, cwd=ROOT, env=os.environ | environment, timeout=600,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode("cp1252").splitlines()


ABSENT = {name for names in EXTRAS.values() for name in names} - {"huggingface_hub"}
PLAIN = """
import_all()
_, *words = sys.argv
for line in words:
    code, told = run(*json.loads(line))
    print(json.dumps([code, told]))
"""


def test_who_lacks_an_extra_is_told_which(tmp_path: Path) -> None:
    """Before anything is read: none of these runs, models and corpora is there."""
    model, signs, out = tmp_path / "a.model", tmp_path / "signs.json", ["--out", "out"]
    model.write_text("junk")
    signs.write_text('{"cold": "☀"}', encoding="utf-8")
    calls = {
        "encoders": [["mine", "--corpus", "absent.txt", "--encoder", "MiniLM", *out]],
        "models": [
            ["adopt", "model", "--run", "run", *out],
            ["tune", "model", "--run", "run", "--template", *out],
        ],
        "tune": [["tune", "model", "--run", "run", *out]],
        "review": [["review", "run"]],
        "russian": [
            ["rewrite", "--dictionary", f"{signs}", "--corpus", "x", "--inflect", "ru", *out]
        ],
        "sentencepiece": [
            ["train", "run", "--trainer", "sentencepiece-bpe", *out],
            ["train", "run", "--trainer", "sentencepiece-unigram", "--exact", *out],
            ["check", f"{model}"],
            ["compare", f"{model}", "--corpus", "absent.txt"],
            ["diff", f"{model}", f"{model}"],
            ["inspect", "absent.txt", "--tokenizer", f"{model}"],
        ],
    }
    assert set(calls) == set(EXTRAS)
    words = [(extra, json.dumps(call)) for extra, group in calls.items() for call in group]
    lines = run_hidden(ABSENT, PLAIN, *(call for _, call in words))
    for (extra, call), line in zip(words, lines, strict=True):
        code, told = json.loads(line)
        assert code == 2 and told.count("\n") == 1, call
        assert told.startswith("error: ") and f"pip install 'miner[{extra}]'" in told, call


MINE = """
import_all()
corpus, out, tokenizer = sys.argv[1:]
mined = run("mine", "--corpus", corpus, "--out", out)
assert mined[0] == 0, mined
again = run("mine", "--corpus", corpus, "--out", out, "--overwrite")
assert again[0] == 0, again
trained = run("train", out, "--vocab-size", "600", "--out", tokenizer)
assert trained[0] == 0, trained
checked = run("check", tokenizer, "--run", out)
assert checked[0] == 0, checked
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="it looks at open files in /proc")
def test_it_mines_where_windows_has_its_rules(tmp_path: Path) -> None:
    """No `resource`, `fcntl`, fork or links, a console of 256 characters, no extra."""
    corpus, out = tmp_path / "кни га.txt", tmp_path / "run"
    corpus.write_text(TEXT, encoding="utf-8")
    lines = run_hidden(
        ABSENT | {"resource", "fcntl", "pwd", "grp", "termios"},
        WINDOWS + MINE,
        *map(str, (corpus, out, tmp_path / "tokenizer")),
        PYTHONIOENCODING="cp1252",
    )
    assert any("count  as unit  score" in line for line in lines)
    assert any(r"\u27c1" in line for line in lines), "a sign that the console does not know"
    assert not any("MB at most" in line for line in lines), "nobody knows the memory there"
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert {stage["peak_mb"] for stage in manifest["stages"]} == {0}
    assert {path.name for path in tmp_path.iterdir()} == {corpus.name, "run", "tokenizer"}
    assert b"\r" not in (out / "vocabulary.jsonl").read_bytes()
