"""Corpora to hyperword text and back."""

from __future__ import annotations

from typing import Any

import click

from miner.commands import options as shared
from miner.commands.options import BARS, STDOUT, folder_or_file, show


def rewrite_options(command: Any) -> Any:
    """Add the options that `rewrite` and `restore` share."""
    options = [
        shared.run_option(metavar="RUN", help="Units of this run stand in their glued form."),
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
            help="A text file, also packed (.gz .zst .xz); lines of JSON for restore. A folder or "
            "a quoted glob keeps its tree: OUT is a folder then.",
        ),
        shared.file_option(
            metavar="OUT", help="The file or folder to write; - is standard output."
        ),
        click.option(
            "--format",
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
        shared.policy_option,
        shared.resume_option(help="Go on with work that was cut off."),
        shared.overwrite_option(help="Replace a file that is there."),
        shared.json_option(help="Print what was done as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@rewrite_options
@click.option(
    "--density",
    type=float,
    default=1.0,
    show_default=True,
    metavar="D",
    help="The share of places that get a sign.",
)
@shared.seed_option(help="Of the choice of places.")
def rewrite(as_json: bool, **options: Any) -> None:
    """Write a corpus as hyperword text: units or signs in the place of texts.

    Every line comes back byte for byte by `miner restore`, whatever is in it: signs that a text has
    by itself are escaped by ␛, and a line that would not come back is left as it is, behind ␚.

    \b
    Examples:
      miner rewrite --run outputs/run --corpus book.txt --out hyper.txt
      miner rewrite --dictionary signs.json --corpus wiki.txt.gz --out pairs.jsonl --format pairs
      miner restore --run outputs/run --corpus hyper.txt --out book_again.txt
    """
    from miner.api.rewriting import rewrite as rewrite_corpus

    told = rewrite_corpus(progress=BARS, **options)
    show(told.text, lambda: told.data, as_json=as_json, err=options["out"] == STDOUT)


@click.command()
@rewrite_options
def restore(as_json: bool, **options: Any) -> None:
    """Give back the text that `miner rewrite` read, by the same options.

    \b
    Example:
      miner restore --run outputs/run --corpus hyper.txt --out book_again.txt
    """
    from miner.api.rewriting import restore as restore_corpus

    told = restore_corpus(progress=BARS, **options)
    show(told.text, lambda: told.data, as_json=as_json, err=options["out"] == STDOUT)
