"""What the generators draw and the networks learn from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

IMAGE, TABLE, SEAL = 0, 1, 2
CLASS_NAMES = ("image", "table", "seal")
# Pixels of a picture's side: below it the generators' tables and codes have no room.
MIN_SIDE = 192


@dataclass
class SealScene:
    """A picture of a seal, as a seal text detector is given it, and where the seals' own lines of text are.

    Attributes:
        image: uint8 [H, W, 3], BGR.
        polygons: one outline per line of text, float32 [n, 2], x and y in pixels of the image, clockwise: the edge at
            the tops of the characters in reading order, then the one at their feet, backwards. The band is 1.08 glyph
            heights wide. Parts may lie outside the image.
        glyph_heights: one per line, pixels of the image; tiny ones are not left out.
        texts: one per line, as it is read.
    """

    image: np.ndarray
    polygons: list[np.ndarray] = field(default_factory=list)
    glyph_heights: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@dataclass
class PageScene:
    """A page, squeezed into a square as a layout network is given it, and what lies on it.

    Attributes:
        image: uint8 [H, W, 3], BGR.
        boxes: float32 [B, 4], x1, y1, x2, y2 in pixels of the image, inside of it.
        classes: int64 [B], indices into `CLASS_NAMES`.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
