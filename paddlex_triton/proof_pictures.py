"""Pictures to prove a network on: noise, which reaches every pixel value, and drawings of what it was made for."""

from __future__ import annotations

import cv2
import numpy as np

_LINES = ("Boarding Pass 2024", "GATE B17  SEAT 32A", "0123456789", "The quick brown fox", "Total: 1,280.50 EUR")


def noise(seed: int, *shape: int) -> np.ndarray:
    """Make uniform uint8 noise of some shape, the same for the same seed."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def text_page(seed: int, height: int, width: int) -> np.ndarray:
    """Draw a page of text lines on lightly stained paper, uint8 [height, width, 3], BGR."""
    stains = noise(seed, max(1, height // 32), max(1, width // 32), 3) // 8
    page = 255 - cv2.resize(stains, (width, height), interpolation=cv2.INTER_LINEAR)
    for index, top in enumerate(range(30, height, 44)):
        _write(page, _LINES[(seed + index) % len(_LINES)], (10 + 7 * (index % 3), top), 0.8)
    return page


def text_line(seed: int, height: int, width: int) -> np.ndarray:
    """Draw one cropped line of text, uint8 [height, width, 3], BGR."""
    line = np.full((height, width, 3), (225, 235, 240), np.uint8)
    _write(line, " ".join(_LINES[seed % len(_LINES) :]), (4, round(height * 0.7)), height / 40)
    return line


def seal_page(seed: int, height: int, width: int) -> np.ndarray:
    """Draw a page of text with a round and an oval seal on it, uint8 [height, width, 3], BGR."""
    page = text_page(seed, height, width)
    radius = max(4, min(height, width) // 6)
    for index, stretch in enumerate((1.0, 1.4)):
        centre = (width * (1 + index) // 3, height * (1 + (seed + index) % 3) // 4)
        for ring in (radius, radius * 2 // 3):
            axes = (round(ring * stretch), ring)
            cv2.ellipse(page, centre, axes, 0, 0, 360, (50, 40, 200), max(1, radius // 12), cv2.LINE_AA)
        cv2.drawMarker(page, centre, (50, 40, 200), cv2.MARKER_STAR, radius // 2, 3)
    return page


def person(seed: int, height: int, width: int) -> np.ndarray:
    """Draw a person in front of a stained wall, arms and legs anywhere, uint8 [height, width, 3], BGR."""
    stains = noise(seed, max(1, height // 16), max(1, width // 16), 3) // 3
    picture = 120 + cv2.resize(stains, (width, height), interpolation=cv2.INTER_LINEAR)
    rng = np.random.default_rng(seed)
    size = np.array((width, height))
    # Of the picture's width and height: neck and hip, each with two limbs of two parts.
    for joint, reach in ((np.array((0.5, 0.3)), 0.16), (np.array((0.5, 0.58)), 0.2)):
        for side in (-1, 1):
            start = joint + np.array((0.08 * side, 0))
            for _ in range(2):
                end = start + reach * np.array((side * rng.uniform(-0.2, 1), rng.uniform(0, 1)))
                _draw_part(picture, start * size, end * size, width // 14, (60, 60, 150))
                start = end
    _draw_part(picture, np.array((0.5, 0.3)) * size, np.array((0.5, 0.58)) * size, width // 4, (140, 80, 40))
    cv2.circle(picture, (width // 2, round(height * 0.18)), max(1, width // 9), (120, 160, 210), -1, cv2.LINE_AA)
    return picture


def people_page(seed: int, height: int, width: int) -> np.ndarray:
    """Draw three people side by side, uint8 [height, width, 3], BGR."""
    return np.concatenate([person(seed + index, height, part) for index, part in enumerate(_thirds(width))], axis=1)


def _thirds(length: int) -> tuple[int, int, int]:
    return length // 3, length // 3, length - 2 * (length // 3)


def blank_page(height: int, width: int) -> np.ndarray:
    """Draw a page with nothing on it, uint8 [height, width, 3], BGR."""
    return np.full((height, width, 3), 255, np.uint8)


def fit(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a picture to a given size, uint8 [height, width, 3]."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))


def _draw_part(image: np.ndarray, start: np.ndarray, end: np.ndarray, width: int, color: tuple[int, ...]) -> None:
    points = [tuple(round(float(value)) for value in point) for point in (start, end)]
    cv2.line(image, points[0], points[1], color, max(1, width), cv2.LINE_AA)


def _write(image: np.ndarray, text: str, origin: tuple[int, int], scale: float) -> None:
    cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (40, 30, 20), 2, cv2.LINE_AA)
