"""An alphabet to words: which classes are there, and how do their words end?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miner.synthesis.alphabet import Alphabet, spell_words

# Open classes: their share of the stems, and the forms that a stem has, an ending each.
OPEN = {
    "noun": (0.52, ("subject", "object", "place", "many")),
    "verb": (0.22, ("now", "past", "call")),
    "adjective": (0.18, ("subject", "object", "place", "many")),
    "adverb": (0.08, ("plain",)),
}
# Closed classes: how many words. They are short, frequent and carry no meaning by themselves.
CLOSED = {
    "article": 3, "preposition": 11, "conjunction": 5, "pronoun": 8, "negation": 1,
    "question": 2, "numeral": 9,
}  # fmt: skip
STEMS = (0.14, 0.58, 0.28)  # of one, two and three syllables
SHORTEST_STEM = 3  # letters


class Interner(dict[str, int]):
    """Texts, each with its number from 0, in the order in which they came."""

    def add(self, text: str) -> int:
        return self.setdefault(text, len(self))


@dataclass(frozen=True)
class Words:
    """`forms[class]` int32 (stems, forms): the number of each word's text, frequent stems first."""

    forms: dict[str, np.ndarray]
    endings: dict[str, dict[str, str]]


def draw_words(rng: np.random.Generator, alphabet: Alphabet, stems: int, texts: Interner) -> Words:
    """Draw all words of a language; their texts go into `texts`."""
    endings = {name: _draw_endings(rng, alphabet, forms) for name, (_, forms) in OPEN.items()}
    closed = spell_words(rng, alphabet, sum(CLOSED.values()), syllables=(0.85, 0.15))
    taken = frozenset(closed)
    forms = {
        name: np.array([[texts.add(closed.pop(0))] for _ in range(size)], np.int32)
        for name, size in CLOSED.items()
    }
    spelled = spell_words(
        rng, alphabet, stems, syllables=STEMS, shortest=SHORTEST_STEM, taken=taken
    )
    owner = _deal(rng, stems)
    for number, name in enumerate(OPEN):
        rows = [
            [texts.add(spelled[place] + ending) for ending in endings[name].values()]
            for place in np.flatnonzero(owner == number).tolist()
        ]
        forms[name] = np.array(rows, np.int32)
    return Words(forms, endings)


def _deal(rng: np.random.Generator, stems: int) -> np.ndarray:
    """Give each stem an open class, by the shares; each class gets its share exactly."""
    ends = np.round(np.cumsum([share for share, _ in OPEN.values()]) * stems)
    return rng.permutation(np.searchsorted(ends, np.arange(stems), side="right"))


def _draw_endings(
    rng: np.random.Generator, alphabet: Alphabet, forms: tuple[str, ...]
) -> dict[str, str]:
    """Return a different ending for each form; the first form of many classes has none."""
    vowels = list(alphabet.vowels)
    closed = [v + c for v in alphabet.vowels for c in alphabet.codas]
    able = [vowels[i] for i in rng.permutation(len(vowels))[:3]]
    able += [closed[i] for i in rng.permutation(len(closed))[:4]]
    chosen = [able[i] for i in rng.permutation(len(able))[: len(forms)]]
    if len(forms) > 1 and rng.random() < 0.5:
        chosen[0] = ""
    return dict(zip(forms, chosen, strict=True))


def add_numbers(texts: Interner) -> np.ndarray:
    """Return the texts of numerals in digits: int32 (98, 1)."""
    return np.array([[texts.add(str(number))] for number in range(2, 100)], np.int32)
