"""Top-down crops: each person's box to the upright frame that the keypoint network sees, and back to the page.

A frame is kept as three points on the page, float32: the crop's centre, the middle of its upper edge, and a third at a
right angle to both. PaddleX derives its affine transforms from such points, there and back; so does this, whence crops
are equal to the bit.
"""

from __future__ import annotations

import cv2
import numpy as np

from paddlex_triton.limits import MAX_IMAGE_SIDE, MAX_PEOPLE
from paddlex_triton.ops.page import check_page

# A frame is so many times as large as its box.
_PADDING = np.float32(1.25)


def frames_of_boxes(boxes: np.ndarray, target_size: tuple[int, int]) -> np.ndarray:
    """Return the frames that boxes are cut out with: centred, widened or heightened to the network's aspect, padded.

    A box may leave the page, and may have no width or no height. One with neither gives a frame without size: its crop
    shows a single pixel of the page, its keypoints all lie in its centre.

    PaddleX computes in float32, but where a box was clipped at both ends it has Python's ints, and goes on in float64;
    at the aspect of 3 to 4 that its networks have, float32 holds those numbers exactly.

    Args:
        boxes: float32 [N, 4], x1, y1, x2, y2 in page pixels, x1 <= x2, y1 <= y2.
        target_size: height and width of the network's input, pixels.

    Returns:
        float32 [N, 3, 2], three points x, y in page pixels.

    Raises:
        ValueError: another shape or dtype than said above, more than MAX_PEOPLE boxes, a coordinate that is not finite
            or further than MAX_IMAGE_SIDE from 0, or corners in another order.
    """
    _check_boxes(boxes)
    height, width = target_size
    aspect = np.float32(width / height)
    half = np.float32(0.5)
    centres = (boxes[:, :2] + boxes[:, 2:]) * half
    box_widths, box_heights = (boxes[:, 2:] - boxes[:, :2]).T
    widths = np.maximum(box_widths, aspect * box_heights) * _PADDING
    upper = centres - np.column_stack((np.zeros_like(widths), widths * half))
    return _with_third_points(centres, upper)


def crop_people(page: np.ndarray, frames: np.ndarray, target_size: tuple[int, int]) -> np.ndarray:
    """Cut people out of a page: a linear warp of each frame to the network's size, black beyond the page.

    Args:
        page: uint8 [H, W, 3]; sides of at most MAX_IMAGE_SIDE pixels.
        frames: float32 [N, 3, 2] as `frames_of_boxes` gives them for this size, or some of them.
        target_size: height and width of the crops, pixels.

    Returns:
        uint8 [N, h, w, 3], its channels as the page's.

    Raises:
        ValueError: the page is empty, too large, or of another shape or dtype.
    """
    check_page(page)
    if max(page.shape[:2]) > MAX_IMAGE_SIDE:
        raise ValueError(f"a page of {page.shape[1]}x{page.shape[0]} pixels; a side may have {MAX_IMAGE_SIDE}")
    height, width = target_size
    corners = _target_points(width, height)
    crops = np.empty((len(frames), height, width, 3), np.uint8)
    for frame, crop in zip(frames, crops, strict=True):
        cv2.warpAffine(page, cv2.getAffineTransform(frame, corners), (width, height), dst=crop, flags=cv2.INTER_LINEAR)
    return crops


def points_to_page(points: np.ndarray, frames: np.ndarray, source_size: tuple[int, int]) -> np.ndarray:
    """Take points of crops, or of their heatmaps, back to the page. They may come to lie outside.

    Args:
        points: float32 [N, J, 2], x, y in pixels of what they were found in.
        frames: float32 [N, 3, 2] as `frames_of_boxes` gives them.
        source_size: height and width of what they were found in, pixels.

    Returns:
        float32 [N, J, 2], x, y in page pixels.
    """
    height, width = source_size
    corners = _target_points(width, height)
    transforms = np.empty((len(frames), 2, 3))
    for frame, transform in zip(frames, transforms, strict=True):
        transform[:] = cv2.getAffineTransform(corners, frame)
    # In float64, rounded once.
    linear, shift = transforms[:, None, :, :2], transforms[:, None, :, 2]
    return ((linear * points[:, :, None, :]).sum(axis=-1) + shift).astype(np.float32)


def _target_points(width: int, height: int) -> np.ndarray:
    """Return the three points of a frame as they lie in the crop, float32 [3, 2]."""
    centre = np.array([[width * 0.5, height * 0.5]], np.float32)
    upper = np.array([[width * 0.5, height * 0.5 - width * 0.5]], np.float32)
    return _with_third_points(centre, upper)[0]


def _with_third_points(centres: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Complete N frames: the third point lies to the left of the upper one, as far as that is from the centre."""
    reach = (centres - upper)[:, ::-1] * np.array((-1, 1), np.float32)
    return np.stack((centres, upper, upper + reach), axis=1)


def _check_boxes(boxes: np.ndarray) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype != np.float32:
        raise ValueError(f"boxes is {boxes.dtype} {list(boxes.shape)}; float32 [N, 4] is expected")
    if len(boxes) > MAX_PEOPLE:
        raise ValueError(f"there are {len(boxes)} boxes; at most {MAX_PEOPLE} people of a page are allowed")
    # NaN is not within either.
    near = (np.abs(boxes) <= MAX_IMAGE_SIDE).all(axis=1)
    if not near.all():
        raise ValueError(
            f"box {boxes[~near][0].tolist()} is not finite, or further than {MAX_IMAGE_SIDE} pixels from the page"
        )
    ordered = (boxes[:, :2] <= boxes[:, 2:]).all(axis=1)
    if not ordered.all():
        raise ValueError(f"box {boxes[~ordered][0].tolist()} is inside out; x1 <= x2 and y1 <= y2 are expected")
