"""Seals with a text of one's choice: drawn glyph by glyph, printed on a page like ink on paper."""

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
    """What a seal says and how it looks.

    Attributes:
        arc: text along the upper edge, from left to right; none on a square seal.
        lines: straight lines below the middle, or all lines of a square seal.
        aspect: height over width.
        square: a frame and lines instead of a ring and an arc.
        star: a star in the middle.
        ink: RGB.
        strength: how much of the ink reached the paper, 0 to 1.
        span: the angle the arc takes, degrees.
        turn: of the whole seal, degrees with the clock.
    """

    arc: str = ""
    lines: tuple[str, ...] = ()
    aspect: float = 1.0
    square: bool = False
    star: bool = True
    ink: tuple[int, int, int] = RED
    strength: float = 0.9
    span: float = 240.0
    turn: float = 0.0

    @property
    def texts(self) -> list[str]:
        """All its lines."""
        return [text for text in (self.arc, *self.lines) if text]


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
    ring = round(0.016 * width)
    draw.ellipse([ring // 2, ring // 2, width - 1 - ring // 2, height - 1 - ring // 2], outline=255, width=ring)
    glyph = round(0.125 * width * (0.5 + 0.5 * seal.aspect))
    reach = 0.05 * width + glyph / 2
    _write_arc(mask, seal, (width / 2 - reach, height / 2 - reach), glyph, font)
    if seal.star:
        radius = 0.12 * height
        draw.polygon(_star((width / 2, height * (0.47 if seal.lines else 0.5)), radius), fill=255)
    tall = 0.085 * height
    for index, text in enumerate(seal.lines):
        _write_line(mask, text, (width / 2, height * 0.69 + index * 1.25 * tall), 0.42 * width, tall, font)


def _draw_square(mask: Image.Image, seal: Seal, font: Path) -> None:
    width, height = mask.size
    frame = round(0.02 * width)
    ImageDraw.Draw(mask).rectangle([0, 0, width - 1, height - 1], outline=255, width=frame)
    room = (height - 4 * frame) / len(seal.lines)
    for index, text in enumerate(seal.lines):
        _write_line(mask, text, (width / 2, 2 * frame + room * (index + 0.5)), 0.86 * width, 0.72 * room, font)


def _write_arc(mask: Image.Image, seal: Seal, reach: tuple[float, float], glyph: int, font: Path) -> None:
    """Glyphs upright on an ellipse with half axes `reach`, evenly along its length."""
    angles = np.radians(np.linspace(-seal.span / 2, seal.span / 2, 2048))
    x, y = reach[0] * np.sin(angles), -reach[1] * np.cos(angles)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    for place, character in zip(np.linspace(0, length[-1], len(seal.arc)), seal.arc, strict=True):
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
    size = round(min(height, most / max(1, len(text))) if not text.isascii() else min(height, 1.8 * most / len(text)))
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
