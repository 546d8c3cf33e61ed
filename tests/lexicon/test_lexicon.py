"""The lexicon: unit <-> text <-> vector, what a glued text is made of, and the map people fill."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import mine_texts
from watched import MinedDemo, call_command, watch_command

from miner.config import MineConfig
from miner.errors import ConfigError, RunError, UsageError
from miner.fields.layers import read_vectors, write_layer
from miner.lexicon import Lexicon
from miner.lexicon.decomposing import LONGEST_TEXT, cut_glued
from miner.lexicon.filling import FieldsConfig, fill_fields
from miner.lexicon.looking import look_up
from miner.lexicon.semiotic import make_map, read_map, write_map
from miner.lexicon.view import describe_lookup
from miner.pipeline import mine
from miner.runs.decisions import Log, name_log
from miner.tokenizer.training.training import TrainConfig, train_tokenizer
from miner.vectors.neighbors import unit_rows


@pytest.fixture(scope="module")
def lexicon(demo: MinedDemo) -> Lexicon:
    return Lexicon(demo.folder)


@pytest.fixture
def run(demo: MinedDemo, tmp_path: Path) -> Path:
    """A copy of the demo's run that may be changed."""
    return Path(shutil.copytree(demo.folder, tmp_path / "run"))


# Text <-> number <-> vector


@pytest.mark.parametrize("text", ["жар тишина", "ЖАР   тишина", " жАр тиШина\n", "жар▁тишина"])
def test_a_unit_is_found_by_its_forms(lexicon: Lexicon, text: str) -> None:
    rank = lexicon.find(text)
    assert rank is not None and list(lexicon.unit(rank)["atoms"]) == ["жар", "тишина"]
    glued = lexicon.find("жарТишина")
    assert glued is not None and "".join(lexicon.unit(glued)["atoms"]) == "жартишина"
    assert lexicon.find("тишина жар тишина") is None


def test_every_unit_is_found_by_what_it_is_called(lexicon: Lexicon) -> None:
    for row in lexicon.units.iter_rows(named=True):
        assert lexicon.find(row["token"]) == row["rank"]
        assert lexicon.find(row["glued"]) is not None


def test_the_nearest_are_those_of_brute_force(lexicon: Lexicon) -> None:
    rows = lexicon.vectors
    for rank in (1, 7, 100, 500):
        cosines = rows @ rows[rank - 1]
        cosines[rank - 1] = -2
        found = lexicon.near(rank, 5)
        assert found["cosine"].to_list() == pytest.approx(sorted(cosines)[::-1][:5], abs=1e-5)
        assert rank not in found["rank"].to_list()
        assert lexicon.near(lexicon.unit(rank)["token"], 5).equals(found)


def test_a_vector_leads_back_to_its_unit(lexicon: Lexicon) -> None:
    for rank in (3, 30, 300):
        found = lexicon.near(lexicon.vectors[rank - 1], 3)
        assert found["cosine"][0] == pytest.approx(1, abs=1e-4)
        same = lexicon.vectors[found["rank"][0] - 1]
        assert np.allclose(same, lexicon.vectors[rank - 1], atol=2e-2)


def test_ids_of_a_tokenizer_lead_both_ways(
    demo: MinedDemo, tmp_path: Path, lexicon: Lexicon
) -> None:
    train_tokenizer(TrainConfig(demo.folder, (), vocab_size=2048), tmp_path / "tok")
    known = Lexicon(demo.folder, tokenizer=tmp_path / "tok")
    ids = known.ids(1)
    assert ids and known.by_id(ids[0][0]) == 1
    found = look_up(known, str(ids[0][0]), by="id")
    assert found["rank"] == 1 and found["ids"][0]["id"] == ids[0][0]
    assert lexicon.ids(1) == [] and lexicon.by_id(1) == 1 and lexicon.by_id(0) is None
    with pytest.raises(UsageError, match="no unit has the id"):
        look_up(known, "0", by="id")
    with pytest.raises(UsageError, match="no id"):
        look_up(known, "x", by="id")


def test_a_unit_is_built_by_its_merges(lexicon: Lexicon) -> None:
    longest = lexicon.units.sort(pl.col("atoms").list.len(), descending=True)["rank"][0]
    unit = lexicon.unit(longest)
    steps = lexicon.build(longest)
    assert (steps[-1][0] + steps[-1][1]).strip() == unit["token"]


# Decompose


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("входтишинажар", ["вход", "тишина", "жар"]),
        ("ВходТишинаЖар", ["вход", "тишина", "жар"]),
        ("тишинавход", ["тишина", "вход"]),
        ("порогдержит", ["порог", "держит"]),
        ("тишина", ["тишина"]),
        ("тишина порогвход", ["тишина", "порог", "вход"]),
    ],
)
def test_a_glued_text_is_taken_apart(lexicon: Lexicon, text: str, parts: list[str]) -> None:
    made = lexicon.decompose(text)
    assert list(made.parts) == parts and all(made.known)
    assert made.certainty > 0.5


def test_what_nobody_knows_is_told_so(lexicon: Lexicon) -> None:
    made = lexicon.decompose("ъъщщъъщщ")
    assert made.by == "nothing" and not any(made.known)
    half = lexicon.decompose("тишинаъщъщъ")
    assert half.parts[0] == "тишина" and half.known[0] and not all(half.known)
    assert half.certainty < lexicon.decompose("тишинавход").certainty


def test_the_certainties_of_all_cuts_are_one() -> None:
    """Of `abab` into a, b, ab and unknown pieces: counted by hand, all ways and no more."""
    atoms, candidates = mine_texts(["a b ab a b", "ab a b b"], min_count=1)
    from miner.lexicon import decomposing

    kept = decomposing.RIVALS
    decomposing.RIVALS = 1000
    try:
        cuts = cut_glued("abab", atoms, candidates)
    finally:
        decomposing.RIVALS = kept
    assert len(cuts) == 2**3
    assert sum(cut.certainty for cut in cuts) == pytest.approx(1)
    assert len({cut.parts for cut in cuts}) == len(cuts)
    assert [cut.certainty for cut in cuts] == sorted((cut.certainty for cut in cuts), reverse=True)


def test_pairs_of_the_corpus_decide() -> None:
    """`nowhere`: `now here` and `no where` are as frequent word by word; the pair tells."""
    lines = ["now here"] * 30 + ["no fun"] * 30 + ["fun where"] * 30
    atoms, candidates = mine_texts(lines, min_count=2)
    assert cut_glued("nowhere", atoms, candidates)[0].parts == ("now", "here")
    lines = ["no where"] * 30 + ["now fun"] * 30 + ["fun here"] * 30
    atoms, candidates = mine_texts(lines, min_count=2)
    assert cut_glued("nowhere", atoms, candidates)[0].parts == ("no", "where")


@pytest.mark.parametrize("text", ["", "   ", "x" * (LONGEST_TEXT + 1), "\n"])
def test_what_cannot_be_taken_apart(lexicon: Lexicon, text: str) -> None:
    with pytest.raises(UsageError):
        lexicon.decompose(text)


def test_runs_of_held_back_text_come_back(lexicon: Lexicon) -> None:
    """Two to four words of the demo's held-back lines, glued: nine in ten at least."""
    atoms = lexicon.run.atoms
    texts, ids = atoms.table["text"].to_list(), np.asarray(atoms.held.ids)
    known, dice = set(texts), random.Random(0)
    right = sure = asked = 0
    while asked < 100:
        start = dice.randrange(1, len(ids) - 10)
        keys = ids[start : start + dice.choice([2, 3, 4])]
        words = [texts[(int(key) >> 1) - 1] for key in keys if key]
        glued = "".join(words)
        if len(words) < len(keys) or not glued.isalpha() or glued in known:
            continue
        asked += 1
        cut = cut_glued(glued, atoms, lexicon.run.candidates)[0]
        right += list(cut.parts) == words
        sure += cut.certainty
    assert right >= 90 and abs(right - sure) < 10, (right, sure)


@pytest.mark.slow
@pytest.mark.parametrize(("corpus", "least"), [("en_novels", 0.97), ("ru_prose", 0.95)])
def test_runs_of_real_text_come_back(
    shared: Path, tmp_path: Path, corpus: str, least: float
) -> None:
    source = shared / "corpora" / f"{corpus}.txt.gz"
    mine(MineConfig(corpus=(str(source),)), tmp_path / "run")
    atoms = Lexicon(tmp_path / "run").run.atoms
    candidates = Lexicon(tmp_path / "run").run.candidates
    texts, ids = atoms.table["text"].to_list(), np.asarray(atoms.held.ids)
    known, dice, right, asked = set(texts), random.Random(1), 0, 0
    while asked < 200:
        start = dice.randrange(1, len(ids) - 10)
        keys = ids[start : start + dice.choice([2, 3, 4])]
        words = [texts[(int(key) >> 1) - 1] for key in keys if key]
        glued = "".join(words)
        if len(words) < len(keys) or not all(map(str.isalpha, words)) or glued in known:
            continue
        asked += 1
        right += list(cut_glued(glued, atoms, candidates)[0].parts) == words
    assert right / asked >= least


# Addresses


def test_an_address_leads_to_its_units(lexicon: Lexicon) -> None:
    addresses = lexicon.field(10)["address"]
    assert 10 in lexicon.in_region(addresses)["rank"].to_list()
    sizes = [lexicon.in_region(addresses[:length]).height for length in (1, 2, 3, 6, 11)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] >= 1
    assert 10 in lexicon.near_address(addresses, 10)["rank"].to_list()
    for text in ("нет", "VXSZZ", ""):
        with pytest.raises(UsageError, match="no address"):
            lexicon.near_address(text)


# Decisions


def test_the_lexicon_is_what_reviewers_want(run: Path) -> None:
    before = Lexicon(run)
    gone = before.unit(5)
    log = Log(name_log(run, "anna"))
    log.set([(gone["token"], tuple(gone["atoms"]))], {"verdict": "reject"})
    log.set([("тишина вход", ("тишина", "вход"))], {"verdict": "accept"})
    log.set([(before.unit(6)["token"], tuple(before.unit(6)["atoms"]))], {"label": "open"})
    after = Lexicon(run)
    assert after.find(gone["token"]) is None
    rank = after.find("тишина вход")
    assert rank is not None and after.vectors[rank - 1].any()
    assert after.field(rank)["address"] and after.field(rank)["contexts"] == []
    labelled = after.find(before.unit(6)["token"])
    assert labelled is not None and after.field(labelled)["label"] == "open"
    assert np.allclose(unit_rows(after.vectors), after.vectors, atol=1e-5)


# The semiotic map


def test_the_map_is_filled_and_read_back(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.tsv"
    lexicon = Lexicon(run)
    assert write_map(lexicon, out) == len(lexicon)
    table = pl.read_csv(out, separator="\t", infer_schema=False)
    assert table.columns[:3] == ["token", "meaning", "operation"]
    chosen = table["token"][:3].to_list()
    said = {chosen[0]: ("a sign of heat", "open"), chosen[1]: (None, "close")}
    filled = table.with_columns(
        meaning=pl.Series([said.get(token, (None, None))[0] for token in table["token"]]),
        operation=pl.Series([said.get(token, (None, None))[1] for token in table["token"]]),
    )
    more = filled.head(1).with_columns(token=pl.lit("nowhere"))
    filled.vstack(more).write_csv(out, separator="\t")
    told = read_map(lexicon, out, reviewer="anna")
    assert (told.operations, told.meanings, told.unknown) == (2, 1, ("nowhere",))
    again = make_map(Lexicon(run))
    assert again.filter(token=chosen[0]).select("meaning", "operation").rows() == [
        ("a sign of heat", "open")
    ]
    assert again.filter(token=chosen[1])["operation"].to_list() == ["close"]
    assert again["operation"].null_count() == again.height - 2
    assert read_map(Lexicon(run), out, reviewer="anna").operations == 0, "nothing has changed"
    Log(name_log(run, "anna")).undo()
    assert make_map(Lexicon(run))["operation"].null_count() == again.height - 1


@pytest.mark.parametrize("content", ["token\tother\nx\ty\n", "word\toperation\nx\ty\n"])
def test_a_map_that_is_none(run: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "map.tsv").write_text(content)
    with pytest.raises(ConfigError):
        read_map(Lexicon(run), tmp_path / "map.tsv", reviewer="anna")


def test_an_operation_that_is_too_long_changes_nothing(run: Path, tmp_path: Path) -> None:
    lexicon = Lexicon(run)
    tokens = lexicon.units["token"].head(2).to_list()
    (tmp_path / "map.tsv").write_text(
        f"token\toperation\n{tokens[0]}\topen\n{tokens[1]}\t{'x' * 5000}\n"
    )
    with pytest.raises(ConfigError, match="no operation"):
        read_map(lexicon, tmp_path / "map.tsv", reviewer="anna")
    assert not (run / "decisions").exists()


# Layers


def attach(run: Path, tmp_path: Path, rows: list[dict[str, object]], encoder: str | None) -> None:
    file = tmp_path / "photos.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    write_layer(run, read_vectors("photo", file, encoder=encoder))


def test_pictures_in_the_space_of_the_run_are_found_by_text(run: Path, tmp_path: Path) -> None:
    """A picture of which a multimodal encoder says nearly what it says of a text."""
    lexicon = Lexicon(run)
    noise = np.random.default_rng(0).standard_normal(lexicon.vectors.shape[1]) * 0.02
    rows = [
        {"item": f"{rank}.jpg", "vector": (lexicon.vectors[rank - 1] + noise).tolist()}
        for rank in (2, 20, 200)
    ]
    attach(run, tmp_path, rows, "run")
    with_photos = Lexicon(run)
    for rank in (2, 20, 200):
        found = with_photos.search_layer("photo", with_photos.unit(rank)["token"], 1)
        assert found["item"].to_list() == [f"{rank}.jpg"] and found["score"][0] > 0.95


def test_pictures_of_another_space_are_found_by_their_units(run: Path, tmp_path: Path) -> None:
    lexicon = Lexicon(run)
    near = lexicon.near(20, 1)["rank"][0]
    far = int(np.argmin(lexicon.vectors @ lexicon.vectors[19])) + 1
    rows: list[dict[str, object]] = [
        {"token": lexicon.unit(20)["token"], "item": "own.jpg", "vector": [1, 0, 0]},
        {"token": lexicon.unit(far)["token"], "item": "far.jpg", "vector": [0, 0, 1]},
        {"item": "alike.jpg", "vector": [0.9, 0.1, 0]},
    ]
    attach(run, tmp_path, rows, None)
    found = Lexicon(run).search_layer("photo", lexicon.unit(near)["token"], 3)
    assert found["item"].to_list() == ["own.jpg", "alike.jpg", "far.jpg"]
    assert found["score"][0] == pytest.approx(lexicon.near(20, 1)["cosine"][0], abs=1e-3)


def test_layers_that_cannot_be_searched(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no layer of vectors"):
        Lexicon(run).search_layer("photo", "жар")
    attach(run, tmp_path, [{"item": "a", "vector": [1, 2]}], "run")
    with pytest.raises(UsageError, match="2"):
        Lexicon(run).search_layer("photo", "жар")
    attach(run, tmp_path, [{"item": "a", "vector": [1, 2]}], None)
    assert Lexicon(run).search_layer("photo", "жар")["score"].to_list() == [0.0]


# Commands


def test_lookup_prints_and_tells_programs(demo: MinedDemo, tmp_path: Path) -> None:
    told = watch_command(tmp_path / "told", "lookup", str(demo.folder), "жар тишина")
    assert told.code == 0, told.err
    for word in ("made of    жар | тишина", "address", "facets", "structure", "Typical", "Nearest"):
        assert word in told.out
    assert "torch" not in told.modules and not told.touched
    told = call_command("lookup", str(demo.folder), "входтишинажар", "--json", "--near", "3")
    found = json.loads(told.out)
    assert found["made_of"]["parts"] == ["вход", "тишина", "жар"] and len(found["nearest"]) == 3
    address = found["field"]["address"]
    told = call_command("lookup", str(demo.folder), address[:6])
    assert told.code == 0 and "an address" in told.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["lookup", "RUN", "x", "--layer", "photo"], 2),
        (["lookup", "RUN", "999999", "--as", "id"], 2),
        (["lookup", "RUN", ""], 2),
        (["lookup", "nowhere", "x"], 3),
        (["lookup", "RUN", "x", "--tokenizer", "nowhere"], 3),
        (["fields", "RUN", "--attach", "photo"], 2),
        (["fields", "RUN", "--encoder", "run"], 2),
        (["fields", "RUN", "--drop", "photo"], 2),
        (["fields", "RUN", "--facets", "nowhere.toml"], 3),
        (["fields", "RUN", "--layers", "nowhere.tsv"], 3),
        (["export", "RUN", "--format", "map", "--out", "map.txt"], 2),
    ],
)
def test_wrong_use_is_one_line(demo: MinedDemo, arguments: list[str], code: int) -> None:
    filled = [str(demo.folder) if part == "RUN" else part for part in arguments]
    told = call_command(*filled)
    assert told.code == code, (told.out, told.err)
    assert told.err.startswith("error: ") and told.err.count("\n") == 1


def test_fields_are_filled_by_command(run: Path, tmp_path: Path) -> None:
    (tmp_path / "senses.tsv").write_text("token\tsmell\nжар тишина\tдым\nнет\tx\n")
    told = fill_fields(FieldsConfig(run, layers=[tmp_path / "senses.tsv"]))
    assert "layer smell: 2 values, 1 of 2 tokens are units" in told
    assert "mean cosine" in told and "facet logic, by" in told
    shown = describe_lookup(look_up(Lexicon(run), "жар тишина"))
    assert "smell      дым" in shown


def test_nothing_of_a_stranger_acts_on_a_terminal(tmp_path: Path) -> None:
    bad = "evil \u202egnp.exe\x1b[31m"
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join([f"{bad} word one", "plain word one"] * 40), encoding="utf-8")
    mine(MineConfig(corpus=(str(corpus),)), tmp_path / "run")
    lexicon = Lexicon(tmp_path / "run")
    (tmp_path / "senses.jsonl").write_text(
        json.dumps({"token": "word one", "smell": "\x1b]0;x\x07\u202e"})
    )
    fill_fields(FieldsConfig(tmp_path / "run", layers=[tmp_path / "senses.jsonl"]))
    for text in (bad, "word one", "evil", "\x1b[31m!"):
        shown = describe_lookup(look_up(Lexicon(tmp_path / "run"), text))
        assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown
    assert len(lexicon)


def test_a_run_of_an_earlier_version_names_the_cure(run: Path) -> None:
    shutil.rmtree(run / "7_fields")
    with pytest.raises(RunError, match="miner fields"):
        Lexicon(run)
    told = call_command("fields", str(run))
    assert told.code == 0, told.err
    assert len(Lexicon(run))


@pytest.mark.parametrize(
    "texts",
    [
        ["bytes \x00\x01\x02 of them"] * 9,
        ["春眠不觉晓 处处闻啼鸟"] * 9,
        ['{"a": [1, 2], "b": null}'] * 9,
        ["🙂🙂👩‍👩‍👧 🙂🙂👩‍👩‍👧"] * 9,
    ],
)
def test_any_text_has_a_lexicon(tmp_path: Path, texts: list[str]) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(texts), encoding="utf-8")
    mine(MineConfig(corpus=(str(corpus),)), tmp_path / "run")
    lexicon = Lexicon(tmp_path / "run")
    for rank in range(1, len(lexicon) + 1):
        found = look_up(lexicon, lexicon.unit(rank)["token"])
        assert found["rank"] == rank and json.dumps(found) and describe_lookup(found)
    assert describe_lookup(look_up(lexicon, texts[0]))


def test_bytes_have_a_lexicon(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\x7fELF\x02\x01\x01\x00abcd" * 50)
    mine(MineConfig(corpus=(str(tmp_path / "a.bin"),)), tmp_path / "run")
    lexicon = Lexicon(tmp_path / "run")
    token = lexicon.unit(1)["token"]
    found = look_up(lexicon, token)
    assert found["rank"] == 1 and describe_lookup(found)
    assert look_up(lexicon, "<0x7F><0x45>")["made_of"]["parts"]
