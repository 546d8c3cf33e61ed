"""Any texts cut as a corpus was: which keys, and which bytes does each stand for?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import polars as pl
import regex
from numba import njit

from miner.corpus import Chunk
from miner.text import pretokenization as kernel
from miner.text.abbreviations import join_periods, list_dots
from miner.text.patterns import list_patterns
from miner.text.pretokens import Atoms, Interner, cut_text, find_spans
from miner.text.profiles import MAY_BE_CASED, Profile, fold, is_cased

SHORT = 4_096  # bytes of what is no corpus but a text or two
AT_HAND = 1 << 16  # exact texts of atoms of which the number is at hand


@dataclass(frozen=True)
class Recut:
    """Some texts cut again.

    Text i is the bytes `text[edges[i]:edges[i + 1]]` but for the line end behind it, and has the
    keys `keys[first[i]:first[i + 1]]`, a stop at their end. `raw` are the same keys in numbers of
    their own, of which `interner` has the exact texts; `keys` may be in those of a corpus.
    """

    text: np.ndarray
    edges: np.ndarray
    raw: np.ndarray
    keys: np.ndarray
    first: np.ndarray
    interner: Interner

    @cached_property
    def forms(self) -> list[str]:
        """The exact text of each number; that of 0 is empty."""
        return self.interner.texts()

    def list_forms(self, text: int) -> list[str]:
        """Return the atoms of one text as they came, without the stops."""
        keys = self.raw[self.first[text] : self.first[text + 1]]
        return [self.forms[key >> 1] for key in keys.tolist() if key]

    def list_keys(self, text: int) -> list[int]:
        """Return the keys of one text without the stops."""
        return [key for key in self.keys[self.first[text] : self.first[text + 1]].tolist() if key]

    def spans(self) -> np.ndarray:
        """Return the bytes of each key in `text`: int64 (keys, 2).

        A stop has none: it starts and ends where the atom before it ends. ValueError where an atom
        is not in its text, as in one that was not cut from it.
        """
        spans = np.empty((len(self.raw), 2), np.int64)
        pool, offsets = self.interner.pool, self.interner.offsets
        if not _find_atoms(self.text, self.edges, self.first, self.raw, pool, offsets, spans):
            raise ValueError("an atom is not in its document")
        return spans

    def give_numbers(self, numbers: Iterable[int]) -> Recut:
        """Return the same with `keys` in other numbers: one for each of `forms` but the first."""
        keys = self.raw.copy()
        kernel.renumber(keys, np.array([0, *numbers], np.uint32))
        other = replace(self, keys=keys)
        vars(other)["forms"] = self.forms  # they are the same, and read once
        return other


def recut_texts(
    texts: Sequence[str],
    profile: Profile,
    patterns: Mapping[str, str],
    abbreviations: Collection[str] = (),
) -> Recut:
    """Return texts cut as a corpus of that profile is, with its patterns and abbreviations.

    >>> from miner.text.profiles import PROFILES
    >>> cut = recut_texts(["We met, again"], PROFILES["words"], {})
    >>> [bytes(cut.text[start:end]).decode() for start, end in cut.spans() if end > start]
    ['We', 'met', 'again']
    """
    encoded = [text.encode() for text in texts]
    edges = np.cumsum([0, *(len(text) + 1 for text in encoded)], dtype=np.int64)
    joined = np.frombuffer(b"\n".join([*encoded, b""]), np.uint8)
    chunk = Chunk(joined, edges[:-1].copy(), edges[1:] - 1, "texts")
    return recut_chunk(chunk, profile, patterns, abbreviations)


def recut_chunk(
    chunk: Chunk, profile: Profile, patterns: Mapping[str, str], abbreviations: Collection[str] = ()
) -> Recut:
    """Return the documents of a chunk, one right behind the other, cut again."""
    interner = Interner.small() if len(chunk.buffer) < SHORT else Interner()
    spans = find_spans(chunk, list_patterns(patterns))
    keys, flags, first = cut_text(chunk, interner, spans, profile=profile)
    first = np.append(first, len(keys))
    if abbreviations:
        keys = _join_periods(keys, flags, first, interner, profile, abbreviations)
    edges = np.append(chunk.starts, len(chunk.buffer))
    return Recut(chunk.buffer, edges, keys, keys, first, interner)


def _join_periods(
    keys: np.ndarray,
    flags: np.ndarray,
    first: np.ndarray,
    interner: Interner,
    profile: Profile,
    abbreviations: Collection[str],
) -> np.ndarray:
    """Return the keys in which abbreviations have their periods; `first` changes with them."""
    before = np.unique(keys[list_dots(keys, flags) - 1] >> 1)
    forms = zip(before.tolist(), interner.column(before), strict=True)
    found = {number: form for number, form in forms if profile.spell(form) in abbreviations}
    if not found:
        return keys
    dotted = np.zeros(interner.types + 1, np.uint32)
    dotted[list(found)] = interner.add_texts(f"{form}." for form in found.values())
    return keys[: join_periods(keys, flags, first, dotted)]


def normalize(text: str, profile: Profile) -> str:
    """Return the canonical form of a text: the identity of a unit.

    >>> from miner.text.profiles import PROFILES
    >>> normalize("При  Δ41 Жар ", PROFILES["words"])
    'при Δ41 жар'
    """
    if not profile.folds_case or not regex.search(MAY_BE_CASED, text):
        return profile.fold(text)
    cut = recut_texts([text], profile, {})
    parts, done = [], 0
    for number, start, end in np.column_stack([cut.raw >> 1, cut.spans()]).tolist():
        if number and is_cased(cut.forms[number]):
            between = cut.text[done:start].tobytes().decode()
            parts += [fold(between, case=True, trim=False), profile.spell(cut.forms[number])]
            done = end
    parts.append(fold(cut.text[done:].tobytes().decode(), case=True, trim=False))
    return " ".join("".join(parts).split())


def list_forms(
    texts: Sequence[str], profile: Profile, abbreviations: Collection[str] = ()
) -> list[tuple[str, ...]]:
    """Return the canonical atoms of a few texts, cut as a corpus is; stops are left out."""
    cut = recut_texts(texts, profile, {}, abbreviations)
    forms = [profile.spell(form) for form in cut.forms]
    return [
        tuple(forms[key >> 1] for key in cut.keys[start:end].tolist() if key)
        for start, end in pairwise(cut.first.tolist())
    ]


@dataclass(frozen=True)
class Cutter:
    """Cuts any text into the keys of a corpus; an atom that it does not have is one past all."""

    profile: Profile
    patterns: Mapping[str, str]
    table: pl.DataFrame
    abbreviations: Collection[str] = ()

    @classmethod
    def of(cls, atoms: Atoms, patterns: Mapping[str, str]) -> Cutter:
        """Return the cutter of a corpus."""
        return cls(atoms.profile, patterns, atoms.table, atoms.abbreviations)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each atom by its canonical text."""
        return dict(zip(self.table["text"], self.table["atom"], strict=True))

    def cut(self, texts: Sequence[str]) -> Recut:
        """Return texts cut again, with the keys of the corpus."""
        cut = recut_texts(texts, self.profile, self.patterns, self.abbreviations)
        return cut.give_numbers(map(self._find, cut.forms[1:]))

    @cached_property
    def _find(self) -> Callable[[str], int]:
        """The number of an atom by its exact text; what was asked often is at hand."""
        numbers, spell, unknown = self.numbers, self.profile.spell, self.table.height + 1
        return lru_cache(AT_HAND)(lambda form: numbers.get(spell(form), unknown))


@njit(nogil=True, cache=True)
def _find_atoms(
    text: np.ndarray,
    edges: np.ndarray,
    first: np.ndarray,
    keys: np.ndarray,
    pool: np.ndarray,
    offsets: np.ndarray,
    spans: np.ndarray,
) -> bool:
    """Find each atom behind the one before in its text; what lies between holds none."""
    for i in range(edges.shape[0] - 1):
        place = edges[i]
        for k in range(first[i], first[i + 1]):
            start, stop = offsets[keys[k] >> 1], offsets[(keys[k] >> 1) + 1]
            if keys[k] == 0:
                start = stop
            size, same = stop - start, 0
            while same < size:
                if place + size > edges[i + 1]:
                    return False
                same = 0
                while same < size and text[place + same] == pool[start + same]:
                    same += 1
                place += same < size
            spans[k, 0], spans[k, 1] = place, place + size
            place += size
    return True
