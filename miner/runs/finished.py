"""A run folder to what was mined: the tables and arrays of a finished run, opened again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from miner.errors import RunError
from miner.mining.candidates import Candidates
from miner.mining.embeddings import load_vectors
from miner.mining.vocabulary import list_rows, order_merges
from miner.runs.manifest import Manifest, read_manifest
from miner.runs.names import PROPOSALS, UNITS, VECTORS, find_stage
from miner.runs.stages import load_cut
from miner.text.pretokens import MOST_ATOMS, Atoms, Stream

_CURE = "Check its permissions, copy the whole run folder, or mine again"
_COLUMNS = {"candidate", "atom", "token", "kind", "count", "score", "verdict", "order", "value"}


DAMAGE: tuple[type[Exception], ...] = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError),
    pl.exceptions.PolarsError,
)


@dataclass(frozen=True)
class Finished:
    """A finished run. What is large is read when it is first asked for.

    `proposals` in the order of the run, a row each; `row` is its number.
    """

    folder: Path
    manifest: Manifest
    proposals: pl.DataFrame

    @cached_property
    def atoms(self) -> Atoms:
        """The streams, left on disk, and the table of atoms."""
        with told_damage(self.folder):
            atoms = load_cut(find_stage(self.folder, "atoms"))
            for stream in (atoms.mined, atoms.held):
                _check_stream(stream, atoms.table.height)
            _check_range(self.proposals["atom"].drop_nulls(), 1, atoms.table.height)
            return atoms

    @cached_property
    def candidates(self) -> Candidates:
        """Every run of atoms that was counted."""
        folder = find_stage(self.folder, "candidates")
        with told_damage(self.folder):
            keys, parent, suffix = (
                np.load(folder / f"{name}.npy", allow_pickle=False)
                for name in ("keys", "parent", "suffix")
            )
            table = pl.read_parquet(folder / "candidates.parquet")
            if keys.ndim != 2 or not table.height == len(keys) == len(parent) == len(suffix):
                raise ValueError("of different lengths")
            for part in (parent, suffix):
                _check_range(part, -1, table.height - 1)
            _check_range(keys, 0, 2 * self.atoms.table.height + 1)
            _check_range(table["place"], 0, len(self.atoms.mined.ids) - 1)
            _check_range(self.proposals["candidate"].drop_nulls(), 0, table.height - 1)
            return Candidates(table, keys, parent, suffix)

    @cached_property
    def vectors(self) -> np.ndarray:
        """A row for each candidate, float16 (candidates, dim), left on disk."""
        place = find_stage(self.folder, "vectors") / VECTORS
        with told_damage(self.folder):
            vectors = load_vectors(place, self.manifest.encoder.dimension)
            if len(vectors) != self.candidates.table.height:
                raise ValueError("not a vector for each candidate")
            return vectors

    @cached_property
    def units(self) -> pl.DataFrame:
        """The vocabulary with its bookkeeping."""
        with told_damage(self.folder):
            return pl.read_parquet(find_stage(self.folder, "vocabulary") / UNITS)

    @cached_property
    def merges(self) -> pl.DataFrame:
        """The forced merges, `left, right, result`, in an order in which both halves are there."""
        return order_merges(self.units)

    @property
    def patterns(self) -> dict[str, str]:
        """The user's regular expressions, by name."""
        return dict(self.manifest.config.patterns)


def _check_stream(stream: Stream, atoms: int) -> None:
    """Raise ValueError where a stream would lead out of itself, or out of the table of atoms."""
    ids, documents = stream.ids, stream.documents
    if not len(ids) == len(stream.flags) or not len(documents) or ids[0]:
        raise ValueError("of different lengths")
    _check_range(documents, 1, len(ids) - MOST_ATOMS)
    if (np.diff(documents) < 0).any() or ids[documents[-1] :].any():
        raise ValueError("documents that are not one after the other")
    _check_range(ids, 0, 2 * atoms + 1)


def _check_range(values: np.ndarray | pl.Series, least: int, most: int) -> None:
    values = np.asarray(values)
    if len(values) and not least <= int(values.min()) <= int(values.max()) <= most:
        raise ValueError(f"numbers beyond {least} to {most}")


@contextmanager
def told_damage(
    folder: Path,
    problem: str = "a stage of the run cannot be read",
    also: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Turn what a damaged stage raises, and `also` these, into one line with its cure."""
    try:
        yield
    except DAMAGE + also as error:
        raise RunError(
            f"{problem} ({type(error).__name__})", where=str(folder), cure=_CURE
        ) from error


def open_finished(folder: Path) -> Finished:
    """Return a finished run; RunError where the folder holds none, or one that is damaged."""
    manifest = read_manifest(folder)
    with told_damage(folder):
        proposals = pl.read_parquet(folder / PROPOSALS)
        if missing := _COLUMNS - set(proposals.columns):
            raise KeyError(", ".join(sorted(missing)))
    return Finished(folder, manifest, proposals.with_row_index("row"))


def list_units(units: pl.DataFrame) -> pl.DataFrame:
    """Return units in the columns that others may read, as in `vocabulary.jsonl`."""
    return list_rows(units)
