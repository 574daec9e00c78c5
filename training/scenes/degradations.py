"""Damage that scanners, cameras, photocopiers and messengers do to a picture."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenes.textures import chance, grain, log_uniform, smooth_field

_UPSCALING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST, cv2.INTER_AREA)


def degrade(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Change light, resolution, blur, noise, contrast, grey and JPEG, each in a part of the cases.

    Args:
        rng: everything is drawn from it.
        image: uint8 [H, W, 3], BGR.

    Returns:
        uint8 [H, W, 3].
    """
    if chance(rng, 0.25):
        image = _light(rng, image)
    if chance(rng, 0.3):
        image = _resample(rng, image, log_uniform(rng, 0.4, 0.9))
    if chance(rng, 0.3):
        image = _blur(rng, image)
    if chance(rng, 0.4):
        image = _noise(rng, image)
    if chance(rng, 0.35):
        image = cv2.convertScaleAbs(image, alpha=rng.uniform(0.6, 1.25), beta=rng.uniform(0, 40))
    if chance(rng, 0.08):
        image = to_grey(image)
    if chance(rng, 0.45):
        image = jpeg(image, int(rng.integers(25, 96)))
    return np.asarray(image)


def to_grey(image: np.ndarray) -> np.ndarray:
    """Take the colour out of a picture, uint8 [H, W, 3] BGR as before."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Compress a picture as JPEG and read it back."""
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    )


def _light(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    light = smooth_field(rng, height, width, int(rng.integers(2, 5)), rng.uniform(0.45, 0.85), 1.1)
    return cv2.convertScaleAbs(image * np.maximum(light, 0.2)[..., None])


def _resample(rng: np.random.Generator, image: np.ndarray, scale: float) -> np.ndarray:
    height, width = image.shape[:2]
    reduced = (max(8, int(width * scale)), max(8, int(height * scale)))
    small = cv2.resize(image, reduced, interpolation=cv2.INTER_AREA if chance(rng, 0.7) else cv2.INTER_LINEAR)
    way = _UPSCALING[int(rng.choice(4, p=(0.5, 0.35, 0.05, 0.1)))]
    return np.asarray(cv2.resize(small, (width, height), interpolation=way))


def _blur(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    scale = image.shape[0] / 576
    if chance(rng, 0.7):
        return np.asarray(cv2.GaussianBlur(image, (0, 0), log_uniform(rng, 0.5, 2.4) * scale))
    length = int(rng.integers(3, max(4, int(9 * scale))))
    kernel = np.zeros((length, length), np.float32)
    along = rng.uniform(0, np.pi)
    reach = np.array([np.cos(along), np.sin(along)]) * (length - 1) / 2
    middle = (length - 1) / 2
    start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), (1.0,))
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _noise(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    strength = rng.uniform(2, 28)
    if chance(rng, 0.5):
        noise = grain(rng, height, width)[..., None]
    else:
        noise = np.stack([grain(rng, height, width) for _ in range(3)], axis=-1)
    return np.asarray(np.clip(image + noise * np.float32(strength), 0, 255)).astype(np.uint8)
