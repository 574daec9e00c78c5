"""What a file is: by its first bytes, and by its suffix where those tell nothing."""

from __future__ import annotations

import re

from paddlex_triton.client.exceptions import InputError
from paddlex_triton.errors import InvalidImage
from paddlex_triton.ops.image_header import FORMATS, identify

TIFF_SUFFIXES = frozenset({"tif", "tiff"})
PDF_SUFFIXES = frozenset({"pdf"})
# PaddleX's OpenCV reads these, servers do not: clients decode them.
DECODED_SUFFIXES = frozenset({"pbm", "pgm", "ppm", "pnm", "sr", "ras"})
# PaddleX's, and JPEG's other two.
IMAGE_SUFFIXES = (
    frozenset({"bmp", "dib", "jfif", "jpe", "jpeg", "jpg", "png", "webp"}) | DECODED_SUFFIXES | TIFF_SUFFIXES
)
SUFFIXES = IMAGE_SUFFIXES | PDF_SUFFIXES

# Readers accept a PDF's header anywhere in its first kilobyte.
START_BYTES = 1024
_PDF_HEADER = b"%PDF-"
# "II" or "MM" is the byte order, 42 or 43 (BigTIFF) the version.
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Netpbm's "P1" to "P6" before white space, and Sun raster's magic number.
_DECODED_START = re.compile(rb"P[1-6]\s|\x59\xa6\x6a\x95")


def is_pdf(data: bytes) -> bool:
    """Tell whether the bytes are those of a PDF, and not of an image that speaks of one in its comments."""
    if data.startswith(_PDF_HEADER) or _PDF_HEADER not in data[:START_BYTES]:
        return data.startswith(_PDF_HEADER)
    try:
        identify(data)
    except InvalidImage:
        return True
    return False


def is_tiff(data: bytes) -> bool:
    """Tell whether the bytes are those of a TIFF."""
    return data.startswith(_TIFF_MAGICS)


def is_decoded(data: bytes) -> bool:
    """Tell whether the bytes are those of an image that clients decode."""
    return _DECODED_START.match(data) is not None


def suffix_by_content(start: bytes, suffix: str, name: str) -> str:
    """Return a suffix that fits a file.

    Args:
        start: its first `START_BYTES`, fewer if it is shorter.
        suffix: its own, in lower case and without the dot.
        name: its path, for messages.

    Raises:
        InputError: it is of no kind that is read here.
    """
    if is_pdf(start) or (suffix in PDF_SUFFIXES and _PDF_HEADER in start):
        return "pdf"
    if is_tiff(start):
        return "tiff"
    if is_decoded(start):
        return "ppm"
    try:
        return identify(start).lower()
    except InvalidImage as error:
        # Documents always tell what they are; of images others know more.
        if start and suffix in IMAGE_SUFFIXES - TIFF_SUFFIXES:
            return suffix
        reason = str(error).replace(FORMATS, f"{FORMATS}, PDF") if start else "the file is empty"
        raise InputError(reason, source=name) from None
