"""Files to documents: exact bytes, every form, every error with its place and its cure."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.corpus import (
    Skipped,
    Source,
    find_sources,
    hash_sources,
    is_bytes,
    read_chunks,
    streams,
    text,
)
from miner.errors import CorpusError

TEXTS = ["жар тишина", "", "Δ84 ⟁ 🜂", 'a "quoted", word', "tab\there", " spaces ", "\ufeffx", "é"]
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    ".xz": lzma.compress,
}
REAL = Path(__file__).parents[3] / "shared" / "corpora"


def read_documents(*paths: Path | str, **options: object) -> list[bytes]:
    chunks = read_chunks(find_sources([str(path) for path in paths]), **options)  # type: ignore[arg-type]
    return [
        chunk.buffer[start:end].tobytes()
        for chunk in chunks
        for start, end in zip(chunk.starts, chunk.ends, strict=True)
    ]


def read_skipping(*paths: Path | str, **options: object) -> tuple[list[bytes], list[Skipped]]:
    skipped: list[Skipped] = []
    return read_documents(*paths, on_error="skip", skipped=skipped, **options), skipped


def refusal(*paths: Path | str, **options: object) -> str:
    with pytest.raises(CorpusError) as caught:
        read_documents(*paths, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return str(caught.value)


def encode_texts(texts: list[str], ending: str) -> bytes:
    """A file of the form, as the usual writers of that form write it."""
    if ending == ".txt":
        return "".join(text + "\n" for text in texts).encode()
    if ending == ".jsonl":
        return "".join(json.dumps({"id": 1, "text": text}) + "\n" for text in texts).encode()
    if ending == ".ndjson":
        records = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
        return "".join(records).encode()
    if ending == ".parquet":
        buffer = io.BytesIO()
        table = {"id": range(len(texts)), "text": pl.Series(texts, dtype=pl.String)}
        pl.DataFrame(table).write_parquet(buffer)
        return buffer.getvalue()
    page = io.StringIO()
    writer = csv.writer(page, delimiter="," if ending == ".csv" else "\t", lineterminator="\n")
    writer.writerows([("id", "text", "n"), *((1, text, 2) for text in texts)])
    return page.getvalue().encode()


def make(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


# Forms


@pytest.mark.parametrize("packing", ["", ".gz", ".zst", ".xz"])
@pytest.mark.parametrize("ending", [".txt", ".jsonl", ".ndjson", ".csv", ".tsv"])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_every_text_form_gives_the_texts_back(folder, ending, packing, chunk_bytes) -> None:
    content = encode_texts(TEXTS, ending)
    path = make(folder / f"corpus{ending}{packing}", PACK.get(packing, bytes)(content))
    expected = [text.encode() for text in TEXTS]
    assert read_documents(path, chunk_bytes=chunk_bytes) == expected


texts_of_any_kind = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1)


@given(texts_of_any_kind, st.sampled_from([".jsonl", ".ndjson", ".csv", ".tsv", ".parquet"]))
@settings(max_examples=80)
def test_any_texts_come_back_from_a_table(texts: list[str], ending: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = make(Path(name) / f"corpus{ending}", encode_texts(texts, ending))
        expected = [text.encode() for text in texts]
        assert read_documents(path) == expected
        assert read_documents(path, chunk_bytes=5) == expected


@given(texts_of_any_kind)
@settings(max_examples=60)
def test_any_csv_of_polars_comes_back(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "corpus.csv"
        pl.DataFrame({"text": texts, "n": range(len(texts))}).write_csv(path)
        assert read_documents(path) == [text.encode() for text in texts]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))))
@settings(max_examples=60)
def test_any_lines_come_back(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        content = encode_texts([*texts, "last"], ".txt")
        path = make(Path(name) / "corpus.txt", content)
        assert read_documents(path, chunk_bytes=3) == content.split(b"\n")[:-1]


def test_text_is_not_changed_on_the_way_in(folder) -> None:
    content = "\ufeffe\u0301\r\n\r\n \x0b\x85\u2028 \x00".encode()
    path = make(folder / "notes.unknown", content)
    assert read_documents(path) == [
        "\ufeffe\u0301\r".encode(),
        b"\r",
        " \x0b\x85\u2028 \x00".encode(),
    ]


@pytest.mark.parametrize("packing", ["", *PACK])
def test_a_file_of_bytes_is_one_document(folder, packing) -> None:
    content = bytes(range(256)) * 5
    path = make(folder / f"weights.pt{packing}", PACK.get(packing, bytes)(content))
    assert read_documents(path, chunk_bytes=100) == [content]


def test_archives_of_several_members_and_padding(folder) -> None:
    for ending, pack in PACK.items():
        content = pack(b"one\ntw") + pack(b"") + pack(b"o\nthree\n")
        padding = b"" if ending == ".zst" else bytes(8)
        path = make(folder / f"a.txt{ending}", content + padding)
        assert read_documents(path) == [b"one", b"two", b"three"]


HELLO = b"Hello, world: | * :  0123456789\x00\xff"
DUMPS = {
    "plain": HELLO.hex().encode(),
    "plain in lines": HELLO.hex(" ", 4).upper().replace(" ", "\r\n").encode() + b"\n",
    "xxd": b"00000000: 4865 6c6c 6f2c 2077 6f72 6c64 3a20 7c20  Hello, world: | \n"
    b"00000010: 2a20 3a20 2030 3132 3334 3536 3738 3900  * :  0123456789.\n"
    b"00000020: ff                                       .\n",
    "hexdump -C": b"00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 3a 20 7c 20"
    b"  |Hello, world: | |\n"
    b"00000010  2a 20 3a 20 20 30 31 32  33 34 35 36 37 38 39 00  |* :  0123456789.|\n"
    b"00000020  ff                                                |.|\n00000021\n",
    "od": b"000000 48 65 6c 6c 6f 2c 20 77 6f 72 6c 64 3a 20 7c 20\n"
    b"000010 2a 20 3a 20 20 30 31 32 33 34 35 36 37 38 39 00\n000020 ff\n000021\n",
}


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS.keys())
def test_hex_dumps(folder, dump) -> None:
    assert read_documents(make(folder / "a.hex", dump)) == [HELLO]


def test_the_star_of_a_dump_repeats_the_line_before(folder) -> None:
    dump = (
        b"00000000  61 62 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |ab..............|\n"
        b"00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
        b"*\n00000040  7a  |z|\n00000041\n"
    )
    assert read_documents(make(folder / "a.hex", dump)) == [b"ab" + bytes(62) + b"z"]


def safetensors_of(tensors: dict[str, bytes], **changes: object) -> bytes:
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, content in tensors.items():
        span = [offset, offset + len(content)]
        header[name] = {"dtype": "U8", "shape": [len(content)], "data_offsets": span}  # type: ignore[dict-item]
        offset += len(content)
    encoded = json.dumps({**header, **changes}).encode()
    return len(encoded).to_bytes(8, "little") + encoded + b"".join(tensors.values())


@pytest.mark.parametrize("packing", ["", ".zst"])
def test_each_tensor_is_a_document_in_the_order_of_its_bytes(folder, packing) -> None:
    content = safetensors_of({"z": b"\x00\xff", "empty": b"", "a": b"abc"})
    path = make(folder / f"m.safetensors{packing}", PACK.get(packing, bytes)(content))
    assert read_documents(path) == [b"\x00\xff", b"", b"abc"]


# Tables


def test_the_column_is_the_named_one_else_text_else_the_only_one(folder) -> None:
    table = pl.DataFrame({"title": ["t"], "text": ["x"], "n": [1]})
    table.write_csv(folder / "a.csv")
    table.write_parquet(folder / "a.parquet")
    table.write_ndjson(folder / "a.jsonl")
    for ending in ("csv", "parquet", "jsonl"):
        assert read_documents(folder / f"a.{ending}") == [b"x"]
        assert read_documents(folder / f"a.{ending}", text_column="title") == [b"t"]
    table.select("title", "n").write_parquet(folder / "b.parquet")
    table.select("title", "n").write_ndjson(folder / "b.jsonl")
    table.select("title").write_csv(folder / "b.csv")
    for ending in ("csv", "parquet", "jsonl"):
        assert read_documents(folder / f"b.{ending}") == [b"t"]


def test_null_is_an_empty_document(folder) -> None:
    table = pl.DataFrame({"text": ["a", None, "b"], "n": [1, 2, 3]})
    table.write_csv(folder / "a.csv")
    table.write_parquet(folder / "a.parquet")
    table.write_ndjson(folder / "a.jsonl")
    for ending in ("csv", "parquet", "jsonl"):
        assert read_documents(folder / f"a.{ending}") == [b"a", b"", b"b"]


def test_csv_as_people_write_it(folder) -> None:
    content = b'\xef\xbb\xbf"text",n\r\n5" disk,1\r\n"say ""hi"",\r\n",2\r\n\r\n,3\r\n"",4'
    path = make(folder / "a.csv", content)
    for chunk_bytes in (1, 2, 9, 1000):
        documents = read_documents(path, chunk_bytes=chunk_bytes)
        assert documents == [b'5" disk', b'say "hi",\r\n', b"", b""]


def test_json_lines_as_people_write_them(folder) -> None:
    lines = [
        '{"text": "\\ud83d\\ude00 \\u0000 \\"\\/ 1"}\r',
        "",
        '{"n": {"text": "no"}, "te\\u0078t": "key"}',
        '{"text": "first", "text": "second"}',
        f'{{"n": {"7" * 5000}, "text": "42"}}',
        '{"text": "{}"}',
        '{"text": "\\\\ud83d"}',
    ]
    expected = ['😀 \x00 "/ 1', "key", "first", "42", "{}", "\\ud83d"]
    path = make(folder / "a.jsonl", b"\xef\xbb\xbf" + "\n".join(lines).encode())
    assert read_documents(path) == [text.encode() for text in expected]
    for line, text_ in zip([line for line in lines if line], expected, strict=True):
        assert read_documents(make(folder / "b.jsonl", line.encode())) == [text_.encode()]


signs = st.text(st.sampled_from('a1é😀"\\/{}[]\n\x00\ud83d\ude00'), max_size=5)
plain_json = signs | st.sampled_from([None, True, 0, -5, 1e25, 0.1, "42", "true", "[1]", "-0"])
json_values = plain_json | st.lists(plain_json, max_size=2) | st.dictionaries(signs, plain_json)
json_records = st.fixed_dictionaries({"text": json_values}, optional={"n": json_values})


@given(st.lists(json_records, min_size=1, max_size=5))
def test_json_values_are_judged_as_the_json_module_does(records: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        content = "".join(json.dumps(record) + "\n" for record in records)
        documents, skipped = read_skipping(
            make(Path(name) / "a.jsonl", content.encode()), text_column="text"
        )
    read = [json.loads(line)["text"] for line in content.splitlines()]
    good = [value or "" for value in read if value is None or isinstance(value, str)]
    surrogates = [value for value in good if any("\ud800" <= sign <= "\udfff" for sign in value)]
    assert documents == [value.encode() for value in good if value not in surrogates]
    empty = not documents and not skipped
    assert len(skipped) == len(records) - len(documents) + empty


# Sources


def test_endings_name_the_form(folder) -> None:
    names = ["A.TXT", "b.Jsonl.GZ", "c.ndjson", "d.csv.zst", "e.tsv.xz", "f.parquet", "g.md", "h"]
    for name in names:
        make(folder / name, b"x")
    found = {Path(s.path).name: (s.form, s.compression) for s in find_sources([str(folder)])}
    forms = ["lines", "jsonl", "jsonl", "csv", "tsv", "parquet", "lines", "lines"]
    packings = [None, "gz", None, "zst", "xz", None, None, None]
    assert [found[name] for name in names] == list(zip(forms, packings, strict=True))
    assert [is_bytes(form) for form in ("lines", "bytes", "hex", "safetensors")] == [
        False,
        True,
        True,
        True,
    ]


def test_folders_globs_and_files_each_once_in_order(folder) -> None:
    for name in ("b.txt", "a.txt", ".hidden.txt", "sub/c.txt", ".git/d.txt", "sub/e.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        make(folder / name, name.encode())
    (folder / "again").symlink_to(folder / "sub")

    def names(*paths: str) -> list[str]:
        return [str(Path(source.path).relative_to(folder)) for source in find_sources(paths)]

    everything = names(str(folder))
    assert everything == ["a.txt", "again/c.txt", "again/e.csv", "b.txt"]
    assert names(str(folder / "b.txt"), str(folder)) == [
        "b.txt",
        "a.txt",
        "again/c.txt",
        "again/e.csv",
    ]
    assert names(str(folder / "s*")) == ["sub/c.txt", "sub/e.csv"]
    assert names(str(folder / "**/*.txt")) == ["a.txt", "again/c.txt", "b.txt"]
    make(folder / "a[1].txt", b"x")
    assert names(str(folder / "a[1].txt")) == ["a[1].txt"]


def test_standard_input_is_lines_that_can_be_read_twice(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("раз\nдва".encode())))
    sources = find_sources(["-", "-"])
    assert [(source.path, source.form, source.bytes) for source in sources] == [
        ("standard input", "lines", 13)
    ]
    assert hash_sources(sources) == [hashlib.sha256("раз\nдва".encode()).hexdigest()]
    for _ in range(2):
        (chunk,) = read_chunks(sources)
        assert chunk.buffer[chunk.starts[1] : chunk.ends[1]].tobytes().decode() == "два"


def test_a_pipe_is_read_as_lines() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"one\ntwo\n")
    os.close(writer)
    assert read_documents(f"/dev/fd/{reader}") == [b"one", b"two"]
    os.close(reader)


def test_text_as_bytes(folder) -> None:
    make(folder / "a.txt.gz", gzip.compress(b"one\ntwo"))
    make(folder / "b.bin", b"\xff")
    make(folder / "c.hex", b"4142")
    sources = find_sources([str(folder)], as_bytes=True)
    assert [source.form for source in sources] == ["bytes", "bytes", "hex"]
    assert [chunk.buffer.tobytes() for chunk in read_chunks(sources)] == [
        b"one\ntwo",
        b"\xff",
        b"AB",
    ]


def test_hashes_are_of_the_file_as_it_lies(folder) -> None:
    path = make(folder / "a.txt.gz", gzip.compress(b"one"))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hash_sources(find_sources([str(path)])) == [expected]


def test_chunks_have_the_promised_types_and_end_between_documents(folder) -> None:
    for ending in (".txt", ".jsonl", ".csv", ".parquet"):
        path = make(folder / f"a{ending}", encode_texts(TEXTS * 50, ending))
        chunks = list(read_chunks(find_sources([str(path)]), chunk_bytes=200))
        assert len(chunks) > 3
        for chunk in chunks:
            assert (chunk.buffer.dtype, chunk.starts.dtype, chunk.ends.dtype) == (
                np.uint8,
                np.int64,
                np.int64,
            )
            arrays = (chunk.buffer, chunk.starts, chunk.ends)
            assert all(a.flags.c_contiguous and not a.flags.writeable for a in arrays)
            assert chunk.path == str(path)


@pytest.mark.parametrize("chunk_bytes", [10, 1 << 20])
def test_progress_sums_up_to_the_files(folder, chunk_bytes) -> None:
    for ending in (".txt", ".jsonl", ".csv", ".parquet"):
        make(folder / f"a{ending}", encode_texts(TEXTS * 9, ending))
    make(folder / "b.txt.gz", gzip.compress(b"one\n" * 1000)[:-9])
    make(folder / "c.txt", b"")
    sources, seen = find_sources([str(folder)]), list[int]()
    for _ in read_chunks(sources, chunk_bytes=chunk_bytes, on_error="skip", advance=seen.append):
        assert sum(seen) <= sum(source.bytes for source in sources)
    assert sum(seen) == sum(source.bytes for source in sources)
    assert min(seen) >= 0


def test_wrong_arguments_are_value_errors() -> None:
    with pytest.raises(ValueError, match="on_error"):
        read_chunks((), on_error="ignore")
    with pytest.raises(ValueError, match="chunk_bytes"):
        read_chunks((), chunk_bytes=0)


# Errors: file, place, cure


def test_paths_that_lead_nowhere(folder) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.txt: no such file or folder\. Check the path"):
        find_sources([str(folder / "nowhere.txt")])
    with pytest.raises(CorpusError, match=r"\*\.md: no file matches\. Check the pattern"):
        find_sources([str(folder / "*.md")])
    make(folder / ".hidden", b"x")
    with pytest.raises(CorpusError, match=r": no files in this folder\. Hidden names"):
        find_sources([str(folder)])
    with pytest.raises(CorpusError, match=r"no corpus was named\. Name a file"):
        find_sources([])
    (folder / "broken.txt").symlink_to(folder / "gone")
    with pytest.raises(CorpusError, match=r"broken\.txt: no such file.*Check the path"):
        find_sources([str(folder / "broken.txt")])


def test_links_that_go_round(folder) -> None:
    (folder / "sub").mkdir()
    make(folder / "a.txt", b"x")
    (folder / "sub" / "up").symlink_to(folder)
    with pytest.raises(CorpusError, match=r"sub/up: this link leads back .* Remove the link"):
        find_sources([str(folder)])
    (folder / "self").symlink_to(folder / "self")
    with pytest.raises(CorpusError, match=r"self: .*symbolic links.*Check the path"):
        find_sources([str(folder / "self")])


def test_bytes_and_text_are_not_mixed(folder) -> None:
    make(folder / "a.txt", b"x")
    make(folder / "b.bin", b"x")
    with pytest.raises(CorpusError, match=r"b\.bin is bytes and .*a\.txt is text.*profile bytes"):
        find_sources([str(folder)])


def test_files_without_read_permission() -> None:
    folder = Path(tempfile.mkdtemp())
    path = make(folder / "a.txt", b"x\n")
    folder.chmod(0o755)
    path.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        message = refusal(path)
        documents, skipped = read_skipping(path)
        with pytest.raises(CorpusError, match=r"a\.txt: permission denied"):
            hash_sources([Source(str(path), "lines", None, 2, str(path))])
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)
    assert message.startswith(f"{path}: permission denied. Check the file")
    assert (documents, [trouble.problem for trouble in skipped]) == ([], ["permission denied"])


BAD_UTF8 = {
    "latin": b"caf\xe9",
    "cut": "ж".encode()[:1],
    "surrogate": b"\xed\xa0\x80",
    "overlong": b"\xc0\xaf",
    "past the end": b"\xf4\x90\x80\x80",
    "utf-16": "\ufeffa".encode("utf-16-le"),
}


@pytest.mark.parametrize("bad", BAD_UTF8.values(), ids=BAD_UTF8.keys())
@pytest.mark.parametrize("chunk_bytes", [1, 4, 1 << 20])
def test_bad_utf8_in_lines(folder, bad, chunk_bytes) -> None:
    path = make(folder / "a.txt", b"one\n\xd0\xb6" + bad + b"\ntwo\n" + bad)
    good = len(bad) - len(bad.lstrip(b"caf"))
    message = refusal(path, chunk_bytes=chunk_bytes)
    assert message.startswith(f"{path}, line 2, byte {6 + good}: bad UTF-8 (bytes ")
    assert "iconv" in message and "on_error skip" in message
    documents, skipped = read_skipping(path, chunk_bytes=chunk_bytes)
    assert documents == [b"one", b"two"]
    places = [f"line 2, byte {6 + good}", f"line 4, byte {6 + len(bad) + 5 + good}"]
    assert [trouble.place for trouble in skipped] == places


def test_bad_utf8_does_not_hide_across_fields(folder) -> None:
    path = make(folder / "a.csv", b"text,n\n\xd0,1\n\xb6,2\nok,3\n")
    assert refusal(path).startswith(f"{path}, line 2, byte 7: bad UTF-8 (bytes d0)")
    documents, skipped = read_skipping(path)
    assert documents == [b"ok"]
    assert [trouble.place for trouble in skipped] == ["line 2, byte 7", "line 3, byte 11"]


JSON_FAULTS = {
    '{"text": "a"': "bad JSON (",
    '{"text": "a"} x': "bad JSON (",
    '{"text": NaN}': "bad JSON (NaN is not JSON)",
    "[1]": "bad JSON line (a list, not an object)",
    "null": "bad JSON line (null, not an object)",
    '{"text": 5}': "field 'text' holds a number, not a string",
    '{"text": true}': "field 'text' holds a truth value, not a string",
    '{"text": ["a"]}': "field 'text' holds a list, not a string",
    '{"text": {"a": 1}}': "field 'text' holds an object, not a string",
    '{"body": "a", "n": 1}': "no field 'text'; there are: body, n",
    '{"text": "\\ud83d!"}': "field 'text' holds half of a surrogate pair",
    '{"text": "\\ude00"}': "field 'text' holds half of a surrogate pair",
    '{"text": "a", "n": ' + "[" * 100_000: "bad JSON (nested too deep)",
}


@pytest.mark.parametrize(("line", "problem"), JSON_FAULTS.items(), ids=lambda value: value[:20])
def test_bad_json_lines(folder, line, problem) -> None:
    content = '{"text": "один"}\n' + line + '\n{"text": "два"}\n' + line
    path = make(folder / "a.jsonl", content.encode())
    message = refusal(path)
    assert message.startswith(f"{path}, line 2, byte 21: {problem}")
    assert "on_error skip" in message
    documents, skipped = read_skipping(path)
    assert documents == ["один".encode(), "два".encode()]
    assert [trouble.place for trouble in skipped] == [
        "line 2, byte 21",
        f"line 4, byte {21 + len(line) + 1 + 19}",
    ]
    assert read_skipping(path, chunk_bytes=3) == (documents, skipped)


def test_bad_utf8_in_json_lines(folder) -> None:
    path = make(folder / "a.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n')
    assert refusal(path).startswith(f"{path}, line 2, byte 24: bad UTF-8 (bytes ff)")


def test_missing_columns_name_those_there(folder) -> None:
    table = pl.DataFrame({"title": ["t"], "body": ["b"], "n": [1]})
    table.write_csv(folder / "a.csv")
    table.write_parquet(folder / "a.parquet")
    table.write_ndjson(folder / "a.jsonl")
    strings = {"csv": "title, body, n", "parquet": "title, body", "jsonl": "title, body"}
    for ending, names in strings.items():
        message = refusal(folder / f"a.{ending}")
        assert str(folder / f"a.{ending}") in message
        assert f"no text column 'text'; there are: {names}. Name the text column by" in message
        message = refusal(folder / f"a.{ending}", text_column="story")
        assert "'story'; there are: title, body" in message
        assert len(read_skipping(folder / f"a.{ending}", text_column="story")[1]) == 1


def test_malformed_csv(folder) -> None:
    content = b'text,n\none,1\nshort\n"a"b,2\n"two\nlines",3\nlong,4,5\n"open,6\nend,7\n'
    path = make(folder / "a.csv", content)
    message = refusal(path)
    assert message.startswith(f"{path}, line 3, byte 13: malformed record: 1 fields where ")
    assert "Mend the record, or go on without it by on_error skip" in message
    for chunk_bytes in (1, 8, 1000):
        documents, skipped = read_skipping(path, chunk_bytes=chunk_bytes)
        assert documents == [b"one", b"two\nlines"]
        assert [trouble.place for trouble in skipped] == [
            "line 3, byte 13",
            "line 4, byte 19",
            "line 7, byte 40",
            "line 8, byte 49",
        ]
    assert skipped[1].problem == "malformed record: text after a closing quote"
    assert skipped[3].problem == "malformed record: a quote is never closed"
    message = refusal(make(folder / "b.csv", b'"text,n\n1,2\n'))
    assert "b.csv, line 1: malformed header: a quote is never closed" in message


def test_a_record_without_end_does_not_fill_the_memory(folder, monkeypatch) -> None:
    monkeypatch.setattr(text, "LONGEST_RECORD", 100)
    path = make(folder / "a.csv", b'text\nok\n"open\n' + b"x\n" * 500)
    documents, skipped = read_skipping(path, chunk_bytes=10)
    assert documents == [b"ok"]
    assert [(trouble.place, trouble.problem) for trouble in skipped] == [
        ("line 3, byte 8", text.TOO_LONG)
    ]


@pytest.mark.parametrize("ending", PACK)
def test_truncated_archives(folder, ending) -> None:
    lines = b"".join(
        hashlib.sha256(bytes([i % 256, i // 256])).hexdigest().encode() + b"\n" for i in range(9000)
    )
    packed = PACK[ending](lines)
    path = make(folder / f"a.txt{ending}", packed[: len(packed) // 2])
    message = refusal(path)
    assert message.startswith(f"{path}, after ")
    assert f" unpacked bytes: truncated {ending[1:]} archive. Fetch or pack" in message
    documents, skipped = read_skipping(path, chunk_bytes=1000)
    assert [trouble.problem for trouble in skipped] == [f"truncated {ending[1:]} archive"]
    unpacked = int(skipped[0].place.split()[1])
    assert documents == lines[:unpacked].split(b"\n")[:-1]
    assert 0 < len(documents) < 9000


@pytest.mark.parametrize("ending", PACK)
def test_corrupt_archives(folder, ending) -> None:
    packed = bytearray(PACK[ending](hashlib.shake_256(b"x").hexdigest(200_000).encode()))
    packed[len(packed) // 2] ^= 0xFF
    for name, content in (("middle", bytes(packed)), ("start", b"garbage" * 9)):
        path = make(folder / f"{name}.txt{ending}", content)
        message = refusal(path)
        assert f"{path}, after " in message
        assert f"corrupt {ending[1:]} archive (" in message
        assert "Fetch or pack the file again, or go on without it by on_error skip" in message


def test_a_truncated_archive_of_bytes_is_no_document(folder) -> None:
    path = make(folder / "a.bin.gz", gzip.compress(os.urandom(5000))[:-2000])
    documents, skipped = read_skipping(path)
    assert (documents, [trouble.problem for trouble in skipped]) == ([], ["truncated gz archive"])


@pytest.mark.parametrize("ending", PACK)
def test_bombs_unpack_in_small_steps(folder, ending) -> None:
    size = 90 << 20
    with {".gz": gzip.open, ".xz": lzma.open, ".zst": zstandard.open}[ending](
        folder / "bomb", "wb"
    ) as bomb:  # type: ignore[operator]
        for _ in range(30):
            bomb.write(bytes(size // 30))
    with (folder / "bomb").open("rb") as handle:
        steps = [len(piece) for piece in streams.unpack(handle, ending[1:])]  # type: ignore[arg-type]
    assert sum(steps) == size
    assert max(steps) <= 70 << 20


def test_truncated_parquet(folder) -> None:
    content = encode_texts(TEXTS * 100, ".parquet")
    for cut in (-1, len(content) // 2, 3):
        path = make(folder / "a.parquet", content[:cut])
        message = refusal(path)
        assert message.startswith(f"{path}, after 0 rows: truncated or corrupt Parquet file (")
        assert "write the file again, or go on without it by on_error skip" in message
        assert len(read_skipping(path)[1]) == 1
    make(folder / "a.parquet.gz", gzip.compress(content))
    with pytest.raises(CorpusError, match=r"a\.parquet\.gz: .*inside an archive\. Unpack it"):
        find_sources([str(folder / "a.parquet.gz")])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b""),
        ("a.txt.gz", gzip.compress(b"", mtime=0)),
        ("a.bin", b""),
        ("a.hex", b" \n"),
        ("a.jsonl", b"\n\n"),
        ("a.csv", b""),
        ("b.csv", b"text,n\n"),
        ("a.parquet", encode_texts([], ".parquet")),
        ("a.safetensors", safetensors_of({})),
    ],
)
def test_empty_files(folder, name, content) -> None:
    path = make(folder / name, content)
    assert refusal(path).startswith(f"{path}: empty file. Leave it away, or go on without it by")
    assert [trouble.problem for trouble in read_skipping(path)[1]] == ["empty file"]


def test_malformed_hex(folder) -> None:
    cases = {
        b"41 42\n4g\n": "line 2: malformed hex: '4g'",
        b"414": "malformed hex (Odd-length",
        b"00000000: 4142  AB\nzz\n": "line 2: malformed hex: 'zz'",
        b"00000000: 4142  AB\n00000004: 43  C\n": "line 2: malformed hex: bytes 0x2 expected here",
        b"00000000  41 42  |AB|\n*\nffffffffff\n": "line 3: malformed hex: * stands for 1,099",
        b":10010000214601360121470136007EFE09D21901\n": "line 1: malformed hex: ':10",
    }
    for dump, problem in cases.items():
        path = make(folder / "a.hex", dump)
        message = refusal(path)
        assert str(path) in message and problem in message
        assert ("objcopy" if dump.startswith(b":") else "on_error skip") in message
        assert len(read_skipping(path)[1]) == 1


def test_malformed_safetensors(folder) -> None:
    whole = safetensors_of({"a": b"abc", "b": b"de"})
    entry = {"dtype": "U8", "shape": [1]}
    cases = {
        whole[:5]: "truncated safetensors file: the header is not whole",
        whole[:20]: "truncated safetensors file: the header is not whole",
        whole[:-1]: "tensor 'b': truncated safetensors file: 1 of 2 bytes",
        whole + b"x": "bytes behind the last tensor",
        b"\xff" * 8 + whole: "a header of 18446744073709551615 bytes",
        b"\x02" + bytes(7) + b"{]": "header: malformed safetensors file: ",
        b"\x04" + bytes(7) + b"null": "header: malformed safetensors file: ",
        safetensors_of({"a": b"abc"}, b={**entry, "data_offsets": [0, 3]}): "offsets 0 and 3",
        safetensors_of({"a": b"abc"}, b={**entry, "data_offsets": [9, 10]}): "offsets 9 and 10",
        safetensors_of({"a": b"abc"}, b={**entry, "data_offsets": [3, -1]}): "offsets 3 and -1",
        safetensors_of({"a": b"a"}, b={**entry, "data_offsets": [1, 1 << 60]}): "tensor 'b': trunc",
        safetensors_of({"a": b"abc"}, b=entry): "header: malformed safetensors file: ",
    }
    for content, problem in cases.items():
        path = make(folder / "a.safetensors", content)
        message = refusal(path)
        assert message.startswith(str(path)) and problem in message
        assert "Fetch or write the file again, or go on without it by on_error skip" in message
    documents, skipped = read_skipping(make(folder / "a.safetensors", whole[:-1]))
    assert (documents, len(skipped)) == ([b"abc"], 1)


def test_one_bad_file_does_not_stop_the_others(folder) -> None:
    make(folder / "a.txt", b"one\n")
    make(folder / "b.txt.gz", b"garbage")
    make(folder / "c.parquet", b"garbage")
    make(folder / "d.csv", b"x,y\n1,2\n")
    make(folder / "e.txt", b"two\n")
    documents, skipped = read_skipping(folder)
    assert documents == [b"one", b"two"]
    assert [Path(trouble.path).name for trouble in skipped] == ["b.txt.gz", "c.parquet", "d.csv"]
    assert refusal(folder).startswith(str(folder / "b.txt.gz"))


# Real corpora


@pytest.mark.skipif(not REAL.exists(), reason="the shared corpora are not here")
def test_real_corpora_join_back() -> None:
    for path in sorted(REAL.glob("*.txt.gz")):
        content = gzip.decompress(path.read_bytes())
        documents = read_documents(path, chunk_bytes=1 << 20)
        assert b"\n".join(documents) == content.removesuffix(b"\n"), path.name


@pytest.mark.skipif(not REAL.exists(), reason="the shared corpora are not here")
def test_real_tensors_are_those_of_the_safetensors_library() -> None:
    from safetensors import deserialize

    path = REAL / "model_weights.safetensors"
    tensors = [bytes(entry["data"]) for _, entry in deserialize(path.read_bytes())]
    assert sorted(read_documents(path)) == sorted(tensors)


def test_a_few_letters_do_not_become_a_gigabyte(folder) -> None:
    """A dump whose stars say so, and a header of nothing but commas, are one line at once."""
    line = "00000000: 00000000000000000000000000000000  ................\n"
    bomb = folder / "bomb.hex"
    bomb.write_text(f"{line}*\n3ffffff0: 00  .\n")
    with pytest.raises(CorpusError, match=r"stands for 1,073,741,7.* and 67,108,864 are read"):
        list(read_chunks(find_sources([str(bomb)])))
    step = 1 << 25
    bomb.write_text(line + "".join(f"*\n{step * i:08x}: 00  .\n" for i in range(1, 40)))
    with pytest.raises(CorpusError, match="stands for"):
        list(read_chunks(find_sources([str(bomb)])))
    wide = folder / "wide.csv"
    wide.write_text("," * 200_000 + "\n")
    with pytest.raises(CorpusError, match="200,001 columns, and 4,096 are read"):
        list(read_chunks(find_sources([str(wide)])))
