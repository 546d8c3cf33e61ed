"""Weights in safetensors: where does each tensor lie, what do its rows say, how do rows come in?

Headers are checked by the library; rows are read from the mapped file, and what does not change
passes as bytes, so that memory holds no tensor whole. Other formats of weights can run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from miner.errors import ModelError

FORMS: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"),
}  # fmt: skip
ALIGNED = 8  # bytes that the length of a header is a multiple of, as the library writes it
COPIED = 1 << 24  # bytes at a time


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file: `size` bytes from `offset` on."""

    name: str
    file: Path
    form: str
    shape: tuple[int, ...]
    offset: int
    size: int

    @property
    def rows(self) -> int:
        return self.shape[0] if self.shape else 1

    @property
    def is_known(self) -> bool:
        """Whether its numbers can be read and written: floats of 16, 32 or 64 bits."""
        return self.form in FORMS

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """Return some rows as float32 (len(numbers), ...); ValueError where it is not known."""
        if not self.is_known:
            raise ValueError(f"{self.name} is of form {self.form}")
        held = np.memmap(self.file, FORMS[self.form], "r", self.offset, self.shape)
        return decode(np.asarray(held[numbers]), self.form)


def decode(values: np.ndarray, form: str) -> np.ndarray:
    """Return numbers of a form as float32.

    >>> decode(np.array([0x3FC0], "<u2"), "BF16").tolist()
    [1.5]
    """
    if form == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


def encode(values: np.ndarray, form: str) -> bytes:
    """Return float32 numbers as bytes of a form, rounded to the nearest, ties to even.

    >>> encode(np.array([1.5], np.float32), "BF16").hex()
    'c03f'
    """
    values = np.ascontiguousarray(values, np.float32)
    if form != "BF16":
        return values.astype(FORMS[form]).tobytes()
    bits = values.view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return (rounded >> 16).astype("<u2").tobytes()


def list_tensors(file: Path) -> list[Tensor]:
    """Return the tensors of a file in the order in which they lie; ModelError if it is damaged."""
    return read_header(file)[0]


def read_header(file: Path) -> tuple[list[Tensor], dict[str, str]]:
    """Return the tensors of a file in the order in which they lie, and what it says of itself."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np"):  # checks that the header fits the file
            pass
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header: Any = json.loads(stream.read(length))
        about = header.pop("__metadata__", {})
        tensors = [_place(file, name, entry, 8 + length) for name, entry in header.items()]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"is no safetensors file ({error})", where=str(file), cure="Fetch the weights anew"
        ) from error
    return sorted(tensors, key=lambda tensor: tensor.offset), about


def _place(file: Path, name: str, entry: Mapping[str, Any], base: int) -> Tensor:
    start, stop = entry["data_offsets"]
    return Tensor(name, file, entry["dtype"], tuple(entry["shape"]), base + start, stop - start)


@dataclass(frozen=True)
class Growth:
    """What a tensor becomes: of its `rows` the first `kept` as they are, `more` from there on.

    What of its rows lies behind these stays too; then comes `last`, `padding` times. Rows lie along
    the first axis that is as long as `rows`: a bias may be (1, rows).
    """

    rows: int
    kept: int
    more: np.ndarray  # float32 (rows, ...)
    last: np.ndarray  # float32 (1, ...)
    padding: int = 0

    @property
    def total(self) -> int:
        """How many rows it has in the end."""
        return max(self.rows, self.kept + len(self.more)) + self.padding


def copy_tensors(file: Path, out: Path, growths: Mapping[str, Growth]) -> int:
    """Write the tensors of a file to another, some with other rows at their end; return bytes."""
    tensors, about = read_header(file)
    header: dict[str, Any] = {"__metadata__": about} if about else {}
    place = 0
    for tensor in tensors:
        shape, size = _measure(tensor, growths.get(tensor.name))
        header[tensor.name] = {
            "dtype": tensor.form,
            "shape": shape,
            "data_offsets": [place, place + size],
        }
        place += size
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    with file.open("rb") as source, out.open("wb") as target:
        target.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            growth = growths.get(tensor.name)
            if growth is None:
                source.seek(tensor.offset)
                _copy(source, target, tensor.size)
            else:
                _grow(source, target, tensor, growth)
    return place


def _grow(source: IO[bytes], target: IO[bytes], tensor: Tensor, growth: Growth) -> None:
    """Write a tensor with its new rows, some millions of numbers at a time."""
    width = tensor.size // growth.rows  # bytes of a row
    source.seek(tensor.offset)
    _copy(source, target, width * growth.kept)
    step = max(COPIED // width, 1)
    for start in range(0, len(growth.more), step):
        target.write(encode(growth.more[start : start + step], tensor.form))
    behind = growth.kept + len(growth.more)
    if behind < growth.rows:
        source.seek(tensor.offset + width * behind)
        _copy(source, target, width * (growth.rows - behind))
    target.write(encode(growth.last, tensor.form) * growth.padding)


def _measure(tensor: Tensor, growth: Growth | None) -> tuple[list[int], int]:
    """Return the shape of a tensor to be written, and its bytes."""
    if growth is None:
        return list(tensor.shape), tensor.size
    rows, axis = growth.total, tensor.shape.index(growth.rows)
    shape = [*tensor.shape[:axis], rows, *tensor.shape[axis + 1 :]]
    return shape, tensor.size // growth.rows * rows


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size:
        block = source.read(min(size, COPIED))
        if not block:
            raise OSError("the file has become shorter")
        target.write(block)
        size -= len(block)
