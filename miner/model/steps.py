"""Blocks to one step of learning, and windows to bits: how wrong is the model, and how to mend it?

A plain loop, as all of its state is then in sight: what learns, its moments, and a step's number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from miner.errors import ModelError
from miner.model.packing import Sample

WARM = 0.03  # of the steps, in which the rate rises
LOWEST = 0.1  # of the rate, at the end
CLIP = 1.0  # the longest gradient
MOST_LOGITS = {"cpu": 1 << 26, "cuda": 1 << 28}  # numbers at a time


@dataclass(frozen=True)
class Pace:
    """How a model learns: `micro` blocks are held at a time, `blocks` make a step."""

    steps: int
    blocks: int
    micro: int
    rate: float
    seed: int
    device: str
    precision: str


def choose_micro(blocks: int, context: int, vocabulary: int, device: str) -> int:
    """Return how many blocks are computed at once, so that their logits fit.

    >>> choose_micro(16, 512, 151_936, "cpu"), choose_micro(16, 512, 1_000, "cpu")
    (1, 16)
    """
    return max(min(blocks, MOST_LOGITS[device] // (context * vocabulary)), 1)


def make_optimizer(learning: Sequence[Any], rate: float) -> Any:
    """Return AdamW without decay: a row that the text never asks for stays."""
    import torch

    return torch.optim.AdamW(learning, lr=rate, weight_decay=0.0)


def choose_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate of a step, counted from 1: up in a line, down along a cosine.

    >>> [round(choose_rate(step, 100, 1.0), 3) for step in (1, 3, 51, 100)]
    [0.333, 1.0, 0.557, 0.1]
    """
    warm = max(round(WARM * steps), 1)
    if step <= warm:
        return peak * step / warm
    done = (step - warm) / max(steps - warm, 1)
    return peak * (LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * done)) / 2)


def take_step(model: Any, optimizer: Any, blocks: np.ndarray, step: int, pace: Pace) -> float:
    """Learn from blocks of ids, (blocks, length); return the mean loss in nats a token."""
    import torch

    model.train()
    torch.manual_seed((pace.seed * 1_000_003 + step) % (1 << 63))  # of dropout, where there is some
    for group in optimizer.param_groups:
        group["lr"] = choose_rate(step, pace.steps, pace.rate)
    optimizer.zero_grad(set_to_none=True)
    total, count = 0.0, blocks.shape[0] * (blocks.shape[1] - 1)
    with told_memory():
        for start in range(0, len(blocks), pace.micro):
            ids = torch.from_numpy(blocks[start : start + pace.micro].astype(np.int64))
            loss = sum_losses(model, ids, None, pace) / count
            loss.backward()
            total += float(loss.detach())
        if not math.isfinite(total):
            raise ModelError(
                f"the loss is no number at step {step:,}",
                cure="Start afresh with --overwrite and a lower --learning-rate",
            )
        learning = [tensor for group in optimizer.param_groups for tensor in group["params"]]
        torch.nn.utils.clip_grad_norm_(learning, CLIP)
        optimizer.step()
    return total


def sum_losses(model: Any, ids: Any, told: Any, pace: Pace) -> Any:
    """Return the sum of losses in nats; only ids of `told` count, all where it is None."""
    import torch

    ids = ids.to(pace.device)
    fast = pace.precision == "bfloat16"
    with torch.autocast(pace.device, dtype=torch.bfloat16, enabled=fast):
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    wanted = ids[:, 1:] if told is None else ids[:, 1:].masked_fill(~told.to(pace.device), -100)
    return torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(), wanted.reshape(-1), reduction="sum"
    )


def measure_bits(model: Any, sample: Sample, pace: Pace) -> float:
    """Return the bits that a model needs for a byte of text: less is better, 8 is no idea."""
    import torch

    model.eval()
    nats = 0.0
    with torch.no_grad(), told_memory():
        for ids, told in batch_windows(sample, pace.micro):
            nats += float(sum_losses(model, torch.from_numpy(ids), torch.from_numpy(told), pace))
    if not math.isfinite(nats):
        raise ModelError(
            "what the model says of held-back text is no number",
            cure="Check its weights, or give --precision float32",
        )
    return nats / math.log(2) / sample.bytes


def batch_windows(sample: Sample, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield windows of one length, `most` at a time: ids int64 (n, length), what counts bool."""
    for _, same in groupby(sample.windows, key=lambda window: len(window[0])):
        windows = list(same)
        for start in range(0, len(windows), most):
            part = windows[start : start + most]
            yield (
                np.stack([ids for ids, _ in part]).astype(np.int64),
                np.stack([told for _, told in part]),
            )


@contextmanager
def told_memory() -> Iterator[None]:
    """Turn a GPU that is full into one line with its cure."""
    import torch

    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(
            "the GPU has too little memory",
            cure="Give a shorter --context, --four-bit, --rows-only, or --device cpu",
        ) from error
