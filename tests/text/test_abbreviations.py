"""Periods: which belong to the word before, and does any text come out the same when cut again?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import make_chunk
from hypothesis import given
from hypothesis import strategies as st

from miner.text.pretokens import Atoms, cut_chunks
from miner.text.profiles import PROFILES
from miner.text.recut import Cutter, recut_texts

WORDS = ("river", "window", "garden", "engine", "winter", "letter", "doctor", "mountain")


def cut(texts: list[str], folder: Path, profile: str = "words") -> Atoms:
    return cut_chunks([make_chunk(texts)], folder, profile=PROFILES[profile], patterns={})


def speak(pattern: str, times: int = 40) -> list[str]:
    """Return lines with two words by turns, and words that begin sentences in their midst."""
    random = np.random.default_rng(0)
    picked = [random.choice(WORDS, 2) for _ in range(times)]
    return [
        pattern.format(*words) + " The end, the cat, so he saw it, он, оно." for words in picked
    ]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("We found E. coli in the {0}. He saw the {1}.", {"e"}),
        ("He lives in St. Petersburg by the {0}. He saw the {1}.", {"st"}),
        ("It is a {0}, z. B. ein {1} dort. He saw the {1}. It went.", {"z", "b"}),
        ("The {0} of the U.S. government. He saw the {1}. It went.", {"u.s"}),
        ("См. главу о реке, стр. 5, где {0}. Он видел {1}. Оно ушло.", {"см", "стр"}),
        ("The {0} saw Mr. Watson and Mr. Holmes at {1}. He saw the {1}. It went.", {"mr"}),
        ("The {0} saw him. He saw the cat. It saw a {1}. The {1} saw the cat.", set()),
        ("Write to us. It is free. He saw the {0}. He saw a {1}.", set()),
        ("the {0} saw the cat. it saw a {1}. the cat saw the {0}. it is late.", set()),
        ("The {0} saw ... the cat. He saw the {1}... it went.", set()),
        ("গাছ {0} দেখে. সে {1} দেখে. গাছ যায়.", set()),
    ],
)
def test_what_is_an_abbreviation(pattern: str, found: set[str], tmp_path: Path) -> None:
    assert cut(speak(pattern), tmp_path).abbreviations == found


def test_the_period_is_of_the_atom_and_stops_nothing(tmp_path: Path) -> None:
    atoms = cut(speak("He lives in St. Petersburg by the {0}. He saw the {1}."), tmp_path)
    numbers = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    ids = atoms.mined.ids
    saints = np.flatnonzero(ids >> 1 == numbers["st."])
    assert len(saints) == atoms.table["count"][int(numbers["st."]) - 1]
    assert (ids[saints + 1] == numbers["petersburg"] << 1 | 1).all()
    starts = atoms.mined.documents[:-1]
    assert (ids[starts] >> 1 == numbers["he"]).all() and (ids[starts - 1] == 0).all()


def test_only_words_are_cut_so(tmp_path: Path) -> None:
    for profile in ("code", "transliteration", "symbols"):
        (tmp_path / profile).mkdir()
        assert not cut(speak("We found E. coli in {0}."), tmp_path / profile, profile).abbreviations


def test_a_form_without_its_period_stays_what_it_is(tmp_path: Path) -> None:
    lines = speak("He lives in St. Petersburg by the {0}. He saw the {1}.") + ["st and St, so."] * 5
    table = cut(lines, tmp_path).table
    counts = dict(zip(table["text"], table["count"], strict=True))
    assert counts["st."] > 30 and counts["st"] >= 8


PIECES = ["St.", "E.", "coli", "Petersburg", "e.g.", " ", "\n", ".", "..", ", ", "St", "x", "5"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_each_byte_has_its_place_and_stops_stand_alone(text: str) -> None:
    recut = recut_texts([text], PROFILES["words"], {}, {"st", "e", "e.g"})
    content = text.encode()
    spans = [(start, end) for start, end in recut.spans().tolist() if end > start]
    forms = [content[start:end].decode() for start, end in spans]
    assert forms == recut.list_forms(0)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    rest = bytearray(content)
    for start, end in spans:
        rest[start:end] = b" " * (end - start)
    assert not set(rest.decode()) - set(" \n.,")
    keys = recut.raw[: recut.first[-1]]
    assert not ((keys[1:] == 0) & (keys[:-1] == 0)).any()
    for form, (_, end) in zip(forms, spans, strict=True):
        single = content[end : end + 1] == b"." and content[end + 1 : end + 2] != b"."
        assert not (single and form.lower() in {"st", "e", "e.g"})


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("in St. Petersburg", ["in", "st.", "petersburg"]),
        ("in St.Petersburg", ["in", "st.petersburg"]),
        ("the St.", ["the", "st."]),
        ("(St.), so", ["st.", "so"]),
        ("St... so", ["st", "so"]),
    ],
)
def test_texts_are_cut_as_the_corpus_was(text: str, forms: list[str], tmp_path: Path) -> None:
    atoms = cut(speak("He lives in St. Petersburg by the {0}. He saw the {1}."), tmp_path)
    again = Cutter.of(atoms, {}).cut([text])
    assert [PROFILES["words"].spell(form) for form in again.list_forms(0)] == forms
