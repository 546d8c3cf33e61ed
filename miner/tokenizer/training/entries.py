"""Units and a corpus to spellings that get ids: how is each unit written, and in which order?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from miner.errors import UsageError
from miner.mining.vocabulary import RUNS
from miner.tokenizer.reading.texts import Corpus
from miner.tokenizer.reading.units import NAMED, Units, add_sides, list_forms
from miner.tokenizer.training.hugging_face import ALPHABET, SPECIALS, build_bpe
from miner.tokenizer.training.measuring import count_units, encode_texts
from miner.tokenizer.training.normal_form import JOINER, NormalForm

ATTESTED = 2  # times that the corpus has another spelling of a unit which gets an id of its own


@dataclass(frozen=True)
class Entries:
    """The spellings of units that get an id, and the normal form in which a model knows them.

    `unit` (row of the run's ranking), `text`, `normal`, `side` (`add_sides`), `count`, `wanted`
    (named by the user, and spelled so). Spellings of a unit stand together, the most frequent
    first, and units in the order in which they get places.
    """

    table: pl.DataFrame
    form: NormalForm

    def take(self, units: int) -> Entries:
        """Return the spellings of the first so many units, and of all that the user named."""
        number = max(units, self.table.filter("wanted")["unit"].n_unique())
        first = self.table["unit"].unique(maintain_order=True).head(number)
        return replace(self, table=self.table.filter(pl.col("unit").is_in(first.implode())))

    @property
    def normal(self) -> list[str]:
        """The spellings in their normal form."""
        return self.table["normal"].to_list()

    @property
    def wanted(self) -> list[str]:
        """The spellings of units that the user named, in their normal form."""
        return self.table.filter("wanted")["normal"].to_list()

    @property
    def units(self) -> int:
        """How many units have spellings here."""
        return self.table["unit"].n_unique()

    def grouped(self) -> list[list[str]]:
        """Return the spellings of each unit."""
        return self.table.group_by("unit", maintain_order=True).agg("normal")["normal"].to_list()


def list_entries(units: Units, form: NormalForm, corpus: Corpus, *, sides: bool) -> Entries:
    """Return the spellings of all units that are worth an id, and how often the corpus has them.

    The first spelling of a unit always is, in exact mode the most frequent one; another, in
    other case or another Unicode form, where the corpus has it `ATTESTED` times. `sides`: with
    spaces and joiners beside them too (`add_sides`).
    """
    forms = list_forms(units, exact=form.exact)
    if not form.exact:  # such a tokenizer knows no case, not that of a formula either
        forms = forms.with_columns(text=pl.Series(map(form.profile.fold, forms["text"])))
    forms = forms.with_columns(normal=pl.Series(form.normalize(forms["text"]), dtype=pl.String))
    forms = forms.filter(pl.col("normal").str.len_chars() > 0)
    forms = add_sides(forms, joiner=JOINER) if sides else forms.with_columns(side=pl.lit(""))
    forms = forms.unique("normal", keep="first", maintain_order=True)
    counts = count_units(corpus.train, form, forms["normal"].to_list())
    return keep_attested(forms.with_columns(count=pl.Series(counts, dtype=pl.Int64)), units, form)


def keep_attested(forms: pl.DataFrame, units: Units, form: NormalForm) -> Entries:
    """Return the spellings that a corpus has, and of each unit the most frequent one anyway.

    What the user named is kept as the user wrote it too.
    """
    about = units.table.select("kind", "surface")[forms["unit"]]
    as_written = pl.col("text").str.strip_prefix(" ") == about["surface"]
    forms = forms.with_columns(
        wanted=about["kind"].is_in(list(NAMED.values())) & (as_written | (not form.exact))
    )
    counted = forms.sort("unit", "count", descending=[False, True], maintain_order=True)
    first = (pl.int_range(pl.len()).over("unit", "side") == 0) & (pl.col("side") == "")
    return Entries(counted.filter(first | pl.col("wanted") | (pl.col("count") >= ATTESTED)), form)


def check_room(entries: Entries, room: int) -> Entries:
    """Return the entries where they fit into so many ids, else say what does not fit."""
    if entries.table.height > room:
        raise UsageError(
            f"{entries.units:,} units in {entries.table.height:,} spellings do not fit into the "
            f"{room:,} ids that are left for them",
            cure="Give a larger --vocab-size, fewer --units or a shorter list of --tokens",
        )
    return entries


def order_by_merges(
    entries: Entries, units: Units, form: NormalForm, merges: Sequence[tuple[str, str]]
) -> Entries:
    """Return the units in the order in which they get places beside a BPE of these merges."""
    plain = build_bpe(form, [], merges, size=len(SPECIALS) + len(ALPHABET) + len(merges))
    parts = [len(ids) for ids in encode_texts(plain, entries.table["text"].to_list())]
    return order_entries(entries, units, parts, words_first=True)


def order_entries(
    entries: Entries, units: Units, parts: Sequence[int], *, words_first: bool = False
) -> Entries:
    """Return the units in the order in which they get places, with `spared`.

    First those that the user named (`wanted`) and single atoms that must stay whole, such as
    formulas; then phrases, by the tokens that each of their ids spares in the corpus (`spared`).
    `parts`: into how many tokens each spelling falls without units. `words_first`: a word that is a
    run written as one must stay whole too; a tokenizer that is extended cuts words as it did.
    """
    rows = entries.table["unit"]
    whole = ~units.table["kind"].gather(rows).is_in(RUNS)
    if words_first:
        whole = whole | (units.table["atoms"].gather(rows) == 1)
    spared = (pl.col("parts") - 1) * pl.col("count")
    table = entries.table.with_columns(parts=pl.Series(parts, dtype=pl.Int64)).with_columns(
        first=pl.when(pl.col("wanted").any().over("unit"))
        .then(2)
        .otherwise(pl.lit(whole).cast(pl.Int32)),
        spared=(spared.sum() / pl.len()).over("unit"),
    )
    ordered = table.sort(
        "first", "spared", "unit", descending=[True, True, False], maintain_order=True
    )
    return replace(entries, table=ordered.drop("first", "parts"))
