"""The face of one seal: rings or frame, ornament, and its lines of text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.scenes import words
from training.scenes.curves import Curve, Lettering, arc, line, natural_length, write_along
from training.scenes.emblems import draw_ornament, ellipse, fill, ring, stroke
from training.scenes.fonts import Face, chinese_faces, latin_faces
from training.scenes.textures import chance


@dataclass
class Stamp:
    """A seal ready to be printed.

    Attributes:
        mask: uint8 [h, w], its ink.
        origin: x and y of the mask's corner on the picture.
        pose: float64 [2, 3], from the seal's units to pixels of the mask.
        outline: float32 [n, 2], its outer edge in pixels of the picture.
    """

    mask: np.ndarray
    origin: tuple[int, int]
    pose: np.ndarray
    outline: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """x1, y1, x2, y2 of the outline, float32 [4]."""
        return np.concatenate([self.outline.min(axis=0), self.outline.max(axis=0)]).astype(np.float32)

    @property
    def pixels(self) -> float:
        """Pixels of one unit."""
        return float(np.sqrt(abs(np.linalg.det(self.pose[:, :2]))))

    def write(self, text: str, curve: Curve, style: Lettering) -> None:
        """Add a line of text."""
        write_along(self.mask, text, curve, style, self.pose)


def draw_turn(rng: np.random.Generator) -> float:
    """Choose how far a seal is turned, radians: far in a quarter of the cases, not at all in a fifth, else a little."""
    kind = rng.random()
    if kind < 0.25:
        return float(rng.uniform(np.radians(40), np.radians(320)))
    if kind < 0.45:
        return 0.0
    return float(np.clip(rng.normal(0, np.radians(12)), -np.radians(40), np.radians(40)))


def draw_stamp(rng: np.random.Generator, centre: tuple[float, float], radius: float, turn: float) -> Stamp:
    """Make up a seal: round or oval in three of four cases, else rectangular.

    Args:
        rng: everything is drawn from it.
        centre: x, y on the picture, pixels.
        radius: of a round one, half the longer side of others, pixels.
        turn: radians, with the clock.
    """
    if chance(rng, 0.74):
        aspect = rng.uniform(0.5, 0.85) if chance(rng, 0.32) else 1.0
        stamp = _blank(rng, centre, radius, turn, ellipse((1.0, aspect), 72))
        _round(rng, stamp, aspect)
    else:
        aspect = float(rng.choice([rng.uniform(0.85, 1.0), rng.uniform(0.3, 0.85)]))
        half = np.array([[-1, -aspect], [1, -aspect], [1, aspect], [-1, aspect]])
        stamp = _blank(rng, centre, radius, turn, half)
        _rectangular(rng, stamp, aspect)
    return stamp


def _blank(
    rng: np.random.Generator, centre: tuple[float, float], radius: float, turn: float, outline: np.ndarray
) -> Stamp:
    stretch, shear = np.exp(rng.normal(0, 0.02)), rng.normal(0, 0.015)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = np.array([[stretch, shear], [0.0, 1.0 / stretch]]) @ turned * radius
    reach = outline @ linear.T
    margin = 3 + 0.02 * radius
    low = np.floor(np.add(centre, reach.min(axis=0) - margin)).astype(int)
    high = np.ceil(np.add(centre, reach.max(axis=0) + margin)).astype(int)
    pose = np.concatenate([linear, np.subtract(centre, low)[:, None]], axis=1)
    mask = np.zeros((int(high[1] - low[1]), int(high[0] - low[0])), np.uint8)
    return Stamp(mask, (int(low[0]), int(low[1])), pose, (reach + centre).astype(np.float32))


def _round(rng: np.random.Generator, stamp: Stamp, aspect: float) -> None:
    edge = _rings(rng, stamp, aspect)
    full = chance(rng, 0.14)
    height = float(rng.uniform(0.1, 0.18) if chance(rng, 0.2) else rng.uniform(0.18, 0.33)) * (0.55 + 0.45 * aspect)
    edge += float(rng.uniform(0.02, 0.2) if chance(rng, 0.25) else rng.uniform(0.02, 0.09))
    face = _face(rng)
    span = _upper_arc(rng, stamp, aspect, edge, height, face, full)
    if chance(rng, 0.55) and not full:
        _bottom_arc(rng, stamp, aspect, edge, span, height)
    inner = 1.0 - edge - height * 1.12
    if chance(rng, 0.07) and min(inner, inner + aspect - 1.0) > 0.5:
        second = height * rng.uniform(0.45, 0.8)
        _upper_arc(rng, stamp, aspect, 1.0 - inner, second, _face(rng), full=False)
        inner -= second * 1.15
    if chance(rng, 0.08):
        inner -= 0.05
        ring(stamp.mask, (inner + 0.03, inner + aspect - 1 + 0.03), rng.uniform(0.008, 0.03), stamp.pose)
    _middle(rng, stamp, inner, inner + aspect - 1.0)


def _rings(rng: np.random.Generator, stamp: Stamp, aspect: float) -> float:
    """Draw the rings, if any, and tell how far they reach inwards."""
    if chance(rng, 0.05):
        return 0.02
    thickness = rng.uniform(0.008, 0.055)
    ring(stamp.mask, (1.0, aspect), thickness, stamp.pose)
    if not chance(rng, 0.28):
        return thickness
    gap, second = rng.uniform(0.015, 0.06), rng.uniform(0.006, 0.025)
    ring(stamp.mask, (1.0 - thickness - gap, aspect - thickness - gap), second, stamp.pose)
    return thickness + gap + second


def _face(rng: np.random.Generator) -> Face:
    faces = chinese_faces()
    return faces[int(rng.integers(len(faces)))]


def _latin_face(rng: np.random.Generator) -> Face:
    faces = latin_faces()
    return faces[int(rng.integers(len(faces)))]


def _upper_arc(
    rng: np.random.Generator, stamp: Stamp, aspect: float, edge: float, height: float, face: Face, full: bool
) -> float:
    """Write the name along the ring and tell the angle it takes, radians."""
    reach = 1.0 - edge - height / 2
    curve = arc((reach, reach + aspect - 1.0), float(rng.normal(0, 0.05)), inward=False)
    if latin := chance(rng, 0.09):
        text, face, height = words.latin(rng, int(rng.integers(2, 5))), _latin_face(rng), height * 0.75
    else:
        text = words.firm(rng) + (words.firm(rng) if full and chance(rng, 0.5) else "")
    widest = (2 * np.pi - 0.12 - height) if full else np.radians(330)
    span = rng.uniform(np.radians(300), widest) if full else rng.uniform(np.radians(70), widest)
    natural = natural_length(text)
    length = curve.length * span / (2 * np.pi)
    low, high = (0.95, 2.4) if latin else (0.7, 2.0)
    pitch = float(np.clip(length / (natural * height), low, 2.6 if full else high))
    most = curve.length * widest / (2 * np.pi)
    if natural * height * pitch > most:
        text = text[: max(2, int(len(text) * most / (natural * height * pitch)))]
        natural = natural_length(text)
    narrow = float(min(pitch * rng.uniform(0.9, 1.0), rng.uniform(0.58, 1.1)))
    stamp.write(text, curve, Lettering(face, height, pitch, narrow))
    return natural * height * pitch / curve.length * 2 * np.pi


def _bottom_arc(rng: np.random.Generator, stamp: Stamp, aspect: float, edge: float, span: float, above: float) -> None:
    """Write a number or a purpose along the bottom, where the name leaves room."""
    number = chance(rng, 0.78)
    height = rng.uniform(0.05, 0.12) if number else rng.uniform(0.1, max(0.11, min(0.2, above)))
    text = words.digits(rng, int(rng.integers(6, 15))) if number else words.purpose(rng)
    if not number and chance(rng, 0.35):
        text, height = words.latin(rng, int(rng.integers(1, 4))), height * 0.8
    face = _latin_face(rng) if text.isascii() and chance(rng, 0.5) else _face(rng)
    inward = chance(rng, 0.85)
    reach = 1.0 - edge - height / 2 - (rng.uniform(0, above - height) if above > height and chance(rng, 0.3) else 0.0)
    curve = arc((reach, reach + aspect - 1.0), np.pi, inward)
    natural = natural_length(text)
    room = (2 * np.pi - span - 0.25) / (2 * np.pi) * curve.length
    pitch = min(rng.uniform(0.9, 2.2), room / (natural * height))
    if pitch < 0.85:
        return
    stamp.write(text, curve, Lettering(face, height, pitch, min(1.0, pitch)))


def _middle(rng: np.random.Generator, stamp: Stamp, wide: float, tall: float) -> None:
    """Draw the ornament and straight lines inside of the arcs; `wide` and `tall` are the half axes left for them."""
    if min(wide, tall) < 0.15:
        return
    ornament = chance(rng, 0.8)
    lines = int(rng.choice((1, 2, 3), p=(0.5, 0.33, 0.17))) if chance(rng, 0.7) else 0
    top = -0.7 * tall
    if ornament:
        radius = min(wide, tall) * rng.uniform(0.3, 0.62)
        y = -rng.uniform(0.1, 0.35) * tall if lines else rng.normal(0, 0.03)
        if lines and radius > 0.45 * tall:
            radius = 0.45 * tall
        draw_ornament(rng, stamp.mask, (0.0, float(y)), float(radius), stamp.pose)
        top = y + radius * rng.uniform(0.85, 1.15)
    if lines:
        _inner_lines(rng, stamp, lines, float(top), wide, tall)


def _inner_lines(rng: np.random.Generator, stamp: Stamp, count: int, top: float, wide: float, tall: float) -> None:
    room = (0.78 * tall - top) / count
    tilt = rng.normal(0, 0.05) if chance(rng, 0.3) else 0.0
    for index in range(count):
        height = float(room * rng.uniform(0.5, 0.85))
        if height < 0.035:
            return
        y = top + room * (index + 0.5)
        text = words.purpose(rng)
        at_edge = min(0.95, (abs(y) + height / 2) / tall)
        half = wide * float(np.sqrt(1 - at_edge**2)) * 0.94
        if half < 0.08:
            return
        _fit_line(rng, stamp, text, ((-half, y - tilt * half), (half, y + tilt * half)), min(height, 0.3))


def _fit_line(
    rng: np.random.Generator,
    stamp: Stamp,
    text: str,
    ends: tuple[tuple[float, float], tuple[float, float]],
    height: float,
) -> None:
    """Write a line between two ends: smaller, closer and narrower until it fits."""
    face = _latin_face(rng) if text.isascii() and chance(rng, 0.5) else _face(rng)
    curve = line(*ends)
    natural = natural_length(text)
    height = min(height, curve.length / (natural * rng.uniform(0.42, 0.8)))
    widest = rng.uniform(1.3, 2.3) if chance(rng, 0.35) else rng.uniform(0.98, 1.3)
    pitch = min(widest, curve.length / (natural * height))
    narrow = min(1.0, pitch) * rng.uniform(0.92, 1.0)
    stamp.write(text, curve, Lettering(face, float(height), float(pitch), float(narrow)))


def _rectangular(rng: np.random.Generator, stamp: Stamp, aspect: float) -> None:
    inset = _frame(rng, stamp, aspect)
    wide, tall = 1.0 - inset, aspect - inset
    if aspect > 0.6 and chance(rng, 0.32):
        _columns(rng, stamp, wide, tall)
    else:
        _rows(rng, stamp, wide, tall)
    if chance(rng, 0.04):
        np.subtract(255, stamp.mask, out=stamp.mask)
        inside = np.zeros_like(stamp.mask)
        fill(inside, [stamp.outline.astype(np.float64) - stamp.origin], np.eye(2, 3))
        np.minimum(stamp.mask, inside, out=stamp.mask)


def _frame(rng: np.random.Generator, stamp: Stamp, aspect: float) -> float:
    """Draw the frame, if any, and tell how far it reaches inwards."""
    if chance(rng, 0.14):
        return 0.02
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    edge = 0.0
    for _ in range(2 if chance(rng, 0.25) else 1):
        thickness = rng.uniform(0.008, 0.06)
        outer, inner = (1.0 - edge, aspect - edge), (1.0 - edge - thickness, aspect - edge - thickness)
        fill(stamp.mask, [corners * outer, corners * inner], stamp.pose)
        edge += thickness + rng.uniform(0.02, 0.05)
    return edge + rng.uniform(0.01, 0.06)


def _rows(rng: np.random.Generator, stamp: Stamp, wide: float, tall: float) -> None:
    count = int(np.clip(rng.integers(1, 6), 1, max(1, int(tall * 7))))
    room = 2 * tall / count
    ruled = chance(rng, 0.2)
    for index in range(count):
        y = -tall + room * (index + 0.5)
        kind = rng.random()
        text = words.firm(rng) if kind < 0.3 else words.purpose(rng)
        if kind > 0.93:
            text = words.latin(rng, int(rng.integers(1, 3)))
        elif kind > 0.78:
            text = words.digits(rng, int(rng.integers(4, 11)))
        _fit_line(rng, stamp, text, ((-wide, y), (wide, y)), float(min(room * rng.uniform(0.62, 0.88), 0.8)))
        if ruled and index:
            edge = np.array([[-wide, y - room / 2], [wide, y - room / 2]])
            stroke(stamp.mask, edge, stamp.pose, max(1.0, 0.012 * stamp.pixels))


def _columns(rng: np.random.Generator, stamp: Stamp, wide: float, tall: float) -> None:
    """Draw columns from right to left, as on a name seal."""
    count = int(rng.integers(2, 4)) if chance(rng, 0.85) else 1
    letters = int(rng.integers(2, 5))
    width, room = 2 * wide / count, 2 * tall / letters
    size = float(min(width, room) * rng.uniform(0.78, 0.95))
    face = _face(rng)
    for index in range(count):
        x = wide - width * (index + 0.5)
        _column(stamp, words.characters(rng, letters), x, room, Lettering(face, size, room / size))


def _column(stamp: Stamp, text: str, x: float, room: float, style: Lettering) -> None:
    """Write upright characters below each other."""
    top = -room * len(text) / 2
    for index, character in enumerate(text):
        y = top + room * (index + 0.5)
        stamp.write(character, line((x - 0.5, y), (x + 0.5, y)), style)
