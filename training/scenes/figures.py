"""Pictures on pages: photographs, charts, codes, logos and emblems. All are of the class `image`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

from training.scenes import words
from training.scenes.curves import Lettering, arc, line, write_along
from training.scenes.degradations import to_grey
from training.scenes.emblems import draw_logo, ellipse, fill, star, stroke
from training.scenes.papers import any_face, blend
from training.scenes.textures import chance, colour_noise, grain, log_uniform, smooth_field

_Box = tuple[int, int, int, int]


def photo(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw a photograph of nothing: coloured clouds with blots, or a landscape; uint8 [height, width, 3]."""
    if chance(rng, 0.5):
        return _landscape(rng, width, height)
    picture = colour_noise(rng, height, width, int(rng.integers(2, 12)))
    for _ in range(int(rng.integers(0, 7))):
        corners = rng.uniform(0, 1, (int(rng.integers(3, 6)), 2)) * (width, height)
        cv2.fillPoly(picture, [corners.astype(np.int32)], _colour(rng), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 4))):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(
            picture, centre, int(rng.integers(1, max(2, min(width, height) // 3))), _colour(rng), -1, cv2.LINE_AA
        )
    if chance(rng, 0.4):
        noisy = picture + grain(rng, height, width, int(rng.integers(3)))[..., None] * rng.uniform(5, 30)
        picture = np.clip(noisy, 0, 255).astype(np.uint8)
    if chance(rng, 0.35):
        picture = to_grey(picture)
    return np.asarray(picture)


def _landscape(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw things in front of each other, as rough as photographs are, below a sky now and then.

    They are dead leaves, whose edges and areas are spread as those of photographs (Lee, Mumford, Huang 2001, Occlusion
    models for natural images), under a roughness that halves from each scale to the next finer one.
    """
    picture = _dead_leaves(rng, width, height) if chance(rng, 0.7) else colour_noise(rng, height, width, 2)
    rough = np.zeros((height, width), np.float32)
    for octave in range(2, int(np.log2(max(8, min(width, height)))) + 1):
        rough += smooth_field(rng, height, width, 2**octave, -1.0, 1.0) * 0.5 ** (octave * rng.uniform(0.6, 1.0))
    rough *= rng.uniform(0.0, 60.0) / max(float(rough.std()), 1e-6)
    if chance(rng, 0.4):
        horizon = int(height * rng.uniform(0.15, 0.75))
        sky = np.linspace(0, 1, max(1, horizon), dtype=np.float32)[:, None, None]
        first, second = rng.uniform(60, 255, (2, 3))
        picture[:horizon] = (first + (second - first) * sky).astype(np.uint8)
        rough[:horizon] *= rng.uniform(0.0, 0.15)
    return np.clip(picture + rough[..., None], 0, 255).astype(np.uint8)


def _dead_leaves(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    picture = colour_noise(rng, height, width, 2)
    palette = rng.integers(0, 256, (int(rng.integers(3, 9)), 3))
    largest = max(4.0, 0.45 * max(width, height))
    for _ in range(int(log_uniform(rng, 20, 1500))):
        # Areas spread by the inverse square: many small, few large.
        size = 2.5 / np.sqrt(rng.uniform((2.5 / largest) ** 2, 1.0)) if chance(rng, 0.5) else rng.uniform(3.0, largest)
        colour = np.clip(palette[int(rng.integers(len(palette)))] + rng.normal(0, 18, 3), 0, 255).astype(int).tolist()
        centre = rng.uniform(0, 1, 2) * (width, height)
        if chance(rng, 0.5):
            axes = (max(1, int(size)), max(1, int(size * rng.uniform(0.3, 1.0))))
            middle = (int(centre[0]), int(centre[1]))
            cv2.ellipse(picture, middle, axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
            corners = centre + size * np.stack([np.cos(turns), np.sin(turns)], axis=1)
            cv2.fillPoly(picture, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.6)))


def chart(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw a bar, line or pie chart on white, uint8 [height, width, 3]."""
    picture = np.full((height, width, 3), 255 if chance(rng, 0.8) else 235, np.uint8)
    kind, count = int(rng.integers(3)), int(rng.integers(3, 11))
    if kind == 2:
        _pie(rng, picture, count)
        return picture
    left, bottom = max(1, width // 12), height - max(2, height // 10)
    values = rng.uniform(0.1, 0.95, count)
    step = (width - left) / count
    if kind == 0:
        for index, value in enumerate(values):
            x = int(left + step * (index + 0.15))
            cv2.rectangle(picture, (x, int(bottom * (1 - value))), (int(x + step * 0.65), bottom), _colour(rng), -1)
    else:
        for _ in range(int(rng.integers(1, 4))):
            path = np.stack([left + step * (np.arange(count) + 0.5), bottom * (1 - rng.uniform(0.1, 0.95, count))], 1)
            cv2.polylines(picture, [path.astype(np.int32)], False, _colour(rng), int(rng.integers(1, 3)), cv2.LINE_AA)
    cv2.line(picture, (left, 0), (left, bottom), (60, 60, 60), 1)
    cv2.line(picture, (left, bottom), (width, bottom), (60, 60, 60), 1)
    return picture


def _pie(rng: np.random.Generator, picture: np.ndarray, count: int) -> None:
    height, width = picture.shape[:2]
    radius = max(2, int(min(width, height) * 0.44))
    edges = np.concatenate([[0], np.cumsum(rng.dirichlet(np.full(count, 2.0)))]) * 360
    grey = chance(rng, 0.3)
    for start, end in pairwise(edges):
        colour = (int(rng.integers(30, 220)),) * 3 if grey else _colour(rng)
        cv2.ellipse(picture, (width // 2, height // 2), (radius, radius), -90, start, end, colour, -1, cv2.LINE_AA)
    if chance(rng, 0.3):
        cv2.circle(picture, (width // 2, height // 2), radius // 2, (255, 255, 255), -1, cv2.LINE_AA)


def qr_code(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw random modules with the three finder squares of a QR code, uint8 [height, width, 3]."""
    count = int(rng.integers(21, 54))
    modules = rng.random((count, count)) < 0.5
    if chance(rng, 0.9):
        for y, x in ((0, 0), (0, count - 7), (count - 7, 0)):
            modules[max(0, y - 1) : y + 8, max(0, x - 1) : x + 8] = False
            modules[y : y + 7, x : x + 7] = True
            modules[y + 1 : y + 6, x + 1 : x + 6] = False
            modules[y + 2 : y + 5, x + 2 : x + 5] = True
    framed = np.pad(modules, int(rng.integers(0, 4)))
    light, dark = np.full(3, rng.integers(215, 256)), np.full(3, rng.integers(0, 60))
    if chance(rng, 0.15):
        dark = rng.integers(0, 160, 3)
    picture = np.where(framed[..., None], dark, light).astype(np.uint8)
    picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST))
    if chance(rng, 0.2):
        middle, reach = (width // 2, height // 2), max(2, min(width, height) // 9)
        cv2.rectangle(
            picture, (middle[0] - reach, middle[1] - reach), (middle[0] + reach, middle[1] + reach), _colour(rng), -1
        )
    return picture


def barcode(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw black bars on white, uint8 [height, width, 3]."""
    bars = rng.random(int(rng.integers(18, 70))) < 0.5
    row = np.where(bars, 0, 255).astype(np.uint8)[None, :, None].repeat(3, axis=2)
    return np.asarray(cv2.resize(row, (width, height), interpolation=cv2.INTER_NEAREST))


def mark(rng: np.random.Generator, image: np.ndarray, box: _Box) -> None:
    """Print a logo or an emblem, which has no ring of text on paper, into a box of a page."""
    x, y, width, height = box
    mask = np.zeros((height, width), np.uint8)
    radius = min(width, height) / 2 * 0.94
    pose = np.array([[radius, 0.0, width / 2], [0.0, radius, height / 2]])
    kind = rng.random()
    if kind < 0.4:
        draw_logo(rng, mask, 1.0, pose, radius)
    elif kind < 0.7:
        _state_emblem(rng, mask, pose, radius)
    else:
        _badge(rng, mask, pose)
    colour = (int(rng.integers(0, 70)), int(rng.integers(0, 70)), int(rng.integers(150, 240)))
    blend(image, mask, x, y, colour if chance(rng, 0.5) else _colour(rng), float(rng.uniform(0.6, 1.0)))
    if kind > 0.5 and chance(rng, 0.4):
        gold = (int(rng.integers(0, 90)), int(rng.integers(150, 220)), int(rng.integers(200, 256)))
        inner = np.zeros_like(mask)
        fill(inner, [np.add(star(0.3), (0.0, -0.15))], pose)
        blend(image, inner, x, y, gold)


def _state_emblem(rng: np.random.Generator, mask: np.ndarray, pose: np.ndarray, radius: float) -> None:
    """Draw a disc with stars, a gate and a wreath, as on certificates."""
    fill(mask, [ellipse((1.0, 1.0)), ellipse((0.72, 0.74))], pose)
    for angle in np.linspace(0.35, 2 * np.pi - 0.35, int(rng.integers(12, 26))):
        ray = np.array([[np.sin(angle), np.cos(angle)]])
        stroke(mask, np.concatenate([ray * 0.72, ray * 0.62]), pose, radius * 0.05)
    for centre, size in (((0.0, -0.35), 0.2), ((-0.35, -0.2), 0.09), ((0.35, -0.2), 0.09)):
        fill(mask, [np.add(star(size), centre)], pose)
    for level in range(3):
        half = 0.5 - 0.12 * level
        y = 0.4 - 0.17 * level
        fill(mask, [np.array([[-half, y], [half, y], [half, y + 0.09], [-half, y + 0.09]])], pose)


def _badge(rng: np.random.Generator, mask: np.ndarray, pose: np.ndarray) -> None:
    """Draw a solid disc or shield with light letters cut out."""
    outline = ellipse((1.0, 1.0)) if chance(rng, 0.6) else star(1.0, int(rng.integers(8, 24)), 0.86)
    fill(mask, [outline], pose)
    holes = np.zeros_like(mask)
    face = any_face(rng, 0.5)
    if chance(rng, 0.5):
        ring = arc((0.8, 0.8), 0.0, inward=False)
        write_along(holes, words.latin(rng, 2)[:22], ring, Lettering(face, 0.2, 1.1), pose)
    text = words.characters(rng, 2) if chance(rng, 0.6) else words.latin(rng, 1)[:3]
    middle = line((-0.6, 0.0), (0.6, 0.0))
    write_along(holes, text, middle, Lettering(any_face(rng, 0.0), 0.5, 1.0), pose)
    np.subtract(mask, np.minimum(mask, holes), out=mask)


_PICTURES: tuple[tuple[Callable[..., np.ndarray], float], ...] = (
    (photo, 0.34),
    (chart, 0.26),
    (qr_code, 0.3),
    (barcode, 0.1),
)


def draw_figure(rng: np.random.Generator, image: np.ndarray, box: _Box, marks: float = 0.15) -> np.ndarray:
    """Print a picture of some kind into a box of a page.

    Args:
        rng: everything is drawn from it.
        image: uint8 [H, W, 3], changed in place.
        box: x, y, width, height: inside of the page; codes and marks take a part of it.
        marks: how often it is a logo or an emblem.

    Returns:
        x1, y1, x2, y2 of what was printed, float32 [4].
    """
    if chance(rng, marks):
        side = max(8, int(min(box[2], box[3]) * rng.uniform(0.4, 1.0)))
        box = (box[0] + int(rng.integers(box[2] - side + 1)), box[1], side, side)
        mark(rng, image, box)
        return _corners(box)
    draw = _PICTURES[int(rng.choice(len(_PICTURES), p=[share for _, share in _PICTURES]))][0]
    if draw is qr_code:
        side = max(8, int(min(box[2], box[3]) * rng.uniform(0.5, 1.0)))
        box = (box[0] + int(rng.integers(box[2] - side + 1)), box[1], side, side)
    x, y, width, height = box
    picture = draw(rng, width, height)
    if chance(rng, 0.25):
        picture = cv2.addWeighted(image[y : y + height, x : x + width], 0.35, picture, 0.65, 0)
    image[y : y + height, x : x + width] = picture
    return _corners(box)


def _corners(box: _Box) -> np.ndarray:
    return np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], np.float32)


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    blue, green, red = (int(value) for value in rng.integers(0, 256, 3))
    return blue, green, red
