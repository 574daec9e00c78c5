"""PaddleX's picture of recognised text: the page with coloured lines, and the texts beside it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from paddlex_triton.client.results.fonts import FontFace, drawable, find_font, fitted_size, warn_without_glyphs

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_VERTICAL_FONT_SHARE = 0.96
_SMALLEST_VERTICAL_FONT = 10
_VERTICAL_LINE_GAP = 2
# A box is for vertical text if it is this tall, in pixels and in widths.
_VERTICAL_HEIGHT, _VERTICAL_RATIO = 30, 2
# Text of a bent line is shown on a straight strip of this height at most.
_STRIP_HEIGHT = 20
_BENT_OUTLINE_WIDTH = 8
# Up to so many pixels, of all lines together, each line is drawn on a canvas as large as the page, as PaddleX does it:
# pixels are rounded to in the same way then. Half a second.
_WHOLE_CANVAS_PIXELS = 50_000_000


def draw_text_lines(page: np.ndarray, polygons: Sequence[Any], texts: Sequence[str]) -> Image.Image:
    """Draw text lines as PaddleX does.

    Args:
        page: UINT8 [H,W,3] BGR.
        polygons: [n,2] each, x and y in page pixels; four points TL,TR,BR,BL, or more for bent lines.
        texts: one for each polygon.

    Returns:
        An RGB image of 2W x H: on the left the page, half covered by filled polygons; on the right the texts in
        their places on white. Colours come from Python's `random` seeded with 0, in the order of the lines.
    """
    height, width = page.shape[:2]
    face = find_font()
    warn_without_glyphs(face, list(texts))
    colours = random.Random(0)
    original = Image.fromarray(cv2.cvtColor(page, cv2.COLOR_BGR2RGB))
    covered = original.copy()
    draw = ImageDraw.Draw(covered)
    right = np.full((height, width, 3), 255, np.uint8)
    whole = len(polygons) * height * width <= _WHOLE_CANVAS_PIXELS
    for polygon, text in zip(polygons, texts, strict=True):
        points = np.array(polygon)
        colour = (colours.randint(0, 255), colours.randint(0, 255), colours.randint(0, 255))
        corners = [(int(x), int(y)) for x, y in points.tolist()]
        if len(points) > 4:
            draw.polygon(corners, fill=colour, outline=colour, width=_BENT_OUTLINE_WIDTH)
            points = _strip(points)
        else:
            draw.polygon(corners, fill=colour)
        _draw_text(right, points, text, colour, face, whole=whole)
    picture = Image.new("RGB", (width * 2, height), _WHITE)
    picture.paste(Image.blend(original, covered, 0.5), (0, 0))
    picture.paste(Image.fromarray(right), (width, 0))
    return picture


def _draw_text(
    canvas: np.ndarray, box: np.ndarray, text: str, colour: tuple[int, int, int], face: FontFace, *, whole: bool
) -> None:
    """Stretch a text into a box of four points and outline the box; the canvas is changed.

    `whole` is for working on the whole canvas, not just around the box.
    """
    corners = box.astype(np.float64)
    width = int(np.linalg.norm(corners[0] - corners[1]))
    height = int(np.linalg.norm(corners[0] - corners[3]))
    if width == 0 or height == 0:
        return
    size = np.array(canvas.shape[1::-1])
    low, high = np.zeros(2, int), size
    if not whole:
        # Only the box's surroundings are worked on: everything else stays as it is.
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, size)
    if (high <= low).any():
        return
    text_image = _text_image(text, width, height, face)
    if text_image is None:
        return
    text_corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(text_corners, (corners - low).astype(np.float32))
    patch = cv2.warpPerspective(
        np.asarray(text_image),
        matrix,
        (int(high[0] - low[0]), int(high[1] - low[1])),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_WHITE,
    )
    outline = (box.astype(np.int32) - low.astype(np.int32)).reshape(-1, 1, 2)
    cv2.polylines(patch, [outline], True, colour, 1)
    canvas[low[1] : high[1], low[0] : high[0]] &= patch


def _text_image(text: str, width: int, height: int, face: FontFace) -> Image.Image | None:
    """Draw black text on white, fitted into a size; None for letters below a pixel, which PaddleX does not draw."""
    image = Image.new("RGB", (width, height), _WHITE)
    if not text:
        return image
    draw = ImageDraw.Draw(image)
    if height > _VERTICAL_RATIO * width and height > _VERTICAL_HEIGHT:
        _draw_vertical(draw, text, width, height, face)
        return image
    size = fitted_size(face, text, width, height)
    if size < 1:
        return None
    font = face.at(size)
    draw.text((0, 0), drawable(text, font), fill=_BLACK, font=font)
    return image


def _draw_vertical(draw: ImageDraw.ImageDraw, text: str, width: int, height: int, face: FontFace) -> None:
    size = max(int(height / len(text) * _VERTICAL_FONT_SHARE), _SMALLEST_VERTICAL_FONT)
    font = face.at(size)
    text = drawable(text, font)
    widest = max(font.getlength(letter) for letter in text)
    if widest > width:
        font = face.at(max(int(size * width / widest), _SMALLEST_VERTICAL_FONT))
    y = 0.0
    for letter in text:
        draw.text((0, y), letter, fill=_BLACK, font=font)
        _, top, _, bottom = font.getbbox(letter)
        y += bottom - top + _VERTICAL_LINE_GAP


def _strip(points: np.ndarray) -> np.ndarray:
    """Return a straight strip in the middle of a bent line, INT32 [4,2]: TL, TR, BR, BL."""
    rectangle = cv2.boxPoints(cv2.minAreaRect(points.astype(np.int32)))
    by_x = sorted(rectangle.tolist(), key=lambda point: point[0])
    top_left, bottom_left = sorted(by_x[:2], key=lambda point: point[1])
    top_right, bottom_right = sorted(by_x[2:], key=lambda point: point[1])
    box = np.array([top_left, top_right, bottom_right, bottom_left]).astype(np.int32)
    height = int(0.5 * (box[:, 1].max() - box[:, 1].min()))
    middle = int(box[:, 1].mean())
    box[:2, 1] = middle
    # The upper edge is level by now, and the lower one is measured from the new middle.
    box[2:, 1] = int(box[:, 1].mean()) + min(_STRIP_HEIGHT, height)
    return box
