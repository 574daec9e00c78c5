"""Layout detection after the network: its rows cleaned up as PaddleX does.

All arithmetic is float32, step by step in PaddleX's order: thresholds and ratios are rounded to float32 first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paddlex_triton.limits import MAX_REGIONS
from paddlex_triton.ops.detection_nms import keep_greedily
from paddlex_triton.ops.object_detection import clip_boxes, has_area, select_rows, without_page_images

Ratio = float | tuple[float, float]

# Intersection over union from which the lesser of two boxes goes: of one class, and of different ones.
_SAME_CLASS_IOU = np.float32(0.6)
_OTHER_CLASS_IOU = np.float32(0.98)
# Part of a box's area from which it counts as inside another.
_INSIDE = np.float32(0.9)
_MERGE_MODES = ("large", "small", "union")


@dataclass(frozen=True)
class LayoutBoxes:
    """Labelled boxes of a page.

    Attributes:
        boxes: float32 [R, 4], x1, y1, x2, y2 in page pixels, within the page, none empty.
        class_ids: int32 [R].
        labels: the class's name for each box.
        scores: float32 [R].
    """

    boxes: np.ndarray
    class_ids: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray

    @classmethod
    def empty(cls) -> LayoutBoxes:
        """Return no box at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), (), np.zeros(0, np.float32))


def postprocess_layout(
    rows: np.ndarray,
    page_size: tuple[int, int],
    labels: Sequence[str],
    *,
    threshold: float | Mapping[int, float],
    nms: bool,
    unclip_ratio: Ratio | Mapping[int, Ratio],
    merge_mode: str | Mapping[int, str],
) -> LayoutBoxes:
    """Turn a detector's rows into boxes: threshold, suppression, page-sized images, merging, growing, clipping.

    Unlike PaddleX this takes every value as it is given: a threshold of int 0 or 1 filters, `nms` False is off.

    Args:
        rows: float32 [M, 6]: class, score, x1, y1, x2, y2 in page pixels. Rows of a class below zero are padding.
        page_size: width and height of the page, pixels.
        labels: the network's classes.
        threshold: a box's score is above this. Or class id -> threshold, 0.5 for classes not named; boxes then come
            sorted by class.
        nms: of boxes that overlap keep the best (see `_suppress`); boxes then come by falling score. Boxes of equal
            score stand in the order of numpy's default sort, which depends on its version and on the processor.
        unclip_ratio: width and height are multiplied by it, the centre stays; one for both or a pair. Or class id ->
            ratio; boxes of classes not named stay as they are. A ratio of 1 still rounds coordinates anew.
        merge_mode: of boxes inside each other "large" keeps the outer, "small" the inner, "union" all. Or class id ->
            mode (see `_merge`).

    Raises:
        ValueError: an argument of another shape or value than said above, a class id that the network does not have,
            or more than MAX_REGIONS rows above the threshold.
        RuntimeError: of the rows above the threshold one is of no class, or not finite: the network is at fault.
    """
    check_class_ids(labels, threshold=threshold, unclip_ratio=unclip_ratio, merge_mode=merge_mode)
    rows = select_rows(rows, page_size, labels, threshold)
    if len(rows) > MAX_REGIONS:
        raise ValueError(
            f"{len(rows)} regions are above the layout threshold; at most {MAX_REGIONS} are allowed: raise it"
        )
    with np.errstate(all="ignore"):
        if nms:
            rows = _suppress(rows)
        rows = without_page_images(rows, page_size, labels)
        rows = _merge(rows, merge_mode, labels)
        boxes = _grow(rows[:, 2:], rows[:, 0], unclip_ratio)
    boxes = clip_boxes(boxes, page_size)
    inside = has_area(boxes)
    class_ids = rows[inside, 0].astype(np.int32)
    names = tuple(labels[int(class_id)] for class_id in class_ids)
    return LayoutBoxes(boxes[inside], class_ids, names, rows[inside, 1])


def check_class_ids(labels: Sequence[str], **by_class: object) -> None:
    """Refuse objects that name a class which the network does not have.

    Args:
        labels: the network's classes.
        **by_class: parameters by name; those that are no object are fine.

    Raises:
        ValueError: naming the parameter and the class.
    """
    for name, argument in by_class.items():
        for class_id in argument if isinstance(argument, Mapping) else ():
            if not 0 <= class_id < len(labels):
                raise ValueError(f"{name} names class {class_id}; the layout network has {len(labels)} classes, from 0")


def _suppress(rows: np.ndarray) -> np.ndarray:
    """Of boxes that overlap keep the best; the others by falling score.

    Intersection over union counts both edge pixels: widths are x2 - x1 + 1. A box goes if it reaches 0.6 with a
    better one of its class, or 0.98 with one of another class.
    """
    rows = rows[np.argsort(rows[:, 1])[::-1]]
    one = np.float32(1)
    x1, y1, x2, y2 = rows[:, 2:].T
    area = (x2 - x1 + one) * (y2 - y1 + one)
    intersection = _common(x1, x2, one) * _common(y1, y2, one)
    iou = intersection / (area[:, None] + area - intersection)
    same_class = rows[:, :1] == rows[:, 0]
    return rows[keep_greedily(~(iou < np.where(same_class, _SAME_CLASS_IOU, _OTHER_CLASS_IOU)))]


def _common(low: np.ndarray, high: np.ndarray, extra: np.float32) -> np.ndarray:
    """Length that each two of N intervals share, plus `extra`, at least 0; float32 [N, N]."""
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low) + extra
    return np.maximum(shared, 0, out=shared)


def _merge(rows: np.ndarray, mode: str | Mapping[int, str], labels: Sequence[str]) -> np.ndarray:
    """Sort out boxes inside each other.

    "large" drops every box inside another, "small" every box that has another inside unless it is itself inside one.
    For a class alone, "large" looks at outer boxes of that class only, "small" at inner ones; a box must pass for all
    classes. Formulas are inside formulas only.
    """
    modes: Mapping[int | None, str] = {None: mode} if isinstance(mode, str) else {**mode}
    for value in modes.values():
        if value not in _MERGE_MODES:
            raise ValueError(f"merge_mode is {value!r}; allowed: {', '.join(map(repr, _MERGE_MODES))}")
    if not set(modes.values()) - {"union"}:
        return rows
    classes = rows[:, 0]
    inside = _insideness(rows, labels)
    keep = np.ones(len(rows), np.bool_)
    for class_id, value in modes.items():
        if value == "large":
            outer = inside if class_id is None else inside[:, classes == class_id]
            keep &= ~outer.any(axis=1)
        elif value == "small":
            inner = inside if class_id is None else inside & (classes == class_id)[:, None]
            keep &= ~inner.any(axis=0) | inner.any(axis=1)
    return rows[keep]


def _insideness(rows: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Tell whether box i lies in box j with nine tenths of its area or more, bool [R, R]."""
    x1, y1, x2, y2 = rows[:, 2:].T
    area = (x2 - x1) * (y2 - y1)
    zero = np.float32(0)
    part = _common(x1, x2, zero) * _common(y1, y2, zero) / area[:, None]
    inside = (part >= _INSIDE) & (area > 0)[:, None]
    np.fill_diagonal(inside, False)
    if "formula" in labels:
        formula = rows[:, 0] == labels.index("formula")
        inside[np.ix_(formula, ~formula)] = False
    return inside


def _grow(boxes: np.ndarray, classes: np.ndarray, ratio: Ratio | Mapping[int, Ratio]) -> np.ndarray:
    """Multiply widths and heights, float32 [R, 4]; see `postprocess_layout`."""
    ratios = np.ones((len(boxes), 2), np.float32)
    named = np.ones(len(boxes), np.bool_)
    if isinstance(ratio, Mapping):
        named[:] = False
        for class_id, value in ratio.items():
            of_class = classes == class_id
            ratios[of_class] = value
            named |= of_class
    else:
        ratios[:] = ratio
    two = np.float32(2)
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = boxes[:, :2] + sides / two
    half = sides * ratios / two
    return np.where(named[:, None], np.hstack((centres - half, centres + half)), boxes)
