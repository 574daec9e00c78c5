"""Pages of PDF and TIFF documents, rendered as PaddleX renders them."""

from __future__ import annotations

import io
import math
import os
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
from PIL import Image, UnidentifiedImageError
from pypdfium2 import raw

from paddlex_triton.client.exceptions import ImageTooLargeError, InputError, PaddleXTritonError
from paddlex_triton.client.pages import Page, check_pixels, page_from_array
from paddlex_triton.client.wording import shown_name
from paddlex_triton.limits import MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE

_SCALE_VARIABLE = "PADDLE_PDX_PDF_RENDER_SCALE"
_DEFAULT_SCALE = 2.0
_MIN_SCALE = 0.1
_BISECTIONS = 32
# Pillow's modes with more than 8 bits a channel: I;16 and its byte orders, 32-bit integers, floating point.
_WIDE_MODES = ("I", "F")
# PDFium must not be entered by two threads at a time, whatever documents they work on.
_PDFIUM = threading.Lock()
# A process is forked between two calls: a lock that another thread holds would stay locked in the new one for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_PDFIUM.acquire, after_in_parent=_PDFIUM.release, after_in_child=_PDFIUM.release)


def render_scale() -> float:
    """Return pixels per PDF point (1/72 inch): `$PADDLE_PDX_PDF_RENDER_SCALE`, else 2.0.

    Raises:
        InputError: the variable is not a positive number.
    """
    given = os.environ.get(_SCALE_VARIABLE)
    if not given:
        return _DEFAULT_SCALE
    try:
        scale = float(given)
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"{_SCALE_VARIABLE} is {given!r}; it must be a positive number")
    return scale


def scale_within_limits(
    width: float, height: float, scale: float, max_pixels: int = MAX_IMAGE_PIXELS, max_side: int = MAX_IMAGE_SIDE
) -> float:
    """Return the largest scale up to `scale` at which a page is within both limits, found as PaddleX finds it.

    PaddleX knows the limit of pixels alone, and fails on longer sides.

    Args:
        width: page width in points.
        height: page height in points.
        scale: wanted pixels per point.
        max_pixels: limit of the rendered page.
        max_side: limit of its longer side, pixels.

    Raises:
        ImageTooLargeError: too many pixels, or too long a side, even at a tenth of a pixel per point.
    """

    def fits(at: float) -> bool:
        sides = math.ceil(width * at), math.ceil(height * at)
        return math.prod(sides) <= max_pixels and max(sides) <= max_side

    if fits(scale):
        return scale
    if not fits(_MIN_SCALE):
        raise ImageTooLargeError(
            f"a page of {width:g} x {height:g} points has {math.ceil(width * _MIN_SCALE)} x "
            f"{math.ceil(height * _MIN_SCALE)} pixels even at scale {_MIN_SCALE}; at most {max_pixels} pixels and "
            f"{max_side} a side are allowed"
        )
    low, high = _MIN_SCALE, min(scale, math.sqrt(max_pixels / (width * height)))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


class PdfDocument:
    """A PDF whose pages are rendered one by one."""

    def __init__(self, source: Path | bytes, input_path: str | None) -> None:
        """Open the document.

        Raises:
            InputError: it is damaged or wants a password.
        """
        self._input_path = input_path
        self._scale = render_scale()
        self._warned = False
        try:
            with _PDFIUM:
                self._document = pypdfium2.PdfDocument(source)
                # Filled form fields are part of what a reader sees.
                self._document.init_forms()
                self.page_count = len(self._document)
        except (pypdfium2.PdfiumError, OSError, ValueError) as error:
            reason = "it has no pages" if _is_pdf_without_pages(source) else _reason(error)
            raise InputError(f"the PDF cannot be opened: {reason}", source=input_path) from None

    def page(self, index: int) -> Page:
        """Render a page, counted from 0.

        Raises:
            InputError: it is damaged.
            ImageTooLargeError: it has too many pixels or bytes, or too long a side, at any scale.
        """
        return page_from_array(self._render(index), self._input_path, index)

    def close(self) -> None:
        """Let go of the file."""
        with _PDFIUM:
            self._document.close()

    def _render(self, index: int) -> np.ndarray:
        source = Page(b"", self._input_path, index).label
        try:
            with _PDFIUM:
                page = self._document[index]
                try:
                    width, height = page.get_size()
                    if not (width > 0 and height > 0):
                        raise InputError(f"the page is {width:g} x {height:g} points", source=source)
                    scale = scale_within_limits(width, height, self._scale)
                    self._warn_about_scale(scale, source)
                    # A copy: the bitmap's memory goes away with it.
                    bitmap = page.render(scale=scale, rotation=0)  # pyright: ignore[reportArgumentType]
                    return bitmap.to_numpy().copy()
                finally:
                    page.close()
        except PaddleXTritonError as error:
            error.source = source
            raise
        except (pypdfium2.PdfiumError, OSError, ValueError) as error:
            raise InputError(f"the page cannot be rendered: {error}", source=source) from None

    def _warn_about_scale(self, scale: float, source: str | None) -> None:
        if self._warned or scale == self._scale:
            return
        self._warned = True
        warnings.warn(
            f"{shown_name(source or 'a PDF')}: rendered at {scale:.3g} pixels per point instead of {self._scale:g}, "
            f"to stay within {MAX_IMAGE_PIXELS} pixels and {MAX_IMAGE_SIDE} a side; so are "
            "further pages that are too large",
            UserWarning,
            stacklevel=2,
        )


def _reason(error: Exception) -> str:
    """Return PDFium's reason in words that tell what to do."""
    text = str(error)
    if "password" in text or "security" in text:
        return "it wants a password, or is encrypted in an unknown way; save a copy without"
    return "it is damaged" if "format error" in text else text


def _is_pdf_without_pages(source: Path | bytes) -> bool:
    """Tell whether PDFium opens what pypdfium2 has refused: a file without pages, for which there is no error."""
    with _PDFIUM:
        if isinstance(source, bytes):
            document = raw.FPDF_LoadMemDocument64(source, len(source), None)
        else:
            document = raw.FPDF_LoadDocument(os.fsencode(source) + b"\0", None)
        if not document:
            return False
        raw.FPDF_CloseDocument(document)
        return True


class TiffDocument:
    """A TIFF whose frames are decoded one by one."""

    def __init__(self, source: Path | bytes, input_path: str | None) -> None:
        """Open the document.

        Raises:
            InputError: it is damaged.
            ImageTooLargeError: its first frame has too many pixels.
        """
        self._input_path = input_path
        self._warned = False
        try:
            self._image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
            self.page_count: int = getattr(self._image, "n_frames", 1)
        except Image.DecompressionBombError:
            raise ImageTooLargeError(
                f"the image has more than the {MAX_IMAGE_PIXELS} pixels that are allowed", source=input_path
            ) from None
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
            raise InputError(
                "the TIFF cannot be opened: it is damaged or of an unknown kind", source=input_path
            ) from None

    def page(self, index: int) -> Page:
        """Decode a frame, counted from 0.

        Raises:
            InputError: it is damaged.
            ImageTooLargeError: it has too many pixels or bytes.
        """
        page = page_from_array(self._decode(index), self._input_path, index)
        return replace(page, transparent=self._is_transparent())

    def close(self) -> None:
        """Let go of the file."""
        self._image.close()

    def _decode(self, index: int) -> np.ndarray:
        source = Page(b"", self._input_path, index).label
        try:
            self._image.seek(index)
            check_pixels(*self._image.size, source)
            self._warn_about_mode()
            frame = np.asarray(self._image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            if isinstance(error, PaddleXTritonError):
                raise
            raise InputError(f"the page cannot be decoded: {error}", source=source) from None
        return cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)

    def _is_transparent(self) -> bool:
        """Tell whether the frame that was decoded last has pixels that are not opaque."""
        return self._image.mode in ("RGBA", "LA") and bool(np.asarray(self._image.getchannel("A")).min() < 255)

    def _warn_about_mode(self) -> None:
        mode = self._image.mode
        if self._warned or not mode.startswith(_WIDE_MODES):
            return
        self._warned = True
        warnings.warn(
            f"{shown_name(self._input_path or 'a TIFF')}: pixels of mode {mode} are cut off at 0 and 255, "
            "as PaddleX does it; scale them to 8 bits for a readable page",
            UserWarning,
            stacklevel=2,
        )
