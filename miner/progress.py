"""How far is long work? One protocol for bars and remarks, silent by default.

A function that may take long has a parameter `progress`. It opens a task for each part of its work
and leaves a note where a person should know something:

>>> class Plain:
...     @contextmanager
...     def task(self, name, total, unit):
...         print(f"{name}: {total} {unit}")
...         yield lambda steps: print(f"+{steps}")
...
...     def note(self, line):
...         print(line)
>>> def count_lines(lines, progress=SILENT):
...     with progress.task("counting", len(lines), "line") as advance:
...         advance(len(lines))
...     progress.note("done")
>>> count_lines(["a", "b"], Plain())
counting: 2 line
+2
done
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from miner.errors import UsageError, escape_hidden

Advance = Callable[[int], None]


def idle(steps: int) -> None:
    """Take in how many steps are done, and tell nobody."""
    del steps


class Progress(Protocol):
    """Who is told how far long work is: the protocol of the argument `progress`.

    >>> class Plain:
    ...     @contextmanager
    ...     def task(self, name, total, unit):
    ...         yield lambda steps: print(f"{name}: {steps} of {total} {unit}")
    ...
    ...     def note(self, line):
    ...         print(line)
    >>> with Plain().task("counting", 3, "line") as advance:
    ...     advance(3)
    counting: 3 of 3 line
    """

    def task(self, name: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Yield a function to call with how many of `total` are newly done.

        Args:
            name: what is done, for people.
            total: how many steps there are, 0 where nobody knows.
            unit: what a step is, for people.
        """

    def note(self, line: str) -> None:
        """Take in a remark for people."""


class Silent:
    """Tells nothing to anybody."""

    @contextmanager
    def task(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Yield a function that does nothing."""
        del name, total, unit
        yield idle

    def note(self, line: str) -> None:
        """Drop the remark."""


class Bars:
    """Bars with rates and lines of text on standard error; in Jupyter a widget.

    With `shown=None` bars are left out where standard error is no terminal; notes are not.
    """

    def __init__(self, *, shown: bool | None = True) -> None:
        self._disable = None if shown is None else not shown

    @contextmanager
    def task(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Show a bar while the block runs."""
        from tqdm.auto import tqdm

        with tqdm(
            total=total,
            desc=name,
            unit=unit,
            unit_scale=True,
            file=sys.stderr,
            disable=self._disable,
            leave=False,
        ) as bar:

            def advance(steps: int) -> None:
                bar.update(steps)

            yield advance

    def note(self, line: str) -> None:
        """Write a line above the bars."""
        from tqdm.auto import tqdm

        plain = "\n".join(map(escape_hidden, line.split("\n")))
        tqdm.write(plain, file=sys.stderr)


SILENT: Progress = Silent()


def choose_progress(wanted: bool | Progress) -> Progress:
    """Return bars for True, silence for False, and any other object of the protocol as it is."""
    if isinstance(wanted, bool):
        return Bars() if wanted else SILENT
    if not (hasattr(wanted, "task") and hasattr(wanted, "note")):
        raise UsageError(
            f"progress is {wanted!r}", cure="Give True, False or an object of miner.Progress"
        )
    return wanted
