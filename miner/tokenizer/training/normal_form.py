"""A text to the form that a tokenizer cuts: where does every word look the same?

A word always has a space in front. Where the text has none, a joiner takes it back:

    (united states)   ->   (⁀ united states)        " united states" is one unit in all places
    united states     ->    united states           at the start the space is put, and taken again

So one id serves after a space, a line break, a bracket, and at the start. The joiner belongs to
the mark before it, and costs no token. All of it is undone by the decoder, byte for byte; a text
that holds the signs themselves is written with a sign behind. In canonical mode the text is
folded first, as the profile of the run says: NFC, case, white space.

The same is said in the words of `tokenizer.json`, as data: nothing of miner is needed to cut.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from miner.text.pretokenization import ELIDED, VOWEL
from miner.text.profiles import PROFILES, Profile
from miner.text.unicode import CLASS, KATAKANA, SIGN, class_table
from miner.tokenizer.training.capitals import CAPITAL

JOINER = "⁀"  # U+2040; a space behind it: none stands here in the text
LITERAL = JOINER + "⁁"  # the joiner itself, as a character of the text
LITERAL_MARK = JOINER + "⁂"  # ▁ itself, where ▁ stands for a space
LITERAL_CAPITAL = JOINER + "⁄"  # ⇧ itself, where ⇧ stands for a capital
WHOLE = JOINER + "⁃"  # in front of a word that is a unit by itself, for models without merges
CODES = "".join(sign[1] for sign in (LITERAL, LITERAL_MARK, LITERAL_CAPITAL, WHOLE))
MARK = "▁"

# White space as `str.split` knows it, as the inside of a class.
WHITE = (
    r"\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}"
    r"\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
APOSTROPHES, HYPHENS = "'’ʼ", "-‐‑"
# What full case folding does beside lower case, after NFD: the rest of the Unicode table.
FOLDS = {
    "\u0345": "ι", "µ": "μ", "ß": "ss", "ŉ": "ʼn", "ſ": "s", "ς": "σ", "ϐ": "β", "ϑ": "θ",
    "ϕ": "φ", "ϖ": "π", "ϰ": "κ", "ϱ": "ρ", "ϵ": "ε", "և": "եւ", "ᲀ": "в", "ᲁ": "д", "ᲂ": "о",
    "ᲃ": "с", "ᲄ": "т", "ᲅ": "т", "ᲆ": "ъ", "ᲇ": "ѣ", "ᲈ": "ꙋ", "ẚ": "aʾ", "ﬀ": "ff",
    "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "ﬓ": "մն", "ﬔ": "մե",
    "ﬕ": "մի", "ﬖ": "վն", "ﬗ": "մխ",
}  # fmt: skip

Spec = dict[str, Any]


def replace(pattern: str, content: str, *, regex: bool = False) -> Spec:
    """Return a step of `tokenizer.json` that replaces a text or the matches of an expression."""
    return {
        "type": "Replace",
        "pattern": {"Regex" if regex else "String": pattern},
        "content": content,
    }


@cache
def list_signs() -> str:
    """Return the characters of scripts written without spaces, as the inside of a class.

    Unassigned code points between them are taken along, which makes the list short.
    """
    signs = np.isin(class_table() & CLASS, (SIGN, KATAKANA))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], signs, [False]])))
    return "".join(f"\\x{{{low:x}}}-\\x{{{high - 1:x}}}" for low, high in edges.reshape(-1, 2))


@cache
def list_vowels() -> str:
    """Return the letters before which words are elided, as the inside of a class."""
    return "".join(chr(point) for point in np.flatnonzero(VOWEL).tolist())


@dataclass(frozen=True)
class NormalForm:
    """How the texts of one profile are written for a tokenizer.

    `marked`: the model wants `▁` for a space (Unigram, SentencePiece), so `▁` itself is escaped.
    `cased`: the capitals that are a sign and their small letter (`capitals`).
    """

    profile: Profile
    exact: bool
    marked: bool = False
    cased: str = ""

    @classmethod
    def of(cls, profile: str, *, exact: bool, marked: bool = False, cased: str = "") -> NormalForm:
        """Return the form for a profile by name; bytes are always exact."""
        return cls(PROFILES[profile], exact or profile == "bytes", marked, cased)

    # Characters, as the inside of a class of a regular expression

    @property
    def has_words(self) -> bool:
        """Whether there are words at all, which need a space in front."""
        return self.profile.name not in ("symbols", "molecules", "bytes")

    @cached_property
    def word(self) -> str:
        """What a word may start with."""
        if self.profile.name == "transliteration":
            return f"[^{WHITE}{JOINER}{MARK}]"
        return rf"[[\p{{L}}\p{{N}}\p{{Pc}}\p{{Co}}]&&[^{list_signs()}{JOINER}]]"

    @cached_property
    def inside(self) -> str:
        """What goes on inside a word: what it starts with, and marks."""
        return rf"[{self.word}\p{{M}}\p{{Cf}}]"

    @cached_property
    def letters(self) -> str:
        """What goes on inside a word, but no digits."""
        return rf"[{self.inside}&&[^\p{{N}}]]"

    @cached_property
    def joins(self) -> str:
        """What stands between two parts of one word (an apostrophe, a hyphen), and what follows."""
        if self.profile.name != "words":
            return r"(?!)"
        letter, word = self.sign + self.letters, self.sign + self.word
        return rf"[{APOSTROPHES}](?={letter})|[{HYPHENS}](?={word})"

    @cached_property
    def elided(self) -> str:
        """Return what is true, in words, before one that an article is joined to: `l'eau`."""
        before = rf"[^{self.inside}]"
        words = ("".join(f"[{c}{c.upper()}]" for c in word) for word in ELIDED)
        ways = "|".join(f"{before}{word}[{APOSTROPHES}]" for word in words)
        return rf"(?<=[{APOSTROPHES}])(?=[{list_vowels()}])(?<={ways})"

    @cached_property
    def sign(self) -> str:
        """The sign of a capital, where there may be one."""
        return f"{CAPITAL}?" if self.cased else ""

    def is_word(self, text: str) -> bool:
        """Say whether a text is one word and nothing else.

        >>> [NormalForm.of("words", exact=True).is_word(text) for text in ("don't", "self.", "a b")]
        [True, False, False]
        """
        if self.profile.name == "transliteration":
            return not any(map(str.isspace, text))
        joins = APOSTROPHES + HYPHENS if self.profile.name == "words" else ""
        kinds = ("L", "N", "M", "Pc", "Co", "Cf")
        return all(unicodedata.category(c).startswith(kinds) or c in joins for c in text)

    # Steps of tokenizer.json

    def list_normalizers(self) -> list[Spec]:
        """Return the steps from a text to its form."""
        steps = [] if self.exact else self._fold()
        steps.append(replace(JOINER, LITERAL))
        if self.marked:
            steps.append(replace(MARK, LITERAL_MARK))
        if self.cased:
            steps.append(replace(CAPITAL, LITERAL_CAPITAL))
        if self.has_words:
            within = (
                rf"(?:{self.elided}|(?<!{self.letters}[{APOSTROPHES}])(?<!{self.inside}[{HYPHENS}]))"
                if self.profile.name == "words"
                else ""
            )
            starts = rf"(?<=[^{self.inside} ]){within}(?={self.word})"
            steps += [
                {"type": "Prepend", "prepend": " "},
                replace(starts, JOINER + " ", regex=True),
            ]
        if self.cased:
            letter = f"[{self.cased}]"
            alone = f"(?<!{letter})(?={letter}(?!{letter}))"
            steps.append(replace(alone, CAPITAL, regex=True))
            steps += [replace(CAPITAL + c, CAPITAL + c.lower()) for c in self.cased]
        if self.has_words:
            # A space stays, so that the first one of a form is never of the text: a decoder that
            # sees the tokens one by one must know it at once
            steps.append(replace(rf"\A (?! |\z|{self.sign}{self.word})", "", regex=True))
        if self.cased:
            steps.append(replace(" " + CAPITAL, CAPITAL + " "))
        return steps

    def _fold(self) -> list[Spec]:
        """Return the steps of `Profile.normalize`."""
        steps: list[Spec] = []
        if self.profile.folds_case:
            steps += [{"type": "NFD"}, {"type": "Lowercase"}]
            steps += [replace(old, new) for old, new in FOLDS.items()]
        steps.append({"type": "NFC"})
        if self.profile.keeps_space:
            ends = rf"\A[{WHITE}]++|(?<![{WHITE}])[{WHITE}]++\z"
            steps.append(replace(ends, "", regex=True))
        else:
            steps += [
                # one space stays as it is, which most are
                replace(rf"[{WHITE}&&[^ ]][{WHITE}]*| [{WHITE}]+", " ", regex=True),
                replace(r"\A | \z", "", regex=True),
            ]
        return steps

    def list_decoders(self, specials: Sequence[str]) -> list[Spec]:
        """Return the steps from the form back to the text, once the tokens are one text.

        `specials` stand in the text as they are; behind each the text starts anew.
        """
        steps = []
        if self.cased:
            steps.append(replace(CAPITAL + " ", " " + CAPITAL))
            steps += [replace(CAPITAL + c.lower(), c) for c in self.cased]
            steps.append(replace(CAPITAL, ""))
        if self.has_words:
            steps.append(replace(JOINER + " ", ""))
            # One that no word follows yet, in a text that is still being written
            steps.append(replace(rf"{JOINER}(?![{CODES}])", "", regex=True))
        if self.marked:
            steps.append(replace(LITERAL_MARK, MARK))
        if self.cased:
            steps.append(replace(LITERAL_CAPITAL, CAPITAL))
        steps.append(replace(LITERAL, JOINER))
        if self.has_words:
            behind = "|".join(map(escape_all, specials))
            start = rf"(?:\A|(?<={behind}))" if behind else r"\A"
            steps.append(replace(f"{start} ", "", regex=True))
        return steps

    def normalize(self, texts: Iterable[str]) -> list[str]:
        """Return the form of each text, computed by the library that will do it later."""
        return apply_steps(self.list_normalizers(), texts)

    # How a text is cut before the model sees it

    def guard(self) -> str:
        """Return what must hold behind a unit: no word goes on there."""
        if not self.has_words:
            return r"(?!\p{M})"
        literal = f"(?<={JOINER})[{CODES}]"  # of which the unit would take the joiner
        return (
            rf"(?:(?<!{self.inside})(?!\p{{M}}|{literal})"
            rf"|(?<={self.inside})(?!{self.sign}{self.inside}|{self.joins}))"
        )

    def cut_base(self, *, bare: bool) -> str:
        """Return how text without units is cut; `bare`: a group `bare` names units to stop at.

        All that stands between two words, marks and line ends and spaces, is one part: tokens are
        5 % longer so in English and Russian prose, and 2 to 5 % in code, than where line ends and
        runs of spaces stand apart.
        """
        stop = r"(?!\g<bare>)" if bare else ""
        mark = rf"(?:{JOINER}(?![{CODES}]))?"
        byte = r"<(?=0x[0-9A-F]{2}>)"  # which names a byte in a model with byte fallback
        if not self.has_words:
            return rf"{byte}|(?:{stop}(?!{byte})[^{WHITE}]){{1,64}}|{stop}[{WHITE}]"
        signs_of_ours = f"{JOINER}[{CODES}]?"
        if self.profile.name == "transliteration":
            word = rf" ?{byte}| ?(?:(?!{byte}){self.word})+"
            return rf"{word}|[{WHITE}]+(?!{self.word}){mark}|{signs_of_ours}|[{WHITE}]{mark}"
        article = ""  # with its apostrophe; its word is the next
        if self.profile.name == "words":
            article = rf"(?:[{APOSTROPHES}]{JOINER}(?![{CODES}]){self.sign})?"
        words = rf" ?{self.letters}+(?:(?:{self.joins}){self.letters}+)*{article}| ?\p{{N}}{{1,3}}"
        signs = rf" ?(?:{stop}[{list_signs()}][\p{{M}}\p{{Cf}}]*){{1,64}}"
        other = rf"[^{WHITE}{JOINER}{list_signs()}{self.inside}]"
        space = rf"[{WHITE}&&[^ ]]|[ ](?!{self.inside}|[{list_signs()}])"
        between = rf"(?:(?!{byte}){stop}(?:{other}|{space})){{1,64}}{mark}"
        return rf"{words}|{signs}|{between}| ?{stop}{byte}{mark}|{signs_of_ours}|[{WHITE}]{mark}|."


def apply_steps(steps: Sequence[Spec], texts: Iterable[str]) -> list[str]:
    """Return what normalizers of `tokenizer.json` make of each text."""
    from tokenizers import Tokenizer

    sequence = {"type": "Sequence", "normalizers": list(steps)}
    blank = {"model": {"type": "BPE", "vocab": {}, "merges": []}, "normalizer": sequence}
    normalizer = Tokenizer.from_str(json.dumps(blank)).normalizer
    return [normalizer.normalize_str(text) for text in texts]


def escape_all(text: str) -> str:
    """Return an expression that matches exactly this text."""
    return "".join(f"\\x{{{ord(character):x}}}" for character in text)
