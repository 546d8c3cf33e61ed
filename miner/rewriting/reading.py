"""A run, or a dictionary of people's own, to entries: which text has which sign?

A dictionary is JSON or TOML, an object of texts and signs, or TSV, two columns:

    {"любовь": "❤", "свет": "☀{радость}", "in order to": "⟁"}

More than texts may be looked for: `"re:Δ\\d+": "🔺"` is an expression, `"дождь + грусть":
"☔🫧"` both words near each other, in either order. How near, counted in words between (3 by
default), and that the order counts, says `{"sign": "☔🫧", "within": 5, "ordered": true}`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import regex

from miner.errors import ConfigError, say_reason
from miner.fields import read_fields
from miner.rewriting.entries import Entry, can_stand, check_entries, check_patterns, vary_case
from miner.rewriting.forms import inflect_entries, open_forms
from miner.rewriting.marking import list_markers
from miner.rewriting.patterns import (
    EXPRESSION,
    MOST_PARTS,
    MOST_WITHIN,
    PLUS,
    WITHIN,
    Pattern,
    compile_compound,
    compile_expression,
)
from miner.rewriting.styling import assign_signs, free_signs, list_alphabet, number_addresses
from miner.runs.annotations import review_run
from miner.runs.decisions import Policy
from miner.runs.finished import Finished, open_finished

Style = Literal["glued", "signs", "addresses"]
KINDS = ("link", "hyperlexeme")


def read_run(
    run: Path,
    *,
    kinds: Iterable[str] = KINDS,
    policy: Policy = "majority",
    style: Style = "glued",
    alphabet: str | None = None,
    markers: bool = False,
) -> tuple[list[Entry], int]:
    """Return the units of a run with what stands for them, and how many units have nothing.

    With links alone, phrases stay in links. A unit is found as the corpus mostly writes it and in
    canonical form, with a capital in front and in capitals. In the style `glued` each spelling has
    its own glued form, so that all come back; in the styles `signs` and `addresses` a unit has one
    sign, which keeps the form of the others. A unit that holds a mark of ours has nothing.
    `markers`: behind a sign stands how the unit holds together.
    """
    finished = open_finished(run)
    reviewed = review_run(run, policy)
    units = reviewed.units if reviewed else finished.units
    units = units.filter(pl.col("kind").is_in(list(set(kinds) & set(KINDS))))
    folds = finished.atoms.profile.folds_case
    signs = {}
    if style == "signs":
        signs = _draw_signs(finished, units, alphabet)
    fields = read_fields(run).table if style == "addresses" or markers else None
    if style == "addresses" and fields is not None:
        signs = number_addresses(units, fields)
    marks = list_markers(fields) if markers and fields is not None else {}
    entries: dict[str, Entry] = {}
    taken: set[str] = set()
    bare = 0
    for rank, token, surface in units.select("rank", "token", "surface").iter_rows():
        texts = [surface, token]
        if folds:
            texts += [token[:1].upper() + token[1:], token.upper()]
        mark = f" {marks[token]}" if token in marks else ""
        able = 0
        for text in dict.fromkeys(texts):
            sign = (glue_words(text) if style == "glued" else signs.get(rank, text)) + mark
            formed = style != "glued" and sign in taken
            if not can_stand(text, sign) or (style != "glued" and rank not in signs):
                continue
            able += 1
            if sign != text and text not in entries:
                if formed or sign not in taken:
                    entries[text] = Entry(text, sign, formed)
                taken.add(sign)
        bare += not able
    return check_entries(entries.values(), where=str(run)), bare


def glue_words(text: str) -> str:
    """Return a text with its words written as one; a space beside a sign stays.

    >>> glue_words("→ вода и жар"), glue_words("in order to")
    ('→ водаижар', 'inorderto')
    """
    return regex.sub(r"(?<=\w)\s+(?=\w)", "", text)


def _draw_signs(finished: Finished, units: pl.DataFrame, alphabet: str | None) -> dict[int, str]:
    """Return the sign of each unit: of the alphabet those that the corpus does not have."""
    own = regex.findall(r"\X", alphabet) if alphabet is not None else list_alphabet()
    able = [sign for sign in own if sign.strip()]
    free = free_signs(able, finished.atoms.table["surface"].to_list())
    if not free:
        raise ConfigError(
            "the corpus has all signs of the alphabet",
            where=str(finished.folder),
            cure="Give --alphabet others",
        )
    return assign_signs(units, free)


def read_dictionary(
    file: Path, *, any_case: bool = False, inflect: str | None = None
) -> tuple[list[Entry], list[Pattern]]:
    """Return the texts and the patterns of a dictionary; ConfigError names what cannot be.

    `any_case`: texts are found with a capital and in capitals too; `inflect` (`ru`): and in all
    forms of their words. Their sign then keeps the form.
    """
    where = str(file)
    items = [_read_item(key, value, where) for key, value in _read_pairs(file).items()]
    if not items:
        raise ConfigError("has no entry", where=where, cure='Write it like {"свет": "☀"}')
    alone = [item for item in items if not item.parts]
    entries = [
        Entry(item.text, item.sign) for item in alone if not item.text.startswith(EXPRESSION)
    ]
    if any_case:
        _refuse_folded(entries, where)
    checked = check_entries(entries, where=where)
    patterns = [
        compile_expression(item.text, item.sign, where=where, any_case=any_case)
        for item in alone
        if item.text.startswith(EXPRESSION)
    ]
    forms = open_forms(inflect) if inflect else _keep
    patterns += [
        compile_compound(
            item.text,
            [_list_forms(part, forms) for part in item.parts],
            item.sign,
            within=item.within,
            ordered=item.ordered,
            any_case=any_case,
        )
        for item in items
        if item.parts
    ]
    if inflect:
        patterns += [
            compile_compound(
                entry.text,
                [forms(word) for word in entry.text.split()],
                entry.sign,
                within=0,
                ordered=True,
                any_case=any_case,
            )
            for entry in checked
            if len(entry.text.split()) > 1
        ]
        checked = check_entries(inflect_entries(checked, forms), where=where)
    if any_case:
        checked = check_entries(vary_case(checked), where=where)
    return checked, check_patterns(patterns, where=where)


@dataclass(frozen=True)
class _Item:
    """An entry of a dictionary; `parts` of a compound."""

    text: str
    sign: str
    parts: tuple[str, ...] = ()
    within: int = WITHIN
    ordered: bool = False


def _read_item(text: str, value: object, where: str) -> _Item:
    """Return an entry: a sign, or an object of a sign and how a compound is to stand."""
    told: dict[str, Any] = value if isinstance(value, dict) else {"sign": value}
    known = {"sign": str, "within": int, "ordered": bool, "compound": bool}
    wrong = next((name for name, one in told.items() if type(one) is not known.get(name)), None)
    if wrong is not None or "sign" not in told:
        problem = (
            f"{text!r} has the {wrong} {told.get(wrong)!r}" if wrong else (f"{text!r} has no sign")
        )
        raise ConfigError(
            problem,
            where=where,
            cure='Write "☀", or {"sign": "☔🫧", "within": 3, "ordered": true, "compound": false}',
        )
    whole = text.startswith(EXPRESSION) or PLUS not in text or not told.get("compound", True)
    parts = [] if whole else [part.strip() for part in text.split(PLUS)]
    within = told.get("within", WITHIN)
    if parts and not (all(parts) and len(parts) <= MOST_PARTS):
        raise ConfigError(
            f"the compound {text!r} has {len(parts)} parts, or an empty one",
            where=where,
            cure=f'Give 2 to {MOST_PARTS}, or {{"compound": false}} for the text as it is',
        )
    if not 0 <= within <= MOST_WITHIN:
        raise ConfigError(
            f"{text!r} has within {within}", where=where, cure=f"Give 0 to {MOST_WITHIN} words"
        )
    if not parts and told.keys() & {"within", "ordered"}:
        raise ConfigError(
            f"{text!r} is no compound",
            where=where,
            cure='Leave "within" and "ordered" away, or write "дождь + грусть"',
        )
    return _Item(text, told["sign"], tuple(parts), within, told.get("ordered", False))


def _keep(word: str) -> list[str]:
    return [word]


def _list_forms(part: str, forms: Callable[[str], list[str]]) -> list[str]:
    """Return the forms of a part of one word; a phrase is looked for as it is."""
    return forms(part) if len(part.split()) == 1 else [part]


def _refuse_folded(entries: Iterable[Entry], where: str) -> None:
    folded: dict[str, str] = {}
    for entry in entries:
        other = folded.setdefault(entry.text.casefold(), entry.text)
        if other != entry.text:
            raise ConfigError(
                f"{other!r} and {entry.text!r} are one text in another case",
                where=where,
                cure="Take one away, or leave --any-case away",
            )


def _read_pairs(file: Path) -> dict[str, object]:
    where, cure = str(file), 'Write it like {"свет": "☀"}, or two columns with a tab between'
    try:
        content = file.read_bytes()
        if file.suffix in (".tsv", ".txt"):
            lines = [line for line in content.decode().splitlines() if line]
            return _make_object([_split_line(line, where) for line in lines])
        pairs = tomllib.loads(content.decode()) if file.suffix == ".toml" else _read_json(content)
    except OSError as error:
        told = f"cannot be read ({say_reason(error)})"
        raise ConfigError(told, where=where, cure="Check --dictionary") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is no dictionary ({error})", where=where, cure=cure) from error
    if not isinstance(pairs, dict):
        raise ConfigError("is no object of texts", where=where, cure=cure)
    return pairs


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    """Return pairs as an object; ValueError where a name is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return found


def _read_json(content: bytes) -> object:
    return json.loads(content, object_pairs_hook=_make_object)


def _split_line(line: str, where: str) -> tuple[str, str]:
    text, tab, sign = line.partition("\t")
    if not tab or "\t" in sign:
        raise ConfigError(
            f"{line[:80]!r} is no text and sign", where=where, cure="Put one tab between them"
        )
    return text, sign
