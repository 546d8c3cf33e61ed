"""Words to their parts: which words of a corpus are other words of it, written as one?

`жартишина` beside `жар` and `тишина`, `Tischlampe`, `bookkeeping`. A word costs some bits by its
letters, told from the letters of all words, and some by its parts, told from how frequent they are
and how few runs are units. Of a compound the parts cost much less; of `car|pet` and `fat|her` they
do not. No list of endings is needed: `-ness` costs little by its letters, and is no word.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit

from miner.mining.candidates import Candidates

SHORTEST_PART = 3  # letters of a word in a compound; at 2 `вы|сказал` and `be|gun` come as well
MOST_PARTS = 8
LONGEST_WORD = 128  # letters
CLOSES = 0.3  # of the average share of clause ends: less, and it is no content word, unless it is
RARE = 3e-4  # of all words, or rarer: `grand`, `само`; 1e-3 brings `пред` and `про`
SURE = 0.5  # how sure it is at least that a word is a compound
# What the share of compounds among words is thought to be before any is seen, and how many words
# that opinion weighs. Novels have: German .11, English and Finnish .03, French .007, Russian .002.
EXPECTED, WEIGHT = 0.03, 100.0
STEPS = 100  # of expectation and maximisation; the share has come to rest after 40
# A part of so many words and more, of which there are more than this share of its own count, is an
# ending or a prefix: `général|ement`, `fácil|mente`, `symbolic|ally`; not `zeit`, `man`.
AFFIX, AFFIXED = 5, 0.5
FUNCTION = 10.0  # bits more for any other word: `through|out` comes, but not `пред|видеть`
EULER = 0.5772  # the harmonic sum of N is ln N + EULER: what ranks after Zipf's law add up to
_u64 = np.uint64


def find_content_words(atoms: pl.DataFrame, candidates: Candidates) -> pl.DataFrame:
    """Return the frequent words, with `content`: rare, or ends clauses nearly as often as others.

    Words such as `the`, `of` and `при` hardly ever stand before a stop.
    """
    single = candidates.table.filter(pl.col("length") == 1)
    closes, counts = single["right_stops"].to_numpy(), single["count"].to_numpy()
    average = closes.sum() / max(counts.sum(), 1)
    words = pl.DataFrame(
        {
            "atom": candidates.keys[single["candidate"].to_numpy(), 0] >> 1,
            "content": (closes >= CLOSES * average * counts) | (counts < RARE * counts.sum()),
        }
    )
    return atoms.filter(pl.col("kind") == "word").join(words, on="atom", how="inner")


def find_compounds(words: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return the words that are others written as one, with their `parts` and how `sure` that is.

    `words`: `text`, `count`, `content`, and columns that are handed on; `runs`: the `token` of
    runs that are units. A part is a word of `SHORTEST_PART` letters and more, or such a run without
    its spaces, which may be all of the word.

    >>> words = pl.DataFrame({"text": ["lamp", "table", "tablelamp", "xylem"]})
    >>> words = words.with_columns(count=pl.Series([9, 8, 3, 3]), content=pl.lit(True))
    >>> find_compounds(words, pl.DataFrame({"token": ["table lamp"]}))["parts"].to_list()
    [['table', 'lamp']]
    """
    words = words.sort("count", descending=True, maintain_order=True)
    able = words.filter(pl.col("text").str.len_chars() >= SHORTEST_PART)
    inner = _list_glued(runs, words)
    content = able["content"].to_numpy()
    ranks = np.maximum(np.cumsum(content), 1)
    single = np.log2(ranks) + np.log2(np.log(max(content.sum(), 1)) + EULER)
    single = np.where(content, single, single + FUNCTION)
    told, spelled = _spell(words["text"]), _spell(able["text"])
    letters = measure_letters(told)
    glued = _file(_spell(inner["text"]), inner["bits"].to_numpy())
    known = pl.concat([inner.drop("bits"), able.select("text", parts=pl.concat_list("text"))])
    known = known.unique("text", keep="first")
    for _ in range(2):
        bits, cuts = np.empty(words.height), np.zeros((words.height, MOST_PARTS), np.int64)
        _cut_words(told, _file(spelled, single), glued, bits, cuts)
        sure = weigh_gains(letters - bits)
        rows = np.flatnonzero(sure >= SURE)
        found = _name_parts(words[rows].with_columns(sure=sure[rows]), cuts[rows], known)
        uses = (
            found.select(pl.col("parts").list.explode().alias("text")).group_by("text").len("uses")
        )
        used = able.join(uses, on="text", how="left", maintain_order="left")["uses"].fill_null(0)
        affix = ((used >= AFFIX) & (used > AFFIXED * able["count"])).to_numpy()
        single = np.where(affix, np.inf, single)
        if not affix.any():
            break
    return found


def weigh_gains(gains: np.ndarray) -> np.ndarray:
    """Return how sure it is that words are compounds: float64 (words,), in [0, 1].

    `gains`: the bits that a word costs less by its parts, -inf where it has none. How common such
    words are in this corpus is learned from all of them (expectation and maximisation).

    >>> weigh_gains(np.array([20.0, 4.0, -np.inf])).round(2).tolist()
    [1.0, 0.42, 0.0]
    """
    odds = 2.0 ** np.clip(gains, -60, 60)
    share = EXPECTED
    for _ in range(STEPS):
        sure = share * odds / (share * odds + 1 - share)
        share = (sure.sum() + EXPECTED * WEIGHT) / (len(gains) + WEIGHT)
    return share * odds / (share * odds + 1 - share)


def _list_glued(runs: pl.DataFrame, words: pl.DataFrame) -> pl.DataFrame:
    """Return the runs of words without their spaces, `text`, their `parts`, and their `bits`.

    Any of them is as likely; a short word that is no content word makes it less so.
    """
    spaced = runs.select(parts=pl.col("token").str.split(" ")).with_row_index("run")
    spaced = spaced.filter(pl.col("parts").list.len() > 1)
    short = (pl.col("text").str.len_chars() < SHORTEST_PART) & ~pl.col("content")
    known = words.select("text", dear=short * FUNCTION)
    told = spaced.explode("parts").join(known, left_on="parts", right_on="text", how="left")
    told = told.group_by("run").agg(
        pl.col("dear").sum(), pl.col("dear").is_not_null().all().alias("all")
    )
    able = spaced.join(told.filter("all"), on="run", how="inner", maintain_order="left")
    bits = np.log2(max(runs.height, 1)) + pl.col("dear")
    glued = able.select(pl.col("parts").list.join("").alias("text"), "parts", bits=bits)
    return glued.unique("text", keep="first", maintain_order=True)


def _name_parts(found: pl.DataFrame, cuts: np.ndarray, known: pl.DataFrame) -> pl.DataFrame:
    """Return the words with their `parts`: what `known` says of each piece.

    `cuts` (words, MOST_PARTS) is where a piece ends, 0 behind the last. A piece that is not known
    had the hash of another one: that word is left out.
    """
    starts = np.concatenate([np.zeros((len(cuts), 1), np.int64), cuts[:, :-1]], axis=1)
    rows = np.repeat(np.arange(len(cuts), dtype=np.uint32), MOST_PARTS)
    ends = pl.Series("end", cuts.ravel())
    pieces = pl.DataFrame({"row": rows, "start": starts.ravel(), "end": ends}).filter(ends > 0)
    told = found.select("text").with_row_index("row")
    pieces = pieces.join(told, on="row", how="left", maintain_order="left")
    texts = pl.col("text").str.slice(pl.col("start"), pl.col("end") - pl.col("start"))
    named = pieces.with_columns(texts).join(known, on="text", how="left", maintain_order="left")
    whole = pl.col("parts").is_not_null().all().alias("whole")
    listed = named.group_by("row").agg(pl.col("parts").list.explode(), whole).filter("whole")
    rows_found = found.with_row_index("row")
    return rows_found.join(listed, on="row", how="inner", maintain_order="left").drop(
        "row", "whole"
    )


class _Words(NamedTuple):
    """Words as code points: word i is `points[starts[i]:starts[i + 1]]`."""

    points: np.ndarray
    starts: np.ndarray


class _Parts(NamedTuple):
    """A hash of the texts of parts, and what each costs in bits."""

    hashes: np.ndarray
    bits: np.ndarray


def _spell(texts: pl.Series) -> _Words:
    """Return the code points of texts."""
    joined = "".join(texts.to_list()).encode("utf-32-le")
    ends = texts.str.len_chars().cast(pl.Int64).cum_sum().to_numpy()
    return _Words(np.frombuffer(joined, np.uint32), np.concatenate([[0], ends]).astype(np.int64))


def measure_letters(words: _Words) -> np.ndarray:
    """Return the bits of each word by its letters: float64 (words,).

    Told from all words but itself, each counting once, by the two letters before: interpolated as
    Witten & Bell (1991) do.
    """
    points, starts = words
    sizes = np.diff(starts)
    letters, numbers = np.unique(points, return_inverse=True)
    size = len(letters) + 2  # 0 stands in front of a word, the largest behind it
    word = np.repeat(np.arange(len(sizes)), sizes)
    told = np.full(len(points) + 3 * len(sizes), size - 1, np.int64)
    told[np.arange(len(points)) + 3 * word + 2] = numbers + 1
    fronts = starts[:-1] + 3 * np.arange(len(sizes))
    told[fronts], told[fronts + 1] = 0, 0
    at = np.delete(np.arange(len(told)), np.concatenate([fronts, fronts + 1]))
    share = np.full(len(at), 1 / (size - 1))
    before = np.zeros(len(at), np.int64)
    for order in range(3):
        before = before if order == 0 else before + told[at - order] * size ** (order - 1)
        share = _interpolate(before, told[at], size ** max(order, 1), share)
    owner = np.repeat(np.arange(len(sizes)), sizes + 1)
    return np.bincount(owner, -np.log2(share), len(sizes))


def _interpolate(
    before: np.ndarray, letter: np.ndarray, size: int, share: np.ndarray
) -> np.ndarray:
    """Return the share of each letter behind what stands before it, itself not counted.

    `share` is that without what stands furthest; `size` is above all numbers of `before`.
    """
    both, pair, counts = np.unique(before + letter * size, return_inverse=True, return_counts=True)
    _, place = np.unique(both % size, return_inverse=True)
    totals, kinds = np.bincount(place, counts), np.bincount(place)
    count = counts[pair] - 1
    total, kind = totals[place][pair] - 1, kinds[place][pair] - (count == 0)
    return np.where(total > 0, (count + kind * share) / np.maximum(total + kind, 1), share)


@njit(nogil=True, cache=True, inline="always")
def _add_letter(hashed: np.uint64, point: np.uint32) -> np.uint64:
    hashed = (hashed ^ _u64(point)) * _u64(0x9E3779B97F4A7C15)
    return hashed ^ (hashed >> _u64(29))


def _file(words: _Words, bits: np.ndarray) -> _Parts:
    """Return a hash of words and their bits."""
    room = 1 << max(4, int(2 * len(bits)).bit_length())
    parts = _Parts(np.zeros(room, np.uint64), np.full(room, np.inf))
    _fill(words, bits, parts)
    return parts


@njit(nogil=True, cache=True)
def _fill(words: _Words, bits: np.ndarray, parts: _Parts) -> None:
    mask = _u64(parts.hashes.shape[0] - 1)
    for word in range(bits.shape[0]):
        hashed = _u64(0)
        for at in range(words.starts[word], words.starts[word + 1]):
            hashed = _add_letter(hashed, words.points[at])
        place = hashed & mask
        while parts.hashes[place] != 0 and parts.hashes[place] != hashed:
            place = (place + _u64(1)) & mask
        parts.hashes[place] = hashed
        parts.bits[place] = min(parts.bits[place], bits[word])


@njit(nogil=True, cache=True, inline="always")
def _look_up(hashed: np.uint64, parts: _Parts) -> float:
    mask = _u64(parts.hashes.shape[0] - 1)
    place = hashed & mask
    while parts.hashes[place] != 0:
        if parts.hashes[place] == hashed:
            return parts.bits[place]
        place = (place + _u64(1)) & mask
    return np.inf


@njit(nogil=True, cache=True)
def _cut_words(
    words: _Words, single: _Parts, joined: _Parts, bits: np.ndarray, cuts: np.ndarray
) -> None:
    """Write the bits of each word by its cheapest parts, and where they end; inf where it has none.

    `single` words are parts of others only, `joined` ones may be all of a word. The cost grows
    with the square of the letters.
    """
    points, starts = words
    best, come = np.empty(LONGEST_WORD + 1), np.empty(LONGEST_WORD + 1, np.int64)
    steps = np.empty(LONGEST_WORD + 1, np.int64)
    for word in range(bits.shape[0]):
        low, size = starts[word], starts[word + 1] - starts[word]
        bits[word] = np.inf
        if size < 2 * SHORTEST_PART or size > LONGEST_WORD:
            continue
        best[: size + 1] = np.inf
        best[0], steps[0] = 0.0, 0
        for start in range(size - SHORTEST_PART + 1):
            if best[start] == np.inf or steps[start] == MOST_PARTS:
                continue
            hashed = _u64(0)
            for end in range(start + 1, size + 1):
                hashed = _add_letter(hashed, points[low + end - 1])
                if end - start < SHORTEST_PART:
                    continue
                cost = _look_up(hashed, joined)
                if start > 0 or end < size:
                    cost = min(cost, _look_up(hashed, single))
                if best[start] + cost < best[end]:
                    best[end] = best[start] + cost
                    come[end], steps[end] = start, steps[start] + 1
        bits[word] = best[size]
        end = size if best[size] < np.inf else 0
        while end > 0:
            cuts[word, steps[end] - 1] = end
            end = come[end]
