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
    "Plain prose": {
        "ru_prose.txt.gz": (
            "Russian prose",
            "Adverbs of several words, set phrases and idioms come first; French of the novels is "
            "mined as well. The last are free combinations.",
        ),
        "ru_poetry.txt.gz": (
            "Russian poetry",
            "Names and set phrases. Dates and free combinations come last.",
        ),
        "en_novels.txt.gz": (
            "English novels",
            "Names, times, measures and idioms. Words that novels also write in two (`dare say`) "
            "show up as glued compounds. Further down free combinations such as `very bright` "
            "pass.",
        ),
        "en_tinyshakespeare.txt.gz": (
            "Shakespeare",
            "Names, titles and turns of the time. In a megabyte the last ones are chance pairs "
            "with a pronoun.",
        ),
        "ja_gsd.txt.gz": (
            "Japanese",
            "Words, names and endings of verbs, with no dictionary and no spaces. Half a verb "
            "with its ending (`えば`) passes at the end.",
        ),
        "zh_gsd.txt.gz": ("Chinese", "Words, first to last; hardly one is none."),
        "th_pud.txt.gz": (
            "Thai",
            "Words first; at the end, of three to five places, parts of names (`ลิฟ`).",
        ),
    },
    "1. A made-up language": {
        "demo": (
            "The demo corpus",
            "Written for this project: a made-up "
            "language of meanings in Russian and English, formulas, signs, markers and nodes.",
        )
    },
    "2. Old languages": {
        "sa_vedic_iast.txt.gz": (
            "Vedic Sanskrit",
            "Formulae of rites and hymns, and among them `_ _ _`, which stands for a gap; at the "
            "end particles that meet by chance (`hi asya`).",
        ),
        "akk_translit.txt.gz": (
            "Akkadian, transliterated",
            "Royal formulae come out whole. Half of the vocabulary is seen three or four times, "
            "and long formulae are kept where one inscription was copied.",
        ),
        "akk_cuneiform.txt.gz": (
            "Akkadian in cuneiform",
            "Gaps of the editions (`x x x`) first, then names of temples and towns, titles, "
            "formulae; words of few signs, as a space is a word's end here. "
            "Pairs with `𒆗` or `𒅇` are chance.",
        ),
        "egy_translit.txt.gz": (
            "Egyptian, transliterated",
            "Formulae of the Pyramid Texts; brackets of the editors tell the same phrase apart.",
        ),
        "lzh_tang.txt.gz": (
            "Tang poems",
            "Reduplications and poetic binomes, which is what the poetry is made of; no "
            "dictionary was used, and lines are written without spaces. Few units are longer than "
            "two signs. `□` marks a lost sign in the source.",
        ),
        "non_edda.txt.gz": (
            "Old Norse poetry",
            "Refrains of the riddles and the wisdom contests come first; `ridge` is a mark of the "
            "edition's pages, and short pairs at the end are grammar.",
        ),
    },
    "3. Mixes of languages, code and JSON": {
        "mix_learnxy.txt.gz": (
            "Code and comments in 30 languages",
            "Idioms of many languages side by side with words of Chinese, Thai and Vietnamese "
            "comments. File names and example identifiers of one page rank too high.",
        ),
        "math_openlogic.txt.gz": (
            "LaTeX of logic",
            "Terms of the field, and commands with their brace; a command without its backslash "
            "(`forall`) is one where it stands behind other letters too.",
        ),
        "logs_apache.txt.gz": (
            "Apache access log",
            "Parts of user agents, hosts and paths; numbers that change are left out, and no unit "
            "cuts a quoted field. The clock of the sample has the same minute: `:05:`.",
        ),
        "logs_nginxjson.txt.gz": (
            "JSON log",
            "The template of a record, its values left out. Marks alone come last.",
        ),
        "sym_emoji_json.txt.gz": (
            "JSON of emoji",
            "Keys with their quotes, constant values, and words of the names. Some values come "
            "without their key, which other values share.",
        ),
        "ml_bible.txt.gz": (
            "The New Testament in 12 languages",
            "Set phrases and names in eight scripts; Manx and Cherokee, which spread a word over "
            "several, come first. The last are grammar.",
        ),
    },
    "4. Icons, hieroglyphs, formulas": {
        "egy_hiero.txt.gz": (
            "Hieroglyphs",
            "Cartouches and sign groups as the scribe set them, then words of groups. Remarks of "
            "the editors (`UC_No`, a sign that Unicode lacks) are text here and pass.",
        ),
        "chem_smiles_hiv.txt.gz": (
            "Molecules in SMILES",
            "Atoms in brackets whole, salts, and groups that close their branches and rings: "
            "benzene, morpholine, thiourea, trifluoromethyl. A digit may close two different "
            "rings (`c1Sc1`), and rare metals at the end are single atoms.",
        ),
        "sym_emoji.txt.gz": (
            "Emoji and their names",
            "Words of the names and versions; each picture stands there twice, too seldom for a "
            "unit.",
        ),
        "sym_ucd_names.txt.gz": (
            "Names of signs",
            "The parts that names of characters are built of; `capital l` and its like are rows "
            "of a list.",
        ),
        "music_abc.txt.gz": (
            "Tunes in ABC",
            "Names and headers, then turns of a few notes and bars. It is small, and the last are "
            "seen three times.",
        ),
    },
    "5. Bytes and weights": {
        "model_weights.safetensors": (
            "Model weights as bytes",
            "Numbers of eight bits, near random: the savings are small and the units are pairs of "
            "neighbouring small numbers. It works, it finds little, and says so. In wider numbers "
            "no unit cuts an element.",
        )
    },
    "6. Abbreviations and codes": {
        "codes_icd9.txt.gz": (
            "Diagnoses and their abbreviations",
            "Phrases of diagnosis, and the short forms beside them (`bdy brn`, `unsp xtrndl org`). "
            "Halves with a preposition (`loss of`) pass at the end.",
        )
    },
}
DEMO = Path(__file__).parents[1] / "corpora" / "demo.txt"
TOP, LONG, SPREAD, LAST = 20, 10, 10, 20


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
    return "\n\n".join(
        [
            f"### {title}",
            f"{manifest['bytes'] / 1e6:.1f} MB on disk, profile {manifest['profile']}, "
            f"{len(units):,} units kept, {saved['saved']:.1%} fewer tokens than atoms. {remark}",
            f"**First {TOP}**: {show(units[:TOP])}",
            f"**First hyperlexemes**: {show(long[:LONG]) or 'none'}",
            f"**Random**: {show(chosen)}",
            f"**Last**: {show(units[-LAST:])}",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    options = parser.parse_args()
    print(
        "# Gallery\n\nWhat `miner mine` finds with default settings, picked by rank and not by "
        "hand; the number is the count. Written by `benchmarks/gallery.py`."
    )
    for group, corpora in CORPORA.items():
        print(f"\n## {group}")
        for name, (title, remark) in corpora.items():
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run"
                path = DEMO if name == "demo" else options.corpora / name
                manifest = mine(path, out)
                print("\n" + write_section(title, remark, manifest, out), flush=True)


if __name__ == "__main__":
    main()
