"""Folders of texts to hyperword text and back, and what is said of how they were written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from conftest import Recorder
from watched import MinedDemo

from miner.errors import MinerError, RunError, UsageError
from miner.rewriting.jobs import RewriteConfig, restore_corpus, rewrite_corpus
from miner.rewriting.provenance import ENDING

TEXTS = {
    "a.txt": "Тело помнит раньше слова.\n→ тело помнит раньше слова\n",
    "deep/er/b.md": "from day to day\r\nthe book, day after day",
    "deep/empty.txt": "",
    "c d.txt": "\n\nсудьба сельского хозяйства ␛ ⟨x⟩\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        place = tmp_path / "texts" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    (tmp_path / "texts" / "packed.txt.gz").write_bytes(gzip.compress(TEXTS["a.txt"].encode()))
    return tmp_path / "texts"


def read_tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("miner-files.json", ENDING))
    }


@pytest.mark.parametrize("style", ["glued", "signs"])
def test_a_folder_keeps_its_tree_and_comes_back(
    demo: MinedDemo, tree: Path, tmp_path: Path, style: str
) -> None:
    options = {"run": demo.folder, "style": style}
    hyper, back = tmp_path / "hyper", tmp_path / "back"
    done = rewrite_corpus(RewriteConfig(str(tree), hyper, **options))  # type: ignore[arg-type]
    wanted = TEXTS | {"packed.txt": TEXTS["a.txt"]}
    found = read_tree(hyper)
    assert found.keys() == wanted.keys() and found != wanted and done.replaced >= 4
    assert done.read == sum(len(text.encode()) for text in wanted.values())
    restore_corpus(RewriteConfig(str(hyper), back, **options))  # type: ignore[arg-type]
    assert read_tree(back) == wanted
    with pytest.raises(RunError, match="is already there"):
        rewrite_corpus(RewriteConfig(str(tree), hyper, **options))  # type: ignore[arg-type]
    (hyper / "notes.md").write_text("mine")
    rewrite_corpus(RewriteConfig(str(tree), hyper, **options), overwrite=True)  # type: ignore[arg-type]
    assert (hyper / "notes.md").read_text() == "mine"


def test_a_glob_keeps_the_names_below_what_is_common(
    demo: MinedDemo, tree: Path, tmp_path: Path
) -> None:
    config = RewriteConfig(f"{tree}/**/*.txt", tmp_path / "hyper", run=demo.folder)
    rewrite_corpus(config)
    assert sorted(read_tree(tmp_path / "hyper")) == ["a.txt", "c d.txt", "deep/empty.txt"]


def test_many_files_are_not_one(demo: MinedDemo, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("mine")
    for out, options in ((tmp_path / "one.txt", {"overwrite": True}), (Path("/dev/null"), {})):
        with pytest.raises(UsageError, match="is many files"):
            rewrite_corpus(RewriteConfig(str(tree), out, run=demo.folder), **options)
    with pytest.raises(UsageError, match="cannot be gone on with"):
        rewrite_corpus(RewriteConfig(str(tree), tmp_path / "x", run=demo.folder), resume=True)
    (tree / "packed.txt").write_text("as packed.txt.gz")
    with pytest.raises(UsageError, match=r"would both become packed.txt"):
        rewrite_corpus(RewriteConfig(str(tree), tmp_path / "x", run=demo.folder))
    assert (tmp_path / "one.txt").read_text() == "mine" and not (tmp_path / "x").exists()


@pytest.mark.parametrize("folder", [False, True])
def test_text_that_was_written_otherwise_is_not_restored(
    demo: MinedDemo, tree: Path, tmp_path: Path, folder: bool
) -> None:
    source, hyper = (str(tree if folder else tree / "a.txt")), tmp_path / "hyper"
    rewrite_corpus(RewriteConfig(source, hyper, run=demo.folder, style="signs"))
    signs = tmp_path / "signs.json"
    signs.write_text('{"тело": "❤"}')
    for other in ({"run": demo.folder}, {"dictionary": signs}):
        with pytest.raises(
            MinerError, match=r"other texts, signs or options: `miner rewrite --run .*style signs`"
        ):
            restore_corpus(RewriteConfig(str(hyper), tmp_path / "back", **other))  # type: ignore[arg-type]
    assert not (tmp_path / "back").exists()
    restore_corpus(RewriteConfig(str(hyper), tmp_path / "back", run=demo.folder, style="signs"))


def test_text_of_which_nothing_is_said_comes_back_with_a_note(
    demo: MinedDemo, tree: Path, tmp_path: Path
) -> None:
    hyper = tmp_path / "hyper.txt"
    rewrite_corpus(RewriteConfig(str(tree / "a.txt"), hyper, run=demo.folder))
    hyper.with_name(f"hyper.txt{ENDING}").unlink()
    told = Recorder()
    restore_corpus(RewriteConfig(str(hyper), tmp_path / "back.txt", run=demo.folder), progress=told)
    assert any("not checked" in note for note in told.notes)
    assert (tmp_path / "back.txt").read_bytes() == TEXTS["a.txt"].encode()


def test_text_that_was_changed_since_is_not_held_against_it(
    demo: MinedDemo, tree: Path, tmp_path: Path
) -> None:
    hyper = tmp_path / "hyper.txt"
    rewrite_corpus(RewriteConfig(str(tree / "a.txt"), hyper, run=demo.folder, style="signs"))
    hyper.write_text("written by somebody else\n")
    told = Recorder()
    config = RewriteConfig(str(hyper), tmp_path / "back.txt", run=demo.folder)
    restore_corpus(config, progress=told)
    assert any("not checked" in note for note in told.notes)


@pytest.mark.parametrize("content", ["mine", "{}", '{"made_by": "miner"}'])
def test_what_only_has_the_name_is_not_replaced(
    demo: MinedDemo, tree: Path, tmp_path: Path, content: str
) -> None:
    theirs = tmp_path / f"hyper.txt{ENDING}"
    theirs.write_text(content)
    with pytest.raises(RunError, match="which miner did not write"):
        rewrite_corpus(RewriteConfig(str(tree / "a.txt"), tmp_path / "hyper.txt", run=demo.folder))
    assert theirs.read_text() == content and not (tmp_path / "hyper.txt").exists()


def test_options_that_came_with_a_file_are_shown_harmless(
    demo: MinedDemo, tree: Path, tmp_path: Path
) -> None:
    hyper = tmp_path / "hyper.txt"
    rewrite_corpus(RewriteConfig(str(tree / "a.txt"), hyper, run=demo.folder))
    place = hyper.with_name(f"hyper.txt{ENDING}")
    about = json.loads(place.read_text()) | {"entries": "x", "options": "\x1b[31mred"}
    place.write_text(json.dumps(about))
    with pytest.raises(MinerError) as caught:
        restore_corpus(RewriteConfig(str(hyper), tmp_path / "back.txt", run=demo.folder))
    assert "\x1b" not in str(caught.value)


def test_a_space_beside_a_sign_stays(demo: MinedDemo, tmp_path: Path) -> None:
    corpus, hyper = tmp_path / "in.txt", tmp_path / "hyper.txt"
    corpus.write_text("→ Δ41 тело помнит раньше слова", encoding="utf-8")
    rewrite_corpus(RewriteConfig(str(corpus), hyper, run=demo.folder))
    assert hyper.read_text(encoding="utf-8") == "→ Δ41 телопомнитраньшеслова"
