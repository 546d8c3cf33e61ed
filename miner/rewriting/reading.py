"""A run, or a dictionary of people's own, to entries: which text has which sign?

A dictionary is JSON or TOML, an object of texts and signs, or TSV, two columns:

    {"любовь": "❤", "свет": "☀{радость}", "in order to": "⟁"}
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path

from miner.decisions import Policy
from miner.errors import ConfigError
from miner.finished import open_finished
from miner.reviewed import review_run
from miner.rewriting.entries import Entry, check_entries, vary_case
from miner.vocabulary import RUNS

KINDS = ("link", "hyperlexeme")


def read_run(
    run: Path, *, kinds: Iterable[str] = KINDS, policy: Policy = "majority"
) -> list[Entry]:
    """Return the units of a run with their glued forms; with links alone, phrases stay in links.

    A unit is found as the corpus mostly writes it and in canonical form, with a capital in front
    and in capitals: each spelling has its own glued form, so that all come back.
    """
    finished = open_finished(run)
    reviewed = review_run(run, policy)
    units = reviewed.units if reviewed else finished.units
    wanted = set(kinds) & set(RUNS)
    folds = finished.atoms.profile.folds_case
    entries: dict[str, Entry] = {}
    taken: set[str] = set()
    for kind, token, surface in units.select("kind", "token", "surface").iter_rows():
        if kind not in wanted:
            continue
        texts = [surface, token]
        if folds:
            texts += [token[:1].upper() + token[1:], token.upper()]
        for text in texts:
            sign = "".join(text.split())
            if text not in entries and sign not in taken and sign != text and "\n" not in text:
                entries[text] = Entry(text, sign)
                taken.add(sign)
    return check_entries(entries.values(), where=str(run))


def read_dictionary(file: Path, *, any_case: bool = False) -> list[Entry]:
    """Return the entries of a dictionary; ConfigError where it is none, or one cannot come back.

    `any_case`: texts are found with a capital and in capitals too, and their sign keeps the form.
    """
    where = str(file)
    pairs = _read_pairs(file)
    entries = [Entry(text, sign) for text, sign in pairs]
    folded: dict[str, str] = {}
    for text, _ in pairs:
        other = folded.setdefault(text.casefold(), text)
        if any_case and other != text:
            raise ConfigError(
                f"{other!r} and {text!r} are one text in another case", where=where,
                cure="Take one away, or leave --any-case away",
            )  # fmt: skip
    if not entries:
        raise ConfigError("has no entry", where=where, cure='Write it like {"свет": "☀"}')
    checked = check_entries(entries, where=where)
    return check_entries(vary_case(checked), where=where) if any_case else checked


def _read_pairs(file: Path) -> list[tuple[str, str]]:
    where, cure = str(file), 'Write it like {"свет": "☀"}, or two columns with a tab between'
    try:
        content = file.read_bytes()
        if file.suffix in (".tsv", ".txt"):
            return [_split_line(line, where) for line in content.decode().splitlines() if line]
        pairs = tomllib.loads(content.decode()) if file.suffix == ".toml" else _read_json(content)
    except OSError as error:
        told = f"cannot be read ({(error.strerror or str(error)).lower()})"
        raise ConfigError(told, where=where, cure="Check --dictionary") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is no dictionary ({error})", where=where, cure=cure) from error
    if not isinstance(pairs, dict) or not all(isinstance(sign, str) for sign in pairs.values()):
        raise ConfigError("is no object of texts", where=where, cure=cure)
    return list(pairs.items())


def _read_json(content: bytes) -> object:
    def refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{twice!r} is there twice")
        return found

    return json.loads(content, object_pairs_hook=refuse_twice)


def _split_line(line: str, where: str) -> tuple[str, str]:
    text, tab, sign = line.partition("\t")
    if not tab or "\t" in sign:
        raise ConfigError(
            f"{line[:80]!r} is no text and sign", where=where, cure="Put one tab between them"
        )
    return text, sign
