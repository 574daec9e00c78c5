"""What the seal text detector is to answer for a picture: drawn at half its resolution, after all geometric changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pyclipper

from paddlex_triton.export.training.bands import band_height

# Labels are bands shrunk by (1 - 0.8^2) area / perimeter: with DB's unclip ratio of 0.5 they grow back to 0.96 height.
SHRINK_RATIO = 0.8
# Bands lower than this, in pixels of the picture, are not learnt.
MIN_BAND_HEIGHT = 5.5
# Background this close to two bands, in heights of each, lies in the gap between them.
_GAP_REACH = 0.4
# Pixels of a label per pixel of the picture's.
_SCALE = 0.5
# The clipper and the drawing work on whole numbers: 1/16 of a label's pixel.
_SHIFT = 4
_FRACTION = 1 << _SHIFT
# Filling counts pixels that the edge runs through: labels are this much narrower before, in drawing's units.
_DRAWN_WIDER = _FRACTION / 4
# Points farther off than this would overflow the drawing, label's pixels.
_FAR = 8192


@dataclass(frozen=True)
class SealTargets:
    """Labels of a picture of H x W pixels.

    Attributes:
        text: uint8 [H / 2, W / 2], 1 within a shrunk band.
        ignored: the same, 1 where nothing is to be learnt.
        gap: the same, 1 on background between two bands.
    """

    text: np.ndarray
    ignored: np.ndarray
    gap: np.ndarray


def draw_targets(
    polygons: Sequence[np.ndarray], size: tuple[int, int], min_height: float = MIN_BAND_HEIGHT
) -> SealTargets:
    """Draw the labels.

    Args:
        polygons: outlines of the lines' bands, float [n, 2] each, x, y in pixels of the picture; parts may lie
            outside.
        size: height and width of the picture, even.
        min_height: bands lower than this, pixels of the picture, are ignored.
    """
    shape = (int(size[0] * _SCALE), int(size[1] * _SCALE))
    text, ignored, near = (np.zeros(shape, np.uint8) for _ in range(3))
    for polygon in polygons:
        points = np.clip(polygon * _SCALE, -_FAR, _FAR)
        if not _touches(points, shape):
            continue
        height = band_height(polygon)
        whole = _fixed(points)
        shrunk = shrink(whole) if height >= min_height else []
        if not shrunk:
            cv2.fillPoly(ignored, [whole], (1,), cv2.LINE_8, _SHIFT)
            continue
        cv2.fillPoly(text, shrunk, (1,), cv2.LINE_8, _SHIFT)
        around = np.zeros(shape, np.uint8)
        cv2.fillPoly(around, [whole], (1,), cv2.LINE_8, _SHIFT)
        thickness = max(1, round(2 * _GAP_REACH * height * _SCALE))
        cv2.polylines(around, [whole], True, (1,), min(thickness, 255), cv2.LINE_8, _SHIFT)
        near += around
    return SealTargets(text, ignored & (1 - text), ((near >= 2) & (text == 0)).astype(np.uint8))


def shrink(points: np.ndarray, ratio: float = SHRINK_RATIO) -> list[np.ndarray]:
    """Offset a polygon inwards by (1 - ratio^2) area / perimeter, and a little for how it will be drawn.

    Args:
        points: int32 [n, 2], in 1/16 of a label's pixel.
        ratio: DB's shrink ratio.

    Returns:
        Polygons int32 [m, 2]; none if nothing is left.
    """
    perimeter = cv2.arcLength(points, True)
    if perimeter <= 0:
        return []
    distance = cv2.contourArea(points) * (1 - ratio**2) / perimeter + _DRAWN_WIDER
    offset = pyclipper.PyclipperOffset()
    try:
        offset.AddPath(points.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        paths = offset.Execute(-distance)
    except pyclipper.ClipperException:
        return []
    return [np.array(path, np.int32) for path in paths if len(path) > 2]


def _fixed(points: np.ndarray) -> np.ndarray:
    # A pixel's centre is at its whole number for the drawing, at its half for us.
    return np.rint((points - 0.5) * _FRACTION).astype(np.int32)


def _touches(points: np.ndarray, shape: tuple[int, int]) -> bool:
    low, high = points.min(axis=0), points.max(axis=0)
    return bool(high[0] > 0 and high[1] > 0 and low[0] < shape[1] and low[1] < shape[0])
