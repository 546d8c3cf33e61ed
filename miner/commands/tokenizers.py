"""A run to a tokenizer, and tokenizers tried, compared and told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from miner.commands import options as shared
from miner.commands.options import BARS, folder_or_file, show
from miner.errors import UsageError, need_extra

TRAINERS = ("hf-bpe", "hf-unigram", "sentencepiece-bpe", "sentencepiece-unigram")
SHAPES = ("llama-3-8b", "llama-3-70b", "mistral-7b", "qwen2.5-0.5b", "qwen2.5-7b", "gpt2")


@click.command()
@shared.run_argument
@shared.corpus_option(
    help="What to train on, in the forms that `miner mine` reads; may come several times.  "
    "[default: the run's own text]"
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
@shared.out_option(metavar="FOLDER")
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
@shared.column_option
@shared.errors_option
@shared.policy_option
@shared.overwrite_option(help="Replace a tokenizer that is there.")
@shared.json_option(help="Print the card as JSON.")
def train(as_json: bool, **options: Any) -> None:
    """Train a tokenizer in which the units of RUN are one id each.

    \b
    Examples:
      miner train outputs/run --corpus texts/ --vocab-size 32768 --out tokenizer
      miner train outputs/run --corpus texts/ --trainer sentencepiece-unigram --exact --out tok
      miner train outputs/run --corpus texts/ --from ./llama-tokenizer --units 5000 --out tok
    """
    from miner.api.mining import open_run

    if options["trainer"].startswith("sentencepiece") and options["base"] is None:
        need_extra("sentencepiece", f"--trainer {options['trainer']}")
    run = open_run(options.pop("run"), policy=options.pop("policy"))
    corpus = options.pop("corpus") or None
    tokenizer = run.train_tokenizer(options.pop("trainer"), corpus=corpus, progress=BARS, **options)
    show(tokenizer.summary(), lambda: tokenizer.card, as_json=as_json)


@click.command()
@click.argument("tokenizer", type=folder_or_file, metavar="TOKENIZER")
@shared.run_option(metavar="RUN", help="Check every unit of this run too.")
@shared.json_option(help="Print the checks as JSON.")
def check(tokenizer: Path, run: Path | None, as_json: bool) -> int:
    """Check that units are one id, the same id everywhere, and come back.

    TOKENIZER is a folder or a file, of miner or not. Exit code 1 where something fails.

    \b
    Examples:
      miner check tokenizer --run outputs/run
      miner check ./gpt2/tokenizer.json
    """
    from miner.api.tokenizers import load_tokenizer

    checks = load_tokenizer(tokenizer).check(run=run)
    show(checks.describe(str(tokenizer)), checks.to_list, as_json=as_json)
    return int(not checks)


@click.command()
@click.argument("old", type=folder_or_file, metavar="OLD")
@click.argument("new", type=folder_or_file, metavar="NEW")
@click.option(
    "--sample",
    type=folder_or_file,
    metavar="PATH",
    help="Text to measure on, a document a line.  [default: lines in many scripts, code, numbers]",
)
@shared.json_option(help="Print the differences as JSON.")
def diff(old: Path, new: Path, sample: Path | None, as_json: bool) -> int:
    """Tell what NEW changes against OLD, how bad it is, and what mends it.

    OLD and NEW are tokenizers, a file or a folder; beside a model, its rows for new tokens are
    looked at too. Exit code 1 where something was removed, moved or lost; additions are notices.

    \b
    Examples:
      miner diff ./base ./tokenizer
      miner diff before/tokenizer.json after/tokenizer.json --sample prompts.txt
    """
    from miner.api.tools import diff as diff_tokenizers

    told = diff_tokenizers(old, new, sample=sample)
    show(told.text, lambda: told.data, as_json=as_json)
    return int(told.data["exit_code"])


@click.command()
@click.argument("tokenizers", type=folder_or_file, nargs=-1, required=True, metavar="TOKENIZER...")
@shared.corpus_option(
    help="Text that none of them was trained on, in the forms that `miner mine` reads; may come "
    "several times."
)
@shared.run_option(
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
@shared.page_option
@shared.column_option
@shared.errors_option
@shared.json_option(help="Print all figures as JSON.")
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
    from miner.api.results import check_page
    from miner.api.tools import compare as compare_tokenizers

    if not options["corpus"]:
        raise UsageError("no corpus is named", cure="Add --corpus PATH")
    check_page(page)
    told = compare_tokenizers(tokenizers, progress=BARS, **options)
    show(told.text, lambda: told.data, as_json=as_json)
    if page is not None:
        told.save(page)
