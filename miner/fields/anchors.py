"""Anchor words of the facets: which words say what logic, emotion and function are?

A file of the user's own takes their place. It is TOML, a list of words or phrases for each facet:

    warm = ["sun", "fire", "summer"]
    cold = ["ice", "snow", "frost"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from miner.errors import ConfigError, say_reason

Anchors = Mapping[str, tuple[str, ...]]
MOST_FACETS = 32

# Common words of both languages, several forms where a language has them: a corpus meets some.
_WORDS = {
    "logic": """
        because therefore thus hence reason reasons logic proof prove cause causes consequence
        conclusion evidence argument fact facts truth question answer explain understand meaning
        потому поэтому причина причины следовательно следствие вывод доказательство доказать логика
        рассуждение мысль смысл истина факт вопрос ответ понять объяснить значит
    """,
    "emotion": """
        love hate joy grief fear anger sorrow happy sad tears passion terror delight despair
        tenderness longing shame pity
        любовь любви ненависть радость радости горе страх страха гнев печаль счастье слезы страсть
        ужас восторг отчаяние нежность грусть тоска тоски стыд жалость
    """,
    "function": """
        use used work works make build serve tool tools purpose operate order begin finish open
        close give take carry bring
        использовать работа работы делать сделать строить служить инструмент цель действие
        действовать порядок начать кончить открыть закрыть дать взять нести
    """,
}
DEFAULT: Anchors = {name: tuple(words.split()) for name, words in _WORDS.items()}


def read_anchors(path: Path) -> Anchors:
    """Return the facets of a file and their anchor words; ConfigError where it is no such file."""
    where, cure = str(path), 'Write a list of words for each facet: warm = ["sun", "fire"]'
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        told = f"cannot be read ({say_reason(error)})"
        raise ConfigError(told, where=where, cure="Check --facets") from error
    except ValueError as error:  # TOML and UTF-8
        raise ConfigError(f"is no TOML ({error})", where=where, cure=cure) from error
    if not 0 < len(content) <= MOST_FACETS:
        told = f"has {len(content)} facets"
        raise ConfigError(told, where=where, cure=f"Name 1 to {MOST_FACETS}")
    for name, words in content.items():
        fits = isinstance(words, list) and all(isinstance(word, str) for word in words)
        if not fits or not any(word.strip() for word in words):
            raise ConfigError(f"facet {name!r} is no list of words", where=where, cure=cure)
        if not name.isidentifier():
            raise ConfigError(
                f"facet {name!r} is no name", where=where, cure="Use letters, digits and _"
            )
    return {name: tuple(word for word in words if word.strip()) for name, words in content.items()}
