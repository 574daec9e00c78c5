"""Batches: pages enlarged, cut and changed by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training.scenes import SEAL, Pages, PageScene
from training.scenes.degradations import jpeg, to_grey

# A box of which less than this part is left after cutting is dropped; a seal keeps counting down to the second.
_LEFT = 0.35
_LEFT_OF_SEAL = 0.3
# Shortest side of a box that is learnt, pixels of the input.
_MIN_SIDE = 4.0
# Where four pages that are joined meet, and how much larger than its quarter each is: parts of the side.
_MIDDLE, _QUARTER_ZOOM = (0.35, 0.65), (1.0, 1.8)
_LEVELS = np.arange(256, dtype=np.float32)


@dataclass(frozen=True)
class PageSize:
    """A shape of batches.

    Attributes:
        side: of the square inputs, pixels.
        count: pages in a batch.
        share: of the batches at the start and at the end of a training; it moves evenly between them.
    """

    side: int
    count: int
    share: tuple[float, float]


@dataclass(frozen=True)
class Augmentation:
    """How often pages are changed, and how much.

    Attributes:
        sizes: of batches. The network ends on the size it is served.
        zoom: least and greatest enlargement of a page that fills the input, drawn uniformly of its logarithm.
        zoomed: part that is enlarged or reduced, at the start and at the end of a training; the others fill the input
            as they are served.
        mosaic: part made of four pages, which are cut and reduced to a quarter or so each, at the start and at the end:
            four times as many seals are seen, and smaller ones.
        stretch: deviation of the logarithm of width over height.
        mirror: part mirrored.
        swap: part with red and blue exchanged. Half: the network answers alike whichever order it is served in.
        permute: part with channels permuted besides.
        invert: part inverted.
        contrast, grey, blur, recompress: parts with their pixels changed so.
    """

    sizes: tuple[PageSize, ...] = (
        PageSize(576, 7, (0.34, 0.1)),
        PageSize(672, 5, (0.33, 0.2)),
        PageSize(768, 4, (0.33, 0.7)),
    )
    zoom: tuple[float, float] = (0.6, 1.7)
    zoomed: tuple[float, float] = (0.7, 0.4)
    mosaic: tuple[float, float] = (0.4, 0.15)
    stretch: float = 0.1
    mirror: float = 0.15
    swap: float = 0.5
    permute: float = 0.1
    invert: float = 0.05
    contrast: float = 0.3
    grey: float = 0.08
    blur: float = 0.1
    recompress: float = 0.1


@dataclass(frozen=True)
class Batch:
    """Pages and their boxes.

    Attributes:
        images: uint8 [N, S, S, 3].
        boxes: float32 [B, 4] of each page, x1, y1, x2, y2 in pixels of the input.
        classes: int64 [B] of each page.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    classes: list[np.ndarray]


def draw_batch(pages: Pages, rng: np.random.Generator, how: Augmentation, done: float = 0.0) -> Batch:
    """Choose a batch of pages by chance.

    Args:
        pages: to choose from.
        rng: everything is drawn from it.
        how: sizes and changes.
        done: part of the training that is done, 0 to 1.
    """
    shares = np.array([_at(size.share, done) for size in how.sizes])
    size = how.sizes[int(rng.choice(len(shares), p=shares / shares.sum()))]
    drawn = [_draw(pages, size.side, rng, how, done) for _ in range(size.count)]
    return Batch(
        np.stack([page.image for page in drawn]), [page.boxes for page in drawn], [page.classes for page in drawn]
    )


def _draw(pages: Pages, side: int, rng: np.random.Generator, how: Augmentation, done: float) -> PageScene:
    def page() -> PageScene:
        return pages[int(rng.integers(len(pages)))]

    if rng.random() < _at(how.mosaic, done):
        return join([page() for _ in range(4)], side, rng, how)
    return augment(page(), side, rng, how, done)


def _at(ends: tuple[float, float], done: float) -> float:
    """Return a value between those at the start and at the end of a training."""
    part = min(max(done, 0.0), 1.0)
    return (1 - part) * ends[0] + part * ends[1]


def augment(page: PageScene, side: int, rng: np.random.Generator, how: Augmentation, done: float = 0.0) -> PageScene:
    """Change a page by chance; it is `side` pixels wide and high."""
    return _changed(page, (side, side), rng, how, how.zoom if rng.random() < _at(how.zoomed, done) else None)


def join(pages: Sequence[PageScene], side: int, rng: np.random.Generator, how: Augmentation) -> PageScene:
    """Put four pages, changed by chance, into the quarters of one of `side` pixels, cut near its middle."""
    x, y = (int(cut) for cut in rng.uniform(*_MIDDLE, 2) * side)
    image = np.empty((side, side, 3), np.uint8)
    boxes, classes = [], []
    for page, (left, top, right, bottom) in zip(
        pages, ((0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)), strict=True
    ):
        piece = _changed(page, (right - left, bottom - top), rng, how, _QUARTER_ZOOM)
        image[top:bottom, left:right] = piece.image
        boxes.append(piece.boxes + np.array((left, top, left, top), np.float32))
        classes.append(piece.classes)
    return PageScene(image, np.concatenate(boxes), np.concatenate(classes))


def _changed(
    page: PageScene,
    size: tuple[int, int],
    rng: np.random.Generator,
    how: Augmentation,
    zoom: tuple[float, float] | None,
) -> PageScene:
    """Change a page; it gets a width and height, which it fills where it is not zoomed."""
    h, w = page.image.shape[:2]
    scale = np.array((size[0] / w, size[1] / h))
    if zoom is not None:
        scale *= np.exp(rng.uniform(*np.log(zoom)))
        scale *= np.exp(np.array((0.5, -0.5)) * rng.normal(0, how.stretch))
    room = np.array(size) - np.array((w, h)) * scale
    shift = rng.uniform(0, 1, 2) * room
    if rng.random() < how.mirror:
        shift[0] += w * scale[0]
        scale[0] = -scale[0]
    image = _warp(page.image, scale, shift, size, rng)
    boxes, classes = _cut(page.boxes * np.tile(scale, 2) + np.tile(shift, 2), page.classes, size)
    return PageScene(_wear(image, rng, how), boxes, classes)


def _warp(
    image: np.ndarray, scale: np.ndarray, shift: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    least = float(np.abs(scale).min())
    if least < 0.75:
        # Brought down first: sampling alone would alias.
        h, w = image.shape[:2]
        reduced = max(1, round(w * least)), max(1, round(h * least))
        image = cv2.resize(image, reduced, interpolation=cv2.INTER_AREA if least < 0.7 else cv2.INTER_LINEAR)
        scale = scale * (w / reduced[0], h / reduced[1])
    # OpenCV's whole numbers are the pixels' centres.
    centred = shift + 0.5 * scale - 0.5
    warp = np.array(((scale[0], 0, centred[0]), (0, scale[1], centred[1])))
    edge = (255.0, 255.0, 255.0) if rng.random() < 0.5 else tuple(rng.integers(0, 256, 3).tolist())
    return cv2.warpAffine(image, warp, size, borderMode=cv2.BORDER_CONSTANT, borderValue=edge)


def _cut(boxes: np.ndarray, classes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.stack(
        (
            np.minimum(boxes[:, 0], boxes[:, 2]),
            np.minimum(boxes[:, 1], boxes[:, 3]),
            np.maximum(boxes[:, 0], boxes[:, 2]),
            np.maximum(boxes[:, 1], boxes[:, 3]),
        ),
        axis=1,
    )
    inside = np.clip(boxes, 0, np.tile(np.array(size), 2))
    sides = inside[:, 2:] - inside[:, :2]
    whole = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    left = np.prod(sides, axis=1) / np.maximum(whole, 1e-6)
    kept = (left >= np.where(classes == SEAL, _LEFT_OF_SEAL, _LEFT)) & (sides.min(axis=1, initial=np.inf) >= _MIN_SIDE)
    return inside[kept].astype(np.float32), classes[kept].astype(np.int64)


def _wear(image: np.ndarray, rng: np.random.Generator, how: Augmentation) -> np.ndarray:
    if rng.random() < how.grey:
        image = to_grey(image)
    elif rng.random() < how.permute:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    elif rng.random() < how.swap:
        image = np.ascontiguousarray(image[..., ::-1])
    if rng.random() < how.invert:
        image = 255 - image
    if rng.random() < how.contrast:
        image = _change_contrast(image, rng)
    if rng.random() < how.blur:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))
    if rng.random() < how.recompress:
        image = jpeg(image, int(rng.integers(25, 80)))
    return image


def _change_contrast(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change contrast, brightness and gamma."""
    table = (_LEVELS - 128) * rng.uniform(0.6, 1.3) + 128 + rng.uniform(-35, 35)
    table = 255 * (np.clip(table, 0, 255) / 255) ** np.exp(rng.normal(0, 0.2))
    return cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8))
