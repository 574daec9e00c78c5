"""Measures of a text line's outline."""

from __future__ import annotations

import math

import cv2
import numpy as np

# Height of a line's band over the height of its glyphs: the outline runs 0.54 glyph heights off the middle.
BAND_PER_GLYPH = 1.08


def band_height(polygon: np.ndarray) -> float:
    """Height of a band, in its own pixels, however it is bent and wherever its outline starts.

    A band of length l and height h has an area of l h and a perimeter of 2 (l + h); h is the lesser of the two numbers
    that fit.

    Args:
        polygon: float [n, 2], x, y.
    """
    points = np.ascontiguousarray(polygon, np.float32)
    half, area = cv2.arcLength(points, True) / 2, cv2.contourArea(points)
    return (half - math.sqrt(max(half**2 - 4 * area, 0.0))) / 2


def glyph_height(polygon: np.ndarray) -> float:
    """Height of the glyphs in a band, in its own pixels."""
    return band_height(polygon) / BAND_PER_GLYPH
