"""Ranks to frequencies: how often is the first drawn, how often the last?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def weigh_ranks(count: int, *, exponent: float, shift: float = 0.0) -> np.ndarray:
    """Return probabilities that fall as (rank + shift) ** -exponent (Zipf, Mandelbrot).

    >>> weigh_ranks(2, exponent=1.0).round(3).tolist()
    [0.667, 0.333]
    """
    weights = (np.arange(1, count + 1, dtype=np.float64) + shift) ** -exponent
    return np.asarray(weights / weights.sum())


def draw_ranks(
    rng: np.random.Generator, count: int, size: int, *, exponent: float, shift: float = 0.0
) -> np.ndarray:
    """Return `size` ranks from 0, by the weights above."""
    ends = np.cumsum(weigh_ranks(count, exponent=exponent, shift=shift))[:-1]
    return np.searchsorted(ends, rng.random(size), side="right")


@dataclass(frozen=True)
class Urn:
    """Things to draw from, those of one topic side by side.

    `things[i]` is drawn with probability `ends[i] - ends[i - 1]`; those of topic t lie between
    the probabilities `topics[t]` and `topics[t + 1]`, so that one number in 0..1 draws from all
    of them, and squeezed into that interval from those of the topic.
    """

    things: np.ndarray
    ends: np.ndarray
    topics: np.ndarray

    def draw(self, numbers: np.ndarray, topics: np.ndarray, share: float) -> np.ndarray:
        """Return a thing for each of `numbers` in 0..1: `share` of them from the topic there."""
        low, high = self.topics[topics], self.topics[topics + 1]
        bound = (numbers < share) & (high > low)
        inside = low + (high - low) * (numbers / share)
        outside = (numbers - share) / (1 - share)
        places = np.where(bound, inside, np.where(numbers < share, numbers / share, outside))
        return self.things[np.searchsorted(self.ends, places, side="right")]


def fill_urn(rng: np.random.Generator, things: np.ndarray, weights: np.ndarray, topics: int) -> Urn:
    """Return an urn in which each thing has a topic by chance."""
    topic_of = rng.integers(topics, size=len(things))
    order = np.argsort(topic_of, kind="stable")
    ends = np.cumsum(weights[order])
    sizes = np.bincount(topic_of, minlength=topics)
    bounds = np.concatenate([[0.0], ends])[np.concatenate([[0], np.cumsum(sizes)])]
    return Urn(things[order].astype(np.int32), ends[:-1], bounds)
