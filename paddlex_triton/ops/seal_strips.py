"""A curved text line straightened strip by strip: each strip of its outline becomes an upright rectangle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from paddlex_triton.ops.seal_polygon import lengths_of

# A line more than this many times as high as wide is taken for vertical text.
_VERTICAL_RATIO = 1.5
# An outline of so many points is one strip.
_QUAD = 4


@dataclass(frozen=True)
class Strips:
    """How a line is straightened.

    Attributes:
        quads: float32 [S, 4, 2], the strips on the page, x, y in pixels: start and end of the upper edge, end and start
            of the lower edge.
        widths: float32 [S], widths of the rectangles that they become, pixels, with fractions.
        height: height of those rectangles.
        sizes: width and height in pixels of what is cut out for each strip.
        turned: whether the strips, one beside the other, are turned by 90 degrees clockwise in the end.
    """

    quads: np.ndarray
    widths: np.ndarray
    height: float
    sizes: list[tuple[int, int]]
    turned: bool

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of the straightened line, pixels."""
        width, height = sum(w for w, _ in self.sizes), max(h for _, h in self.sizes)
        return (width, height) if self.turned else (height, width)

    @property
    def contains_page(self) -> bool:
        """Whether a strip is less than a pixel wide or high, and therefore shows the whole page."""
        return self.height < 1 or bool((self.widths < 1).any())


def has_extent(outline: np.ndarray) -> bool:
    """Tell whether an outline spans at least a pixel in x, fractions cut off; one of 4 points need not.

    Args:
        outline: float32 [n, 2] x, y in pixels, as `plan_strips` takes it.
    """
    left, _, right, _ = whole_extent(outline)
    return left < right or len(outline) == _QUAD


def whole_extent(outline: np.ndarray) -> tuple[int, int, int, int]:
    """Return smallest x and y and greatest x and y of some points [n, 2], fractions cut off."""
    left, top = outline.min(axis=0).tolist()
    right, bottom = outline.max(axis=0).tolist()
    return int(left), int(top), int(right), int(bottom)


def plan_strips(outline: np.ndarray, page_size: tuple[int, int]) -> Strips:
    """Lay out the strips of a line.

    The height is the mean distance of the lines along the text. A strip is as wide as its piece of the upper line and
    the opposite piece of the lower line are long on average. Fractions of these are cut off; if nothing is left,
    OpenCV takes the page's size instead, and that strip holds the whole page, in perspective.

    Args:
        outline: float32 [n, 2] x, y in page pixels, n even; `has_extent` is true of it. The first half runs along the
            text, the second half back. Of 4 points the line is one strip.
        page_size: height and width of the page, pixels.
    """
    if len(outline) == _QUAD:
        width, height = _size_of_quad(outline)
        widths = np.array([width], np.float32)
        return Strips(outline[None], widths, height, [_pixels(width, height, page_size)], turned=False)
    left, top, right, bottom = whole_extent(outline)
    turned = (bottom - top) / (right - left) > _VERTICAL_RATIO
    if turned:
        outline = np.roll(outline, -1, axis=0)
        widths, height = _rectangles_of_upright_line(_lay_down(outline, page_size[0]))
    else:
        widths, height = _rectangles_of_line(outline)
    backward = outline[::-1]
    count = len(outline) // 2 - 1
    quads = np.stack((outline[:count], outline[1 : count + 1], backward[1 : count + 1], backward[:count]), axis=1)
    sizes = [_pixels(width, height, page_size) for width in widths.tolist()]
    return Strips(quads, widths, height, sizes, turned)


def warp_strips(image: np.ndarray, strips: Strips) -> np.ndarray:
    """Straighten a line: bilinear, black beyond the page.

    Args:
        image: the page, uint8 [H, W, 3].
        strips: what `plan_strips` gave for a page of this size.

    Returns:
        uint8 [h, w, 3] of `strips.crop_size`. Where a strip holds the whole page and others are lower, these are black
        at the bottom.
    """
    height, width = strips.crop_size[::-1] if strips.turned else strips.crop_size
    line = np.zeros((height, width, 3), np.uint8)
    start = 0
    for transform, (w, h) in zip(_transforms(strips), strips.sizes, strict=True):
        # Written in place: a strip's columns are contiguous enough for OpenCV. One look-up for all strips, with
        # coordinates computed here, takes longer.
        cv2.warpPerspective(image, transform, (w, h), dst=line[:h, start : start + w], flags=cv2.INTER_LINEAR)
        start += w
    return cv2.rotate(line, cv2.ROTATE_90_CLOCKWISE) if strips.turned else line


def _size_of_quad(quad: np.ndarray) -> tuple[int, int]:
    top, right, bottom, left = lengths_of(quad - np.roll(quad, -1, axis=0)).tolist()
    return int(max(top, bottom)), int(max(left, right))


def _pixels(width: float, height: float, page_size: tuple[int, int]) -> tuple[int, int]:
    whole = int(width), int(height)
    return whole if min(whole) > 0 else (page_size[1], page_size[0])


def _lay_down(outline: np.ndarray, page_height: int) -> np.ndarray:
    """Return an upright line turned on its side, float32 as PaddleX rounds it."""
    x, y = outline.astype(np.float64).T
    return np.stack((y, page_height - x - 1), axis=1).astype(np.float32)


def _rectangles_of_line(outline: np.ndarray) -> tuple[np.ndarray, float]:
    """Widths and height of the strips' rectangles, in float64; a square is `pow`'s, which is not always x * x."""
    points = outline.astype(np.float64)
    edges, across = _edges_and_across(points)
    along = [math.sqrt(x**2.0 + y**2.0) for x, y in edges.tolist()]
    heights = np.array([math.sqrt(x**2.0 + y**2.0) for x, y in across.tolist()])
    return _rectangles(np.array(along), heights)


def _rectangles_of_upright_line(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the same in float32, where a square is `powf`'s."""
    edges, across = _edges_and_across(points)
    two = np.float32(2)
    squares = np.array([value**two for value in np.concatenate((edges, across)).ravel()], np.float32).reshape(-1, 2)
    lengths = np.sqrt(squares[:, 0] + squares[:, 1])
    return _rectangles(lengths[: len(edges)], lengths[len(edges) :])


def _edges_and_across(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = len(points) // 2
    return np.diff(points, axis=0), points[:half] - points[: half - 1 : -1]


def _rectangles(along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, float]:
    half = len(along) // 2
    widths = (along[:half] + along[: -half - 1 : -1]) / 2
    # PaddleX places the rectangles around their middle in float32, and measures them there.
    edges = np.concatenate(([0.0], widths.cumsum()))
    placed = (edges - edges[-1] / 2).astype(np.float32)
    return np.abs(placed[1:] - placed[:-1]), float(np.around(np.mean(across)))


def _transforms(strips: Strips) -> list[np.ndarray]:
    """For each strip the perspective transform from the page, float64 [3, 3]."""
    targets = np.zeros((len(strips.widths), 4, 2), np.float32)
    targets[:, 1:3, 0] = strips.widths[:, None]
    targets[:, 2:, 1] = strips.height
    return [cv2.getPerspectiveTransform(quad, target) for quad, target in zip(strips.quads, targets, strict=True)]
