"""Paths to a comparison: every tokenizer on the same text, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from miner.errors import UsageError
from miner.progress import SILENT, Progress
from miner.tokenizer.comparing.batches import choose_examples, read_batches
from miner.tokenizer.comparing.figures import SHAPES, list_figures
from miner.tokenizer.comparing.places import UnitFinder, choose_units, count_near, read_vectors
from miner.tokenizer.comparing.tallies import Tally
from miner.tokenizer.reading.loading import (
    MODEL_NAMES,
    TOKENIZER_JSON,
    LoadedTokenizer,
    load_tokenizer,
)
from miner.tokenizer.reading.texts import Corpus, open_corpus


@dataclass(frozen=True)
class Comparison:
    """All figures; the first of the `tokenizers` is what the others are measured against.

    `corpus`: `paths`, `documents`, `scenes`, `bytes`, `words`, what was `skipped`. `units`: where
    they come from, how many there are and how many places they have; None where none are listed.
    `texts` are examples, and `examples` of a tokenizer is how it cuts each of them.
    """

    corpus: dict[str, Any]
    shape: dict[str, Any]
    units: dict[str, Any] | None
    tokenizers: list[dict[str, Any]]
    texts: list[str]

    def record(self) -> dict[str, Any]:
        """Return the comparison as data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Counted:
    """What is the same of a corpus for every tokenizer; `sizes` int64 (documents,) are bytes."""

    sizes: np.ndarray
    words: int
    scenes: int
    places: int
    texts: list[str]


def compare_tokenizers(
    paths: Sequence[Path],
    corpus: Sequence[str],
    *,
    run: Path | None = None,
    shape: str = "llama-3-8b",
    text_column: str | None = None,
    on_error: str = "stop",
    progress: Progress = SILENT,
) -> Comparison:
    """Return the figures of the tokenizers at `paths` on a corpus that none was trained on.

    TokenizerError, CorpusError or RunError where one of them cannot be read.
    """
    if not paths:
        raise UsageError("no tokenizer is named", cure="Name one at least")
    tokenizers = [load_tokenizer(path) for path in paths]
    finder = choose_units(tokenizers, run)
    units = finder.texts if finder else []
    vectors = read_vectors(run, units) if run and units else None
    tallies = [Tally(tokenizer, len(units)) for tokenizer in tokenizers]
    held = open_corpus(corpus, text_column=text_column, on_error=on_error, progress=progress)
    counted = count_corpus(held, tallies, finder, progress)
    near = None
    if vectors is not None:
        seen = np.flatnonzero(np.any([tally.whole_units > 0 for tally in tallies], axis=0))
        near = count_near(vectors, seen)
    figures = [
        {
            "name": name,
            **list_figures(
                tally,
                tallies[0],
                sizes=counted.sizes,
                words=counted.words,
                scenes=counted.scenes,
                places=counted.places,
                shape=SHAPES[shape],
                near=near,
                units=units,
            ),
            "examples": cut_texts(tally.tokenizer, counted.texts),
        }
        for name, tally in zip(name_tokenizers(tokenizers), tallies, strict=True)
    ]
    return Comparison(
        corpus={
            "paths": list(corpus),
            "documents": len(counted.sizes),
            "scenes": counted.scenes,
            "bytes": int(counted.sizes.sum()),
            "words": counted.words,
            "skipped": [vars(entry) for entry in held.skipped],
        },
        shape={"name": shape, **vars(SHAPES[shape]), "bytes_per_token": SHAPES[shape].per_token},
        units=None
        if finder is None
        else {"source": finder.source, "count": len(units), "places": counted.places},
        tokenizers=figures,
        texts=counted.texts,
    )


def count_corpus(
    corpus: Corpus, tallies: Sequence[Tally], finder: UnitFinder | None, progress: Progress
) -> Counted:
    """Add a corpus to the tallies, a batch at a time, and return what they share."""
    sizes = [np.zeros(0, np.int64)]
    words = scenes = total = done = 0
    texts: list[str] = []
    for batch in read_batches(corpus):
        places = finder.find(batch) if finder else None
        for tally in tallies:
            tally.add(batch, places)
        total += len(places.units) if places else 0
        words, scenes = words + batch.words, scenes + batch.scenes
        texts = texts or choose_examples(batch.texts)
        sizes.append(batch.sizes)
        before, done = done, done + int(batch.sizes.sum())
        if 10 * before // corpus.bytes < 10 * done // corpus.bytes:
            progress.note(f"counted: {done / corpus.bytes:.0%} of the text")
    return Counted(np.concatenate(sizes), words, scenes, total, texts)


def name_tokenizers(tokenizers: Sequence[LoadedTokenizer]) -> list[str]:
    """Return the names of the folders or files.

    Different ones of one name have the folder above in front; the same one twice has a number.
    """
    usual = (TOKENIZER_JSON, *MODEL_NAMES)
    # Links are not followed: in a cache they lead to files whose names are hashes.
    paths = [tokenizer.path.absolute() for tokenizer in tokenizers]
    places = [path.parent if path.name in usual else path for path in paths]
    shared = Counter(place.name for place in set(places))
    names = [
        f"{place.parent.name}/{place.name}" if shared[place.name] > 1 else place.name
        for place in places
    ]
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
