"""Colours of seals, and how an inked stamp meets the paper."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np

from training.scenes.textures import chance, grain, log_uniform, smooth_field

# Of ink and paper in one channel, on average: of most seals, and of the faintest.
_LEAST_CONTRASTS = (34.0, 18.0)
_FAINT = 0.25


@dataclass
class Ink:
    """How a stamp is inked.

    Attributes:
        colour: float32 [3], BGR, 0..255.
        strength: opacity of full ink, 0..1.
        multiply: light goes through the ink; else it covers the print under it.
        worn: how much is missing in blots, specks and scratches, 0..1.
    """

    colour: np.ndarray
    strength: float
    multiply: bool
    worn: float


def draw_ink(rng: np.random.Generator) -> Ink:
    """Choose the ink of a seal: three in five a sound red, the rest blue, purple, green, black, grey, or faded."""
    kind = rng.random()
    if kind < 0.68:
        colour = _hue(rng, rng.normal(0.0, 0.022), (0.55, 1.0), (0.5, 1.0))
    elif kind < 0.77:
        colour = _hue(rng, rng.uniform(0.55, 0.68), (0.45, 1.0), (0.35, 0.95))
    elif kind < 0.82:
        colour = _hue(rng, rng.uniform(0.74, 0.92), (0.35, 0.9), (0.35, 0.85))
    elif kind < 0.85:
        colour = _hue(rng, rng.uniform(0.35, 0.55), (0.4, 1.0), (0.3, 0.8))
    else:
        colour = np.full(3, rng.uniform(0, 120), np.float32) + rng.normal(0, 6, 3).astype(np.float32)
    faded = chance(rng, 0.2)
    strength = rng.uniform(0.22, 0.55) if faded else rng.uniform(0.6, 1.0)
    worn = 0.0 if chance(rng, 0.22) else float(rng.beta(1.3, 2.2))
    return Ink(np.clip(colour, 0, 255).astype(np.float32), float(strength), chance(rng, 0.62), worn)


def draw_visible_ink(rng: np.random.Generator, paper: np.ndarray) -> Ink:
    """Choose ink that is seen on a paper, uint8 [..., 3]: faint now and then, but not lost."""
    shade = paper.reshape(-1, 3).mean(axis=0)
    least = _LEAST_CONTRASTS[chance(rng, _FAINT)]
    ink = draw_ink(rng)
    for _ in range(8):
        printed = shade * ink.colour / 255.0 if ink.multiply else ink.colour
        if np.abs(printed - shade).max() * ink.strength * (1.0 - 0.4 * ink.worn) > least:
            break
        ink = draw_ink(rng)
    return ink


def press(rng: np.random.Generator, image: np.ndarray, mask: np.ndarray, origin: tuple[int, int], ink: Ink) -> None:
    """Print a stamp on a picture.

    Args:
        rng: of the pressure.
        image: uint8 [H, W, 3], BGR, changed in place.
        mask: uint8 [h, w], the stamp's face; may reach over the picture's edges.
        origin: x and y of the mask's corner on the picture.
        ink: of the stamp.
    """
    x0, y0 = max(0, origin[0]), max(0, origin[1])
    x1, y1 = min(image.shape[1], origin[0] + mask.shape[1]), min(image.shape[0], origin[1] + mask.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    inner = mask[y0 - origin[1] : y1 - origin[1], x0 - origin[0] : x1 - origin[0]]
    alpha = _coverage(rng, inner, ink)[..., None]
    region = image[y0:y1, x0:x1].astype(np.float32)
    target = region * (ink.colour / 255.0) if ink.multiply else ink.colour
    image[y0:y1, x0:x1] = cv2.convertScaleAbs(region + (target - region) * alpha)


def _coverage(rng: np.random.Generator, mask: np.ndarray, ink: Ink) -> np.ndarray:
    """Return the opacity of every pixel, float32 [h, w], 0..1."""
    height, width = mask.shape
    swell = rng.random()
    if swell < 0.16 and min(height, width) > 150:
        kernel = np.ones((3, 3) if height > 350 and chance(rng, 0.3) else (2, 2), np.uint8)
        mask = np.asarray(cv2.erode(mask, kernel) if swell < 0.05 else cv2.dilate(mask, kernel))
    alpha = mask.astype(np.float32) * (ink.strength / 255.0)
    if ink.worn < 0.03:
        return alpha
    if chance(rng, 0.75):
        alpha *= np.clip(smooth_field(rng, height, width, int(rng.integers(3, 7)), 1.0 - ink.worn, 1.25), 0.12, 1.0)
    if chance(rng, 0.6):
        specks = grain(rng, height, width, int(rng.integers(0, 4)))
        edge = 2.4 - 2.2 * ink.worn * rng.random()
        alpha *= np.clip((edge - specks) * rng.uniform(1.5, 4.0), 1.0 - rng.uniform(0.4, 1.0), 1.0)
    if chance(rng, 0.15):
        alpha *= _scratches(rng, height, width)
    if chance(rng, 0.3):
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), log_uniform(rng, 0.5, 1.4)))
    return alpha


def _scratches(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    kept = np.full((height, width), 255, np.uint8)
    for _ in range(int(rng.integers(1, 7))):
        ends = rng.uniform(0, 1, (2, 2)) * (width, height)
        thickness = int(rng.integers(1, max(2, height // 90)))
        cv2.line(kept, _point(ends[0]), _point(ends[1]), (int(rng.integers(0, 130)),), thickness, cv2.LINE_AA)
    return kept.astype(np.float32) / 255.0


def _point(place: np.ndarray) -> tuple[int, int]:
    return int(place[0]), int(place[1])


def _hue(
    rng: np.random.Generator, hue: float, saturation: tuple[float, float], value: tuple[float, float]
) -> np.ndarray:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, rng.uniform(*saturation), rng.uniform(*value))
    return np.array([blue, green, red], np.float32) * 255.0
