"""A run to reasons: why was this kept or refused, who took its places, and what would change it?"""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from miner.atoms import MOST_ATOMS, Stream
from miner.decisions import Unit
from miner.finished import Finished
from miner.likeness import ASSOCIATION, CONFIRMED, FREEDOM, SEEDED, SHOWN
from miner.neighbors import unit_rows
from miner.originals import Originals, cut_again, find_places, open_originals
from miner.proposals import LEAST_SCORE, NEARLY, STEEPNESS, SURE, SWALLOWED, Verdict, raise_bids
from miner.report import spell
from miner.settling import count_pieces, find_owners
from miner.spelling import list_keys, list_parts, spell_runs
from miner.vocabulary import (
    SPACE_MARK,
    join_pieces,
    rank_merges,
    read_merges,
    round_real,
    split_unit,
)

SAMPLE = 200  # places that are cut again to see who owns them
REACH = 512  # atoms of a place on each side, where no stop comes before
LISTED = 12  # runs inside a run, or around it
NEAREST = 8
POOL = 30_000  # of the best-scored proposals are searched for neighbours, beside all kept units
CONTEXTS = 10
LOOKED_AT = 5_000  # proposals whose text is compared with one that is absent
SPREAD = 3  # documents in which a unit must stand to save tokens
LACK = "the corpus does not have it"
PROVEN = (Verdict.CHANGES, Verdict.DUPLICATE, Verdict.REBUILD, Verdict.INSIDE)
KINDS = {
    "formula": "a formula", "symbol": "a symbol", "marker": "a marker",
    "atom": "an atom that must stay whole", "link": "a word made of a link's words",
    "hyperlexeme": "a word made of a hyperlexeme's words",
}  # fmt: skip


@dataclass(frozen=True)
class Places:
    """Some places of a run, in a small stream of what stands around them up to the next stops.

    `starts` int64 (places,) in the stream; `total` is how many places there are in the corpus.
    """

    stream: Stream
    starts: np.ndarray
    length: int
    total: int


class Explainer:
    """A finished run that can be asked for reasons."""

    def __init__(self, run: Finished) -> None:
        self.run = run
        self.table = join_units(run)
        self.meaning = run.manifest["config"]["objective"] == "meaning"
        self.min_count = int(run.manifest["min_count"])

    # Who is who

    def keys(self, row: int) -> np.ndarray:
        """Return the keys of a proposal: uint32 (atoms,)."""
        keys = list_keys(self._take([row]), self.run.candidates)[0]
        return np.asarray(keys[keys != 0], np.uint32)

    def unit(self, row: int) -> Unit:
        """Return the canonical form and the atoms of a proposal, as decisions tell it."""
        return self.list_units([row])[0]

    def list_units(self, rows: Sequence[int]) -> list[Unit]:
        """Return the canonical forms and the atoms of several proposals, in their order."""
        taken = self._take(rows)
        parts = list_parts(list_keys(taken, self.run.candidates), self.run.atoms.table["text"])
        pairs = zip(taken["token"].to_list(), parts.to_list(), strict=True)
        return [(token, tuple(atoms)) for token, atoms in pairs]

    def find_rows(self, units: Iterable[Unit]) -> dict[Unit, int]:
        """Return the row of each unit that this run proposes; the others are left out."""
        wanted = set(units)
        tokens = pl.Series("token", list({token for token, _ in wanted}), dtype=pl.String)
        matches = self.table["token"].is_in(tokens.implode())
        rows = self.table["row"].filter(matches).to_list()
        found: dict[Unit, int] = {}
        for unit, row in zip(self.list_units(rows), rows, strict=True):
            if unit in wanted:
                found.setdefault(unit, row)
        return found

    def _take(self, rows: Sequence[int]) -> pl.DataFrame:
        """Return what tells some proposals; ValueError where there is no such row."""
        numbers = np.asarray(rows, np.int64)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.table.height:
            raise ValueError(f"the rows of this run are 0 to {self.table.height - 1}")
        return self.table.select("row", "token", "candidate", "atom")[numbers]

    def find(self, text: str) -> int | None:
        """Return the row of a text: by canonical form, surface, short name, then as it is cut."""
        form = self.run.atoms.profile.normalize(text.replace(SPACE_MARK, " "))
        units = self.run.units
        named = units.filter(pl.col("surface") == text)
        named = named if named.height else units.filter(pl.col("glued") == form)
        cut = self.cut(text)
        tokens = [form, *named["token"].head(1), *([cut.form] if cut.form else [])]
        for token in tokens:
            rows = self.table.filter(pl.col("token") == token)["row"]
            if len(rows):
                return int(rows[0])
        return None

    def cut(self, text: str) -> Cut:
        """Cut a text as the corpus was cut."""
        atoms = self.run.atoms
        pieces = cut_pieces(text, self.run)
        forms = [atoms.profile.spell(form) if form else "" for _, form in pieces]
        known = [self._numbers.get(form, 0) for form in forms]
        spaces = [space and i > 0 for i, (space, _) in enumerate(pieces)]
        return Cut(tuple(forms), tuple(known), tuple(spaces))

    # What is read once

    @cached_property
    def originals(self) -> Originals:
        """The text of the corpus."""
        return open_originals(self.run.folder)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        table = self.run.atoms.table
        return dict(zip(table["text"].to_list(), table["atom"].to_list(), strict=True))

    @cached_property
    def candidate_of(self) -> np.ndarray:
        """Return the candidate of each proposal, int64 (rows,); of an atom, the run of it alone."""
        keys, parent = self.run.candidates.keys, self.run.candidates.parent
        alone = np.flatnonzero(parent < 0)
        singles = np.full(self.run.atoms.table.height + 2, -1, np.int64)
        singles[keys[alone, 0] >> 1] = alone
        atoms = self.table["atom"].fill_null(0).to_numpy().astype(np.int64)
        runs = self.table["candidate"].cast(pl.Int64).fill_null(-1).to_numpy()
        return np.where(atoms > 0, singles[atoms], runs)

    @cached_property
    def row_of(self) -> np.ndarray:
        """Return the proposal of each candidate, int64 (candidates,), -1 where it is none."""
        rows = np.full(self.run.candidates.table.height, -1, np.int64)
        known = np.flatnonzero(self.candidate_of >= 0)
        rows[self.candidate_of[known]] = known
        return rows

    @cached_property
    def kept_runs(self) -> np.ndarray:
        """Return the rows of the kept runs of several atoms, best first."""
        kept = (pl.col("verdict") == Verdict.KEPT) & pl.col("candidate").is_not_null()
        return self.table.filter(kept)["row"].to_numpy().astype(np.int64)

    @cached_property
    def values(self) -> np.ndarray:
        """Return what each candidate is worth in the final cut, 0 where it is no unit."""
        values = np.zeros(self.run.candidates.table.height)
        values[self.candidate_of[self.kept_runs]] = self.table["value"].to_numpy()[self.kept_runs]
        return values

    @cached_property
    def weights(self) -> tuple[float, float, float, float]:
        """Return the weights of association, freedom, shown and confirmed in the score."""
        rows = self.table.filter(pl.col("candidate").is_not_null()).head(1)
        plain = ASSOCIATION, FREEDOM, SHOWN, CONFIRMED
        seeded = ASSOCIATION, FREEDOM, SEEDED, CONFIRMED
        if not rows.height or not self.meaning:
            return seeded if self.run.manifest["config"].get("seeds") else plain
        parts = rows.select("association", "freedom", "shown", "confirmed").row(0)
        away = [abs(mean_of(parts, weights) - rows["score"][0]) for weights in (plain, seeded)]
        return seeded if away[1] < away[0] else plain

    @cached_property
    def taught(self) -> bool:
        """Whether the corpus shows enough units to learn from; else the two models are one."""
        return bool((self.table["shown"] != self.table["confirmed"]).any())

    @cached_property
    def least_saved(self) -> int | None:
        """Return the tokens that the least useful kept run saves, None where none is kept."""
        pieces = count_pieces(self.run.candidates, self.values > 0)[
            self.candidate_of[self.kept_runs]
        ]
        saved = self.table["settled"].to_numpy()[self.kept_runs] * (pieces - 1)
        return int(saved.min()) if len(saved) else None

    @cached_property
    def built_on(self) -> dict[int, list[int]]:
        """Return, for each kept unit that is a piece on the way to others, the rows of those."""
        units = self.list_units(self.kept_runs.tolist())
        rows = {token: row for (token, _), row in zip(units, self.kept_runs.tolist(), strict=True)}
        found: dict[int, list[int]] = defaultdict(list)
        for (token, atoms), row in zip(units, self.kept_runs.tolist(), strict=True):
            steps: list[tuple[str, str]] = []
            join_pieces(split_unit(token, atoms), self._ranks, steps)
            results = {(left + right).removeprefix(" ") for left, right in steps}
            for piece in sorted(rows[result] for result in results if result in rows):
                if piece != row:
                    found[piece].append(row)
        return dict(found)

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        return rank_merges(read_merges(self.run.folder / "merges.tsv"))

    @cached_property
    def _pool(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows among which neighbours are sought, and their vectors in float32."""
        chosen = (self.table["verdict"] == str(Verdict.KEPT)).to_numpy().copy()
        chosen[np.argsort(-self.table["score"].to_numpy(), kind="stable")[:POOL]] = True
        rows = np.flatnonzero(chosen & (self.candidate_of >= 0))
        order = np.argsort(self.candidate_of[rows], kind="stable")  # as they lie on the disk
        vectors = unit_rows(np.asarray(self.run.vectors[self.candidate_of[rows[order]]]))
        return rows[order], vectors

    # Why

    def explain(self, row: int) -> dict[str, Any]:
        """Return why a proposal was kept or refused, ready for JSON.

        A share in `owners` is of the places looked at, each with one owner at most: the unit that
        takes most of it. `better_than` is the share of all runs whose value is worse.
        """
        about = self._take([row]).select("row").join(
            self.table, on="row", how="left", validate="1:1"
        ).row(0, named=True)  # fmt: skip
        token, atoms = self.unit(row)
        places = self.sample_places(self.keys(row))
        owners = self.list_owners(row, places)
        steps: list[tuple[str, str]] = []
        pieces = join_pieces(split_unit(token, atoms), self._ranks, steps)
        contained, around = self.list_inner(row), self.list_outer(row)
        names = ("token", "kind", "count", "documents", "settled", "verdict", "rank", "family")
        return {
            "row": row,
            **{name: about[name] for name in names},
            "surface": self.spell_surface(row),
            "atoms": list(atoms),
            "score": round_real(about["score"]),
            "objective": self.run.manifest["config"]["objective"],
            "headline": write_headline(self, about, owners),
            "evidence": list_evidence(self, about, around),
            "merges": [[left.removeprefix(" "), right.removeprefix(" "),
                        (left + right).removeprefix(" ")] for left, right in steps],
            "pieces": [piece.removeprefix(" ") for piece in pieces],
            "owners": owners,
            "looked_at": len(places.starts),
            "contains": self.tell_rows(contained),
            "contained_in": self.tell_rows(around),
            "neighbors": self.list_neighbors(row),
            "contexts": self.list_contexts(self.keys(row)),
            "exact": self.originals.exact,
            "built_on": self.table["token"].gather(self.built_on.get(row, [])).to_list(),
            "changes": list_changes(self, about, owners, places),
        }  # fmt: skip

    def spell_surface(self, row: int) -> str:
        """Return a proposal as the corpus mostly writes its atoms."""
        surfaces = self.run.atoms.table["surface"]
        return str(spell_runs(self.keys(row).reshape(1, -1), surfaces)[0])

    def list_contexts(self, keys: np.ndarray) -> list[dict[str, str]]:
        """Return some places of a run, as the corpus has them."""
        found = self.originals.find_contexts(keys, most=CONTEXTS)
        return [{"before": c.before, "unit": c.unit, "after": c.after} for c in found]

    def tell_rows(self, rows: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """Return the first of some proposals: kept ones first, then by count."""
        taken = self.table.select("row", "token", "count", "verdict")[np.asarray(rows, np.int64)]
        kept = pl.col("verdict") == Verdict.KEPT
        return taken.sort([~kept, -pl.col("count"), "row"]).head(LISTED).to_dicts()

    def list_inner(self, row: int) -> np.ndarray:
        """Return the rows of all proposals inside one."""
        candidates = self.run.candidates
        found: set[int] = set()
        front = {int(self.candidate_of[row])} - {-1}
        while front:
            sides = (candidates.parent, candidates.suffix)
            front = {int(side[part]) for part in front for side in sides} - {-1}
            found |= front
        rows = self.row_of[sorted(found)] if found else np.empty(0, np.int64)
        return np.asarray(rows[rows >= 0])

    def list_outer(self, row: int) -> np.ndarray:
        """Return the rows of all proposals that one lies inside."""
        candidates, candidate = self.run.candidates, int(self.candidate_of[row])
        if candidate < 0:
            return np.empty(0, np.int64)
        inside = np.zeros(len(candidates.parent) + 1, bool)  # the last for -1: no part
        front = np.array([candidate])
        while len(front):
            inside[front] = True
            reached = inside[candidates.parent] | inside[candidates.suffix]
            front = np.flatnonzero(reached & ~inside[:-1])
        inside[candidate] = False
        rows = self.row_of[np.flatnonzero(inside)]
        return np.asarray(rows[rows >= 0])

    def list_neighbors(self, row: int) -> list[dict[str, Any]]:
        """Return the nearest by their vectors, nearest first."""
        candidate = int(self.candidate_of[row])
        if candidate < 0:
            return []
        rows, vectors = self._pool
        query = unit_rows(np.asarray(self.run.vectors[candidate : candidate + 1]))[0]
        cosines = np.where(rows == row, -2, np.clip(vectors @ query, -1, 1))
        best = np.lexsort((rows, -cosines))[:NEAREST]
        found = self.table.select("row", "token", "verdict")[rows[best]].to_dicts()
        pairs = zip(found, cosines[best].tolist(), strict=True)
        return [{**entry, "cosine": round_real(cosine)} for entry, cosine in pairs if cosine >= -1]

    # Who owns its places

    def sample_places(self, keys: np.ndarray) -> Places:
        """Return up to `SAMPLE` places of a run, spread over all, with what stands around them."""
        ids = self.run.atoms.mined.ids
        counts, found = find_places(ids, [keys], most=SAMPLE)
        parts, starts, size = [np.zeros(MOST_ATOMS, np.uint32)], [], MOST_ATOMS
        for place in found[0][found[0] >= 0].tolist():
            low, high = find_stops(ids, place, place + len(keys))
            starts.append(size + place - low)
            parts += [np.asarray(ids[low:high]), np.zeros(1, np.uint32)]
            size += high - low + 1
        parts.append(np.zeros(MOST_ATOMS + 1, np.uint32))
        joined = np.concatenate(parts)
        stream = Stream(joined, np.zeros(len(joined), np.uint8), np.array([1, len(joined)]))
        return Places(stream, np.array(starts, np.int64), len(keys), int(counts[0]))

    def own_places(self, row: int, places: Places, values: np.ndarray) -> list[int]:
        """Return the candidate that takes most of each place of a proposal, -1 where nobody does.

        A run that overlaps itself owns only the places that it fills.
        """
        owners = find_owners(places.stream, self.run.candidates, values)
        lengths = self.run.candidates.table["length"].to_numpy().astype(np.int64)
        mine, found = int(self.candidate_of[row]), []
        for start in places.starts.tolist():
            best, owner, end = (0, 0.0), -1, start + places.length
            for at in range(start - MOST_ATOMS + 1, end):
                unit = int(owners[at])
                if unit < 0 or (unit == mine and at != start):
                    continue
                shared = min(at + int(lengths[unit]), end) - max(at, start)
                if shared > 0 and (shared, float(values[unit])) > best:
                    best, owner = (shared, float(values[unit])), unit
            found.append(owner)
        return found

    def list_owners(self, row: int, places: Places) -> list[dict[str, Any]]:
        """Return who owns the places of a proposal in the final cut: `row, token, share`."""
        owners = self.own_places(row, places, self.values)
        if self.table["candidate"][row] is None and self.table["verdict"][row] == Verdict.KEPT:
            mine = int(self.candidate_of[row])  # an atom owns what no longer unit takes
            owners = [mine if owner < 0 else owner for owner in owners]
        counted = Counter(owners)
        tokens, total = self.table["token"], max(len(places.starts), 1)
        found = [(int(self.row_of[unit]), n) for unit, n in counted.most_common() if unit >= 0]
        return [{"row": row, "token": tokens[row], "share": n / total} for row, n in found]

    def count_own(self, row: int, places: Places, values: np.ndarray) -> int:
        """Return how many of the places looked at a run itself fills."""
        owners = find_owners(places.stream, self.run.candidates, values)
        return int(np.count_nonzero(owners[places.starts] == self.candidate_of[row]))

    def let_in(self, row: int, places: Places, *, without: Sequence[int] = ()) -> int:
        """Return how many places a run would own beside the kept units, `without` some of them.

        Told of all its places, from those looked at.
        """
        candidates = self.run.candidates
        joints = candidates.table["length"].to_numpy() - 1.0
        units = self.values > 0
        units[self.candidate_of[row]] = True
        units[self.candidate_of[list(without)]] = False
        if self.meaning:
            values = joints * np.exp(STEEPNESS * raise_bids(candidates, self._worth, units))
        else:
            parts = self.table.select("association", "freedom", "shown", "confirmed").row(row)
            values = self.values.copy()
            values[self.candidate_of[row]] = joints[self.candidate_of[row]] + 1e-3 * mean_of(
                parts, self.weights
            )
        own = self.count_own(row, places, np.where(units, values, 0.0))
        return round(own * places.total / max(len(places.starts), 1))

    @cached_property
    def _worth(self) -> np.ndarray:
        worth = np.zeros(self.run.candidates.table.height)
        runs = self.table["candidate"].is_not_null().to_numpy()
        worth[self.candidate_of[runs]] = self.table["score"].to_numpy()[runs]
        return worth

    def count_savings(self, row: int, owned: int) -> tuple[int, int]:
        """Return the pieces of a run without itself, and the tokens that `owned` places save."""
        units = self.values > 0
        units[self.candidate_of[row]] = True
        pieces = int(count_pieces(self.run.candidates, units)[self.candidate_of[row]])
        return pieces, owned * (pieces - 1)

    def find_rival(self, about: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the unit that a run yielded to: around a fragment, inside what was outbid."""
        if about["verdict"] not in (Verdict.FRAGMENT, Verdict.OUTBID) or not about["rival"]:
            return None
        fragment = about["verdict"] == Verdict.FRAGMENT
        rows = self.list_outer(about["row"]) if fragment else self.list_inner(about["row"])
        found = self.table[rows].filter(pl.col("token") == about["rival"])
        return found.row(0, named=True) if found.height else None

    # What is not there

    def explain_absent(self, text: str) -> dict[str, Any]:
        """Return why a text is no proposal, ready for JSON."""
        cut = self.cut(text)
        keys = cut.keys
        whole = bool(len(keys)) and not cut.stops and not cut.unknown
        count = self.originals.count_places(keys) if whole else 0
        held = int(find_places(self.run.atoms.held.ids, [keys], most=0)[0][0]) if whole else 0
        reasons = list_reasons(self, cut, count, held)
        return {
            "row": None,
            "text": text,
            "token": self.run.atoms.profile.normalize(text),
            "headline": reasons[0],
            "reasons": reasons,
            "atoms": [
                {"text": form, "count": self._count_atom(number)}
                for form, number in zip(cut.forms, cut.numbers, strict=True) if form
            ],
            "count": count,
            "held_back": held,
            "neighbors": self.list_similar(cut, text),
            "contexts": self.list_contexts(keys) if count else [],
            "exact": self.originals.exact,
        }  # fmt: skip

    def _count_atom(self, number: int) -> int:
        return int(self.run.atoms.table["count"][number - 1]) if number else 0

    def name_atom(self, number: int) -> str:
        """Return the kind of an atom of the corpus."""
        return str(self.run.atoms.table["kind"][number - 1])

    def list_similar(self, cut: Cut, text: str) -> list[dict[str, Any]]:
        """Return the proposals inside a text, or else those that are written much like it."""
        inner = [form for form in cut.list_inner() if form]
        rows = self.table.filter(pl.col("token").is_in(inner))["row"].to_list()
        if rows:
            return self.tell_rows(rows)
        form = self.run.atoms.profile.normalize(text)[:200]
        ends = {part for part in (cut.forms[:1] + cut.forms[-1:]) if part}
        beside = pl.lit(value=False)
        for part in ends:
            beside |= pl.col("token").str.starts_with(part) | pl.col("token").str.ends_with(part)
        tokens = self.table.filter(beside)["token"].head(LOOKED_AT).to_list()
        if not tokens and form:
            same = pl.col("token").str.starts_with(form[:2])
            tokens = self.table.filter(same)["token"].head(LOOKED_AT).to_list()
        close = difflib.get_close_matches(form, [t for t in tokens if len(t) < 400], NEAREST)
        named = pl.col("token").is_in(close or tokens[:NEAREST])
        return self.tell_rows(self.table.filter(named)["row"].to_list())


def join_units(run: Finished) -> pl.DataFrame:
    """Return the proposals with `rank`, and `family`, the head of a family of two or more."""
    units = run.units
    heads = units.select(pl.col("rank").alias("family"), head="token")
    ranked = (
        units.select("token", "candidate", "atom", "rank", "family", size=pl.len().over("family"))
        .join(heads, on="family", how="left", validate="m:1")
        .select(
            "token", "candidate", "atom", "rank",
            family=pl.when(pl.col("size") > 1).then("head"),
        )
    )  # fmt: skip
    return run.proposals.join(
        ranked, on=["token", "candidate", "atom"], how="left", nulls_equal=True,
        maintain_order="left", validate="m:1",
    )  # fmt: skip


def mean_of(parts: Sequence[float], weights: Sequence[float]) -> float:
    """Return the weighted mean."""
    return sum(w * part for w, part in zip(weights, parts, strict=True)) / sum(weights)


def find_stops(ids: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """Return where the stretch around a run begins and ends, `REACH` atoms away at most."""
    before = np.flatnonzero(ids[max(first - REACH, 0) : first] == 0)
    after = np.flatnonzero(ids[last : last + REACH] == 0)
    low = max(first - REACH, 0)
    low += int(before[-1]) + 1 if len(before) else 0
    return low, last + int(after[0]) if len(after) else min(last + REACH, len(ids))


# A text that the run does not know


@dataclass(frozen=True)
class Cut:
    """A text in atoms: forms, "" a stop; numbers, 0 where unknown; whether a space precedes."""

    forms: tuple[str, ...]
    numbers: tuple[int, ...]
    spaces: tuple[bool, ...]

    @property
    def stops(self) -> int:
        """How many stops stand between its atoms."""
        return sum(not form for form in self.forms)

    @property
    def unknown(self) -> list[str]:
        """The atoms that the corpus does not have."""
        pairs = zip(self.forms, self.numbers, strict=True)
        return list(dict.fromkeys(form for form, number in pairs if form and not number))

    @property
    def keys(self) -> np.ndarray:
        """The keys of its atoms, uint32 (atoms,), 0 for a stop or an unknown one."""
        pairs = zip(self.numbers, self.spaces, strict=True)
        return np.array([(n << 1) | (space and n > 0) for n, space in pairs], np.uint32)

    @property
    def form(self) -> str:
        """The canonical form of a run without stops, "" where there is none."""
        return "" if self.stops else self._spell(0, len(self.forms))

    def _spell(self, first: int, last: int) -> str:
        parts = zip(self.spaces[first:last], self.forms[first:last], strict=True)
        return "".join(" " * space + form for space, form in parts).removeprefix(" ")

    def list_inner(self) -> list[str]:
        """Return the canonical forms of all runs inside, up to `MOST_ATOMS` long."""
        size = min(len(self.forms), 1_000)
        return [
            self._spell(first, last)
            for first in range(size)
            for last in range(first + 1, min(first + MOST_ATOMS, size) + 1)
            if all(self.forms[first:last])
        ]


def cut_pieces(text: str, run: Finished) -> list[tuple[bool, str]]:
    """Return the atoms of a text as they are written, each with whether a space precedes it.

    "" is a stop; those on the edges are left out.
    """
    profile = run.atoms.profile
    if profile.name == "bytes":
        names = re.findall("<0x[0-9A-F]{2}>", text)
        known = names if "".join(names) == text else [f"<0x{b:02X}>" for b in encode(text)]
        return [(False, name) for name in known]
    content = encode(text)
    buffer = np.frombuffer(content, np.uint8)
    pieces, end = [], 0
    for start, stop in cut_again(buffer, profile, run.patterns).tolist() if content else []:
        if stop > start:
            gap = content[end:start].decode("utf-8", "replace")
            pieces.append((any(map(str.isspace, gap)), content[start:stop].decode("utf-8")))
        elif pieces and pieces[-1][1]:
            pieces.append((False, ""))
        end = max(stop, end)
    return pieces[:-1] if pieces and not pieces[-1][1] else pieces


def encode(text: str) -> bytes:
    """Return a text as UTF-8; what no file could hold becomes a question mark."""
    return text.encode("utf-8", "replace")


def list_reasons(explainer: Explainer, cut: Cut, count: int, held: int) -> list[str]:
    """Return in plain words why a text is no proposal, the best reason first."""
    longest = int(explainer.run.manifest["config"]["max_length"])
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
        reasons.append(f"It is a single {kind}, which occurs {tell_count(count, 'time')}: "
                       "single words and signs are left to the trainer.")  # fmt: skip
    if held:
        reasons.append(f"It occurs {tell_count(held, 'time')} in the documents that are held back "
                       "to measure the savings, which are not mined.")  # fmt: skip
    return reasons or [f"It occurs {tell_count(count, 'time')}, but is no candidate of the run."]


# In plain words


def quote(token: str) -> str:
    """Return a token in quotation marks, what is invisible spelled out."""
    return f"«{spell(token)}»"


def tell_count(count: int, noun: str) -> str:
    """Return a number and its noun: `1 time`, `1,200 times`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
        Verdict.CHANCE: "no more often than chance", Verdict.BUDGET: "beyond --vocab-size",
        Verdict.REJECTED: "a reviewer rejected it",
    }.get(verdict, str(verdict))  # fmt: skip


def _is_inside(row: Mapping[str, Any]) -> bool:
    """Say whether the rival of a run is the shorter unit that it contains."""
    return bool(row.get("rival")) and row["rival"] in row["token"]


def _tell_kept(row: Mapping[str, Any]) -> str:
    if row.get("candidate") is None:
        return f"{KINDS.get(row['kind'], row['kind'])}, {tell_count(row['count'], 'time')}"
    if row["log_likelihood"] < SURE or row["pmi"] <= 0:
        return f"owns {row['settled']:,} of {tell_count(row['count'], 'place')}"
    meets = f"meets {tell_times(2 ** row['pmi'])}x more than chance"
    if row["freedom"] is not None and row["freedom"] >= 0.5:
        return f"{meets}, stands free"
    return f"{meets}, owns {tell_share(row['settled'] / max(row['count'], 1))} of its places"


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
        f"{about['log_likelihood'] or 0:,.1f}, and {SURE} would be sure",
        Verdict.FRAGMENT: _blame_holder(explainer, about),
        Verdict.OUTBID: _blame_owners(explainer, about, owners),
        Verdict.BUDGET: "it is good enough, but --vocab-size "
        f"{explainer.run.manifest['config']['vocab_size']:,} has no room for it",
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
        kind = KINDS.get(about["kind"], about["kind"])
        return f"{kind} that occurs {tell_count(about['count'], 'time')}; it stays whole"
    own = f"it owns {about['settled']:,} of its {tell_count(about['count'], 'place')}"
    if not explainer.meaning:
        pieces, saved = explainer.count_savings(about["row"], about["settled"])
        return (f"{own}, each {tell_count(pieces, 'token')} without it, "
                f"so it saves {tell_count(saved, 'token')}")  # fmt: skip
    if about["score"] < LEAST_SCORE or about["log_likelihood"] < SURE:
        return f"it was accepted, though its score is {tell_score(about['score'])}; {own}"
    meets = f"its parts meet {tell_times(2 ** about['pmi'])} times as often as chance has it"
    return f"{meets}, and {own}"


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
        *_tell_meeting(about), *_tell_freedom(about), *_tell_likeness(explainer, about),
        *_tell_vectors(explainer, about), *_tell_spread(explainer, about, around),
    ]  # fmt: skip
    runs = explainer.table.filter(pl.col("candidate").is_not_null())
    return [
        {"name": name, "text": text, "value": round_real(value),
         "better_than": _share_worse(runs, about, column, lower=lower)}
        for name, text, value, column, lower in told
    ]  # fmt: skip


_Told = tuple[str, str, float, str, bool]  # name, text, value, column, whether lower is better


def _share_worse(
    runs: pl.DataFrame, about: Mapping[str, Any], column: str, *, lower: bool = False
) -> float | None:
    """Return the share of the runs whose value is worse than one, None where nothing is better."""
    if not column or about[column] is None:
        return None
    worse = (runs[column] > about[column]) if lower else (runs[column] < about[column])
    return round_real(float(worse.sum()) / max(runs.height, 1))


def _tell_atom(explainer: Explainer, about: Mapping[str, Any]) -> dict[str, Any]:
    runs = explainer.table.filter(pl.col("candidate").is_not_null())
    return {
        "name": "count",
        "text": f"{KINDS.get(about['kind'], about['kind'])}, which stays whole where it occurs "
        f"{tell_count(explainer.min_count, 'time')} or more; it occurs {about['count']:,}",
        "value": about["count"],
        "better_than": _share_worse(runs, about, "count"),
    }


def _tell_meeting(about: Mapping[str, Any]) -> list[_Told]:
    ratio = 2.0 ** about["pmi"]
    meets = f"its parts meet {tell_times(ratio)} times as often as chance has it"
    gap = f"{tell_count(about['count'], 'time')} where chance gives {_tell_small(about, ratio)}"
    sure = f"log-likelihood {about['log_likelihood']:,.1f}; from {SURE} on it is sure"
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


def _tell_likeness(explainer: Explainer, about: Mapping[str, Any]) -> list[_Told]:
    """Return the two models' ranks; where the corpus shows too little, there is only one."""
    shown, confirmed = float(about["shown"]), float(about["confirmed"])
    like = f"more like what stands out by frequency than {tell_share(confirmed)} of all runs"
    told = [("likeness confirmed", like, confirmed, "confirmed", False)]
    if explainer.taught:
        like = f"more like what the corpus shows to be units than {tell_share(shown)} of all runs"
        told.insert(0, ("likeness shown", like, shown, "shown", False))
    return told


def _tell_vectors(explainer: Explainer, about: Mapping[str, Any]) -> list[_Told]:
    told: list[_Told] = []
    if about.get("closeness") is not None:
        text = f"its parts mean alike by {about['closeness']:.2f} of 1 (cosine)"
        told.append(("closeness", text, about["closeness"], "closeness", False))
    if about.get("wholeness") is not None:
        adds = explainer.run.manifest.get("encoder", {}).get("adds_up", False)
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
        ("documents", f"it stands in {tell_count(documents, 'document')}", documents, "documents",
         False),
        ("dispersion", f"it is spread {even} over the corpus: {spread:.2f}, 0 is even", spread,
         "dispersion", True),
        ("nestedness", f"{text}{where}", nested, "nestedness", True),
    ]  # fmt: skip


# What would change it


def list_changes(
    explainer: Explainer, about: Mapping[str, Any], owners: Sequence[Mapping[str, Any]],
    places: Places,
) -> list[str]:  # fmt: skip
    """Return what would change the verdict, concrete, a sentence each."""
    verdict = about["verdict"]
    if verdict == Verdict.KEPT:
        return _change_kept(explainer, about)
    if verdict in PROVEN:
        return _change_proven(about)
    if verdict == Verdict.WEAK:
        change = _change_weak if explainer.meaning else _change_idle
        return change(explainer, about)
    if verdict == Verdict.CHANCE:
        return _change_chance(about) if explainer.meaning else _change_idle(explainer, about)
    if verdict == Verdict.FRAGMENT:
        return _change_fragment(explainer, about, places)
    if verdict == Verdict.OUTBID:
        return _change_outbid(explainer, about, owners, places)
    if verdict == Verdict.BUDGET:
        return _change_budget(explainer, about)
    return ["A reviewer who takes the decision back lets it compete again."]


def _change_kept(explainer: Explainer, about: Mapping[str, Any]) -> list[str]:
    count, settled = about["count"], about["settled"]
    changes = []
    if about["candidate"] is None or settled >= count:
        changes.append(f"It occurs {tell_count(count, 'time')}: --min-count {count + 1:,} would "
                       "leave it out.")  # fmt: skip
    elif explainer.meaning:
        changes.append(f"It owns {settled:,} of its {tell_count(count, 'place')}: --min-count "
                       f"{settled + 1:,} would leave it out as the others stand, {count + 1:,} in "
                       "any case.")  # fmt: skip
    else:
        changes.append(f"--min-count {count + 1:,} would leave it out.")
    if about["order"] > 1:
        worse = "is" if about["order"] == 2 else "are"
        changes.append(f"{about['order'] - 1:,} {worse} better: --vocab-size "
                       f"{about['order'] - 1:,} has no room for it as the others stand."
                       )  # fmt: skip
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


def _change_weak(explainer: Explainer, about: Mapping[str, Any]) -> list[str]:
    """Return the score that is missing, and the weakest of what it is made of."""
    weights = dict(zip(PARTS, explainer.weights, strict=True))
    if not explainer.taught:  # the two models are one
        weights["confirmed"] += weights.pop("shown")
    total, lack = sum(weights.values()), LEAST_SCORE - float(about["score"])
    first = max(weights, key=lambda name: weights[name] * (1 - about[name]))
    needed = about[first] + lack * total / weights[first]
    what = "even the best there would not do by itself"
    if needed <= 1:
        what = f"with {tell_share(needed)} there and all else the same it would pass"
    return [
        f"Its score is {about['score']:.3f}; from {LEAST_SCORE:.3f} on it would compete. "
        f"It misses {lack:.3f}.",
        f"It loses most by {PARTS[first]}, at {tell_share(about[first])} of the best: {what}.",
    ]


PARTS = {
    "association": "its association (how surprising and how sure it is that its parts meet)",
    "freedom": "its freedom (how many things can follow, how often it ends a clause)",
    "shown": "its likeness to what the corpus shows to be units",
    "confirmed": "its likeness to what stands out by frequency",
}


def _change_idle(explainer: Explainer, about: Mapping[str, Any]) -> list[str]:
    """Return what a run that did not compete to save tokens lacks."""
    documents = int(explainer.run.manifest["documents"])
    least, promise = min(SPREAD, documents), about["count"] * (about["length"] - 1)
    if about["documents"] < least:
        return [f"It stands in {tell_count(about['documents'], 'document')}; to compete for "
                f"savings it must stand in {least}."]  # fmt: skip
    budget = int(explainer.run.manifest["config"]["vocab_size"])
    able = pl.col("candidate").is_not_null() & (pl.col("documents") >= least)
    promises = explainer.table.filter(able).select(p=pl.col("count") * (pl.col("length") - 1))["p"]
    bar = int(promises.top_k(min(8 * budget, len(promises)))[-1])
    return [f"It can save {promise:,} tokens at most; of the {8 * budget:,} runs that --vocab-size "
            f"{budget:,} lets compete each promised {bar:,} or more. A larger one lets more in."
            ]  # fmt: skip


def _change_chance(about: Mapping[str, Any]) -> list[str]:
    """Return how often it should occur to be sure: log-likelihood grows with the counts."""
    likelihood, count = float(about["log_likelihood"]), int(about["count"])
    if likelihood <= 0:
        return [f"Its parts meet {tell_times(2.0 ** about['pmi'])} times as often as chance has "
                "it: more text of the same kind would not change that."]  # fmt: skip
    needed = int(np.ceil(count * SURE / likelihood))
    times = tell_times(SURE / likelihood)
    changes = [f"At the same rates, about {needed:,} occurrences instead of {count:,} would be "
               f"sure: a corpus {times} times as large."]  # fmt: skip
    if about["score"] and about["score"] < LEAST_SCORE:
        changes.append(f"Its score, {about['score']:.3f}, would still have to reach "
                       f"{LEAST_SCORE:.3f}.")  # fmt: skip
    return changes


def _change_fragment(explainer: Explainer, about: Mapping[str, Any], places: Places) -> list[str]:
    rival = explainer.find_rival(about)
    if rival is None:
        return [f"Fewer than {SWALLOWED:.0%} of its places inside one longer unit."]
    name, share = quote(rival["token"]), rival["count"] / about["count"]
    changes = [f"{tell_share(share)} of its places lie inside {name}; below {SWALLOWED:.0%} both "
               "would compete."]  # fmt: skip
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
    explainer: Explainer, about: Mapping[str, Any], owners: Sequence[Mapping[str, Any]],
    places: Places,
) -> list[str]:  # fmt: skip
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
        return [f"{own}, which is enough: it lost when more units competed than are kept. "
                "Another --vocab-size may take it."]  # fmt: skip
    changes = [f"{own}; it takes {explainer.min_count:,} (--min-count)."]
    for first in [entry for entry in owners if entry["row"] != row][:1]:
        freed = explainer.let_in(row, places, without=[first["row"]])
        changes.append(_tell_freed(explainer, about, quote(first["token"]), freed, places))
    return changes


def _tell_better(about: Mapping[str, Any], rival: Mapping[str, Any]) -> str:
    name, share = quote(rival["token"]), about["count"] / max(rival["count"], 1)
    return (f"{tell_share(share)} of the places of {name} are in it, and {name} scores "
            f"{rival['score']:.3f} against {about['score']:.3f}; at {rival['score'] - NEARLY:.3f} "
            "the longer one would win.")  # fmt: skip


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
    return [f"{better:,} are better: a --vocab-size of about {better + 1:,} would take it, if "
            "the others compete as they did."]  # fmt: skip
