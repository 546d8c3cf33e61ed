"""Texts and gold lists to examples: which runs of which text are in which list?

A corpus is a text that is cut and counted as `miner mine` does it, with the features of all its
runs. What may be learned from it is told by the lists of its language; a run of words that no
list has is an example of what is no unit, though many are: no list is complete.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.gold import join_words, read_gold, read_text
from miner.corpus import find_sources, read_chunks
from miner.mining.candidates import count_candidates
from miner.mining.features import survey, take_sample
from miner.mining.ranker import rank_among
from miner.mining.spelling import spell_runs
from miner.text.pretokens import cut_chunks
from miner.text.profiles import PROFILES

WHOLE, SLICE = 5, 2  # how often a run must occur in a whole text, and in a slice of it
SLICES = (5, 30, 55, 80)  # per cent of a textbook where a slice starts
SLICE_SIZE = 330_000  # characters
LONGEST = 5  # words of a unit in a list
TERMS = ("terms",)
LEXICON = ("wordnet", "wiktionary", "lexicon_forms")
TEXTBOOKS = ("en_textbooks", "es_textbooks", "pl_textbooks")
PROSE = (
    "cs_novels", "de_novels", "es_novels", "fi_bible", "fr_novels", "it_novels", "pl_novels",
    "pt_novels", "ru_prose",
)  # fmt: skip
NOVELS = 8_000_000  # characters of the English novels
SYNTHETIC = tuple((lines, seed) for lines in (500, 2_000, 5_000, 20_000) for seed in (1, 2, 3))
INVENTED = 60
SCRIPTS = {1: "cyrillic", 2: "latin", 3: "greek"}
SHUFFLED = (("es_textbooks", 3), ("fr_novels", 3), ("pl_novels", 3), ("ru_prose", 3))
SHUFFLED_SIZE = 3_000_000  # characters


JUDGED, SYNTH, SHUFFLE = "judged", "synth", "shuffled"  # what names of corpora start with


@dataclass(frozen=True)
class Corpus:
    """A text as the ranker sees it, a row for each run of words; runs of other atoms are left out.

    `features` float32 (runs, NAMES); `words` int8 (runs,): how many words; `lists`: bool (runs,)
    by the kind of the list; `listed`: by kind, the units of 2 words and of 2 to 5 in the text.
    """

    name: str
    features: np.ndarray
    tokens: np.ndarray
    words: np.ndarray
    lists: dict[str, np.ndarray]
    listed: dict[str, tuple[int, int]]

    @property
    def language(self) -> str:
        """The language, `made` of what nobody speaks."""
        first, *rest = self.name.split("_")
        return rest[0] if first == JUDGED else "made" if first in (SYNTH, SHUFFLE) else first

    @property
    def kind(self) -> str:
        """What it is there for: `judged`, `synth`, `shuffled`, or `learned`."""
        first = self.name.split("_")[0]
        return first if first in (JUDGED, SYNTH, SHUFFLE) else "learned"

    @cached_property
    def ranks(self) -> np.ndarray:
        """The ranks of all features, float32 (runs, NAMES)."""
        return rank_among(self.features, np.sort(take_sample(self.features), axis=0))

    def find(self, kinds: tuple[str, ...]) -> np.ndarray:
        """Say which runs are in one of some lists: bool (runs,)."""
        found = np.zeros(len(self.tokens), bool)
        for kind in kinds:
            found |= self.lists.get(kind, False)
        return found


def measure(
    name: str, text: str, gold: dict[str, set[str]], *, min_count: int, longest: int = LONGEST
) -> Corpus:
    """Cut, count and measure a text, and mark its runs by the lists."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "text.txt")
        place.write_text(text, encoding="utf-8")
        chunks = read_chunks(find_sources([str(place)]))
        atoms = cut_chunks(chunks, Path(folder), profile=PROFILES["words"], patterns={})
        counts = atoms.table["count"].to_numpy()
        candidates = count_candidates(atoms.mined, counts, min_count=min_count)
        surveyed = survey(candidates, atoms)
        spelled = spell_runs(candidates.keys[surveyed.rows], atoms.table["text"])
        words = np.append(False, atoms.table["kind"].is_in(["word", "number"]).to_numpy())
        plain = (words[surveyed.keys] | (surveyed.keys == 0)).all(axis=1)
    tokens = pl.Series("token", [join_words(token) for token in spelled.to_list()])
    length = tokens.str.count_matches(" ").to_numpy() + 1
    rows = np.flatnonzero(
        plain & (length >= 2) & (length <= longest) & tokens.is_first_distinct().to_numpy()
    )
    tokens, length = tokens.gather(rows), length[rows].astype(np.int8)
    lists = {kind: tokens.is_in(list(units)).to_numpy() for kind, units in gold.items()}
    listed = {
        kind: (int(found[length == 2].sum()), int(found.sum())) for kind, found in lists.items()
    }
    return Corpus(name, surveyed.gather(rows), tokens.to_numpy(), length, lists, listed)


def read_lists(shared: Path, language: str) -> dict[str, set[str]]:
    """Return the lists of a language by kind."""
    folder = shared / "gold/multilingual"
    found = {
        kind: read_gold(place)
        for kind in (*TERMS, *LEXICON)
        if (place := folder / f"{language}_{kind}.txt.gz").exists()
    }
    if language == "en":
        found["wordnet"] = read_gold(shared / "gold/oewn_multiword.txt.gz")
    return found


def list_corpora(shared: Path) -> Iterator[Corpus]:
    """Yield what the ranker learns from: textbooks whole and in slices, novels, made-up text."""
    folder = shared / "gold/multilingual"
    for name in TEXTBOOKS:
        text = read_text(folder / f"{name}.txt.gz")
        lists = read_lists(shared, name[:2])
        yield measure(name, text, lists, min_count=WHOLE)
        for start, part in cut_slices(text):
            yield measure(f"{name[:2]}_slice{start}", part, lists, min_count=SLICE)
    for name in PROSE:
        text = read_text(folder / f"{name}.txt.gz")
        lists = read_lists(shared, name[:2])
        lists.pop("terms", None)
        yield measure(name, text, lists, min_count=WHOLE)
    novels = read_text(shared / "corpora/en_novels.txt.gz")[:NOVELS]
    lists = {kind: units for kind, units in read_lists(shared, "en").items() if kind != "terms"}
    yield measure("en_novels", novels, lists, min_count=WHOLE)


def list_judged(shared: Path) -> Iterator[Corpus]:
    """Yield texts that nothing learns from: three English textbooks, whole and in slices.

    One of the books does not say clearly that it is open, so that it may judge and not teach.
    """
    text = read_text(shared / "gold/openstax_ccby.txt.gz")
    lists = read_lists(shared, "en") | {"terms": read_gold(shared / "gold/openstax_ccby_terms.txt")}
    yield measure(f"{JUDGED}_en_openstax", text, lists, min_count=WHOLE)
    for start, part in cut_slices(text):
        yield measure(f"{JUDGED}_en_openstax{start}", part, lists, min_count=SLICE)


def cut_slices(text: str) -> Iterator[tuple[int, str]]:
    """Yield the start of each slice, in per cent, and its text, from the start of a line on."""
    for start in SLICES:
        at = text.find("\n", len(text) * start // 100) + 1
        yield start, text[at : at + SLICE_SIZE]


def list_made(shared: Path) -> Iterator[Corpus]:
    """Yield texts whose units are known: made-up languages, and shuffled text with none."""
    for lines, seed in SYNTHETIC:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "made")
            options = ["--lines", lines, "--seed", seed, "--script", SCRIPTS[seed], "--out", out]
            command = [sys.executable, "-m", "miner", "synth", *map(str, options)]
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603
            key = pl.read_ndjson(out / "key.jsonl").filter(
                pl.col("kind").is_in(["link", "hyperlexeme"])
            )
            units = {join_words(token) for token in key["token"]}
            text = (out / "corpus.txt").read_text(encoding="utf-8")
            yield measure(
                f"{SYNTH}_{lines}_{seed}", text, {"planted": units}, min_count=3, longest=8
            )
    for seed in range(INVENTED):
        text, units = invent(seed)
        yield measure(f"{SYNTH}_invented_{seed}", text, {"planted": units}, min_count=3, longest=8)
    for name, least in SHUFFLED:
        text = read_text(shared / f"gold/multilingual/{name}.txt.gz")[:SHUFFLED_SIZE]
        made = shuffle_words(text, seed=0)
        yield measure(f"{SHUFFLE}_{name}", made, {"planted": set()}, min_count=least)


def invent(seed: int) -> tuple[str, set[str]]:
    """Return a text in a language of chance with planted units, and these.

    All that languages and corpora differ by is drawn: from 30 words to 10,000, flat or as Zipf has
    it, from 200 lines to 20,000, from 2 units to 500 of two to seven words, from one place in 1,000
    to one in three that holds one; units of words of their own, of rare or of frequent ones.
    """
    random = np.random.default_rng(seed)

    def between(low: float, high: float) -> int:
        return int(10 ** random.uniform(np.log10(low), np.log10(high)))

    size, lines, units = between(30, 10_000), between(200, 20_000), between(2, 500)
    letters = "abcdefghijklmnopqrstuvwxyz"
    spelled: dict[str, None] = {}
    while len(spelled) < 2 * size:
        length = 1 + random.poisson(1 + np.log10(1 + len(spelled)))
        spelled["".join(random.choice(list(letters), length + 1))] = None
    words = np.array(list(spelled), dtype=object)
    common, own = words[:size], words[size:]
    weights = np.arange(1, size + 1) ** -random.uniform(0.2, 1.3)
    weights /= weights.sum()
    rate, stops = 10 ** random.uniform(-3, -0.5), random.uniform(0, 0.2)
    flat, alone = random.random() < 0.5, random.random()
    planted = []
    for _ in range(units):
        chosen = common if random.random() > alone * 0.5 else own
        odds = None if flat or chosen is own else weights
        count = min(2 + random.geometric(0.5) - 1, 7)
        planted.append(" ".join(random.choice(chosen, count, p=odds)))
    unit_weights = np.arange(1, units + 1) ** -random.uniform(0, 1.2)
    unit_weights /= unit_weights.sum()
    pieces = 4 + random.poisson(random.uniform(2, 20), lines)
    total = int(pieces.sum())
    said = random.choice(common, total, p=weights)
    places = np.flatnonzero(random.random(total) < rate)
    said[places] = random.choice(np.array(planted, dtype=object), len(places), p=unit_weights)
    marks = random.random(total) < stops
    said[marks] = said[marks] + ","
    ends = np.cumsum(pieces)
    text = "\n".join(" ".join(part) + "." for part in np.split(said, ends[:-1]))
    return text, {unit for unit in planted if len(set(unit.split())) > 1}


def shuffle_words(text: str, *, seed: int) -> str:
    """Return a text with its words, as they stand between white space, in random order."""
    lines = text.split("\n")
    words = np.array(text.split(), dtype=object)
    np.random.default_rng(seed).shuffle(words)
    ends = np.cumsum([len(line.split()) for line in lines])
    return "\n".join(" ".join(part) for part in np.split(words, ends[:-1]))


def save(corpus: Corpus, folder: Path) -> None:
    """Write a corpus as one file of arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    lists = {f"list.{kind}": found for kind, found in corpus.lists.items()}
    listed = {f"listed.{kind}": np.array(sizes) for kind, sizes in corpus.listed.items()}
    arrays = {name: getattr(corpus, name) for name in ("features", "words")}
    tokens = np.frombuffer(gzip.compress("\n".join(corpus.tokens).encode(), mtime=0), np.uint8)
    np.savez(folder / f"{corpus.name}.npz", tokens=tokens, **arrays, **lists, **listed)


def load(place: Path) -> Corpus:
    """Return a corpus that `save` wrote."""
    with np.load(place, allow_pickle=False) as file:
        arrays = dict(file)
    tokens = gzip.decompress(arrays["tokens"].tobytes()).decode().split("\n")
    lists = {name[5:]: found for name, found in arrays.items() if name.startswith("list.")}
    listed = {
        name[7:]: (int(sizes[0]), int(sizes[1]))
        for name, sizes in arrays.items()
        if name.startswith("listed.")
    }
    return Corpus(place.stem, arrays["features"], np.array(tokens), arrays["words"], lists, listed)
