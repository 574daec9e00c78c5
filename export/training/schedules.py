"""What changes in the course of a training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def at(ends: tuple[float, float], done: float) -> float:
    """A value between those at the start and at the end of a training.

    Args:
        ends: the two values.
        done: part of the training that is done; below 0 and above 1 count as 0 and 1.
    """
    part = min(max(done, 0.0), 1.0)
    return (1 - part) * ends[0] + part * ends[1]


def choose(shares: Sequence[tuple[float, float]], done: float, rng: np.random.Generator) -> int:
    """One of several things by chance, whose shares (start, end) change in the course of a training; its number."""
    now = np.array([at(share, done) for share in shares])
    return int(rng.choice(len(now), p=now / now.sum()))
