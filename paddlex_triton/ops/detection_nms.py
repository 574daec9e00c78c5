"""Non-maximum suppression as PaddlePaddle's `multiclass_nms3` does it, for detectors exported without theirs."""

from __future__ import annotations

import numpy as np

# Candidates whose overlaps are looked at together: bounds memory, and spares those that earlier blocks suppress.
_BLOCK = 128


def boxes_to_page(boxes: np.ndarray, scale_factor: np.ndarray) -> np.ndarray:
    """Scale a network's boxes to the page, as exported graphs do it ahead of their own suppression.

    Args:
        boxes: float32 [A, 4], x1, y1, x2, y2 in pixels of the network's input.
        scale_factor: float32 [2], the network's height over the page's, and its width over the page's.

    Returns:
        float32 [A, 4] in page pixels.

    Raises:
        ValueError: another shape or dtype than said above, or a factor that is not above zero.
    """
    _check_boxes(boxes)
    if scale_factor.shape != (2,) or scale_factor.dtype != np.float32 or not (scale_factor > 0).all():
        raise ValueError(
            f"scale_factor is {scale_factor.dtype} {scale_factor.tolist()}; two float32 above zero are expected"
        )
    scale_y, scale_x = scale_factor
    return boxes / np.array((scale_x, scale_y, scale_x, scale_y), np.float32)


def multiclass_nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    score_threshold: float,
    nms_threshold: float,
    nms_top_k: int,
    keep_top_k: int,
) -> np.ndarray:
    """Suppress, class by class, boxes that overlap a better one. No class is background.

    Args:
        boxes: float32 [A, 4], x1, y1, x2, y2; one box per anchor, shared by the classes. Widths are x2 - x1.
        scores: float32 [C, A].
        score_threshold: a candidate's score is above this.
        nms_threshold: a box is dropped if its intersection over union with a kept one is above this.
        nms_top_k: so many of a class's best candidates are looked at; -1 for all.
        keep_top_k: so many boxes are kept in all; -1 for all.

    Returns:
        float32 [M, 6] rows: class, score, x1, y1, x2, y2; by class, then by falling score, then by anchor.

    Raises:
        ValueError: another shape or dtype than said above, or a limit below -1.
    """
    _check_boxes(boxes)
    if scores.ndim != 2 or scores.dtype != np.float32 or scores.shape[1] != len(boxes):
        raise ValueError(
            f"scores is {scores.dtype} {list(scores.shape)}; float32 [C, {len(boxes)}], per class and box, is expected"
        )
    if min(nms_top_k, keep_top_k) < -1:
        raise ValueError(f"nms_top_k is {nms_top_k}, keep_top_k {keep_top_k}; allowed: -1 for all, 0, 1, ...")
    candidate = scores > np.float32(score_threshold)
    classes, anchors = [], []
    for class_id in np.flatnonzero(candidate.any(axis=1)).tolist():
        found = np.flatnonzero(candidate[class_id])
        found = _best(found, scores[class_id, found], nms_top_k)
        kept = found[_suppress(boxes[found], nms_threshold)]
        anchors.append(kept)
        classes.append(np.full(len(kept), class_id))
    if not anchors:
        return np.zeros((0, 6), np.float32)
    class_ids, anchor_ids = np.concatenate(classes), np.concatenate(anchors)
    rows = np.column_stack((class_ids, scores[class_ids, anchor_ids], boxes[anchor_ids])).astype(np.float32)
    if -1 < keep_top_k < len(rows):
        rows = rows[np.sort(_best(np.arange(len(rows)), rows[:, 1], keep_top_k))]
    return rows


def keep_greedily(conflict: np.ndarray) -> np.ndarray:
    """Go down a list, best first: take an item unless one that was taken is in conflict with it.

    Args:
        conflict: bool [N, N], whether item j must go if item i is taken; only j > i is read.

    Returns:
        int64, the items taken, ascending.
    """
    dropped = np.zeros(len(conflict), np.bool_)
    kept = []
    for index, conflicts in enumerate(conflict):
        if not dropped[index]:
            kept.append(index)
            dropped |= conflicts
    return np.array(kept, np.int64)


def _check_boxes(boxes: np.ndarray) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype != np.float32:
        raise ValueError(f"boxes is {boxes.dtype} {list(boxes.shape)}; float32 [A, 4] is expected")


def _best(items: np.ndarray, scores: np.ndarray, top_k: int) -> np.ndarray:
    """Items by falling score, in their own order where scores are equal; the first `top_k`, all for -1."""
    order = np.argsort(-scores, kind="stable")
    return items[order if top_k < 0 else order[:top_k]]


def _suppress(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Of boxes (float32 [K, 4], best first) the indices of those that no better one suppresses, ascending."""
    kept = []
    alive = np.arange(len(boxes))
    while alive.size:
        block = alive[:_BLOCK]
        # Not "above": overlaps of two boxes without area are NaN, and the operator drops those.
        conflict = ~(_overlaps(boxes[block], boxes[alive]) <= np.float32(threshold))
        taken = keep_greedily(conflict[:, : len(block)])
        kept.append(block[taken])
        dropped = conflict[taken, len(block) :].any(axis=0)
        alive = alive[len(block) :][~dropped]
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair, float32 [N, M]; zero for boxes apart, NaN where both have no area."""
    ax1, ay1, ax2, ay2 = (column[:, None] for column in first.T)
    bx1, by1, bx2, by2 = second.T
    with np.errstate(all="ignore"):
        width = np.minimum(ax2, bx2) - np.maximum(ax1, bx1)
        height = np.minimum(ay2, by2) - np.maximum(ay1, by1)
        intersection = width * height
        overlap = intersection / (_areas(first)[:, None] + _areas(second) - intersection)
    apart = (bx1 > ax2) | (bx2 < ax1) | (by1 > ay2) | (by2 < ay1)
    overlap[apart] = 0
    return overlap


def _areas(boxes: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = boxes.T
    return np.where((x2 < x1) | (y2 < y1), np.float32(0), (x2 - x1) * (y2 - y1))
