"""A run and a corpus to a tokenizer: the order of things, and nothing but the order.

Read `train_tokenizer` aloud and you know what `miner train` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from miner.errors import UsageError, need_extra
from miner.progress import SILENT, Progress
from miner.runs.decisions import Policy
from miner.runs.workplace import open_folder
from miner.tokenizer.reading.card import FEWEST, write_card
from miner.tokenizer.reading.loading import LoadedTokenizer, load_tokenizer
from miner.tokenizer.reading.texts import Corpus, open_corpus, open_mined
from miner.tokenizer.reading.units import Units, add_tokens, read_tokens, read_units
from miner.tokenizer.training.building import Built, Trainer, build, cut_apart
from miner.tokenizer.training.capitals import choose_capitals
from miner.tokenizer.training.entries import Entries, check_room, list_entries, order_by_merges
from miner.tokenizer.training.extending import extend
from miner.tokenizer.training.hugging_face import ALPHABET, SPECIALS, train_merges
from miner.tokenizer.training.measuring import Point, choose_share, measure, measure_shares
from miner.tokenizer.training.normal_form import NormalForm
from miner.tokenizer.training.sentence_piece import count_characters, trims

TRAINERS: tuple[Trainer, ...] = (
    "hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram"
)  # fmt: skip
LEAST_SIZE = 300  # ids: bytes and special tokens, and something to learn
DEFAULT_SIZE = 32_768


@dataclass(frozen=True)
class TrainConfig:
    """What `miner train` is asked for.

    `corpus`: the paths of what to train on, none for the run's own text.
    `vocab_size`: the most ids, None for the default, or for as many as pay where `base` is a
    tokenizer to extend. `units`: how many units, None to have it measured.
    """

    run: Path
    corpus: tuple[str, ...]
    trainer: Trainer = "hf-bpe"
    vocab_size: int | None = None
    units: int | None = None
    exact: bool = False
    tokens: Path | None = None
    base: Path | None = None
    text_column: str | None = None
    on_error: str = "stop"
    policy: Policy = "majority"

    def __post_init__(self) -> None:
        if self.trainer not in TRAINERS:
            cure = f"Give {' or '.join(TRAINERS)}"
            raise UsageError(f"the trainer is {self.trainer!r}", cure=cure)
        if self.base is None and self.vocab_size is not None and self.vocab_size < LEAST_SIZE:
            raise UsageError(
                f"--vocab-size is {self.vocab_size}, and {LEAST_SIZE} is the least",
                cure="Bytes and special tokens alone take 262",
            )
        if self.units is not None and self.units < 0:
            raise UsageError(f"--units is {self.units}", cure="Give 0 or more")

    @property
    def size(self) -> int:
        """The most ids of a tokenizer that is trained."""
        return DEFAULT_SIZE if self.vocab_size is None else self.vocab_size

    @property
    def kind(self) -> str:
        """How the tokenizer is made, for the card."""
        return "extended" if self.base else self.trainer


@dataclass(frozen=True)
class Trained:
    """What was trained, for those who asked for it."""

    folder: Path
    card: dict[str, Any]


def train_tokenizer(
    config: TrainConfig, out: Path, *, overwrite: bool = False, progress: Progress = SILENT
) -> Trained:
    """Train a tokenizer that has the units of a run, or extend one, and write its folder."""
    if config.kind.startswith("sentencepiece"):
        need_extra("sentencepiece", f"--trainer {config.trainer}")
    units = read_units(config.run, config.policy)
    for note in units.about.get("notes", []):
        progress.note(note)
    if config.tokens:
        units = add_tokens(units, read_tokens(config.tokens, profile=units.profile))
    base = load_tokenizer(config.base) if config.base else None
    with open_folder(out, kind="tokenizer", overwrite=overwrite) as folder:
        corpus = open_texts(config, as_bytes=units.profile.name == "bytes", progress=progress)
        held = corpus.held()
        if base:
            entries, built = extend(
                units,
                base,
                corpus,
                held,
                number=config.units,
                size=config.vocab_size,
                progress=progress,
            )
            points: list[Point] = []
        else:
            entries, points = find_entries(config, units, corpus, held, progress)
            progress.note(f"training {config.trainer} with {entries.units:,} units")
            whole = cuts_fewest(config, units)  # nothing is settled on what is held back
            batches = corpus.all if whole else corpus.train
            built = build(
                config.trainer, entries, batches, config.size, fewest=whole, progress=progress
            )
        unseen = corpus.has_held and not cuts_fewest(config, units)
        (folder / built.file).write_bytes(built.content)
        tokenizer = load_tokenizer(folder / built.file)
        ids, lost = list_ids(entries, units, built, tokenizer)
        card = (
            describe(config, units, corpus, ids, base)
            | built.notes
            | {
                "vocab_size": tokenizer.size,
                "lost": lost,
                "measured": measure(tokenizer, held, ids, points, unseen=unseen),
            }
        )
        write_card(folder, card, ids, file=built.file, base=config.base)
    return Trained(out, card)


def open_texts(config: TrainConfig, *, as_bytes: bool, progress: Progress) -> Corpus:
    """Return the corpus that was named, or else the run's own."""
    if not config.corpus:
        return open_mined(config.run, progress)
    return open_corpus(
        config.corpus,
        text_column=config.text_column,
        on_error=config.on_error,
        as_bytes=as_bytes,
        progress=progress,
    )


def find_entries(
    config: TrainConfig, units: Units, corpus: Corpus, held: Sequence[str], progress: Progress
) -> tuple[Entries, list[Point]]:
    """Return the spellings that get a place, and how the number of them was found."""
    marked = config.trainer != "hf-bpe"
    exact = config.exact or units.profile.name == "bytes"
    signs = exact and units.profile.folds_case and cuts_fewest(config, units)
    cased = (
        choose_capitals(count_characters(corpus.train))
        if signs and config.trainer == "hf-unigram"
        else ""
    )
    form = NormalForm(units.profile, exact, marked, cased)
    sides = units.profile.name == "code" and config.trainer.startswith("hf")
    progress.note(f"looking for {len(units.table):,} units")
    entries = list_entries(units, form, corpus, sides=sides)
    if cuts_fewest(config, units):
        return entries if config.units is None else entries.take(config.units), []
    form = replace(form, marked=False)
    merges = train_merges(corpus.train, form, config.size)
    entries = order_by_merges(entries, units, form, merges)
    room = config.size - len(SPECIALS) - len(ALPHABET)
    if config.units is not None:
        return check_room(entries.take(config.units), room), []
    points = measure_shares(held, form, entries.grouped(), merges, config.size, progress=progress)
    return check_room(entries.take(choose_share(points, units.objective)), room), points


def cuts_fewest(config: TrainConfig, units: Units) -> bool:
    """Say whether the model cuts a text into the fewest pieces; a base cuts as it did."""
    wanted = units.objective == "compression" and config.trainer.endswith("unigram")
    return wanted and config.base is None


def list_ids(
    entries: Entries, units: Units, built: Built, tokenizer: LoadedTokenizer
) -> tuple[pl.DataFrame, list[str]]:
    """Return a row for each id of a unit, and the texts of units that are cut anyway.

    `id`, `text`, `side` (empty for the text alone), `token`, `kind`, `rank`, `count`, and `parts`,
    the ids that the text would be cut into if the unit had none. Units stand in the order in which
    they got places.
    """
    numbers = {piece: number for number, piece in enumerate(tokenizer.pieces)}
    pieces = [built.pieces.get(text, []) for text in entries.normal]
    found = [[numbers[piece] for piece in ways if piece in numbers] for ways in pieces]
    about = units.table.with_row_index("unit").select(
        pl.col("unit").cast(pl.Int64), "token", "kind"
    )
    rows = entries.table.with_columns(id=pl.Series(found, dtype=pl.List(pl.Int64)))
    rows = rows.filter(pl.col("id").list.len() > 0).join(
        about, on="unit", how="left", maintain_order="left", validate="m:1"
    )
    alone = find_alone(rows["text"].to_list(), tokenizer)
    rows = rows.with_columns(text=pl.coalesce(alone, "text"))
    whole = (rows["side"] != "") | alone.is_not_null()
    kept = rows.filter(whole)
    parts = cut_apart(built, kept["text"].to_list())
    first = pl.int_range(pl.len()).over("normal") == 0
    listed = kept.with_columns(parts=pl.Series(parts, dtype=pl.List(pl.Int64))).explode("id")
    return listed.select(
        "id",
        "text",
        pl.when(first).then("side").otherwise(pl.lit("other")).alias("side"),
        "token",
        "kind",
        pl.col("unit").alias("rank") + 1,
        "count",
        "parts",
    ), rows.filter(~whole)["normal"].to_list()


def find_alone(texts: Sequence[str], tokenizer: LoadedTokenizer) -> pl.Series:
    """Return each text as it is one id alone, null where it is not: `unit`, or ` unit`.

    A tokenizer that puts a space in front of a text wants none there, and may take one away.
    """
    plain = [text.removeprefix(" ") for text in texts]
    as_is, without = tokenizer.encode(texts), tokenizer.encode(plain)
    return pl.Series(
        [
            bare
            if len(fewer) == 1 and (len(ids) != 1 or ids[0] == fewer[0])
            else text
            if len(ids) == 1
            else None
            for text, bare, ids, fewer in zip(texts, plain, as_is, without, strict=True)
        ],
        dtype=pl.String,
    )


def describe(
    config: TrainConfig,
    units: Units,
    corpus: Corpus,
    ids: pl.DataFrame,
    base: LoadedTokenizer | None,
) -> dict[str, Any]:
    """Return what the card says of how a tokenizer was made; a `base` folds what it folds."""
    exact = config.exact or units.profile.name == "bytes"
    if base is not None:
        exact = base.card.get("mode") != "canonical"
    form = NormalForm(units.profile, exact)
    kinds = ids.group_by("kind").len()
    return {
        "format": 1,
        "trainer": config.kind,
        "mode": "exact" if exact else "canonical",
        "trims": trims(form) or not config.trainer.startswith("sentencepiece"),
        "profile": units.profile.name,
        "objective": units.objective,
        "cut": FEWEST if cuts_fewest(config, units) else "longest unit first",
        "asked_size": config.size,
        "specials": [s for s in SPECIALS if base is None or s in base.pieces],
        "units": ids["token"].n_unique(),
        "unit_ids": ids.height,
        "classes": dict(kinds.sort("len", "kind", descending=True).iter_rows()),
        "run": units.about,
        "corpus": {
            "paths": list(config.corpus),
            "documents": corpus.documents,
            "bytes": corpus.bytes,
            "skipped": [asdict(entry) for entry in corpus.skipped],
        },
    }
