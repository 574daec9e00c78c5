"""Decoding of an encoded image: the same pixels as OpenCV, with bounds and clear refusals in front."""

from __future__ import annotations

import cv2
import numpy as np

from paddlex_triton.errors import ImageTooLarge, InvalidImage
from paddlex_triton.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE
from paddlex_triton.ops.image_header import identify, jpeg_is_complete, read_size


def decode_image(
    data: bytes,
    *,
    max_bytes: int = MAX_IMAGE_BYTES,
    max_pixels: int = MAX_IMAGE_PIXELS,
    max_side: int = MAX_IMAGE_SIDE,
) -> np.ndarray:
    """Decode an image as `cv2.imdecode(..., IMREAD_COLOR)` does.

    EXIF orientation is applied, alpha dropped, grey copied to three channels, 16 bits reduced to 8, CMYK converted.
    Of a TIFF with several frames the first is taken.

    Args:
        data: the encoded file: JPEG, PNG, BMP, WebP or TIFF.
        max_bytes: most bytes of `data`.
        max_pixels: most pixels; checked on the header, before anything is decoded.
        max_side: longest side, pixels; checked on the header too.

    Returns:
        uint8 [H, W, 3] BGR, C-contiguous.

    Raises:
        InvalidImage: nothing there, not an image, a format that is not read, damaged or truncated.
        ImageTooLarge: more bytes or pixels than allowed.
    """
    if not data:
        raise InvalidImage("the image is empty: it has 0 bytes")
    if len(data) > max_bytes:
        raise ImageTooLarge(f"the image has {len(data)} bytes; at most {max_bytes} are allowed")
    image_format = identify(data)
    width, height = read_size(data, image_format)
    _check_size(width, height, max_pixels, max_side)
    # The other formats' decoders notice themselves; libjpeg fills up what is missing with grey.
    if image_format == "JPEG" and not jpeg_is_complete(data):
        raise InvalidImage("the JPEG is truncated: it has no end-of-image marker")
    image = _decode(data)
    if image is None:
        raise InvalidImage(f"the {image_format} cannot be decoded: damaged, truncated, or of an unusual kind")
    if image.shape[:2] not in ((height, width), (width, height)):
        raise InvalidImage(f"the {image_format} is damaged: header and pixels differ in size")
    return image


def _check_size(width: int, height: int, max_pixels: int, max_side: int) -> None:
    if width < 1 or height < 1:
        raise InvalidImage(f"the image has no pixels: it is {width}x{height} (width x height)")
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"the image is {width}x{height} (width x height): {width * height} pixels; at most {max_pixels} are allowed"
        )
    if max(width, height) > max_side:
        raise ImageTooLarge(f"the image is {width}x{height} (width x height); at most {max_side} a side are allowed")


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
