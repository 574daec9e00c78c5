"""Rectangles around points, as PaddleX orders their corners."""

from __future__ import annotations

from operator import itemgetter

import cv2
import numpy as np

_by_x = itemgetter(0)


def min_area_rectangle(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the rotated rectangle of least area around some points.

    The corners are sorted by x; of the left two and of the right two the upper comes first. In a tilt of exactly 45
    degrees or in a degenerate rectangle the first corner is therefore not always the upper left one.

    Args:
        points: int32 or float32 [n, 2] or [n, 1, 2], x and y, n >= 1.

    Returns:
        float32 [4, 2] corners top left, top right, bottom right, bottom left; and the length of the shorter side.
    """
    rectangle = cv2.minAreaRect(points)
    a, b, c, d = sorted(cv2.boxPoints(rectangle).tolist(), key=_by_x)
    top_left, bottom_left = (a, b) if b[1] > a[1] else (b, a)
    top_right, bottom_right = (c, d) if d[1] > c[1] else (d, c)
    return np.array((top_left, top_right, bottom_right, bottom_left), np.float32), min(rectangle[1])
