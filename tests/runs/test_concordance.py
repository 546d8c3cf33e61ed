"""Documents to a packed copy: what stands around a place is what the corpus says, to the letter."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import make_chunk
from hypothesis import given
from hypothesis import strategies as st

from miner.corpus import Chunk, find_sources, read_chunks
from miner.errors import RunError
from miner.mining.spelling import spell_runs
from miner.runs import concordance
from miner.runs.concordance import (
    BLOCKS,
    PACKED,
    PLACES,
    Context,
    Originals,
    cut_left,
    cut_right,
    find_places,
    open_originals,
    record_documents,
)
from miner.text.pretokens import choose_held, cut_chunks
from miner.text.profiles import PROFILES

TEXTS = {
    "words": ["«Тишина» — жар. Тишина жар!", "The  U.S.A., it's\tnew york: New\nYork", "天地。"],
    "code": ["x  = Y ;  f(x)", 'if (a >= b) { "é" }', "e\u0301 = x"],
    "symbols": ["👩🏽\u200d🚀👍🏽🇩🇪🇫🇷", "C1=CC(=O)c1", "か\u3099く e\u0301"],
    "molecules": ["CC(=O)Cl", "[nH]1cc%12Br", "e\u0301 👩🏽"],
    "transliteration": ["a-na {d}utu  É.GAL", "šar-ru E₂ ḫa-am"],
    "bytes": ["\x00ABC", "ABCABC"],
}
nasty = st.text("ab B1.,_:-'\"\u0301\u200d👩🏽🇩天か\u3099 \t\n/é=<>\u00a0क\u094dष", max_size=30)


def keep(
    texts: Sequence[str | bytes] | Sequence[Chunk],
    run: Path,
    profile: str = "words",
    patterns: Mapping[str, str] | None = None,
) -> Originals:
    """Cut documents as a run does, with a copy of them, and open what is left."""
    folder = run / "1_atoms"
    folder.mkdir()
    chunks = [text if isinstance(text, Chunk) else make_chunk([text]) for text in texts]
    documents: Iterator[Chunk] = iter(chunks)
    if profile != "bytes":
        documents = record_documents(documents, folder)
    cut_chunks(documents, folder, profile=PROFILES[profile], patterns=patterns or {})
    reading = {"profile": profile, "patterns": patterns or {}}
    (folder / "reading.json").write_text(json.dumps(reading))
    return open_originals(run)


def list_runs(kept: Originals, longest: int = 3) -> np.ndarray:
    """Return the keys of all runs of up to `longest` atoms in the mined text, each once."""
    ids = np.asarray(kept.atoms.mined.ids)
    rows = [np.zeros((0, longest), np.uint32)]
    for length in range(1, longest + 1):
        windows = np.lib.stride_tricks.sliding_window_view(ids, length)
        windows = windows[(windows != 0).all(axis=1)].copy()
        windows[:, 0] &= ~np.uint32(1)
        rows.append(np.pad(windows, ((0, 0), (0, longest - length))))
    return np.unique(np.concatenate(rows), axis=0)


def check(kept: Originals, texts: Sequence[str]) -> None:
    """Every place of every run: its text is the run's, where it stands, in a mined document."""
    runs = list_runs(kept)
    tokens = spell_runs(runs, kept.atoms.table["text"]).to_list()
    held, profile = choose_held(len(texts)), kept.atoms.profile
    everything = kept.find_all(list(runs), most=999, reach=999)
    for keys, token, contexts in zip(runs, tokens, everything, strict=True):
        assert kept.count_places(keys) == len(contexts) > 0
        assert len(set(contexts)) == len(contexts)
        for context in contexts:
            assert not held[context.document]
            assert context.before + context.unit + context.after == texts[context.document]
            assert squeeze(profile.spell(context.unit)) == squeeze(token)


def squeeze(text: str) -> str:
    """What white space stands between atoms is not in the keys."""
    return "".join(text.split())


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "bytes"])
def test_the_text_of_a_place_is_the_unit(tmp_path: Path, profile: str) -> None:
    texts = (TEXTS[profile] + ["", "a b"]) * 3
    kept = keep(texts, tmp_path, profile)
    assert kept.exact
    check(kept, texts)


@given(st.lists(nasty, min_size=1, max_size=4), st.sampled_from(["words", "code", "symbols"]))
def test_whatever_the_text_is(texts: list[str], profile: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(keep(texts, Path(folder), profile), texts)


def test_patterns_cut_as_they_did(tmp_path: Path) -> None:
    texts = ["see <<note 1>> and note 1", "a <<note 1>>"] * 2
    kept = keep(texts, tmp_path, patterns={"note": "<<[^>]*>>"})
    check(kept, texts)
    number = kept.atoms.table.filter(kept.atoms.table["text"] == "<<note 1>>")["atom"].item()
    assert kept.count_places(np.array([number << 1], np.uint32)) == 4


@pytest.mark.parametrize("size", [1, 7, 60, 1 << 20])
def test_blocks_of_any_size_hold_every_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(concordance, "BLOCK", size)
    texts = [f"{'long ' * (number % 5)}тишина {number}" for number in range(60)] + [""]
    gapped = make_chunk([f"# {text} #" for text in texts[:30]])
    inner = Chunk(gapped.buffer, gapped.starts + 2, gapped.ends - 2, "test")
    kept = keep([inner, *map(make_chunk, (texts[30:31], texts[31:], []))], tmp_path)
    assert kept.copy is not None
    for number, text in enumerate(texts):
        assert kept.copy.read(number).tobytes().decode() == text
    assert len(kept.copy.blocks) - 1 <= sum(map(len, map(str.encode, texts))) / size + 1
    assert sum(file.stat().st_size for file in (tmp_path / "1_atoms").glob("originals.*")) > 0


def test_held_documents_are_skipped(tmp_path: Path) -> None:
    texts = [f"number {number} ends" for number in range(400)]
    kept = keep([make_chunk(texts)], tmp_path)
    held = choose_held(400)
    assert held.sum() >= 5
    assert "number" in kept.atoms.table["text"].to_list()
    keys = key_of(kept, "number")
    found = kept.find_contexts(keys, most=999)
    assert [context.document for context in found] == np.flatnonzero(~held).tolist()
    for context in found:
        assert context.after == f" {context.document} ends"


def key_of(kept: Originals, *words: str) -> np.ndarray:
    numbers = dict(kept.atoms.table.select("text", "atom").iter_rows())
    return np.array([numbers[word] << 1 | (i > 0) for i, word in enumerate(words)], np.uint32)


def test_places_are_spread_over_all(tmp_path: Path) -> None:
    kept = keep([make_chunk([f"a b {number}." for number in range(60)])], tmp_path)
    few = [context.document for context in kept.find_contexts(key_of(kept, "a", "b"), most=3)]
    mined = np.flatnonzero(~choose_held(60))
    assert few == mined[[len(mined) // 6, len(mined) // 2, 5 * len(mined) // 6]].tolist()
    assert kept.find_contexts(key_of(kept, "a", "b"), most=0) == []


def test_many_places_take_a_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.array([0, *([2, 5] * 50), 0, 0], np.uint32)
    runs = [np.array(run, np.uint32) for run in ([2, 5], [4], [2, 4], [0], [4, 3, 5, 0])]
    counts, places = find_places(ids, runs, most=4)
    monkeypatch.setattr(concordance, "ROOM", 8)
    again, same = find_places(ids, runs, most=4)
    assert counts.tolist() == again.tolist() == [50, 50, 0, 0, 0]
    assert np.array_equal(places, same)
    assert places[0].tolist() == [13, 37, 63, 87] and (places[2:] == -1).all()
    with pytest.raises(ValueError, match="zeros"):
        find_places(ids, [np.array([2, 0, 2], np.uint32)], most=1)


def test_a_context_ends_at_a_word_or_a_sign() -> None:
    assert cut_left("they appear too often", 12) == "too often"
    assert cut_right("too often they appear", 12) == "too often"
    assert cut_left("天" * 30, 7) == cut_right("天" * 30, 7) == "天" * 7
    assert cut_left("e\u0301" * 40, 7) == cut_right("e\u0301" * 40, 7) == "e\u0301" * 3
    assert cut_left("👩🏽\u200d🚀" * 9, 6) == cut_right("👩🏽\u200d🚀" * 9, 6) == "👩🏽\u200d🚀"
    assert cut_left("short", 9) == cut_right("short", 9) == "short"
    assert cut_left("word", 0) == cut_right("word", 0) == ""


@given(nasty, st.integers(0, 12))
def test_contexts_are_no_longer_than_asked(text: str, reach: int) -> None:
    assert text.endswith(cut_left(text, reach)) and len(cut_left(text, reach)) <= reach
    assert text.startswith(cut_right(text, reach)) and len(cut_right(text, reach)) <= reach


def test_contexts_stay_in_their_document(tmp_path: Path) -> None:
    kept = keep(["one", "new york", "two " * 90 + "new york" + " three" * 90], tmp_path)
    short, long = kept.find_contexts(key_of(kept, "new", "york"), reach=10)
    assert short == Context("", "new york", "", 1)
    assert long == Context("two two ", "new york", " three", 2)


def test_a_long_document_is_cut_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = keep(["тишина и жар " * 2000], tmp_path)
    first = kept.find_contexts(key_of(kept, "тишина", "и"))
    monkeypatch.setattr(concordance, "recut_chunk", None)
    assert kept.find_contexts(key_of(kept, "тишина", "и")) == first


def test_bytes_are_shown_in_hexadecimal(tmp_path: Path) -> None:
    kept = keep([b"\x00ABC\xff", b"zABC"] * 2, tmp_path, "bytes")
    assert kept.exact
    assert not list((tmp_path / "1_atoms").glob("originals.*"))
    keys = key_of(kept, "<0x41>", "<0x42>") & ~np.uint32(1)
    found = kept.find_contexts(keys)
    assert found[:2] == [Context(" 00 ", "41 42", " 43 FF", 0), Context(" 7A ", "41 42", " 43", 1)]
    assert len(found) == 4
    short = kept.find_contexts(keys, most=1, reach=4)
    assert short == [Context(" 00 ", "41 42", " 43", 2)]


def test_a_run_of_an_earlier_version_spells_its_atoms(tmp_path: Path) -> None:
    keep(["Он сказал: «New York, да»"] * 2, tmp_path)
    for file in (tmp_path / "1_atoms").glob("originals.*"):
        file.unlink()
    kept = open_originals(tmp_path)
    assert not kept.exact
    found = kept.find_contexts(key_of(kept, "new", "york"), most=1)
    assert found == [Context("Он сказал ", "New York", " да", 1)]
    assert kept.count_places(key_of(kept, "new", "york")) == 2


@pytest.mark.parametrize("name", [PACKED, PLACES, BLOCKS])
@pytest.mark.parametrize("how", ["cut", "gone", "other"])
def test_a_damaged_copy_is_told(tmp_path: Path, name: str, how: str) -> None:
    kept = keep([f"new york {number}" for number in range(30)], tmp_path)
    keys, file = key_of(kept, "new", "york"), tmp_path / "1_atoms" / name
    content = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
    else:
        middle = len(content) // 2
        content[middle] ^= 0x55
        file.write_bytes(content[: middle if how == "cut" else None])
    with pytest.raises(RunError, match="mine again"):
        open_originals(tmp_path).find_contexts(keys, most=99)


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="copy the whole run folder"):
        open_originals(tmp_path)
    keep(["a b"] * 9, tmp_path)
    stream = tmp_path / "1_atoms" / "mined.ids.u32"
    stream.write_bytes(stream.read_bytes()[:20])
    with pytest.raises(RunError, match="copy the whole run folder"):
        open_originals(tmp_path)


def test_another_corpus_is_told(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    kept = keep(["a b"] * 9, tmp_path / "one")
    keep(["a b c d"] * 9, tmp_path / "two")
    for name in (PACKED, PLACES, BLOCKS):
        there = tmp_path / "two" / "1_atoms" / name
        there.rename(tmp_path / "one" / "1_atoms" / name)
    with pytest.raises(RunError, match="cannot be read"):
        open_originals(tmp_path / "one").find_contexts(key_of(kept, "a", "b"))


def test_a_packed_corpus_of_records(tmp_path: Path) -> None:
    texts = [f"Line {number}.\nIt's\u00a0New: «жар тишина» №{number}" for number in range(50)]
    file = tmp_path / "corpus.jsonl.gz"
    lines = "".join(json.dumps({"id": 1, "text": text}) + "\n" for text in texts)
    file.write_bytes(gzip.compress(lines.encode()))
    kept = keep(list(read_chunks(find_sources([str(file)]), chunk_bytes=200)), tmp_path)
    found = kept.find_contexts(key_of(kept, "жар", "тишина"), most=50)
    assert [context.unit for context in found] == ["жар тишина"] * 50
    for context in found:
        assert context.before + context.unit + context.after == texts[context.document]


def test_an_error_of_the_caller_goes_on(tmp_path: Path) -> None:
    chunks = record_documents([make_chunk(["a"]), make_chunk(["b"])], tmp_path)
    next(chunks)
    with pytest.raises(KeyError):
        chunks.throw(KeyError("stop"))


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    chunks = record_documents([make_chunk(["a" * 99])] * 3, tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        list(chunks)
