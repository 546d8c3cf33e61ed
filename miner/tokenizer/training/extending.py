"""A pretrained tokenizer and units to the same tokenizer with more ids: what else may change?

Nothing: no id moves, and text without units is cut as before. The base's own expression stays, and
units stand in front of it; they get entries of the model behind all ids there are, in the spellings
that the corpus has, with a space in front and without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from miner.errors import TokenizerError, UsageError
from miner.progress import Progress
from miner.tokenizer.reading.loading import (
    TOKENIZER_JSON,
    HuggingFaceEngine,
    LoadedTokenizer,
    SentencePieceEngine,
    cut_batches,
    find_file,
)
from miner.tokenizer.reading.texts import Corpus
from miner.tokenizer.reading.units import Units, list_forms
from miner.tokenizer.training.building import MODEL, Built, dump
from miner.tokenizer.training.entries import Entries, check_room, keep_attested, order_entries
from miner.tokenizer.training.hugging_face import BYTES, Batches, sequence, spell_bytes, split
from miner.tokenizer.training.normal_form import MARK, NormalForm, Spec, list_signs
from miner.tokenizer.training.normal_form import replace as write_step
from miner.tokenizer.training.sentence_piece import parse_model
from miner.tokenizer.training.trie_regex import build_trie_regex

LEAST_SPARED = 1e-6  # of the corpus's tokens: a unit that spares less does not pay for its id
# What ByteLevel does by itself.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORD = r"\p{L}\p{N}\p{M}_"


def extend(
    units: Units,
    tokenizer: LoadedTokenizer,
    corpus: Corpus,
    held: Sequence[str],
    *,
    number: int | None,
    size: int | None,
    progress: Progress,
) -> tuple[Entries, Built]:
    """Give units ids behind those of a pretrained tokenizer, in the spellings of the corpus.

    `number`: how many units, None for all that pay; `size`: the most ids, None for any number.
    """
    if size is not None and size <= tokenizer.size:
        raise UsageError(
            f"--vocab-size {size:,} leaves no id: {tokenizer.name} has {tokenizer.size:,}",
            cure="Give more, or leave it away: then as many units get ids as pay",
        )
    progress.note(f"extending {tokenizer.name}, {tokenizer.size:,} ids")
    base = open_base(tokenizer)
    entries = choose_units(base, units, corpus, number=number, size=size)
    progress.note(f"{entries.units:,} units in {entries.table.height:,} spellings get ids")
    spelled = {text: [base.spell(text)] for text in entries.normal}
    if base.spec:
        content = dump(extend_spec(base, entries.normal))
        built = Built(TOKENIZER_JSON, content, spelled, dump(base.spec))
    else:
        symbols = [piece for ways in spelled.values() for piece in ways]
        content = extend_model(find_file(tokenizer.path).read_bytes(), symbols)
        built = Built(MODEL, content, spelled, b"")
    notes = {"base": tokenizer.name, "base_size": tokenizer.size}
    return entries, replace(built, notes=notes | prove_extended(tokenizer, built, held))


def choose_units(
    base: Base, units: Units, corpus: Corpus, *, number: int | None, size: int | None
) -> Entries:
    """Return the units that get ids, those first that spare most tokens for each."""
    forms = list_forms(units, exact=True)
    forms = pl.concat(
        [
            forms.with_columns(normal=" " + pl.col("text"), side=pl.lit("")),
            forms.with_columns(normal=pl.col("text"), side=pl.lit("start")),
        ]
    ).filter(~pl.col("normal").str.starts_with("  "))
    forms = forms.with_columns(text="normal").unique("normal", keep="first", maintain_order=True)
    counts = count_forms(base, corpus.train, forms["normal"].to_list())
    form = NormalForm(units.profile, exact=True)
    forms = forms.with_columns(count=pl.Series(counts, dtype=pl.Int64))
    entries = keep_attested(forms, units, form)
    new = drop_known(base, entries.normal)
    if base.spec.get("model", {}).get("type") == "Unigram":
        # it would take a single word out of a longer one
        new = [form for form in new if " " in form.strip() or not any(map(str.isalnum, form))]
        refuse_lost(base, entries.wanted, new)
    entries = replace(entries, table=entries.table.filter(pl.col("normal").is_in(new)))
    parts = [len(ids) for ids in base.tokenizer.encode(entries.normal)]
    entries = order_entries(entries, units, parts)
    if number is not None:
        entries = entries.take(number)
    else:
        tokens = sum(len(ids) for batch in corpus.train() for ids in base.tokenizer.encode(batch))
        pays = (pl.col("spared") >= LEAST_SPARED * tokens) | pl.col("wanted")
        entries = replace(entries, table=entries.table.filter(pays))
    if size is not None and base.tokenizer.size + entries.table.height > size:
        room = max(size - base.tokenizer.size, 0)
        groups = entries.table.group_by("unit", maintain_order=True).len()
        entries = check_room(entries.take(int((groups["len"].cum_sum() <= room).sum())), room)
    return entries


def refuse_lost(base: Base, wanted: Sequence[str], kept: Sequence[str]) -> None:
    """TokenizerError where a token that the user named gets no id."""
    names = {form.removeprefix(" ") for form in kept} | {*base.tokenizer.pieces}
    for form in wanted:
        name = form.removeprefix(" ")
        if not names & {name, base.spell(form), base.spell(name)}:
            raise TokenizerError(
                f"cannot keep {name!r} whole: a Unigram model would take it out of longer words",
                where=str(base.tokenizer.path),
                cure="Take it off the list of --tokens, or extend a BPE",
            )


def prove_extended(tokenizer: LoadedTokenizer, built: Built, held: Sequence[str]) -> dict[str, int]:
    """Return on how many lines without units the cut was compared, and how many changed.

    TokenizerError where an id moved, or where a line changed that should not: SentencePiece alone
    may find a unit at the beginning of a longer word.
    """
    place = Path(built.file)
    engine = (HuggingFaceEngine if built.without else SentencePieceEngine).parse
    extended = engine(built.content, place)
    if extended.pieces()[: tokenizer.size] != tokenizer.pieces:
        raise TokenizerError(
            "its ids would move",
            where=str(tokenizer.path),
            cure="Save it with its own library first, so that the file says the ids that it has",
        )
    lines = list(dict.fromkeys(line for text in held for line in text.splitlines(keepends=True)))
    compared, changed = 0, 0
    for batch in cut_batches(lines):
        for before, after in zip(tokenizer.encode(batch), extended.encode(batch), strict=True):
            plain = max(after, default=0) < tokenizer.size
            compared += plain
            changed += plain and after != before.tolist()
    if changed and built.without:
        raise TokenizerError(
            f"{changed} of {compared} lines without units would be cut otherwise",
            where=str(tokenizer.path),
            cure="Train a new tokenizer instead of extending this one",
        )
    return {"compared": compared, "changed": changed}


@dataclass(frozen=True)
class Base:
    """A tokenizer that can be extended: its file, and how it parts a text before the model.

    `space` is how the model sees a space, `spell` how it writes a text, `cut` the expression of
    its own, empty where the text goes to the model whole.
    """

    tokenizer: LoadedTokenizer
    spec: Spec
    cut: str
    before: list[Spec]
    after: list[Spec]
    space: str
    spell: Callable[[str], str]


def open_base(tokenizer: LoadedTokenizer) -> Base:
    """Return what is needed to extend a tokenizer; TokenizerError where that is not safe."""
    if tokenizer.kind == "sentencepiece":
        return Base(tokenizer, {}, "", [], [], " ", _write_mark)
    spec = tokenizer.spec
    model = spec["model"]["type"]
    steps = _list_steps(spec.get("pre_tokenizer"))
    kinds = [step["type"] for step in steps]
    if model == "BPE" and kinds == ["Split", "ByteLevel"] and not steps[1].get("use_regex", True):
        pattern = steps[0]["pattern"].get("Regex")
        plain = steps[0]["behavior"] == "Isolated" and not steps[0].get("invert")
        if pattern and plain and not steps[1].get("add_prefix_space"):
            return Base(tokenizer, spec, pattern, [], [steps[1]], " ", spell_bytes)
    if model == "BPE" and kinds == ["ByteLevel"] and not steps[0].get("add_prefix_space"):
        cut = GPT2 if steps[0].get("use_regex", True) else ""
        after = [steps[0] | {"use_regex": False}]
        return Base(tokenizer, spec, cut, [], after, " ", spell_bytes)
    if model == "BPE" and not kinds and _writes_marks(spec):
        return Base(tokenizer, spec, "", [], [], MARK, _write_mark)
    if kinds == ["Metaspace"] and model in ("BPE", "Unigram"):
        whole = steps[0] | {"split": False}
        cut = f"{MARK}[^{MARK}]*|[^{MARK}]+" if steps[0].get("split", True) else ""
        return Base(tokenizer, spec, cut, [whole], [], MARK, _write_mark)
    raise TokenizerError(
        f"a {model} model behind {' and '.join(kinds) or 'no pre-tokenizer'} cannot be extended "
        "so that text without units is cut as before",
        where=str(tokenizer.path),
        cure="Extend a byte-level BPE with one Split, a Metaspace or a SentencePiece model; "
        "or train a new tokenizer",
    )


def _write_mark(text: str) -> str:
    return text.replace(" ", MARK)


def _list_steps(step: Any) -> list[Spec]:
    """Return the steps of a pre-tokenizer, those of sequences one by one."""
    if step is None:
        return []
    if step.get("type") == "Sequence":
        return [inner for one in step.get("pretokenizers", []) for inner in _list_steps(one)]
    return [step]


def _writes_marks(spec: Spec) -> bool:
    """Say whether a normalizer writes `▁` for each space, as Llama 2 does."""
    normalizer = spec.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer])
    return any(
        step.get("type") == "Replace"
        and step.get("content") == MARK
        and step.get("pattern", {}).get("String") == " "
        for step in steps
    )


def match_forms(base: Base, forms: Sequence[str]) -> list[str]:
    """Return the expressions that match units, given with the space in front or without.

    A unit without one begins at the border of a word, and what stands before it, a mark or a sign
    of a script without spaces, ends there.
    """
    guard = rf"(?:(?<![{WORD}])(?!\p{{M}})|(?![{WORD}]))"
    written = [form.replace(" ", base.space) for form in forms]
    spaced = [form.removeprefix(base.space) for form in written if form.startswith(base.space)]
    bare = [form for form in written if not form.startswith(base.space)]
    signs = list_signs()
    ways = []
    if spaced:
        ways.append(f"{base.space}(?:{build_trie_regex(spaced)}){guard}")
    if bare:
        start = rf"(?:(?<![{WORD}])|(?=[{signs}])|(?![{WORD}]))"
        group = name_group(base.cut)
        ways.append(rf"(?<{group}>{start}(?:{build_trie_regex(bare)}){guard})")
        if base.space == " ":
            ways.append(rf"[^\S ](?=\g<{group}>)")
            ways.append(rf"[^\s{WORD}]+?(?=\g<{group}>)")
        else:
            ways.append(rf"{base.space}?[^\s{WORD}{base.space}]+?(?=\g<{group}>)")
        ways.append(rf"[{signs}]+?(?=\g<{group}>)")
    return ways


def name_group(cut: str) -> str:
    """Return a name for a group that the base's expression does not have."""
    return next(name for name in (f"bare{i}" for i in range(1000)) if f"<{name}>" not in cut)


def extend_spec(base: Base, forms: Sequence[str]) -> Spec:
    """Return the base with an id for each of `forms`, behind all ids that there are.

    None of them may be a piece already (`drop_known`). TokenizerError where a piece of the base
    would come out otherwise.
    """
    pieces = base.tokenizer.pieces
    new = {piece: len(pieces) + i for i, piece in enumerate(map(base.spell, forms))}
    cut = split("|".join([*match_forms(base, forms), *([base.cut] if base.cut else [])]))
    extended = dict(base.spec)
    extended["pre_tokenizer"] = sequence("pretokenizers", [*base.before, cut, *base.after])
    extended["model"] = _extend_model(base, new)
    extended["decoder"] = keep_spaces(base.spec.get("decoder"))
    return extended


def keep_spaces(decoder: Spec | None) -> Spec | None:
    """Return a decoder that takes one space from the start: Metaspace takes all of a token."""
    if not decoder or decoder.get("type") != "Metaspace":
        return decoder
    steps: list[Spec] = [write_step(MARK, " "), {"type": "Fuse"}]
    if decoder.get("prepend_scheme", "always") != "never":
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return sequence("decoders", steps)


def drop_known(base: Base, forms: Sequence[str]) -> list[str]:
    """Return the forms that are no piece of the base yet, each once."""
    known = set(base.tokenizer.pieces)
    written = {base.spell(form): form for form in forms}
    return [form for piece, form in written.items() if piece not in known]


def _extend_model(base: Base, new: Mapping[str, int]) -> Spec:
    """Return the model with more entries. Added tokens get entries too, so that no id moves."""
    model, pieces = dict(base.spec["model"]), base.tokenizer.pieces
    if model["type"] == "Unigram":
        known = [piece for piece, _ in model["vocab"]]
        added = [[piece, -1e9] for piece in pieces[len(known) :]]
        model["vocab"] = [*model["vocab"], *added, *([piece, 0.0] for piece in new)]
        return model
    lost = [] if model.get("ignore_merges") else find_unmerged(base)
    if lost:
        raise TokenizerError(
            f"{len(lost):,} pieces of its vocabulary, such as {lost[0]!r}, are never made by its "
            "merges and would be from now on",
            where=str(base.tokenizer.path),
            cure="Train a new tokenizer instead of extending this one",
        )
    holes = {piece: number for number, piece in enumerate(pieces) if piece}
    model["vocab"] = {**holes, **model["vocab"], **new}
    model["ignore_merges"] = True
    return model


def find_unmerged(base: Base) -> list[str]:
    """Return the pieces of a BPE that its merges do not make of their own text."""
    from tokenizers import Tokenizer

    model = base.spec["model"]
    bare = {"model": model | {"ignore_merges": False}}
    whole = {"model": model | {"ignore_merges": True}}
    added = {token["content"] for token in base.spec.get("added_tokens", [])}
    apart = added | (set(BYTES) if model.get("byte_fallback") else set())
    pieces = [piece for piece in model["vocab"] if piece and piece not in apart]
    merged, looked_up = (
        [e.ids for e in Tokenizer.from_str(json.dumps(spec)).encode_batch_fast(pieces)]
        for spec in (bare, whole)
    )
    return [
        piece for piece, ids, wanted in zip(pieces, merged, looked_up, strict=True) if ids != wanted
    ]


def count_forms(base: Base, batches: Batches, forms: Sequence[str]) -> np.ndarray:
    """Return how often each form stands in a corpus, int64 (forms,)."""
    from tokenizers import Tokenizer

    written = {form.replace(" ", base.space): number for number, form in enumerate(forms)}
    only = split("|".join(match_forms(base, forms)[:2]), "Removed") | {"invert": True}
    spec = {
        "model": {"type": "WordLevel", "vocab": {**written, "": len(written)}, "unk_token": ""},
        "normalizer": base.spec.get("normalizer"),
        "pre_tokenizer": sequence("pretokenizers", [*base.before, only]),
    }
    counter = Tokenizer.from_str(json.dumps(spec))
    counts = np.zeros(len(written) + 1, np.int64)
    for batch in batches():
        found = counter.encode_batch_fast(batch, add_special_tokens=False)
        ids = np.concatenate([np.zeros(0, np.int64), *(np.array(e.ids, np.int64) for e in found)])
        counts += np.bincount(ids, minlength=len(counts))
    return counts[:-1]


def extend_model(content: bytes, symbols: Iterable[str]) -> bytes:
    """Return a SentencePiece model with more user-defined symbols behind all pieces there are."""
    proto = parse_model(content)
    known = {entry.piece for entry in proto.pieces}
    user_defined = 4
    for symbol in symbols:
        if symbol not in known:
            proto.pieces.add(piece=symbol, score=0.0, type=user_defined)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return bytes(proto.SerializeToString())
