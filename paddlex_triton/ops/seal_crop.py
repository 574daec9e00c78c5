"""Text lines of seals, cut out along a polygon and straightened: PaddleX's `get_poly_rect_crop`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_IMAGE_PIXELS, MAX_PASTED_PIXELS, MAX_POLYGON_POINTS
from paddlex_triton.ops.crop import CropsOnDemand, check_on_page, crop_quad, min_area_quad, quad_crop_size, upright_size
from paddlex_triton.ops.seal_edges import text_outline
from paddlex_triton.ops.seal_polygon import fills_rectangle, is_simple, merge_short_edges
from paddlex_triton.ops.seal_strips import Strips, has_extent, plan_strips, warp_strips, whole_extent

# With fewer vertices there is no line to follow.
_MIN_VERTICES = 4


@dataclass(frozen=True)
class RectificationPlan:
    """How a polygon is cut out, found without looking at the page's pixels.

    Attributes:
        size: height and width of the crop, pixels. The width is 0 for a line less than a pixel wide.
        strips: how the line is straightened; None if it is cut out as the rectangle of least area around the polygon,
            or has no pixels.
    """

    size: tuple[int, int]
    strips: Strips | None


def plan_rectification(page: np.ndarray, polygon: np.ndarray) -> RectificationPlan:
    """Find out how a polygon is cut out.

    Args:
        page: uint8 [H, W, 3]; its size counts, its pixels do not.
        polygon: [n, 2] x, y in page pixels, 1 <= n <= MAX_POLYGON_POINTS; fractions are cut off.

    Raises:
        ValueError: no points, too many of them, or another shape.
        ImageTooLarge: the crop would have more than MAX_IMAGE_PIXELS pixels.
    """
    points = _whole_points(polygon)
    outline = line_outline(points)
    if outline is None:
        return RectificationPlan(upright_size(page, *quad_crop_size(points)), None)
    if not has_extent(outline):
        last = page.shape[0] - 1
        _, top, _, bottom = whole_extent(outline)
        return RectificationPlan((min(bottom, last) - min(top, last), 0), None)
    strips = plan_strips(outline, (page.shape[0], page.shape[1]))
    height, width = strips.crop_size
    if height * width > MAX_IMAGE_PIXELS:
        raise ImageTooLarge(
            f"a text line is {width}x{height} (width x height); at most {MAX_IMAGE_PIXELS} pixels are allowed"
        )
    return RectificationPlan((height, width), strips)


def line_outline(points: np.ndarray) -> np.ndarray | None:
    """Find the lines along the text, if it is to be straightened.

    It is not when the polygon has fewer than 4 points (as it is or after vertices that lie close together are merged),
    touches or crosses itself, or fills at least 0.7 of the rectangle of least area around it.

    Args:
        points: int32 [n, 2] x, y, n >= 1.

    Returns:
        float32 [m, 2] as `text_outline` gives it, or None.
    """
    if len(points) < _MIN_VERTICES or not is_simple(points) or fills_rectangle(points, min_area_quad(points)):
        return None
    vertices = merge_short_edges(points)
    return None if len(vertices) < _MIN_VERTICES else text_outline(vertices)


def has_pixels(polygon: np.ndarray) -> bool:
    """Tell whether the crop of a polygon has any pixels. PaddleX drops the polygons whose crop has none.

    There are none when the line is to be straightened and the whole part of x is the same all along it: the ratio that
    tells vertical text cannot be computed then. The page does not matter, nor does a polygon on its edge.

    Args:
        polygon: [n, 2] x, y in pixels, 1 <= n <= MAX_POLYGON_POINTS; fractions are cut off.

    Raises:
        ValueError: no points, too many of them, or another shape.
    """
    outline = line_outline(_whole_points(polygon))
    return outline is None or has_extent(outline)


def readable_polygons(pages: Sequence[np.ndarray], polygons: Sequence[np.ndarray]) -> list[int]:
    """Select the polygons that are worth reading.

    Left out are those whose crop has no pixels, as in PaddleX (see `has_pixels`), and specks beyond a bound: for a
    strip less than a pixel wide PaddleX pastes the whole page into the crop, so that a speck of a few pixels on a large
    page takes more memory than everything else on it. The first are kept, with MAX_PASTED_PIXELS in their crops. A line
    whose crop would be too large for `plan_rectification` is left out too.

    Args:
        pages: for each polygon the page it is on, uint8 [H, W, 3]; its size counts, its pixels do not.
        polygons: [n, 2] each, as `plan_rectification` takes them.

    Returns:
        Indices of `polygons`, ascending.

    Raises:
        ValueError: see `plan_rectification`.
    """
    kept, pasted = [], 0
    for index, (page, polygon) in enumerate(zip(pages, polygons, strict=True)):
        try:
            plan = plan_rectification(page, polygon)
        except ImageTooLarge:
            continue
        height, width = plan.size
        if plan.strips is not None and plan.strips.contains_page:
            if pasted + height * width > MAX_PASTED_PIXELS:
                continue
            pasted += height * width
        if height and width:
            kept.append(index)
    return kept


def rectify_polygon(image: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Cut a text line out along a polygon and straighten it.

    A polygon that fills its rectangle of least area, or that has no line to follow, is cut out as `crop_quad` does.
    Any other is divided into 15 strips along the text, each warped to an upright rectangle (bilinear, black beyond the
    page); the strips stand beside each other in the crop.

    Args:
        image: the page, uint8 [H, W, 3], C-contiguous; sides of at most MAX_IMAGE_SIDE pixels.
        polygon: [n, 2] x, y in page pixels, clockwise on screen, 1 <= n <= MAX_POLYGON_POINTS; fractions are cut off.

    Returns:
        uint8 [h, w, 3]; without pixels where `has_pixels` is False. It may be a view of the page: do not write to it.

    Raises:
        ValueError: no points, too many of them, or another shape.
        ImageTooLarge: the crop would have more than MAX_IMAGE_PIXELS pixels, or, as a rectangle, a side of more than
            MAX_IMAGE_SIDE.
    """
    return _cut(image, polygon, plan_rectification(image, polygon))


class PolygonCrops(CropsOnDemand):
    """`rectify_polygon` of many polygons, each when it is looked at."""

    def __init__(self, pages: Sequence[np.ndarray], polygons: Sequence[np.ndarray]) -> None:
        """Check the polygons and plan their crops.

        Args:
            pages: for each polygon the page it is on, uint8 [H, W, 3].
            polygons: integer [n, 2] each, 1 <= n <= MAX_POLYGON_POINTS, x, y in pixels of its page, from 0 to W and 0
                to H, both included.

        Raises:
            ValueError: a polygon is not [n, 2], has no or too many points, or leaves its page.
            ImageTooLarge: a crop is too large, or all of them together have more than MAX_CROP_PIXELS.
        """
        for index, (page, polygon) in enumerate(zip(pages, polygons, strict=True)):
            _check_points(f"polygon {index}", polygon)
            check_on_page(index, page, polygon)
        self._pages, self._polygons = pages, polygons
        self._plans = [plan_rectification(page, polygon) for page, polygon in zip(pages, polygons, strict=True)]
        super().__init__([plan.size for plan in self._plans], sum(map(_memory, polygons, self._plans)))

    def cut(self, index: int) -> np.ndarray:
        """Do `rectify_polygon` for the page and polygon at an index."""
        return _cut(self._pages[index], self._polygons[index], self._plans[index])


def _cut(image: np.ndarray, polygon: np.ndarray, plan: RectificationPlan) -> np.ndarray:
    if plan.strips is not None:
        return warp_strips(image, plan.strips)
    if 0 in plan.size:
        return np.empty((*plan.size, 3), np.uint8)
    return crop_quad(image, polygon)


def _memory(polygon: np.ndarray, plan: RectificationPlan) -> int:
    """Pixels of a crop; none if it is a view of the page's first."""
    width, height = quad_crop_size(polygon) if plan.strips is None else plan.size
    return width * height


def _whole_points(polygon: np.ndarray) -> np.ndarray:
    _check_points("the polygon", polygon)
    return polygon.astype(np.int32)


def _check_points(name: str, polygon: np.ndarray) -> None:
    if polygon.ndim != 2 or polygon.shape[1] != 2:
        raise ValueError(f"{name} has shape {list(polygon.shape)}; [n, 2] is expected")
    if len(polygon) == 0:
        raise ValueError(f"{name} has no points")
    if len(polygon) > MAX_POLYGON_POINTS:
        raise ValueError(f"{name} has {len(polygon)} points; at most {MAX_POLYGON_POINTS} are allowed")
