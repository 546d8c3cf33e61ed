"""A run or a list of the user's to units: what is taken, how it is spelled, and what is refused."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched import MinedDemo

from miner.errors import RunError, TokenizerError
from miner.text.profiles import PROFILES
from miner.text.recut import normalize
from miner.tokenizer.reading.units import (
    LONGEST,
    UNITS,
    Units,
    add_sides,
    add_tokens,
    find_problem,
    list_forms,
    name_bytes,
    read_tokens,
    read_units,
)
from miner.tokenizer.training.normal_form import JOINER

WORDS, CODE = PROFILES["words"], PROFILES["code"]


def write(folder: Path, content: object) -> Path:
    place = folder / "tokens.json"
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    place.write_bytes(raw)
    return place


def make_units(*tokens: str, surface: str | None = None, profile: str = "words") -> Units:
    rows = [
        {"token": token, "surface": surface or token, "kind": "link", "atoms": 2, "count": 3}
        for token in tokens
    ]
    return Units(pl.DataFrame(rows, schema=UNITS), PROFILES[profile])


# The user's list


def test_a_list_becomes_units_in_its_order_folded(tmp_path: Path) -> None:
    names = {"special_tokens": ["Δ41", "_RESO_"], "never_split": ["New  York ", "e\u0301té"]}
    found = read_tokens(write(tmp_path, names), profile=WORDS)
    assert found["token"].to_list() == ["Δ41", "_RESO_", "new york", "été"]
    assert found["surface"].to_list() == ["Δ41", "_RESO_", "New  York ", "e\u0301té"]
    assert found["kind"].to_list() == ["special", "special", "named", "named"]
    assert found.schema == pl.Schema(UNITS)


@pytest.mark.parametrize("content", [{}, {"never_split": []}, {"special_tokens": []}])
def test_an_empty_list_is_no_unit(tmp_path: Path, content: object) -> None:
    assert read_tokens(write(tmp_path, content), profile=WORDS).height == 0


def test_where_case_stays_two_cases_are_two_tokens(tmp_path: Path) -> None:
    found = read_tokens(write(tmp_path, {"never_split": ["Ab", "ab"]}), profile=CODE)
    assert found["token"].to_list() == ["Ab", "ab"]


@pytest.mark.parametrize(
    ("entries", "place", "problem"),
    [
        (["a", ""], "never_split[1]", "is empty"),
        (["  \u3000"], "never_split[0]", "is empty"),
        (["ok", "Ab", "aB "], "never_split[2]", r"is never_split[1] again"),
        (["é", "e\u0301"], "never_split[1]", "is never_split[0] again"),
        (["a\tb"], "never_split[0]", "U+0009"),
        (["a\nb"], "never_split[0]", "U+000A"),
        (["a\x00"], "never_split[0]", "U+0000"),
        (["a\u2028b"], "never_split[0]", "U+2028"),
        (["a\ud800"], "never_split[0]", "half a character U+D800"),
        (["a" * (LONGEST + 1)], "never_split[0]", "513 characters; 512 are the most"),
        ([5], "never_split[0]", "is no text"),
        ([None], "never_split[0]", "is no text"),
        ([["a"]], "never_split[0]", "is no text"),
        ([{"a": 1}], "never_split[0]", "is no text"),
        ([True], "never_split[0]", "is no text"),
    ],
)
def test_an_entry_that_cannot_be_a_token_is_named_with_its_place(
    tmp_path: Path, entries: list, place: str, problem: str
) -> None:
    where = write(tmp_path, {"never_split": entries})
    with pytest.raises(TokenizerError) as caught:
        read_tokens(where, profile=WORDS)
    assert place in caught.value.problem
    assert problem in caught.value.problem
    assert caught.value.where == str(where)
    assert caught.value.cure
    assert len(str(caught.value).splitlines()) == 1
    str(caught.value).encode()


def test_a_token_stands_in_one_of_both_lists(tmp_path: Path) -> None:
    where = write(tmp_path, {"special_tokens": ["Δ41"], "never_split": ["δ41"]})
    with pytest.raises(TokenizerError, match=r"never_split\[0\].*special_tokens\[0\] again"):
        read_tokens(where, profile=WORDS)


@pytest.mark.parametrize(
    "content",
    [
        [],
        ["a"],
        "a",
        5,
        None,
        {"tokens": ["a"]},
        {"never_split": ["a"], "more": []},
        {"never_split": "abc"},
        {"never_split": {"a": 1}},
        {"special_tokens": None},
        b"",
        b"{",
        b'{"never_split": ["a"]',
        b"\xff\xfe",
        b"\x80abc",
        b"[" * 100_000,
        b"never_split: [a]",
        b'\xef\xbb\xbf{"never_split": 5}',
    ],
    ids=lambda content: repr(content)[:30],
)
def test_a_file_that_is_no_such_list_is_a_clear_error(tmp_path: Path, content: object) -> None:
    where = write(tmp_path, content)
    with pytest.raises(TokenizerError) as caught:
        read_tokens(where, profile=WORDS)
    assert caught.value.where == str(where)
    assert caught.value.cure
    assert len(str(caught.value).splitlines()) == 1


def test_a_list_that_is_not_there_or_a_folder_is_a_clear_error(tmp_path: Path) -> None:
    for place in (tmp_path / "none.json", tmp_path):
        with pytest.raises(TokenizerError):
            read_tokens(place, profile=WORDS)


@given(st.text(max_size=20))
def test_what_has_no_problem_is_a_printable_text(entry: str) -> None:
    if find_problem(entry) is None:
        entry.encode()
        assert entry.strip()
        assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in entry)


def test_the_longest_entry_is_taken() -> None:
    assert find_problem("a" * LONGEST) is None


def test_tokens_stand_in_front_and_a_unit_that_is_named_stands_once(tmp_path: Path) -> None:
    tokens = read_tokens(write(tmp_path, {"never_split": ["B b", "x y"]}), profile=WORDS)
    both = add_tokens(make_units("a a", "b b"), tokens).table
    assert both["token"].to_list() == ["b b", "x y", "a a"]
    assert both["kind"].to_list() == ["named", "named", "link"]


# Spellings


def test_canonical_mode_knows_one_spelling() -> None:
    forms = list_forms(make_units("new york", surface="New York"), exact=False)
    assert forms.rows() == [(0, "new york")]


def test_exact_mode_knows_the_cases_and_both_unicode_forms() -> None:
    forms = list_forms(make_units("café ёж"), exact=True)
    wanted = ["café ёж", "Café ёж", "Café Ёж", "CAFÉ ЁЖ"]
    apart = [unicodedata.normalize("NFD", text) for text in wanted]
    assert set(forms["text"]) == {*wanted, *apart}
    assert forms["text"].is_unique().all()
    assert forms["text"][0] == "café ёж"


def test_the_surface_of_the_corpus_is_a_spelling() -> None:
    forms = list_forms(make_units("iphone se", surface="iPhone SE"), exact=True)
    assert "iPhone SE" in forms["text"].to_list()


def test_where_case_stays_exact_mode_does_not_change_it() -> None:
    forms = list_forms(make_units("def run", profile="code"), exact=True)
    assert forms["text"].to_list() == ["def run"]


def test_every_spelling_folds_to_its_unit(demo: MinedDemo) -> None:
    units = read_units(demo.folder)
    forms = list_forms(units, exact=True)
    tokens = units.table["token"].gather(forms["unit"]).to_list()
    folded = [normalize(text, units.profile) for text in forms["text"]]
    wrong = [(a, b) for a, b in zip(folded, tokens, strict=True) if a != b]
    assert wrong == []


def test_two_units_with_a_spelling_in_common_have_it_once() -> None:
    forms = list_forms(make_units("aa", "Aa", profile="code"), exact=True)
    assert forms["text"].to_list() == ["aa", "Aa"]


def test_bytes_are_spelled_as_characters_of_their_numbers() -> None:
    assert name_bytes("<0x41><0xE9>") == "Aé"
    units = make_units("<0x00><0xFF>", profile="bytes")
    assert list_forms(units, exact=True)["text"].to_list() == ["\x00ÿ"]


def test_sides_are_spaces_in_front_and_joiners_behind_marks() -> None:
    forms = pl.DataFrame(
        {
            "unit": [0, 1, 2],
            "text": ["= none", "print(", "a b"],
            "normal": ["= none", " print(", " a b"],
        }
    )
    sides = add_sides(forms, joiner=JOINER)
    assert set(sides.select("unit", "normal", "side").iter_rows()) == {
        (0, "= none", ""),
        (0, " = none", "spaced"),
        (1, " print(", ""),
        (1, " print(⁀", "joined"),
        (2, " a b", ""),
    }


def test_a_mark_by_itself_has_both_sides() -> None:
    forms = pl.DataFrame({"unit": [0], "text": ["()"], "normal": ["()"]})
    sides = dict(add_sides(forms, joiner=JOINER).select("side", "normal").iter_rows())
    assert sides == {"": "()", "spaced": " ()", "joined": "()⁀", "spaced joined": " ()⁀"}


# A run


def test_the_units_of_a_run_are_those_of_its_vocabulary(demo: MinedDemo) -> None:
    units = read_units(demo.folder)
    assert units.table["token"].to_list() == demo.units["token"].to_list()
    assert units.profile.name == "words"
    assert units.table.schema == pl.Schema(UNITS)


def copy_run(demo: MinedDemo, folder: Path) -> Path:
    run = folder / "run"
    run.mkdir()
    for name in ("manifest.json", "vocabulary.jsonl"):
        shutil.copyfile(demo.folder / name, run / name)
    return run


@pytest.mark.parametrize("name", ["manifest.json", "vocabulary.jsonl"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe", b'{"a": 1}', b'"text"', b"[" * 100_000],
    ids=lambda content: repr(content)[:12],
)
def test_a_damaged_file_of_a_run_is_a_clear_error(
    demo: MinedDemo, tmp_path: Path, name: str, content: bytes
) -> None:
    run = copy_run(demo, tmp_path)
    (run / name).write_bytes(content)
    if (name, content) == ("vocabulary.jsonl", b""):
        assert read_units(run).table.height == 0
        return
    with pytest.raises(RunError) as caught:
        read_units(run)
    assert caught.value.where
    assert caught.value.cure


@pytest.mark.parametrize("name", ["manifest.json", "vocabulary.jsonl"])
def test_a_run_without_a_file_of_its_own_is_a_clear_error(
    demo: MinedDemo, tmp_path: Path, name: str
) -> None:
    run = copy_run(demo, tmp_path)
    (run / name).unlink()
    with pytest.raises(RunError):
        read_units(run)
    (run / name).mkdir()
    with pytest.raises(RunError):
        read_units(run)


@pytest.mark.parametrize(
    "change",
    [
        {"profile": "poems"},
        {"profile": None},
        {"profile": ["words"]},
        {"config": None},
        {"config": {}},
        {"config": []},
        *(pytest.param({"inputs": inputs}) for inputs in (None, "text", [1])),
    ],
    ids=repr,
)
def test_a_manifest_that_says_something_odd_is_a_clear_error(
    demo: MinedDemo, tmp_path: Path, change: dict
) -> None:
    run = copy_run(demo, tmp_path)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (run / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(RunError):
        read_units(run)


@pytest.mark.parametrize(
    "change",
    [{"token": 5}, pytest.param({"token": None}), {"kind": []}, {"atoms": 5}, {"count": "many"}],
    ids=repr,
)
def test_a_row_of_a_vocabulary_that_says_something_odd_is_a_clear_error(
    demo: MinedDemo, tmp_path: Path, change: dict
) -> None:
    run = copy_run(demo, tmp_path)
    first = json.loads((run / "vocabulary.jsonl").read_text(encoding="utf-8").split("\n")[0])
    (run / "vocabulary.jsonl").write_text(json.dumps(first | change) + "\n")
    with pytest.raises(RunError):
        read_units(run)
