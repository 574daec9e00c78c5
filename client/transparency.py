"""Pictures with transparent parts: PaddleX drops the alpha channel, and black on nothing becomes black on black."""

from __future__ import annotations

import struct
import warnings

import cv2
import numpy as np

from paddlex_triton.client.pages import Page
from paddlex_triton.client.wording import shown_name
from paddlex_triton.limits import MAX_IMAGE_PIXELS

_PNG = b"\x89PNG\r\n\x1a\n"
# Where the byte with the bit for alpha is, by the file's first chunk.
_WEBP_FLAGS = {b"VP8X": 20, b"VP8L": 24}


class TransparencyWatch:
    """Warns of the first page with transparent parts."""

    def __init__(self) -> None:
        self._warned = False

    def look_at(self, page: Page) -> None:
        """Warn if the page is the first one with transparent parts; only files with an alpha channel are decoded."""
        if self._warned or not (page.transparent or is_transparent(page.payload)):
            return
        self._warned = True
        warnings.warn(
            f"{shown_name(page.label or 'the picture')}: parts of it are transparent; alpha is dropped, as PaddleX "
            "does it, which can leave dark text on black. Put it on white for a readable page. Others are not named",
            UserWarning,
            stacklevel=2,
        )


def is_transparent(payload: bytes) -> bool:
    """Tell whether a PNG or WebP file has pixels that are not opaque."""
    if not _has_alpha(payload):
        return False
    image = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        return False
    return bool(image[..., 3].min() < (65535 if image.dtype == np.uint16 else 255))


def _has_alpha(payload: bytes) -> bool:
    """Tell by its header whether a file of a size that is read has an alpha channel, or transparent colours."""
    if payload.startswith(_PNG) and len(payload) > 33:
        width, height, _, colour_type = struct.unpack(">IIBB", payload[16:26])
        # Colour types 4 and 6 have the channel; transparent colours of the others stand in front of the pixels.
        alpha = colour_type in (4, 6) or b"tRNS" in payload[33 : payload.find(b"IDAT")]
        return alpha and width * height <= MAX_IMAGE_PIXELS
    if payload.startswith(b"RIFF") and payload[8:12] == b"WEBP" and len(payload) > 25:
        flags = _WEBP_FLAGS.get(payload[12:16])
        # Animated ones (0x02) are refused, and OpenCV would write of it to the standard error.
        return flags is not None and payload[flags] & (0x12 if flags == 20 else 0x10) == 0x10
    return False
