"""Texts to units: how fast is a run, beside gensim's Phraser and spaCy's PhraseMatcher?

A document is a line. Phraser has learned from the same lines with `min_count` 5: one model joins
two words, and three of them, one behind the other, as many as a unit has. PhraseMatcher looks for
the same units as the run, in lower case, in what spaCy's tokenizer of no language makes of the
lines, and its overlaps are settled by `filter_spans`. All in one process, CPU time of all its
threads, the best of three; the corpus is cut once before, so that nothing is compiled or read.

    python -m benchmarks.segmenting --corpus corpora/demo.txt
    python -m benchmarks.segmenting --corpus novels.txt.gz --megabytes 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import spacy
from gensim.models.phrases import FrozenPhrases, Phrases
from spacy.matcher import PhraseMatcher
from spacy.util import filter_spans

import miner
from benchmarks.gold import read_text

REPEATS = 3
MIN_COUNT = 5  # of the pairs that Phraser joins
PASSES = 3  # of pairs that units of eight words take


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=5.0)
    arguments = parser.parse_args()
    text = read_text(arguments.corpus)
    content = text.encode()[: int(arguments.megabytes * 1e6)].decode("utf-8", "ignore")
    lines = content.splitlines()
    tokens = [line.split() for line in lines]
    run = miner.mine(lines)
    size = len(content.encode()) / 1e6
    print(f"{size:.1f} MB, {len(lines):,} documents, {sum(map(len, tokens)):,} tokens")
    print(f"{len(run):,} units; MB per CPU second, and pieces of several words")
    works = {**list_ours(run, lines, tokens), **list_peers(run, lines, tokens)}
    for name, work in works.items():
        joined = work()
        spent = min(map(measure, [work] * REPEATS))
        print(f"{name:44}{size / spent:>8.2f}{joined:>12,}")


def list_ours(
    run: miner.Run, lines: list[str], tokens: list[list[str]]
) -> dict[str, Callable[[], int]]:
    """Return what a run does with texts, and with tokens."""
    return {
        "segment_batch(texts)": lambda: count(run.segment_batch(lines)),
        "segment_batch(texts, canonical=True)": lambda: count(
            run.segment_batch(lines, canonical=True)
        ),
        "spans_batch(texts)": lambda: sum(
            " " in span.text for spans in run.spans_batch(lines) for span in spans
        ),
        "segment(text), one at a time": lambda: count([run.segment(line) for line in lines]),
        "segment_batch(tokens)": lambda: count(run.segment_batch(tokens)),
    }


def list_peers(
    run: miner.Run, lines: list[str], tokens: list[list[str]]
) -> dict[str, Callable[[], int]]:
    """Return what gensim and spaCy do with the same."""
    models = list(learn_phrases(tokens))
    nlp = spacy.blank("xx")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add("unit", [nlp.make_doc(unit) for unit in run.units["surface"].to_list()])

    def join(passes: int) -> int:
        joined = tokens
        for model in models[:passes]:
            joined = [model[line] for line in joined]
        return count(joined, "_")

    def match() -> int:
        docs = map(nlp.make_doc, lines)
        spans = (span for doc in docs for span in filter_spans(matcher(doc, as_spans=True)))
        return sum(" " in span.text for span in spans)

    return {
        "gensim Phraser, tokens": lambda: join(1),
        f"gensim Phraser, {PASSES} passes, tokens": lambda: join(PASSES),
        "spaCy tokenizer and PhraseMatcher": match,
    }


def learn_phrases(tokens: list[list[str]]) -> Iterator[FrozenPhrases]:
    """Yield the models of one pass, of two, of three."""
    for _ in range(PASSES):
        model = Phrases(tokens, min_count=MIN_COUNT).freeze()
        yield model
        tokens = [model[line] for line in tokens]


def count(pieces: list[list[str]], joint: str = " ") -> int:
    """Return how many pieces have several words."""
    return sum(joint in piece for line in pieces for piece in line)


def measure(work: Callable[[], int]) -> float:
    """Return the CPU seconds of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
