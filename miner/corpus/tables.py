"""Tables to documents: what does the text column say in each row?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from miner.corpus.documents import TO_SKIP, Chunk, Reading, Skipped
from miner.corpus.streams import Stream
from miner.corpus.text import NATIVE_ERRORS
from miner.errors import CorpusError

DEFAULT_COLUMN = "text"
COLUMN_CURE = "Name the text column by --text-column"
SAMPLE_ROWS, MOST_ROWS = 1_000, 1_000_000


def choose_column(columns: Sequence[str], wanted: str | None) -> str:
    """The column asked for, else `text`, else the only one.

    CorpusError that lists the columns where there is no such choice.
    """
    name = wanted if wanted is not None else DEFAULT_COLUMN
    if name in columns:
        return name
    if wanted is None and len(columns) == 1:
        return columns[0]
    raise CorpusError(
        f"no text column {name!r}; there are: {', '.join(columns) or 'none'}", cure=COLUMN_CURE
    )


def pack_strings(series: pl.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(buffer, starts, ends) of a string column; null is an empty document.

    >>> [part.tolist() for part in pack_strings(pl.Series(["a", None, "bc"]))]
    [[97, 98, 99], [0, 1, 1], [1, 1, 3]]
    """
    filled = series.fill_null("")
    ends = filled.str.len_bytes().cast(pl.Int64).cum_sum().to_numpy()
    joined = filled.str.join("").cast(pl.Binary).item()
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1]
    return np.frombuffer(joined, dtype=np.uint8), starts, ends


def read_parquet(stream: Stream, reading: Reading) -> Iterator[Chunk]:
    """The text column, some row groups at a time."""
    source, done = stream.source, 0
    try:
        texts, rows = _scan_texts(source.file, reading.text_column)
        size = _rows_per_chunk(texts.head(SAMPLE_ROWS).collect(), reading.chunk_bytes)
        for batch in texts.collect_batches(chunk_size=size, maintain_order=True, lazy=True):
            for part in batch.iter_slices(_rows_per_chunk(batch, reading.chunk_bytes)):
                yield Chunk(*pack_strings(part.to_series()), source.path)
            done += batch.height
            stream.position = source.bytes * done // rows
    except CorpusError as error:
        reading.report(Skipped(source.path, "", error.problem, error.cure or ""))
    except NATIVE_ERRORS as error:
        problem = f"truncated or corrupt Parquet file ({str(error).splitlines()[0]})"
        cure = f"Fetch or write the file again, {TO_SKIP}"
        reading.report(Skipped(source.path, f"after {done} rows", problem, cure))


def _scan_texts(file: str, wanted: str | None) -> tuple[pl.LazyFrame, int]:
    """The text column as a query of one string column, and how many rows it has."""
    frame = pl.scan_parquet(file, glob=False, hive_partitioning=False)
    schema = frame.collect_schema()
    names = [name for name in schema if schema[name] in (pl.String, pl.Categorical, pl.Enum)]
    column = choose_column(names, wanted)
    rows = frame.select(pl.len()).collect().item()
    return frame.select(pl.col(column).cast(pl.String)), rows


def _rows_per_chunk(texts: pl.DataFrame, chunk_bytes: int) -> int:
    """How many rows like these come to about `chunk_bytes`."""
    size = int(texts.to_series().str.len_bytes().sum())
    return max(1, min(MOST_ROWS, chunk_bytes * texts.height // max(size, 1)))
