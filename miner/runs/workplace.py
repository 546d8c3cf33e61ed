"""The place beside an output where it is made: alone, and with one rename when it is whole.

What becomes `NAME` is made in the folder `.NAME.miner` beside it:

    workplace.json   says whose folder it is
    lock             held by the process that writes, with its name in it
    draft            the file or folder in the making; after the swap, what stood there before
    old              what stood there before, where the system cannot swap two names at once
    trash            what is being removed
    journal.json     how far a file has come that can be gone on with
    checkpoints      where a training stands
    swap.json        by its list of files, which of two folders is the new one

Nothing outside of it is written before the swap. A kill leaves one of these states, which the next
command finds: a draft, which is gone on with or removed; or a swap without its end, which is ended,
or undone where the new folder is not there.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from polars.exceptions import PolarsError

from miner.errors import RunError, UsageError, say_reason
from miner.runs.contents import describe_found, list_owned, measure_file, read_contents, seal
from miner.runs.decisions import ENDING, join_log
from miner.runs.files import LOCK, open_plain, sync_file, sync_folder, take_lock, write_json
from miner.runs.names import AGAIN, CONTENTS, DECISIONS, UNFINISHED
from miner.stopping import removed_if_stopped

DRAFT, OLD, TRASH, JOURNAL = "draft", "old", "trash", "journal.json"
CHECKPOINTS, SWAP = "checkpoints", "swap.json"
_LOCK, _ABOUT = "lock", "workplace.json"
_OURS = {DRAFT, OLD, TRASH, JOURNAL, CHECKPOINTS, SWAP, _LOCK, _ABOUT}
_KEEP = ".kept"  # behind the name of what people wrote, where miner now writes a file of that name
_AT_FDCWD, _SWAP = -100, 2  # of the Linux kernel; the flag of macOS is the same number


def find_workplace(out: Path) -> Path:
    """Return the folder in which `out` is made.

    >>> find_workplace(Path("outputs/run")).as_posix()
    'outputs/.run.miner'
    """
    return out.with_name(f".{out.name}.miner")


def follow_link(out: Path) -> Path:
    """Return where a name leads: what is made goes there, and a link stays a link."""
    return Path(os.path.realpath(out)) if os.path.lexists(out) and out.is_symlink() else out


@contextmanager
def open_workplace(out: Path) -> Iterator[Path]:
    """Yield the workplace of `out`, which no other process has until the block ends.

    It goes when nothing is left in it. RunError where another process is writing, or where the name
    of the workplace is taken by something else.
    """
    if out.name in ("", ".."):
        raise RunError("this is no name for an output", where=str(out), cure="Name one to create")
    try:
        str(out).encode()
    except UnicodeEncodeError as error:  # polars takes no such path
        raise RunError(
            "its name is no UTF-8", where=ascii(out.name), cure="Choose another"
        ) from error
    place = find_workplace(out)
    with told_simply(out), _made_parents(out):
        handle = _enter(place, out)
        try:
            recover(place, out)
            yield place
        finally:
            try:
                with handle:
                    handle.truncate(0)
                    _leave(place)
            except OSError:  # Windows removes no file that is open
                with suppress(OSError):
                    _leave(place)


def _enter(place: Path, out: Path) -> IO[bytes]:
    """Make the workplace if need be, and return its lock."""
    while True:
        with suppress(FileExistsError):
            place.mkdir()
        _check_ours(place)
        try:
            handle = take_lock(place / _LOCK, wait=False)
        except FileNotFoundError:  # its last holder has just removed it
            continue
        if handle is None:
            raise RunError(
                f"another process is writing it{_read_holder(place)}",
                where=str(out),
                cure="Wait, or stop it",
            )
        break
    if _read_about(place) is None:
        write_json(place / _ABOUT, {"made_by": "miner", "format": 1, "for": out.name})
    with suppress(OSError):
        handle.truncate(0)
        began = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        handle.write(f"process {os.getpid()}, since {began}".encode())
        handle.flush()
    return handle


def _check_ours(place: Path) -> None:
    """RunError where the name is taken by something that is no workplace."""
    if place.is_dir() and not place.is_symlink():
        paths = list(place.iterdir())
        names, about = {path.name for path in paths}, _read_about(place)
        ours = isinstance(about, dict) and about.get("made_by") == "miner" and names <= _OURS
        begun = about is None and names <= {_LOCK, _ABOUT}  # killed before it was more
        if (ours or begun) and not any(path.is_symlink() for path in paths):
            return
    raise RunError(
        f"{describe_found(place)} is there, which miner did not write",
        where=str(place),
        cure="Move it away, or choose another --out",
    )


def _read_about(place: Path) -> Any:
    """Return what a workplace says of itself, None where it is not there or cut off."""
    with suppress(OSError, ValueError, RecursionError), open_plain(place / _ABOUT) as handle:
        return json.loads(handle.read(1 << 16))
    return None


def _read_holder(place: Path) -> str:
    """Return who holds the lock, to be put into a sentence."""
    with suppress(OSError), open_plain(place / _LOCK) as handle:
        told = handle.read(200).decode("utf-8", "replace")
        if re.fullmatch(r"process \d+, since [\d: +-]+", told):
            return f" ({told})"
    return ""


def _leave(place: Path) -> None:
    """Remove the workplace where nothing is left to go on with."""
    if {path.name for path in place.iterdir()} <= {_LOCK, _ABOUT}:
        (place / _ABOUT).unlink(missing_ok=True)
        (place / _LOCK).unlink(missing_ok=True)
        place.rmdir()


# Folders


@contextmanager
def open_folder(out: Path, *, kind: str, overwrite: bool, listed: bool = False) -> Iterator[Path]:
    """Yield an empty folder that becomes `out` when the block ends well, all at once.

    An error leaves what was there. A folder that is there is replaced only with `overwrite`, and
    only if miner wrote it as such a `kind`; what people put into it stays. `listed`: the block
    brings the list of files, as a copy does.
    """
    out = follow_link(out)
    with open_workplace(out) as place:
        check_target(out, kind=kind, overwrite=overwrite)
        draft = place / DRAFT
        discard(place, draft)
        draft.mkdir()
        write_json(draft / UNFINISHED, {"kind": kind})
        try:
            with removed_if_stopped(partial(_abandon, place)):
                yield draft
            if not listed:
                seal(draft, kind)
            publish(place, out)
        except BaseException:  # nobody goes on with it
            if draft.exists() and (draft / UNFINISHED).exists():
                discard(place, draft)
            raise


def _abandon(place: Path) -> None:
    """Remove a draft, and the workplace, where the process is stopped in the middle."""
    discard(place, place / DRAFT)
    _leave(place)


def check_target(out: Path, *, kind: str, overwrite: bool) -> None:
    """RunError where `out` may not be replaced: it is no such folder of ours, or not given up."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    contents = read_contents(out) if out.is_dir() else None
    if contents is None or contents.kind != kind:
        unproven = "" if contents else ", which miner did not write"
        raise RunError(
            f"{describe_found(out)} is there{unproven}",
            where=str(out),
            cure="Choose another --out, or move it away",
        )
    if not overwrite:
        raise RunError(
            f"a {kind} is already there",
            where=str(out),
            cure="Choose another --out, or --overwrite to replace it",
        )


def publish(place: Path, out: Path) -> None:
    """Give the draft, which has its list, its name, with what people put into what stands there."""
    draft = place / DRAFT
    if out.exists():
        carry(out, draft, stands=True)
        for folder, _, _ in os.walk(draft):
            sync_folder(Path(folder))
        write_json(place / SWAP, {"new": measure_file(draft / CONTENTS)})
        sync_file(place / SWAP)
        sync_folder(place)
    (draft / UNFINISHED).unlink()
    _swap(place, draft, out)
    sync_folder(out.parent)
    _end_swap(place, out)


def _swap(place: Path, draft: Path, out: Path) -> None:
    """Put `draft` in the place of `out`: with one rename where the system can, else with two."""
    if not out.exists():
        draft.rename(out)
    elif not exchange(draft, out):
        out.rename(place / OLD)
        draft.rename(out)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names at once; False where the system or its disk cannot."""
    if os.name != "posix":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_SWAP))
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, ctypes.c_uint(_SWAP))
    else:
        return False
    number = ctypes.get_errno()
    if failed and number not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        raise OSError(number, os.strerror(number), str(other))
    return not failed


def recover(place: Path, out: Path) -> None:
    """End a swap that a kill cut off, or undo it where the new folder is not there."""
    _remove(place / TRASH)
    draft, old = place / DRAFT, place / OLD
    if old.exists() and out.exists() and read_contents(out) is None:
        # the old folder was away for a moment, in which an open page wrote a decision
        carry(out, old)
        discard(place, out)
    if old.exists() and not out.exists():
        old.rename(out)
    ready = _is_ready(draft) and read_contents(draft) is not None
    if ready and not out.exists():
        draft.rename(out)
    if out.is_dir() and read_contents(out) is not None:
        if ready and _is_new(place, draft):
            carry(out, draft, stands=True)
            _swap(place, draft, out)
        _end_swap(place, out)


def _is_ready(draft: Path) -> bool:
    """Say whether a draft needs only its name, or is what stood there before."""
    return draft.is_dir() and not (draft / UNFINISHED).exists()


def _is_new(place: Path, draft: Path) -> bool:
    """Say whether a draft that is ready is the new folder, and not the old one."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        with open_plain(place / SWAP) as handle:
            told = json.loads(handle.read(1 << 16))["new"]
        return tuple(told) == measure_file(draft / CONTENTS)
    return False


def _end_swap(place: Path, out: Path) -> None:
    """Bring over what people wrote into the old folder, and remove it."""
    for old in (place / OLD, place / DRAFT):
        if _is_ready(old):
            carry(old, out)
            discard(place, old)
    (place / SWAP).unlink(missing_ok=True)


def carry(old: Path, new: Path, *, stands: bool = False) -> None:
    """Copy what people put into an old folder to the new one; logs of decisions are joined.

    What miner wrote stays behind, and what is made again from it. While the old folder `stands`
    it has what holds; once it does not, what is newer in the new one holds, and a pipe or a device,
    which cannot be copied, is moved.
    """
    ours, others = list_owned(old), list_owned(new)
    for folder, folders, names in os.walk(old):
        here = Path(folder).relative_to(old)
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in (*names, *links):
            inner = (here / name).as_posix()
            if inner in ours or inner == UNFINISHED or AGAIN.fullmatch(inner):
                continue
            is_log = here == Path(DECISIONS)
            if not (is_log and name.endswith(LOCK)):
                target = new / here / (f"{name}{_KEEP}" if inner in others else name)
                target.parent.mkdir(parents=True, exist_ok=True)
                source, log = Path(folder) / name, is_log and name.endswith(ENDING)
                _carry_one(source, target, is_log=log, stands=stands)


def _carry_one(source: Path, target: Path, *, is_log: bool, stands: bool) -> None:
    about = source.lstat()
    there = target.lstat() if os.path.lexists(target) else None
    if is_log and stat.S_ISREG(about.st_mode):
        join_log(source, target)
    elif stat.S_ISREG(about.st_mode) or stat.S_ISLNK(about.st_mode):
        same = there and (there.st_mtime_ns, there.st_size) == (about.st_mtime_ns, about.st_size)
        newer = there and not stands and there.st_mtime_ns > about.st_mtime_ns
        if not same and not newer:
            target.unlink(missing_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
            if not target.is_symlink():
                sync_file(target)
    elif not there and not stands:
        source.rename(target)


def discard(place: Path, path: Path) -> None:
    """Remove a file or folder of ours: at once out of sight, then from the disk."""
    if path.exists() or path.is_symlink():
        _remove(place / TRASH)
        path.rename(place / TRASH)
        _remove(place / TRASH)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


# Files


@contextmanager
def open_output(out: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Yield a file that becomes `out` when the block ends well; a pipe or device is written to.

    A file that is there is replaced only with `overwrite`.
    """
    out = check_output(out, overwrite=overwrite)
    if is_stream(out):
        with told_simply(out), open_stream(out) as handle:
            yield handle
        return
    with open_workplace(out) as place:
        draft = place / DRAFT
        discard(place, draft)
        try:
            with removed_if_stopped(partial(_abandon, place)), draft.open("xb") as handle:
                yield handle
            finish_file(draft, out)
        except BaseException:
            discard(place, draft)
            raise


def write_output(out: Path, content: bytes, *, overwrite: bool) -> None:
    """Write a file for the user, all at once."""
    with open_output(out, overwrite=overwrite) as handle:
        handle.write(content)


def finish_file(draft: Path, out: Path) -> None:
    """Give a file its name once it is on the disk."""
    sync_file(draft)
    draft.replace(out)
    sync_folder(out.parent)


def check_output(out: Path, *, overwrite: bool) -> Path:
    """Return where an output goes; RunError where something stands there that is not to be lost."""
    if is_stream(out):
        return out
    out = follow_link(out)
    if out.is_dir():
        raise UsageError(f"{out} is a folder", cure="Name a file")
    if out.exists() and (not out.is_file() or not overwrite):
        cure = "Choose another --out"
        cure += ", or --overwrite to replace it" if out.is_file() else ""
        raise RunError(f"{describe_found(out)} is already there", where=str(out), cure=cure)
    return out


def is_stream(out: Path) -> bool:
    """Say whether an output is written to as it stands: a pipe, a terminal, `/dev/stdout`.

    >>> is_stream(Path("/dev/null")), is_stream(Path("book.txt"))
    (True, False)
    """
    if out.parts[:2] in (("/", "dev"), ("/", "proc")) and out.parts[2:3] != ("shm",):
        return out.exists() and not out.is_dir() and not out.is_block_device()
    return out.is_fifo() or out.is_char_device()


def open_stream(out: Path) -> IO[bytes]:
    """Open a pipe or a device to write; what the process has open already is not opened anew.

    So `>> file` in a shell goes on behind what is in the file.
    """
    known = {"/dev/stdout": 1, "/dev/stderr": 2}.get(str(out))
    told = re.fullmatch(r"(?:/dev/fd|/proc/self/fd)/(\d+)", str(out))
    if known or told:
        return os.fdopen(os.dup(known or int(told[1] if told else 0)), "wb")
    return os.fdopen(os.open(out, os.O_WRONLY), "wb")


# What the disk says


@contextmanager
def told_simply(out: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line with its cure."""
    try:
        yield
    except (OSError, PolarsError) as error:
        if _is_full(error):
            raise RunError(
                "no space is left on the disk",
                where=str(out),
                cure="Free some, or give --out a folder on another disk",
            ) from error
        if not isinstance(error, OSError):
            raise
        reason = say_reason(error)
        raise RunError(
            f"cannot be read or written ({reason})",
            where=str(error.filename or out),
            cure="Check the path and its permissions",
        ) from error


def _is_full(error: Exception) -> bool:
    """Say whether a disk or a quota is full: by the message, as libraries drop the number."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError) and error.errno in full:
        return True
    words = [word for word in map(os.strerror, full) if not word.startswith("Unknown")]
    words.append("Invalid thrift: transport error")  # polars, at the end of a Parquet file
    short = re.fullmatch(r"\d+ requested and \d+ written", str(error)) is not None
    return short or any(word in str(error) for word in words)


@contextmanager
def _made_parents(out: Path) -> Iterator[None]:
    """Make the folders above `out`, and remove them again if they stay empty."""
    made = [folder for folder in out.parents if not folder.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        with suppress(OSError):  # one that is not empty stays, and those above it
            for folder in made:
                folder.rmdir()
