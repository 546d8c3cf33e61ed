"""Proven units to files: exactly the bytes that other programs are promised."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE

from miner.errors import RunError
from miner.mining.vocabulary import (
    MERGES,
    join_pieces,
    list_tokens,
    mark_spaces,
    order_merges,
    rank_merges,
    read_merges,
    round_real,
    split_unit,
    write_vocabulary,
)

FILES = ("vocabulary.jsonl", "vocabulary.txt", "merges.tsv", "tokens.json")


def unit(token: str, kind: str, **columns: object) -> dict[str, object]:
    parts = token.split(" ")
    return {
        "token": token,
        "glued": "".join(parts),
        "surface": token,
        "atoms": parts,
        "kind": kind,
        "count": 7,
        "unit_count": 5,
        "score": 0.5,
        "family": None,
    } | columns


UNITS = pl.DataFrame(
    [
        unit("жар тишина", "link", surface="Жар тишина", score=0.123456789, npmi=1 / 3),
        unit("Δ41", "formula", surface="Δ41", score=float("nan"), npmi=float("inf")),
        unit("входтишинажар", "hyperlexeme", atoms=["вход", "тишина", "жар"], family=1, npmi=1e-20),
        unit("on to", "link", glued="on to", npmi=None),
        unit("学生", "link", atoms=["学", "生"], npmi=-123456789.0),
        unit("_RESO_", "marker", surface="_RESO_", npmi=0.0),
        unit("⟁", "symbol", npmi=2.0),
    ],
    infer_schema_length=None,
).with_columns(candidate=pl.lit(3), verdict=pl.lit("kept"))


def make_units(runs: list[list[str]]) -> pl.DataFrame:
    """Units of atoms with the space before each, as `split_unit` gives them."""
    columns = {
        "token": ["".join(run) for run in runs],
        "atoms": [[piece.removeprefix(" ") for piece in run] for run in runs],
    }
    return pl.DataFrame(columns, schema={"token": pl.String(), "atoms": pl.List(pl.String())})


# Files


def test_the_files_are_what_was_promised(tmp_path: Path) -> None:
    write_vocabulary(tmp_path, UNITS, order_merges(UNITS))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    lines = (tmp_path / "vocabulary.jsonl").read_bytes().decode().split("\n")
    assert lines[0] == (
        '{"rank": 1, "token": "жар тишина", "glued": "жартишина", "surface": "Жар тишина", '
        '"atoms": ["жар", "тишина"], "kind": "link", "count": 7, "unit_count": 5, '
        '"score": 0.123457, "family": null, "npmi": 0.333333}'
    )
    rows = [json.loads(line) for line in lines[:-1]]
    assert lines[-1] == ""
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[1]["score"] is rows[1]["npmi"] is None
    assert [row["npmi"] for row in rows[2:]] == [1e-20, None, -123457000.0, 0.0, 2.0]
    assert rows[2]["family"] == 1
    assert (tmp_path / "vocabulary.txt").read_bytes().decode() == (
        "▁жар▁тишина\nΔ41\n▁входтишинажар\n▁on▁to\n学生\n_RESO_\n⟁\n"
    )
    assert (tmp_path / "merges.tsv").read_bytes().decode() == (
        "left\tright\tresult\nжар\tтишина\tжар тишина\non\tto\ton to\n学\t生\t学生\n"
        "вход\tтишина\tвходтишина\nвходтишина\tжар\tвходтишинажар\n"
    )
    assert json.loads((tmp_path / "tokens.json").read_bytes()) == {
        "special_tokens": ["Δ41", "_RESO_", "⟁"],
        "never_split": ["жартишина", "входтишинажар", "on to", "学生"],
    }
    assert "Δ41" in (tmp_path / "tokens.json").read_text(encoding="utf-8")


def test_the_same_units_give_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        write_vocabulary(folder, UNITS, order_merges(UNITS))
    for name in FILES:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_no_units_make_whole_files(tmp_path: Path) -> None:
    write_vocabulary(tmp_path, UNITS.clear(), order_merges(UNITS.clear()))
    assert (tmp_path / "vocabulary.jsonl").read_bytes() == b""
    assert read_merges(tmp_path / "merges.tsv").height == 0
    assert list_tokens(UNITS.clear()) == {"special_tokens": [], "never_split": []}


def test_a_space_stands_in_front_of_words_only_where_spaces_part_them() -> None:
    units = pl.DataFrame({"token": ["x = y", "⟁ ⟁"], "kind": ["link", "link"]})
    assert mark_spaces(units, spaced=True) == ["▁x▁=▁y", "⟁▁⟁"]
    assert mark_spaces(units, spaced=False) == ["x▁=▁y", "⟁▁⟁"]


def test_lines_differ_where_tokens_differ() -> None:
    assert len(set(mark_spaces(UNITS, spaced=True))) == UNITS.height


@given(st.floats())
def test_a_real_number_keeps_six_digits(number: float) -> None:
    short = round_real(number)
    if short is None:
        assert number != number or abs(number) == float("inf")
    else:
        assert abs(short - number) <= 5.1e-6 * abs(number) + 1e-320
        assert round_real(short) == short


# merges.tsv


@given(st.lists(st.tuples(st.text(min_size=1), st.sampled_from(["", " "]), st.text(min_size=1))))
def test_merges_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    merges = pl.DataFrame(
        [(left, right, left + space + right) for left, space, right in rows],
        schema=MERGES,
        orient="row",
    )
    folder = tmp_path_factory.mktemp("merges")
    write_vocabulary(folder, UNITS, merges)
    text = (folder / "merges.tsv").read_bytes()
    assert text.count(b"\n") == len(rows) + 1
    assert b"\r" not in text
    assert read_merges(folder / "merges.tsv").equals(merges)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a\tb\tc\n", "does not begin with left, right, result"),
        (b"left\tright\tresult\na\tb\n", "line 2: is not a merge"),
        (b"left\tright\tresult\na\tb\tab\na\\x\tb\ta\n", "line 3: is not a merge"),
        (b"left\tright\tresult\na\tb\tba\n", "line 2: joins to another result"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: bytes, problem: str) -> None:
    path = tmp_path / "merges.tsv"
    path.write_bytes(text)
    with pytest.raises(RunError, match=problem):
        read_merges(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"merges\.tsv: cannot be read"):
        read_merges(tmp_path / "merges.tsv")


# Merges


def test_longer_units_are_built_of_shorter_ones() -> None:
    units = make_units([["a", " b", " c", " d"], ["c", " d"], ["a", " b"]])
    assert order_merges(units).rows() == [
        ("c", "d", "c d"),
        ("a", "b", "a b"),
        ("a b", "c d", "a b c d"),
    ]


def test_the_space_between_two_halves_counts() -> None:
    merges = order_merges(make_units([["天", "地"], ["天", " 地"]]))
    assert merges.rows() == [("天", "地", "天地"), ("天", "地", "天 地")]
    ranks = rank_merges(merges)
    assert join_pieces(["天", " 地", "天", "地"], ranks) == ["天 地", "天地"]


def test_atoms_that_do_not_spell_their_token_are_a_mistake() -> None:
    for token, parts in (("жар тишина", ["жар"]), ("жар", ["жар", "вход"]), ("a  b", ["a", "b"])):
        with pytest.raises(ValueError, match="do not spell"):
            split_unit(token, parts)


# The real thing


def build_tokenizer(units: pl.DataFrame) -> tuple[Tokenizer, dict[str, str]]:
    """Load the merges into Hugging Face BPE, each atom, with and without space, one character.

    A merge says nothing of a space before its left half, so it is loaded once for each.
    """
    atoms = sorted({atom for parts in units["atoms"] for atom in parts})
    forms = [space + atom for atom in atoms for space in ("", " ")]
    symbols = {form: chr(0xF0000 + number) for number, form in enumerate(forms)}
    pairs = []
    for left, right in rank_merges(order_merges(units)):
        for space in ("", " "):
            pairs.append((symbols[space + left], symbols[right]))
            symbols[space + left + right] = "".join(pairs[-1])
    vocabulary = {symbol: number for number, symbol in enumerate(symbols.values())}
    return Tokenizer(BPE(vocabulary, pairs)), symbols


def encode(pieces: list[str], tokenizer: Tokenizer, symbols: dict[str, str]) -> list[str]:
    names = {symbol: form for form, symbol in symbols.items()}
    return [names[token] for token in tokenizer.encode("".join(symbols[p] for p in pieces)).tokens]


def test_order_is_kept_in_a_real_tokenizer() -> None:
    loaded = build_tokenizer(
        make_units([["жар", " тишина"], ["вход", " жар", " тишина", " дрожь"]])
    )
    assert encode(["жар", " тишина"], *loaded) == ["жар тишина"]
    assert encode(["тишина", " жар"], *loaded) == ["тишина", " жар"]
    assert encode(["вход", " жар", " тишина", " дрожь"], *loaded) == ["вход жар тишина дрожь"]
    assert encode(["дрожь", " жар", " тишина", " вход"], *loaded) == [
        "дрожь",
        " жар тишина",
        " вход",
    ]
    assert encode(["жар", "тишина"], *loaded) == ["жар", "тишина"]


PIECES = st.sampled_from(["a", "b", "c", " a", " b", " c"])
RUNS = st.lists(PIECES, min_size=1, max_size=6).map(lambda run: [run[0].strip(), *run[1:]])


@given(st.lists(RUNS, min_size=1, max_size=25, unique_by="".join), RUNS)
def test_every_unit_is_one_token_in_a_real_tokenizer(
    runs: list[list[str]], text: list[str]
) -> None:
    units = make_units(runs)
    tokenizer, symbols = build_tokenizer(units)
    for run in runs:
        assert encode(run, tokenizer, symbols) == ["".join(run)]
    known = [piece for piece in text if piece in symbols]
    ranks = rank_merges(order_merges(units))
    assert encode(known, tokenizer, symbols) == join_pieces(known, ranks)


@pytest.mark.slow
def test_a_hundred_thousand_units_in_a_real_tokenizer() -> None:
    atoms = [f"w{number}" for number in range(60)]
    runs = [
        [first, f" {second}", *rest]
        for first in atoms
        for second in atoms
        for rest in ([], *([f" {third}"] for third in atoms))
    ][:100_000]
    tokenizer, symbols = build_tokenizer(make_units(runs))

    def count(pieces: list[str]) -> int:
        return len(tokenizer.encode("".join(symbols[piece] for piece in pieces)).ids)

    assert {count(run) for run in runs[::7]} == {1}
    known = {"".join(run) for run in runs}
    swapped = [[second.strip(), f" {first}"] for first, second, *_ in runs[::7]]
    assert {count(run) for run in swapped if "".join(run) not in known} == {2}
