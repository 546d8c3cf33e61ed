"""`miner train --from`: a pretrained tokenizer gets more ids, and nothing else changes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from bases import LINES, make_added, make_gpt2, make_hole, make_llama2, make_llama3, make_unigram
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer, models, pre_tokenizers
from watched import DEMO, MinedDemo, call_command

from miner.errors import TokenizerError
from miner.tokenizer.checking.checking import check_tokenizer, read_unit_ids
from miner.tokenizer.diffing import diff_tokenizers
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.training.training import TrainConfig, train_tokenizer

UNITS = ("blood pressure", "day after day", "pulse tremor", "жартишина", "⟁")


BASES: dict[str, Callable[[], dict]] = {
    "llama3": make_llama3, "gpt2": make_gpt2, "added": make_added, "hole": make_hole,
    "unigram": make_unigram, "marked": lambda: make_llama2(bytes_too=False),
}  # fmt: skip


@dataclass(frozen=True)
class Extended:
    """A base and what was made of it."""

    base: LoadedTokenizer
    tokenizer: LoadedTokenizer
    ids: pl.DataFrame
    card: dict
    folder: Path

    @property
    def decoder(self) -> str:
        return (self.base.spec.get("decoder") or {}).get("type", "")

    @property
    def new(self) -> set[int]:
        return set(range(self.base.size, self.tokenizer.size))


def extend_base(demo: MinedDemo, base: Path, out: Path, **options: object) -> Extended:
    config = TrainConfig(demo.folder, (str(DEMO),), base=base, **options)
    card = train_tokenizer(config, out).card
    ids = read_unit_ids(out)
    return Extended(load_tokenizer(base), load_tokenizer(out), ids, card, out)


@pytest.fixture(scope="module", params=[*BASES, "sentencepiece"])
def extended(
    request: pytest.FixtureRequest, demo: MinedDemo, tmp_path_factory: pytest.TempPathFactory
) -> Extended:
    place = tmp_path_factory.mktemp("extended")
    base = place / "base"
    base.mkdir()
    if request.param == "sentencepiece":
        model = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter(LINES[:800]),
            model_writer=model,
            vocab_size=800,
            model_type="unigram",
            byte_fallback=True,
            minloglevel=2,
            hard_vocab_limit=False,
        )
        (base / "tokenizer.model").write_bytes(model.getvalue())
    else:
        spec = BASES[request.param]()
        (base / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    (base / "chat_template.jinja").write_text("{{ messages }}")
    return extend_base(demo, base, place / "out", units=400)


def test_no_id_moves_and_none_is_lost(extended: Extended) -> None:
    before, after = extended.base.pieces, extended.tokenizer.pieces
    assert after[: len(before)] == before
    assert len(after) > len(before) + 300
    assert all(after[len(before) :])


def test_only_units_are_added(extended: Extended) -> None:
    assert len(extended.new - set(extended.ids["id"])) <= len(extended.card["lost"])
    assert set(extended.ids["id"]) <= extended.new
    assert extended.ids["id"].is_unique().all()
    assert extended.card["units"] <= 400


def test_every_listed_unit_is_one_id(extended: Extended) -> None:
    rows = extended.ids.filter(pl.col("side") == "")
    found = extended.tokenizer.encode(rows["text"].to_list())
    assert [ids.tolist() for ids in found] == [[number] for number in rows["id"]]
    assert rows.height > 300


def test_lines_without_units_have_the_same_ids(extended: Extended) -> None:
    lines = [line for line in LINES if line][-1500:]
    before, after = extended.base.encode(lines), extended.tokenizer.encode(lines)
    same = [a.tolist() == b.tolist() for a, b in zip(before, after, strict=True)]
    has = [bool(extended.new & set(ids.tolist())) for ids in after]
    pairs = list(zip(same, has, strict=True))
    assert sum(unit for _, unit in pairs) > 50
    assert sum(not unit for _, unit in pairs) > 20
    assert [line for line, (s, u) in zip(lines, pairs, strict=True) if not s and not u] == []


HARD = st.lists(
    st.sampled_from(
        [
            "a",
            " ",
            "  ",
            "\n",
            "\n\n",
            "'s",
            "1234",
            "ж",
            "學",
            "🫧",
            "(",
            ").",
            "é",
            "\t",
            "zq",
            "Zq",
            "_",
            "▁",
            "\u0301",
        ]
    ),
    max_size=12,
).map("".join)


@given(text=HARD)
def test_odd_texts_without_units_have_the_same_ids(extended: Extended, text: str) -> None:
    before, after = (t.encode([text])[0].tolist() for t in (extended.base, extended.tokenizer))
    assert after == before or extended.new & set(after)


def test_texts_with_units_are_no_longer_and_come_back_as_before(extended: Extended) -> None:
    lines = [line for line in LINES if line][:800]
    before, after = extended.base.encode(lines), extended.tokenizer.encode(lines)
    assert sum(map(len, after)) < sum(map(len, before))
    assert extended.tokenizer.decode(after) == extended.base.decode(before)


def test_a_unit_is_one_id_behind_a_space_and_beside_punctuation(extended: Extended) -> None:
    marked = "ByteLevel" not in json.dumps(extended.base.spec)  # puts a space itself
    listed = set(extended.ids["text"])
    texts = [text for text in UNITS if (text if marked else f" {text}") in listed]
    assert len(texts) >= 2
    for text in texts:
        for line in (f"the {text}", f"the {text}, x", f"x {text}.", f"zq {text}\n"):
            ids = set(extended.tokenizer.encode([line])[0].tolist())
            assert len(ids & extended.new) == 1, line


def test_a_unit_is_not_found_inside_a_longer_word(extended: Extended) -> None:
    if extended.tokenizer.kind == "sentencepiece":
        pytest.skip("SentencePiece cannot be taught")
    rows = extended.ids.filter(pl.col("text").str.contains(r"\p{L}$")).select("text", "id").rows()
    for more in ("x", "ж", "_"):
        found = extended.tokenizer.encode([text + more for text, _ in rows])
        wrong = [row for row, ids in zip(rows, found, strict=True) if row[1] in ids]
        assert wrong == []


def test_the_card_says_what_was_extended_and_the_template_comes_along(extended: Extended) -> None:
    assert extended.card["base_size"] == extended.base.size
    assert extended.card["trainer"] == "extended"
    assert extended.card["vocab_size"] == extended.tokenizer.size
    assert (extended.folder / "chat_template.jinja").read_text() == "{{ messages }}"
    if extended.tokenizer.kind == "tokenizers":
        assert extended.card["changed"] == 0


def test_the_parts_are_the_ids_of_the_base(extended: Extended) -> None:
    found = extended.base.encode(extended.ids["text"].to_list())
    assert extended.ids["parts"].to_list() == [ids.tolist() for ids in found]


def test_a_base_as_llama2_with_bytes_in_its_vocabulary_can_be_extended(
    demo: MinedDemo, tmp_path: Path
) -> None:
    base = tmp_path / "tokenizer.json"
    base.write_text(json.dumps(make_llama2()), encoding="utf-8")
    extended = extend_base(demo, base, tmp_path / "out", units=30)
    assert extended.tokenizer.pieces[: extended.base.size] == extended.base.pieces


# What is asked for


@pytest.fixture(scope="module")
def llama3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("base") / "tokenizer.json"
    place.write_text(json.dumps(make_llama3()), encoding="utf-8")
    return place


@pytest.mark.parametrize("units", [0, 1, 25])
def test_so_many_units_as_asked_for(
    demo: MinedDemo, llama3: Path, tmp_path: Path, units: int
) -> None:
    extended = extend_base(demo, llama3, tmp_path / "out", units=units)
    assert extended.card["units"] == units
    assert len(extended.new) >= units


def test_the_size_is_never_exceeded(demo: MinedDemo, llama3: Path, tmp_path: Path) -> None:
    size = load_tokenizer(llama3).size
    extended = extend_base(demo, llama3, tmp_path / "out", vocab_size=size + 30)
    assert size + 20 < extended.tokenizer.size <= size + 30


def test_named_tokens_come_first(demo: MinedDemo, llama3: Path, tmp_path: Path) -> None:
    names = tmp_path / "tokens.json"
    names.write_text(json.dumps({"never_split": ["weird phrase of mine"]}))
    extended = extend_base(demo, llama3, tmp_path / "out", units=3, tokens=names)
    assert len(extended.tokenizer.encode([" weird phrase of mine"])[0]) == 1


def test_a_named_token_that_a_base_cannot_keep_is_refused_by_name(
    demo: MinedDemo, tmp_path: Path
) -> None:
    names = tmp_path / "tokens.json"
    names.write_text(json.dumps({"special_tokens": ["C++", "McDonald"]}))
    base = tmp_path / "tokenizer.json"
    base.write_text(json.dumps(make_unigram()), encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"cannot keep 'C\+\+' whole"):
        extend_base(demo, base, tmp_path / "out", units=3, tokens=names)


def test_a_unit_behind_a_tab_is_found(demo: MinedDemo, llama3: Path, tmp_path: Path) -> None:
    names = tmp_path / "tokens.json"
    names.write_text(json.dumps({"special_tokens": ["McDonald"]}))
    extended = extend_base(demo, llama3, tmp_path / "out", units=3, tokens=names)
    for text in ("x\tMcDonald", "\tMcDonald y", "(McDonald", "x (McDonald)", "McDonald"):
        assert set(extended.tokenizer.encode([text])[0].tolist()) & extended.new, text


def test_a_diff_calls_an_extension_safe(extended: Extended) -> None:
    difference = diff_tokenizers(extended.base, extended.tokenizer)
    assert difference.exit_code == 0, [f.what for f in difference.findings if f.severity == "break"]


def test_units_are_checked_where_they_were_found(extended: Extended, demo: MinedDemo) -> None:
    checks = {check.name: check for check in check_tokenizer(extended.tokenizer, demo.folder)}
    assert checks["a unit comes back"].holds
    found = checks["a unit is one id where it was found"]
    assert found.tried > 10
    if extended.tokenizer.kind == "tokenizers":
        # a unit at the very start of a text has an id only where the corpus has it so twice
        assert found.passed > 0.85 * found.tried, [failure.text for failure in found.failures]


def test_an_extended_tokenizer_can_be_extended_again(
    demo: MinedDemo, llama3: Path, tmp_path: Path
) -> None:
    first = extend_base(demo, llama3, tmp_path / "first", units=20)
    second = extend_base(demo, first.folder, tmp_path / "second", units=20)
    assert second.tokenizer.pieces[: first.tokenizer.size] == first.tokenizer.pieces
    assert len(second.new) >= 20


# What is refused


def refuse(demo: MinedDemo, spec: dict, folder: Path) -> TokenizerError:
    base = folder / "tokenizer.json"
    base.write_text(json.dumps(spec), encoding="utf-8")
    config = TrainConfig(demo.folder, (str(DEMO),), base=base, units=5)
    with pytest.raises(TokenizerError) as caught:
        train_tokenizer(config, folder / "out")
    assert not (folder / "out").exists()
    assert caught.value.cure
    return caught.value


def test_a_wordpiece_model_is_refused(demo: MinedDemo, tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    error = refuse(demo, json.loads(tokenizer.to_str()), tmp_path)
    assert "WordPiece" in error.problem


def test_a_bpe_with_pieces_that_its_merges_do_not_make_is_refused(
    demo: MinedDemo, tmp_path: Path
) -> None:
    spec = make_llama3()
    spec["model"]["vocab"]["Ġunmergeable"] = len(spec["model"]["vocab"])
    error = refuse(demo, spec, tmp_path)
    assert "unmergeable" in error.problem


@pytest.mark.parametrize(
    "pre_tokenizer",
    [
        {"type": "Whitespace"},
        {"type": "BertPreTokenizer"},
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    ],
    ids=lambda step: step["type"],
)
def test_a_way_to_cut_that_is_not_known_is_refused(
    demo: MinedDemo, tmp_path: Path, pre_tokenizer: dict
) -> None:
    error = refuse(demo, make_gpt2() | {"pre_tokenizer": pre_tokenizer}, tmp_path)
    assert pre_tokenizer["type"] in error.problem


def test_the_command_refuses_in_one_line(demo: MinedDemo, tmp_path: Path) -> None:
    base = tmp_path / "tokenizer.json"
    base.write_text(
        json.dumps({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}})
    )
    done = call_command(
        "train",
        str(demo.folder),
        "--corpus",
        str(DEMO),
        "--from",
        str(base),
        "--out",
        str(tmp_path / "out"),
    )
    assert done.code == 3
    told = done.err.splitlines()[-1]
    assert told.startswith("error: ") and "WordLevel" in told
