"""One page on its way to a server."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from paddlex_triton.client.exceptions import ImageTooLargeError, InputError, InvalidImageError
from paddlex_triton.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS


@dataclass(frozen=True)
class Page:
    """An encoded image and where it came from.

    Attributes:
        payload: the encoded file, as it is sent.
        input_path: what PaddleX calls so: the path or URL as it was given, None for arrays and bytes.
        page_index: 0-based page of a PDF or TIFF, None for other images.
        item: what messages call an input without a path ("input 2"), None if it was the only one.
        request_id: the id for the server's log; None for one of the client's.
        transparent: whether parts of the picture were, before it was encoded for the server.
    """

    payload: bytes
    input_path: str | None = None
    page_index: int | None = None
    item: str | None = field(default=None, compare=False)
    request_id: str | None = field(default=None, compare=False)
    transparent: bool = field(default=False, compare=False)

    @property
    def label(self) -> str | None:
        """The page in words, for messages; None if it has no name."""
        name = self.input_path or self.item
        if self.page_index is None:
            return name
        return f"page {self.page_index + 1} of {name}" if name else f"page {self.page_index + 1}"

    def image(self) -> np.ndarray:
        """Decode the page as PaddleX does: UINT8 [H,W,3] BGR, orientation applied, alpha dropped.

        Raises:
            InvalidImageError: OpenCV cannot decode it.
        """
        # OpenCV raises for no bytes, and gives None for bytes that it cannot read.
        image = cv2.imdecode(np.frombuffer(self.payload, np.uint8), cv2.IMREAD_COLOR) if self.payload else None
        if image is None:
            raise InvalidImageError("the image cannot be decoded here", source=self.label)
        return image


def page_from_array(array: np.ndarray, input_path: str | None = None, page_index: int | None = None) -> Page:
    """Encode an array without loss: BMP, which costs no time, or PNG where BMP would be too many bytes.

    Args:
        array: UINT8 [H,W,3] in BGR order, or [H,W] or [H,W,1] grey.
        input_path: what the page is called in the result.
        page_index: 0-based page of a document.

    Raises:
        InputError: another shape or dtype.
        ImageTooLargeError: more pixels than `MAX_IMAGE_PIXELS`, or more bytes than `MAX_IMAGE_BYTES` as PNG.
    """
    label = Page(b"", input_path, page_index).label
    _check_array(array, label)
    image = np.ascontiguousarray(array)
    # A BMP row is padded to 4 bytes, and 1078 bytes of header and palette come before the first one.
    row_bytes = -(-image.shape[1] * (3 if image.ndim == 3 and image.shape[2] == 3 else 1) // 4) * 4
    suffix, options = ".bmp", []
    if row_bytes * image.shape[0] + 1078 > MAX_IMAGE_BYTES:
        suffix, options = ".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]
    try:
        _, encoded = cv2.imencode(suffix, image, options)
    except cv2.error as error:
        raise InputError(
            f"the array of shape {list(array.shape)} cannot be encoded: {error.err}", source=label
        ) from None
    page = Page(encoded.tobytes(), input_path, page_index)
    check_size(len(page.payload), label)
    return page


def page_from_encoded(data: bytes, input_path: str | None = None) -> Page:
    """Decode a file of a kind that servers do not read, as PaddleX does, and encode the pixels as `page_from_array`.

    Args:
        data: the file.
        input_path: what the page is called in the result.

    Raises:
        InputError: OpenCV cannot decode it.
        ImageTooLargeError: see `check_size` and `page_from_array`.
    """
    check_size(len(data), input_path)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        # OpenCV's own bounds lie above ours.
        if "CV_IO_MAX_IMAGE" in error.err:
            text = f"the image has more than the {MAX_IMAGE_PIXELS} pixels that are allowed"
            raise ImageTooLargeError(text, source=input_path) from None
        raise InputError(f"the image cannot be decoded: {error.err}", source=input_path) from None
    if image is None:
        raise InputError("the image cannot be decoded: it is damaged or of an unknown kind", source=input_path)
    return page_from_array(image, input_path)


def check_size(size: int, source: str | None) -> None:
    """Refuse what the server would refuse, before it is read or sent.

    Raises:
        ImageTooLargeError: more than `MAX_IMAGE_BYTES`.
    """
    if size > MAX_IMAGE_BYTES:
        raise ImageTooLargeError(f"the image has {size} bytes; at most {MAX_IMAGE_BYTES} are allowed", source=source)


def check_pixels(width: int, height: int, source: str | None) -> None:
    """Refuse a page with more than `MAX_IMAGE_PIXELS` before it is decoded.

    Raises:
        ImageTooLargeError: it has more.
    """
    if width * height > MAX_IMAGE_PIXELS:
        raise ImageTooLargeError(
            f"the image has {width} x {height} = {width * height} pixels; at most {MAX_IMAGE_PIXELS} are allowed",
            source=source,
        )


def _check_array(array: np.ndarray, source: str | None) -> None:
    if array.dtype != np.uint8:
        raise InputError(f"the array has dtype {array.dtype}; uint8 is needed", source=source)
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))):
        hint = "; give several images as a list" if array.ndim == 4 else ""
        raise InputError(
            f"the array has shape {list(array.shape)}; [H, W, 3] (BGR) or [H, W] (grey) is needed{hint}", source=source
        )
    if array.size == 0:
        raise InputError(f"the array of shape {list(array.shape)} has no pixels", source=source)
    check_pixels(array.shape[1], array.shape[0], source)
