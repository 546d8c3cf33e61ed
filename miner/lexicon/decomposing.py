"""A glued text to its parts: what is `входтишинажар` made of, and how sure is that?

Every way to cut the text into atoms of the corpus, and into pieces that it does not know, has a
probability: that of its atoms one after the other, as often as the corpus has them and pairs of
them. The best cut is the answer, its share of the probability of all cuts is how sure it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.errors import UsageError
from miner.mining.candidates import Candidates
from miner.text.pretokens import Atoms

LONGEST_TEXT = 400  # characters
LONGEST_ATOM = 48
RIVALS = 3
COMPOUND = 1 / 16
UNKNOWN_SIGN = 5.0  # bits that a character of an unknown piece costs, beside those of a rare atom
PAIRED = 100.0  # occurrences of an atom that weigh as much as all that may follow it by itself; of
# 300 runs of 2 to 4 words of held-back text, glued, .993 (English) and .973 (Russian) came back;
# 10: .987 and .973; no pairs: .973 and .980, but only 254 and 202 of them as sure as .99


@dataclass(frozen=True)
class Cut:
    """A way to cut a text: its parts, which of them the corpus knows, its share of all ways."""

    parts: tuple[str, ...]
    known: tuple[bool, ...]
    certainty: float


@dataclass(frozen=True)
class _Piece:
    """Characters `start` to `end` as one atom; number 0 is a piece that is not known."""

    start: int
    end: int
    number: int
    bits: float  # without what stands before it


@dataclass(frozen=True)
class _Way:
    """A way to the end of a piece, and its cost in bits."""

    bits: float
    piece: _Piece | None
    before: _Way | None


def cut_glued(text: str, atoms: Atoms, candidates: Candidates) -> list[Cut]:
    """Return the best cuts of a text in canonical form without spaces, likeliest first.

    A text that is an atom of the corpus itself is taken apart where a cut into known atoms is
    nearly as likely (`COMPOUND`): of `входтишинажар` that occurs by itself one wants to know the
    parts, of `tears` not `tear` and `s`. UsageError where it is longer than `LONGEST_TEXT`.
    """
    if not text or len(text) > LONGEST_TEXT:
        raise UsageError(f"a text of {len(text):,} characters", cure=f"Give 1 to {LONGEST_TEXT}")
    total = max(int(atoms.table["count"].sum()), 2)
    pieces = _list_pieces(text, atoms.table, total)
    numbers = sorted({piece.number for piece in pieces} - {0})
    counts = dict(zip(numbers, atoms.table["count"].gather([n - 1 for n in numbers]), strict=True))
    pairs = _count_pairs(numbers, candidates)
    found = _find_cuts(text, pieces, counts, pairs)
    if len(found[0].parts) == 1 and found[0].known[0]:
        inner = [piece for piece in pieces if piece.end - piece.start < len(text)]
        parted = _find_cuts(text, inner, counts, pairs) if inner else []
        share = sum(cut.certainty for cut in found if all(cut.known) and len(cut.parts) > 1)
        if parted and all(parted[0].known) and share > COMPOUND * found[0].certainty:
            return parted
    return found


def _find_cuts(
    text: str,
    pieces: Sequence[_Piece],
    counts: Mapping[int, int],
    pairs: Mapping[tuple[int, int], int],
) -> list[Cut]:
    """Return the best cuts of a text into some of these pieces."""
    ways, mass = _walk(text, pieces, counts, pairs)
    paths = [_trace(way) for way in ways]
    return [
        Cut(
            tuple(text[piece.start : piece.end] for piece in path),
            tuple(piece.number > 0 for piece in path),
            min(2.0 ** (mass - way.bits), 1.0),
        )
        for way, path in zip(ways, paths, strict=True)
    ]


def _list_pieces(text: str, table: pl.DataFrame, total: int) -> list[_Piece]:
    """Return every atom that stands in a text, and every piece that might be an unknown one."""
    spans = [
        (start, end)
        for start in range(len(text))
        for end in range(start + 1, min(start + LONGEST_ATOM, len(text)) + 1)
    ]
    spelled = pl.DataFrame({"text": [text[start:end] for start, end in spans]})
    known = table.select("text", "atom", "count").join(spelled.unique(), on="text", how="semi")
    found = spelled.join(known, on="text", how="left", maintain_order="left")
    pieces = []
    for (start, end), atom, count in zip(spans, found["atom"], found["count"], strict=True):
        unknown = math.log2(total) + UNKNOWN_SIGN * (end - start)
        bits = unknown if atom is None else math.log2(total / max(count, 1))
        pieces.append(_Piece(start, end, atom or 0, bits))
    return pieces


def _count_pairs(numbers: Sequence[int], candidates: Candidates) -> dict[tuple[int, int], int]:
    """Return how often two of these atoms stand one after the other, where they are candidates."""
    wanted = np.array(numbers, np.uint32)
    rows = np.flatnonzero((candidates.table["length"] == 2).to_numpy())
    left, right = candidates.keys[rows, 0] >> 1, candidates.keys[rows, 1] >> 1
    both = np.isin(left, wanted) & np.isin(right, wanted)
    counts = candidates.table["count"].to_numpy()[rows[both]]
    found: dict[tuple[int, int], int] = {}
    columns = (left[both].tolist(), right[both].tolist(), counts.tolist())
    for first, second, count in zip(*columns, strict=True):
        found[first, second] = found.get((first, second), 0) + count
    return found


def _walk(
    text: str,
    pieces: Sequence[_Piece],
    counts: Mapping[int, int],
    pairs: Mapping[tuple[int, int], int],
) -> tuple[list[_Way], float]:
    """Return the best ways through a text, and the bits of all ways together.

    From left to right, over pieces by where they end: a way is told by its last piece, for what
    follows depends on nothing else.
    """
    ending: list[list[_Piece]] = [[] for _ in range(len(text) + 1)]
    for piece in pieces:
        ending[piece.end].append(piece)
    reached: list[dict[_Piece, tuple[list[_Way], float]]] = [{} for _ in ending]
    for end, here in enumerate(ending):
        for piece in here:
            reached[end][piece] = _arrive(piece, reached[piece.start], counts, pairs)
    last = list(reached[-1].values())
    ways = sorted((way for found, _ in last for way in found), key=lambda way: way.bits)
    return ways[:RIVALS], _add([mass for _, mass in last])


def _arrive(
    piece: _Piece,
    before: Mapping[_Piece, tuple[list[_Way], float]],
    counts: Mapping[int, int],
    pairs: Mapping[tuple[int, int], int],
) -> tuple[list[_Way], float]:
    """Return the best ways that end in a piece, and the bits of all of them together."""
    if piece.start == 0:
        return [_Way(piece.bits, piece, None)], piece.bits
    ways, masses = [], []
    for earlier, (found, mass) in before.items():
        bits = _weigh(earlier, piece, counts, pairs)
        ways += [_Way(way.bits + bits, piece, way) for way in found]
        masses.append(mass + bits)
    return sorted(ways, key=lambda way: way.bits)[:RIVALS], _add(masses)


def _weigh(
    left: _Piece, right: _Piece, counts: Mapping[int, int], pairs: Mapping[tuple[int, int], int]
) -> float:
    """Return the bits of a piece behind another: as a pair where they are one, as often as alone.

    Witten-Bell in its simplest form: the pair weighs as much as the left atom was seen often.
    """
    seen = counts.get(left.number, 0)
    together = pairs.get((left.number, right.number), 0)
    alone = 2.0**-right.bits
    return -math.log2((together + PAIRED * alone) / (seen + PAIRED))


def _add(bits: Sequence[float]) -> float:
    """Return the bits of probabilities together.

    >>> _add([1.0, 1.0])
    0.0
    """
    least = min(bits)
    return least - math.log2(sum(2.0 ** (least - one) for one in bits))


def _trace(way: _Way) -> list[_Piece]:
    path: list[_Piece] = []
    at: _Way | None = way
    while at is not None and at.piece is not None:
        path.append(at.piece)
        at = at.before
    return path[::-1]
