"""Units beside an elided article and with an abbreviation: one id each, whatever stands before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from watched import call_command

from miner.text.profiles import PROFILES
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.training.training import TrainConfig, train_tokenizer

TRAINERS = ("hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram")
WORDS = (
    *("rivière", "fenêtre", "jardin", "moteur", "hiver", "lettre", "docteur", "montagne", "route"),
    *("d'argent", "d'or", "qu'il", "d'eau", "l'eau", "l'or", "d'école", "qu'elle", "l'argent"),
    *(
        "village",
        "papier",
        "cuisine",
        "matin",
        "soir",
        "pont",
        "forêt",
        "l'école",
        "l'image",
        "l'ombre",
    ),
)
ARTICLES = ("l'", "une ", "d'", "(l'", "quelle ", "cette ", "qu'", "sans ", "notre ")
UNITS = ("énergie cinétique", "force d'inertie", "st. petersburg")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines in which three units stand among words by chance, behind articles by turns."""
    random = np.random.default_rng(1)
    lines = []
    for number in range(1_500):
        article = ARTICLES[number % len(ARTICLES)]
        end = ")" if "(" in article else ""
        unit = (f"{article}énergie cinétique{end}", "force d'inertie", "St. Petersburg")[number % 3]
        before, behind, rest = (random.choice(WORDS, 1 + size) for size in random.integers(1, 6, 3))
        said = [*before, unit, *behind]
        lines.append(f"Il {' '.join(said)}. Elle {' '.join(rest)} il, elle.")
    place = tmp_path_factory.mktemp("joined") / "corpus.txt"
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def train(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, bool], LoadedTokenizer]:
    run = tmp_path_factory.mktemp("joined") / "run"
    done = call_command("mine", "--corpus", str(corpus), "--out", str(run))
    assert done.code == 0, done.err
    words = (run / "vocabulary.txt").read_text(encoding="utf-8").replace("▁", " ").splitlines()
    assert set(UNITS) <= {word.strip() for word in words}

    def make(trainer: str, exact: bool) -> LoadedTokenizer:
        out = tmp_path_factory.mktemp("joined") / "tokenizer"
        settings = {"vocab_size": 900, "trainer": trainer, "exact": exact, "units": 60}
        train_tokenizer(TrainConfig(run, (str(corpus),), **settings), out)
        return load_tokenizer(out)

    return make


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("exact", [False, True])
def test_a_unit_is_one_id_behind_every_article(
    train: Callable[[str, bool], LoadedTokenizer], trainer: str, exact: bool
) -> None:
    tokenizer = train(trainer, exact)
    unit = "énergie cinétique"
    befores = ("une ", "l'", "de l'", "L'", "(l'", "d'", "«l'", "x\nl'")
    texts = [f"{before}{unit} du" for before in befores]
    rows = tokenizer.encode(texts)
    for row in rows:
        pieces = [read(tokenizer.pieces[number]) for number in row.tolist()]
        assert any(piece.endswith(unit) for piece in pieces), pieces
    for text, decoded in zip(texts, tokenizer.decode(rows), strict=True):
        assert decoded == (text if exact else PROFILES["words"].fold(text))


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_unit_with_an_article_or_a_period_inside_is_one_id(
    train: Callable[[str, bool], LoadedTokenizer], trainer: str
) -> None:
    tokenizer = train(trainer, True)
    for text, unit in (
        ("la force d'inertie, une", "force d'inertie"),
        ("vit à St. Petersburg. Il", "St. Petersburg"),
    ):
        row = tokenizer.encode([text])
        pieces = [read(tokenizer.pieces[number]) for number in row[0].tolist()]
        assert any(piece.strip() == unit for piece in pieces), pieces
        assert tokenizer.decode(row) == [text]


def read(piece: str) -> str:
    """Return a piece as text: without the letters of bytes, marks and joiners."""
    from miner.tokenizer.training.hugging_face import ALPHABET

    letters = {letter: byte for byte, letter in enumerate(ALPHABET)}
    if all(letter in letters for letter in piece):
        piece = bytes(letters[letter] for letter in piece).decode("utf-8", "replace")
    return piece.replace("▁", " ").replace("⁀ ", "").replace("⁃", "")
