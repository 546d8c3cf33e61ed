"""A model folder to the rows of its tables: is there a trained row for every new id?

Only headers and the rows in question are read, of `safetensors` alone: other formats of weights can
run code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from miner.corpus.tensors import Tensor, list_tensors
from miner.report.screen import tell_count
from miner.tokenizer.diffing.findings import Finding, take_examples
from miner.tokenizer.diffing.ids import list_added, show_pieces
from miner.tokenizer.diffing.sides import Side, read_object

TABLES = (
    "embed_tokens.weight", "wte.weight", "word_embeddings.weight", "tok_embeddings.weight",
    "shared.weight", "embed_in.weight", "embedding.weight", "embeddings", "lm_head.weight",
    "embed_out.weight", "output.weight",
)  # fmt: skip
JUDGED = 1024  # rows that are looked at
ALIKE = 1e-3  # spread of new rows against that of old ones, under which they are one row


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


def find_tables(folder: Path) -> tuple[list[Tensor], int | None]:
    """Return the embedding tables of a model folder, and the `vocab_size` of its config."""
    if not folder.is_dir():
        return [], None
    tables = [
        tensor
        for file in sorted(folder.glob("*.safetensors"))
        for tensor in list_tensors(file)
        if tensor.name.endswith(TABLES)
    ]
    config = read_object(folder / "config.json")
    inner = config.get("text_config")
    sizes = [part.get("vocab_size") for part in (config, inner) if isinstance(part, dict)]
    told = next((size for size in sizes if isinstance(size, int) and size > 0), None)
    return tables, told


def _judge_rows(
    old: Side, new: Side, added: list[str], tables: list[Tensor], told: int | None, name: str
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
                "warn",
                "no row",
                f"{tell_count(len(without), 'new id')} without a row in the model of {name}",
                f"it has {rows:,} rows ({min(counts, key=counts.__getitem__)}): a text with one of "
                "these tokens is an error, or reads another row",
                "Resize the embedding (miner adopt), then train the new rows",
                len(without),
                show_pieces(without, new),
            )
        )
    if within and tables:
        findings += _find_untrained(old, new, within, tables, name)
    return findings


def _find_untrained(
    old: Side, new: Side, pieces: list[str], tables: list[Tensor], name: str
) -> list[Finding]:
    """Rows that are all nothing, or all the same: what a resize leaves, and padding."""
    numbers = np.array([new.places[piece] for piece in pieces[:JUDGED]], np.int64)
    others = np.setdiff1d(np.fromiter(old.places.values(), np.int64), numbers)[:JUDGED]
    signs = []
    for table in tables:
        if not table.is_known:
            continue
        within = (table.read(ids[ids < table.rows]) for ids in (numbers, others))
        sign = judge_rows(*within)
        if sign:
            signs.append(f"{table.name}, {tell_count(len(numbers), 'row')} seen: {sign}")
    if not signs:
        return []
    return [
        Finding(
            "warn",
            "untrained",
            f"{tell_count(len(pieces), 'new id')} with a row in the model "
            f"of {name} that was not trained",
            "the model gives them no meaning: unstable output",
            "Write rows for them (miner adopt) and train them",
            len(pieces),
            take_examples(signs),
        )
    ]


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
