"""Ragged lists of polygons as two arrays (CSR), as they travel between modules and to the client."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def pack_polygons(polygons: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Join polygons into one array of points.

    Args:
        polygons: K integer arrays [n, 2], x and y in pixels; none is fine.

    Returns:
        points int32 [P, 2] and offsets int32 [K + 1]: polygon k is points[offsets[k] : offsets[k + 1]].

    Raises:
        ValueError: a polygon is not an integer array of shape [n, 2].
    """
    for index, polygon in enumerate(polygons):
        if polygon.ndim != 2 or polygon.shape[1] != 2 or polygon.dtype.kind not in "iu":
            raise ValueError(
                f"polygon {index}: expected integers of shape [n, 2], got {polygon.dtype} {list(polygon.shape)}"
            )
    offsets = np.zeros(len(polygons) + 1, np.int32)
    np.cumsum([len(polygon) for polygon in polygons], out=offsets[1:])
    points = np.concatenate(polygons) if polygons else np.empty((0, 2))
    return points.astype(np.int32), offsets


def unpack_polygons(points: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Take joined polygons apart; the inverse of `pack_polygons`.

    Args:
        points: integers [P, 2]; of any dtype if there are none.
        offsets: integers [K + 1], from 0 up to P, never falling.

    Returns:
        K views [n, 2] into `points`.

    Raises:
        ValueError: shapes, dtypes or offsets are not as said above.
    """
    # Triton's HTTP client makes floats of tensors without elements.
    if points.ndim != 2 or points.shape[1] != 2 or (points.size and points.dtype.kind not in "iu"):
        raise ValueError(f"points: expected integers of shape [P, 2], got {points.dtype} {list(points.shape)}")
    if offsets.ndim != 1 or offsets.size == 0 or offsets.dtype.kind not in "iu":
        raise ValueError(f"offsets: expected integers of shape [K + 1], got {offsets.dtype} {list(offsets.shape)}")
    bounds = offsets.tolist()
    if bounds[0] != 0 or bounds[-1] != len(points):
        raise ValueError(f"offsets: expected 0 to {len(points)} (the points), got {bounds[0]} to {bounds[-1]}")
    if any(end < start for start, end in pairwise(bounds)):
        raise ValueError("offsets: expected a sequence that never falls")
    return [points[start:end] for start, end in pairwise(bounds)]
