"""Corpora to hyperword text and back, file by file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from miner.api.results import Result
from miner.api.run import Run, Style
from miner.api.tokenizers import TextOrPath
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
    form: Form = "txt",
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
        corpus: a text file, packed or not.
        out: the file to write; it appears when it is whole.
        run: whose units stand in their glued form; or `dictionary`, a file of texts and signs.
        form: `txt`; `jsonl`, an object with `text` a line; `pairs`, one with `source` and `hyper`.
        any_case: find texts of the dictionary with capitals too; inflect: in all their forms.
        density: the share of places that get a sign, above 0, at most 1; chosen by `seed`.

    Raises:
        UsageError, ConfigError, CorpusError, RunError: with the place and the cure.
    """
    config = _make_config(
        corpus,
        out,
        run,
        dictionary,
        form=form,
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
    form: Form = "txt",
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
        out: the file to write; it appears when it is whole.

    Raises:
        UsageError, ConfigError, CorpusError, RunError: with the place and the cure.
    """
    config = _make_config(
        corpus,
        out,
        run,
        dictionary,
        form=form,
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
