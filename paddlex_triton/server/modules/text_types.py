"""Kinds of text that `text_recognition` reads, and what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from paddlex_triton.ops.crop import QuadCrops
from paddlex_triton.ops.seal_crop import PolygonCrops
from paddlex_triton.params import OCRParams, SealRecognitionParams


@dataclass(frozen=True)
class TextType:
    """One kind of text.

    Attributes:
        role: of the module's networks, the one that reads it.
        schema: the parameters of its pipeline.
        crops: pages and polygons, one each for a line, to the lines as images.
        has_orientation: whether lines may be turned before they are read.
    """

    role: str
    schema: type[OCRParams | SealRecognitionParams]
    crops: Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], QuadCrops | PolygonCrops]
    has_orientation: bool = False


TEXT_TYPES = {
    "general": TextType("text_recognition", OCRParams, QuadCrops, has_orientation=True),
    "seal": TextType("seal_text_recognition", SealRecognitionParams, PolygonCrops),
}
