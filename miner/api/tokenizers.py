"""Tokenizers in Python: train one on a run, load any, ask whether its promises hold."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from miner.api.pictures import write_text
from miner.api.results import TextOrPath
from miner.corpus import check_texts, encode_text
from miner.errors import RunError, TokenizerError, UsageError
from miner.progress import Progress, choose_progress
from miner.tokenizer.checking.checking import Check, check_tokenizer, read_unit_ids
from miner.tokenizer.checking.view import list_checks, summarize_checks
from miner.tokenizer.reading.card import summarize_card
from miner.tokenizer.reading.loading import LoadedTokenizer
from miner.tokenizer.reading.loading import load_tokenizer as read_tokenizer
from miner.tokenizer.training.training import TrainConfig
from miner.tokenizer.training.training import train_tokenizer as train_folder

Trainer = Literal["hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram"]


@dataclass(frozen=True, repr=False)
class Checks:
    """What a tokenizer promises, tried; true where all of it holds. `print` shows the table.

    `checks`, one for each promise: `check`, its name; `passed` of `tried`; `failures`; `cure`.

    >>> import miner
    >>> run = miner.mine(["new york is large", "i like new york", "new york again"] * 9)
    >>> checks = run.train_tokenizer(vocab_size=300).check()
    >>> bool(checks), all(one.holds for one in checks)
    (True, True)
    """

    name: str
    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        return all(check.holds for check in self.checks)

    def __iter__(self) -> Any:
        return iter(self.checks)

    def __str__(self) -> str:
        return summarize_checks(self.checks, self.name)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return write_text(str(self))

    def describe(self, name: str) -> str:
        """Return the table under another name."""
        return summarize_checks(self.checks, name)

    def to_list(self) -> list[dict[str, Any]]:
        """Return the checks as data."""
        return list_checks(self.checks)


class Tokenizer:
    """A tokenizer, of miner or any other: text to ids and back.

    It is never changed, and threads may share it. Ids are int; `len` is how many there are.

    >>> import miner
    >>> run = miner.mine(["new york is large", "i like new york", "new york again"] * 9)
    >>> tokenizer = run.train_tokenizer(vocab_size=300)
    >>> ids = tokenizer.encode("New York")
    >>> len(ids), tokenizer.decode(ids)
    (1, 'new york')
    """

    def __init__(
        self,
        loaded: LoadedTokenizer,
        folder: Path,
        *,
        run: Path | None = None,
        homes: Sequence[object] = (),
    ) -> None:
        self._loaded = loaded
        self._run = run
        self._homes = homes  # temporary folders go with the last object that needs them
        self.folder = folder

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        return self._loaded.size

    @property
    def card(self) -> Mapping[str, Any]:
        """What a tokenizer of miner tells of itself: how it was made, and what it saves."""
        return self._loaded.card

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, special tokens not added.

        Raises:
            TokenizerError: the text cannot be cut; half a surrogate pair is no text.
        """
        return self.encode_batch([text])[0].tolist()

    def encode_batch(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Return the ids of each text, int64 (tokens,)."""
        return self._loaded.encode(_list_texts(texts))

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text of some ids; special tokens are written out.

        Raises:
            UsageError: these are no integers.
            TokenizerError: one is no id of this tokenizer.
        """
        try:
            numbers = [index(number) for number in ids]
        except TypeError as error:
            raise UsageError(f"ids are {ids!r:.80}", cure="Give a sequence of int") from error
        strange = next((number for number in numbers if not 0 <= number < self.vocab_size), None)
        if strange is not None:
            raise TokenizerError(
                f"there is no id {strange}",
                where=self._loaded.name,
                cure=f"Its ids are 0 to {self.vocab_size - 1:,}",
            )
        return self._loaded.decode([numbers])[0]

    def tokenize(self, text: str) -> list[str]:
        """Return a text cut where its tokens meet; joined, the pieces are the text.

        A character that is several ids, as bytes are, comes once.
        """
        pieces, begin, end = [], 0, 0
        for _, start, stop in self._loaded.spans(_list_texts([text]))[0]:
            if start >= end > begin:
                pieces.append(text[begin:end])
                begin = end
            end = max(end, stop)
        return [*pieces, text[begin:]] if text else []

    @cached_property
    def unit_ids(self) -> pl.DataFrame:
        """The ids of units, a row each: `id, text, side, token, kind, rank, count, parts`.

        Raises:
            TokenizerError: miner did not make the tokenizer, so nothing lists its units.
        """
        return read_unit_ids(self._loaded.path)

    def check(self, *, run: TextOrPath | None = None) -> Checks:
        """Try what it promises: is each unit one id, and does every text come back?

        Args:
            run: whose units to try; by default those of the run that it was trained on.

        Raises:
            RunError: the run cannot be read.
        """
        wanted = Path(run) if run is not None else self._run
        return Checks(self._loaded.name, tuple(check_tokenizer(self._loaded, wanted)))

    def save(self, folder: TextOrPath, *, overwrite: bool = False) -> Path:
        """Copy the tokenizer to a folder that `AutoTokenizer.from_pretrained` loads.

        Args:
            folder: where to, with its parents made.
            overwrite: replace a tokenizer of miner that is there.

        Raises:
            UsageError: the tokenizer is a single file.
            RunError: something is there, and is no tokenizer of miner or not to be replaced.
        """
        from miner.runs.workplace import open_folder

        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file", cure="Copy it by yourself")
        with open_folder(Path(folder), kind="tokenizer", overwrite=overwrite) as draft:
            try:
                shutil.copytree(self.folder, draft, dirs_exist_ok=True)
            except shutil.Error as error:
                raise RunError(f"cannot be copied ({error})", where=str(folder)) from error
        return Path(folder)

    def summary(self) -> str:
        """Return what `miner train` prints: the ids, the units by kind, what is saved."""
        if not self.card:
            return repr(self)
        return summarize_card(dict(self.card), str(self.folder))

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        made = f", {self.card['trainer']}, {self.card['mode']}" if self.card else ""
        units = f", {self.card['units']:,} units" if self.card else ""
        return f"<tokenizer {self._loaded.name}: {self.vocab_size:,} ids{units}{made}>"

    def _repr_html_(self) -> str:
        return write_text(self.summary())


def _list_texts(texts: Iterable[str]) -> list[str]:
    """Return texts as a list; UsageError where one is something else."""
    check_texts(texts)
    listed = list(texts)
    for number, text in enumerate(listed):
        if not isinstance(text, str):  # half a surrogate pair is the tokenizer's to tell
            encode_text(text, f"texts[{number}]", cure="Give str")
    return listed


def load_tokenizer(path: TextOrPath) -> Tokenizer:
    """Load a tokenizer of miner, of Hugging Face or of SentencePiece.

    Args:
        path: a folder, a `tokenizer.json` or a `.model`. No code that lies there is run.

    Raises:
        TokenizerError: there is none, or it is damaged.
        UsageError: it is of SentencePiece, which needs `pip install 'miner[sentencepiece]'`.

    >>> import miner
    >>> try:
    ...     load_tokenizer("nowhere")
    ... except miner.TokenizerError as error:
    ...     print(error.where)
    nowhere
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"path is {type(path).__name__}", cure="Give the path of a tokenizer")
    return Tokenizer(read_tokenizer(path), Path(path))


def train_tokenizer(
    config: TrainConfig,
    out: TextOrPath | None,
    *,
    overwrite: bool,
    progress: bool | Progress,
    home: tempfile.TemporaryDirectory[str] | None,
) -> Tokenizer:
    """Return a tokenizer in which the units of a run are one id each; `home`: where the run lives.

    Without a place of its own it lives in a temporary folder that goes with the object.
    """
    own = None
    if out is None:
        own = tempfile.TemporaryDirectory(prefix="miner-", ignore_cleanup_errors=True)
        out = Path(own.name, "tokenizer")
    told = choose_progress(progress)
    trained = train_folder(config, Path(out), overwrite=overwrite, progress=told)
    loaded = read_tokenizer(trained.folder)
    return Tokenizer(loaded, trained.folder, run=config.run, homes=(own, home))
