"""Small tokenizers of the kinds that people extend, trained on the demo corpus."""

from __future__ import annotations

import json

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from watched import DEMO

LINES = DEMO.read_text(encoding="utf-8").split("\n")
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def make_llama3() -> dict:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return train_bpe(tokenizer)


def train_bpe(tokenizer: Tokenizer, alphabet: list[str] = ALPHABET) -> dict:
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        show_progress=False,
        initial_alphabet=alphabet,
        special_tokens=["<unk>"] if alphabet != ALPHABET else [],
    )
    tokenizer.train_from_iterator(LINES[:800], trainer)
    return json.loads(tokenizer.to_str())


def make_gpt2() -> dict:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return train_bpe(tokenizer)


def make_added() -> dict:
    """As Llama 3 has it: special tokens beyond the vocabulary."""
    tokenizer = Tokenizer.from_str(json.dumps(make_llama3()))
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>"])
    tokenizer.add_tokens(["plainly_added"])
    return json.loads(tokenizer.to_str())


def make_hole() -> dict:
    """An id that nothing uses, and an added token behind it."""
    spec = make_llama3()
    size = len(spec["model"]["vocab"])
    spec["added_tokens"] = [
        {
            "id": size + 3,
            "content": "<|end|>",
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
    ]
    vocabulary = spec["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.get)
    vocabulary[last] = size + 1
    return spec


def make_unigram() -> dict:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=900,
        show_progress=False,
        special_tokens=["<unk>", "<s>"],
        unk_token="<unk>",  # noqa: S106
    )
    tokenizer.train_from_iterator(LINES[:800], trainer)
    return json.loads(tokenizer.to_str())


def make_llama2(*, bytes_too: bool = True) -> dict:
    """No pre-tokenizer: the normalizer writes ▁ for a space; bytes for what is unknown."""
    tokenizer = Tokenizer(
        models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=bytes_too)  # noqa: S106
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    names = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256 if bytes_too else 0))]
    trainer = trainers.BpeTrainer(vocab_size=1000, show_progress=False, special_tokens=names)
    tokenizer.train_from_iterator(LINES[:800], trainer)
    spec = json.loads(tokenizer.to_str())
    spec["pre_tokenizer"] = None
    spec["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    spec["added_tokens"] = spec["added_tokens"][:2]
    return spec
