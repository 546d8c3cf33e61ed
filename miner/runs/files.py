"""A stranger's folder: how is a file read and written there with no link followed, and whole?"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name, bring it to the disk, then give it its own name.

    What stands under the other name, a link too, is taken away and not written through. OSError
    leaves the old file as it was.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with partial.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)
    except OSError:
        if not partial.is_dir():
            partial.unlink(missing_ok=True)
        raise


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


def make_plain_folder(path: Path) -> None:
    """Make a folder where there is none; OSError where its name is a link to another place."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "its folder is a link to another place")
    path.mkdir(parents=True, exist_ok=True)
