"""Names and formats of saved results: PaddleX's, unless a file system, a format or another result forbids it."""

from __future__ import annotations

import itertools
import json
import os
import re
import struct
import sys
import unicodedata
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from PIL import ExifTags, Image

from paddlex_triton.client.files import write_whole
from paddlex_triton.client.wording import shown_name

if TYPE_CHECKING:
    from paddlex_triton.client.results import BaseResult

# File systems take 255 bytes; the rest is for "_seal_res_region300.jpeg", a number and the like.
_MAX_STEM_BYTES = 255 - 40
# Control characters, and what else begins a new line.
_UNUSABLE_CATEGORIES = ("Cc", "Zl", "Zp")
# These need a program, or an application's data, to be written.
_NO_PICTURES = ("BUFR", "GRIB", "HDF5", "WMF")
# In pictures' EXIF data; of those that hold none behind the pixels, where no reader looks.
_SOFTWARE = "paddlex-triton result"
_WITHOUT_EXIF = (".bmp", ".dib", ".pbm", ".pgm", ".pnm", ".ppm")
# Inputs with these suffixes have pictures with the same ones. All of them can be marked.
PICTURE_SUFFIXES = frozenset({".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp", *_WITHOUT_EXIF})
_NAME_OF_PICTURE = re.compile(
    r".+_(ocr_res_img|preprocessed_img|layout_det_res|seal_res_region\d+|res)\.\w+", re.DOTALL
)
# Beyond it libjpeg writes to the standard error itself.
_MAX_JPEG_SIDE = 65500
# Where the mark is: near the start of a file, or near its end.
_SEARCHED_BYTES = 4096
# As the JSON of every result begins, PaddleX's too.
_JSON_START = re.compile(rb'\s*\{\s*"input_path":\s*')
# File systems there take names that differ in case, or in how accents are put together, for the same.
_NAMES_ARE_FOLDED = sys.platform in ("darwin", "win32")

# What a page is told by: its path, and its number in a document.
_PageKey: TypeAlias = tuple[str, int | None]


class SavedNameWarning(UserWarning):
    """A result is saved under another name than PaddleX's: no file can be called so, or its format cannot hold it."""


def usable_stem(stem: str) -> str:
    """Return the beginning of a file name that every file system takes: the given one, or one made from it.

    Control characters become `_`. What is too long is cut, and ends in a checksum of the whole.
    """
    cleaned = "".join("_" if unicodedata.category(letter) in _UNUSABLE_CATEGORIES else letter for letter in stem)
    if len(os.fsencode(cleaned)) <= _MAX_STEM_BYTES:
        return cleaned
    checksum = f"-{zlib.crc32(os.fsencode(cleaned)):08x}"
    kept = cleaned[:_MAX_STEM_BYTES]
    while len(os.fsencode(kept + checksum)) > _MAX_STEM_BYTES:
        kept = kept[:-1]
    return kept + checksum


class SavedStems:
    """What the saved files of one call's results begin with: no two pages have the same in one folder.

    Threads may share it. It has no lock, which could stay locked in a forked process.
    """

    def __init__(self) -> None:
        self._settled: dict[tuple[str, str, _PageKey], str] = {}
        self._owners: dict[tuple[str, str], _PageKey] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._told = False

    def settle(self, result: BaseResult, folder: Path) -> str:
        """Return the result's stem, numbered if another page has it in that folder, or if a file is in its way.

        Results of earlier calls are in nobody's way: they are replaced, with a warning if they are another input's.
        """
        wanted, place = result.saved_stem, os.path.abspath(folder)  # noqa: PTH100  (pathlib's is slower)
        page = (result.page.input_path or wanted, result.page.page_index)
        if (place, wanted, page) not in self._settled:
            stem = self._free_stem(result, folder, place, page)
            _warn_of_replaced(folder / f"{stem}_res.json", result)
            self._settled[place, wanted, page] = stem
        return self._settled[place, wanted, page]

    def _free_stem(self, result: BaseResult, folder: Path, place: str, page: _PageKey) -> str:
        wanted = result.saved_stem
        number = self._numbers.get((place, wanted), 1)
        in_the_way: list[Path] = []
        while True:
            stem = wanted if number == 1 else f"{wanted}-{number}"
            number += 1
            # One step: another thread cannot take it in between.
            if self._owners.setdefault((place, _folded(stem)), page) == page:
                found = _file_in_the_way(result, folder, stem)
                if found is None:
                    break
                in_the_way.append(found)
        self._numbers[place, wanted] = number
        named = shown_name(result.page.label or wanted)
        if in_the_way:
            text = f"{named}: {shown_name(str(in_the_way[0]))} is there, and no result; saved as {stem!r}"
            warnings.warn(text, SavedNameWarning, stacklevel=5)
        elif stem != wanted and not self._told:
            self._told = True
            text = (
                f"{named}: another input's results are called {wanted!r}; these are called {stem!r}, and "
                "so on for other names. 'input_path' in the JSON tells whose results they are"
            )
            warnings.warn(text, UserWarning, stacklevel=5)
        return stem


def _folded(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold() if _NAMES_ARE_FOLDED else stem


def _file_in_the_way(result: BaseResult, folder: Path, stem: str) -> Path | None:
    """Return a file that would be overwritten and is no result."""
    for path in (folder / name for name in result.file_names(stem)):
        ours = _JSON_START.match(_both_ends(path)) if path.suffix == ".json" else _is_marked(path)
        if not ours and os.path.lexists(path):
            return path
    return None


def _warn_of_replaced(path: Path, result: BaseResult) -> None:
    """Warn if the JSON at a path is that of another input."""
    content = _both_ends(path)[:_SEARCHED_BYTES]
    if (found := _JSON_START.match(content)) is None:
        return
    before, now = None, result.page.input_path
    try:
        before, _ = json.JSONDecoder().raw_decode(content[found.end() :].decode("utf-8", "replace"))
        differ = isinstance(before, str) and now is not None and os.path.realpath(before) != os.path.realpath(now)
    except ValueError:
        # Cut off, or no path.
        differ = False
    if differ:
        warnings.warn(f"{path}: the results of {before} are replaced by those of {now}", UserWarning, stacklevel=5)


def is_image_file(path: Path) -> bool:
    """Tell whether a name is that of a picture that Pillow can write; a directory's is not."""
    kind = Image.registered_extensions().get(path.suffix.lower(), "")
    # PDF and PostScript are documents.
    is_picture = kind not in _NO_PICTURES and not Image.MIME.get(kind, "").startswith("application/")
    return kind in Image.SAVE and is_picture and not path.is_dir()


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format that the name says, or as PNG, with a `SavedNameWarning`, if that cannot hold it.

    Args:
        picture: RGB.
        path: of the file; its folder is made if missing.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = _SOFTWARE
    is_jpeg = Image.registered_extensions().get(path.suffix.lower()) == "JPEG"

    def write(file: Path) -> None:
        if is_jpeg and max(picture.size) > _MAX_JPEG_SIDE:
            raise ValueError("a side is too long")
        picture.save(file, exif=exif)
        if file.suffix.lower() in _WITHOUT_EXIF:
            with file.open("ab") as pixels:
                pixels.write(b"\n" + _SOFTWARE.encode())

    try:
        write_whole(path, write)
    except (ArithmeticError, OSError, ValueError, RuntimeError, SystemError, struct.error) as error:
        # The operating system's errors have a number, Pillow's have none.
        if getattr(error, "errno", None) is not None or path.suffix.lower() == ".png":
            raise
        other = _free_png(path)
        warnings.warn(
            f"{shown_name(str(path))}: {path.suffix} cannot hold this picture of {picture.width} x {picture.height} "
            f"pixels: saved as {other.name}",
            SavedNameWarning,
            stacklevel=2,
        )
        save_picture(picture, other)


def _free_png(path: Path) -> Path:
    """Return the path with the suffix .png, numbered if a file that is no result is called so."""
    for number in itertools.count(1):
        other = path.with_name(f"{path.stem}-{number}.png" if number > 1 else f"{path.stem}.png")
        if not os.path.lexists(other) or _is_marked(other):
            return other
    raise AssertionError("there is no end of numbers")


def is_saved_picture(path: str) -> bool:
    """Tell whether a file is a picture that a result saved: by its name, and by the mark in it."""
    return bool(_NAME_OF_PICTURE.fullmatch(os.path.basename(path))) and _is_marked(Path(path))  # noqa: PTH119


def _is_marked(picture: Path) -> bool:
    return _SOFTWARE.encode() in _both_ends(picture)


def _both_ends(path: Path) -> bytes:
    """Return the first and the last bytes of a file; nothing if it cannot be read, or is no file."""
    try:
        # A pipe would be waited for.
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            start = file.read(_SEARCHED_BYTES)
            file.seek(max(path.stat().st_size - _SEARCHED_BYTES, len(start)))
            return start + file.read()
    except OSError:
        return b""
