"""Classifiers of images: a page or a text line brought to the network's size, and the class it is given."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_CLASSIFICATION_PIXELS
from paddlex_triton.ops.page import check_page

# PaddleX rounds scores to so many decimals.
_SCORE_DECIMALS = 5


def classifier_input(image: np.ndarray, target_size: Sequence[int], resize_short: int | None = None) -> np.ndarray:
    """Bring an image to a classifier's size, as its geometry says.

    Args:
        image: uint8 [H, W, 3] BGR.
        target_size: height and width of the network's input, pixels.
        resize_short: see `resize_short_and_crop`; without it the whole image is resized.

    Returns:
        uint8 [height, width, 3] BGR. It may be the image itself or a view of it: do not write to it.

    Raises:
        ValueError, ImageTooLarge: as for `resize_short_and_crop` and `resize_exactly`.
    """
    if resize_short is None:
        return resize_exactly(image, target_size)
    return resize_short_and_crop(image, resize_short, target_size)


def resize_exactly(image: np.ndarray, target_size: Sequence[int]) -> np.ndarray:
    """Resize an image bilinearly, whatever its aspect. One of the right size is passed on without a copy.

    Args:
        image: uint8 [H, W, 3] BGR.
        target_size: height and width of the result, pixels.

    Raises:
        ValueError: the image is empty or of another shape or dtype.
    """
    check_page(image)
    h, w = target_size
    return _resize(image, h, w)


def resize_short_and_crop(image: np.ndarray, resize_short: int, target_size: Sequence[int]) -> np.ndarray:
    """Resize an image bilinearly by its shorter side, and take the middle of it.

    Args:
        image: uint8 [H, W, 3] BGR.
        resize_short: what the shorter side becomes, pixels; halves of the other one are rounded to the even neighbour.
        target_size: height and width of the middle, pixels, at most `resize_short`. An odd rest lies at the right and
            at the bottom.

    Returns:
        uint8 [height, width, 3], a view of the resized image.

    Raises:
        ValueError: the image is empty or of another shape or dtype, or it does not hold the middle.
        ImageTooLarge: the resized image would have more than MAX_CLASSIFICATION_PIXELS.
    """
    check_page(image)
    src_h, src_w = image.shape[:2]
    scale = resize_short / min(src_h, src_w)
    h, w = round(src_h * scale), round(src_w * scale)
    if h * w > MAX_CLASSIFICATION_PIXELS:
        raise ImageTooLarge(
            f"the page is {src_w}x{src_h} (width x height), too narrow to tell how it is turned: resized for that it "
            f"would have {h * w} pixels; at most {MAX_CLASSIFICATION_PIXELS} are allowed: switch "
            "use_doc_orientation_classify off"
        )
    crop_h, crop_w = target_size
    if h < crop_h or w < crop_w:
        raise ValueError(f"the middle of {crop_w}x{crop_h} is larger than the image, resized to {w}x{h}")
    top, left = (h - crop_h) // 2, (w - crop_w) // 2
    return _resize(image, h, w)[top : top + crop_h, left : left + crop_w]


def top_class(probs: np.ndarray) -> tuple[int, float]:
    """Return the class of the greatest probability; of equals the last one in numpy's ascending order, as in PaddleX.

    Args:
        probs: float32 [C], C >= 1.

    Returns:
        The class, and its probability rounded to 5 decimals in float32.

    Raises:
        ValueError: an argument of another shape or dtype.
        RuntimeError: a probability is not finite: the network is at fault.
    """
    if probs.ndim != 1 or probs.size == 0 or probs.dtype != np.float32:
        raise ValueError(f"probs is {probs.dtype} {list(probs.shape)}; float32 [C] is expected")
    if not np.isfinite(probs).all():
        raise RuntimeError("the classifier gave probabilities that are not finite")
    class_id = int(probs.argsort()[-1])
    return class_id, float(np.around(probs[class_id], _SCORE_DECIMALS))


def _resize(image: np.ndarray, h: int, w: int) -> np.ndarray:
    return image if image.shape[:2] == (h, w) else cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
