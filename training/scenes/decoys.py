"""Decoys, which are taken for seals and are none: red print, letterheads, marks of scanners, rings and stars."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenes import words
from training.scenes.emblems import fill, star
from training.scenes.papers import any_face, print_line, print_text
from training.scenes.textures import chance


def red(rng: np.random.Generator) -> tuple[int, int, int]:
    """Choose a red of print, BGR."""
    return int(rng.integers(0, 90)), int(rng.integers(0, 80)), int(rng.integers(150, 250))


def letterhead(rng: np.random.Generator, image: np.ndarray) -> int:
    """Draw a red head of an office with a rule below, a star in it now and then; return where it ends, pixels."""
    height, width = image.shape[:2]
    colour, size = red(rng), int(width * rng.uniform(0.035, 0.085))
    text = words.firm(rng)[: max(3, int(width * 0.85 / size))] + ("文件" if chance(rng, 0.4) else "")
    y = int(height * rng.uniform(0.03, 0.1))
    print_text(image, text, (max(4, (width - size * len(text)) // 2), y), size, any_face(rng, 0.0), colour)
    y += int(size * rng.uniform(1.4, 2.6))
    left, right = int(width * rng.uniform(0.04, 0.14)), int(width * rng.uniform(0.86, 0.96))
    cv2.line(image, (left, y), (right, y), colour, int(rng.integers(1, 5)))
    if chance(rng, 0.4):
        radius = width * rng.uniform(0.012, 0.03)
        cv2.circle(image, ((left + right) // 2, y), int(radius * 1.4), (245, 245, 245), -1)
        _star(image, (left + right) / 2, y, radius, colour)
    return y + size


def _star(image: np.ndarray, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    mask = np.zeros(image.shape[:2], np.uint8)
    fill(mask, [np.add(star(radius), (x, y))], np.eye(2, 3))
    image[mask > 127] = colour


def scan_marks(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw dark edges and corners, punched holes, folds, streaks: in place."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        kind, level = int(rng.integers(5)), int(rng.integers(0, 120))
        tone = (level, level, level)
        if kind == 0:
            _edge(rng, image)
        elif kind == 1:
            corner = np.array([width * rng.integers(2), height * rng.integers(2)])
            reach = rng.uniform(0.03, 0.18, 2) * (width, height) * np.where(corner > 0, -1, 1)
            triangle = corner + np.array([[0.0, 0.0], [reach[0], 0.0], [0.0, reach[1]]])
            cv2.fillPoly(image, [triangle.astype(np.int32)], tone, cv2.LINE_AA)
        elif kind == 2:
            x, radius = int(width * rng.uniform(0.02, 0.06)), max(3, int(width * rng.uniform(0.008, 0.02)))
            for share in (0.35, 0.65):
                cv2.circle(image, (x, int(height * share)), radius, tone, -1, cv2.LINE_AA)
        elif kind == 3:
            x = int(rng.integers(width))
            region = image[:, x : x + int(rng.integers(1, 4))]
            region[:] = (region * rng.uniform(0.5, 0.95)).astype(np.uint8)
        else:
            y = int(height * rng.uniform(0.3, 0.7))
            region = image[y : y + int(rng.integers(2, 12))]
            region[:] = (region * rng.uniform(0.75, 0.97)).astype(np.uint8)


def _edge(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw a shadow along one side, as at the spine of a book."""
    width = image.shape[1]
    reach = int(width * rng.uniform(0.02, 0.16))
    fade = np.linspace(rng.uniform(0.1, 0.6), 1.0, reach, dtype=np.float32)[None, :, None]
    if chance(rng, 0.5):
        image[:, :reach] = (image[:, :reach] * fade).astype(np.uint8)
    else:
        image[:, -reach:] = (image[:, -reach:] * fade[:, ::-1]).astype(np.uint8)


def red_print(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw some lines of print in red or blue, boxed or not: in place."""
    height, width = image.shape[:2]
    colour = (
        red(rng)
        if chance(rng, 0.75)
        else (int(rng.integers(130, 230)), int(rng.integers(0, 120)), int(rng.integers(0, 90)))
    )
    size, face = int(width * rng.uniform(0.012, 0.04)), any_face(rng)
    x, y = int(width * rng.uniform(0.03, 0.7)), int(height * rng.uniform(0.03, 0.9))
    for index in range(int(rng.integers(1, 5))):
        room = int(min(width - x, size * rng.integers(4, 24)))
        print_line(rng, image, (x, y + int(index * size * 1.5)), (room, size), face, colour)


def rings(rng: np.random.Generator, image: np.ndarray) -> None:
    """Round things without text: stains of cups, circles of a pen around print, bullets, stars in rows."""
    height, width = image.shape[:2]
    x, y = int(width * rng.uniform(0.08, 0.92)), int(height * rng.uniform(0.08, 0.92))
    kind = int(rng.integers(3))
    if kind == 0:
        radius = int(width * rng.uniform(0.05, 0.13))
        layer = image.copy()
        brown = (int(rng.integers(40, 110)), int(rng.integers(80, 140)), int(rng.integers(110, 180)))
        cv2.ellipse(
            layer,
            (x, y),
            (radius, int(radius * rng.uniform(0.92, 1.0))),
            0,
            0,
            int(rng.integers(200, 361)),
            brown,
            int(rng.integers(2, 7)),
            cv2.LINE_AA,
        )
        cv2.addWeighted(layer, 0.45, image, 0.55, 0, dst=image)
    elif kind == 1:
        axes = (int(width * rng.uniform(0.03, 0.12)), int(width * rng.uniform(0.012, 0.03)))
        cv2.ellipse(image, (x, y), axes, rng.uniform(-12, 12), 8, int(rng.integers(340, 395)), red(rng), 2, cv2.LINE_AA)
    else:
        radius, colour = width * rng.uniform(0.008, 0.02), red(rng)
        for index in range(int(rng.integers(1, 6))):
            _star(image, x + index * radius * 2.6, y, radius, colour)


def add_decoys(rng: np.random.Generator, image: np.ndarray, count: int) -> None:
    """Put some of all these on a page, in place."""
    for _ in range(count):
        (scan_marks, red_print, rings)[int(rng.choice(3, p=(0.3, 0.4, 0.3)))](rng, image)
