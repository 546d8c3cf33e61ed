"""Text to a profile: of what class is it, and what is one thing in it?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import regex

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

    def fold(self, text: str) -> str:
        """Return `text` in one Unicode form, trimmed, with its case and its white space folded.

        >>> PROFILES["words"].fold("тиШинажАр "), PROFILES["words"].fold("При  Δ41")
        ('тишинажар', 'при δ41')
        >>> PROFILES["code"].fold("x  = Y ")
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
        """Return the canonical form of an atom, or itself where nothing is left.

        Words are folded; what its capitals tell, a formula, a marker or a code node, keeps them.

        >>> [PROFILES["words"].spell(atom) for atom in ("Жар", "Δ41", "_RESO_", "VXS_ΔC1:R8K")]
        ['жар', 'Δ41', '_RESO_', 'VXS_ΔC1:R8K']
        """
        if self.folds_case and not text.isalpha() and is_cased(text):
            return fold(text, case=False)
        return self.fold(text) or text


# What tells that an atom is no word but a name of its own: all expressions of a way are in it. Read
# by Python's and by Rust's library.
MARKER = (r"^_+\p{Lu}[\p{Lu}\d_]*_$",)
# Two capitals in a row, or a colon, with digits: `VXS_ΔC1:R8K`; a variable `A_1` is a word
JOINED = (r"^[^/]+:[^/]+$",)  # a colon stands inside where capitals say so
NODE = (r"^\p{Lu}[\p{Lu}\d_:]+$", r"\d", "[_:]", r"\p{Lu}{2}|:")
SCRIPTS = "\u2080-\u208e\u2070¹²³\u2074-\u2079"  # digits and signs below and above the line
_GREEK, _NUMBER = "[\\p{Greek}\U0001d400-\U0001d7cb]", "[\\d\\p{No}]"
FORMULAS = ((f"^{_GREEK}{_NUMBER}+$",), (r"^\p{L}∞$",), (r"^\p{Lu}", f"[{SCRIPTS}]"))
MAY_BE_CASED = rf"[∞_{SCRIPTS}]|{_GREEK}{_NUMBER}|\S:\S"  # a text without this holds none of them


def is_cased(atom: str) -> bool:
    """Say whether an atom keeps its case: a formula, a marker or a code node.

    >>> [is_cased(atom) for atom in ("H₂O", "x²", "A_1", "_THRESHOLD_")]
    [True, False, False, True]
    """
    ways = MARKER, NODE, JOINED, *FORMULAS
    return any(all(regex.search(part, atom) for part in way) for way in ways)


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
