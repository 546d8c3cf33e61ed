"""The front door: words to one call of the library, errors to an exit code."""

from __future__ import annotations

import io
import json
import logging
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from miner import __version__
from miner.config import CHOICES, DEFAULT_VOCABULARY, MineConfig, read_config
from miner.errors import MinerError, UsageError
from miner.progress import Bars

if TYPE_CHECKING:
    from miner.runs.store import Existing

BARS = Bars(shown=None)
STOPPED = 130
DEVICES = r"con|prn|aux|nul|com\d|lpt\d"  # what Windows takes for no file, in any folder
WRONG_USE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="miner")
def commands() -> None:
    """Find the runs of a corpus that act as one unit of meaning, and make them single tokens.

    \b
    Start here:
      miner mine  --corpus my_texts/ --out outputs/run
      miner review outputs/run
      miner train outputs/run --corpus my_texts/ --trainer hf-bpe --vocab-size 32768 --out tok
      miner check tok --run outputs/run
      miner adopt ./model --run outputs/run --out adopted
      miner tune adopted --run outputs/run --out tuned
      miner lookup outputs/run "in order to"
      miner rewrite --run outputs/run --corpus book.txt --out hyper.txt
    """


@commands.command()
@click.option(
    "--corpus",
    "corpus",
    multiple=True,
    metavar="PATH",
    help="A file, a folder, a quoted glob, or - for standard input; may come several "
    "times, and more paths may follow. Text, JSON lines, CSV, TSV (also .gz .zst .xz), "
    "Parquet, raw bytes, hex dumps, safetensors.",
)
@click.argument("more", nargs=-1, metavar="[PATH]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The run folder to write.  [default: outputs/ and the corpus's name]",
)
@click.option(
    "--vocab-size",
    type=int,
    metavar="N",
    help=f"The most units to keep: the one dial.  [default: {DEFAULT_VOCABULARY:,}]",
)
@click.option(
    "--objective",
    type=click.Choice(CHOICES["objective"]),
    help="meaning: what a person would call one unit; compression: what saves the most "
    "tokens.  [default: meaning]",
)
@click.option(
    "--min-count",
    type=int,
    metavar="N",
    help="How often a run must occur.  [default: 3 x sqrt(millions of atoms), 3 at least]",
)
@click.option("--max-length", type=int, metavar="N", help="The most atoms in a unit.  [default: 8]")
@click.option(
    "--profile",
    type=click.Choice(CHOICES["profile"]),
    help="How text is cut into atoms.  [default: auto, told from the corpus]",
)
@click.option(
    "--encoder",
    metavar="corpus|NAME|FOLDER",
    help="corpus: trained on the corpus itself, no download; or any "
    "sentence-transformers model.  [default: corpus]",
)
@click.option(
    "--device",
    type=click.Choice(CHOICES["device"]),
    help="Where the encoder and the search run.  [default: auto]",
)
@click.option("--seeds", metavar="FILE", help="Units known to be good, one a line, to learn from.")
@click.option(
    "--facets",
    metavar="FILE",
    help="What to measure units by: a TOML file with anchor words for each facet.  [default: "
    "logic, emotion and function, in English and Russian]",
)
@click.option(
    "--decisions",
    metavar="FILE",
    help="What reviewers decided: a run, a folder of logs, or one log. Accepted units compete as "
    "the best there is, rejected ones do not.",
)
@click.option(
    "--policy",
    type=click.Choice(CHOICES["policy"]),
    help="What holds where reviewers differ.  [default: majority]",
)
@click.option(
    "--text-column",
    metavar="NAME",
    help="Of tables and JSON lines.  [default: text, or the only column of text]",
)
@click.option(
    "--memory",
    metavar="SIZE",
    help="Memory for counting, such as 2GiB; a larger corpus is counted in passes, to "
    "the same rows.",
)
@click.option(
    "--on-error",
    type=click.Choice(CHOICES["on_error"]),
    help="What to do with input that cannot be read.  [default: stop]",
)
@click.option("--seed", type=int, metavar="N", help="Of every random choice.  [default: 0]")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings in TOML; a run saves its own as config.toml. Options win over it.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was cut off.")
@click.option("--overwrite", is_flag=True, help="Replace a run that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest instead of a table.")
def mine(
    more: tuple[str, ...],
    out: Path | None,
    config_file: Path | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Mine a corpus for units of meaning.

    \b
    Examples:
      miner mine --corpus novel.txt
      miner mine --corpus 'logs/*.jsonl.gz' --text-column message --profile code
      zcat wiki.txt.gz | miner mine --corpus - --out outputs/wiki --memory 2GiB
    """
    settings = read_config(config_file) if config_file else {}
    options["corpus"] = (*options["corpus"], *more)
    settings |= {name: value for name, value in options.items() if value not in (None, ())}
    config = MineConfig(**settings)
    if not config.corpus:
        raise UsageError("no corpus is named", cure="Add --corpus PATH")
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other", cure="Give one of them")
    from miner.pipeline import mine as mine_corpus

    folder = out or Path("outputs", name_run(config.corpus[0]))
    existing: Existing = "resume" if resume else "overwrite" if overwrite else "refuse"
    mined = mine_corpus(config, folder, existing=existing, progress=BARS)
    if as_json:
        click.echo(json.dumps(mined.manifest.to_json()))
    else:
        from miner.report.summary import summarize

        click.echo(summarize(mined.vocabulary, mined.manifest, str(mined.folder)))


INITS = ("mean", "weighted", "edges", "random", "calibrated")
TRAINERS = ("hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram")
SHAPES = ("llama-3-8b", "llama-3-70b", "mistral-7b", "qwen2.5-0.5b", "qwen2.5-7b", "gpt2")
EXPORTS = ("jsonl", "csv", "parquet", "txt", "json", "merges", "map")
WAYS = ("auto", "text", "id", "address")
folder_or_file = click.Path(path_type=Path)
policy_option = click.option(
    "--policy",
    type=click.Choice(CHOICES["policy"]),
    default="majority",
    show_default=True,
    help="What holds where reviewers of the run differ.",
)


@commands.command()
@click.argument("run", type=folder_or_file, metavar="RUN")
@click.option(
    "--corpus",
    "corpus",
    multiple=True,
    metavar="PATH",
    help="What to train on, in the forms that `miner mine` reads; may come several times.  "
    "[default: the run's own text]",
)
@click.option(
    "--trainer",
    type=click.Choice(TRAINERS),
    default="hf-bpe",
    show_default=True,
    help="hf-*: a tokenizer.json for transformers and tokenizers; sentencepiece-*: a .model.",
)
@click.option(
    "--vocab-size",
    type=int,
    metavar="N",
    help="The most ids, units, bytes and special tokens included.  [default: 32,768; with --from "
    "as many as pay]",
)
@click.option("--out", type=folder_or_file, metavar="FOLDER", required=True)
@click.option(
    "--units",
    type=int,
    metavar="K",
    help="How many units get places, those that spare most tokens first.  [default: measured on "
    "held-back text]",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Lossless, byte for byte: case, spacing and Unicode form are kept, and the spellings of a "
    "unit have ids of their own. Without it they fold into one id.",
)
@click.option(
    "--tokens",
    type=folder_or_file,
    metavar="FILE",
    help='More tokens: {"special_tokens": [...], "never_split": [...]}.',
)
@click.option(
    "--from",
    "base",
    type=folder_or_file,
    metavar="TOKENIZER",
    help="Extend this tokenizer instead of training one: its ids and its cuts stay.",
)
@click.option("--text-column", metavar="NAME", help="Of tables and JSON lines.")
@click.option("--on-error", type=click.Choice(CHOICES["on_error"]), default="stop")
@policy_option
@click.option("--overwrite", is_flag=True, help="Replace a tokenizer that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def train(overwrite: bool, as_json: bool, out: Path, **options: Any) -> None:
    """Train a tokenizer in which the units of RUN are one id each.

    \b
    Examples:
      miner train outputs/run --corpus texts/ --vocab-size 32768 --out tokenizer
      miner train outputs/run --corpus texts/ --trainer sentencepiece-unigram --exact --out tok
      miner train outputs/run --corpus texts/ --from ./llama-tokenizer --units 5000 --out tok
    """
    from miner.tokenizer.reading.card import summarize_card
    from miner.tokenizer.training.training import TrainConfig, train_tokenizer

    trained = train_tokenizer(TrainConfig(**options), out, overwrite=overwrite, progress=BARS)
    click.echo(json.dumps(trained.card) if as_json else summarize_card(trained.card, str(out)))


@commands.command()
@click.argument("model", type=folder_or_file, metavar="MODEL")
@click.option("--run", type=folder_or_file, required=True, help="Whose units the model gets.")
@click.option("--out", type=folder_or_file, metavar="FOLDER", required=True)
@click.option(
    "--init",
    type=click.Choice(INITS),
    default="calibrated",
    show_default=True,
    help="What a new row begins with. mean: its parts alike; weighted: mostly its last part in the "
    "input, its first in the output; edges: these alone; random: as the other rows are spread; "
    "calibrated: weighted, a mean where input and output are one table, then moved until the model "
    "expects a unit as often as it occurs.",
)
@click.option(
    "--corpus",
    "corpus",
    multiple=True,
    metavar="PATH",
    help="What tells which units pay; may come several times.  [default: the run's own text]",
)
@click.option("--units", type=int, metavar="K", help="How many units.  [default: all that pay]")
@click.option("--vocab-size", type=int, metavar="N", help="The most ids of the tokenizer.")
@click.option("--text-column", metavar="NAME", help="Of tables and JSON lines.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random rows.")
@policy_option
@click.option("--overwrite", is_flag=True, help="Replace a model of miner that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def adopt(overwrite: bool, as_json: bool, out: Path, **options: Any) -> None:
    """Give MODEL, a Hugging Face folder, an id and a row for the units of RUN.

    Tokenizer and tables grow together, in a new folder; what was there stays bit for bit. No code
    of MODEL is run, and its weights must be safetensors.

    \b
    Examples:
      miner adopt ./Qwen3-0.6B --run outputs/run --out adopted
      miner adopt ./gpt2 --run outputs/run --out adopted --units 5000 --init mean
    """
    from miner.model.adopting import AdoptConfig, adopt_model
    from miner.model.view import summarize_model

    adopted = adopt_model(AdoptConfig(**options), out, overwrite=overwrite, progress=BARS)
    click.echo(json.dumps(adopted.card) if as_json else summarize_model(adopted))


@commands.command()
@click.argument("model", type=folder_or_file, metavar="MODEL")
@click.option(
    "--corpus",
    "corpus",
    multiple=True,
    metavar="PATH",
    help="What to learn from, in the forms that `miner mine` reads; may come several times. One "
    "document in twenty is held back and measures.",
)
@click.option("--run", type=folder_or_file, metavar="RUN", help="Learn from the text of this run.")
@click.option("--out", type=folder_or_file, metavar="FOLDER", required=True)
@click.option("--steps", type=int, metavar="N", help="How many steps.  [default: one epoch]")
@click.option("--epochs", type=int, metavar="N", help="How often the text is read, instead.")
@click.option("--batch", type=int, metavar="N", default=4096, show_default=True, help="Ids a step.")
@click.option(
    "--context", type=int, metavar="N", help="Ids a block.  [default: 512, or what the model reads]"
)
@click.option("--learning-rate", type=float, metavar="X", default=2e-4, show_default=True)
@click.option("--rank", type=int, metavar="N", default=16, show_default=True, help="Of adapters.")
@click.option("--rows-only", is_flag=True, help="Train the new rows, without adapters.")
@click.option("--device", type=click.Choice(CHOICES["device"]), default="auto", show_default=True)
@click.option(
    "--precision",
    type=click.Choice(("auto", "float32", "bfloat16")),
    default="auto",
    show_default=True,
    help="auto: bfloat16 on a GPU. What learns is float32 anyway.",
)
@click.option("--four-bit", is_flag=True, help="QLoRA: the model in 4 bits (NF4), on a GPU.")
@click.option("--merge", is_flag=True, help="Write the whole model instead of an adapter.")
@click.option(
    "--template",
    is_flag=True,
    help="Train nothing: write axolotl.yaml and train.py, for people who train elsewhere.",
)
@click.option("--text-column", metavar="NAME", help="Of tables and JSON lines.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of every random choice.")
@click.option("--resume", is_flag=True, help="Go on with a training that was cut off.")
@click.option("--overwrite", is_flag=True, help="Replace what miner tune wrote there.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def tune(
    out: Path, template: bool, resume: bool, overwrite: bool, as_json: bool, **options: Any
) -> int:
    """Train the new rows of MODEL, which `miner adopt` wrote, and adapters (LoRA); nothing else.

    Needs pip install 'miner[tune]'. A model without new rows gets adapters alone. Rows of old ids
    stay bit for bit. The result is an adapter of PEFT, or with --merge a whole model.

    \b
    Examples:
      miner tune adopted --corpus texts/ --out tuned
      miner tune adopted --run outputs/run --rows-only --steps 500 --merge --out tuned
      miner tune adopted --corpus texts/ --template --out elsewhere
    """
    from miner.model.tuned_view import summarize_tuned
    from miner.model.tuning import TuneConfig, tune_model, write_elsewhere

    config = TuneConfig(**options)
    if template:
        write_elsewhere(config, out, overwrite=overwrite, progress=BARS)
        click.echo(f"Next: read {out}/README.md")
        return 0
    try:
        tuned = tune_model(config, out, resume=resume, overwrite=overwrite, progress=BARS)
    except KeyboardInterrupt:
        BARS.note("stopped; the same command with --resume goes on behind the last whole step")
        return STOPPED
    click.echo(json.dumps(tuned.card) if as_json else summarize_tuned(tuned.card, str(out)))
    return 0


@commands.command()
@click.argument("tokenizer", type=folder_or_file, metavar="TOKENIZER")
@click.option("--run", type=folder_or_file, metavar="RUN", help="Check every unit of this run too.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def check(tokenizer: Path, run: Path | None, as_json: bool) -> int:
    """Check that units are one id, the same id everywhere, and come back.

    TOKENIZER is a folder or a file, of miner or not. Exit code 1 where something fails.

    \b
    Examples:
      miner check tokenizer --run outputs/run
      miner check ./gpt2/tokenizer.json
    """
    from miner.tokenizer.checking.checking import check_tokenizer
    from miner.tokenizer.checking.view import list_checks, summarize_checks
    from miner.tokenizer.reading.loading import load_tokenizer

    checks = check_tokenizer(load_tokenizer(tokenizer), run)
    if as_json:
        click.echo(json.dumps(list_checks(checks)))
    else:
        click.echo(summarize_checks(checks, str(tokenizer)))
    return int(not all(entry.holds for entry in checks))


@commands.command()
@click.argument("old", type=folder_or_file, metavar="OLD")
@click.argument("new", type=folder_or_file, metavar="NEW")
@click.option(
    "--sample",
    type=folder_or_file,
    metavar="PATH",
    help="Text to measure on, a document a line.  [default: lines in many scripts, code, numbers]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def diff(old: Path, new: Path, sample: Path | None, as_json: bool) -> int:
    """Tell what NEW changes against OLD, how bad it is, and what mends it.

    OLD and NEW are tokenizers, a file or a folder; beside a model, its rows for new tokens are
    looked at too. Exit code 1 where something was removed, moved or lost; additions are notices.

    \b
    Examples:
      miner diff ./base ./tokenizer
      miner diff before/tokenizer.json after/tokenizer.json --sample prompts.txt
    """
    from miner.tokenizer.diffing import (
        describe_difference,
        diff_tokenizers,
        read_sample,
        record_difference,
    )
    from miner.tokenizer.reading.loading import load_tokenizer

    found = diff_tokenizers(load_tokenizer(old), load_tokenizer(new), read_sample(sample))
    name = f"{sample}" if sample else "the built-in sample"
    click.echo(
        json.dumps(record_difference(found)) if as_json else describe_difference(found, name)
    )
    return found.exit_code


@commands.command()
@click.argument("tokenizers", type=folder_or_file, nargs=-1, required=True, metavar="TOKENIZER...")
@click.option(
    "--corpus",
    "corpus",
    multiple=True,
    metavar="PATH",
    help="Text that none of them was trained on, in the forms that `miner mine` reads; may come "
    "several times.",
)
@click.option(
    "--run",
    type=folder_or_file,
    metavar="RUN",
    help="Look for the units of this run, and for what lies near them.  [default: the units of the "
    "first tokenizer of miner]",
)
@click.option(
    "--shape",
    type=click.Choice(SHAPES),
    default=SHAPES[0],
    show_default=True,
    help="The model whose KV cache is counted.",
)
@click.option(
    "--html",
    "page",
    type=folder_or_file,
    metavar="FILE",
    help="Write one page with pictures.  [default: none]",
)
@click.option("--text-column", metavar="NAME", help="Of tables and JSON lines.")
@click.option("--on-error", type=click.Choice(CHOICES["on_error"]), default="stop")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
def compare(tokenizers: tuple[Path, ...], page: Path | None, as_json: bool, **options: Any) -> None:
    """Compare tokenizers on held-out text, with what they save against the first.

    Each TOKENIZER is a folder or a file, of miner or not. Every document of the corpus counts as
    one context, in which attention costs the square of its tokens.

    \b
    Examples:
      miner compare ./gpt2 tokenizer --corpus heldout.txt
      miner compare bpe.json units_a units_b --corpus heldout.txt --run outputs/run --html page.html
      miner compare ./llama-3 tokenizer --corpus heldout.jsonl --shape llama-3-70b --json
    """
    from miner.tokenizer.comparing import compare_tokenizers, summarize_comparison, write_page

    if not options["corpus"]:
        raise UsageError("no corpus is named", cure="Add --corpus PATH")
    if page is not None and page.is_dir():
        raise UsageError(f"--html {page} is a folder", cure="Name a file, such as compare.html")
    comparison = compare_tokenizers(tokenizers, progress=BARS, **options)
    click.echo(json.dumps(comparison.record()) if as_json else summarize_comparison(comparison))
    if page is not None:
        write_page(page, comparison)


@commands.command()
@click.argument("run", type=folder_or_file, metavar="RUN")
@click.option(
    "--format",
    "form",
    type=click.Choice(EXPORTS),
    default="jsonl",
    show_default=True,
    help="jsonl, csv, parquet: every column; txt: a token a line, ▁ for a space; json: "
    "special_tokens and never_split; merges: the forced merges; map: token, meaning and operation, "
    "a table (.tsv, .csv) to fill and give back to miner fields --map.",
)
@click.option("--out", type=folder_or_file, metavar="FILE", required=True)
@policy_option
def export(run: Path, form: str, out: Path, policy: Any) -> None:
    """Write the vocabulary of RUN as its reviewers want it to one file.

    \b
    Examples:
      miner export outputs/run --format jsonl --out units.jsonl
      miner export outputs/run --format merges --out merges.tsv --policy latest
    """
    from miner.review.export import export_vocabulary

    if form == "map":
        from miner.lexicon import Lexicon
        from miner.lexicon.semiotic import write_map

        click.echo(f"{write_map(Lexicon(run, policy=policy), out):,} units in {out}")
        return
    exported = export_vocabulary(run, out, form=form, policy=policy)
    for note in exported.notes:
        BARS.note(note)
    said = ", ".join(f"{count:,} {name}" for name, count in exported.counts.items())
    click.echo(f"{exported.units:,} units in {out}; decisions: {said or 'none'}")


@commands.command()
@click.argument("run", type=folder_or_file, metavar="RUN")
@policy_option
def report(run: Path, policy: Any) -> None:
    """Write the report of RUN again, with what reviewers have decided since.

    \b
    Example:
      miner report outputs/run
    """
    from miner.report.drawing import redraw_report

    click.echo(f"Next: open {redraw_report(run, policy=policy)}")


@commands.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--text-column", metavar="NAME", help="Of tables and JSON lines.")
@click.option(
    "--tokenizer",
    type=folder_or_file,
    metavar="TOKENIZER",
    help="Count tokens under this tokenizer, a folder or a file; of a large corpus on a sample, "
    "with an interval.  [default: none]",
)
@click.option(
    "--profile",
    type=click.Choice(CHOICES["profile"]),
    default="auto",
    show_default=True,
    help="What you mean to mine with; bytes reads text files as bytes.",
)
@click.option(
    "--html",
    "page",
    type=folder_or_file,
    metavar="FILE",
    help="Write one page with pictures.  [default: none]",
)
@click.option(
    "--on-error",
    type=click.Choice(CHOICES["on_error"]),
    default="stop",
    show_default=True,
    help="What to do with files that cannot be read. Bytes that are not UTF-8 are counted anyway.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
def inspect(paths: tuple[str, ...], page: Path | None, as_json: bool, **options: Any) -> None:
    """Tell what a corpus is, and what it is enough for.

    Its size in megabytes, lines, words, A4 pages and tokens; which of six classes it is of and how
    miner would cut it, with the evidence; scripts, languages, repeated lines, broken characters.
    Memory stays the same for a corpus of any size.

    \b
    Examples:
      miner inspect my_texts/
      miner inspect 'logs/*.jsonl.gz' --text-column message --json
      miner inspect novel.txt --tokenizer ./gpt2 --html novel.html
      miner inspect model.safetensors
    """
    from miner.inspection.inspecting import InspectConfig, inspect_corpus
    from miner.inspection.page import write_inspection
    from miner.inspection.view import describe_inspection

    if page is not None and page.is_dir():
        raise UsageError(f"--html {page} is a folder", cure="Name a file, such as corpus.html")
    config = InspectConfig(paths, **options)
    record = inspect_corpus(config, progress=BARS)
    click.echo(json.dumps(record) if as_json else describe_inspection(record))
    if page is not None:
        write_inspection(page, record)


@commands.command()
@click.argument("run", type=folder_or_file, metavar="RUN")
@policy_option
@click.option("--reviewer", metavar="NAME", help="Whose log it is.  [default: the system's user]")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="N",
    help="Of JupyterLab.  [default: a free one]",
)
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
def review(run: Path, reviewer: str | None, port: int | None, no_browser: bool, policy: Any) -> int:
    """Open RUN in JupyterLab: a table of its proposals and a map, to decide on.

    Needs pip install 'miner[review]'. What is decided is saved at once, in RUN/decisions.

    \b
    Examples:
      miner review outputs/run
      miner review outputs/run --reviewer anna --no-browser --port 8899
    """
    from miner.review.lab import open_lab

    return open_lab(run, reviewer, policy=policy, browser=not no_browser, port=port)


@commands.command("explain")
@click.argument("run", type=folder_or_file, metavar="RUN")
@click.argument("text", metavar="TEXT")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@policy_option
def tell_reasons(run: Path, text: str, as_json: bool, policy: Any) -> None:
    """Tell why TEXT became a unit of RUN, or why not, and what would change that.

    \b
    Examples:
      miner explain outputs/run "in order to"
      miner explain outputs/run Δ41 --json
    """
    from miner.review.explain_view import describe
    from miner.review.telling import explain_text

    found = explain_text(run, text, policy=policy)
    click.echo(json.dumps(found) if as_json else describe(found))


@commands.command()
@click.argument("run", type=folder_or_file, metavar="RUN")
@click.option(
    "--key",
    type=folder_or_file,
    required=True,
    metavar="FILE",
    help="Units that should be found: one a line, or lines of JSON with token, kind and count.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def grade(run: Path, key: Path, as_json: bool) -> None:
    """Hold RUN, as it was mined, against an answer key: what was found, what was missed and why.

    The key of `miner synth` says all that was planted. A list of terms of your own says less: what
    it does not have may be right all the same.

    \b
    Examples:
      miner grade outputs/run --key made/key.jsonl
      miner grade outputs/run --key terms.txt --json
    """
    from miner.review.grading import describe_grade, grade_run, summarize_grade

    graded = grade_run(run, key)
    if as_json:
        tables = {"key": graded.key.to_dicts(), "not_in_key": graded.strange.to_dicts()}
        click.echo(json.dumps(summarize_grade(graded) | tables))
    else:
        click.echo(describe_grade(graded))


@commands.command()
@click.argument("run", type=folder_or_file, metavar="RUN")
@click.argument("text", metavar="TEXT")
@click.option(
    "--as",
    "by",
    type=click.Choice(WAYS),
    default="auto",
    show_default=True,
    help="What TEXT is. auto: a text, or an address where it is written as one.",
)
@click.option(
    "--tokenizer",
    type=folder_or_file,
    metavar="FOLDER",
    help="Tell ids of this tokenizer of miner too; --as id takes one.  [default: an id is a rank]",
)
@click.option(
    "--layer",
    metavar="NAME",
    help="Search the items of this layer of vectors with TEXT: pictures, sounds, films.",
)
@click.option(
    "--near",
    "k",
    type=click.IntRange(1, 1_000),
    default=8,
    show_default=True,
    metavar="K",
    help="How many of the nearest to list.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@policy_option
def lookup(
    run: Path,
    text: str,
    by: str,
    tokenizer: Path | None,
    layer: str | None,
    k: int,
    as_json: bool,
    policy: Any,
) -> None:
    """Tell what TEXT is in RUN: its parts, its meaning and what lies near it.

    A unit or any other text, also one written without its spaces; an address, or its beginning; an
    id. What a unit is known by (facets, typical places, scene, structure, layers) comes with it.

    \b
    Examples:
      miner lookup outputs/run "in order to"
      miner lookup outputs/run входтишинажар
      miner lookup outputs/run VXS_ΔC1 --near 20
      miner lookup outputs/run 32001 --as id --tokenizer tokenizer
    """
    from miner.lexicon import Lexicon
    from miner.lexicon.looking import look_up
    from miner.lexicon.view import describe_lookup

    found = look_up(Lexicon(run, policy=policy, tokenizer=tokenizer), text, by=by, k=k, layer=layer)
    click.echo(json.dumps(found) if as_json else describe_lookup(found))


@commands.command()
@click.argument("run", type=folder_or_file, metavar="RUN")
@click.option(
    "--facets",
    type=folder_or_file,
    metavar="FILE",
    help="Measure units by the anchor words of this TOML file.  [default: those that RUN has]",
)
@click.option(
    "--layers",
    multiple=True,
    type=folder_or_file,
    metavar="TABLE",
    help="A table with a column token, and one for each layer: smell, colour, rhythm. TSV, CSV, "
    "JSON lines or Parquet; may come several times.",
)
@click.option(
    "--attach",
    multiple=True,
    metavar="NAME=TABLE",
    help="A layer of vectors of pictures, sounds or films: a table (JSON lines, Parquet) with "
    "vector, and token or item.",
)
@click.option(
    "--encoder",
    metavar="run|NAME|FOLDER",
    help="What made the vectors of --attach, so that text finds them: the run's own encoder, or "
    "any sentence-transformers model of text and pictures.  [default: their units find them]",
)
@click.option("--drop", multiple=True, metavar="NAME", help="Take this layer away.")
@click.option(
    "--map",
    "filled",
    type=folder_or_file,
    metavar="TABLE",
    help="Read a semiotic map back that people filled (miner export --format map): operations "
    "become labels, meanings a layer.",
)
@click.option("--reviewer", metavar="NAME", help="Whose --map it is.  [default: the system's user]")
@policy_option
def fields(
    run: Path,
    facets: Path | None,
    layers: tuple[Path, ...],
    attach: tuple[str, ...],
    encoder: str | None,
    drop: tuple[str, ...],
    filled: Path | None,
    reviewer: str | None,
    policy: Any,
) -> None:
    """Tell the fields of RUN anew: with other anchors, what was decided, layers of your own.

    \b
    Examples:
      miner fields outputs/run --facets warm_and_cold.toml
      miner fields outputs/run --layers smells.tsv --attach photo=photos.parquet --encoder ./clip
      miner fields outputs/run --map map.tsv --reviewer anna
    """
    from miner.lexicon.filling import FieldsConfig, fill_fields

    config = FieldsConfig(run, facets, layers, attach, encoder, drop, filled, reviewer, policy)
    click.echo(fill_fields(config, progress=BARS))


@commands.command()
@click.option("--lines", type=int, required=True, metavar="N", help="100 at least.")
@click.option("--out", type=folder_or_file, required=True, metavar="FOLDER")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--script",
    default="cyrillic",
    show_default=True,
    metavar="NAME",
    help="cyrillic, latin, greek, armenian, georgian, glagolitic, runic, tifinagh, or "
    "private (letters that no language has).",
)
@click.option("--words", type=int, metavar="N", help="Stems.  [default: more for more lines]")
@click.option(
    "--units",
    type=int,
    metavar="N",
    help="Planted units.  [default: one for 20 lines, 30 to 20,000]",
)
@click.option("--overwrite", is_flag=True, help="Replace a folder of synth that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def synth(as_json: bool, **options: Any) -> None:
    """Make up a language, write a corpus in it, and the key to what was planted.

    Words follow Zipf and a grammar; links, hyperlexemes, formulas, symbols, markers and nodes are
    planted among them; one line in eight is a scene, [SCN] ... [SEP] ... key.jsonl says what a
    miner should find, and how often it stands there. Memory stays the same for any number of lines.

    \b
    Examples:
      miner synth --lines 10000 --out made
      miner synth --lines 10000000 --out large --script runic --seed 7
    """
    from miner.synthesis.writing import SynthConfig, describe_language, write_language

    config = SynthConfig(**options)
    told = write_language(config, progress=BARS)
    click.echo(json.dumps(told) if as_json else describe_language(config, told))


def rewrite_options(command: Any) -> Any:
    """Add the options that `rewrite` and `restore` share."""
    options = [
        click.option(
            "--run",
            type=folder_or_file,
            metavar="RUN",
            help="Units of this run stand in their glued form.",
        ),
        click.option(
            "--dictionary",
            type=folder_or_file,
            metavar="FILE",
            help='Texts and signs of your own: {"свет": "☀{радость}"} in JSON or TOML, or '
            "two columns of TSV. A text may be a regular expression, re:Δ\\d+, or words "
            "near each other, дождь + грусть.",
        ),
        click.option(
            "--corpus",
            required=True,
            metavar="IN",
            help="A text file, also packed (.gz .zst .xz); lines of JSON for restore.",
        ),
        click.option("--out", type=folder_or_file, metavar="OUT", required=True),
        click.option(
            "--format",
            "form",
            type=click.Choice(("txt", "jsonl", "pairs")),
            default="txt",
            show_default=True,
            help='jsonl: {"text": ...} a line; pairs: {"source": ..., "hyper": ...}.',
        ),
        click.option(
            "--any-case",
            is_flag=True,
            help="Find texts of --dictionary with a capital and in capitals too: the sign "
            "then keeps the form, ☀⟨Свет⟩.",
        ),
        click.option(
            "--inflect",
            type=click.Choice(("ru",)),
            help="Find the words of --dictionary in all their forms too (Russian, by "
            "pymorphy3); the sign keeps the form, ☀⟨света⟩.",
        ),
        click.option(
            "--links",
            is_flag=True,
            help="Of --run links alone: a hyperlexeme is shown as its links.",
        ),
        click.option(
            "--style",
            type=click.Choice(("glued", "signs", "addresses")),
            default="glued",
            show_default=True,
            help="What stands for units of --run: glued forms; signs that the corpus does "
            "not have, one for a family: ⟁, ⟁₁, ⟁₂; or addresses, which begin alike where "
            "meanings are near: VXS_ΔC1:R8K.",
        ),
        click.option(
            "--markers",
            is_flag=True,
            help="Behind units of --run, how they hold together: _RESO_ (the parts recur "
            "together), _FORE_ and _BACK_ (one part calls for the other), _TENS_ (far "
            "meanings).",
        ),
        click.option(
            "--alphabet",
            metavar="SIGNS",
            help="The signs of --style signs; 930 symbols of Unicode by default.",
        ),
        policy_option,
        click.option("--resume", is_flag=True, help="Go on with work that was cut off."),
        click.option("--overwrite", is_flag=True, help="Replace a file that is there."),
        click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@commands.command()
@rewrite_options
@click.option(
    "--density",
    type=float,
    default=1.0,
    show_default=True,
    metavar="D",
    help="The share of places that get a sign.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of places.")
def rewrite(resume: bool, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Write a corpus as hyperword text: units or signs in the place of texts.

    Every line comes back byte for byte by `miner restore`, whatever is in it: signs that a text has
    by itself are escaped by ␛, and a line that would not come back is left as it is, behind ␚.

    \b
    Examples:
      miner rewrite --run outputs/run --corpus book.txt --out hyper.txt
      miner rewrite --dictionary signs.json --corpus wiki.txt.gz --out pairs.jsonl --format pairs
      miner restore --run outputs/run --corpus hyper.txt --out book_again.txt
    """
    _convert_corpus(options, back=False, resume=resume, overwrite=overwrite, as_json=as_json)


@commands.command()
@rewrite_options
def restore(resume: bool, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Give back the text that `miner rewrite` read, by the same options.

    \b
    Example:
      miner restore --run outputs/run --corpus hyper.txt --out book_again.txt
    """
    _convert_corpus(options, back=True, resume=resume, overwrite=overwrite, as_json=as_json)


def _convert_corpus(
    options: dict[str, Any], *, back: bool, resume: bool, overwrite: bool, as_json: bool
) -> None:
    from miner.rewriting.jobs import RewriteConfig, describe_done, restore_corpus, rewrite_corpus

    config = RewriteConfig(**options)
    work = restore_corpus if back else rewrite_corpus
    done = work(config, resume=resume, overwrite=overwrite, progress=BARS)
    told = vars(done) if as_json else describe_done(done, config, back=back)
    click.echo(json.dumps(told) if as_json else told)


def name_run(corpus: str) -> str:
    """Return the name of a corpus without what only a file system or a shell reads in it.

    Devices of Windows get a stroke behind their names.

    >>> [name_run(path) for path in ("a/novel.txt.gz", "logs/*.jsonl", "-", "../my texts/")]
    ['novel', 'logs', 'run', 'my_texts']
    >>> name_run("aux.txt")
    'aux_'
    """
    for part in reversed(Path(corpus).parts):
        name = re.sub(r"\W+", "_", part.split(".")[0]).strip("_")
        if name:
            return f"{name}_" if re.fullmatch(DEVICES, name, re.IGNORECASE) else name
    return "run"


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no ⟁ shows \\u27c1
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = commands.main(arguments, prog_name="miner", standalone_mode=False)
    except MinerError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USE)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; `miner mine --resume` goes on where it was cut off", err=True)
        sys.exit(STOPPED)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
