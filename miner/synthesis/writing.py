"""A language to a folder: its corpus, its answer key, its grammar.

corpus.txt     one line a document
key.jsonl      one unit a line, the most frequent first: `rank`, `token`, `kind`, `parts`, `count`
grammar.json   the alphabet, the endings, the function words, the rules; and what it was made with
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from miner.errors import UsageError
from miner.progress import SILENT, Progress
from miner.runs.files import write_json
from miner.runs.workplace import open_folder
from miner.synthesis.alphabet import SCRIPTS
from miner.synthesis.language import Language, draw_language
from miner.synthesis.lines import BLOCK, draw_pieces, make_speller, spell_pieces
from miner.synthesis.units import FEWEST, MOST

LEAST_LINES, MOST_LINES = 100, 1_000_000_000
LINES_A_UNIT = 20  # by default; so that a unit recurs
LEAST_WORDS, MOST_WORDS = 400, 60_000


@dataclass(frozen=True)
class SynthConfig:
    """What `miner synth` is asked for; `words` (stems) and `units` grow with the lines if None."""

    lines: int
    out: Path
    seed: int = 0
    script: str = "cyrillic"
    words: int | None = None
    units: int | None = None
    overwrite: bool = False


def check_config(config: SynthConfig) -> None:
    """UsageError where a number or a name is out of what can be."""
    for name, value, least, most in (
        ("lines", config.lines, LEAST_LINES, MOST_LINES),
        ("seed", config.seed, 0, 2**63),
        ("words", config.words, LEAST_WORDS, MOST_WORDS),
        ("units", config.units, FEWEST, MOST),
    ):
        if value is not None and not least <= value <= most:
            raise UsageError(f"--{name} is {value}", cure=f"Give {least:,} to {most:,}")
    if config.script not in SCRIPTS:
        raise UsageError(f"--script is {config.script!r}", cure=f"Give one of {', '.join(SCRIPTS)}")


def count_words(config: SynthConfig) -> tuple[int, int]:
    """Return how many stems and how many units a language has: more in a longer corpus."""
    words = config.words or min(max(40 * round(config.lines**0.5), LEAST_WORDS), MOST_WORDS)
    return words, config.units or min(max(config.lines // LINES_A_UNIT, FEWEST), MOST)


def write_language(config: SynthConfig, *, progress: Progress = SILENT) -> dict[str, Any]:
    """Write a made-up language; return what it has: lines, bytes, words, units placed.

    The same settings give the same bytes.
    """
    check_config(config)
    words, units = count_words(config)
    language = draw_language(config.seed, config.script, words, units)
    counts = np.zeros(len(language.starts), np.int64)
    size = 0
    with open_folder(config.out, kind="language", overwrite=config.overwrite) as folder:
        with (
            (folder / "corpus.txt").open("wb") as target,
            progress.task("writing", config.lines, "line") as advance,
        ):
            for block, number in write_blocks(language, config, counts):
                size += target.write(block)
                advance(number)
        placed = write_key(language, counts, folder / "key.jsonl")
        told = {"lines": config.lines, "bytes": size, "words": words, "units": len(language.units)}
        made = told | {"seed": config.seed, "script": config.script}
        write_json(folder / "grammar.json", made | language.describe())
    return told | {"placed": placed}


def describe_language(config: SynthConfig, told: dict[str, Any]) -> str:
    """Return what was made, for a screen."""
    return (
        f"{told['lines']:,} lines, {told['bytes'] / 1e6:,.1f} MB of {told['words']:,} stems in "
        f"{config.out}; {told['units']:,} units stand in {told['placed']:,} places\n\n"
        f"Next: miner mine --corpus {config.out / 'corpus.txt'}"
    )


def write_blocks(
    language: Language, config: SynthConfig, counts: np.ndarray
) -> Iterator[tuple[bytes, int]]:
    """Yield blocks of lines as bytes, and how many lines; `counts` (pieces,) grows."""
    speller = make_speller(language)
    for block, first in enumerate(range(0, config.lines, BLOCK)):
        number = min(BLOCK, config.lines - first)
        pieces = draw_pieces(language, config.seed, block, number)
        counts += np.bincount(pieces, minlength=len(counts))
        yield spell_pieces(language, speller, pieces), number


def write_key(language: Language, counts: np.ndarray, file: Path) -> int:
    """Write what was planted and how often each unit was placed; return how often in all."""
    placed = counts[len(language.texts) :]
    with file.open("w", encoding="utf-8", newline="\n") as target:
        for rank, number in enumerate(np.argsort(-placed, kind="stable").tolist(), 1):
            unit = language.units[number]
            row = {
                "rank": rank,
                "token": language.spell(unit.pieces),
                "kind": unit.what,
                "parts": [
                    language.spell(part)
                    for part in unit.parts or [(piece,) for piece in unit.source or unit.pieces]
                ],
                "count": int(placed[number]),
            }
            target.write(json.dumps(row, ensure_ascii=False) + "\n")
    return int(placed.sum())
