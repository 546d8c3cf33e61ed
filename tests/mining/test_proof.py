"""Units to proven units: every refusal by name, and what is kept comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.corpus import Chunk
from miner.mining import proof
from miner.mining.candidates import Candidates, count_candidates
from miner.mining.proof import find_unbuilt, glue_tokens, prove_units
from miner.mining.settling import Verdict
from miner.mining.spelling import list_parts, spell_runs
from miner.mining.vocabulary import MERGES, join_pieces, order_merges, rank_merges, split_unit
from miner.text.pretokens import Atoms, cut_chunks
from miner.text.profiles import PROFILES

NASTY = [
    "a", "b", "B", "ß", "ŉ", "İ", "ё", "Е\u0308", "\u0308", "é", "Δ", "∞", "4", ".", ",", ":", "_",
    "-", "'", " ", " ", " ", "\t", "天", "地", "カ", "ー", "ក", "្", "त", "्", "\u200d", "👩", "💻",
    "🏽", "🇩", "🇪", "⟁", "▁", "<", ">", "=", "\u00a0", "\u200b", "\ufeff", "\x1f", "{", "}", "/",
]  # fmt: skip


Documents = Sequence[str | bytes]
Patterns = Mapping[str, str]


def cut(documents: Documents, *, profile: str = "words", patterns: Patterns | None = None) -> Atoms:
    encoded = [text.encode() if isinstance(text, str) else text for text in documents]
    lengths = np.array([len(text) for text in encoded], np.int64)
    starts = np.cumsum(lengths + 1) - lengths - 1
    buffer = np.frombuffer(b"\n".join([*encoded, b""]), np.uint8)
    chunk = Chunk(buffer, starts, starts + lengths, "test")
    with tempfile.TemporaryDirectory() as folder:
        return cut_chunks([chunk], Path(folder), profile=PROFILES[profile], patterns=patterns or {})


def list_runs(atoms: Atoms) -> tuple[pl.DataFrame, Candidates]:
    """Return every run and every atom of a corpus as a unit."""
    counts = atoms.table["count"].to_numpy()
    candidates = count_candidates(atoms.mined, counts, min_count=2, threads=1)
    tokens = spell_runs(candidates.keys, atoms.table["text"])
    runs = candidates.table.with_columns(token=tokens).filter(pl.col("length") > 1)
    none = pl.lit(None, pl.UInt32)
    singles = atoms.table.select(pl.col("text").alias("token"), none.alias("candidate"), "atom")
    units = pl.concat([runs.select("token", "candidate", atom=none), singles])
    return units.with_columns(score=pl.lit(1.0)), candidates


def prove(
    documents: Documents,
    *,
    profile: str = "words",
    patterns: Patterns | None = None,
    times: int = 3,
) -> tuple[pl.DataFrame, Atoms, Candidates]:
    """Prove every run and every atom of a corpus; `documents` occur three times each."""
    atoms = cut(list(documents) * times, profile=profile, patterns=patterns)
    units, candidates = list_runs(atoms)
    return prove_units(units, atoms, candidates, patterns=patterns or {}), atoms, candidates


def verdicts(documents: Documents, **options: object) -> dict[str, tuple[str, str | None]]:
    proven, _, _ = prove(documents, **options)  # type: ignore[arg-type]
    found: dict[str, tuple[str, str | None]] = {}
    for token, verdict, detail in proven.select("token", "verdict", "detail").iter_rows():
        found.setdefault(token, (verdict, detail))
    return found


# Spelling


def spell_slowly(row: list[int], texts: list[str]) -> str:
    spaces = ["", *(" " * (key & 1) for key in row[1:])]
    return "".join(space + texts[(key >> 1) - 1] for space, key in zip(spaces, row, strict=False))


@given(st.lists(st.lists(st.integers(2, 9), max_size=4), max_size=6))
def test_runs_are_spelled_as_one_by_one(rows: list[list[int]]) -> None:
    texts = ["жар", "тишина", "天", "Δ4"]
    keys = np.zeros((len(rows), 4), np.uint32)
    for i, row in enumerate(rows):
        keys[i, : len(row)] = row
    assert spell_runs(keys, texts).to_list() == [spell_slowly(row, texts) for row in rows]
    wanted = [[texts[(key >> 1) - 1] for key in row] for row in rows]
    assert list_parts(keys, pl.Series(texts)).to_list() == wanted


def test_a_space_before_the_first_atom_is_not_spelled() -> None:
    assert spell_runs(np.array([[3, 5]], np.uint32), ["жар", "тишина"]).to_list() == ["жар тишина"]


# What is kept


def test_units_are_kept_with_their_short_name() -> None:
    proven, _, _ = prove(["жар тишина", "тишина жар", "Δ84 ⟁", "go on to them", "onto", "on to"])
    names = dict(proven.select("token", "glued").iter_rows())
    assert set(proven["verdict"]) == {Verdict.KEPT}
    assert proven["detail"].null_count() == proven.height
    assert names["жар тишина"] == "жартишина"
    assert names["тишина жар"] == "тишинажар"
    assert names["on to"] == "on to"  # `onto` is a word of the corpus
    assert names["on to them"] == "ontothem"


def test_of_two_units_with_one_short_name_the_better_gets_it() -> None:
    units = pl.DataFrame(
        {
            "token": ["a bc", "x", "ab c", "xy", "x y"],
            "verdict": ["kept", "kept", "kept", "kept", "kept"],
        }
    )
    assert glue_tokens(units, pl.Series(["x"])).to_list() == ["abc", "x", "ab c", "xy", "x y"]


def test_a_refused_unit_takes_no_name() -> None:
    units = pl.DataFrame({"token": ["a bc", "ab c"], "verdict": ["changes", "kept"]})
    assert glue_tokens(units, pl.Series(["x"])).to_list() == [None, "abc"]


def test_a_code_node_is_told_by_its_capitals() -> None:
    found = verdicts(["узел VXS_ΔC1:R8K жар"])
    assert found["VXS_ΔC1:R8K"] == ("kept", None)
    assert found["узел VXS_ΔC1:R8K"] == ("kept", None)


def test_a_pattern_that_asks_for_capitals_is_no_obstacle() -> None:
    found = verdicts(["узел AB/1 жар"], patterns={"node": r"[A-Z]{2}/\d"})
    assert found["узел ab/1"] == ("kept", None)


def test_a_word_may_end_in_a_virama() -> None:
    assert verdicts(["तत् त्वम्"])["तत् त्वम्"] == ("kept", None)


def test_bytes_come_back() -> None:
    found = verdicts([b"\x00\xff\n A", b"\x00\xff"], profile="bytes")
    assert found["<0x00><0xFF>"] == ("kept", None)
    assert {verdict for verdict, _ in found.values()} == {"kept"}


def test_order_and_other_columns_stay() -> None:
    proven, atoms, candidates = prove(["жар тишина вход", "вход жар"])
    units = proven.select("token", "candidate", "atom", "score").reverse()
    units = units.with_columns(note=pl.int_range(units.height))
    again = prove_units(units, atoms, candidates, patterns={})
    assert again.columns == [*units.columns, "verdict", "detail", "glued"]
    assert again.select(units.columns).equals(units)


def test_no_units_are_no_error() -> None:
    proven, atoms, candidates = prove(["жар тишина"])
    assert (
        prove_units(
            proven.clear().select("token", "candidate", "atom", "score"),
            atoms,
            candidates,
            patterns={},
        ).height
        == 0
    )


# What is refused


@pytest.mark.parametrize(
    ("document", "token", "detail"),
    [
        ("\u0308x жар", "\u0308x", "it starts with U+0308, which belongs to the character before"),
        ("កក្", "កក្", "it ends in U+17D2, which joins the next sign to it"),
        ("жар 👩\u200d", "жар 👩\u200d", "it ends in U+200D, which joins the next sign to it"),
        ("жар 🇩", "жар 🇩", "it ends in half a flag, which the next half would complete"),
    ],
)
def test_inside(document: str, token: str, detail: str) -> None:
    assert verdicts([document])[token] == (Verdict.INSIDE, detail)


def test_inside_a_word_that_a_pattern_cut() -> None:
    found = verdicts(["жар тишина вход"], patterns={"half": "тиш"})
    refused = (Verdict.INSIDE, "it stands inside a longer word, 'тишина'")
    assert found["жар тиш"] == found["ина вход"] == found["тиш"] == refused
    assert found["тишина вход"] == found["жар тишина"] == ("kept", None)


def test_inside_is_only_what_nothing_parts() -> None:
    found = verdicts(["天地 学x, カx ⟁⟁"], patterns={"never": "zzz"})
    assert {verdict for verdict, _ in found.values()} == {"kept"}


@pytest.mark.parametrize(
    ("document", "profile", "token", "detail"),
    [
        ("жар ŉ", "words", "жар ʼn", "cut again, 'жар ʼn' gives 'жар | n'"),
        ("жар ▁", "words", "жар ▁", "it holds U+2581, which stands for a space in the vocabulary"),
        ("a\nb", "code", "a\nb", "it holds a line break, and the vocabulary has one token a line"),
        ("a\nb", "code", "a\n", "the normalizer changes it to 'a'"),
    ],
)
def test_changes(document: str, profile: str, token: str, detail: str) -> None:
    assert verdicts([document], profile=profile)[token] == (Verdict.CHANGES, detail)


def test_changes_where_white_space_stands_in_an_atom() -> None:
    found = verdicts(["a\x1fb c"], profile="transliteration")
    assert found.pop("c") == ("kept", None)
    assert {verdict for verdict, _ in found.values()} == {Verdict.CHANGES}


def test_changes_in_a_context_only() -> None:
    # `e` + accent + `∞` are two atoms, composed they are one: only beside `∞` does `é` change.
    proven, _, _ = prove(["жар e\u0301∞ вход", "жар e\u0301∞ вход", "e\u0301 жар"])
    found = {row["token"]: (row["verdict"], row["detail"]) for row in proven.iter_rows(named=True)}
    assert found["жар é"] == (Verdict.CHANGES, "cut again, 'жар é∞ вход' gives 'жар | é∞ | вход'")
    assert found["é жар"] == (Verdict.KEPT, None)
    assert found["жар"] == (Verdict.KEPT, None)  # its neighbour changes, it does not


def test_changes_where_the_token_is_not_what_its_atoms_spell() -> None:
    proven, atoms, candidates = prove(["жар тишина"])
    units = proven.head(1).select(pl.lit("жар").alias("token"), "candidate", "atom", "score")
    again = prove_units(units, atoms, candidates, patterns={})
    assert again.select("verdict", "detail").row(0) == (
        Verdict.CHANGES,
        "its atoms spell 'жар тишина'",
    )


def test_duplicate() -> None:
    proven, _, _ = prove(["вход New York", "вход new york"], patterns={"city": "New York"}, times=5)
    york = proven.filter(pl.col("token") == "new york")
    assert york["candidate"].is_null().to_list() == [False, True]
    assert york["verdict"].to_list() == [Verdict.KEPT, Verdict.DUPLICATE]
    rank = proven["token"].to_list().index("new york") + 1
    assert york["detail"][1] == f"same canonical form as rank {rank}"


def test_rebuild() -> None:
    proven, atoms, candidates = prove(["a b c"])
    runs = proof._gather_runs(proven, atoms, candidates)
    wrong = [("b", "c", "b c"), ("a", "b", "a b"), ("a b", "c", "a b c")]
    merges = pl.DataFrame(wrong, schema=MERGES, orient="row")
    found = {runs.tokens[row]: detail for row, detail in find_unbuilt(runs, {}, merges=merges)}
    assert found == {"a b c": "the merges leave 'a |  b c'"}
    assert not list(find_unbuilt(runs, {}))


# Places and contexts


def test_contexts_are_what_stands_in_the_corpus() -> None:
    documents = ["a b c d e f g h", "x b c, y", "b c", "z a b c d"]
    proven, atoms, candidates = prove(documents, times=2)
    units = proven.filter(pl.col("token") == "b c")
    runs = proof._gather_runs(units, atoms, candidates)
    contexts = proof._gather_contexts(units, runs, atoms, candidates, atoms.table["text"])
    texts = spell_runs(contexts.keys, atoms.table["text"]).to_list()
    assert texts[0] == "b c"
    assert {"a b c d e f"} <= set(texts[1:]) <= {"a b c d e f", "x b c", "b c", "z a b c d"}
    for keys, start, end in zip(contexts.keys, contexts.start, contexts.end, strict=True):
        inside = (keys[start:end] >> 1).tolist()
        assert inside == (runs.keys[0, :2] >> 1).tolist()


@settings(max_examples=30)
@given(st.lists(st.text(st.sampled_from("ab天 ,"), max_size=12), max_size=4))
def test_every_place_holds_its_unit(documents: list[str]) -> None:
    proven, atoms, candidates = prove(["a", *documents])
    runs = proof._gather_runs(proven, atoms, candidates)
    places = proof._find_places(proven, atoms, candidates)
    assert (places[:, 0] > 0).all()
    for row, place in zip(*np.nonzero(places >= 0), strict=True):
        length = int((runs.keys[row] != 0).sum())
        at = places[row, place]
        there = atoms.mined.ids[at : at + length].copy()
        there[0] &= ~np.uint32(1)
        assert there.tolist() == runs.keys[row, :length].tolist()


# Any text


def merge_slowly(pieces: list[str], merges: list[tuple[str, str]]) -> list[str]:
    """BPE by the book: the first merge of the list that applies, at its leftmost place."""
    while True:
        for left, right in ((space + left, right) for left, right in merges for space in ("", " ")):
            pairs = list(pairwise(pieces))
            if (left, right) in pairs:
                i = pairs.index((left, right))
                pieces = [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]]
                break
        else:
            return pieces


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from(NASTY), max_size=9).map("".join), max_size=4),
    st.sampled_from(["words", "code", "symbols", "molecules", "transliteration"]),
    st.sampled_from([{}, {"own": "a[b地]"}, {"own": "B ?天", "two": "[^ ]=="}]),
)
def test_what_is_kept_comes_back(
    documents: list[str], profile: str, patterns: dict[str, str]
) -> None:
    proven, atoms, candidates = prove(["a", *documents], profile=profile, patterns=patterns)
    kept = proven.filter(pl.col("verdict") == Verdict.KEPT)
    refused = proven.filter(pl.col("verdict") != Verdict.KEPT)
    assert refused["detail"].null_count() == 0
    assert refused["glued"].null_count() == refused.height
    assert kept["token"].is_unique().all()
    assert kept["glued"].is_unique().all()
    runs = proof._gather_runs(kept, atoms, candidates)
    if not patterns and "code" not in atoms.table["kind"]:
        some = runs.tokens[:50]  # so few that none is held back
        wanted = [split_unit(*unit) for unit in zip(some, runs.parts, strict=False)]
        assert list_documents(cut(some, profile=profile)) == wanted
    units = kept.with_columns(atoms=pl.Series(runs.parts, dtype=pl.List(pl.String)))
    check_merges(units)


def list_documents(atoms: Atoms) -> list[list[str]]:
    """Return the atoms of each document, with the space before each; a few documents, all mined."""
    texts, edges = atoms.table["text"].to_list(), atoms.mined.documents
    return [
        [
            " " * (key & 1) + texts[(key >> 1) - 1]
            for key in atoms.mined.ids[start : end - 1].tolist()
        ]
        for start, end in pairwise(edges.tolist())
    ]


def check_merges(units: pl.DataFrame) -> None:
    """Both halves exist before use, and the list rebuilds each unit, by the book and quickly."""
    merges = order_merges(units)
    known = {atom for parts in units["atoms"] for atom in parts}
    for left, right, result in merges.iter_rows():
        assert left in known
        assert right in known
        known.add(result)
    ranks = rank_merges(merges)
    assert len(ranks) == merges.height
    for token, parts in units.select("token", "atoms").iter_rows():
        pieces = split_unit(token, parts)
        assert join_pieces(pieces, ranks) == merge_slowly(pieces, list(ranks)) == [token]


@pytest.mark.slow
def test_a_hundred_thousand_units() -> None:
    """What looks at each unit beside each other never ends here."""
    generator = np.random.default_rng(7)
    ranks = np.minimum(generator.zipf(1.3, (6_000, 8)), 20_000)
    documents = [" ".join(f"w{rank}" for rank in row) for row in ranks.tolist()]
    atoms = cut(documents * 2)
    units, candidates = list_runs(atoms)
    units = units.head(100_000)
    assert units.height == 100_000
    proven = prove_units(units, atoms, candidates, patterns={})
    assert set(proven["verdict"]) == {Verdict.KEPT}
