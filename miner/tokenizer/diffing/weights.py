"""A model folder to the rows of its tables: is there a trained row for every new id?

Only headers and the rows in question are read, of `safetensors` alone: other formats of weights can
run code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from miner.errors import TokenizerError
from miner.tokenizer.diffing.findings import Finding, count_things, take_examples
from miner.tokenizer.diffing.ids import list_added, show_pieces
from miner.tokenizer.diffing.sides import Side, read_object

TABLES = (
    "embed_tokens.weight", "wte.weight", "word_embeddings.weight", "tok_embeddings.weight",
    "shared.weight", "embed_in.weight", "embedding.weight", "embeddings", "lm_head.weight",
    "embed_out.weight", "output.weight",
)  # fmt: skip
JUDGED = 1024  # rows that are looked at
ALIKE = 1e-3  # spread of new rows against that of old ones, under which they are one row
FORMS: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """An embedding or a head: where its rows lie."""

    name: str
    file: Path
    rows: int
    width: int
    form: str
    offset: int

    def read(self, numbers: np.ndarray) -> np.ndarray | None:
        """Return the rows of some ids as float32, None where the form of numbers is not known."""
        form = FORMS.get(self.form)
        if form is None:
            return None
        held = np.memmap(self.file, form, "r", self.offset, (self.rows, self.width))
        rows = np.asarray(held[numbers[numbers < self.rows]])
        if self.form == "BF16":
            return (rows.astype(np.uint32) << 16).view(np.float32)
        return rows.astype(np.float32)


def check_weights(old: Side, new: Side) -> list[Finding]:
    """Return the new ids that the model beside NEW, or else beside OLD, has no trained row for."""
    added = list_added(old, new)
    if not added:
        return []
    for side, name in ((new, "NEW"), (old, "OLD")):
        tables, told = find_tables(side.tokenizer.path)
        if tables or told:
            return _judge_rows(old, new, added, tables, told, name)
    return []


def find_tables(folder: Path) -> tuple[list[Table], int | None]:
    """Return the embedding tables of a model folder, and the `vocab_size` of its config."""
    if not folder.is_dir():
        return [], None
    tables = [
        table for file in sorted(folder.glob("*.safetensors")) for table in _list_tables(file)
    ]
    config = read_object(folder / "config.json")
    inner = config.get("text_config")
    sizes = [part.get("vocab_size") for part in (config, inner) if isinstance(part, dict)]
    told = next((size for size in sizes if isinstance(size, int) and size > 0), None)
    return tables, told


def _list_tables(file: Path) -> list[Table]:
    """Return the tables in a file; TokenizerError where it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:
            names = [name for name in opened.keys() if name.endswith(TABLES)]  # noqa: SIM118
        return [_place_table(file, name) for name in names]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise TokenizerError(
            f"is no safetensors file ({error})", where=str(file), cure="Fetch the weights anew"
        ) from error


def _place_table(file: Path, name: str) -> Table:
    """Return where a tensor lies, from the header that the library has checked."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entry: Any = json.loads(stream.read(length))[name]
    rows, width = (*entry["shape"], 1, 1)[:2]
    return Table(name, file, rows, width, entry["dtype"], 8 + length + entry["data_offsets"][0])


def _judge_rows(
    old: Side, new: Side, added: list[str], tables: list[Table], told: int | None, name: str
) -> list[Finding]:
    """Return the new ids past the smallest table, and those whose rows look untrained."""
    counts = {table.name: table.rows for table in tables}
    if told is not None and not tables:
        counts["vocab_size of config.json"] = told
    rows = min(counts.values())
    without = [piece for piece in added if new.places[piece] >= rows]
    within = [piece for piece in added if new.places[piece] < rows]
    findings = []
    if without:
        findings.append(
            Finding(
                "warn", "no row",
                f"{count_things(len(without), 'new id')} without a row in the model of {name}",
                f"it has {rows:,} rows ({min(counts, key=counts.__getitem__)}): a text with one of "
                "these tokens is an error, or reads another row",
                "Resize the embedding (miner adopt), then train the new rows", len(without),
                show_pieces(without, new),
            )
        )  # fmt: skip
    if within and tables:
        findings += _find_untrained(old, new, within, tables, name)
    return findings


def _find_untrained(
    old: Side, new: Side, pieces: list[str], tables: list[Table], name: str
) -> list[Finding]:
    """Rows that are all nothing, or all the same: what a resize leaves, and padding."""
    numbers = np.array([new.places[piece] for piece in pieces[:JUDGED]], np.int64)
    others = np.setdiff1d(np.fromiter(old.places.values(), np.int64), numbers)[:JUDGED]
    signs = []
    for table in tables:
        fresh, known = table.read(numbers), table.read(others)
        sign = None if fresh is None or known is None else judge_rows(fresh, known)
        if sign:
            signs.append(f"{table.name}, {count_things(len(numbers), 'row')} seen: {sign}")
    if not signs:
        return []
    return [
        Finding(
            "warn", "untrained", f"{count_things(len(pieces), 'new id')} with a row in the model "
            f"of {name} that was not trained", "the model gives them no meaning: unstable output",
            "Write rows for them (miner adopt) and train them", len(pieces),
            take_examples(signs),
        )
    ]  # fmt: skip


def judge_rows(fresh: np.ndarray, known: np.ndarray) -> str | None:
    """Say why rows look untrained, None where they do not.

    >>> judge_rows(np.zeros((2, 3)), np.ones((2, 3)))
    'all zero'
    """
    if not fresh.any():
        return "all zero"
    if len(fresh) < 2 or len(known) < 2:
        return None
    usual = float(known.std(axis=0).mean())
    return "all the same" if float(fresh.std(axis=0).mean()) < ALIKE * usual else None
