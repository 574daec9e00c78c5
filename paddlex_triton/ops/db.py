"""Postprocessing of DB (Differentiable Binarization): a probability map becomes quads or polygons with scores."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
import pyclipper

from paddlex_triton.limits import DEFAULT_CANDIDATES
from paddlex_triton.ops.geometry import min_area_rectangle

# Shortest side of a box on the map, pixels: before it is grown, and after.
_MIN_SIDE = 3
_MIN_GROWN_SIDE = _MIN_SIDE + 2
# Of a polygon's perimeter: how far its approximation may run beside the contour.
_APPROXIMATION = 0.002
_MAX_QUAD_SIDE = np.iinfo(np.int16).max


def db_postprocess(
    prob: np.ndarray,
    *,
    src_h: int,
    src_w: int,
    thresh: float,
    box_thresh: float,
    unclip_ratio: float,
    box_type: Literal["quad", "poly"] = "quad",
    max_candidates: int = DEFAULT_CANDIDATES,
) -> tuple[list[np.ndarray], list[float]]:
    """Find the text in a probability map.

    Contours of the binary map are scored by the mean probability inside, grown, and scaled to the page. Coordinates
    are rounded half to even and clipped to 0..src_w and 0..src_h, both included.

    Args:
        prob: float32 [H, W], the network's output.
        src_h: height of the page, pixels; at most 32767 for quads, which are int16.
        src_w: width of the page, pixels; same bound.
        thresh: a pixel above this is text.
        box_thresh: a box whose score is below this is dropped.
        unclip_ratio: a box is grown by area * unclip_ratio / perimeter, map pixels.
        box_type: "quad" for rectangles, "poly" for polygons of any shape.
        max_candidates: contours looked at; OpenCV lists them from the bottom of the map up.

    Returns:
        Quads, int16 [4, 2] each (x, y in page pixels; in the order of `min_area_rectangle`), or polygons, int64 [n, 2]
        each, clockwise on screen; and the scores, in the order of the contours.

    Raises:
        ValueError: an argument is of another shape, dtype or value than said above.
    """
    _check_arguments(prob, src_h, src_w, box_type)
    bitmap = (prob > np.float32(thresh)).view(np.uint8)
    contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes, scores = [], []
    for contour in contours[:max_candidates]:
        if box_type == "quad":
            found = _quad(prob, contour, box_thresh, unclip_ratio)
        else:
            found = _polygon(prob, contour, box_thresh, unclip_ratio)
        if found is not None:
            boxes.append(found[0])
            scores.append(found[1])
    map_h, map_w = prob.shape
    scale, bound = (src_w / map_w, src_h / map_h), (src_w, src_h)
    if box_type == "quad":
        quads = np.array(boxes, np.float64).reshape(-1, 4, 2)
        return list(_to_page(quads, scale, bound).astype(np.int16)), scores
    return [_to_page(polygon, scale, bound).astype(np.int64) for polygon in boxes], scores


def _check_arguments(prob: np.ndarray, src_h: int, src_w: int, box_type: str) -> None:
    if prob.ndim != 2 or prob.dtype != np.float32 or prob.size == 0:
        raise ValueError(f"expected a map of float32 [H, W] with pixels, got {prob.dtype} {list(prob.shape)}")
    if box_type not in ("quad", "poly"):
        raise ValueError(f"box_type is {box_type!r}; allowed: 'quad', 'poly'")
    if min(src_h, src_w) < 1 or (box_type == "quad" and max(src_h, src_w) > _MAX_QUAD_SIDE):
        raise ValueError(f"a page of {src_w}x{src_h} pixels; a side must be 1..{_MAX_QUAD_SIDE}")


def _quad(
    prob: np.ndarray, contour: np.ndarray, box_thresh: float, unclip_ratio: float
) -> tuple[np.ndarray, float] | None:
    """Return the grown rectangle around a contour, float32 [4, 2] map pixels, and its score; None if it is dropped."""
    rectangle, short_side = min_area_rectangle(contour)
    if short_side < _MIN_SIDE:
        return None
    score = _mean_inside(prob, rectangle)
    if box_thresh > score:
        return None
    paths = _grow(rectangle, unclip_ratio)
    if not paths:
        return None
    # Paths of equal length count together, of unequal ones only the first: PaddleX's arrays work out that way.
    together = len({len(path) for path in paths}) == 1
    points = np.array(paths if together else paths[0], np.int32).reshape(-1, 2)
    grown, short_side = min_area_rectangle(points)
    return None if short_side < _MIN_GROWN_SIDE else (grown, score)


def _polygon(
    prob: np.ndarray, contour: np.ndarray, box_thresh: float, unclip_ratio: float
) -> tuple[np.ndarray, float] | None:
    """Return the grown outline of a contour, int32 [n, 2] map pixels, and its score; None if it is dropped."""
    if len(contour) < 4:
        return None
    points = cv2.approxPolyDP(contour, _APPROXIMATION * cv2.arcLength(contour, True), True).reshape(-1, 2)
    if len(points) < 4:
        return None
    score = _mean_inside(prob, points)
    if box_thresh > score:
        return None
    paths = _grow(points, unclip_ratio)
    if len(paths) != 1:
        return None
    grown = np.array(paths[0], np.int32)
    _, short_side = min_area_rectangle(grown)
    return None if short_side < _MIN_GROWN_SIDE else (grown, score)


def _mean_inside(prob: np.ndarray, points: np.ndarray) -> float:
    """Mean probability inside a polygon (float32 or int32 [n, 2], map pixels), its outline included."""
    h, w = prob.shape
    # Lists: outlines have few points, and NumPy's reductions of so few take several times as long.
    xs, ys = zip(*points.tolist(), strict=True)
    left, right = _clip(math.floor(min(xs)), w - 1), _clip(math.ceil(max(xs)), w - 1)
    top, bottom = _clip(math.floor(min(ys)), h - 1), _clip(math.ceil(max(ys)), h - 1)
    # Shifted in the points' own dtype, then cut off: float32 rounding is part of the answer.
    shifted = (points - np.array((left, top), points.dtype)).astype(np.int32)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [shifted], (1,))
    return cv2.mean(prob[top : bottom + 1, left : right + 1], mask)[0]


def _clip(value: int, upper: int) -> int:
    return max(0, min(value, upper))


def _grow(points: np.ndarray, ratio: float) -> list[list[list[int]]]:
    """Offset a closed polygon outwards with round corners, by Vatti clipping; no path if nothing is left of it."""
    distance = cv2.contourArea(points) * ratio / cv2.arcLength(points, True)
    offset = pyclipper.PyclipperOffset()
    try:
        # The clipper works on integers; fractions are cut off.
        offset.AddPath(points.astype(np.int32).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    except pyclipper.ClipperException:
        return []
    return offset.Execute(distance)


def _to_page(points: np.ndarray, scale: tuple[float, float], bound: tuple[int, int]) -> np.ndarray:
    """Scale [..., 2] map points to the page, round half to even, clip; float64."""
    return np.clip(np.rint(points * np.array(scale)), 0, np.array(bound))
