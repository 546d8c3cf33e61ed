"""A model folder to what can be tuned: which ids are new, and what reads its text?

The folder is checked first, as for `miner adopt`: no code of it is run, and no pickle is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miner.errors import ModelError, UsageError
from miner.model.adopting import check_fit, name_loader
from miner.model.folder import ModelFolder, open_model, read_json
from miner.model.packing import Encode
from miner.tokenizer.reading.card import CARD
from miner.tokenizer.reading.loading import load_tokenizer

ADAPTER = "adapter_config.json"
CONTEXT = 512  # ids of a block, where the model reads as many


@dataclass(frozen=True)
class Reader:
    """What cuts texts into ids: its class, and the ids of a beginning and an end, if it has any."""

    loader: str
    encode: Encode
    begin: int | None
    end: int | None
    end_text: str | None


@dataclass(frozen=True)
class Tunable:
    """The model to tune: its files, card and new ids, and what reads its text."""

    files: ModelFolder
    card: dict[str, Any]
    ids: range
    reader: Reader
    context: int


def open_tunable(folder: Path, context: int | None) -> Tunable:
    """Return the model to tune, whose folder was checked; ModelError where it is none to tune."""
    if (folder / ADAPTER).exists():  # transformers would load what it names, too
        raise ModelError(
            "holds an adapter, which belongs to another model",
            where=str(folder / ADAPTER),
            cure="Name a whole model, such as one that miner tune --merge wrote",
        )
    files = open_model(folder)
    tokenizer = load_tokenizer(folder)
    check_fit(files, tokenizer)
    longest = read_longest(files)
    card = read_json(folder / CARD) if (folder / CARD).is_file() else {}
    ids = find_new_ids(card, files, tokenizer.size)
    reader = open_reader(folder, card, files.rows)
    return Tunable(files, card, ids, reader, choose_context(context, longest))


def read_longest(files: ModelFolder) -> int | None:
    """Return how many ids a model reads, None where it has no end.

    ModelError where it is a decoder that follows an encoder.
    """
    from transformers import AutoConfig

    about = AutoConfig.from_pretrained(files.path, trust_remote_code=False, local_files_only=True)
    if getattr(about, "is_encoder_decoder", False):
        raise ModelError(
            f"{files.family} is an encoder with a decoder, and tune trains models that go on with "
            "a text",
            where=str(files.path),
            cure="Name a decoder model, such as Llama, Qwen, Gemma or GPT-2",
        )
    longest = getattr(about.get_text_config(), "max_position_embeddings", None)
    return longest if isinstance(longest, int) and longest > 1 else None


def choose_context(wanted: int | None, longest: int | None) -> int:
    """Return how many ids a block has; UsageError where the model does not read as many."""
    if wanted is None:
        return min(CONTEXT, longest or CONTEXT)
    if wanted < 2 or (longest is not None and wanted > longest):
        raise UsageError(
            f"--context is {wanted:,}, and the model reads 2 to {longest or 'many':,} ids"
            if longest
            else f"--context is {wanted:,}",
            cure=f"{min(CONTEXT, longest or CONTEXT):,} is the default",
        )
    return wanted


def find_new_ids(card: dict[str, Any], files: ModelFolder, size: int) -> range:
    """Return the ids that `miner adopt` gave to a model; ModelError where its card is not of it."""
    if "model" not in card:
        return range(0)
    base, end = card.get("base_size"), card.get("vocab_size")
    if not isinstance(base, int) or not isinstance(end, int) or not 0 < base <= end <= files.rows:
        raise ModelError(
            f"says base_size {base!r} and vocab_size {end!r}, and the model has {files.rows:,} "
            "rows",
            where=str(files.path / CARD),
            cure="Adopt the model anew",
        )
    if end != size:
        raise ModelError(
            f"says {end:,} ids, and the tokenizer has {size:,}",
            where=str(files.path / CARD),
            cure="Adopt the model anew",
        )
    return range(base, end)


def open_reader(folder: Path, card: dict[str, Any], rows: int) -> Reader:
    """Return what cuts texts into ids, by the class that the card says reads it as it is."""
    import transformers

    known = isinstance(card.get("model"), dict) and "loads_as_it_is" in card["model"]
    loader = name_loader(card) if known else "AutoTokenizer"
    try:
        tokenizer = getattr(transformers, loader).from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except (ValueError, OSError, KeyError, TypeError, ImportError, AttributeError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(
            f"transformers does not load its tokenizer ({line})",
            where=str(folder),
            cure="Check it with miner check",
        ) from error

    def encode(texts: list[str]) -> list[list[int]]:
        found = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)
        ids: list[list[int]] = found["input_ids"]
        most = max((max(row) for row in ids if row), default=0)
        if most >= rows:
            raise ModelError(
                f"its tokenizer gives id {most:,}, and the model has {rows:,} rows",
                where=str(folder),
                cure="Put the tokenizer of this model beside it",
            )
        return ids

    tokenizer.model_max_length = 10**30  # a whole document is cut at a time, without a warning
    end = tokenizer.eos_token_id
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else end
    return Reader(loader, encode, begin, end, tokenizer.eos_token)
