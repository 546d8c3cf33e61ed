"""What several commands share: options, each said once, and how an answer is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from miner.config import CHOICES
from miner.progress import Bars

BARS = Bars(shown=None)
STOPPED = 130
folder_or_file = click.Path(path_type=Path)
policy_option = click.option(
    "--policy",
    type=click.Choice(CHOICES["policy"]),
    default="majority",
    show_default=True,
    help="What holds where reviewers of the run differ.",
)
run_argument = click.argument("run", type=folder_or_file, metavar="RUN")
column_option = click.option("--text-column", metavar="NAME", help="Of tables and JSON lines.")
page_option = click.option(
    "--html",
    "page",
    type=folder_or_file,
    metavar="FILE",
    help="Write one page with pictures.  [default: none]",
)
errors_option = click.option("--on-error", type=click.Choice(CHOICES["on_error"]), default="stop")
reviewer_option = partial(click.option, "--reviewer", metavar="NAME")
seed_option = partial(click.option, "--seed", type=int, default=0, show_default=True)
corpus_option = partial(click.option, "--corpus", "corpus", multiple=True, metavar="PATH")
run_option = partial(click.option, "--run", type=folder_or_file)
out_option = partial(click.option, "--out", type=folder_or_file, required=True)
STDOUT = Path("/dev/stdout")
# A file to write; `-` is standard output
file_option = partial(out_option, callback=lambda _, __, out: STDOUT if str(out) == "-" else out)
resume_option = partial(click.option, "--resume", is_flag=True)
overwrite_option = partial(click.option, "--overwrite", is_flag=True)
json_option = partial(click.option, "--json", "as_json", is_flag=True)


def show(text: str, data: Callable[[], Any], *, as_json: bool, err: bool = False) -> None:
    """Print an answer: its text for people, or its data as JSON for programs.

    `err`: to standard error, where something else goes to standard output.
    """
    click.echo(json.dumps(data()) if as_json else text, err=err)
