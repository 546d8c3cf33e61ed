"""Units and a corpus to a SentencePiece `.model`: BPE and Unigram that keep every unit whole.

Units are user-defined symbols. SentencePiece cannot look around, so that a word has a space in
front also behind a bracket is said in pairs: for each mark and each first letter of the corpus one
rule of normalization (`(u` becomes `(⁀ u`), and three rules of denormalization take it back.
What it cannot be taught: a unit ends where its text ends, also inside a longer word.
"""

from __future__ import annotations

import io
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from miner.errors import TokenizerError
from miner.text.pretokenization import ELIDED
from miner.text.profiles import fold
from miner.text.unicode import (
    CLASS,
    CONNECTOR,
    DIGIT,
    EXTEND,
    KATAKANA,
    LETTER,
    PICTOGRAPH,
    REGIONAL,
    SIGN,
    SPACE,
    SYMBOL,
    VIRAMA,
    ZWJ,
    class_table,
)
from miner.tokenizer.training.hugging_face import SPECIALS, Batches
from miner.tokenizer.training.normal_form import (
    APOSTROPHES,
    HYPHENS,
    JOINER,
    LITERAL,
    LITERAL_MARK,
    MARK,
    NormalForm,
    list_vowels,
)

CONTROLS = 4  # of the special tokens: padding, start, end, unknown; the rest are symbols
ASCII_MARKS = '"#$%&()*+,./:;<=>?@[\\]^`{|}~'
USUAL_MARKS = "«»“”„‘—–…¿¡"  # and those of ASCII: known as marks although the corpus has none
USUAL_ACCENTS = "".join(map(chr, (*range(0x300, 0x30D), 0x323, 0x327, 0x328)))
USUAL_STARTS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
MOST_STARTS, MOST_MARKS = 1024, 128  # characters a word starts with, and what stands before
LONGEST_LINE = 1 << 24  # bytes; longer documents are left out of the training
COVERAGE = 0.9999  # of the text: its characters get pieces of their own, the rest are bytes,
CHARACTERS = 0.6  # but no more of them than this share of the ids that units leave

OPENERS = '([{«“„"‹‘\n—–'  # often stand before an article

Rules = dict[str, str]


@cache
def list_folds(*, case: bool) -> Rules:
    """Return what folding does to single characters and to what is composed of several."""
    points = [
        chr(point)
        for point in range(0x30000)
        if not 0xD800 <= point < 0xE000 and not 0xAC00 <= point < 0xD7A4
    ]
    rules = {}
    for character in points:
        folded = fold(character, case=case, trim=False)
        apart = unicodedata.normalize("NFD", character)
        for written in {character, apart}:
            if written != folded:
                rules[written] = folded
    return rules


def list_rules(form: NormalForm, seen: Mapping[str, int], bare: Sequence[str]) -> Rules:
    """Return the rules of normalization for a corpus in which characters were `seen` so often.

    `bare`: units that start with no word. A symbol that is a unit is treated as a word.
    """
    rules = {} if form.exact else dict(list_folds(case=form.profile.folds_case))
    if not form.exact and not form.profile.keeps_space:
        whites = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u202f\u205f\u3000\u1680"
        rules |= dict.fromkeys([*whites, *map(chr, range(0x2000, 0x200B))], " ")
    if not form.exact and any("\u1100" <= c < "\u1200" or "\uac00" <= c < "\ud7a4" for c in seen):
        syllables = map(chr, range(0xAC00, 0xD7A4))
        rules |= {unicodedata.normalize("NFD", syllable): syllable for syllable in syllables}
    rules |= {JOINER: LITERAL, MARK: LITERAL_MARK}
    if not form.has_words or form.profile.name == "transliteration":
        return rules
    starts, marks = _part(form, seen)
    symbols = list_symbols(bare)
    composed = [] if form.exact else list_composed(starts, seen)
    pairs: list[tuple[str, ...]]
    pairs = [(mark, way) for mark in (*marks, *symbols) for way in (*starts, *composed)]
    pairs += [(other, symbol) for symbol in symbols for other in (*marks, *symbols, *starts)]
    if form.profile.name == "words":  # behind a space they are no part of a word
        joins = [space + join for space in " \n" for join in APOSTROPHES + HYPHENS]
        pairs += [(join, way) for join in joins for way in starts]
        pairs += list_elided(starts)
        pairs += list_opened(starts, marks)
    for *befores, way in pairs:
        folded = (
            "".join(rules.get(character, character) for character in part) for part in befores
        )
        joined = "".join(f"{part}{JOINER} " for part in folded)
        rules.setdefault("".join(befores) + way, joined + rules.get(way, way))
    return rules


def list_elided(starts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the ends of articles with an apostrophe, each with what may follow: `l'` before `e`.

    Rules here see no word begin, so `d'h` is cut in `aujourd'hui` too, in text and units alike.
    """
    ends = dict.fromkeys(way for word in ELIDED for way in (word[-1], word[-1].upper()))
    vowels = set(list_vowels())
    ways = [way for way in starts if way in vowels]
    return [(end + mark, way) for end in ends for mark in APOSTROPHES for way in ways]


def list_opened(starts: Sequence[str], marks: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the same for articles of one letter behind what opens: `(`, `l'` before `e`.

    The rule of the bracket takes the letter, so that of the article must begin with the bracket.
    """
    letters = [way for word in ELIDED if len(word) == 1 for way in (word, word.upper())]
    elided = [(end, way) for end, way in list_elided(starts) if end[0] in letters]
    return [(mark, end, way) for mark in marks if mark in OPENERS for end, way in elided]


def list_composed(starts: Sequence[str], seen: Mapping[str, int]) -> list[str]:
    """Return the first letters in decomposed form: with the marks that the corpus has, and all."""
    classes = class_table() & CLASS
    accents = [*USUAL_ACCENTS, *(c for c in seen if int(classes[ord(c)]) == EXTEND)][:MOST_MARKS]
    pairs = [start + accent for start in starts for accent in accents]
    single = [pair for pair in pairs if len(unicodedata.normalize("NFC", pair)) == 1]
    apart = [unicodedata.normalize("NFD", start) for start in starts]
    return list(dict.fromkeys([*single, *(text for text in apart if len(text) > 1)]))


def list_symbols(bare: Sequence[str]) -> list[str]:
    """Return the symbols with which units begin, and which stand nowhere else in a unit."""
    classes = class_table() & CLASS
    kinds = (SYMBOL, PICTOGRAPH, REGIONAL)
    first = dict.fromkeys(text[0] for text in bare if int(classes[ord(text[0])]) in kinds)
    inner = set("".join(text[1:] for text in bare))
    return [symbol for symbol in first if symbol not in inner and not symbol.isascii()][:MOST_MARKS]


def _part(form: NormalForm, seen: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Return the characters that a word starts with, and those that may stand before a word."""
    classes = class_table() & CLASS
    usual = ASCII_MARKS + USUAL_MARKS + USUAL_STARTS + ("\n\t\r\xa0" if form.exact else "")
    seen = {**dict.fromkeys(usual, 0), **seen}
    often = sorted(seen, key=lambda character: (-seen[character], character))
    kinds = {character: int(classes[ord(character)]) for character in often}
    cases = (
        way
        for c in often
        if kinds[c] in (LETTER, DIGIT, CONNECTOR)
        for way in (c, c.lower(), c.upper())
        if len(way) == 1
    )
    words = list(dict.fromkeys(cases))
    inside = (LETTER, DIGIT, CONNECTOR, KATAKANA, SIGN, EXTEND, VIRAMA, ZWJ)
    joins = APOSTROPHES + HYPHENS if form.profile.name == "words" else ""
    spaces = () if form.exact or form.profile.keeps_space else (SPACE,)
    unfit = f" \0{joins}{MARK}"
    marks = [c for c in often if kinds[c] not in (*inside, *spaces) and c not in unfit]
    return words[:MOST_STARTS], marks[:MOST_MARKS]


def is_sign(text: str) -> bool:
    """Say whether a text begins with a sign of a script without spaces."""
    return int(class_table()[ord(text[0])] & CLASS) in (SIGN, KATAKANA)


def count_characters(batches: Batches) -> Counter[str]:
    """Count the characters of a corpus."""
    seen: Counter[str] = Counter()
    for batch in batches():
        seen.update("".join(batch))
    return seen


def spell_units(form: NormalForm, units: Sequence[str]) -> dict[str, list[str]]:
    """Return the symbols that stand for each unit, given in its normal form.

    A word and a symbol always have a space in front. A sign of a script without spaces has none,
    but at the start of a text, so it stands twice.
    """
    spelled = {}
    for unit in units:
        marked = unit.replace(" ", MARK)
        if unit[0] == " ":
            spelled[unit] = [marked]
        elif is_sign(unit) or not form.has_words:
            spelled[unit] = [marked, MARK + marked]
        else:
            spelled[unit] = [MARK + marked, marked]
    return spelled


def train_model(
    batches: Batches,
    form: NormalForm,
    symbols: Sequence[str],
    rules: Rules,
    seen: Mapping[str, int],
    *,
    size: int,
    kind: str,
) -> bytes:
    """Return a trained model: `kind` is `bpe` or `unigram`, `size` the most ids.

    `seen` are the characters of the corpus, and how often it has them.
    """
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    rare = list_rare(seen, size - len(symbols) - 262)
    with tempfile.TemporaryDirectory() as folder:
        files = _write_rules(Path(folder), rules, undo=form)
        try:
            SentencePieceTrainer.train(
                sentence_iterator=_list_sentences(batches, rare),
                model_writer=model,
                model_type=kind,
                vocab_size=size,
                hard_vocab_limit=False,
                byte_fallback=True,
                character_coverage=COVERAGE,
                user_defined_symbols=list(symbols),
                add_dummy_prefix=True,
                remove_extra_whitespaces=trims(form),
                allow_whitespace_only_pieces=True,
                max_sentence_length=LONGEST_LINE,
                pad_id=0,
                bos_id=1,
                eos_id=2,
                unk_id=3,
                pad_piece=SPECIALS[0],
                minloglevel=2,
                num_threads=2,
                **files,
            )
        except (RuntimeError, OSError) as error:
            raise TokenizerError(
                f"SentencePiece cannot train on this corpus ({str(error).splitlines()[-1]})",
                cure="Give a larger corpus, fewer --units, or another --vocab-size",
            ) from error
    return _forget_files(model.getvalue())


def _forget_files(model: bytes) -> bytes:
    """Return a model without the names of the files that its rules came from."""
    proto = parse_model(model)
    proto.normalizer_spec.normalization_rule_tsv = ""
    proto.denormalizer_spec.normalization_rule_tsv = ""
    return bytes(proto.SerializeToString())


def list_rare(seen: Mapping[str, int], room: int) -> list[str]:
    """Return the characters that get no piece where those of a corpus do not all find room."""
    often = sorted(seen, key=lambda character: (-seen[character], character))
    return often[max(int(CHARACTERS * room), 1) :]


def trims(form: NormalForm) -> bool:
    """Say whether a text is trimmed: SentencePiece does so only where it makes spaces one too."""
    return not form.exact and not form.profile.keeps_space


def _list_sentences(batches: Batches, rare: Sequence[str]) -> Iterator[str]:
    """Yield the parts of texts between rare characters, and between zero bytes.

    SentencePiece takes those for damage.
    """
    breaks = str.maketrans(dict.fromkeys(rare, "\0"))
    return (
        part
        for batch in batches()
        for text in batch
        for part in (text.translate(breaks) if rare else text).split("\0")
        if part
    )


def _write_rules(folder: Path, rules: Rules, *, undo: NormalForm) -> dict[str, Any]:
    """Write the rules as SentencePiece reads them; return the options that name the files."""
    back = {LITERAL: JOINER, LITERAL_MARK: MARK}
    if undo.has_words:
        back |= {JOINER + " ": "", JOINER: ""}
    tables = {"normalization_rule_tsv": rules, "denormalization_rule_tsv": back}
    for name, table in tables.items():
        lines = [f"{_spell(old)}\t{_spell(new)}\n" for old, new in sorted(table.items())]
        (folder / name).write_text("".join(lines), encoding="ascii", newline="\n")
    return {name: str(folder / name) for name in tables}


def _spell(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)


def parse_model(model: bytes) -> Any:
    """Return the fields of a model, to be read and changed."""
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    proto.ParseFromString(model)
    return proto


def replace_pieces(model: bytes, pieces: Mapping[str, float]) -> bytes:
    """Return a Unigram model with other pieces; special tokens, symbols, bytes and rules stay."""
    proto = parse_model(model)
    normal, symbol, byte = 1, 4, 6
    kept = [
        entry
        for i, entry in enumerate(proto.pieces)
        if i < CONTROLS or entry.type in (byte, symbol)
    ]
    kept = [(entry.piece, entry.score, entry.type) for entry in kept]
    known = {piece for piece, _, _ in kept}
    kept += [(piece, score, normal) for piece, score in pieces.items() if piece not in known]
    del proto.pieces[:]
    for piece, score, kind in kept:
        proto.pieces.add(piece=piece, score=np.float32(score), type=kind)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return bytes(proto.SerializeToString())


def cut_without(model: bytes, pieces: set[str], texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text in a model in which `pieces` are not used."""
    from sentencepiece import SentencePieceProcessor

    proto = parse_model(model)
    unused = 5
    for entry in proto.pieces:
        if entry.piece in pieces:
            entry.type = unused
    plain = SentencePieceProcessor(model_proto=proto.SerializeToString())
    return [list(ids) for ids in plain.encode(list(texts))]
