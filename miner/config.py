"""Options, a config file and the defaults to one set of settings: how shall the corpus be mined?"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from miner.errors import ConfigError, UsageError

DEFAULT_VOCABULARY = 8_000
_SIZES = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY_SIZES = {"KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


def _setting(default: Any, comment: str) -> Any:
    """Return a field of the config that carries the comment of the config file."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"comment": comment})
    return field(default=default, metadata={"comment": comment})


@dataclass(frozen=True)
class MineConfig:
    """Everything that decides what a run finds; `None` means: chosen from the corpus."""

    corpus: tuple[str, ...] = _setting((), "Files, folders, globs, or - for standard input.")
    vocab_size: int = _setting(DEFAULT_VOCABULARY, "The most units to keep: the one dial.")
    objective: str = _setting(
        "meaning",
        "meaning: what a person would call one unit; compression: what saves the most tokens.",
    )
    min_count: int | None = _setting(
        None, "How often a run must occur; by default 3 x sqrt(millions of atoms), 3 at least."
    )
    max_length: int = _setting(8, "The most atoms in a candidate, 2 to 8.")
    profile: str = _setting(
        "auto", "auto, words, transliteration, code, symbols or bytes: how text is cut into atoms."
    )
    encoder: str = _setting(
        "corpus",
        "corpus: trained on the corpus itself; or a sentence-transformers model, name or folder.",
    )
    device: str = _setting("auto", "auto, cpu or cuda: where the encoder and the search run.")
    seeds: str | None = _setting(None, "A file of units known to be good, one a line, to learn from.")
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
        """Refuse values that have no meaning, with the rule and the cure."""
        _require(self.vocab_size >= 1, "vocab-size", self.vocab_size, "at least 1")
        _require(2 <= self.max_length <= 8, "max-length", self.max_length, "2 to 8")
        if self.min_count is not None:
            _require(self.min_count >= 2, "min-count", self.min_count, "at least 2")
        for name, choices in CHOICES.items():
            _require(getattr(self, name) in choices, name, getattr(self, name), " or ".join(choices))
        _require(self.seed >= 0, "seed", self.seed, "0 or more")
        if self.memory is not None:
            parse_size(self.memory)
        for name, pattern in self.patterns.items():
            try:
                empty = re.compile(pattern).fullmatch("") is not None
            except re.error as error:
                raise ConfigError(
                    f"{pattern!r} is no regular expression: {error}", where=f"pattern {name}",
                    cure="Mend it in the config file",
                ) from error  # fmt: skip
            _require(not empty, f"pattern {name}", pattern, "an expression that matches something")


CHOICES = {
    "objective": ("meaning", "compression"),
    "profile": ("auto", "words", "transliteration", "code", "symbols", "bytes"),
    "device": ("auto", "cpu", "cuda"),
    "on_error": ("stop", "skip"),
}


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        raise UsageError(f"{name} is {value!r}", cure=f"It must be {rule}")


def parse_size(text: str) -> int:
    """Return a number of bytes: `2GiB` is 2 x 2**30, `500MB` is 500 x 10**6.

    >>> [parse_size(text) for text in ("2GiB", "500MB", "1024")]
    [2147483648, 500000000, 1024]
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", text.upper())
    scale = {**_SIZES, **_BINARY_SIZES}.get(match[2]) if match else None
    if not match or scale is None:
        raise UsageError(f"{text!r} is no amount of memory", cure="Write it like 2GiB or 500MB")
    return int(float(match[1]) * scale)


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a TOML file, named as in `MineConfig`; unknown names are refused."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("no such config file", where=str(path), cure="Check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not TOML: {error}", where=str(path), cure="Mend that line") from error
    fields = {entry.name: entry for entry in dataclasses.fields(MineConfig)}
    settings = {name.replace("-", "_"): value for name, value in content.items()}
    for name, value in settings.items():
        if name not in fields:
            known = ", ".join(fields)
            raise ConfigError(f"unknown setting {name}", where=str(path), cure=f"Known: {known}")
        _check_type(path, name, value)
    if isinstance(settings.get("corpus"), str):
        settings["corpus"] = [settings["corpus"]]
    if "corpus" in settings:
        settings["corpus"] = tuple(settings["corpus"])
    return settings


def _check_type(path: Path, name: str, value: object) -> None:
    """Refuse a value of another type than the setting has."""
    wanted: dict[str, tuple[type, ...]] = {
        "corpus": (str, list), "vocab_size": (int,), "min_count": (int,), "max_length": (int,),
        "seed": (int,), "patterns": (dict,),
    }  # fmt: skip
    types = wanted.get(name, (str,))
    parts = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    fits = isinstance(value, types) and not isinstance(value, bool)
    if not fits or not all(isinstance(part, str) for part in parts):
        names = " or ".join(kind.__name__ for kind in types)
        raise ConfigError(f"{name} is {value!r}", where=str(path), cure=f"It must be {names}")


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
