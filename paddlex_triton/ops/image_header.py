"""Format and size of an encoded image, read from its first bytes.

The bound on pixels must hold before a decoder allocates anything, so the size is read here from the very fields that
OpenCV's decoders use. Pillow reads others: of a TIFF tag given twice it takes the last, libtiff the first, and an image
too large to decode would pass. It also warns of damage, and bounds pixels, for the whole process, and copies a WebP.

Formats: JPEG, PNG, BMP, WebP, TIFF.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from paddlex_triton.errors import InvalidImage

FORMATS = "JPEG, PNG, BMP, WebP, TIFF"

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
}
# Well-known formats that are not read here, for the message only.
_REFUSED_SIGNATURES = {
    b"GIF8": "GIF",
    b"8BPS": "Photoshop",
    b"\x00\x00\x01\x00": "ICO",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"v/1\x01": "OpenEXR",
    b"PK\x03\x04": "ZIP",
    b"\x1f\x8b": "gzip",
    b"Rar!": "RAR",
    b"7z\xbc\xaf": "7-Zip",
    b"\xd0\xcf\x11\xe0": "OLE (Word, Excel, Outlook)",
    b"%!PS": "PostScript",
    b"AT&TFORM": "DjVu",
    b"DDS ": "DDS",
    b"qoif": "QOI",
    b"icns": "ICNS",
}
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}

# Base64 of the first bytes of JPEG, PNG, WebP (RIFF) and PDF files: a frequent mistake of callers.
_BASE64_STARTS = (b"/9j/", b"iVBORw0K", b"UklGR", b"JVBERi", b"data:")

_JPEG_START, _JPEG_END, _JPEG_SCAN = 0xD8, 0xD9, 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# 0xFF and a code, past any fill bytes; stuffed zeros and restarts (D0-D7) belong to compressed data.
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
# A header of 64 MiB in segments of full length has about a thousand.
_JPEG_MAX_SEGMENTS = 4096

_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TIFF_MAX_ENTRIES = 65_535


def identify(data: bytes) -> str:
    """Name the format of an encoded image: one of `FORMATS`.

    Raises:
        InvalidImage: not one of them; the message says what the bytes are, where that can be told.
    """
    for signature, name in _SIGNATURES.items():
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    raise InvalidImage(_explain_refusal(data))


def _explain_refusal(data: bytes) -> str:
    if b"%PDF-" in data[:1024]:
        return "a PDF is not an image: render its pages first (the Python client and command line do)"
    refused = next((name for start, name in _REFUSED_SIGNATURES.items() if data.startswith(start)), None)
    if data[4:8] == b"ftyp":
        refused = _ISO_BRANDS.get(data[8:12], "MP4 or HEIF")
    if data.startswith((b"<svg", b"<?xml")) and b"<svg" in data[:1024]:
        refused = "SVG"
    if refused is not None:
        return f"{refused} is not read here; allowed: {FORMATS}"
    if data.startswith(_BASE64_STARTS):
        return f"the bytes are base64 text; send the file's own bytes ({FORMATS})"
    if _looks_like_text(data[:512]):
        return f"the bytes are text, not an image; allowed: {FORMATS}"
    return f"the bytes are not an image of a known format (first bytes: {data[:8].hex(' ')}); allowed: {FORMATS}"


def _looks_like_text(head: bytes) -> bool:
    # An incomplete character at the end of the sample is no reason against text.
    text = head.decode("utf-8", errors="ignore")
    if len(text.encode()) < len(head) - 3:
        return False
    return all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in text)


def read_size(data: bytes, image_format: str) -> tuple[int, int]:
    """Read width and height, in pixels as stored (before any EXIF rotation), without decoding.

    Args:
        data: the encoded image.
        image_format: what `identify` said about it.

    Raises:
        InvalidImage: the header is damaged, cut off, or of a kind that cannot be decoded.
    """
    try:
        size = _READERS[image_format](data)
    except (struct.error, IndexError, OverflowError):
        size = None
    if size is None:
        raise InvalidImage(f"the {image_format} header is damaged or cut off")
    return size


def jpeg_is_complete(data: bytes) -> bool:
    """Tell whether a JPEG reaches its end-of-image marker.

    Segments before the first scan are stepped over by their lengths, so that a thumbnail in the EXIF data does not
    count. From there on the marker's two bytes can be nothing else: compressed data never contains them, and neither
    do the tables between the scans of a progressive file. Bytes after the end marker are allowed.
    """
    scan = next((offset for marker, offset in _jpeg_segments(data) if marker == _JPEG_SCAN), len(data))
    # From the back, where it is in a whole file.
    return data.rfind(bytes((0xFF, _JPEG_END)), scan) >= 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Return the code of each header marker and the offset behind it, in order; what segments contain is skipped."""
    position = 2
    for _ in range(_JPEG_MAX_SEGMENTS):
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            return
        position = found.end()
        marker = data[position - 1]
        yield marker, position
        if marker >= 0xC0 and marker not in (_JPEG_START, _JPEG_END):
            position += int.from_bytes(data[position : position + 2], "big")


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    for marker, offset in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, offset + 3)
            return width, height
    return None


def _png_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp_size(data: bytes) -> tuple[int, int] | None:
    (header_size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", data, 18)
    # A negative height means rows from top to bottom.
    return width, abs(height)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    chunk = data[12:16]
    if chunk == b"VP8X":
        flags, width, height = data[20], data[24:27], data[27:30]
        if flags & 0x02:
            raise InvalidImage("an animated WebP is not read here; send one frame")
        if len(height) < 3:
            return None
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Size of the first directory's image; of a tag given twice the first counts, as in libtiff."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    (directory,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, directory)
    if entries > _TIFF_MAX_ENTRIES:
        return None
    entry_size, value_offset = (20, 12) if big else (12, 8)
    first = directory + (8 if big else 2)
    values: dict[int, int] = {}
    for entry in range(first, first + entries * entry_size, entry_size):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT) and tag not in values and kind in _TIFF_INTEGERS:
            (values[tag],) = struct.unpack_from(order + _TIFF_INTEGERS[kind], data, entry + value_offset)
    if len(values) < 2:
        return None
    return values[_TIFF_WIDTH], values[_TIFF_HEIGHT]


_READERS: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "JPEG": _jpeg_size,
    "PNG": _png_size,
    "BMP": _bmp_size,
    "WebP": _webp_size,
    "TIFF": _tiff_size,
}
