"""The pages that the generators draw and the network learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

IMAGE, TABLE, SEAL = 0, 1, 2
CLASS_NAMES = ("image", "table", "seal")
# Pixels of a picture's side: below it the generators' tables and codes have no room.
MIN_SIDE = 192


@dataclass
class PageScene:
    """A page, squeezed into a square as the network is given it, and what lies on it.

    Attributes:
        image: uint8 [H, W, 3], BGR.
        boxes: float32 [B, 4], x1, y1, x2, y2 in pixels of the image, inside of it.
        classes: int64 [B], indices into `CLASS_NAMES`.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray


class Pages(Protocol):
    """Pages by number: a list of them, or a folder's shards."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> PageScene: ...
