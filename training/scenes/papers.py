"""Paper, the print and the pen strokes on it: what a seal is pressed on."""

from __future__ import annotations

import colorsys
from functools import lru_cache

import cv2
import numpy as np

from training.scenes import words
from training.scenes.fonts import (
    Face,
    chinese_faces,
    fit_mask,
    glyph,
    latin_faces,
    master_size,
    strip,
)
from training.scenes.textures import chance, grain, smooth_field

_STRIPS = 12
_STRIP_CHARACTERS = 48
_STRIP_SIZE = 32


def draw_paper(rng: np.random.Generator, height: int, width: int, *, plain: bool = False) -> np.ndarray:
    """Draw an empty sheet: tint, light, shade, fibres, now and then wavy security print; uint8 [height, width, 3].

    Args:
        rng: everything is drawn from it.
        height: pixels.
        width: pixels.
        plain: the tint alone.
    """
    paper = np.broadcast_to(_tint(rng), (height, width, 3)).astype(np.float32)
    if plain:
        return cv2.convertScaleAbs(paper)
    shade = np.ones((height, width), np.float32)
    if chance(rng, 0.4):
        strong = chance(rng, 0.35)
        shade *= np.clip(
            smooth_field(rng, height, width, int(rng.integers(2, 6)), 0.5 if strong else 0.8, 1.08), 0.25, 1.2
        )
    if chance(rng, 0.45):
        shade += grain(rng, height, width, int(rng.integers(0, 4))) * rng.uniform(0.005, 0.04)
    paper = paper * shade[..., None]
    if chance(rng, 0.09):
        _waves(rng, paper)
    return cv2.convertScaleAbs(np.maximum(paper, 0))


def _tint(rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.6:
        return rng.uniform(212, 264) + rng.normal(0, 4, 3)
    hue = rng.random()
    saturation, value = (0.12, 0.93) if kind < 0.8 else (rng.uniform(0.2, 0.55), rng.uniform(0.65, 1.0))
    if kind > 0.93:
        saturation, value = 0.05, rng.uniform(0.4, 0.75)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return np.array([blue, green, red]) * 255.0


def _waves(rng: np.random.Generator, paper: np.ndarray) -> None:
    height, width = paper.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    period, swing = rng.uniform(9, 26), rng.uniform(2, 9)
    phase = (x + swing * np.sin(y * 2 * np.pi / rng.uniform(20, 60)))[..., None] * (2 * np.pi / period)
    paper *= 1.0 - rng.uniform(0.08, 0.3) * (np.sin(phase) > rng.uniform(0.3, 0.9))


def dark_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """Choose a colour of print: nearly always black or grey."""
    if chance(rng, 0.88):
        level = int(rng.integers(0, 110))
        return level, level, level
    return int(rng.integers(0, 150)), int(rng.integers(0, 110)), int(rng.integers(0, 200))


def blend(
    image: np.ndarray, mask: np.ndarray, x: int, y: int, colour: tuple[int, int, int], strength: float = 1.0
) -> None:
    """Print a mask on a picture, in place; what lies outside is cut off.

    Args:
        image: uint8 [H, W, 3], BGR.
        mask: uint8 [h, w].
        x: of the mask's corner.
        y: of the mask's corner.
        colour: BGR.
        strength: opacity of full ink, 0..1.
    """
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(image.shape[1], x + mask.shape[1]), min(image.shape[0], y + mask.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    alpha = mask[y0 - y : y1 - y, x0 - x : x1 - x, None].astype(np.int32)
    if strength < 1.0:
        alpha = (alpha * int(strength * 256)) >> 8
    region = image[y0:y1, x0:x1]
    region += ((np.array(colour, np.int32) - region) * alpha // 255).astype(np.int16).astype(np.uint8)


@lru_cache(maxsize=1024)
def _printed(face: Face, number: int, latin: bool) -> np.ndarray:
    """Make up a long line of a document, always the same one for a number."""
    rng = np.random.default_rng([number, int(latin)])
    text = words.gibberish(rng, 2 * _STRIP_CHARACTERS) if latin else words.sentence(rng, _STRIP_CHARACTERS)
    return strip(face, text, _STRIP_SIZE)


def print_line(
    rng: np.random.Generator,
    image: np.ndarray,
    place: tuple[int, int],
    size: tuple[int, int],
    face: Face,
    colour: tuple[int, int, int],
) -> None:
    """Print running text into a box: x, y of its corner; its width and height (of a character), pixels."""
    width, height = size
    if width < 2 or height < 3:
        return
    source = _printed(face, int(rng.integers(_STRIPS)), face in latin_faces())
    span = min(source.shape[1], max(1, width // height) * _STRIP_SIZE)
    start = min(2, span // 2) + int(rng.integers(0, source.shape[1] - span + 1)) // _STRIP_SIZE * _STRIP_SIZE
    piece = source[:, start : start + span]
    mask = fit_mask(piece, max(1, int(piece.shape[1] * height / _STRIP_SIZE)), max(1, height * 5 // 4))
    blend(image, mask, place[0], place[1], colour)


def print_text(
    image: np.ndarray, text: str, place: tuple[int, int], height: int, face: Face, colour: tuple[int, int, int]
) -> None:
    """Print certain characters from a place on, x, y; `height` is that of a Chinese one, pixels."""
    size = master_size(height)
    x, y = place
    for character in text:
        mask = glyph(face, character, size)
        if mask.size:
            tall, wide = (max(1, round(side * height / size)) for side in mask.shape)
            drop = (height - tall) // 2 if character == "-" or not character.isascii() else height - tall
            blend(image, fit_mask(mask, wide, tall), x, y + drop, colour)
        x += height if ord(character) > 255 else height * 5 // 8


def any_face(rng: np.random.Generator, latin: float = 0.15) -> Face:
    """Choose a face to print with, now and then a Latin one."""
    faces = latin_faces() if chance(rng, latin) else chinese_faces()
    return faces[int(rng.integers(len(faces)))]


def scribble(rng: np.random.Generator, image: np.ndarray, centre: tuple[float, float], size: float) -> None:
    """Draw a signature-like stroke of a pen, in place; `size` is its width in pixels."""
    colour = (
        dark_colour(rng)
        if chance(rng, 0.7)
        else (int(rng.integers(120, 220)), int(rng.integers(0, 90)), int(rng.integers(0, 90)))
    )
    tall = rng.uniform(0.12, 0.4)
    for part in range(int(rng.integers(1, 4))):
        count = int(rng.integers(4, 13))
        steps = rng.normal(0, 1, (count, 2)) * (0.28, tall) + (rng.uniform(0.0, 0.12), 0.0)
        knots = (np.cumsum(steps, axis=0) - 0.3 + 0.25 * part) * size + centre
        if chance(rng, 0.6):
            knots = _smooth(knots)
        path = np.round(knots * 16).astype(np.int32)
        cv2.polylines(image, [path], False, colour, max(1, int(size * rng.uniform(0.015, 0.06))), cv2.LINE_AA, 4)


def _smooth(knots: np.ndarray) -> np.ndarray:
    for _ in range(2):
        cut = np.stack([0.75 * knots[:-1] + 0.25 * knots[1:], 0.25 * knots[:-1] + 0.75 * knots[1:]], 1)
        knots = cut.reshape(-1, 2)
    return knots
