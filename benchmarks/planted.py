"""A seed to a made-up language and its answer key: does the miner find what was planted?

A language has function words (few and frequent), content words (Zipf) and topics (words that
share lines in no fixed order). Units are planted into lines made of them: links of 2-3 words and
hyperlexemes of 4-7, built of words that also occur alone and in other units; one hyperlexeme in
ten holds a planted link. No two neighbours recur in two units otherwise, so the key is the only
right answer.

    python -m benchmarks.planted --seeds 1 2 3
    python -m benchmarks.planted --shuffled ../shared/gold/openstax_ccby.txt.gz

`--shuffled` puts the words of real texts in random order, and counts the units of several words
that `miner mine` still finds: hardly one.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.gold import (
    average_precision,
    build_pool,
    print_table,
    rank_pool,
    read_text,
    run_miner,
)
from benchmarks.peers import PAIR_SCORERS
from training.corpora import shuffle_words

CONSONANTS = "ბგდზთკლმნპრსტფქშჩცძხჯ"
VOWELS = "აეიოუ"
FUNCTION_WORDS = 40
CONTENT_WORDS = 4000
UNIT_WORDS = 900  # units are made of the most frequent content words: each also occurs alone
TOPICS = 40
TOPIC_WORDS = 20
FUNCTION_SHARE = 0.38
TOPIC_SHARE = 0.3
GRAMMAR = 0.3  # of the places after a preposition so many hold an article
LINK_SHARE = 0.6
NESTED_SHARE = 0.1
RARE = 12
UNIT_ZIPF = 0.72


@dataclass(frozen=True)
class PlantedLanguage:
    """Lines of text, and the key: `unit` (text), `kind`, `length`, `count` (times planted)."""

    lines: list[str]
    key: pl.DataFrame


@dataclass(frozen=True)
class PlantedScore:
    """Average precision over all planted units; share of the found ones with the right kind."""

    average_precision: float
    kind_accuracy: float
    found: int


def make_words(rng: np.random.Generator) -> np.ndarray:
    """Function words of one syllable, then content words of two or three, none twice."""
    syllables = np.array([c + v for c in CONSONANTS for v in VOWELS], dtype=object)
    function = rng.permutation(syllables)[:FUNCTION_WORDS]
    size = len(syllables)
    numbers = rng.choice(size**2 * 2, CONTENT_WORDS, replace=False)
    first, second, third = numbers % size, numbers // size % size, numbers // size**2
    tail = np.where(third > 0, syllables[(first * 7 + second * 3) % size], "")
    return np.concatenate([function, syllables[first] + syllables[second] + tail])


def weigh_by_rank(size: int, exponent: float) -> np.ndarray:
    """Probabilities that fall as rank ** -exponent."""
    weights = np.arange(1, size + 1, dtype=np.float64) ** -exponent
    return weights / weights.sum()


def draw_unit(
    rng: np.random.Generator, length: int, links: list[tuple[int, ...]]
) -> tuple[int, ...]:
    """Words of one unit; a long one may hold a link, or a function word inside."""
    content = FUNCTION_WORDS + rng.choice(UNIT_WORDS, length, replace=False)
    if length >= 4 and links and rng.random() < NESTED_SHARE:
        link = links[rng.integers(len(links))]
        at = rng.integers(length - len(link) + 1)
        content[at : at + len(link)] = link
    elif length >= 3 and rng.random() < 0.25:
        content[rng.integers(1, length - 1)] = rng.integers(FUNCTION_WORDS)
    return tuple(int(word) for word in content)


def draw_units(rng: np.random.Generator, units: int) -> list[tuple[int, ...]]:
    """Links, then hyperlexemes, as word numbers; a pair of neighbours belongs to one unit only."""
    links_wanted = round(units * LINK_SHARE)
    drawn: list[tuple[int, ...]] = []
    links: dict[tuple[int, ...], set[tuple[int, int]]] = {}
    taken: set[tuple[int, int]] = set()
    while len(drawn) < units:
        is_link = len(drawn) < links_wanted
        length = int(rng.choice([2, 3], p=[0.6, 0.4]) if is_link else rng.integers(4, 8))
        unit = draw_unit(rng, length, list(links))
        pairs = set(itertools.pairwise(unit))
        held = [inside for inside in links.values() if inside <= pairs]
        own = pairs.difference(*held)
        if len(set(unit)) < length or own & taken or len(held) > 1:
            continue
        drawn.append(unit)
        taken |= own
        if is_link:
            links[unit] = pairs
    return drawn


def count_units(rng: np.random.Generator, planted: list[tuple[int, ...]], lines: int) -> np.ndarray:
    """Times that each unit is planted: Zipf-like from lines / 25 down to RARE, in random order.

    A link inside a hyperlexeme is planted by itself at least as often as within it.
    """
    ranks = np.arange(1, len(planted) + 1)
    counts = rng.permutation(np.maximum(RARE, lines / 25 * ranks**-UNIT_ZIPF).astype(np.int64))
    for holder, unit in enumerate(planted):
        for inside in find_held(unit, planted):
            counts[inside] = max(counts[inside], counts[holder])
    return counts


def find_held(unit: tuple[int, ...], planted: list[tuple[int, ...]]) -> list[int]:
    """Which planted units stand, as neighbours in order, inside a longer one."""
    runs = {unit[a:b] for a in range(len(unit)) for b in range(a + 2, len(unit) + 1)} - {unit}
    return [index for index, other in enumerate(planted) if other in runs]


def draw_background(
    rng: np.random.Generator, line_of: np.ndarray, topic_of: np.ndarray
) -> np.ndarray:
    """One word for each position: a function word, a word of the line's topic, or any word."""
    places = len(line_of)
    topics = FUNCTION_WORDS + rng.integers(CONTENT_WORDS, size=(TOPICS, TOPIC_WORDS))
    column = rng.choice(TOPIC_WORDS, places, p=weigh_by_rank(TOPIC_WORDS, 0.7))
    anyword = rng.choice(CONTENT_WORDS, places, p=weigh_by_rank(CONTENT_WORDS, 0.9))
    function = rng.choice(FUNCTION_WORDS, places, p=weigh_by_rank(FUNCTION_WORDS, 1.0))
    kind = rng.random(places)
    words = np.where(
        kind < FUNCTION_SHARE,
        function,
        np.where(
            kind < FUNCTION_SHARE + TOPIC_SHARE,
            topics[topic_of[line_of], column],
            FUNCTION_WORDS + anyword,
        ),
    )
    # "of the": odd function words are prepositions, the words 0 and 2 articles
    after = np.flatnonzero((words[:-1] < FUNCTION_WORDS) & (words[:-1] % 2 == 1)) + 1
    after = after[rng.random(len(after)) < GRAMMAR]
    words[after] = rng.choice([0, 2], len(after), p=[0.7, 0.3])
    return words


def place_units(
    rng: np.random.Generator, counts: np.ndarray, topic_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Unit and line of each planting; every second rarer unit keeps to the lines of one topic."""
    unit = np.repeat(np.arange(len(counts)), counts)
    line = rng.integers(len(topic_of), size=len(unit))
    by_topic = np.argsort(topic_of, kind="stable")
    sizes = np.bincount(topic_of, minlength=TOPICS)
    starts = np.cumsum(sizes) - sizes
    topic = rng.integers(TOPICS, size=len(counts))[unit]
    inside = by_topic[starts[topic] + (rng.random(len(unit)) * sizes[topic]).astype(np.int64)]
    bound = (unit % 2 == 1) & (5 * counts[unit] <= sizes[topic])
    return unit, np.where(bound, inside, line)


def interleave(
    words: np.ndarray,
    line_of: np.ndarray,
    unit: np.ndarray,
    unit_line: np.ndarray,
    place: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Items of all lines in order: words as they are, unit u as -1 - u at a gap; their lines."""
    items = np.concatenate([words, -1 - unit])
    lines = np.concatenate([line_of, unit_line])
    order = np.lexsort((np.concatenate([np.arange(len(words)), place]), lines))
    return items[order], lines[order]


def spell_lines(items: np.ndarray, lines: np.ndarray, total: int, texts: np.ndarray) -> list[str]:
    """Lines as text; `texts` holds the words, and from the end backwards the units."""
    ends = np.cumsum(np.bincount(lines, minlength=total))
    spelled = texts[items].tolist()
    starts = [0, *ends[:-1].tolist()]
    return [" ".join(spelled[a:b]) for a, b in zip(starts, ends.tolist(), strict=True)]


def plant_language(*, lines: int = 20_000, units: int = 350, seed: int = 0) -> PlantedLanguage:
    """A language with planted units and the key to it."""
    rng = np.random.default_rng(seed)
    words = make_words(rng)
    planted = draw_units(rng, units)
    counts = count_units(rng, planted, lines)
    topic_of = rng.integers(TOPICS, size=lines)
    line_of = np.repeat(np.arange(lines), rng.integers(6, 19, size=lines))
    background = draw_background(rng, line_of, topic_of)
    unit, unit_line = place_units(rng, counts, topic_of)
    starts = np.searchsorted(line_of, unit_line)
    sizes = np.bincount(line_of, minlength=lines)[unit_line]
    place = starts + rng.integers(0, sizes + 1) - 0.5
    unit_texts = np.array([" ".join(words[list(unit)]) for unit in planted], dtype=object)
    items, of_line = interleave(background, line_of, unit, unit_line, place)
    key = pl.DataFrame(
        {
            "unit": unit_texts.tolist(),
            "kind": ["link" if len(unit) < 4 else "hyperlexeme" for unit in planted],
            "length": [len(unit) for unit in planted],
            "count": counts,
        }
    )
    texts = np.concatenate([words, unit_texts[::-1]])
    return PlantedLanguage(spell_lines(items, of_line, lines, texts), key.sort("unit"))


def score_ranking(ranked: pl.DataFrame, key: pl.DataFrame) -> PlantedScore:
    """Score `token, kind`, best first, against a key."""
    found = ranked.join(key, left_on="token", right_on="unit", how="inner", validate="1:1")
    right = int((found["kind"] == found["kind_right"]).sum()) / max(len(found), 1)
    precision = average_precision(ranked["token"].to_list(), set(key["unit"]), len(key))
    return PlantedScore(precision, right, len(found))


def mine_lines(lines: list[str], *options: str) -> pl.DataFrame:
    """`miner mine` with its defaults on lines: `token, kind` of the kept units, best first."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, run = Path(folder, "planted.txt"), Path(folder, "run")
        corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run_miner(corpus, run, *options)
        return pl.read_ndjson(run / "vocabulary.jsonl").sort("rank").select("token", "kind")


def count_shuffled(text: Path, *, seed: int) -> dict[str, object]:
    """How many units of several words a text has whose words stand in random order."""
    lines = shuffle_words(read_text(text), seed=seed).split("\n")
    found = mine_lines(lines, "--profile", "words")["token"].str.contains(" ").sum()
    return {"text": text.name, "seed": seed, "units of several words": int(found)}


def compare_peers(language: PlantedLanguage) -> dict[str, float]:
    """Average precision of the peers' scores over all runs of 2..7 words."""
    pool = build_pool("\n".join(language.lines), min_count=RARE, max_length=7)
    gold = set(language.key["unit"])
    return {
        name: average_precision(rank_pool(pool, name), gold, len(gold)) for name in PAIR_SCORERS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--peers-only", action="store_true")
    parser.add_argument("--shuffled", type=Path, nargs="+", default=[], metavar="TEXT")
    options = parser.parse_args()
    if options.shuffled:
        texts = ((text, seed) for text in options.shuffled for seed in options.seeds)
        print_table([count_shuffled(text, seed=seed) for text, seed in texts])
        return
    rows: list[dict[str, object]] = []
    for seed in options.seeds:
        language = plant_language(lines=options.lines, seed=seed)
        row: dict[str, object] = {"seed": seed, "units": len(language.key)}
        if not options.peers_only:
            score = score_ranking(mine_lines(language.lines), language.key)
            row |= {"miner": score.average_precision, "kinds right": score.kind_accuracy}
            row |= {"found": score.found}
        rows.append(row | compare_peers(language))
    print_table(rows)


if __name__ == "__main__":
    main()
