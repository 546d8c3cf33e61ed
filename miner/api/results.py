"""What a tool answers with: what the command prints, and what it prints as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miner.api.pictures import write_text


@dataclass(frozen=True, repr=False)
class Result:
    """The answer of a tool.

    `text` is what the command prints, and what a notebook shows; `data` is what it prints with
    `--json`. `folder` is what was written, None where nothing was.

    >>> print(Result("two lines", {"lines": 2}))
    two lines
    """

    text: str
    data: Mapping[str, Any]
    folder: Path | None = None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return write_text(self.text)
