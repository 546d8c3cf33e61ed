"""A run and a corpus to a tokenizer: the order of things, and nothing but the order.

Read `train_tokenizer` aloud and you know what `miner train` does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from miner.errors import UsageError
from miner.store import open_folder
from miner.tokenizer.card import CARD, write_card
from miner.tokenizer.hugging_face import (
    ALPHABET,
    BYTES,
    SPECIALS,
    build_bpe,
    build_unigram,
    mark_units,
    spell_bytes,
    train_merges,
    train_pieces,
)
from miner.tokenizer.loading import TOKENIZER_JSON, LoadedTokenizer, load_tokenizer
from miner.tokenizer.measuring import (
    Point,
    choose_share,
    count_units,
    encode_texts,
    measure_shares,
)
from miner.tokenizer.normal_form import JOINER, MARK, NormalForm, Spec
from miner.tokenizer.sentence_piece import (
    count_characters,
    list_rules,
    replace_pieces,
    spell_units,
    train_model,
)
from miner.tokenizer.superwords import build_superwords, choose_superwords, score_superwords
from miner.tokenizer.texts import Corpus, open_corpus
from miner.tokenizer.units import (
    NAMED,
    Units,
    add_sides,
    add_tokens,
    list_forms,
    read_tokens,
    read_units,
)
from miner.vocabulary import RUNS

Trainer = Literal["hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram"]
TRAINERS: tuple[Trainer, ...] = (
    "hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram"
)  # fmt: skip
LEAST_SIZE = 300  # ids: bytes and special tokens, and something to learn
ATTESTED = 2  # times that the corpus has another spelling of a unit which gets an id of its own
MODEL = "tokenizer.model"
Told = Callable[[str], None]


@dataclass(frozen=True)
class TrainConfig:
    """What `miner train` is asked for. `units`: how many units, None to have it measured."""

    run: Path
    corpus: tuple[str, ...]
    trainer: Trainer
    vocab_size: int
    units: int | None = None
    exact: bool = False
    tokens: Path | None = None
    base: Path | None = None
    text_column: str | None = None
    on_error: str = "stop"

    def __post_init__(self) -> None:
        if self.vocab_size < LEAST_SIZE:
            raise UsageError(
                f"--vocab-size is {self.vocab_size}, and {LEAST_SIZE} is the least",
                cure="Bytes and special tokens alone take 262",
            )
        if self.units is not None and self.units < 0:
            raise UsageError(f"--units is {self.units}", cure="Give 0 or more")


@dataclass(frozen=True)
class Entries:
    """The spellings of units that get an id, and the normal form in which a model knows them.

    `unit` (row of the run's ranking), `text`, `normal`, `side` (see `add_sides`), `count`; spellings of a unit stand
    together, the most frequent first, and units in the order in which they get places.
    """

    table: pl.DataFrame
    form: NormalForm

    def take(self, units: int) -> Entries:
        """Return the spellings of the first so many units."""
        first = self.table["unit"].unique(maintain_order=True).head(units)
        return replace(self, table=self.table.filter(pl.col("unit").is_in(first.implode())))

    @property
    def normal(self) -> list[str]:
        """The spellings in their normal form."""
        return self.table["normal"].to_list()

    def grouped(self) -> list[list[str]]:
        """Return the spellings of each unit."""
        return self.table.group_by("unit", maintain_order=True).agg("normal")["normal"].to_list()


@dataclass(frozen=True)
class Built:
    """What a trainer made: a file's name and content, and the pieces of each spelling in it."""

    file: str
    content: bytes
    pieces: dict[str, str]
    without: bytes
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """What was trained, for those who asked for it."""

    folder: Path
    card: dict[str, Any]


def train_tokenizer(
    config: TrainConfig, out: Path, *, overwrite: bool = False, told: Told = lambda _: None
) -> Trained:
    """Train a tokenizer that has the units of a run, and write its folder."""
    units = read_units(config.run)
    if config.tokens:
        units = add_tokens(units, read_tokens(config.tokens, profile=units.profile))
    with open_folder(out, marker=CARD, overwrite=overwrite) as folder:
        corpus = open_corpus(
            config.corpus, text_column=config.text_column, on_error=config.on_error,
            as_bytes=units.profile.name == "bytes", told=told,
        )  # fmt: skip
        held = corpus.held()
        entries = list_entries(config, units, corpus, told)
        entries, points = choose_entries(config, units, entries, corpus, held, told)
        told(f"training {config.trainer} with {entries.table['unit'].n_unique():,} units")
        built = build(config, units, entries, corpus, told)
        (folder / built.file).write_bytes(built.content)
        tokenizer = load_tokenizer(folder / built.file)
        ids = list_ids(entries, units, built, tokenizer)
        card = describe(config, units, corpus, held, ids, points, built, tokenizer)
        write_card(folder, card, ids, file=built.file)
    return Trained(out, card)


def list_entries(config: TrainConfig, units: Units, corpus: Corpus, told: Told) -> Entries:
    """Return the spellings of all units that are worth an id, and how often the corpus has them.

    The first spelling of a unit always is, in exact mode the most frequent one; another, in
    other case or another Unicode form, where the corpus has it `ATTESTED` times.
    """
    marked = config.trainer != "hf-bpe"
    form = NormalForm(units.profile, config.exact or units.profile.name == "bytes", marked)
    forms = list_forms(units, exact=form.exact)
    forms = forms.with_columns(normal=pl.Series(form.normalize(forms["text"]), dtype=pl.String))
    forms = forms.filter(pl.col("normal").str.len_chars() > 0)
    if units.profile.name == "code" and config.trainer.startswith("hf"):
        forms = add_sides(forms, joiner=JOINER)
    else:
        forms = forms.with_columns(side=pl.lit(""))
    forms = forms.unique("normal", keep="first", maintain_order=True)
    told(f"looking for {len(units.table):,} units, in {len(forms):,} spellings")
    counts = count_units(corpus.train, form, forms["normal"].to_list())
    counted = forms.with_columns(count=pl.Series(counts)).sort(
        "unit", "count", descending=[False, True], maintain_order=True
    )
    plain = pl.col("side") == ""
    first = (pl.int_range(pl.len()).over("unit", "side") == 0) & plain
    return Entries(counted.filter(first | (pl.col("count") >= ATTESTED)), form)


def choose_entries(
    config: TrainConfig, units: Units, entries: Entries, corpus: Corpus, held: Sequence[str],
    told: Told,
) -> tuple[Entries, list[Point]]:  # fmt: skip
    """Return the spellings that get a place, and how the number of them was found."""
    if cuts_fewest(config, units):
        return entries if config.units is None else entries.take(config.units), []
    form = replace(entries.form, marked=False)
    merges = train_merges(corpus.train, form, config.vocab_size)
    entries = order_entries(entries, units, form, merges)
    room = config.vocab_size - len(SPECIALS) - len(ALPHABET)
    if config.units is None:
        points = measure_shares(
            held, form, entries.grouped(), merges, config.vocab_size, told=told
        )
        least = entries.table.filter(pl.col("wanted"))["unit"].n_unique()
        return check_room(entries.take(max(choose_share(points, units.objective), least)), room), points
    return check_room(entries.take(config.units), room), []


def check_room(entries: Entries, room: int) -> Entries:
    """Return the entries where they fit into so many ids, else say what does not fit."""
    if entries.table.height > room:
        raise UsageError(
            f"{entries.table['unit'].n_unique():,} units in {entries.table.height:,} spellings do "
            f"not fit into the {room:,} ids that bytes and special tokens leave",
            cure="Give a larger --vocab-size, fewer --units or a shorter list of --tokens",
        )  # fmt: skip
    return entries


def order_entries(
    entries: Entries, units: Units, form: NormalForm, merges: Sequence[tuple[str, str]]
) -> Entries:
    """Return the units in the order in which they get places, with `wanted` and `parts`.

    First those that the user named (`wanted`) and single atoms that must stay whole, such as
    formulas; then phrases, by the tokens that each of their ids spares in the corpus.
    """
    plain = build_bpe(form, [], merges, size=len(SPECIALS) + len(ALPHABET) + len(merges))
    parts = [len(ids) for ids in encode_texts(plain, entries.table["text"].to_list())]
    kinds = units.table["kind"].gather(entries.table["unit"])
    spared = (pl.col("parts") - 1) * pl.col("count")
    table = entries.table.with_columns(
        parts=pl.Series(parts, dtype=pl.Int64), wanted=kinds.is_in(list(NAMED.values()))
    ).with_columns(
        first=pl.when("wanted").then(2).otherwise(pl.lit(~kinds.is_in(RUNS)).cast(pl.Int32)),
        each=(spared.sum() / pl.len()).over("unit"),
    )  # fmt: skip
    ordered = table.sort("first", "each", "unit", descending=[True, True, False], maintain_order=True)
    return replace(entries, table=ordered.drop("first", "each"))


def cuts_fewest(config: TrainConfig, units: Units) -> bool:
    """Say whether the model cuts a text into the fewest pieces, units among others."""
    return units.objective == "compression" and config.trainer.endswith("unigram")


def build(
    config: TrainConfig, units: Units, entries: Entries, corpus: Corpus, told: Told
) -> Built:
    """Train the rest around the units."""
    if config.trainer == "hf-bpe":
        return _build_bpe(config, entries, corpus)
    if config.trainer == "hf-unigram":
        if cuts_fewest(config, units):
            return _build_superwords(config, entries, corpus, told)
        return _build_unigram(config, entries, corpus)
    return _build_sentencepiece(config, units, entries, corpus, told)


def _build_bpe(config: TrainConfig, entries: Entries, corpus: Corpus) -> Built:
    form, normal, size = entries.form, entries.normal, config.vocab_size
    merges = train_merges(corpus.train, form, size - len(SPECIALS) - len(ALPHABET), units=normal)
    spec = build_bpe(form, normal, merges, size=size)
    pieces = {text: spell_bytes(text) for text in normal}
    hidden = set(pieces.values())
    left = {piece: i for piece, i in spec["model"]["vocab"].items() if piece not in hidden}
    plain = build_bpe(form, [], [], size=size) | {"model": spec["model"] | {"vocab": left}}
    return Built(TOKENIZER_JSON, _dump(spec), pieces, _dump(plain))


def _build_unigram(config: TrainConfig, entries: Entries, corpus: Corpus) -> Built:
    form, normal = entries.form, entries.normal
    room = config.vocab_size - len(SPECIALS) - len(BYTES) - len(normal)
    learned = train_pieces(corpus.train, form, room, units=normal) if room > 0 else {}
    spec = build_unigram(form, normal, learned, size=config.vocab_size)
    pieces = mark_units(form, normal)
    return Built(TOKENIZER_JSON, _dump(spec), pieces, _dump(_hide(spec, pieces)))


def _build_superwords(
    config: TrainConfig, entries: Entries, corpus: Corpus, told: Told
) -> Built:
    form, room = entries.form, config.vocab_size - len(SPECIALS) - len(BYTES)
    chosen = choose_superwords(corpus.train, form, entries.normal, room, told=told)
    spec = build_superwords(form, score_superwords(chosen))
    pieces = {text: text.replace(" ", MARK) for text in entries.normal if text in chosen}
    return Built(TOKENIZER_JSON, _dump(spec), pieces, _dump(_hide(spec, pieces)))


def _hide(spec: Spec, pieces: Mapping[str, str]) -> Spec:
    """Return a Unigram tokenizer that never takes the units, its ids as they are."""
    hidden, never = set(pieces.values()), -1e9
    vocabulary = [
        [piece, never if piece in hidden else score] for piece, score in spec["model"]["vocab"]
    ]
    return spec | {"model": spec["model"] | {"vocab": vocabulary}}


def _build_sentencepiece(
    config: TrainConfig, units: Units, entries: Entries, corpus: Corpus, told: Told
) -> Built:
    form, kind = entries.form, config.trainer.removeprefix("sentencepiece-")
    bare = [text for text in entries.normal if text[0] != " "]
    rules = list_rules(form, count_characters(corpus.train), bare)
    spelled = spell_units(form, entries.normal)
    fewest = cuts_fewest(config, units)
    symbols = [*SPECIALS[4:]]
    if not fewest:
        symbols += [symbol for symbols in spelled.values() for symbol in symbols]
    size = min(config.vocab_size, 2000) if fewest else config.vocab_size
    model = train_model(
        corpus.train, form, list(dict.fromkeys(symbols)), rules, size=size, kind=kind
    )
    if fewest:
        chosen = choose_superwords(
            corpus.train, form, entries.normal, config.vocab_size - len(SPECIALS) - len(BYTES),
            told=told,
        )  # fmt: skip
        model = replace_pieces(model, score_superwords(chosen))
        spelled = {text: ways for text, ways in spelled.items() if text in chosen}
    pieces = {text: ways[0] for text, ways in spelled.items()}
    return Built(MODEL, model, pieces, b"")


def _dump(spec: Spec) -> bytes:
    return json.dumps(spec, ensure_ascii=False).encode()


def list_ids(
    entries: Entries, units: Units, built: Built, tokenizer: LoadedTokenizer
) -> pl.DataFrame:
    """Return a row for each spelling that has an id, by rank: `id`, `text`, `token`, `kind`, ...

    `parts` are the ids that the text would be cut into if the unit had none.
    """
    numbers = {piece: number for number, piece in enumerate(tokenizer.pieces)}
    found = [numbers.get(built.pieces.get(text, ""), -1) for text in entries.normal]
    about = units.table.with_row_index("unit").select(
        pl.col("unit").cast(pl.Int64), "token", "kind", "atoms"
    )
    rows = (
        entries.table.with_columns(id=pl.Series(found, dtype=pl.Int64))
        .filter(pl.col("id") >= 0)
        .join(about, on="unit", how="left", maintain_order="left", validate="m:1")
    )
    parts = cut_apart(built, rows["text"].to_list())
    return rows.select(
        "id", "text", "side", "token", "kind", pl.col("unit").alias("rank") + 1, "count",
        parts=pl.Series(parts, dtype=pl.List(pl.Int64)),
    )  # fmt: skip


def cut_apart(built: Built, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text in the same tokenizer without units."""
    if built.without:
        from miner.tokenizer.loading import HuggingFaceEngine

        return HuggingFaceEngine.parse(built.without, Path(built.file)).encode(list(texts))
    from miner.tokenizer.sentence_piece import cut_without

    return cut_without(built.content, set(built.pieces.values()), texts)


def describe(
    config: TrainConfig, units: Units, corpus: Corpus, held: Sequence[str], ids: pl.DataFrame,
    points: Sequence[Point], built: Built, tokenizer: LoadedTokenizer,
) -> dict[str, Any]:  # fmt: skip
    """Return the card: what the tokenizer is, what it was trained on, and its figures."""
    encoded = tokenizer.encode(held)
    tokens = sum(map(len, encoded))
    uses = np.bincount(np.concatenate([*encoded, np.zeros(0, np.int64)]), minlength=tokenizer.size)
    whole = int(uses[ids["id"].to_numpy()].sum())
    spared = sum(
        int(uses[number]) * (len(parts) - 1)
        for number, parts in ids.select("id", "parts").iter_rows()
    )
    return {
        "format": 1,
        "trainer": config.trainer,
        "mode": "exact" if config.exact or units.profile.name == "bytes" else "canonical",
        "profile": units.profile.name,
        "objective": units.objective,
        "cut": "fewest pieces" if cuts_fewest(config, units) else "longest unit first",
        "vocab_size": tokenizer.size,
        "asked_size": config.vocab_size,
        "specials": list(SPECIALS),
        "units": ids["token"].n_unique(),
        "unit_ids": ids.height,
        "classes": dict(ids.group_by("kind").len().sort("len", descending=True).iter_rows()),
        "run": units.about,
        "corpus": {
            "paths": list(config.corpus), "documents": corpus.documents, "bytes": corpus.bytes,
            "skipped": [asdict(entry) for entry in corpus.skipped],
        },
        "measured": {
            "on": "held back" if corpus.has_held else "the corpus itself",
            "bytes": sum(len(text.encode()) for text in held),
            "tokens": tokens,
            "unit_tokens": whole,
            "spared_by_units": spared,
            "shares": [asdict(point) for point in points],
        },
    }  # fmt: skip
