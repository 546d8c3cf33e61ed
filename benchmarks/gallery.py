"""Real corpora to a page: what does `miner mine` find with default settings, picked by rank?

`python -m benchmarks.gallery --corpora ../shared/corpora > docs/gallery.md`
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CORPORA = {
    "ru_prose.txt.gz": (
        "Russian prose",
        "Set phrases, names and idioms come first; French of the novels is mined as well. "
        "Pronoun pairs (`ко мне`, `над ним`) are units to the statistics and hardly to a person, "
        "and the last thousand of the 8,000 are free combinations.",
    ),
    "en_novels.txt.gz": (
        "English novels",
        "Names, times, measures and idioms. Words that novels also write in two (`dare say`) show "
        "up as glued compounds. Further down free combinations such as `very bright` pass.",
    ),
    "lzh_tang.txt.gz": (
        "Tang poems",
        "Reduplications and poetic binomes, which is what the poetry is made of; no dictionary "
        "was used, and lines are written without spaces. Few units are longer than two signs. "
        "`□` marks a lost sign in the source.",
    ),
    "akk_translit.txt.gz": (
        "Akkadian, transliterated",
        "Royal formulae come out whole. Half of the vocabulary is seen three or four times, and "
        "long formulae are kept where one inscription was copied.",
    ),
    "mix_learnxy.txt.gz": (
        "Code and comments in 30 languages",
        "Idioms of many languages side by side with words of Chinese, Thai and Vietnamese "
        "comments. File names and example identifiers of one page rank too high.",
    ),
    "logs_apache.txt.gz": (
        "Apache access log",
        "Parts of user agents, paths and status codes; a line falls into few tokens. A unit may "
        "start or end inside a quoted field, because punctuation is an atom here.",
    ),
    "model_weights.safetensors": (
        "Model weights as bytes",
        "Near-random bytes: the savings are small and the units are byte pairs of neighbouring "
        "small numbers. It works, it finds little, and says so.",
    ),
}
TOP, LONG, SPREAD = 20, 10, 10


def mine(path: Path, out: Path) -> dict[str, Any]:
    """Mine one corpus with default settings; return its manifest."""
    command = [sys.executable, "-m", "miner", "mine", "--corpus", str(path), "--out", str(out)]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def show(units: list[dict[str, Any]]) -> str:
    """Return units in a row, each with its count."""
    shown = (f"`{unit['token'].replace('`', chr(0x2CB))}` {unit['count']}" for unit in units)
    return " · ".join(shown).replace("|", "\\|")


def write_section(title: str, remark: str, manifest: dict[str, Any], out: Path) -> str:
    """Return what one run found."""
    lines = (out / "vocabulary.jsonl").read_text(encoding="utf-8").splitlines()
    units = [json.loads(line) for line in lines]
    long = [unit for unit in units if unit["kind"] == "hyperlexeme"]
    chosen = random.Random(0).sample(units, min(SPREAD, len(units)))
    saved = manifest["saved"]
    return "\n\n".join([
        f"## {title}",
        f"{manifest['bytes'] / 1e6:.1f} MB on disk, profile {manifest['profile']}, "
        f"{len(units):,} units kept, {saved['saved']:.1%} fewer tokens than atoms. {remark}",
        f"**First {TOP}**: {show(units[:TOP])}",
        f"**First hyperlexemes**: {show(long[:LONG]) or 'none'}",
        f"**Random**: {show(chosen)}",
        f"**Last**: {show(units[-SPREAD:])}",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    options = parser.parse_args()
    print(
        "# Gallery\n\nWhat `miner mine` finds with default settings, picked by rank and not by "
        "hand; the number is the count. Written by `benchmarks/gallery.py`."
    )
    for name, (title, remark) in CORPORA.items():
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            manifest = mine(options.corpora / name, out)
            print("\n" + write_section(title, remark, manifest, out))


if __name__ == "__main__":
    main()
