"""Patterns of the user, and of strangers: found as Python finds them, and never for long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import miner
from miner.errors import ConfigError
from miner.text import patterns
from miner.text.patterns import list_patterns

SANE = (r"\d+([.,]\d+)?", r"[A-Z]{2}/\d", r"(?i)§ ?\w+", r"\b\w+@\w+\.\w+\b", "a|ab", "(?:ab)+?")


@given(st.text("abAB/12.,§ @x\n", max_size=40), st.sampled_from(SANE))
def test_matches_are_those_of_python(text: str, source: str) -> None:
    (pattern,) = list_patterns({"mine": source})
    assert list(pattern.find(text)) == [match.span() for match in re.finditer(source, text)]
    assert pattern.match_all([text]) == [re.fullmatch(source, text) is not None]


@pytest.mark.parametrize("source", [r"(a|a)*\.", r"(a|aa)+$", r"^(\w+\s?)*$", "(.*)*x"])
def test_what_would_never_end_is_one_line(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "PATIENCE", 0.2)
    (pattern,) = list_patterns({"slow": source})
    text = "a" * 60 + "!"
    for ask in (lambda: list(pattern.find(text)), lambda: pattern.match_all([text])):
        try:
            ask()  # some of them the library sees through
        except ConfigError as error:
            assert str(error).startswith("pattern slow: ") and "takes more than" in str(error)


def test_many_slow_texts_have_no_more_time_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is in time by itself, by a clock of the test; all together they are not."""
    monkeypatch.setattr(patterns, "PATIENCE", 0.2)
    clock = iter(range(100))
    monkeypatch.setattr(patterns.time, "monotonic", lambda: next(clock) * 0.1)
    (pattern,) = list_patterns({"slow": r"(a|aa)+\."})
    with pytest.raises(ConfigError, match=r"takes more than 0.2 s"):
        pattern.match_all(["a" * 80 + "!"] * 50)


def test_a_run_with_a_slow_pattern_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["жар тишина aab"] * 9
    run = miner.mine(texts, patterns={"node": r"(a|aa)+\."}, profile="words")
    monkeypatch.setattr(patterns, "PATIENCE", 0.2)
    with pytest.raises(ConfigError, match=r"pattern node: .*takes more than 0.2 s"):
        run.segment("a" * 80 + "!")
