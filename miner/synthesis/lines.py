"""A language to lines: which words and units follow each other, as numbers and as bytes?

Block b of a corpus is drawn from its seed and b alone, so that a longer corpus begins with a
shorter one's whole blocks, and blocks may be made in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miner.synthesis.grammar import expand, write_slots
from miner.synthesis.language import TOPICS, Language

BLOCK = 20_000  # lines
BOUND = 0.45  # share of the draws that the topic of the line decides
TIGHT = ("stop", "comma", "ask", "call", "colon", "semicolon", "end")  # no space before these


@dataclass(frozen=True)
class Speller:
    """Texts as bytes, twice each: 2 t as it is, 2 t + 1 with a space before it."""

    starts: np.ndarray
    sizes: np.ndarray
    blob: np.ndarray
    tight: np.ndarray


def make_speller(language: Language) -> Speller:
    """Return the bytes of all texts of a language."""
    both = [one for text in language.texts for one in (text.encode(), b" " + text.encode())]
    sizes = np.array([len(one) for one in both], np.int64)
    tight = np.zeros(len(language.texts), bool)
    tight[[language.marks[name] for name in TIGHT]] = True
    blob = np.frombuffer(b"".join(both), np.uint8)
    return Speller(np.cumsum(sizes) - sizes, sizes, blob, tight)


def draw_pieces(language: Language, seed: int, block: int, lines: int) -> np.ndarray:
    """Return the pieces of a block of lines in a row, int32; the end of a line is one too."""
    rng = np.random.default_rng([seed, 1, block])
    topics = rng.integers(TOPICS, size=lines)
    slots, line_of = write_slots(rng, language.grammar, lines)
    numbers = rng.random(len(slots))
    pieces = np.empty(len(slots), np.int32)
    for slot, filled in language.slots.items():
        places = np.flatnonzero(slots == slot)
        if isinstance(filled, int):
            pieces[places] = filled
            continue
        urn, column = filled
        drawn = language.urns[urn].draw(numbers[places], topics[line_of[places]], BOUND)
        pieces[places] = language.forms[urn][drawn, column] if urn in language.forms else drawn
    return pieces


def spell_pieces(language: Language, speller: Speller, pieces: np.ndarray) -> bytes:
    """Return the bytes of pieces: a space between texts, none before a mark or in front."""
    texts, _ = expand(pieces, language.starts, language.sizes, language.items)
    spaced = ~speller.tight[texts]
    end = language.marks["end"]
    spaced[0] = False
    spaced[1:] &= texts[:-1] != end
    rows = 2 * texts.astype(np.int64) + spaced
    return expand(rows, speller.starts, speller.sizes, speller.blob)[0].tobytes()
