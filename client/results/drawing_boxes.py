"""PaddleX's picture of detected boxes: the page with coloured frames and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from PIL import Image, ImageDraw

from paddlex_triton.client.results.fonts import drawable, find_font, warn_without_glyphs

_Colour: TypeAlias = tuple[int, int, int]

# Font size and line width in shares of the page's width and of its longer side.
_FONT_SHARE, _FONT_LEAST = 0.018, 2
_LINE_SHARE = 0.002
# Room around a label, pixels.
_MARGIN = 4

# Four rounds of five colours through the hues, each round a little further than the last, degrees.
_COLOURS, _PER_ROUND = 20, 5
_HUE_STEP, _HUE_SHIFT = 72, 18
_LIGHT_TEXT, _DARK_TEXT = (255, 255, 255), (20, 14, 53)
# Blue, violet and red are too dark for dark text.
_FIRST_DARK_HUE = 216


def draw_boxes(page: np.ndarray, boxes: Sequence[Mapping[str, Any]]) -> Image.Image:
    """Draw boxes as PaddleX does.

    Args:
        page: UINT8 [H,W,3] BGR.
        boxes: `label`, `score` and `coordinate` (x1, y1, x2, y2 in page pixels) each.

    Returns:
        An RGB image of W x H. A label's colour follows from the place of its first box.
    """
    image = Image.fromarray(cv2.cvtColor(page, cv2.COLOR_BGR2RGB))
    face = find_font()
    warn_without_glyphs(face, [box["label"] for box in boxes])
    font = face.at(int(_FONT_SHARE * image.width) + _FONT_LEAST)
    line_width = int(max(image.size) * _LINE_SHARE)
    draw = ImageDraw.Draw(image)
    places: dict[str, int] = {}
    for place, box in enumerate(boxes):
        colour, text_colour = palette_entry(places.setdefault(box["label"], place))
        x1, y1, x2, y2 = box["coordinate"]
        draw.line([(x1, y1), (x1, y2), (x2, y2), (x2, y1), (x1, y1)], width=line_width, fill=colour)
        text = drawable(f"{box['label']} {box['score']:.2f}", font)
        left, top, right, bottom = draw.textbbox((0, 0), text, font)
        width, height = right - left, bottom - top + _MARGIN
        # Above the frame, or inside it where there is no room above.
        label_top = y1 if y1 < height else y1 - height
        label_bottom = label_top + height + 1
        draw.rectangle([(x1, label_top), (x1 + width + _MARGIN, label_bottom)], fill=colour)
        draw.text((x1 + _MARGIN // 2, label_top - _MARGIN // 2), text, fill=text_colour, font=font)
    return image


def palette_entry(place: int) -> tuple[_Colour, _Colour]:
    """Return the colours of the frame and of the text on it, RGB, for the box at a place; they repeat after twenty."""
    index = place % _COLOURS
    hue = (_HUE_STEP * (index % _PER_ROUND) + _HUE_SHIFT * (index // _PER_ROUND)) % 360
    text = _LIGHT_TEXT if hue == 0 or hue >= _FIRST_DARK_HUE else _DARK_TEXT
    return pure_colour(hue), text


def pure_colour(hue: int) -> _Colour:
    """Return the RGB of a hue in whole degrees, at full saturation and brightness."""
    red, green, blue = (_channel((hue + turn) % 360) for turn in (0, 240, 120))
    return red, green, blue


def _channel(hue: int) -> int:
    """Return the share of red in a hue: all of it up to 60 degrees from red, nothing beyond 120."""
    rise = min(max(120 - min(hue, 360 - hue), 0), 60)
    # Halves go towards the middle, as in PaddleX's table.
    return (rise * 255 + (30 if rise <= 30 else 29)) // 60
