"""What a tool answers with: what the command prints, and what it prints as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miner.api.pictures import write_text
from miner.corpus import encode_text
from miner.errors import UsageError

TextOrPath = str | os.PathLike[str]


def check_text(text: object, name: str = "text", *, cure: str = "Give one str") -> None:
    """UsageError where something else, or half a surrogate pair, stands in the place of a text."""
    encode_text(text, name, cure=cure)


def list_paths(corpus: TextOrPath | Sequence[TextOrPath] | None) -> tuple[str, ...]:
    """Return the paths of a corpus that may be one, several or none."""
    if corpus is None:
        return ()
    paths = [corpus] if isinstance(corpus, str | os.PathLike) else corpus
    return tuple(os.fspath(path) for path in paths)


def check_page(path: str | os.PathLike[str] | None) -> None:
    """UsageError where a page is to be written to a folder."""
    if path is not None and Path(path).is_dir():
        raise UsageError(f"--html {path} is a folder", cure="Name a file, such as page.html")


@dataclass(frozen=True, repr=False)
class Result:
    """The answer of a tool.

    `text` is what the command prints, and what a notebook shows; `data` is what it prints with
    `--json`. `folder` is what was written, None where nothing was. `page` writes the page with
    pictures that `save` gives, where there is one.

    >>> print(Result("two lines", {"lines": 2}))
    two lines
    """

    text: str
    data: Mapping[str, Any]
    folder: Path | None = None
    page: Callable[[Path], None] | None = None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the answer as a page that opens with no network; return its path.

        Raises:
            UsageError: there is no page of this answer, or it cannot be written there.
        """
        if self.page is None:
            raise UsageError("there is no page of this answer", cure="Print it, or take its data")
        check_page(path)
        self.page(Path(path))
        return Path(path)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return write_text(self.text)
