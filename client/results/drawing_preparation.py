"""PaddleX's picture of page preparation: the page as it was sent, turned and flattened, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from paddlex_triton.client.results.fonts import drawable, find_font, fitted_font

_CAPTION_HEIGHT, _STRIP_HEIGHT = 20, 25
_CAPTION_LEFT, _CAPTION_TOP = 10, 2
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


def draw_side_by_side(pages: Sequence[np.ndarray], captions: Sequence[str]) -> Image.Image:
    """Put pages beside each other, each with a caption below.

    Args:
        pages: UINT8 [H,W,3] BGR each.
        captions: one for each.

    Returns:
        An RGB image as wide as all pages together, and 25 pixels higher than the highest.
    """
    face = find_font()
    height = max(page.shape[0] for page in pages)
    picture = Image.new("RGB", (sum(page.shape[1] for page in pages), height + _STRIP_HEIGHT), _WHITE)
    draw = ImageDraw.Draw(picture)
    left = 0
    for page, caption in zip(pages, captions, strict=True):
        width = page.shape[1]
        picture.paste(Image.fromarray(cv2.cvtColor(page, cv2.COLOR_BGR2RGB)), (left, 0))
        font = fitted_font(face, caption, width, _CAPTION_HEIGHT)
        place = (left + _CAPTION_LEFT, height + _CAPTION_TOP)
        draw.text(place, drawable(caption, font), fill=_BLACK, font=font)
        left += width
    return picture
