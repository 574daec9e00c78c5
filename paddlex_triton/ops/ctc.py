"""Greedy decoding of CTC (Connectionist Temporal Classification) outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLANK = 0


@dataclass(frozen=True)
class CtcLine:
    """A line, and where its characters come from.

    Attributes:
        text: the line.
        score: see `decode`.
        characters: the text's, one per step that is kept.
        columns: those steps, ascending from 0.
    """

    text: str
    score: float
    characters: list[str]
    columns: list[int]


def decode(indices: np.ndarray, probs: np.ndarray, characters: Sequence[str]) -> tuple[list[str], list[float]]:
    """Read the best path: repeats are joined, then blanks dropped.

    Args:
        indices: integers [N, T], the best class of every step.
        probs: float32 [N, T], its probability.
        characters: one string per class; class 0 is the blank.

    Returns:
        N texts, and N scores: the mean probability of the steps that are kept, computed in float32; 0.0 for an empty
        text.

    Raises:
        ValueError: shapes or dtypes are not as said above, or a class has no character.
    """
    lines = decode_lines(indices, probs, characters)
    return [line.text for line in lines], [line.score for line in lines]


def decode_lines(indices: np.ndarray, probs: np.ndarray, characters: Sequence[str]) -> list[CtcLine]:
    """Read the best path as `decode` does, with the step at which each character was read.

    Args:
        indices: see `decode`.
        probs: see `decode`.
        characters: see `decode`.

    Returns:
        A line per row.

    Raises:
        ValueError: as for `decode`.
    """
    if indices.ndim != 2 or indices.dtype.kind not in "iu":
        raise ValueError(f"indices: expected integers of shape [N, T], got {indices.dtype} {list(indices.shape)}")
    if probs.shape != indices.shape or probs.dtype != np.float32:
        raise ValueError(f"probs: expected float32 {list(indices.shape)}, got {probs.dtype} {list(probs.shape)}")
    if indices.size and (indices.min() < 0 or indices.max() >= len(characters)):
        raise ValueError(f"indices: expected 0 to {len(characters) - 1} (the characters), got {indices.max()}")
    keep = keep_mask(indices)
    path: list[int] = indices[keep].tolist()
    symbols = [characters[index] for index in path]
    columns, kept_probs = keep.nonzero()[1].tolist(), probs[keep]
    lines, start = [], 0
    for end in np.cumsum(keep.sum(axis=1)).tolist():
        score = float(kept_probs[start:end].mean()) if end > start else 0.0
        lines.append(CtcLine("".join(symbols[start:end]), score, symbols[start:end], columns[start:end]))
        start = end
    return lines


def keep_mask(indices: np.ndarray) -> np.ndarray:
    """Mark the steps of [N, T] that give a character: not blank, and other than the step before. bool [N, T]."""
    keep = indices != BLANK
    keep[:, 1:] &= indices[:, 1:] != indices[:, :-1]
    return keep
