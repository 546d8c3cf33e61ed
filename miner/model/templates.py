"""A model to a folder for people who train elsewhere: what do axolotl, or plain PEFT, need to know?

axolotl.yaml    settings of axolotl 0.19        train.py    transformers and PEFT alone
README.md       how to run either
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from miner.model.adapters import ALPHA
from miner.runs.files import write_json

SCRIPT = Path(__file__).with_name("train.py.txt")
STEPS = 1_000  # where nobody says how many
MICRO = 4  # blocks at a time, at most


def write_template(folder: Path, settings: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    """Write the files for a training elsewhere; `card` says what they are."""
    text = json.dumps(dict(settings), indent=1)  # escaped, so that no quote ends the string
    script = SCRIPT.read_text(encoding="utf-8").replace("%SETTINGS%", text)
    (folder / "train.py").write_text(script, encoding="utf-8")
    (folder / "axolotl.yaml").write_text(make_axolotl(settings), encoding="utf-8")
    (folder / "README.md").write_text(describe_template(settings), encoding="utf-8")
    write_json(folder / "miner.json", dict(card))


def make_axolotl(settings: Mapping[str, Any]) -> str:
    """Return the settings as axolotl reads them; ids stand there once, by a YAML anchor."""
    blocks = max(settings["batch"] // settings["context"], 1)
    micro = min(blocks, MICRO)
    lines = [
        "# miner tune --template, for axolotl 0.19: axolotl train axolotl.yaml",
        f"base_model: {quote(settings['model'])}",
        f"tokenizer_type: {settings['loader']}",
        *(["adapter: qlora", "load_in_4bit: true"] if settings["four_bit"] else ["adapter: lora"]),
        f"lora_r: {settings['rank']}",
        f"lora_alpha: {ALPHA * settings['rank']}",
        "lora_dropout: 0.0",
        "lora_target_linear: true",
        *list_rows(settings["tables"], range(*settings["new_ids"])),
        "datasets:",
        *(
            line
            for path in settings["corpus"]
            for line in (
                f"  - path: {quote(path)}",
                f"    ds_type: {name_form(path)}",
                "    type: completion",
                f"    field: {quote(settings['text_column'])}",
            )
        ),
        "val_set_size: 0.05",
        f"sequence_len: {settings['context']}",
        "attn_implementation: flash_attention_2",
        "sample_packing: true",
        "eval_sample_packing: true",
        "pad_to_sequence_len: true",
        f"micro_batch_size: {micro}",
        f"gradient_accumulation_steps: {max(blocks // micro, 1)}",
        f"max_steps: {settings['steps']}",
        "optimizer: adamw_torch",
        f"learning_rate: {settings['learning_rate']:.12f}",
        "lr_scheduler: cosine",
        "warmup_ratio: 0.03",
        "weight_decay: 0.0",
        "bf16: auto",
        "gradient_checkpointing: true",
        f"seed: {settings['seed']}",
        "output_dir: ./adapter",
        *(["special_tokens:", f"  pad_token: {quote(settings['end'])}"] if settings["end"] else []),
    ]
    return "\n".join(lines) + "\n"


def list_rows(tables: Sequence[str], ids: range) -> Iterable[str]:
    """Yield what says which rows learn, in which table."""
    if not tables:
        return
    yield "peft_trainable_token_indices:"
    for number, name in enumerate(tables):
        if number:
            yield f"  {name}: *rows"
            continue
        yield f"  {name}: &rows ["
        for start in range(ids.start, ids.stop, 12):
            line = ", ".join(map(str, range(start, min(start + 12, ids.stop))))
            yield f"    {line},"
        yield "  ]"


def name_form(path: str) -> str:
    """Return what axolotl calls the form of a file; text is a document a line.

    >>> name_form("a.jsonl.gz"), name_form("a.parquet"), name_form("texts/a.txt"), name_form("a/")
    ('json', 'parquet', 'text', 'text')
    """
    endings = Path(path).suffixes
    known = {
        ".jsonl": "json",
        ".json": "json",
        ".ndjson": "json",
        ".csv": "csv",
        ".parquet": "parquet",
    }
    return next((known[ending] for ending in endings if ending in known), "text")


def quote(value: object) -> str:
    """Return a value as YAML, in which JSON's strings are strings.

    >>> quote("a: b"), quote(True)
    ('"a: b"', 'true')
    """
    return json.dumps(value, ensure_ascii=False)


def describe_template(settings: Mapping[str, Any]) -> str:
    """Return how to train with these files."""
    first, last = settings["new_ids"]
    rows = f"rows {first:,} to {last - 1:,} of {' and '.join(settings['tables'])}"
    lines = [
        "# Train elsewhere",
        "",
        f"For {settings['family']}: {f'{rows}, and adapters' if last > first else 'adapters'} "
        f"of rank {settings['rank']} learn, and nothing else. Copy the model, this folder and "
        "the corpus to where a GPU is. The corpus is JSON lines with the text under "
        f"`{settings['text_column']}`, or a text file with a document a line.",
        "",
        "```bash",
        "pip install transformers peft",
        "python train.py --model MODEL --corpus corpus.jsonl --out adapter",
        "python train.py --model MODEL --corpus corpus.jsonl --out tuned --merge",
        "```",
        "",
        "With axolotl 0.19, set `base_model` and the `path` of the data in axolotl.yaml, then:",
        "",
        "```bash",
        "axolotl train axolotl.yaml",
        "axolotl merge-lora axolotl.yaml",
        "```",
        "",
        *(
            []
            if last == first or not settings["rows_only"]
            else ["axolotl trains adapters too: rows alone are what train.py does.", ""]
        ),
    ]
    return "\n".join(lines)
