"""A text that a run does not propose to the reasons why not."""

from __future__ import annotations

import difflib
from typing import Any

import polars as pl

from miner.report.screen import tell_count
from miner.review.cut import Cut
from miner.review.explainer import LISTED, NEAREST, Explainer
from miner.review.words import quote
from miner.runs.concordance import find_places
from miner.text.recut import normalize

LOOKED_AT = 5_000  # proposals whose text is compared with one that is absent


def count_text(explainer: Explainer, cut: Cut) -> int:
    """Return how often a text stands in the mined corpus."""
    whole = bool(len(cut.keys)) and not cut.stops and not cut.unknown
    return explainer.originals.count_places(cut.keys) if whole else 0


def explain_absent(explainer: Explainer, text: str) -> dict[str, Any]:
    """Return why a text is no proposal, ready for JSON."""
    cut = explainer.cut(text)
    keys = cut.keys
    whole = bool(len(keys)) and not cut.stops and not cut.unknown
    count = count_text(explainer, cut)
    held = int(find_places(explainer.run.atoms.held.ids, [keys], most=0)[0][0]) if whole else 0
    reasons = list_reasons(explainer, cut, count, held)
    return {
        "row": None,
        "text": text,
        "token": normalize(text, explainer.run.atoms.profile),
        "headline": reasons[0],
        "reasons": reasons,
        "atoms": [
            {"text": form, "count": explainer.count_atom(number)}
            for form, number in zip(cut.forms, cut.numbers, strict=True)
            if form
        ],
        "count": count,
        "held_back": held,
        "neighbors": list_similar(explainer, cut, text),
        "contexts": explainer.list_contexts(keys) if count else [],
        "exact": explainer.originals.exact,
    }


def list_similar(explainer: Explainer, cut: Cut, text: str) -> list[dict[str, Any]]:
    """Return the proposals inside a text, or else those that are written much like it."""
    inner = [form for form in cut.list_inner() if form]
    rows = explainer.table.filter(pl.col("token").is_in(inner))["row"].to_list()
    if rows:
        return explainer.tell_rows(rows)
    form = normalize(text, explainer.run.atoms.profile)[:200]
    ends = {part for part in (cut.forms[:1] + cut.forms[-1:]) if part}
    beside = pl.lit(value=False)
    for part in ends:
        beside |= pl.col("token").str.starts_with(part) | pl.col("token").str.ends_with(part)
    tokens = explainer.table.filter(beside)["token"].head(LOOKED_AT).to_list()
    if not tokens and form:
        same = pl.col("token").str.starts_with(form[:2])
        tokens = explainer.table.filter(same)["token"].head(LOOKED_AT).to_list()
    close = difflib.get_close_matches(form, [t for t in tokens if len(t) < 400], NEAREST)
    named = pl.col("token").is_in(close or tokens[:NEAREST])
    return explainer.tell_rows(explainer.table.filter(named)["row"].to_list())


def list_reasons(explainer: Explainer, cut: Cut, count: int, held: int) -> list[str]:
    """Return in plain words why a text is no proposal, the best reason first."""
    longest = explainer.run.manifest.config.max_length
    if not cut.forms:
        return ["Nothing in it is an atom: white space and stops alone are no unit."]
    reasons = []
    if cut.unknown:
        listed = ", ".join(map(quote, cut.unknown[:LISTED]))
        reasons.append(f"The corpus does not have {listed}: it stands nowhere in the mined text.")
    if cut.stops:
        which = "a stop (punctuation or a line end)" if cut.stops == 1 else f"{cut.stops} stops"
        reasons.append(f"It holds {which}, and no candidate goes across one in this profile.")
    if len(cut.forms) - cut.stops > longest:
        size = f"{len(cut.forms) - cut.stops:,} atoms long"
        reasons.append(f"It is {size}; --max-length {longest} is the most that was counted.")
    if not cut.unknown and not cut.stops:
        reasons += _tell_count(explainer, cut, count, held)
    return reasons


def _tell_count(explainer: Explainer, cut: Cut, count: int, held: int) -> list[str]:
    """Return what the number of its places says of a run of known atoms."""
    least, reasons = explainer.min_count, []
    if count < least:
        times = "nowhere" if count == 0 else tell_count(count, "time")
        reasons.append(f"It occurs {times} in the mined text; a candidate needs {least:,}.")
    elif len(cut.forms) == 1:
        kind = explainer.name_atom(cut.numbers[0])
        reasons.append(
            f"It is a single {kind}, which occurs {tell_count(count, 'time')}: "
            "single words and signs are left to the trainer."
        )
    if held:
        reasons.append(
            f"It occurs {tell_count(held, 'time')} in the documents that are held back "
            "to measure the savings, which are not mined."
        )
    return reasons or [f"It occurs {tell_count(count, 'time')}, but is no candidate of the run."]
