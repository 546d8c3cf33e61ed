"""Bytes that are not UTF-8 to a guess: in which other encoding is this a text?"""

from __future__ import annotations

from dataclasses import dataclass

from miner.rewriting.inspect_scripts import UNKNOWN, guess_languages

TRIED = 1 << 17  # bytes of a sample
KNOWN = 0.5  # share of letters in a known language that makes an encoding credible
BROKEN = 0.01  # share of characters that may be broken
ZEROS = 0.2  # share of zero bytes on one side that makes UTF-16 of a text in few scripts
ENCODINGS = ("windows-1251", "koi8-r", "cp866", "windows-1252", "gb18030", "shift_jis", "euc-jp",
             "big5", "euc-kr")  # fmt: skip


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
    best, most = None, KNOWN
    for name in ENCODINGS:
        text = sample.decode(name, "replace")
        if text.count("\ufffd") > BROKEN * len(text):
            continue
        found = [tongue for tongue in guess_languages(text) if tongue.name != UNKNOWN]
        share = sum(tongue.share for tongue in found)
        if share > most:
            best, most = Encoding(name, f"read so it is {found[0].name}"), share
    return best


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
