"""Figures to a class: which of six kinds of corpus is it, which profile fits, and what says so?

A measure speaks for a class from a certain value on. They stand in a fixed order, the surest first:
the first that counts decides, and the others that count are named beside it. Plain prose is where
none does and a living language is known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from miner.inspection.scripts import (
    MADE_UP,
    OLD_LANGUAGES,
    SIGN_SCRIPTS,
    UNKNOWN,
    Tongue,
    name_script,
)
from miner.text.profiles import (
    MARKED,
    MOLECULAR,
    count_joints,
    detect_profile,
    share_marks,
    share_smiles,
)
from miner.text.unicode import CLASS, INFINITY, PICTOGRAPH, REGIONAL, SIGN, SYMBOL, class_table

CLASSES = {
    0: "plain prose of a living language",
    1: "a made-up language of meanings",
    2: "Sanskrit and other old languages",
    3: "mixes of languages, code and JSON",
    4: "icons, hieroglyphs, runes and other signs",
    5: "binary and model weights",
    6: "abbreviations and packed nodes",
}
MOST_TOKENS = 200_000
SEPARATORS = ",;:|"  # of the fields of a record
LONGEST_PART = 12  # characters of a word that another is glued of
LOST = 0xFFFD  # what a program writes for a character that it could not read
CODE_MARKS = '{}<>"=_|&;:*$^%~`\\[]()/+#@'
_EDGES = ".,;:!?\"'’‘“”„«»()[]*-–—…·"
_MARKS = re.compile(r"[{}<>\"=_|&;:*$^%~`\\]")
_BRACKETS = re.compile(r"[\[\]()/+#@]")
_RECORD = re.compile(
    r'^\s*(?:[{}\[\]],?$|(?:\{\s*["}]|\[\s*(?:[\[{"\d\]-]|true|false|null)).*[}\]],?$|"[^"]*" ?: ?)'
)
_MARKER = re.compile(r"^_+[A-Z][A-Z\d_]*_[.,;:]?$")
_FORMULA = re.compile("^[\u0370-\u03ff\U0001d400-\U0001d7cb][\\d²³¹⁰-₉]+$|^[^\\W\\d_]∞$")
_PACKED = re.compile(r"^[^\W\d_a-z][^\W_a-z]*(?:[_:][^\W_a-z]+)+$|^[A-Z]\d+(?:\.\d+)+$")
_CODE_NUMBER = re.compile(r"^[A-Z]?\d{2,}\.?\d*,|^[A-Z]{1,3}\d{2,}[A-Z\d.]*$")
_VOWELS = set("aeiouyAEIOUY")
_LATIN = re.compile(r"[A-Za-z]{2,6}$")
_RUN = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Signal:
    """A measure that speaks for a class from `counts_from` on; `is_hint`: only if nothing else."""

    number: int
    what: str
    value: float
    counts_from: float
    is_hint: bool = False

    @property
    def counts(self) -> bool:
        return self.value >= self.counts_from


@dataclass(frozen=True)
class Verdict:
    """A class by number, how sure it is, what decided, and which others count too."""

    number: int | None
    name: str
    certainty: str
    why: str
    also: tuple[int, ...]
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class Told:
    """A profile that `miner mine` would take, the rule that decided, and what was measured."""

    name: str
    why: str
    measures: dict[str, float]


def measure_characters(points: np.ndarray) -> dict[str, float]:
    """Return shares of what is not white space: letters, digits, signs, symbols, marks of code."""
    seen = np.flatnonzero(points)
    seen = seen[[not chr(point).isspace() for point in seen.tolist()]]
    counts = points[seen].astype(np.float64)
    kinds = class_table()[seen] & CLASS
    letters = np.array([chr(p).isalpha() or bool(name_script(p)) for p in seen.tolist()], bool)
    drawn = np.array([name_script(p) in SIGN_SCRIPTS for p in seen.tolist()], bool)
    icons = np.isin(kinds, (SYMBOL, PICTOGRAPH, REGIONAL, INFINITY))
    icons &= (seen >= 0x80) & (seen != LOST)
    masks = {
        "letters": letters,
        "digits": np.array([chr(p).isnumeric() for p in seen.tolist()], bool) & ~letters,
        "code marks": np.isin(seen, [ord(mark) for mark in CODE_MARKS]),
        "symbols": icons & ~letters,
        "lost characters": seen == LOST,
        "picture signs": drawn,
        "unspaced signs": kinds == SIGN,
        "private use": np.array([name_script(p) == "private use" for p in seen.tolist()], bool),
    }
    total = max(counts.sum(), 1)
    shares = {name: float(counts[mask].sum() / total) for name, mask in masks.items()}
    shares["other punctuation"] = max(
        0.0,
        1
        - sum(shares[n] for n in ("letters", "digits", "code marks", "symbols", "lost characters")),
    )
    return shares


def measure_words(text: str) -> dict[str, float]:
    """Return shares among what stands between white space: nodes, abbreviations, formulas, icons.

    `glued` is the share of words that are two other words of the text written together.
    """
    tokens = text.split()
    tokens = tokens[:: 1 + len(tokens) // MOST_TOKENS]
    counts = Counter(tokens)
    kinds: Counter[str] = Counter()
    plain: Counter[str] = Counter()
    for token, count in counts.items():
        core = token.strip(_EDGES)
        kinds[_name_kind(token, core)] += count
        if core.isalpha():
            plain[core.lower()] += count
    total = max(counts.total(), 1)
    shares = {
        name: kinds[name] / total
        for name in ("packed nodes", "abbreviations", "formulas", "markers", "icons", "codes")
    }
    shares["glued"] = sum(plain[word] for word in find_glued(plain)) / total
    runs = [len(run) for token in counts for run in _RUN.findall(token)]
    shares["short runs"] = sum(run < 3 for run in runs) / max(len(runs), 1)
    lines = text.split("\n")[:20_000]
    filled = [line for line in lines if line.strip()]
    records = sum(bool(_RECORD.match(line)) for line in filled)
    shares["JSON lines"] = records / max(len(filled), 1)
    shares["separators"] = sum(map(text.count, SEPARATORS)) / max(len(text), 1)
    return shares


def _name_kind(token: str, core: str) -> str:
    """Return what a token between white space is."""
    if not token.isascii() and any(_is_icon(sign) for sign in token):
        return "formulas" if _FORMULA.match(core) else "icons"
    if _MARKER.match(token):
        return "markers"
    if _FORMULA.match(core):
        return "formulas"
    if _PACKED.match(core) and any(sign.isdigit() for sign in core):
        return "packed nodes"
    if _CODE_NUMBER.match(token):
        return "codes"
    parts = re.split(r"[/.,-]", core)
    short = any(_LATIN.match(part) and _is_short(part) for part in parts)
    return "abbreviations" if short else "other"


@cache
def _is_icon(sign: str) -> bool:
    point = ord(sign)
    drawn = class_table()[point] & CLASS in (SYMBOL, PICTOGRAPH, REGIONAL)
    return (drawn and point >= 0x80 and point != LOST) or name_script(point) in SIGN_SCRIPTS


def _is_short(word: str) -> bool:
    """Say whether a word of Latin letters is all capitals, or has no vowel."""
    return word.isupper() or not _VOWELS & set(word)


def find_glued(words: Counter[str]) -> set[str]:
    """Return the words of 8 letters and more that are two or more others of 3 and more.

    >>> sorted(find_glued(Counter({"жар": 5, "тишина": 4, "жартишина": 3, "тишинами": 1})))
    ['жартишина']
    """
    parts = {word for word, count in words.items() if count > 1 and 3 <= len(word) <= LONGEST_PART}
    return {
        word for word in words if 8 <= len(word) <= 4 * LONGEST_PART and _splits(word, parts, 3)
    }


def _splits(text: str, parts: set[str], depth: int) -> bool:
    """Say whether a text is one of the parts and at most `depth` more."""
    return any(
        text[:cut] in parts
        and (text[cut:] in parts or (depth > 1 and _splits(text[cut:], parts, depth - 1)))
        for cut in range(3, min(LONGEST_PART + 1, len(text) - 2))
    )


def tell_profile(head: bytes) -> Told:
    """Return the profile that `miner mine` picks by the beginning of a corpus, and why.

    The measures are those of `miner.text.profiles.detect_profile`, which has the word.
    """
    name = detect_profile(head).name
    text = head.decode("utf-8", "ignore")
    words = text.split()
    solid = "".join(words)
    if not solid:
        return Told(name, "there is no text", {})
    points = np.frombuffer(solid.encode("utf-32-le"), np.uint32)
    kinds = class_table()[points] & CLASS
    measures = {
        "marks of any sort": share_marks(kinds),
        "unspaced signs": float((kinds == SIGN).mean()),
        "characters per word": len(solid) / len(words),
        "molecules": share_smiles(text),
        "joints per word": count_joints(text) / len(words),
        "code marks": (len(_MARKS.findall(solid)) + len(_BRACKETS.findall(solid))) / len(solid),
    }
    return Told(name, _explain_profile(name, measures), measures)


def _explain_profile(name: str, measures: dict[str, float]) -> str:
    signs, marks = measures["unspaced signs"], measures["code marks"]
    if measures["marks of any sort"] > MARKED:
        return f"{measures['marks of any sort']:.0%} of what is not white space are marks"
    if name == "molecules":
        return f"{measures['molecules']:.0%} of the lines begin with a molecule in SMILES"
    if name == "symbols":
        return (
            f"{measures['characters per word']:.0f} characters stand between white space, more "
            "than 15, and the script is none that does without it"
        )
    if name == "transliteration":
        return f"{measures['joints per word']:.2f} joints (a-na, n.t) per word, more than 0.33"
    if signs > 0.3:
        side = "more" if name == "code" else "not more"
        return (
            f"{signs:.0%} are signs of a script without spaces, and {marks:.1%} marks of code, "
            f"{side} than 4%"
        )
    side = "more" if name == "code" else "not more"
    return f"{marks:.1%} of what is not white space are marks of code, {side} than 5%"


def list_signals(
    characters: dict[str, float], words: dict[str, float], tongues: Sequence[Tongue], profile: Told
) -> tuple[Signal, ...]:
    """Return what speaks for each class, in the order in which they decide."""
    shares = {tongue.name: tongue.share for tongue in tongues}
    old = sum(share for name, share in shares.items() if name in OLD_LANGUAGES)
    made_up = sum(share for name, share in shares.items() if name in MADE_UP)
    living = [
        share for name, share in shares.items() if name not in {UNKNOWN, *OLD_LANGUAGES, *MADE_UP}
    ]
    known = [share for name, share in shares.items() if name != UNKNOWN]
    icons, records = words["icons"], words["JSON lines"]
    plain = profile.name == "words"
    coded = profile.name == "code" and icons < 0.1 and old < 0.5
    beside = 1 - max(known) / sum(known) if known and sum(known) > 0.3 else 0.0
    spelled = characters["letters"] > 0.7 and characters["unspaced signs"] < 0.3
    return (
        Signal(4, "words with a symbol or a picture sign", icons * (records < 0.5), 0.1),
        Signal(
            4, "lines that begin with a molecule", profile.measures.get("molecules", 0.0), MOLECULAR
        ),
        Signal(
            3, "separators of fields", _only(profile.name == "symbols", words["separators"]), 0.08
        ),
        Signal(
            4,
            "characters between white space",
            _only(
                profile.name == "symbols" and characters["letters"] > 0.3,
                profile.measures.get("characters per word", 0.0),
            ),
            15,
        ),
        Signal(2, "letters in an old language", old, 0.5),
        Signal(6, "packed nodes among words", words["packed nodes"], 0.03),
        Signal(1, "formulas and markers among words", words["formulas"] + words["markers"], 0.01),
        Signal(1, "letters in a made-up language", made_up, 0.5),
        Signal(1, "letters of private use", characters["private use"], 0.1),
        Signal(
            6,
            "codes and abbreviations among words",
            _only(plain and spelled, words["codes"] + words["abbreviations"]),
            0.1,
        ),
        Signal(
            1,
            "words that are others written together",
            _only(plain and old < 0.5, words["glued"]),
            0.05,
        ),
        Signal(3, "lines of JSON", records, 0.3),
        Signal(4, "runs of letters that are of one or two", _only(coded, words["short runs"]), 0.6),
        Signal(3, "marks of code", _only(coded, profile.measures.get("code marks", 0.0)), 0.05),
        Signal(3, "letters in languages beside the first", beside, 0.25),
        Signal(0, "letters in one living language", max(living, default=0.0), 0.4),
        Signal(
            1,
            "letters in no language that is known here",
            _only(plain and spelled, shares.get(UNKNOWN, 0.0)),
            0.6,
            is_hint=True,
        ),
    )


def _only(condition: bool, value: float) -> float:
    return value if condition else 0.0


def judge_class(signals: Sequence[Signal]) -> Verdict:
    """Return the class of the first signal that counts; hints count where nothing else does."""
    counting = [signal for signal in signals if signal.counts]
    if not counting:
        why = "no measure reaches the value from which it counts"
        return Verdict(None, "nothing that can be told", "unknown", why, (), tuple(signals))
    first = counting[0]
    others = dict.fromkeys(s.number for s in counting if not s.is_hint and s.number)
    also = tuple(number for number in others if number != first.number)
    strong = first.value >= min(2 * first.counts_from, max(0.75, 1.2 * first.counts_from))
    certainty = "perhaps" if first.is_hint else "sure" if strong else "likely"
    why = f"{first.what}: {tell_value(first.value)}, counts from {tell_value(first.counts_from)}"
    if first.is_hint:
        why += "; it may as well be a living language that is not known here"
    return Verdict(first.number, CLASSES[first.number], certainty, why, also, tuple(signals))


def judge_bytes(why: str, certainty: str = "sure") -> Verdict:
    """Return the class of bytes."""
    signal = Signal(5, why, 1.0, 1.0)
    return Verdict(5, CLASSES[5], certainty, why, (), (signal,))


def tell_value(value: float) -> str:
    """Return a share as a percentage, any other number as it is.

    >>> tell_value(0.123), tell_value(0.0042), tell_value(15)
    ('12.3%', '0.42%', '15')
    """
    if value > 1:
        return f"{value:.3g}"
    return f"{value:.1%}" if value >= 0.01 or value == 0 else f"{value:.2%}"
