"""A trained tokenizer to the files around it: what do libraries, programs and people need to know?

tokenizer_config.json, special_tokens_map.json    what `transformers` reads
miner.json                                        the card for programs
units.jsonl                                       each unit with its ids and the parts it replaces
README.md                                         the card for people
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

CARD = "miner.json"
UNITS_FILE = "units.jsonl"
ROLES = {"pad_token": 0, "bos_token": 1, "eos_token": 2, "unk_token": 3}  # in the special tokens
SETTINGS = (
    "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "added_tokens.json",
)  # fmt: skip
FEWEST = "fewest pieces"  # how a text is cut, where it is not `longest unit first`
SHOWN = 8  # units of each class on the card


def write_card(
    folder: Path, card: dict[str, Any], ids: pl.DataFrame, *, file: str, base: Path | None
) -> None:
    """Write what belongs to the tokenizer in `folder`; `base` is what it extends."""
    if base is not None:
        copy_settings(base, folder)
        if file == "tokenizer.json":
            keep_rules(folder)
    elif file == "tokenizer.json":
        write_settings(folder, card)
    _write(folder / CARD, card)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in ids.iter_rows(named=True))
    (folder / UNITS_FILE).write_bytes("".join(lines).encode())
    (folder / "README.md").write_text(describe_card(card, ids, file=file), encoding="utf-8")


def copy_settings(base: Path, folder: Path) -> None:
    """Copy the files that stand beside a tokenizer and say how it is used."""
    for name in SETTINGS:
        source = (base if base.is_dir() else base.parent) / name
        if source.is_file():
            shutil.copyfile(source, folder / name)


def keep_rules(folder: Path) -> None:
    """Have `transformers` read the tokenizer as it is written.

    Classes of a family, such as `Qwen2Tokenizer`, take the vocabulary alone from the file and cut
    texts by rules of their own, which know no units (transformers 5).
    """
    place = folder / "tokenizer_config.json"
    config = json.loads(place.read_bytes()) if place.exists() else {}
    _write(place, config | {"tokenizer_class": "PreTrainedTokenizerFast"})


def write_settings(folder: Path, card: dict[str, Any]) -> None:
    """Write what `transformers` reads beside a `tokenizer.json`."""
    roles = {role: card["specials"][number] for role, number in ROLES.items()}
    config = {
        **roles,
        "additional_special_tokens": card["specials"][len(ROLES) :],
        "clean_up_tokenization_spaces": False,
        "model_max_length": 10**30,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _write(folder / "tokenizer_config.json", config)
    _write(folder / "special_tokens_map.json", roles)


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2)
    path.write_bytes((text + "\n").encode("utf-8", "backslashreplace"))


def summarize_card(card: dict[str, Any], out: str) -> str:
    """Return the card for a screen."""
    measured = card["measured"]
    lines = [
        f"{card['trainer']}, {card['mode']}: {card['vocab_size']:,} ids, of them "
        f"{card['unit_ids']:,} for {card['units']:,} units",
        *(f"  {kind:12} {count:>9,}" for kind, count in card["classes"].items()),
    ]
    if "base" in card:
        lines.append(
            f"extends {card['base']}: its {card['base_size']:,} ids stay; of {card['compared']:,} "
            f"lines without units {card['changed']:,} are cut otherwise"
        )
    elif card["vocab_size"] < card["asked_size"]:
        lines.append(
            f"warning: the corpus fills no more of the {card['asked_size']:,} ids asked for"
        )
    if card["lost"]:
        lines.append(
            f"warning: {len(card['lost']):,} units are cut all the same, such as "
            f"{card['lost'][0]!r}; they are not listed"
        )
    if measured["inside"]:
        lines.append(
            f"warning: {measured['inside']:,} of {measured['unit_tokens']:,} units end inside a "
            "longer word, which SentencePiece cannot be taught to avoid"
        )
    for entry in card["corpus"]["skipped"]:
        lines.append(f"skipped: {entry['path']} {entry['place']} {entry['problem']}")
    if measured["tokens"]:
        each = measured["bytes"] / measured["tokens"]
        share = measured["spared_by_units"] / (measured["tokens"] + measured["spared_by_units"])
        where = "text held back" if measured["on"] == "held back" else measured["on"]
        lines.append(
            f"on {where}: {each:.3f} bytes per token, "
            f"{measured['unit_tokens'] / measured['tokens']:.1%} of the tokens are units, "
            f"which spare {share:.1%}"
        )
    return "\n".join([*lines, "", f"Next: miner check {out} --run RUN"])


def describe_card(card: dict[str, Any], ids: pl.DataFrame, *, file: str) -> str:
    """Return the card for people, as Markdown."""
    measured, corpus = card["measured"], card["corpus"]
    mode = {
        "canonical": "folds Unicode form"
        + (" and case" if card["profile"] == "words" else "")
        + "; decoding gives the folded text",
        "exact": "gives every text back byte for byte"
        + (
            ""
            if file == "tokenizer.json"
            else ", but for a literal `▁` in front of a unit, which comes back as a space"
        ),
    }[card["mode"]]
    if "base" in card:
        mode = f"texts come back as they do from {card['base']}, which it extends"
    lines = [
        "# A tokenizer with units of meaning",
        "",
        f"{card['trainer']}, {card['vocab_size']:,} ids, of them {card['unit_ids']:,} for "
        f"{card['units']:,} units that stay whole. Mode {card['mode']}: {mode}.",
        "",
        "```python",
        *_list_code(file),
        "```",
        "",
        "| | |",
        "|---|---|",
        f"| trained on | {corpus['documents']:,} documents, {corpus['bytes']:,} bytes |",
        f"| profile, objective | {card['profile']}, {card['objective']} |",
        f"| how units are found | {card['cut']} |",
        *_list_figures(measured),
        "",
        "## Units",
        "",
        "All of them, with their ids and the parts that each replaces, are in `units.jsonl`.",
        "",
        *_list_classes(ids),
        "",
        *_list_specials(card["specials"]),
    ]
    return "\n".join(lines) + "\n"


def _list_code(file: str) -> Iterable[str]:
    if file == "tokenizer.json":
        return (
            "from transformers import AutoTokenizer",
            "tokenizer = AutoTokenizer.from_pretrained(folder)  # nothing of miner is needed",
        )
    return (
        "from sentencepiece import SentencePieceProcessor",
        f'tokenizer = SentencePieceProcessor(model_file=folder + "/{file}")',
    )


def _list_specials(specials: Sequence[str]) -> Iterable[str]:
    if specials:
        yield "Special tokens: " + ", ".join(f"`{name}`" for name in specials) + "."
    if {"[SCN]", "[SEP]"} <= {*specials}:
        yield "Several scenes: `[SCN]first scene[SEP]second scene`."


def _list_figures(measured: dict[str, Any]) -> Iterable[str]:
    if not measured["tokens"]:
        return ()
    share = measured["spared_by_units"] / (measured["tokens"] + measured["spared_by_units"])
    return (
        f"| measured on | {measured['on']}, {measured['bytes']:,} bytes |",
        f"| bytes per token | {measured['bytes'] / measured['tokens']:.3f} |",
        f"| tokens that are units | {measured['unit_tokens'] / measured['tokens']:.1%} |",
        f"| tokens that units spare | {share:.1%} |",
    )


def _list_classes(ids: pl.DataFrame) -> Iterable[str]:
    yield "| class | ids | the first |"
    yield "|---|---|---|"
    for kind, rows in sorted(
        ids.partition_by("kind", as_dict=True).items(), key=lambda entry: -len(entry[1])
    ):
        shown = rows.unique("token", keep="first", maintain_order=True).head(SHOWN)
        names = ", ".join(_quote(text) for text in shown["text"])
        yield f"| {kind[0]} | {len(rows):,} | {names} |"


def _quote(text: str) -> str:
    """Return a text as code in a cell of a table, whatever is in it."""
    plain = json.dumps(text, ensure_ascii=False)[1:-1] if not text.isprintable() else text
    ticks = "``" if "`" in plain else "`"
    return ticks + plain.replace("|", "\\|") + ticks
