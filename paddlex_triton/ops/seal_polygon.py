"""A seal's text line before it is straightened: is a plain rectangle enough, and its main vertices."""

from __future__ import annotations

import cv2
import numpy as np
import shapely

# A polygon that fills this much of its rectangle (intersection over union) is cut out as that rectangle.
_FILLED = 0.7
# Room for rounding in the areas: below 0.7 less this, intersection and union need not be computed.
_IOU_MARGIN = 1e-3
# Of the mean length of the edges: a shorter edge joins its ends.
_SHORT_EDGE = 0.9


def is_simple(points: np.ndarray) -> bool:
    """Tell whether a polygon has an area and does not touch or cross itself; repeated neighbours are fine.

    Args:
        points: [n, 2] x, y, n >= 3; the last point need not repeat the first.
    """
    return bool(shapely.is_valid(shapely.polygons(points)))


def rectangle_iou(points: np.ndarray, rectangle: np.ndarray) -> float:
    """Return the area common to a polygon and a rectangle, divided by the area that they cover together.

    Args:
        points: [n, 2] x, y of a simple polygon.
        rectangle: [4, 2] corners in order.
    """
    polygon, quad = shapely.polygons(points), shapely.polygons(rectangle)
    union = shapely.area(shapely.union(polygon, quad))
    return float(shapely.area(shapely.intersection(polygon, quad)) / (union + 1e-10))


def fills_rectangle(points: np.ndarray, rectangle: np.ndarray) -> bool:
    """Tell whether `rectangle_iou` is at least 0.7, without computing it where the areas alone decide.

    The common area is never above the polygon's and the union never below the rectangle's: the ratio of the two bounds
    the result from above.

    Args:
        points: int32 [n, 2] x, y of a simple polygon.
        rectangle: float32 [4, 2] corners in order.
    """
    least = (_FILLED - _IOU_MARGIN) * cv2.contourArea(rectangle)
    return cv2.contourArea(points) >= least and rectangle_iou(points, rectangle) >= _FILLED


def merge_short_edges(points: np.ndarray) -> np.ndarray:
    """Replace runs of vertices that lie close together by their mean.

    An edge is short when it is below 0.9 times the mean edge. The edge from the last point to the first is not in the
    mean; if it is short, the last run joins the first.

    Args:
        points: int32 [n, 2] x, y, n >= 2.

    Returns:
        int32 [m, 2], m <= n; fractions are cut off.
    """
    lengths = edge_lengths(points)
    # Summed from the first to the last, as PaddleX does: the last bit decides ties.
    limit = _SHORT_EDGE * (float(lengths.cumsum()[-1]) / (len(lengths) + 1e-8))
    bounds = np.concatenate(([0], np.flatnonzero(lengths >= limit) + 1, [len(points)]))
    sums = np.add.reduceat(points, bounds[:-1], axis=0, dtype=np.int64)
    counts = bounds[1:] - bounds[:-1]
    if edge_lengths(points[[-1, 0]])[0] < limit:
        sums[0] += sums[-1]
        counts[0] += counts[-1]
        sums, counts = sums[:-1], counts[:-1]
    return (sums / counts[:, None]).astype(np.int32)


def edge_lengths(points: np.ndarray) -> np.ndarray:
    """Return the distances of neighbours in a polyline [n, 2], float64 [n - 1]."""
    return lengths_of((points[1:] - points[:-1]).astype(np.float64))


def lengths_of(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths of vectors [n, 2], in their floating type."""
    squares = vectors * vectors
    return np.sqrt(squares[:, 0] + squares[:, 1])
