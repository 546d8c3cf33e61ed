"""A finished run to what is known of its proposals: their places, owners, neighbours, parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from miner.mining.segmentation import count_pieces, find_owners
from miner.mining.settling import STEEPNESS, Verdict, raise_bids, surpass_chance
from miner.mining.spelling import list_keys, list_parts, spell_runs
from miner.mining.vocabulary import (
    SPACE_MARK,
    join_pieces,
    rank_merges,
    read_merges,
    round_real,
    split_unit,
)
from miner.review.cut import Cut, cut_pieces
from miner.runs.concordance import Originals, find_places, open_originals
from miner.runs.decisions import Unit
from miner.runs.finished import Finished
from miner.text.pretokens import MOST_ATOMS, Stream
from miner.text.recut import normalize
from miner.vectors.neighbors import unit_rows

SAMPLE = 200  # places that are cut again to see who owns them
REACH = 512  # atoms of a place on each side, where no stop comes before
LISTED = 12  # runs inside a run, or around it
NEAREST = 8
POOL = 30_000  # of the best-scored proposals are searched for neighbours, beside all kept units
CONTEXTS = 10
TIE = 5e-4  # of a run among those that save as many tokens: its score is not kept then


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
        self.meaning = run.manifest.config.objective != "compression"
        self.min_count = run.manifest.min_count
        self.sure = surpass_chance(self.table["log_likelihood"].count())

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

    def about(self, row: int) -> dict[str, Any]:
        """Return all columns of a proposal; ValueError where there is no such row."""
        self._take([row])
        return self.table.row(row, named=True)

    def _take(self, rows: Sequence[int]) -> pl.DataFrame:
        """Return what tells some proposals; ValueError where there is no such row."""
        numbers = np.asarray(rows, np.int64)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.table.height:
            raise ValueError(f"the rows of this run are 0 to {self.table.height - 1}")
        return self.table.select("row", "token", "candidate", "atom")[numbers]

    def find(self, text: str) -> int | None:
        """Return the row of a text: by canonical form, surface, short name, then as it is cut."""
        form = normalize(text.replace(SPACE_MARK, " "), self.run.atoms.profile)
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

    def count_atom(self, number: int) -> int:
        """Return how often an atom occurs, 0 for an unknown one."""
        return int(self.run.atoms.table["count"][number - 1]) if number else 0

    def name_atom(self, number: int) -> str:
        """Return the kind of an atom of the corpus."""
        return str(self.run.atoms.table["kind"][number - 1])

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
    def least_saved(self) -> int | None:
        """Return the tokens that the least useful kept run saves, None where none is kept."""
        pieces = count_pieces(self.run.candidates, self.values > 0)[
            self.candidate_of[self.kept_runs]
        ]
        saved = self.table["unit_count"].to_numpy()[self.kept_runs] * (pieces - 1)
        return int(saved.min()) if len(saved) else None

    @cached_property
    def built_on(self) -> dict[int, list[int]]:
        """Return, for each kept unit that is a piece on the way to others, the rows of those."""
        units = self.list_units(self.kept_runs.tolist())
        rows = {token: row for (token, _), row in zip(units, self.kept_runs.tolist(), strict=True)}
        found: dict[int, list[int]] = defaultdict(list)
        for unit, row in zip(units, self.kept_runs.tolist(), strict=True):
            results = {(left + right).removeprefix(" ") for left, right in self.join(unit)[0]}
            for piece in sorted(rows[result] for result in results if result in rows):
                if piece != row:
                    found[piece].append(row)
        return dict(found)

    def join(self, unit: Unit) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the merges that the list makes in a unit, in order, and the pieces it ends in."""
        steps: list[tuple[str, str]] = []
        return steps, join_pieces(split_unit(*unit), self._ranks, steps)

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

    # What is around it

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
            bids = raise_bids(candidates, self._worth, units, min_count=self.min_count)
            values = joints * np.exp(STEEPNESS * bids)
        else:
            values = self.values.copy()
            values[self.candidate_of[row]] = joints[self.candidate_of[row]] + TIE
        own = self.count_own(row, places, np.where(units, values, 0.0))
        return round(own * places.total / max(len(places.starts), 1))

    @cached_property
    def _worth(self) -> np.ndarray:
        worth = np.zeros(self.run.candidates.table.height)
        runs = self.table["candidate"].is_not_null().to_numpy()
        worth[self.candidate_of[runs]] = self.table["bid"].fill_null(0).to_numpy()[runs]
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


def join_units(run: Finished) -> pl.DataFrame:
    """Return the proposals with `rank`, and `family`, the head of a family of two or more."""
    units = run.units
    heads = units.select(pl.col("rank").alias("family"), head="token")
    ranked = (
        units.select("token", "candidate", "atom", "rank", "family", size=pl.len().over("family"))
        .join(heads, on="family", how="left", validate="m:1")
        .select(
            "token", "candidate", "atom", "rank", family=pl.when(pl.col("size") > 1).then("head")
        )
    )
    return run.proposals.join(
        ranked,
        on=["token", "candidate", "atom"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
        validate="m:1",
    )


def find_stops(ids: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """Return where the stretch around a run begins and ends, `REACH` atoms away at most."""
    before = np.flatnonzero(ids[max(first - REACH, 0) : first] == 0)
    after = np.flatnonzero(ids[last : last + REACH] == 0)
    low = max(first - REACH, 0)
    low += int(before[-1]) + 1 if len(before) else 0
    return low, last + int(after[0]) if len(after) else min(last + REACH, len(ids))
