"""The peers of `superwords`: how each is trained, and how its options are settled.

A peer is `train_<name>(train, size, folder) -> encoder`. It learns from documents of about 4 KB and
settles its options on a slice of the training text, never on the test.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import read_cpu_seconds
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer

DOCUMENT = 4096  # bytes
SLICES = ((0.20, 0.23), (0.97, 1.0))  # of the training lines: options are chosen on them

# The split of o200k_base, without contractions, which are English
WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# The split of SuperBPE's second stage: digits and runs of punctuation stand alone, spaces do not
SUPERWORDS = r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)"
SPACES = r" ?[^ ]+| +"

SWITCHES = (0.15, 0.25, 0.4, 0.6, 0.8)  # of the ids: where words end and superwords begin
SURPLUS = 1.3  # merges learned for each one wanted: longer superwords than allowed are left out
MOST_WORDS = (4, None)  # 4 as in Liu et al. 2025
PRIVATE = 0xF0000  # the first private-use character of plane 15, which has 65,534
UNLIKELY = -30.0  # the score of a byte where a character has no piece

Spec = dict[str, Any]
Train = Callable[[Sequence[str], int], bytes]  # texts and ids to the bytes of a tokenizer file


def write_changed(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, and not where it holds the same already."""
    if file.exists() and file.read_bytes() == content:
        return
    unfinished = file.with_name(file.name + ".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(file)


def cut_documents(lines: Iterable[str], least: int = DOCUMENT) -> Iterator[str]:
    """Join consecutive lines to documents of `least` bytes or a little more."""
    part: list[str] = []
    length = 0
    for line in lines:
        part.append(line)
        length += len(line.encode())
        if length >= least:
            yield "".join(part)
            part, length = [], 0
    if part:
        yield "".join(part)


def read_lines(path: Path) -> list[str]:
    """The lines of a plain text file with their ends, which are `\\n` and nothing else."""
    return [
        f"{line}\n" for line in path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    ]


def read_documents(path: Path) -> list[str]:
    """The documents of a plain text file, line ends included."""
    return list(cut_documents(read_lines(path)))


def cut_slice(path: Path) -> tuple[list[str], list[str]]:
    """Lines of the training text to learn from, and those on which options are chosen."""
    lines = read_lines(path)
    at = np.arange(len(lines)) / len(lines)
    chosen = np.logical_or.reduce([(low <= at) & (at < high) for low, high in SLICES])
    learned = [line for line, held in zip(lines, chosen, strict=True) if not held]
    return learned, [line for line, held in zip(lines, chosen, strict=True) if held]


def name_file(content: bytes) -> str:
    """What a tokenizer file is called in a folder."""
    return "tokenizer.json" if content[:1] == b"{" else "tokenizer.model"


def save_tokenizer(content: bytes, folder: Path) -> LoadedTokenizer:
    """Write a tokenizer into a folder and load it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_changed(folder / name_file(content), content)
    return load_tokenizer(folder)


def choose_and_train(
    trials: dict[str, Train], train: Path, size: int, folder: Path
) -> LoadedTokenizer:
    """Train on all of the text with the options that are best on a slice of it.

    `chosen` in the folder tells which, `cpu_seconds` what this last training took.
    """
    found = (
        try_options(trials, train, size, folder) if len(trials) > 1 else dict.fromkeys(trials, 0)
    )
    chosen = max(found, key=found.__getitem__)
    (folder / "chosen").write_text(chosen)
    cpu = read_cpu_seconds()
    content = trials[chosen](read_lines(train), size)
    (folder / "cpu_seconds").write_text(f"{read_cpu_seconds() - cpu:.1f}")
    return save_tokenizer(content, folder)


def try_options(trials: dict[str, Train], train: Path, size: int, folder: Path) -> dict[str, float]:
    """Bytes per token of each trial on the slice, kept in `trials.json` of the folder."""
    report = folder / "trials.json"
    found: dict[str, float] = json.loads(report.read_text()) if report.exists() else {}
    learned, held = cut_slice(train)
    documents = list(cut_documents(held))
    for name, learn in trials.items():
        if name not in found:
            with tempfile.TemporaryDirectory() as place:
                tried = save_tokenizer(learn(learned, size), Path(place))
            found[name] = bytes_per_token(tried, documents)
            write_changed(report, json.dumps(found, indent=1).encode())
            print(f"  {folder.name}: {name}: {found[name]:.4f}", file=sys.stderr, flush=True)
    return {name: found[name] for name in trials}


def bytes_per_token(encoder: LoadedTokenizer, documents: Sequence[str]) -> float:
    """How long a token is, on average."""
    tokens = sum(len(ids) for ids in encoder.encode(documents))
    return sum(len(document.encode()) for document in documents) / tokens


# --- Hugging Face


def byte_level(model: Any, pattern: str) -> Any:
    """A byte-level tokenizer of `tokenizers` that cuts a text by a pattern first."""
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def learn_bpe(lines: Sequence[str], size: int) -> bytes:
    """Byte-level BPE inside the words of o200k_base."""
    from tokenizers import models, pre_tokenizers, trainers

    tokenizer = byte_level(models.BPE(), WORDS)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(cut_documents(lines), trainer)
    return str(tokenizer.to_str()).encode()


def learn_byte_unigram(lines: Sequence[str], size: int, *, pattern: str) -> bytes:
    """Byte-level Unigram; 32 letters a piece, since a Cyrillic letter is two."""
    from tokenizers import models, pre_tokenizers, trainers

    tokenizer = byte_level(models.Unigram(), pattern)
    trainer = trainers.UnigramTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_piece_length=32,
        show_progress=False,
    )
    tokenizer.train_from_iterator(cut_documents(lines), trainer)
    return str(tokenizer.to_str()).encode()


def learn_marked_unigram(lines: Sequence[str], size: int) -> bytes:
    """Unigram over characters, `▁` for a space, 256 bytes for what has no piece."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    unseen = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.UnigramTrainer(
        vocab_size=size,
        special_tokens=unseen,
        unk_token="<unk>",  # noqa: S106
        show_progress=False,
    )
    tokenizer.train_from_iterator(cut_documents(lines), trainer)
    spec = json.loads(tokenizer.to_str())
    scores = {
        name: (UNLIKELY if name in unseen else score) for name, score in spec["model"]["vocab"]
    }
    spec["model"] |= {"byte_fallback": True, "vocab": [list(entry) for entry in scores.items()]}
    # As added tokens they would be found in the text "<0x41>"
    spec["added_tokens"] = []
    return json.dumps(spec, ensure_ascii=False).encode()


def train_hf_bpe(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """Hugging Face BPE, byte-level, with the words of o200k_base."""
    return choose_and_train({"o200k words": learn_bpe}, train, size, folder)


def train_hf_unigram(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """Hugging Face Unigram: byte-level or characters with byte fallback, whichever is best."""
    trials: dict[str, Train] = {
        "byte-level, o200k words": partial(learn_byte_unigram, pattern=WORDS),
        "byte-level, cut at spaces": partial(learn_byte_unigram, pattern=SPACES),
        "Metaspace, byte fallback": learn_marked_unigram,
    }
    return choose_and_train(trials, train, size, folder)


# --- SentencePiece


def learn_sentencepiece(lines: Sequence[str], size: int, *, whole: bool, **options: Any) -> bytes:
    """A SentencePiece model that gives each text back.

    `whole`: it sees documents with the line ends in them; else single lines, and then a line end
    costs a byte token of its own.
    """
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=cut_documents(lines) if whole else iter(lines),
        model_writer=model,
        vocab_size=size,
        normalization_rule_name="identity",
        byte_fallback=True,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        bos_id=-1,
        eos_id=-1,
        max_sentence_length=1 << 20,
        num_threads=2,
        minloglevel=2,
        **options,
    )
    return model.getvalue()


def vary_sentencepiece(variants: dict[str, dict[str, Any]], **options: Any) -> dict[str, Train]:
    """SentencePiece with the same options and each variant of the others."""
    return {
        name: partial(learn_sentencepiece, **options, **variant)
        for name, variant in variants.items()
    }


def train_sp_bpe(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """SentencePiece BPE inside words."""
    variants = {"lines": {"whole": False}, "documents": {"whole": True}}
    return choose_and_train(vary_sentencepiece(variants, model_type="bpe"), train, size, folder)


def train_sp_unigram(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """SentencePiece Unigram inside words."""
    variants = {"lines": {"whole": False}, "documents": {"whole": True}}
    trials = vary_sentencepiece(variants, model_type="unigram")
    return choose_and_train(trials, train, size, folder)


def train_sp_bpe_across(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """SentencePiece BPE across spaces; also across letters and punctuation, where that is best."""
    variants: dict[str, dict[str, Any]] = {
        "documents, scripts apart": {"whole": True},
        "documents": {"whole": True, "split_by_unicode_script": False},
        "lines": {"whole": False, "split_by_unicode_script": False},
        "documents, 16 letters": {
            "whole": True,
            "split_by_unicode_script": False,
            "max_sentencepiece_length": 16,
        },
    }
    across: dict[str, Any] = {"split_by_whitespace": False, "max_sentencepiece_length": 64}
    trials = vary_sentencepiece(
        {name: across | variant for name, variant in variants.items()}, model_type="bpe"
    )
    return choose_and_train(trials, train, size, folder)


def train_sp_unigram_across(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """SentencePiece Unigram across spaces; one set of options, since it takes long."""
    variants = {"documents": {"whole": True, "split_by_unicode_script": False}}
    trials = vary_sentencepiece(
        variants, model_type="unigram", split_by_whitespace=False, max_sentencepiece_length=64
    )
    return choose_and_train(trials, train, size, folder)


# --- SuperBPE


def read_merges(spec: Spec) -> list[tuple[str, str]]:
    """The merges of a BPE model, first learned first."""
    return [(left, right) for left, right in spec["model"]["merges"]]


def name_merges(merges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The vocabulary of byte-level merges: 256 letters, then each new piece once."""
    from tokenizers import pre_tokenizers

    vocabulary = {
        letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))
    }
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    return vocabulary


def apply_merges(merges: Sequence[tuple[str, str]], pattern: str) -> Any:
    """A byte-level BPE tokenizer with these merges."""
    from tokenizers import models

    return byte_level(models.BPE(vocab=name_merges(merges), merges=list(merges)), pattern)


def spell_privately(lines: Sequence[str], words: Any) -> Iterator[str]:
    """Each stretch that superwords may fill, with a private-use character for each word piece."""
    from tokenizers import Regex, pre_tokenizers

    cut = pre_tokenizers.Split(Regex(SUPERWORDS), "isolated")
    for document in cut_documents(lines):
        parts = [part for part, _ in cut.pre_tokenize_str(document)]
        for encoding in words.encode_batch_fast(parts):
            if len(encoding.ids) > 1:
                yield "".join(chr(PRIVATE + number) for number in encoding.ids)


def learn_superwords(
    lines: Sequence[str], size: int, merges: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Merges of the second stage, more than are wanted: stock BPE over the pieces of the first."""
    from tokenizers import Tokenizer, models, trainers

    words = apply_merges(merges, WORDS)
    pieces = {chr(PRIVATE + number): piece for piece, number in words.get_vocab().items()}
    tokenizer = Tokenizer(models.BPE())
    wanted = len(pieces) + int((size - len(pieces)) * SURPLUS)
    trainer = trainers.BpeTrainer(vocab_size=wanted, show_progress=False)
    tokenizer.train_from_iterator(spell_privately(lines, words), trainer)
    learned = read_merges(json.loads(tokenizer.to_str()))
    return [
        ("".join(map(pieces.__getitem__, left)), "".join(map(pieces.__getitem__, right)))
        for left, right in learned
    ]


def count_words(piece: str) -> int:
    """How many words a byte-level piece touches: `Ġof Ġthe` -> 2, `Ġof` -> 1."""
    return sum(bool(word) for word in piece.split("Ġ"))


def keep_merges(
    merges: Sequence[tuple[str, str]],
    learned: Iterable[tuple[str, str]],
    size: int,
    most_words: int | None,
) -> list[tuple[str, str]]:
    """The first stage's merges and the second's, until there are `size` ids.

    With `most_words`, the paper's two rules: no superword of more words, none across `: `. A merge
    whose half was left out is left out too.
    """
    kept = list(merges)
    pieces = set(name_merges(merges))
    for left, right in learned:
        if len(pieces) >= size:
            break
        piece = left + right
        refused = most_words is not None and (count_words(piece) > most_words or ":Ġ" in piece)
        if not refused and left in pieces and right in pieces:
            kept.append((left, right))
            pieces.add(piece)
    return kept


@dataclass
class SuperwordStages:
    """The first stage of a text, and the last second stage: trials that differ less share them."""

    key: int = 0
    words: list[tuple[str, str]] | None = None
    switch: int = 0
    learned: list[tuple[str, str]] | None = None

    def learn(
        self, lines: Sequence[str], size: int, *, share: float, most_words: int | None
    ) -> bytes:
        """SuperBPE that switches to superwords at a share of the ids."""
        key = zlib.crc32("".join(lines).encode())
        if self.words is None or key != self.key:
            self.words = read_merges(json.loads(learn_bpe(lines, size)))
            self.key, self.learned = key, None
        switch = int(size * share)
        merges = self.words[: switch - 256]
        if self.learned is None or switch != self.switch:
            self.learned, self.switch = learn_superwords(lines, size, merges), switch
        kept = keep_merges(merges, self.learned, size, most_words)
        return str(apply_merges(kept, SUPERWORDS).to_str()).encode()


def train_superbpe(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """SuperBPE (Liu et al. 2025), two stages of stock BPE; the best switch point and limit."""
    stages = SuperwordStages()
    trials: dict[str, Train] = {
        f"switch at {int(size * share):,}, {most or 'any number of'} words": partial(
            stages.learn, share=share, most_words=most
        )
        for share in SWITCHES
        for most in MOST_WORDS
    }
    return choose_and_train(trials, train, size, folder)


# --- the same vocabularies, cut into the fewest pieces


def cut_fewest(spec: Spec) -> Spec:
    """A Unigram model of equal scores over the pieces of a BPE model: the shortest path."""
    vocabulary: dict[str, int] = spec["model"]["vocab"]
    entries = [[piece, -1.0] for piece in sorted(vocabulary, key=vocabulary.__getitem__)]
    model = {"type": "Unigram", "unk_id": None, "byte_fallback": False, "vocab": entries}
    return spec | {"model": model}


def train_from(peer: str, train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """The vocabulary of a peer in the folder beside, cut into the fewest pieces."""
    trained = folder.parent / peer
    if not (trained / "tokenizer.json").exists():
        PEERS[peer](train, size, trained)
    spec = json.loads((trained / "tokenizer.json").read_text(encoding="utf-8"))
    (folder / "chosen").write_text(f"the vocabulary of {peer}")
    return save_tokenizer(json.dumps(cut_fewest(spec), ensure_ascii=False).encode(), folder)


def train_hf_bpe_fewest(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """The vocabulary of `hf_bpe`, cut into the fewest pieces."""
    return train_from("hf_bpe", train, size, folder)


def train_superbpe_fewest(train: Path, size: int, folder: Path) -> LoadedTokenizer:
    """The vocabulary of `superbpe`, cut into the fewest pieces."""
    return train_from("superbpe", train, size, folder)


PEERS: dict[str, Callable[[Path, int, Path], LoadedTokenizer]] = {
    "hf_bpe": train_hf_bpe,
    "superbpe": train_superbpe,
    "hf_unigram": train_hf_unigram,
    "sp_bpe": train_sp_bpe,
    "sp_unigram": train_sp_unigram,
    "sp_bpe_across": train_sp_bpe_across,
    "sp_unigram_across": train_sp_unigram_across,
    "hf_bpe_fewest": train_hf_bpe_fewest,
    "superbpe_fewest": train_superbpe_fewest,
}
INFORMATION = ("hf_bpe_fewest", "superbpe_fewest")
NAMES = {
    "hf_bpe": "HF BPE",
    "superbpe": "SuperBPE, two stages",
    "hf_unigram": "HF Unigram",
    "sp_bpe": "SentencePiece BPE",
    "sp_unigram": "SentencePiece Unigram",
    "sp_bpe_across": "SentencePiece BPE, across spaces",
    "sp_unigram_across": "SentencePiece Unigram, across spaces",
    "hf_bpe_fewest": "HF BPE, fewest pieces (info)",
    "superbpe_fewest": "SuperBPE, fewest pieces (info)",
}
NOT_HERE = (
    "TokenMonster 1.1.12: no row. The package on PyPI is a client without a trainer: it fetches "
    "its server and vocabularies from a model hub when it runs, and the trainer is a Go program "
    "that no package registry carries."
)
