"""A corpus to the pieces, inside words and across them, that make it shortest: what may they be?

The pool is every run of up to eight pieces of an ordinary BPE that repeats, and the units of the
run. It is counted exactly, as candidates are, and then pruned (`fewest`) to the size that is
wanted. Nothing but the number of tokens decides; so this is for the objective of compression.

Bytes per token on books not trained on, 32,768 ids, Russian and English: 9.640 and 5.867; where of
equal cuts the more frequent pieces are taken, 9.682 and 5.862; with signs for capitals (`capitals`)
9.859 and 5.952. All frequent substrings beside in the pool: 9.683 for 9.682. Weighing a piece by
how evenly it is spread over the corpus gains 0.1 % at best, and loses 2 to 3 % where its largest
sixteenth is left out or roots are summed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from miner.mining.candidates import Candidates, count_candidates
from miner.progress import Progress
from miner.text.pretokens import Stream
from miner.tokenizer.training.fewest import LONGEST, Text, list_costs, prune_pieces
from miner.tokenizer.training.hugging_face import (
    ALPHABET,
    SPECIALS,
    Batches,
    assemble_unigram,
    build_bpe,
    mark_words,
    match_units,
    train_merges,
)
from miner.tokenizer.training.normal_form import MARK, NormalForm, Spec, apply_steps

MOST_CHARACTERS = 64 << 20  # of the corpus that pieces are chosen on; the rest repeats it
RUN = 8  # pieces of the BPE in one of the pool
CROWD = 8  # times the wanted size: the most that the pool holds
RARE = 6  # times that a run of the pool occurs at least
BYTE_NAME = r"<(?=0x[0-9A-F]{2}>)"  # such a text is not the byte, and must not be taken for it
_BYTE = {letter: byte for byte, letter in enumerate(ALPHABET)}


def choose_superwords(
    batches: Batches,
    form: NormalForm,
    units: Sequence[str],
    size: int,
    *,
    wanted: Sequence[str] = (),
    progress: Progress,
) -> dict[str, int]:
    """Return at most `size` pieces in the normal form, and how often each is used, most first.

    No piece crosses one of `wanted`, the units that stay whole anyway.
    """
    documents = take_documents(batches)
    pool = {*build_pool(documents, form, size), *(unit for unit in units if len(unit) <= LONGEST)}
    pool -= {*wanted}
    progress.note(f"{len(pool):,} pieces to choose from")
    text = Text.join(cut_out(form.normalize(documents), form, wanted))
    chosen, uses = prune_pieces(text, list(pool), size, progress=progress)
    return dict(zip(chosen, uses.tolist(), strict=True))


def take_documents(batches: Batches) -> list[str]:
    """Return all documents, or every k-th where they are more than `MOST_CHARACTERS`."""
    total = sum(len(text) for batch in batches() for text in batch)
    step = max(-(-total // MOST_CHARACTERS), 1)
    everyone = (text for batch in batches() for text in batch)
    return list(islice(everyone, 0, None, step))


def cut_out(normal: list[str], form: NormalForm, units: Sequence[str]) -> list[str]:
    """Return what texts in normal form are where units are taken out, each part by itself."""
    if not units:
        return normal
    from tokenizers import Regex, pre_tokenizers

    marks = mark_words(form, units, phrases=True)
    ways = "|".join(match_units(form, apply_steps(marks, units)))
    parts = pre_tokenizers.Split(Regex(ways), "removed")
    return [part for text in apply_steps(marks, normal) for part, _ in parts.pre_tokenize_str(text)]


def build_pool(documents: list[str], form: NormalForm, size: int) -> set[str]:
    """Return the texts of all runs of pieces of a BPE that occur `RARE` times, and the pieces."""
    merges = train_merges(lambda: iter([documents]), form, size)
    ids, lengths, texts = _cut_by_bpe(documents, form, merges)
    order = np.argsort(-np.bincount(ids, minlength=len(texts)), kind="stable")
    ranks = np.empty(len(texts), np.int64)
    ranks[order] = np.arange(1, len(texts) + 1)
    known = np.array([bool(text) for text in texts])
    keys = np.where(known[ids], ranks[ids] << 1, 0).astype(np.uint32)
    found = _count_runs(keys, lengths, len(texts))
    often = np.argsort(-found.table["count"].to_numpy(), kind="stable")[: CROWD * size]
    spelled = np.array(["", *(texts[i] for i in order)], dtype=object)
    runs = spelled[found.keys[often] >> 1].sum(axis=1)
    letters = set("".join(texts))
    return {text for text in (*runs.tolist(), *texts, *letters) if 0 < len(text) <= LONGEST}


def _count_runs(keys: np.ndarray, lengths: np.ndarray, types: int) -> Candidates:
    """Count the runs of a stream in which document d has lengths[d] keys."""
    ends = np.cumsum(lengths)
    inner = np.insert(keys, ends, np.uint32(0))
    stream = np.concatenate([np.zeros(1), inner, np.zeros(RUN + 1)]).astype(np.uint32)
    starts = np.concatenate([[1], ends + np.arange(2, len(ends) + 2)]).astype(np.int64)
    counts = np.bincount(stream >> 1, minlength=types + 1)[1:].astype(np.int64)
    flags = np.zeros(len(stream), np.uint8)
    return count_candidates(Stream(stream, flags, starts), counts, min_count=RARE, longest=RUN)


def _cut_by_bpe(
    documents: list[str], form: NormalForm, merges: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the ids of all documents, how many each has, and the text of each id.

    The text is empty where a piece is no whole characters.
    """
    from tokenizers import Tokenizer

    spec = build_bpe(form, [], merges, size=len(merges) + len(ALPHABET), specials=())
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    found = [
        np.array(encoding.ids, np.uint32)
        for batch in _in_parts(documents)
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False)
    ]
    pieces = sorted(spec["model"]["vocab"], key=spec["model"]["vocab"].__getitem__)
    texts = [_read_bytes(piece) for piece in pieces]
    return np.concatenate(found), np.array([len(ids) for ids in found], np.int64), texts


def _in_parts(documents: list[str], part: int = 4096) -> Iterator[list[str]]:
    for start in range(0, len(documents), part):
        yield documents[start : start + part]


def _read_bytes(piece: str) -> str:
    """Return the text of a byte-level piece, nothing where it is no whole characters."""
    try:
        return bytes(_BYTE[letter] for letter in piece).decode("utf-8")
    except UnicodeDecodeError:
        return ""


def score_superwords(pieces: dict[str, int]) -> dict[str, float]:
    """Return the log-probability of each piece, which is what it costs, less than nothing.

    So the best cut is the one into the fewest pieces; frequent ones decide between equals.
    """
    scores = -list_costs(np.array(list(pieces.values()), np.int64))
    return dict(zip((piece.replace(" ", MARK) for piece in pieces), scores.tolist(), strict=True))


def build_superwords(
    form: NormalForm,
    units: Sequence[str],
    pieces: dict[str, float],
    *,
    specials: Sequence[str] = SPECIALS,
) -> Spec:
    """Return a Unigram model with byte fallback that cuts a text into the fewest `pieces`.

    `units`, in their normal form, stay whole whatever it costs.
    """
    marks = mark_words(form, units, phrases=True)
    whole = apply_steps(marks, units)
    marked = {text.replace(" ", MARK): 0.0 for text in whole}
    cut = "|".join([*match_units(form, whole), BYTE_NAME])
    return assemble_unigram(form, marks, cut, pieces | marked, byte=-1.0, specials=specials)
