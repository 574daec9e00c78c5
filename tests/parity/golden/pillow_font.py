"""Draws the texts of PaddleX's pictures in the font that comes with Pillow, for golden files."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ImageFont


@contextmanager
def pillow_font() -> Iterator[None]:
    """Tell PaddleX to draw in it; PaddleX looks when it is imported."""
    with tempfile.TemporaryDirectory() as folder:
        font = ImageFont.load_default(10)
        assert isinstance(font, ImageFont.FreeTypeFont)
        assert isinstance(font.path, io.BytesIO)
        path = Path(folder) / "font.ttf"
        path.write_bytes(font.path.getvalue())
        os.environ["PADDLE_PDX_LOCAL_FONT_FILE_PATH"] = str(path)
        yield
