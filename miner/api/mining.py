"""A corpus to a run, and a run folder to a run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from miner.api.corpora import find_corpus
from miner.api.results import TextOrPath
from miner.api.run import Run
from miner.config import DEFAULT_VOCABULARY, MineConfig
from miner.corpus import Source
from miner.errors import UsageError
from miner.pipeline import mine as mine_corpus
from miner.progress import SILENT, Progress, choose_progress
from miner.runs.store import Existing, FinishedError


def mine(
    corpus: Any,
    *,
    out: TextOrPath | None = None,
    vocab_size: int = DEFAULT_VOCABULARY,
    objective: Literal["meaning", "terms", "phrases", "compression"] = "meaning",
    min_count: int | None = None,
    max_length: int = 8,
    profile: str = "auto",
    encoder: TextOrPath = "corpus",
    device: str = "auto",
    seeds: TextOrPath | Iterable[str] | None = None,
    facets: TextOrPath | None = None,
    decisions: TextOrPath | None = None,
    policy: Literal["majority", "latest", "unanimous"] = "majority",
    text_column: str | None = None,
    on_error: str = "stop",
    memory: str | None = None,
    seed: int = 0,
    patterns: Mapping[str, str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Progress = False,
) -> Run:
    """Mine a corpus for the runs that act as one unit of meaning.

    The settings are those of `miner mine`, and a run is the same whichever of the two mined it.

    Args:
        corpus: a path or a glob (str), a `Path` or a list of them; or documents: any iterable of
            str, a column or a table of polars or pandas, a lazy frame, a data set of Hugging Face.
            None is an empty document.
        out: the run folder to write. Without it the run lives in a temporary folder that goes
            with the object; `Run.save` keeps it.
        vocab_size: the most units to keep: the one dial.
        objective: `meaning`, what a person would call one unit; `terms`, key terms of the subject
            alone; `phrases`, general vocabulary alone; `compression`, what saves the most tokens.
        min_count: how often a run must occur; by default 3 x sqrt(millions of atoms), 3 at least.
        max_length: the most atoms in a unit, 2 to 8.
        profile: how text is cut into atoms: `auto`, `words`, `transliteration`, `code`,
            `symbols`, `molecules` or `bytes`.
        encoder: `corpus`, trained on the corpus itself; or a sentence-transformers model by name or
            folder, which needs `pip install 'miner[encoders]'`.
        device: where the encoder and the search run: `auto`, `cpu` or `cuda`.
        seeds: units known to be good, to learn from: a file with one a line, or the units.
        facets: a TOML file of facets and their anchor words.
        decisions: what reviewers decided on another run: that run, a folder of logs, or one log.
        policy: what holds where reviewers differ.
        text_column: of tables; by default `text`, or the only column of text.
        on_error: `stop` or `skip`: what to do with files that cannot be read.
        memory: for counting, such as `2GiB`; a larger corpus is counted in passes.
        seed: of every random choice. The same settings and text give the same bytes.
        patterns: regular expressions by name, whose matches are one atom each.
        resume: go on with a run in `out` that was cut off; one that is whole is opened.
        overwrite: replace a run in `out`.
        progress: True for bars on standard error or in the notebook, or an object of the protocol
            `miner.Progress`.

    Raises:
        UsageError: an argument has no meaning; it is a ValueError, and says which are allowed.
        CorpusError, ConfigError, EncoderError, RunError: what came in is not as it should be, with
            the place and the cure.

    >>> run = mine(["new york is large", "i like new york", "new york again"] * 9)
    >>> run["New York"].count
    27
    >>> run.segment("Is New York far?")
    ['Is', 'New York', 'far', '?']
    """
    told = choose_progress(progress)
    paths, texts = find_corpus(corpus, text_column, told)
    config = MineConfig(
        corpus=paths,
        vocab_size=vocab_size,
        objective=objective,
        min_count=min_count,
        max_length=max_length,
        profile=profile,
        encoder=encoder,  # type: ignore[arg-type]  # a path becomes text
        device=device,
        seeds=seeds,  # type: ignore[arg-type]
        facets=facets,  # type: ignore[arg-type]
        decisions=decisions,  # type: ignore[arg-type]
        policy=policy,
        text_column=text_column if paths else None,
        on_error=on_error,
        memory=memory,
        seed=seed,
        patterns=patterns or {},
    )
    if resume and (overwrite or out is None):
        raise UsageError(
            "resume goes on with a run in out, and replaces none", cure="Give out, not overwrite"
        )
    if out is not None:
        try:
            return mine_paths(
                config, Path(out), texts=texts, resume=resume, overwrite=overwrite, progress=told
            )
        except FinishedError:  # whoever goes on until it is done meets it done
            return Run(Path(out))
    home = tempfile.TemporaryDirectory(prefix="miner-", ignore_cleanup_errors=True)
    mine_corpus(config, Path(home.name, "run"), texts=texts, progress=told)
    return Run(Path(home.name, "run"), home=home)


def mine_paths(
    config: MineConfig,
    out: Path,
    *,
    texts: Source | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Run:
    """Mine with settings that are made already; `texts` stand for paths where they are spooled."""
    existing: Existing = "resume" if resume else "overwrite" if overwrite else "refuse"
    mine_corpus(config, out, texts=texts, existing=existing, progress=progress)
    return Run(out)


def open_run(
    folder: TextOrPath, *, policy: Literal["majority", "latest", "unanimous"] = "majority"
) -> Run:
    """Open a run that `mine` or the command wrote.

    Args:
        folder: the run folder.
        policy: what holds where reviewers of the run differ.

    Raises:
        RunError: there is no run, one of another version, or a damaged one.

    >>> import miner
    >>> try:
    ...     open_run("nowhere")
    ... except miner.RunError as error:
    ...     print(error.problem)
    holds no run of miner
    """
    if not isinstance(folder, str | os.PathLike):
        raise UsageError(f"folder is {type(folder).__name__}", cure="Give the path of a run folder")
    return Run(Path(folder), policy=policy)
