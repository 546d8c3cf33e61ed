"""Real corpora of other profiles: every document comes back, and every unit is one id."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from watched import watch_command

from miner.tokenizer.checking.checking import read_unit_ids
from miner.tokenizer.reading.loading import load_tokenizer
from miner.tokenizer.reading.texts import open_corpus
from miner.tokenizer.training.training import TRAINERS, TrainConfig, train_tokenizer

pytestmark = pytest.mark.slow
TEXTS = ("music_abc", "egy_hiero", "lzh_tang", "sym_emoji")
SIZE = 12_000
LINES = 5000


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], tuple[Path, Path]]:
    """Mine the first lines of a corpus once; returns the run and the file."""
    place = tmp_path_factory.mktemp("real")

    def mine(name: str, shared: Path) -> tuple[Path, Path]:
        run = place / name
        if name == "model_weights":
            file = place / f"{name}.safetensors"
            if not file.exists():
                shutil.copyfile(shared / "corpora" / file.name, file)
        else:
            file = place / f"{name}.txt"
            if not file.exists():
                with gzip.open(
                    shared / "corpora" / f"{name}.txt.gz", "rt", encoding="utf-8"
                ) as old:
                    lines = old.read().split("\n")[:LINES]
                file.write_text("\n".join(lines), encoding="utf-8", newline="")
        if not run.exists():
            profile = ["--profile", "bytes"] if name == "model_weights" else []
            command = ["mine", "--corpus", str(file), "--out", str(run), *profile]
            done = watch_command(place / "used.json", *command)
            assert done.code == 0, done.err
        return run, file

    return mine


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "canonical"])
def test_every_document_comes_back_and_every_unit_is_one_id(
    mined: Callable[[str, Path], tuple[Path, Path]],
    shared: Path,
    tmp_path: Path,
    name: str,
    trainer: str,
    exact: bool,
) -> None:
    run, file = mined(name, shared)
    config = TrainConfig(run, (str(file),), trainer, SIZE, exact=exact)
    card = train_tokenizer(config, tmp_path / "out").card
    tokenizer = load_tokenizer(tmp_path / "out")
    assert tokenizer.size <= SIZE
    texts = [text for batch in open_corpus([str(file)]).all() for text in batch]
    ids = tokenizer.encode(texts)
    if exact:
        back = tokenizer.decode(ids)
        wrong = [(a, b) for a, b in zip(texts, back, strict=True) if a != b]
        assert wrong[:3] == []
    assert not any((row == 3).any() for row in ids)
    listed = read_unit_ids(tmp_path / "out")
    ways = dict(listed.group_by("text").agg("id").iter_rows())
    found = tokenizer.encode(list(ways))
    assert [len(row) for row in found] == [1] * len(ways)
    assert all(row[0] in ids for row, ids in zip(found, ways.values(), strict=True))
    if trainer.startswith("hf"):
        assert card["lost"] == []
        plain = listed.filter(pl.col("side") == "")  # in code, other sides have ids of their own
        assert plain["text"].is_unique().all()
    else:  # symbols are found from the left: one may begin in another
        assert len(card["lost"]) <= 0.01 * len(ways)


def test_bytes_of_weights_come_back(
    mined: Callable[[str, Path], tuple[Path, Path]], shared: Path, tmp_path: Path
) -> None:
    run, file = mined("model_weights", shared)
    config = TrainConfig(run, (str(file),), "hf-bpe", 4000, exact=True)
    card = train_tokenizer(config, tmp_path / "out").card
    assert (card["profile"], card["mode"]) == ("bytes", "exact")
    tokenizer = load_tokenizer(tmp_path / "out")
    texts = [text for b in open_corpus([str(file)], as_bytes=True).all() for text in b]
    assert tokenizer.decode(tokenizer.encode(texts)) == texts
    content = file.read_bytes()
    assert sum(map(len, texts)) > 0.9 * len(content)
    assert all(text.encode("latin-1") in content for text in texts[:20])


@pytest.mark.parametrize("trainer", ["sentencepiece-bpe", "sentencepiece-unigram"])
def test_sentencepiece_trains_with_fewer_ids_than_a_corpus_has_characters(
    mined: Callable[[str, Path], tuple[Path, Path]], shared: Path, tmp_path: Path, trainer: str
) -> None:
    run, file = mined("lzh_tang", shared)
    train_tokenizer(TrainConfig(run, (str(file),), trainer, 3000), tmp_path / "out")
    assert load_tokenizer(tmp_path / "out").size == 3000
