"""Files to bytes: what does the file hold once it is unpacked?"""

from __future__ import annotations

import importlib
import lzma
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from miner.corpus.documents import TO_SKIP, Compression, Skipped, Source

if sys.version_info >= (3, 14):
    zstandard = importlib.import_module("compression.zstd")
else:
    import zstandard

UNPACK_ERRORS = (zlib.error, lzma.LZMAError, zstandard.ZstdError)

# How much is unpacked at a time. The densest archives grow 1,030-fold (gz), 6,900-fold (xz) and
# 32,800-fold (zst), so that one step of a decompression bomb comes to 70 MB at most.
PACKED_BYTES: dict[Compression, int] = {"gz": 1 << 16, "xz": 1 << 13, "zst": 1 << 11}
XZ_MEMORY = 1 << 30


class Stream:
    """The unpacked bytes of a source, read once from the front.

    `position` is how many bytes of the file were read; `failure` tells why an archive ended
    before its end.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.position = 0
        self.failure: Skipped | None = None
        self._handle = Path(source.file).open("rb")  # noqa: SIM115 - __exit__ closes it
        self._held = bytearray()
        self._unpacked = 0
        self._pieces = unpack(self._handle, source.compression) if source.compression else None

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only where the file ends or the archive fails."""
        if self._pieces is None and not self._held:
            taken = self._handle.read(size)
        else:
            while len(self._held) < size and (piece := self._next_piece(size)):
                self._held += piece
            taken = bytes(self._held[:size])
            del self._held[:size]
        self.position = self._handle.tell()
        return taken

    def peek(self, size: int) -> bytes:
        """What `read` would give, left in place."""
        ahead = self.read(size)
        self._held[:0] = ahead
        return ahead

    def _next_piece(self, size: int) -> bytes:
        if self._pieces is None:
            return self._handle.read(size - len(self._held))
        try:
            piece = next(self._pieces, b"")
        except EOFError:
            self._fail("truncated")
            return b""
        except UNPACK_ERRORS as error:
            self._fail("corrupt", f" ({error})")
            return b""
        self._unpacked += len(piece)
        return piece

    def _fail(self, state: str, why: str = "") -> None:
        self._pieces = iter(())
        self.failure = Skipped(
            self.source.path,
            f"after {self._unpacked} unpacked bytes",
            f"{state} {self.source.compression} archive{why}",
            f"Fetch or pack the file again, {TO_SKIP}",
        )


def unpack(handle: BinaryIO, compression: Compression) -> Iterator[bytes]:
    """The contents of an archive of one or more members, a small non-empty piece at a time.

    EOFError where it ends too early, one of UNPACK_ERRORS where it is corrupt. Zero bytes after
    a member are padding.
    """
    decoder: Any = None
    padding = b""
    while packed := handle.read(PACKED_BYTES[compression]):
        while packed:
            if decoder is None:
                packed = packed.lstrip(padding)
                if not packed:
                    break
                decoder = _new_decoder(compression)
            if piece := decoder.decompress(packed):
                yield piece
            if not decoder.eof:
                break
            packed, decoder, padding = decoder.unused_data, None, b"\0"
    if decoder is not None:
        raise EOFError


def pack(content: bytes) -> bytes:
    """Return a zstd frame of some bytes."""
    return bytes(zstandard.compress(content))


def _new_decoder(compression: Compression) -> Any:
    if compression == "gz":
        return zlib.decompressobj(wbits=31)
    if compression == "xz":
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
    if sys.version_info >= (3, 14):
        return zstandard.ZstdDecompressor()
    return zstandard.ZstdDecompressor().decompressobj()
