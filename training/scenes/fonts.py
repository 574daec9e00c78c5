"""Fonts of the system, and their characters as masks.

Faces are found by `fc-list`, or in the usual folders where that program is absent. No file is named by its place: a
machine without enough faces is told which packages to install.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.errors import FontsMissing

_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts", "/Library/Fonts")
_CHINESE = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJK-Bold.ttc",
    "NotoSerifCJK-Regular.ttc",
    "NotoSerifCJK-Bold.ttc",
    "gbsn00lp.ttf",
    "gkai00mp.ttf",
    "ukai.ttc",
    "uming.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
)
_LATIN = (
    "LiberationSans-Regular.ttf",
    "LiberationSans-Bold.ttf",
    "LiberationSerif-Regular.ttf",
    "LiberationSerif-Bold.ttf",
    "LiberationMono-Regular.ttf",
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSansMono.ttf",
)
# Faces in a collection whose simplified Chinese one is not the first.
_INDICES = {"NotoSansCJK": 2, "NotoSerifCJK": 2}
_LEAST_CHINESE, _LEAST_LATIN = 3, 1
_PACKAGES = (
    "fonts-noto-cjk fonts-arphic-gbsn00lp fonts-arphic-gkai00mp fonts-arphic-ukai fonts-arphic-uming "
    "fonts-wqy-microhei fonts-wqy-zenhei fonts-liberation fonts-dejavu"
)
MASTER_SIZES = (24, 48, 96)


@dataclass(frozen=True)
class Face:
    """One face of a font file."""

    path: str
    index: int = 0


@lru_cache(maxsize=1)
def chinese_faces() -> tuple[Face, ...]:
    """List faces with simplified Chinese, digits and Latin letters, in a fixed order.

    Raises:
        FontsMissing: fewer than three are installed.
    """
    return _require(_CHINESE, _LEAST_CHINESE, "Chinese")


@lru_cache(maxsize=1)
def latin_faces() -> tuple[Face, ...]:
    """List faces with Latin letters and digits, in a fixed order.

    Raises:
        FontsMissing: none is installed.
    """
    return _require(_LATIN, _LEAST_LATIN, "Latin")


@lru_cache(maxsize=128)
def truetype(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """Load a face at a size in pixels."""
    return ImageFont.truetype(face.path, size, index=face.index, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=16384)
def glyph(face: Face, character: str, size: int) -> np.ndarray:
    """Return the ink of one character, cut to its edges.

    Args:
        face: to draw with.
        character: one.
        size: em in pixels, one of `MASTER_SIZES`.

    Returns:
        uint8 [h, w]; [0, 0] for one without ink.
    """
    font = truetype(face, size)
    left, top, right, bottom = font.getbbox(character)
    width, height = int(right - left), int(bottom - top)
    if width <= 0 or height <= 0:
        return np.zeros((0, 0), np.uint8)
    canvas = Image.new("L", (width + 4, height + 4))
    ImageDraw.Draw(canvas).text((2 - left, 2 - top), character, fill=255, font=font)
    mask = np.asarray(canvas)
    rows, columns = np.flatnonzero(mask.max(axis=1) > 8), np.flatnonzero(mask.max(axis=0) > 8)
    if not len(rows) or not len(columns):
        return np.zeros((0, 0), np.uint8)
    return np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def master_size(height: float) -> int:
    """Return the smallest master not smaller than a height in pixels, else the largest."""
    return next((size for size in MASTER_SIZES if size >= height), MASTER_SIZES[-1])


@lru_cache(maxsize=512)
def strip(face: Face, text: str, size: int = 32) -> np.ndarray:
    """Draw a line of text as a mask, for print of documents: uint8 [1.25 size, width]."""
    font = truetype(face, size)
    width = max(1, int(font.getlength(text)) + 4)
    canvas = Image.new("L", (width, size * 5 // 4))
    ImageDraw.Draw(canvas).text((2, 0), text, fill=255, font=font)
    return np.asarray(canvas)


def fit_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize a mask, uint8 [height, width]."""
    smaller = height < mask.shape[0] or width < mask.shape[1]
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))


def _require(names: tuple[str, ...], least: int, kind: str) -> tuple[Face, ...]:
    installed = _installed()
    faces = tuple(Face(installed[name], _index(name)) for name in names if name in installed)
    if len(faces) < least:
        raise FontsMissing(
            f"{len(faces)} {kind} faces found, at least {least} are needed; install some of {', '.join(names)} "
            f"(Debian: apt-get install {_PACKAGES})"
        )
    return faces


def _index(name: str) -> int:
    return next((index for start, index in _INDICES.items() if name.startswith(start)), 0)


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    paths = _from_fontconfig() or _from_folders()
    return {path.name: str(path) for path in sorted(paths, reverse=True)}


def _from_fontconfig() -> list[Path]:
    program = shutil.which("fc-list")
    if program is None:
        return []
    listing = subprocess.run([program, "--format", "%{file}\n"], capture_output=True, text=True, check=False)
    return [Path(line) for line in listing.stdout.splitlines() if line]


def _from_folders() -> list[Path]:
    roots = [Path(folder).expanduser() for folder in _FOLDERS]
    return [path for root in roots if root.is_dir() for path in root.rglob("*.tt[cf]")]
