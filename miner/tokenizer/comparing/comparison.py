"""Paths to a comparison: every tokenizer on the same text, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from miner.tokenizer.comparing.batches import choose_examples, read_batches
from miner.tokenizer.comparing.figures import SHAPES, list_figures
from miner.tokenizer.comparing.places import UnitFinder, choose_units, count_near
from miner.tokenizer.comparing.tallies import Tally
from miner.tokenizer.loading import MODEL_NAMES, TOKENIZER_JSON, LoadedTokenizer, load_tokenizer
from miner.tokenizer.texts import Corpus, open_corpus


@dataclass(frozen=True)
class Comparison:
    """All figures; the first of the `tokenizers` is what the others are measured against.

    `corpus`: `paths`, `documents`, `bytes`, `words`. `units`: where they come from, how many there
    are and how many places they have; None where no tokenizer has any. `texts` are examples, and
    `examples` of a tokenizer is how it cuts each of them.
    """

    corpus: dict[str, Any]
    shape: dict[str, Any]
    units: dict[str, Any] | None
    tokenizers: list[dict[str, Any]]
    texts: list[str]

    def record(self) -> dict[str, Any]:
        """Return the comparison as data for JSON."""
        return asdict(self)


def compare_tokenizers(
    paths: Sequence[Path], corpus: Sequence[str], *, run: Path | None = None,
    shape: str = "llama-3-8b", text_column: str | None = None, on_error: str = "stop",
    told: Callable[[str], None] = lambda _: None,
) -> Comparison:  # fmt: skip
    """Return the figures of the tokenizers at `paths` on a corpus that none was trained on.

    TokenizerError, CorpusError or RunError where one of them cannot be read.
    """
    tokenizers = [load_tokenizer(path) for path in paths]
    names = name_tokenizers(tokenizers)
    finder = choose_units(tokenizers, run)
    held = open_corpus(corpus, text_column=text_column, on_error=on_error, told=told)
    count = Count(tokenizers, names, finder)
    count.read(held, told)
    near = None
    if run is not None and finder is not None:
        seen = np.flatnonzero(np.any([tally.whole_units > 0 for tally in count.tallies], axis=0))
        near = count_near(run, finder, seen)
    figures = count.list_figures(shape, near)
    return Comparison(
        corpus={
            "paths": list(corpus), "documents": len(count.sizes), "bytes": int(count.sizes.sum()),
            "words": count.words, "skipped": [vars(entry) for entry in held.skipped],
        },
        shape={"name": shape, **vars(SHAPES[shape]), "bytes_per_token": SHAPES[shape].per_token},
        units=None if finder is None else {
            "source": finder.source, "count": len(finder.texts), "places": count.places
        },
        tokenizers=figures,
        texts=count.texts,
    )  # fmt: skip


class Count:
    """The tallies of all tokenizers, and what is the same for all of them."""

    def __init__(
        self, tokenizers: Sequence[LoadedTokenizer], names: list[str], finder: UnitFinder | None
    ) -> None:
        self.finder, self.names = finder, names
        self.units = finder.texts if finder else []
        self.tallies = [Tally(tokenizer, len(self.units)) for tokenizer in tokenizers]
        self.sizes = np.zeros(0, np.int64)
        self.words = self.places = 0
        self.texts: list[str] = []

    def read(self, corpus: Corpus, told: Callable[[str], None]) -> None:
        """Count a corpus, a batch at a time."""
        sizes = [self.sizes]
        for batch in read_batches(corpus):
            places = self.finder.find(batch) if self.finder else None
            self.places += len(places.units) if places else 0
            self.words += int(batch.words.sum())
            self.texts = self.texts or choose_examples(batch.texts)
            sizes.append(batch.sizes)
            for name, tally in zip(self.names, self.tallies, strict=True):
                tally.add(batch, places)
                told(f"{name}: {sum(map(len, tally.tokens)):,} documents")
        self.sizes = np.concatenate(sizes)

    def list_figures(self, shape: str, near: np.ndarray | None) -> list[dict[str, Any]]:
        """Return the figures of each tokenizer, with its name and how it cuts the examples."""
        return [
            {
                "name": name,
                **list_figures(
                    tally, self.tallies[0], sizes=self.sizes, words=self.words, near=near,
                    places=self.places, shape=SHAPES[shape], texts=self.units,
                ),
                "examples": cut_texts(tally.tokenizer, self.texts),
            }
            for name, tally in zip(self.names, self.tallies, strict=True)
        ]  # fmt: skip


def name_tokenizers(tokenizers: Sequence[LoadedTokenizer]) -> list[str]:
    """Return the names of the folders or files; equal ones get a number."""
    usual = (TOKENIZER_JSON, *MODEL_NAMES)
    names = [
        tokenizer.path.resolve().parent.name if tokenizer.name in usual else (
            tokenizer.path.resolve().name or tokenizer.name
        )
        for tokenizer in tokenizers
    ]  # fmt: skip
    counts, seen = Counter(names), Counter[str]()
    for place, name in enumerate(names):
        seen[name] += 1
        if counts[name] > 1:
            names[place] = f"{name} {seen[name]}"
    return names


def cut_texts(tokenizer: LoadedTokenizer, texts: Sequence[str]) -> list[list[str]]:
    """Return the part of each text that each token stands for; joined, they are the text.

    A token that ends inside a character has the whole of it, and those that go on have nothing.
    """
    cut = []
    for text, spans in zip(texts, tokenizer.spans(texts), strict=True):
        ends = np.maximum.accumulate([0, *(end for _, _, end in spans)]).tolist()
        ends[-1] = len(text)
        cut.append([text[low:high] for low, high in pairwise(ends)])
    return cut
