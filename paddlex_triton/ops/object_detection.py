"""Steps that all object detectors share: a page brought to the network's size, and rows turned into boxes.

All arithmetic is float32, step by step in PaddleX's order: thresholds are rounded to float32 first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from paddlex_triton.ops.page import check_page

# Of classes that an object of thresholds does not name.
_DEFAULT_THRESHOLD = 0.5
# Part of the page above which an image is taken for the page itself: landscape pages, and all others.
_LANDSCAPE_IMAGE = 0.82
_PORTRAIT_IMAGE = 0.93


@dataclass(frozen=True)
class ResizedPage:
    """A page as a detector sees it.

    Attributes:
        image: uint8 [h, w, 3] BGR.
        scale_factor: float32 [2], h over the page's height and w over the page's width.
    """

    image: np.ndarray
    scale_factor: np.ndarray


def resize_for_detector(
    page: np.ndarray, target_size: tuple[int, int], interpolation: int = cv2.INTER_CUBIC
) -> ResizedPage:
    """Resize a page to the network's own size, whatever its aspect. One of the right size is passed on without a copy.

    Args:
        page: uint8 [H, W, 3] BGR.
        target_size: height and width of the network's input, pixels.
        interpolation: OpenCV's number of the method.

    Raises:
        ValueError: the page is empty or of another shape or dtype.
    """
    check_page(page)
    h, w = target_size
    src_h, src_w = page.shape[:2]
    image = page if (h, w) == (src_h, src_w) else cv2.resize(page, (w, h), interpolation=interpolation)
    return ResizedPage(image, np.array((h / src_h, w / src_w), np.float32))


def select_rows(
    rows: np.ndarray, page_size: tuple[int, int], labels: Sequence[str], threshold: float | Mapping[int, float]
) -> np.ndarray:
    """Select the rows of a detector that are above the threshold.

    Unlike PaddleX this takes every threshold as it is given: one of int 0 or 1 filters.

    Args:
        rows: float32 [M, 6]: class, score, x1, y1, x2, y2 in page pixels. Rows of a class below zero are padding.
        page_size: width and height of the page, pixels.
        labels: the network's classes.
        threshold: a row's score is above this. Or class id -> threshold, 0.5 for classes not named; rows then come
            sorted by class. Scores and classes that are NaN are above none.

    Returns:
        float32 [S, 6], in their order.

    Raises:
        ValueError: an argument of another shape or value than said above.
        RuntimeError: of the rows above the threshold one is of no class, or not finite: the network is at fault.
    """
    if rows.ndim != 2 or rows.shape[1] != 6 or rows.dtype != np.float32:
        raise ValueError(f"rows is {rows.dtype} {list(rows.shape)}; float32 [M, 6] is expected")
    if min(page_size) < 1:
        raise ValueError(f"a page of {page_size[0]}x{page_size[1]} pixels; a side must be 1 or more")
    rows = _above_threshold(rows, threshold, len(labels))
    _check_rows(rows, labels)
    return rows


def without_page_images(rows: np.ndarray, page_size: tuple[int, int], labels: Sequence[str]) -> np.ndarray:
    """Drop boxes of class "image" that cover almost the whole page, unless nothing else is there.

    Args:
        rows: float32 [M, 6] as for `select_rows`.
        page_size: width and height of the page, pixels.
        labels: the network's classes.
    """
    if "image" not in labels:
        return rows
    width, height = page_size
    part = _LANDSCAPE_IMAGE if width > height else _PORTRAIT_IMAGE
    x1, y1, x2, y2 = clip_boxes(rows[:, 2:], page_size).T
    with np.errstate(over="ignore"):
        fits = (x2 - x1) * (y2 - y1) <= np.float32(part * (width * height))
    kept = rows[(rows[:, 0] != labels.index("image")) | fits]
    return kept if len(kept) else rows


def clip_boxes(boxes: np.ndarray, page_size: tuple[int, int]) -> np.ndarray:
    """Clip upper left corners at 0, lower right ones at the page's sides. NaN, of an overflow, is taken to the edge.

    Args:
        boxes: float32 [M, 4], x1, y1, x2, y2 in page pixels.
        page_size: width and height of the page, pixels.

    Returns:
        float32 [M, 4].
    """
    corners = np.where(boxes[:, :2] > 0, boxes[:, :2], np.float32(0))
    bound = np.array(page_size, np.float32)
    return np.hstack((corners, np.where(boxes[:, 2:] < bound, boxes[:, 2:], bound)))


def has_area(boxes: np.ndarray) -> np.ndarray:
    """Tell which boxes (float32 [M, 4], x1, y1, x2, y2) have a width and a height above zero, bool [M]."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def _check_rows(rows: np.ndarray, labels: Sequence[str]) -> None:
    """Refuse what no sound network gives, rather than answer with boxes that mean nothing."""
    classes = rows[:, 0]
    if not ((classes < len(labels)) & (classes == np.floor(classes))).all():
        raise RuntimeError(f"the detector gave classes {np.unique(classes).tolist()}; it has {len(labels)}")
    if not np.isfinite(rows).all():
        raise RuntimeError("the detector gave boxes that are not finite")


def _above_threshold(rows: np.ndarray, threshold: float | Mapping[int, float], class_count: int) -> np.ndarray:
    """Return the rows of a class, and of a score above its threshold."""
    rows = rows[rows[:, 0] > -1]
    if not isinstance(threshold, Mapping):
        return rows[rows[:, 1] > np.float32(threshold)]
    thresholds = np.full(class_count + 1, _DEFAULT_THRESHOLD, np.float32)
    for class_id, value in threshold.items():
        thresholds[class_id] = value
    # The last entry is for classes that the network ought not to give.
    classes = np.minimum(rows[:, 0], class_count).astype(np.intp)
    rows = rows[rows[:, 1] > thresholds[classes]]
    return rows[np.argsort(rows[:, 0], kind="stable")]
