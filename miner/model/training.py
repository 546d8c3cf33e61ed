"""Blocks to a model that knows them: the steps, what they say, and what a stopped one leaves.

Every step depends on the seed and its number alone, so that a training which goes on behind a
checkpoint ends as one that was never stopped; on a CPU, with as many threads, bit for bit.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from miner.model.checkpoints import State, load_checkpoint, write_checkpoint
from miner.model.packing import Packing, Place, Sample
from miner.model.steps import Pace, make_optimizer, measure_bits, take_step
from miner.progress import Progress

MEASURES = 10  # times that held-back text is measured on the way
TOLD, SAVED = 10.0, 300.0  # seconds after which a line is told, a checkpoint written, at the latest


@dataclass(frozen=True)
class Saving:
    """Where checkpoints go, what they hold for, and the one to go on with."""

    folder: Path
    key: dict[str, Any]
    last: Path | None


def train_parts(
    model: Any,
    learning: dict[str, Any],
    packing: Packing,
    sample: Sample,
    pace: Pace,
    saving: Saving,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Take the steps that are left; return a line for each.

    KeyboardInterrupt after a checkpoint where the user has stopped it.
    """
    optimizer = make_optimizer(list(learning.values()), pace.rate)
    if saving.last is None:
        state = State(0, Place(), [{"step": 0, "bits_per_byte": measure_bits(model, sample, pace)}])
        progress.note(
            f"before: {state.history[0]['bits_per_byte']:.4f} bits per byte of held-back text"
        )
    else:
        state = load_checkpoint(saving.last, learning, optimizer)
        progress.note(f"going on behind step {state.step:,} of {pace.steps:,}")
    every = max(pace.steps // MEASURES, 1)
    start, first = time.monotonic(), state.step
    said = saved = start
    blocks = packing.read(state.place)
    with delayed_stop() as is_stopped:
        while state.step < pace.steps and not is_stopped():
            began = time.monotonic()
            read = [next(blocks) for _ in range(pace.blocks)]
            state.step, state.place = state.step + 1, read[-1][0]
            ids = np.stack([block for _, block in read])
            line: dict[str, Any] = {
                "step": state.step,
                "loss": take_step(model, optimizer, ids, state.step, pace),
                "ids": ids.size,
            }
            line["seconds"] = round(time.monotonic() - began, 3)
            state.history.append(line)
            measures = state.step % every == 0 or state.step == pace.steps
            if measures:
                line["bits_per_byte"] = measure_bits(model, sample, pace)
            now = time.monotonic()
            if measures or now - said > TOLD:
                left = (now - start) / (state.step - first) * (pace.steps - state.step)
                progress.note(describe_step(line, pace.steps, left))
                said = now
            if measures or is_stopped() or now - saved > SAVED:
                write_checkpoint(saving.folder, saving.key, state, learning, optimizer)
                saved = now
        if is_stopped() and state.step < pace.steps:
            progress.note(f"step {state.step:,} of {pace.steps:,} is saved in {saving.folder}")
            raise KeyboardInterrupt
    return state.history


def describe_step(line: dict[str, Any], steps: int, left: float) -> str:
    """Return how far a training is, in one line."""
    bits = f", {line['bits_per_byte']:.4f} bits per byte" if "bits_per_byte" in line else ""
    return (
        f"step {line['step']:,} of {steps:,}: loss {line['loss']:.4f}{bits}, {tell_time(left)} left"
    )


def tell_time(seconds: float) -> str:
    """Return a time as people say it.

    >>> tell_time(42), tell_time(600), tell_time(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@contextmanager
def delayed_stop() -> Iterator[Callable[[], bool]]:
    """Let a step end before Ctrl+C stops the training; a second one stops it at once."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _: Any) -> None:
        stopped.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield stopped.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
