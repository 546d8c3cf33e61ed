"""Texts to ids, guarded: what does a stranger's tokenizer make of them, where does it fail?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from miner.errors import TokenizerError
from miner.tokenizer.reading.loading import LoadedTokenizer

CHUNK = 4096  # texts that are cut at a time, once the first have come out well
GROWTH = 64  # tokens that a character may become
SPARE = 1000  # and that any text may have besides

Result = TypeVar("Result")


def cut_texts(tokenizer: LoadedTokenizer, texts: Sequence[str]) -> list[np.ndarray | None]:
    """Return the ids of each text, None where the tokenizer fails on it.

    TokenizerError where a text becomes absurdly many tokens: chained replacements turn ten
    characters into millions. So the first texts are cut one by one, then more at a time.
    """
    cut: list[np.ndarray | None] = []
    size = 1
    while len(cut) < len(texts):
        chunk = list(texts[len(cut) : len(cut) + size])
        encoded = _try_each(tokenizer.encode, chunk)
        for text, ids in zip(chunk, encoded, strict=True):
            if ids is not None and len(ids) > GROWTH * len(text) + SPARE:
                raise TokenizerError(
                    f"turns {len(text):,} characters into {len(ids):,} tokens",
                    where=str(tokenizer.path),
                    cure="Such a file does harm: do not use it",
                )
        cut += encoded
        size = min(size * 2, CHUNK)
    return cut


def write_texts(tokenizer: LoadedTokenizer, ids: Sequence[np.ndarray | None]) -> list[str | None]:
    """Return the text of each list of ids, None where there is none or the tokenizer fails."""
    known = [i for i, numbers in enumerate(ids) if numbers is not None]
    written = _try_each(tokenizer.decode, [ids[i] for i in known])
    texts: list[str | None] = [None] * len(ids)
    for i, text in zip(known, written, strict=True):
        texts[i] = text
    return texts


def _try_each(
    work: Callable[[Sequence[Any]], list[Result]], arguments: Sequence[Any]
) -> list[Result | None]:
    """Return the result of each argument, None where the work fails on it alone."""
    try:
        return [*work(arguments)]
    except TokenizerError:
        if len(arguments) < 2:
            return [None] * len(arguments)
    half = len(arguments) // 2
    return _try_each(work, arguments[:half]) + _try_each(work, arguments[half:])
