"""The front door: words to one call of the library, errors to an exit code."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import NoReturn

import click

from miner import __version__
from miner.commands import corpora, mining, models, people, tokenizers
from miner.commands.options import STOPPED
from miner.errors import MinerError
from miner.stopping import catch_signals, remove_all

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


for command in (
    mining.mine,
    mining.inspect,
    mining.synth,
    people.review,
    people.tell_reasons,
    people.lookup,
    people.fields,
    people.export,
    people.report,
    people.grade,
    tokenizers.train,
    tokenizers.check,
    tokenizers.compare,
    tokenizers.diff,
    models.adopt,
    models.tune,
    corpora.rewrite,
    corpora.restore,
):
    commands.add_command(command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no ⟁ shows \\u27c1
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    words = sys.argv[1:] if arguments is None else arguments
    if arguments is None:  # a process of its own
        catch_signals(partial(_stop, words))
    try:
        code = commands.main(words, prog_name="miner", standalone_mode=False)
    except MinerError as error:
        click.echo(f"error: {error.as_command()}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USE)
    except (KeyboardInterrupt, click.Abort):
        click.echo(_say_stopped(words), err=True)
        sys.exit(STOPPED)
    sys.exit(code if isinstance(code, int) else 0)


def _say_stopped(words: list[str]) -> str:
    """Return how a command that was stopped is gone on with."""
    command = next((commands.commands[word] for word in words if word in commands.commands), None)
    if command is not None and any(option.name == "resume" for option in command.params):
        return "stopped; the same command with --resume goes on where it was cut off"
    return "stopped; what was there is as it was"


def _stop(words: list[str], number: int, frame: FrameType | None) -> NoReturn:
    """Leave at once, as a kill would, but for what nobody goes on with.

    An exception that comes while compiled code hands its results over crashes the process; and
    what a kill leaves is whole anyway.
    """
    del number, frame
    catch_signals(signal.SIG_IGN)
    with suppress(OSError, ValueError):  # the terminal may be gone; no buffer, which may be in use
        begin = "\n" if os.isatty(2) else ""  # behind a bar
        os.write(2, f"{begin}{_say_stopped(words)}\n".encode())
    remove_all()
    os._exit(STOPPED)
