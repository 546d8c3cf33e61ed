"""A run in Python: does each answer hold, and does nothing stay behind?"""

from __future__ import annotations

import gc
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched import DEMO, MinedDemo

import miner
from miner.text.pretokens import choose_held

ASKED = "Тело помнит раньше слова; Δ41 и ⟁ стоят из года в год."


@pytest.fixture(scope="module")
def run(demo: MinedDemo) -> miner.Run:
    return miner.open_run(demo.folder)


def test_texts_give_the_run_that_the_command_gives(demo: MinedDemo) -> None:
    lines = DEMO.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    for corpus in (lines, iter(lines), pl.Series(lines), pl.DataFrame({"text": lines}), DEMO):
        found = miner.mine(corpus)
        for name in ("vocabulary.jsonl", "vocabulary.txt", "merges.tsv", "tokens.json"):
            assert (found.folder / name).read_bytes() == (demo.folder / name).read_bytes(), name
        assert found.proposals.height == demo.proposals.height


def test_what_it_says_of_itself(run: miner.Run, demo: MinedDemo) -> None:
    assert repr(run) == (
        f"{demo.units.height:,} of {demo.proposals.height:,} kept, "
        f"{run.manifest.saved['saved']:.1%} fewer tokens, profile words"
    )
    shown = run._repr_html_()
    assert "<script" not in shown and repr(run) in shown and run.units["token"][0] in shown
    assert len(run) == demo.units.height == len(list(run))
    assert run.units["token"].to_list() == demo.units["token"].to_list()
    assert run.config.vocab_size == 8_000 and run.manifest.profile == "words"
    printed = demo.command.out.partition("\n\nNext: ")[0]
    assert run.summary().partition("\n\nNext: ")[0] == printed


def test_a_unit_by_text_and_by_rank(run: miner.Run) -> None:
    unit = run["Из  года в ГОД"]
    assert (unit.token, unit.atoms, unit.kind) == (
        "из года в год",
        ("из", "года", "в", "год"),
        "hyperlexeme",
    )
    assert run[unit.rank] == unit and str(unit) == "из года в год"
    assert unit.count >= unit.unit_count > 0 and 0 <= unit.score <= 1
    assert {"pmi", "npmi", "log_likelihood"} <= set(unit.statistics)
    assert "из года в год" in run and "года в" not in run and 5 not in run
    assert run[np.int64(unit.rank)] == unit
    for wrong in ("no such thing", "\ud800", 0, len(run) + 1, True, None, 1.5):
        assert wrong not in run
        with pytest.raises(KeyError):
            run[wrong]


def test_a_text_is_cut_as_the_corpus_was(run: miner.Run) -> None:
    """How often each run is the unit of its place: the figure of the run, counted anew."""
    lines = DEMO.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    mined = [line for line, held in zip(lines, choose_held(len(lines)), strict=True) if not held]
    found = Counter(span.rank for spans in run.spans_batch(mined) for span in spans if span.rank)
    assert len(run) > 1_000 and run.units.filter(pl.col("atoms").list.len() == 1).height > 10
    assert run.units.filter(pl.col("unit_count") < pl.col("count")).height > 100
    for rank, owned in run.units.select("rank", "unit_count").iter_rows():
        assert found[rank] == owned


def test_the_pieces_of_a_text(run: miner.Run) -> None:
    assert run.segment(ASKED) == [
        "Тело помнит раньше слова", ";", "Δ41", "и", "⟁", "стоят", "из года в год", ".",
    ]  # fmt: skip
    assert run.segment(ASKED, canonical=True) == [
        "тело помнит раньше слова", "Δ41", "и", "⟁", "стоят", "из года в год",
    ]  # fmt: skip
    assert run.segment_batch([ASKED, "", "и"]) == [run.segment(ASKED), [], ["и"]]
    assert [span.rank for span in run.spans("⟁ и")] == [run["⟁"].rank, None]
    assert run.segment("") == [] == run.segment(" \n\t ")


def test_tokens_are_joined_and_none_is_cut(run: miner.Run) -> None:
    tokens = ["Тело", "помнит", "раньше", "слова;", "из", "года", "в", "год"]
    assert run.segment(tokens) == [*tokens[:4], "из года в год"]
    assert run.segment([]) == []


@given(st.lists(st.text(max_size=60), max_size=4))
def test_the_pieces_are_the_text_without_white_space(run: miner.Run, texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    for text, spans in zip(texts, run.spans_batch(texts), strict=True):
        for span in spans:
            assert text[span.start : span.end] == span.text
        ends = [0, *(span.end for span in spans)]
        starts = [*(span.start for span in spans), len(text)]
        gaps = [text[end:start] for end, start in zip(ends, starts, strict=True)]
        assert all(end <= start for end, start in zip(ends, starts, strict=True))
        assert not "".join(gaps).strip()


def test_why(run: miner.Run) -> None:
    found = run.explain("dining car")
    assert found.verdict == "kept" and str(found.token) == "dining car" and found.changes
    assert found.headline in str(found).replace("\n", " ")
    assert run.explain("no such run of words").verdict is None
    assert "<pre>" in found._repr_html_()


def test_what_is_near_and_what_it_is_made_of(run: miner.Run) -> None:
    near = run.near("жар тишина", k=3)
    assert near.columns == ["rank", "token", "cosine"] and near.height == 3
    assert (np.diff(near["cosine"].to_numpy()) <= 0).all()
    assert run.decompose("входтишинажар").parts == ("вход", "тишина", "жар")
    assert run.vector("жар").shape == (run.manifest.encoder.dimension,)
    told = run.lookup("жар тишина", k=2)
    assert told.data["rank"] == run["жар тишина"].rank and "Nearest" in str(told)
    assert {"address", "resonance"} <= set(run.fields.columns)


def test_texts_are_rewritten_and_come_back(run: miner.Run) -> None:
    texts = [ASKED, "", "two\nlines in the book", "␛ ⟨x⟩"]
    for options in ({}, {"style": "signs"}, {"links": True, "markers": True}):
        written = list(run.rewrite(texts, **options))
        assert len(written) == len(texts) and written != texts
        assert list(run.restore(written, **options)) == texts


def test_pictures(run: miner.Run, tmp_path: Path) -> None:
    for picture in (run.plot_map(), run.plot_savings()):
        assert "<svg" in picture._repr_html_() and "<script" not in picture.content
        page = picture.save(tmp_path / "picture.html").read_text(encoding="utf-8")
        assert page.startswith("<!DOCTYPE html>") and "<svg" in page
    assert run.savings["saved"][-1] == run.manifest.saved["saved"]


# People


@pytest.fixture
def copied(run: miner.Run, tmp_path: Path) -> miner.Run:
    return run.save(tmp_path / "copied")


def test_decisions_hold_at_once_and_are_taken_back(copied: miner.Run) -> None:
    before = copied.units["token"].to_list()
    copied.decide(accept=["ad hoc"], reject=["in the"], reviewer="me")
    assert "ad hoc" in copied and "in the" not in copied
    assert copied.segment("in the Ad hoc") == ["in", "the", "Ad hoc"]
    assert miner.open_run(copied.folder).units["token"].to_list() == copied.units["token"].to_list()
    said = dict(copied.decisions.select("token", "verdict").iter_rows())
    assert said == {"ad hoc": "accept", "in the": "reject"}
    copied.decide(clear=["ad hoc", "in the"], reviewer="me")
    assert copied.units["token"].to_list() == before and copied.decisions.is_empty()


def test_what_people_decided_is_what_explains(copied: miner.Run) -> None:
    copied.decide(accept=["ad hoc"], reject=["in the"], reviewer="me")
    rejected, accepted = copied.explain("in the"), copied.explain("ad hoc")
    assert (rejected.verdict, accepted.verdict) == ("rejected", "kept")
    assert rejected.headline == "Its reviewers make it rejected: a reviewer said so."
    assert miner.open_run(copied.folder).explain("in the").verdict == "rejected"


def test_two_things_said_of_a_text_are_none(copied: miner.Run) -> None:
    with pytest.raises(miner.UsageError, match="two things are said of 'in the'"):
        copied.decide(accept=["in the"], reject=["In  The"], reviewer="me")
    assert copied.decisions.is_empty()


def test_what_cannot_be_a_unit_is_refused_and_nothing_is_decided(copied: miner.Run) -> None:
    with pytest.raises(miner.UsageError, match="cannot be a unit"):
        copied.decide(reject=["dining car"], accept=["stops here. And there"], reviewer="me")
    assert "dining car" in copied and copied.decisions.is_empty()


@pytest.mark.parametrize("wrong", [None, 5, b"in the", ["in the"], "\ud800 in the"])
def test_what_is_no_text_is_one_clear_error(run: miner.Run, wrong: Any) -> None:
    one = [run.spans, run.explain, run.lookup, run.vector, run.decompose]
    several = [run.spans_batch, run.rewrite, run.restore]
    calls = [partial(call, wrong) for call in one] + [partial(call, [wrong]) for call in several]
    for call in calls:
        with pytest.raises(miner.UsageError, match=r"and no text|half a surrogate pair"):
            list(call())  # type: ignore[call-overload]
    for batch in (run.segment_batch, *several):
        with pytest.raises(miner.UsageError, match=r"^texts is"):
            batch("in the" if isinstance(wrong, list | bytes) else 5)  # type: ignore[arg-type]
    if not isinstance(wrong, int):
        with pytest.raises(miner.UsageError, match=r"and no text|half a surrogate pair"):
            run.near(wrong)
    with pytest.raises(miner.UsageError, match=r"and no text|half a surrogate pair"):
        run.decide(accept=[wrong])


def test_a_new_run_obeys(copied: miner.Run) -> None:
    copied.decide(reject=["in the"], reviewer="me")
    assert "in the" not in miner.mine(DEMO, decisions=copied.folder)


# Out


def test_a_tokenizer(run: miner.Run, tmp_path: Path) -> None:
    tokenizer = run.train_tokenizer("hf-bpe", vocab_size=3_000)
    assert len(tokenizer.encode("из года в год")) == 1
    assert tokenizer.decode(tokenizer.encode("жар тишина")) == "жар тишина"
    assert tokenizer.tokenize("Это из года в год")[-1] == " из года в год"
    for text in (ASKED, "in New York", "é e\u0301x 👩‍👩‍👧", "", " "):
        assert "".join(tokenizer.tokenize(text)) == text
    assert tokenizer.vocab_size == len(tokenizer) == 3_000
    assert set(tokenizer.unit_ids["token"]) <= set(run.units["token"])
    checks = tokenizer.check()
    assert checks and "a unit is one id where it was found" in str(checks)
    again = miner.load_tokenizer(tokenizer.save(tmp_path / "tokenizer"))
    assert again.encode(ASKED) == tokenizer.encode(ASKED)
    with pytest.raises(miner.RunError, match="already there"):
        tokenizer.save(tmp_path / "tokenizer")


def test_a_saved_run_is_the_same(run: miner.Run, copied: miner.Run, tmp_path: Path) -> None:
    assert copied.units.equals(run.units) and copied.folder == tmp_path / "copied"
    with pytest.raises(miner.RunError, match="already there"):
        run.save(copied.folder)
    assert run.save(copied.folder, overwrite=True).units.equals(run.units)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(miner.RunError, match="which miner did not write"):
        run.save(tmp_path / "mine", overwrite=True)


def test_an_export(run: miner.Run, tmp_path: Path) -> None:
    assert run.export(tmp_path / "units.txt", format="txt").units == len(run)
    assert len((tmp_path / "units.txt").read_text(encoding="utf-8").splitlines()) == len(run)


def test_a_run_without_a_place_goes_with_its_object() -> None:
    run = miner.mine(["new york is large", "i like new york"] * 9)
    folder = run.folder
    tokenizer = run.train_tokenizer(vocab_size=300)
    other = tokenizer.folder
    assert folder.is_dir() and other.is_dir()
    del run
    gc.collect()
    assert tokenizer.check() and folder.exists()  # its units are those of the run
    del tokenizer
    gc.collect()
    assert not folder.exists() and not other.exists()


def test_threads_read_one_run(demo: MinedDemo) -> None:
    run = miner.open_run(demo.folder)
    wanted = miner.open_run(demo.folder).segment(ASKED)
    found: list[list[str]] = []

    def read() -> None:
        assert "dining car" in run and run["⟁"].kind == "symbol"
        found.append(run.segment(ASKED))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 8


def test_seeds_may_be_given_as_units() -> None:
    run = miner.mine(DEMO, seeds=["жар тишина", "in order to"])
    assert run.config.seeds == ("жар тишина", "in order to")
    again = miner.open_run(run.folder).config
    assert again == run.config


def test_the_other_tools(run: miner.Run, tmp_path: Path) -> None:
    told = miner.inspect(DEMO)
    assert told.data["size"]["documents"] == 4_000 and "scripts" in str(told)
    assert told.save(tmp_path / "page.html").stat().st_size > 1_000
    made = miner.synth(200, tmp_path / "made", seed=3)
    assert made.data["lines"] == 200 and (tmp_path / "made" / "key.jsonl").exists()
    with pytest.raises(miner.UsageError, match="no page"):
        made.save(tmp_path / "page.html")
    (tmp_path / "in.txt").write_text("a dining car\n")
    miner.rewrite(tmp_path / "in.txt", tmp_path / "out.txt", run=run)
    miner.restore(tmp_path / "out.txt", tmp_path / "again.txt", run=run)
    assert (tmp_path / "again.txt").read_text() == "a dining car\n"
    assert (tmp_path / "out.txt").read_text() != "a dining car\n"
    first = run.train_tokenizer(vocab_size=3_000, out=tmp_path / "a")
    second = run.train_tokenizer(vocab_size=3_100, out=tmp_path / "b")
    assert miner.diff(first.folder, first.folder).data["safe"]
    assert "bytes per token" in str(miner.compare([first.folder, second.folder], DEMO))
    terms = tmp_path / "terms.txt"
    terms.write_text("dining car\nno such term\n")
    graded = run.grade(terms)
    assert graded.data["found"] == 1


def test_wrong_use_is_one_clear_error(run: miner.Run, tmp_path: Path) -> None:
    """A text in the place of texts would be read letter by letter."""
    asked = {
        "one text": [
            lambda: run.segment_batch("a text"),  # type: ignore[arg-type]
            lambda: list(run.spans_batch("a text")),
            lambda: list(run.rewrite("a text")),
            lambda: list(run.restore("a text")),
            lambda: run.decide(accept="in the"),
        ],
        "the trainer is 'bpe'": [lambda: run.train_tokenizer("bpe")],  # type: ignore[arg-type]
        "300 is the least": [lambda: run.train_tokenizer(vocab_size=10)],
        "the policy is 'x'": [lambda: miner.open_run(run.folder, policy="x").units],  # type: ignore[arg-type]
        "no tokenizer is named": [lambda: miner.compare([], DEMO)],
        "is a folder": [lambda: run.plot_map().save(tmp_path)],
        "It must be": [lambda: run.export(tmp_path / "a", format="doc")],  # type: ignore[arg-type]
        "nothing to take apart": [lambda: run.decompose("")],
        "k is 0": [lambda: run.near("in the", 0)],
        "corpus names no file": [lambda: run.train_tokenizer(corpus=[])],
    }
    for told, calls in asked.items():
        for call in calls:
            with pytest.raises(miner.UsageError, match=told):
                call()
