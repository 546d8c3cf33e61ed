"""Texts and far too many pieces to a vocabulary: with which pieces do the texts become shortest?

A text is cut into the fewest pieces there are for it, by a dynamic programme; of equal cuts the one
with more frequent pieces is taken, so that few pieces bear all the use. Then the pieces that save
least go (a piece saves what its own text would cost without it, wherever it is used), and all is
cut again, until the wanted number is left. A Unigram model whose scores are these costs, less than
nothing, cuts in the same way, so the result loads wherever such models load.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit

from miner.progress import SILENT, Progress

# Above so many times the wanted number: the share of the pieces that is kept
FAST, SLOW, SLOWEST = (4.0, 0.7), (1.5, 0.85), (0.0, 0.93)
LONGEST = 256  # characters of a piece
EVEN = 1e-6  # of a piece, less for each e times that it is more frequent: it breaks ties only
UNKNOWN = 11  # pieces that are rather taken than a character that is none: Unigram's penalty is 10
_u64 = np.uint64


@dataclass(frozen=True)
class Text:
    """Documents as code points: uint32 (characters,); document d from starts[d] to starts[d+1]."""

    points: np.ndarray
    starts: np.ndarray

    @classmethod
    def join(cls, documents: Sequence[str]) -> Text:
        """Return documents one after another."""
        lengths = np.array([len(document) for document in documents], np.int64)
        points = np.frombuffer("".join(documents).encode("utf-32-le"), np.uint32)
        return cls(points, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


@dataclass(frozen=True)
class Trie:
    """Pieces as a hash: (node, code point) to node; `piece` int32 (nodes,), -1 where none ends."""

    nodes: np.ndarray
    points: np.ndarray
    children: np.ndarray
    piece: np.ndarray


def build_trie(pieces: Text) -> Trie:
    """Return the trie of `pieces`, one a document."""
    size = 1 << max(4, int(2 * len(pieces.points)).bit_length())
    nodes = np.full(size, -1, np.int32)
    points, children = np.zeros(size, np.uint32), np.zeros(size, np.int32)
    piece = np.full(len(pieces.points) + 1, -1, np.int32)
    _fill_trie(pieces.points, pieces.starts, nodes, points, children, piece)
    return Trie(nodes, points, children, piece)


@njit(nogil=True, cache=True, inline="always")
def _place(node: int, point: int, mask: int) -> int:
    mixed = _u64(node) * _u64(0x9E3779B97F4A7C15) ^ _u64(point) * _u64(0xD6E8FEB86659FD93)
    mixed = (mixed ^ (mixed >> _u64(29))) * _u64(0xBF58476D1CE4E5B9)
    return np.int64((mixed ^ (mixed >> _u64(32))) & _u64(mask))  # type: ignore[return-value]


@njit(nogil=True, cache=True)
def _fill_trie(
    text: np.ndarray,
    starts: np.ndarray,
    nodes: np.ndarray,
    points: np.ndarray,
    children: np.ndarray,
    piece: np.ndarray,
) -> None:
    mask = nodes.shape[0] - 1
    used = 1
    for number in range(starts.shape[0] - 1):
        node = 0
        for i in range(starts[number], starts[number + 1]):
            place = _place(node, text[i], mask)
            while nodes[place] >= 0 and (nodes[place] != node or points[place] != text[i]):
                place = (place + 1) & mask
            if nodes[place] < 0:
                nodes[place], points[place], children[place] = node, text[i], used
                used += 1
            node = children[place]
        piece[node] = number


@njit(nogil=True, cache=True, inline="always")
def _step(
    node: int, point: int, nodes: np.ndarray, points: np.ndarray, children: np.ndarray
) -> int:
    """Return the node behind `node`, -1 where no piece goes on so."""
    mask = nodes.shape[0] - 1
    place = _place(node, point, mask)
    while nodes[place] >= 0:
        if nodes[place] == node and points[place] == point:
            return children[place]
        place = (place + 1) & mask
    return -1


@njit(nogil=True, cache=True, inline="always")
def _bytes(point: int) -> int:
    """Return how many bytes a character has, which stand for it where no piece does."""
    return 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)


@njit(nogil=True, cache=True)
def _cut_range(
    text: np.ndarray,
    starts: np.ndarray,
    low: int,
    high: int,
    nodes: np.ndarray,
    points: np.ndarray,
    children: np.ndarray,
    piece: np.ndarray,
    costs: np.ndarray,
    counts: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """Cut documents: add to `counts` (pieces,), write `lengths` (documents,) in tokens."""
    longest = 0
    for document in range(low, high):
        longest = max(longest, starts[document + 1] - starts[document])
    best = np.empty(longest + 1, np.float64)
    back, via = np.empty(longest + 1, np.int32), np.empty(longest + 1, np.int32)
    for document in range(low, high):
        start = starts[document]
        size = starts[document + 1] - start
        best[:] = np.inf
        best[0] = 0
        for i in range(size):
            node = 0
            for j in range(i, size):
                node = _step(node, text[start + j], nodes, points, children)
                if node < 0:
                    break
                if piece[node] >= 0 and best[i] + costs[piece[node]] < best[j + 1]:
                    best[j + 1] = best[i] + costs[piece[node]]
                    back[j + 1], via[j + 1] = i, piece[node]
            if best[i] + UNKNOWN < best[i + 1]:
                best[i + 1], back[i + 1], via[i + 1] = best[i] + UNKNOWN, i, -1
        i = size
        while i > 0:
            if via[i] >= 0:
                counts[via[i]] += 1
                lengths[document] += 1
            else:
                lengths[document] += _bytes(text[start + back[i]])
            i = back[i]


def list_costs(uses: np.ndarray) -> np.ndarray:
    """Return what pieces cost that were used so often: 1, and a little less if often, float64."""
    return 1 - EVEN * np.log1p(uses)


def cut_fewest(
    text: Text, pieces: Text, costs: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cut `text` into the fewest pieces: how often each is used, and tokens of each document.

    Both int64. A character that is no piece costs its bytes. `costs` (pieces,): what each piece
    costs, 1 by default. Of equal cuts the one whose last piece is longer is taken.

    >>> uses, tokens = cut_fewest(Text.join(["abab"]), Text.join(["ab", "a", "b", "aba"]))
    >>> uses.tolist(), tokens.tolist()
    ([2, 0, 0, 0], [2])
    """
    if costs is None:
        costs = np.ones(len(pieces.starts) - 1)
    trie = build_trie(pieces)
    threads = min(os.cpu_count() or 1, 16)
    edges = np.searchsorted(text.starts, np.linspace(0, text.starts[-1], threads + 1))
    edges[0], edges[-1] = 0, len(text.starts) - 1
    lengths = np.zeros(len(text.starts) - 1, np.int64)

    def cut_part(low: int, high: int) -> np.ndarray:
        counts = np.zeros(len(pieces.starts) - 1, np.int64)
        _cut_range(
            text.points,
            text.starts,
            low,
            high,
            trie.nodes,
            trie.points,
            trie.children,
            trie.piece,
            costs,
            counts,
            lengths,
        )
        return counts

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(cut_part, edges[:-1], edges[1:]))
    return np.stack(parts).sum(axis=0), lengths


@njit(nogil=True, cache=True)
def _cost_without(
    text: np.ndarray,
    starts: np.ndarray,
    nodes: np.ndarray,
    points: np.ndarray,
    children: np.ndarray,
    piece: np.ndarray,
    costs: np.ndarray,
    found: np.ndarray,
) -> None:
    best = np.empty(LONGEST + 1, np.float64)
    for number in range(starts.shape[0] - 1):
        start = starts[number]
        size = starts[number + 1] - start
        best[:] = np.inf
        best[0] = 0
        for i in range(size):
            best[i + 1] = min(best[i + 1], best[i] + UNKNOWN)
            node = 0
            for j in range(i, size):
                node = _step(node, text[start + j], nodes, points, children)
                if node < 0:
                    break
                if piece[node] >= 0 and piece[node] != number:
                    best[j + 1] = min(best[j + 1], best[i] + costs[piece[node]])
        found[number] = best[size] if size > 1 else max(_bytes(text[start]), 2)


def cost_without(pieces: Text, costs: np.ndarray | None = None) -> np.ndarray:
    """Return what the other pieces cost that the text of each falls into, float64 (pieces,).

    A single character falls into its bytes, one of ASCII into 2: it is never given up lightly.
    """
    trie = build_trie(pieces)
    found = np.zeros(len(pieces.starts) - 1)
    if costs is None:
        costs = np.ones_like(found)
    _cost_without(
        pieces.points,
        pieces.starts,
        trie.nodes,
        trie.points,
        trie.children,
        trie.piece,
        costs,
        found,
    )
    return found


def prune_pieces(
    text: Text, pieces: Sequence[str], size: int, *, progress: Progress = SILENT
) -> tuple[list[str], np.ndarray]:
    """Return the `size` pieces that make `text` shortest, and how often each is used, most first.

    ValueError where a piece is empty or longer than `LONGEST`.
    """
    if any(not 0 < len(piece) <= LONGEST for piece in pieces):
        raise ValueError(f"a piece has 1 to {LONGEST} characters")
    left = np.array(sorted(set(pieces)), dtype=object)
    costs = np.ones(len(left))
    while True:
        joined = Text.join(left.tolist())
        uses, _ = cut_fewest(text, joined, costs)
        progress.note(f"{len(left):,} pieces left")
        if len(left) <= size:
            break
        share = next(share for above, share in (FAST, SLOW, SLOWEST) if len(left) > above * size)
        costs = list_costs(uses)
        saved = uses * (cost_without(joined, costs) - costs)
        order = np.argsort(-saved, kind="stable")[: max(size, int(len(left) * share))]
        kept = np.sort(order)
        left, costs = left[kept], costs[kept]
    order = np.argsort(-uses, kind="stable")
    return left[order].tolist(), uses[order]
