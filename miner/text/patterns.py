"""Regular expressions of the user: what is one thing by its form, and how long may the search take?

An expression can need a time that doubles with each letter, and one may come with a stranger's run:
none gets more than `PATIENCE` on a text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import regex

from miner.errors import ConfigError

PATIENCE = 10.0  # seconds on one text; on a megabyte a sane one takes .1
A_TEXT = 1e-4  # seconds more for each of many short ones, of which a sane one takes a hundredth


@dataclass(frozen=True)
class Pattern:
    """A regular expression by its name, as the user writes it in a config file."""

    name: str
    source: str
    expression: regex.Pattern[str]

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where its matches start and end, in order; ConfigError where it takes too long."""
        with self._in_time():
            for match in self.expression.finditer(text, timeout=PATIENCE):
                yield match.span()

    def match_all(self, texts: Iterable[str]) -> list[bool]:
        """Say of each text whether it is matched whole."""
        with self._in_time():
            end = time.monotonic() + PATIENCE
            found = []
            for text in texts:
                end += A_TEXT
                left = max(end - time.monotonic(), 1e-9)
                found.append(self.expression.fullmatch(text, timeout=left) is not None)
            return found

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise ConfigError(
                f"{self.source!r} takes more than {PATIENCE:g} s on a text",
                where=f"pattern {self.name}",
                cure="Write it so that a text can be matched in one way only: (a|a)* as a*",
            ) from error


def list_patterns(patterns: Mapping[str, str]) -> Sequence[Pattern]:
    """Return the patterns of a config, which has seen that they are expressions."""
    return [Pattern(name, source, regex.compile(source)) for name, source in patterns.items()]
