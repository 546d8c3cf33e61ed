"""Candidates of code, records, molecules and tensors: which runs does no reader take for one thing?

A run is torn that closes a bracket which it does not open, that begins with the mark that ends what
is before it, that has one end of a quoted text and something on both sides of it, that leaves a
branch or a ring of a molecule open, or that cuts through an element of a tensor. It holds a value
where one of its numbers is one of many in that place, as in a record of a log.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numba import njit

from miner.mining.candidates import Candidates
from miner.mining.segmentation import count_aligned
from miner.text.pretokens import Atoms

BRACKETS = ("()", "[]", "{}")
SEPARATORS = (",", ";", ":", ".", "!", "?")  # that end what stands before them
MOST_NAMES = 2  # before a bracket that opens behind a space: `else if (`
HEXADECIMAL = "^(?i)[0-9a-f]{4,}$"
CONSTANT = 0.2  # of the places around a number hold it, or it is a value
BONDS = ("-", "=", "#", "$", ":", "/", "\\", "(")  # what nothing in a molecule ends with


def find_torn(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs are torn: bool (rows,); none but in code, molecules and tensor data."""
    if atoms.profile.name == "code":
        ways = (_find_open_brackets, _find_open_tags, _find_open_quotes, _find_late_starts)
        return np.logical_or.reduce([way(candidates, atoms) for way in ways])
    if atoms.profile.name == "molecules":
        return _find_open_branches(candidates, atoms) | _find_open_rings(candidates, atoms)
    if len(atoms.widths):
        return _find_cut_elements(candidates, atoms)
    return np.zeros(len(candidates.keys), bool)


def _find_cut_elements(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs of bytes mostly start or end inside an element of a tensor.

    In a row of one byte only, zeros say, all places overlap: it must stand on bounds at all.
    """
    several = candidates.parent >= 0
    aligned = count_aligned(atoms.mined, candidates, several, atoms.widths)
    alike = several.copy()
    first = candidates.keys[:, 0] >> 1
    for here in _columns(candidates):
        alike &= (here == first) | (here == 0)
    mostly = 2 * aligned > candidates.table["count"].to_numpy()
    return several & ~mostly & ~(alike & (aligned > 0))


def _find_open_brackets(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs close what they do not open, or open it behind a phrase that is apart.

    `} else {`, `); }`, `print(` and `for (` are whole; `string) string {`, `]: session opened` and
    `<bob> (` are not.
    """
    openings, closings = ([_mark(atoms, pair[side]) for pair in BRACKETS] for side in (0, 1))
    opens, closes = np.logical_or.reduce(openings), np.logical_or.reduce(closings)
    marks = _number(atoms, pl.col("kind") == "punctuation").astype(bool) & ~opens
    named = _find_names(atoms)
    torn, behind = np.zeros((2, len(candidates.keys)), bool)
    depths = np.zeros((len(BRACKETS), len(torn)), np.int8)
    leading = np.ones(len(torn), bool)
    for here in _columns(candidates):
        leading &= marks[here]
        behind |= leading & closes[here]  # a bracket that it did not open
        for depth, opening, closing in zip(depths, openings, closings, strict=True):
            depth += opening[here]
            depth -= closing[here] & ~leading
            torn |= depth < 0
    names = named[candidates.keys >> 1].sum(axis=1)
    size = candidates.table["length"].to_numpy().astype(np.int64)
    last = candidates.keys[np.arange(len(torn)), size - 1]
    ends = opens[last >> 1] & (size > 1)
    torn |= behind & (names > 0) & ~(ends & (names <= MOST_NAMES))
    only = (names == size - 1) & (names <= MOST_NAMES)
    apart = ends & ~behind & (last & 1 == 1) & ~_mark(atoms, "{")[last >> 1]
    return torn | (apart & ~only)


def _find_open_tags(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs end a tag that they do not begin: `bob> said`, `b>bold</b>`.

    `>` ends one right behind a word or a quote, not in `x > 1` and `p->x`; what stands before a run
    is told by its first place.
    """
    opening, closing = _mark(atoms, "<"), _mark(atoms, ">")
    held = _find_names(atoms) | _mark(atoms, '"', "'")
    places = candidates.table["place"].to_numpy()
    first, before = atoms.mined.ids[places], atoms.mined.ids[places - 1]
    torn = (candidates.parent >= 0) & closing[first >> 1] & held[before >> 1] & (first & 1 == 0)
    depth = np.zeros(len(torn), np.int8)
    before = np.zeros(len(torn), candidates.keys.dtype)
    for key in candidates.keys.T:
        depth += opening[key >> 1]
        depth -= closing[key >> 1] & held[before >> 1] & (key & 1 == 0)
        torn |= depth < 0
        before = key
    return torn


def _find_names(atoms: Atoms) -> np.ndarray:
    """Say which atoms are more than a mark: bool (atoms + 1,), indexed by atom."""
    return _number(atoms, ~pl.col("kind").is_in(["punctuation", "symbol"])).astype(bool)


def _find_late_starts(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs begin with a mark that ends what is before, and go on apart: `, and`, `: x`.

    It may be part of a run that starts before it, or of one of marks only.
    """
    ends = _mark(atoms, *SEPARATORS)
    named, keys = _find_names(atoms), candidates.keys
    return ends[keys[:, 0] >> 1] & (keys[:, 1] & 1 == 1) & named[keys >> 1].any(axis=1)


def _find_open_quotes(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs have one end of a quoted text inside: `version": "1.0",` and `1.1" 200`.

    Whether a run starts within quotes is told by the first place where it stands.
    """
    quotes = _number(atoms, pl.col("surface").str.count_matches('"', literal=True)) % 2 == 1
    places = candidates.table["place"].to_numpy()
    order = np.argsort(places)
    inside = np.zeros(len(places), bool)
    inside[order] = _follow_quotes(atoms.mined.ids, quotes, places[order])
    lengths = candidates.table["length"].to_numpy().astype(np.int8)
    first, last = np.full((2, len(places)), -1, np.int8)
    closes = inside.copy()
    for place, here in enumerate(_columns(candidates)):
        last[quotes[here]] = place
        first[quotes[here] & (first < 0)] = place
        inside ^= quotes[here]
    opens = inside & (last > 0) & (last < lengths - 1)
    return opens | (closes & (first > 0) & (first < lengths - 1))


@njit(nogil=True, cache=True)
def _follow_quotes(ids: np.ndarray, quotes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Say of each of the sorted `places` of a stream whether it is within quotes: bool (places,).

    No quoted text goes past a stop: the end of a line, or white space that is more than a blank.
    """
    found = np.zeros(places.shape[0], np.bool_)
    inside, at = False, 0
    for place in range(ids.shape[0]):
        while at < places.shape[0] and places[at] == place:
            found[at] = inside
            at += 1
        atom = ids[place] >> 1
        inside = atom != 0 and inside != quotes[atom]
    return found


def _find_open_branches(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs of a molecule leave a branch open, or end with a bond to nothing."""
    opening, closing, bonds = _mark(atoms, "("), _mark(atoms, ")"), _mark(atoms, *BONDS)
    depth = np.zeros(len(candidates.keys), np.int8)
    torn, hanging = np.zeros(len(depth), bool), np.zeros(len(depth), bool)
    for here in _columns(candidates):
        depth += opening[here]
        depth -= closing[here]
        torn |= depth < 0
        hanging = np.where(here > 0, bonds[here], hanging)
    return torn | (depth > 0) | hanging


def _find_open_rings(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs of a molecule have a ring bond without its other end, or start with one."""
    number = pl.col("surface").str.extract(r"^%?(\d+)$").cast(pl.Int64)
    rings = _number(atoms, number.fill_null(-1) + 1)  # 0: no ring bond
    bits = np.where(rings > 0, np.uint64(1) << ((rings - 1) % 64).astype(np.uint64), np.uint64(0))
    odd = np.zeros(len(candidates.keys), np.uint64)
    for here in _columns(candidates):
        odd ^= bits[here]
    return (odd != 0) | (bits[candidates.keys[:, 0] >> 1] != 0)


def find_glue(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs of code are marks only, `",` or `});`: bool (rows,)."""
    if atoms.profile.name != "code":
        return np.zeros(len(candidates.keys), bool)
    named = _number(atoms, pl.col("kind") != "punctuation").astype(bool)
    return ~named[candidates.keys >> 1].any(axis=1)


def find_values(candidates: Candidates, atoms: Atoms) -> np.ndarray:
    """Say which runs of code hold a value: bool (rows,).

    `"total":1895` does where `"total":` is followed by it in fewer than `CONSTANT` of its places;
    `Gecko/20100101` does not. A number is judged by the atoms up to the next number on either
    side, and by the side that tells more.
    """
    if atoms.profile.name != "code":
        return np.zeros(len(candidates.keys), bool)
    digits = pl.col("surface").str.contains(HEXADECIMAL) & pl.col("surface").str.contains(r"\d")
    numbers = _number(atoms, (pl.col("kind") == "number") | digits).astype(bool)
    holds = numbers[candidates.keys >> 1].any(axis=1)
    rows = np.flatnonzero(holds)
    before, after = _measure_contexts(candidates, rows)
    here = numbers[candidates.keys[rows] >> 1]
    holds[rows] = (here & (np.maximum(before, after) < CONSTANT)).any(axis=1)
    return holds & (candidates.parent >= 0)


def _measure_contexts(candidates: Candidates, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how surely each number of `rows` is foretold from the left, and from the right.

    `rows` are all runs with a number. Both float32 (rows, longest): the share of the places of a
    number's context that hold it; of atoms that are no numbers it means nothing.
    """
    counts = candidates.table["count"].to_numpy()
    lengths = candidates.table["length"].to_numpy()[rows].astype(np.int64)
    parent, suffix = candidates.parent[rows], candidates.suffix[rows]
    place = np.full(len(counts) + 1, len(rows))  # the last row of the tables holds zeros
    place[rows] = np.arange(len(rows))
    before, after = np.zeros((2, len(rows) + 1, candidates.keys.shape[1]), np.float32)
    above, below = place[parent], place[suffix]
    for length in range(2, int(lengths.max(initial=0)) + 1):
        here = np.flatnonzero(lengths == length)
        up, down = above[here], below[here]
        before[here, : length - 1] = before[up, : length - 1]
        after[here, 1:length] = after[down, : length - 1]
        share = counts[rows[here]] / counts[parent[here]]
        before[here, length - 1] = np.where(up < len(rows), before[down, length - 2], share)
        share = counts[rows[here]] / counts[suffix[here]]
        after[here, 0] = np.where(down < len(rows), after[up, 0], share)
    return before[:-1], after[:-1]


def _columns(candidates: Candidates) -> list[np.ndarray]:
    """Return the atoms of all runs, place by place; 0 behind the end of a run."""
    return list((candidates.keys >> 1).T)


def _mark(atoms: Atoms, *texts: str) -> np.ndarray:
    """Say which atoms have one of these texts: bool (atoms + 1,), indexed by atom."""
    return _number(atoms, pl.col("surface").is_in(texts)).astype(bool)


def _number(atoms: Atoms, measure: pl.Expr) -> np.ndarray:
    """Return a measure of every atom: int64 (atoms + 1,), 0 for the stop."""
    values = atoms.table.select(measure.cast(pl.Int64)).to_series().to_numpy()
    return np.concatenate([np.zeros(1, np.int64), values])
