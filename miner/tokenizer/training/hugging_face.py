"""Units and a corpus to a `tokenizer.json`: BPE and Unigram that keep every unit whole.

One Split expression, longest unit first, parts the units from the rest; the model has each of them
as one entry, and the stock trainer learns the rest from text out of which the units are taken. A
second Split would cut a unit again; merges alone leave a fifth to a third of the places cut;
added tokens match inside words, or not at all behind a longer match that was refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from miner.tokenizer.training.capitals import CAPITAL
from miner.tokenizer.training.normal_form import MARK, WHOLE, NormalForm, Spec, apply_steps, replace
from miner.tokenizer.training.trie_regex import build_trie_regex, escape

Batches = Callable[[], Iterator[list[str]]]  # the texts of a corpus, from the start at each call

SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "[SCN]", "[SEP]")  # ids 0 to 5
UNKNOWN = SPECIALS.index("<unk>")
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
CHARACTERS = 0.6  # of the pieces of a Unigram model may be single characters; the rest are bytes
LONGEST_PIECE = 16  # characters that a Unigram piece of the trainer may have (its default)
UNLIKELY = -100.0  # log-probability of a single byte, which is the last resort


def _spell_bytes() -> list[str]:
    """Return the letter by which byte-level models write each byte (GPT-2's alphabet)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in plain}
    for byte in range(256):
        letters.setdefault(byte, chr(0x100 + len(letters) - len(plain)))
    return [letters[byte] for byte in range(256)]


ALPHABET = _spell_bytes()


def spell_bytes(text: str) -> str:
    """Return a text in the letters of byte-level models.

    >>> spell_bytes(" жар")
    'ĠÐ¶Ð°ÑĢ'
    """
    return "".join(ALPHABET[byte] for byte in text.encode())


# How a text is cut before the model sees it


def match_units(form: NormalForm, texts: Sequence[str]) -> list[str]:
    """Return the expressions, one a kind of unit, that match units given in their normal form.

    Units that begin with a word have the space in front, or the mark of `mark_words` and the
    space. The group `bare` is the units without one.
    """
    ways = []
    for start in (WHOLE + " ", " "):
        words = [text.removeprefix(start) for text in texts if text.startswith(start)]
        if words:
            ways.append(f"{start}(?:{build_trie_regex(words)}){form.guard()}")
    bare = [text for text in texts if not text.startswith((" ", WHOLE))]
    if bare:
        ways.append(rf"(?<bare>(?:{build_trie_regex(bare)}){form.guard()})")
    return ways


def open_finder(form: NormalForm, texts: Sequence[str]) -> Any:
    """Return a tokenizer whose tokens are the places of units: the id is the row in `texts`.

    `texts` are in normal form; empty ones are never found. Where units overlap, the one that starts
    first has the place, then the longest.
    """
    from tokenizers import Tokenizer

    numbers = {text: number for number, text in enumerate(texts) if text}
    only = split("|".join(match_units(form, list(numbers))), "Removed") | {"invert": True}
    model = {"type": "WordLevel", "vocab": {**numbers, "": len(texts)}, "unk_token": ""}
    spec = assemble(model, form.list_normalizers(), [only], [], ())
    return Tokenizer.from_str(json.dumps(spec))


def mark_words(form: NormalForm, texts: Sequence[str], *, phrases: bool = False) -> list[Spec]:
    """Return the steps that mark the units of one word, where they stand by themselves.

    Words with a mark behind (`self.`) need none, and would be marked inside longer units too. A
    Unigram model chooses among all pieces in a word, and a BPE takes a part of a word whole that a
    digit follows, so a whole word needs a sign of its own. `phrases`: units of several words are
    marked too, for a model whose pieces cross words.
    """
    steps = []
    for sign in ("", CAPITAL):
        bare = [text.removeprefix(sign + " ") for text in texts if text.startswith(sign + " ")]
        parts = [text.split(" ") if phrases else [text] for text in bare]
        words = [
            text for text, inner in zip(bare, parts, strict=True) if all(map(form.is_word, inner))
        ]
        if words:
            behind = f"(?<={sign})" if sign else ""
            found = rf"{behind} (?=(?:{build_trie_regex(words)}){form.guard()})"
            steps.append(replace(found, WHOLE + " ", regex=True))
    return steps


def cut_with(form: NormalForm, ways: Sequence[str]) -> str:
    """Return the one expression of the Split: units first, then what is left."""
    return "|".join([*ways, form.cut_base(bare=any(way.startswith("(?<bare>") for way in ways))])


def split(pattern: str, behavior: str = "Isolated") -> Spec:
    """Return a Split step."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": False}


BYTE_LEVEL: Spec = {
    "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False
}  # fmt: skip
MARKED: Spec = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "never", "split": False}


def sequence(name: str, steps: Sequence[Spec]) -> Spec:
    """Return steps as one: `name` is `normalizers`, `pretokenizers` or `decoders`."""
    return {"type": "Sequence", name: list(steps)}


def assemble(
    model: Spec,
    normalizers: Sequence[Spec],
    cuts: Sequence[Spec],
    decoders: Sequence[Spec],
    specials: Sequence[str],
) -> Spec:
    """Return a whole `tokenizer.json`."""
    added = [
        {
            "id": number,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, content in enumerate(specials)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": sequence("normalizers", normalizers),
        "pre_tokenizer": sequence("pretokenizers", cuts),
        "post_processor": None,
        "decoder": sequence("decoders", decoders),
        "model": model,
    }


def _train(spec: Spec, trainer: Any, batches: Batches) -> Spec:
    """Return the model that a stock trainer makes with the steps of `spec`."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(spec))
    tokenizer.train_from_iterator(batches(), trainer)
    return dict(json.loads(tokenizer.to_str())["model"])


# BPE


def train_merges(
    batches: Batches, form: NormalForm, size: int, *, units: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return at most `size` merges that the stock BPE trainer learns from text without `units`."""
    from tokenizers.trainers import BpeTrainer

    ways = match_units(form, units) if units else []
    cuts = [split(cut_with(form, [])), BYTE_LEVEL]
    if ways:
        cuts.insert(0, split("|".join(ways), "Removed"))
    model = {"type": "BPE", "vocab": {}, "merges": []}
    trainer = BpeTrainer(
        vocab_size=size + len(ALPHABET),
        min_frequency=2,
        initial_alphabet=ALPHABET,
        show_progress=False,
    )
    learned = _train(assemble(model, form.list_normalizers(), cuts, [], ()), trainer, batches)
    return [tuple(merge) for merge in learned["merges"]]


def build_bpe(
    form: NormalForm,
    units: Sequence[str],
    merges: Sequence[tuple[str, str]],
    *,
    size: int,
    specials: Sequence[str] = SPECIALS,
) -> Spec:
    """Return a byte-level BPE: special tokens, bytes, `units` in their normal form, merges.

    A merge that would make a unit is left out, and what is built on it. `size` is the most ids.
    """
    marks = mark_words(form, units)
    whole = apply_steps(marks, units)
    spelled = list(map(spell_bytes, whole))
    pieces = dict.fromkeys([*specials, *ALPHABET, *spelled])
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    chosen = _take_merges(vocabulary, merges, set(spelled), size)
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": True,
        "vocab": vocabulary,
        "merges": chosen,
    }
    cuts = [split(cut_with(form, match_units(form, whole))), BYTE_LEVEL]
    decoders = [BYTE_LEVEL, replace(WHOLE, ""), *form.list_decoders(specials)]
    return assemble(model, [*form.list_normalizers(), *marks], cuts, decoders, specials)


def _take_merges(
    vocabulary: dict[str, int], merges: Sequence[tuple[str, str]], whole: set[str], size: int
) -> list[list[str]]:
    """Add the results of merges to `vocabulary`, as many as find room; return the merges."""
    known, chosen = set(ALPHABET), []
    for left, right in merges:
        result = left + right
        if result in whole or left not in known or right not in known:
            continue
        if result not in vocabulary:
            if len(vocabulary) >= size:
                break
            vocabulary[result] = len(vocabulary)
        known.add(result)
        chosen.append([left, right])
    return chosen


# Unigram


def train_pieces(
    batches: Batches, form: NormalForm, size: int, *, units: Sequence[str] = ()
) -> dict[str, float]:
    """Return at most `size` pieces, with `▁` for a space, that the stock Unigram trainer learns."""
    from tokenizers.trainers import UnigramTrainer

    ways = match_units(form, units) if units else []
    cuts = [split(cut_with(form, [])), MARKED]
    rare = list_rare(batches, size)
    for unwanted in (rare, "|".join(ways)):
        if unwanted:
            cuts.insert(0, split(unwanted, "Removed"))
    model = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": False}
    trainer = UnigramTrainer(
        vocab_size=size + 1,
        special_tokens=["<unk>"],
        unk_token="<unk>",  # noqa: S106
        max_piece_length=LONGEST_PIECE,
        show_progress=False,
    )
    learned = _train(assemble(model, form.list_normalizers(), cuts, [], ()), trainer, batches)
    return {piece: score for piece, score in learned["vocab"] if piece != "<unk>"}


def list_rare(batches: Batches, size: int) -> str:
    """Return an expression for the characters that get no piece, empty where all find room.

    The stock trainer gives each character one; in a script of thousands they would be all.
    """
    seen: Counter[str] = Counter()
    for batch in batches():
        seen.update("".join(batch))
    if len(seen) <= CHARACTERS * size:
        return ""
    rare = sorted(character for character, _ in seen.most_common()[int(CHARACTERS * size) :])
    return "[" + "".join(map(escape, rare)) + "]"


def build_unigram(
    form: NormalForm,
    units: Sequence[str],
    pieces: Mapping[str, float],
    *,
    size: int,
    specials: Sequence[str] = SPECIALS,
) -> Spec:
    """Return a Unigram model with byte fallback: special tokens, bytes, `units`, `pieces`.

    A unit has the log-probability 0, above any way to cut it. Pieces are numbered in the order of
    their texts, since the trainer's scores differ in the last digits from run to run.
    """
    marks = mark_words(form, units)
    whole = apply_steps(marks, units)
    marked = {text.replace(" ", MARK): 0.0 for text in whole}
    room = max(size - len(specials) - len(BYTES) - len(marked), 0)
    rest = sorted([(piece, score) for piece, score in pieces.items() if piece not in marked][:room])
    cut = cut_with(form, match_units(form, whole))
    return assemble_unigram(
        form, marks, cut, {**marked, **dict(rest)}, byte=UNLIKELY, specials=specials
    )


def assemble_unigram(
    form: NormalForm,
    marks: Sequence[Spec],
    cut: str,
    pieces: Mapping[str, float],
    *,
    byte: float,
    specials: Sequence[str],
) -> Spec:
    """Return a Unigram model with its steps: special tokens, bytes, `pieces` with their scores.

    `marks` are the last steps of normalization, `cut` is the expression of the Split, `byte` the
    score of a single byte.
    """
    scored = [
        *((special, 0.0) for special in specials),
        *((name, byte) for name in BYTES),
        *pieces.items(),
    ]
    model = {
        "type": "Unigram",
        "unk_id": UNKNOWN,
        "byte_fallback": True,
        "vocab": [list(entry) for entry in scored],
    }
    normalizers = [*form.list_normalizers(), *marks]
    return assemble(
        model, normalizers, [split(cut), MARKED], decode_marked(form, specials), specials
    )


def mark_units(form: NormalForm, texts: Sequence[str], *, phrases: bool = False) -> dict[str, str]:
    """Return how each unit in its normal form looks behind `mark_words`."""
    marks = mark_words(form, texts, phrases=phrases)
    return dict(zip(texts, apply_steps(marks, texts), strict=True))


def decode_marked(form: NormalForm, specials: Sequence[str]) -> list[Spec]:
    """Return the decoder of a model whose pieces have `▁` for a space."""
    return [
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        replace(WHOLE, ""),
        replace(MARK, " "),
        *form.list_decoders(specials),
    ]
