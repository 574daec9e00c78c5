"""Turning pages upright."""

from __future__ import annotations

import cv2
import numpy as np


def turn_page(page: np.ndarray, angle: int) -> np.ndarray:
    """Turn a page counterclockwise as PaddleX does, pixels and all.

    Args:
        page: UINT8 [H,W,3]; it may be a read-only view. Sides of at most MAX_IMAGE_SIDE pixels.
        angle: 0, 90, 180 or 270 degrees.

    Returns:
        UINT8 [H,W,3], or [W,H,3] after a quarter turn. The centre that PaddleX turns around is half a pixel off that of
        the pixels, so that a row or a column at the border comes out black; the page itself at 0 degrees.
    """
    if angle == 0:
        return page
    height, width = page.shape[:2]
    turned_width, turned_height = (height, width) if angle % 180 else (width, height)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += ((turned_width - width) / 2, (turned_height - height) / 2)
    return cv2.warpAffine(page, matrix, (turned_width, turned_height), flags=cv2.INTER_CUBIC)
