"""Reading order of text boxes: from top to bottom, within a line from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# First corners closer than this in y, pixels, are on one line.
_LINE_TOLERANCE = 10


def sort_quads(quads: Sequence[np.ndarray] | np.ndarray) -> list[int]:
    """Order quads by their first corner: by y, then neighbours of one line by x.

    Args:
        quads: integer [K, 4, 2] or K arrays [4, 2]; x, y in pixels, corners in the order of `min_area_rectangle`.

    Returns:
        K indices into `quads`.
    """
    corners = [(int(quad[0][1]), int(quad[0][0]), index) for index, quad in enumerate(quads)]
    corners.sort()
    # A box moves left while the one before it is on its line and starts further right.
    for end in range(1, len(corners)):
        moving = corners[end]
        place = end
        while place and moving[0] - corners[place - 1][0] < _LINE_TOLERANCE and moving[1] < corners[place - 1][1]:
            corners[place] = corners[place - 1]
            place -= 1
        corners[place] = moving
    return [index for _, _, index in corners]


def sort_polygons(polygons: Sequence[np.ndarray]) -> list[int]:
    """Order polygons by their smallest y. Equal ones fall as numpy's default sort leaves them, as in PaddleX.

    Args:
        polygons: K integer arrays [n, 2], n >= 1; x, y in pixels.

    Returns:
        K indices into `polygons`.
    """
    return np.argsort(np.array([polygon[:, 1].min() for polygon in polygons], np.int64)).tolist()
