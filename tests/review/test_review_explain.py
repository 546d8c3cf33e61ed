"""A run to reasons: every number is what the corpus says, and every «would» is what would be."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from watched import DEMO, MinedDemo, call_command, watch_command

from miner.config import MineConfig
from miner.mining.scores import log_likelihood
from miner.mining.segmentation import count_pieces, cut_stream
from miner.mining.settling import STEEPNESS, Verdict, raise_bids
from miner.mining.unithood import LEAST_SCORE
from miner.mining.vocabulary import join_pieces, read_merges, split_unit
from miner.pipeline import mine
from miner.report.screen import is_invisible, measure_width
from miner.review.absent import explain_absent
from miner.review.explain_view import WIDTH, describe
from miner.review.explainer import Explainer
from miner.review.reasons import explain
from miner.review.words import tell_share, tell_shortly
from miner.runs.decisions import Log, name_log
from miner.runs.finished import open_finished

KEPT = pl.col("verdict") == "kept"


def open_mined(folder: Path, texts: Sequence[str] | Path, **settings: Any) -> Explainer:
    """Mine documents, a JSON line each, or a file; return the run as it can be asked."""
    corpus = texts if isinstance(texts, Path) else folder / "corpus.jsonl"
    if not isinstance(texts, Path):
        lines = [json.dumps({"text": text}) for text in texts]
        corpus.write_text("\n".join(lines), encoding="utf-8")
    mine(MineConfig(corpus=(str(corpus),), **settings), folder / "run")
    return Explainer(open_finished(folder / "run"))


@pytest.fixture(scope="module")
def known(demo: MinedDemo) -> Explainer:
    """The demo corpus, mined for meaning."""
    return Explainer(open_finished(demo.folder))


@pytest.fixture(scope="module")
def saving(tmp_path_factory: pytest.TempPathFactory) -> Explainer:
    """The demo corpus, mined for savings."""
    folder = tmp_path_factory.mktemp("saving")
    return open_mined(folder, DEMO, objective="compression", vocab_size=300)


PLACES = ["harbour", "museum", "library", "station", "market", "stadium", "airport", "theatre"]
VERBS = ["opened", "closed", "burned", "moved", "slept"]
BEFORE = ["of", "in", "near", "beyond"]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Explainer:
    """40 documents, too few to hold any back: `new york` in each, `grand canal` in 5 of them."""
    texts = [
        f"The {place} {BEFORE[(i + j) % 4]} New York {verb}." + (" Grand  Canal!" if not i else "")
        for i, place in enumerate(PLACES)
        for j, verb in enumerate(VERBS)
    ]
    return open_mined(tmp_path_factory.mktemp("city"), texts)


def ask(explainer: Explainer, text: str) -> dict[str, Any]:
    """Explain what must be a proposal."""
    row = explainer.find(text)
    assert row is not None, text
    return explain(explainer, row)


def first(explainer: Explainer, verdict: str) -> int:
    """Return the best-scored run of several atoms with a verdict."""
    runs = explainer.table.filter(
        (pl.col("verdict") == verdict) & pl.col("candidate").is_not_null()
    )
    return int(runs["row"][0])


def read_number(pattern: str, text: str) -> int:
    """Return the number that a pattern finds in a sentence."""
    match = re.search(pattern, text)
    assert match, text
    return int(match[1].replace(",", ""))


# Who is who


def test_the_table_is_the_proposals_with_rank_and_family(known: Explainer) -> None:
    table, run = known.table, known.run
    assert table.drop("rank", "family").equals(run.proposals)
    assert table["row"].to_list() == list(range(table.height))
    assert table.filter(pl.col("rank").is_not_null()).equals(table.filter(KEPT))
    ranked = table.filter(KEPT).sort("rank")
    assert ranked["token"].to_list() == run.units.sort("rank")["token"].to_list()
    heads = dict(run.units.select("rank", "token").iter_rows())
    families = dict(run.units.select("token", "family").iter_rows())
    for token, family in ranked.select("token", "family").drop_nulls().iter_rows():
        assert family == heads[families[token]]
    sizes = ranked["family"].drop_nulls().value_counts()["count"]
    assert sizes.len() > 0 and 1 not in sizes


def test_a_unit_is_told_by_its_form_and_its_atoms(known: Explainer) -> None:
    row = known.find("Имя  приходит после огня ")
    assert row is not None
    assert known.unit(row) == ("имя приходит после огня", ("имя", "приходит", "после", "огня"))
    assert len(known.keys(row)) == 4
    rows = [row, 0, known.table.height - 1]
    units = known.list_units(rows)
    assert units == [known.unit(number) for number in rows]
    absent = [("нет такого", ("нет", "такого")), (units[0][0], ("имя",))]
    assert known.find_rows([*units, *absent]) == dict(zip(units, rows, strict=True))
    with pytest.raises(ValueError, match="0 to"):
        explain(known, known.table.height)


def test_two_units_of_one_form_are_told_by_their_atoms(tmp_path: Path) -> None:
    """`ab` cut by a pattern into `a` and `b`, and `ab` as a word."""
    texts = [f"xy{i}" for i in range(4)] * 4 + ["left hand right hand"] * 6
    explainer = open_mined(tmp_path, texts, patterns={"x": "x", "y": "y"})
    units = explainer.list_units(range(explainer.table.height))
    assert len(set(units)) == len(units)
    assert explainer.find_rows(units) == {unit: i for i, unit in enumerate(units)}


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("Δ41", "Δ41"),
        ("ЖАРтишина", "жартишина"),
        ("жар\n тишина", "жар тишина"),
        ("имя▁приходит▁после▁огня", "имя приходит после огня"),
        ("имяприходитпослеогня", "имя приходит после огня"),
        ("«жар тишина».", "жар тишина"),
        ("VXS_ΔC1:R8K", "VXS_ΔC1:R8K"),
    ],
)
def test_a_text_is_found_in_any_of_its_forms(known: Explainer, text: str, token: str) -> None:
    row = known.find(text)
    assert row is not None and known.table["token"][row] == token


# What was counted


def test_numbers_are_what_the_corpus_says(city: Explainer) -> None:
    found = ask(city, "New York")
    assert (found["count"], found["documents"], found["verdict"]) == (40, 40, "kept")
    assert found["surface"] == "New York" and found["exact"]
    assert len(found["contexts"]) == 10
    assert {context["unit"] for context in found["contexts"]} == {"New York"}
    evidence = {entry["name"]: entry for entry in found["evidence"]}
    # two words of 40 places each, among 40 * 6 + 5 * 2 = 250 words: 40 * 40 / 250 = 6.4
    assert evidence["association"]["value"] == pytest.approx(40 / 6.4, rel=1e-4)
    assert re.search("6.[23] times as often", evidence["association"]["text"])
    assert "40 times where chance gives 6.4" in evidence["association"]["text"]
    assert evidence["freedom"]["value"] == pytest.approx(5)
    assert "as if 5.0 different things follow" in evidence["freedom"]["text"]
    assert evidence["freedom before"]["value"] == pytest.approx(4, rel=0.01)
    assert evidence["documents"]["text"] == "it stands in 40 documents"
    assert evidence["nestedness"]["text"].startswith("10 of 40 places lie inside one longer run")
    canal = ask(city, "grand canal")
    assert canal["count"] == 5 and {c["unit"] for c in canal["contexts"]} == {"Grand  Canal"}


def test_better_than_is_the_share_of_runs_below(known: Explainer) -> None:
    row = first(known, "kept")
    runs = known.table.filter(pl.col("candidate").is_not_null())
    evidence = {entry["name"]: entry for entry in explain(known, row)["evidence"]}
    for name, column in (("log-likelihood", "log_likelihood"), ("documents", "documents")):
        below = runs.filter(pl.col(column) < known.table[column][row]).height / runs.height
        assert evidence[name]["better_than"] == pytest.approx(below, rel=1e-4)
    more = runs.filter(pl.col("dispersion") > known.table["dispersion"][row]).height / runs.height
    assert evidence["dispersion"]["better_than"] == pytest.approx(more, rel=1e-4)


def test_what_lies_inside_and_around(known: Explainer) -> None:
    found = ask(known, "имя приходит после огня")
    assert {entry["token"] for entry in found["contains"]} == {
        "имя приходит",
        "приходит после",
        "после огня",
        "имя приходит после",
        "приходит после огня",
    }
    assert found["contained_in"]
    for entry in found["contained_in"]:
        inner = explain(known, entry["row"])["contains"]
        rows = known.list_inner(entry["row"])
        assert found["token"] in entry["token"] and found["row"] in rows and inner
    atom = ask(known, "Δ41")
    around = set(known.list_outer(atom["row"]).tolist())
    units = known.list_units(range(known.table.height))
    assert around == {i for i, (_, atoms) in enumerate(units) if "Δ41" in atoms and len(atoms) > 1}
    counts = [(entry["verdict"] != "kept", -entry["count"]) for entry in atom["contained_in"]]
    assert counts == sorted(counts) and len(counts) == 12


def test_neighbors_are_those_of_every_vector(known: Explainer) -> None:
    row = first(known, "kept")
    rows = [i for i in range(known.table.height) if i != row and known.candidate_of[i] >= 0]
    vectors = np.asarray(known.run.vectors, np.float64)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors[known.candidate_of[rows]] @ vectors[known.candidate_of[row]]
    best = np.sort(cosines)[::-1][:8]
    found = known.list_neighbors(row)
    assert [entry["cosine"] for entry in found] == pytest.approx(best.tolist(), abs=1e-4)
    assert row not in [entry["row"] for entry in found]


# Who owns what


def test_owners_are_those_of_the_cut_of_the_corpus(known: Explainer) -> None:
    """The share of a kept unit in its own places is its settled count, to the place."""
    table = known.table
    for row in known.kept_runs[::4].tolist():
        places = known.sample_places(known.keys(row))
        assert places.total == table["count"][row]
        owners = known.list_owners(row, places)
        assert sum(entry["share"] for entry in owners) <= 1 + 1e-9
        mine = sum(entry["share"] for entry in owners if entry["row"] == row)
        if places.total <= 200:
            assert round(mine * places.total) == table["unit_count"][row], table["token"][row]
            assert known.let_in(row, places) == table["unit_count"][row]


def test_an_atom_owns_what_no_longer_unit_takes(known: Explainer) -> None:
    found = ask(known, "Δ41")
    shares = {entry["token"]: entry["share"] for entry in found["owners"]}
    assert sum(shares.values()) == pytest.approx(1) and 0 < shares["Δ41"] < 1
    arrow = known.table.filter(pl.col("token") == "→ Δ41").row(0, named=True)
    assert shares["→ Δ41"] * found["count"] == pytest.approx(arrow["unit_count"])


def test_merges_join_the_atoms_to_the_unit(known: Explainer) -> None:
    listed = {tuple(row) for row in read_merges(known.run.folder / "merges.tsv").iter_rows()}
    for row in known.kept_runs[::50].tolist():
        found = explain(known, row)
        assert found["pieces"] == [found["token"]] == [found["merges"][-1][2]]
        assert len(found["merges"]) == len(found["atoms"]) - 1
        assert {tuple(step) for step in found["merges"]} <= listed


def test_what_is_built_on_a_unit_falls_apart_without_it(known: Explainer) -> None:
    assert known.built_on
    ranks = known._ranks
    for piece, rows in list(known.built_on.items())[:20]:
        token = known.table["token"][piece]
        without = {pair: rank for pair, rank in ranks.items() if "".join(pair) != token}
        for row in rows:
            assert len(join_pieces(split_unit(*known.unit(row)), without)) > 1
    piece, rows = next(iter(known.built_on.items()))
    assert explain(known, piece)["built_on"] == known.table["token"].gather(rows).to_list()


# What would change it


def test_kept(known: Explainer, city: Explainer) -> None:
    row = known.find("имя приходит после огня")
    assert row is not None
    changes = explain(known, row)["changes"]
    assert "It occurs 38 times: --min-count 39 " in changes[0]
    assert f"--vocab-size {known.table['order'][row] - 1} " in changes[1]
    assert "--vocab-size" not in explain(city, 0)["changes"][1].replace("no --vocab-size", "")
    runs = KEPT & pl.col("candidate").is_not_null()
    partly = known.table.filter(runs & (pl.col("unit_count") < pl.col("count")))
    told = explain(known, int(partly["row"][0]))["changes"][0]
    assert read_number(r"--min-count ([\d,]+) would", told) == partly["unit_count"][0] + 1
    assert read_number(r", ([\d,]+) in any case", told) == partly["count"][0] + 1


def test_weak(known: Explainer) -> None:
    """What is missing is told, and which lists such runs are in."""
    weak = known.table.filter(pl.col("verdict") == "weak")["row"]
    assert len(weak) > 900
    for row in weak[::900].to_list():
        about = known.table.row(row, named=True)
        changes = explain(known, row)["changes"]
        assert about["score"] < LEAST_SCORE
        assert f"{about['score']:.3f}; from {LEAST_SCORE:.3f}" in changes[0]
        assert f"misses {LEAST_SCORE - about['score']:.3f}" in changes[0]
        assert f"{tell_share(about['terms'])} of such runs are key terms" in changes[1]
        assert f"{tell_share(about['phrases'])} of such runs stand in a dictionary" in changes[1]


def test_chance(known: Explainer) -> None:
    """So many times the corpus, and the log-likelihood is sure; one occurrence less is not."""
    row = first(known, "chance")
    about = known.table.row(row, named=True)
    assert about["log_likelihood"] > 0
    needed = read_number(r"about ([\d,]+) occurrences", explain(known, row)["changes"][0])
    total = float(known.run.manifest.atoms)
    chance = about["count"] / 2 ** about["pmi"] * total
    left = 2 * about["count"] / about["dice"] / 2
    root = np.sqrt(max(left * left - chance, 0.0))  # left + right = 2 * left, left * right = chance
    cells = np.array([about["count"], left - root, left + root, total])
    assert log_likelihood(*cells[:3], total=cells[3]) == pytest.approx(about["log_likelihood"])
    for count, sure in ((needed, True), (needed - 1, False)):
        together, one, other, atoms = cells * count / about["count"]
        assert (log_likelihood(together, one, other, total=atoms) >= known.sure) is np.bool_(sure)


def test_fragment(known: Explainer) -> None:
    found = ask(known, "приходит после огня")
    assert found["verdict"] == "fragment"
    rival = "«имя приходит после огня»"
    assert found["headline"] == f"Refused: 38 of its 38 places lie inside {rival}."
    assert found["changes"][0].startswith(f"100% of its places lie inside {rival}")
    assert "own 38 of its 38 places: enough" in found["changes"][1]
    assert found["owners"] == [
        {"row": known.find(rival), "token": "имя приходит после огня", "share": 1.0}
    ]


def cut_without(explainer: Explainer, row: int, rival: int | None) -> int:
    """Return what a run owns if the whole corpus is cut with it, and without a rival."""
    candidates, table = explainer.run.candidates, explainer.table
    units, worth = explainer.values > 0, np.zeros(len(explainer.values))
    candidate = explainer.candidate_of[row]
    units[candidate] = True
    if rival is not None:
        units[explainer.candidate_of[rival]] = False
    worth[units] = table["bid"].to_numpy()[explainer.row_of[units]]
    joints = candidates.table["length"].to_numpy() - 1.0
    bids = raise_bids(candidates, worth, units, min_count=explainer.min_count)
    values = np.where(units, joints * np.exp(STEEPNESS * bids), 0)
    return int(cut_stream(explainer.run.atoms.mined, candidates, values)[candidate])


def test_outbid(known: Explainer) -> None:
    """What is said that it would own is what it owns in a cut of the whole corpus."""
    seen = 0
    for row in known.table.filter(pl.col("verdict") == "outbid")["row"][::14].to_list():
        found = explain(known, row)
        for told in found["changes"]:
            rival = re.search(r"Without «(.*)», were that rejected", told)
            own = re.search(r"it would own ([\d,]+) of its", told)
            if own and found["count"] <= 200 and known.table["length"][row] == 2:
                other = known.find(rival[1]) if rival else None
                assert int(own[1].replace(",", "")) == cut_without(known, row, other), told
                seen += 1
    assert seen > 5


def test_budget(tmp_path: Path, known: Explainer) -> None:
    small = open_mined(tmp_path, DEMO, vocab_size=300)
    row = first(small, "budget")
    found = explain(small, row)
    size = read_number(r"of about ([\d,]+) would", found["changes"][0])
    assert 300 < size < 320
    assert tell_shortly(small.table.row(row, named=True)) == "beyond --vocab-size"
    assert known.table.filter(pl.col("token") == found["token"])["verdict"][0] == "kept"


def test_savings(saving: Explainer) -> None:
    """A score is a share of what the best saves: settled count times the pieces it spares.

    But for those near a run that left when single atoms took its place in the vocabulary.
    """
    kept = saving.table[saving.kept_runs]
    candidates, units = saving.run.candidates, saving.values > 0
    pieces = count_pieces(candidates, units)[saving.candidate_of[saving.kept_runs]]
    saved = kept["unit_count"].to_numpy() * (pieces - 1)
    assert saving.least_saved == saved.min()
    row = int(saving.kept_runs[0])
    told = explain(saving, row)["headline"]
    number = read_number(r"saves ([\d,]+) tokens", told)
    assert number == saved[0]
    same = np.isclose(kept["score"] / kept["score"][0], saved / saved[0])
    assert same.mean() > 0.9
    outbid = explain(saving, first(saving, "outbid"))["changes"][0]
    assert f"the least of those kept saves {saved.min():,}" in outbid
    idle = [verdict for verdict in ("weak", "chance") if verdict in saving.table["verdict"]]
    for verdict in idle:
        found = explain(saving, first(saving, verdict))
        assert "promised to save more" in found["headline"]
        assert re.search("can save .* at most|must stand in 3", found["changes"][0])


def test_what_cannot_be_taken_apart_says_what_was_found(tmp_path: Path) -> None:
    texts = [f"item {i % 7} ▁ end {i % 5}" for i in range(60)]
    explainer = open_mined(tmp_path, texts, profile="code")
    refused = explainer.table.filter(pl.col("verdict") == "changes")
    assert refused.height
    about = refused.row(0, named=True)
    found = explain(explainer, about["row"])
    assert about["detail"] in found["headline"] and about["detail"] in found["changes"][0]
    assert tell_shortly(about) == about["detail"]


# What is not there


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("неведомое слово", ["does not have «неведомое»"]),
        ("жар, тишина", ["holds a stop"]),
        ("тишина", ["a single word, which occurs 221 times"]),
        ("слово жар", ["occurs nowhere in the mined text; a candidate needs 3"]),
        (" ".join(["жар"] * 9), ["9 atoms long; --max-length 8", "occurs nowhere"]),
        ("", ["Nothing in it"]),
        (" .,\n", ["Nothing in it"]),
    ],
)
def test_absent(known: Explainer, text: str, reasons: list[str]) -> None:
    assert known.find(text) is None
    found = explain_absent(known, text)
    assert found["row"] is None
    for reason, told in zip(reasons, found["reasons"], strict=False):
        assert reason in told
    assert reasons[0] in found["headline"] and describe(found)
    json.dumps(found)


def test_absent_has_its_places_and_what_is_near(known: Explainer) -> None:
    found = explain_absent(known, "имя приходит после огня тело помнит раньше слова")
    assert found["neighbors"][0]["row"] == known.find("имя приходит после огня")
    assert [entry["count"] for entry in found["atoms"]][:3] == [46, 48, 69]
    assert found["count"] == 0 and found["contexts"] == []
    near = [entry["token"] for entry in explain_absent(known, "жар тишинa")["neighbors"]]
    assert near[0] == "жар тишина"
    single = explain_absent(known, "тишина")
    assert single["count"] == 221 and "13 times in the documents that are held back" in str(single)


def test_absent_for_rare_runs(city: Explainer) -> None:
    found = explain_absent(city, "harbour of New York opened.")
    assert found["count"] == 1 and "occurs 1 time in the mined text" in found["headline"]
    assert found["contexts"][0]["unit"] == "harbour of New York opened"


# In words


def test_every_verdict_is_told(known: Explainer, saving: Explainer) -> None:
    for explainer in (known, saving):
        for verdict in explainer.table["verdict"].unique():
            row = first(explainer, verdict)
            found = explain(explainer, row)
            assert found["headline"].startswith("Kept: " if verdict == "kept" else "Refused: ")
            assert found["changes"] and found["evidence"]
            told = describe(found)
            assert found["token"] in told and "What would change it" in told
            assert json.loads(json.dumps(found)) == found
            assert 3 < len(tell_shortly(explainer.table.row(row, named=True))) < 120


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"verdict": "weak", "score": 0.0299}, "score .02 of .05 needed"),
        ({"verdict": "weak", "score": 0.0}, "saves too little to compete"),
        ({"verdict": "chance", "score": 0.9}, "no more often than chance"),
        (
            {"verdict": "fragment", "score": 0.9, "rival": "in order to"},
            "lives inside «in order to»",
        ),
        (
            {
                "verdict": "outbid",
                "score": 0.9,
                "token": "the united states",
                "rival": "united states",
            },
            "«united states» owns its places",
        ),
        (
            {"verdict": "outbid", "score": 0.9, "token": "in order", "rival": None},
            "better units own its places",
        ),
        ({"verdict": "budget", "score": 0.9}, "beyond --vocab-size"),
        ({"verdict": "rejected", "score": 0.9}, "a reviewer rejected it"),
        (
            {"verdict": "kept", "score": 1.0, "candidate": None, "kind": "formula", "count": 1},
            "a formula, 1 time",
        ),
        (
            {
                "verdict": "kept",
                "score": 0.9,
                "candidate": 5,
                "pmi": 4.0,
                "unit_count": 3,
                "count": 4,
                "log_likelihood": 99.0,
            },
            "meets 16x more than chance, owns 75% of its places",
        ),
    ],
)
def test_shortly(row: dict[str, Any], told: str) -> None:
    assert tell_shortly(row) == told


def test_shares_are_never_rounded_to_all_or_nothing() -> None:
    assert [tell_share(share) for share in (0.0, 0.001, 0.5, 0.999, 1.0)] == [
        "0%",
        "under 1%",
        "50%",
        "99%",
        "100%",
    ]


def test_hostile_tokens_are_shown_and_do_nothing(tmp_path: Path) -> None:
    long = "x" * 4000
    texts = [f"if a:\n\treturn \u202e{i % 3} {long} \x1b[31m \u2066b\u2069" for i in range(40)]
    explainer = open_mined(tmp_path, texts, profile="code")
    assert explainer.table["token"].str.contains("\u202e|\x1b|\n").any()
    for row in range(0, explainer.table.height, max(explainer.table.height // 60, 1)):
        found = explain(explainer, row)
        told = describe(found)
        assert not any(is_invisible(sign) and sign != "\n" for sign in told)
        assert max(map(measure_width, told.split("\n"))) <= 2 * WIDTH
        assert not any(map(is_invisible, tell_shortly(explainer.table.row(row, named=True))))
        assert json.loads(json.dumps(found))["token"] == explainer.table["token"][row]
    for text in (long, long + " y", "\u202e", "a\n\tb", "\ud800", "\x00", "e\u0301\u200d", "[b"):
        found = explain_absent(explainer, text)
        assert not any(is_invisible(sign) and sign != "\n" for sign in describe(found))
        explainer.find(text)


def test_the_concordance_is_aligned(known: Explainer) -> None:
    told = describe(ask(known, "имя приходит после огня")).split("In the corpus\n")[1]
    lines = told.split("\n\n")[0].split("\n")
    assert len(lines) == 10
    assert {measure_width(line.split("[")[0]) for line in lines} == {34}


def test_bytes(tmp_path: Path) -> None:
    content = b"".join(bytes([1, 2, 3, 4, i % 251, (7 * i) % 13]) for i in range(600))
    (tmp_path / "weights.bin").write_bytes(content)
    explainer = open_mined(tmp_path, tmp_path / "weights.bin")
    found = ask(explainer, "<0x01><0x02><0x03><0x04>")
    assert found["count"] == 600 and found["looked_at"] == 200
    assert describe(found)
    assert "256 atoms" not in explain_absent(explainer, "<0x01><0xFE>")["headline"]
    assert Verdict.KEPT in explainer.table["verdict"]


def test_the_command_tells_what_reviewers_said(demo: MinedDemo, tmp_path: Path) -> None:
    run = Path(shutil.copytree(demo.folder, tmp_path / "run"))
    unit = ("имя приходит после огня", ("имя", "приходит", "после", "огня"))
    Log(name_log(run, "anna")).set([unit], {"verdict": "reject", "label": "ритуал"})
    done = watch_command(tmp_path / "told", "explain", str(run), "Имя приходит  после огня")
    assert done.code == 0, done.err
    assert "anna: verdict reject, label ритуал" in done.out
    assert "torch" not in done.modules and done.touched == []
    known = call_command("explain", str(run), "Δ41", "--json")
    assert json.loads(known.out)["decisions"] == {}
    assert call_command("explain", str(tmp_path), "x").code == 3
