"""A stranger's folder: how is a file read and written there, whole, alone and by no link?"""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from miner.errors import RunError

LOCK = ".lock"
PAUSE = 0.005  # seconds until a lock is tried again


def replace_file(path: Path, content: bytes) -> None:
    """Write a file of ours under a name that nobody has, then give it its own name.

    OSError leaves the old file as it was.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.miner")
    try:
        with draft.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write readable JSON with a last newline; what of a name is no UTF-8 comes escaped."""
    path.write_bytes(encode_json(content))


def encode_json(content: Mapping[str, Any]) -> bytes:
    """Return what `write_json` writes."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    return (text + "\n").encode("utf-8", "backslashreplace")


def sync_file(path: Path) -> None:
    """Bring a file to the disk; Windows wants one that can be written."""
    with _open_to_sync(path) as handle:
        os.fsync(handle.fileno())


def _open_to_sync(path: Path) -> IO[bytes]:
    try:
        return path.open("r+b")
    except PermissionError:
        return path.open("rb")


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system has such a thing."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # some file systems have no such thing
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_plain(path: Path, *, append: bool = False) -> IO[bytes]:
    """Open a file to read, or to append; OSError where it is a link, a pipe or a device."""
    flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY if append else os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link to another place")
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file")
    return os.fdopen(descriptor, "ab" if append else "rb")


def check_plain(folder: Path, *, below: bool = False) -> None:
    """RunError where a pipe, a device or a socket lies in a folder: to read it might never end.

    A link to a file is as good as one. `below`: in the folders in it too.
    """
    for path in folder.rglob("*") if below else folder.glob("*"):
        try:
            mode = path.stat().st_mode
        except OSError:  # a link that leads nowhere; who needs the file says so
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise RunError(
                "is no plain file", where=str(path), cure="Remove it, or copy the folder anew"
            )


def make_plain_folder(path: Path) -> None:
    """Make a folder where there is none; OSError where its name is a link to another place."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "its folder is a link to another place")
    path.mkdir(parents=True, exist_ok=True)


@contextmanager
def hold_lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock beside a file or folder; it dies with the process, and its file goes.

    RunError where another holds it and we do not `wait`. A network file system without locks has
    none to offer: there all go on.
    """
    lock = path.with_name(path.name + LOCK)
    handle = take_lock(lock, wait=wait)
    if handle is None:
        raise RunError(
            "another process is writing this run", where=str(path), cure="Wait, or stop it"
        )
    try:
        with handle:
            try:
                yield
            finally:
                stays = not _unlink(lock)
    finally:
        if stays:
            _unlink(lock)


def take_lock(lock: Path, *, wait: bool) -> IO[bytes] | None:
    """Return the file that is locked now, None where another process has it."""
    while True:
        handle = open_plain(lock, append=True)
        try:
            if not lock_descriptor(handle.fileno(), blocking=wait, poll_interval=PAUSE):
                handle.close()
                return None
        except OSError:  # some network file systems
            return handle
        try:
            if os.path.samestat(lock.stat(), os.fstat(handle.fileno())):
                return handle
        except FileNotFoundError:
            pass
        handle.close()  # its last holder has removed it since it was opened


def _unlink(lock: Path) -> bool:
    """Remove the file of a lock, which is empty; False where Windows removes none that is open."""
    try:
        if lock.exists() and lock.stat().st_size == 0:  # else somebody else's, as poetry.lock is
            lock.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
