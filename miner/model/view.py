"""A model that was extended to a screen of text."""

from __future__ import annotations

from miner.model.adopting import Adopted, name_loader
from miner.tokenizer.reading.card import summarize_card


def summarize_model(adopted: Adopted) -> str:
    """Return what was made, what stayed, and what to do next."""
    about, out = adopted.card["model"], adopted.folder
    tables = " and ".join(about["tables"])
    told, _ = summarize_card(adopted.card, str(out)).rsplit("\n\n", 1)
    added = adopted.card["vocab_size"] - adopted.card["base_size"]
    lines = [
        told,
        f"{about['family']}: {about['old_rows']:,} rows -> {about['rows']:,} of {about['width']:,} "
        f"({about['form']}) in {tables}; {added:,} new ones by {about['init']}, "
        f"{adopted.card['base_size']:,} old ones bit for bit",
        f"safe: no id moved, no piece or rule was lost (miner diff {about['base']} {out})",
    ]
    if not about["loads_as_it_is"]:
        lines.append(
            "warning: AutoTokenizer builds a tokenizer of its own for this family, which knows no "
            f"units; load it with {name_loader(adopted.card)}.from_pretrained"
        )
    return "\n".join([*lines, "", f"Next: train the new rows, miner check {out} --run RUN"])
