"""Proven units to files: in which form do trainers and people take them?

vocabulary.jsonl   everything known of a unit, one a line, best first
vocabulary.txt     its canonical form as SentencePiece writes it: `▁` for a space
merges.tsv         which halves join to which piece, in order of application
tokens.json        what the config of a tokenizer takes: whole tokens, and words never to be split
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from miner.errors import RunError
from miner.text.unicode import CLASS, KATAKANA, PICTOGRAPH, REGIONAL, SIGN, SYMBOL, class_table

SPACE_MARK = "\u2581"  # ▁, which SentencePiece writes for a space
RUNS = ("link", "hyperlexeme")  # the kinds of several parts; the others are one atom each
MERGES = {"left": pl.String(), "right": pl.String(), "result": pl.String()}
FIRST = (
    "rank", "token", "glued", "surface", "atoms", "kind", "count", "unit_count", "score", "family",
)  # fmt: skip
BOOKKEEPING = ("candidate", "atom", "order", "value", "bid", "verdict", "detail", "rival")
DIGITS = 6  # significant ones of a real number

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPES.items()}
_BARE = (SIGN, KATAKANA, SYMBOL, PICTOGRAPH, REGIONAL)  # no space stands in front of these


def split_unit(token: str, atoms: Sequence[str]) -> list[str]:
    """Return the atoms of a canonical form, each with the space that stands before it.

    ValueError where the atoms do not spell the token.

    >>> split_unit("жар тишина", ["жар", "тишина"])
    ['жар', ' тишина']
    """
    pieces: list[str] = []
    at = 0
    for atom in atoms:
        piece = " " + atom if pieces and token.startswith(" " + atom, at) else atom
        if not token.startswith(piece, at):
            break
        pieces.append(piece)
        at += len(piece)
    if at != len(token) or len(pieces) != len(atoms):
        raise ValueError(f"the atoms {list(atoms)} do not spell {token!r}")
    return pieces


def join_pieces(
    pieces: Sequence[str],
    ranks: Mapping[tuple[str, str], int],
    steps: list[tuple[str, str]] | None = None,
) -> list[str]:
    """Merge neighbours as BPE does: the lowest rank anywhere first, then the leftmost, to the end.

    The halves of each merge are added to `steps`. A merge is told by its left half without a space
    in front, and its right half with its own. It stands for two, as a tokenizer must load them:
    first as it is, then with a space in front.

    >>> join_pieces(["жар", " тишина", " жар"], {("тишина", " жар"): 0})
    ['жар', ' тишина жар']
    """
    joined = list(pieces)
    none = 2 * len(ranks)

    def rank(left: str, right: str) -> int:
        inner = left.removeprefix(" ")
        return 2 * ranks[inner, right] + (inner != left) if (inner, right) in ranks else none

    found = list(map(rank, joined, joined[1:]))
    while found and min(found) < none:
        at = found.index(min(found))
        if steps is not None:
            steps.append((joined[at], joined[at + 1]))
        joined[at : at + 2] = [joined[at] + joined[at + 1]]
        del found[at]
        if at > 0:
            found[at - 1] = rank(joined[at - 1], joined[at])
        if at < len(found):
            found[at] = rank(joined[at], joined[at + 1])
    return joined


def order_merges(units: pl.DataFrame, *, avoid: Collection[str] = ()) -> pl.DataFrame:
    """Return merges that rebuild each unit from its atoms: `left, right, result`, as applied.

    `units`, best first: `token` and `atoms` (list of canonical texts), other columns are not read.
    `avoid` as in `build_ranks`.

    >>> units = pl.DataFrame({"token": ["c a b", "a b"], "atoms": [["c", "a", "b"], ["a", "b"]]})
    >>> order_merges(units).rows()
    [('a', 'b', 'a b'), ('c', 'a b', 'c a b')]
    """
    pieces = (split_unit(*row) for row in units.select("token", "atoms").iter_rows())
    ranks = build_ranks(pieces, avoid=avoid)
    rows = [(left, right.removeprefix(" "), left + right) for left, right in ranks]
    return pl.DataFrame(rows, schema=MERGES, orient="row")


def build_ranks(
    units: Iterable[list[str]], *, avoid: Collection[str] = ()
) -> dict[tuple[str, str], int]:
    """Return the merges of units in pieces (`split_unit`), best first, as `join_pieces` takes them.

    Shorter units come first, so that longer ones are built of them. A unit gets new merges only
    for what the merges so far leave of it, and those rank below all others: no earlier unit comes
    out otherwise. Halves from the left, from the right or the shortest made 21,323, 21,263 and
    21,286 merges for 20,363 units of cuneiform: no reason to choose.

    `avoid` are canonical forms that no merge may give; a unit that can only be built of them stays
    in pieces.

    >>> build_ranks([["a", " b", " c"]], avoid={"a b"})
    {('b', ' c'): 0, ('a', ' b c'): 1}
    """
    ranks: dict[tuple[str, str], int] = {}
    for pieces in sorted(units, key=len):
        joined = join_pieces(pieces, ranks)
        while len(joined) > 1:
            pair = next(_list_pairs(joined, avoid), None)
            if pair is None:
                break
            ranks[pair] = len(ranks)
            joined = join_pieces(joined, ranks)
    return ranks


def _list_pairs(joined: Sequence[str], avoid: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the neighbours that may be joined, the left one without the space in front."""
    for left, right in pairwise(joined):
        inner = left.removeprefix(" ")
        if inner + right not in avoid:
            yield inner, right


def rank_merges(merges: pl.DataFrame) -> dict[tuple[str, str], int]:
    """Return what `join_pieces` takes, of a table of merges: halves and their rank, from 0."""
    return {
        (left, result[len(left) :]): rank
        for rank, (left, _, result) in enumerate(merges.select(*MERGES).iter_rows())
    }


def write_vocabulary(
    folder: Path, units: pl.DataFrame, merges: pl.DataFrame, *, spaced: bool = True
) -> None:
    """Write the four files of a vocabulary to `folder`.

    `units`, best first: the columns of `FIRST` (`rank` may be left out), then any statistics.
    `spaced`: words stand between spaces in this profile, so each token of words gets `▁` in front.
    """
    texts = {
        "vocabulary.jsonl": _lines(_write_row(row) for row in list_rows(units).to_dicts()),
        "vocabulary.txt": _lines(mark_spaces(units, spaced=spaced)),
        "merges.tsv": write_merges(merges),
        "tokens.json": json.dumps(list_tokens(units), ensure_ascii=False, indent=1) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())


def write_merges(merges: pl.DataFrame) -> str:
    """Return merges as `merges.tsv` holds them; `read_merges` reads them back."""
    rows = (tuple(MERGES), *merges.select(*MERGES).rows())
    return _lines("\t".join(map(_escape, row)) for row in rows)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def list_rows(units: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that others may read, those of `FIRST` in front; reals rounded.

    The parts of a run are its atoms.
    """
    ranked = units.drop("rank", strict=False).with_row_index("rank", offset=1)
    if "parts" in ranked.columns:
        ranked = ranked.with_columns(pl.coalesce("parts", "atoms").alias("parts"))
    rest = [name for name in ranked.columns if name not in (*FIRST, *BOOKKEEPING)]
    chosen = ranked.select(*FIRST, *rest)
    reals = [name for name, dtype in chosen.schema.items() if dtype.is_float()]
    rounded = [pl.Series(name, [round_real(x) for x in chosen[name]], pl.Float64) for name in reals]
    return chosen.with_columns(rounded)


def _write_row(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def round_real(number: float | None) -> float | None:
    """Return a number with six significant digits, None where it is not finite.

    >>> round_real(0.1234567), round_real(float("nan"))
    (0.123457, None)
    """
    if number is None or not math.isfinite(number):
        return None
    return float(f"{number:.{DIGITS}g}")


def mark_spaces(units: pl.DataFrame, *, spaced: bool) -> list[str]:
    """Return each token of `units` as SentencePiece writes it.

    With `spaced`, `▁` stands before a token that begins with a word. Formulas, symbols, markers
    and signs of a script without spaces stand bare.
    """
    classes = class_table() & CLASS
    lines = []
    for token, kind in units.select("token", "kind").iter_rows():
        word = spaced and kind in RUNS and classes[ord(token[0])] not in _BARE
        lines.append((SPACE_MARK if word else "") + token.replace(" ", SPACE_MARK))
    return lines


def list_tokens(units: pl.DataFrame) -> dict[str, list[str]]:
    """Return `special_tokens` and `never_split`, each in rank order.

    A single atom that stays whole is a special token, matched in the raw text: as the corpus
    writes it (`Δ41`, not `δ41`). Links and hyperlexemes are words, so they stand glued.
    """
    run = pl.col("kind").is_in(RUNS)
    return {
        "special_tokens": units.filter(~run)["surface"].to_list(),
        "never_split": units.filter(run)["glued"].to_list(),
    }


def _escape(text: str) -> str:
    return re.sub(r"[\\\t\n\r]", lambda match: _ESCAPES[match[0]], text)


def read_merges(path: Path) -> pl.DataFrame:
    """Return the merges of a `merges.tsv`: `left, right, result`, in order of application.

    RunError where the file is not one.
    """
    where = str(path)
    cure = "Mine the corpus again, or copy the run folder anew"
    try:
        header, *lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise RunError(f"cannot be read ({error.strerror})", where=where, cure=cure) from error
    except UnicodeDecodeError as error:
        raise RunError("is not UTF-8", where=where, cure=cure) from error
    if header.split("\t") != list(MERGES):
        raise RunError("does not begin with left, right, result", where=where, cure=cure)
    rows = [[_unescape(cell) for cell in line.split("\t")] for line in lines]
    for number, row in enumerate(rows, 2):
        if len(row) != len(MERGES) or None in row:
            raise RunError("is not a merge", where=f"{where}, line {number}", cure=cure)
        if row[2] not in (f"{row[0]}{row[1]}", f"{row[0]} {row[1]}"):
            raise RunError("joins to another result", where=f"{where}, line {number}", cure=cure)
    return pl.DataFrame(rows, schema=MERGES, orient="row")


def _unescape(cell: str) -> str | None:
    """Undo `_escape`; None where a backslash escapes nothing known."""
    try:
        return re.sub(r"\\.?", lambda match: _PLAIN[match[0]], cell)
    except KeyError:
        return None
