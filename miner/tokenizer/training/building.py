"""Spellings of units and a corpus to a tokenizer's file: what does each trainer make of them?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from miner.progress import Progress
from miner.tokenizer.reading.loading import TOKENIZER_JSON, HuggingFaceEngine
from miner.tokenizer.training.entries import Entries
from miner.tokenizer.training.hugging_face import (
    ALPHABET,
    BYTES,
    SPECIALS,
    Batches,
    build_bpe,
    build_unigram,
    mark_units,
    spell_bytes,
    train_merges,
    train_pieces,
)
from miner.tokenizer.training.normal_form import MARK, Spec
from miner.tokenizer.training.sentence_piece import (
    count_characters,
    cut_without,
    list_rules,
    replace_pieces,
    spell_units,
    train_model,
)
from miner.tokenizer.training.superwords import (
    build_superwords,
    choose_superwords,
    score_superwords,
)

Trainer = Literal["hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram"]
MODEL = "tokenizer.model"
SMALL = 2000  # ids of a model that is trained for its rules only


@dataclass(frozen=True)
class Built:
    """What a trainer made: a file's name and content, and the pieces of each spelling in it.

    `without`: the same tokenizer that finds no units, for what is no SentencePiece.
    """

    file: str
    content: bytes
    pieces: dict[str, list[str]]
    without: bytes
    notes: dict[str, Any] = field(default_factory=dict)


def build(
    trainer: Trainer,
    entries: Entries,
    batches: Batches,
    size: int,
    *,
    fewest: bool,
    progress: Progress,
) -> Built:
    """Train the rest around the units, to `size` ids at most.

    `fewest`: a Unigram model cuts a text into the fewest pieces, units among others.
    """
    if trainer == "hf-bpe":
        return build_bpe_around(entries, batches, size)
    if trainer == "hf-unigram" and fewest:
        return build_fewest(entries, batches, size, progress)
    if trainer == "hf-unigram":
        return build_unigram_around(entries, batches, size)
    if fewest:
        return build_fewest_sentencepiece(entries, batches, size, progress)
    return build_sentencepiece(entries, batches, size, trainer.removeprefix("sentencepiece-"))


def build_bpe_around(entries: Entries, batches: Batches, size: int) -> Built:
    """Train a byte-level BPE on text without the units."""
    form, normal = entries.form, entries.normal
    merges = train_merges(batches, form, size - len(SPECIALS) - len(ALPHABET), units=normal)
    spec = build_bpe(form, normal, merges, size=size)
    pieces = {text: spell_bytes(whole) for text, whole in mark_units(form, normal).items()}
    hidden = set(pieces.values())
    left = {piece: i for piece, i in spec["model"]["vocab"].items() if piece not in hidden}
    plain = build_bpe(form, [], [], size=size) | {"model": spec["model"] | {"vocab": left}}
    return Built(TOKENIZER_JSON, dump(spec), list_ways(pieces), dump(plain))


def build_unigram_around(entries: Entries, batches: Batches, size: int) -> Built:
    """Train a Unigram model on text without the units."""
    form, normal = entries.form, entries.normal
    room = size - len(SPECIALS) - len(BYTES) - len(normal)
    learned = train_pieces(batches, form, room, units=normal) if room > 0 else {}
    spec = build_unigram(form, normal, learned, size=size)
    whole = mark_units(form, normal)
    pieces = {text: marked.replace(" ", MARK) for text, marked in whole.items()}
    return Built(TOKENIZER_JSON, dump(spec), list_ways(pieces), dump(_hide(spec, pieces)))


def build_fewest(entries: Entries, batches: Batches, size: int, progress: Progress) -> Built:
    """Choose the pieces, units among them, with which the corpus is shortest.

    What the user named stays whole all the same.
    """
    form, wanted = entries.form, entries.wanted
    room = size - len(SPECIALS) - len(BYTES) - len(wanted)
    chosen = choose_superwords(
        batches, form, entries.normal, room, wanted=wanted, progress=progress
    )
    spec = build_superwords(form, wanted, score_superwords(chosen))
    whole = mark_units(form, wanted, phrases=True)
    pieces = {
        text: whole.get(text, text).replace(" ", MARK)
        for text in entries.normal
        if text in chosen or text in whole
    }
    return Built(TOKENIZER_JSON, dump(spec), list_ways(pieces), dump(_hide(spec, pieces)))


def _hide(spec: Spec, pieces: Mapping[str, str]) -> Spec:
    """Return a Unigram tokenizer whose units match no text, its ids as they are."""
    hidden = set(pieces.values())
    vocabulary = [
        [f"\U0010ffff{number}" if piece in hidden else piece, score]
        for number, (piece, score) in enumerate(spec["model"]["vocab"])
    ]
    return spec | {"model": spec["model"] | {"vocab": vocabulary}}


def build_sentencepiece(entries: Entries, batches: Batches, size: int, kind: str) -> Built:
    """Train a SentencePiece model in which units are user-defined symbols."""
    seen, rules = _read_corpus(entries, batches)
    spelled = spell_units(entries.form, [text for text in entries.normal if "\0" not in text])
    symbols = dict.fromkeys(symbol for symbols in spelled.values() for symbol in symbols)
    model = train_model(
        batches, entries.form, [*SPECIALS[4:], *symbols], rules, seen, size=size, kind=kind
    )
    return Built(MODEL, model, spelled, b"")


def build_fewest_sentencepiece(
    entries: Entries, batches: Batches, size: int, progress: Progress
) -> Built:
    """Choose the pieces with which the corpus is shortest, and put them into a Unigram model."""
    seen, rules = _read_corpus(entries, batches)
    wanted = spell_units(entries.form, [text for text in entries.wanted if "\0" not in text])
    symbols = dict.fromkeys(symbol for ways in wanted.values() for symbol in ways)
    model = train_model(
        batches,
        entries.form,
        [*SPECIALS[4:], *symbols],
        rules,
        seen,
        size=min(size, SMALL + len(symbols)),
        kind="unigram",
    )
    room = size - len(SPECIALS) - len(BYTES) - len(symbols)
    chosen = choose_superwords(
        batches, entries.form, entries.normal, room, wanted=list(wanted), progress=progress
    )
    pieces = {text: [text.replace(" ", MARK)] for text in entries.normal if text in chosen}
    scores = score_superwords({text: uses for text, uses in chosen.items() if "\0" not in text})
    if MARK not in scores:  # which every text begins with here; written in bytes it would be text
        scores = {MARK: -1.0} | dict(list(scores.items())[: room - 1])
    content = replace_pieces(model, scores)
    return Built(MODEL, content, pieces | wanted, b"")


def _read_corpus(entries: Entries, batches: Batches) -> tuple[Mapping[str, int], dict[str, str]]:
    """Return the characters of a corpus and the rules of normalization for it."""
    seen = count_characters(batches)
    seen.update(dict.fromkeys(set("".join(entries.table["text"])) - seen.keys(), 0))
    bare = [text for text in entries.normal if text[0] != " "]
    return seen, list_rules(entries.form, seen, bare)


def cut_apart(built: Built, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text in the same tokenizer without units."""
    if built.file == MODEL:
        hidden = {piece for ways in built.pieces.values() for piece in ways}
        return cut_without(built.content, hidden, texts)
    return HuggingFaceEngine.parse(built.without, Path(built.file)).encode(list(texts))


def list_ways(pieces: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the one piece of each spelling as a list."""
    return {text: [piece] for text, piece in pieces.items()}


def dump(spec: Spec) -> bytes:
    """Return the content of a `tokenizer.json`."""
    return json.dumps(spec, ensure_ascii=False).encode()
