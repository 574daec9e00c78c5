"""Preprocessing of text detection: a page brought to a size that the DB network takes."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from paddlex_triton.errors import ImageTooLarge, InvalidParameter
from paddlex_triton.limits import MAX_DETECTION_PIXELS, MAX_REGIONS_DETECTION_PIXELS
from paddlex_triton.ops.page import check_page

# The network halves its input five times.
STRIDE = 32
# Below this sum of height and width a page is padded before it is resized.
_TINY_SUM = 64


def resize_for_detection(page: np.ndarray, *, limit_side_len: int, limit_type: str, max_side_limit: int) -> np.ndarray:
    """Resize a page bilinearly for the detector. One of the right size is passed on without a copy.

    Args:
        page: uint8 [H, W, 3] BGR.
        limit_side_len: the limit, pixels.
        limit_type: "min": the shorter side becomes at least that long; "max": the longer one at most;
            "resize_long": the longer one exactly (all up to the rounding to multiples of 32).
        max_side_limit: the longer side is brought down to this, pixels, whatever came before.

    Returns:
        uint8 [h, w, 3] BGR, h and w multiples of 32.

    Raises:
        ValueError: the page is empty or of another shape or dtype, or the limit type is unknown.
        InvalidParameter: the limits ask for more than MAX_DETECTION_PIXELS.
    """
    check_page(page)
    h, w = _padded_size(*page.shape[:2])
    if (h, w) != page.shape[:2]:
        page = _pad(page, h, w)
    new_h, new_w = detection_size(
        h, w, limit_side_len=limit_side_len, limit_type=limit_type, max_side_limit=max_side_limit
    )
    if new_h * new_w > MAX_DETECTION_PIXELS:
        raise InvalidParameter(
            f"the detector's input would be {new_w}x{new_h} (width x height): {new_h * new_w} pixels; at most "
            f"{MAX_DETECTION_PIXELS} are allowed: lower the side limit or the max side limit"
        )
    return page if (new_h, new_w) == (h, w) else cv2.resize(page, (new_w, new_h))


def detection_size(h: int, w: int, *, limit_side_len: int, limit_type: str, max_side_limit: int) -> tuple[int, int]:
    """Return height and width of the detector's input for a page of h x w pixels; see `resize_for_detection`."""
    if limit_type == "min":
        ratio = limit_side_len / min(h, w) if min(h, w) < limit_side_len else 1.0
    elif limit_type == "max":
        ratio = limit_side_len / max(h, w) if max(h, w) > limit_side_len else 1.0
    elif limit_type == "resize_long":
        ratio = limit_side_len / max(h, w)
    else:
        raise ValueError(f"limit_type is {limit_type!r}; allowed: 'min', 'max', 'resize_long'")
    new_h, new_w = int(h * ratio), int(w * ratio)
    if max(new_h, new_w) > max_side_limit:
        ratio = max_side_limit / max(new_h, new_w)
        new_h, new_w = int(new_h * ratio), int(new_w * ratio)
    return _round_to_stride(new_h), _round_to_stride(new_w)


def check_regions(
    sizes: Iterable[tuple[int, int]], *, limit_side_len: int, limit_type: str, max_side_limit: int
) -> None:
    """Refuse a page whose regions make too much work for a detector: each is enlarged, and they may overlap.

    Args:
        sizes: height and width of each region, pixels.
        limit_side_len, limit_type, max_side_limit: see `resize_for_detection`.

    Raises:
        ImageTooLarge: the detector's inputs have more than MAX_REGIONS_DETECTION_PIXELS together.
    """
    total = count = 0
    for h, w in sizes:
        new_h, new_w = detection_size(
            *_padded_size(h, w), limit_side_len=limit_side_len, limit_type=limit_type, max_side_limit=max_side_limit
        )
        total, count = total + new_h * new_w, count + 1
    if total > MAX_REGIONS_DETECTION_PIXELS:
        raise ImageTooLarge(
            f"the detector's inputs for {count} regions would have {total} pixels together; at most "
            f"{MAX_REGIONS_DETECTION_PIXELS} are allowed: lower the side limit"
        )


def _round_to_stride(side: int) -> int:
    # Python's round takes halves to the even neighbour, as PaddleX does: 48 -> 64, 80 -> 64.
    return max(round(side / STRIDE) * STRIDE, STRIDE)


def _padded_size(h: int, w: int) -> tuple[int, int]:
    """Tiny pages are padded before they are resized: to at least 32 a side."""
    return (max(STRIDE, h), max(STRIDE, w)) if h + w < _TINY_SUM else (h, w)


def _pad(image: np.ndarray, h: int, w: int) -> np.ndarray:
    """Black pixels at the right and at the bottom."""
    padded = np.zeros((h, w, 3), np.uint8)
    padded[: image.shape[0], : image.shape[1]] = image
    return padded
