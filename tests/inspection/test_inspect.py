"""Inspect: are the figures those that one counts by hand, and is the class the right one?"""

from __future__ import annotations

import gzip
import html
import json
import random
import re
import signal
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import regex
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from miner.commands.main import main
from miner.errors import CorpusError, TokenizerError
from miner.inspection import kernel
from miner.inspection import reading as inspect_reading
from miner.inspection.classes import find_glued, tell_profile
from miner.inspection.encodings import guess_encoding
from miner.inspection.inspecting import InspectConfig, inspect_corpus
from miner.inspection.page import make_inspection
from miner.inspection.reading import PIECE, Repeats, Sample
from miner.inspection.scripts import guess_language, name_script, share_scripts
from miner.inspection.view import describe_inspection
from miner.text.profiles import detect_profile
from miner.text.unicode import CODE_POINTS


@dataclass(frozen=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str


Say = Callable[..., Told]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Run `miner inspect` in this process."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str | Path) -> Told:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["inspect", *map(str, arguments)])
        printed = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Told(left.value.code, printed.out, printed.err)

    yield run
    signal.signal(signal.SIGTERM, before)


def inspect(*paths: Path, **options: Any) -> dict[str, Any]:
    return inspect_corpus(InspectConfig(tuple(map(str, paths)), **options))


def write(folder: Path, content: str | bytes, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def unwrap(told: str) -> str:
    return " ".join(told.split())


# Figures by brute force

PIECES = st.sampled_from(
    [
        b"a",
        b"B",
        b" ",
        b"\n",
        b"\r\n",
        b"\r",
        b"\t",
        b"\x00",
        b"\x1c",
        "я".encode(),
        "水".encode(),
        "😀".encode(),
        "\u00a0".encode(),
        "\u2028".encode(),
        "\u3000".encode(),
        b"\xff",
        b"\xc3",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xf4\x90\x80\x80",
        b"word\n",
        b"\xf0\x9f",
        b"\x85",
        "\u0085".encode(),
        "\ufffd".encode(),
    ]
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(PIECES, min_size=1, max_size=60), st.integers(1, 9))
def test_the_figures_are_those_that_python_counts(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], block: int
) -> None:
    content = b"".join(pieces)
    path = write(tmp_path_factory.getbasetemp(), content, "figures.txt")
    before = inspect_reading.BLOCK
    inspect_reading.BLOCK = block  # characters and lines cut anywhere give the same figures
    try:
        found = inspect(path)
    finally:
        inspect_reading.BLOCK = before
    lines = content.split(b"\n")
    lines = lines[:-1] if lines[-1] == b"" else lines
    texts = [line.decode("utf-8", "surrogateescape") for line in lines]
    text = content.decode("utf-8", "surrogateescape")
    bad = [place for place, sign in enumerate(text) if 0xDC80 <= ord(sign) < 0xDD00]
    size, encoding, again = found["size"], found["encoding"], found["duplicates"]
    assert size["text_bytes"] == size["disk_bytes"] == len(content)
    assert size["documents"] == size["lines"] == len(lines)
    assert size["empty_documents"] == lines.count(b"")
    assert size["words"] == len(text.split())
    assert size["characters"] == len(text)
    assert encoding["bad_bytes"] == len(bad)
    if bad:
        start = len(text[: bad[0]].encode("utf-8", "surrogateescape"))
        first = {"path": str(path), "byte": start, "line": content[:start].count(b"\n") + 1}
        assert encoding["first_bad"] == first
    crlf = content.count(b"\r\n")
    ends = {"crlf": crlf, "lf": content.count(b"\n") - crlf, "cr": content.count(b"\r") - crlf}
    assert encoding["line_ends"] == ends
    filled = Counter(line for line in lines if line)
    assert again["documents"] == filled.total() - len(filled)
    assert again["distinct"] == len(filled)
    repeated = sum((count - 1) * len(line) for line, count in filled.items())
    total = sum(count * len(line) for line, count in filled.items())
    assert again["share_of_bytes"] == pytest.approx(repeated / total if total else 0)
    longest = found["lengths"]["longest"]
    lengths = [len(line) for line in texts]
    assert longest["characters"] == max(lengths)
    if max(lengths):
        assert longest["document"] == lengths.index(max(lengths)) + 1
        assert longest["bytes"] == len(lines[lengths.index(max(lengths))])
    bins = {entry["from"]: entry["documents"] for entry in found["lengths"]["bins"]}
    assert sum(bins.values()) == len(lines)
    assert bins.get(2, 0) == sum(2 <= length <= 3 for length in lengths)
    assert found["lengths"]["mean"] == pytest.approx(sum(lengths) / len(lengths))
    assert found["lengths"]["median"] == sorted(lengths)[max(0, -(-len(lengths) // 2) - 1)]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    describe_inspection(found)
    make_inspection(found)


def test_control_and_invisible_characters_are_listed(tmp_path: Path) -> None:
    found = inspect(write(tmp_path, "a\u200bb\x07\u200b\u202e\n\tc\r\n"))["encoding"]
    assert found["controls"] == [{"code": "U+0007", "name": "control", "count": 1}]
    assert [(entry["code"], entry["count"]) for entry in found["invisible"]] == [
        ("U+200B", 2),
        ("U+202E", 1),
    ]
    assert found["invisible"][0]["name"] == "ZERO WIDTH SPACE"


def test_pages_are_of_500_to_600_words(tmp_path: Path) -> None:
    found = inspect(write(tmp_path, "word " * 3000))
    assert found["size"]["pages"] == [5.0, 6.0]
    assert "5.0 to 6.0 A4 pages" in unwrap(describe_inspection(found))


def test_scripts_without_spaces_have_words_by_their_letters(tmp_path: Path) -> None:
    size = inspect(write(tmp_path, "道可道非常道\n" * 100))["size"]
    assert size["words"] == 100
    assert size["words_for_pages"] == 400  # 600 signs, 1.5 a word


def test_scripts_are_those_of_unicode() -> None:
    names = {
        "Latin",
        "Greek",
        "Cyrillic",
        "Han",
        "Hiragana",
        "Katakana",
        "Thai",
        "Runic",
        "Arabic",
        "Hebrew",
        "Devanagari",
        "Cuneiform",
        "Armenian",
        "Georgian",
        "Hangul",
        "Coptic",
        "Egyptian_Hieroglyphs",
        "Linear_B",
        "Gothic",
        "Cherokee",
        "Syriac",
        "Ethiopic",
        "Old_Persian",
        "Phoenician",
        "Tibetan",
        "Mongolian",
        "Khmer",
        "Ogham",
    }
    points = (chr(point) for point in range(0x20000) if not 0xD800 <= point < 0xE000)
    every = "".join(sign for sign in points if unicodedata.name(sign, ""))
    for name in names:
        pattern = rf"[\p{{Script={name}}}&&[\p{{Lu}}\p{{Ll}}\p{{Lo}}]]"
        letters = regex.compile(pattern, regex.VERSION1)
        ours = {"Egyptian_Hieroglyphs": "Egyptian hieroglyphs"}.get(name, name.replace("_", " "))
        theirs = letters.findall(every)
        wrong = [sign for sign in theirs if name_script(ord(sign)) != ours]
        assert len(wrong) <= 0.04 * len(theirs), (name, wrong[:20])


def test_shares_of_scripts_by_hand() -> None:
    points = np.zeros(CODE_POINTS, np.int64)
    for sign in "abc дом 水 7!⟁":
        points[ord(sign)] += 1
    shares = share_scripts(points)
    assert shares == {"Latin": 3 / 7, "Cyrillic": 3 / 7, "Han": 1 / 7}


# Languages


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Er sagte, dass er nicht mit dem Zug und auch nicht mit dem Auto kommen will.", "German"),
        ("Я не знаю, что он сказал ей, но это было не так, как мы думали.", "Russian"),
        ("Він сказав, що не знає, як це було, та що вона була з ним.", "Ukrainian"),
        ("Gallia est omnis divisa in partes tres et non est ad nos qui cum eo sunt", "Latin"),
        ("धर्मक्षेत्रे च इति न एव हि तु स ते मे तस्य अपि", "Sanskrit"),
        ("これは日本語の文章です。", "Japanese"),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "Cherokee"),
        ("zorblu fenk tavi mornex quil dratto vesp ulm krent", "unknown"),
        ("CC(=O)N c1ccccc1 CCN(CC)CC d s n c l", "unknown"),
        ("123 456 !!", "unknown"),
    ],
)
def test_a_language_is_told_or_unknown(text: str, name: str) -> None:
    assert guess_language(text)[0] == name


def test_lines_of_two_scripts_in_turn_are_told_apart(tmp_path: Path) -> None:
    english = "It was the best of times and it was the worst of times.\n"
    path = write(tmp_path, (english + "Я не знаю, что он в это не верил.\n") * 50)
    found = {entry["name"]: entry["share"] for entry in inspect(path)["languages"]}
    assert set(found) == {"English", "Russian"}
    assert found["English"] == pytest.approx(43 / 67, abs=0.03)


# Classes

WORDS = [
    "time", "way", "light", "night", "home", "king", "day", "house", "road", "field",
    "water", "stone", "tree", "hand", "voice",
]  # fmt: skip


def make_prose(rng: random.Random) -> str:
    return "\n".join(
        f"The {rng.choice(WORDS)} of the {rng.choice(WORDS)} was in the {rng.choice(WORDS)}, and "
        f"it had been a {rng.choice(WORDS)} that they did not have."
        for _ in range(200)
    )


def make_meanings(rng: random.Random) -> str:
    roots = ["жар", "тишина", "вход", "дрожь", "свет", "страх", "пульс", "порог"]
    return "\n".join(
        f"{rng.choice(roots)}{rng.choice(roots)} Δ{rng.randrange(90)} {rng.choice(roots)} "
        f"{rng.choice(roots)} _RESO_ {''.join(rng.sample(roots, 3))}"
        for _ in range(200)
    )


def make_code(rng: random.Random) -> str:
    return "\n".join(
        f"def {rng.choice(WORDS)}_{i}(self, x: int = {i}) -> dict: # тут {rng.choice(WORDS)}\n"
        f'    return {{"{rng.choice(WORDS)}": [x[{i}], self.{rng.choice(WORDS)}({i})]}}'
        for i in range(200)
    )


def make_signs(rng: random.Random) -> str:
    return "\n".join(" ".join(rng.choices("ᚠᚢᚦ⟁🜂🜁☀𓂀𓆣", k=8)) for _ in range(200))


def make_nodes(rng: random.Random) -> str:
    return "\n".join(
        " ".join(f"{a}XS_ΔC{rng.randrange(9)}:R{rng.randrange(9)}K" for a in rng.sample("VLQT", 3))
        for _ in range(200)
    )


def make_sanskrit(rng: random.Random) -> str:
    words = ["agniḥ", "devaḥ", "yajñam", "lokaḥ", "kāmaḥ", "vācā", "bhavati", "karoti"]
    return "\n".join(
        f"{rng.choice(words)} ca {rng.choice(words)} na iti {rng.choice(words)} eva vā sa hi tat"
        for _ in range(200)
    )


@pytest.mark.parametrize(
    ("make", "number", "profile"),
    [
        (make_prose, 0, "words"),
        (make_meanings, 1, "words"),
        (make_sanskrit, 2, "words"),
        (make_code, 3, "code"),
        (make_signs, 4, "words"),
        (make_nodes, 6, "code"),
    ],
)
def test_each_class_is_told(
    tmp_path: Path, make: Callable[[random.Random], str], number: int, profile: str
) -> None:
    found = inspect(write(tmp_path, make(random.Random(3))))
    assert found["class"]["number"] == number, found["class"]["why"]
    assert found["class"]["certainty"] in ("sure", "likely")
    assert found["profile"]["name"] == profile
    deciding = found["class"]["why"].split(":")[0]
    signal_of = {entry["what"]: entry for entry in found["class"]["signals"]}
    assert signal_of[deciding]["value"] >= signal_of[deciding]["counts_from"]


def test_bytes_are_told_by_their_ending_and_by_what_they_are(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(50_000)
    named = inspect(write(tmp_path, content, "weights.bin"))
    unnamed = inspect(write(tmp_path, content, "weights.dat"))
    assert named["class"]["number"] == unnamed["class"]["number"] == 5
    assert named["binary"]["entropy_per_byte"] > 7.9
    assert unnamed["next"].endswith("--profile bytes")
    as_bytes = inspect(tmp_path / "weights.dat", profile="bytes")
    assert as_bytes["binary"]["entropy_per_byte"] == named["binary"]["entropy_per_byte"]


def test_a_binary_among_texts_is_named(tmp_path: Path) -> None:
    write(tmp_path, make_prose(random.Random(1)), "a.txt")
    odd = write(tmp_path, random.Random(1).randbytes(90_000), "b.dat")
    found = inspect(tmp_path)
    assert found["encoding"]["files_no_text"] == [str(odd)]
    assert "in 1 of 2 files" in found["class"]["why"]
    assert not found["next"].endswith("bytes")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (
            "Er sagte, daß er für die Züge nicht genug Geld hätte und daß es so wäre.\n",
            "windows-1252",
        ),
        ("これは日本語の文章です。とても長い文章ではありません。\n", "euc-jp"),
        ("이것은 한국어 문장입니다. 매우 긴 문장은 아닙니다.\n", "euc-kr"),
        ("我们的国家是一个很大的国家，这是我的书，他在学校里和朋友说话。\n", "gb18030"),
        ("我們的國家是一個很大的國家，這是我的書，他在學校裡和朋友說話。\n", "big5"),
    ],
)
def test_encodings_are_told_apart(text: str, encoding: str) -> None:
    guess = guess_encoding((text * 40).encode(encoding))
    assert guess is not None
    assert guess.name == encoding
    assert guess_encoding(random.Random(1).randbytes(20_000)) is None


def test_records_without_spaces_are_no_notation(tmp_path: Path) -> None:
    rng = random.Random(1)
    table = "".join(",".join(f"{rng.random():.4f}" for _ in range(9)) + "\n" for _ in range(300))
    assert inspect(write(tmp_path, table))["class"]["number"] == 3


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "utf-16", "utf-16-be"])
def test_text_in_another_encoding_is_no_binary(tmp_path: Path, encoding: str) -> None:
    text = "Я не знаю, что он сказал ей, но это было не так, как мы думали.\n" * 99
    path = write(tmp_path, text.encode(encoding))
    found = inspect(path)
    assert found["encoding"]["guess"]["name"] == encoding
    assert found["class"]["number"] == 0
    assert [tongue["name"] for tongue in found["languages"]] == ["Russian"]
    assert found["next"].startswith(f"iconv -f {encoding} -t UTF-8 {path} > ")


def test_a_language_that_nobody_knows_is_no_more_than_a_guess(tmp_path: Path) -> None:
    rng = random.Random(5)
    syllables = ["zor", "blu", "fen", "kel", "tav", "mor", "nex", "quil"]
    text = "\n".join(
        " ".join(rng.choice(syllables) + rng.choice(syllables) for _ in range(9)) for _ in range(99)
    )
    found = inspect(write(tmp_path, text))["class"]
    assert (found["number"], found["certainty"]) == (1, "perhaps")
    assert "may as well be a living language" in found["why"]


REAL = {
    "ru_prose": (0, "words"), "ru_poetry": (0, "words"), "en_novels": (0, "words"),
    "en_tinyshakespeare": (0, "words"), "ja_gsd": (0, "words"), "zh_gsd": (0, "words"),
    "th_pud": (0, "words"), "sa_vedic_iast": (2, "words"), "lzh_tang": (2, "words"),
    "akk_translit": (2, "transliteration"), "egy_translit": (2, "transliteration"),
    "non_edda": (2, "words"), "akk_cuneiform": (4, "words"), "egy_hiero": (4, "code"),
    "mix_learnxy": (3, "code"), "math_openlogic": (3, "code"), "ml_bible": (3, "words"),
    "logs_apache": (3, "code"), "logs_nginxjson": (3, "code"), "sym_emoji_json": (3, "code"),
    "sym_emoji": (4, "words"), "sym_ucd_names": (4, "words"), "chem_smiles_hiv": (4, "molecules"),
    "music_abc": (4, "code"), "codes_icd9": (6, "words"), "model_weights": (5, "bytes"),
}  # fmt: skip
LARGE = 1_500_000  # of a larger one some lines are enough


@pytest.mark.parametrize("name", REAL)
def test_real_corpora_are_told(shared: Path, tmp_path: Path, name: str) -> None:
    rows = (shared / "corpora" / "INDEX.tsv").read_text(encoding="utf-8").splitlines()
    index = {row.split("\t")[0].split(".")[0]: row.split("\t") for row in rows}
    path = shared / "corpora" / index[name][0]
    if path.suffix == ".gz" and int(index[name][2]) > LARGE:
        lines = gzip.decompress(path.read_bytes()).split(b"\n")
        path = write(tmp_path, b"\n".join(lines[:: len(lines) // 3000 + 1]))
    found = inspect(path)
    assert (found["class"]["number"], found["profile"]["name"]) == REAL[name], found["class"]["why"]
    if path.suffix == ".gz":
        size = found["size"]
        counted = (size["text_bytes"], size["lines"], size["words"])
        # `wc` and `str.split` differ in what parts words where a text is made of odd characters
        assert counted[:2] == tuple(map(int, index[name][2:4]))
        assert counted[2] == pytest.approx(int(index[name][4]), rel=0.001)


@pytest.mark.parametrize("make", [make_prose, make_code, make_signs, make_nodes, make_sanskrit])
def test_the_profile_is_that_of_mine(make: Callable[[random.Random], str]) -> None:
    head = make(random.Random(2)).encode()
    assert tell_profile(head).name == detect_profile(head).name


def test_a_beginning_that_is_unlike_the_rest_is_told(tmp_path: Path) -> None:
    prose, code = make_prose(random.Random(1)), make_code(random.Random(1))
    found = inspect(write(tmp_path, prose * 70 + "\n" + code * 300))
    assert (found["profile"]["name"], found["profile"]["by_sample"]) == ("words", "code")
    assert "mine by --profile code" in unwrap(describe_inspection(found))


def test_glued_words_are_found() -> None:
    words = Counter({"жар": 3, "тишина": 2, "вход": 2, "входтишинажар": 1, "тишинами": 1})
    assert find_glued(words) == {"входтишинажар"}


# Memory and samples


def test_repeats_are_sampled_by_hash_where_they_are_too_many() -> None:
    rng = np.random.default_rng(7)
    hashes = rng.integers(1, 1 << 63, 60_000, dtype=np.uint64)
    drawn = rng.permutation(np.concatenate([hashes, hashes[:30_000]]))  # a third is there again
    repeats, exact = Repeats(most=1 << 14), Repeats()
    for part in np.array_split(drawn, 9):
        for each in (repeats, exact):
            each.note(part, np.full(len(part), 10, np.int64))
    assert exact.totals() == (90_000, 900_000, 30_000, 300_000)
    documents, size, again, _ = repeats.totals()
    assert repeats.level >= 3
    assert documents < 15_000
    assert size == 10 * documents
    assert again / documents == pytest.approx(1 / 3, abs=0.02)


def test_a_sample_is_whole_or_evenly_spread() -> None:
    sample = Sample()
    text = b"".join(b"%07d\n" % number for number in range(PIECE * 200 // 8))
    for start in range(0, len(text), 10_007):
        sample.feed(text[start : start + 10_007])
    assert sample.is_whole
    assert sample.runs() == [text]
    more = b"".join(b"%07d\n" % number for number in range(PIECE * 200 // 8, PIECE * 900 // 8))
    for start in range(0, len(more), 99_991):
        sample.feed(more[start : start + 99_991])
    assert not sample.is_whole
    runs = sample.runs()
    assert 128 < len(runs) <= 256
    firsts = [int(run[:7]) for run in runs]
    assert set(np.diff(firsts)) == {sample.stride * PIECE // 8}
    assert all(len(run) >= PIECE - 16 for run in runs[:-1])


def test_one_giant_line_is_one_document(tmp_path: Path) -> None:
    found = inspect(write(tmp_path, "слово " * 700_000))
    assert found["size"]["documents"] == 1
    assert found["size"]["words"] == 700_000
    assert found["lengths"]["longest"]["characters"] == 4_200_000
    assert "cut into sentences" in unwrap(describe_inspection(found))


# Forms


def test_every_form_gives_the_same_figures(tmp_path: Path) -> None:
    lines = [*make_prose(random.Random(1)).split("\n"), "", "Да это не он, и не она.", ""]
    text = ("\n".join(lines) + "\n").encode()
    frame = pl.DataFrame({"number": range(len(lines)), "text": lines})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.write_csv(tmp_path / "a.csv")
    write(tmp_path, text, "a.txt")
    write(tmp_path, gzip.compress(text, mtime=0), "a.txt.gz")
    write(tmp_path, zstandard.compress(text), "a.txt.zst")
    records = [
        inspect(tmp_path / f"a.{form}")
        for form in ("txt", "txt.gz", "txt.zst", "parquet", "jsonl", "csv")
    ]
    for record in records[1:]:
        for name in ("documents", "empty_documents", "lines", "words", "words_for_pages"):
            assert record["size"][name] == records[0]["size"][name], record["forms"]
        for name in ("duplicates", "scripts", "languages"):
            assert record[name] == records[0][name], record["forms"]
        assert record["lengths"]["bins"] == records[0]["lengths"]["bins"]
        assert record["class"]["number"] == 0
    assert records[1]["size"]["disk_bytes"] < records[1]["size"]["text_bytes"]
    both = inspect(tmp_path / "a.txt", tmp_path / "a.jsonl")
    assert both["size"]["documents"] == 2 * len(lines)
    assert both["forms"] == {"lines": 1, "jsonl": 1}


def test_a_column_is_named_as_in_mine(tmp_path: Path) -> None:
    path = write(tmp_path, '{"a": "one two", "b": "three"}\n', "a.jsonl")
    found = inspect(path, text_column="b")
    assert found["size"]["words"] == 1
    assert found["next"] == f"miner mine {path} --text-column b"


def test_marks_and_line_ends_of_json_lines_are_those_of_the_file(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"text": "a\\u200b"}\r\n{"text": "b"}\n{"text": "\xff"}\n'
    found = inspect(write(tmp_path, content, "a.jsonl"))
    assert found["size"]["documents"] == 2
    assert len(found["encoding"]["byte_order_marks"]) == 1
    assert found["encoding"]["line_ends"] == {"lf": 2, "crlf": 1, "cr": 0}
    assert found["encoding"]["first_bad"] == {
        "path": str(tmp_path / "a.jsonl"),
        "line": 3,
        "byte": content.index(b"\xff"),
    }
    assert found["next"].endswith("--on-error skip")


def test_tensors_are_told_by_form_and_by_place_of_a_byte(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors = {"a": rng.normal(size=(64, 128)).astype(np.float32), "b": np.zeros(9, np.int64)}
    save_file(tensors, tmp_path / "w.safetensors")
    record = inspect(tmp_path / "w.safetensors")
    found = record["binary"]
    forms = {entry["dtype"]: entry for entry in found["forms"]}
    assert forms["F32"]["elements"] == 64 * 128
    assert forms["I64"]["entropy_by_place"] == [0.0] * 8
    low, _, _, high = forms["F32"]["entropy_by_place"]
    assert low > 7.9  # the last bits of a mantissa are noise
    assert high < 4  # sign and exponent are not
    assert found["shapes"][0] == {"name": "a", "dtype": "F32", "shape": [64, 128], "bytes": 32768}
    assert record["size"]["documents"] == 2
    assert "a F32 64 x 128" in describe_inspection(record)


# Tokens


@pytest.fixture(scope="module")
def words_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer that makes a token of each run of letters and of each other sign."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"?": 0, "the": 1}, "?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    path = tmp_path_factory.mktemp("words") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_tokens_of_a_small_corpus_are_counted(tmp_path: Path, words_tokenizer: Path) -> None:
    path = write(tmp_path, "the end, the beginning\n\nthe rest\n")
    found = inspect(path, tokenizer=words_tokenizer)["tokens"]
    assert (found["tokens"], found["low"], found["high"]) == (7, 7, 7)
    assert not found["sampled"]
    assert found["bytes_per_token"] == pytest.approx(33 / 7)


def test_tokens_of_a_large_corpus_come_with_an_interval(
    tmp_path: Path, words_tokenizer: Path
) -> None:
    rng = random.Random(4)
    words = ["the", "a", "wilderness", "of", "incomprehensible", "x", "tree"]
    text = "".join(" ".join(rng.choices(words, k=12)) + "\n" for _ in range(90_000))
    found = inspect(write(tmp_path, text), tokenizer=words_tokenizer)
    tokens, right = found["tokens"], len(text.split())
    assert tokens["sampled"]
    assert tokens["low"] < tokens["tokens"] < tokens["high"]
    assert tokens["tokens"] == pytest.approx(right, rel=0.01)
    assert tokens["low"] * 0.995 <= right <= tokens["high"] * 1.005
    assert "from a sample of" in unwrap(describe_inspection(found))


# What it is enough for


@pytest.mark.parametrize(
    ("lines", "reached", "missing"),
    [
        (99, 0, "for a prototype 1 line"),
        (100, 1, "for LoRA 9,900 lines"),
        (10_000, 2, "for a full corpus 990,000 lines or 1 GB"),
    ],
)
def test_steps_by_lines(tmp_path: Path, lines: int, reached: int, missing: str) -> None:
    found = inspect(write(tmp_path, "".join(f"{i} and\n" for i in range(lines)) + "\n\n"))
    assert sum(rung["reached"] for rung in found["sizing"]) == reached
    assert missing in unwrap(describe_inspection(found))


def test_repeated_lines_do_not_make_a_step(tmp_path: Path) -> None:
    told = describe_inspection(inspect(write(tmp_path, "the same line\n" * 10_000)))
    assert "counted once, lines are too few for a prototype" in unwrap(told)


# The door

HOSTILE = "<script>alert(1)</script> & \u202e\u0000 \"'"


def test_nothing_of_a_corpus_acts_or_hides(tmp_path: Path, say: Say) -> None:
    folder = tmp_path / "x\u202e<img src=x onerror=alert(1)>"
    folder.mkdir()
    write(folder, (HOSTILE + "\n") * 20, "<b>.txt")
    write(folder, json.dumps({"<i>\u202e": HOSTILE}) + "\n{bad\n", "a.jsonl")
    page = tmp_path / "page.html"
    told = say(folder, "--html", page, "--on-error", "skip")
    assert told.code == 0
    seen = told.out + told.err
    assert not {"Cc", "Cf"} & {unicodedata.category(sign) for sign in seen.replace("\n", "")}
    source = page.read_text(encoding="utf-8")
    assert "\u202e" not in source
    tags = set(re.findall(r"<([a-z0-9]+)", source))
    assert not tags & {"script", "img", "i", "iframe", "link", "object"}
    assert "default-src 'none'" in source
    assert not re.search(r"\son\w+=", re.sub(r">[^<]*<", "><", source))
    assert html.escape("<img src=x onerror=alert(1)>") in source


def test_json_is_all_of_it(tmp_path: Path, say: Say) -> None:
    path = write(tmp_path, make_prose(random.Random(1)))
    told = say(path, "--json")
    assert told.code == 0
    assert json.loads(told.out) == inspect(path)


def test_the_screen_says_what_comes_next(tmp_path: Path, say: Say) -> None:
    path = write(tmp_path, make_prose(random.Random(1)), "my novel.txt")
    told = say(path, "--profile", "code")
    assert told.out.splitlines()[-1] == f"Next: miner mine '{path}' --profile code"
    assert max(map(len, told.out.splitlines()[3:-2])) <= 100
    assert "your choice" in told.out


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (b"", "empty.txt", "empty file"),
        (gzip.compress(b"one line\n" * 999, mtime=0)[:-20], "cut.txt.gz", "truncated gz archive"),
        (b'{"a": "x", "b": "y"}\n', "two.jsonl", "no text column"),
        (b"PAR1 no table", "no.parquet", "Parquet"),
        (b"\x10\0\0\0\0\0\0\0{}", "no.safetensors", "safetensors"),
    ],
)
def test_what_cannot_be_read_ends_with_one_line(
    tmp_path: Path, say: Say, content: bytes, name: str, problem: str
) -> None:
    path = write(tmp_path, content, name)
    told = say(path)
    assert told.code == 3
    assert problem in told.err
    assert told.out == ""
    assert len(told.err.splitlines()) == 1


def test_with_skip_the_rest_is_told(tmp_path: Path, say: Say) -> None:
    write(tmp_path, b"", "empty.txt")
    write(tmp_path, "the end\n", "full.txt")
    assert say(tmp_path).code == 3
    told = say(tmp_path, "--on-error", "skip")
    assert told.code == 0
    assert "empty file" in " ".join(told.out.split())  # a long path breaks the line anywhere
    assert told.out.splitlines()[-1].endswith("--on-error skip")


def test_trouble_without_end_takes_no_memory_without_end(tmp_path: Path) -> None:
    path = write(tmp_path, '{"text": "a b"}\n' + "{bad\n" * 3_000, "a.jsonl")
    found = inspect(path, on_error="skip")
    assert (len(found["skipped"]), found["skipped_in_all"]) == (1_000, 3_000)
    assert "and 2,999 more" in describe_inspection(found)
    with pytest.raises(CorpusError, match="bad JSON"):
        inspect(path)


def test_wrong_use_has_its_code(tmp_path: Path, say: Say) -> None:
    path = write(tmp_path, "text\n")
    assert say().code == 2
    assert say(path, "--html", tmp_path).code == 2
    before = path.read_bytes()
    assert say(path, "--html", path).code == 3 and path.read_bytes() == before
    assert say(tmp_path / "nothing").code == 3
    assert say(path, "--tokenizer", tmp_path / "nothing").code == 3
    with pytest.raises(CorpusError):
        inspect(tmp_path / "nothing")
    with pytest.raises(TokenizerError):
        inspect(path, tokenizer=tmp_path / "nothing")
    with pytest.raises(ValueError, match="profile"):
        inspect(path, profile="verse")


def test_blank_lines_alone_tell_nothing(tmp_path: Path) -> None:
    found = inspect(write(tmp_path, "\n\n \n"))
    assert found["class"]["number"] is None
    assert found["size"]["words"] == 0
    assert make_inspection(found)
    assert "nothing yet" in describe_inspection(found)


def test_lengths_fall_into_bins_that_meet() -> None:
    lengths = [0, 1, 1023, 1024, 1087, 1088, 2047, 2048, 4_200_000, 1 << 40]
    bins = [int(kernel.length_bin(np.int64(length))) for length in lengths]
    assert bins[:4] == [0, 1, 1023, 1024]
    assert bins[4] == 1024
    assert bins[5] == 1025
    assert bins == sorted(bins)
    assert bins[-1] < kernel.LENGTH_BINS
