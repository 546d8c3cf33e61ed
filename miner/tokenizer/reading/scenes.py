"""Several scenes to one sequence and back: `[SCN]жартишина[SEP]входдрожь`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from miner.errors import TokenizerError
from miner.tokenizer.reading.loading import LoadedTokenizer

SCENE, SEPARATOR = "[SCN]", "[SEP]"


def write_scenes(scenes: Sequence[str]) -> str:
    """Return the scenes as one text, as a tokenizer with both signs takes it.

    ValueError where a scene holds a sign itself, or there is none.

    >>> write_scenes(["жартишина", "входдрожь"])
    '[SCN]жартишина[SEP]входдрожь'
    """
    if not scenes:
        raise ValueError("there must be a scene")
    for scene in scenes:
        if SCENE in scene or SEPARATOR in scene:
            raise ValueError(f"a scene may not hold {SCENE} or {SEPARATOR}: {scene!r}")
    return SCENE + SEPARATOR.join(scenes)


def encode_scenes(tokenizer: LoadedTokenizer, scenes: Sequence[str]) -> np.ndarray:
    """Return the ids of scenes in order, with the id of a sign in front and between them.

    Each scene is cut by itself, so that it has the same ids as alone. TokenizerError where the
    tokenizer has no such signs.
    """
    write_scenes(scenes)
    first, between = find_signs(tokenizer)
    parts: list[np.ndarray] = []
    for number, ids in enumerate(tokenizer.encode(scenes)):
        parts += [np.array([between if number else first], np.int64), ids]
    return np.concatenate(parts)


def decode_scenes(tokenizer: LoadedTokenizer, ids: Sequence[int] | np.ndarray) -> list[str]:
    """Return the scenes that `encode_scenes` wrote; TokenizerError where `ids` begin otherwise."""
    first, between = find_signs(tokenizer)
    numbers = np.asarray(ids, np.int64)
    if len(numbers) == 0 or numbers[0] != first:
        raise TokenizerError(
            f"the ids do not begin with {SCENE}",
            where=str(tokenizer.path),
            cure="Give what encode_scenes returned",
        )
    inner = numbers[1:]
    return tokenizer.decode(
        [part[part != between] for part in np.split(inner, np.flatnonzero(inner == between))]
    )


def find_signs(tokenizer: LoadedTokenizer) -> tuple[int, int]:
    """Return the ids of both signs; TokenizerError where one is missing."""
    for sign in (SCENE, SEPARATOR):
        if sign not in tokenizer.pieces:
            raise TokenizerError(
                f"has no token {sign}",
                where=str(tokenizer.path),
                cure="Train it with miner, which adds it, or add it as a special token",
            )
    return tokenizer.pieces.index(SCENE), tokenizer.pieces.index(SEPARATOR)
