"""A seed to a language: its alphabet, words, units and grammar, as tables to draw from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from miner.synthesis.alphabet import Alphabet, draw_alphabet
from miner.synthesis.frequencies import Urn, fill_urn, weigh_ranks
from miner.synthesis.grammar import (
    END,
    OPENS,
    PARTS,
    Grammar,
    Order,
    Rules,
    compile_rules,
    draw_order,
    write_rules,
)
from miner.synthesis.units import Planted, Unit, draw_units
from miner.synthesis.words import CLOSED, Interner, Words, add_numbers, draw_words

TOPICS = 30
SCENES = 0.12  # share of lines
EXPONENT, SHIFT = 1.0, 2.7  # of words of open classes; of closed ones 0.8 and 0
RUNS = ("link", "hyperlexeme")


@dataclass(frozen=True)
class Language:
    """All that lines are made of.

    `texts` are words, signs and single atoms; piece p below `len(texts)` is text p, the others are
    units. `starts`, `sizes`, `items`: the texts of each piece. `slots[s]` tells what fills symbol
    s of the grammar: the name of an urn with the column of `forms`, or the number of a text.
    """

    alphabet: Alphabet
    words: Words
    order: Order
    rules: Rules
    grammar: Grammar
    texts: list[str]
    units: list[Unit]
    starts: np.ndarray
    sizes: np.ndarray
    items: np.ndarray
    urns: dict[str, Urn]
    forms: dict[str, np.ndarray]
    slots: dict[int, tuple[str, int] | int]
    marks: dict[str, int]

    def spell(self, numbers: tuple[int, ...]) -> str:
        return " ".join(self.texts[number] for number in numbers)

    def describe(self) -> dict[str, Any]:
        """Return what a person may want to know of the language, without its words."""
        closed = {name: [self.texts[i] for i in self.words.forms[name][:, 0]] for name in CLOSED}
        return {
            "alphabet": asdict(self.alphabet),
            "order": asdict(self.order),
            "endings": self.words.endings,
            "function_words": closed,
            "rules": self.rules,
            "signs": {name: self.texts[i] for name, i in self.marks.items() if name != END},
        }


def draw_language(seed: int, script: str, words: int, units: int) -> Language:
    """Draw a language; the same arguments give the same one."""
    rng = np.random.default_rng([seed, 0])
    texts = Interner()
    alphabet = draw_alphabet(rng, script)
    marks = _add_marks(alphabet, texts)
    drawn = draw_words(rng, alphabet, words, texts)
    forms = drawn.forms | {"number": add_numbers(texts)}
    planted = draw_units(rng, drawn, alphabet, texts, units)
    order = draw_order(rng)
    rules = write_rules(order, scenes=SCENES)
    grammar = compile_rules(rules)
    flat = [unit for group in planted.values() for unit in group.units]
    starts, sizes, items = _list_pieces(len(texts), flat)
    urns = _fill_urns(rng, forms, planted, len(texts))
    slots = {
        number: _find_slot(name, drawn, urns, marks)
        for number, name in enumerate(grammar.names)
        if number >= grammar.rules
    }
    return Language(
        alphabet,
        drawn,
        order,
        rules,
        grammar,
        list(texts),
        flat,
        starts,
        sizes,
        items,
        urns,
        forms,
        slots,
        marks,
    )


def _add_marks(alphabet: Alphabet, texts: Interner) -> dict[str, int]:
    """Add the signs that stand as they are; the end of a line is the first text."""
    marks = alphabet.marks
    signs = {
        END: "\n",
        "stop": marks.stop,
        "comma": marks.comma,
        "ask": marks.ask,
        "call": marks.call,
        "colon": ":",
        "semicolon": "·" if marks.ask == ";" else ";",
        "dash": "—",
        OPENS: OPENS,
        PARTS: PARTS,
    }
    return {name: texts.add(text) for name, text in signs.items()}


def _list_pieces(texts: int, units: list[Unit]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return starts, sizes and items of all pieces: every text by itself, then the units."""
    sizes = np.array([1] * texts + [len(unit.pieces) for unit in units], np.int64)
    inside = [number for unit in units for number in unit.pieces]
    items = np.concatenate([np.arange(texts), np.array(inside, np.int64)]).astype(np.int32)
    return np.cumsum(sizes) - sizes, sizes, items


def _fill_urns(
    rng: np.random.Generator, forms: dict[str, np.ndarray], planted: dict[str, Planted], texts: int
) -> dict[str, Urn]:
    """Return an urn for each class of words, of rows of `forms`, and for units, of pieces."""
    urns = {}
    for name, table in forms.items():
        exponent, shift = (0.8, 0.0) if name in CLOSED else (EXPONENT, SHIFT)
        weights = weigh_ranks(len(table), exponent=exponent, shift=shift)
        urns[name] = fill_urn(rng, np.arange(len(table)), weights, TOPICS)
    first = texts
    pieces = {}
    for name, group in planted.items():
        pieces[name] = np.arange(first, first + len(group.units))
        first += len(group.units)
    for name in [name for name in planted if name not in RUNS]:
        urns[name] = fill_urn(rng, pieces[name], planted[name].weights, TOPICS)
    sizes = np.array([len(planted[name].units) for name in RUNS])
    weights = np.concatenate([planted[name].weights for name in RUNS])
    weights *= np.repeat(sizes / sizes.sum(), sizes)
    urns["run"] = fill_urn(rng, np.concatenate([pieces[name] for name in RUNS]), weights, TOPICS)
    return urns


def _find_slot(
    name: str, words: Words, urns: dict[str, Urn], marks: dict[str, int]
) -> tuple[str, int] | int:
    """Return what fills a slot: an urn with the column of a form, or a sign as it is."""
    if name in marks:
        return marks[name]
    urn, _, form = name.partition(".")
    if urn not in urns:
        raise ValueError(f"nothing fills the slot {name!r}")
    return urn, list(words.endings[urn]).index(form) if form else 0
