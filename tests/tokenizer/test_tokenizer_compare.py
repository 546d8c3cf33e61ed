"""Comparing tokenizers: figures by hand, units in their places, and a page that runs nothing."""

from __future__ import annotations

import io
import json
import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from conftest import Recorder
from manifests import make_manifest

from miner.commands.main import commands
from miner.errors import RunError, TokenizerError
from miner.report.screen import measure_width
from miner.tokenizer.comparing import Comparison, compare_tokenizers, summarize_comparison
from miner.tokenizer.comparing.batches import choose_examples, make_batch
from miner.tokenizer.comparing.comparison import cut_texts, name_tokenizers
from miner.tokenizer.comparing.figures import (
    SHAPES,
    Shape,
    measure_entropy,
    measure_ratio,
    measure_renyi,
)
from miner.tokenizer.comparing.page import make_page
from miner.tokenizer.comparing.places import UnitFinder
from miner.tokenizer.comparing.table import WIDTH
from miner.tokenizer.comparing.tallies import Tally, cut_batch, gather, join, measure_lengths
from miner.tokenizer.reading.loading import load_tokenizer

LETTERS = ["<unk>", *"abc ()\n<script>/é", "ab"]
VOID = {"meta"}


def write_tokenizer(folder: Path, name: str, *, merged: bool) -> Path:
    """A BPE of letters; where `merged`, `ab` is one id."""
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(LETTERS))}
    spec = {
        "version": "1.0",
        "added_tokens": [],
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": [["a", "b"]] if merged else [],
            "unk_token": "<unk>",
        },
    }
    path = folder / name
    path.write_text(json.dumps(spec))
    return path


def write_units(folder: Path) -> Path:
    """The same as a folder of miner, with the units `ab` and `c`, which is no id of its own."""
    folder.mkdir()
    spec = json.loads(write_tokenizer(folder, "tokenizer.json", merged=True).read_text())
    numbers = spec["model"]["vocab"]
    card = {"mode": "exact", "profile": "words", "trainer": "hf-bpe"}
    (folder / "miner.json").write_text(json.dumps(card))
    row = {
        "id": numbers["ab"],
        "text": "ab",
        "side": "",
        "token": "ab",
        "kind": "link",
        "rank": 1,
        "count": 9,
        "parts": [numbers["a"], numbers["b"]],
    }
    (folder / "units.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def write_run(folder: Path) -> Path:
    """As much of a run as a comparison reads: three units, two of which point the same way."""
    tokens = ["ab", "c", "cc"]
    (folder / "4_vectors").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(make_manifest().to_json()))
    rows = [{"token": t, "surface": t, "kind": "link", "atoms": [t], "count": 3} for t in tokens]
    (folder / "vocabulary.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "4_vectors" / "encoder.json").write_text('{"dimension": 2}')
    np.array([[1, 0], [0.9, 0.435], [0, 1]], np.float16).tofile(
        folder / "4_vectors" / "vectors.f16"
    )
    table = {"token": ["cc", "ab", "c"], "candidate": [2, 0, 1]}
    pl.DataFrame(table, schema_overrides={"candidate": pl.UInt32}).write_parquet(
        folder / "proposals.parquet"
    )
    return folder


def write_text(folder: Path, *lines: str) -> str:
    path = folder / "held.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def by_hand(tmp_path: Path) -> Comparison:
    """`abab` is 4 letters or 2 tokens, `ac b` is 4 of both."""
    plain = write_tokenizer(tmp_path, "plain.json", merged=False)
    merged = write_tokenizer(tmp_path, "merged.json", merged=True)
    return compare_tokenizers([plain, merged], [write_text(tmp_path, "abab", "ac b")], shape="gpt2")


# Figures by hand


def test_sizes_by_hand(by_hand: Comparison) -> None:
    plain, merged = by_hand.tokenizers
    assert by_hand.corpus["documents"] == 2
    assert (by_hand.corpus["bytes"], by_hand.corpus["words"]) == (8, 3)
    assert (plain["tokens"], merged["tokens"]) == (8, 6)
    assert merged["bytes_per_token"]["value"] == pytest.approx(8 / 6)
    assert merged["bytes_per_token"]["low"] is None  # of two documents there is no interval
    assert merged["ratio"]["value"] == pytest.approx(8 / 6)
    assert merged["tokens_per_document"] == {"mean": 3.0, "median": 3.0}
    assert merged["tokens_per_word"] == 2
    assert (by_hand.corpus["scenes"], merged["tokens_per_scene"]) == (2, 3)
    assert merged["ids_used"] == 5
    assert merged["lengths"][1:4] == [4, 2, 0]


def test_savings_by_hand(by_hand: Comparison) -> None:
    saved = by_hand.tokenizers[1]["savings"]
    assert (saved["tokens"], saved["share"]) == (2, 0.25)
    assert saved["attention"] == 2**2 + 4**2
    assert saved["attention_ratio"] == (2**2 + 4**2) / (4**2 + 4**2)
    assert saved["kv_bytes"] == 6 * 2 * 12 * 12 * 64 * 2
    assert saved["kv_bytes_per_document"] == 3 * 2 * 12 * 12 * 64 * 2
    assert SHAPES["llama-3-8b"].per_token == 131_072
    assert Shape(1, 1, 1, 1).per_token == 2


def test_entropies_by_hand(by_hand: Comparison) -> None:
    merged = by_hand.tokenizers[1]
    shares = [2 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6]
    bits = -sum(share * math.log2(share) for share in shares)
    renyi = math.log2(sum(share**2.5 for share in shares)) / (1 - 2.5)
    assert merged["bits_per_token"] == pytest.approx(bits)
    assert merged["bits_per_byte"] == pytest.approx(bits * 6 / 8)
    assert merged["renyi_efficiency"] == pytest.approx(renyi / math.log2(merged["vocabulary"]))


def test_renyi_efficiency_goes_from_0_to_1() -> None:
    assert measure_renyi(np.full(8, 3)) == pytest.approx(1)
    assert measure_renyi(np.array([3, 0, 0])) == 0
    assert measure_renyi(np.array([3])) == 0
    assert str(measure_entropy(np.array([3, 0]))) == "0.0"  # and not -0.0
    assert measure_renyi(np.zeros(4, np.int64)) == 0


def test_neighbours_by_hand(by_hand: Comparison) -> None:
    # ab-ab, a-c, c-space, space-b: four pairs, each a neighbour to the left and one to the right
    assert by_hand.tokenizers[1]["capacity"]["per_token"] == 2 * 4 / 5


def test_equal_tokenizers_save_nothing(tmp_path: Path) -> None:
    path = write_tokenizer(tmp_path, "one.json", merged=True)
    text = write_text(tmp_path, *("ab " * n + "c" for n in range(1, 60)))
    first, second = compare_tokenizers([path, path], [text]).tokenizers
    assert (first["name"], second["name"]) == ("one.json 1", "one.json 2")
    assert second["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert second["savings"]["tokens"] == 0
    assert second["savings"]["attention_ratio"] == 1
    assert second["savings"]["kv_bytes"] == first["savings"]["kv_bytes"]
    bounds = second["bytes_per_token"]
    assert bounds["low"] < bounds["value"] < bounds["high"]


def test_the_interval_is_that_of_blocks_drawn_anew() -> None:
    random = np.random.default_rng(1)
    tokens = random.integers(5, 50, 3000)
    sizes = 4 * tokens + random.integers(0, 40, 3000)
    found = measure_ratio(sizes, tokens)
    each = sizes / tokens.mean() - sizes.sum() / tokens.sum() * tokens / tokens.mean()
    width = 2 * 1.96 * each.std() / math.sqrt(3000)  # the delta method
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(width, rel=0.15)
    assert measure_ratio(3 * tokens, tokens).low == pytest.approx(
        3
    )  # the same draws above and below
    assert measure_ratio(sizes, tokens) == found


# Round trips


def test_losses_are_counted(tmp_path: Path) -> None:
    path = write_tokenizer(tmp_path, "plain.json", merged=False)
    entry = compare_tokenizers([path], [write_text(tmp_path, "ab", "aXb", "é")]).tokenizers[0]
    assert entry["round_trip"] == {"exact": 2, "canonical": 0, "lost": 1}
    assert entry["unknown"] == 1


def test_a_canonical_form_is_no_loss(tmp_path: Path) -> None:
    folder = write_units(tmp_path / "folded")
    spec = json.loads((folder / "tokenizer.json").read_text())
    spec["normalizer"] = {"type": "Lowercase"}
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    card = {"mode": "canonical", "profile": "words", "trainer": "hf-bpe"}
    (folder / "miner.json").write_text(json.dumps(card))
    entry = compare_tokenizers([folder], [write_text(tmp_path, "ab", "AB c", "a  b")]).tokenizers[0]
    assert entry["round_trip"] == {"exact": 2, "canonical": 1, "lost": 0}


def test_scenes_come_back_one_by_one(tmp_path: Path) -> None:
    folder = write_units(tmp_path / "folded")
    spec = json.loads((folder / "tokenizer.json").read_text())
    spec["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Lowercase"},
            {"type": "Strip", "strip_left": True, "strip_right": True},
        ],
    }
    spec["added_tokens"] = [
        {
            "id": place,
            "content": sign,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for place, sign in enumerate(("[SCN]", "[SEP]"), len(spec["model"]["vocab"]))
    ]
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    card = {"mode": "canonical", "profile": "words", "trainer": "hf-bpe"}
    (folder / "miner.json").write_text(json.dumps(card))
    text = write_text(tmp_path, "[SCN]AB c[SEP]ab", "A [SCN] b", "a", "[SCN]X[SEP]a")
    result = compare_tokenizers([folder], [text])
    entry = result.tokenizers[0]
    assert result.corpus["scenes"] == 2 + 2 + 1 + 2
    assert entry["tokens_per_scene"] == pytest.approx(entry["tokens"] / 7)
    assert entry["round_trip"] == {"exact": 1, "canonical": 2, "lost": 1}  # X is unknown


# Units


def find(texts: list[str], units: list[str], profile: str = "words") -> list[tuple[str, str]]:
    batch = make_batch(texts)
    places = UnitFinder(units, profile, "a list").find(batch)
    whole = "".join(texts)
    return [
        (units[unit], whole[start:end])
        for start, end, unit in zip(places.starts, places.ends, places.units, strict=True)
    ]


def test_units_are_found_wherever_they_stand() -> None:
    units = ["new york", "united states", "€", "straße"]
    assert find(["(New York) NEW  YORK", "\nnew york,", "anew york"], units) == [
        ("new york", "New York"),
        ("new york", "NEW  YORK"),
        ("new york", "new york"),
    ]
    assert find(["United States", "e\u0301 «STRASSE» €5"], units) == [
        ("united states", "United States"),
        ("straße", "STRASSE"),
        ("€", "€"),
    ]
    assert find(["new", "york"], units) == []


def test_the_longest_unit_that_starts_first_counts() -> None:
    assert find(["of the king of the sea"], ["of the", "the king of", "of the sea"]) == [
        ("of the", "of the"),
        ("of the sea", "of the sea"),
    ]


def test_units_whole_and_apart_by_hand(tmp_path: Path) -> None:
    plain = write_tokenizer(tmp_path, "plain.json", merged=False)
    units = write_units(tmp_path / "units")
    result = compare_tokenizers([plain, units], [write_text(tmp_path, "ab (ab) abc", "c ab")])
    assert result.units == {"source": "units", "count": 1, "places": 3}
    apart, whole = (entry["units"] for entry in result.tokenizers)
    assert apart == {"whole": 0, "inside": 0, "apart": 3, "share_whole": 0.0, "tokens_each": 2.0}
    assert whole == {"whole": 3, "inside": 0, "apart": 0, "share_whole": 1.0, "tokens_each": 1.0}
    # to the left: bracket, space; to the right: space, bracket; the ends of a document are none
    best = result.tokenizers[1]["capacity"]["best"]
    assert best == [{"unit": "ab", "count": 3, "contexts": 4, "near": None}]
    # abc uses the id too: 4 uses, each instead of two tokens; 11 letters and 4 of them, without
    assert result.tokenizers[1]["curve"] == [
        {"units": 0, "saved": 0, "share": 0.0},
        {"units": 1, "saved": 4, "share": 4 / 15},
    ]
    assert result.tokenizers[0]["curve"] == []


def test_a_unit_inside_a_longer_token_is_not_apart(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_units(tmp_path / "units"))
    finder = UnitFinder(["a"], "code", "a list")
    batch = make_batch(["a ab"])
    tally = Tally(tokenizer, 1)
    places = finder.find(batch)
    tally.add(batch, places)
    assert (len(places.units), tally.whole, tally.inside) == (1, 1, 0)


def test_a_run_says_what_lies_near(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    text = write_text(tmp_path, "ab c", "cc")
    result = compare_tokenizers([write_units(tmp_path / "units")], [text], run=run)
    assert result.units == {"source": str(run), "count": 3, "places": 3}
    capacity = result.tokenizers[0]["capacity"]
    assert {row["unit"]: row["near"] for row in capacity["best"]} == {"ab": 1, "c": 1}
    assert capacity["near"] == 1
    os.truncate(run / "4_vectors" / "vectors.f16", 4)
    with pytest.raises(RunError, match="cannot be read"):
        compare_tokenizers([tmp_path / "units"], [text], run=run)
    (run / "proposals.parquet").unlink()
    with pytest.raises(RunError, match="cannot be read"):
        compare_tokenizers([tmp_path / "units"], [text], run=run)


def test_a_run_without_candidates_has_units_and_nothing_near(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    os.truncate(run / "4_vectors" / "vectors.f16", 0)
    table = pl.DataFrame(
        {"token": ["ab"], "candidate": [None]}, schema_overrides={"candidate": pl.UInt32}
    )
    table.write_parquet(run / "proposals.parquet")
    text = write_text(tmp_path, "ab c")
    capacity = compare_tokenizers([write_units(tmp_path / "units")], [text], run=run)
    assert capacity.tokenizers[0]["capacity"]["near"] is None
    assert capacity.tokenizers[0]["capacity"]["units"] == 2


def test_a_tokenizer_that_lists_no_units_leaves_the_word_to_the_next(tmp_path: Path) -> None:
    empty, units = write_units(tmp_path / "empty"), write_units(tmp_path / "units")
    (empty / "units.jsonl").write_text("")
    text = write_text(tmp_path, "ab c")
    assert compare_tokenizers([empty, units], [text]).units == {
        "source": "units",
        "count": 1,
        "places": 1,
    }
    result = compare_tokenizers([empty], [text])
    assert result.units is None
    assert "units: none listed" in summarize_comparison(result)


def test_a_damaged_list_of_units_is_told_before_the_counting(tmp_path: Path) -> None:
    units = write_units(tmp_path / "units")
    (units / "units.jsonl").write_text("no JSON")
    told = Recorder()
    with pytest.raises(TokenizerError, match="no list of units"):
        compare_tokenizers([units], [write_text(tmp_path, "ab")], progress=told)
    assert told.notes == []


def test_numbers_are_gathered_as_one_union_gives_them() -> None:
    random = np.random.default_rng(1)
    arrays: list[np.ndarray] = []
    batches = [np.unique(random.integers(0, 5000, random.integers(0, 300))) for _ in range(200)]
    for batch in batches:
        gather(arrays, batch)
    assert join(arrays).tolist() == np.unique(np.concatenate(batches)).tolist()
    assert len(arrays) <= math.log2(5000)
    assert join([]).tolist() == []


# Texts


def test_a_text_in_many_batches_has_the_figures_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_tokenizer(tmp_path, "a.json", merged=True), write_units(tmp_path / "units")]
    text = write_text(tmp_path, *("ab (ab) " * n + "c b" for n in range(1, 40)))
    told = Recorder()
    once = compare_tokenizers(paths, [text])
    monkeypatch.setattr("miner.tokenizer.reading.loading.BATCH", 100)
    again = compare_tokenizers(paths, [text], progress=told)
    assert again.corpus == once.corpus and again.units == once.units
    drop = {"examples"}  # of the first batch
    for one, other in zip(once.tokenizers, again.tokenizers, strict=True):
        assert {k: v for k, v in one.items() if k not in drop} == {
            k: v for k, v in other.items() if k not in drop
        }
    assert told.notes[-1] == "counted: 100% of the text" and len(told.notes) <= 11


def test_names_tell_tokenizers_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    paths = [write_units(tmp_path / "one" / "bpe"), write_units(tmp_path / "two" / "bpe")]
    link = tmp_path / "linked"
    link.symlink_to(paths[0])
    stock = write_tokenizer(tmp_path / "one", "tokenizer.json", merged=True)
    named = [load_tokenizer(path) for path in (*paths, link, stock, stock)]
    assert name_tokenizers(named) == ["one/bpe", "two/bpe", "linked", "one 1", "one 2"]


def test_bytes_are_counted_for_every_character() -> None:
    batch = make_batch(["aé", "", "€😀"])
    assert batch.bytes.tolist() == [0, 1, 3, 6, 10]
    assert batch.sizes.tolist() == [3, 0, 7]
    assert make_batch(["\xff"], raw=True).sizes.tolist() == [1]


def test_pieces_join_back_and_lengths_add_up(tmp_path: Path) -> None:
    texts = ["ab é(c", "", "script"]
    model = load_tokenizer(write_sentencepiece(tmp_path))
    for tokenizer in (load_tokenizer(write_units(tmp_path / "units")), model):
        assert ["".join(cut) for cut in cut_texts(tokenizer, texts)] == texts
    batch = make_batch(["ab c", "c"])
    cut = cut_batch(load_tokenizer(tmp_path / "units"), batch)
    assert measure_lengths(batch, cut).tolist() == [2, 1, 1, 1]


def test_examples_are_of_a_readable_length() -> None:
    texts = ["short", *(f"{n:03d} " * 20 for n in range(9)), "long " * 99]
    assert choose_examples(texts) == [texts[1], texts[3], texts[6], texts[9]]
    assert choose_examples(["x" * 999]) == ["x" * 160]
    assert choose_examples([]) == []


def write_sentencepiece(folder: Path) -> Path:
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    lines = ["ab ab c", "c ab (ab) c", "script a b c é"] * 20
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=280,
        byte_fallback=True,
        model_type="bpe",
        minloglevel=2,
        hard_vocab_limit=False,
    )
    path = folder / "stock.model"
    path.write_bytes(model.getvalue())
    return path


def test_a_stock_sentencepiece_model_joins_in(tmp_path: Path) -> None:
    units, stock = write_units(tmp_path / "units"), write_sentencepiece(tmp_path)
    text = write_text(tmp_path, "ab (ab) c", "c ab")
    result = compare_tokenizers([units, stock], [text])
    entry = result.tokenizers[1]
    assert (entry["name"], entry["semantic"]) == ("stock.model", False)
    assert entry["round_trip"]["exact"] == 2
    assert entry["units"]["whole"] + entry["units"]["apart"] + entry["units"]["inside"] == 3
    assert entry["units"]["whole"] >= 2  # `▁ab`, the space in front belongs to it


# What is shown


class Reader(HTMLParser):
    """Checks that tags close in order, and keeps what could load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object", "base", "form"):
            self.loads.append(tag)
        self.loads += [
            name
            for name, value in attrs
            if name.startswith("on")
            or (name in ("href", "src", "xlink:href") and not str(value).startswith("#"))
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open and self.open.pop() == tag


@pytest.fixture
def hostile(tmp_path: Path) -> Comparison:
    """Markup in the text, in the name of a file, and a character that turns text around."""
    name = "<img src=x onerror=alert(1)>.json"
    paths = [write_tokenizer(tmp_path, name, merged=False), write_units(tmp_path / "units\u202e")]
    return compare_tokenizers(
        paths, [write_text(tmp_path, "<script>ab</script> ab", "\u202ea\x1b[31m ab")]
    )


def test_a_page_runs_and_loads_nothing(hostile: Comparison) -> None:
    page = make_page(hostile)
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [] and reader.loads == []
    assert "<script" not in page and "<img" not in page
    assert "&lt;" in page and "\u202e" not in page and "\x1b" not in page
    assert not re.search(r"https?:|url\((?!#)|@import", page)
    assert "default-src 'none'" in page and "prefers-color-scheme:dark" in page


def test_a_page_shows_all_pictures(tmp_path: Path) -> None:
    plain = write_tokenizer(tmp_path, "plain.json", merged=False)
    text = write_text(tmp_path, *("ab " * n + "c" for n in range(1, 60)))
    result = compare_tokenizers([plain, write_units(tmp_path / "units")], [text])
    page = make_page(result)
    assert page.count("<figure>") == 6  # four of bars, the savings, the lengths
    assert 'class="whisker"' in page and "fewer tokens than" in page
    assert page == make_page(result)


def test_an_empty_text_gives_an_empty_table_and_page(tmp_path: Path) -> None:
    units = write_units(tmp_path / "units")
    result = compare_tokenizers([units], [write_text(tmp_path, "", "")])
    assert "0 documents" in summarize_comparison(result)
    assert "0 documents" in make_page(result)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_table_fits_a_screen(tmp_path: Path, count: int) -> None:
    name = "a_tokenizer_with_a_name_that_is_much_too_long_for_a_column_of_a_table.json"
    path = write_tokenizer(tmp_path, name, merged=True)
    text = write_text(tmp_path, *["ab " * 30 + "\t\u202ec"] * 30)
    shown = summarize_comparison(compare_tokenizers([path] * count, [text])).split("\n")
    assert max(map(measure_width, shown[3:])) <= WIDTH
    assert all(character.isprintable() for line in shown for character in line)
    assert any(line.startswith("bytes per token") for line in shown)


def test_the_command(tmp_path: Path) -> None:
    plain = write_tokenizer(tmp_path, "plain.json", merged=False)
    units, text = write_units(tmp_path / "units"), write_text(tmp_path, "ab ab c", "abc")
    page = tmp_path / "page.html"
    asked = ["compare", str(plain), str(units), "--corpus", text]
    told = CliRunner().invoke(commands, [*asked, "--html", str(page)], catch_exceptions=False)
    assert told.exit_code == 0 and "tokens saved against the first" in told.stdout
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    found = CliRunner().invoke(
        commands, [*asked, "--json", "--shape", "gpt2"], catch_exceptions=False
    )
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    nowhere = CliRunner().invoke(commands, [*asked, "--html", str(tmp_path / "mine.html")])
    assert "bytes per token" in nowhere.stdout  # what was counted is not lost
    assert isinstance(nowhere.exception, RunError)
    record = json.loads(found.stdout)
    assert [entry["tokens"] for entry in record["tokenizers"]] == [10, 7]
    assert record["shape"]["bytes_per_token"] == 36_864


def test_the_command_offers_every_shape() -> None:
    from miner.commands import tokenizers

    assert set(tokenizers.SHAPES) == set(SHAPES)
