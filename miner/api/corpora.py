"""What people hold in their hands to a corpus: paths, or texts in memory of any kind."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from miner.corpus import Source, spool_texts
from miner.corpus.tables import choose_column
from miner.errors import CorpusError, UsageError
from miner.progress import Progress

LOOKED_AT = 100  # texts of which one may look as if it were a path
ROWS = 10_000  # of a table read at a time
STRINGS = ("string", "large_string")  # of features of a data set
TEXTS = (pl.String, pl.Categorical, pl.Enum)


def find_corpus(
    corpus: Any, text_column: str | None, progress: Progress
) -> tuple[tuple[str, ...], Source | None]:
    """Return the paths that a corpus is, or the source of the texts that it holds.

    A string is a path or a glob, and so is a `Path`; a list of `Path` is several. All else is
    texts: an iterable of str, a column or a table of polars, pandas or pyarrow, a data set of
    Hugging Face.
    """
    if isinstance(corpus, str) and "\n" in corpus:
        raise UsageError(
            f"a string is a path, and {corpus[:20]!r}... is none", cure="Give texts in a list"
        )
    if isinstance(corpus, str | os.PathLike):
        return (os.fspath(corpus),), None
    if isinstance(corpus, list | tuple) and corpus and isinstance(corpus[0], os.PathLike):
        return tuple(map(_read_path, corpus)), None
    texts = list_texts(corpus, text_column)
    total = len(corpus) if hasattr(corpus, "__len__") else 0
    with progress.task("reading texts", total, "text") as advance:
        return (), spool_texts(texts, advance=advance)


def _read_path(path: Any) -> str:
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"{path!r} is no path, among paths", cure="Give only paths, or only texts")
    return os.fspath(path)


def list_texts(corpus: Any, text_column: str | None) -> Iterable[str | None]:
    """Return the texts of what is no path; UsageError where it has none."""
    library = type(corpus).__module__.split(".")[0]
    if library == "pyarrow" and hasattr(corpus, "to_pylist"):
        corpus = pl.from_arrow(corpus)
    if isinstance(corpus, pl.DataFrame | pl.LazyFrame):
        return _read_frame(corpus.lazy(), text_column)
    if library == "datasets" and (isinstance(corpus, Mapping) or hasattr(corpus, "column_names")):
        return _read_dataset(corpus, text_column)
    if library == "pandas" and hasattr(corpus, "columns"):
        return _read_pandas(corpus, text_column)
    if isinstance(corpus, bytes | bytearray | Mapping) or not isinstance(corpus, Iterable):
        raise UsageError(
            f"the corpus is {type(corpus).__name__}",
            cure="Give a path, an iterable of str, or a table with text_column",
        )
    if text_column is not None:
        raise UsageError(
            f"text_column names a column of a table, and the corpus is {type(corpus).__name__}",
            cure="Leave it away",
        )
    if isinstance(corpus, pl.Series):
        return _check_series(corpus)
    return _drop_nothings(corpus) if library == "pandas" else _check_paths(iter(corpus))


def _check_series(column: pl.Series) -> pl.Series:
    if column.dtype not in TEXTS and column.dtype != pl.Null:
        raise UsageError(
            f"the column {column.name!r} is {column.dtype}, and no text", cure="Give one of text"
        )
    return column.cast(pl.String)


def _read_frame(frame: pl.LazyFrame, text_column: str | None) -> Iterator[str | None]:
    schema = frame.collect_schema()
    names = [name for name in schema if schema[name] in TEXTS]
    column = _choose(names, text_column)
    batches = frame.select(pl.col(column).cast(pl.String)).collect_batches(maintain_order=True)
    return chain.from_iterable(batch.to_series().to_list() for batch in batches)


def _choose(names: Sequence[str], text_column: str | None) -> str:
    if not names:
        raise UsageError("the table has no column of text", cure="Give one that has")
    try:
        return choose_column(names, text_column)
    except CorpusError as error:
        raise UsageError(error.problem, cure="Name the text column by text_column") from error


def _read_dataset(dataset: Any, text_column: str | None) -> Iterator[str | None]:
    """Return the texts of a data set of Hugging Face, streamed or not."""
    if isinstance(dataset, Mapping):
        splits = ", ".join(map(repr, dataset))
        raise UsageError(f"the data set has the splits {splits}", cure="Give one of them")
    features = getattr(dataset, "features", None) or {}
    names = dataset.column_names or list(next(iter(dataset), {}))
    texts = [name for name in names if getattr(features.get(name), "dtype", "string") in STRINGS]
    column = _choose(texts, text_column)
    return chain.from_iterable(batch[column] for batch in dataset.iter(batch_size=ROWS))


def _read_pandas(frame: Any, text_column: str | None) -> Iterator[str | None]:
    """Return the texts of a frame of pandas."""
    if not frame.columns.is_unique:
        raise UsageError("two columns of the frame have one name", cure="Name them apart")
    columns = {str(name): name for name in frame.columns if frame[name].dtype.kind in "OTU"}
    wanted = None if text_column is None else str(text_column)
    return _drop_nothings(frame[columns[_choose(list(columns), wanted)]])


def _drop_nothings(column: Iterable[Any]) -> Iterator[str | None]:
    """Return the cells of a column of pandas, its NaN and NA as None."""
    return (cell if isinstance(cell, str) else _be_nothing(cell) for cell in column)


def _be_nothing(cell: Any) -> Any:
    """Return None for what pandas writes for nothing, any other cell as it is."""
    is_nan = isinstance(cell, float) and cell != cell
    return None if is_nan or type(cell).__name__ in ("NAType", "NaTType") else cell


def _check_paths(texts: Iterator[Any]) -> Iterator[Any]:
    """Refuse texts that are all names of files: whoever gives them means the files."""
    first = list(islice(texts, LOOKED_AT))
    if first and all(isinstance(text, str) and _is_path(text) for text in first):
        raise UsageError(
            f"these texts are names of files, such as {first[0]!r}",
            cure="Give Path objects, or a glob, to mine the files; a polars Series of the names "
            "mines the names themselves",
        )
    if first and isinstance(first[0], Mapping):
        raise UsageError(
            "the corpus is a list of dict", cure="Give polars.DataFrame(rows), with text_column"
        )
    return chain(first, texts)


def _is_path(text: str) -> bool:
    if not text or len(text) > 4_096 or "\n" in text or "\0" in text:
        return False
    try:
        return Path(text).exists() or (glob.has_magic(text) and bool(next(glob.iglob(text), None)))  # noqa: PTH207
    except (OSError, ValueError):
        return False
