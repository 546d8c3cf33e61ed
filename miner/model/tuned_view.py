"""A model that was tuned to a screen of text, and to its card for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from miner.model.adopting import name_loader


def summarize_tuned(card: Mapping[str, Any], out: str) -> str:
    """Return what was learned, and what to do next."""
    about = card["tuned"]
    change = 100 * (about["after"] / about["before"] - 1)
    where = "held-back text" if about["held_back"] else "the text it learned from"
    lines = [
        f"{out}: {name_result(about)} of {about['base']} ({about['family']})",
        f"bits per byte of {where}: {about['before']:.4f} before, {about['after']:.4f} after "
        f"({change:+.1f} %), {about['measured_bytes']:,} bytes",
        f"{about['steps']:,} steps of {about['batch']:,} ids in {about['seconds']:,.0f} s on "
        f"{about['device']}; {name_learning(about)} learned, and nothing else",
    ]
    if about["after"] > about["before"]:
        lines.append("warning: it is worse than before; give a lower --learning-rate or more text")
    return "\n".join([*lines, "", f"Next: open {out}/curve.svg, read {out}/README.md to load it"])


def name_result(about: Mapping[str, Any]) -> str:
    """Say what was written."""
    return "a whole model" if about["kind"] == "model" else "an adapter"


def name_learning(about: Mapping[str, Any]) -> str:
    """Say what has learned."""
    rows = f"{about['new_rows']:,} new rows in {' and '.join(about['tables'])}"
    adapters = f"adapters of rank {about['rank']}"
    if not about["new_rows"]:
        return adapters
    return rows if about["rows_only"] else f"{rows}, and {adapters}"


def describe_tuned(card: Mapping[str, Any]) -> str:
    """Return the card for people."""
    about = card["tuned"]
    known = "loads_as_it_is" in card.get("model", {})
    loader = name_loader(card) if known else "AutoTokenizer"
    where = "held-back text" if about["held_back"] else "the text it learned from"
    lines = [
        f"# {about['base']}, tuned",
        "",
        f"{name_result(about).capitalize()} of {about['family']}, by `miner tune`. "
        f"{name_learning(about).capitalize()} learned; the rows of old ids are what they were, "
        "bit for bit.",
        "",
        "| | before | after |",
        "|---|---|---|",
        f"| bits per byte of {where} ({about['measured_bytes']:,} bytes) | {about['before']:.4f} "
        f"| {about['after']:.4f} |",
        "",
        f"{about['steps']:,} steps of {about['batch']:,} ids in blocks of {about['context']:,}; "
        f"rate {about['learning_rate']:g}, seed {about['seed']}, {about['precision']}"
        f"{', base in 4 bits' if about['four_bit'] else ''}. `loss.jsonl` has a line for each "
        "step, `curve.svg` the learning curve.",
        "",
        "```python",
        f"from transformers import AutoModelForCausalLM, {loader}",
    ]
    if about["kind"] == "model":
        lines += ['model = AutoModelForCausalLM.from_pretrained("PATH")']
    else:
        lines += [
            "from peft import PeftModel",
            'model = AutoModelForCausalLM.from_pretrained("PATH OF THE MODEL THAT WAS TUNED")',
            'model = PeftModel.from_pretrained(model, "PATH")',
        ]
    return "\n".join([*lines, f'tokenizer = {loader}.from_pretrained("PATH")', "```", ""])
