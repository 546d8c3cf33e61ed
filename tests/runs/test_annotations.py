"""Decisions that count: what is rejected leaves with all that is built on it, what is wished for is
proven, and training, exports and new runs obey."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from watched import MinedDemo

import miner
from miner.commands.main import main
from miner.mining.vocabulary import join_pieces, rank_merges, read_merges, split_unit
from miner.review.board import Board
from miner.review.explain_view import describe
from miner.review.export import export_vocabulary
from miner.review.telling import explain_text
from miner.runs.annotations import check_form, move_families, review_run
from miner.runs.decisions import Log, Unit, name_log, read_logs, settle_logs
from miner.runs.finished import open_finished
from miner.runs.keeping import Reviewed


@pytest.fixture
def run(demo: MinedDemo, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo.folder, tmp_path / "run"))


def unit(run: Path, token: str) -> Unit:
    units = pl.read_parquet(run / "6_vocabulary" / "units.parquet")
    return token, tuple(units.filter(pl.col("token") == token)["atoms"].item().to_list())


def decide(run: Path, token: str, /, reviewer: str = "anna", **changes: str) -> Unit:
    known = (run / "6_vocabulary" / "units.parquet").exists() and token in set(
        pl.read_parquet(run / "6_vocabulary" / "units.parquet")["token"]
    )
    named = unit(run, token) if known else (token, tuple(token.split(" ")))
    Log(name_log(run, reviewer)).set([named], changes)
    return named


def reviewed(run: Path) -> Reviewed:
    found = review_run(run)
    assert found is not None
    return found


def assert_rebuilt(found: Reviewed) -> None:
    """Every unit is one piece by the merges, and each half is there before it is used."""
    ranks = rank_merges(found.merges)
    for token, atoms in found.units.select("token", "atoms").iter_rows():
        assert join_pieces(split_unit(token, atoms), ranks) == [token]


WISHES = st.tuples(
    st.integers(0, 2**31),
    st.sampled_from(["accept", "reject", "reject", "form", "add", "undo"]),
    st.one_of(
        st.sampled_from(["🧜‍♀️ wave", "e\u0301tude now", "ЖАР Тишина", "δ41 x", "don't go", "day"]),
        st.lists(st.integers(0, 2**31), min_size=1, max_size=4),
    ),
)


@given(st.lists(WISHES, max_size=40), st.integers(0, 1))
@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_is_decided_leaves_a_sound_vocabulary(
    run: Path, wishes: list[tuple[int, str, str | list[int]]], others: int
) -> None:
    shutil.rmtree(run / "decisions", ignore_errors=True)
    finished = open_finished(run)
    boards = [Board(finished, name) for name in ("anna", "boris")[: 1 + others]]
    tokens = finished.proposals["token"].to_list()
    for number, wish, text in wishes:
        board, row = boards[number % len(boards)], number % 1500  # the kept come first
        parts = text if isinstance(text, list) else []
        form = " ".join(tokens[part % len(tokens)] for part in parts) or str(text)
        if wish == "undo":
            board.undo()
        elif wish == "add":
            board.add(form)
        else:
            board.decide([row], {"token": form} if wish == "form" else {"verdict": wish})
    if (found := review_run(run)) is None:
        return
    assert_rebuilt(found)
    names, units = set(found.units["token"]), found.units.select("token", "atoms").rows()
    held = {(token, tuple(atoms)) for token, atoms in units}
    assert len(names) == found.units["glued"].n_unique() == len(units)
    said = settle_logs(read_logs(run), "majority").decisions
    renamed = {decision.token for decision in said.values()}
    for one, decision in said.items():
        if decision.verdict == "reject":
            assert one not in held or one[0] in renamed
            assert one[0] in names or one[0] not in set(found.merges["result"])
        elif decision.token or decision.verdict == "accept":
            assert (decision.token or one[0]) in names or one in found.refused


def test_a_run_that_nobody_reviewed_is_as_it_was_mined(run: Path, tmp_path: Path) -> None:
    assert review_run(run) is None
    export_vocabulary(run, tmp_path / "units.jsonl", form="jsonl")
    assert (tmp_path / "units.jsonl").read_bytes() == (run / "vocabulary.jsonl").read_bytes()
    export_vocabulary(run, tmp_path / "merges.tsv", form="merges")
    assert (tmp_path / "merges.tsv").read_bytes() == (run / "merges.tsv").read_bytes()


def find_built(run: Path) -> tuple[str, str]:
    """A unit, and a longer one in whose merges it comes up."""
    units = pl.read_parquet(run / "6_vocabulary" / "units.parquet")
    ranks = rank_merges(read_merges(run / "merges.tsv"))
    tokens = set(units["token"])
    for token, atoms in units.filter(pl.col("length") > 2).select("token", "atoms").iter_rows():
        steps: list[tuple[str, str]] = []
        join_pieces(split_unit(token, atoms), ranks, steps)
        for left, right in steps[:-1]:
            if left.removeprefix(" ") + right in tokens:
                return left.removeprefix(" ") + right, token
    raise AssertionError("the demo has a unit that is built on another")


def test_a_rejected_unit_leaves_and_so_does_what_is_built_on_it(run: Path) -> None:
    part, whole = find_built(run)
    decide(run, part, verdict="reject")
    found = reviewed(run)
    tokens = set(found.units["token"])
    assert part not in tokens and whole not in tokens
    assert part not in set(found.merges["result"]), "no merge gives it any more"
    told = found.proposals.filter(pl.col("token") == whole).row(0, named=True)
    assert told["verdict"] == "rejected" and part in told["detail"]
    assert_rebuilt(found)


def test_what_is_built_on_a_rejected_unit_stays_where_people_want_it(run: Path) -> None:
    part, whole = find_built(run)
    decide(run, part, verdict="reject")
    wanted = decide(run, whole, verdict="accept")
    found = reviewed(run)
    assert part not in set(found.merges["result"])
    if len(wanted[1]) > 2 and whole in set(found.units["token"]):
        assert_rebuilt(found)
    else:
        assert any("cannot be built" in note for note in found.notes)
    assert found.units["rank"].to_list() == list(range(1, found.units.height + 1))


def test_a_unit_of_three_that_needs_a_rejected_half_is_refused_by_name(run: Path) -> None:
    decide(run, "новое слово тут", verdict="accept")
    decide(run, "новое слово", verdict="reject")
    assert "новое слово тут" in set(reviewed(run).units["token"]), "built from the right"
    decide(run, "слово тут", verdict="reject")
    found = reviewed(run)
    assert "новое слово тут" not in set(found.units["token"])
    assert any("cannot be built without" in note for note in found.notes)


def test_what_was_refused_comes_in_when_accepted(run: Path) -> None:
    proposals = pl.read_parquet(run / "proposals.parquet")
    weak = proposals.filter((pl.col("verdict") == "weak") & (pl.col("length") == 2))["token"][0]
    decide(run, weak, verdict="accept")
    found = reviewed(run)
    row = found.units.filter(pl.col("token") == weak).row(0, named=True)
    assert row["unit_count"] > 0, "it owns places, as the best there is"
    assert row["glued"] and row["surface"]
    assert found.counts == {"accepted": 1}
    assert_rebuilt(found)


def test_a_proposal_is_taken_as_it_is_though_its_text_would_be_cut_otherwise() -> None:
    """`AB/1` is one atom by a pattern that asks for capitals, which its canonical form lacks."""
    texts = [f"{word} узел AB/1 {word}" for word in ["жар", "вода", "свет", "путь", "тень"]] * 9
    mined = miner.mine(texts, patterns={"node": r"[A-Z]{2}/\d"}, profile="words")
    run = mined.folder
    held = pl.read_parquet(run / "proposals.parquet").filter(pl.col("verdict") != "kept")
    token = held.filter(pl.col("token").str.contains("ab/1", literal=True))["token"][0]
    decide(run, token, verdict="accept")
    found = reviewed(run)
    assert token in set(found.units["token"]), found.notes


def test_another_form_takes_the_place_of_the_old_one(run: Path) -> None:
    old = "соответствии с действующим законодательством"
    form = "В соответствии  с действующим законодательством"
    decide(run, old, **{"token": form, "label": "канцелярит"})
    found = reviewed(run)
    row = found.units.filter(pl.col("token") == f"в {old}").row(0, named=True)
    assert old not in set(found.units["token"])
    assert row["count"] == 13 >= row["unit_count"] > 0 and row["label"] == "канцелярит"
    assert row["atoms"] == ["в", "соответствии", "с", "действующим", "законодательством"]


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("dining, car", "punctuation"),
        ("   ", "nothing"),
        ("a\u2581b", "U+2581"),
        (" ".join("абвгд" * 20), "64 are the most"),
    ],
)
def test_a_form_that_fails_is_refused_with_the_reason_and_the_old_one_stays(
    run: Path, form: str, reason: str
) -> None:
    assert reason in (check_form(open_finished(run), form)[1] or "")
    if form.strip():
        decide(run, "dining car", **{"token": form})
        found = reviewed(run)
        assert "dining car" in set(found.units["token"])
        assert any(reason in note and "dining car" in note for note in found.notes)


@pytest.mark.parametrize("form", ["dining. car", "a\u2581b"])
def test_what_else_was_said_holds_where_a_form_fails(run: Path, form: str) -> None:
    named = decide(run, "dining car", **{"token": form, "kind": "hyperlexeme", "label": "a place"})
    found = reviewed(run)
    assert list(found.refused) == [named]
    row = found.units.filter(pl.col("token") == "dining car").row(0, named=True)
    assert (row["kind"], row["label"]) == ("hyperlexeme", "a place")


def test_explain_tells_what_came_of_the_decisions(run: Path) -> None:
    part, whole = find_built(run)
    before = explain_text(run, whole)
    assert before["reviewed"] is None
    decide(run, part, verdict="reject")
    refused = pl.read_parquet(run / "proposals.parquet").filter(
        (pl.col("verdict") == "weak") & (pl.col("length") == 2)
    )["token"][0]
    decide(run, refused, verdict="accept")
    decide(run, "a word, and another", verdict="accept")
    told = explain_text(run, part)
    assert told["reviewed"] == {"verdict": "rejected", "detail": "a reviewer said so", "rank": None}
    assert "anna: verdict reject" in describe(told)
    fallen = explain_text(run, whole)
    assert fallen["decisions"] == {}
    assert "is built on" in fallen["reviewed"]["detail"]
    assert "in the reviewed vocabulary: rejected: it is built on" in describe(fallen)
    taken = explain_text(run, refused)["reviewed"]
    assert reviewed(run).units.filter(rank=taken["rank"])["token"].to_list() == [refused]
    assert "reviewed vocabulary" not in describe(explain_text(run, "zz zz"))
    # what people made of it comes first
    head = describe(told).splitlines()[1]
    assert head.startswith("Its reviewers make it rejected: a reviewer said so")
    decide(run, part, reviewer="boris", verdict="accept")
    assert "differ on its verdict: anna says reject, boris says accept" in describe(
        explain_text(run, part)
    )
    assert "boris accepted it" in describe(explain_text(run, part, policy="latest"))


DAMAGED = {
    "1_atoms/mined.ids.u32": "u4", "1_atoms/mined.documents.i64": "i8",
    "2_candidates/parent.npy": "", "2_candidates/keys.npy": "",
    "1_atoms/mined.flags.u8": "u1", "4_vectors/vectors.f16": "f2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "how"),
    [
        (file, how)
        for file in DAMAGED
        for how in ("huge", "short", "empty")
        if how != "huge" or not file.endswith(("u8", "f16"))  # where any value is one
    ],
)
def test_a_damaged_stage_is_told_and_never_runs_wild(
    run: Path, capsys: pytest.CaptureFixture[str], file: str, how: str
) -> None:
    """Kernels trust the numbers in a run: those of a stranger's are looked at first."""
    path, kind = run / file, DAMAGED[file]
    values = np.fromfile(path, kind) if kind else np.load(path)
    values = {"huge": values.copy(), "short": values[:-9], "empty": values[:0]}[how]
    if how == "huge":
        values.flat[len(values) // 2] = np.iinfo(values.dtype).max
    values.tofile(path) if kind else np.save(path, values)
    decide(run, "town square", verdict="reject")
    for command in (["explain", str(run), "town square"], ["report", str(run)]):
        with pytest.raises(SystemExit) as end:
            main(command)
        assert end.value.code == 3, command
        told = capsys.readouterr().err
        assert "a stage of the run cannot be read" in told and "mine again" in told


def test_an_added_unit_may_have_words_that_the_corpus_lacks(run: Path) -> None:
    named, problem = check_form(open_finished(run), "Хрюндель  бокр")
    assert problem is None and named == ("хрюндель бокр", ("хрюндель", "бокр"))
    decide(run, "хрюндель бокр", verdict="accept")
    found = reviewed(run)
    row = found.units.filter(pl.col("token") == "хрюндель бокр").row(0, named=True)
    assert (row["kind"], row["count"]) == ("link", 0)
    assert_rebuilt(found)
    assert any("nowhere in this corpus" in note for note in found.notes)


def test_kind_family_and_label_are_as_people_say(run: Path, tmp_path: Path) -> None:
    decide(run, "town square", kind="marker", label="place")
    decide(run, "climate change", family="town square")
    decide(run, "railway station", family="nobody at all")
    found = reviewed(run)
    rows = {row["token"]: row for row in found.units.iter_rows(named=True)}
    assert len(found.notes) == 1 and "'nobody at all', the head that was named" in found.notes[0]
    assert (rows["town square"]["kind"], rows["town square"]["label"]) == ("marker", "place")
    assert rows["climate change"]["family"] == rows["town square"]["rank"]
    export_vocabulary(run, tmp_path / "tokens.json", form="json")
    assert "town square" in json.loads((tmp_path / "tokens.json").read_text())["special_tokens"]


def test_a_head_that_moves_leaves_its_family_to_the_next_best() -> None:
    units = pl.DataFrame(
        {"token": ["a", "b", "c", "d"], "rank": [1, 2, 3, 4], "family": [1, 1, 1, 4]},
        schema_overrides={"rank": pl.UInt32, "family": pl.UInt32},
    )
    assert move_families(units, {"a": "d"})["family"].to_list() == [4, 2, 2, 4]
    assert move_families(units, {"d": "c"})["family"].to_list() == [1, 1, 1, 1], "c's own head"
    assert move_families(units, {"b": "b"})["family"].to_list() == [1, 2, 1, 4]
    assert move_families(units, {"b": "nobody"})["family"].to_list() == [1, 1, 1, 4]


def test_decisions_find_their_unit_in_another_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(run, "изо дня в день", verdict="reject")
    decide(run, "нет такого здесь", verdict="reject")
    corpus = tmp_path / "other.txt"
    lines = (Path(__file__).parents[2] / "corpora" / "demo.txt").read_text(encoding="utf-8")
    corpus.write_text("\n".join(reversed(lines.splitlines())), encoding="utf-8")
    out = tmp_path / "again"
    with pytest.raises(SystemExit) as left:
        main(["mine", str(corpus), "--out", str(out), "--decisions", str(run)])
    assert left.value.code == 0
    assert "decided:  2 rejected" in capsys.readouterr().out
    tokens = {json.loads(line)["token"] for line in (out / "vocabulary.jsonl").open()}
    assert "изо дня в день" not in tokens and "из года в год" in tokens
    assert "изо дня в день" not in (out / "merges.tsv").read_text(encoding="utf-8")
    proposals = pl.read_parquet(out / "proposals.parquet")
    verdict = proposals.filter(pl.col("token") == "изо дня в день")["verdict"].item()
    assert verdict == "rejected"
    assert json.loads((out / "manifest.json").read_text())["verdicts"]["rejected"] == 1
    assert (out / "decisions" / "anna.jsonl").exists(), "its reviewers go on there"
    assert any("does not propose" in note for note in reviewed(out).notes)


def test_a_new_run_in_the_same_place_keeps_what_people_said(run: Path) -> None:
    decide(run, "town square", verdict="reject")
    said = (run / "decisions" / "anna.jsonl").read_bytes()
    with pytest.raises(SystemExit) as left:
        main(["mine", "corpora/demo.txt", "--out", str(run), "--overwrite"])
    assert left.value.code == 0
    assert (run / "decisions" / "anna.jsonl").read_bytes() == said
    assert "town square" not in set(reviewed(run).units["token"])


def test_training_obeys(run: Path, tmp_path: Path) -> None:
    decide(run, "изо дня в день", verdict="reject")
    decide(run, "чем думали учёные", verdict="accept")
    with pytest.raises(SystemExit) as left:
        main(
            [
                "train",
                str(run),
                "--corpus",
                "corpora/demo.txt",
                "--vocab-size",
                "3000",
                "--units",
                "1257",
                "--out",
                str(tmp_path / "tok"),
            ]
        )
    assert left.value.code == 0
    tokenizer = Tokenizer.from_file(str(tmp_path / "tok" / "tokenizer.json"))
    assert len(tokenizer.encode("изо дня в день").ids) > 1
    assert len(tokenizer.encode("чем думали учёные").ids) == 1
    card = json.loads((tmp_path / "tok" / "miner.json").read_text())
    assert card["run"]["decisions"] == {"accepted": 1, "rejected": 1}


def test_every_format_holds_the_same_units(run: Path, demo: MinedDemo, tmp_path: Path) -> None:
    known = demo.units["token"].to_list()
    alone = next(text for text in known if " " in text and sum(text in one for one in known) == 1)
    decide(run, alone, verdict="reject")
    for form in ("jsonl", "csv", "parquet", "txt", "json", "merges"):
        export_vocabulary(run, tmp_path / form, form=form)
    rows = [json.loads(line) for line in (tmp_path / "jsonl").open(encoding="utf-8")]
    tokens = [row["token"] for row in rows]
    assert alone not in tokens and len(tokens) == demo.units.height - 1
    with (tmp_path / "csv").open(encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle))
    assert [row["token"] for row in table] == tokens
    for name in ("atoms", "parts"):
        assert [json.loads(row[name]) for row in table] == [row[name] for row in rows]
    assert pl.read_parquet(tmp_path / "parquet")["token"].to_list() == tokens
    lines = (tmp_path / "txt").read_text(encoding="utf-8").splitlines()
    assert [line.removeprefix("▁").replace("▁", " ") for line in lines] == tokens
    named = json.loads((tmp_path / "json").read_text(encoding="utf-8"))
    assert len(named["special_tokens"]) + len(named["never_split"]) == len(tokens)
    assert alone not in set(read_merges(tmp_path / "merges")["result"])


def test_what_reviewing_changed_is_proven_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept for the same logs and policy; where these differ or it is damaged, proven anew."""
    log = Log(name_log(run, "anna"))
    rejected, added = unit_of(run, "dining car"), ("ad hoc", ("ad", "hoc"))
    log.set([rejected], {"verdict": "reject"})
    log.set([added], {"verdict": "accept"})
    first = review_run(run)
    (kept,) = (run / "reviewed").iterdir()
    monkeypatch.setattr("miner.runs.annotations.apply_decisions", None)
    again = review_run(run)
    assert first and again and again.units.equals(first.units)
    assert again.merges.equals(first.merges) and again.proposals.equals(first.proposals)
    assert (again.counts, again.notes, again.refused, again.conflicts, again.added) == (
        first.counts,
        first.notes,
        first.refused,
        first.conflicts,
        first.added,
    )
    (kept / "units.parquet").write_bytes(b"no table")
    with pytest.raises(TypeError):  # it is proven anew, by nothing
        review_run(run)
    with pytest.raises(TypeError):
        review_run(run, "latest")
    monkeypatch.undo()
    log.set([rejected], {"verdict": None})
    assert "dining car" in review_run(run).units["token"].to_list()  # type: ignore[union-attr]
    assert [path.name for path in (run / "reviewed").iterdir()] != [kept.name]


def unit_of(run: Path, text: str) -> Unit:
    unit, problem = check_form(open_finished(run), text)
    assert unit and not problem
    return unit
