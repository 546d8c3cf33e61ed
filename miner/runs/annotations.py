"""A run and what its reviewers decided to the vocabulary that they want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from miner.mining.ranking import gather_families, rank_kept
from miner.mining.settling import Verdict
from miner.mining.vocabulary import order_merges
from miner.runs.decisions import (
    Decision,
    Log,
    Policy,
    Settled,
    Unit,
    list_damage,
    read_logs,
    settle_logs,
)
from miner.runs.finished import Finished, open_finished
from miner.runs.forms import cut_forms
from miner.runs.keeping import Reviewed, keep_review
from miner.runs.obeying import Applied, apply_decisions, find_units


def review_run(folder: Path, policy: Policy = "majority") -> Reviewed | None:
    """Return the vocabulary of a run as its reviewers want it, None where nothing was decided."""
    logs = read_logs(folder)
    settled = settle_logs(logs, policy)
    if not any(said.said() for said in settled.decisions.values()) and not settled.conflicts:
        return None
    return keep_review(folder, policy, logs, partial(_prove_review, folder, logs, settled))


def _prove_review(folder: Path, logs: Sequence[Log], settled: Settled) -> Reviewed:
    """Apply decisions to a run, and rank what is left."""
    run = open_finished(folder)
    applied = apply_decisions(
        run.proposals.drop("row"),
        settled.decisions,
        run.atoms,
        run.candidates,
        patterns=run.patterns,
        objective=run.manifest.config.objective,
    )
    kept = rank_kept(applied.proposals.drop("place"), applied.atoms, applied.candidates)
    units = gather_families(kept, run.vectors, device="cpu", seed=run.manifest.config.seed)[0]
    units = move_families(units, applied.families)
    notes = (*list_damage(logs), *tell_outcome(settled, applied), *tell_homeless(applied, units))
    return Reviewed(
        units,
        order_merges(units, avoid=applied.rejected),
        applied.proposals,
        count_decisions(settled),
        notes,
        applied.refused,
        settled.conflicts,
        applied.added,
    )


def count_decisions(settled: Settled) -> dict[str, int]:
    """Return how many units were accepted, rejected and so on, and how many are in conflict."""
    names = {
        "accept": "accepted",
        "reject": "rejected",
        "token": "renamed",
        "kind": "other kind",
        "family": "other family",
        "label": "labelled",
    }
    counted = settled.verdicts()
    counts = {word: counted[name] for name, word in names.items() if counted[name]}
    return counts | ({"in conflict": len(settled.conflicts)} if settled.conflicts else {})


def tell_outcome(settled: Settled, applied: Applied) -> list[str]:
    """Return what a person should know of what came of the decisions, a line each."""
    notes = [f"{unit[0]!r} is left out: {reason}" for unit, reason in applied.refused.items()]
    notes += [
        f"reviewers differ on the {entry.field} of {entry.unit[0]!r}: "
        + ", ".join(f"{name} says {value}" for name, value in entry.said.items())
        + (f"; {entry.holds} holds" if entry.holds else "; the run's own stands")
        for entry in settled.conflicts
    ]
    if applied.missing:
        count = len(applied.missing)
        many = "1 decision is" if count == 1 else f"{count:,} decisions are"
        notes.append(
            f"{many} about what this run does not propose, such as {applied.missing[0][0]!r}"
        )
    nowhere = applied.proposals.filter(verdict=Verdict.KEPT, count=0)["token"]
    if len(nowhere):
        count = len(nowhere)
        many = "1 accepted unit stands" if count == 1 else f"{count:,} accepted units stand"
        notes.append(f"{many} nowhere in this corpus, such as {nowhere[0]!r}")
    return notes


def tell_homeless(applied: Applied, units: pl.DataFrame) -> list[str]:
    """Return which units are said to belong to what is no unit, a line each."""
    there = set(units["token"])
    return [
        f"{token!r} stays in its family: {head!r}, the head that was named, is no unit"
        for token, head in applied.families.items()
        if token in there and head not in there
    ]


def check_form(run: Finished, text: str) -> tuple[Unit | None, str | None]:
    """Return the unit that a text would be in a run, or why it can be none.

    The proof is the same as for what is mined; only what depends on other units is left to it.
    """
    form = cut_forms([text], run.atoms, run.patterns)[0]
    if form.problem:
        return None, form.problem
    decisions = {form.unit: Decision(verdict="accept")}
    wanted = find_units(run.proposals, [form.unit], run.atoms, run.candidates)
    kept = run.proposals[list(wanted.values())] if wanted else run.proposals.clear()
    applied = apply_decisions(
        kept.drop("row"),
        decisions,
        run.atoms,
        run.candidates,
        patterns=run.patterns,
        objective=run.manifest.config.objective,
    )
    return (None, applied.refused[form.unit]) if applied.refused else (form.unit, None)


def move_families(units: pl.DataFrame, families: Mapping[str, str]) -> pl.DataFrame:
    """Return `units` with `family` as people said: token of a unit -> token of its new head.

    A head that is a member itself stands for its own head. What a head leaves behind goes to the
    best of the rest. A head that is no unit changes nothing.
    """
    ranks = dict(units.select("token", "rank").iter_rows())
    heads = dict(units.select("rank", "family").iter_rows())
    moved = {
        ranks[token]: ranks[head]
        for token, head in families.items()
        if token in ranks and head in ranks
    }
    for rank, head in moved.items():
        heads[rank] = rank if head == rank else (heads[head] or head)
    left = sorted(
        rank
        for rank, head in heads.items()
        if rank not in moved and head in moved and heads[head] != head
    )
    new: dict[int, int] = {}
    for rank in left:
        old = heads[rank]
        heads[rank] = new.setdefault(int(old or 0), rank)
    return units.with_columns(
        family=pl.Series([heads[rank] for rank in units["rank"].to_list()], dtype=pl.UInt32)
    )
