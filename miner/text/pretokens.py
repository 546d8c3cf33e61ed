"""Documents to atoms: what are the smallest things that carry meaning by themselves?

A corpus becomes one array of keys in text order. A key is `(atom << 1) | space`, where `space`
says that white space stands before the atom, so a run of keys spells its canonical form exactly;
0 is a stop, which no candidate crosses. Atoms are numbered from 1 by falling count.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from miner.corpus import Chunk
from miner.text import pretokenization as kernel
from miner.text.abbreviations import find_abbreviations, join_periods
from miner.text.patterns import Pattern, list_patterns
from miner.text.profiles import FORMULAS, JOINED, MARKER, NODE, Profile, fold
from miner.text.tables import ATOMS, checked
from miner.text.unicode import (
    CLASS,
    CODE_POINTS,
    INFINITY,
    LETTER,
    PICTOGRAPH,
    REGIONAL,
    SIGN,
    SYMBOL,
    class_table,
)

SLICE = 1 << 20  # keys handled at a time where a stream on disk is rewritten
MOST_ATOMS = 8  # the longest candidate; as many stops stand at the end of a stream, and one more
HELD_BACK = 20  # one document in so many measures the savings curve and is not mined
FEWEST_HELD = 5  # fewer held-back documents than this measure nothing
# Windows renames no folder while a file in it is mapped, and a finished run is renamed.
MAPPED = sys.platform != "win32"


@dataclass
class Interner:
    """The exact texts of atoms, each with its number; grows as the kernel asks."""

    table: np.ndarray = field(default_factory=lambda: np.zeros(4 << 16, np.uint64))
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1 << 16, np.int64))
    pool: np.ndarray = field(default_factory=lambda: np.empty(1 << 20, np.uint8))
    types: int = 0

    @classmethod
    def small(cls) -> Interner:
        """Return one for a few texts: it is made sooner, and grows as well."""
        places, atoms, room = 4 << 8, 1 << 8, 1 << 11
        return cls(np.zeros(places, np.uint64), np.zeros(atoms, np.int64), np.empty(room, np.uint8))

    def grow(self, room: int) -> None:
        """Make room for as many atoms again where it is short, and for a text of `room` bytes."""
        if self.offsets.shape[0] < self.types + 8:
            self.offsets = np.concatenate([self.offsets, np.zeros_like(self.offsets)])
        if self.table.shape[0] // 6 < self.types + 8:
            old, self.table = self.table, np.zeros(self.table.shape[0] * 2, np.uint64)
            kernel.rehash(old, self.table)
        used = int(self.offsets[self.types + 1])
        if self.pool.shape[0] < used + room:
            old, self.pool = self.pool, np.empty(max(2 * used, used + room), np.uint8)
            self.pool[:used] = old[:used]

    def add(self, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return the numbers, from 1, of the texts `buffer[starts[i]:ends[i]]`: int64 (texts,)."""
        numbers = np.zeros(len(starts), np.int64)
        done = 0
        while True:
            texts = kernel.Documents(buffer, starts, ends)
            done, self.types = kernel.intern(texts, self.words(), numbers, done, self.types)
            if done == len(starts):
                return numbers
            self.grow(room=int(ends[done] - starts[done]))

    def add_texts(self, texts: Iterable[str]) -> np.ndarray:
        """Return the numbers of some texts: int64 (texts,)."""
        encoded = [text.encode() for text in texts]
        edges = np.cumsum([0, *map(len, encoded)])
        buffer = np.frombuffer(b"".join(encoded), np.uint8)
        return self.add(buffer, edges[:-1].copy(), edges[1:].copy())

    def words(self) -> kernel.Words:
        """Return the arrays as the kernel takes them; `grow` replaces them."""
        return kernel.Words(self.table, self.offsets, self.pool)

    def texts(self) -> list[str]:
        """Return the text of every atom; atom numbers start at 1, so text 0 is empty."""
        ends = self.offsets[1 : self.types + 2].tolist()
        pool = self.pool[: ends[-1]].tobytes()
        return ["", *(pool[start:end].decode("utf-8") for start, end in pairwise(ends))]

    def column(self, numbers: np.ndarray) -> pl.Series:
        """Return the texts of `numbers` int64 (rows,) as a column, with no string of Python's."""
        pool = self.pool[: self.offsets[self.types + 1]]
        held = pool.tobytes()
        unused = next((mark for mark in range(128) if bytes([mark]) not in held), None)
        if unused is None or len(numbers) == 0:
            texts = self.texts()
            return pl.Series([texts[number] for number in numbers.tolist()], dtype=pl.String)
        joined = np.empty(int(self.lengths()[numbers].sum()) + len(numbers), np.uint8)
        kernel.join_texts(pool, self.offsets, numbers, unused, joined)
        text = joined[:-1].tobytes().decode("utf-8")
        return pl.Series([text]).str.split(chr(unused)).explode()

    def points(self) -> np.ndarray:
        """Say of each code point whether it occurs in the texts: bool (0x110000,)."""
        seen = np.zeros(CODE_POINTS, np.bool_)
        kernel.mark_points(self.pool[: self.offsets[self.types + 1]], seen)
        return seen

    def lengths(self) -> np.ndarray:
        """Return the bytes of every text; that of number 0 is empty."""
        return np.diff(self.offsets[: self.types + 2])


@dataclass(frozen=True)
class Stream:
    """A corpus as keys: `documents[d]` is where document d starts, one more entry ends the last.

    A stop stands in front, and enough of them at the end to look ahead from any atom.
    `ids` uint32 (keys,), `flags` uint8 (keys,): `CAPITAL`, `OPENED`, `STARTS` of `cutting`.
    """

    ids: np.ndarray
    flags: np.ndarray
    documents: np.ndarray


def has_documents(stream: Stream) -> bool:
    """Say whether a stream holds any document."""
    return len(stream.documents) > 1


@dataclass(frozen=True)
class Atoms:
    """What a corpus is made of: the stream to mine, the one held back, a row for each atom.

    `widths` uint8 (mined documents,): the bytes of an element of tensor data; empty where there is
    none of more than one. `abbreviations`: the canonical words that take the period behind them.
    """

    mined: Stream
    held: Stream
    table: pl.DataFrame
    profile: Profile
    widths: np.ndarray
    abbreviations: frozenset[str] = frozenset()


def cut_chunks(
    chunks: Iterable[Chunk], folder: Path, *, profile: Profile, patterns: Mapping[str, str]
) -> Atoms:
    """Cut a corpus into atoms; the streams lie in `folder`, the memory stays at one chunk.

    `patterns` name regular expressions whose matches are one atom each.
    """
    interner = _intern_bytes() if profile.name == "bytes" else Interner()
    expressions = list_patterns(patterns)
    documents, widths = _write_keys(chunks, folder, interner, expressions, profile=profile)
    return _settle_numbers(folder, documents, widths, interner, profile=profile)


def _write_keys(
    chunks: Iterable[Chunk],
    folder: Path,
    interner: Interner,
    expressions: Sequence[Pattern],
    *,
    profile: Profile,
) -> tuple[np.ndarray, np.ndarray]:
    """Write the keys and flags of a corpus.

    Returns where its documents start and the last ends, and the width of each.
    """
    starts: list[np.ndarray] = []
    widths: list[np.ndarray] = []
    size = 0
    with (folder / "ids.u32").open("wb") as ids, (folder / "flags.u8").open("wb") as flags:
        for chunk in chunks:
            if profile.name == "bytes":
                keys, marks, first = _cut_bytes(chunk)
            else:
                spans = find_spans(chunk, expressions)
                keys, marks, first = cut_text(chunk, interner, spans, profile=profile)
            ids.write(keys.data)
            flags.write(marks.data)
            starts.append(first + size)
            widths.append(np.full(len(first), chunk.width, np.uint8))
            size += len(keys)
    documents = np.concatenate([*starts, np.array([size])]).astype(np.int64)
    return documents, np.concatenate([np.empty(0, np.uint8), *widths])


def _intern_bytes() -> Interner:
    """Return the names of all bytes: byte b is number b + 1."""
    names = np.frombuffer("".join(f"<0x{value:02X}>" for value in range(256)).encode(), np.uint8)
    starts = np.arange(256, dtype=np.int64) * 6
    interner = Interner()
    interner.add(names, starts, starts + 6)
    return interner


def cut_text(
    chunk: Chunk, interner: Interner, spans: np.ndarray, *, profile: Profile
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the keys and flags of a chunk, and where each of its documents starts in them."""
    room = int((chunk.ends - chunk.starts).sum()) + len(chunk.starts)
    ids, flags = np.empty(room, np.uint32), np.empty(room, np.uint8)
    first = np.empty(len(chunk.starts), np.int64)
    state = np.zeros(kernel.STATE_SIZE, np.int64)
    state[kernel.POSITION], state[kernel.TYPES] = -1, interner.types
    batch = np.empty((kernel.BATCH, kernel.BATCH_FIELDS), np.int64)
    documents = kernel.Documents(chunk.buffer, chunk.starts, chunk.ends)
    rules = kernel.Rules(profile.rules, profile.keeps_space, class_table())
    keys = kernel.Keys(ids, flags, first)
    while not kernel.cut(documents, spans, rules, interner.words(), keys, state, batch):
        interner.types = int(state[kernel.TYPES])
        pending = batch[state[kernel.NUMBERED]]
        interner.grow(room=int(pending[kernel.STOP] - pending[kernel.START]))
    interner.types = int(state[kernel.TYPES])
    written = int(state[kernel.WRITTEN])
    return ids[:written], flags[:written], first


def _cut_bytes(chunk: Chunk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the keys of a chunk of raw bytes: byte b is atom b + 1, a stop ends a document."""
    lengths = chunk.ends - chunk.starts
    inside = np.zeros(len(chunk.buffer) + 1, np.int8)
    np.add.at(inside, chunk.starts, 1)
    np.add.at(inside, chunk.ends, -1)
    values = chunk.buffer[np.cumsum(inside[:-1]) > 0]
    keys = np.insert((values.astype(np.uint32) + 1) << 1, np.cumsum(lengths), 0)
    first = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]]).astype(np.int64)
    return keys.astype(np.uint32), np.zeros(len(keys), np.uint8), first


def find_spans(chunk: Chunk, expressions: Sequence[Pattern]) -> np.ndarray:
    """Return the bytes (n, 2) that the user's patterns match, in order, none overlapping.

    The leftmost match wins, then the longest. A document is searched by itself.
    """
    spans: list[tuple[int, int]] = []
    if expressions:
        for start, end in zip(chunk.starts.tolist(), chunk.ends.tolist(), strict=True):
            text = chunk.buffer[start:end].tobytes().decode("utf-8")
            spans += _match_bytes(text, start, expressions)
    return np.array(spans, np.int64).reshape(-1, 2)


def _match_bytes(
    text: str, offset: int, expressions: Sequence[Pattern]
) -> Iterator[tuple[int, int]]:
    """Yield the bytes of the matches in a document that starts at byte `offset`."""
    found = [span for expression in expressions for span in expression.find(text)]
    last = 0
    for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
        if last <= start < end:
            first = offset + len(text[last:start].encode())
            offset = first + len(text[start:end].encode())
            last = end
            yield first, offset


def _settle_numbers(
    folder: Path, documents: np.ndarray, widths: np.ndarray, forms: Interner, *, profile: Profile
) -> Atoms:
    """Number the atoms by canonical form and falling count, and part off what is held back.

    Atoms that are as frequent are numbered in the order in which they first appear.
    """
    canonical, groups = _group_forms(forms, profile=profile)
    short: frozenset[str] = frozenset()
    if profile.rules == kernel.WORDS:
        groups, short = _join_periods(folder, documents, forms, canonical, groups)
    held = choose_held(len(documents) - 1)
    counts = np.zeros(forms.types + 1, np.int64)
    for keys, _, start, document in _read_slices(folder, documents):
        kernel.count_atoms(keys, start, document, documents, held, counts)
    totals, surfaces = np.zeros(canonical.types, np.int64), np.zeros(canonical.types, np.int64)
    kernel.total_forms(groups, counts[1:], totals, surfaces)
    order = np.argsort(-totals, kind="stable")
    ranks = np.zeros(canonical.types, np.uint32)
    ranks[order] = np.arange(1, canonical.types + 1)
    _split_stream(folder, documents, held, np.concatenate([np.zeros(1, np.uint32), ranks[groups]]))
    surfaces = surfaces[order] + 1
    letters = np.zeros(forms.types + 1, np.bool_)
    kernel.find_words(forms.pool, forms.offsets, _letters(forms), letters)
    surface = forms.column(surfaces)
    text = surface if canonical is forms else canonical.column(order + 1)
    table = pl.DataFrame(
        {
            "atom": np.arange(1, canonical.types + 1, dtype=np.uint32),
            "text": text,
            "surface": surface,
            "count": totals[order],
            "kind": _name_kinds(surface, letters[surfaces], profile=profile),
        },
        schema=ATOMS,
    )
    table.write_parquet(folder / "atoms.parquet", compression="uncompressed", statistics=False)
    if (widths > 1).any():
        widths[~held].tofile(folder / "mined.widths.u8")
    return load_atoms(folder, profile=profile, abbreviations=short)


def _join_periods(
    folder: Path, documents: np.ndarray, forms: Interner, canonical: Interner, groups: np.ndarray
) -> tuple[np.ndarray, frozenset[str]]:
    """Give the periods behind abbreviations to their atoms, in the raw stream on disk.

    `documents` changes with it, `forms` and `canonical` grow. Returns the groups of all forms, and
    the abbreviations.
    """
    places = folder / "ids.u32", folder / "flags.u8"
    if places[0].stat().st_size == 0:
        return groups, frozenset()
    ids, flags = np.memmap(places[0], np.uint32), np.memmap(places[1], np.uint8)
    first = forms.column(np.arange(1, forms.types + 1)).str.slice(0, 1)
    low = (first != first.str.to_uppercase()) | first.str.contains(r"\d")
    texts = canonical.column(np.arange(1, canonical.types + 1))
    plain = texts.str.contains(r"^\p{L}[\p{L}\p{M}.]*$")
    lengths = texts.str.replace_all(".", "", literal=True).str.len_chars() * plain
    found = find_abbreviations(ids, flags, groups, low.to_numpy(), lengths.to_numpy())
    if not found.any():
        return groups, frozenset()
    numbers = np.flatnonzero(found[groups]) + 1
    dotted = np.zeros(forms.types + 1, np.uint32)
    dotted[numbers] = forms.add_texts(f"{text}." for text in forms.column(numbers))
    if canonical is not forms:
        others = canonical.add_texts(f"{text}." for text in texts.gather(groups[numbers - 1]))
        groups = np.append(groups, np.zeros(forms.types - len(groups), groups.dtype))
        groups[dotted[numbers] - 1] = others - 1
    size = join_periods(ids, flags, documents, dotted)
    del ids, flags  # no file that is mapped is cut where Windows has its rules
    os.truncate(places[0], 4 * size)
    os.truncate(places[1], size)
    return np.arange(forms.types) if canonical is forms else groups, frozenset(texts.filter(found))


def _group_forms(forms: Interner, *, profile: Profile) -> tuple[Interner, np.ndarray]:
    """Return the canonical forms, and for every exact form its number from 0: int64 (forms,).

    Nearly all texts are folded character by character; the rest, where Unicode looks at
    neighbours or case is kept, text by text.
    """
    pool = forms.pool[: forms.offsets[forms.types + 1]]
    folds = np.full(CODE_POINTS, -1, np.int32)
    points = np.flatnonzero(forms.points())
    folds[points] = [_fold_point(point, case=profile.folds_case) for point in points.tolist()]
    if np.array_equal(folds[points], points):
        return forms, np.arange(forms.types)
    folded = np.empty(2 * len(pool), np.uint8)
    starts, ends = np.zeros(forms.types, np.int64), np.zeros(forms.types, np.int64)
    size = kernel.fold_texts(pool, forms.offsets, folds, folded, starts, ends)
    if profile.folds_case:
        ends[_find_cased(forms)] = -1
    hard = np.flatnonzero(ends < 0)
    texts = [pool[forms.offsets[i + 1] : forms.offsets[i + 2]].tobytes().decode() for i in hard]
    others = [profile.spell(text).encode() for text in texts]
    lengths = np.array([len(other) for other in others], np.int64)
    ends[hard] = size + np.cumsum(lengths)
    starts[hard] = ends[hard] - lengths
    buffer = np.concatenate([folded[:size], np.frombuffer(b"".join(others), np.uint8)])
    canonical = Interner()
    return canonical, canonical.add(buffer, starts, ends) - 1


def _find_cased(forms: Interner) -> np.ndarray:
    """Return which texts keep their case: places from 0, int64 (texts,)."""
    letters = np.zeros(forms.types + 1, np.bool_)
    kernel.find_words(forms.pool, forms.offsets, _letters(forms), letters)
    odd = np.flatnonzero(~letters[1:])
    texts = forms.column(odd + 1).to_frame("form")
    ways = [_is_like(pl.col("form"), ways) for ways in (MARKER, NODE, JOINED, *FORMULAS)]
    return odd[texts.select(pl.any_horizontal(ways)).to_series().to_numpy()]


def _fold_point(point: int, *, case: bool) -> int:
    """Return what a character is folded to wherever it stands, -1 where that depends.

    Marks and jamo compose with what stands before, white space may be trimmed.
    """
    folded = fold(chr(point), case=case)
    safe = len(folded) == 1 and fold(folded, case=case) == folded
    joins = any(
        unicodedata.category(character)[0] in "MZ" or 0x1100 <= ord(character) < 0x1200
        for character in chr(point) + folded
    )
    return ord(folded) if safe and not joins and folded.isprintable() else -1


def load_atoms(
    folder: Path, *, profile: Profile, abbreviations: frozenset[str] = frozenset()
) -> Atoms:
    """Return what `cut_chunks` left in `folder`; the streams stay on disk until they are read."""
    table = checked(pl.read_parquet(folder / "atoms.parquet"), ATOMS)
    mined, held = _open_streams(folder)
    place = folder / "mined.widths.u8"
    widths = np.fromfile(place, np.uint8) if place.exists() else np.empty(0, np.uint8)
    if place.exists() and (len(widths) != len(mined.documents) - 1 or not widths.all()):
        raise ValueError("not a width for each document")
    return Atoms(mined, held, table, profile, widths, abbreviations)


def _open_streams(folder: Path) -> tuple[Stream, Stream]:
    """Return the mined and the held stream, left on disk."""
    mined, held = (
        Stream(
            open_array(folder / f"{name}.ids.u32", np.uint32),
            open_array(folder / f"{name}.flags.u8", np.uint8),
            open_array(folder / f"{name}.documents.i64", np.int64),
        )
        for name in ("mined", "held")
    )
    return mined, held


def choose_held(documents: int) -> np.ndarray:
    """Say of each document whether it is held back: bool (documents,), the same on every run.

    One in `HELD_BACK`, spread by a hash of its number; none where they would be too few to tell.
    """
    numbers = np.arange(documents, dtype=np.uint64)
    scattered = (numbers * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    held = scattered % np.uint64(HELD_BACK) == 0
    return held if held.sum() >= FEWEST_HELD else np.zeros(documents, bool)


def open_array(path: Path, dtype: type) -> np.ndarray:
    """Return the numbers of a file, none of an empty one; left on disk where `MAPPED`."""
    if path.stat().st_size == 0:
        return np.empty(0, dtype)
    return np.memmap(path, dtype, mode="r") if MAPPED else np.fromfile(path, dtype)


def _read_slices(
    folder: Path, documents: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, int, int]]:
    """Yield keys, flags, the place of the first of them, and its document."""
    start = 0
    with (folder / "ids.u32").open("rb") as ids, (folder / "flags.u8").open("rb") as flags:
        while len(keys := np.fromfile(ids, np.uint32, SLICE)):
            document = int(np.searchsorted(documents, start, side="right")) - 1
            yield keys, np.fromfile(flags, np.uint8, SLICE), start, document
            start += len(keys)


def _split_stream(
    folder: Path, documents: np.ndarray, held: np.ndarray, numbers: np.ndarray
) -> None:
    """Write the mined and the held stream, renumbered, with stops around; drop the raw one."""
    names = ("mined", "held")
    with ExitStack() as files:
        ids, flags = (
            [files.enter_context((folder / f"{name}.{kind}").open("wb")) for name in names]
            for kind in ("ids.u32", "flags.u8")
        )
        _write_stops(ids, flags, 1)
        room = np.empty((2, SLICE), np.uint32), np.empty((2, SLICE), np.uint8)
        for keys, marks, start, document in _read_slices(folder, documents):
            sizes = kernel.part_off(keys, marks, start, document, documents, held, numbers, *room)
            for which, size in enumerate(sizes):
                ids[which].write(room[0][which, :size].data)
                flags[which].write(room[1][which, :size].data)
        _write_stops(ids, flags, MOST_ATOMS + 1)
    for name, wanted in zip(names, (False, True), strict=True):
        kept = np.diff(documents)[held == wanted]
        starts = np.concatenate([[1], 1 + np.cumsum(kept)]).astype(np.int64)
        starts.tofile(folder / f"{name}.documents.i64")
    for leftover in ("ids.u32", "flags.u8"):
        (folder / leftover).unlink()


def _write_stops(ids: Sequence[BinaryIO], flags: Sequence[BinaryIO], stops: int) -> None:
    """Write as many stops to each stream."""
    for file in ids:
        file.write(bytes(4 * stops))
    for file in flags:
        file.write(bytes(stops))


def _letters(forms: Interner) -> np.ndarray:
    """Say of each code point whether it is a letter of a word; of those that occur only."""
    letters = np.zeros(CODE_POINTS, np.bool_)
    for point in np.flatnonzero(forms.points()).tolist():
        is_letter = unicodedata.category(chr(point)) in ("Lu", "Ll", "Lt", "Lm", "Lo")
        letters[point] = is_letter and class_table()[point] & CLASS == LETTER
    return letters


def _name_kinds(surfaces: pl.Series, plain: np.ndarray, *, profile: Profile) -> pl.Series:
    """Return the kind of each atom by its surface; `plain` are words, being letters only."""
    kinds = pl.Series(["word"]).new_from_index(0, len(surfaces))
    odd = np.flatnonzero(~plain)
    if len(odd) == 0:
        return kinds
    named = surfaces.gather(odd).to_frame("surface").select(_kind(profile)).to_series()
    return kinds.scatter(odd, named)


UUID = "^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
# Hieroglyphs that are set as one: in brackets, joined, or in a cartouche.
_SIGN_GROUP = (
    r"[\x{13000}-\x{143FF}].*[:*&)\x{1337A}\x{13430}-\x{13436}]|"
    r"[:*&(\x{13430}-\x{13436}].*[\x{13000}-\x{143FF}]"
)


def _kind(profile: Profile) -> pl.Expr:
    """Return an expression that names what an atom is, by its surface; the first that fits."""
    if profile.name == "bytes":
        return pl.lit("byte")
    form = pl.col("surface")
    if profile.name == "molecules":
        whole = pl.when(form.str.len_chars() > 1).then(pl.lit("formula"))
        return (
            whole.when(form.str.contains(r"^\p{L}$"))
            .then(pl.lit("word"))
            .otherwise(pl.lit("punctuation"))
        )
    named = form.str.contains(r"[\p{L}\p{N}\p{Co}]")
    # a transliteration numbers its homophones so: E₂ is no formula there
    formulas = FORMULAS[:-1] if profile.name == "transliteration" else FORMULAS
    return (
        pl.when(form.str.contains("://", literal=True))
        .then(pl.lit("url"))
        .when(_is_like(form, MARKER))
        .then(pl.lit("marker"))
        .when(_is_like(form, NODE))
        .then(pl.lit("code"))
        .when(pl.any_horizontal(_is_like(form, ways) for ways in formulas))
        .then(pl.lit("formula"))
        .when(form.str.contains(r"^[\p{N}.,]*\p{N}[\p{N}.,]*$") | form.str.contains(UUID))
        .then(pl.lit("number"))
        .when(form.str.contains(_SIGN_GROUP))
        .then(pl.lit("symbol"))
        .when(_first_class(SIGN))
        .then(pl.lit("sign"))
        .when(named & ~form.str.contains("\u20e3", literal=True))
        .then(pl.lit("word"))
        .when(_first_class(SYMBOL, PICTOGRAPH, REGIONAL, INFINITY))
        .then(pl.lit("symbol"))
        .when(form.str.contains(r"[\p{S}\x{20E3}]"))
        .then(pl.lit("symbol"))
        .otherwise(pl.lit("punctuation"))
    )


def _is_like(form: pl.Expr, ways: Sequence[str]) -> pl.Expr:
    """Return an expression: all of `ways` are in a text."""
    return pl.all_horizontal(form.str.contains(way) for way in ways)


def _first_class(*classes: int) -> pl.Expr:
    """Return an expression: the first character of `surface` is of one of `classes`."""
    wanted = np.isin(class_table() & CLASS, classes)

    def starts_so(surfaces: pl.Series) -> pl.Series:
        points = surfaces.str.slice(0, 1).str.encode("hex")
        unique = points.unique()
        hits = [
            bool(wanted[ord(bytes.fromhex(code).decode())]) if code else False for code in unique
        ]
        return points.replace_strict(unique, hits, return_dtype=pl.Boolean)

    return pl.col("surface").map_batches(starts_so, return_dtype=pl.Boolean)
