"""Bids to verdicts: which runs become units, and why not the others?

Candidates compete for the text. A run that lives inside a longer unit yields to it, the corpus is
cut by the units that are left, what no longer owns `min_count` places goes, and the text is cut
again until nothing changes. Every candidate ends with a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import NormalDist
from typing import Literal

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.segmentation import count_pieces, cut_stream
from miner.mining.unithood import LEAST_SCORE
from miner.text.pretokens import Stream

Objective = Literal["meaning", "terms", "phrases", "compression"]

# So many runs may pass the test of chance by chance, of all that are tried; of fewer than `FEW` it
# asks p = .001. Of 123 wrong units of a made-up language 23 go where 19.5 is asked, not 10.83, and
# 38 where 24 is, and no right one.
BY_CHANCE, FEW = 1.0, 1_000
SWALLOWED = 0.8  # a run with this share inside a longer unit is a part of it
NEARLY = 0.05  # a longer run whose bid is so much lower is as good as its part,
ALLOWED = 0.1  # and one so much lower where the part stands nowhere else, so often at least:
ALWAYS = 8
# A longer run with a share of its part's places outbids it there, though its bid be so much lower,
# if enough are left to the part: of 240 hyperlexemes of a made-up language 230 are found, with 0.1
# but 194 (benchmarks/sensitivity.py).
SHARED, LESS = 0.05, 0.5
WANTED = 1.0  # the bid of what people accepted, which yields to what is nearly as good alone
STEEPNESS = 30.0  # in a cut for meaning one better unit outweighs several worse ones
CROWD = 1.5  # so many times the budget competes for the text
ROUNDS = (0.25, 0.5, 0.75, 1.0)  # of min_count that a unit must own, round by round
PRUNED = 0.75  # of the units go on to the next round of compression


class Verdict(StrEnum):
    """Why a candidate is a unit, or is not."""

    KEPT = "kept"
    CHANCE = "chance"  # its parts meet no more often than chance has it
    TORN = "torn"  # it cuts through brackets, quotes, a ring or an element, or begins with an end
    VALUE = "value"  # it holds a number that is one of many in its place
    WEAK = "weak"  # other runs look much more like units
    FRAGMENT = "fragment"  # most of its places lie inside one longer unit
    OUTBID = "outbid"  # better units own its places
    BUDGET = "budget"  # good enough, but beyond --vocab-size
    CHANGES = "changes"  # encoding and decoding does not give its canonical form back
    DUPLICATE = "duplicate"  # a better unit has the same canonical form
    REBUILD = "rebuild"  # the merges do not rebuild it
    INSIDE = "inside"  # it would match inside a word or cut a grapheme
    REJECTED = "rejected"  # the user said so


SETTLED: dict[str, pl.DataType] = {
    "candidate": pl.UInt32(),
    "verdict": pl.String(),
    "unit_count": pl.Int64(),
    "rival": pl.UInt32(),
    "score": pl.Float64(),
    "bid": pl.Float64(),
    "value": pl.Float64(),
}


@dataclass(frozen=True)
class _Settled:
    """What became of each candidate, row i of candidate i.

    `verdict` is an index into `VERDICTS`, `count` how often it owns its place, `rival` who won
    instead or -1, `worth` the score, `bid` what it competed with, `value` what it is worth in a
    cut, 0 if it is no unit.
    """

    verdict: np.ndarray
    count: np.ndarray
    rival: np.ndarray
    worth: np.ndarray
    bid: np.ndarray
    value: np.ndarray

    def tabulate(self) -> pl.DataFrame:
        """Return a row for each candidate, in `SETTLED`."""
        names = np.array([str(verdict) for verdict in VERDICTS])
        rival = pl.Series(self.rival)
        return pl.DataFrame(
            {
                "candidate": np.arange(len(self.verdict), dtype=np.uint32),
                "verdict": names[self.verdict],
                "unit_count": self.count,
                "rival": rival.set(rival < 0, None),
                "score": self.worth,
                "bid": self.bid,
                "value": self.value,
            },
            schema=SETTLED,
        )


VERDICTS = list(Verdict)
_CODE = {verdict: code for code, verdict in enumerate(VERDICTS)}


def surpass_chance(runs: int) -> float:
    """Return the log-likelihood that hardly one of so many runs reaches by chance.

    Chi-square of one degree of freedom, shared out over all runs that are tried (Bonferroni).

    >>> [round(surpass_chance(runs), 2) for runs in (0, 1_000, 100_000)]
    [10.83, 10.83, 19.51]
    """
    return NormalDist().inv_cdf(1 - BY_CHANCE / max(runs, FEW) / 2) ** 2


def settle_runs(
    stream: Stream,
    candidates: Candidates,
    judged: pl.DataFrame,
    *,
    objective: Objective,
    budget: int,
    min_count: int,
    unsound: Mapping[Verdict, np.ndarray] | None = None,
    glue: np.ndarray | None = None,
    accepted: np.ndarray | None = None,
    rejected: np.ndarray | None = None,
) -> pl.DataFrame:
    """Let the runs of `judged` compete for the text, for at most `budget` units.

    `judged`: `candidate`, `score`, `bid` and `log_likelihood`. `unsound`: bool (candidates,) under
    the verdict that those get which do not compete for meaning; what only saves tokens may be
    torn. `glue`, bool (candidates,), comes last. Returns a row for each candidate, in `SETTLED`.

    `accepted` and `rejected`, numbers of candidates: what people want, which competes as the best
    there is, and what they do not want, which does not compete. An objective of compression counts
    what is saved and heeds the second only.
    """
    sure = surpass_chance(judged.height)
    worth, bids = np.zeros((2, candidates.table.height))
    worth[judged["candidate"].to_numpy()] = judged["score"].to_numpy()
    bids[judged["candidate"].to_numpy()] = judged["bid"].to_numpy()
    if glue is not None:
        lowest = bids[worth >= LEAST_SCORE].min(initial=1.0)
        worth[glue] = np.minimum(worth[glue], LEAST_SCORE)
        bids[glue] = np.minimum(bids[glue], lowest)
    verdict = np.full(candidates.table.height, _CODE[Verdict.WEAK], np.int8)
    if rejected is not None:
        out = pl.Series(rejected, dtype=pl.UInt32).implode()
        judged = judged.filter(~pl.col("candidate").is_in(out))
    rows = judged["candidate"].to_numpy().astype(np.int64)
    chance = judged["log_likelihood"].to_numpy() < sure
    verdict[rows[chance]] = _CODE[Verdict.CHANCE]
    if objective == "compression":
        worth[rows] = judged["score"].to_numpy()
        settled = _settle_for_savings(stream, candidates, worth, verdict, rows, budget=budget)
        return settled.tabulate()
    able = rows[~chance & (judged["score"].to_numpy() >= LEAST_SCORE)]
    for why, found in (unsound or {}).items():
        verdict[rows[found[rows]]] = _CODE[why]
        able = able[~found[able]]
    if accepted is not None:
        able = np.union1d(able, accepted)
        bids[accepted] = WANTED
    settled = _settle_for_meaning(
        stream, candidates, bids, verdict, able, budget=budget, min_count=min_count
    )
    return replace(settled, worth=worth).tabulate()


def _settle_for_meaning(
    stream: Stream,
    candidates: Candidates,
    worth: np.ndarray,
    verdict: np.ndarray,
    able: np.ndarray,
    *,
    budget: int,
    min_count: int,
) -> _Settled:
    """Best units first: the cut in which the best-scored unit of an overlap owns its place."""
    lengths = candidates.table["length"].to_numpy()
    units = np.zeros(len(worth), bool)
    units[able] = True
    verdict[able] = _CODE[Verdict.BUDGET]
    rival = np.full(len(worth), -1, np.int64)
    for again in (True, False):  # what yielded to a run that is not kept comes back, once
        yields, winner = find_yielding(candidates, worth, units)
        rival = np.where(yields, winner, rival)
        verdict[yields] = _CODE[Verdict.FRAGMENT]
        verdict[yields & (lengths[winner] < lengths)] = _CODE[Verdict.OUTBID]
        units &= ~yields
        units = _take_best(units, worth, int(budget * CROWD))
        units, outbid = _settle_rounds(stream, candidates, worth, units, min_count=min_count)
        verdict[outbid] = _CODE[Verdict.OUTBID]
        if again:
            units |= yields & ~units[winner]
    good = units
    units = _take_best(units, worth, budget)
    verdict[good & ~units] = _CODE[Verdict.BUDGET]
    bid = raise_bids(candidates, worth, units, min_count=min_count)
    values = _values(candidates, bid, units)
    count = cut_stream(stream, candidates, values)
    verdict[units] = _CODE[Verdict.KEPT]
    return _Settled(verdict, count, rival, worth, worth, values)


def _settle_rounds(
    stream: Stream, candidates: Candidates, worth: np.ndarray, units: np.ndarray, *, min_count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the text again and again; return the units that own `min_count` places, and the rest."""
    bid = raise_bids(candidates, worth, units, min_count=min_count)
    outbid = np.zeros(len(worth), bool)
    for share in ROUNDS:
        values = _values(candidates, bid, units)
        poor = units & (cut_stream(stream, candidates, values) < share * min_count)
        outbid |= poor
        units = units & ~poor
    return units, outbid


def _values(candidates: Candidates, bid: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return what each unit is worth in a cut: the better, and the more text it joins, the more."""
    joints = candidates.table["length"].to_numpy() - 1.0
    return np.where(units, joints * np.exp(STEEPNESS * bid), 0.0)


def raise_bids(
    candidates: Candidates, worth: np.ndarray, units: np.ndarray, *, min_count: int
) -> np.ndarray:
    """Return what each unit bids for its places: its worth, or just more than a part it contains.

    A longer unit outbids its part where it holds some of the part's places (`SHARED`) and is not
    very much worse (`LESS`): `labor force participation` against `labor force`. Longer ones may
    take the part's places, the best of them first, while `min_count` are left to it; behind that
    only those that are nearly as good.
    """
    counts = candidates.table["count"].to_numpy()
    nobody = np.zeros(len(counts), bool)
    _, part = _raise_above(candidates, worth, units, nobody, np.zeros(len(counts)), less=NEARLY)
    near = part >= 0
    room = counts - min_count - np.bincount(part[near], counts[near], len(counts))
    return _raise_above(candidates, worth, units, near, room, less=LESS)[0]


def _raise_above(
    candidates: Candidates,
    worth: np.ndarray,
    units: np.ndarray,
    near: np.ndarray,
    room: np.ndarray,
    *,
    less: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what units bid, and the part that each of them outbids, -1 for none.

    Those that bid at most `NEARLY` less than a part outbid it; so do others, up to `less`, in the
    places that there is `room` for, which shrinks. `near` have their places already.
    """
    counts = candidates.table["count"].to_numpy()
    lengths = candidates.table["length"].to_numpy()
    bid = np.where(units, worth, 0.0)
    highest = np.where(units, np.arange(len(counts)), -1)  # the unit in a run that bids most
    outbid = np.full(len(counts), -1, np.int64)
    for length in range(3, int(lengths.max(initial=0)) + 1):
        rows = np.flatnonzero(lengths == length)
        for side in (candidates.parent, candidates.suffix):
            part = highest[side[rows]]
            share = np.where(part >= 0, counts[rows] / counts[part], 0.0)
            offer = np.where(share >= SHARED, bid[part], -1.0)
            able = units[rows] & (share >= SHARED) & (worth[rows] >= offer - less)
            poorer = able & ~near[rows] & (worth[rows] < offer - NEARLY) & (bid[rows] <= offer)
            able &= ~(poorer & (offer >= WANTED))
            asks = np.flatnonzero(poorer & able)
            able[asks] = _give_room(part[asks], worth[rows[asks]], counts[rows[asks]], room)
            bid[rows] = np.where(able, np.maximum(bid[rows], offer + 1e-6), bid[rows])
            outbid[rows] = np.where(able, part, outbid[rows])
            mine = np.where(highest[rows] >= 0, bid[highest[rows]], -1.0)
            highest[rows] = np.where(offer > mine, part, highest[rows])
    return bid, outbid


def _give_room(
    part: np.ndarray, worth: np.ndarray, counts: np.ndarray, room: np.ndarray
) -> np.ndarray:
    """Say who gets places of its part, the best first: bool (rows,); its `room` shrinks."""
    order = np.lexsort((-worth, part))
    owner, size = part[order], counts[order]
    before = np.cumsum(size) - size
    asked = before - before[np.searchsorted(owner, owner, "left")] + size
    given = np.zeros(len(part), bool)
    given[order] = asked <= room[owner]
    np.subtract.at(room, part[given], counts[given])
    return given


def find_yielding(
    candidates: Candidates, worth: np.ndarray, units: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mark the units that share nearly all places with a nested one and yield to it.

    Of two nested units with `SWALLOWED` of the shorter one's places in common only one stays: the
    longer if it is nearly as good (`in order to` over `in order`), else the shorter (`united
    states` over `the united states`). Returns bool (rows,) and the row each of them yields to.
    """
    outbid, better = _find_outbid(candidates, worth, units)
    swallowed, holder = _find_swallowed(candidates, units & ~outbid)
    return outbid | swallowed, np.where(outbid, better, np.where(swallowed, holder, -1))


def _find_outbid(
    candidates: Candidates, worth: np.ndarray, units: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mark the units that contain a much better one in nearly all its places; return which."""
    counts = candidates.table["count"].to_numpy()
    lengths = candidates.table["length"].to_numpy()
    champion = np.full(len(counts), -1, np.int64)  # the best unit so far that a run stands for
    outbid = np.zeros(len(counts), bool)
    better = np.full(len(counts), -1, np.int64)
    for length in range(2, int(lengths.max(initial=0)) + 1):
        rows = np.flatnonzero(lengths == length)
        best, highest = np.full(len(rows), -1), np.full(len(rows), -1.0)
        for side in (candidates.parent, candidates.suffix):
            part = champion[side[rows]]
            near = (part >= 0) & (counts[rows] >= SWALLOWED * counts[part])
            always = (counts[rows] == counts[part]) & (counts[rows] >= ALWAYS)
            value = np.where(near, worth[part] - np.where(always, ALLOWED, NEARLY), -1.0)
            best, highest = np.where(value > highest, part, best), np.maximum(highest, value)
        loses = units[rows] & (worth[rows] < highest)
        outbid[rows[loses]], better[rows[loses]] = True, best[loses]
        champion[rows] = np.where(units[rows] & ~loses, rows, best)
    return outbid, better


def _find_swallowed(candidates: Candidates, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mark the units nearly all whose places lie inside one longer unit; return which."""
    counts = candidates.table["count"].to_numpy()
    lengths = candidates.table["length"].to_numpy()
    holder = np.full(len(counts), -1, np.int64)  # the most frequent longer unit around a run
    swallowed = np.zeros(len(counts), bool)
    for length in range(int(lengths.max(initial=0)), 1, -1):
        rows = np.flatnonzero(lengths == length)
        inside = (holder[rows] >= 0) & (counts[holder[rows]] >= SWALLOWED * counts[rows])
        swallowed[rows] = units[rows] & inside
        around = np.where(units[rows] & ~swallowed[rows], rows, holder[rows])
        order = np.argsort(np.where(around >= 0, counts[around], -1), kind="stable")
        order = order[around[order] >= 0]
        for side in (candidates.parent, candidates.suffix):
            part, by = side[rows[order]], around[order]  # the most frequent is written last
            larger = (holder[part] < 0) | (counts[by] >= counts[holder[part]])
            holder[part[larger]] = by[larger]
    return swallowed, holder


def _take_best(units: np.ndarray, worth: np.ndarray, most: int) -> np.ndarray:
    """Return the `most` units of the highest worth; ties go to the first row."""
    rows = np.flatnonzero(units)
    kept = np.zeros(len(units), bool)
    kept[rows[np.argsort(-worth[rows], kind="stable")[:most]]] = True
    return kept


def _settle_for_savings(
    stream: Stream,
    candidates: Candidates,
    worth: np.ndarray,
    verdict: np.ndarray,
    rows: np.ndarray,
    *,
    budget: int,
) -> _Settled:
    """The units that make the text shortest: cut by the fewest pieces, prune, cut again.

    A unit saves its settled count times the pieces that the text would pay without it. It must
    stand in three documents, so that one long text does not buy units for itself.
    """
    counts = candidates.table["count"].to_numpy()
    lengths = candidates.table["length"].to_numpy().astype(np.int64)
    spread = candidates.table["documents"].to_numpy() >= min(3, len(stream.documents) - 1)
    units = np.zeros(len(worth), bool)
    units[rows] = True
    units &= spread
    units = _take_best(units, counts * (lengths - 1.0), 8 * budget)
    considered = units.copy()
    while True:
        values = np.where(units, lengths - 1 + 1e-3 * worth, 0.0)
        settled = cut_stream(stream, candidates, values)
        savings = settled * (count_pieces(candidates, units) - 1.0)
        size = int(units.sum())
        if size <= budget and not np.any(units & (savings <= 0)):
            break
        units = _take_best(units & (savings > 0), savings, max(budget, int(size * PRUNED)))
    verdict[considered] = _CODE[Verdict.OUTBID]
    verdict[units] = _CODE[Verdict.KEPT]
    ranked = np.where(considered, savings, 0.0)
    rival = np.full(len(worth), -1, np.int64)
    worth = ranked / max(ranked.max(initial=0.0), 1.0)
    return _Settled(verdict, settled, rival, worth, worth, values)
