"""Batches for the seal text detector: scenes cut, turned and worn by chance, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from paddlex_triton.export.training import pixels, schedules
from paddlex_triton.export.training.scenes import SealScene
from paddlex_triton.export.training.seal_targets import MIN_BAND_HEIGHT, SealTargets, draw_targets

# Least height of a band in a scene that was coarsened, pixels of the coarse picture.
_MIN_COARSE_BAND = 2.7


@dataclass(frozen=True)
class CropSize:
    """A shape of batches.

    Attributes:
        side: of the square crops, pixels.
        count: crops in a batch.
        share: of the batches at the start and at the end of a training; it moves evenly between them.
        scales: least and greatest enlargement of a scene, drawn uniformly of its logarithm. A scene of 576 pixels is
            served at 1.28.
    """

    side: int
    count: int
    share: tuple[float, float]
    scales: tuple[float, float]


@dataclass(frozen=True)
class SealAugmentation:
    """How often scenes are changed, and how much.

    Attributes:
        sizes: of batches. Small crops of many scales teach fast; the network ends on what it is served, whole seals.
        turn: deviation of small rotations, radians.
        quarter_turns: part turned by a multiple of 90 degrees besides.
        any_turn: part turned by any angle besides.
        stretch: deviation of the logarithm of width over height.
        mirror: part mirrored.
        permute: part with channels permuted.
        grey: part without colour.
        contrast, blur, recompress: parts with their pixels changed so.
        coarse: part brought down to `coarse_sides` first, as a seal is that is small on its page.
        coarse_sides: least and greatest side then, pixels of the whole scene.
    """

    sizes: tuple[CropSize, ...] = (
        CropSize(320, 16, (0.45, 0.12), (0.55, 1.6)),
        CropSize(320, 16, (0.15, 0.08), (0.26, 0.6)),
        CropSize(576, 5, (0.3, 0.4), (0.9, 1.7)),
        # A seal that is wider than it is high is enlarged until its height fills the input.
        CropSize(576, 5, (0.1, 0.15), (1.6, 3.2)),
        CropSize(736, 3, (0.0, 0.25), (1.15, 1.45)),
    )
    turn: float = 0.08
    quarter_turns: float = 0.15
    any_turn: float = 0.1
    stretch: float = 0.06
    mirror: float = 0.1
    permute: float = 0.12
    grey: float = 0.05
    contrast: float = 0.3
    blur: float = 0.15
    recompress: float = 0.1
    coarse: float = 0.3
    coarse_sides: tuple[float, float] = (120.0, 340.0)


@dataclass(frozen=True)
class SealBatch:
    """Crops and their labels.

    Attributes:
        images: uint8 [N, S, S, 3], BGR.
        text, ignored, gap: uint8 [N, S / 2, S / 2], see `SealTargets`.
    """

    images: np.ndarray
    text: np.ndarray
    ignored: np.ndarray
    gap: np.ndarray


def draw_batch(
    scenes: Sequence[SealScene], rng: np.random.Generator, how: SealAugmentation, done: float = 0.0
) -> SealBatch:
    """A batch of crops of scenes chosen by chance.

    Args:
        scenes: to choose from.
        rng: everything is drawn from it.
        how: sizes and changes.
        done: part of the training that is done, 0 to 1.
    """
    size = how.sizes[schedules.choose([size.share for size in how.sizes], done, rng)]
    crops = [augment(scenes[int(rng.integers(len(scenes)))], size, rng, how) for _ in range(size.count)]
    return SealBatch(
        np.stack([image for image, _ in crops]),
        np.stack([targets.text for _, targets in crops]),
        np.stack([targets.ignored for _, targets in crops]),
        np.stack([targets.gap for _, targets in crops]),
    )


def augment(
    scene: SealScene, size: CropSize, rng: np.random.Generator, how: SealAugmentation
) -> tuple[np.ndarray, SealTargets]:
    """A crop of a scene: uint8 [side, side, 3], and its labels."""
    image = scene.image
    scale = float(np.exp(rng.uniform(*np.log(size.scales))))
    shorter = min(image.shape[:2])
    if rng.random() < how.coarse:
        image = pixels.coarsen(image, float(np.exp(rng.uniform(*np.log(how.coarse_sides)))))
    elif scale < 0.6:
        # Sampling at less than half would alias.
        image = pixels.coarsen(image, shorter * scale)
    coarse_shape = image.shape[:2]
    matrix = _placement(scene.image.shape[:2], scale, size.side, rng, how)
    to_scene = np.diag((scene.image.shape[1] / image.shape[1], scene.image.shape[0] / image.shape[0]))
    image = _warp(image, matrix, to_scene, size.side, rng)
    polygons = [polygon @ matrix[:, :2].T + matrix[:, 2] for polygon in scene.polygons]
    # What is lower than this before it is enlarged cannot be told from noise.
    legible = _MIN_COARSE_BAND * scale * shorter / min(coarse_shape)
    return _wear(image, rng, how), draw_targets(polygons, (size.side, size.side), max(MIN_BAND_HEIGHT, legible))


def _placement(
    shape: tuple[int, ...], scale: float, side: int, rng: np.random.Generator, how: SealAugmentation
) -> np.ndarray:
    """Scene to crop, float64 [2, 3]; edges of pixels are whole numbers."""
    angle = rng.normal(0, how.turn)
    if rng.random() < how.quarter_turns:
        angle += np.pi / 2 * rng.integers(1, 4)
    elif rng.random() < how.any_turn:
        angle += rng.uniform(-np.pi, np.pi)
    stretch = np.exp(rng.normal(0, how.stretch) / 2)
    flip = -1.0 if rng.random() < how.mirror else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag((stretch * flip, 1 / stretch))
    # A large scene is cut anywhere within, a small one lies anywhere within.
    reach = abs(max(shape) * scale - side) / 2
    centre = side / 2 + rng.uniform(-1, 1, 2) * max(reach, 0.08 * side)
    middle = np.array((shape[1] / 2, shape[0] / 2))
    return np.concatenate((linear, (centre - linear @ middle)[:, None]), axis=1)


def _warp(
    image: np.ndarray, matrix: np.ndarray, to_scene: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    linear = matrix[:, :2] @ to_scene
    # OpenCV's whole numbers are the pixels' centres.
    shift = matrix[:, 2] + linear @ (0.5, 0.5) - 0.5
    warp = np.concatenate((linear, shift[:, None]), axis=1)
    if rng.random() < 0.5:
        # cv2.BORDER_REPLICATE draws streaks, which no page has: the mean of the scene's edge instead.
        edge = np.concatenate((image[0], image[-1], image[:, 0], image[:, -1])).mean(axis=0)
        return cv2.warpAffine(image, warp, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=edge.tolist())
    white = (255.0, 255.0, 255.0) if rng.random() < 0.5 else tuple(rng.integers(0, 256, 3).tolist())
    return cv2.warpAffine(image, warp, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=white)


def _wear(image: np.ndarray, rng: np.random.Generator, how: SealAugmentation) -> np.ndarray:
    if rng.random() < how.permute:
        image = pixels.permute_channels(image, rng)
    elif rng.random() < how.grey:
        image = pixels.to_grey(image)
    return pixels.wear(image, rng, contrast=how.contrast, blurred=how.blur, recompressed=how.recompress)
