"""Torn runs, values and glue, by hand and against a reading that goes run by run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import mine_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from miner.corpus import find_sources, read_chunks
from miner.mining.candidates import Candidates, count_candidates
from miner.mining.spelling import spell_runs
from miner.mining.syntax import CONSTANT, find_glue, find_torn, find_values
from miner.text.pretokens import Atoms, cut_chunks, load_atoms
from miner.text.profiles import PROFILES

Find = Callable[[Candidates, Atoms], np.ndarray]


def named(texts: list[str], find: Find, profile: str = "code") -> tuple[set[str], set[str]]:
    """Return the runs that `find` marks, and the other ones."""
    atoms, candidates = mine_texts(texts, min_count=2, profile=profile)
    found = find(candidates, atoms)
    runs = spell_runs(candidates.keys, atoms.table["text"]).to_numpy()
    several = candidates.parent >= 0
    return set(runs[found & several]), set(runs[~found & several])


def test_a_bracket_is_closed_where_it_was_opened() -> None:
    torn, whole = named(["f(a) } else { g[0]) return (b", "x = f(a); } y"] * 3, find_torn)
    assert {"a)", "0]", "f(a) } else"} <= torn
    assert {"f(a)", "} else {", ") return (", "return (b", "f(a);", "); }"} <= whole


def test_what_a_bracket_ends_is_not_the_next_phrase() -> None:
    lines = ["12:34 <bob> (window) door left open: 630", "sshd[4721]: session opened for root"] * 3
    torn, whole = named(lines, find_torn)
    assert {") door left", "<bob> (", ") door left open:", "]: session opened"} <= torn
    assert {"(window) door", "<bob>", "door left open:", "session opened", "sshd["} <= whole


def test_calls_and_heads_of_statements_open_a_bracket() -> None:
    lines = ["for (i of a) { print(x) } else if (y) {", "if (a b c (d"] * 3
    torn, whole = named(lines, find_torn)
    assert {"for (", "print(", "else if (", "} else if (", ") {"} <= whole
    assert {"a b c (", "of a)"} <= torn


def test_a_tag_is_not_begun_in_its_end() -> None:
    torn, whole = named(["<b>bold</b> text", 'x > 1 p->y <a href="z">link</a>'] * 3, find_torn)
    assert {"b>bold", "b>", ">bold", ">link"} <= torn
    assert {"<b>bold</b>", "<b>", "x >", "> 1", "->y", "</b>"} <= whole


def test_no_run_begins_with_the_mark_that_ends_another() -> None:
    torn, whole = named(["check pass; user unknown, so it was.", "a.b c:d ; e"] * 3, find_torn)
    assert {"; user unknown", ", so", "; e"} <= torn
    assert {"check pass;", "unknown, so", ".b", ":d", "user unknown"} <= whole


def test_a_quoted_text_is_not_cut_inside() -> None:
    torn, whole = named(['"name": "woman", "age": 7,', 'GET /x HTTP/1.1" 200 -'] * 3, find_torn)
    assert {'name": "', 'name":', '"name": "woman', 'woman",'} <= torn
    assert {'"name":', '"name": "', '"woman",', '": "', '/1.1"', '": "woman",'} <= whole


def test_quotes_are_followed_from_the_start_of_the_line() -> None:
    torn, whole = named(['a "b" , c', 'd "b" , c'] * 2, find_torn)
    assert {'b" , c', 'b" ,'} <= torn
    assert {'"b" , c', '" , c', '"b"'} <= whole


def test_branches_and_rings_of_a_molecule_are_closed() -> None:
    torn, whole = named(["CC(=O)Nc1ccc(Cl)cc1C%10CC%10"] * 3, find_torn, "molecules")
    assert {"(=O", "=O)", "c1c", "1ccc", "C(", "C(=", "(Cl)cc1", "C%10C", "(=O)Nc1"} <= torn
    assert {"C(=O)N", "(=O)", "=O", "c(Cl)cc", "C%10CC%10"} <= whole


def test_a_number_that_is_one_of_many_is_a_value() -> None:
    lines = [
        f"Gecko/20100101 total:{100 + n // 2}, 5xx:{900 + n // 2}, HTTP/1.1" for n in range(20)
    ]
    values, others = named(lines, find_values)
    assert {"total:100", ":100,", "5xx:905", ":905, HTTP", ":903, HTTP/1.1"} <= values
    assert {"Gecko/20100101", "HTTP/1.1", "/1.1", "total:"} <= others


def test_elements_of_tensors_are_not_cut(tmp_path: Path) -> None:
    rows = np.random.default_rng(0)
    words = rows.choice(np.array([0, 0x3C00, 0x2E66, 0xAE66, 0x1234], np.uint16), 4_000)
    longs = rows.integers(300, 310, 2_000)
    bytes_ = rows.integers(0, 4, 4_000).astype(np.uint8)
    save_file({"w": words, "ids": longs, "quantized": bytes_}, tmp_path / "a.safetensors")
    sources = find_sources([str(tmp_path / "a.safetensors")])
    atoms = cut_chunks(read_chunks(sources), tmp_path, profile=PROFILES["bytes"], patterns={})
    assert atoms.widths.tolist() == [8, 2, 1]  # as the library lays them out
    again = load_atoms(tmp_path, profile=PROFILES["bytes"])
    assert again.widths.tolist() == atoms.widths.tolist()
    candidates = count_candidates(atoms.mined, atoms.table["count"].to_numpy(), min_count=3)
    torn = find_torn(candidates, atoms)
    texts = spell_runs(candidates.keys, atoms.table["text"]).to_list()
    runs = dict(zip(texts, torn.tolist(), strict=True))
    whole = ["3412", "662e", "00000000", "2d01000000000000", "0203", "030201"]
    cut = ["1266", "3c34", "01000000", "2d010000", "00002d01"]
    assert not any(runs[_name(text)] for text in whole)
    assert all(runs[_name(text)] for text in cut)


def test_damaged_widths_are_refused(tmp_path: Path) -> None:
    save_file({"w": np.arange(9, dtype=np.uint16)}, tmp_path / "a.safetensors")
    sources = find_sources([str(tmp_path / "a.safetensors")])
    cut_chunks(read_chunks(sources), tmp_path, profile=PROFILES["bytes"], patterns={})
    for damaged in (b"", b"\0", b"\2\2"):
        (tmp_path / "mined.widths.u8").write_bytes(damaged)
        with pytest.raises(ValueError, match="width"):
            load_atoms(tmp_path, profile=PROFILES["bytes"])


def _name(text: str) -> str:
    return "".join(f"<0x{value:02X}>" for value in bytes.fromhex(text))


def test_glue_is_marks_only() -> None:
    glue, others = named(["f(a); });", "g(b); });"] * 3, find_glue)
    assert {"});", "; });", ");", "})"} <= glue
    assert "f(" in others
    assert all(re.fullmatch(r"[(){}; ]+", text) for text in glue)


@pytest.mark.parametrize("find", [find_torn, find_values, find_glue])
def test_prose_has_none(find: Find) -> None:
    found, others = named(['he said "yes (1) of 20', "she said no) 20 of 30"] * 3, find, "words")
    assert not found
    assert others


def slow_values(atoms: Atoms, candidates: Candidates) -> np.ndarray:
    """Return what `find_values` does, by looking contexts up in a table of counted runs."""
    kinds = atoms.table["kind"].to_list()
    counts = candidates.table["count"].to_list()
    runs = [tuple(int(key) for key in row if key) for row in candidates.keys]
    # the key of a run's first atom has no space bit, wherever it is cut out
    table = dict(zip(runs, counts, strict=True))
    find = lambda part: table[(part[0] & ~1, *part[1:])]  # noqa: E731
    is_number = [[kinds[(key >> 1) - 1] == "number" for key in run] for run in runs]

    def foretold(run: tuple[int, ...], numbers: list[bool], at: int) -> float:
        start, end = at, at + 1
        while start > 0 and not numbers[start - 1]:
            start -= 1
        while end < len(run) and not numbers[end]:
            end += 1
        left = find(run[start : at + 1]) / find(run[start:at]) if start < at else 0.0
        right = find(run[at:end]) / find(run[at + 1 : end]) if end > at + 1 else 0.0
        return max(left, right)

    return np.array(
        [
            len(run) > 1
            and any(foretold(run, numbers, at) < CONSTANT for at in np.flatnonzero(numbers))
            for run, numbers in zip(runs, is_number, strict=True)
        ]
    )


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from(["1", "22", "3.5", "a", ":", "b"]), max_size=12), min_size=4)
)
def test_values_as_brute_force_finds_them(lines: list[list[str]]) -> None:
    atoms, candidates = mine_texts([" ".join(line) for line in lines], min_count=1, profile="code")
    assert find_values(candidates, atoms).tolist() == slow_values(atoms, candidates).tolist()
