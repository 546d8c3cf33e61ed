"""Atoms: what is cut where, in every class of text."""

from __future__ import annotations

import gzip
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import make_chunk
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.atoms import PROFILES, Atoms, choose_held, cut_chunks, cut_texts, detect_profile, fold
from miner.spelling import spell_runs


def cut(text: str, profile: str = "words") -> list[str]:
    return list(cut_texts([text], profile=PROFILES[profile])[0])


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("Ты бы хоть за куст спрятался...", ["ты", "бы", "хоть", "за", "куст", "спрятался"]),
        ("кто-то don’t e.g. 3.14 1,000 %", ["кто-то", "don’t", "e.g", "3.14", "1,000"]),
        ("昔者與高李，晚登", ["昔", "者", "與", "高", "李", "晚", "登"]),
        ("ボールパワーが高い", ["ボールパワー", "が", "高", "い"]),
        ("ด้วยค", ["ด้", "ว", "ย", "ค"]),
        ("हिन्दी क्षत्रिय।", ["हिन्दी", "क्षत्रिय"]),
        ("𒀭𒂗 x", ["𒀭", "𒂗", "x"]),
        ("Δ41 и Δ∞, H₂O x²", ["δ41", "и", "δ∞", "h₂o", "x²"]),
        ("_RESO_ VXS_ΔC1:R8K; 12:30", ["_reso_", "vxs_δc1:r8k", "12", "30"]),
        ("⟁🜂 ⊘ 🫧", ["⟁", "🜂", "⊘", "🫧"]),
        ("👩‍👩‍👧👍🏽 🇷🇺🇬🇧🇫", ["👩‍👩‍👧", "👍🏽", "🇷🇺", "🇬🇧", "🇫"]),
        ("see https://ex.org/a?b=c. Now", ["see", "https://ex.org/a?b=c", "now"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("evam uktaḥ tayā", ["evam", "uktaḥ", "tayā"]),
        ("한국 사람", ["한국", "사람"]),
    ],
)
def test_words(text: str, atoms: list[str]) -> None:
    assert cut(text) == atoms


@pytest.mark.parametrize(
    ("profile", "text", "atoms"),
    [
        ("code", "if(i<10) {++i", ["if", "(", "i", "<", "10", ")", "{", "+", "+", "i"]),
        ("code", "a_b == -1.5 // 'x'", ["a_b", "=", "=", "-", "1.5", "//", "'", "x", "'"]),
        ("code", r"$\Struct{S}$", ["$", "\\", "Struct", "{", "S", "}", "$"]),
        ("code", '"GET /a HTTP/1.1" 200', ['"', "GET", "/", "a", "HTTP", "/", "1.1", '"', "200"]),
        ("symbols", "CC(=O)[nH]1", list("CC(=O)[nH]1")),
        ("symbols", "क्षत्रि👍🏽e\u0301", ["क्ष", "त्रि", "👍🏽", "é"]),
        ("transliteration", "{m}a-šur₂ lib₃-bi E₂", ["{m}a-šur₂", "lib₃-bi", "E₂"]),
    ],
)
def test_other_profiles(profile: str, text: str, atoms: list[str]) -> None:
    assert cut(text, profile) == atoms


def cut_documents(
    documents: list[str | bytes], folder: Path, profile: str, **patterns: str
) -> Atoms:
    return cut_chunks(
        [make_chunk(documents)], folder, profile=PROFILES[profile], patterns=patterns
    )


def test_bytes_are_atoms_and_documents_end_in_a_stop(tmp_path: Path) -> None:
    atoms = cut_documents([b"\x00\xff\x00", b"", b"\xff"], tmp_path, "bytes")
    texts = ["|", *atoms.table["text"]]
    assert [texts[key >> 1] for key in atoms.mined.ids[1:7]] == [
        "<0x00>", "<0xFF>", "<0x00>", "|", "|", "<0xFF>"
    ]  # fmt: skip


def test_a_pattern_of_the_user_is_one_atom_wherever_it_starts(tmp_path: Path) -> None:
    atoms = cut_documents(
        ["ab№7-x cd", "№7-x", "x№7-xy"] * 2, tmp_path, "words", code="№[0-9]-x"
    )
    counts = dict(atoms.table.select("text", "count").iter_rows())
    assert counts == {"№7-x": 6, "ab": 2, "cd": 2, "x": 2, "y": 2}


NASTY = "aZб́\u200d\u0301\u094dकष🇷👍🏽字 \t.,-'_:∞Δ1\u2028\x00(\"№ßİǅ\ufeff"
nasty = st.text(st.sampled_from(NASTY), max_size=30)


@settings(max_examples=200, deadline=None)
@given(st.lists(nasty, min_size=1, max_size=3), st.sampled_from(["code", "symbols"]))
def test_atoms_and_spaces_join_back_to_what_was_there(texts: list[str], profile: str) -> None:
    for text, atoms in zip(texts, cut_texts(texts, profile=PROFILES[profile]), strict=True):
        solid = "".join(sign for sign in text if not sign.isspace())
        found = "".join(sign for sign in "".join(atoms) if not sign.isspace())
        assert unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", solid)


@settings(max_examples=200, deadline=None)
@given(nasty)
def test_the_canonical_form_is_a_fixed_point(text: str) -> None:
    for atom in cut(text):
        assert fold(atom, case=True) == atom


@settings(max_examples=200, deadline=None)
@given(st.text("aक字👍é", min_size=1, max_size=6), st.text("\u0301\u093f\u200d🏽", max_size=3))
def test_marks_stay_with_what_they_mark(base: str, marks: str) -> None:
    assert all(not unicodedata.category(atom[0]).startswith("M") for atom in cut(base + marks))


def test_what_is_spelled_from_keys_is_the_canonical_text(tmp_path: Path) -> None:
    documents = ["Он  сказал\tда", "字字 字", "x=1 ; y", ""]
    atoms = cut_documents(documents, tmp_path, "words")
    stops = np.flatnonzero(np.asarray(atoms.mined.ids) == 0)
    runs = np.zeros((len(stops) - 1, 8), np.uint32)
    for row, (start, end) in enumerate(pairwise(stops)):
        runs[row, : min(end - start - 1, 8)] = atoms.mined.ids[start + 1 : end][:8]
    spelled = [text for text in spell_runs(runs, atoms.table["text"]).to_list() if text]
    assert spelled == ["он сказал да", "字字 字", "x=1", "y"]


def test_held_documents_are_one_in_twenty_and_never_mined(tmp_path: Path) -> None:
    documents = [f"w{number}" for number in range(2000)]
    atoms = cut_documents(documents, tmp_path, "words")
    held = choose_held(2000)
    assert 60 < held.sum() < 140
    counts = dict(atoms.table.select("text", "count").iter_rows())
    assert [counts[f"w{number}"] for number in range(2000)] == (~held).astype(int).tolist()
    assert len(atoms.held.documents) - 1 == held.sum()


def test_few_documents_are_all_mined() -> None:
    assert not choose_held(10).any()


def test_many_types_and_long_words_are_told_apart(tmp_path: Path) -> None:
    documents = [f"{'x' * (i % 40)}{i:07d}" for i in range(60_000)] * 2
    atoms = cut_documents(documents, tmp_path, "words")
    assert atoms.table.height == 60_000


REAL = {
    "ru_prose": "words", "en_novels": "words", "lzh_tang": "words", "th_pud": "words",
    "sa_vedic_iast": "words", "akk_cuneiform": "words", "akk_translit": "transliteration",
    "egy_translit": "transliteration", "egy_hiero": "code", "chem_smiles_hiv": "symbols",
    "logs_apache": "code", "logs_nginxjson": "code", "mix_learnxy": "code",
    "math_openlogic": "code", "sym_emoji_json": "code", "ml_bible": "words", "ja_gsd": "words",
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_the_profile_is_told_from_real_text(shared: Path, name: str) -> None:
    with gzip.open(shared / "corpora" / f"{name}.txt.gz") as handle:
        assert detect_profile(handle.read(1 << 20)).name == REAL[name]
