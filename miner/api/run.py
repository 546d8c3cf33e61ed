"""A run as an object: what was found, asked and used from Python."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from weakref import WeakValueDictionary

import numpy as np
import polars as pl

from miner.api.pictures import Picture, draw_savings, draw_units, write_run
from miner.api.results import Result, TextOrPath, check_text, list_paths
from miner.api.units import Explanation, Unit, make_explanation, make_unit
from miner.config import MineConfig
from miner.corpus import check_texts
from miner.errors import RunError, UsageError
from miner.progress import Progress, choose_progress
from miner.report.drawing import redraw_report
from miner.report.summary import summarize
from miner.runs.annotations import check_form, review_run
from miner.runs.contents import read_contents
from miner.runs.decisions import Log, Policy, name_log, read_logs, settle_logs
from miner.runs.finished import Finished, list_units, open_finished
from miner.runs.forms import cut_forms
from miner.runs.growing import add_runs
from miner.runs.keeping import Reviewed
from miner.runs.manifest import Manifest, read_manifest
from miner.runs.segmenting import Segmenter, Span
from miner.runs.stages import read_curve, read_map
from miner.runs.store import RUN
from miner.runs.workplace import open_folder

if TYPE_CHECKING:  # a wing is opened when it is asked
    from miner.api.tokenizers import Tokenizer, Trainer
    from miner.lexicon.lexicon import Decomposition, Lexicon
    from miner.review.export import Exported
    from miner.rewriting.streaming import Job

Style = Literal["glued", "signs", "addresses"]
INTERNAL = ("row", "order", "value", "candidate", "atom")  # columns that name rows of other tables


class Run:
    """A finished run: its units as its reviewers want them, and what can be done with them.

    It is a folder, which the command reads and writes too; what is large is read when it is first
    asked for. Reading is safe in several threads. `manifest` has the run in figures: settings,
    inputs, versions, counts, costs.

    >>> import miner
    >>> run = miner.mine(["new york is large", "i like new york", "new york again"] * 9)
    >>> "New York" in run, run["new york"].count, run.segment("Is New York far?")
    (True, 27, ['Is', 'New York', 'far', '?'])
    >>> run.proposals.filter(token="york is")["verdict"].to_list()
    ['weak']
    >>> ("new", "york", "new york") in run.merges.rows(), run.savings.columns[:4]
    (True, ['units', 'saved', 'low', 'high'])
    >>> [(span.start, span.end) for span in run.spans("In New York.") if span.rank]
    [(3, 11)]
    >>> hyper = list(run.rewrite(["in new york"]))
    >>> hyper, list(run.restore(hyper))
    (['in newyork'], ['in new york'])
    >>> run.decompose("newyorkagain").parts, run.vector("new york").shape
    (('new', 'york', 'again'), (96,))
    >>> run.near("new york", 1).columns, run.explain("york is").verdict
    (['rank', 'token', 'cosine'], 'weak')
    >>> tokenizer = run.train_tokenizer(vocab_size=300)
    >>> len(tokenizer.encode("New York"))
    1
    >>> run.decide(accept=["york again"], reject=["new york"], reviewer="me")
    >>> "New York" in run, "york again" in run, sorted(run.decisions["verdict"])
    (False, True, ['accept', 'reject'])
    """

    # Runs that were pickled and are still there: who unpickles one in this process, or in one that
    # was forked from it, gets the same object.
    pickled: ClassVar[WeakValueDictionary[tuple[str, Policy, str], Run]] = WeakValueDictionary()

    def __init__(
        self,
        folder: Path,
        *,
        policy: Policy = "majority",
        home: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.folder = folder
        self.policy: Policy = policy
        self.manifest: Manifest = read_manifest(folder)
        self._home = home  # a temporary folder goes with the object
        self._process = os.getpid()

    # What was found

    @cached_property
    def _finished(self) -> Finished:
        return open_finished(self.folder)

    @property
    def config(self) -> MineConfig:
        """The settings of the run."""
        return self.manifest.config

    @cached_property
    def _reviewed(self) -> Reviewed | None:
        return review_run(self.folder, self.policy)

    @property
    def _units(self) -> pl.DataFrame:
        return self._reviewed.units if self._reviewed else self._finished.units

    @cached_property
    def units(self) -> pl.DataFrame:
        """The units, best first, decisions obeyed.

        `rank, token, surface, atoms, kind, count, unit_count, score, family` and the statistics
        behind the score, as in `vocabulary.jsonl`.
        """
        return list_units(self._units)

    @cached_property
    def proposals(self) -> pl.DataFrame:
        """Every candidate with all its statistics and its `verdict`; decisions obeyed."""
        table = self._reviewed.proposals if self._reviewed else self._finished.proposals
        return table.drop(*INTERNAL, strict=False)

    @cached_property
    def merges(self) -> pl.DataFrame:
        """The forced merges, `left, right, result`: both halves of each stand before it."""
        return self._reviewed.merges if self._reviewed else self._finished.merges

    @cached_property
    def savings(self) -> pl.DataFrame:
        """How much shorter held-back text gets with the first k units, with a 95 % interval.

        `units, saved, low, high, per_unit, per_unit_low`; shares of the text's atoms.
        """
        return read_curve(self.folder)

    @cached_property
    def fields(self) -> pl.DataFrame:
        """What is known of each unit beyond its text: address, facets, structure, scene."""
        return self._lexicon.fields.table

    def __len__(self) -> int:
        return self._units.height

    def __iter__(self) -> Iterator[Unit]:
        return map(make_unit, self.units.iter_rows(named=True))

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self._find(text) is not None

    def _find(self, text: str) -> int | None:
        """Return the rank of the unit that a text is; what is no text, for half a pair, is none."""
        try:
            return self._lexicon.find(text)
        except UnicodeEncodeError:
            return None

    def __getitem__(self, key: str | int) -> Unit:
        """Return a unit by a text, in any case and spacing, or by its rank, from 1.

        Raises:
            KeyError: there is none.
        """
        rank = self._find(key) if isinstance(key, str) else key
        if not isinstance(rank, int | np.integer) or isinstance(rank, bool):
            raise KeyError(key)
        if not 1 <= rank <= len(self):
            raise KeyError(key)
        return make_unit(self.units.row(int(rank) - 1, named=True))

    def __repr__(self) -> str:
        kept, tried = len(self), sum(self.manifest.verdicts.values())
        saved = self.manifest.saved.get("saved")
        shorter = "" if saved is None else f", {saved:.1%} fewer tokens"
        return f"{kept:,} of {tried:,} kept{shorter}, profile {self.manifest.profile}"

    def summary(self) -> str:
        """Return what `miner mine` prints: the best units of each kind, verdicts, savings, cost."""
        return summarize(self._units, self.manifest, str(self.folder))

    def _repr_html_(self) -> str:
        return write_run(repr(self), self.units, self.manifest)

    # Copies of a run, which nothing changes but its folder

    def __copy__(self) -> Run:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Run:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the run as its folder and what it has to hold there.

        Another process then opens the folder. One that was forked has the run already, and is to
        ask no more of polars, whose threads a fork leaves behind: what segments is loaded here.
        """
        if self.manifest.profile != "bytes":
            self.segment("")
        if self._home is not None:
            raise UsageError(
                "this run is in a temporary folder, where nobody finds it later",
                cure="Keep it first: run = run.save(folder)",
            )
        key = (os.fspath(self.folder.resolve()), self.policy, self.stamp)
        Run.pickled[key] = self
        return reopen, key

    @cached_property
    def stamp(self) -> str:
        """What the pieces of texts depend on, as a digest."""
        units = self._units
        said = blake2b("\n".join(units["token"].to_list()).encode(), digest_size=16)
        said.update(units["value"].to_numpy().tobytes())
        run = self._finished
        cut = self.manifest.profile, run.patterns, sorted(run.atoms.abbreviations)
        said.update(repr(cut).encode())
        return said.hexdigest()

    # Texts by units

    @cached_property
    def _segmenter(self) -> Segmenter:
        if os.getpid() != self._process:  # polars would wait for threads that are not here
            raise UsageError(
                "this process was forked from the one that opened the run, before it segmented a "
                "text",
                cure='Call run.segment("") there first',
            )
        if self.manifest.profile == "bytes":
            raise UsageError("this run is of bytes", cure="Segment texts by a run of text")
        run = self._finished
        added = self._reviewed.added if self._reviewed else ()
        atoms, candidates, _ = add_runs(added, run.atoms, run.candidates)
        return Segmenter.of(self._units, atoms, candidates, run.patterns)

    def segment(self, text: str | Sequence[str], *, canonical: bool = False) -> list[str]:
        """Return a text in pieces: each unit whole, each other word and mark by itself.

        The cut is the one that the corpus was given. As the analyzer of scikit-learn's vectorizers
        take `functools.partial(run.segment, canonical=True)`.

        Args:
            text: a text; or its tokens, as gensim holds them: those of a unit then come joined by
                a space, and no token is cut.
            canonical: give words in canonical form, without punctuation, in the place of the text
                to the letter.

        >>> import miner
        >>> run = miner.mine(["new york is large", "i like new york", "new york again"] * 9)
        >>> run.segment("Is New York far?")
        ['Is', 'New York', 'far', '?']
        >>> run.segment("Is New York far?", canonical=True)
        ['is', 'new york', 'far']
        >>> run.segment(["Is", "New", "York", "far?"])
        ['Is', 'New York', 'far?']
        """
        return self.segment_batch([text], canonical=canonical)[0]

    def segment_batch(
        self, texts: Iterable[str | Sequence[str]], *, canonical: bool = False
    ) -> list[list[str]]:
        """Return many texts in pieces, on all cores; either texts or, of each, its tokens."""
        return list(self._segmenter.segment_of(texts, canonical=canonical))

    def spans(self, text: str) -> list[Span]:
        """Return the pieces of a text with their places: `start, end, text, rank`."""
        check_text(text)
        return self._segmenter.spans(text)

    def spans_batch(self, texts: Iterable[str]) -> Iterator[list[Span]]:
        """Yield the pieces of each text with their places, on all cores."""
        return self._segmenter.spans_of(texts)

    def rewrite(
        self,
        texts: Iterable[str],
        *,
        style: Style = "glued",
        links: bool = False,
        markers: bool = False,
        alphabet: str | None = None,
        density: float = 1.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """Yield texts as hyperword text: a unit in its glued form, or a sign in its place.

        Every text comes back by `restore` with the same options, to the letter.

        Args:
            texts: an iterable of str.
            style: what stands for a unit: its glued form, a sign of its own, or its address.
            links: only links; a hyperlexeme is shown as its links.
            markers: behind a unit, how its parts hold together.
            alphabet: the signs of `style="signs"`.
            density: the share of places that get a sign, above 0, at most 1.
            seed: of the choice of these places.

        Raises:
            UsageError: an option has no meaning.
        """
        options = {"links": links, "markers": markers, "alphabet": alphabet, "density": density}
        from miner.rewriting.streaming import convert_texts

        check_texts(texts)
        return convert_texts(texts, self._open_job(back=False, style=style, seed=seed, **options))

    def restore(
        self,
        texts: Iterable[str],
        *,
        style: Style = "glued",
        links: bool = False,
        markers: bool = False,
        alphabet: str | None = None,
    ) -> Iterator[str]:
        """Yield the texts that `rewrite` was given, by the same options.

        Args:
            texts: what `rewrite` yielded.
            style: as `rewrite` was given.
            links: as `rewrite` was given.
            markers: as `rewrite` was given.
            alphabet: as `rewrite` was given.

        Raises:
            UsageError: a text was not written by these options.
        """
        options = {"links": links, "markers": markers, "alphabet": alphabet}
        from miner.rewriting.streaming import convert_texts

        check_texts(texts)
        return convert_texts(texts, self._open_job(back=True, style=style, **options))

    def _open_job(self, *, back: bool, **options: Any) -> Job:
        from miner.rewriting.jobs import RewriteConfig, open_job

        config = RewriteConfig("", Path(), run=self.folder, policy=self.policy, **options)
        return open_job(config, back=back)

    # One text

    @cached_property
    def _lexicon(self) -> Lexicon:
        from miner.lexicon.lexicon import Lexicon

        return Lexicon(self.folder, policy=self.policy)

    def explain(self, text: str) -> Explanation:
        """Tell why a text is a unit, or why not, and what would change that.

        A text that is no candidate has the verdict None, and the reason in `headline`.
        """
        from miner.review.telling import explain_text

        check_text(text)
        return make_explanation(explain_text(self.folder, text, policy=self.policy))

    def lookup(
        self,
        text: str,
        *,
        k: int = 8,
        by: Literal["auto", "text", "id", "address"] = "auto",
        tokenizer: TextOrPath | None = None,
        layer: str | None = None,
    ) -> Result:
        """Tell what is known of a text: parts, address, facets, typical places, what is near.

        Args:
            text: a unit or any other text, a glued one too; an address, or its beginning; an id.
            k: how many of the nearest to list.
            by: what `text` is; by default a text, or an address where it is written as one.
            tokenizer: a folder of miner whose ids are told too.
            layer: the layer of vectors to search with the text.
        """
        from miner.lexicon.lexicon import Lexicon
        from miner.lexicon.looking import look_up
        from miner.lexicon.view import describe_lookup

        check_text(text)
        lexicon = self._lexicon
        if tokenizer is not None:
            lexicon = Lexicon(self.folder, policy=self.policy, tokenizer=tokenizer)
        found = look_up(lexicon, text, by=by, k=k, layer=layer)
        return Result(describe_lookup(found), found)

    def near(self, text: str | int | np.ndarray, k: int = 10) -> pl.DataFrame:
        """Return the units nearest to a text, a rank or a vector: `rank, token, cosine`.

        Args:
            text: a text; a rank, from 1; or a vector, float32 (columns,).
            k: how many. There are none of a text of which nothing is known.

        Raises:
            UsageError: there is no unit of that rank, the vector has another width, or `k` is
                below 1.
        """
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise UsageError(f"k is {k!r}", cure="Give 1 or more")
        if isinstance(text, np.integer):
            text = int(text)
        if isinstance(text, bool) or not isinstance(text, int | np.ndarray):
            check_text(text, cure="Give a text, a rank or a vector")
        return self._lexicon.near(text, int(k))

    def vector(self, text: str) -> np.ndarray:
        """Return the vector of a text, float32 (columns,), of length 1; zeros for the unknown."""
        check_text(text)
        return self._lexicon.vector(text)

    def decompose(self, text: str) -> Decomposition:
        """Return what a text is made of, a glued one too, and how sure that is."""
        check_text(text)
        return self._lexicon.decompose(text)

    # People

    def decide(
        self,
        *,
        accept: Iterable[str] = (),
        reject: Iterable[str] = (),
        clear: Iterable[str] = (),
        reviewer: str | None = None,
    ) -> None:
        """Accept and reject units, as `miner review` does: on the disk at once.

        The object shows what comes of it; `mine(decisions=run.folder)` obeys it in a new run.

        Args:
            accept: texts that are to be units; what is no proposal is added, and proven.
            reject: texts that are to be none.
            clear: texts of which the reviewer says nothing any more.
            reviewer: whose decisions these are; by default the system's user.

        Raises:
            UsageError: a text cannot be a unit, with the reason; nothing is decided then.
        """
        for name, texts in (("accept", accept), ("reject", reject), ("clear", clear)):
            check_texts(texts, name)
        wanted = {"accept": list(accept), "reject": list(reject), None: list(clear)}
        changes = {
            verdict: [self._find_unit(text, verdict) for text in texts]
            for verdict, texts in wanted.items()
        }
        said = Counter(unit for units in changes.values() for unit in set(units))
        twice = [token for (token, _), times in said.items() if times > 1]
        if twice:
            raise UsageError(
                f"two things are said of {twice[0]!r}", cure="Accept, reject or clear a text"
            )
        log = Log(name_log(self.folder, reviewer or getpass.getuser()))
        for verdict, units in changes.items():
            if units:
                log.set(units, {"verdict": verdict})
        self._forget()

    def _find_unit(self, text: str, verdict: str | None) -> tuple[str, tuple[str, ...]]:
        check_text(text, verdict or "clear")
        run = self._finished
        if verdict == "accept":
            unit, problem = check_form(run, text)
        else:
            form = cut_forms([text], run.atoms, run.patterns)[0]
            unit, problem = form.unit, form.problem
        if unit is None or problem:
            raise UsageError(f"{text!r} cannot be a unit: {problem}", cure="Give another text")
        return unit

    def _forget(self) -> None:
        """Read anew what decisions change."""
        kept = ("folder", "policy", "manifest", "_home", "_finished", "_process")
        for name in [name for name in vars(self) if name not in kept]:
            del self.__dict__[name]

    @property
    def decisions(self) -> pl.DataFrame:
        """What holds of each unit that somebody decided on: `token, atoms, verdict, label, ...`."""
        settled = settle_logs(read_logs(self.folder), self.policy)
        names = ("verdict", "kind", "family", "label")
        rows = [
            {"token": unit[0], "atoms": list(unit[1]), "form": said.token}
            | {name: getattr(said, name) for name in names}
            for unit, said in settled.decisions.items()
            if said.said()
        ]
        schema: dict[str, Any] = {"token": pl.String, "atoms": pl.List(pl.String)}
        return pl.DataFrame(rows, schema | dict.fromkeys(("form", *names), pl.String))

    def review(self, reviewer: str | None = None) -> Any:
        """Return the review as a widget, which the last line of a notebook's cell shows.

        Needs `pip install 'miner[review]'`.
        """
        from miner.review.widget import Review

        return Review(self.folder, reviewer, policy=self.policy)

    def open_lab(
        self, reviewer: str | None = None, *, browser: bool = True, port: int | None = None
    ) -> int:
        """Open the review in a JupyterLab of its own, as `miner review`; return its exit code.

        Args:
            reviewer: whose decisions these are; by default the system's user.
            browser: open it; without, the address is printed.
            port: of JupyterLab; by default a free one.

        Raises:
            UsageError: it needs `pip install 'miner[review]'`.
        """
        from miner.review.lab import open_lab

        return open_lab(self.folder, reviewer, policy=self.policy, browser=browser, port=port)

    def grade(self, key: TextOrPath) -> Result:
        """Hold the run, as it was mined, against an answer key: what was found, missed, and why.

        Args:
            key: the key of `synth`, or a file of terms, one a line.
        """
        from miner.review.grading import describe_grade, grade_run, summarize_grade

        graded = grade_run(self.folder, Path(key))
        tables = {"key": graded.key.to_dicts(), "not_in_key": graded.strange.to_dicts()}
        return Result(describe_grade(graded), summarize_grade(graded) | tables)

    def tell_fields(
        self,
        *,
        facets: TextOrPath | None = None,
        layers: Sequence[TextOrPath] = (),
        attach: Sequence[str] = (),
        encoder: str | None = None,
        drop: Sequence[str] = (),
        filled: TextOrPath | None = None,
        reviewer: str | None = None,
        progress: bool | Progress = False,
    ) -> Result:
        """Tell the fields anew: with other anchors, decisions, layers; as `miner fields` does.

        Args:
            facets: a TOML file of anchor words.
            layers: tables of a column `token` and one for each layer.
            attach: `NAME=TABLE`, layers of vectors.
            encoder: what made them, a name or a folder; `run` for the run's own.
            drop: names of layers to take away.
            filled: a semiotic map that people filled.
            reviewer: whose map it is; by default the system's user.
            progress: an object of the protocol `miner.Progress`.
        """
        from miner.lexicon.filling import FieldsConfig, fill_fields

        config = FieldsConfig(
            self.folder,
            Path(facets) if facets is not None else None,
            [Path(table) for table in layers],
            attach,
            encoder,
            drop,
            Path(filled) if filled is not None else None,
            reviewer,
            self.policy,
        )
        told = fill_fields(config, progress=choose_progress(progress))
        self._forget()
        return Result(told, {})

    def plot_map(self) -> Picture:
        """Return a map of the units: those that lie together are used alike."""
        return draw_units(self._units, read_map(self.folder))

    def plot_savings(self) -> Picture:
        """Return how much shorter text gets with the first k units."""
        return draw_savings(self.savings, self.manifest.search.knee)

    def report(self) -> Path:
        """Write the report again, with what reviewers have decided; return where it is."""
        return redraw_report(self.folder, policy=self.policy)

    # Out

    def train_tokenizer(
        self,
        trainer: Trainer = "hf-bpe",
        *,
        vocab_size: int | None = None,
        corpus: TextOrPath | Sequence[TextOrPath] | None = None,
        units: int | None = None,
        exact: bool = False,
        tokens: TextOrPath | None = None,
        base: TextOrPath | None = None,
        text_column: str | None = None,
        on_error: str = "stop",
        out: TextOrPath | None = None,
        overwrite: bool = False,
        progress: bool | Progress = False,
    ) -> Tokenizer:
        """Train a tokenizer in which the units are one id each, or extend one.

        Args:
            trainer: `hf-bpe`, `hf-unigram`, or `sentencepiece-bpe`, `sentencepiece-unigram`, which
                need `pip install 'miner[sentencepiece]'`.
            vocab_size: the most ids; 32,768 by default, as many as pay for a `base`.
            corpus: paths to train on; by default the run's own text.
            units: how many units get ids; by default as many as save tokens.
            exact: every text comes back byte for byte, its case and spaces too.
            tokens: a file of more tokens, `{"special_tokens": [...], "never_split": [...]}`.
            base: a tokenizer to extend: its ids and its cuts stay.
            text_column: of tables and JSON lines.
            on_error: `stop` or `skip`: what to do with files that cannot be read.
            out: the folder to write; without it one that goes with the object.
            overwrite: replace a tokenizer of miner that is there.
            progress: True for bars, or an object of the protocol `miner.Progress`.

        Raises:
            UsageError, RunError, CorpusError, TokenizerError: with the place and the cure.
        """
        if corpus is not None and not list_paths(corpus):
            raise UsageError("corpus names no file", cure="Give paths, or None for the run's text")
        from miner.api.tokenizers import train_tokenizer
        from miner.tokenizer.training.training import TrainConfig

        config = TrainConfig(
            run=self.folder,
            corpus=list_paths(corpus),
            trainer=trainer,
            vocab_size=vocab_size,
            units=units,
            exact=exact,
            tokens=Path(tokens) if tokens is not None else None,
            base=Path(base) if base is not None else None,
            text_column=text_column,
            on_error=on_error,
            policy=self.policy,
        )
        return train_tokenizer(config, out, overwrite=overwrite, progress=progress, home=self._home)

    def export(
        self,
        path: TextOrPath,
        *,
        format: Literal["jsonl", "csv", "parquet", "txt", "json", "merges", "map"] = "jsonl",  # noqa: A002
        overwrite: bool = False,
    ) -> Exported:
        """Write the units to a file for other programs; return how many, and notes.

        Args:
            path: the file to write.
            format: `jsonl`, `csv` and `parquet` hold every column; `txt`, a token a line with `▁`
                for a space; `json`, `special_tokens` and `never_split`; `merges`, forced merges;
                `map`, token, meaning and operation, to be filled and given back.
            overwrite: replace a file that is there.

        Returns:
            `units`, how many; `counts`, what decisions came to; `notes`, for people.
        """
        from miner.review.export import Exported, export_vocabulary

        if format == "map":
            from miner.lexicon.semiotic import write_map

            counts = self._reviewed.counts if self._reviewed else {}
            rows = write_map(self._lexicon, Path(path), overwrite=overwrite)
            return Exported(rows, dict(counts), ())
        return export_vocabulary(
            self.folder, Path(path), form=format, policy=self.policy, overwrite=overwrite
        )

    def save(self, folder: TextOrPath, *, overwrite: bool = False) -> Run:
        """Copy the run to a folder of your own, and return it there.

        Args:
            folder: where to, with its parents made.
            overwrite: replace a run that is there.

        Raises:
            RunError: something is there, and is no run or not to be replaced.
        """
        out = Path(folder)
        if out.resolve() == self.folder.resolve():
            return self
        listed = read_contents(self.folder) is not None
        with open_folder(out, kind=RUN, overwrite=overwrite, listed=listed) as draft:
            try:
                shutil.copytree(self.folder, draft, dirs_exist_ok=True)
            except shutil.Error as error:
                raise RunError(
                    f"cannot be copied ({error})", where=os.fspath(folder), cure="Check the disk"
                ) from error
        return Run(out, policy=self.policy)


def reopen(folder: str, policy: Policy, stamp: str) -> Run:
    """Return a run that was pickled; RunError where its folder holds another one by now."""
    known = Run.pickled.get((folder, policy, stamp))
    if known is not None and known.stamp == stamp:
        return known
    run = Run(Path(folder), policy=policy)
    if run.stamp != stamp:
        raise RunError(
            "the units are others than those of the run that was pickled",
            where=folder,
            cure="Make the object again that was pickled with it",
        )
    Run.pickled[folder, policy, stamp] = run
    return run
