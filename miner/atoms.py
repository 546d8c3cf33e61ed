"""Documents to atoms: what are the smallest things that carry meaning by themselves?

A corpus becomes one array of keys in text order. A key is `(atom << 1) | space`, where `space`
says that white space stands before the atom, so a run of keys spells its canonical form exactly;
0 is a stop, which no candidate crosses. Atoms are numbered from 1 by falling count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from miner import cutting
from miner.corpus import Chunk
from miner.tables import ATOMS, checked
from miner.unicode import CLASS, INFINITY, PICTOGRAPH, REGIONAL, SIGN, SYMBOL, class_table

SLICE = 1 << 22  # keys handled at a time where a stream on disk is rewritten
MOST_ATOMS = 8  # the longest candidate; as many stops stand at the end of a stream, and one more
HELD_BACK = 20  # one document in so many measures the savings curve and is not mined
FEWEST_HELD = 5  # fewer held-back documents than this measure nothing


@dataclass(frozen=True)
class Profile:
    """How one class of text is cut, and what its canonical form keeps."""

    name: str
    rules: int
    folds_case: bool
    keeps_space: bool
    summary: str

    def normalize(self, text: str) -> str:
        """Return the canonical form of `text`: the identity of a unit.

        >>> PROFILES["words"].normalize("тиШинажАр ")
        'тишинажар'
        >>> PROFILES["code"].normalize("x  = Y ")
        'x  = Y'
        """
        if self.name == "bytes":
            return text
        return (
            fold(text, case=self.folds_case)
            if self.keeps_space
            else " ".join(fold(text, case=self.folds_case).split())
        )


def fold(text: str, *, case: bool) -> str:
    """Return `text` in NFC and, where `case` folds, in full Unicode case folding, trimmed."""
    if text.isascii():
        return (text.lower() if case else text).strip()
    composed = unicodedata.normalize("NFC", text)
    folded = unicodedata.normalize("NFC", composed.casefold()) if case else composed
    return folded.strip()


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("words", cutting.WORDS, True, False, "words and signs; punctuation stops a run"),
        Profile("transliteration", cutting.SPACED_OUT, False, False, "what stands between spaces"),
        Profile("code", cutting.CODE, False, True, "names, numbers and every punctuation mark"),
        Profile("symbols", cutting.SIGNS, False, True, "every character by itself"),
        Profile("bytes", -1, False, True, "every byte by itself"),
    )
}


@dataclass
class Interner:
    """The exact texts of atoms, each with its number; grows as the kernel asks."""

    table: np.ndarray = field(default_factory=lambda: np.zeros(4 << 16, np.uint64))
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1 << 16, np.int64))
    pool: np.ndarray = field(default_factory=lambda: np.empty(1 << 20, np.uint8))
    types: int = 0

    def grow(self, room: int) -> None:
        """Make room for half as many atoms again, and for a text of `room` bytes."""
        if self.offsets.shape[0] < self.types + 8:
            self.offsets = np.concatenate([self.offsets, np.zeros_like(self.offsets)])
        if self.table.shape[0] // 6 < self.types + 8:
            old, self.table = self.table, np.zeros(self.table.shape[0] * 2, np.uint64)
            cutting.rehash(old, self.table)
        if self.pool.shape[0] < self.offsets[self.types + 1] + room:
            self.pool = np.concatenate([self.pool, np.empty(self.pool.shape[0] + room, np.uint8)])

    def texts(self) -> list[str]:
        """Return the text of every atom; atom numbers start at 1, so text 0 is empty."""
        ends = self.offsets[1 : self.types + 2].tolist()
        pool = self.pool[: ends[-1]].tobytes()
        spans = zip(ends[:-1], ends[1:], strict=True)
        return ["", *(pool[start:end].decode("utf-8") for start, end in spans)]


@dataclass(frozen=True)
class Stream:
    """A corpus as keys: `documents[d]` is where document d starts, one more entry ends the last.

    A stop stands in front, and enough of them at the end to look ahead from any atom.
    `ids` uint32 (keys,), `flags` uint8 (keys,): `CAPITAL`, `OPENED`, `STARTS` of `cutting`.
    """

    ids: np.ndarray
    flags: np.ndarray
    documents: np.ndarray


@dataclass(frozen=True)
class Atoms:
    """What a corpus is made of: the stream to mine, the one held back, a row for each atom."""

    mined: Stream
    held: Stream
    table: pl.DataFrame
    profile: Profile


def cut_chunks(
    chunks: Iterable[Chunk], folder: Path, *, profile: Profile, patterns: Mapping[str, str]
) -> Atoms:
    """Cut a corpus into atoms; the streams lie in `folder`, the memory stays at one chunk.

    `patterns` name regular expressions whose matches are one atom each.
    """
    interner = Interner()
    starts: list[np.ndarray] = []
    size = 0
    expressions = [re.compile(pattern) for pattern in patterns.values()]
    with (folder / "ids.u32").open("wb") as ids, (folder / "flags.u8").open("wb") as flags:
        for chunk in chunks:
            if profile.name == "bytes":
                keys, marks, first = _cut_bytes(chunk)
            else:
                spans = _find_spans(chunk, expressions)
                keys, marks, first = _cut_text(chunk, interner, spans, profile=profile)
            ids.write(keys.data)
            flags.write(marks.data)
            starts.append(first + size)
            size += len(keys)
    documents = np.concatenate([*starts, np.array([size])]).astype(np.int64)
    texts = BYTE_TEXTS if profile.name == "bytes" else interner.texts()
    return _settle_numbers(folder, documents, texts, profile=profile)


BYTE_TEXTS = ["", *(f"<0x{value:02X}>" for value in range(256))]


def _cut_text(
    chunk: Chunk, interner: Interner, spans: np.ndarray, *, profile: Profile
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the keys and flags of a chunk, and where each of its documents starts in them."""
    room = int((chunk.ends - chunk.starts).sum()) + len(chunk.starts)
    ids, flags = np.empty(room, np.uint32), np.empty(room, np.uint8)
    first = np.empty(len(chunk.starts), np.int64)
    state = np.zeros(cutting.STATE_SIZE, np.int64)
    state[cutting.POSITION], state[cutting.TYPES] = -1, interner.types
    classes = class_table()
    while not cutting.cut(
        chunk.buffer, chunk.starts, chunk.ends, spans, profile.rules, profile.keeps_space,
        classes, interner.table, interner.offsets, interner.pool, ids, flags, first, state,
    ):  # fmt: skip
        interner.types = int(state[cutting.TYPES])
        interner.grow(room=len(chunk.buffer))
    interner.types = int(state[cutting.TYPES])
    written = int(state[cutting.WRITTEN])
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


def _find_spans(chunk: Chunk, expressions: list[re.Pattern[str]]) -> np.ndarray:
    """Return the bytes (n, 2) that the user's patterns match, leftmost first, none overlapping."""
    if not expressions:
        return np.empty((0, 2), np.int64)
    text = chunk.buffer.tobytes().decode("utf-8")
    found = sorted(
        match.span() for expression in expressions for match in expression.finditer(text)
    )
    points = np.array([span for span in found if span[0] < span[1]], np.int64).reshape(-1, 2)
    leads = np.flatnonzero((chunk.buffer & 0xC0) != 0x80)  # where each code point starts
    spans = np.append(leads, len(chunk.buffer))[points]
    before = np.concatenate([[0], np.maximum.accumulate(spans[:, 1])[:-1]])[: len(spans)]
    return spans[spans[:, 0] >= before]


def _settle_numbers(
    folder: Path, documents: np.ndarray, texts: list[str], *, profile: Profile
) -> Atoms:
    """Number the atoms by canonical form and falling count, and part off what is held back."""
    raw = Stream(
        _open_array(folder / "ids.u32", np.uint32),
        _open_array(folder / "flags.u8", np.uint8),
        documents,
    )
    held = choose_held(len(documents) - 1)
    counts = np.zeros(len(texts), np.int64)
    for keys, _, mask in _slices(raw, held):
        cutting.count_atoms(keys[~mask], counts)
    forms = _number_forms(texts, counts, profile=profile)
    numbers = np.zeros(len(texts), np.uint32)
    numbers[1:] = forms["atom"].to_numpy()
    _split_stream(folder, raw, held, numbers)
    for leftover in ("ids.u32", "flags.u8"):
        (folder / leftover).unlink()
    table = _atom_rows(forms, profile=profile)
    table.write_parquet(folder / "atoms.parquet")
    return load_atoms(folder, profile=profile)


def load_atoms(folder: Path, *, profile: Profile) -> Atoms:
    """Return what `cut_chunks` left in `folder`; the streams stay on disk until they are read."""
    mined, held = (
        Stream(
            _open_array(folder / f"{name}.ids.u32", np.uint32),
            _open_array(folder / f"{name}.flags.u8", np.uint8),
            np.fromfile(folder / f"{name}.documents.i64", np.int64),
        )
        for name in ("mined", "held")
    )
    table = checked(pl.read_parquet(folder / "atoms.parquet"), ATOMS)
    return Atoms(mined=mined, held=held, table=table, profile=profile)


def choose_held(documents: int) -> np.ndarray:
    """Say of each document whether it is held back: bool (documents,), the same on every run.

    One in `HELD_BACK`, spread by a hash of its number; none where they would be too few to tell.
    """
    numbers = np.arange(documents, dtype=np.uint64)
    scattered = (numbers * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    held = scattered % np.uint64(HELD_BACK) == 0
    return held if held.sum() >= FEWEST_HELD else np.zeros(documents, bool)


def _open_array(path: Path, dtype: type) -> np.ndarray:
    """Return the numbers of a file, left on disk; an empty file is an empty array."""
    if path.stat().st_size == 0:
        return np.empty(0, dtype)
    return np.memmap(path, dtype, mode="r")


def _slices(
    stream: Stream, held: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield keys, flags and, for each key, whether its document is held; whole documents."""
    ends = stream.documents[1:]
    first = 0
    while first < len(ends):
        start = stream.documents[first]
        last = max(first + 1, int(np.searchsorted(ends, start + SLICE, side="right")))
        end = ends[last - 1]
        mask = np.repeat(held[first:last], np.diff(stream.documents[first : last + 1]))
        yield np.asarray(stream.ids[start:end]), np.asarray(stream.flags[start:end]), mask
        first = last


def _split_stream(folder: Path, raw: Stream, held: np.ndarray, numbers: np.ndarray) -> None:
    """Write the mined and the held stream, renumbered, each with a stop in front."""
    lengths = np.diff(raw.documents)
    for name, wanted in (("mined", False), ("held", True)):
        with (
            (folder / f"{name}.ids.u32").open("wb") as ids,
            (folder / f"{name}.flags.u8").open("wb") as flags,
        ):
            ids.write(np.zeros(1, np.uint32).data)
            flags.write(np.zeros(1, np.uint8).data)
            for keys, marks, mask in _slices(raw, held):
                chosen = keys[mask == wanted]
                cutting.renumber(chosen, numbers)
                ids.write(chosen.data)
                flags.write(marks[mask == wanted].data)
            ids.write(np.zeros(MOST_ATOMS + 1, np.uint32).data)
            flags.write(np.zeros(MOST_ATOMS + 1, np.uint8).data)
        kept = lengths[held == wanted]
        np.concatenate([[1], 1 + np.cumsum(kept)]).astype(np.int64).tofile(
            folder / f"{name}.documents.i64"
        )


def _number_forms(texts: list[str], counts: np.ndarray, *, profile: Profile) -> pl.DataFrame:
    """Return `atom, form, text, count` for each exact form, in the order of `texts[1:]`."""
    forms = texts[1:]
    canonical = (
        forms
        if profile.name == "bytes"
        else [fold(text, case=profile.folds_case) or text for text in forms]
    )
    table = pl.DataFrame({"form": forms, "text": canonical, "count": counts[1:]})
    totals = table.group_by("text").agg(pl.col("count").sum().alias("total"))
    ranked = totals.sort(["total", "text"], descending=[True, False]).with_row_index(
        "atom", offset=1
    )
    return table.join(ranked, on="text", how="left", validate="m:1", maintain_order="left")


def _atom_rows(forms: pl.DataFrame, *, profile: Profile) -> pl.DataFrame:
    """Return a row for each atom, with its most frequent exact form."""
    rows = (
        forms.sort(["atom", "count", "form"], descending=[False, True, False])
        .group_by("atom", maintain_order=True)
        .agg(pl.col("text").first(), pl.col("form").first().alias("surface"), pl.col("count").sum())
        .with_columns(kind=_kind(profile))
    )
    return checked(rows.select(*ATOMS), ATOMS)


def _kind(profile: Profile) -> pl.Expr:
    """Return an expression that names what an atom is, by its surface."""
    if profile.name == "bytes":
        return pl.lit("byte")
    form = pl.col("surface")
    return (
        pl.when(form.str.contains("://", literal=True)).then(pl.lit("url"))
        .when(form.str.contains(r"^_[\p{Lu}\d_]+_$")).then(pl.lit("marker"))
        .when(
            form.str.contains(r"^[\p{Lu}\d_:]+$") & form.str.contains(r"\d")
            & form.str.contains(r"^\p{Lu}") & form.str.contains("[_:]")
        ).then(pl.lit("code"))
        .when(
            form.str.contains(r"^[\p{Greek}\x{1D400}-\x{1D7CB}][\d\p{No}]+$|^\p{L}∞$")
            | (form.str.contains(r"^\p{Lu}") & form.str.contains(r"[\x{2080}-\x{208E}⁰¹²³⁴-⁹]"))
        ).then(pl.lit("formula"))
        .when(form.str.contains(r"^[\p{N}.,]+\p{M}*$")).then(pl.lit("number"))
        .when(_first_class(SYMBOL, PICTOGRAPH, REGIONAL, INFINITY)).then(pl.lit("symbol"))
        .when(_first_class(SIGN)).then(pl.lit("sign"))
        .when(form.str.contains(r"[\p{L}\p{N}]")).then(pl.lit("word"))
        .otherwise(pl.lit("punctuation"))
    )  # fmt: skip


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


def detect_profile(sample: bytes) -> Profile:
    """Name the profile that fits a sample of a text corpus, by what its characters are.

    Symbols: hardly any white space, and no script that does without it. Code: structural marks
    make up 4% of what is not white space. Transliteration: a third of the words have joints
    (`a-na`, `n.t`, `{d}`) inside.
    """
    text = sample.decode("utf-8", "ignore")
    solid = re.sub(r"\s+", "", text)
    if not solid:
        return PROFILES["words"]
    points = np.frombuffer(solid.encode("utf-32-le"), np.uint32)
    kinds = class_table()[points] & CLASS
    signs = float((kinds == SIGN).mean())
    words = text.split()
    joints = len(re.findall(r"\w[-.=⸗:{}()<>]+\w|[{(<⸗]\w+[})>]\w|⸗\w", text)) / len(words)
    marks = len(re.findall(r"[{}<>\"=_|&;:*$^%~`\\]", solid)) / len(solid)
    brackets = len(re.findall(r"[\[\]()/+#@]", solid)) / len(solid)
    if signs > 0.3:
        return PROFILES["code" if marks + brackets > 0.04 else "words"]
    if len(solid) / len(words) > 15 and '"' not in solid:
        return PROFILES["symbols"]
    if joints > 0.33 and '"' not in solid:
        return PROFILES["transliteration"]
    return PROFILES["code" if marks + brackets > 0.05 else "words"]


def cut_texts(texts: list[str], *, profile: Profile) -> list[tuple[str, ...]]:
    """Return the canonical atoms of a few texts, cut as a corpus is; stops are left out."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    starts = ends - np.array([len(text) for text in encoded], np.int64)
    chunk = Chunk(np.frombuffer(b"".join(encoded), np.uint8), starts, ends, "texts")
    interner = Interner()
    ids, _, first = _cut_text(chunk, interner, np.empty((0, 2), np.int64), profile=profile)
    forms = [fold(text, case=profile.folds_case) or text for text in interner.texts()]
    parts = np.split(ids >> 1, first[1:])
    return [tuple(forms[number] for number in part.tolist() if number) for part in parts]
