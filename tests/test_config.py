"""Settings: what a file and options say, what is refused, and that a saved file says the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.config import (
    CHOICES,
    DEFAULT_VOCABULARY,
    MOST,
    MineConfig,
    parse_size,
    read_config,
    write_config,
)
from miner.errors import ConfigError, MinerError, UsageError

# What a path or a pattern may hold: all of Unicode but NUL and halves of surrogate pairs.
TEXT = st.text(
    st.one_of(
        st.sampled_from("\"'\\\n\r\t\x01\x1f\x7f\x85\u2028\ufeff#=[]{} "),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    min_size=1,
)


def settings_of(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    return read_config(tmp_path / "config.toml")


def refusal(tmp_path: Path, text: str) -> MinerError:
    """The error of a config file: its name or that of the setting, and a cure, in one line."""
    with pytest.raises(MinerError) as caught:
        MineConfig(**settings_of(tmp_path, text))  # type: ignore[arg-type]
    assert caught.value.cure and "\n" not in str(caught.value)
    assert caught.value.exit_code == (2 if isinstance(caught.value, UsageError) else 3)
    return caught.value


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1024", 1024),
        ("1024B", 1024),
        ("2GiB", 2 << 30),
        ("2gib", 2 << 30),
        ("500MB", 500_000_000),
        ("500M", 500_000_000),
        ("64k", 64_000),
        ("64 KiB", 65_536),
        (" 1.5 GiB ", 3 << 29),
        ("0.5K", 500),
        ("1T", 10**12),
        ("1Ti", 1 << 40),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "GiB",
        "two",
        "-1G",
        "2 G i B",
        "2GB/s",
        "1e9",
        "2P",
        "5I",
        "0",
        "0GiB",
        "0.0001K",
        "1,5G",
        "٢GiB",
        "9" * 400,
        "9" * 15 + "T",
        "inf",
        "nan",
    ],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="Write it like 2GiB"):
        parse_size(text)


def test_the_defaults_stand_alone() -> None:
    config = MineConfig()
    assert config.vocab_size == DEFAULT_VOCABULARY == 8_000
    assert config.encoder == "corpus" and config.seed == 0 and config.min_count is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


def test_a_file_is_read(tmp_path: Path) -> None:
    text = """
        corpus = ["a.txt", "б в.jsonl"]
        vocab-size = 500       # with a hyphen, as the option
        max_length = 4         # or as in Python
        min-count = 7
        objective = "compression"
        memory = "2GiB"
        [patterns]
        ticket = '[A-Z]+-\\d+'
    """
    assert MineConfig(**settings_of(tmp_path, text)) == MineConfig(  # type: ignore[arg-type]
        corpus=("a.txt", "б в.jsonl"),
        vocab_size=500,
        max_length=4,
        min_count=7,
        objective="compression",
        memory="2GiB",
        patterns={"ticket": r"[A-Z]+-\d+"},
    )


def test_one_path_needs_no_list_and_a_byte_order_mark_is_no_setting(tmp_path: Path) -> None:
    assert settings_of(tmp_path, '\ufeffcorpus = "a.txt"') == {"corpus": ("a.txt",)}
    assert settings_of(tmp_path, "# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("vocabsize = 5", "unknown setting 'vocabsize'"),
        ("[pattern]\na = 'b'", "unknown setting 'pattern'"),
        ("seed = 1\n[mine]\nseed = 2", "unknown setting 'mine'"),
        ("vocab-size = 5\nvocab_size = 6", "vocab-size is there twice"),
        ('vocab-size = "many"', "vocab-size is 'many'. It must be a whole number"),
        ("vocab-size = 2.5", "vocab-size is 2.5"),
        ("vocab-size = true", "vocab-size is True"),
        ("seed = 2026-11-23", "seed is"),
        ("memory = 5", "memory is 5. It must be a text"),
        ("corpus = 5", "corpus is 5"),
        ('corpus = ["a", 5]', "corpus is ['a', 5]"),
        ('corpus = {a = "b"}', "corpus is"),
        ("patterns = 'x'", "patterns is 'x'. It must be a table of texts"),
        ("[patterns]\na = 5", "patterns is"),
        ("encoder = ['corpus']", "encoder is"),
        ("vocab-size = ", "not TOML"),
        ("seed = 1\nseed = 2", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    error = refusal(tmp_path, text)
    assert isinstance(error, ConfigError) and error.exit_code == 3
    assert str(tmp_path / "config.toml") in str(error) and named in str(error)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("vocab-size = 0", "vocab-size is 0. It must be 1 to"),
        (f"vocab-size = {MOST + 1}", f"vocab-size is {MOST + 1}"),
        ("min-count = 1", "min-count is 1. It must be 2 to"),
        ("max-length = 1", "max-length is 1. It must be 2 to 8"),
        ("max-length = 9", "max-length is 9. It must be 2 to 8"),
        ("seed = -1", "seed is -1"),
        (
            'objective = "beauty"',
            "objective is 'beauty'. It must be meaning or terms or phrases or compression",
        ),
        ('profile = "prose"', "profile is 'prose'. It must be auto or words or"),
        ('device = "tpu"', "device is 'tpu'"),
        ('on-error = "cry"', "on-error is 'cry'. It must be stop or skip"),
        ('memory = "much"', "memory is 'much'"),
        ('seeds = ""', "seeds is ''"),
        ('encoder = ""', "encoder is ''"),
        ('corpus = ["a.txt", ""]', "corpus is ''"),
        ('corpus = "a\\u0000b"', "corpus is 'a\\x00b'"),
        ("[patterns]\na = '('", "pattern a: '(' is no regular expression"),
        ("[patterns]\na = 'a{99999999999}'", "pattern a"),
        ("[patterns]\nb = 'x*'", "pattern b is 'x*'"),
    ],
)
def test_a_value_without_meaning_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    assert named in str(refusal(tmp_path, text))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.toml").write_bytes(b'seeds = "caf\xe9"')
    (tmp_path / "deep.toml").write_text("corpus = " + "[" * 10_000)
    for name in ("missing.toml", "folder", "latin.toml", "deep.toml"):
        with pytest.raises(ConfigError) as caught:
            read_config(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_bytes_that_are_no_text_do_not_come_as_a_path() -> None:
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    with pytest.raises(UsageError, match=r"corpus is .*UTF-8"):
        MineConfig(corpus=(name,))


def compiles(pattern: str) -> bool:
    try:
        MineConfig(patterns={"a": pattern})
    except MinerError:
        return False
    return True


CONFIGS = st.builds(
    MineConfig,
    corpus=st.lists(TEXT).map(tuple),
    vocab_size=st.integers(1, MOST),
    min_count=st.none() | st.integers(2, MOST),
    max_length=st.integers(2, 8),
    seed=st.integers(0, MOST),
    encoder=TEXT,
    seeds=st.none() | TEXT,
    text_column=st.none() | TEXT,
    memory=st.sampled_from([None, "2GiB", "1.5 GiB"]),
    patterns=st.dictionaries(TEXT, TEXT.map("[x]{}".format).filter(compiles), max_size=3),
    **{name: st.sampled_from(choices) for name, choices in CHOICES.items()},
)


@given(CONFIGS)
def test_a_saved_config_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, config: MineConfig
) -> None:
    path = tmp_path_factory.getbasetemp() / "config.toml"
    path.write_text(write_config(config), encoding="utf-8")
    assert MineConfig(**read_config(path)) == config


def test_a_saved_config_explains_every_setting() -> None:
    lines = write_config(MineConfig(corpus=("a.txt",))).splitlines()
    for entry in dataclasses.fields(MineConfig):
        name = entry.name.replace("_", "-")
        (place,) = (
            i
            for i, line in enumerate(lines)
            if line.startswith((f"{name} =", f"# {name} =", f"[{name}]"))
        )
        comment = lines[place - 1]
        assert comment.startswith("# ") and comment.endswith(".") and len(comment) > 10, name
