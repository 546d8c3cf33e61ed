"""Corpus and gold list to average precision: who ranks real units of a language first?

Every system ranks the same pool, all runs of 2..5 words that occur at least `min_count` times
with only white space between the words, and is divided by the same denominator, all gold units
in that pool. A system that does not list a gold unit loses it. For runs of three words and more
the peers, which score pairs, are applied to each split into two parts; the lowest score stands
for the run (the best split in the sense of miner.mining.scores).

    python -m benchmarks.gold --run openstax=outputs/openstax
    python -m benchmarks.gold --seeded 1

The ranker has learned from other English textbooks and from Open English WordNet, and saw nothing
of this text. What it reaches on languages that it never saw: `python -m training.ranker report`.
"""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.peers import PAIR_SCORERS, PairCounts, check_pair_scorers

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
WORD_OR_STOP = re.compile(WORD.pattern + r"|(?:[^\w\s]|_)+|\n")
MAX_LENGTH = 5

CORPORA = {"openstax": "gold/openstax_ccby.txt.gz"}
GOLD_LISTS = {"terms": "gold/openstax_ccby_terms.txt", "wordnet": "gold/oewn_multiword.txt.gz"}
LENGTHS = (("bigrams", 2), ("2..5", MAX_LENGTH))
PAIRINGS = (("openstax", "terms"), ("openstax", "wordnet"))


@dataclass(frozen=True)
class Runs:
    """All frequent runs of one length: `at[p]` is the run that starts at position p, or -1."""

    at: np.ndarray
    first: np.ndarray
    count: np.ndarray


def read_text(path: Path) -> str:
    """Text of a plain or gzipped file."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")


def normalize(text: str) -> str:
    """Case folded, with the straight apostrophe for the curly one."""
    return text.casefold().replace("\u2019", "'")


def join_words(text: str) -> str:
    """The words of a text, lower case, joined by one space: `Say\u2019s  Law` -> `say's law`."""
    return " ".join(WORD.findall(normalize(text)))


def read_gold(path: Path, max_length: int = MAX_LENGTH) -> set[str]:
    """Gold units of 2..max_length words, in the form of `join_words`."""
    joined = (join_words(line) for line in read_text(path).splitlines())
    return {text for text in joined if 1 <= text.count(" ") < max_length}


def read_words(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions as word numbers, -1 where punctuation or a line's end stops a run; the words."""
    pieces = pl.Series("word", WORD_OR_STOP.findall(normalize(text)), dtype=pl.String)
    words = pieces.filter(pieces.str.contains(r"^[^\W_]")).unique(maintain_order=True)
    numbers = pieces.replace_strict(
        words, pl.Series(range(len(words))), default=-1, return_dtype=pl.Int64
    )
    return numbers.to_numpy(), words.to_numpy()


def count_words(ids: np.ndarray, words: int) -> Runs:
    """Runs of one word: every word, however rare."""
    at_word = np.flatnonzero(ids >= 0)
    first = np.zeros(words, dtype=np.int64)
    first[ids[at_word][::-1]] = at_word[::-1]
    return Runs(at=ids, first=first, count=np.bincount(ids[at_word], minlength=words))


def extend_runs(shorter: Runs, ids: np.ndarray, *, length: int, min_count: int) -> Runs:
    """Frequent runs of `length` words from the frequent runs that are one word shorter."""
    start = np.arange(len(ids) - length + 1)
    start = start[(shorter.at[start] >= 0) & (ids[start + length - 1] >= 0)]
    key = shorter.at[start] * (ids.max() + 1) + ids[start + length - 1]
    _, first, number, count = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    kept = count >= min_count
    renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
    at = np.full(len(ids), -1, dtype=np.int64)
    at[start] = renumbered[number]
    return Runs(at=at, first=start[first[kept]], count=count[kept])


def score_runs(levels: dict[int, Runs], length: int, min_count: int) -> dict[str, np.ndarray]:
    """Each peer's score of the runs of one length: the lowest over the splits into two parts."""
    runs = levels[length]
    total, vocabulary = int(levels[1].count.sum()), len(levels[1].count)
    scores = {name: np.full(len(runs.count), np.inf) for name in PAIR_SCORERS}
    for cut in range(1, length):
        counts = PairCounts(
            left=levels[cut].count[levels[cut].at[runs.first]],
            right=levels[length - cut].count[levels[length - cut].at[runs.first + cut]],
            both=runs.count,
            total=total,
            vocabulary=vocabulary,
            min_count=min_count,
        )
        check_pair_scorers(counts, sample=50)
        for name, scorer in PAIR_SCORERS.items():
            scores[name] = np.minimum(scores[name], scorer(counts))
    return scores


def build_pool(text: str, *, min_count: int, max_length: int = MAX_LENGTH) -> pl.DataFrame:
    """The pool of a corpus: `token, length, count` and one column for each peer's score."""
    ids, words = read_words(text)
    levels = {1: count_words(ids, len(words))}
    parts = []
    for length in range(2, max_length + 1):
        runs = extend_runs(levels[length - 1], ids, length=length, min_count=min_count)
        levels[length] = runs
        token = words[ids[runs.first]]
        for offset in range(1, length):
            token = token + " " + words[ids[runs.first + offset]]
        columns = {"token": token, "length": np.full(len(token), length), "count": runs.count}
        parts.append(pl.DataFrame(columns | score_runs(levels, length, min_count)))
    return pl.concat(parts).with_columns(pl.col("token").cast(pl.String))


def load_pool(path: Path, *, min_count: int, cache: Path) -> pl.DataFrame:
    """The pool of a corpus file, kept in the cache folder between runs."""
    checksum = zlib.crc32(path.read_bytes())
    kept = cache / f"{path.name.split('.')[0]}.min{min_count}.{checksum:08x}.parquet"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        build_pool(read_text(path), min_count=min_count).write_parquet(kept)
    return pl.read_parquet(kept)


def average_precision(ranked: Iterable[str], gold: Collection[str], denominator: int) -> float:
    """Mean, over `denominator` gold units, of the precision at each hit.

    `a x b` against gold {a, b} and denominator 2: (1/1 + 2/3) / 2 = 0.8333. Repeats are an error.
    """
    found = np.array([text in gold for text in ranked], dtype=bool)
    if found.sum() > denominator:
        raise ValueError(f"{found.sum()} hits for a denominator of {denominator}")
    precision = np.cumsum(found) / np.arange(1, len(found) + 1)
    return float(precision[found].sum() / denominator)


def rank_pool(pool: pl.DataFrame, column: str) -> list[str]:
    """Texts of a pool, best first; ties by falling count, then by text."""
    order = [-pl.col(column).cast(pl.Float64), -pl.col("count").cast(pl.Int64), pl.col("token")]
    return pool.sort(order)["token"].to_list()


def read_ranking(run: Path, *, kept_first: bool = True) -> list[str]:
    """Texts of a run's proposals, best first: kept ones, then refused ones, each by score."""
    order = [-pl.col("score").fill_null(-np.inf).fill_nan(-np.inf), pl.col("token")]
    if kept_first:
        order.insert(0, pl.col("verdict") != "kept")
    proposals = pl.read_parquet(run / "proposals.parquet", columns=["token", "score", "verdict"])
    texts = proposals.sort(order)["token"].to_list()
    return list(dict.fromkeys(join_words(text) for text in texts))


def cut_to_pool(ranked: Iterable[str], pool: pl.DataFrame) -> list[str]:
    """The ranked texts that the pool holds, in order."""
    known = set(pool["token"].to_list())
    return [text for text in ranked if text in known]


def frequent_words(pool: pl.DataFrame, words: int = 100) -> set[str]:
    """The words that stand in most places of the pool's pairs: no evidence of what a text says."""
    return set(
        pool.filter(pl.col("length") == 2)
        .select(pl.col("token").str.split(" "), "count")
        .explode("token")
        .group_by("token")
        .agg(pl.col("count").sum())
        .sort(-pl.col("count").cast(pl.Int64), "token")
        .head(words)["token"]
    )


def split_by_words(
    texts: Sequence[str], *, shared: set[str], seed: int, share: float = 0.5
) -> tuple[list[str], list[str]]:
    """Texts of seed words only and texts of test words only: no content word is in both.

    A word's half comes from a checksum of the word and the seed; a text that mixes the halves is
    in neither, nor is one made of `shared` words only.
    """

    def seeded(word: str) -> bool:
        return zlib.crc32(f"{seed} {word}".encode()) < share * 2**32

    sides: tuple[list[str], list[str]] = ([], [])
    for text in texts:
        halves = {seeded(word) for word in text.split(" ") if word not in shared}
        if len(halves) == 1:
            sides[0 if halves.pop() else 1].append(text)
    return sides


def compare_on_pool(
    pool: pl.DataFrame, gold: set[str], rankings: dict[str, list[str]]
) -> dict[str, float]:
    """Average precision of each peer and of each ranking given, on one pool."""
    denominator = sum(text in gold for text in pool["token"].to_list())
    systems = {name: rank_pool(pool, name) for name in PAIR_SCORERS}
    systems |= {name: cut_to_pool(ranked, pool) for name, ranked in rankings.items()}
    return {name: average_precision(ranked, gold, denominator) for name, ranked in systems.items()}


def compare(
    shared: Path, *, cache: Path, runs: dict[str, Path], min_count: int
) -> list[dict[str, object]]:
    """One row per corpus, gold list and range of lengths."""
    rows: list[dict[str, object]] = []
    for corpus, gold_name in PAIRINGS:
        whole = load_pool(shared / CORPORA[corpus], min_count=min_count, cache=cache)
        gold = read_gold(shared / GOLD_LISTS[gold_name])
        rankings = {"miner": read_ranking(runs[corpus])} if corpus in runs else {}
        for lengths, longest in LENGTHS:
            pool = whole.filter(pl.col("length") <= longest)
            hits = int(pool["token"].is_in(list(gold)).sum())
            row: dict[str, object] = {"corpus": corpus, "gold": gold_name, "lengths": lengths}
            row |= {"pool": len(pool), "gold units": hits}
            rows.append(row | compare_on_pool(pool, gold, rankings))
    return rows


def compare_seeded(
    shared: Path, *, cache: Path, min_count: int, seed: int, share: float = 0.5, most: int = 500
) -> list[dict[str, object]]:
    """miner given the gold of some words as `--seeds`, tested on the gold of the others.

    The pool is cut to runs of test words for every system: no content word is in both.
    """
    rows: list[dict[str, object]] = []
    for corpus, gold_name in PAIRINGS:
        path = shared / CORPORA[corpus]
        whole = load_pool(path, min_count=min_count, cache=cache)
        gold = read_gold(shared / GOLD_LISTS[gold_name])
        shared_words = frequent_words(whole)
        texts = whole["token"].to_list()
        seeded, unseen = split_by_words(texts, shared=shared_words, seed=seed, share=share)
        seeds = [text for text in seeded if text in gold][:most]
        rankings = {"miner": mine_ranking(path), "miner --seeds": mine_ranking(path, seeds=seeds)}
        for lengths, longest in LENGTHS:
            pool = whole.filter(pl.col("token").is_in(unseen) & (pl.col("length") <= longest))
            row: dict[str, object] = {"corpus": corpus, "gold": gold_name, "lengths": lengths}
            row |= {"seeds": len(seeds), "pool": len(pool)}
            rows.append(row | compare_on_pool(pool, gold, rankings))
    return rows


def run_miner(corpus: Path, run: Path, *options: str) -> None:
    """`miner mine` with its defaults."""
    command = [sys.executable, "-m", "miner", "mine", "--corpus", str(corpus), "--out", str(run)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE)


def mine_ranking(corpus: Path, *, seeds: Sequence[str] = ()) -> list[str]:
    """The ranking of a fresh run, with seed units where there are any."""
    with tempfile.TemporaryDirectory() as folder:
        options: list[str] = []
        if seeds:
            listed = Path(folder, "seeds.txt")
            listed.write_text("".join(f"{text}\n" for text in seeds), encoding="utf-8")
            options = ["--seeds", str(listed)]
        run_miner(corpus, Path(folder, "run"), *options)
        return read_ranking(Path(folder, "run"))


def show_cell(value: object) -> str:
    """A number as a table shows it: 0.202, 23.1, 1,841."""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_table(rows: list[dict[str, object]]) -> None:
    """A Markdown table of rows; a cell that a row lacks stays empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))
    for row in rows:
        print("| " + " | ".join(show_cell(row.get(name, "")) for name in names) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.cache"))
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--run", action="append", default=[], metavar="CORPUS=FOLDER")
    parser.add_argument("--seeded", type=int, metavar="SEED", help="mine with and without seeds")
    parser.add_argument("--share", type=float, default=0.5, help="of the words, for the seeds")
    options = parser.parse_args()
    where = {"cache": options.cache, "min_count": options.min_count}
    if options.seeded is not None:
        print_table(
            compare_seeded(options.shared, seed=options.seeded, share=options.share, **where)
        )
        return
    runs = {name: Path(folder) for name, folder in (text.split("=", 1) for text in options.run)}
    print_table(compare(options.shared, runs=runs, **where))


if __name__ == "__main__":
    main()
