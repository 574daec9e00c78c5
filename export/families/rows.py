"""How far two sets of detected boxes lie apart: coordinates as parts of the page's longer side, scores as they are."""

from __future__ import annotations

import numpy as np

from paddlex_triton.export.families.base import max_difference


def relative_difference(wanted: np.ndarray, got: np.ndarray, side: float) -> float:
    """Return the largest difference of coordinates, as a part of a side; infinite for other forms, or NaN."""
    return max_difference(wanted, got) / side


def distinct_rows(first: np.ndarray, second: np.ndarray) -> float:
    """Return how far classes and scores of rows (float32 [..., 6]) lie apart: places follow the page's size too."""
    return max_difference(first[..., :2], second[..., :2])


def rows_difference(
    wanted: np.ndarray, got: np.ndarray, *, side: float, draw_threshold: float, same_order: bool
) -> float:
    """Return how far two answers of rows lie apart.

    Args:
        wanted: float32 [M,6]: class, score, x1, y1, x2, y2.
        got: the rows in question.
        side: the page's longer side, pixels.
        draw_threshold: scores that count.
        same_order: rows must be the same ones, in the same order. Otherwise only those count that score above half of
            `draw_threshold` on either side: an optimised graph rounds differently, and may then choose other ones
            among boxes that nobody would draw.

    Returns:
        The largest difference of two rows that stand for the same box, infinite where one has no partner.
    """
    if wanted.ndim != 2 or wanted.shape[1:] != got.shape[1:] or wanted.dtype != got.dtype:
        return float("inf")
    first, second = _relative(wanted, side), _relative(got, side)
    if same_order:
        return max_difference(first, second)
    if not np.isfinite(second).all():
        return float("inf")
    floor = draw_threshold / 2
    return float(max(_distances(*pair, floor).max(initial=0.0) for pair in ((first, second), (second, first))))


def other_rows(wanted: np.ndarray, got: np.ndarray, *, side: float, draw_threshold: float, tolerance: float) -> float:
    """Return the part of the rows that have no partner in the other answer, beyond one of each; see `rows_difference`.

    Args:
        wanted: float32 [M,6]: class, score, x1, y1, x2, y2.
        got: the rows in question.
        side: the page's longer side, pixels.
        draw_threshold: scores that count.
        tolerance: the distance to a partner.
    """
    if wanted.ndim != 2 or wanted.shape[1:] != got.shape[1:] or not np.isfinite(got).all():
        return float("inf")
    first, second = _relative(wanted, side), _relative(got, side)
    floor, pairs = draw_threshold / 2, ((first, second), (second, first))
    alone = [_distances(*pair, floor, within=tolerance) > tolerance for pair in pairs]
    beyond = sum(max(0, int(of_one.sum()) - 1) for of_one in alone)
    return beyond / max(1, sum(map(len, alone)))


def matched_difference(wanted: np.ndarray, got: np.ndarray, side: float) -> float:
    """Return the difference of two answers of the same rows, in any order; infinite if they are not as many."""
    if wanted.shape != got.shape or not np.isfinite(got).all():
        return float("inf")
    return float(_distances(_relative(wanted, side), _relative(got, side), -np.inf).max(initial=0.0))


def _relative(rows: np.ndarray, side: float) -> np.ndarray:
    return rows / np.array([1, 1, side, side, side, side], np.float64)


def _distances(rows: np.ndarray, others: np.ndarray, floor: float, within: float = np.inf) -> np.ndarray:
    """Return, of each row above a score, the distance to its nearest among others; none is the partner of two.

    Args:
        rows: float64 [M,6], coordinates as parts of the page's side.
        others: the rows of the other answer.
        floor: the score.
        within: what is further away is nobody's partner, and stays free.
    """
    free = np.ones(len(others), bool)
    found = []
    for row in rows[rows[:, 1] > floor]:
        apart = np.where(free, np.abs(others - row).max(axis=1), np.inf)
        nearest = int(apart.argmin()) if free.any() else None
        found.append(float("inf") if nearest is None else float(apart[nearest]))
        if nearest is not None and found[-1] <= within:
            free[nearest] = False
    return np.array(found, np.float64)
