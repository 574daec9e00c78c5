"""Text lines cut out of a page."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import cv2
import numpy as np

from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_CROP_PIXELS, MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE
from paddlex_triton.ops.geometry import min_area_rectangle
from paddlex_triton.ops.orientation import turn_page

# A crop at least this many times as high as wide is taken for vertical text and turned.
_VERTICAL_RATIO = 1.5
# The warp looks pixels up on a grid of 1/32 pixel. Corners this close to whole pixels (float32 noise) stay on it.
_WHOLE_PIXEL = 1 / 256


def min_area_quad(points: np.ndarray) -> np.ndarray:
    """Return the rotated rectangle of least area around some points, the one that is cut out.

    Args:
        points: [n, 2] x, y in page pixels; fractions are cut off.

    Returns:
        float32 [4, 2] corners, in the order of `min_area_rectangle`.
    """
    return min_area_rectangle(np.asarray(points).astype(np.int32, copy=False))[0]


def quad_crop_size(quad: np.ndarray) -> tuple[int, int]:
    """Return width and height in pixels of the rectangle cut out for a quad, before a vertical one is turned.

    Either is 0 when the quad covers less than a pixel in that direction; see `crop_quad` for what happens then.

    Args:
        quad: [4, 2] x, y in page pixels.
    """
    (rectangle,) = _rectangles([quad])
    return rectangle.width, rectangle.height


def crop_quad(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """Cut a quad out of a page: the rectangle of least area around it, set upright by a cubic perspective warp.

    A crop whose height is at least 1.5 times its width is turned by 90 degrees counter-clockwise.

    A quad without width or height gives a crop as large as the whole page in the colour of its first pixel, never an
    empty one: OpenCV takes an empty target size for "as large as the source", and PaddleX passes it one. It is a
    read-only view of that pixel and costs no memory.

    Args:
        image: uint8 [H, W, 3], C-contiguous; sides of at most MAX_IMAGE_SIDE pixels.
        quad: [4, 2] x, y in page pixels.

    Returns:
        uint8 [h, w, 3], h and w at least 1. It may be a view of the page: do not write to it.

    Raises:
        ImageTooLarge: the crop would have more than MAX_IMAGE_PIXELS pixels, or a side of more than MAX_IMAGE_SIDE.
    """
    (rectangle,) = _rectangles([quad])
    _check_size(rectangle.width, rectangle.height)
    return _cut(image, rectangle)


class CropsOnDemand(Sequence[np.ndarray]):
    """The crops of many polygons, each cut out when it is looked at, so that they never are all in memory.

    Attributes:
        sizes: height and width of each crop, pixels.
    """

    def __init__(self, sizes: list[tuple[int, int]], pixels: int) -> None:
        """Check the crops' sizes.

        Args:
            sizes: height and width of each crop, pixels.
            pixels: memory that all of them would take; crops that are views take none.

        Raises:
            ImageTooLarge: more than MAX_CROP_PIXELS.
        """
        if pixels > MAX_CROP_PIXELS:
            raise ImageTooLarge(f"the text lines have {pixels} pixels together; at most {MAX_CROP_PIXELS} are allowed")
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        """Return the crop at an index."""
        if isinstance(index, slice):
            return [self.cut(i) for i in range(*index.indices(len(self)))]
        return self.cut(index)

    @abstractmethod
    def cut(self, index: int) -> np.ndarray:
        """Cut a crop out: uint8 [h, w, 3]. It may be a view of the page: do not write to it."""


class QuadCrops(CropsOnDemand):
    """`crop_quad` of many quads, each when it is looked at."""

    def __init__(self, pages: Sequence[np.ndarray], quads: Sequence[np.ndarray]) -> None:
        """Check the quads and compute the sizes of their crops.

        Args:
            pages: for each quad the page it is on, uint8 [H, W, 3].
            quads: integer [4, 2] each, x, y in pixels of its page, from 0 to W and 0 to H, both included.

        Raises:
            ValueError: a quad is not [4, 2] or leaves its page.
            ImageTooLarge: a crop is too large, or all of them together have more than MAX_CROP_PIXELS.
        """
        for index, (page, quad) in enumerate(zip(pages, quads, strict=True)):
            if quad.shape != (4, 2):
                raise ValueError(f"polygon {index} has {len(quad)} points; a quad has 4")
            check_on_page(index, page, quad)
        self._pages, self._rectangles = pages, _rectangles(quads)
        sizes = [upright_size(page, one.width, one.height) for page, one in zip(pages, self._rectangles, strict=True)]
        super().__init__(sizes, sum(one.width * one.height for one in self._rectangles))

    def cut(self, index: int) -> np.ndarray:
        """Do `crop_quad` for the page and quad at an index."""
        return _cut(self._pages[index], self._rectangles[index])


class TurnedCrops(CropsOnDemand):
    """Crops of which those that are upside down are turned by `turn_page`, each when it is looked at.

    They keep their sizes, and come out with a black row and a black column as pages do.
    """

    def __init__(self, crops: CropsOnDemand, class_ids: Sequence[int]) -> None:
        """Check the classes.

        Args:
            crops: as they were cut out.
            class_ids: one per crop, of the classifier of line orientation: 0 for upright, 1 for upside down.

        Raises:
            ValueError: there are not as many of them as there are crops.
            RuntimeError: one is another number: the network is none for lines. PaddleX stops there too.
        """
        if len(class_ids) != len(crops):
            raise ValueError(f"there are {len(crops)} text lines and {len(class_ids)} classes; one each is expected")
        if others := sorted({*class_ids} - {0, 1}):
            raise RuntimeError(f"the classifier of line orientation gave classes {others}; 0 and 1 are expected")
        # The crops' pixels have been checked; one at a time is turned.
        super().__init__(crops.sizes, 0)
        self._crops, self._class_ids = crops, class_ids

    def cut(self, index: int) -> np.ndarray:
        """Return the crop at an index, upright. It may be a view of the page: do not write to it."""
        return turn_page(self._crops[index], 180 * self._class_ids[index])


def check_on_page(index: int, page: np.ndarray, polygon: np.ndarray) -> None:
    """Refuse a polygon that leaves its page.

    Args:
        index: of the polygon, for the message.
        page: [H, W, 3].
        polygon: [n, 2], n >= 1; x from 0 to W and y from 0 to H, both included.

    Raises:
        ValueError: it does.
    """
    # Lists: polygons have few points, and NumPy's reductions of so few take several times as long.
    xs, ys = zip(*polygon.tolist(), strict=True)
    if min(xs) < 0 or min(ys) < 0 or max(xs) > page.shape[1] or max(ys) > page.shape[0]:
        raise ValueError(f"polygon {index} leaves its page of {page.shape[1]}x{page.shape[0]} px")


def upright_size(page: np.ndarray, width: int, height: int) -> tuple[int, int]:
    """Return height and width of what `crop_quad` gives for a quad of this width and height.

    Args:
        page: [H, W, 3].
        width: as `quad_crop_size` gives it, pixels.
        height: likewise.

    Raises:
        ImageTooLarge: as for `crop_quad`.
    """
    _check_size(width, height)
    if width == 0 or height == 0:
        height, width = page.shape[:2]
    return (width, height) if height / width >= _VERTICAL_RATIO else (height, width)


@dataclass(frozen=True)
class _Rectangle:
    """What is cut out for a quad.

    Attributes:
        corners: float32 [4, 2] as `min_area_quad` gives them.
        width, height: pixels, before a vertical one is turned.
    """

    corners: np.ndarray
    width: int
    height: int


def _rectangles(quads: Sequence[np.ndarray]) -> list[_Rectangle]:
    """Return the rectangles of least area; their sizes are the longer of opposite sides, cut off, as in PaddleX."""
    if not quads:
        return []
    corners = np.stack([min_area_quad(quad) for quad in quads])
    edges = corners - corners[:, (1, 2, 3, 0)]
    squares = edges * edges
    lengths = np.sqrt(squares[..., 0] + squares[..., 1])
    sizes = np.maximum(lengths[:, :2], lengths[:, 2:]).astype(np.int64).tolist()
    return [_Rectangle(four, width, height) for four, (width, height) in zip(corners, sizes, strict=True)]


def _cut(image: np.ndarray, rectangle: _Rectangle) -> np.ndarray:
    """Do `crop_quad` for the rectangle around its quad, whose size has been checked."""
    corners, width, height = rectangle.corners, rectangle.width, rectangle.height
    if width == 0 or height == 0:
        return _first_pixel(image)
    crop = _upright_slice(image, corners, width, height)
    if crop is None:
        crop = _warp(image, corners, width, height)
    return cv2.rotate(crop, cv2.ROTATE_90_COUNTERCLOCKWISE) if height / width >= _VERTICAL_RATIO else crop


def _first_pixel(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    shape = (width, height, 3) if height / width >= _VERTICAL_RATIO else (height, width, 3)
    return np.broadcast_to(image[:1, :1], shape)


def _upright_slice(image: np.ndarray, corners: np.ndarray, width: int, height: int) -> np.ndarray | None:
    """Return the pixels of an upright rectangle on whole pixels, which the warp would only copy; None for any other."""
    points = [(round(x), round(y)) for x, y in corners.tolist()]
    (left, top), (right, bottom) = points[0], points[2]
    is_rectangle = points == [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    is_inside = left >= 0 and top >= 0 and right <= image.shape[1] and bottom <= image.shape[0]
    if not (is_rectangle and is_inside) or np.abs(corners - points).max() > _WHOLE_PIXEL:
        return None
    return image[top:bottom, left:right]


def _warp(image: np.ndarray, corners: np.ndarray, width: int, height: int) -> np.ndarray:
    target = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    transform = cv2.getPerspectiveTransform(corners, target)
    return cv2.warpPerspective(
        image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_IMAGE_SIDE or width * height > MAX_IMAGE_PIXELS:
        raise ImageTooLarge(
            f"a text line is {width}x{height} (width x height); "
            f"at most {MAX_IMAGE_SIDE} a side and {MAX_IMAGE_PIXELS} pixels are allowed"
        )
