"""A run and what reviewers decided to the vocabulary that they want.

Rejected units leave, and with them every unit that is built on one, unless a reviewer accepted it
by itself. What was refused and is accepted, what is added and what gets another form passes the
same proof as what was mined, and is left out with the reason where it fails.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from miner.mining.candidates import Candidates
from miner.mining.proof import cut_again
from miner.mining.proposals import LINK_ATOMS, STEEPNESS, WHOLE, Verdict
from miner.mining.ranking import count_places, gather_families, prove_proposals, rank_kept
from miner.mining.spelling import list_keys, list_parts
from miner.mining.vocabulary import build_ranks, join_pieces, order_merges, split_unit
from miner.runs.concordance import find_places
from miner.runs.decisions import (
    Conflict,
    Decision,
    Policy,
    Settled,
    Unit,
    list_damage,
    read_logs,
    settle_logs,
)
from miner.runs.finished import Finished, open_finished
from miner.text.pretokens import Atoms
from miner.vectors.neighbors import Neighbors

LONGEST_UNIT = 64  # atoms of a unit that a reviewer adds
_KEPT = pl.col("verdict") == Verdict.KEPT
_FALLING = [True, True, True, False, False]


@dataclass(frozen=True)
class Form:
    """A text as a unit of the corpus: its keys, in numbers past all where an atom is unknown.

    `problem` says why it can be none.
    """

    unit: Unit
    keys: tuple[int, ...]
    problem: str | None = None


@dataclass(frozen=True)
class Applied:
    """What came of decisions on proposals.

    `proposals` with their new verdicts, what was added last, numbered in `atoms` and `candidates`,
    which hold the added ones too. `rejected`: the forms that no merge may give. `refused`: why a
    wish was not granted. `missing`: what was decided on and is not proposed here.
    """

    proposals: pl.DataFrame
    atoms: Atoms
    candidates: Candidates
    rejected: frozenset[str] = frozenset()
    refused: Mapping[Unit, str] = field(default_factory=dict)
    missing: tuple[Unit, ...] = ()
    families: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reviewed:
    """A vocabulary that obeys its reviewers.

    `units` in rank order, with `label`; `merges` as `order_merges` gives them; `counts`: how many
    units were accepted, rejected and so on; `notes`: what a person should know, a line each.
    `proposals` stand in the order of the run, what was added last. `refused`: see `Applied`;
    `conflicts`: where reviewers differ.
    """

    units: pl.DataFrame
    merges: pl.DataFrame
    proposals: pl.DataFrame
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    refused: Mapping[Unit, str]
    conflicts: tuple[Conflict, ...]


def review_run(folder: Path, policy: Policy = "majority") -> Reviewed | None:
    """Return the vocabulary of a run as its reviewers want it, None where nothing was decided."""
    logs = read_logs(folder)
    settled = settle_logs(logs, policy)
    if not any(said.said() for said in settled.decisions.values()) and not settled.conflicts:
        return None
    run = open_finished(folder)
    applied = apply_decisions(
        run.proposals.drop("row"),
        settled.decisions,
        run.atoms,
        run.candidates,
        patterns=run.patterns,
        objective=run.manifest["config"]["objective"],
    )
    seed = int(run.manifest["config"].get("seed") or 0)
    units = rank_reviewed(applied, run.vectors, device="cpu", seed=seed)[0]
    merges = order_merges(units, avoid=applied.rejected)
    notes = (*list_damage(logs), *tell_outcome(settled, applied), *tell_homeless(applied, units))
    return Reviewed(
        units,
        merges,
        applied.proposals,
        count_decisions(settled),
        notes,
        applied.refused,
        settled.conflicts,
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


# Texts to units


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
        objective=run.manifest["config"]["objective"],
    )
    return (None, applied.refused[form.unit]) if applied.refused else (form.unit, None)


def cut_forms(texts: Sequence[str], atoms: Atoms, patterns: Mapping[str, str]) -> list[Form]:
    """Return each text as a unit: cut as the corpus is, in canonical form."""
    clean = [text.replace("\n", " ").strip() for text in texts]
    if atoms.profile.name == "bytes":
        return [_name_bytes(text, atoms) for text in clean]
    cut = cut_again(clean, atoms, patterns)
    return [
        _make_form(text, cut.keys[start:end], cut.raw[start:end], cut.forms, atoms)
        for text, start, end in zip(clean, cut.first, cut.first[1:], strict=False)
    ]


def _make_form(
    text: str, keys: np.ndarray, raw: np.ndarray, forms: Sequence[str], atoms: Atoms
) -> Form:
    inner = np.flatnonzero(keys)
    first, last = (int(inner[0]), int(inner[-1]) + 1) if len(inner) else (0, 0)
    keys, raw = keys[first:last], raw[first:last]  # a stop ends each text
    spelled = [atoms.profile.spell(forms[number]) for number in (raw >> 1).tolist()]
    spaces = (keys & 1).tolist()
    token = "".join(
        " " * bool(space and i) + part
        for i, (part, space) in enumerate(zip(spelled, spaces, strict=True))
    )
    unit = (token or text, tuple(spelled))
    numbers = tuple(int(key) & ~1 if i == 0 else int(key) for i, key in enumerate(keys.tolist()))
    if not len(keys):
        return Form(unit, (), "there is nothing in it")
    if 0 in numbers:
        return Form(unit, numbers, "punctuation or a line end inside it stops a unit here")
    if len(numbers) > LONGEST_UNIT:
        return Form(unit, numbers, f"it has {len(numbers)} atoms, and {LONGEST_UNIT} are the most")
    return Form(unit, numbers)


def _name_bytes(text: str, atoms: Atoms) -> Form:
    """Return a run of bytes, written `<0x41><0x42>`, as a unit."""
    parts = tuple(f"{part}>" for part in text.split(">") if part)
    known = dict(zip(atoms.table["text"], atoms.table["atom"], strict=True))
    numbers = tuple(int(known.get(part, 0)) << 1 for part in parts)
    unit = ("".join(parts), parts)
    if not parts or 0 in numbers:
        return Form(unit, numbers, "it must be bytes of the corpus, written <0x41><0x42>")
    return Form(unit, numbers)


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


# Decisions on proposals


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
    value = joints * math.exp(STEEPNESS) if objective == "meaning" else joints + 1e-3
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


# What no candidate is


def add_runs(
    forms: Sequence[Form], atoms: Atoms, candidates: Candidates
) -> tuple[Atoms, Candidates, list[tuple[int | None, int | None]]]:
    """Return atoms and candidates with some more units, and the number of each.

    A number is that of a candidate, or that of an atom where the unit is one atom. Atoms and
    prefixes that the corpus does not have come with a count of nothing.
    """
    numbered, atoms = _number_atoms(forms, atoms)
    if not forms:
        return atoms, candidates, []
    grown = _Grown(candidates, max([candidates.keys.shape[1], *map(len, numbered)]))
    numbers: list[tuple[int | None, int | None]] = [
        (None, keys[0] >> 1) if len(keys) == 1 else (grown.add(keys), None) for keys in numbered
    ]
    return atoms, grown.finish(atoms), numbers


def _number_atoms(forms: Sequence[Form], atoms: Atoms) -> tuple[list[tuple[int, ...]], Atoms]:
    """Give atoms that the corpus does not have numbers behind its own."""
    most = atoms.table.height
    new: dict[str, int] = {}
    numbered = [
        tuple(
            key
            if 0 < key >> 1 <= most
            else (new.setdefault(text, most + 1 + len(new)) << 1) | (key & 1)
            for key, text in zip(form.keys, form.unit[1], strict=True)
        )
        for form in forms
    ]
    rows = pl.DataFrame(
        {
            "atom": list(new.values()),
            "text": list(new),
            "surface": list(new),
            "count": [0] * len(new),
            "kind": ["word"] * len(new),
        },
        schema=dict(atoms.table.schema),
    )
    return numbered, replace(atoms, table=pl.concat([atoms.table, rows]))


class _Grown:
    """Candidates that get more rows: a trie needs every prefix of a run."""

    def __init__(self, candidates: Candidates, longest: int) -> None:
        self.old = candidates
        self.longest = longest
        self.rows: dict[tuple[int, ...], int] = {}
        self.parents: list[int] = []

    def add(self, keys: tuple[int, ...]) -> int:
        """Return the row of a run, which is made, with its prefixes, where it is not there."""
        row = -1
        for length in range(1, len(keys) + 1):
            part = keys[:length]
            found = self.rows.get(part, self._find(row, part) if length == 1 or row >= 0 else -1)
            if found < 0:
                found = self.rows[part] = len(self.old.keys) + len(self.parents)
                self.parents.append(row)
            row = found
        return row

    def _find(self, parent: int, part: tuple[int, ...]) -> int:
        """Return the row of a run among the old ones by that of its prefix, -1 if there is none."""
        width = self.old.keys.shape[1]
        if len(part) > width or parent >= len(self.old.keys):
            return -1
        same = (self.old.parent == parent) & (self.old.keys[:, len(part) - 1] == part[-1])
        rows = np.flatnonzero(same)
        return int(rows[0]) if len(rows) else -1

    def finish(self, atoms: Atoms) -> Candidates:
        """Return the candidates with the rows that were made."""
        more = len(self.parents)
        if not more:
            return self.old
        keys = np.zeros((len(self.old.keys) + more, self.longest), np.uint32)
        keys[: len(self.old.keys), : self.old.keys.shape[1]] = self.old.keys
        for part, row in self.rows.items():
            keys[row, : len(part)] = part
        parents = np.append(self.old.parent, np.array(self.parents, np.int64))
        suffix = np.append(self.old.suffix, np.full(more, -1, np.int64))
        return Candidates(self._table(atoms), keys, parents, suffix)

    def _table(self, atoms: Atoms) -> pl.DataFrame:
        """Return a row for each; a run that was made stands at the end, where a stop is."""
        old = self.old.table
        made = pl.DataFrame(
            {"candidate": list(self.rows.values()), "length": [len(part) for part in self.rows]},
            schema={name: old.schema[name] for name in ("candidate", "length")},
        )
        end = len(atoms.mined.ids) - 1
        blank = [
            pl.lit(end if name == "place" else 0).cast(kind).alias(name)
            for name, kind in old.schema.items()
            if name not in made.columns
        ]
        return pl.concat([old, made.with_columns(blank).select(old.columns)])


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
        "settled": [int(found) for found in counts],
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


# Reviewed units


def rank_reviewed(
    applied: Applied, vectors: np.ndarray, *, device: str, seed: int
) -> tuple[pl.DataFrame, np.ndarray, Neighbors]:
    """Return the units in rank order with the families that people gave them; see `ranking`."""
    proposals = applied.proposals.drop("place", strict=False)
    units = rank_kept(proposals, applied.atoms, applied.candidates)
    units, rows, near = gather_families(units, vectors, device=device, seed=seed)
    return move_families(units, applied.families), rows, near


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
