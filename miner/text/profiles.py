"""Text to a profile: of what class is it, and what is one thing in it?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from miner.text import pretokenization as kernel
from miner.text.unicode import (
    APOSTROPHE,
    CLASS,
    COLON,
    HYPHEN,
    POINT,
    PUNCTUATION,
    SIGN,
    class_table,
)

MARKED = 0.8  # of what is not white space: there are no words to speak of
MOLECULAR = 0.95  # of the lines begin with a molecule; one may be a head, or torn
SMILES = re.compile(
    r"(?:\[[^\[\]\s]{1,40}\]|Br|Cl|[BCNOPSFIbcnops]|%\d\d|[-()=#$:/\\.~*\d])+"
)  # http://opensmiles.org/opensmiles.html


@dataclass(frozen=True)
class Profile:
    """How one class of text is cut, and what its canonical form keeps."""

    name: str
    rules: int
    folds_case: bool
    keeps_space: bool
    summary: str

    def normalize(self, text: str) -> str:
        """Return the canonical form of `text`: the identity of a unit.

        >>> PROFILES["words"].normalize("тиШинажАр ")
        'тишинажар'
        >>> PROFILES["code"].normalize("x  = Y ")
        'x  = Y'
        """
        if self.name == "bytes":
            return text
        return (
            fold(text, case=self.folds_case)
            if self.keeps_space
            else " ".join(fold(text, case=self.folds_case).split())
        )

    def spell(self, text: str) -> str:
        """Return the text of an atom: its canonical form, or itself where nothing is left."""
        return self.normalize(text) or text


def fold(text: str, *, case: bool, trim: bool = True) -> str:
    """Return `text` in NFC and, where `case` folds, in full Unicode case folding, trimmed.

    Cherokee, which folds to its capitals, is made lower case as all other scripts: tokenizers can.
    """
    if text.isascii():
        folded = text.lower() if case else text
        return folded.strip() if trim else folded
    if case:  # from the decomposed form, as Unicode defines caseless matching
        text = unicodedata.normalize("NFD", text).casefold().lower()
    folded = unicodedata.normalize("NFC", text)
    return folded.strip() if trim else folded


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("words", kernel.WORDS, True, False, "words and signs; punctuation stops a run"),
        Profile("transliteration", kernel.SPACED_OUT, False, False, "what stands between spaces"),
        Profile("code", kernel.CODE, False, True, "names, numbers and every punctuation mark"),
        Profile("symbols", kernel.SIGNS, False, True, "every character by itself"),
        Profile("molecules", kernel.MOLECULES, False, True, "SMILES: every element and bond"),
        Profile("bytes", -1, False, True, "every byte by itself"),
    )
}


def share_marks(kinds: np.ndarray) -> float:
    """Return the share of classes of characters that are punctuation of any sort."""
    return float(np.isin(kinds, (APOSTROPHE, COLON, HYPHEN, POINT, PUNCTUATION)).mean())


def detect_profile(sample: bytes) -> Profile:
    """Name the profile that fits a sample of a text corpus, by what its characters are.

    Molecules: lines of SMILES. Symbols: hardly any white space, and no script that does without
    it. Code: structural marks make up 4% of what is not white space, or marks of any sort
    (`MARKED`). Transliteration: a third of the words have joints (`a-na`, `n.t`, `{d}`) inside;
    packed nodes (`VXS_ΔC1:R8K`) are no such words.
    """
    text = sample.decode("utf-8", "ignore")
    solid = re.sub(r"\s+", "", text)
    if not solid:
        return PROFILES["words"]
    points = np.frombuffer(solid.encode("utf-32-le"), np.uint32)
    kinds = class_table()[points] & CLASS
    signs = float((kinds == SIGN).mean())
    words = text.split()
    joints = count_joints(text) / len(words)
    if share_marks(kinds) > MARKED:
        return PROFILES["code"]
    marks = len(re.findall(r"[{}<>\"=_|&;:*$^%~`\\]", solid)) / len(solid)
    brackets = len(re.findall(r"[\[\]()/+#@]", solid)) / len(solid)
    if signs > 0.3:
        return PROFILES["code" if marks + brackets > 0.04 else "words"]
    if share_smiles(text) >= MOLECULAR:
        return PROFILES["molecules"]
    if len(solid) / len(words) > 15 and '"' not in solid:
        return PROFILES["symbols"]
    if joints > 0.33 and '"' not in solid:
        return PROFILES["transliteration"]
    return PROFILES["code" if marks + brackets > 0.05 else "words"]


def share_smiles(text: str) -> float:
    """Return the share of lines that are, or begin with, a molecule in SMILES.

    0 where few of these have a bond or a ring.

    >>> share_smiles("CC(=O)O acid\\nC[N+](C)(C)C\\n"), share_smiles("COIN\\nSPIN")
    (1.0, 0.0)
    """
    first = [line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip()]
    molecules = [word for word in first if SMILES.fullmatch(word)]
    bonded = sum(not word.isalpha() and any(map(str.isalpha, word)) for word in molecules)
    return len(molecules) / len(first) if 2 * bonded >= len(first) > 0 else 0.0


def count_joints(text: str) -> int:
    """Count the joints inside words that have no `_`; none is before a digit.

    >>> count_joints("a-na {d}en-lil2 n.t VXS_ΔC1:R8K"), count_joints("2024-01-05 12:00 worker-3")
    (4, 0)
    """
    words = re.sub(r"(?<!\S)[^\s_]*+_\S*", " ", text)  # linear: a word is tried once
    return len(re.findall(r"\w[-.=⸗:{}()<>]+[^\W0-9]|[{(<⸗]\w+[})>]\w|⸗\w", words))
