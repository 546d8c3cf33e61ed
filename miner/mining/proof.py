"""Units to proven units: what cannot be taken apart again?

Four checks, in this order; the first that fails is the unit's verdict.

inside      it would match inside a word, or cut a grapheme
changes     cut again, alone or inside its contexts, its canonical form gives other atoms
duplicate   a better unit has its canonical form
rebuild     the merges do not join its atoms to one piece
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.settling import Verdict
from miner.mining.spelling import list_keys, list_parts, spell_runs
from miner.mining.vocabulary import SPACE_MARK, build_ranks, join_pieces, rank_merges, split_unit
from miner.text import pretokenization as kernel
from miner.text.patterns import list_patterns
from miner.text.pretokens import Atoms
from miner.text.profiles import Profile
from miner.text.recut import Cutter, Recut, normalize
from miner.text.unicode import (
    CLASS,
    CONNECTOR,
    DIGIT,
    EXTEND,
    KATAKANA,
    LETTER,
    REGIONAL,
    VIRAMA,
    ZWJ,
    class_table,
)

REACH = 3  # atoms of context on each side
SLICE = 1 << 22  # keys looked through at a time
LONG = 60  # letters of a text that a detail quotes

Findings = Iterable[tuple[int, str]]  # the row of a refused unit, and what was found


@dataclass(frozen=True)
class Runs:
    """The units: keys uint32 (units, longest), zero-filled on the right, and what they spell."""

    keys: np.ndarray
    tokens: list[str]
    spelled: list[str]
    parts: list[list[str]]


def prove_units(
    units: pl.DataFrame, atoms: Atoms, candidates: Candidates, *, patterns: Mapping[str, str]
) -> pl.DataFrame:
    """Return `units` with `verdict`, `detail` and `glued`, in the same order.

    `units`, best first: `token`, `candidate` (a row of `candidates`, null for a single atom),
    `atom` (its number, null for a run), any other columns. `detail` says what was found, null
    for a kept unit. `glued` is the short name of a kept unit, null for the others.
    """
    runs = _gather_runs(units, atoms, candidates)
    refusals: dict[int, tuple[Verdict, str]] = {}

    def refuse(verdict: Verdict, findings: Findings) -> None:
        for row, detail in findings:
            refusals.setdefault(row, (verdict, detail))

    if atoms.profile.name == "bytes":
        refuse(Verdict.CHANGES, find_other_bytes(runs))
    else:
        spelling = spell_atoms(atoms, patterns)
        contexts = _gather_contexts(units, runs, atoms, candidates, spelling)
        refuse(Verdict.INSIDE, find_open_ends(runs, atoms))
        if patterns:
            refuse(Verdict.INSIDE, find_split_words(contexts, atoms))
        refuse(Verdict.CHANGES, find_unwritable(runs, atoms.profile))
        refuse(Verdict.CHANGES, find_recut(contexts, atoms, patterns))
    refuse(Verdict.DUPLICATE, find_duplicates(runs, refusals))
    refuse(Verdict.REBUILD, find_unbuilt(runs, refusals))
    return _add_verdicts(units, atoms, refusals)


def _gather_runs(units: pl.DataFrame, atoms: Atoms, candidates: Candidates) -> Runs:
    """Return the keys and texts of the units."""
    keys = list_keys(units, candidates)
    texts = atoms.table["text"]
    spelled, parts = spell_runs(keys, texts).to_list(), list_parts(keys, texts).to_list()
    return Runs(keys, units["token"].to_list(), spelled, parts)


def _add_verdicts(
    units: pl.DataFrame, atoms: Atoms, refusals: Mapping[int, tuple[Verdict, str]]
) -> pl.DataFrame:
    found = [refusals.get(row, (Verdict.KEPT, None)) for row in range(units.height)]
    judged = units.with_columns(
        verdict=pl.Series([str(verdict) for verdict, _ in found], dtype=pl.String),
        detail=pl.Series([detail for _, detail in found], dtype=pl.String),
    )
    return judged.with_columns(glued=glue_tokens(judged, atoms.table["text"]))


def glue_tokens(units: pl.DataFrame, words: pl.Series) -> pl.Series:
    """Return the short name of each kept unit: its token without spaces, or with them if taken.

    A name is taken by a word of the corpus, by a unit that is written so, or by a better unit.

    >>> units = pl.DataFrame({"token": ["on to", "a b", "ab c", "a bc"], "verdict": ["kept"] * 4})
    >>> glue_tokens(units, pl.Series(["onto"])).to_list()
    ['on to', 'ab', 'abc', 'a bc']
    """
    kept = pl.when(pl.col("verdict") == Verdict.KEPT).then(pl.col("token"))
    glued = kept.str.replace_all(" ", "", literal=True)
    named = units.select(token=kept, glued=glued, spaced=kept.str.contains(" ", literal=True))
    written = named.filter(~pl.col("spaced"))["token"]
    taken = pl.concat([written, words.rename("token")]).unique().implode()
    first = pl.struct("glued", "spaced").is_first_distinct()
    free = first & ~pl.col("glued").is_in(taken)
    short = pl.when(~pl.col("spaced") | free).then("glued").otherwise("token")
    return named.select(short.alias("glued"))["glued"]


# What a unit does at its edges


def find_open_ends(runs: Runs, atoms: Atoms) -> Findings:
    """Find units whose first character belongs to the text before, or last to what follows.

    A word that ends in a virama is whole: only the letters of a longer word could join it. A sign
    or picture that ends in a joiner, and half a flag, would take the next one in.
    """
    classes = class_table() & CLASS
    alone = atoms.profile.rules in (kernel.SIGNS, kernel.MOLECULES)
    letters = () if alone else (LETTER, DIGIT, CONNECTOR, KATAKANA)
    for row, (token, parts) in enumerate(zip(runs.tokens, runs.parts, strict=True)):
        last = parts[-1]
        base, end = classes[ord(last[0])], classes[ord(last[-1])]
        if classes[ord(token[0])] in (EXTEND, ZWJ, VIRAMA):
            yield row, f"it starts with {_name(token[0])}, which belongs to the character before"
        elif end in (ZWJ, VIRAMA) and base not in letters:
            yield row, f"it ends in {_name(last[-1])}, which joins the next sign to it"
        elif end == REGIONAL and len(last) == 1:
            yield row, "it ends in half a flag, which the next half would complete"


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


@dataclass(frozen=True)
class Contexts:
    """Places of units: the keys around, uint32 (places, width), nothing beyond a stop.

    `owner` int64 (places,): the row of the unit. It fills the columns from `start` to `end`, both
    int64 (places,), of its row; a unit stands alone once, before all its places. `spelling`: how
    each atom is written to be cut again.
    """

    keys: np.ndarray
    owner: np.ndarray
    start: np.ndarray
    end: np.ndarray
    spelling: pl.Series


def _gather_contexts(
    units: pl.DataFrame, runs: Runs, atoms: Atoms, candidates: Candidates, spelling: pl.Series
) -> Contexts:
    """Return each unit alone and at up to three of its places, with `REACH` atoms around."""
    places = _find_places(units, atoms, candidates)
    owner, _ = np.nonzero(places >= 0)
    lengths = (runs.keys != 0).sum(axis=1)
    around = _cut_windows(atoms.mined.ids, places[places >= 0], lengths[owner], runs.keys.shape[1])
    alone = np.zeros((len(runs.keys), around.shape[1]), np.uint32)
    alone[:, REACH : REACH + runs.keys.shape[1]] = runs.keys
    keys = np.concatenate([alone, around])
    owner = np.concatenate([np.arange(len(alone)), owner])
    skipped = (keys[:, :REACH] == 0).sum(axis=1)
    order = np.argsort(keys == 0, axis=1, kind="stable")  # the stops to the right
    keys = np.take_along_axis(keys, order, axis=1)
    keys[:, 0] &= ~np.uint32(1)
    start = REACH - skipped
    return Contexts(keys, owner, start, start + lengths[owner], spelling)


def _find_places(units: pl.DataFrame, atoms: Atoms, candidates: Candidates) -> np.ndarray:
    """Return up to three places of each unit in the mined stream, int64 (units, 3), -1 for none.

    Its first place, and those where a frequent atom stands behind it and before it: the rows one
    atom longer know where they start.
    """
    first = candidates.table["place"].to_numpy().astype(np.int64)
    longer = np.flatnonzero(candidates.parent >= 0)
    known = np.full((len(first), 3), -1, np.int64)
    known[:, 0] = first
    known[candidates.parent[longer], 1] = first[longer]
    known[candidates.suffix[longer], 2] = first[longer] + 1
    places = np.full((units.height, 3), -1, np.int64)
    single = units["candidate"].is_null().to_numpy()
    places[~single] = known[units["candidate"].drop_nulls().to_numpy()]
    numbers = units.filter(single)["atom"].to_numpy().astype(np.int64)
    places[single, 0] = _find_atoms(atoms.mined.ids, numbers, types=atoms.table.height)
    places[places[:, 1] == places[:, 0], 1] = -1
    places[(places[:, 2] == places[:, 0]) | (places[:, 2] == places[:, 1]), 2] = -1
    return places


def _find_atoms(ids: np.ndarray, wanted: np.ndarray, *, types: int) -> np.ndarray:
    """Return the first place of each wanted atom, int64 (wanted,), -1 where it has none."""
    places = np.full(types + 1, -1, np.int64)
    missing = np.zeros(types + 1, bool)
    missing[wanted] = True
    for start in range(0, len(ids) if len(wanted) else 0, SLICE):
        part = ids[start : start + SLICE] >> 1
        hits = np.flatnonzero(missing[part])[::-1]
        places[part[hits]] = start + hits  # of equal indices the last assignment stays
        missing[part[hits]] = False
    return places[wanted]


def _cut_windows(
    ids: np.ndarray, places: np.ndarray, lengths: np.ndarray, longest: int
) -> np.ndarray:
    """Return the keys around each run, uint32 (places, longest + 2 * REACH); 0 beyond a stop.

    The run starts in column `REACH`.
    """
    columns = np.arange(-REACH, longest + REACH)
    window = ids[np.clip(places[:, None] + columns, 0, len(ids) - 1)]
    window[columns >= lengths[:, None] + REACH] = 0
    open_side = window != 0
    left = np.logical_and.accumulate(open_side[:, REACH - 1 :: -1], axis=1)[:, ::-1]
    right = np.logical_and.accumulate(open_side[:, REACH:], axis=1)
    return np.where(np.concatenate([left, right], axis=1), window, np.uint32(0))


# Cutting again


def find_recut(contexts: Contexts, atoms: Atoms, patterns: Mapping[str, str]) -> Findings:
    """Find units that fall into other atoms when their canonical form is cut again.

    Where only a neighbour does, the unit is whole.
    """
    texts = spell_runs(contexts.keys, contexts.spelling).to_list()
    cut = Cutter.of(atoms, patterns).cut(texts)
    width = contexts.keys.shape[1] + 1
    sizes = np.diff(cut.first)
    column = np.arange(len(cut.keys)) - np.repeat(cut.first[:-1], sizes)
    fits = column < width
    found = np.zeros((len(texts), width), np.uint32)
    found[np.repeat(np.arange(len(texts)), sizes)[fits], column[fits]] = cut.keys[fits]
    wanted = np.pad(contexts.keys, ((0, 0), (0, 1)))
    other = np.flatnonzero((found != wanted).any(axis=1) | (sizes > width))
    for place in other[_find_lost(contexts, other, cut, atoms, patterns)].tolist():
        forms = _quote(" | ".join(cut.list_forms(place)))
        yield int(contexts.owner[place]), f"cut again, {_quote(texts[place])} gives {forms}"


def _find_lost(
    contexts: Contexts, places: np.ndarray, cut: Recut, atoms: Atoms, patterns: Mapping[str, str]
) -> np.ndarray:
    """Say at which places the unit itself, not a neighbour, comes out otherwise: bool (places,).

    It is whole where the text gives what stands before gives alone, the unit, and what follows.
    """
    keys, spelling = contexts.keys[places], contexts.spelling
    start, end, column = contexts.start[places], contexts.end[places], np.arange(keys.shape[1])
    before = spell_runs(np.where(column < start[:, None], keys, np.uint32(0)), spelling)
    after = spell_runs(np.where(column >= end[:, None], keys, np.uint32(0)), spelling)
    sides = Cutter.of(atoms, patterns).cut([*before, *after])
    lost = np.zeros(len(places), bool)
    for i, place in enumerate(places.tolist()):
        found, left = cut.list_keys(place), len(sides.list_keys(i))
        right = len(found) - len(sides.list_keys(len(places) + i))
        lost[i] = found[left:right] != keys[i, start[i] : end[i]].tolist()
    return lost


def spell_atoms(atoms: Atoms, patterns: Mapping[str, str]) -> pl.Series:
    """Return how each atom is written to be cut again: its canonical form.

    A match of a pattern of the user, which capitals may tell, is spelled as the corpus writes it.
    """
    table = atoms.table
    told = np.zeros(table.height, bool)
    for pattern in list_patterns(patterns):
        told |= np.array(pattern.match_all(table["surface"]), bool)
    spelling = pl.when(pl.Series(told)).then("surface").otherwise("text")
    return table.select(spelling.alias("text"))["text"]


def _quote(text: str) -> str:
    return repr(text if len(text) <= LONG else text[: LONG - 1] + "…")


def find_split_words(contexts: Contexts, atoms: Atoms) -> Findings:
    """Find units that a pattern of the user cut out of a longer word.

    The two atoms on an edge of the unit, no space between, are cut without patterns: where the
    two together give other atoms than one after the other, the edge is inside a word.
    """
    keys, rows = contexts.keys, np.arange(len(contexts.keys))
    columns = keys.shape[1]
    for edge in (contexts.start, contexts.end):
        after = np.where(edge < columns, keys[rows, np.minimum(edge, columns - 1)], 0)
        near = np.flatnonzero((edge > 0) & (after != 0) & (after & 1 == 0))
        pairs = np.stack([keys[near, edge[near] - 1], after[near]], axis=1) & ~np.uint32(1)
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        split = _split_pairs(unique, contexts.spelling, atoms)
        whole = spell_runs(unique, contexts.spelling)
        for owner, pair in zip(
            contexts.owner[near].tolist(), inverse.ravel().tolist(), strict=True
        ):
            if split[pair]:
                yield owner, f"it stands inside a longer word, {_quote(whole[pair])}"


def _split_pairs(pairs: np.ndarray, spelling: pl.Series, atoms: Atoms) -> list[bool]:
    """Say of each two atoms, keys (pairs, 2), whether they cut otherwise together than apart."""
    texts = [
        spell_runs(pairs[:, :1], spelling),
        spell_runs(pairs[:, 1:], spelling),
        spell_runs(pairs, spelling),
    ]
    cut = Cutter.of(atoms, {}).cut([text for column in texts for text in column])
    count = len(pairs)
    return [
        cut.list_forms(i) + cut.list_forms(count + i) != cut.list_forms(2 * count + i)
        for i in range(count)
    ]


# What the files and the normalizer can carry


def find_unwritable(runs: Runs, profile: Profile) -> Findings:
    """Find units whose canonical form the normalizer changes or an output file cannot carry."""
    for row, (token, spelled) in enumerate(zip(runs.tokens, runs.spelled, strict=True)):
        if token != spelled:
            yield row, f"its atoms spell {_quote(spelled)}"
        elif (form := normalize(token, profile)) != token:
            yield row, f"the normalizer changes it to {_quote(form)}"
        elif SPACE_MARK in token:
            yield row, f"it holds {_name(SPACE_MARK)}, which stands for a space in the vocabulary"
        elif len(token.splitlines()) != 1:
            yield row, "it holds a line break, and the vocabulary has one token a line"


def find_other_bytes(runs: Runs) -> Findings:
    """Find units of bytes whose name does not give the same bytes back."""
    for row, (token, parts) in enumerate(zip(runs.tokens, runs.parts, strict=True)):
        values = bytes.fromhex("".join(re.findall("<0x([0-9A-F]{2})>", token)))
        names = [f"<0x{value:02X}>" for value in values]
        if names != parts or "".join(names) != token:
            yield row, f"its bytes are written {_quote(''.join(names))}"


# One unit, one form, one piece


def find_duplicates(runs: Runs, refused: Mapping[int, object]) -> Findings:
    """Find units whose canonical form a better one has."""
    ranks: dict[str, int] = {}
    for row, token in enumerate(runs.tokens):
        if row not in refused and ranks.setdefault(token, row) != row:
            yield row, f"same canonical form as rank {ranks[token] + 1}"


def find_unbuilt(
    runs: Runs, refused: Mapping[int, object], *, merges: pl.DataFrame | None = None
) -> Findings:
    """Find units that the merges, by default those made for them, do not join to one piece."""
    pieces = {
        row: split_unit(token, runs.parts[row])
        for row, token in enumerate(runs.tokens)
        if row not in refused
    }
    ranks = build_ranks(pieces.values()) if merges is None else rank_merges(merges)
    for row, unit in pieces.items():
        joined = join_pieces(unit, ranks)
        if joined != [runs.tokens[row]]:
            yield row, f"the merges leave {_quote(' | '.join(joined))}"
