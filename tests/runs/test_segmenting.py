"""Texts by the units of a run: the kernel against the plain way to say the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from conftest import mine_texts
from hypothesis import given
from hypothesis import strategies as st

import miner
from miner.errors import UsageError
from miner.mining.segmentation import find_owners
from miner.runs import segmenting
from miner.runs.segmenting import Segmenter, Span
from miner.text.pretokens import MOST_ATOMS, Stream
from miner.text.recut import normalize

CORPORA = {
    "words": [
        "In order to talk, we met: in order to TALK.",
        "étude Δ41 ⟁ ❤️ étude",
        "в конце концов",
    ],
    "code": ["for  i in range(10):", "for  i in range(20): x_1 = {}", "é = for  i"],
    "symbols": ["天地玄黃", "天地 玄黃", "e\u0301a e\u0301a"],
    "molecules": ["CC(=O)Oc1ccccc1", "CC(=O)O", "Cl[Na]CC(=O)"],
    "transliteration": ["a-na {d}en-lil2", "a-na {d}en-lil2 LUGAL"],
}
ODD = [
    *"aT.,!-_  \n\t", "\r\n", "\x1c", "\x85", "\xa0", "\u3000", "\u2028", "...", "?!!", "—",
    "👩‍🚀", "🇫🇷", "e\u0301", "\u0301", "\u200d", "\ufe0f", "ﬁ", "İ", "ß", "क्ष",
    "\U0010ffff", "\x00", "«", "🜂🜂",
]  # fmt: skip
MARKS = re.compile(r"(\S)\1*")


def make_segmenter(profile: str) -> Segmenter:
    """Every run that occurs three times is a unit, and so is every third atom."""
    atoms, candidates = mine_texts(CORPORA[profile] * 3, min_count=3, profile=profile)
    runs = np.flatnonzero(candidates.table["length"].to_numpy() > 1)
    lengths = candidates.table["length"].gather(runs).to_list()
    found = [(int(row), None, length**2.0) for row, length in zip(runs, lengths, strict=True)]
    found += [(None, atom, 1.0) for atom in atoms.table["atom"].to_list()[::3]]
    rows = [(i, f"<{i}>", *row) for i, row in enumerate(found, 1)]
    units = pl.DataFrame(rows, ["rank", "token", "candidate", "atom", "value"], orient="row")
    return Segmenter.of(units, atoms, candidates, {"price": r"\d+ EUR"})


SEGMENTERS = {profile: make_segmenter(profile) for profile in CORPORA}


def cut_plainly(segmenter: Segmenter, text: str) -> list[Span]:
    """One text, atom by atom: what the kernel has to say too."""
    cut = segmenter.cutter.cut([text])
    stops = np.zeros(MOST_ATOMS + 1, np.uint32)
    ids = np.concatenate([stops[:1], cut.keys, stops])
    stream = Stream(ids, np.zeros(len(ids), np.uint8), np.array([1, 1 + len(cut.keys)]))
    owners = find_owners(stream, segmenter.candidates, segmenter.values)[1:]
    lengths = segmenter.candidates.table["length"].to_list()
    content = text.encode()
    places = [
        (len(content[:start].decode()), len(content[:stop].decode()))
        for start, stop in cut.spans().tolist()
    ]
    found: list[Span] = []
    end = row = 0
    while row < len(places):
        start, stop = places[row]
        owner, atom = int(owners[row]), int(cut.keys[row]) >> 1
        rank = int(segmenter.ranks[owner] if owner >= 0 else segmenter.single[atom])
        row += lengths[owner] if owner >= 0 else 1
        stop = places[row - 1][1] if owner >= 0 else stop
        if stop > start:
            found += read_marks(text, end, start)
            found.append(Span(start, stop, text[start:stop], rank or None))
            end = stop
    return found + read_marks(text, end, len(text))


def read_marks(text: str, start: int, end: int) -> list[Span]:
    return [Span(*mark.span(), mark[0], None) for mark in MARKS.finditer(text, start, end)]


def join_plainly(segmenter: Segmenter, tokens: Sequence[str]) -> list[str]:
    starts = np.cumsum([0, *(len(token) + 1 for token in tokens)]).tolist()
    number = {start: i for i, start in enumerate(starts)}
    joined: list[str] = []
    done = 0
    for span in cut_plainly(segmenter, " ".join(tokens)):
        first, last = number.get(span.start), number.get(span.end + 1)
        if span.rank and first is not None and last is not None and first >= done:
            joined += [*tokens[done:first], " ".join(tokens[first:last])]
            done = last
    return [*joined, *tokens[done:]]


def spell_plainly(segmenter: Segmenter, text: str) -> list[str]:
    profile = segmenter.cutter.profile
    return [
        segmenter.tokens[span.rank - 1] if span.rank else normalize(span.text, profile)
        for span in cut_plainly(segmenter, text)
        if span.rank or any(sign.isalnum() for sign in span.text)
    ]


def texts_of(profile: str) -> st.SearchStrategy[str]:
    """Texts of the corpus in other orders, with odd characters between, and any text at all."""
    words = [part for text in CORPORA[profile] for part in (text, *text.split(), *text)]
    known = st.lists(st.sampled_from([*words, *ODD, "12 EUR"]), max_size=12).map("".join)
    return known | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


profiles = pytest.mark.parametrize("profile", sorted(CORPORA))


@profiles
@given(data=st.data())
def test_the_kernel_says_what_the_plain_way_says(profile: str, data: st.DataObject) -> None:
    segmenter = SEGMENTERS[profile]
    texts = data.draw(st.lists(texts_of(profile), max_size=5))
    spans = list(segmenter.spans_of(texts))
    assert spans == [cut_plainly(segmenter, text) for text in texts]
    for text, found in zip(texts, spans, strict=True):
        assert all(text[span.start : span.end] == span.text for span in found)
        assert "".join("".join(span.text for span in found).split()) == "".join(text.split())
    assert list(segmenter.segment_of(texts)) == [[s.text for s in found] for found in spans]
    assert list(segmenter.segment_of(texts, canonical=True)) == [
        spell_plainly(segmenter, text) for text in texts
    ]


@profiles
@given(data=st.data())
def test_tokens_are_joined_as_the_plain_way_joins_them(profile: str, data: st.DataObject) -> None:
    segmenter = SEGMENTERS[profile]
    whole = st.sampled_from(CORPORA[profile]).map(str.split)
    token = st.sampled_from([word for text in CORPORA[profile] for word in text.split()])
    loose = st.lists(token | st.sampled_from(["", " ", *ODD]), max_size=8)
    texts = data.draw(st.lists(whole | loose, max_size=6))
    joined = list(segmenter.segment_of(texts))
    assert joined == [join_plainly(segmenter, tokens) for tokens in texts]
    for tokens, found in zip(texts, joined, strict=True):
        assert " ".join(found) == " ".join(tokens)


def test_units_were_found_at_all() -> None:
    for profile, segmenter in SEGMENTERS.items():
        spans = [span for found in segmenter.spans_of(CORPORA[profile]) for span in found]
        assert any(span.rank for span in spans), profile
    (joined,) = SEGMENTERS["words"].segment_of([["In", "order", "to", "go"]])
    assert joined == ["In order to", "go"]


def test_many_texts_give_what_each_gives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = SEGMENTERS["words"]
    texts = [f"{text} {i} ⟁" for i in range(40) for text in ("", *CORPORA["words"])]
    tokens = [text.split(" ") if i % 7 else [] for i, text in enumerate(texts)]
    alone = [segmenter.spans(text) for text in texts]
    alone_joined = [next(segmenter.segment_of([held])) for held in tokens]
    monkeypatch.setattr(segmenting, "AT_ONCE", 7)
    monkeypatch.setattr(segmenting, "CHARACTERS", 300)
    assert list(segmenter.spans_of(iter(texts))) == alone
    assert list(segmenter.segment_of(iter(tokens))) == alone_joined
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: list(segmenter.spans_of(texts)), range(4)):
            assert found == alone


def test_texts_are_read_as_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenting, "AT_ONCE", 2)
    read: list[int] = []
    texts = (read.append(i) or "in order to" for i in range(10_000))
    assert [span.text for span in next(SEGMENTERS["words"].spans_of(texts))] == ["in order to"]
    assert len(read) < 100


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ("in order to", "texts is str"),
        (b"in order to", "texts is bytes"),
        (["a", 1], r"texts\[1\]: is int, and no text"),
        (["a", None], r"texts\[1\]: is NoneType, and no text"),
        (["a", ["a"]], r"texts\[1\]: is list, and no text"),
        ([["a"], "a"], r"texts\[1\]: is str, and no list of tokens"),
        ([["a"], 1], r"texts\[1\]: is int, and no list of tokens"),
        ([["a"], [1]], r"texts\[1\]: is list, and no list of tokens"),
        (["a", "b", "c\udcff"], r"texts\[2\]: half a surrogate pair at character 1"),
        ([["a"], ["b", "\ud800"]], r"texts\[1\]: half a surrogate pair at character 2"),
    ],
)
def test_what_is_no_text_is_refused_by_its_place(texts: object, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        list(SEGMENTERS["words"].segment_of(texts))  # type: ignore[arg-type]


def test_spans_of_one_text_are_refused() -> None:
    with pytest.raises(UsageError, match="texts is str"):
        list(SEGMENTERS["words"].spans_of("in order to"))


def test_a_span_says_where_it_is() -> None:
    span = miner.Span(0, 2, "ab", 7)
    assert (span.start, span.end, span.text, span.rank) == tuple(span) == (0, 2, "ab", 7)
    with pytest.raises(AttributeError):
        span.rank = 1  # type: ignore[misc]
