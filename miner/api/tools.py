"""The other commands in Python: what a corpus is, how tokenizers differ, a made-up language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from miner.api.models import find_folder
from miner.api.results import Result, TextOrPath, list_paths
from miner.api.run import Run
from miner.inspection.inspecting import InspectConfig, inspect_corpus
from miner.inspection.page import write_inspection
from miner.inspection.view import describe_inspection
from miner.progress import Progress, choose_progress
from miner.synthesis.writing import SynthConfig, describe_language, write_language
from miner.tokenizer.comparing import compare_tokenizers, summarize_comparison, write_page
from miner.tokenizer.diffing import (
    describe_difference,
    diff_tokenizers,
    read_sample,
    record_difference,
)
from miner.tokenizer.reading.loading import load_tokenizer


def inspect(
    corpus: TextOrPath | Sequence[TextOrPath],
    *,
    text_column: str | None = None,
    tokenizer: TextOrPath | None = None,
    profile: str = "auto",
    on_error: Literal["stop", "skip"] = "stop",
    progress: bool | Progress = False,
) -> Result:
    """Tell what a corpus is before it is mined, as `miner inspect` does.

    Size, class, languages, repeats, damage, and for what it is enough. `save` of the result writes
    a page with pictures.

    Args:
        corpus: a path, a glob or several.
        text_column: of tables and JSON lines.
        tokenizer: whose tokens to count; by default none.
        profile: what you mean to mine with; `bytes` reads text files as bytes.
        on_error: `stop` or `skip`: what to do with files that cannot be read.
        progress: True for bars, or an object of the protocol `miner.Progress`.

    Returns:
        A `Result`; its `data` has `size`, `class`, `profile`, `languages`, `duplicates`, ...

    Raises:
        CorpusError: a file is not there or cannot be read.
        TokenizerError: the tokenizer cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Path(folder, "book.txt")
    ...     _ = place.write_text("New York is large.\\nI like New York.\\n" * 40)
    ...     found = inspect(place)
    >>> found.data["size"]["lines"], found.data["size"]["words"], found.data["profile"]["name"]
    (80, 320, 'words')
    """
    config = InspectConfig(
        list_paths(corpus),
        text_column=text_column,
        tokenizer=Path(tokenizer) if tokenizer is not None else None,
        profile=profile,
        on_error=on_error,
    )
    record = inspect_corpus(config, progress=choose_progress(progress))
    return Result(
        describe_inspection(record), record, page=partial(write_inspection, record=record)
    )


def compare(
    tokenizers: Sequence[TextOrPath],
    corpus: TextOrPath | Sequence[TextOrPath],
    *,
    run: Run | TextOrPath | None = None,
    shape: str = "llama-3-8b",
    text_column: str | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    progress: bool | Progress = False,
) -> Result:
    """Compare tokenizers on text that none was trained on, as `miner compare` does.

    `save` of the result writes a page with pictures.

    Args:
        tokenizers: folders or files; the first is what the others are measured against.
        corpus: a path, a glob or several.
        run: whose units to look for; by default those of the first tokenizer of miner.
        shape: of the model whose attention and memory are counted.
        text_column: of tables and JSON lines.
        on_error: `stop` or `skip`: what to do with files that cannot be read.
        progress: True for bars, or an object of the protocol `miner.Progress`.

    Returns:
        A `Result`; `data["tokenizers"]` has a mapping for each, in the order given: `tokens`,
        `bytes_per_token`, `tokens_per_word`, `bits_per_byte`, `savings`, ...

    Raises:
        TokenizerError, CorpusError, RunError: one of them cannot be read.

    >>> import miner, tempfile
    >>> run = miner.mine(["new york is large", "i like new york", "new york again"] * 9)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Path(folder, "book.txt")
    ...     _ = place.write_text("I like New York.\\n" * 40)
    ...     ours = run.train_tokenizer(vocab_size=300)
    ...     found = compare([ours.folder], place)
    >>> [(row["tokens"], row["tokens_per_word"]) for row in found.data["tokenizers"]]
    [(120, 0.75)]
    """
    comparison = compare_tokenizers(
        [Path(path) for path in tokenizers],
        list_paths(corpus),
        run=find_folder(run) if run is not None else None,
        shape=shape,
        text_column=text_column,
        on_error=on_error,
        progress=choose_progress(progress),
    )
    return Result(
        summarize_comparison(comparison),
        comparison.record(),
        page=partial(write_page, comparison=comparison),
    )


def diff(old: TextOrPath, new: TextOrPath, *, sample: TextOrPath | None = None) -> Result:
    """Tell what would break where one tokenizer takes the place of another, as `miner diff` does.

    Args:
        old: a folder or a file of what a model was trained with.
        new: a folder or a file of what is to take its place.
        sample: a file of texts to measure on; by default the built-in sample.

    Raises:
        TokenizerError: one of them cannot be read.

    >>> import miner
    >>> run = miner.mine(["new york is large", "i like new york", "new york again"] * 9)
    >>> tokenizer = run.train_tokenizer(vocab_size=300)
    >>> diff(tokenizer.folder, tokenizer.folder).data["safe"]
    True
    """
    place = Path(sample) if sample is not None else None
    found = diff_tokenizers(load_tokenizer(old), load_tokenizer(new), read_sample(place))
    name = str(place) if place else "the built-in sample"
    return Result(describe_difference(found, name), record_difference(found))


def synth(
    lines: int,
    out: TextOrPath,
    *,
    seed: int = 0,
    script: str = "cyrillic",
    words: int | None = None,
    units: int | None = None,
    overwrite: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Write a corpus in a made-up language, and the key to what was planted, as `miner synth` does.

    Args:
        lines: 100 at least.
        out: the folder to write: `corpus.txt`, `key.jsonl`, `grammar.json`.
        seed: of every random choice; the same settings write the same bytes.
        script: `cyrillic`, `latin`, `greek`, `armenian`, `georgian`, `glagolitic`, `runic`,
            `tifinagh`, or `private`: letters that no language has.
        words: how many stems; by default more for more lines.
        units: how many planted units; by default one for 20 lines, 30 to 20,000.
        overwrite: replace a folder of synth that is there.
        progress: True for bars, or an object of the protocol `miner.Progress`.

    Returns:
        A `Result`; its `data` has `lines`, `bytes`, `words`, `units`, `placed`.

    Raises:
        UsageError: a number or a name is out of what can be.
        RunError: something is there, and is not to be replaced.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = synth(200, Path(folder, "made"))
    ...     files = sorted(path.name for path in made.folder.iterdir())
    >>> made.data["lines"], files
    (200, ['corpus.txt', 'grammar.json', 'key.jsonl', 'miner-files.json'])
    """
    config = SynthConfig(lines, Path(out), seed, script, words, units, overwrite)
    made = write_language(config, progress=choose_progress(progress))
    return Result(describe_language(config, made), made, Path(out))
