"""Atoms: what is cut where, in every class of text."""

from __future__ import annotations

import gzip
import tempfile
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import make_chunk
from hypothesis import given
from hypothesis import strategies as st

from miner.corpus import Chunk
from miner.mining.spelling import spell_runs
from miner.text.pretokenization import CAPITAL, OPENED, STARTS
from miner.text.pretokens import (
    MOST_ATOMS,
    Atoms,
    Interner,
    choose_held,
    cut_chunks,
    cut_text,
    load_atoms,
)
from miner.text.profiles import PROFILES, count_joints, detect_profile
from miner.text.recut import list_forms, normalize
from miner.text.unicode import (
    APOSTROPHE,
    CLASS,
    COLON,
    HYPHEN,
    LINE,
    POINT,
    PUNCTUATION,
    SPACE,
    class_table,
)

BLANK = {SPACE, LINE}
PUNCTUATED = BLANK | {APOSTROPHE, HYPHEN, POINT, PUNCTUATION, COLON}
NO_SPANS = np.empty((0, 2), np.int64)


def cut(text: str, profile: str = "words") -> list[str]:
    return list(list_forms([text], PROFILES[profile])[0])


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
        ("Δ41 и Δ∞, H₂O x²", ["Δ41", "и", "Δ∞", "H₂O", "x²"]),
        ("_RESO_ VXS_ΔC1:R8K; 12:30", ["_RESO_", "VXS_ΔC1:R8K", "12", "30"]),
        ("⟁🜂 ⊘ 🫧", ["⟁", "🜂", "⊘", "🫧"]),
        ("👩‍👩‍👧👍🏽 🇷🇺🇬🇧🇫", ["👩‍👩‍👧", "👍🏽", "🇷🇺", "🇬🇧", "🇫"]),
        ("see https://ex.org/a?b=c. Now", ["see", "https://ex.org/a?b=c", "now"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("evam uktaḥ tayā", ["evam", "uktaḥ", "tayā"]),
        ("한국 사람", ["한국", "사람"]),
        ("L'énergie d’un corps", ["l'", "énergie", "d’", "un", "corps"]),
        (
            "jusqu'à l'Œuvre qu'il n'y a",
            ["jusqu'", "à", "l'", "œuvre", "qu'", "il", "n'", "y", "a"],
        ),
        (
            "dell'Arte all'alba, c'è un'ora",
            ["dell'", "arte", "all'", "alba", "c'", "è", "un'", "ora"],
        ),
        ("l'aigua d'or l'E\u0301tat", ["l'", "aigua", "d'", "or", "l'", "état"]),
        ("aujourd'hui l'x dit-l'homme", ["aujourd'hui", "l'x", "dit-l'homme"]),
        ("don't it's O'Brien y'all Qur'an", ["don't", "it's", "o'brien", "y'all", "qur'an"]),
        ("м'ята san'at l'м'ята", ["м'ята", "san'at", "l'м'ята"]),
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
        (
            "code",
            "a 65083cc7-165a-FE02-13f8-41b209b22ec6 65083cc7-165a-fe02",
            ["a", "65083cc7-165a-FE02-13f8-41b209b22ec6", "65083cc7", "-", "165a", "-", "fe02"],
        ),
        ("symbols", "CC(=O)[nH]1", list("CC(=O)[nH]1")),
        ("symbols", "𓂋(𓂋:𓏙)𓈖𓆓:", ["𓂋", "(𓂋:𓏙)", "𓈖", "𓆓", ":"]),
        ("molecules", "CC(=O)[nH]1", ["C", "C", "(", "=", "O", ")", "[nH]", "1"]),
        ("molecules", "Clc%12Br[C@@H]", ["Cl", "c", "%12", "Br", "[C@@H]"]),
        ("molecules", "C%1 [C", ["C", "%", "1", "[", "C"]),
        ("words", "𓆓:𓂧 𓍹(𓏏:𓏏)𓇋𓍺 (𓂋:𓏙)", ["𓆓:𓂧", "𓍹(𓏏:𓏏)𓇋𓍺", "𓂋:𓏙"]),
        ("code", "(𓂋:𓏙)𓈖 𓊐(:𓊪*𓏏)", ["(𓂋:𓏙)", "𓈖", "𓊐(:𓊪*𓏏)"]),
        ("code", "(𓏐*𓏊:)𓏖 ((:𓏌*𓏌)𓏏)", ["(𓏐*𓏊:)𓏖", "((:𓏌*𓏌)𓏏)"]),
        (
            "code",
            "(𓂋 𓏙) 𓍹x (a:b) f((",
            ["(", "𓂋", "𓏙", ")", "𓍹", "x", "(", "a", ":", "b", ")", "f", "(", "("],
        ),
        ("symbols", "क्षत्रि👍🏽e\u0301", ["क्ष", "त्रि", "👍🏽", "é"]),
        ("transliteration", "{m}a-šur₂ lib₃-bi E₂", ["{m}a-šur₂", "lib₃-bi", "E₂"]),
    ],
)
def test_other_profiles(profile: str, text: str, atoms: list[str]) -> None:
    assert cut(text, profile) == atoms


def cut_documents(
    documents: list[str | bytes], folder: Path, profile: str, **patterns: str
) -> Atoms:
    return cut_chunks([make_chunk(documents)], folder, profile=PROFILES[profile], patterns=patterns)


def test_bytes_are_atoms_and_documents_end_in_a_stop(tmp_path: Path) -> None:
    atoms = cut_documents([b"\x00\xff\x00", b"", b"\xff"], tmp_path, "bytes")
    texts = ["|", *atoms.table["text"]]
    assert [texts[key >> 1] for key in atoms.mined.ids[1:7]] == [
        "<0x00>",
        "<0xFF>",
        "<0x00>",
        "|",
        "|",
        "<0xFF>",
    ]


def test_a_pattern_of_the_user_is_one_atom_wherever_it_starts(tmp_path: Path) -> None:
    atoms = cut_documents(["ab№7-x cd", "№7-x", "x№7-xy"] * 2, tmp_path, "words", code="№[0-9]-x")
    counts = dict(atoms.table.select("text", "count").iter_rows())
    assert counts == {"№7-x": 6, "ab": 2, "cd": 2, "x": 2, "y": 2}


NASTY = (
    "aZбßİǅéक字Δ∞19🇷👍🏽\u200d\u0301\u094d\u0345\u1161 \t.,-'_:(\"№\u2028\x00\ufeff\u200b\U000e0001"
)
nasty = st.text(st.sampled_from(NASTY), max_size=30)
texts_of_any_kind = st.lists(st.one_of(nasty, st.text(max_size=30)), min_size=1, max_size=4)
GAPS = {
    "words": PUNCTUATED, "code": BLANK, "symbols": BLANK, "molecules": BLANK,
    "transliteration": BLANK,
}  # fmt: skip


@given(texts_of_any_kind, st.sampled_from(list(GAPS)))
def test_atoms_join_back(texts: list[str], name: str) -> None:
    """Each atom is there byte for byte and in order; between two is white space, or a stop."""
    chunk = make_chunk(texts)
    interner = Interner()
    keys, _, first = cut_text(chunk, interner, NO_SPANS, profile=PROFILES[name])
    forms = interner.texts()
    for text, own in zip(texts, np.split(keys, first[1:]), strict=True):
        at, spaced = 0, False
        for key in own.tolist():
            if key == 0:
                continue
            start = text.index(forms[key >> 1], at)
            gap = class_table()[[ord(character) for character in text[at:start]]] & CLASS
            assert set(gap.tolist()) <= GAPS[name], (text, forms[key >> 1])
            spaced = bool(np.isin(gap, list(BLANK)).any())
            assert spaced or not key & 1
            at = start + len(forms[key >> 1])
        rest = class_table()[[ord(character) for character in text[at:]]] & CLASS
        assert set(rest.tolist()) <= GAPS[name], text
        assert not len(own) or own[-1] == 0 or not own.any()


@given(texts_of_any_kind, st.sampled_from(list(GAPS)))
def test_the_canonical_form_is_that_of_the_normalizer_and_stays(
    texts: list[str], name: str
) -> None:
    profile = PROFILES[name]
    with tempfile.TemporaryDirectory() as folder:
        table = cut_documents(texts, Path(folder), name).table
    for surface, text in table.select("surface", "text").iter_rows():
        assert text == profile.spell(surface)
        assert normalize(text, profile) in (text, "")
    assert table["text"].is_unique().all()


@given(st.text("Δδ41∞_RSoxX:₂²₍ .,-'→é", max_size=24))
def test_the_canonical_form_of_a_text_is_that_of_its_atoms(text: str) -> None:
    words = PROFILES["words"]
    form = normalize(text, words)
    assert normalize(form, words) == form
    assert list_forms([form], words) == list_forms([text], words)
    assert form.casefold() == words.fold(text)


def test_what_its_capitals_tell_keeps_them() -> None:
    words = PROFILES["words"]
    kept = "Δ41 и _RESO_, VXS_ΔC1:R8K; H₂O → Δ∞"
    assert normalize(kept.replace("и", "И "), words) == kept
    assert normalize("A_1 Δx Жар_2 NATO 1A x² Δ41-Го", words) == "a_1 δx жар_2 nato 1a x² δ41-го"
    assert normalize("Δ41  Y", PROFILES["code"]) == "Δ41  Y"


@given(nasty, st.integers(0, 30))
def test_where_a_chunk_ends_changes_nothing(text: str, size: int) -> None:
    documents = [text, text[:size], text[size:], ""] * 2
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole = cut_documents(documents, Path(one), "words")
        chunks = [make_chunk([document]) for document in documents]
        parts = cut_chunks(chunks, Path(other), profile=PROFILES["words"], patterns={})
        assert np.array_equal(whole.mined.ids, parts.mined.ids)
        assert np.array_equal(whole.mined.flags, parts.mined.flags)
        assert np.array_equal(whole.mined.documents, parts.mined.documents)
        assert whole.table.equals(parts.table)


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
    documents = [f"w{number} ." for number in range(2000)]
    atoms = cut_documents(documents, tmp_path, "words")
    held = choose_held(2000)
    assert 60 < held.sum() < 140
    counts = dict(atoms.table.select("text", "count").iter_rows())
    assert [counts[f"w{number}"] for number in range(2000)] == (~held).astype(int).tolist()
    texts = ["", *atoms.table["text"]]
    for stream, chosen in ((atoms.mined, ~held), (atoms.held, held)):
        assert len(stream.documents) == chosen.sum() + 1
        firsts = [texts[key >> 1] for key in stream.ids[stream.documents[:-1]].tolist()]
        assert firsts == [f"w{number}" for number in np.flatnonzero(chosen)]
        assert not stream.ids[0] and not stream.ids[stream.documents[-1] - 1 :].any()
        assert len(stream.ids) == stream.documents[-1] + MOST_ATOMS + 1


def test_what_was_cut_can_be_loaded_again(tmp_path: Path) -> None:
    atoms = cut_documents(["Ab ab, cd"] * 3, tmp_path, "words")
    again = load_atoms(tmp_path, profile=PROFILES["words"])
    assert atoms.table.equals(again.table)
    assert np.array_equal(atoms.mined.ids, again.mined.ids)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "atoms.parquet",
        "held.documents.i64",
        "held.flags.u8",
        "held.ids.u32",
        "mined.documents.i64",
        "mined.flags.u8",
        "mined.ids.u32",
    ]


def test_a_form_is_counted_with_its_case_variants(tmp_path: Path) -> None:
    documents = ["Straße STRASSE strasse STRASSE", "cafe\u0301 CAFÉ caf\u00e9 CAFÉ"]
    table = cut_documents(documents, tmp_path, "words").table
    assert table.select("atom", "text", "surface", "count").rows() == [
        (1, "strasse", "STRASSE", 4),
        (2, "café", "CAFÉ", 4),
    ]


def test_flags_tell_sentence_starts_capitals_and_quotes() -> None:
    interner = Interner()
    chunk = make_chunk(['He saw Rome. «Big» "ox" a'])
    _, flags, _ = cut_text(chunk, interner, NO_SPANS, profile=PROFILES["words"])
    keys = [(flag & CAPITAL > 0, flag & OPENED > 0, flag & STARTS > 0) for flag in flags.tolist()]
    he, saw, rome, _, big, _, ox, _, last, _ = keys
    assert he == (True, False, True) and saw == (False, False, False)
    assert rome == (True, False, False)
    assert big == (True, True, True) and ox == (False, True, False)
    assert last == (False, False, False)


@pytest.mark.parametrize(
    ("surface", "kind"),
    [
        ("тишина", "word"),
        ("don’t", "word"),
        ("кто-то", "word"),
        ("A_1", "word"),
        ("x1", "word"),
        ("ᚠᚢ", "word"),
        ("3.14", "number"),
        ("٣", "number"),
        ("Δ41", "formula"),
        ("Δ∞", "formula"),
        ("H₂O", "formula"),
        ("_RESO_", "marker"),
        ("VXS_ΔC1:R8K", "code"),
        ("字", "sign"),
        ("𓏏", "sign"),
        ("⟁", "symbol"),
        ("🜂", "symbol"),
        ("👩‍👩‍👧", "symbol"),
        ("🇷🇺", "symbol"),
        ("1️⃣", "symbol"),
        ("https://ex.org/a", "url"),
        ("__", "punctuation"),
    ],
)
def test_an_atom_says_what_it_is(tmp_path: Path, surface: str, kind: str) -> None:
    table = cut_documents([surface], tmp_path, "words").table
    assert table.select("surface", "kind").rows() == [(surface, kind)]


def test_dots_are_no_numbers_in_code(tmp_path: Path) -> None:
    table = cut_documents(["a ... , 1.5 . 𓏏"], tmp_path, "code").table
    kinds = dict(table.select("text", "kind").iter_rows())
    assert kinds == {
        "a": "word",
        "...": "punctuation",
        ",": "punctuation",
        "1.5": "number",
        ".": "punctuation",
        "𓏏": "sign",
    }


def test_of_patterns_that_overlap_the_leftmost_wins_then_the_longest(tmp_path: Path) -> None:
    patterns = {"early": "ж c", "late": "c d", "short": "ж"}
    atoms = cut_documents(["ж c d", "x c d", "ж d"], tmp_path, "words", **patterns)
    texts = ["|", *atoms.table["text"]]
    assert [texts[key >> 1] for key in atoms.mined.ids[1:10].tolist()] == [
        "ж c",
        "d",
        "|",
        "x",
        "c d",
        "|",
        "ж",
        "d",
        "|",
    ]


def test_a_pattern_sees_one_document_and_nothing_of_skipped_ones(tmp_path: Path) -> None:
    buffer = np.frombuffer(b"ab\n\xff\xfe\nb \xd0\xb6", np.uint8)
    chunk = Chunk(buffer, np.array([0, 6]), np.array([2, 10]), "test")  # the middle was skipped
    patterns = {"all": "^[^a]+$", "rest": "b$"}
    table = cut_chunks([chunk], tmp_path, profile=PROFILES["words"], patterns=patterns).table
    assert sorted(table["text"]) == ["a", "b", "b ж"]


def test_a_pattern_with_white_space_has_the_form_of_the_normalizer(tmp_path: Path) -> None:
    table = cut_documents(["New  York new york"], tmp_path, "words", city="(?i)new +york").table
    assert table.select("text", "count").rows() == [("new york", 2)]


def test_few_documents_are_all_mined() -> None:
    assert not choose_held(10).any()


def test_many_types_and_long_words_are_told_apart(tmp_path: Path) -> None:
    documents = [f"{'x' * (i % 40)}{i:07d}" for i in range(60_000)] * 2
    documents += ["y" * 3_000_000, "y" * 3_000_001, "y" * 3_000_000]
    atoms = cut_documents(documents, tmp_path, "words")
    assert atoms.table.height == 60_002
    assert atoms.table["text"].str.len_bytes().top_k(2).sort().to_list() == [3_000_000, 3_000_001]
    texts = np.array(["", *atoms.table["text"]], object)
    firsts = texts[atoms.mined.ids[atoms.mined.documents[:-1]] >> 1]
    mined = np.flatnonzero(~choose_held(len(documents)))
    assert firsts.tolist() == [documents[number] for number in mined]


REAL = {
    "ru_prose": "words", "en_novels": "words", "lzh_tang": "words", "th_pud": "words",
    "sa_vedic_iast": "words", "akk_cuneiform": "words", "akk_translit": "transliteration",
    "egy_translit": "transliteration", "egy_hiero": "code", "chem_smiles_hiv": "molecules",
    "logs_apache": "code", "logs_nginxjson": "code", "mix_learnxy": "code",
    "math_openlogic": "code", "sym_emoji_json": "code", "ml_bible": "words", "ja_gsd": "words",
    "zh_gsd": "words", "non_edda": "words", "ru_poetry": "words",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("2024-01-05 12:00:07 INFO worker-3: job 17 done in 5 ms\n", "code"),
        ("... --- ...  .-.. ..- -.-\n", "code"),
        ("CCO\tethanol\nc1ccccc1\tbenzene\nCC(=O)O\tacid\n", "molecules"),
        ("a-na {d}utu LUGAL-ri lil2-la\n", "transliteration"),
        ("1. Once upon a time\n2. there was\n", "words"),
    ],
)
def test_the_profile_is_told_from_a_few_lines(text: str, profile: str) -> None:
    assert detect_profile((text * 20).encode()).name == profile


@pytest.mark.parametrize("name", REAL)
def test_the_profile_is_told_from_real_text(shared: Path, name: str) -> None:
    with gzip.open(shared / "corpora" / f"{name}.txt.gz") as handle:
        assert detect_profile(handle.read(1 << 20)).name == REAL[name]


def test_joints_are_counted_in_linear_time() -> None:
    """A word is looked at once, however long: at 4 million signs a square would take hours."""
    long = "а" * 4_000_000
    assert count_joints(f"{long} a-na {long}_x-y") == count_joints("а a-na а_x-y") == 1
