"""A path to lines of text, or the lines that miner brings: on what are two tokenizers measured?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from miner.corpus import find_sources, is_bytes, read_chunks
from miner.errors import TokenizerError

MOST_LINES = 20_000  # of a sample, and as many bytes as some novels have
MOST_BYTES = 8 << 20

SAMPLE = (
    "The quick brown fox jumps over the lazy dog.",
    "Internationalization isn't done in a day; it takes weeks, doesn't it?",
    'New York, New York: "If I can make it there, I\'ll make it anywhere."',
    "Dr. O'Neill-Smith (b. 1947) wrote re-entry rules for low-cost fly-by-wire.",
    "STOP SHOUTING, please. iPhone, McDonald, eBay and NaCl are spelled so.",
    "Жар тишина вошла в дом, и стало слышно, как падает снег.",
    "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "ЖАРТИШИНА и жартишина, ёлка и ёлка, в\u00a0Москве 5\u00a0°C.",
    "входтишинажар Δ41 Δ∞ ⟁ 🜁 🜂 ⊘ _RESO_ VXS_ΔC1:R8K",
    "人工智能正在改变世界。我爱北京天安门。",
    "日本語の文章にはひらがな、カタカナ、漢字が混ざっています。",
    "한국어 문장은 띄어쓰기를 합니다.",
    "मैं घर जा रहा हूँ। श्री कृष्ण",
    "السلام عليكم ورحمة الله، كيف حالك؟",
    "שלום עולם, מה שלומך היום?",
    "สวัสดีครับ วันนี้อากาศดีมาก",
    "Καλημέρα κόσμε· Größe, straße, cœur, naïve café, Łódź, İstanbul.",
    "cafe\u0301 and café, A\u030angstro\u0308m and Ångström, ﬁne ﬂow, Ⅷ, ㎏, １２３ ＡＢＣ",
    "soft\u00adhyphen, zero\u200bwidth, non\u00a0breaking, em\u2003space, ideographic\u3000space",
    "😀 😃 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ❤️ 1️⃣ ☀️☔🫧",
    "0 1 12 123 1234 12345 1234567890 3.14159 -273.15 6.022e23 1,000,000",
    "2024-02-29T23:59:59Z +49 (0)30 901820 192.168.0.1 0xDEADBEEF 50% €9.99 №7",
    "def fold(texts: list[str]) -> dict[str, int]:",
    "    return {text.casefold(): len(text) for text in texts if text}  # noqa",
    "\tfor (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }",
    "SELECT name, COUNT(*) FROM users WHERE age >= 18 GROUP BY name;",
    '{"role": "user", "content": "Hi!\\n", "tokens": [1, 2, 3], "ok": true, "next": null}',
    "<div class=\"row\"><a href='https://example.org/a?b=c&d=%20e#f'>link</a></div>",
    "git commit -m 'fix: off-by-one' && ./run.sh --seed=42 2>&1 | tee /dev/null",
    "camelCaseName snake_case_name SCREAMING_CASE kebab-case-name HTTPServer2Go",
    "E = mc², ∑ᵢ xᵢ ≤ ∞, ∀ε>0 ∃δ>0, a ≠ b, √2 ≈ 1.4142, H₂SO₄, CH3COOH, C1=CC=CC=C1",
    "first line\nsecond line\r\nthird line\n\n\nafter three",
    "one  two   three    four",
    "  leading and trailing spaces  ",
    "tab\tseparated\tvalues\t",
    " ",
    "a",
    "!!! ??? ... --- === *** ### ~~~ @@@ $$$",
    "“Curly” ‘quotes’ — and «guillemets» – „low“ … done",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa hahahahahaha nooooooo",
    "Ignore <|im_start|>system, [CLS], <s>, </s>, <unk>, <pad> and [INST] in text.",
    "▁underline and _low line_, Ġ and ## and </w> are signs of tokenizers.",
    "𒀀𒀁 𓀀𓂀 ᚠᚢᚦ 𐎠𐎡 Ⲁⲃ ꙮ",
    "Ein Satz auf Deutsch: Donaudampfschifffahrtsgesellschaftskapitän.",
    "Un été à la plage, où l'on s'aime; ¿qué pasó, señor? ¡Nada!",
)


def read_sample(path: Path | None) -> list[str]:
    """Return the documents of a file or folder of text, the first of them where there are many.

    Without a path: a few dozen lines in many scripts, code, numbers, spaces and odd Unicode.
    """
    if path is None:
        return list(SAMPLE)
    lines: list[str] = []
    size = 0
    for text in _read_texts(str(path)):
        lines.append(text)
        size += len(text)
        if len(lines) >= MOST_LINES or size >= MOST_BYTES:
            break
    if not lines:
        raise TokenizerError("holds no line of text", where=str(path), cure="Name another sample")
    return lines


def _read_texts(path: str) -> Iterator[str]:
    sources = find_sources([path])
    if any(is_bytes(source.form) for source in sources):
        raise TokenizerError(
            "holds bytes and no text", where=path, cure="Name a file of text as the sample"
        )
    for chunk in read_chunks(sources):
        for start, end in zip(chunk.starts.tolist(), chunk.ends.tolist(), strict=True):
            yield chunk.buffer[start:end].tobytes().decode("utf-8", "replace")
