"""What several commands share: options, each said once, and how an answer is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def show(text: str, data: Callable[[], Any], *, as_json: bool) -> None:
    """Print an answer: its text for people, or its data as JSON for programs."""
    click.echo(json.dumps(data()) if as_json else text)
