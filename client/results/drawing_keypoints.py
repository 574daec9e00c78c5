"""PaddleX's picture of people: the page with a coloured skeleton on each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from paddlex_triton.client.results.drawing_boxes import pure_colour

# Joints at the ends of each limb, in COCO's order of joints: head, arms, trunk, legs, hips.
_LIMBS = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    *((5, 7), (6, 8), (7, 9), (8, 10)),
    *((5, 11), (6, 12), (11, 13), (12, 14), (13, 15), (14, 16)),
    (11, 12),
)
_JOINTS = 17
# Joints below this score are not drawn.
_LEAST_SCORE = np.float32(0.1)
_JOINT_RADIUS, _LIMB_RADIUS = 2, 1
_LIMB_OPACITY = 0.6
# Degrees from the colour of a joint, or of a limb, to the next one's.
_HUE_STEP = 20


def draw_skeletons(page: np.ndarray, people: Sequence[np.ndarray]) -> Image.Image:
    """Draw joints and limbs as PaddleX does; boxes are not drawn.

    Args:
        page: UINT8 [H,W,3] BGR.
        people: FP32 [17,3] each: x and y in page pixels, and score, in COCO's order.

    Returns:
        An RGB image of W x H.
    """
    canvas = page.copy()
    shown = [person[:, 2] >= _LEAST_SCORE for person in people]
    for joint in range(_JOINTS):
        for person, visible in zip(people, shown, strict=True):
            if visible[joint]:
                x, y = person[joint, :2].astype(np.int32).tolist()
                cv2.circle(canvas, (x, y), _JOINT_RADIUS, _colour(joint), thickness=-1)
    # Limbs let through what is below: all people's first ones are drawn first.
    for limb, (start, end) in enumerate(_LIMBS):
        for person, visible in zip(people, shown, strict=True):
            if visible[start] and visible[end]:
                _draw_limb(canvas, person[start, :2], person[end, :2], _colour(limb))
    return Image.fromarray(cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB))


def _colour(place: int) -> tuple[int, int, int]:
    """Return the colour of a joint or limb. PaddleX's table is of RGB values and is read as BGR: blue comes first."""
    return pure_colour(_HUE_STEP * place)


def _draw_limb(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Blend a flat ellipse between two points, FP32 [2], into the canvas."""
    # Lengths are float32 in PaddleX, angles are not; all are cut off to whole numbers.
    x, y = start - end
    length = (x ** np.float32(2) + y ** np.float32(2)) ** np.float32(0.5)
    middle_x, middle_y = ((start + end) / np.float32(2)).tolist()
    middle, radii = (int(middle_x), int(middle_y)), (int(length / np.float32(2)), _LIMB_RADIUS)
    outline = np.asarray(cv2.ellipse2Poly(middle, radii, int(math.degrees(math.atan2(y, x))), 0, 360, 1))
    # Only the limb's surroundings are worked on: everything else stays as it is.
    low = np.maximum(outline.min(axis=0), 0)
    high = np.minimum(outline.max(axis=0) + 1, canvas.shape[1::-1])
    if (high <= low).any():
        return
    patch = canvas[low[1] : high[1], low[0] : high[0]]
    covered = patch.copy()
    cv2.fillConvexPoly(covered, outline - low, colour)
    patch[:] = cv2.addWeighted(patch, 1 - _LIMB_OPACITY, covered, _LIMB_OPACITY, 0)
