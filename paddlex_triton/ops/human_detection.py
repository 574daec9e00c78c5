"""Human detection after the network: its rows to boxes around people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paddlex_triton.limits import MAX_PEOPLE
from paddlex_triton.ops.object_detection import clip_boxes, has_area, select_rows, without_page_images


@dataclass(frozen=True)
class People:
    """People found on a page.

    Attributes:
        boxes: float32 [N, 4], x1, y1, x2, y2 in page pixels, within the page, none empty.
        scores: float32 [N].
    """

    boxes: np.ndarray
    scores: np.ndarray


def postprocess_people(rows: np.ndarray, page_size: tuple[int, int], labels: Sequence[str], threshold: float) -> People:
    """Turn a detector's rows into boxes as PaddleX's pipeline does: threshold, clipping, no empty ones.

    Every class counts as a person: human detectors have one. Unlike PaddleX this takes a threshold of int 0 or 1 as it
    is given; there it would not filter at all.

    Args:
        rows: float32 [M, 6]: class, score, x1, y1, x2, y2 in page pixels. Rows of a class below zero are padding.
        page_size: width and height of the page, pixels.
        labels: the network's classes.
        threshold: a box's score is above this, compared as float32.

    Returns:
        The boxes in the order of the rows.

    Raises:
        ValueError: an argument of another shape or value than said above, or more than MAX_PEOPLE rows above the
            threshold.
        RuntimeError: of the rows above the threshold one is of no class, or not finite: the network is at fault.
    """
    rows = select_rows(rows, page_size, labels, threshold)
    if len(rows) > MAX_PEOPLE:
        raise ValueError(f"{len(rows)} people are above det_threshold; at most {MAX_PEOPLE} are allowed: raise it")
    rows = without_page_images(rows, page_size, labels)
    boxes = clip_boxes(rows[:, 2:], page_size)
    inside = has_area(boxes)
    return People(boxes[inside], rows[inside, 1])
