"""Pieces to those that no text becomes: which tokens are dead, or hidden behind others?

Each piece is written as text and cut, alone, in a sentence and inside words. That tries what the
library does, whatever its rules; a piece that needs another neighbourhood is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from miner.report.screen import tell_count
from miner.tokenizer.diffing.cuts import cut_texts, write_texts
from miner.tokenizer.diffing.findings import Finding
from miner.tokenizer.diffing.ids import list_added, show_pieces
from miner.tokenizer.diffing.sides import Side

TRIED = 10_000  # new pieces, and old ones, at even distances
CONTEXTS = ("{}", "a {} a", "a{}")  # by which most pieces come up
OTHERS = (
    "({})",
    "a{}a",
    "z{}",
    "q{}q",
    "{0}{0}",
    "0{}0",
    "-{}-",
    "'{}'",
    ", {},",
    "ж{}",
    "中{}中",
    "☔{}☔",
    "\n{}\n",
    "  {}  ",
)  # tried for the rest
SILENT = ("CONTROL", "UNUSED", "UNKNOWN", "BYTE")  # types that never come from text, by design
LETTERS = {
    **{chr(byte): byte for byte in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))}
}
LETTERS |= {
    chr(0x100 + i): byte
    for i, byte in enumerate(byte for byte in range(256) if chr(byte) not in LETTERS)
}


def find_dead(old: Side, new: Side) -> list[Finding]:
    """Return new pieces that do not come out of their own text, and old ones that did before."""
    added = _spread(list_added(old, new))
    common = _spread([piece for piece in new.places if piece in old.places])
    silent = _find_silent(new, [*added, *common])
    dead = [piece for piece in added if piece in silent]
    gone = [piece for piece in common if piece in silent]
    before = _find_silent(old, gone)
    died = [piece for piece in gone if piece not in before]
    tried = f"of {tell_count(len(added), 'new piece')} tried"
    told = [
        Finding(
            "warn",
            "dead",
            f"{tell_count(len(dead), 'piece')} {tried} did not come out of text",
            "it is hidden behind another token, or the rules never make it: its row is never used",
            "Leave it away, or see that merges, scores or flags let it through",
            len(dead),
            show_pieces(dead, new),
        ),
        Finding(
            "warn",
            "died",
            f"{tell_count(len(died), 'old piece')} of "
            f"{len(common):,} tried no longer come out of text",
            "they keep their ids, but their words come apart into other pieces",
            "See which step or merge in front of them is new or was lost",
            len(died),
            show_pieces(died, new),
        ),
    ]
    return [finding for finding in told if finding.count]


def _spread(pieces: Sequence[str]) -> list[str]:
    """Return at most `TRIED` pieces at even distances."""
    if len(pieces) <= TRIED:
        return list(pieces)
    places = np.linspace(0, len(pieces) - 1, TRIED).astype(np.int64)
    return [pieces[place] for place in places.tolist()]


def _find_silent(side: Side, pieces: Sequence[str]) -> set[str]:
    """Return the pieces that none of the texts tried becomes."""
    numbers = [np.array([side.places[piece]], np.int64) for piece in pieces]
    written = write_texts(side.tokenizer, numbers) if pieces else []
    spelled = {
        piece: texts
        for piece, text in zip(pieces, written, strict=True)
        if (texts := list_spellings(side, piece, text))
    }
    for contexts in (CONTEXTS, OTHERS):
        heard = _hear_pieces(side, spelled, contexts)
        spelled = {piece: texts for piece, texts in spelled.items() if piece not in heard}
    return set(spelled)


def _hear_pieces(
    side: Side, spelled: Mapping[str, Sequence[str]], contexts: Sequence[str]
) -> set[str]:
    """Return the pieces that come up in one of the contexts, or on which the tokenizer fails."""
    tried = [
        (piece, context.format(text))
        for piece, texts in spelled.items()
        for text in texts
        for context in contexts
    ]
    cut = cut_texts(side.tokenizer, [text for _, text in tried])
    return {
        piece
        for (piece, _), ids in zip(tried, cut, strict=True)
        if ids is None or side.places[piece] in ids
    }


def list_spellings(side: Side, piece: str, written: str | None) -> list[str]:
    """Return the texts in which a piece should come up, none where it never comes from text."""
    if side.types.get(piece) in SILENT or piece == side.unknown or not piece:
        return []
    if piece in side.added:
        return [piece]
    if piece.startswith("<0x") and piece.endswith(">"):
        return []
    spelled = _spell(side, piece)
    return [text for text in dict.fromkeys((spelled, written)) if text and "\ufffd" not in text]


def _spell(side: Side, piece: str) -> str | None:
    """Return the text of a piece: bytes for letters, spaces for ▁, no mark of a word's part."""
    if "ByteLevel" in str(side.parts.get("pre_tokenizer")) and all(c in LETTERS for c in piece):
        return bytes(LETTERS[letter] for letter in piece).decode("utf-8", "replace")
    prefix = side.model.get("continuing_subword_prefix") or ""
    suffix = side.model.get("end_of_word_suffix") or ""
    bare = piece.removeprefix(prefix).removesuffix(suffix)
    return bare.replace("▁", " ")
