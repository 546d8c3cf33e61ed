"""Candidates to features: what can be said of a run without knowing its words?

Shares, ratios and logarithms of counts, of the run itself and of the words in it: nothing here
depends on a language, and hardly anything on the size of the corpus. Ranks say where a run
stands among all of its corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.mining.candidates import BLOCK, PARTS, Candidates
from miner.mining.scores import log_likelihood, nestedness, normalized_information
from miner.text.pretokens import Atoms

PLACE = (
    "starts", "ends", "cap", "burst_lines", "burst_blocks", "burst_parts", "spread", "again",
    "left_types", "right_types",
)  # fmt: skip
WORD = (*PLACE, "rate", "letters", "digit")
RUN = (
    *PLACE, "alone", "line", "rate", "length", "of_larger", "of_smaller", "npmi", "likelihood",
    "surprise", "excess", "left_entropy", "right_entropy", "nested", "hyphen", "glued",
    "vary_first", "vary_last", "end_lift", "start_lift", "cap_lift", "burst_lift",
)  # fmt: skip
EDGES = ("first", "last", "most", "least")
NAMES = (*RUN, *(f"{edge}_{name}" for edge in EDGES for name in WORD))
SAMPLE = 1 << 14  # runs from which ranks are told
CHUNK = 1 << 16  # runs whose features are held at a time


@dataclass(frozen=True)
class Survey:
    """What the features of all runs are read from.

    `table`, a row each: the columns of `RUN` that need no word, float32 (runs, run columns).
    `words` float32 (atoms + 1, word columns); `keys` of the runs as atoms, int64 (runs, longest).
    `rows` int64 (runs,): which candidates they are; `wordy` bool (runs,): all words and numbers;
    `wordless`: none.
    """

    rows: np.ndarray
    table: np.ndarray
    words: np.ndarray
    keys: np.ndarray
    wordy: np.ndarray
    wordless: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """How many atoms each run has, int64 (runs,)."""
        return (self.keys > 0).sum(axis=1)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the features of some runs, float32 (rows, NAMES)."""
        keys = self.keys[rows]
        lengths = (keys > 0).sum(axis=1)
        last = keys[np.arange(len(rows)), lengths - 1]
        most, least = self.words[keys[:, 0]], self.words[keys[:, 0]]
        for place in range(1, keys.shape[1]):
            here = np.flatnonzero(keys[:, place])
            word = self.words[keys[here, place]]
            most[here] = np.maximum(most[here], word)
            least[here] = np.minimum(least[here], word)
        ours = self.table[rows].copy()
        at = {name: place for place, name in enumerate(RUN)}
        word_at = {name: place for place, name in enumerate(WORD)}
        first, final = self.words[keys[:, 0]], self.words[last]
        ours[:, at["end_lift"]] = ours[:, at["ends"]] - final[:, word_at["ends"]]
        ours[:, at["start_lift"]] = ours[:, at["starts"]] - first[:, word_at["starts"]]
        ours[:, at["cap_lift"]] = ours[:, at["cap"]] - least[:, word_at["cap"]]
        ours[:, at["burst_lift"]] = ours[:, at["burst_blocks"]] - most[:, word_at["burst_blocks"]]
        return np.concatenate([ours, first, final, most, least], axis=1)

    def sample(self) -> np.ndarray:
        """Return the features of some runs, evenly spaced, float32 (runs, NAMES)."""
        return self.gather(take_sample(np.arange(len(self.table))))

    def walk(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the runs, some at a time, and their features."""
        for low in range(0, len(self.table), CHUNK):
            rows = np.arange(low, min(low + CHUNK, len(self.table)))
            yield rows, self.gather(rows)


def take_sample(rows: np.ndarray) -> np.ndarray:
    """Return at most `SAMPLE` of some rows, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // SAMPLE))]


def survey(candidates: Candidates, atoms: Atoms) -> Survey:
    """Return what is known of every run of two atoms and more, in the order of candidates."""
    table = candidates.table
    rows = np.flatnonzero(candidates.parent >= 0)
    counts = table["count"].to_numpy().astype(np.float64)
    total = float(atoms.table["count"].sum())
    keys = (candidates.keys >> 1).astype(np.int64)
    places = _measure_places(table, atoms)
    words = _measure_words(candidates, atoms, places, total)
    rate = np.zeros(len(words))
    single = np.flatnonzero(candidates.parent < 0)
    rate[keys[single, 0]] = np.log(counts[single] / total)
    here = counts[rows]
    lengths = table["length"].to_numpy()[rows].astype(np.float64)
    chance = np.zeros(len(rows))
    for place in range(keys.shape[1]):
        chance += np.where(keys[rows, place] > 0, rate[keys[rows, place]], 0.0)
    left, right = counts[candidates.parent[rows]], counts[candidates.suffix[rows]]
    expected = np.exp(chance) * total
    first, final = keys[rows, 0], keys[rows, table["length"].to_numpy()[rows].astype(int) - 1]
    size = len(words)
    log_runs = float(np.log(max(len(rows), 3)))
    pairs = here, left, right
    columns = {name: values[rows] for name, values in places.items()}
    columns |= {
        "alone": table["whole"].to_numpy()[rows] / here,
        "line": table["lines"].to_numpy()[rows] / here,
        "rate": np.log(here / total),
        "length": lengths,
        "of_larger": here / np.maximum(left, right),
        "of_smaller": here / np.minimum(left, right),
        "npmi": normalized_information(*pairs, total=total),
        "likelihood": _squash(log_likelihood(*pairs, total=total)),
        "surprise": np.log(here / total) - chance,
        "excess": np.log1p(np.maximum(0, here - expected) ** 2 / here),
        "left_entropy": table["left_entropy"].to_numpy()[rows],
        "right_entropy": table["right_entropy"].to_numpy()[rows],
        "nested": nestedness(candidates)[rows],
        "hyphen": _count_written(candidates, atoms, rows, "-") / here,
        "glued": _count_written(candidates, atoms, rows, "") / here,
        "vary_first": np.log(np.bincount(final, minlength=size)[final]) / log_runs,
        "vary_last": np.log(np.bincount(first, minlength=size)[first]) / log_runs,
    }
    empty = np.zeros(len(rows))
    wide = np.stack([columns.get(name, empty) for name in RUN], axis=1).astype(np.float32)
    names = np.append(False, atoms.table["kind"].is_in(["word", "number"]).to_numpy())
    found, blank = names[keys[rows]], keys[rows] == 0
    wordy, wordless = (found | blank).all(axis=1), np.logical_not(found.any(axis=1))
    return Survey(rows, wide, words, keys[rows], wordy, wordless)


def _squash(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values))


def _burst(counts: np.ndarray, found: np.ndarray, blocks: int) -> np.ndarray:
    """Return residual idf in bits (Church & Gale 1995).

    How much rarer the blocks that hold the run are than if its places fell at random.
    """
    expected = -blocks * np.expm1(-counts / blocks)
    return np.log2(np.maximum(expected, 1e-9) / np.maximum(found, 1))


def _measure_places(table: pl.DataFrame, atoms: Atoms) -> dict[str, np.ndarray]:
    """Return where each run stands and how it is written, in `PLACE`: float64 (candidates,)."""
    column = {name: table[name].to_numpy().astype(np.float64) for name in table.columns}
    counts = column["count"]
    blocks = (len(atoms.mined.ids) >> BLOCK) + 1
    log_counts = np.log(np.maximum(counts, 2))
    return {
        "starts": column["left_stops"] / counts,
        "ends": column["right_stops"] / counts,
        "cap": column["capitals"] / np.maximum(column["middle"], 1),
        "burst_lines": _burst(counts, column["documents"], len(atoms.mined.documents) - 1),
        "burst_blocks": _burst(counts, column["blocks"], blocks),
        "burst_parts": _burst(counts, column["parts"], PARTS),
        "spread": column["parts"] / np.minimum(counts, PARTS),
        "again": column["again"] / np.maximum(counts - 1, 1),
        "left_types": np.log1p(column["left_kinds"]) / log_counts,
        "right_types": np.log1p(column["right_kinds"]) / log_counts,
    }


def _measure_words(
    candidates: Candidates, atoms: Atoms, places: dict[str, np.ndarray], total: float
) -> np.ndarray:
    """Return what is known of each atom, in `WORD`: float32 (atoms + 1, columns)."""
    single = np.flatnonzero(candidates.parent < 0)
    numbers = (candidates.keys[single, 0] >> 1).astype(np.int64)
    letters = atoms.table["text"].str.len_chars().to_numpy().astype(np.float64)
    frequent = atoms.table["count"].to_numpy().astype(np.float64)
    average = float((letters * frequent).sum() / max(total, 1))
    digits = atoms.table["text"].str.contains(r"\d").to_numpy()
    words = np.zeros((atoms.table.height + 1, len(WORD)), np.float32)
    for place, name in enumerate(PLACE):
        words[numbers, place] = places[name][single]
    counts = candidates.table["count"].to_numpy()[single]
    words[numbers, WORD.index("rate")] = np.log(counts / total)
    words[1:, WORD.index("letters")] = np.log(np.maximum(letters, 1) / average)
    words[1:, WORD.index("digit")] = digits
    return words


def _count_written(candidates: Candidates, atoms: Atoms, rows: np.ndarray, mark: str) -> np.ndarray:
    """Return how often the words of each run are written as one, joined by `mark`: (rows,)."""
    text = atoms.table["text"]
    texts = pl.concat([pl.Series("text", [None], pl.String), text])
    keys = candidates.keys[rows] >> 1
    lengths = (keys > 0).sum(axis=1)
    found = np.zeros(len(rows))
    table = atoms.table.select("text", joined="count")
    for length in range(2, int(lengths.max(initial=0)) + 1):
        here = np.flatnonzero(lengths == length)
        parts = [texts.gather(keys[here, place]).alias(str(place)) for place in range(length)]
        spelled = pl.DataFrame(parts).select(text=pl.concat_str(pl.all(), separator=mark))
        joined = spelled.join(table, on="text", how="left", maintain_order="left")["joined"]
        found[here] = joined.fill_null(0).to_numpy()
    return found
