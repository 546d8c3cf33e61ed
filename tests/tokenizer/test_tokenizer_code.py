"""Units of code: marks belong to them, and they are whole beside operators, tabs and line ends."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched import call_command

from miner.tokenizer.checking.checking import check_tokenizer, read_unit_ids
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.training.normal_form import CODES
from miner.tokenizer.training.training import TrainConfig, train_tokenizer

NAMED = ("foo(self", "(self,", "self,", "name")
NAMES = ("width", "height", "area", "total", "node", "left", "right", "value", "key", "table")
LINES = (
    "def {a}(self, {b}):", "    if self.{a} is None:", "        return self.{b}", "    return {a}",
    "\tfor {a} in range({b}):", "    self.{a} = {b}", "    {a} += {b}[{c}]", "",
    "class {a}(object):",
    "    assert {a} == {b}, '{c}'", "x = foo(self, name)", "foo({a}, name)",
    "# {a} of the {b}",
    '    print("{a}: %d" % {b})', "    while {a} != {b}: {c} -= 1",
)  # fmt: skip
PIECES = (
    *NAMED, "(", ")", ", ", " ", "    ", "\n", "\r\n", "\t", "== ", "self.", "x", "⁀", "⁃", "▁",
)  # fmt: skip


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus of 200 files in a made-up program, and its run."""
    place = tmp_path_factory.mktemp("code")
    choose = random.Random(7)
    with (place / "code.jsonl").open("w", encoding="utf-8") as out:
        for _ in range(200):
            chosen = [
                choose.choice(LINES).format(**{letter: choose.choice(NAMES) for letter in "abc"})
                for _ in range(40)
            ]
            out.write(json.dumps({"text": "\n".join(chosen) + "\n"}) + "\n")
    done = call_command(
        "mine",
        "--corpus",
        str(place / "code.jsonl"),
        "--profile",
        "code",
        "--out",
        str(place / "run"),
    )
    assert done.code == 0, done.err
    return place / "code.jsonl", place / "run"


@pytest.fixture(scope="module")
def train(
    code: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., LoadedTokenizer]:
    shelf: dict[tuple[str, bool, bool], LoadedTokenizer] = {}

    def make(trainer: str, *, exact: bool, named: bool = False) -> LoadedTokenizer:
        key = (trainer, exact, named)
        if key not in shelf:
            place = tmp_path_factory.mktemp("made")
            tokens = place / "tokens.json"
            tokens.write_text(json.dumps({"never_split": NAMED}), encoding="utf-8")
            config = TrainConfig(
                code[1],
                (str(code[0]),),
                trainer,
                2000,
                exact=exact,
                tokens=tokens if named else None,
            )
            train_tokenizer(config, place / "out")
            shelf[key] = load_tokenizer(place / "out")
        return shelf[key]

    return make


WAYS = pytest.mark.parametrize(
    ("trainer", "exact"), [("hf-bpe", True), ("hf-bpe", False), ("hf-unigram", True)]
)


@WAYS
def test_every_unit_of_code_is_whole_where_it_was_found(
    code: tuple[Path, Path], train: Callable[..., LoadedTokenizer], trainer: str, exact: bool
) -> None:
    checks = {check.name: check for check in check_tokenizer(train(trainer, exact=exact), code[1])}
    assert checks["a unit is one id where it was found"].tried > 50
    assert [check.name for check in checks.values() if not check.holds] == []


@WAYS
def test_no_sign_of_the_normal_form_is_left_alone(
    code: tuple[Path, Path], train: Callable[..., LoadedTokenizer], trainer: str, exact: bool
) -> None:
    tokenizer = train(trainer, exact=exact, named=True)
    texts = [json.loads(line)["text"] for line in code[0].read_text().splitlines()]
    uses = np.bincount(np.concatenate(tokenizer.encode(texts)), minlength=tokenizer.size)
    used = np.flatnonzero(uses)
    written = tokenizer.decode([[number] for number in used.tolist()])
    assert [text for text in written if set(text) & set(CODES)] == []


@WAYS
@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("foo(self; name)", ["foo(self", "name"]),
        ("f(self, name)", ["(self,", "name"]),
        ("x\tname\r\n\tself, x", ["name", "self,"]),
        ("a=name;b", ["name"]),
        ("names renamed name2 _name myself,", []),
    ],
)
def test_the_longest_named_unit_wins_beside_marks(
    train: Callable[..., LoadedTokenizer], trainer: str, exact: bool, text: str, units: list[str]
) -> None:
    tokenizer = train(trainer, exact=exact, named=True)
    listed = read_unit_ids(tokenizer.path)
    named = dict(listed.filter(listed["kind"] == "named").select("id", "token").iter_rows())
    found = [named[number] for number in tokenizer.encode([text])[0].tolist() if number in named]
    assert found == units


@given(text=st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_code_comes_back(train: Callable[..., LoadedTokenizer], text: str) -> None:
    for trainer in ("hf-bpe", "hf-unigram"):
        tokenizer = train(trainer, exact=True, named=True)
        assert tokenizer.decode(tokenizer.encode([text])) == [text]
