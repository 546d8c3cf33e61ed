"""A corpus to its figures: what is it, what is it enough for, and how would it be mined?"""

from __future__ import annotations

import math
import shlex
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from miner.corpus import find_sources, is_bytes
from miner.corpus.streams import pack
from miner.errors import CorpusError
from miner.inspection import kernel
from miner.inspection.classes import (
    CLASSES,
    LOST,
    Told,
    Verdict,
    judge_bytes,
    judge_class,
    list_signals,
    measure_characters,
    measure_words,
    tell_profile,
)
from miner.inspection.encodings import Encoding, guess_encoding
from miner.inspection.raw import tell_bytes
from miner.inspection.reading import HEAD, LOOKS_BINARY, PIECE, Reading, Tally, read_corpus
from miner.inspection.scripts import LETTERS_PER_WORD, guess_languages, name_script, share_scripts
from miner.progress import SILENT, Progress
from miner.text.profiles import PROFILES, detect_profile
from miner.text.unicode import CODE_POINTS
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer

PAGE_WORDS = (500, 600)  # of an A4 page
STEPS = (("prototype", 100, 500), ("LoRA", 10_000, 100_000), ("full corpus", 1_000_000, 10_000_000))
FULL_BYTES = (1_000_000_000, 3_000_000_000)
BYTES_PER_LINE = 100  # what stands for a line where there are none
LARGE = 1_000_000_000  # from here on `miner mine` is told how much memory to use
TOKEN_PIECES = 64  # of a sample on which tokens are counted: 1 MB


@dataclass(frozen=True)
class InspectConfig:
    """What is inspected, and how it is read."""

    paths: tuple[str, ...]
    text_column: str | None = None
    tokenizer: Path | None = None
    profile: str = "auto"
    on_error: str = "stop"


def inspect_corpus(config: InspectConfig, *, progress: Progress = SILENT) -> dict[str, Any]:
    """Return all figures of a corpus as data for JSON.

    CorpusError where a file is not there or, unless errors are skipped, cannot be read.
    """
    if config.profile not in ("auto", *PROFILES):
        raise ValueError(f"profile must be auto or one of {', '.join(PROFILES)}")
    tokenizer = load_tokenizer(config.tokenizer) if config.tokenizer else None
    sources = find_sources(config.paths, as_bytes=config.profile == "bytes")
    with progress.task("reading", sum(source.bytes for source in sources), "B") as advance:
        reading = read_corpus(
            sources, text_column=config.text_column, on_error=config.on_error, advance=advance
        )
    if not reading.texts.size and reading.skipped:
        entry = reading.skipped[0]
        raise CorpusError(entry.problem, where=entry.path, cure="There is nothing to inspect")
    measured = _tell_binary(reading) if reading.is_binary else _tell_text(reading, tokenizer)
    record = {"paths": list(config.paths), **_tell_files(reading), **measured}
    record["profile"]["chosen_by"] = "corpus" if config.profile == "auto" else "user"
    if config.profile != "auto":
        record["profile"]["name"] = config.profile
    record["sizing"] = tell_sizing(record["size"], is_binary=reading.is_binary)
    record["skipped"] = [asdict(entry) for entry in reading.skipped]
    record["skipped_in_all"] = reading.skipped.total
    record["next"] = write_next(config, record)
    return record


def _tell_files(reading: Reading) -> dict[str, Any]:
    """Return the files and how many there are of each form."""
    names = [
        source.form + (f".{source.compression}" if source.compression else "")
        for source in reading.sources
    ]
    files = [
        {"path": source.path, "form": name, "bytes": source.bytes}
        for source, name in zip(reading.sources, names, strict=True)
    ]
    return {"files": files, "forms": dict(Counter(names).most_common())}


# Text


def _tell_text(reading: Reading, tokenizer: LoadedTokenizer | None) -> dict[str, Any]:
    sample, head, points = reading.sample.text(), reading.head, reading.texts.points
    tally = reading.files or reading.texts
    strange = tally.strange() / max(tally.size, 1)
    encoding = guess_encoding(head) if strange >= LOOKS_BINARY else None
    text = sample.decode("utf-8", "ignore")
    if encoding is not None:  # what follows tells of the text that it would be
        text, head = encoding.decode(sample), encoding.decode(head).encode()
        points = np.bincount(
            np.frombuffer(text.encode("utf-32-le"), np.uint32), minlength=CODE_POINTS
        )
    scripts = share_scripts(points)
    characters = measure_characters(points)
    words = measure_words(text)
    tongues = guess_languages(text)
    profile = tell_profile(head)
    if strange >= LOOKS_BINARY and encoding is None:
        why = f"{strange:.0%} of the bytes are no UTF-8 or control characters"
        if len(reading.sources) > 1:
            why += f", in {len(reading.strange)} of {len(reading.sources)} files"
        verdict = judge_bytes(why, "likely")
    else:
        verdict = judge_class(list_signals(characters, words, tongues, profile))
    return {
        "size": _tell_size(reading, scripts),
        "tokens": _count_tokens(reading, tokenizer) if tokenizer else None,
        "class": _record_class(verdict),
        "profile": {**asdict(profile), "by_sample": _tell_elsewhere(reading, profile, encoding)},
        "characters": characters,
        "words": words,
        "scripts": scripts,
        "languages": [asdict(tongue) for tongue in tongues],
        "duplicates": _tell_repeats(reading),
        "lengths": tell_lengths(reading.texts),
        "encoding": {**_tell_encoding(reading), "guess": encoding and asdict(encoding)},
        "repetition": _tell_repetition(sample),
        "sample": {"bytes": len(sample), "whole": reading.sample.is_whole},
        "binary": None,
    }


def _tell_elsewhere(reading: Reading, told: Told, encoding: Encoding | None) -> str:
    """Return the profile that fits pieces of the whole corpus; `mine` looks at the beginning."""
    if encoding is not None or reading.texts.size <= HEAD:
        return told.name
    runs = reading.sample.runs()
    if reading.sample.is_whole:
        runs = [runs[0][i : i + PIECE] for i in range(0, len(runs[0]), PIECE)]
    return detect_profile(b"\n".join(runs[:: 1 + len(runs) * PIECE // HEAD])).name


def _record_class(verdict: Verdict) -> dict[str, Any]:
    also = [{"number": number, "name": CLASSES[number]} for number in verdict.also]
    return {**asdict(verdict), "also": also, "signals": [asdict(s) for s in verdict.signals]}


def _tell_size(reading: Reading, scripts: dict[str, float]) -> dict[str, Any]:
    tally = reading.texts
    points = tally.points
    words = tally.count(kernel.WORDS)
    read = _estimate_words(words, scripts, points)
    return {
        "disk_bytes": sum(source.bytes for source in reading.sources),
        "text_bytes": tally.size,
        "documents": tally.count(kernel.DOCUMENTS),
        "empty_documents": tally.count(kernel.EMPTY),
        "lines": tally.count(kernel.LINES),
        "words": words,
        "characters": int(points.sum()) + tally.count(kernel.BAD),
        "words_for_pages": read,
        "pages": [read / most for most in reversed(PAGE_WORDS)],
    }


def _estimate_words(words: int, scripts: dict[str, float], points: np.ndarray) -> int:
    """Return the words, or what signs of scripts without spaces come to, if that is more."""
    unspaced = {name: share for name, share in scripts.items() if name in LETTERS_PER_WORD}
    if sum(unspaced.values()) < 0.1:
        return words
    met = np.flatnonzero(points).tolist()
    letters = int(sum(points[point] for point in met if name_script(point)))
    return max(
        words,
        round(sum(letters * share / LETTERS_PER_WORD[name] for name, share in unspaced.items())),
    )


def _tell_repeats(reading: Reading) -> dict[str, Any]:
    """Return how many documents are there again, byte for byte; empty ones do not count."""
    documents, size, again, bytes_again = reading.repeats.totals()
    filled = reading.texts.count(kernel.DOCUMENTS) - reading.texts.count(kernel.EMPTY)
    share = again / documents if documents else 0.0
    sampled = reading.repeats.level > 0
    return {
        "documents": round(share * filled),
        "share_of_documents": share,
        "share_of_bytes": bytes_again / size if size else 0.0,
        "distinct": filled - round(share * filled),
        "sampled": sampled,
        "looked_at": documents,
    }


def tell_lengths(tally: Tally) -> dict[str, Any]:
    """Return how long documents are in characters: quantiles, mean, bins and the longest."""
    lengths = tally.lengths
    total = int(lengths.sum())
    starts = np.array([bin_start(number) for number in range(len(lengths))])
    reached = np.cumsum(lengths)
    last = tally.count(kernel.LONGEST)
    quantiles = {
        name: min(bin_start(int(np.searchsorted(reached, share * total)) + 1) - 1, last)
        for name, share in (("median", 0.5), ("p90", 0.9), ("p99", 0.99))
    }
    return {
        "mean": tally.count(kernel.INSIDE) / total if total else 0.0,
        **(quantiles if total else dict.fromkeys(quantiles, 0)),
        "longest": {
            "characters": last,
            "bytes": tally.count(kernel.LONGEST_BYTES),
            "path": tally.where,
            "document": tally.count(kernel.LONGEST_NUMBER),
        },
        "bins": _fold_lengths(lengths, starts),
    }


def bin_start(number: int) -> int:
    """Return the shortest length of a bin.

    >>> bin_start(7), bin_start(kernel.EXACT_LENGTHS), bin_start(kernel.EXACT_LENGTHS + 1)
    (7, 1024, 1088)
    """
    if number < kernel.EXACT_LENGTHS:
        return number
    power, rest = divmod(number - kernel.EXACT_LENGTHS, 16)
    return (16 + rest) << (power + 6)


def _fold_lengths(lengths: np.ndarray, starts: np.ndarray) -> list[dict[str, int]]:
    """Return documents by powers of two of their length: 0, 1, 2-3, 4-7, ..."""
    powers = np.array([int(start).bit_length() for start in starts.tolist()])
    counts = np.bincount(powers, weights=lengths).astype(np.int64).tolist()
    last = max((power for power, count in enumerate(counts) if count), default=-1)
    return [
        {"from": (1 << power) >> 1, "to": (1 << power) - 1, "documents": counts[power]}
        for power in range(last + 1)
    ]


def _tell_encoding(reading: Reading) -> dict[str, Any]:
    """Return what is wrong or unusual in the bytes of the files."""
    tally = reading.files or reading.texts
    points, crlf = tally.points, tally.count(kernel.CRLF)
    odd = [*range(9), 11, 12, *range(14, 32), 127, *range(0x80, 0xA0)]
    unseen = [
        point
        for point in np.flatnonzero(points).tolist()
        if unicodedata.category(chr(point)) == "Cf" and point != 0xFEFF
    ]
    first = tally.first_bad
    return {
        "bad_bytes": tally.count(kernel.BAD),
        "first_bad": first and {"path": first[0], "line": first[1], "byte": first[2]},
        "lost_characters": int(points[LOST]),
        "byte_order_marks": reading.marks,
        "files_no_text": reading.strange,
        "line_ends": {"lf": int(points[10]) - crlf, "crlf": crlf, "cr": int(points[13]) - crlf},
        "controls": _list_points(points, odd),
        "invisible": _list_points(points, unseen),
    }


def _list_points(points: np.ndarray, wanted: Sequence[int]) -> list[dict[str, Any]]:
    """Return those of some code points that occur, most first."""
    found = sorted(((int(points[p]), p) for p in wanted if points[p]), reverse=True)
    return [
        {"code": f"U+{point:04X}", "name": unicodedata.name(chr(point), "control"), "count": count}
        for count, point in found
    ]


def _tell_repetition(sample: bytes) -> dict[str, Any]:
    packed = len(pack(sample)) if sample else 0
    return {"sample_bytes": len(sample), "ratio": len(sample) / packed if packed else 0.0}


def _count_tokens(reading: Reading, tokenizer: LoadedTokenizer) -> dict[str, Any]:
    """Return the tokens of the corpus; from a sample where it is long, with an interval of 95%.

    Each line is cut by itself, line breaks are no tokens. The interval is that of a ratio over
    pieces that are spread evenly.
    """
    runs = reading.sample.runs()
    whole = reading.sample.is_whole
    if not whole:
        runs = runs[:: max(1, len(runs) // TOKEN_PIECES)]
    tokens, sizes = [], []
    for run in runs:
        lines = [line.decode("utf-8", "replace") for line in run.split(b"\n") if line]
        tokens.append(sum(len(ids) for ids in tokenizer.encode(lines)))
        sizes.append(len(run))
    counted, size = sum(tokens), sum(sizes)
    rate = counted / size if size else 0.0
    spread = 0.0 if whole else _spread_ratio(np.array(tokens), np.array(sizes))
    total = reading.texts.size
    return {
        "tokenizer": str(tokenizer.path),
        "ids": tokenizer.size,
        "tokens": round(rate * total),
        "low": math.floor(max(rate - 1.96 * spread, 0) * total),
        "high": math.ceil((rate + 1.96 * spread) * total) if spread else round(rate * total),
        "bytes_per_token": size / counted if counted else 0.0,
        "tokens_per_word": rate * total / max(reading.texts.count(kernel.WORDS), 1),
        "sampled": not whole,
        "sample_bytes": size,
    }


def _spread_ratio(tokens: np.ndarray, sizes: np.ndarray) -> float:
    """Return the standard error of sum(tokens) / sum(sizes) over pieces."""
    pieces = len(sizes)
    if pieces < 2:
        return 0.0
    off = tokens - tokens.sum() / sizes.sum() * sizes
    return float(math.sqrt((off**2).sum() / (pieces - 1) / pieces) / sizes.mean())


# Bytes


def _tell_binary(reading: Reading) -> dict[str, Any]:
    forms = {source.form for source in reading.sources}
    named = "tensors" if "safetensors" in forms else "bytes"
    sample = reading.sample.text()
    why = "every byte is an atom: the files are no text"
    return {
        "size": {
            "disk_bytes": sum(source.bytes for source in reading.sources),
            "text_bytes": reading.texts.size,
            "documents": reading.weights.documents,
        },
        "tokens": None,
        "class": _record_class(judge_bytes(f"the files hold {named}")),
        "profile": {"name": "bytes", "why": why, "measures": {}, "by_sample": "bytes"},
        "characters": {},
        "words": {},
        "scripts": {},
        "languages": [],
        "duplicates": None,
        "lengths": None,
        "encoding": None,
        "repetition": _tell_repetition(sample),
        "sample": {"bytes": len(sample), "whole": reading.sample.is_whole},
        "binary": tell_bytes(reading.weights),
    }


# What it is enough for


def tell_sizing(size: dict[str, Any], *, is_binary: bool) -> list[dict[str, Any]]:
    """Return for each step whether the corpus reaches it, and what is missing.

    Lines count that are not empty; in bytes, 100 stand for a line. The last step is reached by
    lines or by bytes.
    """
    amount = size["text_bytes"]
    lines = (
        amount // BYTES_PER_LINE
        if is_binary
        else (size["lines"] - min(size["empty_documents"], size["lines"]))
    )
    rungs = []
    for name, low, high in STEPS:
        reached = lines >= low or (name == "full corpus" and amount >= FULL_BYTES[0])
        rungs.append(
            {
                "step": name,
                "from_lines": low,
                "to_lines": high,
                "lines": lines,
                "reached": reached,
                "from_bytes": FULL_BYTES[0] if name == "full corpus" else None,
                "missing_lines": 0 if reached else low - lines,
                "missing_bytes": 0 if reached or name != "full corpus" else FULL_BYTES[0] - amount,
            }
        )
    return rungs


def write_next(config: InspectConfig, record: dict[str, Any]) -> str:
    """Return the command that mines this corpus, with the options that it needs."""
    guess = (record["encoding"] or {}).get("guess")
    if guess:
        name = config.paths[0] if len(config.paths) == 1 else "FILE"
        convert = shlex.join(["iconv", "-f", guess["name"], "-t", "UTF-8", name])
        return f"{convert} > utf8.txt && miner inspect utf8.txt"
    words = ["miner", "mine", *(f"--corpus={p}" if p.startswith("--") else p for p in config.paths)]
    strange = (record["encoding"] or {}).get("files_no_text", [])
    looks_binary = bool(strange) and len(strange) == len(record["files"])
    if looks_binary:
        words += ["--profile", "bytes"]
    elif config.profile != "auto":
        words += ["--profile", config.profile]
    if config.text_column and any(
        not is_bytes(file["form"].split(".")[0]) for file in record["files"]
    ):
        words += ["--text-column", config.text_column]
    bad = (record["encoding"] or {}).get("bad_bytes", 0) and not looks_binary
    if record["skipped"] or bad:
        words += ["--on-error", "skip"]
    if record["size"]["text_bytes"] > LARGE:
        words += ["--memory", "2GiB"]
    return shlex.join(words)
