"""Bytes that are not UTF-8 to a guess: in which other encoding is this a text?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from miner.inspection.scripts import UNKNOWN, guess_languages, name_script

TRIED = 1 << 17  # bytes of a sample
KNOWN = 0.4  # share of letters in a known language that makes an encoding credible
BROKEN = 0.01  # share of characters that may be broken
ZEROS = 0.2  # share of zero bytes on one side that makes UTF-16 of a text in few scripts
# Where two read alike the first is taken; gb18030 reads nearly everything.
ENCODINGS = ("windows-1252", "windows-1251", "koi8-r", "cp866", "shift_jis", "euc-jp", "euc-kr",
             "big5", "gb18030")  # fmt: skip
_WORD = re.compile(r"[^\W\d_]*[^\W\d_\x00-\x7f][^\W\d_]*")


@dataclass(frozen=True)
class Encoding:
    """An encoding by the name that `iconv` knows, and what says so."""

    name: str
    why: str

    def decode(self, content: bytes) -> str:
        return content.decode(self.name, "ignore")


def guess_encoding(content: bytes) -> Encoding | None:
    """Return the encoding in which bytes are a text of a known language; None where none is.

    >>> guess_encoding(("Я не знаю, что он в это не верил. " * 9).encode("koi8-r")).name
    'koi8-r'
    """
    sample = content[:TRIED]
    if wide := _guess_wide(sample):
        return wide
    controls = sum(sample.count(byte) for byte in (*range(9), *range(14, 32)))
    if controls > BROKEN * len(sample) / 2:
        return None  # bytes, in which an encoding of eight bits finds words too
    best, most = None, KNOWN
    for name in ENCODINGS:
        text = sample.decode(name, "replace")
        if text.count("\ufffd") > BROKEN * len(text):
            continue
        share, language = _judge_reading(text)
        if share > most:
            best, most = Encoding(name, f"read so it is {language}"), share
    return best


def _judge_reading(text: str) -> tuple[float, str]:
    """Return how credible a text is, and its language.

    That is the share of letters in known languages, less what a wrong encoding leaves: Hangul with
    many other signs, Japanese with few kana, words of two scripts.
    """
    found = [tongue for tongue in guess_languages(text) if tongue.name != UNKNOWN]
    if not found:
        return 0.0, UNKNOWN
    scripts = [name_script(ord(sign)) for sign in text if not sign.isascii()]
    scripts = [script for script in scripts if script]
    kana = sum(script in ("Hiragana", "Katakana") for script in scripts) / max(len(scripts), 1)
    trust = {
        "Japanese": min(1.0, 2 * kana),
        "Korean": max(0.0, 2 * scripts.count("Hangul") / max(len(scripts), 1) - 1),
    }
    words = _WORD.findall(text)[:5_000]
    mixed = sum(len({name_script(ord(sign)) for sign in word} - {""}) > 1 for word in words)
    factor = 1 - mixed / max(len(words), 1) if "Han" not in scripts else 1.0
    return sum(t.share * trust.get(t.name, 1.0) for t in found) * factor, found[0].name


def _guess_wide(sample: bytes) -> Encoding | None:
    """Return UTF-16 by its mark, or by zeros in every second byte."""
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Encoding("utf-16", "a byte order mark of UTF-16")
    if len(sample) < 100:
        return None
    even, odd = (sample[side::2].count(0) / (len(sample) / 2) for side in (0, 1))
    if max(even, odd) > ZEROS and min(even, odd) < ZEROS / 10:
        name = "utf-16-le" if odd > even else "utf-16-be"
        return Encoding(name, "zeros in every second byte")
    return None
