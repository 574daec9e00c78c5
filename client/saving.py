"""Names and formats of saved results: PaddleX's, unless a file system, a format or another result forbids it."""

from __future__ import annotations

import os
import re
import struct
import unicodedata
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ExifTags, Image

from paddlex_triton.client.files import write_whole

if TYPE_CHECKING:
    from paddlex_triton.client.results import BaseResult

# File systems take 255 bytes; the rest is for "_seal_res_region300.jpeg", a number and the like.
_MAX_STEM_BYTES = 255 - 40
# Control characters, and what else begins a new line.
_UNUSABLE_CATEGORIES = ("Cc", "Zl", "Zp")
# These need a program, or an application's data, to be written.
_NO_PICTURES = ("BUFR", "GRIB", "HDF5", "WMF")
# In pictures' EXIF data.
_SOFTWARE = "paddlex-triton result"
_NAME_OF_PICTURE = re.compile(
    r"(?P<stem>.+)_(ocr_res_img|preprocessed_img|layout_det_res|seal_res_region\d+|res)\.\w+", re.DOTALL
)
# These hold no EXIF data.
_UNMARKED_SUFFIXES = (".bmp", ".dib", ".pbm", ".pgm", ".pnm", ".ppm")
# Where it is in the others: near the start of a file, of a WebP near its end.
_SEARCHED_BYTES = 4096


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
    """What the saved files of one run's results begin with: no two pages have the same."""

    def __init__(self) -> None:
        self._stems: dict[tuple[str, int | None], str] = {}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def settle(self, result: BaseResult) -> None:
        """Leave a result its stem, or number it if another page has that.

        The first time that happens, a warning tells the rule.
        """
        page = (result.page.input_path or result.saved_stem, result.page.page_index)
        if page not in self._stems:
            self._stems[page] = self._free_stem(result.saved_stem, result.page.label)
        result.saved_stem = self._stems[page]

    def _free_stem(self, wanted: str, label: str | None) -> str:
        stem = wanted
        while stem in self._taken:
            if not self._numbers:
                warnings.warn(
                    f"{label}: another input's results are called {wanted!r}; these are called '{wanted}-2', and so on "
                    "for other names. 'input_path' in the JSON tells whose results they are",
                    UserWarning,
                    stacklevel=2,
                )
            self._numbers[wanted] = self._numbers.get(wanted, 1) + 1
            stem = f"{wanted}-{self._numbers[wanted]}"
        self._taken.add(stem)
        return stem


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
    try:
        write_whole(path, lambda file: picture.save(file, exif=exif))
    except (ArithmeticError, OSError, ValueError, RuntimeError, SystemError, struct.error) as error:
        # The operating system's errors have a number, Pillow's have none.
        if getattr(error, "errno", None) is not None or path.suffix.lower() == ".png":
            raise
        other = path.with_suffix(".png")
        warnings.warn(
            f"{path}: {path.suffix} cannot hold this picture of {picture.width} x {picture.height} pixels: "
            f"saved as {other.name}",
            SavedNameWarning,
            stacklevel=2,
        )
        save_picture(picture, other)


def is_saved_picture(path: str) -> bool:
    """Tell whether a file is a picture that a result saved: by its name, and by what is in it or in its JSON."""
    folder, name = os.path.split(path)
    match = _NAME_OF_PICTURE.fullmatch(name)
    if match is None:
        return False
    if name.lower().endswith(_UNMARKED_SUFFIXES):
        return b'"input_path"' in _both_ends(Path(folder) / f"{match['stem']}_res.json")
    return _SOFTWARE.encode() in _both_ends(Path(path))


def _both_ends(path: Path) -> bytes:
    """Return the first and the last bytes of a file, nothing if it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(_SEARCHED_BYTES)
            file.seek(max(path.stat().st_size - _SEARCHED_BYTES, len(start)))
            return start + file.read()
    except OSError:
        return b""
