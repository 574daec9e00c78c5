"""From the file of a request to pages."""

from __future__ import annotations

import base64
import binascii
import io
import mimetypes
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from PIL import Image

from paddlex_triton.client.contents import is_pdf, is_tiff
from paddlex_triton.client.documents import PdfDocument, TiffDocument
from paddlex_triton.client.pages import Page
from paddlex_triton.client.urls import file_name, is_data_uri, is_url, read_data_uri
from paddlex_triton.errors import InvalidImage
from paddlex_triton.gateway.errors import INVALID_INPUT_FILE, ApiError
from paddlex_triton.limits import MAX_IMAGE_PIXELS
from paddlex_triton.ops.image_header import identify, read_size

FileType = Literal[0, 1]
PDF: FileType = 0
IMAGE: FileType = 1

# Pictures that OpenCV turns as their EXIF data says.
_TURNED_FORMATS = ("JPEG", "PNG", "TIFF")
_ORIENTATION_TAG = 0x0112
# From this orientation on width and height change places.
_FIRST_TURNED = 5


@dataclass
class Document:
    """A file that was opened.

    Attributes:
        kind: PaddleX's `type`.
        pages: reads them one by one, no more than are wanted.
        sizes: width and height of the pages that were read so far, pixels.
    """

    kind: Literal["image", "pdf", "tiff"]
    pages: Iterator[Page]
    sizes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def data_info(self) -> dict[str, Any]:
        """PaddleX's `dataInfo`, once all pages were read."""
        pages = [{"width": width, "height": height} for width, height in self.sizes]
        if self.kind == "image":
            return {**pages[0], "type": self.kind}
        return {"numPages": len(pages), "pages": pages, "type": self.kind}


def file_type_of(source: str, given: FileType | None) -> FileType:
    """Return what kind of file a request brings, as PaddleX decides it.

    Args:
        source: base64 or a URL.
        given: `fileType`.

    Raises:
        ApiError: it is not given, and no URL whose ending tells it.
    """
    if given is not None:
        return given
    if not is_url(source):
        raise ApiError(422, "File type cannot be determined", reason="invalid_input")
    guessed = mimetypes.guess_type(file_name(source))[0] or ""
    if guessed == "application/pdf":
        return PDF
    if not guessed.startswith("image/"):
        raise ApiError(422, "Unsupported file type", reason="invalid_input")
    return IMAGE


def decode_base64(source: str) -> bytes:
    """Decode a file, as leniently as PaddleX; a data URI, which PaddleX does not know, as the client does.

    Raises:
        ApiError: it is no base64.
    """
    try:
        return read_data_uri(source) if is_data_uri(source) else base64.b64decode(source)
    except (binascii.Error, ValueError):
        raise ApiError(422, INVALID_INPUT_FILE, reason="invalid_input") from None


def open_document(data: bytes, file_type: FileType, max_pages: int | None, request_id: str) -> Document:
    """Open a file.

    Args:
        data: its bytes.
        file_type: what it is said to be.
        max_pages: pages to read at most, None for all: the others are left out, as in PaddleX.
        request_id: that of the request, for its pages.

    Raises:
        ApiError: it is of the other kind, or an image too large.
        PaddleXTritonError: it cannot be opened.
    """
    if (file_type == PDF) != is_pdf(data):
        raise ApiError(422, INVALID_INPUT_FILE, reason="invalid_input")
    if file_type == PDF:
        return _document("pdf", PdfDocument(data, None), max_pages, request_id)
    if is_tiff(data):
        frames = TiffDocument(data, None)
        if frames.page_count > 1:
            return _document("tiff", frames, max_pages, request_id)
        frames.close()
    size = picture_size(data)
    return Document("image", iter([Page(data, request_id=request_id)]), [size])


def picture_size(data: bytes) -> tuple[int, int]:
    """Return width and height of an encoded image as OpenCV decodes it, pixels, from its first bytes.

    Raises:
        ApiError: it is no image that is read, or has more pixels than PaddleX takes.
    """
    try:
        image_format = identify(data)
        width, height = read_size(data, image_format)
    except InvalidImage as error:
        raise ApiError(422, INVALID_INPUT_FILE, reason="invalid_input") from error
    if width * height > MAX_IMAGE_PIXELS:
        raise ApiError(
            422,
            f"Image pixel count {width * height} (width={width}, height={height}) exceeds maximum allowed "
            f"{MAX_IMAGE_PIXELS}.",
            reason="too_large",
        )
    turned = image_format in _TURNED_FORMATS and _orientation(data) >= _FIRST_TURNED
    return (height, width) if turned else (width, height)


def _orientation(data: bytes) -> int:
    """Return the EXIF orientation of an image, 1 where there is none or it cannot be read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            value = image.getexif().get(_ORIENTATION_TAG, 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _document(
    kind: Literal["pdf", "tiff"], opened: PdfDocument | TiffDocument, max_pages: int | None, request_id: str
) -> Document:
    sizes: list[tuple[int, int]] = []
    wanted = opened.page_count if max_pages is None else min(max_pages, opened.page_count)

    def pages() -> Iterator[Page]:
        with closing(opened):
            for index in range(wanted):
                page = opened.page(index)
                # Lossless, and its header says the size.
                sizes.append(read_size(page.payload, identify(page.payload)))
                yield replace(page, request_id=request_id)

    return Document(kind, pages(), sizes)


def is_remote(source: str) -> bool:
    """Tell whether a file is given by a URL: with a scheme and a host, as PaddleX looks at it."""
    return is_url(source) and bool(urlsplit(source).netloc)
