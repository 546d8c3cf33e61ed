"""A folder that miner wrote to the list of its files: what is ours, and is it as it was written?

`miner-files.json` names what wrote the folder, and every file with its bytes and SHA-256. Only what
it names is ever replaced or deleted; what people put beside that is theirs. A folder inside that
has a list of its own, such as a stage of a run, is told by that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from miner.errors import RunError
from miner.runs.files import (
    encode_json,
    open_plain,
    replace_file,
    sync_file,
    sync_folder,
    write_json,
)
from miner.runs.names import CONTENTS, KEPT, UNFINISHED

FORMAT = 1
LARGEST = 1 << 26  # bytes of a list; one of ours has some kilobytes
PIECE = 1 << 22  # bytes that are hashed at a time
DAMAGED_CURE = "Copy the whole folder anew, or make it again"


@dataclass(frozen=True)
class Contents:
    """What a folder holds: of what `kind` it is, and each file as bytes and SHA-256.

    `folders` inside have lists of their own, as the stages of a run.
    """

    kind: str
    files: Mapping[str, tuple[int, str]]
    folders: tuple[str, ...] = ()


def seal(folder: Path, kind: str) -> None:
    """Bring the files of a folder to the disk and write their list; the folders too.

    Left out are people's folders, and those inside that have a list of their own.
    """
    files = {}
    for path in sorted(_walk(folder)):
        sync_file(path)
        files[path.relative_to(folder).as_posix()] = measure_file(path)
    folders = sorted(path.parent.name for path in folder.glob(f"*/{CONTENTS}"))
    write_json(folder / CONTENTS, _tell(Contents(kind, files, tuple(folders))))
    sync_file(folder / CONTENTS)
    for inner, _, _ in os.walk(folder):
        sync_folder(Path(inner))


def _tell(contents: Contents) -> dict[str, Any]:
    return {"made_by": "miner", "format": FORMAT, **asdict(contents)}


def _walk(folder: Path, *, top: bool = True) -> Iterator[Path]:
    """Yield the plain files that the list of a folder is about."""
    for path in folder.iterdir():
        if path.is_symlink() or (top and path.name in (CONTENTS, UNFINISHED)):
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and not (path / CONTENTS).exists() and not (top and path.name in KEPT):
            yield from _walk(path, top=False)


def measure_file(path: Path) -> tuple[int, str]:
    """Return the bytes of a file and their SHA-256 in hexadecimal; OSError where it is no file."""
    digest = hashlib.sha256()
    size = 0
    with open_plain(path) as handle:
        while piece := handle.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def read_contents(folder: Path) -> Contents | None:
    """Return the list of a folder that miner wrote, None where there is none."""
    try:
        with open_plain(folder / CONTENTS) as handle:
            row = json.loads(handle.read(LARGEST))
        return _check(row)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _check(row: Any) -> Contents:
    if row["made_by"] != "miner" or row["format"] != FORMAT or not isinstance(row["kind"], str):
        raise ValueError("of something else")
    files = {}
    for name, (size, digest) in row["files"].items():
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise ValueError("a file outside")
        if type(size) is not int or not isinstance(digest, str):
            raise TypeError("no size")
        files[name] = (size, digest)
    folders = row["folders"]
    if not all(isinstance(name, str) and PurePosixPath(name).name == name for name in folders):
        raise ValueError("a folder outside")
    return Contents(row["kind"], files, tuple(folders))


def relist(folder: Path, name: str) -> None:
    """Put a file that was written anew into the list of its folder, where there is a list."""
    contents = read_contents(folder)
    if contents is not None:
        files = {**contents.files, name: measure_file(folder / name)}
        replace_file(folder / CONTENTS, encode_json(_tell(replace(contents, files=files))))


def list_owned(folder: Path) -> set[str]:
    """Return the files below a folder that miner wrote as a part of it, by its list.

    A tokenizer that somebody put there has a list too, and is theirs.
    """
    contents = read_contents(folder)
    if contents is None:
        return set()
    owned = {CONTENTS, *contents.files}
    for name in contents.folders:
        if not (folder / name).is_symlink():
            owned |= {f"{name}/{inner}" for inner in list_owned(folder / name)}
    return owned


def check_files(folder: Path, cure: str = DAMAGED_CURE) -> None:
    """RunError where a file that the list of a folder names is not as it was written."""
    contents = read_contents(folder)
    if contents is None:
        raise RunError("its list of files is not there or damaged", where=str(folder), cure=cure)
    for name, written in contents.files.items():
        try:
            found = measure_file(folder / name)
        except OSError as error:
            raise RunError(
                "is not there or no file", where=str(folder / name), cure=cure
            ) from error
        if found != written:
            raise RunError("is not as it was written", where=str(folder / name), cure=cure)


def describe_found(path: Path) -> str:
    """Say what stands at a place, for a person who thought that it was free.

    >>> describe_found(Path(__file__))
    'a file'
    """
    kinds: tuple[tuple[Callable[[], bool], str], ...] = (
        (path.is_symlink, "a link"), (path.is_file, "a file"), (path.is_fifo, "a pipe"),
        (path.is_socket, "a socket"), (path.is_char_device, "a device"),
        (path.is_block_device, "a device"),
    )  # fmt: skip
    for holds, name in kinds:
        if holds():
            return name
    contents = read_contents(path)
    if contents is not None:
        return f"a {contents.kind} of miner's"
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError:
        return "something"
    if not names:
        return "an empty folder"
    shown = ", ".join(names[:3])
    return f"a folder with {shown}" + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
