"""Pictures to prove a network on: noise, which reaches every pixel value, and lines of text, which it was made for."""

from __future__ import annotations

import cv2
import numpy as np

_LINES = ("Boarding Pass 2024", "GATE B17  SEAT 32A", "0123456789", "The quick brown fox", "Total: 1,280.50 EUR")


def noise(seed: int, *shape: int) -> np.ndarray:
    """Uniform uint8 noise of some shape, the same for the same seed."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def text_page(seed: int, height: int, width: int) -> np.ndarray:
    """A page of text lines on lightly stained paper, uint8 [height, width, 3], BGR."""
    stains = noise(seed, max(1, height // 32), max(1, width // 32), 3) // 8
    page = 255 - cv2.resize(stains, (width, height), interpolation=cv2.INTER_LINEAR)
    for index, top in enumerate(range(30, height, 44)):
        _write(page, _LINES[(seed + index) % len(_LINES)], (10 + 7 * (index % 3), top), 0.8)
    return page


def text_line(seed: int, height: int, width: int) -> np.ndarray:
    """One cropped line of text, uint8 [height, width, 3], BGR."""
    line = np.full((height, width, 3), (225, 235, 240), np.uint8)
    _write(line, " ".join(_LINES[seed % len(_LINES) :]), (4, round(height * 0.7)), height / 40)
    return line


def fit(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A given picture at a given size, uint8 [height, width, 3]."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))


def _write(image: np.ndarray, text: str, origin: tuple[int, int], scale: float) -> None:
    cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (40, 30, 20), 2, cv2.LINE_AA)
