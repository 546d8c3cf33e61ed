"""Numbers and verdicts in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from miner.mining.settling import Verdict, surpass_chance
from miner.mining.unithood import LEAST_SCORE
from miner.report.screen import spell, tell_count

PROVEN = (Verdict.CHANGES, Verdict.DUPLICATE, Verdict.REBUILD, Verdict.INSIDE)
KINDS = {
    "formula": "a formula", "symbol": "a symbol", "marker": "a marker",
    "atom": "an atom that must stay whole", "link": "a word of a link's words",
    "hyperlexeme": "a word of a hyperlexeme's words",
}  # fmt: skip


def quote(token: str) -> str:
    """Return a token in quotation marks, what is invisible spelled out."""
    return f"«{spell(token)}»"


def tell_times(ratio: float) -> str:
    """Return how many times as often: `340`, `2.5`, `.31`."""
    if ratio >= 9.95:
        return f"{ratio:,.0f}"
    return f"{ratio:.1f}" if ratio >= 0.995 else f"{ratio:.2g}".removeprefix("0")


def tell_score(score: float) -> str:
    """Return a score with two digits, never rounded up to what it does not reach.

    >>> tell_score(0.6996), tell_score(1.0)
    ('.69', '1.00')
    """
    return f"{np.floor(100 * score + 1e-9) / 100:.2f}".removeprefix("0")


def tell_share(share: float) -> str:
    """Return a share in whole percent, never rounded up to all or down to nothing.

    >>> tell_share(0.999), tell_share(1.0), tell_share(0.001)
    ('99%', '100%', 'under 1%')
    """
    percent = int(100 * share + 1e-9) if share > 0.5 else round(100 * share)
    return "under 1%" if share > 0 and percent == 0 else f"{percent}%"


def tell_shortly(row: Mapping[str, Any]) -> str:
    """Return in a few words why a row of the table has its verdict, from its columns alone."""
    verdict, score = row["verdict"], float(row["score"] or 0)
    rival = quote(row["rival"]) if row.get("rival") else ""
    if verdict == Verdict.KEPT:
        return _tell_kept(row)
    if verdict in PROVEN:
        return spell(row.get("detail") or "cannot be taken apart again")
    if verdict == Verdict.WEAK:
        needed = f"score {tell_score(score)} of {tell_score(LEAST_SCORE)} needed"
        return needed if score else "saves too little to compete"
    if verdict == Verdict.FRAGMENT:
        return f"lives inside {rival}" if rival else "lives inside a longer unit"
    if verdict == Verdict.OUTBID:
        if score < LEAST_SCORE:
            return "saves too little: others own its places"
        return f"{rival} owns its places" if _is_inside(row) else "better units own its places"
    return {
        Verdict.TORN: "cuts through what is one",
        Verdict.VALUE: "holds a value of a record",
        Verdict.CHANCE: "no more often than chance",
        Verdict.BUDGET: "beyond --vocab-size",
        Verdict.REJECTED: "a reviewer rejected it",
    }.get(verdict, str(verdict))


def _is_inside(row: Mapping[str, Any]) -> bool:
    """Say whether the rival of a run is the shorter unit that it contains."""
    return bool(row.get("rival")) and row["rival"] in row["token"]


def _tell_kept(row: Mapping[str, Any]) -> str:
    if row.get("candidate") is None:
        return f"{KINDS.get(row['kind'], row['kind'])}, {tell_count(row['count'], 'time')}"
    if row["log_likelihood"] < surpass_chance(0) or row["pmi"] <= 0:
        return f"owns {row['unit_count']:,} of {tell_count(row['count'], 'place')}"
    meets = f"meets {tell_times(2 ** row['pmi'])}x more than chance"
    return f"{meets}, owns {tell_share(row['unit_count'] / max(row['count'], 1))} of its places"
