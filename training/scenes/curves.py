"""Lines of text along circles, ellipses and straight lines, glyph by glyph.

A curve is given in a seal's own units (radius 1, y downwards); an affine pose brings it onto the picture, so that a
glyph is resampled once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from training.scenes.fonts import Face, glyph, master_size


@dataclass
class Curve:
    """The middle of a line of text, read along growing arc length.

    Attributes:
        points: float64 [n, 2], in the seal's units, dense.
        normals: float64 [n, 2], unit vectors to the glyphs' tops.
        lengths: float64 [n], arc length up to each point.
    """

    points: np.ndarray
    normals: np.ndarray
    lengths: np.ndarray

    @property
    def length(self) -> float:
        """Of the whole curve."""
        return float(self.lengths[-1])

    def at(self, where: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the point and unit normal, float64 [2] each, at an arc length; beyond the ends those of the ends."""
        point = np.stack([np.interp(where, self.lengths, self.points[:, axis]) for axis in (0, 1)], axis=-1)
        normal = np.stack([np.interp(where, self.lengths, self.normals[:, axis]) for axis in (0, 1)], axis=-1)
        return point, normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)


def arc(radii: tuple[float, float], middle: float, inward: bool) -> Curve:
    """Return a whole turn of an ellipse around the origin, cut opposite of a middle.

    Args:
        radii: along x and y.
        middle: angle of the text's middle, radians, clockwise from the top.
        inward: glyphs' tops towards the origin, read against the clock.
    """
    turn = np.linspace(-np.pi, np.pi, 361) * (-1.0 if inward else 1.0) + middle
    points = np.stack([radii[0] * np.sin(turn), -radii[1] * np.cos(turn)], axis=1)
    normals = np.stack([np.sin(turn) / radii[0], -np.cos(turn) / radii[1]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return Curve(points, -normals if inward else normals, np.concatenate([[0.0], np.cumsum(steps)]))


def line(start: tuple[float, float], end: tuple[float, float]) -> Curve:
    """Return a straight line; the glyphs' tops are to its left as it is walked."""
    points = np.linspace(start, end, 9)
    along = np.subtract(end, start) / max(float(np.hypot(*np.subtract(end, start))), 1e-9)
    normals = np.broadcast_to([along[1], -along[0]], points.shape).astype(np.float64)
    return Curve(points, normals, np.linalg.norm(points - points[0], axis=1))


def advance(character: str) -> float:
    """Return the room of a character along its line, in glyph heights."""
    if not character.isascii():
        return 1.0
    if character.isalpha():
        return 0.85 if character in "MW" else 0.3 if character == "I" else 0.66
    return 0.55 if character.isdigit() else 0.4


def natural_length(text: str) -> float:
    """Return the length of a line set solid, in glyph heights."""
    return sum(map(advance, text))


@lru_cache(maxsize=64)
def _full_height(face: Face, size: int) -> int:
    """Return the height of the ink of a face's tall characters, pixels; Latin faces have no Chinese ones."""
    return max(glyph(face, character, size).shape[0] for character in "国事餐露赢8B") or size


def draw_glyph(ink: np.ndarray, mask: np.ndarray, to_picture: np.ndarray) -> None:
    """Put a glyph's mask on a layer, keeping the darker of the two.

    Args:
        ink: uint8 [H, W], changed in place.
        mask: uint8 [h, w].
        to_picture: float64 [2, 3], from pixels of the mask to pixels of the layer.
    """
    height, width = mask.shape
    corners = np.array([[-1, -1], [width, -1], [width, height], [-1, height]], np.float64)
    corners = corners @ to_picture[:, :2].T + to_picture[:, 2]
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)) + 1, ink.shape[::-1]).astype(int)
    if right - left < 1 or bottom - top < 1:
        return
    shifted = to_picture.copy()
    shifted[:, 2] -= (left, top)
    patch = cv2.warpAffine(mask, shifted, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    region = ink[top:bottom, left:right]
    np.maximum(region, patch, out=region)


@dataclass
class Lettering:
    """How a line is written: all lengths in the seal's units.

    Attributes:
        face: of all characters.
        height: of a full glyph.
        pitch: from middle to middle, in heights.
        narrow: width of glyphs over their natural one.
    """

    face: Face
    height: float
    pitch: float
    narrow: float = 1.0


def write_along(ink: np.ndarray, text: str, curve: Curve, style: Lettering, pose: np.ndarray) -> None:
    """Write a line along a curve, its middle at the curve's.

    Args:
        ink: uint8 [H, W], changed in place.
        text: at least one character.
        curve: the middle of the glyphs.
        style: of the lettering.
        pose: float64 [2, 3], from the seal's units to pixels.
    """
    scale = float(np.sqrt(abs(np.linalg.det(pose[:, :2]))))
    size = master_size(style.height * scale)
    full = _full_height(style.face, size)
    unit = style.height / full
    widths = [advance(character) * style.height for character in text]
    places = _places(widths, style) + curve.length / 2
    for character, place in zip(text, places, strict=True):
        mask = glyph(style.face, character, size)
        if mask.size:
            tall = unit * _stretch(mask, full, character)
            wide = min(unit * style.narrow, advance(character) * style.height * min(1.0, style.pitch) / mask.shape[1])
            _put(ink, mask, curve, float(place), (wide, tall), pose)


def _places(widths: list[float], style: Lettering) -> np.ndarray:
    advances = np.array([0.5 * (a + b) for a, b in pairwise(widths)]) * style.pitch
    places = np.concatenate([[0.0], np.cumsum(advances)])
    return places - places[-1] / 2


def _stretch(mask: np.ndarray, full: int, character: str) -> float:
    """Return the factor that stretches letters and digits to a Chinese character's height, as stamp makers do."""
    stretched = character.isascii() and character.isalnum()
    return full / mask.shape[0] if stretched or mask.shape[0] > full else 1.0


def _put(
    ink: np.ndarray, mask: np.ndarray, curve: Curve, place: float, unit: tuple[float, float], pose: np.ndarray
) -> None:
    point, up = curve.at(place)
    right = np.array([-up[1], up[0]])
    height, width = mask.shape
    local = np.stack([right * unit[0], -up * unit[1]], axis=1)
    offset = point - local @ np.array([(width - 1) / 2, (height - 1) / 2])
    to_picture = np.concatenate([pose[:, :2] @ local, (pose[:, :2] @ offset + pose[:, 2])[:, None]], axis=1)
    draw_glyph(ink, mask, to_picture)
