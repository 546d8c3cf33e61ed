"""A model and a run to the model with the units of the run: tokenizer and tables grow together.

Only ids are added: rows that were there stay bit for bit, in a new folder, and every other tensor
passes as bytes. Read `adopt_model` aloud and you know what `miner adopt` does.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from miner.corpus.tensors import Growth, Tensor, copy_tensors, list_tensors
from miner.errors import ModelError, TokenizerError, UsageError, need_extra
from miner.model.folder import CONFIG, DANGEROUS, INDEX, ModelFolder, open_model, read_json
from miner.model.rows import Init, make_rows, split_counts
from miner.progress import SILENT, Progress
from miner.runs.decisions import Policy
from miner.runs.names import CONTENTS
from miner.runs.workplace import open_folder
from miner.tokenizer.checking.checking import read_unit_ids
from miner.tokenizer.diffing import SAMPLE, Difference, diff_tokenizers
from miner.tokenizer.reading.card import CARD
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.training.training import TrainConfig, open_texts, train_tokenizer

MOST_PADDING = 128  # rows are padded to a multiple of at most so many, where the old ones were
MEAN_OF = 65_536  # rows that the mean of a table is taken of
COUNTED = 64 << 20  # bytes of text in which ids are counted
PIECE = 200_000  # characters of a text in which they are counted at once
AT_ONCE = 1 << 24  # bytes of rows that are held at a time
LARGEST_BESIDE = 16 << 20  # bytes of a file that is copied from beside the weights
STALE = {
    "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model", "tokenizer.json", "README.md", INDEX, CONFIG, CARD, "units.jsonl",
}  # fmt: skip
COPIED = {".json", ".jinja", ".txt", ".md", ""}  # of files beside the weights; no code


@dataclass(frozen=True)
class AdoptConfig:
    """What `miner adopt` is asked for; see `TrainConfig` for what it says of the tokenizer."""

    model: Path
    run: Path
    init: Init = "calibrated"
    corpus: tuple[str, ...] = ()
    vocab_size: int | None = None
    units: int | None = None
    text_column: str | None = None
    policy: Policy = "majority"
    seed: int = 0


@dataclass(frozen=True)
class Adopted:
    """A model that was extended: its folder, its card, and what changed in its tokenizer."""

    folder: Path
    card: dict[str, Any]
    difference: Difference


def adopt_model(
    config: AdoptConfig, out: Path, *, overwrite: bool = False, progress: Progress = SILENT
) -> Adopted:
    """Write the model of `config` with an id and a row for the units of the run to `out`.

    ModelError where the folder is not whole, needs code or pickles, or does not fit its tokenizer.
    """
    need_extra("models", "miner adopt")
    model, old = open_model(config.model), load_tokenizer(config.model)
    check_fit(model, old)
    progress.note(f"{model.family}: {model.rows:,} rows of {model.width:,}, {name_tying(model)}")
    with open_folder(out, kind="model", overwrite=overwrite) as folder:
        card = extend_tokenizer(config, folder, progress)
        if card["vocab_size"] == old.size:
            raise UsageError(
                "no unit of the run gets an id: none pays on this text",
                cure="Name a larger --corpus, or more --units",
            )
        parts = list_parts(folder, old, card["vocab_size"])
        counts = count_ids(config, folder, progress) if config.init == "calibrated" else None
        growths = grow_tables(model, old.size, parts, config, counts)
        check_disk(model, growths, folder)
        write_weights(model, growths, folder, progress)
        prove_rows(model, folder, old.size)
        write_settings(model, growths, folder)
        difference = diff_tokenizers(old, load_tokenizer(folder), list(SAMPLE))
        if difference.exit_code:
            raise TokenizerError(
                "its tokenizer would not stay as it is",
                where=str(config.model),
                cure=f"Run miner train --from {config.model} and miner diff to see what changes",
            )
        card["model"] = describe(model, growths, config)
        card["model"]["loads_as_it_is"] = loads_as_it_is(folder)
        write_card(folder, card)
    return Adopted(out, card, difference)


def name_tying(model: ModelFolder) -> str:
    """Say how many tables there are."""
    if model.tied:
        return "one table for input and output"
    return "tables for input and output" if "output" in model.tables else "a table for the input"


def check_fit(model: ModelFolder, tokenizer: LoadedTokenizer) -> None:
    """ModelError where a tokenizer has ids that its model has no row for."""
    if tokenizer.size > model.rows:
        raise ModelError(
            f"its tokenizer has {tokenizer.size:,} ids, and the model {model.rows:,} rows",
            where=str(model.path),
            cure="Put the tokenizer of this model beside it",
        )


def ask_tokenizer(config: AdoptConfig) -> TrainConfig:
    """Return what `miner train` would be asked for the same tokenizer."""
    return TrainConfig(
        config.run,
        config.corpus,
        vocab_size=config.vocab_size,
        units=config.units,
        base=config.model,
        text_column=config.text_column,
        policy=config.policy,
    )


def extend_tokenizer(config: AdoptConfig, folder: Path, progress: Progress) -> dict[str, Any]:
    """Put the tokenizer with more ids into the folder; return its card."""
    place = folder / "tokenizer"
    card = train_tokenizer(ask_tokenizer(config), place, progress=progress).card
    (place / CONTENTS).unlink()  # of the whole folder there will be another
    for file in place.iterdir():
        file.replace(folder / file.name)
    place.rmdir()
    return card


def list_parts(folder: Path, old: LoadedTokenizer, size: int) -> list[list[int]]:
    """Return the ids of `old` that each new id stands for, by its number from `old.size` on.

    A new id that no text comes to, since an old one takes its place, is not in the list of units:
    it stands for what its text is cut into.
    """
    table = read_unit_ids(folder)
    parts: list[list[int]] = [[] for _ in range(size - old.size)]
    for number, ids in table.select("id", "parts").iter_rows():
        if number >= old.size and ids:
            parts[number - old.size] = ids
    empty = [place for place, ids in enumerate(parts) if not ids]
    texts = load_tokenizer(folder).decode([[old.size + place] for place in empty])
    for place, ids in zip(empty, old.encode(texts), strict=True):
        parts[place] = ids.tolist()
    if not all(parts):
        raise TokenizerError(
            "new ids have no parts", where=str(folder), cure="Report it: this is a bug"
        )
    return parts


def count_ids(config: AdoptConfig, folder: Path, progress: Progress = SILENT) -> np.ndarray:
    """Return how often each id of the new tokenizer occurs in the text, int64 (ids,).

    Of a large text a share of each batch is cut, `COUNTED` bytes in all.
    """
    progress.note("counting how often each id occurs")
    tokenizer = load_tokenizer(folder)
    as_bytes = tokenizer.card["profile"] == "bytes"
    corpus = open_texts(ask_tokenizer(config), as_bytes=as_bytes, progress=SILENT)
    share = min(COUNTED / max(corpus.bytes, 1), 1.0)
    counts = np.zeros(tokenizer.size, np.int64)
    for texts in corpus.all():
        pieces = [text[at : at + PIECE] for text in texts for at in range(0, len(text), PIECE)]
        for ids in tokenizer.encode(pieces[: math.ceil(len(pieces) * share)]):
            counts += np.bincount(ids, minlength=len(counts))
    return counts


def grow_tables(
    model: ModelFolder,
    base: int,
    parts: list[list[int]],
    config: AdoptConfig,
    counts: np.ndarray | None = None,
) -> dict[str, Growth]:
    """Return what each table becomes, by its name; `calibrated` rows need counts of ids.

    New rows take the place of padding first. Where that is not enough, the rows are padded to the
    multiple that the old ones were padded to, with the mean of the old ones: no text asks for them,
    and their logit is never the largest.
    """
    rows = pad(base + len(parts), model.rows)
    known = None if counts is None else split_counts(counts, parts)
    growths: dict[str, Growth] = {}
    for role, tensor in model.list_tables():
        made = make_rows(
            tensor,
            parts,
            init=config.init,
            output=role != "input",
            tied=model.tied,
            seed=config.seed,
            counts=known,
        )
        check_range(tensor, made)
        padding = rows - max(model.rows, base + len(parts))
        last = take_mean(tensor) if padding else made[:1]
        growths[tensor.name] = Growth(model.rows, base, made, last, padding)
    return growths


def pad(size: int, old: int) -> int:
    """Return how many rows there are for so many ids, where there were `old` ones.

    >>> pad(1000, 1024), pad(1025, 1024), pad(1025, 1000), pad(70, 64)
    (1024, 1152, 1032, 128)
    """
    if size <= old:
        return old
    multiple = min(old & -old, MOST_PADDING)
    return -(-size // multiple) * multiple


def take_mean(tensor: Tensor) -> np.ndarray:
    """Return the mean of a table's rows, float32 (1, ...), of `MEAN_OF` of them at most."""
    sample = np.unique(np.linspace(0, tensor.rows - 1, MEAN_OF).astype(np.int64))
    step = max(AT_ONCE // max(tensor.size // tensor.rows, 1), 1)
    sums = [
        tensor.read(sample[start : start + step]).sum(axis=0, keepdims=True, dtype=np.float64)
        for start in range(0, len(sample), step)
    ]
    return np.asarray(sum(sums) / len(sample), np.float32)


def check_range(tensor: Tensor, rows: np.ndarray) -> None:
    """ModelError where a new row is no number: the old ones are not."""
    if not np.isfinite(rows).all():
        raise ModelError(
            f"{tensor.name} has rows that are no numbers",
            where=str(tensor.file),
            cure="Fetch the weights anew",
        )


def check_disk(model: ModelFolder, growths: Mapping[str, Growth], folder: Path) -> None:
    """ModelError where the disk has no room for the new folder."""
    needed = sum(file.stat().st_size for file in model.files)
    needed += sum(growth.more.nbytes for growth in growths.values())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"the disk has {free / 1e9:,.1f} GB free, and {needed / 1e9:,.1f} are needed",
            where=str(folder.parent),
            cure="Make room, or name another --out",
        )


def write_weights(
    model: ModelFolder, growths: Mapping[str, Growth], folder: Path, progress: Progress
) -> None:
    """Write every file of the weights, and the index where there are several."""
    total = 0
    for number, file in enumerate(model.files, 1):
        progress.note(f"writing {file.name}, {number} of {len(model.files)}")
        total += copy_tensors(file, folder / file.name, growths)
    if (model.path / INDEX).is_file():
        index = read_json(model.path / INDEX)
        about = index["metadata"] if isinstance(index.get("metadata"), dict) else {}
        about.pop("total_parameters", None)
        write_json(folder / INDEX, index | {"metadata": about | {"total_size": total}})


def prove_rows(model: ModelFolder, folder: Path, base: int) -> None:
    """ModelError where the old rows of a table are not bit for bit in the new one."""
    for _, tensor in model.list_tables():
        written = {entry.name: entry for entry in list_tensors(folder / tensor.file.name)}
        new = written[tensor.name]
        size = tensor.size // model.rows * base
        both = zip(read_bytes(tensor, size), read_bytes(new, size), strict=True)
        if any(before != after for before, after in both):
            raise ModelError(
                f"{tensor.name} was not written as it was", where=str(folder), cure="Check the disk"
            )


def read_bytes(tensor: Tensor, size: int) -> Iterator[bytes]:
    """Yield the first bytes of a tensor, some millions at a time."""
    with tensor.file.open("rb") as stream:
        stream.seek(tensor.offset)
        while size:
            block = stream.read(min(size, 1 << 24))
            size -= len(block)
            yield block


def write_settings(model: ModelFolder, growths: Mapping[str, Growth], folder: Path) -> None:
    """Write the config with the new size, and copy what else stands beside the weights."""
    rows = next(growth.total for growth in growths.values())
    config = resize(model.config, model.rows, rows)
    config.pop("auto_map", None)  # its code is not copied, nor needed
    write_json(folder / CONFIG, config)
    for file in sorted(model.path.iterdir()):
        unsafe = any(file.match(pattern) for pattern in DANGEROUS)
        if (
            file.is_file()
            and file.suffix in COPIED
            and not unsafe
            and file.name not in STALE
            and not (folder / file.name).exists()
            and file.stat().st_size <= LARGEST_BESIDE
        ):
            shutil.copyfile(file, folder / file.name)


def resize(config: Mapping[str, Any], old: int, new: int) -> dict[str, Any]:
    """Return a config with another `vocab_size`, also that of its text part.

    >>> resize({"vocab_size": 8, "text_config": {"vocab_size": 8}}, 8, 9)
    {'vocab_size': 9, 'text_config': {'vocab_size': 9}}
    """
    resized = dict(config)
    for name, value in config.items():
        if name == "vocab_size" and value == old:
            resized[name] = new
        elif name.endswith("text_config") and isinstance(value, Mapping):
            resized[name] = resize(value, old, new)
    return resized


def loads_as_it_is(folder: Path) -> bool:
    """Say whether `AutoTokenizer` gives a unit its id.

    For some families (`qwen2`, `phi3`) transformers 5 builds its own tokenizer whatever the files
    say, and `PreTrainedTokenizerFast` is to be asked for by name.
    """
    from transformers import AutoTokenizer

    units = read_unit_ids(folder)
    units = units.filter(units["side"] == "").head(100)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        texts = units["text"].to_list()
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    except (ValueError, OSError, KeyError, TypeError, ImportError, AttributeError):
        return False
    return bool(ids == [[number] for number in units["id"]])


def describe(
    model: ModelFolder, growths: Mapping[str, Growth], config: AdoptConfig
) -> dict[str, Any]:
    """Return what the card says of the model."""
    rows = {growth.total for growth in growths.values()}
    return {
        "base": model.path.name,
        "family": model.family,
        "init": config.init,
        "tied": model.tied,
        "old_rows": model.rows,
        "rows": rows.pop(),
        "width": model.width,
        "tables": [tensor.name for _, tensor in model.list_tables()],
        "form": model.tables["input"][0].form,
    }


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the card for programs, and add the model to the card for people."""
    write_json(folder / CARD, card)
    about = card["model"]
    lines = [
        "",
        "## The model",
        "",
        f"{about['base']} ({about['family']}) with {about['rows']:,} rows instead of "
        f"{about['old_rows']:,}; new rows by `{about['init']}`, old ones bit for bit.",
        "",
        "```python",
        f"from transformers import AutoModelForCausalLM, {name_loader(card)}",
        'model = AutoModelForCausalLM.from_pretrained("PATH")',
        f'tokenizer = {name_loader(card)}.from_pretrained("PATH")',
        "```",
        "",
    ]
    with (folder / "README.md").open("a", encoding="utf-8") as stream:
        stream.write("\n".join(lines))


def name_loader(card: Mapping[str, Any]) -> str:
    """Return the class of `transformers` that reads the tokenizer as it is."""
    return "AutoTokenizer" if card["model"]["loads_as_it_is"] else "PreTrainedTokenizerFast"


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2)
    file.write_bytes((text + "\n").encode("utf-8", "backslashreplace"))
