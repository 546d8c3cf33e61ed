"""What was learned to a folder: an adapter or a whole model, with what people and programs need.

Before a whole model gets its name, the rows of old ids are compared with those of its base.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from miner.errors import ModelError
from miner.model.adapters import merge_parts
from miner.model.adopting import COPIED, LARGEST_BESIDE, read_bytes, write_json
from miner.model.checkpoints import HISTORY, write_history
from miner.model.curve import draw_training
from miner.model.folder import CONFIG, DANGEROUS, INDEX, open_model
from miner.model.tunable import Tunable
from miner.model.tuned_view import describe_tuned
from miner.progress import Progress
from miner.tokenizer.reading.card import CARD

CURVE = "curve.svg"
OF_TOKENIZER = {
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model", "units.jsonl",
}  # fmt: skip
WRITTEN = {CONFIG, INDEX, CARD, "README.md", "generation_config.json"}  # by the merge itself


def write_whole(base: Tunable, folder: Path, progress: Progress) -> None:
    """Put the whole model in the place of the adapter, and prove that old rows are as they were."""
    progress.note("writing the whole model")
    parts = folder / "adapter"
    parts.mkdir()
    for file in [path for path in folder.iterdir() if path.name.startswith("adapter_")]:
        file.replace(parts / file.name)
    needed = sum(file.stat().st_size for file in base.files.files)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"the disk has {free / 1e9:,.1f} GB free, and {needed / 1e9:,.1f} are needed",
            where=str(folder.parent),
            cure="Make room; --resume goes on with the last step",
        )
    merge_parts(base.files.path, parts, folder)
    shutil.rmtree(parts)
    prove_tables(base, folder)


def prove_tables(base: Tunable, folder: Path) -> None:
    """ModelError where the row of an old id is not bit for bit what it was."""
    written = open_model(folder)
    kept = base.ids.start if base.ids else base.files.rows
    for role, tensors in base.files.tables.items():
        if role not in written.tables:
            continue  # a head that is the input's table, which was written once
        for old, new in zip(tensors, written.tables[role], strict=True):
            size = old.size // base.files.rows * kept
            both = zip(read_bytes(old, size), read_bytes(new, size), strict=True)
            if old.form != new.form or any(before != after for before, after in both):
                raise ModelError(
                    f"{old.name} was not written as it was",
                    where=str(folder),
                    cure="Tune it without --merge, and report it",
                )


def write_beside(
    base: Tunable, folder: Path, card: Mapping[str, Any], history: Sequence[dict[str, Any]]
) -> None:
    """Write what stands beside the weights: tokenizer, history, curve and cards."""
    whole = card["tuned"]["kind"] == "model"
    for file in sorted(base.files.path.iterdir()):
        unsafe = any(file.match(pattern) for pattern in DANGEROUS)
        beside = (
            whole
            and file.suffix in COPIED
            and file.name not in WRITTEN
            and file.stat().st_size <= LARGEST_BESIDE
        )
        if file.is_file() and not unsafe and (file.name in OF_TOKENIZER or beside):
            shutil.copyfile(file, folder / file.name)
    write_history(folder / HISTORY, history)
    title = f"{base.files.family}, tuned"
    (folder / CURVE).write_text(draw_training(history, title), encoding="utf-8")
    write_json(folder / CARD, card)
    (folder / "README.md").write_text(describe_tuned(card), encoding="utf-8")
