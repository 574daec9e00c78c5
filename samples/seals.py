"""Seals with a text of one's choice: drawn glyph by glyph, printed on a page like ink on paper.

Proportions are those of real seals: a wide gap between the ends of the arc, and a line below the middle that stays away
from them. Where it runs into them, PP-OCRv4_mobile_seal_det sees one closed ring.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

RED, BLUE, BLACK = (200, 24, 36), (28, 60, 170), (52, 50, 54)
# Seals are drawn this much larger and brought down, which makes their edges smooth.
_FINER = 3


@dataclass(frozen=True)
class Seal:
    """A seal: its words and its looks.

    Attributes:
        arc: text along the upper edge, from left to right; none on a square seal.
        lines: straight lines below the middle, or all lines of a square seal.
        number: digits along the lower edge, from left to right; none on a square seal.
        aspect: height over width.
        square: a frame and lines instead of a ring and an arc.
        star: a star in the middle.
        ink: RGB.
        strength: how much of the ink reached the paper, 0 to 1.
        pitch: from one character of the arc to the next, degrees.
        turn: of the whole seal, degrees with the clock.
    """

    arc: str = ""
    lines: tuple[str, ...] = ()
    number: str = ""
    aspect: float = 1.0
    square: bool = False
    star: bool = True
    ink: tuple[int, int, int] = RED
    strength: float = 0.9
    pitch: float = 23.0
    turn: float = 0.0

    @property
    def texts(self) -> list[str]:
        """All its lines."""
        return [text for text in (self.arc, *self.lines, self.number) if text]


def print_seal(page: Image.Image, seal: Seal, centre: tuple[int, int], width: int, font: Path) -> None:
    """Print a seal on a page: ink darkens what is there, print included.

    Args:
        page: RGB; is changed.
        seal: what to print.
        centre: x, y of its middle, pixels.
        width: pixels, before it is turned.
        font: a font with Chinese glyphs.
    """
    mask = draw_mask(seal, width, font)
    corner = (centre[0] - mask.width // 2, centre[1] - mask.height // 2)
    box = (*corner, corner[0] + mask.width, corner[1] + mask.height)
    under = np.asarray(page.crop(box).convert("RGB"), np.float32)
    share = np.asarray(mask, np.float32)[..., None] / 255 * seal.strength
    inked = under * (1 - share * (1 - np.array(seal.ink, np.float32) / 255))
    page.paste(Image.fromarray(np.rint(inked).astype(np.uint8)), corner)


def draw_mask(seal: Seal, width: int, font: Path) -> Image.Image:
    """The ink of a seal, 8 bits a pixel, as large as the turned seal needs."""
    size = (width * _FINER, round(width * seal.aspect) * _FINER)
    mask = Image.new("L", size)
    if seal.square:
        _draw_square(mask, seal, font)
    else:
        _draw_round(mask, seal, font)
    turned = mask.rotate(-seal.turn, expand=True, resample=Image.Resampling.BICUBIC)
    return turned.resize((turned.width // _FINER, turned.height // _FINER), Image.Resampling.LANCZOS)


def _draw_round(mask: Image.Image, seal: Seal, font: Path) -> None:
    draw, (width, height) = ImageDraw.Draw(mask), mask.size
    scale = width * (0.5 + 0.5 * seal.aspect)
    ring = round(0.025 * width)
    draw.ellipse([0, 0, width - 1, height - 1], outline=255, width=ring)
    _write_arc(mask, seal.arc, seal.pitch, ring + 0.02 * width, round(0.138 * scale), font)
    _write_arc(mask, seal.number, 6.8, ring + 0.035 * width, round(0.09 * scale), font, below=True)
    if seal.star:
        draw.polygon(_star((width / 2, height * (0.46 if seal.lines else 0.5)), 0.15 * height), fill=255)
    tall = 0.12 * scale
    for index, text in enumerate(seal.lines):
        _write_line(mask, text, (width / 2, 0.70 * height + 1.25 * tall * index), 0.46 * width, tall, font)


def _draw_square(mask: Image.Image, seal: Seal, font: Path) -> None:
    width, height = mask.size
    ImageDraw.Draw(mask).rectangle([0, 0, width - 1, height - 1], outline=255, width=round(0.028 * width))
    room = 0.75 * height / len(seal.lines)
    for index, text in enumerate(seal.lines):
        _write_line(mask, text, (width / 2, 0.125 * height + room * (index + 0.5)), 0.82 * width, 0.7 * room, font)


def _write_arc(
    mask: Image.Image, text: str, pitch: float, inset: float, glyph: int, font: Path, below: bool = False
) -> None:
    """Glyphs along the edge of the mask's ellipse, `inset` pixels inside it, evenly spaced; upright in the middle."""
    reach = (mask.width / 2 - inset - glyph / 2, mask.height / 2 - inset - glyph / 2)
    span = pitch * (len(text) - 1)
    angles = np.radians(np.linspace(-span / 2, span / 2, 2048))
    x, y = reach[0] * np.sin(angles), reach[1] * np.cos(angles) * (1 if below else -1)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    for place, character in zip(np.linspace(0, length[-1], len(text)), text, strict=True):
        at = int(np.searchsorted(length, place).clip(1, len(angles) - 2))
        turn = math.degrees(math.atan2(y[at + 1] - y[at - 1], x[at + 1] - x[at - 1]))
        tile = Image.new("L", (2 * glyph, 2 * glyph))
        ImageDraw.Draw(tile).text((glyph, glyph), character, font=_font(font, glyph), fill=255, anchor="mm")
        tile = tile.rotate(-turn, resample=Image.Resampling.BICUBIC)
        corner = (round(mask.width / 2 + x[at] - glyph), round(mask.height / 2 + y[at] - glyph))
        mask.paste(255, corner, tile)


def _write_line(
    mask: Image.Image, text: str, middle: tuple[float, float], most: float, height: float, font: Path
) -> None:
    size = round(min(height, most / max(1, len(text))))
    ImageDraw.Draw(mask).text(middle, text, font=_font(font, size), fill=255, anchor="mm")


def _star(centre: tuple[float, float], radius: float) -> Sequence[tuple[float, float]]:
    points = []
    for index in range(10):
        angle, reach = math.pi * index / 5, radius if index % 2 == 0 else 0.382 * radius
        points.append((centre[0] + reach * math.sin(angle), centre[1] - reach * math.cos(angle)))
    return points


@lru_cache(maxsize=64)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)
