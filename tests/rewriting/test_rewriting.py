"""Rewrite and restore: every text comes back, whatever is in it, and signs stand between words."""

from __future__ import annotations

import gzip
import json
import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import Recorder
from hypothesis import example, given
from hypothesis import strategies as st
from watched import DEMO, MinedDemo

from miner.config import MineConfig
from miner.errors import ConfigError, MinerError, UsageError
from miner.fields import read_fields
from miner.pipeline import mine
from miner.rewriting.entries import (
    Entry,
    check_entries,
    find_careful,
    make_plan,
    number_signs,
    vary_case,
)
from miner.rewriting.jobs import RewriteConfig, restore_corpus, rewrite_corpus
from miner.rewriting.kernel import CLOSE, ESCAPE, LITERAL, OPEN
from miner.rewriting.marking import list_markers
from miner.rewriting.matching import build_trie, find_longest
from miner.rewriting.patterns import compile_compound, find_spans
from miner.rewriting.provenance import ENDING
from miner.rewriting.reading import read_dictionary, read_run
from miner.rewriting.streaming import Job, convert_block, convert_lines, run_job
from miner.rewriting.styling import LEADS, assign_signs, list_signs, number_addresses
from miner.runs.workplace import open_workplace
from miner.text.unicode import class_table

LIGHT = [Entry("свет", "☀{радость}"), Entry("любовь", "❤"), Entry("дождь и грусть", "☔🫧")]
GLUED = [
    Entry("in the", "inthe"), Entry("in the sea", "inthesea"), Entry("don't you", "don'tyou"),
    Entry("the sea", "thesea"), Entry("жар тишина", "жартишина"),
]  # fmt: skip
CHAIN = [Entry("a", "b"), Entry("b", "c"), Entry("x y", "a"), Entry(") {", "){"), Entry("é", "🙂")]
ODD = [Entry("🙂", "smile"), Entry("smile", "x"), Entry("x", "☀"), Entry("a b", "⟁"),
       Entry("b c", "⟁⟁"), Entry("c", "{"), Entry("-", "−")]  # fmt: skip
PLANS = {
    "light": make_plan(vary_case(LIGHT)), "glued": make_plan(GLUED), "chain": make_plan(CHAIN),
    "odd": make_plan(ODD), "half": make_plan(GLUED + LIGHT, share=0.5, seed=3),
}  # fmt: skip


def rewrite(text: str | bytes, plan: object, *, back: bool = False) -> bytes:
    content = text.encode() if isinstance(text, str) else text
    return convert_lines(content, plan, back=back, counts=np.zeros(3, np.int64))  # type: ignore[arg-type]


def shown(text: str, name: str) -> str:
    return rewrite(text, PLANS[name]).decode()


# What is found


@given(
    st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=30, unique=True),
    st.binary(max_size=40),
)
def test_the_longest_is_found_where_brute_force_finds_it(
    texts: list[bytes], content: bytes
) -> None:
    trie = build_trie(texts)
    buffer = np.frombuffer(content + b"\0", np.uint8)
    classes = np.full_like(class_table(), 11)  # all are symbols: nothing is in a word
    for place in range(len(content)):
        fits = [
            text
            for text in texts
            if content.startswith(text, place)
            and (place + len(text) == len(content) or content[place + len(text)] & 0xC0 != 0x80)
        ]
        best = max(fits, key=len, default=b"")
        found, length = find_longest(buffer, place, len(content), 0, trie, classes)
        assert (length, found) == (len(best), texts.index(best) if best else -1)


@pytest.mark.parametrize("texts", [[b""], [b"a", b"a"]])
def test_a_trie_of_nothing_or_of_twins_is_refused(texts: list[bytes]) -> None:
    with pytest.raises(ValueError, match="no empty text"):
        build_trie(texts)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("glued", "He is in the sea.", "He is inthesea."),
        ("glued", "in the house, in thesea", "inthe house, in ␛thesea"),
        ("glued", "within the sea", "within thesea"),
        ("glued", "in theory", "in theory"),
        ("glued", "don't you, I don't your", "don'tyou, I don't your"),
        ("glued", "жар тишина, жар тишинаx", "жартишина, жар тишинаx"),
        ("glued", "жартишина", "␛жартишина"),
        ("light", "Свет и любовь", "☀{радость}⟨Свет⟩ и ❤"),
        ("light", "свет⟨x⟩", "☀{радость}⟨свет⟩⟨x⟩"),
        ("light", "дождь и грусть. ДОЖДЬ И ГРУСТЬ", "☔🫧. ☔🫧⟨ДОЖДЬ И ГРУСТЬ⟩"),
        ("light", "рассвет светает", "рассвет светает"),
        ("light", "❤", "␛❤"),
        ("light", "␛", "␛␛"),
        ("chain", "a b x y", "b c a"),
    ],
)
def test_what_becomes_of_a_text(name: str, text: str, wanted: str) -> None:
    assert shown(text, name) == wanted
    assert rewrite(wanted, PLANS[name], back=True).decode() == text


MARKS = [ESCAPE, LITERAL, OPEN, CLOSE, "\n", "\r", " ", "'", "-", ".", "☀", "❤", "{", "}", "⟁"]
WORDS = sorted({part for entry in LIGHT + GLUED + CHAIN + ODD for part in (entry.text, entry.sign)})
hostile = st.lists(st.one_of(st.sampled_from(MARKS + WORDS), st.text(max_size=3)), max_size=14).map(
    "".join
)


@given(hostile, st.sampled_from(sorted(PLANS)))
@example(f"{LITERAL}x\n{ESCAPE}{LITERAL}", "glued")
@example(f"❤{OPEN}свет{CLOSE}", "light")
@example("in the'in the", "glued")
def test_every_text_comes_back(text: str, name: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    changed = rewrite(content, PLANS[name])
    assert rewrite(changed, PLANS[name], back=True) == content
    assert changed.count(b"\n") == content.count(b"\n")


@given(st.binary(max_size=60), st.sampled_from(sorted(PLANS)))
def test_every_bytes_come_back(content: bytes, name: str) -> None:
    assert rewrite(rewrite(content, PLANS[name]), PLANS[name], back=True) == content


words = st.text(st.sampled_from("ab'-. é🙂"), min_size=1, max_size=4).filter(str.strip)


@given(st.lists(st.tuples(words, words), max_size=8), st.lists(words, max_size=12).map("".join))
def test_any_dictionary_that_is_taken_brings_all_back(
    pairs: list[tuple[str, str]], text: str
) -> None:
    try:
        entries = check_entries([Entry(*pair) for pair in pairs], where="test")
    except ConfigError:
        return
    if not entries:
        return
    plan = make_plan(entries)
    changed = rewrite(text, plan)
    assert rewrite(changed, plan, back=True) == text.encode()


def test_words_are_safe_and_signs_want_care() -> None:
    assert find_careful(GLUED) == ([False] * len(GLUED), True)
    assert find_careful(LIGHT) == ([True] * len(LIGHT), True)
    assert find_careful([Entry("yes!", "oui"), Entry("a b", "a'")]) == ([True, True], True)
    told = [Entry("in the", "inthe"), Entry("x! in the", "x!inthe")]
    assert find_careful(told) == ([False, True], False), "a new word completes a sign"
    plan = make_plan(told)
    assert rewrite(rewrite("x!in the", plan), plan, back=True) == b"x!in the"


def test_a_line_that_would_not_come_back_loses_what_wants_care_alone() -> None:
    """`x! in the` leaves `x!` and `inthe`, which read as `x!inthe` where they stand together."""
    plan = make_plan([Entry("in the", "inthe"), Entry("x! in the", "x!inthe"), Entry("a b", "a!b")])
    told = np.zeros(3, np.int64)
    text = b"a b, x!in the\nin the"
    changed = convert_lines(text, plan, back=False, counts=told)
    assert told[2] == 1, "left as it is, since `in the` alone is misread too"
    assert rewrite(changed, plan, back=True) == text
    plan = make_plan([Entry("( x", "(x"), Entry("x )", "x)"), Entry("in the", "inthe")])
    told = np.zeros(3, np.int64)
    changed = convert_lines(b"( x ) in the", plan, back=False, counts=told)
    assert rewrite(changed, plan, back=True) == b"( x ) in the" and b"inthe" in changed
    assert told[2] == 0


pieces = st.lists(
    st.sampled_from(["in", "the", "sea", "x", " ", " ", ".", "-", "'", "№", "1", "inthe"]),
    max_size=12,
).map("".join)


@given(st.lists(pieces.filter(str.strip), min_size=1, max_size=6, unique=True), pieces)
def test_glued_texts_come_back_without_a_second_look(texts: list[str], text: str) -> None:
    signs: dict[str, Entry] = {}
    for one in texts:
        signs.setdefault("".join(one.split()), Entry(one.strip(), "".join(one.split())))
    try:
        entries = check_entries(signs.values(), where="test")
    except ConfigError:
        return
    if entries:
        plan = make_plan(entries)
        assert rewrite(rewrite(text, plan), plan, back=True) == text.encode()


def test_the_share_is_kept_and_seeded() -> None:
    text = "\n".join(f"line {i} in the house of number {i * 7}" for i in range(4000))
    counts = []
    for seed in (0, 0, 1):
        plan = make_plan(GLUED, share=0.3, seed=seed)
        told = np.zeros(3, np.int64)
        counts.append((convert_lines(text.encode(), plan, back=False, counts=told), int(told[0])))
        assert 1000 < told[0] < 1400
    assert counts[0] == counts[1] and counts[0][0] != counts[2][0]


# What is refused


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([Entry("a", "")], "empty sign"),
        ([Entry(" ", "b")], "empty text"),
        ([Entry("a", "b"), Entry("a", "c")], "two signs"),
        ([Entry("a", "c"), Entry("b", "c")], "stands for"),
        ([Entry("a", "b"), Entry("b", "a")], "circle: a -> b -> a"),
        ([Entry("a", "b"), Entry("b", "c"), Entry("c", "a")], "circle"),
        ([Entry("a", f"x{ESCAPE}")], "would not come back"),
        ([Entry("a", f"{OPEN}b{CLOSE}")], "would not come back"),
        ([Entry("a\nb", "x")], "would not come back"),
        ([Entry("a", "x" * 5000)], "too long"),
        ([Entry("a", "\ud800")], "no text"),
    ],
)
def test_a_dictionary_that_cannot_be(entries: list[Entry], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_entries(entries, where="d.json")


# Files


def job(source: Path, out: Path, *, back: bool = False, form: str = "txt") -> Job:
    return Job(str(source), out, PLANS["glued"], form, back, {"plan": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["txt", "jsonl", "pairs"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_files_come_back_in_every_form(tmp_path: Path, form: str, end: str) -> None:
    content = ("in the sea\r\n\nжар тишина ␛ жартишина\n" * 50 + "in the end" + end).encode()
    content = b"\xff\xfe bad in the\n" + content
    (tmp_path / "in.txt").write_bytes(content)
    run_job(job(tmp_path / "in.txt", tmp_path / "hyper", form=form))
    if form != "txt":
        rows = [json.loads(line) for line in (tmp_path / "hyper").read_bytes().splitlines()]
        assert len(rows) == content.count(b"\n") + (not end)
        assert rows[1]["hyper" if form == "pairs" else "text"] == "inthesea\r"
    run_job(job(tmp_path / "hyper", tmp_path / "back.txt", back=True, form=form))
    assert (tmp_path / "back.txt").read_bytes() == content


def test_an_archive_is_read_and_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(b"in the sea\n"))
    done = run_job(job(tmp_path / "in.txt.gz", tmp_path / "out.txt"))
    assert (tmp_path / "out.txt").read_bytes() == b"inthesea\n" and done.replaced == 1
    with pytest.raises(MinerError, match="already there"):
        run_job(job(tmp_path / "in.txt.gz", tmp_path / "out.txt"))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(os.urandom(5000))[:-300])
    with pytest.raises(MinerError, match="not whole"):
        run_job(job(tmp_path / "cut.gz", tmp_path / "other.txt"))
    assert not (tmp_path / "other.txt").exists()


def test_blocks_of_any_size_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"".join(b"line %d in the sea don't you\n" % i for i in range(3000)) + b"in the"
    (tmp_path / "in.txt").write_bytes(content)
    run_job(job(tmp_path / "in.txt", tmp_path / "whole.txt"))
    for size in (37, 1000, 65536):
        monkeypatch.setattr("miner.rewriting.streaming.BLOCK", size)
        run_job(job(tmp_path / "in.txt", tmp_path / f"{size}.txt"), threads=2)
        assert (tmp_path / f"{size}.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_a_line_that_is_too_long_passes_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner.rewriting.streaming.BLOCK", 64)
    monkeypatch.setattr("miner.rewriting.streaming.LONGEST", 256)
    content = b"in the sea\n" + b"in the sea, " * 100 + b"\nin the sea\n" + b"x" * 300
    (tmp_path / "in.txt").write_bytes(content)
    run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"))
    run_job(job(tmp_path / "out.txt", tmp_path / "back.txt", back=True))
    assert (tmp_path / "back.txt").read_bytes() == content
    assert (tmp_path / "out.txt").read_bytes().count(b"inthesea") == 2


@pytest.fixture
def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A file of which a half is rewritten; the other half is not."""
    monkeypatch.setattr("miner.rewriting.streaming.BLOCK", 500)
    monkeypatch.setattr("miner.rewriting.streaming.NOTED", 2000)
    content = b"".join(b"line %d in the sea\n" % i for i in range(2000))
    (tmp_path / "in.txt").write_bytes(content)
    seen = 0

    def stop(size: int) -> None:
        nonlocal seen
        seen += size
        if seen > len(content) // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"), progress=Recorder(on_step=stop))
    return content


def test_what_was_cut_off_goes_on_to_the_same_bytes(tmp_path: Path, cut_off: bytes) -> None:
    whole = run_job(job(tmp_path / "in.txt", tmp_path / "whole.txt"))
    assert not (tmp_path / "out.txt").exists()
    reading = Recorder()
    done = run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"), resume=True, progress=reading)
    assert (tmp_path / "out.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()
    assert sum(reading.steps) < len(cut_off) and done == whole
    names = [f"{name}.txt{end}" for name in ("out", "whole") for end in ("", ENDING)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", *names]


@pytest.mark.usefixtures("cut_off")
def test_nothing_goes_on_with_other_settings(tmp_path: Path) -> None:
    other = replace(job(tmp_path / "in.txt", tmp_path / "out.txt"), key={"plan": 2})
    with pytest.raises(MinerError, match="other settings"):
        run_job(other, resume=True)


@pytest.mark.parametrize("change", ["a byte that was read", "shorter"])
def test_nothing_goes_on_with_another_input(tmp_path: Path, cut_off: bytes, change: str) -> None:
    other = b"X" + cut_off[1:] if change != "shorter" else cut_off[:100]
    (tmp_path / "in.txt").write_bytes(other)
    with pytest.raises(MinerError, match="has changed since"):
        run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"), resume=True)
    run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"))
    run_job(job(tmp_path / "in.txt", tmp_path / "whole.txt"))
    assert (tmp_path / "out.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_two_never_write_one_file(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"in the sea\n")
    with (
        open_workplace(tmp_path / "out.txt"),
        pytest.raises(MinerError, match=f"another process is writing it .process {os.getpid()}"),
    ):
        run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"))
    run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"))
    assert (tmp_path / "out.txt").read_bytes() == b"inthesea\n"


def test_a_pipe_and_a_device_are_written_to_and_stay(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"in the sea\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    run_job(job(tmp_path / "in.txt", pipe))
    reader.join()
    assert got == [b"inthesea\n"] and pipe.is_fifo()
    run_job(job(tmp_path / "in.txt", Path("/dev/null")), overwrite=True)
    assert Path("/dev/null").is_char_device()


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"in the sea\n")
    (tmp_path / "far.txt").write_bytes(b"old")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "far.txt")
    with pytest.raises(MinerError, match=r"far.txt: a file is already there"):
        run_job(job(tmp_path / "in.txt", link))
    run_job(job(tmp_path / "in.txt", link), overwrite=True)
    assert link.is_symlink() and (tmp_path / "far.txt").read_bytes() == b"inthesea\n"


def test_files_that_others_call_so_stay(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"in the sea\n")
    others = [tmp_path / f"out.txt.{end}" for end in ("partial", "journal", "lock", "old")]
    for other in others:
        other.write_text("mine")
    run_job(job(tmp_path / "in.txt", tmp_path / "out.txt"))
    assert [other.read_text() for other in others] == ["mine"] * 4


# Patterns


SIGNS = {
    "любовь": "❤", "свет": "☀{радость}", "тихая ночь": "🌙", r"re:\d{4} год\w*": "📅",
    "re:[«»]": "QUOTE", "дождь + грусть": "☔🫧",
    "волк + лес": {"sign": "🐺🌲", "within": 2, "ordered": True}, "雨 + 愁": "🌧",
    "a + b": {"sign": "⊕", "compound": False},
}  # fmt: skip


def open_dictionary(folder: Path, content: object, **how: object) -> Job:
    file = folder / "signs.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    entries, patterns = read_dictionary(file, **how)  # type: ignore[arg-type]
    plan = make_plan(entries, patterns)
    return Job("", folder, plan, patterns=patterns, numbers=number_signs(entries, patterns))


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return open_dictionary(tmp_path_factory.mktemp("signs"), SIGNS)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("дождь, а за ним грусть", "☔🫧⟨дождь, а за ним грусть⟩"),
        ("грусть и дождь", "☔🫧⟨грусть и дождь⟩"),
        ("дождь. грусть", "дождь. грусть"),
        ("дождь раз два три четыре грусть", "дождь раз два три четыре грусть"),
        ("дождьгрусть дождями грусть", "дождьгрусть дождями грусть"),
        ("волк в лес, лес и волк", "🐺🌲⟨волк в лес⟩, лес и волк"),
        ("волк ушёл в тёмный лес", "волк ушёл в тёмный лес"),
        ("в 1841 году свет", "в 📅⟨1841 году⟩ ☀{радость}"),
        ("寒雨連江愁", "寒🌧⟨雨連江愁⟩"),
        ("a + b", "⊕"),
        ("☔🫧⟨x⟩ 📅", "␛☔🫧⟨x⟩ ␛📅"),
        ("дождь ⟩ грусть", "дождь ⟩ грусть"),
        ("дождь свет грусть", "☔🫧⟨дождь свет грусть⟩"),
    ],
)
def test_what_patterns_find(signs: Job, text: str, wanted: str) -> None:
    changed, _ = convert_block(text.encode(), "lines", signs)
    assert changed.decode() == wanted
    assert rewrite(changed, signs.plan, back=True).decode() == text


near = ["дождь", "грусть", " и ", "1841 год", "☔🫧", "волк", "лес", "雨", "愁", "«", "QUOTE", "📅"]
broken = st.binary(max_size=2).map(lambda one: one.decode("utf-8", "surrogateescape"))
plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


@given(
    st.lists(st.one_of(st.sampled_from([*MARKS, *near]), plain, broken), max_size=14).map("".join)
)
@example("QUOTE «QUOTE» x«y")
def test_every_text_with_patterns_comes_back(signs: Job, text: str) -> None:
    content = text.encode("utf-8", "surrogateescape")
    changed, _ = convert_block(content, "lines", signs)
    assert rewrite(changed, signs.plan, back=True) == content


def test_spans_are_bytes_in_order_and_apart() -> None:
    pairs = ((["a"], ["b"]), "x"), ((["é"], ["c"]), "y")
    patterns = [compile_compound("", parts, sign) for parts, sign in pairs]
    numbers = {b"x": 5, b"y": 7}
    block = "éé a b".encode() + b"\xff\n\xff a b"
    assert find_spans(block, patterns, numbers).tolist() == [[5, 8, 5], [12, 15, 5]]
    assert find_spans("a b é c".encode(), patterns, numbers).tolist() == [[0, 3, 5], [4, 8, 7]]
    assert find_spans("a é b c".encode(), patterns, numbers).tolist() == [[0, 6, 5]]


def test_many_places_in_a_long_line_are_counted_once_each(tmp_path: Path) -> None:
    """Each place is counted from the one before, also where an expression goes from the end."""
    job = open_dictionary(tmp_path, {r"re:\d+": "①", r"re:(?r)é+x": "②"})
    block = "é1 éx".encode() * 60_000
    spans = find_spans(block, job.patterns, job.numbers)
    assert spans[:4].tolist() == [[2, 3, 0], [4, 7, 1], [9, 10, 0], [11, 14, 1]]
    assert len(spans) == 120_000


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"re:(": "x"}, "no regular expression"),
        ({"re:a*": "x"}, "fits nothing at all"),
        ({"a + ": "x"}, "an empty one"),
        ({"a + b + c + d + e": "x"}, "5 parts"),
        ({"a + b": ""}, "an empty sign"),
        ({"a + b": "␛"}, "would not come back"),
        ({"a + b": {"sign": "x", "within": 99}}, "within 99"),
        ({"a + b": {"sign": "x", "order": True}}, "the order True"),
        ({"a + b": {"within": 3}}, "has no sign"),
        ({"a": {"sign": "x", "ordered": True}}, "is no compound"),
        ({"a": 3}, "the sign 3"),
    ],
)
def test_a_dictionary_of_patterns_that_cannot_be(
    tmp_path: Path, content: object, told: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        open_dictionary(tmp_path, content)


def test_an_expression_that_never_ends_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miner.rewriting.patterns.PATIENCE", 0.2)
    job = open_dictionary(tmp_path, {r"re:(x|xx)+\b\d": "⟁"})
    with pytest.raises(ConfigError, match="takes more than"):
        convert_block(b"x" * 60, "lines", job)


def test_russian_words_are_found_in_all_forms(tmp_path: Path) -> None:
    pytest.importorskip("pymorphy3")
    job = open_dictionary(tmp_path, SIGNS, any_case=True, inflect="ru")
    text = "Тихой ночью любви и света, светом. Дождями и грустью; рассвета светает, тихо ночь"
    changed, _ = convert_block(text.encode(), "lines", job)
    assert changed.decode() == (
        "🌙⟨Тихой ночью⟩ ❤⟨любви⟩ и ☀{радость}⟨света⟩, ☀{радость}⟨светом⟩. "
        "☔🫧⟨Дождями и грустью⟩; рассвета светает, тихо ночь"
    )
    assert rewrite(changed, job.plan, back=True).decode() == text


# Signs of their own


def test_families_share_a_sign() -> None:
    units = pl.DataFrame({"rank": [1, 2, 3, 4], "family": [2, 2, 3, 2]})
    signs = assign_signs(units, ["☀", "☔", "🌙"])
    assert signs == {2: "☀", 1: "☀₁", 4: "☀₂", 3: "☔"}
    assert assign_signs(units, []) == {}


def test_an_address_that_several_have_is_numbered() -> None:
    units = pl.DataFrame({"rank": [1, 2, 3, 4], "token": ["a b", "c d", "e f", "g h"]})
    fields = pl.DataFrame({"token": ["c d", "a b", "g h"], "address": ["X1", "X1", "Y2"]})
    assert number_addresses(units, fields) == {1: "X1", 2: "X1₁", 4: "Y2"}


def test_markers_are_where_a_measure_is_highest() -> None:
    fields = pl.DataFrame(
        {
            "token": list("abcdef"),
            "resonance": [0.9, 0.1, 0.0, -0.2, float("nan"), None],
            "direction": [-0.9, 0.2, 0.8, 0.1, 0.0, None],
            "tension": [0.1, 0.2, 0.2, 0.7, 0.1, None],
        }
    )
    assert list_markers(fields) == {"a": "_RESO_ _BACK_", "c": "_FORE_", "d": "_TENS_"}
    assert list_markers(fields[-1:]) == {}


@pytest.mark.parametrize("style", ["glued", "signs", "addresses"])
@pytest.mark.parametrize("markers", [False, True])
def test_a_corpus_comes_back_in_every_style(
    demo: MinedDemo, tmp_path: Path, style: str, markers: bool
) -> None:
    how = {"run": demo.folder, "style": style, "markers": markers}
    out, back = tmp_path / "out", tmp_path / "back"
    done = rewrite_corpus(RewriteConfig(str(DEMO), out, **how))  # type: ignore[arg-type]
    restore_corpus(RewriteConfig(str(out), back, **how))  # type: ignore[arg-type]
    assert back.read_bytes() == DEMO.read_bytes()
    written = out.read_text(encoding="utf-8")
    assert done.replaced > 1_000
    there = DEMO.read_text(encoding="utf-8").count("_FORE_")
    assert (written.count("_FORE_") > there + 100) == markers
    if style == "addresses":
        addresses = read_fields(demo.folder).table["address"].to_list()
        assert sum(address in written for address in addresses) > 500


@given(st.integers(1, 40), st.integers(0, 400))
def test_no_sign_begins_another(letters: int, count: int) -> None:
    signs = list_signs([chr(0x4E00 + i) for i in range(letters)], count)
    leads = max(1, letters // LEADS)
    most = letters if count <= letters else letters - leads + leads * letters
    assert len(signs) == len(set(signs)) == min(count, most)
    assert not any(a != b and b.startswith(a) for a in signs for b in signs)


@pytest.mark.parametrize("alphabet", [None, "☀☔🌙⭐🌊🔥🌿⚡❄👁🕊🗝"])
def test_a_run_in_signs_comes_back_and_datasets_load_it(
    demo: MinedDemo, tmp_path: Path, alphabet: str | None
) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    source = DEMO.read_text(encoding="utf-8")
    for form in ("jsonl", "pairs"):
        out, again = tmp_path / f"{form}.jsonl", tmp_path / f"{form}.txt"
        how = {"run": demo.folder, "style": "signs", "alphabet": alphabet, "form": form}
        done = rewrite_corpus(RewriteConfig(str(DEMO), out, **how))  # type: ignore[arg-type]
        restore_corpus(RewriteConfig(str(out), again, **how))  # type: ignore[arg-type]
        assert done.replaced > 300
        assert again.read_text(encoding="utf-8") == source
        loaded = datasets.load_dataset(
            "json", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache")
        )
        names = {"text"} if form == "jsonl" else {"source", "hyper"}
        assert set(loaded.column_names) == names
        assert len(loaded) == len(source.splitlines())
        if form == "pairs":
            assert list(loaded["source"]) == source.splitlines()
            pairs = zip(loaded["source"], loaded["hyper"], strict=True)
            assert sum(old != new for old, new in pairs) > 100


def test_signs_that_the_corpus_has_are_refused(demo: MinedDemo, tmp_path: Path) -> None:
    config = RewriteConfig(str(DEMO), tmp_path / "x", run=demo.folder, style="signs", alphabet="е")
    with pytest.raises(ConfigError, match="has all signs"):
        rewrite_corpus(config)
    for wrong in ({"style": "glued"}, {"run": None, "dictionary": DEMO}):
        with pytest.raises(UsageError):
            rewrite_corpus(replace(config, **wrong))  # type: ignore[arg-type]


def test_a_unit_with_a_mark_of_ours_has_nothing_and_the_others_have(tmp_path: Path) -> None:
    """Where a corpus has ⟨ in a unit, as of APL, the run is taken all the same."""
    source = "".join(f"the ⟨ sign ␛ and x{i} in the house\n" for i in range(300))
    (tmp_path / "in.txt").write_text(source, encoding="utf-8")
    mine(MineConfig(corpus=(str(tmp_path / "in.txt"),)), tmp_path / "run")
    entries, bare = read_run(tmp_path / "run")
    assert bare and entries and not any(set(OPEN + ESCAPE) & set(one.sign) for one in entries)
    for style in ("glued", "signs"):
        how = {"run": tmp_path / "run", "style": style}
        out, back = tmp_path / style, tmp_path / f"{style}.back"
        done = rewrite_corpus(RewriteConfig(str(tmp_path / "in.txt"), out, **how))  # type: ignore[arg-type]
        restore_corpus(RewriteConfig(str(out), back, **how))  # type: ignore[arg-type]
        assert done.replaced and back.read_text(encoding="utf-8") == source


def test_expressions_differ_by_case_and_parts_have_no_spaces_around(tmp_path: Path) -> None:
    content = {r"re:\d+x": "①", r"re:\D+x": "②", "a  + b": "⊕"}
    job = open_dictionary(tmp_path, content, any_case=True)
    changed, _ = convert_block(b"12x a b ab a bc", "lines", job)
    assert changed.decode() == "①⟨12x⟩ ⊕⟨a b⟩ ab a bc"
