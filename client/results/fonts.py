"""A font with Chinese glyphs: the one of the extra `fonts`, or wherever this machine has one."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from PIL import ImageFont

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_VARIABLE = "PADDLE_PDX_LOCAL_FONT_FILE_PATH"
# Below a folder of fonts; the number is the face in a collection: simplified Chinese.
_FILES: tuple[tuple[str, int], ...] = (
    ("opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("truetype/noto/NotoSansCJK-Regular.ttc", 2),
    ("noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("google-noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc", 2),
    ("google-noto-sans-cjk-vf-fonts/NotoSansCJK-VF.ttc", 2),
    ("opentype/source-han-sans/SourceHanSansSC-Regular.otf", 0),
    ("adobe-source-han-sans/SourceHanSansSC-Regular.otf", 0),
    ("truetype/wqy/wqy-microhei.ttc", 0),
    ("wqy-microhei/wqy-microhei.ttc", 0),
    ("wenquanyi/wqy-microhei/wqy-microhei.ttc", 0),
    ("truetype/wqy/wqy-zenhei.ttc", 0),
    ("wqy-zenhei/wqy-zenhei.ttc", 0),
    ("truetype/arphic/uming.ttc", 0),
    ("truetype/arphic-gbsn00lp/gbsn00lp.ttf", 0),
    # macOS and Windows
    ("PingFang.ttc", 0),
    ("Hiragino Sans GB.ttc", 0),
    ("STHeiti Light.ttc", 0),
    ("msyh.ttc", 0),
    ("simsun.ttc", 0),
    ("simfang.ttf", 0),
    ("simhei.ttf", 0),
)
# Python packages that carry one, looked for without importing them; the first is the extra `fonts`.
_PACKAGED: tuple[tuple[str, str, int], ...] = (
    ("noto_cjk_sans_otc", "NotoSansCJK-Regular.ttc", 2),
    ("mplfonts", "fonts/NotoSansCJKsc-Regular.otf", 0),
)
# Text fills this share of a box's height.
_FONT_SHARE = 0.8
# Latin letters with all their accents end here; the built-in font has no glyphs beyond.
_LAST_LATIN = 0x024F


@dataclass(frozen=True)
class FontFace:
    """A face in a font file; Pillow's built-in font if there is no file."""

    path: Path | None = None
    index: int = 0

    def at(self, size: int) -> Font:
        """Return the font at a size in pixels, at least 1."""
        if self.path is None:
            return ImageFont.load_default(max(size, 1))
        return ImageFont.truetype(str(self.path), max(size, 1), index=self.index)


def find_font() -> FontFace:
    """Find `$PADDLE_PDX_LOCAL_FONT_FILE_PATH`, else a font of a package or of the system, else the built-in one."""
    named = os.environ.get(_VARIABLE)
    if named:
        face = _usable(Path(named), 0)
        if face:
            return face
        _warn(f"{_VARIABLE} is {named!r}, which is not a font file that can be read; looking for another font")
    return _installed_font()


def warn_without_glyphs(face: FontFace, texts: list[str]) -> None:
    """Say once that texts will be drawn as empty boxes, if they will."""
    if face.path is None and any(ord(letter) > _LAST_LATIN for text in texts for letter in text):
        _warn(
            "no font with Chinese glyphs was found: the picture shows boxes instead. Install one (pip install "
            f"'paddlex-triton[fonts]', or Debian's fonts-noto-cjk) or name a font file in {_VARIABLE}"
        )


def fitted_font(face: FontFace, text: str, width: int, height: int) -> Font:
    """Return the font in which a text fills most of a height, or all of a width if it would be too long; pixels."""
    return face.at(fitted_size(face, text, width, height))


def fitted_size(face: FontFace, text: str, width: int, height: int) -> int:
    """Return the size of `fitted_font`, pixels; 0 where letters are smaller than one."""
    size = int(height * _FONT_SHARE)
    font = face.at(size)
    length = font.getlength(drawable(text, font))
    return int(size * width / length) if length > width else size


def drawable(text: str, font: Font) -> str:
    """Replace what a font cannot draw: Pillow without FreeType has one that raises on anything beyond Latin-1."""
    if isinstance(font, ImageFont.FreeTypeFont):
        return text
    return text.encode("latin-1", "replace").decode("latin-1")


@cache
def _installed_font() -> FontFace:
    return next((face for path, index in _candidates() if (face := _usable(path, index))), FontFace())


def _candidates() -> Iterator[tuple[Path, int]]:
    # A package comes before the system: its pictures are the same on every machine.
    for package, name, index in _PACKAGED:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(location) / name, index
    for folder in _folders():
        for name, index in _FILES:
            yield folder / name, index


def _folders() -> list[Path]:
    home = Path.home()
    windows = os.environ.get("WINDIR")
    return [
        home / ".local/share/fonts",
        home / ".fonts",
        Path("/usr/local/share/fonts"),
        Path("/usr/share/fonts"),
        home / "Library/Fonts",
        Path("/Library/Fonts"),
        Path("/System/Library/Fonts"),
        *([Path(windows) / "Fonts"] if windows else []),
    ]


def _usable(path: Path, index: int) -> FontFace | None:
    if not path.is_file():
        return None
    try:
        # Given a path that it cannot read, Pillow takes a font of the same name from elsewhere.
        with path.open("rb") as file:
            ImageFont.truetype(file, 10, index=index)
    except OSError:
        return None
    return FontFace(path, index)


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=3)
