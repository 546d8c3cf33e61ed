"""`--objective compression` and a Unigram: the fewest pieces, exact; what is named stays whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from watched import DEMO, call_command

from miner.text.profiles import PROFILES
from miner.tokenizer.checking.checking import check_tokenizer
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.training.capitals import choose_capitals
from miner.tokenizer.training.fewest import Text, cut_fewest
from miner.tokenizer.training.hugging_face import BYTES, SPECIALS
from miner.tokenizer.training.normal_form import NormalForm
from miner.tokenizer.training.training import TrainConfig, train_tokenizer

SIZE = 1500
TRAINERS = ("hf-unigram", "sentencepiece-unigram")
PIECES = (
    "жартишина", "Жартишина", "railway station", "Railway Station", "RAILWAY", "McDonald", " ",
    "\n", "⇧", "⁀", "⁄", "▁", "(", ". ", "“", "Δ84", "O'Neill", "x", "É", "\u212a", "İ", "<0x41>",
    "\x00",
)  # fmt: skip
TEXTS = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    max_size=8,
).map("".join)
NAMED = {"special_tokens": ["_ABC9_"], "never_split": ["weird phrase of mine", "Жар-Птица", "qy"]}


@dataclass(frozen=True)
class Made:
    """A tokenizer trained on the demo corpus, and its card."""

    tokenizer: LoadedTokenizer
    folder: Path
    card: dict

    def cut(self, text: str) -> list[str]:
        return [self.tokenizer.pieces[i] for i in self.tokenizer.encode([text])[0].tolist()]

    def return_trip(self, text: str) -> str:
        return self.tokenizer.decode(self.tokenizer.encode([text]))[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo corpus, mined for compression."""
    place = tmp_path_factory.mktemp("compression")
    done = call_command(
        "mine", "--corpus", str(DEMO), "--objective", "compression", "--out", str(place / "run")
    )
    assert done.code == 0, done.err
    return place / "run"


@pytest.fixture(scope="module")
def train(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Train on the demo corpus; the same tokenizer is made once."""
    shelf: dict[str, Made] = {}

    def make(
        trainer: str, *, exact: bool, again: int = 0, corpus: Path = DEMO, **options: object
    ) -> Made:
        key = json.dumps([trainer, exact, again, corpus, options], default=str)
        if key not in shelf:
            wanted = {"vocab_size": SIZE, "trainer": trainer, "exact": exact} | options
            out = tmp_path_factory.mktemp("made") / "tokenizer"
            card = train_tokenizer(TrainConfig(run, (str(corpus),), **wanted), out).card
            shelf[key] = Made(load_tokenizer(out), out, card)
        return shelf[key]

    return make


@pytest.mark.parametrize("trainer", TRAINERS)
@given(text=TEXTS)
@example("The ⇧ of\u212a McDonald(İ)É")
def test_every_text_comes_back(train: Callable[..., Made], trainer: str, text: str) -> None:
    assert train(trainer, exact=True).return_trip(text) == text


@given(text=TEXTS)
def test_canonical_mode_gives_the_folded_text(train: Callable[..., Made], text: str) -> None:
    wanted = PROFILES["words"].fold(text)
    assert train("hf-unigram", exact=False).return_trip(text) == wanted


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("exact", [False, True])
def test_the_size_is_kept_and_the_card_tells_the_cut(
    train: Callable[..., Made], trainer: str, exact: bool
) -> None:
    made = train(trainer, exact=exact)
    assert made.tokenizer.size == made.card["vocab_size"] == SIZE
    assert made.card["cut"] == "fewest pieces"
    assert made.card["measured"]["on"] == "the corpus itself"
    assert 0 < made.card["units"] <= made.card["unit_ids"]


def test_a_text_has_as_few_tokens_as_its_pieces_allow(train: Callable[..., Made]) -> None:
    made = train("hf-unigram", exact=True)
    pieces = [piece for piece in made.tokenizer.pieces if piece not in {*SPECIALS, *BYTES}]
    known = [piece.replace("▁", " ") for piece in pieces]
    seen = Counter(DEMO.read_text(encoding="utf-8"))
    form = NormalForm.of("words", exact=True, marked=True, cased=choose_capitals(seen))
    every = DEMO.read_text(encoding="utf-8").split("\n")[:400]
    lines = [
        line
        for line, normal in zip(every, form.normalize(every), strict=True)
        if set(normal) <= set(known)  # a character that is no piece costs more than its bytes
    ]
    assert len(lines) > 50
    tokens = [len(ids) for ids in made.tokenizer.encode(lines)]
    fewest = cut_fewest(Text.join(form.normalize(lines)), Text.join(known))[1]
    assert tokens == fewest.tolist()


def test_a_word_has_the_same_pieces_at_the_head_of_a_sentence(train: Callable[..., Made]) -> None:
    made = train("hf-unigram", exact=True)
    small, capital = made.cut("x. the railway"), made.cut("x. The railway")
    assert [piece for piece in capital if "⇧" in piece]
    assert "".join(capital).replace("⇧", "").endswith("▁the▁railway")
    assert "".join(capital).replace("⇧", "") == "".join(small)
    assert len(capital) <= len(small) + 1


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("exact", [False, True])
def test_what_is_named_is_one_id_whatever_it_costs(
    train: Callable[..., Made], beginning: Path, tmp_path: Path, trainer: str, exact: bool
) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps(NAMED), encoding="utf-8")
    made = train(trainer, exact=exact, corpus=beginning, tokens=tokens, units=0)
    assert made.tokenizer.size == SIZE
    rows = pl.read_ndjson(made.folder / "units.jsonl", infer_schema_length=None)
    ids = dict(rows.select("text", "id").iter_rows())
    for name in [*NAMED["special_tokens"], *NAMED["never_split"]]:
        number = ids[name if exact else PROFILES["words"].fold(name)]
        for before, after in (("x ", " y"), ("(", ")"), ("x, ", ", y"), ("“", "”")):
            assert number in made.tokenizer.encode([before + name + after])[0], (name, before)
        text = f"x {name} y"
        assert made.return_trip(text) == (text if exact else PROFILES["words"].fold(text))
    if trainer == "hf-unigram":
        for longer in ("qyz", "qy'a", "weird phrase of miners", "aqy"):
            assert not set(made.cut(longer)) & {
                made.tokenizer.pieces[i] for i in rows.filter(pl.col("kind") == "named")["id"]
            }


def test_a_text_grows_as_its_tokens_come(train: Callable[..., Made]) -> None:
    made = train("hf-unigram", exact=True)
    text = "The railway. (Жартишина), McDonald; 'A NATO' station"
    ids = made.tokenizer.encode([text])[0]
    written = made.tokenizer.decode([ids[:end] for end in range(1, len(ids) + 1)])
    assert written[-1] == text
    assert [text.startswith(part) for part in written if "\ufffd" not in part].count(False) == 0


@pytest.mark.parametrize("profile", ["symbols", "words"])
def test_sentencepiece_gives_texts_without_spaces_back(profile: str, tmp_path: Path) -> None:
    lines = ["白日依山盡黃河入海流", "欲窮千里目更上一層樓", "白日依山盡\0黃河入海流"] * 40
    (tmp_path / "signs.txt").write_text("\n".join(lines), encoding="utf-8")
    done = call_command(
        "mine",
        "--corpus",
        str(tmp_path / "signs.txt"),
        "--objective",
        "compression",
        "--profile",
        profile,
        "--out",
        str(tmp_path / "run"),
    )
    assert done.code == 0, done.err
    corpus = (str(tmp_path / "signs.txt"),)
    config = TrainConfig(tmp_path / "run", corpus, "sentencepiece-unigram", 400, exact=True)
    train_tokenizer(config, tmp_path / "out")
    tokenizer = load_tokenizer(tmp_path / "out")
    texts = [*lines[:3], "", " ", "x 學\0"]
    assert tokenizer.decode(tokenizer.encode(texts)) == texts


@pytest.mark.parametrize("text", ["THE RAILWAY STATION", "Жартишина ЖАРТИШИНА", "IV. DON'T (NATO)"])
def test_a_stream_of_tokens_gives_capitals(train: Callable[..., Made], text: str) -> None:
    tokenizer = Tokenizer.from_file(str(train("hf-unigram", exact=True).folder / "tokenizer.json"))
    stream = DecodeStream(skip_special_tokens=False)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert "".join(stream.step(tokenizer, number) or "" for number in ids) == text


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_same_command_gives_the_same_bytes(
    train: Callable[..., Made], beginning: Path, trainer: str
) -> None:
    first, second = (
        train(trainer, exact=True, again=again, corpus=beginning).folder for again in (0, 1)
    )
    for path in sorted(first.iterdir()):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_so_many_units_as_asked_for_are_tried(train: Callable[..., Made]) -> None:
    assert train("hf-unigram", exact=True, units=20).card["units"] <= 20


def test_every_unit_is_one_id_where_no_cut_is_shorter(
    train: Callable[..., Made], run: Path
) -> None:
    made = train("hf-unigram", exact=True)
    checks = {check.name: check for check in check_tokenizer(made.tokenizer, run)}
    assert all(check.holds for check in checks.values())
    assert checks["a unit is one id"].passed == made.card["unit_ids"]
    assert checks["a unit is one id where it was found, or the cut is shorter"].tried > 100
