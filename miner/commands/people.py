"""A run to people: decide on it, ask it, take it along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from miner.commands import options as shared
from miner.commands.options import BARS, STDOUT, folder_or_file, show
from miner.errors import need_extra

EXPORTS = ("jsonl", "csv", "parquet", "txt", "json", "merges", "map")
WAYS = ("auto", "text", "id", "address")


@click.command()
@shared.run_argument
@shared.policy_option
@shared.reviewer_option(help="Whose log it is.  [default: the system's user]")
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
    from miner.api.mining import open_run

    need_extra("review", "the review in Jupyter")
    found = open_run(run, policy=policy)
    return found.open_lab(reviewer, browser=not no_browser, port=port)


@click.command("explain")
@shared.run_argument
@click.argument("text", metavar="TEXT")
@shared.json_option(help="Print all of it as JSON.")
@shared.policy_option
def tell_reasons(run: Path, text: str, as_json: bool, policy: Any) -> None:
    """Tell why TEXT became a unit of RUN, or why not, and what would change that.

    \b
    Examples:
      miner explain outputs/run "in order to"
      miner explain outputs/run Δ41 --json
    """
    from miner.api.mining import open_run

    found = open_run(run, policy=policy).explain(text)
    show(str(found), lambda: found.data, as_json=as_json)


@click.command()
@shared.run_argument
@click.option(
    "--key",
    type=folder_or_file,
    required=True,
    metavar="FILE",
    help="Units that should be found: one a line, or lines of JSON with token, kind and count.",
)
@shared.json_option(help="Print all of it as JSON.")
def grade(run: Path, key: Path, as_json: bool) -> None:
    """Hold RUN, as it was mined, against an answer key: what was found, what was missed and why.

    The key of `miner synth` says all that was planted. A list of terms of your own says less: what
    it does not have may be right all the same.

    \b
    Examples:
      miner grade outputs/run --key made/key.jsonl
      miner grade outputs/run --key terms.txt --json
    """
    from miner.api.mining import open_run

    told = open_run(run).grade(key)
    show(told.text, lambda: told.data, as_json=as_json)


@click.command()
@shared.run_argument
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
@shared.json_option(help="Print all of it as JSON.")
@shared.policy_option
def lookup(
    run: Path,
    text: str,
    by: Any,
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
    from miner.api.mining import open_run

    found = open_run(run, policy=policy)
    told = found.lookup(text, by=by, k=k, layer=layer, tokenizer=tokenizer)
    show(told.text, lambda: told.data, as_json=as_json)


@click.command()
@shared.run_argument
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
@shared.reviewer_option(help="Whose --map it is.  [default: the system's user]")
@shared.policy_option
def fields(**options: Any) -> None:
    """Tell the fields of RUN anew: with other anchors, what was decided, layers of your own.

    \b
    Examples:
      miner fields outputs/run --facets warm_and_cold.toml
      miner fields outputs/run --layers smells.tsv --attach photo=photos.parquet --encoder ./clip
      miner fields outputs/run --map map.tsv --reviewer anna
    """
    from miner.api.mining import open_run

    run = open_run(options.pop("run"), policy=options.pop("policy"))
    click.echo(run.tell_fields(progress=BARS, **options))


@click.command()
@shared.run_argument
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
@shared.file_option(metavar="FILE", help="The file to write; - is standard output.")
@shared.overwrite_option(help="Replace a file that is there.")
@shared.policy_option
def export(run: Path, form: Any, out: Path, overwrite: bool, policy: Any) -> None:
    """Write the vocabulary of RUN as its reviewers want it to one file.

    \b
    Examples:
      miner export outputs/run --format jsonl --out units.jsonl
      miner export outputs/run --format merges --out merges.tsv --policy latest
    """
    from miner.api.mining import open_run

    exported = open_run(run, policy=policy).export(out, format=form, overwrite=overwrite)
    for note in exported.notes:
        BARS.note(note)
    said = ", ".join(f"{count:,} {name}" for name, count in exported.counts.items())
    told = f"{exported.units:,} units in {out}; decisions: {said or 'none'}"
    click.echo(told, err=out == STDOUT)


@click.command()
@shared.run_argument
@shared.policy_option
def report(run: Path, policy: Any) -> None:
    """Write the report of RUN again, with what reviewers have decided since.

    \b
    Example:
      miner report outputs/run
    """
    from miner.api.mining import open_run

    click.echo(f"Next: open {open_run(run, policy=policy).report()}")
