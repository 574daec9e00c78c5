"""Changes of a training picture's pixels that leave everything where it is."""

from __future__ import annotations

import cv2
import numpy as np

_TABLE = np.arange(256, dtype=np.float32)


def change_contrast(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Contrast, brightness and gamma, by chance; uint8 in and out."""
    table = (_TABLE - 128) * rng.uniform(0.6, 1.3) + 128 + rng.uniform(-35, 35)
    table = 255 * (np.clip(table, 0, 255) / 255) ** np.exp(rng.normal(0, 0.2))
    return cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8))


def permute_channels(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The channels in another order: red ink becomes blue or green."""
    return np.ascontiguousarray(image[..., rng.permutation(3)])


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian blur of 0.4 to 1.4 pixels."""
    return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))


def recompress(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """To JPEG of quality 25 to 80, and back."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def to_grey(image: np.ndarray) -> np.ndarray:
    """Without colour, still three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def coarsen(image: np.ndarray, side: float) -> np.ndarray:
    """Bring a picture down to a shorter side of `side` pixels: what was there in less detail stays lost."""
    h, w = image.shape[:2]
    factor = side / min(h, w)
    if factor >= 1:
        return image
    how = cv2.INTER_AREA if factor < 0.7 else cv2.INTER_LINEAR
    return cv2.resize(image, (max(1, round(w * factor)), max(1, round(h * factor))), interpolation=how)


def wear(
    image: np.ndarray, rng: np.random.Generator, *, contrast: float, blurred: float, recompressed: float
) -> np.ndarray:
    """Change contrast, blur and recompress a picture, each by the chance given."""
    if rng.random() < contrast:
        image = change_contrast(image, rng)
    if rng.random() < blurred:
        image = blur(image, rng)
    if rng.random() < recompressed:
        image = recompress(image, rng)
    return image
