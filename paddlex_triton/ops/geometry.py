"""Rectangles around points, as PaddleX orders their corners."""

from __future__ import annotations

from operator import itemgetter

import cv2
import numpy as np

_by_x = itemgetter(0)


def min_area_rectangle(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the rotated rectangle of least area around some points.

    PaddleX's order: clockwise from the upper one of the two leftmost corners. Of text that lies or stands upright that
    is its top left. Of a steep column whose top leans to the left it is at the upper end, and the edge from there runs
    down along the column; of one that leans to the right it is at the lower end, and the edge runs up.

    Args:
        points: int32 or float32 [n, 2] or [n, 1, 2], x and y, n >= 1.

    Returns:
        float32 [4, 2] corners: the upper one of the left two, the upper one of the right two, the other right one, the
        other left one; and the length of the shorter side.
    """
    rectangle = cv2.minAreaRect(points)
    a, b, c, d = sorted(cv2.boxPoints(rectangle).tolist(), key=_by_x)
    top_left, bottom_left = (a, b) if b[1] > a[1] else (b, a)
    top_right, bottom_right = (c, d) if d[1] > c[1] else (d, c)
    return np.array((top_left, top_right, bottom_right, bottom_left), np.float32), min(rectangle[1])
