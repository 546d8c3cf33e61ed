"""A run folder, or the user's list, to the units that a tokenizer must keep whole."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from miner.errors import RunError, TokenizerError, say_reason
from miner.runs.annotations import review_run
from miner.runs.decisions import Policy
from miner.runs.manifest import read_manifest
from miner.runs.names import VOCABULARY
from miner.text.profiles import MAY_BE_CASED, PROFILES, Profile
from miner.text.recut import normalize

LONGEST = 512  # characters of a unit; SentencePiece and readers of tables stop near here
UNITS: dict[str, pl.DataType] = {
    "token": pl.String(),
    "surface": pl.String(),
    "kind": pl.String(),
    "atoms": pl.Int64(),
    "count": pl.Int64(),
}
NAMED = {"special_tokens": "special", "never_split": "named"}  # of tokens.json: key and kind
_CURE = "Mine the corpus again, or name another run"


@dataclass(frozen=True)
class Units:
    """The units of a run, best first, in the columns of `UNITS`, and how its texts are folded.

    `about` is what a card tells of the run: its settings and its corpus.
    """

    table: pl.DataFrame
    profile: Profile
    objective: str = "meaning"
    about: dict[str, Any] = field(default_factory=dict)


def read_units(run: Path, policy: Policy = "majority") -> Units:
    """Return the units of a run folder as its reviewers want them; RunError where it is none.

    `about` then holds `decisions`, how many there are of each sort, and `notes` for people.
    """
    manifest = read_manifest(run)
    place = run / VOCABULARY
    try:
        rows = [json.loads(line) for line in place.read_text(encoding="utf-8").split("\n") if line]
        table = pl.DataFrame(
            {
                "token": [row["token"] for row in rows],
                "surface": [row["surface"] for row in rows],
                "kind": [row["kind"] for row in rows],
                "atoms": [len(row["atoms"]) for row in rows],
                "count": [row["count"] for row in rows],
            },
            schema=UNITS,
        )
    except OSError as error:
        reason = say_reason(error)
        raise RunError(f"cannot be read ({reason})", where=str(place), cure=_CURE) from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        pl.exceptions.PolarsError,
    ) as error:
        raise RunError(
            f"is no vocabulary ({type(error).__name__})", where=str(place), cure=_CURE
        ) from error
    if table.null_count().sum_horizontal().item():
        raise RunError("has a unit that is not whole", where=str(place), cure=_CURE)
    about: dict[str, Any] = {"corpus": [entry.path for entry in manifest.inputs]}
    reviewed = review_run(run, policy)
    if reviewed:
        table = reviewed.units.select(
            "token", "surface", "kind", pl.col("atoms").list.len().cast(pl.Int64), "count"
        )
        about |= {"decisions": dict(reviewed.counts), "notes": list(reviewed.notes)}
    return Units(table, PROFILES[manifest.profile], manifest.config.objective, about)


def read_tokens(path: Path, *, profile: Profile) -> pl.DataFrame:
    """Return the tokens of a `tokens.json` in the columns of `UNITS`, special ones first.

    `{"special_tokens": [...], "never_split": [...]}`; either key may be missing. TokenizerError
    names the entry that is empty, holds a control character, is too long, or is the same as one
    before it once both are folded.
    """
    where = str(path)
    cure = 'It should read {"special_tokens": ["Δ41"], "never_split": ["жартишина"]}'
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        reason = say_reason(error)
        raise TokenizerError(f"cannot be read ({reason})", where=where, cure=cure) from error
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"is not JSON ({error})", where=where, cure=cure) from error
    if not isinstance(content, dict) or not set(content) <= set(NAMED):
        raise TokenizerError(
            f"holds something else than {' and '.join(NAMED)}", where=where, cure=cure
        )
    rows = [
        (entry, kind, f"{key}[{i}]")
        for key, kind in NAMED.items()
        for i, entry in enumerate(_list_entries(content.get(key, []), key, where, cure))
    ]
    return _check_entries(rows, where, profile)


def _list_entries(entries: Any, key: str, where: str, cure: str) -> list[Any]:
    if not isinstance(entries, list):
        raise TokenizerError(f"{key} is no list", where=where, cure=cure)
    return entries


def _check_entries(rows: list[tuple[Any, str, str]], where: str, profile: Profile) -> pl.DataFrame:
    """Return the entries as units; TokenizerError names the first that cannot be one."""
    seen: dict[str, str] = {}
    tokens = []
    for entry, _, place in rows:
        problem = find_problem(entry)
        token = "" if problem else normalize(entry, profile)
        folded = profile.fold(token)
        if not problem and not token:
            problem = "is nothing once it is folded"
        if not problem and folded in seen:
            problem = f"is {seen[folded]} again once both are folded"
        if problem:
            raise TokenizerError(
                f"{place}, {json.dumps(entry, ensure_ascii=True)[:80]}, {problem}",
                where=where,
                cure="Mend or remove the entry",
            )
        seen[folded] = place
        tokens.append(token)
    return pl.DataFrame(
        {
            "token": tokens,
            "surface": [entry for entry, _, _ in rows],
            "kind": [kind for _, kind, _ in rows],
            "atoms": [1] * len(rows),
            "count": [0] * len(rows),
        },
        schema=UNITS,
    )


def find_problem(entry: Any) -> str | None:
    """Say why an entry cannot be a token, None where it can.

    >>> find_problem("a\\tb"), find_problem("Δ41")
    ('holds the control character U+0009', None)
    """
    if not isinstance(entry, str):
        return "is no text"
    if not entry.strip():
        return "is empty"
    if len(entry) > LONGEST:
        return f"has {len(entry):,} characters; {LONGEST} are the most"
    for character in entry:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            name = (
                "half a character"
                if "\ud800" <= character <= "\udfff"
                else ("the control character")
            )
            return f"holds {name} U+{ord(character):04X}"
    return None


def add_tokens(units: Units, tokens: pl.DataFrame) -> Units:
    """Return the units with the user's tokens in front; a unit that is named too stands once."""
    both = pl.concat([tokens, units.table]).unique("token", keep="first", maintain_order=True)
    return Units(both, units.profile, units.objective, units.about)


def name_bytes(token: str) -> str:
    """Return the text of a unit of bytes: each byte as the character of its number.

    >>> name_bytes("<0x41><0xE9>")
    'Aé'
    """
    return bytes.fromhex(token.replace("<0x", "").replace(">", "")).decode("latin-1")


def list_forms(units: Units, *, exact: bool) -> pl.DataFrame:
    """Return the texts by which each unit may stand in a corpus: `unit` (row), `text`.

    Canonical mode knows one, the canonical form. Exact mode knows the way the corpus mostly
    writes it, lower case, and where case folds a first capital, capitals of all words, capitals
    alone; and these in decomposed Unicode.
    """
    rows = units.table.with_row_index("unit")
    token = pl.col("token")
    if units.profile.name == "bytes":
        texts = [name_bytes(text) for text in units.table["token"]]
        return rows.select(pl.col("unit").cast(pl.Int64), text=pl.Series(texts, dtype=pl.String))
    ways = [token]
    if exact:
        ways = [pl.col("surface"), token]
    if exact and units.profile.folds_case:
        first = token.str.slice(0, 1).str.to_uppercase() + token.str.slice(1)
        titled = token.str.replace_all(r"(^|\s)(\p{L})", "${1}\u0000${2}").str.split("\u0000")
        titles = titled.list.eval(
            pl.element().str.slice(0, 1).str.to_uppercase() + pl.element().str.slice(1)
        ).list.join("")
        ways += [first, titles, token.str.to_uppercase()]
    forms = pl.concat(
        [
            rows.select(pl.col("unit").cast(pl.Int64), text=way, way=pl.lit(i))
            for i, way in enumerate(ways)
        ]
    )
    if exact:
        forms = _drop_others(forms, units)
    if exact:
        apart = forms.with_columns(pl.col("text").str.normalize("NFD"), pl.col("way") + len(ways))
        forms = pl.concat([forms, apart])
    return (
        forms.sort("unit", "way")
        .unique("text", keep="first", maintain_order=True)
        .select("unit", "text")
    )


def _drop_others(forms: pl.DataFrame, units: Units) -> pl.DataFrame:
    """Return the texts that are of their unit: in capitals `x²` is `X²`, which is another."""
    unsure = forms.filter(pl.col("text").str.contains(MAY_BE_CASED))
    tokens = units.table["token"].gather(unsure["unit"])
    same = [
        normalize(text, units.profile) == token
        for text, token in zip(unsure["text"], tokens, strict=True)
    ]
    others = unsure.filter(~pl.Series(same, dtype=pl.Boolean))
    return forms.join(others, on=["unit", "text"], how="anti", maintain_order="left")


def add_sides(forms: pl.DataFrame, *, joiner: str) -> pl.DataFrame:
    """Return the spellings, and how each also stands: `normal` with a space or a joiner beside.

    For texts such as code, where marks are parts of units: ` = none` beside `= none`, and `print(`
    with the joiner that a word behind it needs. `side` names them, empty for the plain ones.
    """
    word = r"[\p{L}\p{N}_]"
    bare = ~pl.col("normal").str.starts_with(" ")
    open_ = ~pl.col("normal").str.contains(word + "$")
    plain = forms.with_columns(side=pl.lit(""))
    spaced = plain.filter(bare).with_columns(
        normal=pl.lit(" ") + pl.col("normal"), side=pl.lit("spaced")
    )
    both = pl.concat([plain, spaced])
    joined = both.filter(open_).with_columns(
        normal=pl.col("normal") + joiner,
        side=pl.concat_str("side", pl.lit(" joined")).str.strip_chars(),
    )
    return pl.concat([both, joined]).sort("unit", maintain_order=True)
