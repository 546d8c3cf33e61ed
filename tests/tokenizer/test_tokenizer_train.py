"""`miner train`: every unit is one id, every text comes back, and the files load elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from watched import DEMO, ROOT, MinedDemo, call_command, watch_command

from miner.errors import CorpusError, MinerError, RunError, TokenizerError, UsageError
from miner.text.profiles import PROFILES
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.training.hugging_face import SPECIALS
from miner.tokenizer.training.training import TRAINERS, TrainConfig, train_tokenizer

SIZE = 3000
UNKNOWN = SPECIALS.index("<unk>")
WAYS = [(trainer, exact) for trainer in TRAINERS for exact in (False, True)]
NAMES = [f"{trainer}-{'exact' if exact else 'canonical'}" for trainer, exact in WAYS]
WORDS = PROFILES["words"]
PIECES = (
    "⁀", "⁁", "⁂", "⁃", " ", "\n", "a", "(", "'", "-", "學", "<0x41>", "B", "é", "1", "_", "\x00",
    "\u200d", "\ue000", "カ", "🫧", "\u3000", "\t", "\r\n", "жартишина", " day after day", "⟁",
    "Δ84", "railway station", "Railway", ".", ",", "—", "ЖАР", "dining car", "Dining",
)  # fmt: skip

LAST_DIGITS = 0.01  # of scores: the stock Unigram trainer of `tokenizers` sums in a random order


def expect(failing: dict[str, str]) -> list:
    """All ways to train; those of the trainers in `failing` are known to fail, and why."""
    return [
        pytest.param(
            (trainer, exact),
            id=name,
            marks=[pytest.mark.xfail(strict=True, reason=failing[trainer])]
            if trainer in failing
            else [],
        )
        for (trainer, exact), name in zip(WAYS, NAMES, strict=True)
    ]


ASSIGNED = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=12)
JOINED = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
TEXTS = st.one_of(ASSIGNED, JOINED, st.tuples(JOINED, ASSIGNED, JOINED).map("".join))


@dataclass(frozen=True)
class Made:
    """A tokenizer that was trained on the demo corpus."""

    folder: Path
    trainer: str
    exact: bool
    tokenizer: LoadedTokenizer
    card: dict

    @property
    def is_hf(self) -> bool:
        return self.trainer.startswith("hf")

    @property
    def ids(self) -> pl.DataFrame:
        return pl.read_ndjson(self.folder / "units.jsonl", infer_schema_length=None)

    @property
    def plain(self) -> list[tuple[str, int]]:
        """Each spelling of a unit and its id."""
        return list(self.ids.filter(pl.col("side") == "").select("text", "id").iter_rows())

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode([text])[0].tolist()

    def return_trip(self, text: str) -> str:
        return self.tokenizer.decode(self.tokenizer.encode([text]))[0]


@pytest.fixture(scope="module")
def train(demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Train on the demo corpus; the same tokenizer is made once."""
    shelf: dict[str, Made] = {}

    def make(
        trainer: str, *, exact: bool = False, again: int = 0, corpus: Path = DEMO, **options: object
    ) -> Made:
        key = json.dumps([trainer, exact, again, corpus, options], default=str)
        if key not in shelf:
            settings = {"vocab_size": SIZE, "exact": exact, "trainer": trainer} | options
            out = tmp_path_factory.mktemp("made") / "tokenizer"
            made = train_tokenizer(TrainConfig(demo.folder, (str(corpus),), **settings), out)
            shelf[key] = Made(out, trainer, exact, load_tokenizer(out), made.card)
        return shelf[key]

    return make


@pytest.fixture(params=WAYS, ids=NAMES)
def made(request: pytest.FixtureRequest, train: Callable[..., Made]) -> Made:
    trainer, exact = request.param
    return train(trainer, exact=exact)


# T1, T2: what comes out, and where it loads


def test_the_vocabulary_is_as_large_as_asked_and_no_larger(made: Made) -> None:
    assert made.tokenizer.size == made.card["vocab_size"] == SIZE
    assert len(set(made.tokenizer.pieces)) == SIZE


def test_the_folder_holds_what_the_readme_of_a_tokenizer_names(made: Made) -> None:
    names = {path.name for path in made.folder.iterdir()}
    common = {"miner.json", "miner-files.json", "units.jsonl", "README.md"}
    own = (
        {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}
        if made.is_hf
        else {"tokenizer.model"}
    )
    assert names == common | own


def test_it_loads_in_its_own_library_with_the_same_ids(made: Made) -> None:
    text = "Жартишина (day after day), Δ84 ⟁ a railway station."
    if made.is_hf:
        other = Tokenizer.from_file(str(made.folder / "tokenizer.json"))
        assert other.encode(text, add_special_tokens=False).ids == made.encode(text)
        assert other.encode("Δ84", add_special_tokens=False).ids == made.encode("Δ84")
    else:
        processor = SentencePieceProcessor(model_file=str(made.folder / "tokenizer.model"))
        assert processor.encode(text) == made.encode(text)
    assert len(made.encode("Δ84")) == 1


def test_special_tokens_have_the_first_ids(made: Made) -> None:
    assert made.tokenizer.pieces[:4] == list(SPECIALS[:4])
    for sign in ("[SCN]", "[SEP]"):
        assert [made.tokenizer.pieces[i] for i in made.encode(f"{sign}")][-1] == sign


# Importing miner must be impossible, not only unneeded.
STRANGER = """
import json, sys
class Blocker:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] == "miner":
            raise ImportError("there is no miner here")
sys.meta_path.insert(0, Blocker())
from transformers import AutoTokenizer
told = {}
for folder in sys.argv[2:]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = json.loads(sys.argv[1])
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    told[folder] = {
        "ids": ids, "texts": [tokenizer.decode(row) for row in ids], "pad": tokenizer.pad_token_id,
        "size": len(tokenizer), "default": tokenizer.encode(texts[0]),
    }
try:
    import miner
except ImportError:
    print(json.dumps(told))
"""


def test_auto_tokenizer_gives_the_same_ids_where_miner_cannot_be_imported(
    train: Callable[..., Made], tmp_path: Path
) -> None:
    both = [train(trainer, exact=exact) for trainer, exact in WAYS if trainer.startswith("hf")]
    texts = ["Δ84", "(Day after day) жартишина, ⟁🜂", "  two  spaces\n\tдон't É e\u0301"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, json.dumps(texts), *(str(m.folder) for m in both)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
    )
    told = json.loads(done.stdout.splitlines()[-1])
    for one in both:
        found = told[str(one.folder)]
        assert found["ids"] == [one.encode(text) for text in texts]
        assert found["texts"] == [one.return_trip(text) for text in texts]
        assert found["default"] == found["ids"][0]
        assert len(found["ids"][0]) == 1
        assert (found["pad"], found["size"]) == (0, SIZE)


# T3: atomic


def test_every_listed_unit_is_one_id_its_own(made: Made) -> None:
    texts = [text for text, _ in made.plain]
    wanted = [[number] for _, number in made.plain]
    assert len(texts) > 500
    assert [ids.tolist() for ids in made.tokenizer.encode(texts)] == wanted
    assert len({number for _, number in made.plain}) == len(wanted)


def test_no_listed_unit_is_lost(made: Made) -> None:
    assert made.card["lost"] == []


def test_units_are_in_the_vocabulary_of_the_run(made: Made, demo: MinedDemo) -> None:
    tokens = set(demo.units["token"])
    assert set(made.ids["token"]) <= tokens
    assert made.card["units"] == made.ids["token"].n_unique()


@pytest.mark.parametrize("made", expect({}), indirect=True)
def test_the_parts_of_a_unit_are_what_it_would_be_cut_into(made: Made) -> None:
    units = set(made.ids["id"])
    for parts in made.ids["parts"].to_list():
        assert len(parts) >= 1
        assert not units & set(parts)


def test_each_id_of_a_unit_stands_once(made: Made) -> None:
    assert made.ids["id"].is_unique().all()


# T4: reversible


def is_plain(text: str) -> bool:
    return not any(special in text for special in SPECIALS)


@pytest.mark.parametrize("trainer", TRAINERS)
@given(text=st.one_of(TEXTS, st.lists(st.sampled_from([*PIECES, *SPECIALS])).map("".join)))
@example("")
@example(" ")
@example("a<s> b [SEP] c")
@example("[SCN] жартишина[SEP] входдрожь ")
def test_exact_texts_come_back_byte_for_byte(
    train: Callable[..., Made], trainer: str, text: str
) -> None:
    made = train(trainer, exact=True)
    assert made.return_trip(text) == text


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
@given(text=st.one_of(TEXTS, JOINED.map(lambda text: unicodedata.normalize("NFD", text))))
@example("⁀▁⁀⁁▁a")
def test_canonical_texts_come_back_folded(
    train: Callable[..., Made], trainer: str, text: str
) -> None:
    if is_plain(text) and "\u0345" not in unicodedata.normalize("NFD", text):
        assert train(trainer).return_trip(text) == WORDS.fold(text)


@pytest.mark.parametrize("trainer", ["sentencepiece-bpe", "sentencepiece-unigram"])
@given(text=JOINED)
def test_canonical_texts_of_known_letters_come_back_folded_from_sentencepiece(
    train: Callable[..., Made], trainer: str, text: str
) -> None:
    assert train(trainer).return_trip(text) == WORDS.fold(text)


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
@given(text=st.lists(st.sampled_from(["▁", "⟁", "жартишина", " ", "a"]), max_size=8).map("".join))
def test_the_mark_of_a_space_itself_comes_back(
    train: Callable[..., Made], trainer: str, text: str
) -> None:
    assert train(trainer, exact=True).return_trip(text) == text


@pytest.mark.xfail(
    strict=True, reason="a user-defined symbol such as ▁⟁ matches the raw text, before the rules"
)
@pytest.mark.parametrize("trainer", ["sentencepiece-bpe", "sentencepiece-unigram"])
def test_the_mark_of_a_space_before_a_unit_comes_back_from_sentencepiece(
    train: Callable[..., Made], trainer: str
) -> None:
    made = train(trainer, exact=True)
    assert [made.return_trip(text) for text in ("▁⟁", "a▁жартишина")] == ["▁⟁", "a▁жартишина"]


@pytest.mark.parametrize("trainer", ["sentencepiece-bpe", "sentencepiece-unigram"])
def test_a_decomposed_letter_behind_a_mark_is_composed_by_sentencepiece(
    train: Callable[..., Made], trainer: str
) -> None:
    text = ":" + unicodedata.normalize("NFD", "À")
    assert train(trainer).return_trip(text) == ":à"


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
def test_every_code_point_comes_back_and_none_is_unknown(
    train: Callable[..., Made], trainer: str
) -> None:
    made = train(trainer, exact=True)
    points = [*range(0, 0x3100, 7), *range(0xE000, 0x110000, 4099), *range(256)]
    texts = [f"x{chr(point)}y{chr(point)}" for point in points]
    ids = made.tokenizer.encode(texts)
    assert not any(UNKNOWN in row for row in ids)
    assert made.tokenizer.decode(ids) == texts


def test_characters_that_the_corpus_never_had_are_never_unknown(made: Made) -> None:
    texts = ["ꙮ", "𒀀𓀀", "\U0010ffff", "\x01\x7f", "ᏣᎳᎩ", "한국어", "ሀ", "\ufffd"]
    assert not any(UNKNOWN in row for row in made.tokenizer.encode(texts))
    wanted = texts if made.exact else [WORDS.fold(text) for text in texts]
    assert [made.return_trip(text) for text in texts] == wanted


def test_the_demo_corpus_comes_back(made: Made) -> None:
    every = DEMO.read_text(encoding="utf-8").split("\n")[:1500]
    lines = [line for line in every if made.exact or is_plain(line)]
    wanted = lines if made.exact else [WORDS.fold(line) for line in lines]
    assert made.tokenizer.decode(made.tokenizer.encode(lines)) == wanted
    text = "\n".join(lines)
    assert made.return_trip(text) == (text if made.exact else WORDS.fold(text))


def test_a_text_grows_as_its_tokens_come(made: Made) -> None:
    text = "(Railway station), «Жартишина»: a/b [day after day]... x=(y)"
    ids = made.encode(text)
    written = made.tokenizer.decode([ids[:end] for end in range(1, len(ids) + 1)])
    whole = [one for one in written if "\ufffd" not in one]
    assert len(whole) > len(ids) // 2
    for shorter, longer in pairwise(whole):
        assert longer.startswith(shorter.rstrip(" "))
        assert not set("⁀⁁⁂⁃⇧▁") & set(longer)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
def test_a_stream_of_tokens_gives_the_text(
    train: Callable[..., Made], trainer: str, exact: bool
) -> None:
    made = train(trainer, exact=exact)
    text = "(Railway station), «Жартишина»: a/b [day after day]...\nx=(y) ⟁⁀ Δ84"
    tokenizer = Tokenizer.from_file(str(made.folder / "tokenizer.json"))
    stream = DecodeStream(skip_special_tokens=False)
    parts = [stream.step(tokenizer, number) or "" for number in made.encode(text)]
    assert "".join(parts) == (text if exact else WORDS.fold(text))


def test_a_lone_surrogate_is_a_clear_error(made: Made) -> None:
    with pytest.raises(TokenizerError, match="lone surrogate"):
        made.tokenizer.encode(["fine", "a\ud800b"])
    with pytest.raises(TokenizerError, match=r"U\+DC00 at character 0"):
        made.tokenizer.spans(["\udc00"])


# T5: stable


def test_a_unit_has_one_id_in_every_case_spacing_and_unicode_form(made: Made) -> None:
    if made.exact:
        pytest.skip("canonical mode folds them")
    for text, number in made.plain:
        ways = [
            f"{text} ",
            f" {text}",
            f"\n{text}",
            unicodedata.normalize("NFD", text),
            f"{text}\n",
        ]
        ways += [way for way in (text.upper(), text.title()) if WORDS.fold(way) == text]
        found = [ids.tolist() for ids in made.tokenizer.encode(ways)]
        assert found == [[number]] * len(ways), text


AROUND = [
    ("(", ")"), ("x\n", "\ny"), ("«", "»"), ('x "', '", y'), ("q ", "."), ("", "!"), ("—", "—"),
    ("[", "]"),
]  # fmt: skip
SPACED = [(", ", ","), ("q: ", "; b"), ("x.\n ", " \n"), ("?  ", ".")]


def find_lost(made: Made, around: list[tuple[str, str]]) -> list[str]:
    """The texts with a unit of plain words in them that have not its id."""
    words = [row for row in made.plain if row[0].replace(" ", "").isalpha()]
    assert len(words) > 500
    texts = [before + text + after for text, _ in words for before, after in around]
    wanted = [number for _, number in words for _ in around]
    found = made.tokenizer.encode(texts)
    return [text for text, ids, n in zip(texts, found, wanted, strict=True) if n not in ids]


def test_a_unit_has_the_same_id_beside_punctuation(made: Made) -> None:
    assert find_lost(made, AROUND) == []


@pytest.mark.parametrize("made", expect({}), indirect=True)
def test_a_unit_has_the_same_id_behind_punctuation_and_a_space(made: Made) -> None:
    assert find_lost(made, SPACED) == []


def test_the_spellings_of_a_unit_in_exact_mode_are_listed_with_it(
    train: Callable[..., Made],
) -> None:
    made = train("hf-bpe", exact=True)
    several = made.ids.group_by("token").agg("text", "id").filter(pl.col("id").list.len() > 1)
    assert several.height > 20
    for row in several.iter_rows(named=True):
        assert {WORDS.fold(text) for text in row["text"]} == {row["token"]}


def test_a_capital_does_not_cut_a_unit_that_the_corpus_has_so(train: Callable[..., Made]) -> None:
    text = DEMO.read_text(encoding="utf-8")
    for trainer in TRAINERS:
        made = train(trainer, exact=True)
        for spelling in ("Day after day", "day after day", "ЖАРТИШИНА", "жартишина"):
            if text.count(spelling) > 5:
                assert len(made.encode(spelling)) == 1, (trainer, spelling)


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("more", ["x", "_", "\u0301", "-x", "'x"])
def test_a_unit_never_matches_inside_a_longer_word(
    train: Callable[..., Made], trainer: str, exact: bool, more: str
) -> None:
    made = train(trainer, exact=exact)
    links = made.ids.filter((pl.col("kind") == "link") & (pl.col("side") == ""))
    rows = [(text, i) for text, i in links.select("text", "id").iter_rows() if text[-1].isalpha()]
    assert len(rows) > 400
    found = made.tokenizer.encode([text + more for text, _ in rows])
    assert [row for row, ids in zip(rows, found, strict=True) if row[1] in ids] == []


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
def test_a_unit_never_matches_in_a_word_that_ends_in_a_digit(
    train: Callable[..., Made], trainer: str
) -> None:
    made = train(trainer)
    rows = [(text, number) for text, number in made.plain if text.replace(" ", "").isalpha()]
    found = made.tokenizer.encode([text + "1" for text, _ in rows])
    assert [row for row, ids in zip(rows, found, strict=True) if row[1] in ids] == []


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
@pytest.mark.parametrize("more", ["x", "ж", "1", "_", "x-", "x'"])
def test_a_unit_never_matches_at_the_end_of_a_longer_word(
    train: Callable[..., Made], trainer: str, more: str
) -> None:
    made = train(trainer)
    rows = [(text, number) for text, number in made.plain if text.replace(" ", "").isalpha()]
    found = made.tokenizer.encode([more + text for text, _ in rows])
    assert [row for row, ids in zip(rows, found, strict=True) if row[1] in ids] == []


# T6: the whole list


def test_the_edge_cases_of_the_specification(made: Made) -> None:
    one = made.encode("жартишина")
    assert len(one) == 1
    for text in ("Δ84", "⟁", "🜂", "жартишина"):
        assert len(made.encode(text)) == 1, text
    assert made.encode("⟁") != made.encode("🜂")
    assert made.return_trip("тишинажардрожь") == "тишинажардрожь"
    assert made.encode("жартишина") != made.encode("тишинажар")
    assert one[0] in made.encode("жартишина ")
    if not made.exact:
        assert made.encode("ЖАРтишина") == made.encode("жартишина ") == one


# T7: token classes, and the user's own tokens


def test_every_class_of_unit_is_listed_with_its_ids(made: Made) -> None:
    kinds = set(made.ids["kind"])
    assert {"link", "hyperlexeme", "formula", "symbol", "marker"} <= kinds
    assert made.card["classes"] == dict(made.ids["kind"].value_counts().iter_rows())
    pieces = made.tokenizer.pieces
    assert all(pieces[number] for number in made.ids["id"])


def write_tokens(folder: Path, content: object) -> Path:
    place = folder / "tokens.json"
    place.write_text(json.dumps(content), encoding="utf-8")
    return place


@pytest.mark.parametrize("trainer", TRAINERS)
def test_named_tokens_are_one_id_although_the_run_has_none_of_them(
    demo: MinedDemo, beginning: Path, tmp_path: Path, trainer: str
) -> None:
    names = {
        "special_tokens": ["_ABC9_", "Ω777", "<|im|>"],
        "never_split": ["weird phrase of mine"],
    }
    config = TrainConfig(
        demo.folder, (str(beginning),), trainer, 1000, units=4, tokens=write_tokens(tmp_path, names)
    )
    train_tokenizer(config, tmp_path / "out")
    tokenizer = load_tokenizer(tmp_path / "out")
    every = [*names["special_tokens"], *names["never_split"]]
    assert [len(ids) for ids in tokenizer.encode(every)] == [1, 1, 1, 1]
    rows = pl.read_ndjson(tmp_path / "out" / "units.jsonl").filter(pl.col("side") == "")
    kinds = dict(rows.select("token", "kind").iter_rows())
    assert kinds == {
        "_ABC9_": "special",
        "Ω777": "special",
        "<|im|>": "special",
        "weird phrase of mine": "named",
    }


def test_named_tokens_get_a_place_before_all_units(demo: MinedDemo, tmp_path: Path) -> None:
    names = write_tokens(tmp_path, {"never_split": ["weird phrase of mine", "жартишина"]})
    config = TrainConfig(demo.folder, (str(DEMO),), "hf-bpe", 400, tokens=names)
    made = train_tokenizer(config, tmp_path / "out")
    assert made.card["classes"]["named"] == 2
    assert made.card["vocab_size"] <= 400


# Sizes


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("units", [0, 37])
def test_so_many_units_as_asked_for_and_no_other(
    train: Callable[..., Made], beginning: Path, trainer: str, units: int
) -> None:
    made = train(trainer, corpus=beginning, vocab_size=700, units=units)
    assert made.card["units"] == units
    assert units == 0 or made.ids["token"].n_unique() == units
    assert made.tokenizer.size <= 700


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram"])
@pytest.mark.parametrize("size", [300, 1000])
def test_the_size_is_never_exceeded(
    train: Callable[..., Made], beginning: Path, trainer: str, size: int
) -> None:
    made = train(trainer, corpus=beginning, vocab_size=size, exact=True)
    assert made.tokenizer.size == size
    assert made.return_trip("Жартишина ⟁ \x00\U0010ffff") == "Жартишина ⟁ \x00\U0010ffff"


@pytest.mark.parametrize("trainer", ["sentencepiece-bpe", "sentencepiece-unigram"])
def test_sentencepiece_trains_with_the_least_size_too(
    train: Callable[..., Made], beginning: Path, trainer: str
) -> None:
    assert train(trainer, corpus=beginning, vocab_size=300, units=0).tokenizer.size <= 300


def test_more_units_than_ids_are_refused(demo: MinedDemo, tmp_path: Path) -> None:
    config = TrainConfig(demo.folder, (str(DEMO),), "hf-bpe", 300, units=1000)
    with pytest.raises(UsageError, match="do not fit"):
        train_tokenizer(config, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [-1, 0, 299])
def test_a_size_without_room_for_bytes_is_refused(demo: MinedDemo, size: int) -> None:
    with pytest.raises(UsageError, match="300 is the least"):
        TrainConfig(demo.folder, ("x",), vocab_size=size)


def test_a_negative_number_of_units_is_refused(demo: MinedDemo) -> None:
    with pytest.raises(UsageError, match="units is -1"):
        TrainConfig(demo.folder, ("x",), units=-1)


# The same again, and what is left of a failure


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("exact", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_same_command_gives_the_same_bytes(
    train: Callable[..., Made], beginning: Path, trainer: str, exact: bool
) -> None:
    made, other = (
        train(trainer, exact=exact, again=again, corpus=beginning, vocab_size=700, units=37)
        for again in (0, 1)
    )
    for name in ("tokenizer.json", "tokenizer.model", "units.jsonl", "miner.json", "README.md"):
        first, second = made.folder / name, other.folder / name
        assert first.exists() == second.exists()
        if name == "tokenizer.json" and made.trainer == "hf-unigram":
            assert_same_but_last_digits(first, second)
        else:
            assert not first.exists() or first.read_bytes() == second.read_bytes(), name


def assert_same_but_last_digits(first: Path, second: Path) -> None:
    one, two = (json.loads(path.read_text(encoding="utf-8")) for path in (first, second))
    (pieces, scores), (others, again) = (
        zip(*spec["model"].pop("vocab"), strict=True) for spec in (one, two)
    )
    assert one == two
    assert pieces == others
    assert np.allclose(scores, again, atol=LAST_DIGITS)


@pytest.mark.parametrize("made", expect({}), indirect=True)
def test_no_file_names_a_folder_of_this_machine_but_the_corpus(made: Made) -> None:
    for path in made.folder.iterdir():
        content = path.read_bytes().replace(str(DEMO).encode(), b"")
        assert b"/tmp/" not in content, path.name


def test_an_existing_tokenizer_is_kept_unless_told_otherwise(
    demo: MinedDemo, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    config = TrainConfig(demo.folder, (str(DEMO),), "hf-bpe", 400, units=3)
    train_tokenizer(config, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(MinerError, match="overwrite"):
        train_tokenizer(config, out)
    missing = TrainConfig(demo.folder, (str(tmp_path / "none.txt"),), "hf-bpe", 400)
    with pytest.raises(CorpusError):
        train_tokenizer(missing, out, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    other = TrainConfig(demo.folder, (str(DEMO),), "sentencepiece-bpe", 700, units=3)
    train_tokenizer(other, out, overwrite=True)
    assert not (out / "tokenizer.json").exists()
    assert (out / "tokenizer.model").exists()


def test_a_folder_of_something_else_is_never_replaced(demo: MinedDemo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    config = TrainConfig(demo.folder, (str(DEMO),), "hf-bpe", 400, units=3)
    for overwrite in (False, True):
        with pytest.raises(MinerError):
            train_tokenizer(config, out, overwrite=overwrite)
    assert (out / "thesis.txt").read_text() == "mine"
    with pytest.raises(MinerError):
        train_tokenizer(config, demo.folder, overwrite=True)
    assert (demo.folder / "vocabulary.jsonl").exists()


def test_a_failure_leaves_nothing_behind(demo: MinedDemo, tmp_path: Path) -> None:
    missing = TrainConfig(demo.folder, (str(tmp_path / "none.txt"),), "hf-bpe", 400)
    with pytest.raises(CorpusError):
        train_tokenizer(missing, tmp_path / "out")
    damaged = TrainConfig(tmp_path / "no run", (str(DEMO),))
    with pytest.raises(RunError):
        train_tokenizer(damaged, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_corpus_leaves_nothing_behind(demo: MinedDemo, tmp_path: Path) -> None:
    corpus = tmp_path / "bad.txt"
    corpus.write_bytes(b"a line\n" * 100 + b"\xff\xfe broken\n")
    with pytest.raises(CorpusError):
        train_tokenizer(TrainConfig(demo.folder, (str(corpus),), "hf-bpe", 400), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.txt"]


KILLER = """
import os, signal, sys
from miner.commands.main import main
write = sys.stderr.write
def tell(text):
    if sys.argv[1] in text:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(text)
sys.stderr.write = tell
main(sys.argv[2:])
"""


@pytest.mark.parametrize("moment", ["looking for", "training"])
def test_a_killed_run_leaves_no_folder_that_looks_whole(
    demo: MinedDemo, tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "out"
    command = [
        "train",
        str(demo.folder),
        "--corpus",
        str(DEMO),
        "--vocab-size",
        "1000",
        "--out",
        str(out),
    ]
    killed = subprocess.run(
        [sys.executable, "-c", KILLER, moment, *command],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    done = call_command(*command)
    assert done.code == 0, done.err
    assert (out / "tokenizer.json").exists()
    assert not (tmp_path / "out.partial").exists()


# Corpora that are hard


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize(
    "text", ["a", "\n", "a\x00b\nc", "⁀▁ ⁀⁁\n▁▁", "[SEP]<s>", "x" * 5000, "\u0301\u0301", "學"]
)
def test_a_tiny_or_odd_corpus_trains_or_says_why_not(
    demo: MinedDemo, tmp_path: Path, trainer: str, text: str
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(text, encoding="utf-8", newline="")
    config = TrainConfig(demo.folder, (str(corpus),), trainer, 600, exact=True, units=10)
    try:
        train_tokenizer(config, tmp_path / "out")
    except MinerError as error:
        assert error.cure
        assert not (tmp_path / "out").exists()
    else:
        tokenizer = load_tokenizer(tmp_path / "out")
        assert tokenizer.decode(tokenizer.encode(["Жар ⟁ a"])) == ["Жар ⟁ a"]
        assert tokenizer.size <= 600


# The command


def test_the_command_trains_and_says_what_it_made(demo: MinedDemo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = watch_command(
        tmp_path / "used.json",
        "train",
        str(demo.folder),
        "--corpus",
        str(DEMO),
        "--vocab-size",
        "1000",
        "--out",
        str(out),
        "--json",
    )
    assert done.code == 0, done.err
    card = json.loads(done.out)
    assert card == json.loads((out / "miner.json").read_text(encoding="utf-8"))
    assert card["vocab_size"] == 1000
    assert not done.touched
    assert not {"torch", "faiss", "transformers"} & done.modules


def test_without_a_corpus_it_is_the_text_of_the_run(
    demo: MinedDemo, train: Callable[..., Made], tmp_path: Path
) -> None:
    config = TrainConfig(demo.folder, (), vocab_size=SIZE)
    train_tokenizer(config, tmp_path / "own")
    named = train("hf-bpe").folder / "tokenizer.json"
    assert (tmp_path / "own" / "tokenizer.json").read_bytes() == named.read_bytes()
    bare = Path(shutil.copytree(demo.folder, tmp_path / "bare"))
    for file in (bare / "1_atoms").glob("originals.*"):
        file.unlink()
    with pytest.raises(RunError, match=r"no copy of its text.*Name the corpus: corpus"):
        train_tokenizer(TrainConfig(bare, ()), tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["{run}", "--corpus", "{demo}"], 2),
        (["{run}", "--corpus", "{demo}", "--out", "{out}", "--trainer", "wordpiece"], 2),
        (["{run}", "--corpus", "{demo}", "--out", "{out}", "--vocab-size", "5"], 2),
        (["{run}", "--corpus", "{demo}", "--out", "{out}", "--units", "-3"], 2),
        (["{run}", "--corpus", "nowhere.txt", "--out", "{out}"], 3),
        (["nowhere", "--corpus", "{demo}", "--out", "{out}"], 3),
        (["{run}", "--corpus", "{demo}", "--out", "{out}", "--tokens", "nowhere.json"], 3),
        (["{run}", "--corpus", "{demo}", "--out", "{out}", "--from", "nowhere"], 3),
    ],
)
def test_wrong_use_ends_with_its_code_and_one_line(
    demo: MinedDemo, tmp_path: Path, arguments: list[str], code: int
) -> None:
    told = {"run": demo.folder, "out": tmp_path / "out", "demo": DEMO}
    filled = [argument.format(**told) for argument in arguments]
    done = call_command("train", *filled)
    assert done.code == code
    assert done.err.strip()
    assert not (tmp_path / "out").exists()
