"""Scores of detectors: polygons matched by their overlap, and average precision of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from shapely import STRtree, make_valid
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

# From this part of its area on, a polygon found on an ignored one is neither right nor wrong.
_ON_IGNORED = 0.5


@dataclass(frozen=True)
class MatchCounts:
    """How many of the things looked for were found; counts of several pictures add up.

    Attributes:
        expected: things to be found.
        found: things that a network reported, those on ignored things left out.
        matched: pairs of the two.
        overlap: sum of the pairs' intersections over unions.
    """

    expected: int = 0
    found: int = 0
    matched: int = 0
    overlap: float = 0.0

    def __add__(self, other: MatchCounts) -> MatchCounts:
        return MatchCounts(
            self.expected + other.expected,
            self.found + other.found,
            self.matched + other.matched,
            self.overlap + other.overlap,
        )

    @property
    def recall(self) -> float:
        """Part of the expected that was found; 0 where nothing was expected."""
        return self.matched / self.expected if self.expected else 0.0

    @property
    def precision(self) -> float:
        """Part of the found that was expected; 0 where nothing was found."""
        return self.matched / self.found if self.found else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        total = self.expected + self.found
        return 2 * self.matched / total if total else 0.0

    @property
    def mean_overlap(self) -> float:
        """Mean intersection over union of the pairs."""
        return self.overlap / self.matched if self.matched else 0.0


def match_polygons(
    found: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    ignored: Sequence[bool],
    min_overlap: float = 0.5,
) -> MatchCounts:
    """Pair polygons one to one, the largest overlaps first.

    Args:
        found: float or int [n, 2] each, x, y; may cross themselves.
        expected: the same.
        ignored: for each expected polygon, whether it counts neither way. What is found on one, by overlap or by half
            of its own area, and matches nothing else, is left out too.
        min_overlap: intersection over union from which a pair counts.
    """
    wanted = [_shape(polygon) for polygon, skip in zip(expected, ignored, strict=True) if not skip]
    unwanted = [_shape(polygon) for polygon, skip in zip(expected, ignored, strict=True) if skip]
    shapes = [_shape(polygon) for polygon in found]
    pairs = _pair(_overlaps(shapes, wanted), min_overlap)
    free = set(range(len(shapes))) - {row for row, _, _ in pairs}
    skipped = sum(_lies_on(shapes[row], unwanted, min_overlap) for row in free)
    return MatchCounts(len(wanted), len(shapes) - skipped, len(pairs), sum(overlap for _, _, overlap in pairs))


def _shape(polygon: np.ndarray) -> BaseGeometry:
    if len(polygon) < 3:
        return Polygon()
    shape = Polygon(np.asarray(polygon, np.float64))
    return shape if shape.is_valid else make_valid(shape)


def _overlaps(rows: Sequence[BaseGeometry], columns: Sequence[BaseGeometry]) -> list[tuple[int, int, float]]:
    """Row, column and intersection over union of all pairs that touch."""
    if not rows or not columns:
        return []
    near = STRtree(list(columns)).query(list(rows), predicate="intersects")
    found = []
    for row, column in near.T.tolist():
        common = rows[row].intersection(columns[column]).area
        whole = rows[row].area + columns[column].area - common
        found.append((row, column, common / whole if whole > 0 else 0.0))
    return found


def _pair(overlaps: list[tuple[int, int, float]], min_overlap: float) -> list[tuple[int, int, float]]:
    rows: set[int] = set()
    columns: set[int] = set()
    pairs = []
    for row, column, overlap in sorted(overlaps, key=lambda pair: -pair[2]):
        if overlap >= min_overlap and row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            pairs.append((row, column, overlap))
    return pairs


def _lies_on(shape: BaseGeometry, ignored: Sequence[BaseGeometry], min_overlap: float) -> bool:
    for other in ignored:
        common = shape.intersection(other).area
        whole = shape.area + other.area - common
        if whole > 0 and (common >= min_overlap * whole or common >= _ON_IGNORED * shape.area > 0):
            return True
    return False


def box_overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of all pairs of boxes, float64 [n, m].

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
    """Of one page: float64 [n, 2], score and whether the box is right; the best score takes its pick first."""
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
