"""Text file to a peer's counts, scores or model: what do others give, at what cost?

An engine is `prepare_<name>() -> run`, and `run(path)` does what is measured; imports belong to
the first, spelling the counts to the function that the second returns. `measure` runs an engine in
a process of its own: CPU seconds of all its threads, and a peak of memory that is its alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MIN_COUNT = 10
MAX_LENGTH = 5
VOCABULARY = 32_000

Counts = dict[str, int]
Spell = Callable[[], Counts]
Run = Callable[[Path], Spell | None]


@dataclass(frozen=True)
class Measure:
    """What one run took: `base_mb` stood before it began, `peak_mb` is the most it held."""

    cpu_seconds: float
    seconds: float
    base_mb: float
    peak_mb: float


def prepare_gensim() -> Run:
    """gensim Phrases, three passes: pairs, then pairs of pairs, then again (up to 8 words)."""
    from gensim.models.phrases import Phrases

    class Sentences:
        def __init__(self, path: Path) -> None:
            self.path = path

        def __iter__(self) -> Iterator[list[str]]:
            with self.path.open(encoding="utf-8") as lines:
                yield from (line.split() for line in lines)

    def run(path: Path) -> None:
        sentences = Sentences(path)
        for _ in range(3):
            phrases = Phrases(sentences, min_count=MIN_COUNT)
            sentences = phrases.freeze()[sentences]

    return run


def prepare_sklearn() -> Run:
    """scikit-learn CountVectorizer of all runs of 1..5 words."""
    from sklearn.feature_extraction.text import CountVectorizer

    def run(path: Path) -> Spell:
        vectorizer = CountVectorizer(ngram_range=(1, MAX_LENGTH), token_pattern=r"\S+")  # noqa: S106
        with path.open(encoding="utf-8") as lines:
            total = np.asarray(vectorizer.fit_transform(lines).sum(axis=0)).ravel()

        def spell() -> Counts:
            words = vectorizer.vocabulary_.items()
            return {text: int(total[at]) for text, at in words if total[at] >= MIN_COUNT}

        return spell

    return run


def prepare_polars() -> Run:
    """polars: every run of 1..5 words as a string, grouped and counted."""
    import polars as pl

    def run(path: Path) -> Spell:
        lines = pl.Series("word", path.read_text(encoding="utf-8").splitlines())
        words = (
            pl.DataFrame({"word": lines.str.split(" ")})
            .with_row_index("line")
            .explode("word")
            .lazy()
        )
        counted = []
        for length in range(1, MAX_LENGTH + 1):
            parts = [pl.col("word").shift(-ahead) for ahead in range(length)]
            counted.append(
                words.select(
                    text=pl.concat_str(parts, separator=" "),
                    inside=pl.col("line") == pl.col("line").shift(1 - length),
                )
                .filter("inside")
                .group_by("text")
                .agg(count=pl.len())
                .filter(pl.col("count") >= MIN_COUNT)
                .collect()
            )
        return lambda: dict(pl.concat(counted).iter_rows())

    return run


def prepare_hf_bpe() -> Run:
    """Hugging Face BPE trainer, byte-level with the pre-tokenizer of GPT-2 (no phrases)."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def run(path: Path) -> None:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train([str(path)], trainer)

    return run


def prepare_sentencepiece_unigram() -> Run:
    """SentencePiece Unigram trainer on the whole file, no line left out."""
    import sentencepiece

    def run(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sentencepiece.SentencePieceTrainer.train(
                input=str(path),
                model_prefix=str(Path(folder, "unigram")),
                model_type="unigram",
                vocab_size=VOCABULARY,
                hard_vocab_limit=False,
                num_threads=os.cpu_count() or 1,
                max_sentence_length=1 << 20,
                minloglevel=2,
            )

    return run


def read_cpu_seconds() -> float:
    """User and system time of this process, all threads, and of its finished children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def read_memory(name: str) -> float:
    """`VmHWM` (peak) or `VmRSS` (now) of this process in megabytes.

    Not `ru_maxrss`: a new process inherits the peak of the one that started it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"no {name} in /proc/self/status")


def measure(engine: str, path: Path, *, counts: Path | None = None) -> Measure:
    """Run `module:prepare_function` on a file in a new process; counts go to a JSON file."""
    command = [sys.executable, "-m", "benchmarks.peers", engine, str(path)]
    if counts:
        command += ["--counts", str(counts)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measure(**json.loads(done.stdout.splitlines()[-1]))


def measure_here(engine: str, path: Path, counts: Path | None) -> Measure:
    """Run an engine in this process."""
    module, name = engine.split(":")
    run: Run = getattr(importlib.import_module(module), name)()
    base, cpu, clock = read_memory("VmRSS"), read_cpu_seconds(), time.perf_counter()
    spell = run(path)
    cpu, clock = read_cpu_seconds() - cpu, time.perf_counter() - clock
    measured = Measure(cpu, clock, base, read_memory("VmHWM"))
    if counts and spell:
        counts.write_text(json.dumps(spell(), ensure_ascii=False), encoding="utf-8")
    return measured


@dataclass(frozen=True)
class PairCounts:
    """Counts of pairs, as the pair scorers of the libraries take them."""

    left: np.ndarray
    right: np.ndarray
    both: np.ndarray
    total: int
    vocabulary: int
    min_count: int


def score_npmi(counts: PairCounts) -> np.ndarray:
    """gensim.models.phrases.npmi_scorer on arrays."""
    left, right, both = (x / counts.total for x in (counts.left, counts.right, counts.both))
    return np.log(both / (left * right)) / -np.log(both)


def score_default(counts: PairCounts) -> np.ndarray:
    """gensim.models.phrases.original_scorer (Mikolov 2013) on arrays."""
    scaled = (counts.both - counts.min_count) * counts.vocabulary
    return scaled / (counts.left * counts.right)


def score_likelihood_ratio(counts: PairCounts) -> np.ndarray:
    """nltk BigramAssocMeasures.likelihood_ratio (Manning and Schuetze 5.3.4) on arrays."""
    both, total = counts.both, counts.total
    only_left, only_right = counts.left - both, counts.right - both
    neither = total - both - only_left - only_right
    score = np.zeros(len(both))
    for observed, row, column in (
        (both, counts.left, counts.right),
        (only_right, total - counts.left, counts.right),
        (only_left, counts.left, total - counts.right),
        (neither, total - counts.left, total - counts.right),
    ):
        expected = row / total * column
        score += observed * np.log(observed / (expected + 1e-20) + 1e-20)
    return 2 * score


PAIR_SCORERS: dict[str, Callable[[PairCounts], np.ndarray]] = {
    "gensim NPMI": score_npmi,
    "gensim default": score_default,
    "NLTK LLR": score_likelihood_ratio,
}


def check_pair_scorers(counts: PairCounts, *, sample: int) -> None:
    """Compare the array forms with the libraries' own functions on a sample of rows."""
    from gensim.models.phrases import npmi_scorer, original_scorer
    from nltk.metrics import BigramAssocMeasures

    rows = np.linspace(0, len(counts.both) - 1, sample).astype(int)
    sides = (counts.left[rows], counts.right[rows], counts.both[rows])
    tail = (counts.vocabulary, counts.min_count, counts.total)
    sampled = PairCounts(*sides, counts.total, counts.vocabulary, counts.min_count)
    triples = list(zip(*(side.tolist() for side in sides), strict=True))
    expected = {
        "gensim NPMI": [npmi_scorer(*triple, *tail) for triple in triples],
        "gensim default": [original_scorer(*triple, *tail) for triple in triples],
        "NLTK LLR": [
            BigramAssocMeasures.likelihood_ratio(both, (left, right), counts.total)
            for left, right, both in triples
        ],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(
            PAIR_SCORERS[name](sampled), values, rtol=1e-6, atol=1e-6, err_msg=name
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("engine", help="module:prepare_function")
    parser.add_argument("path", type=Path)
    parser.add_argument("--counts", type=Path)
    options = parser.parse_args()
    print(json.dumps(vars(measure_here(options.engine, options.path, options.counts))))


if __name__ == "__main__":
    main()
