"""What other libraries hold as a corpus: the same documents, or one clear line."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from watched import DEMO, MinedDemo, call_command

import miner
from miner.api.corpora import find_corpus
from miner.errors import UsageError
from miner.progress import Silent

LINES = DEMO.read_text(encoding="utf-8").splitlines()
HOLES = [*LINES, None, "", "the last"]  # None is an empty document


def read_spool(corpus: Any, text_column: str | None = None) -> bytes:
    """The documents of a corpus as they are mined, each with a byte behind it."""
    paths, source = find_corpus(corpus, text_column, Silent())
    assert source and not paths
    return Path(source.file).read_bytes()


def expect(texts: list[str | None]) -> bytes:
    return b"".join((text or "").encode() + b"\xff" for text in texts)


def in_pandas(make: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: make(pytest.importorskip("pandas"))


def in_arrow(make: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: make(pytest.importorskip("pyarrow"))


def in_datasets(make: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: make(pytest.importorskip("datasets"))


def arrow_type(pandas: Any, name: str) -> Any:
    return pandas.ArrowDtype(getattr(pytest.importorskip("pyarrow"), name)())


def rows() -> Iterator[dict[str, Any]]:
    for number, text in enumerate(HOLES):
        yield {"n": number, "text": text}


NUMBERS = list(range(len(HOLES)))
TABLE = {"n": NUMBERS, "text": HOLES}
HOLD = {  # the same documents in every kind of hands
    "list": lambda: HOLES,
    "tuple": lambda: tuple(HOLES),
    "generator": lambda: (text for text in HOLES),
    "polars series": lambda: pl.Series(HOLES),
    "polars categorical": lambda: pl.Series(HOLES, dtype=pl.Categorical),
    "polars frame": lambda: pl.DataFrame(TABLE),
    "polars lazy frame": lambda: pl.LazyFrame(TABLE).filter(pl.col("n") >= 0),
    "pandas series of objects": in_pandas(
        lambda pandas: pandas.Series([*LINES, float("nan"), "", "the last"], dtype=object)
    ),
    "pandas series with NA": in_pandas(
        lambda pandas: pandas.Series([*LINES, pandas.NA, "", "the last"], dtype=object)
    ),
    "pandas series": in_pandas(lambda pandas: pandas.Series(HOLES)),
    "pandas string": in_pandas(lambda pandas: pandas.Series(HOLES, dtype="string")),
    "pandas string in arrow": in_pandas(
        lambda pandas: pandas.Series(HOLES, dtype="string[pyarrow]")
    ),
    "pandas arrow": in_pandas(
        lambda pandas: pandas.Series(HOLES, dtype=arrow_type(pandas, "large_string"))
    ),
    "pandas category": in_pandas(lambda pandas: pandas.Series(HOLES, dtype="category")),
    "pandas frame": in_pandas(lambda pandas: pandas.DataFrame(TABLE)),
    "pandas frame of arrow": in_pandas(
        lambda pandas: pandas.DataFrame(TABLE).astype({"text": arrow_type(pandas, "string")})
    ),
    "arrow table": in_arrow(lambda pyarrow: pyarrow.table(TABLE)),
    "arrow array": in_arrow(lambda pyarrow: pyarrow.array(HOLES)),
    "dataset": in_datasets(lambda datasets: datasets.Dataset.from_dict(TABLE)),
    "dataset's column": in_datasets(lambda datasets: datasets.Dataset.from_dict(TABLE)["text"]),
    "streamed dataset": in_datasets(
        lambda datasets: datasets.Dataset.from_dict(TABLE).to_iterable_dataset(num_shards=3)
    ),
    "streamed dataset without features": in_datasets(
        lambda datasets: datasets.IterableDataset.from_generator(rows)
    ),
    "streamed dataset's column": in_datasets(
        lambda datasets: datasets.IterableDataset.from_generator(rows)["text"]
    ),
}


@pytest.mark.parametrize("kind", HOLD)
def test_every_hand_holds_the_same_documents(kind: str) -> None:
    assert read_spool(HOLD[kind]()) == expect(HOLES)


@pytest.mark.parametrize("kind", [kind for kind in HOLD if "frame" in kind or "table" in kind])
def test_a_column_is_found_by_its_name(kind: str) -> None:
    if "lazy" in kind or "polars" in kind:
        frame = HOLD[kind]().with_columns(other=pl.lit("x"))
    elif "arrow table" in kind:
        frame = HOLD[kind]()
        frame = frame.append_column("other", [["x"] * len(HOLES)])
    else:
        frame = HOLD[kind]().assign(other="x")
    assert read_spool(frame, "text") == read_spool(frame) == expect(HOLES)
    assert read_spool(frame, "other") == expect(["x"] * len(HOLES))


def test_an_open_file_is_its_lines() -> None:
    with DEMO.open(encoding="utf-8") as lines:
        assert read_spool(lines) == b"".join(line.encode() + b"\n\xff" for line in LINES)
    assert read_spool(io.StringIO("a\nb")) == b"a\n\xffb\xff"


def test_paths_are_left_as_they_are(tmp_path: Path) -> None:
    for corpus, wanted in (
        ("texts/*.txt", ("texts/*.txt",)),
        (tmp_path, (str(tmp_path),)),
        ([tmp_path, tmp_path / "a"], (str(tmp_path), str(tmp_path / "a"))),
        ((tmp_path, "b"), (str(tmp_path), "b")),
    ):
        assert find_corpus(corpus, None, Silent()) == (wanted, None)


def read_results(folder: Path) -> dict[str, bytes]:
    names = ("vocabulary.txt", "vocabulary.jsonl", "merges.tsv", "tokens.json")
    return {name: (folder / name).read_bytes() for name in names}


def test_texts_in_memory_give_what_the_command_gives(beginning: Path, tmp_path: Path) -> None:
    told = call_command("mine", "--corpus", str(beginning), "--out", str(tmp_path / "command"))
    assert told.code == 0, told.err
    wanted = read_results(tmp_path / "command")
    proposals = pl.read_parquet(tmp_path / "command" / "proposals.parquet")
    lines = beginning.read_text(encoding="utf-8").splitlines()
    for corpus in (lines, iter(lines), [beginning], str(beginning)[:-3] + "*"):
        run = miner.mine(corpus)
        assert read_results(run.folder) == wanted
        assert pl.read_parquet(run.folder / "proposals.parquet").equals(proposals)
    assert wanted["vocabulary.txt"].count(b"\n") > 50


def test_a_streamed_data_set_gives_what_the_command_gives(demo: MinedDemo) -> None:
    datasets = pytest.importorskip("datasets")
    texts = datasets.IterableDataset.from_generator(lambda: ({"text": line} for line in LINES))
    run = miner.mine(texts)
    assert read_results(run.folder) == read_results(demo.folder)
    assert pl.read_parquet(run.folder / "proposals.parquet").equals(demo.proposals)


TWO = {"a": LINES, "b": LINES}
WRONG = {  # (what somebody may give, what is said)
    "numbers": (lambda: [1, 2], r"texts\[0\]: is int, and no text"),
    "a number among texts": (lambda: ["a", 2.5], r"texts\[1\]: is float, and no text"),
    "lists": (lambda: [["a"]], r"texts\[0\]: is list, and no text"),
    "rows": (lambda: [{"text": "a"}], "a list of dict. Give polars.DataFrame"),
    "dict": (lambda: {"text": LINES}, "the corpus is dict"),
    "bytes": (lambda: b"a text", "the corpus is bytes"),
    "bytearray": (lambda: bytearray(b"a text"), "the corpus is bytearray"),
    "list of bytes": (lambda: [b"a text"], r"texts\[0\]: is bytes"),
    "nothing": (lambda: None, "the corpus is NoneType"),
    "a class": (lambda: str, "the corpus is type"),
    "a text": (lambda: "This is no path.\nIt is a text.", "a string is a path"),
    "names of files": (lambda: [str(DEMO)], "these texts are names of files"),
    "globs": (lambda: [str(DEMO.parent / "*")], "these texts are names of files"),
    "a number among paths": (lambda: [DEMO, 1], "1 is no path"),
    "no text": (lambda: [], "the corpus holds no text"),
    "a spent iterator": (lambda: iter(()), "the corpus holds no text"),
    "half a pair": (lambda: ["a", "b", "c\udfff"], r"texts\[2\]: half a surrogate pair at char"),
    "polars numbers": (lambda: pl.Series("n", [1]), "the column 'n' is Int64, and no text"),
    "polars frame of numbers": (lambda: pl.DataFrame({"n": [1]}), "no column of text"),
    "polars frame of two": (lambda: pl.DataFrame(TWO), "no text column 'text'; there are: a, b"),
    "lazy frame of two": (lambda: pl.LazyFrame(TWO), "no text column 'text'; there are: a, b"),
    "pandas numbers": (in_pandas(lambda pandas: pandas.Series([1])), r"texts\[0\]: is int"),
    "pandas numbers and NaN": (
        in_pandas(lambda pandas: pandas.Series([float("nan"), 1])), r"texts\[1\]: is float"
    ),
    "pandas frame of numbers": (
        in_pandas(lambda pandas: pandas.DataFrame({"n": [1]})), "no column of text"
    ),
    "pandas frame of two": (
        in_pandas(lambda pandas: pandas.DataFrame(TWO)), "no text column 'text'; there are: a, b"
    ),
    "pandas frame with one name twice": (
        in_pandas(lambda pandas: pandas.DataFrame([["a", "b"]], columns=["text", "text"])),
        "two columns of the frame have one name",
    ),
    "arrow numbers": (in_arrow(lambda pyarrow: pyarrow.array([1])), "is Int64, and no text"),
    "splits": (
        in_datasets(
            lambda datasets: datasets.DatasetDict(
                train=datasets.Dataset.from_dict(TABLE), test=datasets.Dataset.from_dict(TABLE)
            )
        ),
        "the data set has the splits 'train', 'test'. Give one of them",
    ),
    "data set of numbers": (
        in_datasets(lambda datasets: datasets.Dataset.from_dict({"n": [1]})), "no column of text"
    ),
    "data set of two": (
        in_datasets(lambda datasets: datasets.Dataset.from_dict(TWO)),
        "no text column 'text'; there are: a, b",
    ),
    "column of numbers": (
        in_datasets(lambda datasets: datasets.Dataset.from_dict(TABLE)["n"]),
        r"texts\[0\]: is int",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_corpus_is_told_in_a_line(kind: str, tmp_path: Path) -> None:
    make, problem = WRONG[kind]
    corpus = make()
    with pytest.raises(UsageError, match=problem) as told:
        miner.mine(corpus, out=tmp_path / "run")
    assert "\n" not in str(told.value) and told.value.cure
    assert "--" not in str(told.value), "Python has no options"
    assert list(tmp_path.iterdir()) == []


WRONG_COLUMN = [kind for kind in HOLD if "frame" in kind or kind.endswith(("table", "dataset"))]


@pytest.mark.parametrize("kind", WRONG_COLUMN)
def test_a_column_that_is_not_there_is_told(kind: str) -> None:
    with pytest.raises(UsageError, match=r"no text column 'body'; there are: (n, )?text"):
        find_corpus(HOLD[kind](), "body", Silent())


@pytest.mark.parametrize("kind", ["list", "polars series", "pandas series", "generator"])
def test_a_column_of_what_has_none_is_told(kind: str) -> None:
    with pytest.raises(UsageError, match="text_column names a column of a table"):
        find_corpus(HOLD[kind](), "text", Silent())


def test_what_was_written_of_a_wrong_corpus_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read_spool(["a"])
    (kept,) = tmp_path.iterdir()
    for corpus in (["a", 1], [], (1 / number for number in (1, 0))):
        with pytest.raises((UsageError, ZeroDivisionError)):
            read_spool(corpus)
    assert list(tmp_path.iterdir()) == [kept]
