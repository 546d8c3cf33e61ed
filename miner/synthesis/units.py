"""Words to units: what is planted, of which parts, and how often?

A unit is made as free phrases are made, of the same words, which also stand alone. Two words
stand side by side in one unit only, and in those that are built of it: the key is the one right
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from miner.synthesis.alphabet import Alphabet, spell_words
from miner.synthesis.frequencies import draw_ranks, weigh_ranks
from miner.synthesis.words import Interner, Words

# The shares of what is planted. The last five are one atom each.
SHARES = {
    "link": 0.46, "hyperlexeme": 0.24, "compound": 0.11, "formula": 0.06, "symbol": 0.04,
    "marker": 0.03, "node": 0.06,
}  # fmt: skip
FEWEST, MOST = 30, 20_000
MOST_ATOMS = 8
EXPONENTS = {"link": 0.75, "hyperlexeme": 0.75, "compound": 0.7}  # of the others 0.9
KNOWN = {"noun": 400, "verb": 200, "adjective": 200, "adverb": 80}  # units are made of these
PATTERNS = (
    (0.24, "adjective.subject noun.subject"), (0.12, "noun.subject noun.many"),
    (0.16, "verb.now noun.object"), (0.10, "adverb.plain verb.past"),
    (0.12, "noun.subject preposition noun.place"), (0.10, "verb.call preposition noun.place"),
    (0.08, "adjective.object adjective.object noun.object"),
    (0.08, "noun.subject conjunction noun.subject"),
)  # fmt: skip
HELD = (0.4, 0.45, 0.15)  # hyperlexemes of words alone, built of links, and of a hyperlexeme too
GLUED = (0.6, 0.2, 0.2)  # compounds that are a link, that add a word to a link, of free words
SYMBOLS = "⟁🜁🜂🜃🜄⊘🫧☀❤☾☿♁♃♄⚹⚚⛭✶✺❂◬◈⟐⟡⌘⍟⎔⏣☍☌⚭⚯⚶🜍🜔🜛🜨🝆🝊🝖🝣🝰⧖⧗⧉⨀⨂⨳⫷⫸⩓⩔⌬⍾⎈⏃◍◉⬡⬢"
GREEK = "ΔΩΣΨΦΛΓΞ"


@dataclass(frozen=True)
class Unit:
    """What is planted: the numbers of its texts in a row, what it is, the texts of its parts."""

    pieces: tuple[int, ...]
    what: str
    parts: tuple[tuple[int, ...], ...] = ()
    source: tuple[int, ...] = ()  # of a compound: the words that are written as one


@dataclass(frozen=True)
class Planted:
    """Units of one sort, and how often each is drawn among them."""

    units: list[Unit]
    weights: np.ndarray


def plan_counts(units: int) -> dict[str, int]:
    """Return how many units of each sort there are, one of each at least.

    >>> plan_counts(100)["link"], sum(plan_counts(100).values())
    (46, 100)
    """
    counts = {name: max(1, int(share * units)) for name, share in SHARES.items()}
    counts["symbol"] = min(counts["symbol"], len(SYMBOLS))
    counts["formula"] = min(counts["formula"], len(GREEK) * 60)
    return counts | {"link": counts["link"] + units - sum(counts.values())}


def draw_units(
    rng: np.random.Generator, words: Words, alphabet: Alphabet, texts: Interner, units: int
) -> dict[str, Planted]:
    """Return what is planted, by sort, in order of frequency; new texts go into `texts`."""
    counts = plan_counts(units)
    builder = _Builder(rng, words, {})
    links = [builder.draw_link() for _ in range(counts["link"])]
    phrases = _draw_hyperlexemes(builder, links, counts["hyperlexeme"])
    found = {
        "link": links,
        "hyperlexeme": phrases,
        "compound": _draw_compounds(builder, links, texts, counts["compound"]),
        "formula": _draw_formulas(rng, texts, counts["formula"]),
        "symbol": _draw_symbols(rng, texts, counts["symbol"]),
        "marker": _draw_markers(rng, alphabet, texts, counts["marker"]),
        "node": _draw_nodes(rng, texts, counts["node"]),
    }
    return {
        name: Planted(group, weigh_ranks(len(group), exponent=EXPONENTS.get(name, 0.9), shift=1.0))
        for name, group in found.items()
    }


@dataclass
class _Builder:
    """Words to phrases; `owners[pair]` is the unit in which two words stand side by side."""

    rng: np.random.Generator
    words: Words
    owners: dict[tuple[int, int], tuple[int, ...]]

    def draw_word(self, slot: str) -> int:
        """Return a word that is well known, in the form that the slot wants: `noun.object`."""
        name, _, form = slot.partition(".")
        table = self.words.forms[name]
        column = list(self.words.endings[name]).index(form) if form else 0
        most = min(len(table), KNOWN.get(name, len(table)))
        return int(table[int(most * self.rng.random() ** 1.3), column])

    def draw_pattern(self) -> tuple[int, ...]:
        """Return the words of a phrase of two or three."""
        ends = np.cumsum([share for share, _ in PATTERNS])
        pattern = PATTERNS[int(np.searchsorted(ends[:-1], self.rng.random(), side="right"))][1]
        return tuple(self.draw_word(slot) for slot in pattern.split())

    def owned(self, run: Sequence[int], held: Iterable[tuple[int, ...]] = ()) -> bool:
        """Take a run for a unit built of `held`; False where two of its words are taken."""
        inside = {pair for part in held for pair in pairwise(part)}
        own = [pair for pair in pairwise(run) if pair not in inside]
        if len(set(run)) < len(run) or any(pair in self.owners for pair in own):
            return False
        self.owners |= dict.fromkeys(own, tuple(run))
        return True

    def draw_link(self) -> Unit:
        while not self.owned(run := self.draw_pattern()):
            pass
        return Unit(run, "link")

    def draw_phrase(self, length: int, held: tuple[tuple[int, ...], ...]) -> Unit | None:
        """Return a hyperlexeme of `length` words that holds `held` in this order."""
        parts: list[tuple[int, ...]] = list(held)
        while (left := length - sum(map(len, parts))) > 0:
            run = self.draw_pattern()[:left]
            fresh = [run] if not held else [(word,) for word in run]
            place = int(self.rng.integers(len(parts) + 1))
            parts[place:place] = fresh
        run = tuple(word for part in parts for word in part)
        if not self.owned(run, held):
            return None
        tree = tuple(parts) if held else ()
        return Unit(run, "hyperlexeme", tree)


def _draw_hyperlexemes(builder: _Builder, links: list[Unit], count: int) -> list[Unit]:
    """Return hyperlexemes, in order of frequency; one holds only what is more frequent."""
    rng = builder.rng
    lengths = 4 + rng.choice(5, count, p=[0.34, 0.28, 0.2, 0.11, 0.07])
    found: list[Unit] = []
    while len(found) < count:
        length = int(lengths[len(found)])
        able = links[: max(2, len(links) * (len(found) + 1) // (count + 1))]
        small = [unit for unit in found if len(unit.pieces) <= length - 1]
        form = int(np.searchsorted(np.cumsum(HELD)[:-1], rng.random(), side="right"))
        held: list[tuple[int, ...]] = []
        if form == 2 and small:
            held.append(small[int(rng.integers(len(small)))].pieces)
        if form:
            held.append(able[int(rng.integers(len(able)))].pieces)
        while sum(map(len, held)) > length:
            held.pop()
        unit = builder.draw_phrase(length, tuple(held))
        if unit is not None:
            found.append(unit)
    return found


def _draw_compounds(
    builder: _Builder, links: list[Unit], texts: Interner, count: int
) -> list[Unit]:
    """Return words that are links, links with a word more, or free words, written as one."""
    rng, spelled = builder.rng, list(texts)
    found: dict[str, Unit] = {}
    while len(found) < count:
        form = int(np.searchsorted(np.cumsum(GLUED)[:-1], rng.random(), side="right"))
        link = links[int(len(links) * rng.random() ** 1.5)].pieces
        word = (builder.draw_word("noun.subject"),)
        other = (builder.draw_word("adjective.subject"),)
        parts = [(link,), (word, link) if rng.random() < 0.5 else (link, word), (other, word)][form]
        source = tuple(piece for part in parts for piece in part)
        text = "".join(spelled[piece] for piece in source)
        if text not in texts:
            tree = parts if len(parts) > 1 else tuple((piece,) for piece in link)
            found[text] = Unit((texts.add(text),), "compound", tree, source)
    return list(found.values())


def _draw_formulas(rng: np.random.Generator, texts: Interner, count: int) -> list[Unit]:
    """Return `Δ41`, `Δ∞`, `Ω07`: the first letter mostly."""
    found: dict[str, None] = {f"{GREEK[0]}∞": None}
    while len(found) < count:
        letter = GREEK[int(draw_ranks(rng, len(GREEK), 1, exponent=1.5)[0])]
        number = "∞" if rng.random() < 0.05 else f"{rng.integers(100):02}"
        found[letter + number] = None
    able = list(found)[:count]
    return _whole([able[i] for i in rng.permutation(count)], "formula", texts)


def _draw_symbols(rng: np.random.Generator, texts: Interner, count: int) -> list[Unit]:
    return _whole([SYMBOLS[i] for i in rng.permutation(len(SYMBOLS))[:count]], "symbol", texts)


def _draw_markers(
    rng: np.random.Generator, alphabet: Alphabet, texts: Interner, count: int
) -> list[Unit]:
    """Return `_RESO_`: a word in capitals, of Latin letters where the script has none."""
    cased = alphabet.consonants[0].upper() != alphabet.consonants[0]
    spelled = alphabet if cased and alphabet.script != "georgian" else _latin(rng)
    names = spell_words(rng, spelled, count, syllables=(0.0, 0.6, 0.4), shortest=4)
    return _whole([f"_{name.upper()}_" for name in names], "marker", texts)


def _latin(rng: np.random.Generator) -> Alphabet:
    from miner.synthesis.alphabet import draw_alphabet

    return draw_alphabet(rng, "latin")


def _draw_nodes(rng: np.random.Generator, texts: Interner, count: int) -> list[Unit]:
    """Return `VXS_ΔC1:R8K`: few names, many addresses."""
    names = ["".join(_letters(rng, 3)) for _ in range(max(3, count // 8))]
    found: dict[str, None] = {}
    while len(found) < count:
        name = names[int(draw_ranks(rng, len(names), 1, exponent=0.8)[0])]
        first, second, third = _letters(rng, 3)
        one, two = rng.integers(1, 10, size=2).tolist()
        found[f"{name}_Δ{first}{one}:{second}{two}{third}"] = None
    return _whole(list(found), "node", texts)


def _letters(rng: np.random.Generator, count: int) -> list[str]:
    return [chr(ord("A") + number) for number in rng.integers(26, size=count).tolist()]


def _whole(names: list[str], what: str, texts: Interner) -> list[Unit]:
    return [Unit((texts.add(name),), what) for name in names]
