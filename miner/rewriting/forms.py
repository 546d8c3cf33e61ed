"""Words to their forms: how else does a language write this word?

Russian by pymorphy3 (`pip install 'miner[russian]'`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from miner.errors import need_extra
from miner.rewriting.entries import Entry

LANGUAGES = ("ru",)


def open_forms(language: str) -> Callable[[str], list[str]]:
    """Return what lists the forms of a word, itself first; MissingExtraError without the extra."""
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}, not one of {LANGUAGES}")
    need_extra("russian", f"--inflect {language}")
    from pymorphy3 import MorphAnalyzer

    analyzer = MorphAnalyzer()

    def list_forms(word: str) -> list[str]:
        parses = analyzer.parse(word)
        own = [parse for parse in parses if parse.normal_form == word.lower()] or parses[:1]
        forms = [
            form.word
            for parse in own
            for form in parse.lexeme
            if parse.tag.POS != "ADJF" or form.tag.POS == "ADJF"  # тихая, but not тихо nor тише
        ]
        return list(dict.fromkeys([word, *forms, *(form.replace("ё", "е") for form in forms)]))

    return list_forms


def inflect_entries(entries: Iterable[Entry], forms: Callable[[str], list[str]]) -> list[Entry]:
    """Return entries, and those of the other forms of their single words, which keep their form.

    A form that two words share goes to the first of them.
    """
    given = list(entries)
    found = {entry.text: entry for entry in given}
    for entry in given:
        for form in forms(entry.text) if len(entry.text.split()) == 1 else ():
            found.setdefault(form, Entry(form, entry.sign, True))
    return list(found.values())
