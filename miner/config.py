"""Options, a config file and the defaults to one set of settings: how shall the corpus be mined?"""

from __future__ import annotations

import dataclasses
import operator
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, SupportsIndex

from miner.errors import ConfigError, UsageError, say_reason

DEFAULT_VOCABULARY = 8_000
MOST = 2**31 - 1  # of any number; counts are 64 bits wide, and more means a slip
_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
MOST_MEMORY = 2**60
_BINARY_SIZES = {"KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


def _setting(default: Any, comment: str) -> Any:
    """Return a field of the config that carries the comment of the config file."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"comment": comment})
    return field(default=default, metadata={"comment": comment})


@dataclass(frozen=True)
class MineConfig:
    """Everything that decides what a run finds; `None` means: chosen from the corpus.

    Frozen. The names are those of `miner.mine`, of the options and of `config.toml`. A value
    without meaning is a UsageError, with the rule.

    >>> config = MineConfig(corpus="book.txt", vocab_size=100)
    >>> config.corpus, config.vocab_size, config.min_count
    (('book.txt',), 100, None)
    """

    corpus: tuple[str, ...] = _setting((), "Files, folders, globs, or - for standard input.")
    vocab_size: int = _setting(DEFAULT_VOCABULARY, "The most units to keep: the one dial.")
    objective: Literal["meaning", "terms", "phrases", "compression"] = _setting(
        "meaning",
        "meaning: what a person would call one unit; terms: key terms of the subject alone; "
        "phrases: general vocabulary alone; compression: what saves the most tokens.",
    )
    min_count: int | None = _setting(
        None, "How often a run must occur; by default 3 x sqrt(millions of atoms), 3 at least."
    )
    max_length: int = _setting(8, "The most atoms in a candidate, 2 to 8.")
    profile: str = _setting(
        "auto",
        "auto, words, transliteration, code, symbols, molecules or bytes: how text is cut into "
        "atoms.",
    )
    encoder: str = _setting(
        "corpus",
        "corpus: trained on the corpus itself; or a sentence-transformers model, name or folder.",
    )
    device: str = _setting("auto", "auto, cpu or cuda: where the encoder and the search run.")
    seeds: str | tuple[str, ...] | None = _setting(
        None, "Units known to be good, to learn from: a file with one a line, or a list of them."
    )
    facets: str | None = _setting(
        None, "A TOML file of facets and their anchor words; by default logic, emotion, function."
    )
    decisions: str | None = _setting(
        None, "What reviewers decided on another run: that run, a folder of logs, or one log."
    )
    policy: Literal["majority", "latest", "unanimous"] = _setting(
        "majority", "majority, latest or unanimous: what holds where reviewers differ."
    )
    text_column: str | None = _setting(
        None, "The column of tables and JSON lines; by default `text`, or the only one of text."
    )
    on_error: str = _setting("stop", "stop or skip: what to do with input that cannot be read.")
    memory: str | None = _setting(
        None, "Memory for counting, such as 2GiB; a larger corpus is counted in passes."
    )
    seed: int = _setting(0, "Of every random choice.")
    patterns: Mapping[str, str] = _setting(
        {}, "Regular expressions, by name, whose matches are one atom each."
    )

    def __post_init__(self) -> None:
        """Bring values to their types; refuse those that have no meaning, with the rule."""
        for entry in dataclasses.fields(self):
            value = check_type(entry.name, getattr(self, entry.name))
            object.__setattr__(self, entry.name, value)
        for name, value in _texts(self):
            _require(value != "", name, value, "something, or left away")
            known = all(sign != "\0" and not "\ud800" <= sign <= "\udfff" for sign in value)
            _require(known, name, value, "UTF-8 without NUL; name the folder of such a file")
        _require(1 <= self.vocab_size <= MOST, "vocab-size", self.vocab_size, f"1 to {MOST}")
        _require(2 <= self.max_length <= 8, "max-length", self.max_length, "2 to 8")
        if self.min_count is not None:
            _require(2 <= self.min_count <= MOST, "min-count", self.min_count, f"2 to {MOST}")
        for name, choices in CHOICES.items():
            _require(
                getattr(self, name) in choices, name, getattr(self, name), " or ".join(choices)
            )
        _require(0 <= self.seed <= MOST, "seed", self.seed, f"0 to {MOST}")
        if self.memory is not None:
            parse_size(self.memory)
        for name, pattern in self.patterns.items():
            _check_pattern(name, pattern)


CHOICES = {
    "objective": ("meaning", "terms", "phrases", "compression"),
    "profile": ("auto", "words", "transliteration", "code", "symbols", "molecules", "bytes"),
    "device": ("auto", "cpu", "cuda"),
    "policy": ("majority", "latest", "unanimous"),
    "on_error": ("stop", "skip"),
}


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        raise UsageError(f"{name.replace('_', '-')} is {value!r}", cure=f"It must be {rule}")


def _texts(config: MineConfig) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of every setting that is text."""
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        texts = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        yield from ((entry.name, text) for text in texts)


NUMBERS = ("vocab_size", "min_count", "max_length", "seed")
OPTIONAL = ("min_count", "seeds", "facets", "decisions", "text_column", "memory")


def check_type(name: str, value: Any) -> Any:
    """Return the value of a setting as its type; UsageError where it is of another.

    A path may come as one, a corpus as one path or several.

    >>> check_type("corpus", "x.txt"), check_type("seeds", Path("terms.txt"))
    (('x.txt',), 'terms.txt')
    """
    if value is None and name in OPTIONAL:
        return None
    if name == "corpus":
        paths = (value,) if isinstance(value, str | os.PathLike) else value
        right = isinstance(paths, list | tuple) and all(
            isinstance(path, str | os.PathLike) for path in paths
        )
        _require(right, name, value, "a path or several")
        return tuple(os.fspath(path) for path in paths)
    if name == "seeds" and not isinstance(value, str | os.PathLike):
        units = tuple(value) if isinstance(value, Iterable) else ()
        right = bool(units) and all(isinstance(unit, str) for unit in units)
        _require(right, name, value, "a file, or the units as texts")
        return units
    if name == "patterns":
        right = isinstance(value, Mapping) and all(
            isinstance(part, str) for pair in value.items() for part in pair
        )
        _require(right, name, value, "a table of texts")
        return dict(value)
    if name in NUMBERS:
        right = isinstance(value, SupportsIndex) and not isinstance(value, bool)
        _require(right, name, value, "a whole number")
        return operator.index(value)
    _require(isinstance(value, str | os.PathLike), name, value, "a text")
    return os.fspath(value)


def _check_pattern(name: str, pattern: str) -> None:
    """Refuse what is no regular expression, or one that matches nothing at all."""
    import regex  # here, as few commands need it

    try:
        empty = regex.compile(pattern).fullmatch("", timeout=1) is not None
    except (regex.error, OverflowError, RecursionError, TimeoutError) as error:
        raise ConfigError(
            f"{pattern!r} is no regular expression: {error}",
            where=f"pattern {name}",
            cure="Mend it in the config file",
        ) from error
    _require(not empty, f"pattern {name}", pattern, "an expression that never matches nothing")


def parse_size(text: str) -> int:
    """Return a number of bytes: `2GiB` is 2 x 2**30, `500MB` is 500 x 10**6.

    >>> [parse_size(text) for text in ("2GiB", "500MB", "1024")]
    [2147483648, 500000000, 1024]
    """
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", text.upper(), re.ASCII)
    scale = {**_SIZES, **_BINARY_SIZES}.get(match[2]) if match else None
    size = int(float(match[1]) * scale) if match and scale else 0
    if not 1 <= size <= MOST_MEMORY:
        raise UsageError(f"memory is {text!r}", cure="Write it like 2GiB or 500MB")
    return size


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a TOML file, named as in `MineConfig`; unknown names are refused."""
    known = [entry.name.replace("_", "-") for entry in dataclasses.fields(MineConfig)]
    settings: dict[str, Any] = {}
    for written, value in _read_toml(path).items():
        name = written.replace("_", "-")
        if name not in known:
            cure = f"Known: {', '.join(known)}"
            raise ConfigError(f"unknown setting {written!r}", where=str(path), cure=cure)
        if name.replace("-", "_") in settings:
            raise ConfigError(f"{name} is there twice", where=str(path), cure="Remove one of them")
        setting = name.replace("-", "_")
        try:
            settings[setting] = check_type(setting, value)
        except UsageError as error:
            raise ConfigError(error.problem, where=str(path), cure=error.cure) from error
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = say_reason(error)
        raise ConfigError(
            f"the config file cannot be read ({reason})", where=str(path), cure="Check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"not TOML: {error}", where=str(path), cure="Mend that line") from error


def write_config(config: MineConfig) -> str:
    """Return a config file with every setting and its comment; `read_config` reads it back."""
    lines = ["# The settings of a run; `miner mine --config` reads this file.", ""]
    tables = []
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        comment = f"# {entry.metadata['comment']}"
        if isinstance(value, Mapping):
            rows = [f"{_toml(key)} = {_toml(text)}" for key, text in value.items()]
            tables += ["", comment, f"[{entry.name}]", *rows]
        else:
            name = entry.name.replace("_", "-")
            lines += [comment, f"# {name} =" if value is None else f"{name} = {_toml(value)}", ""]
    return "\n".join([*lines[:-1], *tables]) + "\n"


def _toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, int):
        return str(value)
    escaped = "".join(
        f"\\u{ord(sign):04X}" if ord(sign) < 0x20 or ord(sign) == 0x7F else sign
        for sign in str(value).replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'
