"""Inputs of `predict`, turned into pages, lazily and in order."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, Union

import numpy as np

from paddlex_triton.client.contents import (
    DECODED_SUFFIXES,
    PDF_SUFFIXES,
    START_BYTES,
    SUFFIXES,
    TIFF_SUFFIXES,
    is_decoded,
    is_pdf,
    is_tiff,
    suffix_by_content,
)
from paddlex_triton.client.documents import PdfDocument, TiffDocument
from paddlex_triton.client.download import download
from paddlex_triton.client.exceptions import InputError, PaddleXTritonError
from paddlex_triton.client.pages import Page, check_size, page_from_array, page_from_encoded
from paddlex_triton.client.saving import is_saved_picture
from paddlex_triton.client.transparency import TransparencyWatch
from paddlex_triton.client.urls import is_data_uri, is_url, read_data_uri, without_credentials
from paddlex_triton.client.wording import shown_name

# A path, a URL, a directory, an array, an encoded file, one opened in binary mode, {"img": one of those}, a page that
# somebody else has read, or a list of any of them; or what reads all of it.
Input: TypeAlias = Union[
    str,
    "os.PathLike[str]",
    bytes,
    bytearray,
    memoryview,
    BinaryIO,
    np.ndarray,
    Page,
    Mapping[str, Any],
    Sequence["Input"],
    Iterator["Input"],
    "PageReader",
]
# One of the inputs once lists are flattened, or what is wrong with it; Any is a file.
_Item: TypeAlias = str | bytes | np.ndarray | Page | PaddleXTritonError | Any

# How names begin that people do not see, or that other programs keep beside files: macOS's archives, file servers'
# thumbnails, Windows' recycle bin.
_HIDDEN = (".", "__MACOSX", "@eaDir", "$RECYCLE.BIN")

# As a JPEG, PNG, WebP or PDF begins, or longer than most paths; of base64's letters alone, line breaks included.
_BASE64 = re.compile(r"(?:(?:/9j/|iVBORw0K|UklGR|JVBERi)[A-Za-z0-9+/_=\s-]{16,}|[A-Za-z0-9+/_=\s-]{256,})")
# Of Windows' paths one letter would stand before the colon.
_OTHER_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

# Inputs that are one item; all others that can be iterated over are several.
_SINGLE = (
    str,
    bytes,
    bytearray,
    memoryview,
    np.ndarray,
    os.PathLike,
    Mapping,
    Page,
    PaddleXTritonError,
    set,
    frozenset,
)
# Lists in lists. One that holds itself has no end.
_MAX_DEPTH = 8
_KINDS = (
    "a path, a URL, a directory, a NumPy array (uint8, BGR), bytes of a file, a file opened with 'rb', {'img': ...}, "
    "or a list of those"
)


class PageReader:
    """Iterates over the pages of an input. Nothing is opened before its turn comes.

    Attributes:
        total: how many pages are known of by now; it grows when a document or a directory is opened.
    """

    def __init__(self, source: Input, skip: Callable[[str, int | None], bool] | None = None) -> None:
        """Take note of the input. A generator is consumed as its pages are asked for.

        Args:
            source: see `Pipeline.predict`.
            skip: tells of a path or URL, and of a page of a document (0-based, None for a file before it is opened),
                whether it is to be left out; None leaves nothing out.

        Raises:
            InputError: it is of no kind that is read here. What is wrong with one of several is an outcome.
        """
        self._skip = skip
        self._transparency = TransparencyWatch()
        self._several = _is_several(source)
        self._lazy = self._several and not isinstance(source, Sized)
        self._entries: Any = source
        if not self._several:
            # The caller may close a file, or change a list, before its turn comes.
            self._entries = [_content(source) if _is_file(source) else _single(source)]
        elif not self._lazy:
            self._entries = list(self._entries)
        self.total = 0 if self._lazy else len(self._entries)

    def __iter__(self) -> Iterator[Page]:
        with closing(self.outcomes()) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, PaddleXTritonError):
                    raise outcome
                yield outcome

    def outcomes(self) -> Generator[Page | PaddleXTritonError, None, None]:
        """Iterate; an error takes the place of its page, and reading goes on behind it."""
        yield from _settled(self._outcomes())

    def _outcomes(self) -> Iterator[Page | PaddleXTritonError]:
        for number, item in enumerate(self._items(), start=1):
            label = f"input {number}" if self._several else None
            for outcome in _settled(self._read(item)):
                # Arrays and bytes have no other name.
                named = isinstance(item, Page) or (isinstance(item, str) and not is_data_uri(item))
                if isinstance(outcome, PaddleXTritonError):
                    outcome.source = outcome.source if named else _join(outcome.source, label)
                    yield outcome
                else:
                    page = outcome if named else replace(outcome, item=label)
                    if not isinstance(item, Page):
                        self._transparency.look_at(page)
                    yield page

    def _items(self) -> Iterator[_Item]:
        for entry in _guarded(self._entries):
            self.total -= not self._lazy
            for item in _flatten(entry):
                self.total += 1
                yield item

    def _read(self, item: _Item) -> Iterator[Page | PaddleXTritonError]:
        if isinstance(item, PaddleXTritonError | Page):
            yield item
        elif isinstance(item, np.ndarray):
            yield page_from_array(item)
        elif isinstance(item, bytes | bytearray | memoryview):
            yield from self._read_bytes(bytes(item), None)
        elif _is_file(item):
            yield from self._read_bytes(_content(item), None)
        elif is_data_uri(item):
            yield from self._read_bytes(read_data_uri(item), None)
        elif is_url(item):
            yield from self._read_url(item)
        elif os.path.isdir(item):  # noqa: PTH112  (pathlib raises on names that are too long)
            files, failures = _files_in(item)
            self.total += len(files) + len(failures) - 1
            for file in files:
                yield from _settled(self._read_file(file))
            for failure in failures:
                yield InputError(f"the folder cannot be read: {failure.strerror}", source=failure.filename)
        else:
            yield from self._read_file(item)

    def _read_file(self, name: str) -> Iterator[Page | PaddleXTritonError]:
        """Read a file as its bytes are, whatever it is called."""
        if self._leave_out(name):
            return
        path = Path(name)
        try:
            if not os.path.isfile(name):  # noqa: PTH113
                raise _no_such_file(name)
            with path.open("rb") as file:
                suffix = suffix_by_content(file.read(START_BYTES), path.suffix[1:].lower(), name)
            if suffix in PDF_SUFFIXES:
                yield from self._pages_of(PdfDocument(path, name), name)
            elif suffix in TIFF_SUFFIXES:
                yield from self._pages_of(TiffDocument(path, name), name)
            else:
                check_size(path.stat().st_size, name)
                yield _page_of_image(path.read_bytes(), name, suffix)
        except OSError as error:
            raise InputError(f"the file cannot be read: {error.strerror or error}", source=name) from None

    def _read_url(self, url: str) -> Iterator[Page | PaddleXTritonError]:
        name = without_credentials(url)
        if not self._leave_out(name):
            yield from self._read_bytes(download(url), name)

    def _read_bytes(self, data: bytes, name: str | None) -> Iterator[Page | PaddleXTritonError]:
        if is_pdf(data):
            yield from self._pages_of(PdfDocument(data, name), name)
        elif is_tiff(data):
            yield from self._pages_of(TiffDocument(data, name), name)
        else:
            check_size(len(data), name)
            yield _page_of_image(data, name)

    def _pages_of(self, document: PdfDocument | TiffDocument, name: str | None) -> Iterator[Page | PaddleXTritonError]:
        self.total += document.page_count - 1
        with closing(document):
            for index in range(document.page_count):
                if name is None or not self._leave_out(name, index):
                    yield from _settled(map(document.page, [index]))

    def _leave_out(self, name: str, page_index: int | None = None) -> bool:
        left_out = self._skip is not None and self._skip(name, page_index)
        self.total -= left_out
        return left_out


def reader_of(source: Input) -> PageReader:
    """Return a reader of the input, which may be one already.

    Raises:
        InputError: see `PageReader`.
    """
    return source if isinstance(source, PageReader) else PageReader(source)


def _settled(pages: Iterator[Page | PaddleXTritonError]) -> Iterator[Page | PaddleXTritonError]:
    """Yield pages up to the first error, and the error itself."""
    try:
        yield from pages
    except PaddleXTritonError as error:
        yield error


def _page_of_image(data: bytes, name: str | None, suffix: str = "") -> Page:
    """Take an image file as it is, and decode those that only PaddleX reads."""
    if suffix in DECODED_SUFFIXES or is_decoded(data):
        return page_from_encoded(data, name)
    return Page(data, name)


def _join(place: str | None, label: str | None) -> str | None:
    return f"{place} of {label}" if place and label else place or label


def _guarded(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield items, and in the place of what their iterator raises, at whose end it is then, an error that names it."""
    try:
        for item in items:  # noqa: UP028  (`yield from` would close the caller's generator, who may go on with it)
            yield item
    except PaddleXTritonError as error:
        yield error
    except Exception as error:
        failed = InputError(f"the input cannot be had: {type(error).__name__}: {error}")
        failed.__cause__ = error
        yield failed


def _flatten(source: Any, depth: int = 0) -> Iterator[_Item]:
    """Yield the single items of an input, and errors in the places of others; raise none."""
    if depth > _MAX_DEPTH:
        yield InputError(f"lists are in lists more than {_MAX_DEPTH} deep")
    elif _is_several(source):
        for item in _guarded(source):
            yield from _flatten(item, depth + 1)
    else:
        for item in _guarded(map(_single, [source])):
            if isinstance(item, Mapping):
                yield from _flatten(item["img"], depth + 1)
            else:
                yield item


def _is_several(source: object) -> bool:
    single = isinstance(source, _SINGLE) or _is_file(source) or _is_like_an_array(source)
    return isinstance(source, Iterable) and not single


def _is_like_an_array(source: object) -> bool:
    """Tell whether it is a tensor of another library, or a picture of Pillow's; a column of paths is not."""
    values = getattr(type(source), "__array__", None) or hasattr(type(source), "__array_interface__")
    return bool(values) and str(getattr(source, "dtype", "")) not in ("object", "str", "string")


def _single(source: Any) -> Any:
    """Return a single input as it is read: paths as strings, others as they are.

    Raises:
        InputError: it is of no kind that is read here.
    """
    if isinstance(source, os.PathLike):
        try:
            return os.fsdecode(source)
        except Exception as error:
            raise InputError(f"the path cannot be had: {type(error).__name__}: {error}") from error
    if isinstance(source, Mapping) and set(source) != {"img"}:
        raise InputError(f"a dict must have the one key 'img'; this one has {sorted(map(str, source))}")
    if isinstance(source, set | frozenset):
        raise InputError("a set has no order; give a list")
    if isinstance(source, _SINGLE) or _is_file(source):
        return source
    hint = "give numpy.asarray(...) of it, uint8 in BGR order" if _is_like_an_array(source) else f"allowed: {_KINDS}"
    raise InputError(f"an input of type {type(source).__name__} is not read here; {hint}")


def _is_file(source: object) -> bool:
    return callable(getattr(source, "read", None))


def _content(file: Any) -> bytes:
    try:
        content = file.read()
    except Exception as error:
        reason = error if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {error}"
        raise InputError(f"the file object cannot be read: {reason}") from error
    if not isinstance(content, bytes):
        raise InputError(f"a file object must give bytes; this one gives {type(content).__name__}: open it with 'rb'")
    return content


def _files_in(directory: str) -> tuple[list[str], list[OSError]]:
    """List the readable files in a directory and below, sorted by their whole path, and what could not be looked into.

    Hidden files and folders are left out, and so are pictures of results, with a warning.

    Raises:
        InputError: there are none.
    """
    found: list[str] = []
    failures: list[OSError] = []
    for folder, folders, names in os.walk(directory, onerror=failures.append):
        folders[:] = [name for name in folders if not name.startswith(_HIDDEN)]
        # The path as it was given, which pathlib would tidy up.
        found += [
            os.path.join(folder, name)  # noqa: PTH118
            for name in names
            if not name.startswith(_HIDDEN) and Path(name).suffix[1:].lower() in SUFFIXES
        ]
    files = sorted(path for path in found if not is_saved_picture(path))
    if len(files) < len(found):
        warnings.warn(
            f"{shown_name(directory)}: pictures of earlier results are left out ({len(found) - len(files)}); "
            "name one to read it",
            UserWarning,
            stacklevel=2,
        )
    if not files and not failures:
        allowed = ", ".join(sorted(SUFFIXES))
        raise InputError(f"there is no image or PDF in this directory; allowed: {allowed}", source=directory)
    return files, failures


def _no_such_file(name: str) -> InputError:
    """Return the error, which says what a string that is no file's name may be."""
    if not name:
        return InputError("there is no such file: its name is empty")
    try:
        os.stat(name)  # noqa: PTH116  (pathlib raises on names that are too long)
    except PermissionError as error:
        return InputError(f"the file cannot be read: {error.strerror}", source=name)
    except (OSError, ValueError):
        pass
    if os.path.lexists(name):
        link = os.path.islink(name) and not os.path.exists(name)  # noqa: PTH110, PTH114
        return InputError("a link to a file that is not there" if link else "a pipe or a device, no file", source=name)
    if _OTHER_URL.match(name):
        hint = "of URLs, http:// and https:// are fetched, and data: is read"
        return InputError(f"there is no such file; {hint}", source=without_credentials(name))
    if not _BASE64.fullmatch(name):
        return InputError("there is no such file", source=name)
    hint = "it looks like base64: give base64.b64decode(...) of it, or put data:;base64, in front"
    return InputError(f"there is no such file; {hint}", source=f"{name[:32]}...")
