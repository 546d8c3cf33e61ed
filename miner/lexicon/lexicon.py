"""A run to a lexicon: unit <-> text <-> vector, both ways, by number, by text, by nearness."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.errors import UsageError
from miner.fields import Fields, read_fields
from miner.fields.addresses import find_codes, place_codes, read_address
from miner.fields.layers import Layer, read_layers, tell_values
from miner.fields.space import embed_units, open_encoder
from miner.lexicon.decomposing import Cut, cut_glued
from miner.mining.vocabulary import SPACE_MARK, join_pieces, rank_merges, split_unit
from miner.runs.annotations import review_run
from miner.runs.concordance import Context, Originals, open_originals
from miner.runs.decisions import Policy
from miner.runs.finished import open_finished
from miner.runs.forms import cut_forms
from miner.text.recut import normalize
from miner.tokenizer.checking.checking import read_unit_ids
from miner.vectors.encoder import Encoder, load_encoder
from miner.vectors.neighbors import open_search, unit_rows

REACH = 48  # characters on each side of a context
AROUND = 8  # times as many are looked through where some are left out
HELD = 50  # items of a layer that a search by units starts from


@dataclass(frozen=True)
class Decomposition:
    """What a text is made of.

    `by`: `unit`, it is one; `atoms`, the corpus cuts it so; `glued`, by the best cut; `nothing`, it
    is neither known nor made of what is. `certainty` is the share of this cut in all cuts, 0 to 1;
    `known` says which parts the corpus has; `rivals` are the next best cuts.
    """

    parts: tuple[str, ...]
    certainty: float
    by: str
    known: tuple[bool, ...]
    rivals: tuple[Cut, ...] = ()


class Lexicon:
    """The vocabulary of a run as its reviewers want it, to be asked.

    Units are told by `rank`, from 1. With the folder of a tokenizer that miner trained, its ids
    are known too. What is large is read when it is first asked for. RunError, TokenizerError where
    a folder is none.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        policy: Policy = "majority",
        tokenizer: str | os.PathLike[str] | None = None,
        device: str = "cpu",
    ) -> None:
        self.folder = Path(run)
        self.run = open_finished(self.folder)
        self.fields: Fields = read_fields(self.folder)
        self.layers: dict[str, Layer] = read_layers(self.folder)
        self.device = device
        reviewed = review_run(self.folder, policy)
        self.units = reviewed.units if reviewed else self.run.units
        self.merges = reviewed.merges if reviewed else self.run.merges
        self._ids = read_unit_ids(Path(tokenizer)) if tokenizer else None

    def __len__(self) -> int:
        return self.units.height

    # Text <-> number <-> id

    def find(self, text: str) -> int | None:
        """Return the rank of the unit that a text is, None where it is none.

        By its canonical form, as the corpus writes it, then by its glued form.
        """
        plain = text.replace(SPACE_MARK, " ")
        form = self._fold(plain)
        ways = ("token", form), ("surface", plain.strip()), ("glued", form), ("glued", plain)
        for column, wanted in ways:
            ranks = self._ranks_by[column]
            if wanted in ranks:
                return ranks[wanted]
        return None

    @cached_property
    def _ranks_by(self) -> dict[str, dict[str, int]]:
        columns = ("token", "surface", "glued")
        return {
            name: dict(zip(self.units[name][::-1], self.units["rank"][::-1], strict=True))
            for name in columns
        }

    def _fold(self, text: str) -> str:
        """Return a text in canonical form: cut as the corpus is, then spelled."""
        form = cut_forms([text], self.run.atoms, self.run.patterns)[0]
        return normalize(text, self.run.atoms.profile) if form.problem else form.unit[0]

    def unit(self, rank: int) -> dict[str, Any]:
        """Return all columns of a unit; UsageError where there is none of that rank."""
        if not 1 <= rank <= self.units.height:
            raise UsageError(f"there is no unit {rank}", cure=f"Give 1 to {self.units.height:,}")
        return self.units.row(rank - 1, named=True)

    def ids(self, rank: int) -> list[tuple[int, str]]:
        """Return the ids of a unit in the tokenizer, each with the text that it stands for."""
        if self._ids is None:
            return []
        found = self._ids.filter(pl.col("token") == self.unit(rank)["token"])
        return list(found.select("id", "text").iter_rows())

    def by_id(self, number: int) -> int | None:
        """Return the rank of the unit that has an id of the tokenizer; without one, a rank."""
        if self._ids is None:
            return number if 1 <= number <= self.units.height else None
        found = self._ids.filter(pl.col("id") == number)["token"]
        return self._ranks_by["token"].get(found[0]) if len(found) else None

    # Text <-> vector

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the run."""
        return open_encoder(self.folder, device=self.device)[0]

    @cached_property
    def vectors(self) -> np.ndarray:
        """A row for each unit, float32 (units, dim) of length 1, zeros where nothing is known."""
        same = self.fields.table["token"].equals(self.units["token"])
        if same:
            return unit_rows(self.fields.space.vectors)
        return embed_units(self.units, self.run.candidates, self.run.vectors, self._encode)

    def _encode(self, texts: Any) -> np.ndarray:
        return self.encoder.encode(list(texts))

    def vector(self, text: str) -> np.ndarray:
        """Return the unit row of any text, float32 (dim,): a unit has its own.

        A glued text that is not known is the sum of its parts; zeros where nothing is known.
        """
        rank = self.find(text)
        if rank is not None and self.vectors[rank - 1].any():
            return self.vectors[rank - 1]
        row = unit_rows(self._encode([text]))[0]
        parts = self.decompose(text)
        if parts.by == "glued" and len(parts.parts) > 1:
            row = unit_rows(self._encode([" ".join(parts.parts)]))[0]
        return row

    @cached_property
    def _search(self) -> Any:
        return open_search(self.vectors, device=self.device)

    def near(
        self, what: str | int | np.ndarray, k: int = 10, *, beside: Sequence[str] = ()
    ) -> pl.DataFrame:
        """Return the units nearest to a text, a rank or a row: `rank, token, cosine`.

        A unit that is asked for by rank or text is not among them. Nor is what holds all atoms of
        `beside`, or nothing else: of `сердце` one knows that `в сердце` is near.

        Args:
            what: a text; a rank, from 1; or a row, float32 (dim,).
            k: how many.
            beside: atoms of which one knows what is near.

        Raises:
            UsageError: there is no unit of that rank, or the row has another width.
        """
        rank = what if isinstance(what, int) else None
        row = what
        if isinstance(what, int):
            self.unit(what)
            row = self.vectors[what - 1]
        elif isinstance(what, str):
            rank, row = self.find(what), self.vector(what)
        row = np.asarray(row, np.float32).reshape(1, -1)
        schema = {"rank": pl.Int64, "token": pl.String, "cosine": pl.Float64}
        if not row.any() or not self.units.height:
            return pl.DataFrame(schema=schema)
        if row.shape[1] != self.vectors.shape[1]:
            width = self.vectors.shape[1]
            raise UsageError(f"a vector of {row.shape[1]}", cure=f"Those of this run have {width}")
        spare = AROUND * k if beside else 0
        wanted = min(k + (rank is not None) + spare, self.units.height)
        cosines, found = (part[0] for part in self._search(unit_rows(row), wanted))
        ranks = found.astype(np.int64) + 1
        keep = (ranks > 0) & (ranks != (rank or 0)) & self.vectors[found].any(axis=1)
        keep &= ~self._is_nested(ranks, frozenset(beside))
        ranks, cosines = ranks[keep][:k], np.clip(cosines[keep][:k], -1, 1)
        tokens = self.units["token"].gather(ranks - 1).to_list()
        return pl.DataFrame({"rank": ranks, "token": tokens, "cosine": cosines}, schema=schema)

    def _is_nested(self, ranks: np.ndarray, atoms: frozenset[str]) -> np.ndarray:
        """Say which units hold all of some atoms, or nothing else."""
        if not atoms:
            return np.zeros(len(ranks), bool)
        parts = [frozenset(self.units["atoms"][int(rank) - 1]) for rank in ranks]
        return np.array([own >= atoms or own <= atoms for own in parts])

    # Fields

    def field(self, rank: int, *, contexts: int = 3) -> dict[str, Any]:
        """Return all that is known of a unit beyond its text.

        `address`, `facets`, `structure`, `scene`, `contexts`, `layers`, `label`.

        Args:
            rank: of the unit, from 1; UsageError where there is none.
            contexts: how many typical places at most.
        """
        unit = self.unit(rank)
        token = unit["token"]
        kept = self.fields.table.filter(pl.col("token") == token)
        told = self.fields.space.tell(self.vectors[rank - 1 : rank]).row(0, named=True)
        row = kept.row(0, named=True) if kept.height else {}
        scene = self._find_scene(row)
        return {
            "address": told.pop("address"),
            "facets": told,
            "structure": {name: row.get(name) for name in ("resonance", "direction", "tension")},
            "scene": scene,
            "contexts": self._list_contexts(row.get("rank"), contexts),
            "layers": tell_values(self.layers, token),
            "label": unit.get("label"),
        }

    def _find_scene(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        if not row or row["scene"] is None:
            return None
        scene = self.fields.scenes.filter(pl.col("scene") == row["scene"]).row(0, named=True)
        tokens = self.fields.table["token"]
        facets = {name: scene[name] for name in self.fields.space.facets}
        return {
            "name": scene["scene"],
            "anchor": tokens[scene["anchor"] - 1],
            "members": [tokens[rank - 1] for rank in scene["members"]],
            "address": scene["address"],
            "facets": facets,
            "closeness": scene["closeness"],
        }

    @cached_property
    def _originals(self) -> Originals:
        return open_originals(self.folder)

    def _list_contexts(self, rank: int | None, most: int) -> list[dict[str, Any]]:
        if rank is None:
            return []
        places = self.fields.contexts.filter(pl.col("rank") == rank).head(most)
        found = self._originals.read_places(
            places["place"].to_numpy(), places["length"].to_numpy().astype(np.int64), reach=REACH
        )
        return [_tell_context(context) for context in found]

    def near_address(self, text: str, k: int = 10) -> pl.DataFrame:
        """Return the units nearest to an address, or to the region that its beginning names.

        `rank, token, cosine, address`; UsageError where it is none.

        Args:
            text: an address such as `VXS_ΔC1:R8K`, or its first signs.
            k: how many.
        """
        codes = read_address(text)
        books = self.fields.space.books
        if codes is None or not len(books) or (codes >= books.shape[1]).any():
            raise UsageError(f"{text!r} is no address of this run", cure="Write it as VXS_ΔC1:R8K")
        place = place_codes(codes.reshape(1, -1), books)[0]
        found = self.near(place, k)
        return found.with_columns(address=self._addresses().gather(found["rank"] - 1))

    def in_region(self, text: str) -> pl.DataFrame:
        """Return the units whose address begins so: `rank, token, address`, by rank."""
        codes = read_address(text)
        if codes is None:
            raise UsageError(f"{text!r} is no address", cure="Write it as VXS_ΔC1:R8K")
        own = find_codes(self.vectors, self.fields.space.books)
        there = (own[:, : len(codes)] == codes).all(axis=1) & self.vectors.any(axis=1)
        table = self.units.select("rank", "token").with_columns(address=self._addresses())
        return table.filter(pl.Series(there))

    def _addresses(self) -> pl.Series:
        return self.fields.space.tell(self.vectors)["address"]

    # Layers

    def search_layer(self, name: str, text: str, k: int = 10) -> pl.DataFrame:
        """Return the items of a layer of vectors nearest to a text: `item, token, score`.

        Where the layer names its encoder, that encodes the text too, and the score is a cosine.
        Otherwise the text finds units, and these find items: those attached to them, and what lies
        near these in the layer; the score is the product of both cosines.

        Args:
            name: of the layer; UsageError where it has no vectors.
            text: what to search for.
            k: how many.
        """
        layer = self.layers.get(name)
        if layer is None or layer.rows is None:
            known = [key for key, one in self.layers.items() if one.rows is not None]
            cure = f"There are {', '.join(known)}" if known else "Attach one: miner fields --attach"
            raise UsageError(f"there is no layer of vectors {name!r}", cure=cure)
        scores = self._score_items(layer, text)
        order = np.lexsort((np.arange(len(scores)), -scores))[:k]
        table = layer.table.select("item", "token")[order]
        return table.with_columns(score=pl.Series(scores[order].astype(np.float64)))

    def _score_items(self, layer: Layer, text: str) -> np.ndarray:
        rows = layer.rows if layer.rows is not None else np.zeros((0, 0), np.float32)
        if layer.encoder is not None:
            encoder = self.encoder
            if layer.encoder != "run":
                encoder = load_encoder(layer.encoder, device=self.device, fetch=False)
            query = self.vector(text) if layer.encoder == "run" else encoder.encode([text])[0]
            if len(query) != rows.shape[1]:
                widths = f"gives {len(query)} columns, and its vectors have {rows.shape[1]}"
                raise UsageError(
                    f"the encoder of layer {layer.name} {widths}",
                    cure="Attach it with the encoder that made them",
                )
            return np.asarray(rows @ unit_rows(query.reshape(1, -1))[0])
        ranks = [self.find(token) if token else None for token in layer.table["token"]]
        held = np.array([i for i, rank in enumerate(ranks) if rank], np.int64)
        if not len(held):
            return np.zeros(len(rows), np.float32)
        own = self.vectors[[rank - 1 for rank in ranks if rank]] @ self.vector(text)
        best = np.argsort(-own, kind="stable")[:HELD]
        alike = np.clip(rows[held[best]] @ rows.T, 0, 1)
        return np.asarray((np.maximum(own[best], 0)[:, None] * alike).max(axis=0))

    # Texts to parts

    def decompose(self, text: str) -> Decomposition:
        """Return what a text is made of, and how sure that is."""
        rank = self.find(text)
        own = self._list_parts(rank) if rank else ()
        if len(own) > 1:
            return Decomposition(own, 1.0, "unit", (True,) * len(own))
        form = cut_forms([text], self.run.atoms, self.run.patterns)[0]
        most = self.run.atoms.table.height
        pairs = list(zip(form.unit[1], form.keys, strict=True)) if form.keys else []
        parts = tuple(part for part, _ in pairs if part)
        if not parts:
            raise UsageError(f"{text!r} has nothing to take apart", cure="Give a word or a phrase")
        known = tuple(0 < key >> 1 <= most for part, key in pairs if part)
        if len(parts) > 1 and all(known):
            return Decomposition(parts, 1.0, "atoms", known)
        return self._cut_parts(parts)

    def _list_parts(self, rank: int) -> tuple[str, ...]:
        """Return the words that a unit is made of, those of a word that is others too."""
        row = self.units.row(rank - 1, named=True)
        return tuple(row.get("parts") or row["atoms"])

    def _cut_parts(self, parts: tuple[str, ...]) -> Decomposition:
        """Return parts, each by its best cut; of one part the next best are told too."""
        cuts = [cut_glued(part, self.run.atoms, self.run.candidates) for part in parts]
        best = [ways[0] for ways in cuts]
        certainty = float(np.prod([way.certainty for way in best]))
        found = tuple(part for way in best for part in way.parts)
        known = tuple(there for way in best for there in way.known)
        by = "glued" if found != parts else "atoms" if any(known) else "nothing"
        rivals = tuple(cuts[0][1:]) if len(cuts) == 1 else ()
        return Decomposition(found, certainty, by, known, rivals)

    def build(self, rank: int) -> list[tuple[str, str]]:
        """Return the merges that build a unit from its atoms, as applied: what it is made of."""
        unit = self.unit(rank)
        steps: list[tuple[str, str]] = []
        join_pieces(split_unit(unit["token"], unit["atoms"]), self._merge_ranks, steps)
        return steps

    @cached_property
    def _merge_ranks(self) -> dict[tuple[str, str], int]:
        return rank_merges(self.merges)


def _tell_context(context: Context) -> dict[str, Any]:
    return {
        "before": context.before,
        "unit": context.unit,
        "after": context.after,
        "document": context.document,
    }
