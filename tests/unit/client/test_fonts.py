"""Where a font with Chinese glyphs is found."""

from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path

import pytest
from PIL import ImageFont

from paddlex_triton.client.results import fonts
from paddlex_triton.client.results.fonts import FontFace, find_font, warn_without_glyphs

PACKAGE, FILE = "noto_cjk_sans_otc", "NotoSansCJK-Regular.ttc"
SYSTEM_FILE = "noto-cjk/NotoSansCJK-Regular.ttc"
SIMPLIFIED_CHINESE = 2


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Nothing is remembered from before, nor after."""
    monkeypatch.delenv("PADDLE_PDX_LOCAL_FONT_FILE_PATH", raising=False)
    fonts._installed_font.cache_clear()
    yield
    fonts._installed_font.cache_clear()


@pytest.fixture
def packages(monkeypatch, tmp_path) -> Path:
    """A folder that is all Python finds packages in."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    importlib.invalidate_caches()
    return folder


@pytest.fixture
def system(monkeypatch, tmp_path) -> Path:
    """A folder that is all the system has fonts in, for Pillow's own search too."""
    folder = tmp_path / "fonts"
    monkeypatch.setattr(fonts, "_folders", lambda: [folder])
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    return folder


def collection(faces: int = 3) -> bytes:
    """An OpenType collection of one face, several times."""
    font = ImageFont.load_default(10)
    assert isinstance(font, ImageFont.FreeTypeFont)
    single = bytearray(font.path.getvalue())  # pyright: ignore[reportAttributeAccessIssue]
    start = 12 + 4 * faces
    for table in range(struct.unpack_from(">H", single, 4)[0]):
        at = 12 + 16 * table + 8
        struct.pack_into(">I", single, at, struct.unpack_from(">I", single, at)[0] + start)
    return struct.pack(f">4sII{faces}I", b"ttcf", 0x10000, faces, *[start] * faces) + single


def put(path: Path, content: bytes) -> FontFace:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return FontFace(path, SIMPLIFIED_CHINESE)


def put_package(packages: Path, content: bytes) -> FontFace:
    face = put(packages / PACKAGE / FILE, content)
    (packages / PACKAGE / "__init__.py").write_text("raise RuntimeError('imported')")
    importlib.invalidate_caches()
    return face


def test_the_font_of_a_package_is_found_before_the_systems_without_an_import(packages, system):
    put(system / SYSTEM_FILE, collection())
    face = put_package(packages, collection())
    assert find_font() == face
    assert PACKAGE not in sys.modules


def test_without_the_package_the_systems_font_is_found(packages, system):
    face = put(system / SYSTEM_FILE, collection())
    assert find_font() == face


def test_without_either_there_is_the_built_in_font(packages, system):
    assert find_font() == FontFace()


@pytest.mark.parametrize("damaged", [None, b"", b"no font", collection()[:1000], collection(faces=2)])
def test_a_package_whose_file_is_missing_or_damaged_is_passed_over(packages, system, damaged):
    path = packages / PACKAGE / FILE
    put_package(packages, damaged or b"")
    if damaged is None:
        path.unlink()
    face = put(system / SYSTEM_FILE, collection())
    assert find_font() == face


def test_the_warning_names_the_extra():
    with pytest.warns(UserWarning, match=r"pip install 'paddlex-triton\[fonts\]'"):
        warn_without_glyphs(FontFace(), ["登机牌"])


def test_the_extra_has_simplified_chinese(system):
    font = find_font().at(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert font.getname() == ("Noto Sans CJK SC", "Regular")
