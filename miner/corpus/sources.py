"""Paths to sources: which files does the user mean, and what is in them?"""

from __future__ import annotations

import atexit
import glob
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from miner.corpus.documents import Compression, Form, Source
from miner.errors import CorpusError, say_reason
from miner.stopping import remove_if_stopped

FORMS: dict[str, Form] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".hex": "hex",
    ".safetensors": "safetensors",
    **dict.fromkeys(
        (".bin", ".pt", ".pth", ".ckpt", ".npy", ".gguf", ".onnx", ".wasm", ".so", ".exe"), "bytes"
    ),
}
COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".zst": "zst", ".xz": "xz"}
BYTE_FORMS = ("bytes", "hex", "safetensors")


def is_bytes(form: Form) -> bool:
    """Whether documents of this form are bytes, not UTF-8 text."""
    return form in BYTE_FORMS


BESIDE = ("miner-files.json", ".hyperword.json")  # what miner says of texts, beside them


def find_sources(paths: Sequence[str], *, as_bytes: bool = False) -> tuple[Source, ...]:
    """The files that the paths name, each once, in the order of the paths, folders sorted.

    A path is a file, a folder (all of it, but for hidden names), a glob, or `-` for standard
    input, which is copied to disk so that it can be hashed and read again. `as_bytes` makes each
    text file one document of bytes (unpacked, where it is packed).

    >>> [source.form for source in find_sources(["a.csv", "notes.txt.gz"])]  # doctest: +SKIP
    ['csv', 'lines']
    """
    found: dict[str, Source] = {}
    for path in dict.fromkeys(paths):  # standard input can be read once only
        for source in _sources_of(path, as_bytes):
            found.setdefault(os.path.realpath(source.file), source)
    if not found:
        raise CorpusError("no corpus was named", cure="Name a file, a folder or a glob")
    _check_one_kind(tuple(found.values()))
    return tuple(found.values())


def hash_sources(sources: Sequence[Source]) -> list[str]:
    """The SHA-256 of each file as it lies on disk, in hexadecimal."""
    digests = []
    for source in sources:
        try:
            with Path(source.file).open("rb") as handle:
                digests.append(hashlib.file_digest(handle, "sha256").hexdigest())
        except OSError as error:
            raise _unreadable(source.path, error) from error
    return digests


def name_form(name: str) -> tuple[Form, Compression | None]:
    """What a file's endings say; an unknown ending is text.

    >>> name_form("Corpus.JSONL.gz"), name_form("README.md")
    (('jsonl', 'gz'), ('lines', None))
    """
    path = Path(name.lower())
    compression = COMPRESSIONS.get(path.suffix)
    ending = Path(path.stem).suffix if compression else path.suffix
    return FORMS.get(ending, "lines"), compression


def _sources_of(path: str, as_bytes: bool) -> Iterator[Source]:
    if path == "-":
        yield _spooled(sys.stdin.buffer, "standard input", as_bytes)
        return
    try:
        for named in _expand(path):
            if named.is_file():
                yield _source(str(named), str(named), as_bytes)
            elif named.is_dir():
                yield from _folder_sources(named, as_bytes)
            else:  # a pipe, as in <(zcat corpus.gz), can be read once only
                with named.open("rb") as pipe:
                    yield _spooled(pipe, str(named), as_bytes)
    except OSError as error:
        raise _unreadable(str(error.filename or path), error) from error


def _expand(path: str) -> list[Path]:
    """The path itself where it exists, otherwise what it matches as a glob."""
    if os.path.lexists(path):
        Path(path).stat()  # a broken link or a link to itself says so here
        return [Path(path)]
    if not glob.has_magic(path):
        raise CorpusError("no such file or folder", where=path, cure="Check the path")
    matches = glob.glob(path, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
    if not matches:
        raise CorpusError("no file matches", where=path, cure="Check the pattern")
    return sorted(map(Path, matches))


def _folder_sources(folder: Path, as_bytes: bool) -> Iterator[Source]:
    files = list(_list_files(folder, frozenset()))
    if not files:
        raise CorpusError(
            "no files in this folder", where=str(folder), cure="Hidden names do not count"
        )
    return (_source(str(file), str(file), as_bytes) for file in files)


def _list_files(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """Files under a folder, sorted, links followed; `above` are the folders that led here."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        raise CorpusError(
            "this link leads back to a folder above it",
            where=str(folder),
            cure="Remove the link, or name the files themselves",
        )
    for child in sorted(folder.iterdir()):
        ignored = child.name.startswith(".") or child.name.endswith(BESIDE)
        mode = 0 if ignored else child.stat().st_mode
        if stat.S_ISDIR(mode):
            yield from _list_files(child, above | {identity})
        elif stat.S_ISREG(mode):
            yield child


def _source(path: str, file: str, as_bytes: bool) -> Source:
    form, compression = name_form(path)
    if as_bytes and not is_bytes(form):
        form = "bytes"
    if form == "parquet" and compression:
        raise CorpusError(
            "a Parquet file cannot be read inside an archive", where=path, cure="Unpack it first"
        )
    return Source(path, form, compression, Path(file).stat().st_size, file)


def _spooled(stream: BinaryIO, path: str, as_bytes: bool) -> Source:
    """A stream copied to a temporary file, which goes when Python ends."""
    with tempfile.NamedTemporaryFile(prefix="miner-", delete=False) as spool:
        remove = partial(Path(spool.name).unlink, missing_ok=True)
        atexit.register(remove)
        remove_if_stopped(remove)
        shutil.copyfileobj(stream, spool)
    return _source(path, spool.name, as_bytes)


def _check_one_kind(sources: Sequence[Source]) -> None:
    kinds = {is_bytes(source.form): source.path for source in reversed(sources)}
    if len(kinds) == 2:
        raise CorpusError(
            f"{kinds[True]} is bytes and {kinds[False]} is text",
            cure="Name them in separate runs, or read all as bytes by --profile bytes",
        )


def _unreadable(path: str, error: OSError) -> CorpusError:
    problem = say_reason(error)
    return CorpusError(problem, where=path, cure="Check the path and its permissions")
