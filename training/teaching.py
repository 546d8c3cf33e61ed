"""Examples to gains: how much better is a ranking once a person has named some units?

    python -m training.ranker measure --shared ../shared --work WORK
    python -m training.teaching --work WORK

A list is cut into halves that share no content word. From one half come seeds, or decisions on the
runs that the ranker puts on top, or on any that compete; the other half judges the ranking of its
own words. The ranker has seen no text of the language, but for the judged English textbooks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.gold import average_precision, frequent_words, split_by_words
from miner.mining.features import CHUNK, NAMES
from miner.mining.ranker import join_heads, trust_terms
from miner.mining.teaching import learn_order
from miner.mining.unithood import LEAST_SCORE
from training.corpora import Corpus, load
from training.ranker import HEADS, LISTED, design, fit_curve, leave_out, train

JUDGED = (
    ("judged_en_openstax", "terms"),
    ("judged_en_openstax", "wordnet"),
    ("es_textbooks", "terms"),
    ("pl_textbooks", "terms"),
    ("fr_novels", "wiktionary"),
    ("pt_novels", "wordnet"),
)
SEEDS = (50, 200, 500)
DECISIONS = (50, 100, 200)


@dataclass(frozen=True)
class Told:
    """A corpus in the form of `miner.mining.features.Survey`, as far as trees ask for it."""

    features: np.ndarray

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the features of some runs."""
        return self.features[rows]

    def walk(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the runs, some at a time, and their features."""
        for low in range(0, len(self.features), CHUNK):
            rows = np.arange(low, min(low + CHUNK, len(self.features)))
            yield rows, self.features[rows]


def judge(ranking: np.ndarray, tokens: np.ndarray, units: np.ndarray, asked: np.ndarray) -> float:
    """Return the average precision among the asked runs, float64 (runs,) against bool (runs,)."""
    rows = np.flatnonzero(asked)
    order = rows[np.argsort(-ranking[rows], kind="stable")]
    wanted = set(tokens[units & asked].tolist())
    return average_precision(tokens[order].tolist(), wanted, max(len(wanted), 1))


def compare(
    corpus: Corpus, kind: str, opinions: np.ndarray, meaning: np.ndarray, seed: int
) -> dict:
    """Return the average precision of pairs by what was taught, of one split of the words."""
    units = corpus.lists[kind]
    rates = corpus.features[:, NAMES.index("rate")]
    counts = np.exp(rates - rates.min())
    pairs = {"token": corpus.tokens, "length": corpus.words, "count": counts}
    texts = corpus.tokens.tolist()
    split = split_by_words(texts, shared=frequent_words(pl.DataFrame(pairs)), seed=seed)
    taught, asked = (np.isin(corpus.tokens, side) for side in split)
    asked &= corpus.words == 2
    random = np.random.default_rng(seed)
    nothing = np.zeros(len(units), bool)

    def learn(wanted: np.ndarray, refused: np.ndarray) -> float:
        order = learn_order(Told(corpus.features), opinions, wanted, refused, seed=0)
        return judge(order, corpus.tokens, units, asked)

    found = {
        "units": float((units & asked).sum()),
        "none": judge(meaning, corpus.tokens, units, asked),
    }
    seeds = random.permutation(np.flatnonzero(taught & units))
    for most in SEEDS:
        if most == SEEDS[0] or len(seeds) > SEEDS[0]:
            found[f"{most} seeds"] = learn(np.isin(np.arange(len(units)), seeds[:most]), nothing)
    able = np.flatnonzero(taught & (meaning >= LEAST_SCORE))
    orders = {
        "top": able[np.argsort(-meaning[able], kind="stable")],
        "unsure": able[np.argsort(np.abs(meaning[able] - 0.5), kind="stable")],
        "any": random.permutation(able),
    }
    for name, order in orders.items():
        for most in DECISIONS:
            said = np.isin(np.arange(len(units)), order[:most])
            enough = (said & units).sum() > 2
            label = f"{most} {name}"
            found[label] = learn(said & units, said & ~units) if enough else found["none"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=3)
    options = parser.parse_args()
    every = [load(place) for place in sorted(options.work.glob("*.npz"))]
    corpora = [corpus for corpus in every if corpus.language != "made"]
    made = [corpus for corpus in every if corpus.language == "made"]
    votes = {head.name: leave_out(head, corpora, made) for head in LISTED}
    curves = {head.name: fit_curve(head, corpora, votes[head.name]) for head in LISTED}
    bonds = train(HEADS[2], [], made)
    named = {corpus.name: corpus for corpus in corpora}
    for place, (name, kind) in enumerate(JUDGED):
        corpus = named[name]
        told = [votes[head.name][name] for head in LISTED]
        shares = [
            np.interp(one, *curves[head.name]) for one, head in zip(told, LISTED, strict=True)
        ]
        bond = bonds.vote(design(corpus))
        meaning = join_heads(
            *shares, 1 / (1 + np.exp(-bond)), trust=trust_terms(*told), lengths=corpus.words
        )
        opinions = np.stack([*told, bond], axis=1).astype(np.float32)
        rows = [compare(corpus, kind, opinions, meaning, 1 + n) for n in range(options.splits)]
        mean = pl.DataFrame(rows).mean().row(0, named=True)
        if place == 0:
            print("| corpus | list | " + " | ".join(mean) + " |")
            print("|---|---|" + "---|" * len(mean))
        cells = [f"{value:.0f}" if value > 1 else f"{value:.3f}"[1:] for value in mean.values()]
        print(f"| {name} | {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
