"""Random fields for paper, ink and light: cheap, because they are cut from tiles drawn once."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

_TILE = 1024
# Blur of the tiles, pixels.
SCALES = (0.0, 0.8, 1.6, 3.5)


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return true as often as told."""
    return bool(rng.random() < probability)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


@lru_cache(maxsize=len(SCALES))
def _tile(scale: int) -> np.ndarray:
    noise = np.random.default_rng(1000 + scale).standard_normal((_TILE, _TILE)).astype(np.float32)
    if SCALES[scale]:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), SCALES[scale]))
    return noise / noise.std()


def grain(rng: np.random.Generator, height: int, width: int, scale: int = 0) -> np.ndarray:
    """Make noise of mean 0 and deviation 1, float32 [height, width].

    Args:
        rng: chooses the piece.
        height: pixels.
        width: pixels.
        scale: index into `SCALES`, how coarse it is.
    """
    tile = _tile(scale)[:: 1 - 2 * int(rng.integers(2)), :: 1 - 2 * int(rng.integers(2))]
    y, x = (int(rng.integers(max(1, _TILE - size))) for size in (height, width))
    piece = tile[y : y + height, x : x + width]
    missing = (height - piece.shape[0], width - piece.shape[1])
    return np.pad(piece, ((0, missing[0]), (0, missing[1])), mode="wrap") if any(missing) else piece


def smooth_field(rng: np.random.Generator, height: int, width: int, cells: int, low: float, high: float) -> np.ndarray:
    """Draw a soft random surface between two values, float32 [height, width]."""
    knots = rng.uniform(low, high, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC))


def colour_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """Draw soft coloured clouds, uint8 [height, width, 3]."""
    knots = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC))
