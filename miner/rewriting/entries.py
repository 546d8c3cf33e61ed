"""Texts and their signs to a plan: what stands for what, and can it all come back?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from miner.errors import ConfigError
from miner.rewriting.kernel import CLOSE, ESCAPE, LITERAL, OPEN, Plan
from miner.rewriting.matching import IN_WORD, JOINS, build_trie
from miner.rewriting.patterns import Pattern
from miner.text.unicode import CLASS, class_table

KEPT_BACK = (ESCAPE, LITERAL, OPEN, CLOSE, "\n")
_KEPT_BACK = re.compile("|".join(KEPT_BACK))
MOST = 4_096  # bytes of a text or a sign


@dataclass(frozen=True)
class Entry:
    """A text and the sign that stands for it; `formed`: the sign keeps the text behind it."""

    text: str
    sign: str
    formed: bool = False


def check_entries(entries: Iterable[Entry], *, where: str) -> list[Entry]:
    """Return entries without those that change nothing; ConfigError names one that cannot be.

    Refused are empty texts and signs, signs with a mark of ours in them, two signs for one text,
    one sign for two texts that keep no form, and texts that lead back to themselves.
    """
    kept: dict[str, Entry] = {}
    plain: dict[str, str] = {}
    for entry in entries:
        _check_entry(entry, where)
        if entry.text == entry.sign:
            continue
        other = kept.get(entry.text)
        if other and other.sign != entry.sign:
            raise ConfigError(
                f"{entry.text!r} has two signs, {other.sign!r} and {entry.sign!r}",
                where=where,
                cure="Take one of them away",
            )
        if not entry.formed and plain.setdefault(entry.sign, entry.text) != entry.text:
            raise ConfigError(
                f"{entry.sign!r} stands for {plain[entry.sign]!r} and for {entry.text!r}",
                where=where,
                cure="Give one of them another sign",
            )
        if not other or other.formed:
            kept[entry.text] = entry
    _check_cycles(kept, where)
    return list(kept.values())


def _check_entry(entry: Entry, where: str) -> None:
    for name, value in (("text", entry.text), ("sign", entry.sign)):
        if not value.strip():
            cure = f"Give {entry.text!r} a sign" if name == "sign" else "Take it away"
            raise ConfigError(f"an empty {name}", where=where, cure=cure)
        if _size(value) > MOST:
            told = f"the {name} {value[:40]!r}… is too long"
            raise ConfigError(told, where=where, cure=f"Give at most {MOST:,} bytes")
        if any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ConfigError(f"the {name} {value!r} is no text", where=where, cure="Write UTF-8")
    mark = next((mark for mark in KEPT_BACK if mark in entry.sign), None)
    if mark or "\n" in entry.text:
        told = f"{entry.sign if mark else entry.text!r} holds {mark or chr(10)!r}"
        raise ConfigError(
            f"{told}, with which a text would not come back", where=where, cure="Leave it away"
        )


def can_stand(text: str, sign: str) -> bool:
    """Say whether a sign can stand for a text of a corpus: both short, and without a mark of ours.

    >>> can_stand("in the", "inthe"), can_stand("⟨ x", "⟨x"), can_stand("⟨ x", "☀")
    (True, False, True)
    """
    long = 4 * max(len(text), len(sign)) > MOST and max(map(_size, (text, sign))) > MOST
    return not long and "\n" not in text and not _KEPT_BACK.search(sign)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def check_patterns(patterns: Iterable[Pattern], *, where: str) -> list[Pattern]:
    """Return patterns; ConfigError names one whose sign cannot be."""
    checked = list(patterns)
    for pattern in checked:
        _check_entry(Entry(pattern.source, pattern.sign), where)
    return checked


def _check_cycles(entries: dict[str, Entry], where: str) -> None:
    """ConfigError where the sign of a text is a text whose sign leads back to it."""
    done: set[str] = set()
    for start in [text for text, entry in entries.items() if entry.sign in entries]:
        path: dict[str, None] = {}
        text = start
        while text in entries and text not in done:
            if text in path:
                way = " -> ".join([*path, text])
                raise ConfigError(f"goes in a circle: {way}", where=where, cure="Change one sign")
            path[text] = None
            text = entries[text].sign
        done.update(path)


def number_signs(entries: Sequence[Entry], patterns: Sequence[Pattern] = ()) -> dict[bytes, int]:
    """Return the number of each sign in a plan."""
    signs = [entry.sign for entry in entries] + [pattern.sign for pattern in patterns]
    return {sign.encode(): number for number, sign in enumerate(dict.fromkeys(signs))}


def make_plan(
    entries: Sequence[Entry], patterns: Sequence[Pattern] = (), *, share: float = 1.0, seed: int = 0
) -> Plan:
    """Return what the kernel reads: checked entries, and which share of places is rewritten."""
    texts = [entry.text.encode() for entry in entries]
    number = number_signs(entries, patterns)
    signs = list(number)
    known = set(texts)
    both = [*texts, *(sign for sign in signs if sign not in known)]
    forward = np.full(len(both), -1, np.int32)
    forward[: len(texts)] = [number[entry.sign.encode()] for entry in entries]
    stands: dict[int, bytes] = {}
    forms = np.zeros(len(signs), bool)
    for entry in entries:
        sign = number[entry.sign.encode()]
        forms[sign] |= entry.formed
        if not entry.formed:
            stands[sign] = entry.text.encode()
    careful, safe = find_careful(entries, patterns)
    wary = np.zeros(len(signs), bool)
    for pattern in patterns:
        wary[number[pattern.sign.encode()]] = True
        forms[number[pattern.sign.encode()]] = True
    for entry, care in zip(entries, careful, strict=True):
        wary[number[entry.sign.encode()]] |= care
    blob, sign_at, text_at = _join(signs, stands)
    found, back = build_trie(both), build_trie(signs)
    return Plan(
        found,
        back,
        class_table(),
        blob,
        forward,
        np.array([entry.formed for entry in entries] + [False] * (len(both) - len(texts)), bool),
        sign_at,
        text_at,
        forms,
        float(share),
        int(seed),
        safe,
        np.array(careful + [False] * (len(both) - len(texts)), bool),
        wary,
    )


def find_careful(
    entries: Sequence[Entry], patterns: Sequence[Pattern] = ()
) -> tuple[list[bool], bool]:
    """Say which entries want care, and whether all others are safe without.

    Where a text of one or more words stood between words, a sign that is one word does, and nothing
    around it can change how it is read: new words of a line are such signs. A sign with other
    characters is harmless beside them if none of its own words is such a sign.
    """
    edges = _are_words([entry.text[0] + entry.text[-1] for entry in entries])
    careful = (~(edges & _are_words([entry.sign for entry in entries]))).tolist()
    pairs = list(zip(entries, careful, strict=True))
    words = {entry.sign for entry, care in pairs if not care}
    others = {word for entry, care in pairs if care for word in _list_words(entry.sign)}
    others |= {word for pattern in patterns for word in _list_words(pattern.sign)}
    return careful, not words & others


def _list_words(sign: str) -> list[str]:
    """Return what of a sign could be read as a word, from any letter to the end of its word.

    >>> _list_words("a. bc")
    ['a.', 'bc', 'a']
    """
    kinds = [1 << int(class_table()[ord(one)] & CLASS) for one in sign]
    letters = "".join(
        one if kind & (IN_WORD | JOINS) else " " for one, kind in zip(sign, kinds, strict=True)
    )
    found = letters.split()
    joiners = "'’ʼ-‐‑.,"
    return [*found, *(word.strip(joiners) for word in found if word.strip(joiners) != word)]


def _are_words(texts: Sequence[str]) -> np.ndarray:
    """Say which texts are one word: letters, digits, and joiners between two of them.

    >>> _are_words(["жартишина", "don'tyou", "yes!", "'tis"]).tolist()
    [True, True, False, False]
    """
    joined = "\n".join(["", *texts, ""])
    codes = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
    kinds = 1 << (class_table()[codes] & CLASS).astype(np.int64)
    edges = codes == 10
    inside = kinds & IN_WORD != 0
    fits = inside | edges
    fits[1:-1] |= (kinds[1:-1] & JOINS != 0) & inside[:-2] & inside[2:]
    return np.logical_and.reduceat(fits, np.flatnonzero(edges)[:-1])


def _join(
    signs: Sequence[bytes], stands: dict[int, bytes]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all bytes in one row, and where signs and the texts they stand for lie in it."""
    parts = [*signs, *(stands.get(i, b"") for i in range(len(signs)))]
    lengths = np.array([len(part) for part in parts], np.int64)
    places = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
    places[len(signs) :][[i not in stands for i in range(len(signs))], 0] = -1
    blob = np.frombuffer(b"".join(parts) + b"\0", np.uint8)
    return blob, places[: len(signs)], places[len(signs) :]


def vary_case(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries and those of the same texts in other cases, which keep their form.

    >>> [entry.text for entry in vary_case([Entry("свет", "☀")])]
    ['свет', 'Свет', 'СВЕТ']
    """
    varied: dict[str, list[Entry]] = defaultdict(list)
    given = list(entries)
    own = {entry.text for entry in given}
    for entry in given:
        cases = (entry.text[:1].upper() + entry.text[1:], entry.text.upper())
        others = dict.fromkeys(case for case in cases if case not in own)
        varied[entry.text] = [entry, *(Entry(case, entry.sign, True) for case in others)]
    found: dict[str, Entry] = {}
    for group in varied.values():
        for entry in group:
            found.setdefault(entry.text, entry)
    return list(found.values())
