"""Reasons to a screen of text: an explanation as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from miner.mining.settling import Verdict
from miner.report.screen import lay_context, spell, wrap
from miner.review.explainer import LISTED
from miner.review.words import quote, tell_share

LACK = "the corpus does not have it"
WIDTH = 88  # columns of a text for a terminal


def describe(explanation: Mapping[str, Any]) -> str:
    """Return an explanation as text for a terminal; nothing invisible is left in it."""
    head = f"{quote(explanation['token'])}{_describe_state(explanation)}"
    lines = [head, *map(_wrap, _describe_decided(explanation)), _wrap(explanation["headline"])]
    blocks = ["\n".join(lines)]
    if explanation["row"] is None:
        blocks.append("\n".join(_wrap(reason) for reason in explanation["reasons"][1:]))
        blocks.append(_describe_atoms(explanation))
    else:
        blocks += [
            _describe_evidence(explanation),
            _describe_built(explanation),
            _describe_owners(explanation),
            _describe_runs("Inside it", explanation["contains"]),
            _describe_runs("Around it", explanation["contained_in"]),
        ]
    known = explanation["row"] is not None
    blocks.append(_describe_runs("Nearest" if known else "Spelled alike", explanation["neighbors"]))
    blocks.append(_describe_contexts(explanation))
    changes = explanation.get("changes", [])
    blocks.append(_block("What would change it", [_wrap(line, "  - ") for line in changes]))
    blocks.append(_describe_said(explanation))
    return "\n\n".join(block for block in blocks if block)


def _describe_decided(explanation: Mapping[str, Any]) -> list[str]:
    """Return what people made of it, where that is not what the run says: it comes first."""
    now, said = explanation.get("reviewed") or {}, explanation.get("decisions") or {}
    lines = []
    for conflict in explanation.get("conflicts", []):
        told = conflict["said"].items()
        voices = ", ".join(f"{spell(name)} says {spell(value)}" for name, value in told)
        holds = spell(conflict["holds"]) if conflict["holds"] else "the run's own"
        what = "form" if conflict["field"] == "token" else conflict["field"]
        rule = f"by {conflict['policy']} {holds} holds"
        lines.append(f"Reviewers differ on its {what}: {voices}; {rule}.")
    verdict = now.get("verdict")
    accepted = [spell(name) for name, row in said.items() if row.get("verdict") == "accept"]
    if verdict and verdict != explanation.get("verdict"):
        why = f": {spell(now['detail'])}" if now["detail"] else ""
        lines.append(f"Its reviewers make it {verdict}{why}. What the run says by itself:")
    elif accepted and verdict == Verdict.KEPT:
        lines.append(f"Kept because {' and '.join(accepted)} accepted it. By its figures:")
    return lines


def _describe_said(explanation: Mapping[str, Any]) -> str:
    """Return what reviewers said of it, and what came of the decisions of all."""
    rows = {
        reviewer: ", ".join(f"{name} {spell(value)}" for name, value in row.items())
        for reviewer, row in explanation.get("decisions", {}).items()
    }
    lines = [f"  {spell(reviewer)}: {row}" for reviewer, row in rows.items() if row]
    return _block("What reviewers said", lines + _describe_outcome(explanation))


def _describe_outcome(explanation: Mapping[str, Any]) -> list[str]:
    now = explanation.get("reviewed")
    if not now or not now["verdict"]:
        return []
    rank = f", rank {now['rank']:,}" if now["rank"] else ""
    why = f": {spell(now['detail'])}" if now["detail"] else ""
    if now["verdict"] == explanation.get("verdict") and not why and not explanation["decisions"]:
        return []
    return [_wrap(f"in the reviewed vocabulary: {now['verdict']}{rank}{why}", "  ")]


def _describe_state(explanation: Mapping[str, Any]) -> str:
    if explanation["row"] is None:
        return "  is no proposal of this run"
    rank = f", rank {explanation['rank']:,}" if explanation["rank"] else ""
    family = f", family of {quote(explanation['family'])}" if explanation["family"] else ""
    return f"  {explanation['kind']}, {explanation['verdict']}{rank}{family}"


def _block(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *lines]) if lines else ""


def _wrap(text: str, start: str = "") -> str:
    return wrap(text, WIDTH, start)


def _describe_evidence(explanation: Mapping[str, Any]) -> str:
    owns = f", owns {explanation['unit_count']:,}" if len(explanation["atoms"]) > 1 else ""
    score = "" if explanation["score"] is None else f", score {explanation['score']:.3f}"
    lines = [f"  count {explanation['count']:,}{owns}{score}"]
    for entry in explanation["evidence"]:
        share = entry["better_than"]
        told = share is None or entry["name"].startswith("likeness")
        better = "" if told else f" (better than {tell_share(share)} of all runs)"
        lines.append(_wrap(f"{entry['text']}{better}", f"  {entry['name']:<19} "))
    return _block("Evidence", lines)


def _describe_built(explanation: Mapping[str, Any]) -> str:
    lines = [f"  {spell(left)} + {spell(right)}" for left, right, _ in explanation["merges"]]
    if explanation["verdict"] != Verdict.KEPT and len(explanation["pieces"]) > 1:
        lines = ["  " + " | ".join(map(spell, explanation["pieces"]))]
        return _block("The merges of the run leave", lines)
    if explanation["built_on"]:
        names = ", ".join(quote(token) for token in explanation["built_on"][:LISTED])
        more = len(explanation["built_on"]) - LISTED
        more_ = f" and {more:,} more" if more > 0 else ""
        lines.append(_wrap(f"a piece of {names}{more_}", "  "))
    return _block("Built", lines)


def _describe_owners(explanation: Mapping[str, Any]) -> str:
    owners = explanation["owners"]
    lines = [
        f"  {tell_share(entry['share']):>8}  "
        + ("itself" if entry["row"] == explanation["row"] else spell(entry["token"]))
        for entry in owners[:LISTED]
    ]
    nobody = 1 - sum(entry["share"] for entry in owners)
    if explanation["looked_at"] and nobody > 1e-9 and lines:
        lines.append(f"  {tell_share(nobody):>8}  no unit")
    looked = f"Who owns its places ({explanation['looked_at']:,} of {explanation['count']:,})"
    return _block(looked, lines)


def _describe_runs(title: str, entries: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for entry in entries:
        number = f"{entry['cosine']:.2f}" if "cosine" in entry else f"{entry['count']:,}"
        lines.append(f"  {number:>8}  {entry['verdict']:<9}  {spell(entry['token'])}")
    return _block(title, lines)


def _describe_atoms(explanation: Mapping[str, Any]) -> str:
    lines = [
        f"  {entry['count'] or LACK:>8}  {spell(entry['text'])}"
        for entry in explanation["atoms"][: 2 * LISTED]
    ]
    more = len(explanation["atoms"]) - len(lines)
    return _block("Its atoms", [*lines, f"  and {more:,} more"] if more else lines)


def _describe_contexts(explanation: Mapping[str, Any]) -> str:
    """Return the contexts as a concordance: the unit in the middle, the text on both sides."""
    lines = [lay_context(c["before"], c["unit"], c["after"]) for c in explanation["contexts"]]
    note = "" if explanation["exact"] else ", as its atoms spell it"
    return _block(f"In the corpus{note}", lines)
