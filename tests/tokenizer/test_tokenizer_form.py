"""The form that a tokenizer cuts: every text comes back from it, and a word is alike everywhere."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, pre_tokenizers

from miner.text.profiles import PROFILES, fold
from miner.tokenizer.training.capitals import choose_capitals, is_capital
from miner.tokenizer.training.hugging_face import SPECIALS, match_units
from miner.tokenizer.training.normal_form import (
    FOLDS,
    JOINER,
    NormalForm,
    apply_steps,
    escape_all,
    list_signs,
    replace,
)

TEXT_PROFILES = [name for name in PROFILES if name != "bytes"]
DANGEROUS = (
    "⁀", "⁁", "⁂", "⁃", "▁", " ", "\n", "a", "(", "'", "-", "學", "<0x41>", "[SEP]", "<s>", "B",
    "é", "e\u0301", "1", "_", "\u200d", "\ue000", "カ", "🫧", "\u3000", "\t", "\x00", "\r\n",
)  # fmt: skip
SIGNED = "ABCDEFGHIJKLMNOPQRSTUVWXYZÉΣΩΘЖКА\U00010400Ꮳ"
CAPITALS = st.text(
    st.sampled_from(" (\n⇧⁀⁄aTAКÉΣΩΘİIi\u0307\u212a\u2126ϴDžǄⅠⒶᏣꭳAß\U00010400"), max_size=12
)
EVERY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ASSIGNED = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=20)
PIECES = st.lists(st.sampled_from(DANGEROUS), max_size=9).map("".join)
ANY_TEXT = st.one_of(EVERY, PIECES, st.lists(st.one_of(EVERY, PIECES), max_size=4).map("".join))


def sequence(name: str, steps: Sequence[dict]) -> dict:
    return {"type": "Sequence", name: list(steps)}


@cache
def make_steps(
    profile: str, *, exact: bool, marked: bool, cased: str = ""
) -> tuple[Tokenizer, Tokenizer]:
    """The normalizers and, as a tokenizer without a vocabulary, the decoders."""
    form = NormalForm.of(profile, exact=exact, marked=marked, cased=cased)
    forth, back = form.list_normalizers(), form.list_decoders(())
    if marked:
        forth, back = [*forth, replace(" ", "▁")], [replace("▁", " "), *back]
    blank = {"model": {"type": "BPE", "vocab": {}, "merges": []}}
    return tuple(
        Tokenizer.from_str(json.dumps(blank | steps))
        for steps in (
            {"normalizer": sequence("normalizers", forth)},
            {"decoder": sequence("decoders", [{"type": "Fuse"}, *back])},
        )
    )


def there_and_back(text: str, profile: str, *, exact: bool, marked: bool, cased: str = "") -> str:
    forth, back = make_steps(profile, exact=exact, marked=marked, cased=cased)
    return back.decoder.decode([forth.normalizer.normalize_str(text)])


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("profile", TEXT_PROFILES)
@given(text=ANY_TEXT)
@example(" ▁")
@example(" ⁀⁁ ⇧")
def test_exact_form_gives_every_text_back(profile: str, marked: bool, text: str) -> None:
    assert there_and_back(text, profile, exact=True, marked=marked) == text


@pytest.mark.parametrize("profile", ["words", "transliteration"])
@given(text=st.one_of(ANY_TEXT, CAPITALS))
@example("Ⓐ")
@example(" Ⓐ b")
def test_a_text_comes_back_from_signs_for_its_capitals(profile: str, text: str) -> None:
    assert there_and_back(text, profile, exact=True, marked=True, cased=SIGNED) == text


def test_every_capital_comes_back_from_its_sign() -> None:
    every = "".join(filter(is_capital, map(chr, range(0x20000))))
    assert len(every) > 1300
    texts = "\n".join(f"{c} x {c} ({c}x x{c}{c} {c}{c} {c.lower()}" for c in every)
    assert there_and_back(texts, "words", exact=True, marked=True, cased=every) == texts


def test_capitals_are_chosen_by_how_often_they_stand() -> None:
    assert choose_capitals({"A": 50, "B": 10**6, "Ж": 2000, "x": 10**9, "1": 9, "Ⓐ": 99}) == "BЖ"
    assert choose_capitals({"a": 5}) == ""
    assert choose_capitals({"A": 1}) == "A"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("He said. The end", "⇧ he said.⇧ the end"),
        ("(The", "(⁀⇧ the"),
        ("McDonald NATO x", "⇧ mc⇧donald NATO x"),
        ("DON'T Étaé ÉTÉ1 E\u0301TE", " DON'⇧t⇧ étaé ÉTÉ1⇧ e\u0301TE"),
        ("I AM NATo", "⇧ i AM NATo"),
        ("(AB) A1", "(⁀ AB)⇧ a1"),
        ("Éa E\u0301 \u212a Ž", "⇧ éa⇧ e\u0301 \u212a Ž"),
        ("⇧a ⇧A", "⁀⁄⁀ a ⁀⁄⁀⇧ a"),
        ("Σίσυφος", "⇧ σίσυφος"),
    ],
)
def test_the_sign_of_a_capital_stands_before_the_space(text: str, form: str) -> None:
    assert NormalForm.of("words", exact=True, marked=True, cased=SIGNED).normalize([text]) == [form]


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("profile", TEXT_PROFILES)
@given(text=st.one_of(ASSIGNED, PIECES))
def test_canonical_form_gives_the_folded_text_back(profile: str, marked: bool, text: str) -> None:
    wanted = PROFILES[profile].fold(text)
    assert there_and_back(text, profile, exact=False, marked=marked) == wanted


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("profile", TEXT_PROFILES)
@given(pieces=st.lists(st.sampled_from([*DANGEROUS, "x", "."]), max_size=5))
@settings(max_examples=60)
def test_what_a_folded_text_decodes_to_stays(profile: str, exact: bool, pieces: list[str]) -> None:
    once = there_and_back("".join(pieces), profile, exact=exact, marked=True)
    assert there_and_back(once, profile, exact=exact, marked=True) == once


@cache
def make_tokenizer(specials: tuple[str, ...]) -> Tokenizer:
    """A tokenizer of single characters: nothing but the steps changes a text."""
    form = NormalForm.of("words", exact=True)
    alphabet = [*map(chr, range(0x3100)), "學", "🫧", "\ue000"]
    spec = {
        "added_tokens": [
            {
                "id": number,
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, content in enumerate(specials)
        ],
        "normalizer": sequence("normalizers", form.list_normalizers()),
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "decoder": sequence("decoders", [{"type": "Fuse"}, *form.list_decoders(specials)]),
        "model": {
            "type": "WordLevel",
            "unk_token": "a",
            "vocab": {piece: number for number, piece in enumerate([*specials, *alphabet])},
        },
    }
    return Tokenizer.from_str(json.dumps(spec))


@given(
    st.lists(st.sampled_from([*DANGEROUS, "<s>", "[SEP]", " ", "word", " word"]), max_size=8).map(
        "".join
    )
)
@example("<s> a")
@example(" <s>a")
@example("a <s> <s> a")
@example("a[SEP]")
@example(" [SEP]")
def test_special_tokens_in_an_exact_text_change_nothing_around_them(text: str) -> None:
    tokenizer = make_tokenizer(SPECIALS)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


# What the form looks like


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("(united states)", "(⁀ united states)"),
        ("united states", " united states"),
        (" united states", "  united states"),
        ("a\nunited", " a\n⁀ united"),
        ("a united", " a united"),
        ("", ""),
        (" ", "  "),
        (" ⟁", "  ⟁"),
        ("(", "("),
        ("don't", " don't"),
        ("l'eau", " l'⁀ eau"),
        ("(dell’Arte d'or)", "(⁀ dell’⁀ Arte d'⁀ or)"),
        ("aujourd'hui l'x", " aujourd'hui l'x"),
        ("по-русски", " по-русски"),
        ("'a", "'⁀ a"),
        ("學a", "學⁀ a"),
        ("學生", "學生"),
        ("⁀", "⁀⁁"),
    ],
)
def test_words_have_a_space_in_front_everywhere(text: str, form: str) -> None:
    assert NormalForm.of("words", exact=True).normalize([text]) == [form]


@pytest.mark.parametrize("profile", ["words", "code"])
@pytest.mark.parametrize("before", ["(", "\n", "«", "x ", "x\n", "1 ", ". ", '"', "學", "\t", "—"])
def test_a_word_is_written_alike_behind_everything(profile: str, before: str) -> None:
    form = NormalForm.of(profile, exact=True)
    whole, alone = form.normalize([before + "united", "united"])
    assert whole.endswith(alone)
    assert alone == " united"


def test_symbols_have_no_words_and_no_spaces_are_put() -> None:
    form = NormalForm.of("symbols", exact=True)
    assert form.normalize(["(a b) c", "a"]) == ["(a b) c", "a"]


def test_a_mark_is_told_from_a_space_where_it_stands_for_one() -> None:
    form = NormalForm.of("words", exact=True, marked=True)
    assert form.normalize(["▁"]) == ["⁀⁂"]


def test_bytes_are_always_exact() -> None:
    assert NormalForm.of("bytes", exact=False).exact
    every = "".join(map(chr, range(256)))
    assert NormalForm.of("bytes", exact=False).normalize([every]) == [every]


def test_a_form_of_an_unknown_profile_is_refused() -> None:
    with pytest.raises(KeyError):
        NormalForm.of("poems", exact=True)


# Folding


def test_every_assigned_character_is_folded_as_atoms_are() -> None:
    points = [
        chr(point)
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) not in ("Cn", "Cs")
    ]
    found = apply_steps(NormalForm.of("words", exact=False)._fold(), points)
    wrong = [
        (f"U+{ord(point):04X}", folded, PROFILES["words"].fold(point))
        for point, folded in zip(points, found, strict=True)
        if folded != PROFILES["words"].fold(point)
    ]
    assert wrong == []


def test_every_assigned_character_is_composed_as_atoms_are_where_case_stays() -> None:
    points = [
        chr(point)
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) not in ("Cn", "Cs")
    ]
    found = apply_steps(NormalForm.of("code", exact=False)._fold(), points)
    assert found == [PROFILES["code"].fold(point) for point in points]


def test_the_table_of_folds_has_no_row_too_many() -> None:
    for old, new in FOLDS.items():
        apart = unicodedata.normalize("NFD", fold(old, case=True))
        assert unicodedata.normalize("NFD", new) == apart
        assert unicodedata.normalize("NFD", old).lower() != apart


@given(st.text(st.characters(categories=["L", "M", "N", "Z"]), max_size=8))
def test_strings_of_letters_and_marks_fold_as_atoms_do(text: str) -> None:
    steps = NormalForm.of("words", exact=False)._fold()
    assert apply_steps(steps, [text]) == [PROFILES["words"].fold(text)]


@given(st.text(st.sampled_from("ΣσςΑΙαάİIıßẞﬁé\u0301\u0323 한\u1112\u1161\u11ab"), max_size=8))
def test_the_hard_letters_fold_as_atoms_do_in_every_order(text: str) -> None:
    steps = NormalForm.of("words", exact=False)._fold()
    assert apply_steps(steps, [text]) == [PROFILES["words"].fold(text)]


@pytest.mark.parametrize("text", ["ᾳ\u0307", "ᾼ\u030a"])
def test_an_iota_below_folds_as_atoms_do_under_a_rare_accent(text: str) -> None:
    steps = NormalForm.of("words", exact=False)._fold()
    assert apply_steps(steps, [text]) == [PROFILES["words"].fold(text)]


# Units in a text


def find_units(form: NormalForm, units: list[str], text: str) -> list[str]:
    """The units that the expression takes out of a text."""
    expression = "|".join(match_units(form, form.normalize(units)))
    splitter = pre_tokenizers.Split(Regex(expression), "removed", invert=True)
    (normal,) = form.normalize([text])
    return [piece for piece, _ in splitter.pre_tokenize_str(normal)]


@pytest.mark.parametrize(
    "text",
    [
        "New York",
        "(new york)",
        "in new york.",
        "new york's",
        "«new york»",
        "new york\n",
        "NEW  YORK",
        "学new york学",
    ],
)
def test_a_unit_is_found_where_it_stands_by_itself(text: str) -> None:
    found = find_units(NormalForm.of("words", exact=False), ["new york"], text)
    assert found == ([] if text == "new york's" else [" new york"])


@pytest.mark.parametrize(
    "text",
    [
        "new yorker",
        "renew york",
        "new york-based",
        "new york1",
        "new york_x",
        "new york\u0301",
        "x-new york",
        "new-york",
        "new york\u200dx",
    ],
)
def test_a_unit_is_not_found_inside_a_longer_word(text: str) -> None:
    assert find_units(NormalForm.of("words", exact=False), ["new york"], text) == []


def test_the_longest_unit_wins_and_gives_way_where_a_word_goes_on() -> None:
    form = NormalForm.of("words", exact=False)
    units = ["new york", "new york city", "city hall"]
    assert find_units(form, units, "new york city hall") == [" new york city"]
    assert find_units(form, units, "new york citys") == [" new york"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5))
def test_an_escaped_text_matches_itself(text: str) -> None:
    found = pre_tokenizers.Split(Regex(escape_all(text)), "removed", invert=True)
    assert found.pre_tokenize_str(text) == [(text, (0, len(text)))]


def test_signs_are_those_of_scripts_without_spaces() -> None:
    signs = pre_tokenizers.Split(Regex(f"[{list_signs()}]"), "removed", invert=True)
    found = [sign for sign, _ in signs.pre_tokenize_str("aя1學カ𓀀ั💡가 .")]
    assert {"學", "カ", "𓀀"} <= set(found)
    assert not {"a", "я", "1", " ", ".", "💡"} & set(found)


@pytest.mark.parametrize("profile", TEXT_PROFILES)
@given(text=st.one_of(ANY_TEXT, PIECES))
def test_the_base_cut_loses_nothing(profile: str, text: str) -> None:
    form = NormalForm.of(profile, exact=True)
    (normal,) = form.normalize([text])
    cuts = pre_tokenizers.Split(Regex(form.cut_base(bare=False)), "isolated")
    pieces = [piece for piece, _ in cuts.pre_tokenize_str(normal)]
    assert "".join(pieces) == normal


@given(text=PIECES)
def test_a_joiner_stays_with_what_stands_before_it(text: str) -> None:
    form = NormalForm.of("words", exact=True)
    (normal,) = form.normalize([text])
    cuts = pre_tokenizers.Split(Regex(form.cut_base(bare=False)), "isolated")
    pieces = [piece for piece, _ in cuts.pre_tokenize_str(normal)]
    begun = [piece for piece in pieces if piece.startswith(JOINER) and piece != JOINER]
    assert all(piece[1:] in "⁁⁂⁃" for piece in begun)
