"""What is known of a proposal to reasons: why is it kept or refused, and what would change it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from miner.mining.settling import NEARLY, SWALLOWED, Verdict
from miner.mining.unithood import LEAST_SCORE, ONE_HEAD
from miner.mining.vocabulary import round_real
from miner.report.screen import spell, tell_count
from miner.review.explainer import Explainer, Places
from miner.review.words import KINDS, PROVEN, quote, tell_score, tell_share, tell_times
from miner.runs.decisions import Unit
from miner.runs.keeping import Reviewed

SPREAD = 3  # documents in which a unit must stand to save tokens
TORN = {
    "code": "it closes what it does not open, leaves a bracket or a quote open, or begins with the "
    "mark that ends what is before it",
    "molecules": "it leaves a branch or a ring of the molecule open",
    "bytes": "it starts or ends inside an element of a tensor",
}  # what `miner.mining.syntax` found, by profile


def explain(explainer: Explainer, row: int) -> dict[str, Any]:
    """Return why a proposal was kept or refused, ready for JSON.

    A share in `owners` is of the places looked at, each with one owner at most: the unit that
    takes most of it. `better_than` is the share of all runs whose value is worse.
    """
    about, unit = explainer.about(row), explainer.unit(row)
    places = explainer.sample_places(explainer.keys(row))
    owners = explainer.list_owners(row, places)
    steps, pieces = explainer.join(unit)
    contained, around = explainer.list_inner(row), explainer.list_outer(row)
    names = ("token", "kind", "count", "documents", "unit_count", "verdict", "rank", "family")
    return {
        "row": row,
        **{name: about[name] for name in names},
        "surface": explainer.spell_surface(row),
        "atoms": list(unit[1]),
        "score": round_real(about["score"]),
        "objective": explainer.run.manifest.config.objective,
        "headline": write_headline(explainer, about, owners),
        "evidence": list_evidence(explainer, about, around),
        "merges": [
            [left.removeprefix(" "), right.removeprefix(" "), (left + right).removeprefix(" ")]
            for left, right in steps
        ],
        "pieces": [piece.removeprefix(" ") for piece in pieces],
        "owners": owners,
        "looked_at": len(places.starts),
        "contains": explainer.tell_rows(contained),
        "contained_in": explainer.tell_rows(around),
        "neighbors": explainer.list_neighbors(row),
        "contexts": explainer.list_contexts(explainer.keys(row)),
        "exact": explainer.originals.exact,
        "built_on": explainer.table["token"].gather(explainer.built_on.get(row, [])).to_list(),
        "changes": list_changes(explainer, about, owners, places),
    }


def find_outcome(reviewed: Reviewed, unit: Unit, row: int | None) -> dict[str, Any]:
    """Return what came of the reviewers' decisions for a unit: `verdict, detail, rank`.

    `row` is its row among the proposals, None where it is none; `verdict` is None where no
    decision made it one.
    """
    named = reviewed.units.filter(token=unit[0], atoms=list(unit[1]))
    rank = int(named["rank"][0]) if named.height else None
    about = reviewed.proposals.row(row, named=True) if row is not None else {}
    verdict = str(Verdict.KEPT) if rank else about.get("verdict")
    detail = reviewed.refused.get(unit) or (None if rank else about.get("detail"))
    return {"verdict": verdict, "detail": detail, "rank": rank}


# The headline


def write_headline(
    explainer: Explainer, about: Mapping[str, Any], owners: Sequence[Mapping[str, Any]]
) -> str:
    """Return in one sentence why a proposal has its verdict."""
    verdict, score = about["verdict"], float(about["score"] or 0)
    if verdict == Verdict.KEPT:
        return f"Kept: {_praise(explainer, about)}."
    reasons = {
        Verdict.WEAK: f"it looks less like a unit than others: its score is {tell_score(score)}, "
        f"and {tell_score(LEAST_SCORE)} is needed",
        Verdict.CHANCE: "its parts may meet by chance: log-likelihood "
        f"{about['log_likelihood'] or 0:,.1f}, and {explainer.sure:.1f} would be sure",
        Verdict.TORN: TORN.get(explainer.run.manifest.profile, "it cuts through what is one"),
        Verdict.VALUE: "a number in it is one of many in its place, as the values of a record are",
        Verdict.FRAGMENT: _blame_holder(explainer, about),
        Verdict.OUTBID: _blame_owners(explainer, about, owners),
        Verdict.BUDGET: "it is good enough, but --vocab-size "
        f"{explainer.run.manifest.config.vocab_size:,} has no room for it",
        Verdict.REJECTED: "a reviewer rejected it",
    }
    if verdict in (Verdict.WEAK, Verdict.CHANCE) and not explainer.meaning:
        idle = "others promised to save more tokens, so it did not compete"
        return f"Refused: {idle}."
    proof = f"it cannot be taken apart again without loss: {spell(about['detail'] or verdict)}"
    return f"Refused: {reasons.get(verdict, proof)}."


def _praise(explainer: Explainer, about: Mapping[str, Any]) -> str:
    """Return what speaks for a kept unit."""
    if about["candidate"] is None:
        return f"{_name_atom(about)}, {tell_count(about['count'], 'time')}; it stays whole"
    own = f"it owns {about['unit_count']:,} of its {tell_count(about['count'], 'place')}"
    if not explainer.meaning:
        pieces, saved = explainer.count_savings(about["row"], about["unit_count"])
        return (
            f"{own}, each {tell_count(pieces, 'token')} without it, "
            f"so it saves {tell_count(saved, 'token')}"
        )
    if about["score"] < LEAST_SCORE or about["log_likelihood"] < explainer.sure:
        return f"it was accepted, though its score is {tell_score(about['score'])}; {own}"
    return f"{_tell_speaker(about)}, and {own}"


def _tell_speaker(about: Mapping[str, Any]) -> str:
    """Return which head of the ranker speaks for a run, or how often its parts meet."""
    heads = {name: about[name] for name in ONE_HEAD if about[name] is not None}
    name = max(heads, key=lambda head: heads[head], default=None)
    if name is not None and heads[name] >= LEAST_SCORE:
        return f"{tell_share(heads[name])} of such runs {LIKENESS[name]}"
    return f"its parts meet {tell_times(2 ** about['pmi'])} times as often as chance has it"


def _blame_holder(explainer: Explainer, about: Mapping[str, Any]) -> str:
    rival = explainer.find_rival(about)
    if rival is None:
        return "most of its places lie inside one longer unit"
    inside = f"{rival['count']:,} of its {tell_count(about['count'], 'place')} lie inside"
    return f"{inside} {quote(rival['token'])}"


def _blame_owners(
    explainer: Explainer, about: Mapping[str, Any], owners: Sequence[Mapping[str, Any]]
) -> str:
    """Return who won against an outbid run."""
    others = [entry for entry in owners if entry["row"] != about["row"]]
    if not explainer.meaning:
        most = f", {quote(others[0]['token'])} most of them" if others else ""
        return f"it would save fewer tokens than those kept; others own its places{most}"
    rival = explainer.find_rival(about)
    if rival is not None:
        return f"{quote(rival['token'])}, which it contains, is the better unit"
    if not others:
        return "better units owned its places while they competed"
    share = f"the most, {tell_share(others[0]['share'])}"
    return f"better units own its places, {quote(others[0]['token'])} {share}"


# Evidence


def list_evidence(
    explainer: Explainer, about: Mapping[str, Any], around: np.ndarray
) -> list[dict[str, Any]]:
    """Return what was measured of a proposal, in plain words: `name, text, value, better_than`."""
    if about["candidate"] is None:
        return [_tell_atom(explainer, about)]
    told = [
        *_tell_meeting(explainer, about),
        *_tell_freedom(about),
        *_tell_likeness(about),
        *_tell_vectors(explainer, about),
        *_tell_spread(explainer, about, around),
    ]
    runs = explainer.table.filter(pl.col("candidate").is_not_null())
    return [
        {
            "name": name,
            "text": text,
            "value": round_real(value),
            "better_than": _share_worse(runs, about, column, lower=lower),
        }
        for name, text, value, column, lower in told
    ]


_Told = tuple[str, str, float, str, bool]  # name, text, value, column, whether lower is better


def _share_worse(
    runs: pl.DataFrame, about: Mapping[str, Any], column: str, *, lower: bool = False
) -> float | None:
    """Return the share of the runs whose value is worse than one, None where nothing is better."""
    if not column or about[column] is None:
        return None
    worse = (runs[column] > about[column]) if lower else (runs[column] < about[column])
    return round_real(float(worse.sum()) / max(runs.height, 1))


def _name_atom(about: Mapping[str, Any]) -> str:
    """Return what an atom is that is a unit by itself."""
    if parts := about.get("parts"):
        return f"{' and '.join(map(quote, parts))} written as one"
    return KINDS.get(about["kind"], about["kind"])


def _tell_atom(explainer: Explainer, about: Mapping[str, Any]) -> dict[str, Any]:
    runs = explainer.table.filter(pl.col("candidate").is_not_null())
    return {
        "name": "count",
        "text": f"{_name_atom(about)}, which stays whole where it occurs "
        f"{tell_count(explainer.min_count, 'time')} or more; it occurs {about['count']:,}",
        "value": about["count"],
        "better_than": _share_worse(runs, about, "count"),
    }


def _tell_meeting(explainer: Explainer, about: Mapping[str, Any]) -> list[_Told]:
    ratio = 2.0 ** about["pmi"]
    meets = f"its parts meet {tell_times(ratio)} times as often as chance has it"
    gap = f"{tell_count(about['count'], 'time')} where chance gives {_tell_small(about, ratio)}"
    sure = f"log-likelihood {about['log_likelihood']:,.1f}; from {explainer.sure:.1f} on it is sure"
    return [
        ("association", f"{meets}: {gap}", ratio, "npmi", False),
        ("log-likelihood", sure, about["log_likelihood"], "log_likelihood", False),
    ]


def _tell_small(about: Mapping[str, Any], ratio: float) -> str:
    expected = about["count"] / ratio
    return f"{expected:,.0f}" if expected >= 9.95 else f"{expected:.2g}"


def _tell_freedom(about: Mapping[str, Any]) -> list[_Told]:
    """Return how many things stand on each side: as many as, equally frequent, tell as much."""
    told: list[_Told] = []
    for name, side, ever, others in (
        ("freedom", "right_entropy", "the same thing always follows it", "follow it"),
        ("freedom before", "left_entropy", "the same thing always precedes it", "precede it"),
    ):
        kinds = 2.0 ** about[side]
        text = f"as if {tell_times(kinds)} different things {others}, all equally often"
        told.append((name, text if kinds >= 1.05 else ever, kinds, side, False))
    return told


LIKENESS = {
    "terms": "are key terms of a textbook",
    "phrases": "stand in a dictionary",
    "bonds": "were units of a made-up language",
}


def _tell_likeness(about: Mapping[str, Any]) -> list[_Told]:
    """Return what the ranker says: which share of such runs are units, to whom."""
    told: list[_Told] = [
        (name, f"{tell_share(about[name])} of such runs {are}", about[name], name, False)
        for name, are in LIKENESS.items()
        if about[name] is not None
    ]
    if about["likeness"] is not None:
        like = f"its statistics are {tell_share(about['likeness'])} of the best there could be"
        told.append(("likeness", like, about["likeness"], "likeness", False))
    return told


def _tell_vectors(explainer: Explainer, about: Mapping[str, Any]) -> list[_Told]:
    told: list[_Told] = []
    if about.get("closeness") is not None:
        text = f"its parts mean alike by {about['closeness']:.2f} of 1 (cosine)"
        told.append(("closeness", text, about["closeness"], "closeness", False))
    if about.get("wholeness") is not None:
        adds = explainer.run.manifest.encoder.adds_up
        text = f"the whole means what its parts add up to by {about['wholeness']:.2f} of 1 (cosine)"
        text += "; the corpus encoder always adds up" if adds else ""
        told.append(("wholeness", text, about["wholeness"], "" if adds else "wholeness", True))
    return told


def _tell_spread(explainer: Explainer, about: Mapping[str, Any], around: np.ndarray) -> list[_Told]:
    documents, spread, nested = about["documents"], about["dispersion"], about["nestedness"]
    even = "evenly" if spread < 0.5 else "unevenly" if spread < 0.8 else "in few spots"
    inside = round(nested * about["count"])
    longer = explainer.table[around].filter(pl.col("count") == inside).sort("length", "row")
    where = f", {quote(longer['token'][0])}" if inside and longer.height else ""
    text = f"{inside:,} of {tell_count(about['count'], 'place')} lie inside one longer run"
    if not inside:
        text = "it lies inside no longer run that repeats"
    return [
        (
            "documents",
            f"it stands in {tell_count(documents, 'document')}",
            documents,
            "documents",
            False,
        ),
        (
            "dispersion",
            f"it is spread {even} over the corpus: {spread:.2f}, 0 is even",
            spread,
            "dispersion",
            True,
        ),
        ("nestedness", f"{text}{where}", nested, "nestedness", True),
    ]


# What would change it


def list_changes(
    explainer: Explainer,
    about: Mapping[str, Any],
    owners: Sequence[Mapping[str, Any]],
    places: Places,
) -> list[str]:
    """Return what would change the verdict, concrete, a sentence each."""
    verdict = about["verdict"]
    if verdict == Verdict.KEPT:
        return _change_kept(explainer, about)
    if verdict in PROVEN:
        return _change_proven(about)
    if verdict == Verdict.WEAK:
        return _change_weak(about) if explainer.meaning else _change_idle(explainer, about)
    if verdict == Verdict.CHANCE:
        change = _change_chance if explainer.meaning else _change_idle
        return change(explainer, about)
    if verdict == Verdict.FRAGMENT:
        return _change_fragment(explainer, about, places)
    if verdict == Verdict.OUTBID:
        return _change_outbid(explainer, about, owners, places)
    if verdict == Verdict.BUDGET:
        return _change_budget(explainer, about)
    if verdict in (Verdict.TORN, Verdict.VALUE):
        return ["Accepting it makes it a unit; so does another --profile, which cuts otherwise."]
    return ["A reviewer who takes the decision back lets it compete again."]


def _change_kept(explainer: Explainer, about: Mapping[str, Any]) -> list[str]:
    count, settled = about["count"], about["unit_count"]
    changes = []
    if about["candidate"] is None or settled >= count:
        changes.append(
            f"It occurs {tell_count(count, 'time')}: --min-count {count + 1:,} would leave it out."
        )
    elif explainer.meaning:
        changes.append(
            f"It owns {settled:,} of its {tell_count(count, 'place')}: --min-count "
            f"{settled + 1:,} would leave it out as the others stand, {count + 1:,} in "
            "any case."
        )
    else:
        changes.append(f"--min-count {count + 1:,} would leave it out.")
    if about["order"] > 1:
        worse = "is" if about["order"] == 2 else "are"
        changes.append(
            f"{about['order'] - 1:,} {worse} better: --vocab-size "
            f"{about['order'] - 1:,} has no room for it as the others stand."
        )
    else:
        changes.append("It is the best of all: no --vocab-size leaves it out.")
    return changes


def _change_proven(about: Mapping[str, Any]) -> list[str]:
    detail = f"What was found: {spell(about['detail'] or about['verdict'])}."
    mends = {
        Verdict.DUPLICATE: "Rejecting the better one, which has the same canonical form, would "
        "leave the form to it; no setting mends it.",
        Verdict.INSIDE: "No setting mends it; where a pattern of the config cut it out of a "
        "word, another pattern would.",
        Verdict.CHANGES: "No --vocab-size or --min-count mends it; another --profile, which "
        "normalizes otherwise, may.",
        Verdict.REBUILD: "No setting mends it.",
    }
    return [detail, mends[about["verdict"]]]


def _change_weak(about: Mapping[str, Any]) -> list[str]:
    """Return the score that is missing, and what it is made of."""
    score = float(about["score"])
    lack = f"Its score is {score:.3f}; from {LEAST_SCORE:.3f} on it would compete. "
    likeness = "; ".join(text for _, text, *_ in _tell_likeness(about))
    return [
        f"{lack}It misses {LEAST_SCORE - score:.3f}.",
        f"{likeness}. If it is a unit to you, accept it, or name units like it with --seeds.",
    ]


def _change_idle(explainer: Explainer, about: Mapping[str, Any]) -> list[str]:
    """Return what a run that did not compete to save tokens lacks."""
    documents = explainer.run.manifest.documents
    least, promise = min(SPREAD, documents), about["count"] * (about["length"] - 1)
    if about["documents"] < least:
        return [
            f"It stands in {tell_count(about['documents'], 'document')}; to compete for "
            f"savings it must stand in {least}."
        ]
    budget = explainer.run.manifest.config.vocab_size
    able = pl.col("candidate").is_not_null() & (pl.col("documents") >= least)
    promises = explainer.table.filter(able).select(p=pl.col("count") * (pl.col("length") - 1))["p"]
    bar = int(promises.top_k(min(8 * budget, len(promises)))[-1])
    return [
        f"It can save {promise:,} tokens at most; of the {8 * budget:,} runs that --vocab-size "
        f"{budget:,} lets compete each promised {bar:,} or more. A larger one lets more in."
    ]


def _change_chance(explainer: Explainer, about: Mapping[str, Any]) -> list[str]:
    """Return how often it should occur to be sure: log-likelihood grows with the counts."""
    likelihood, count = float(about["log_likelihood"]), int(about["count"])
    if likelihood <= 0:
        return [
            f"Its parts meet {tell_times(2.0 ** about['pmi'])} times as often as chance has "
            "it: more text of the same kind would not change that."
        ]
    needed = int(np.ceil(count * explainer.sure / likelihood))
    times = tell_times(explainer.sure / likelihood)
    changes = [
        f"At the same rates, about {needed:,} occurrences instead of {count:,} would be "
        f"sure: a corpus {times} times as large."
    ]
    if about["score"] and about["score"] < LEAST_SCORE:
        changes.append(
            f"Its score, {about['score']:.3f}, would still have to reach {LEAST_SCORE:.3f}."
        )
    return changes


def _change_fragment(explainer: Explainer, about: Mapping[str, Any], places: Places) -> list[str]:
    rival = explainer.find_rival(about)
    if rival is None:
        return [f"Fewer than {SWALLOWED:.0%} of its places inside one longer unit."]
    name, share = quote(rival["token"]), rival["count"] / about["count"]
    changes = [
        f"{tell_share(share)} of its places lie inside {name}; below {SWALLOWED:.0%} both "
        "would compete."
    ]
    if rival["verdict"] != Verdict.KEPT:
        return [*changes, f"{name} is not kept itself ({rival['verdict']})."]
    own = explainer.let_in(about["row"], places, without=[rival["row"]])
    return [*changes, _tell_freed(explainer, about, name, own, places)]


def _tell_freed(
    explainer: Explainer, about: Mapping[str, Any], name: str, own: int, places: Places
) -> str:
    """Return what rejecting a rival would come to."""
    end = f"it would own {_tell_own(about, own, places)}"
    enough = "enough" if own >= explainer.min_count else f"{explainer.min_count:,} are needed"
    return f"Without {name}, were that rejected, {end}: {enough}."


def _tell_own(about: Mapping[str, Any], own: int, places: Places) -> str:
    sampled = "about " if places.total > len(places.starts) else ""
    return f"{sampled}{own:,} of its {tell_count(about['count'], 'place')}"


def _change_outbid(
    explainer: Explainer,
    about: Mapping[str, Any],
    owners: Sequence[Mapping[str, Any]],
    places: Places,
) -> list[str]:
    """Return what it would own beside the kept units, and without the one that takes most."""
    row, rival = about["row"], explainer.find_rival(about)
    now = explainer.let_in(row, places)
    own = f"Beside the kept units it would own {_tell_own(about, now, places)}"
    if not explainer.meaning:
        return [own + "; " + _tell_savings(explainer, row, now) + "."]
    if rival is not None and rival["verdict"] == Verdict.KEPT:
        freed = explainer.let_in(row, places, without=[rival["row"]])
        told = _tell_freed(explainer, about, quote(rival["token"]), freed, places)
        return [_tell_better(about, rival), told]
    if now >= explainer.min_count:
        return [
            f"{own}, which is enough: it lost when more units competed than are kept. "
            "Another --vocab-size may take it."
        ]
    changes = [f"{own}; it takes {explainer.min_count:,} (--min-count)."]
    for first in [entry for entry in owners if entry["row"] != row][:1]:
        freed = explainer.let_in(row, places, without=[first["row"]])
        changes.append(_tell_freed(explainer, about, quote(first["token"]), freed, places))
    return changes


def _tell_better(about: Mapping[str, Any], rival: Mapping[str, Any]) -> str:
    name, share = quote(rival["token"]), about["count"] / max(rival["count"], 1)
    return (
        f"{tell_share(share)} of the places of {name} are in it, and {name} scores "
        f"{rival['score']:.3f} against {about['score']:.3f}; at {rival['score'] - NEARLY:.3f} "
        "the longer one would win."
    )


def _tell_savings(explainer: Explainer, row: int, own: int) -> str:
    """Return what a run would save, and what the least of the kept ones does."""
    pieces, saved = explainer.count_savings(row, own)
    told = f"each is {tell_count(pieces, 'token')} without it, so it would save {saved:,}"
    least = explainer.least_saved
    return told if least is None else f"{told}; the least of those kept saves {least:,}"


def _change_budget(explainer: Explainer, about: Mapping[str, Any]) -> list[str]:
    """Return the size of the vocabulary that has room for it."""
    rows = explainer.table.filter(
        pl.col("verdict").is_in([str(v) for v in (Verdict.KEPT, Verdict.BUDGET, *PROVEN)])
    )
    before = (pl.col("score") > about["score"]) | (
        (pl.col("score") == about["score"]) & (pl.col("row") < about["row"])
    )
    better = rows.filter((pl.col("row") != about["row"]) & before).height
    return [
        f"{better:,} are better: a --vocab-size of about {better + 1:,} would take it, if "
        "the others compete as they did."
    ]
