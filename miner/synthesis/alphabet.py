"""A seed to an alphabet: which letters, syllables and signs does the language have?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miner.synthesis.frequencies import draw_ranks

CONSONANTS, VOWELS, CODAS, CLUSTERS = 14, 5, 5, 8  # how many a language takes of its script
SHAPES = (0.62, 0.22, 0.06, 0.10)  # open, closed, begun by a vowel, begun by a cluster


@dataclass(frozen=True)
class Script:
    """Letters to choose from, and the marks that end a sentence, part, ask and call."""

    consonants: str
    vowels: str
    stop: str = "."
    comma: str = ","
    ask: str = "?"
    call: str = "!"


SCRIPTS = {
    "cyrillic": Script("бвгджзклмнпрстфхцчшщ", "аеиоуыэюя"),
    "latin": Script("bcdfghjklmnpqrstvwxz", "aeiouyåö"),
    "greek": Script("βγδζθκλμνξπρστφχψ", "αεηιουω", ask=";"),
    "armenian": Script("բգդզթժլխծկհձղճմնշչպջռվտրցփքֆ", "աեէըիոօ", stop="։", ask="՞", call="՜"),
    "georgian": Script("ბგდვზთკლმნპჟრსტფქღყშჩცძწჭხჯჰ", "აეიოუ"),
    "glagolitic": Script("ⰱⰲⰳⰴⰶⰷⰸⰽⰾⰿⱀⱂⱃⱄⱅⱇⱈⱌⱍⱎ", "ⰰⰵⰺⱁⱆⱑⱓ", stop="."),
    "runic": Script("ᚠᚦᚱᚲᚷᚹᚺᚾᛃᛈᛉᛊᛏᛒᛗᛚᛜᛞ", "ᚢᚨᛁᛇᛖᛟ", stop="᛭", comma="᛫"),
    "tifinagh": Script("ⴱⴳⴷⴹⴼⴽⵀⵃⵄⵅⵇⵊⵍⵎⵏⵔⵖⵙⵚⵛⵜⵟⵡⵣⵥ", "ⴰⴻⵉⵓⵢ"),
    "private": Script(
        "".join(map(chr, range(0xE000, 0xE014))), "".join(map(chr, range(0xE014, 0xE01C)))
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Alphabet:
    """What words are spelled with, the most frequent first."""

    script: str
    consonants: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]
    clusters: tuple[str, ...]

    @property
    def marks(self) -> Script:
        return SCRIPTS[self.script]


def draw_alphabet(rng: np.random.Generator, script: str) -> Alphabet:
    """Draw the letters of a language, fewer than its script has."""
    marks = SCRIPTS[script]
    consonants = _choose(rng, marks.consonants, CONSONANTS)
    pairs = [a + b for a in consonants for b in consonants if a != b]
    return Alphabet(
        script,
        consonants,
        _choose(rng, marks.vowels, VOWELS),
        _choose(rng, consonants, CODAS),
        _choose(rng, pairs, CLUSTERS),
    )


def _choose(
    rng: np.random.Generator, texts: str | list[str] | tuple[str, ...], most: int
) -> tuple[str, ...]:
    return tuple(texts[number] for number in rng.permutation(len(texts))[:most].tolist())


def spell_syllables(rng: np.random.Generator, alphabet: Alphabet, count: int) -> np.ndarray:
    """Return syllables, `object (count,)`: frequent letters more often."""
    shape = np.searchsorted(np.cumsum(SHAPES)[:-1], rng.random(count), side="right")
    onset, vowel, coda, cluster = (
        np.array(letters, dtype=object)[draw_ranks(rng, len(letters), count, exponent=0.6)]
        for letters in (alphabet.consonants, alphabet.vowels, alphabet.codas, alphabet.clusters)
    )
    first = np.where(shape == 2, "", np.where(shape == 3, cluster, onset))
    return np.asarray(first + vowel + np.where(shape == 1, coda, ""))


def spell_words(
    rng: np.random.Generator,
    alphabet: Alphabet,
    count: int,
    *,
    syllables: tuple[float, ...],
    shortest: int = 1,
    taken: frozenset[str] = frozenset(),
) -> list[str]:
    """Return different words, the shorter ones mostly first, as frequent words are short.

    `syllables`: the shares of words of 1, 2, 3 of them; where these give too few words, longer
    ones are made.
    """
    found: dict[str, None] = {}
    shares = np.cumsum(syllables)[:-1]
    extra = 0
    while len(found) < count:
        sizes = np.searchsorted(shares, rng.random(2 * count), side="right") + 1 + extra
        parts = [spell_syllables(rng, alphabet, 2 * count) for _ in range(int(sizes.max()))]
        spelled = parts[0]
        for place, part in enumerate(parts[1:], 1):
            spelled = spelled + np.where(sizes > place, part, "")
        before = len(found)
        found |= {w: None for w in spelled.tolist() if len(w) >= shortest and w not in taken}
        extra += len(found) - before < count // 4
    words = list(found)[:count]
    order = np.argsort(np.array([len(w) for w in words]) + rng.gumbel(0, 1.5, count), kind="stable")
    return [words[number] for number in order.tolist()]
