"""Shared by the comparisons with PaddleX."""

import io
from pathlib import Path

import pytest
from PIL import ImageFont


@pytest.fixture
def pillow_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws with the font that comes with Pillow, as the golden pictures were drawn."""
    font = ImageFont.load_default(10)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert isinstance(font.path, io.BytesIO)
    (tmp_path / "font.ttf").write_bytes(font.path.getvalue())
    monkeypatch.setenv("PADDLE_PDX_LOCAL_FONT_FILE_PATH", str(tmp_path / "font.ttf"))
