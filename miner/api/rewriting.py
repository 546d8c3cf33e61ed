"""Corpora to hyperword text and back, file by file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from miner.api.results import Result, TextOrPath
from miner.api.run import Run, Style
from miner.progress import Progress, choose_progress
from miner.rewriting.jobs import RewriteConfig, describe_done, restore_corpus, rewrite_corpus
from miner.runs.decisions import Policy

Form = Literal["txt", "jsonl", "pairs"]


def rewrite(
    corpus: TextOrPath,
    out: TextOrPath,
    *,
    run: Run | TextOrPath | None = None,
    dictionary: TextOrPath | None = None,
    format: Form = "txt",  # noqa: A002 - the name of the option
    any_case: bool = False,
    inflect: Literal["ru"] | None = None,
    links: bool = False,
    style: Style = "glued",
    markers: bool = False,
    alphabet: str | None = None,
    density: float = 1.0,
    seed: int = 0,
    policy: Policy = "majority",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Write a text file as hyperword text: units or signs in the place of texts.

    Every line comes back byte for byte by `restore` with the same options. `Run.rewrite` does the
    same for texts in memory.

    Args:
        corpus: a text file, packed or not; a folder or a glob keeps its tree.
        out: the file or folder to write; it appears when it is whole.
        run: whose units stand in their glued form; or `dictionary`.
        dictionary: a file of texts and signs.
        format: `txt`; `jsonl`, objects with `text`; `pairs`, with `source` and `hyper`.
        any_case: find texts of the dictionary with capitals too.
        inflect: find them in all their forms; needs `pip install 'miner[russian]'`.
        links: only links; a hyperlexeme is shown as its links.
        style: what stands for a unit: `glued`, `signs` or `addresses`.
        markers: behind a unit, how its parts hold together.
        alphabet: the signs of `style="signs"`.
        density: the share of places that get a sign, above 0, at most 1.
        seed: of the choice of these places.
        policy: what holds where reviewers of the run differ.
        resume: go on with work that was cut off.
        overwrite: replace a file that is there.
        progress: True for bars, or an object of the protocol `miner.Progress`.

    Returns:
        A `Result`; its `data` has `read`, `written`, `replaced`, `escaped`, `left`.

    Raises:
        UsageError, ConfigError, CorpusError, RunError: with the place and the cure.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = ("book.txt", "signs.json", "hyper.txt", "again.txt")
    ...     book, signs, hyper, again = (Path(folder, name) for name in names)
    ...     _ = book.write_text("light and love\\n"), signs.write_text('{"light": "*"}')
    ...     _ = rewrite(book, hyper, dictionary=signs)
    ...     _ = restore(hyper, again, dictionary=signs)
    ...     print(hyper.read_text().strip())
    * and love
    """
    config = _make_config(
        corpus,
        out,
        run,
        dictionary,
        form=format,
        any_case=any_case,
        inflect=inflect,
        links=links,
        style=style,
        markers=markers,
        alphabet=alphabet,
        density=density,
        seed=seed,
        policy=policy,
    )
    told = choose_progress(progress)
    done = rewrite_corpus(config, resume=resume, overwrite=overwrite, progress=told)
    return Result(describe_done(done, config, back=False), vars(done), Path(out))


def restore(
    corpus: TextOrPath,
    out: TextOrPath,
    *,
    run: Run | TextOrPath | None = None,
    dictionary: TextOrPath | None = None,
    format: Form = "txt",  # noqa: A002 - the name of the option
    any_case: bool = False,
    inflect: Literal["ru"] | None = None,
    links: bool = False,
    style: Style = "glued",
    markers: bool = False,
    alphabet: str | None = None,
    policy: Policy = "majority",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Give back the text that `rewrite` read, by the same options.

    Args:
        corpus: what `rewrite` wrote.
        out: the file or folder to write; it appears when it is whole.
        run: whose units stand in their glued form; or `dictionary`.
        dictionary: a file of texts and signs.
        format: `txt`; `jsonl`, objects with `text`; `pairs`, with `source` and `hyper`.
        any_case: find texts of the dictionary with capitals too.
        inflect: find them in all their forms; needs `pip install 'miner[russian]'`.
        links: only links; a hyperlexeme is shown as its links.
        style: what stands for a unit: `glued`, `signs` or `addresses`.
        markers: behind a unit, how its parts hold together.
        alphabet: the signs of `style="signs"`.
        policy: what holds where reviewers of the run differ.
        resume: go on with work that was cut off.
        overwrite: replace a file that is there.
        progress: True for bars, or an object of the protocol `miner.Progress`.

    Returns:
        A `Result`; its `data` has `read`, `written`, `replaced`, `escaped`, `left`.

    Raises:
        UsageError, ConfigError, CorpusError, RunError: with the place and the cure.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = ("book.txt", "signs.json", "hyper.txt", "again.txt")
    ...     book, signs, hyper, again = (Path(folder, name) for name in names)
    ...     _ = book.write_text("light and love\\n"), signs.write_text('{"light": "*"}')
    ...     _ = rewrite(book, hyper, dictionary=signs)
    ...     _ = restore(hyper, again, dictionary=signs)
    ...     print(again.read_text().strip())
    light and love
    """
    config = _make_config(
        corpus,
        out,
        run,
        dictionary,
        form=format,
        any_case=any_case,
        inflect=inflect,
        links=links,
        style=style,
        markers=markers,
        alphabet=alphabet,
        policy=policy,
    )
    told = choose_progress(progress)
    done = restore_corpus(config, resume=resume, overwrite=overwrite, progress=told)
    return Result(describe_done(done, config, back=True), vars(done), Path(out))


def _make_config(
    corpus: TextOrPath,
    out: TextOrPath,
    run: Run | TextOrPath | None,
    dictionary: TextOrPath | None,
    **options: Any,
) -> RewriteConfig:
    folder = run.folder if isinstance(run, Run) else Path(run) if run is not None else None
    file = Path(dictionary) if dictionary is not None else None
    return RewriteConfig(os.fspath(corpus), Path(out), run=folder, dictionary=file, **options)
