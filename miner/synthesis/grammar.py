"""Rules to lines: how do words, phrases and sentences follow each other?

A rule is a name and what it may stand for, with shares:
`{"place": [(0.7, "preposition noun.place"), (0.3, "run")]}`. What has no rule is a slot, which a
word or a unit fills, or a sign as it is. Rules never come back to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Rules = dict[str, list[tuple[float, str]]]
ORDERS = ("subject verb object", "subject object verb", "verb subject object")
END, OPENS, PARTS = "end", "[SCN]", "[SEP]"


@dataclass(frozen=True)
class Order:
    """What languages differ in: the order of words, and whether articles stand before nouns."""

    clause: str
    adjective_first: bool
    preposition_first: bool
    article: float  # share of nouns with one
    question_first: bool


def draw_order(rng: np.random.Generator) -> Order:
    return Order(
        ORDERS[int(rng.integers(len(ORDERS)))],
        bool(rng.random() < 0.6),
        bool(rng.random() < 0.7),
        float(rng.choice([0.0, 0.25, 0.45])),
        bool(rng.random() < 0.6),
    )


def write_rules(order: Order, *, scenes: float) -> Rules:
    """Return the rules of a language; a share of lines are `scenes`."""
    plain = 1 - scenes
    question = f"question {order.clause}" if order.question_first else f"{order.clause} question"
    return {
        "line": [
            (0.68 * plain, "sentence end"),
            (0.25 * plain, "sentence sentence end"),
            (0.07 * plain, "sentence sentence sentence end"),
            (scenes, "scene end"),
        ],
        "sentence": [
            (0.62, "statement stop"),
            (0.12, f"{question} ask"),
            (0.09, "listing stop"),
            (0.07, "verb.call object call"),
            (0.05, "naming stop"),
            (0.05, "marker statement stop"),
        ],
        "statement": [
            (0.46, "clause"),
            (0.22, "opening comma clause"),
            (0.32, "clause comma conjunction clause"),
        ],
        "clause": [(0.55, order.clause), (0.45, f"{order.clause} place")],
        "subject": [
            (0.26, "pronoun"),
            (0.50, "thing.subject"),
            (0.13, "run"),
            (0.04, "compound"),
            (0.03, "formula"),
            (0.02, "node"),
            (0.02, "thing.subject symbol"),
        ],
        "object": [
            (0.70, "thing.object"),
            (0.14, "run"),
            (0.05, "compound"),
            (0.04, "formula"),
            (0.03, "symbol"),
            (0.04, "numeral noun.many"),
        ],
        "verb": [
            (0.40, "verb.now"),
            (0.34, "verb.past"),
            (0.12, "adverb.plain verb.past"),
            (0.10, "negation verb.now"),
            (0.04, "number adverb.plain verb.now"),
        ],
        "place": _place(order),
        "opening": [(0.30, "adverb.plain"), (0.45, "place"), (0.25, "run")],
        "listing": [
            (0.5, "object comma object conjunction object"),
            (0.3, "thing.subject colon object comma object comma object"),
            (0.2, "object semicolon object semicolon object"),
        ],
        "naming": [
            (0.4, "formula dash object"),
            (0.3, "symbol dash object"),
            (0.3, "node colon object comma object"),
        ],
        **{f"thing.{form}": _thing(order, form) for form in ("subject", "object", "place")},
        "scene": [
            (0.5, f"{OPENS} image {PARTS} image"),
            (0.3, f"{OPENS} image {PARTS} image {PARTS} image"),
            (0.2, f"{OPENS} image {PARTS} marker"),
        ],
        "image": [
            (0.28, "run"),
            (0.12, "compound"),
            (0.18, "run mood"),
            (0.18, "noun.subject run"),
            (0.14, "noun.subject noun.subject verb.now"),
            (0.10, "mood run"),
        ],
        "mood": [(0.30, "symbol"), (0.18, "formula"), (0.40, "noun.subject"), (0.12, "marker")],
    }


def _thing(order: Order, form: str) -> list[tuple[float, str]]:
    """Return the rules of a noun in one case: alone or with an adjective, or more."""
    noun, adjective = f"noun.{form}", f"adjective.{form}"
    both = f"{adjective} {noun}" if order.adjective_first else f"{noun} {adjective}"
    bare = 1 - order.article
    found = [(0.58, noun), (0.32, both), (0.10, f"{noun} noun.many")]
    return [(share * bare, text) for share, text in found] + [
        (share * order.article, f"article {text}") for share, text in found if order.article
    ]


def _place(order: Order) -> list[tuple[float, str]]:
    found = [(0.78, "thing.place"), (0.14, "run"), (0.04, "compound"), (0.04, "node")]
    if order.preposition_first:
        return [(share, f"preposition {text}") for share, text in found]
    return [(share, f"{text} preposition") for share, text in found]


@dataclass(frozen=True)
class Grammar:
    """Rules as arrays. Symbols from 0 are `names`, those below `rules` have a rule.

    Alternative a is `symbols[starts[a] : starts[a] + sizes[a]]`, and that of a slot is itself;
    a rule r takes the first alternative whose `ends` is above r + a number in 0..1.
    """

    names: tuple[str, ...]
    rules: int
    ends: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    symbols: np.ndarray
    depth: int


def compile_rules(rules: Rules) -> Grammar:
    """Return rules as arrays; ValueError where a rule comes back to itself."""
    slots = {name: None for found in rules.values() for _, text in found for name in text.split()}
    names = (*rules, *(name for name in slots if name not in rules))
    number = {name: place for place, name in enumerate(names)}
    texts = [text.split() for found in rules.values() for _, text in found]
    texts += [[name] for name in names[len(rules) :]]
    shares = [np.cumsum([share for share, _ in found]) for found in rules.values()]
    ends = np.concatenate([place + share / share[-1] for place, share in enumerate(shares)])
    sizes = np.array([len(text) for text in texts], np.int64)
    symbols = np.array([number[name] for text in texts for name in text], np.int32)
    starts = np.cumsum(sizes) - sizes
    return Grammar(names, len(rules), ends, starts, sizes, symbols, _measure_depth(rules))


def _measure_depth(rules: Rules) -> int:
    """Return how often rules must be applied until only slots are left."""
    depth: dict[str, int] = {}

    def measure(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise ValueError(f"the rule {name!r} comes back to itself")
        if name not in depth and name in rules:
            depth[name] = 1 + max(
                measure(part, (*above, name)) for _, text in rules[name] for part in text.split()
            )
        return depth.get(name, 0)

    return measure("line", ())


def expand(
    rows: np.ndarray, starts: np.ndarray, sizes: np.ndarray, symbols: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the rows of a table hold, one after the other, and how much each holds.

    >>> starts, sizes, symbols = np.array([0, 2]), np.array([2, 1]), np.array([7, 8, 9])
    >>> [part.tolist() for part in expand(np.array([1, 0]), starts, sizes, symbols)]
    [[9, 7, 8], [1, 2]]
    """
    counts = sizes[rows]
    before = np.cumsum(counts) - counts
    places = np.repeat(starts[rows] - before, counts)
    places += np.arange(len(places))
    return symbols[places], counts


def write_slots(
    rng: np.random.Generator, grammar: Grammar, lines: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slots of `lines` lines in a row, and the line of each."""
    symbols = np.zeros(lines, np.int32)
    line_of = np.arange(lines, dtype=np.int32)
    own = len(grammar.ends) - grammar.rules
    for _ in range(grammar.depth):
        ruled = np.flatnonzero(symbols < grammar.rules)
        rows = symbols + own
        chosen = symbols[ruled] + rng.random(len(ruled))
        rows[ruled] = np.searchsorted(grammar.ends, chosen, side="right")
        symbols, counts = expand(rows, grammar.starts, grammar.sizes, grammar.symbols)
        line_of = np.repeat(line_of, counts)
    return symbols, line_of
