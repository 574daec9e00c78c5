"""What `predict` takes, turned into pages, lazily and in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, Union

import numpy as np

from paddlex_triton.client.documents import PdfDocument, TiffDocument
from paddlex_triton.client.download import download, is_url
from paddlex_triton.client.exceptions import InputError
from paddlex_triton.client.pages import Page, check_size, page_from_array

# A path, a URL, a directory, an array, an encoded file, {"img": one of those}, or a list of any of them.
Input: TypeAlias = Union[
    str,
    "os.PathLike[str]",
    bytes,
    bytearray,
    memoryview,
    np.ndarray,
    Mapping[str, Any],
    Sequence["Input"],
    Iterator["Input"],
]

TIFF_SUFFIXES = frozenset({"tif", "tiff"})
PDF_SUFFIXES = frozenset({"pdf"})
IMAGE_SUFFIXES = (
    frozenset({"bmp", "dib", "jpeg", "jpg", "png", "webp", "pbm", "pgm", "ppm", "pnm", "sr", "ras"}) | TIFF_SUFFIXES
)
SUFFIXES = IMAGE_SUFFIXES | PDF_SUFFIXES

# "II" or "MM" is the byte order, 42 or 43 (BigTIFF) the version.
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Readers accept a PDF's header anywhere in its first kilobyte.
_PDF_HEADER_WITHIN = 1024
_KINDS = "a path, a URL, a directory, a NumPy array (uint8, BGR), bytes of a file, {'img': ...}, or a list of those"


class PageReader:
    """Iterates over the pages of an input. Nothing is opened before its turn comes.

    Attributes:
        total: how many pages are known of by now; it grows when a document or a directory is opened.
    """

    def __init__(self, source: Input) -> None:
        """Take note of the input. A generator is consumed as its pages are asked for.

        Raises:
            InputError: it is of no kind that is read here.
        """
        self._lazy = isinstance(source, Iterator)
        self._items = _flatten(source) if self._lazy else list(_flatten(source))
        self.total = 0 if isinstance(self._items, Iterator) else len(self._items)

    def __iter__(self) -> Iterator[Page]:
        for item in self._items:
            self.total += self._lazy
            yield from self._read(item)

    def _read(self, item: Any) -> Iterator[Page]:
        if isinstance(item, np.ndarray):
            yield page_from_array(item)
        elif isinstance(item, bytes):
            yield from self._read_bytes(item, None)
        elif is_url(item):
            yield from self._read_url(item)
        elif os.path.isdir(item):  # noqa: PTH112  (pathlib raises on names that are too long)
            files = _files_in(item)
            self.total += len(files) - 1
            for file in files:
                yield from self._read_file(file)
        else:
            yield from self._read_file(item)

    def _read_file(self, name: str) -> Iterator[Page]:
        path = Path(name)
        suffix = path.suffix[1:].lower()
        try:
            if not os.path.isfile(name):  # noqa: PTH113
                raise InputError("there is no such file", source=name)
            if suffix in PDF_SUFFIXES:
                yield from self._pages_of(PdfDocument(path, name))
            elif suffix in TIFF_SUFFIXES:
                yield from self._pages_of(TiffDocument(path, name))
            elif suffix in IMAGE_SUFFIXES:
                check_size(path.stat().st_size, name)
                yield Page(path.read_bytes(), name)
            else:
                raise InputError(_unsupported(suffix), source=name)
        except OSError as error:
            raise InputError(f"the file cannot be read: {error.strerror or error}", source=name) from None

    def _read_url(self, url: str) -> Iterator[Page]:
        yield from self._read_bytes(download(url), url)

    def _read_bytes(self, data: bytes, name: str | None) -> Iterator[Page]:
        if b"%PDF-" in data[:_PDF_HEADER_WITHIN]:
            yield from self._pages_of(PdfDocument(data, name))
        elif data.startswith(_TIFF_MAGICS):
            yield from self._pages_of(TiffDocument(data, name))
        else:
            check_size(len(data), name)
            yield Page(data, name)

    def _pages_of(self, document: PdfDocument | TiffDocument) -> Iterator[Page]:
        self.total += document.page_count - 1
        yield from document.pages()


def _flatten(source: Any) -> Iterator[str | bytes | np.ndarray]:
    """Single items of an input: strings, bytes and arrays."""
    if isinstance(source, str | np.ndarray | bytes):
        yield source
    elif isinstance(source, bytearray | memoryview):
        yield bytes(source)
    elif isinstance(source, os.PathLike):
        yield os.fspath(source)
    elif isinstance(source, Mapping):
        if set(source) != {"img"}:
            raise InputError(f"a dict must have the one key 'img'; this one has {sorted(map(str, source))}")
        yield from _flatten(source["img"])
    elif isinstance(source, Iterable):
        for item in source:
            yield from _flatten(item)
    else:
        raise InputError(f"an input of type {type(source).__name__} is not read here; allowed: {_KINDS}")


def _files_in(directory: str) -> list[str]:
    """Readable files in a directory and below, sorted by their whole path."""
    files = sorted(
        os.path.join(folder, name)  # noqa: PTH118  (the path as it was given, which pathlib would tidy up)
        for folder, _, names in os.walk(directory)
        for name in names
        if Path(name).suffix[1:].lower() in SUFFIXES
    )
    if not files:
        raise InputError(f"there is no image or PDF in this directory; {_allowed()}", source=directory)
    return files


def _unsupported(suffix: str) -> str:
    return f"files ending in {'.' + suffix if suffix else 'nothing'} are not read; {_allowed()}"


def _allowed() -> str:
    return f"allowed: {', '.join(sorted(SUFFIXES))}"
