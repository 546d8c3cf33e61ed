"""What goes where a process is stopped in the middle: drafts that nobody goes on with.

Not by `atexit`: what libraries have there takes locks, which the moment of a signal may hold.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_REMOVERS: list[Callable[[], None]] = []


def catch_signals(handler: Callable[..., object] | signal.Handlers) -> None:
    """Have signals that stop a process handled so; what is ignored, as by nohup, stays so."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def remove_if_stopped(remove: Callable[[], None]) -> None:
    """Have something removed where the process is stopped at any time from now on."""
    _REMOVERS.append(remove)


@contextmanager
def removed_if_stopped(remove: Callable[[], None]) -> Iterator[None]:
    """Have something removed where the process is stopped inside of the block."""
    _REMOVERS.append(remove)
    try:
        yield
    finally:
        _REMOVERS.remove(remove)


def remove_all() -> None:
    """Remove what is to go, the last first."""
    for remove in reversed(_REMOVERS):
        with suppress(Exception):
            remove()
