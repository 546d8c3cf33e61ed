"""Counts of bytes to figures: how much do bytes tell, and what lies in tensors?"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from miner.corpus.tensors import Tensor
from miner.inspection.reading import Weights

MOST_TENSORS = 12  # the largest that are listed
_BEGINNINGS = (
    (b"PK\x03\x04", "ZIP archive (PyTorch checkpoints are such)"), (b"\x7fELF", "ELF program"),
    (b"GGUF", "GGUF weights"), (b"\x93NUMPY", "NumPy array"), (b"\0asm", "WebAssembly"),
    (b"MZ", "Windows program"), (b"\x80\x02", "pickle"), (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"), (b"\x80\x05", "pickle"), (b"\x89PNG", "PNG picture"),
    (b"\xff\xd8\xff", "JPEG picture"), (b"\x1f\x8b", "gzip archive"), (b"%PDF", "PDF"),
    (b"\x28\xb5\x2f\xfd", "Zstandard archive"), (b"\xfd7zXZ", "xz archive"),
    (b"SQLite format 3", "SQLite database"), (b"PAR1", "Parquet table"),
)  # fmt: skip


def tell_bytes(weights: Weights) -> dict[str, Any]:
    """Return the entropy of bytes, what files begin like, and the tensors by form and size."""
    total = int(weights.counts.sum())
    values = np.flatnonzero(weights.counts)
    return {
        "entropy_per_byte": measure_entropy(weights.counts),
        "values_in_use": len(values),
        "zeros": int(weights.counts[0]) / total if total else 0.0,
        "begins_like": {path: _name_beginning(begin) for path, begin in weights.begins.items()},
        "tensors": len(weights.tensors),
        "forms": [_tell_form(name, weights) for name in weights.by_form],
        "shapes": _list_shapes(weights.tensors),
    }


def measure_entropy(counts: np.ndarray) -> float:
    """Return the bits that each value tells, if drawn by itself.

    >>> measure_entropy(np.array([2, 1, 1, 0]))
    1.5
    """
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _name_beginning(begin: bytes) -> str:
    return next((name for magic, name in _BEGINNINGS if begin.startswith(magic)), "unknown")


def _tell_form(name: str, weights: Weights) -> dict[str, Any]:
    """Return what the tensors of one form come to; entropy by the place of a byte in an element."""
    tensors = [tensor for tensor in weights.tensors if tensor.form == name]
    return {
        "dtype": name,
        "tensors": len(tensors),
        "elements": sum(prod(tensor.shape) for tensor in tensors),
        "bytes": sum(tensor.size for tensor in tensors),
        "entropy_by_place": [measure_entropy(row) for row in weights.by_form[name]],
    }


def _list_shapes(tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    largest = sorted(tensors, key=lambda tensor: -tensor.size)[:MOST_TENSORS]
    return [
        {"name": t.name, "dtype": t.form, "shape": list(t.shape), "bytes": t.size} for t in largest
    ]
