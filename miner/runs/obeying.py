"""What people decided to proposals that obey: who leaves, who comes, and what proves it?

Rejected units leave, and with them every unit that is built on one, unless a reviewer accepted it
by itself. What was refused and is accepted, what is added and what gets another form passes the
same proof as what was mined, and is left out with the reason where it fails.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.proposals import LINK_ATOMS, WHOLE
from miner.mining.ranking import count_places, prove_proposals, rank_kept
from miner.mining.settling import STEEPNESS, Verdict
from miner.mining.spelling import list_keys, list_parts, spell_runs
from miner.mining.vocabulary import build_ranks, join_pieces, split_unit
from miner.runs.concordance import find_places
from miner.runs.decisions import Decision, Settled, Unit
from miner.runs.forms import Form, cut_forms
from miner.runs.growing import add_runs
from miner.text.pretokens import Atoms

_KEPT = pl.col("verdict") == Verdict.KEPT
_FALLING = [True, True, True, False, False]


@dataclass(frozen=True)
class Applied:
    """What came of decisions on proposals.

    `proposals` with their new verdicts, what was added last, numbered in `atoms` and `candidates`,
    which hold the added ones too. `rejected`: the forms that no merge may give. `refused`: why a
    wish was not granted. `missing`: what was decided on and is not proposed here. `added`: the
    forms that were no proposals.
    """

    proposals: pl.DataFrame
    atoms: Atoms
    candidates: Candidates
    rejected: frozenset[str] = frozenset()
    refused: Mapping[Unit, str] = field(default_factory=dict)
    missing: tuple[Unit, ...] = ()
    families: Mapping[str, str] = field(default_factory=dict)
    added: tuple[Form, ...] = ()


def find_units(
    proposals: pl.DataFrame, units: Iterable[Unit], atoms: Atoms, candidates: Candidates
) -> dict[Unit, int]:
    """Return the row of each unit that is among `proposals`: told by its token, then its atoms."""
    wanted = set(units)
    tokens = pl.DataFrame({"token": list({token for token, _ in wanted})}, {"token": pl.String})
    found = proposals.with_row_index("place").join(tokens, on="token", how="semi")
    if found.is_empty():
        return {}
    parts = list_parts(list_keys(found, candidates), atoms.table["text"])
    rows: dict[Unit, int] = {}
    for place, token, atoms_of in zip(found["place"], found["token"], parts, strict=True):
        unit = (token, tuple(atoms_of))
        if unit in wanted:
            rows.setdefault(unit, place)
    return rows


def find_wanted(
    decisions: Settled | None,
    candidates: Candidates,
    scores: pl.DataFrame,
    atoms: Atoms,
    patterns: Mapping[str, str],
) -> dict[str, np.ndarray]:
    """Return the numbers of the candidates of `scores` that people accepted and rejected."""
    if decisions is None:
        return {}
    rows = scores["candidate"]
    token = spell_runs(candidates.keys[rows.to_numpy()], atoms.table["text"])
    table = pl.DataFrame({"candidate": rows, "token": token, "atom": None}).cast(
        {"atom": pl.UInt32}
    )
    known = find_units(table, decisions.decisions, atoms, candidates)
    wishes, _ = list_wishes(decisions.decisions, atoms, patterns, known=known)
    wanted: dict[str, list[Unit]] = {
        "accepted": [wish.form.unit for wish in wishes],
        "rejected": [unit for unit, said in decisions.decisions.items() if said.verdict == "reject"]
        + [wish.source for wish in wishes if wish.form.unit != wish.source],
    }
    return {
        name: table["candidate"][
            list(find_units(table, units, atoms, candidates).values())
        ].to_numpy()
        for name, units in wanted.items()
        if units
    }


@dataclass(frozen=True)
class Wish:
    """A unit that is to be there, and the one in whose place it is wanted."""

    form: Form
    said: Decision
    source: Unit


def apply_decisions(
    proposals: pl.DataFrame,
    decisions: Mapping[Unit, Decision],
    atoms: Atoms,
    candidates: Candidates,
    *,
    patterns: Mapping[str, str],
    objective: str = "meaning",
) -> Applied:
    """Return the proposals with the verdicts that `decisions` give them, all proven again."""
    if "label" not in proposals.columns:
        proposals = proposals.with_columns(label=pl.lit(None, pl.String))
    known = find_units(proposals, decisions, atoms, candidates)
    wishes, refused = list_wishes(decisions, atoms, patterns, known=known)
    rows = find_units(proposals, [*decisions, *(w.form.unit for w in wishes)], atoms, candidates)
    new = {w.form.unit: w.form for w in wishes if w.form.unit not in rows}
    more_atoms, more_candidates, numbers = add_runs(list(new.values()), atoms, candidates)
    added = _tabulate(list(new.values()), numbers, proposals, more_atoms)
    places = rows | {unit: proposals.height + i for i, unit in enumerate(new)}
    marked = _mark(pl.concat([proposals, added]), decisions, wishes, places, objective=objective)
    proven = prove_proposals(_order(marked), more_atoms, more_candidates, patterns=patterns)
    proven = proven.sort("place")
    failed = {
        wish.source: proven["detail"][places[wish.form.unit]] or "another unit has its form"
        for wish in wishes
        if proven["verdict"][places[wish.form.unit]] != Verdict.KEPT
    }
    if failed:  # what was to be replaced stays as it was
        left = {
            unit: replace(said, verdict=None, token=None) if unit in failed else said
            for unit, said in decisions.items()
        }
        again = apply_decisions(
            proposals, left, atoms, candidates, patterns=patterns, objective=objective
        )
        return replace(again, refused={**refused, **again.refused, **failed})
    missing = tuple(unit for unit in decisions if unit not in places and unit not in refused)
    families = {w.form.unit[0]: w.said.family for w in wishes if w.said.family}
    families |= {unit[0]: said.family for unit, said in decisions.items() if said.family}
    applied = Applied(
        proven,
        more_atoms,
        more_candidates,
        _name_rejected(decisions, wishes),
        refused,
        missing,
        families,
        tuple(new.values()),
    )
    return drop_built(applied, [wish.form.unit for wish in wishes], places)


def _name_rejected(decisions: Mapping[Unit, Decision], wishes: Iterable[Wish]) -> frozenset[str]:
    wanted = {wish.form.unit[0] for wish in wishes}
    rejected = {unit[0] for unit, said in decisions.items() if said.verdict == "reject"}
    return frozenset(rejected - wanted)


def list_wishes(
    decisions: Mapping[Unit, Decision],
    atoms: Atoms,
    patterns: Mapping[str, str],
    *,
    known: Container[Unit],
) -> tuple[list[Wish], dict[Unit, str]]:
    """Return the units that are to be there, and why some cannot.

    A unit that is `known`, a proposal, is taken as it is; any other is cut from its text.
    """
    asked = [
        (unit, said)
        for unit, said in decisions.items()
        if said.verdict != "reject" and (said.token or said.verdict == "accept")
    ]
    forms = cut_forms([said.token or unit[0] for unit, said in asked], atoms, patterns)
    wishes, refused = [], {}
    for (unit, said), cut in zip(asked, forms, strict=True):
        form = Form(unit, ()) if said.token is None and unit in known else cut
        if form.problem:
            refused[unit] = form.problem
        else:
            wishes.append(Wish(form, said, unit))
    return wishes, refused


def _mark(
    proposals: pl.DataFrame,
    decisions: Mapping[Unit, Decision],
    wishes: Sequence[Wish],
    places: Mapping[Unit, int],
    *,
    objective: str,
) -> pl.DataFrame:
    """Write what is decided into the proposals, in the column `place` their number."""
    changes: dict[int, dict[str, str | None]] = {}
    for unit, said in decisions.items():
        if unit in places:
            row = changes.setdefault(places[unit], {})
            row |= {"kind": said.kind, "label": said.label}
            if said.verdict == "reject":
                row |= {"verdict": str(Verdict.REJECTED), "detail": "a reviewer said so"}
    for wish in wishes:
        place, source = places[wish.form.unit], places.get(wish.source)
        if source is not None and source != place:
            detail = f"a reviewer gave it the form {wish.form.unit[0]!r}"
            changes[source] |= {"verdict": str(Verdict.REJECTED), "detail": detail}
        row = changes.setdefault(place, {})
        row |= {"verdict": str(Verdict.KEPT), "detail": None, "clear": "yes"}
        row |= {"kind": wish.said.kind or row.get("kind"), "label": wish.said.label}
    return _write_changes(proposals, changes, objective=objective)


def _write_changes(
    proposals: pl.DataFrame, changes: Mapping[int, Mapping[str, str | None]], *, objective: str
) -> pl.DataFrame:
    names = ("kind", "label", "verdict", "detail", "clear")
    said = pl.DataFrame(
        {"place": list(changes), **{n: [row.get(n) for row in changes.values()] for n in names}},
        schema={"place": pl.UInt32(), **dict.fromkeys(names, pl.String())},
    )
    told = proposals.with_row_index("place").join(
        said, on="place", how="left", suffix="_said", maintain_order="left", validate="1:1"
    )
    clear = pl.col("clear").is_not_null()
    joints = pl.col("length").cast(pl.Float64) - 1  # what is chosen competes as the best there is
    value = joints * math.exp(STEEPNESS) if objective != "compression" else joints + 1e-3
    return told.with_columns(
        kind=pl.coalesce("kind_said", "kind"),
        label=pl.coalesce("label_said", "label"),
        verdict=pl.coalesce("verdict_said", "verdict"),
        detail=pl.when(clear).then(None).otherwise(pl.coalesce("detail_said", "detail")),
        value=pl.when(clear & (pl.col("value").fill_null(0) <= 0) & (joints > 0))
        .then(value)
        .otherwise("value"),
    ).drop("clear", *(f"{name}_said" for name in names[:-1]))


def _order(proposals: pl.DataFrame) -> pl.DataFrame:
    """Return the proposals with `order`, 1 for the best kept one; whatever the budget was."""
    ranked = proposals.sort(
        [_KEPT, "score", "count", "token", "place"], descending=_FALLING, nulls_last=True
    )
    return ranked.with_columns(order=pl.int_range(1, ranked.height + 1, dtype=pl.UInt32))


def drop_built(applied: Applied, wanted: Sequence[Unit], places: Mapping[Unit, int]) -> Applied:
    """Take out what is built on a rejected unit, and what can only be built so."""
    kept = rank_kept(applied.proposals, applied.atoms, applied.candidates)
    chosen = {places[unit] for unit in wanted}
    pieces = [split_unit(*row) for row in kept.select("token", "atoms").iter_rows()]
    fallen = _find_built(kept, pieces, chosen, applied.rejected) if applied.rejected else {}
    left = [
        (place, unit)
        for place, unit in zip(kept["place"].to_list(), pieces, strict=True)
        if place not in fallen
    ]
    ranks = build_ranks((unit for _, unit in left), avoid=applied.rejected)
    unbuilt = {
        place: f"it cannot be built without {_name_piece(unit, applied.rejected)!r}, which was "
        "rejected"
        for place, unit in left
        if applied.rejected and len(join_pieces(unit, ranks)) > 1
    }
    out = {place: (str(Verdict.REJECTED), detail) for place, detail in fallen.items()}
    out |= {place: (str(Verdict.REBUILD), detail) for place, detail in unbuilt.items()}
    names = {places[unit]: unit for unit in wanted}
    refused = {names[place]: detail for place, detail in unbuilt.items() if place in names}
    proposals = _turn_out(applied.proposals, out)
    proposals = count_places(proposals, applied.atoms, applied.candidates)
    return replace(applied, proposals=proposals, refused={**applied.refused, **refused})


def _name_piece(unit: Sequence[str], rejected: frozenset[str]) -> str:
    whole = "".join(unit)
    return next((form for form in sorted(rejected) if form in whole), "")


def _find_built(
    kept: pl.DataFrame, pieces: Sequence[list[str]], chosen: set[int], rejected: frozenset[str]
) -> dict[int, str]:
    """Return the units, by place, in whose merges a rejected one comes up, and what to say."""
    gone = [form.split(" ") for form in rejected]  # as near as their own merges come
    ranks = build_ranks([*pieces, *([parts[0], *(f" {p}" for p in parts[1:])] for parts in gone)])
    fallen = {}
    for place, unit in zip(kept["place"].to_list(), pieces, strict=True):
        steps: list[tuple[str, str]] = []
        if len(unit) > 2 and place not in chosen:
            join_pieces(unit, ranks, steps)
        forms = [(left.removeprefix(" ") + right) for left, right in steps[:-1]]
        found = next((form for form in forms if form in rejected), None)
        if found is not None:
            fallen[place] = f"it is built on {found!r}, which was rejected"
    return fallen


def _turn_out(proposals: pl.DataFrame, out: Mapping[int, tuple[str, str]]) -> pl.DataFrame:
    told = pl.DataFrame(
        [(place, *said) for place, said in out.items()],
        schema={"place": pl.UInt32(), "verdict": pl.String(), "detail": pl.String()},
        orient="row",
    )
    return proposals.update(told, on="place", how="left")


def _tabulate(
    forms: Sequence[Form],
    numbers: Sequence[tuple[int | None, int | None]],
    proposals: pl.DataFrame,
    atoms: Atoms,
) -> pl.DataFrame:
    """Return a row in the columns of `proposals` for each unit that is not among them.

    Its score is that of the worst kept one: nothing but its count was measured.
    """
    if not forms:
        return proposals.clear()
    least = proposals.filter(_KEPT)["score"].min()
    counts, _ = find_places(
        atoms.mined.ids, [np.array(form.keys, np.uint32) for form in forms], most=1
    )
    count = len(forms)
    rows = {
        "token": [form.unit[0] for form in forms],
        "length": [len(form.keys) for form in forms],
        "candidate": [candidate for candidate, _ in numbers],
        "atom": [atom for _, atom in numbers],
        "kind": [
            _name_kind(form, atom, atoms) for form, (_, atom) in zip(forms, numbers, strict=True)
        ],
        "count": [int(found) for found in counts],
        "unit_count": [int(found) for found in counts],
        "score": [least if isinstance(least, float) and math.isfinite(least) else 0.0] * count,
        "value": [0.0] * count,
        "verdict": [str(Verdict.WEAK)] * count,
    }
    schema = {name: kind for name, kind in proposals.schema.items() if name in rows}
    return pl.concat([proposals.clear(), pl.DataFrame(rows, schema)], how="diagonal")


def _name_kind(form: Form, atom: int | None, atoms: Atoms) -> str:
    if atom is None:
        return "link" if len(form.keys) <= LINK_ATOMS else "hyperlexeme"
    return WHOLE.get(atoms.table["kind"][atom - 1], "atom")
