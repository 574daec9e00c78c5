"""Ruled tables on pages."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from training.scenes import words
from training.scenes.fonts import Face
from training.scenes.papers import any_face, dark_colour, print_line, print_text
from training.scenes.textures import chance

# Of a sheet, the root of its area in pixels: rows and rules of larger ones are drawn as much larger.
_USUAL_SIDE = 730.0


def draw_table(rng: np.random.Generator, image: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    """Print a table: three of four with a full grid, the rest with a few rules.

    Args:
        rng: everything is drawn from it.
        image: uint8 [H, W, 3], changed in place.
        x: of its corner, pixels.
        y: of its corner, pixels.
        width: pixels.
        height: the most it may take, pixels.

    Returns:
        x1, y1, x2, y2, float32 [4].
    """
    unit = float(np.sqrt(image.shape[0] * image.shape[1])) / _USUAL_SIDE
    row = int(rng.uniform(14, 40) * unit)
    rows = int(np.clip(height // row, 2, rng.integers(3, 22)))
    columns = int(rng.integers(2, min(9, max(3, int(width / (40 * unit))))))
    edges = np.cumsum(np.concatenate([[0.0], rng.dirichlet(np.full(columns, 6.0))])) * width + x
    levels = y + np.cumsum(np.concatenate([[0.0], rng.uniform(0.85, 1.15, rows)])) * row
    levels = np.minimum(levels, y + height)
    if chance(rng, 0.35):
        light = tuple(int(value) for value in rng.integers(140, 250, 3))
        cv2.rectangle(image, (x, y), (x + width, int(levels[1])), light, -1)
    colour = (
        (int(rng.integers(0, 90)), int(rng.integers(0, 90)), int(rng.integers(120, 230)))
        if chance(rng, 0.12)
        else dark_colour(rng)
    )
    thickness = max(1, round((int(rng.choice(3, p=(0.65, 0.25, 0.1))) + 1) * unit))
    if chance(rng, 0.72):
        _grid(rng, image, edges, levels, colour, thickness)
    else:
        _rules(rng, image, edges, levels, colour, thickness)
    _cells(rng, image, edges, levels, unit)
    return np.array([x, y, x + width, levels[-1]], np.float32)


def _grid(
    rng: np.random.Generator, image: np.ndarray, edges: np.ndarray, levels: np.ndarray, colour: tuple, thickness: int
) -> None:
    """Draw all borders, but those of a few joined cells."""
    joined = 0.12 if chance(rng, 0.4) else 0.0
    for top, bottom in pairwise(levels):
        for index, edge in enumerate(edges):
            if 0 < index < len(edges) - 1 and chance(rng, joined):
                continue
            cv2.line(image, (int(edge), int(top)), (int(edge), int(bottom)), colour, thickness)
    for level in levels:
        cv2.line(image, (int(edges[0]), int(level)), (int(edges[-1]), int(level)), colour, thickness)


def _rules(
    rng: np.random.Generator, image: np.ndarray, edges: np.ndarray, levels: np.ndarray, colour: tuple, thickness: int
) -> None:
    """Draw a rule at the top, one under the head, one at the bottom, and sometimes thin ones between."""
    thin = chance(rng, 0.35)
    for index, level in enumerate(levels):
        ends = (int(edges[0]), int(level)), (int(edges[-1]), int(level))
        if index in (0, 1, len(levels) - 1):
            cv2.line(image, *ends, colour, thickness + (index != 1))
        elif thin:
            cv2.line(image, *ends, (170, 170, 170), 1)


def _cells(rng: np.random.Generator, image: np.ndarray, edges: np.ndarray, levels: np.ndarray, unit: float) -> None:
    face, colour = any_face(rng), dark_colour(rng)
    size = int(np.clip((levels[1] - levels[0]) * rng.uniform(0.4, 0.6), 6, 14 * unit))
    filled = rng.uniform(0.35, 1.0)
    for top, bottom in pairwise(levels):
        for left, right in pairwise(edges):
            if bottom - top > size + 2 and chance(rng, filled):
                _cell(
                    rng,
                    image,
                    (int(left) + 3, int(top + bottom - size) // 2, int(right - left) - 6),
                    size,
                    face,
                    colour,
                )


def _cell(
    rng: np.random.Generator, image: np.ndarray, place: tuple[int, int, int], size: int, face: Face, colour: tuple
) -> None:
    x, y, room = place
    if chance(rng, 0.35):
        text = words.digits(rng, int(rng.integers(1, 8)))[: max(0, room * 8 // (5 * size))]
        print_text(image, text, (x, y), size, face, colour)
    else:
        print_line(rng, image, (x, y), (int(min(room, size * rng.integers(2, 9))), size), face, colour)
