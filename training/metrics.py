"""Scores of boxes: average precision, recall and precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def box_overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersection over union of all pairs of boxes, float64 [n, m].

    Args:
        first: float [n, 4], x1, y1, x2, y2.
        second: float [m, 4].
    """
    one, other = first[:, None].astype(np.float64), second[None].astype(np.float64)
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    common = np.prod(np.clip(sides, 0, None), axis=2)
    whole = np.prod(one[..., 2:] - one[..., :2], axis=2) + np.prod(other[..., 2:] - other[..., :2], axis=2) - common
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)


@dataclass(frozen=True)
class BoxScores:
    """How well boxes of one class were found.

    Attributes:
        expected: boxes to be found.
        average_precision: area under the curve of precision over recall, precision made monotonic, all points.
        recall: with the boxes whose score reaches the threshold alone.
        precision: with the same boxes.
    """

    expected: int
    average_precision: float
    recall: float
    precision: float


def score_boxes(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], *, min_score: float = 0.5, min_overlap: float = 0.5
) -> BoxScores:
    """Score the boxes of one class on several pages, as COCO does at one overlap.

    Args:
        found: for each page float [n, 5]: score, x1, y1, x2, y2.
        expected: for each page float [m, 4]: x1, y1, x2, y2.
        min_score: threshold of recall and precision; the average precision looks at all boxes.
        min_overlap: intersection over union from which a box counts as found.
    """
    hits = [_hits(rows, boxes, min_overlap) for rows, boxes in zip(found, expected, strict=True)]
    flat = np.concatenate(hits) if hits else np.zeros((0, 2))
    flat = flat[np.argsort(-flat[:, 0], kind="stable")]
    total = sum(len(boxes) for boxes in expected)
    counted = flat[flat[:, 0] >= min_score, 1]
    right = float(counted.sum())
    return BoxScores(
        total,
        _average_precision(flat[:, 1], total),
        right / total if total else 0.0,
        right / len(counted) if len(counted) else 0.0,
    )


def _hits(rows: np.ndarray, boxes: np.ndarray, min_overlap: float) -> np.ndarray:
    """Match one page's boxes: float64 [n, 2], score and whether it is right; the best score takes its pick first."""
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    hits = np.zeros((len(rows), 2))
    hits[:, 0] = rows[:, 0]
    overlaps = box_overlaps(rows[:, 1:], boxes)
    for index in range(len(rows) if len(boxes) else 0):
        best = int(np.argmax(overlaps[index]))
        if overlaps[index, best] >= min_overlap:
            hits[index, 1] = 1
            overlaps[:, best] = -1
    return hits


def _average_precision(right: np.ndarray, total: int) -> float:
    if total == 0 or len(right) == 0:
        return 0.0
    matched = np.cumsum(right)
    precision = matched / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(precision * right) / total)
