"""Transparent pictures: PaddleX's pixels, and one warning."""

import io
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton.client import transparency
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.pages import Page
from paddlex_triton.client.transparency import is_transparent

SAYS = "parts of it are transparent; alpha is dropped, as PaddleX does it"


def rgba(alpha: int) -> Image.Image:
    """Black, with one corner of the given alpha."""
    pixels = np.zeros((6, 8, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0, 0, 3] = alpha
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def palette(transparent: bool) -> bytes:
    image = rgba(255).convert("RGB").quantize(4)
    return encoded(image, "PNG", **({"transparency": 0} if transparent else {}))


def wide(alpha: int) -> bytes:
    pixels = np.full((4, 4, 4), 65535, np.uint16)
    pixels[0, 0, 3] = alpha
    return cv2.imencode(".png", pixels)[1].tobytes()


TRANSPARENT = {
    "rgba.png": encoded(rgba(254), "PNG"),
    "grey.png": encoded(rgba(0).convert("LA"), "PNG"),
    "palette.png": palette(True),
    "wide.png": wide(65534),
    "lossless.webp": encoded(rgba(0), "WEBP", lossless=True),
    "lossy.webp": encoded(rgba(0), "WEBP"),
    "rgba.tif": encoded(rgba(0), "TIFF"),
    "grey.tif": encoded(rgba(0).convert("LA"), "TIFF"),
}
OPAQUE = {
    "rgba.png": encoded(rgba(255), "PNG"),
    "rgb.png": encoded(rgba(255).convert("RGB"), "PNG"),
    "palette.png": palette(False),
    "wide.png": wide(65535),
    "lossless.webp": encoded(rgba(255), "WEBP", lossless=True),
    "lossy.webp": encoded(rgba(255).convert("RGB"), "WEBP"),
    "rgb.jpg": encoded(rgba(255).convert("RGB"), "JPEG"),
    "rgba.tif": encoded(rgba(255), "TIFF"),
    "broken.png": TRANSPARENT["rgba.png"][:40],
    "short.png": TRANSPARENT["rgba.png"][:20],
    "broken.webp": TRANSPARENT["lossless.webp"][:26],
    "empty.png": b"",
}


@pytest.mark.parametrize("name", TRANSPARENT)
@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_transparent_picture(tmp_path, name, as_bytes):
    path = tmp_path / name
    path.write_bytes(TRANSPARENT[name])
    source = [TRANSPARENT[name]] if as_bytes else str(path)
    with pytest.warns(UserWarning) as caught:
        (page,) = PageReader(source)
    place = "page 1 of " if name.endswith("tif") else ""
    assert [str(one.message).partition(": ")[0] for one in caught] == [place + ("input 1" if as_bytes else str(path))]
    assert SAYS in str(caught[0].message)
    # PaddleX's pixels.
    assert page.image().max() <= (255 if name == "wide.png" else 0)


@pytest.mark.parametrize("name", OPAQUE)
def test_an_opaque_picture(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        list(PageReader([OPAQUE[name]]).outcomes())


def test_one_warning_for_a_run(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(TRANSPARENT["rgba.png"])
        (tmp_path / f"{number}.tif").write_bytes(TRANSPARENT["rgba.tif"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(list(PageReader(str(tmp_path)))) == 6
        assert len(list(PageReader(str(tmp_path)))) == 6
    assert [str(one.message).partition(":")[0] for one in caught] == [str(tmp_path / "0.png")] * 2


def test_nothing_is_decoded_without_an_alpha_channel_or_twice(monkeypatch):
    decoded = []
    decode = cv2.imdecode
    monkeypatch.setattr(transparency.cv2, "imdecode", lambda *given: decoded.append(1) or decode(*given))
    list(PageReader([OPAQUE["rgb.png"], OPAQUE["rgb.jpg"], OPAQUE["lossy.webp"]]))
    assert decoded == []
    with pytest.warns(UserWarning, match="transparent"):
        list(PageReader([TRANSPARENT["rgba.png"]] * 5))
    assert decoded == [1]


def test_pages_that_are_refused_for_their_size_are_not_decoded(monkeypatch):
    for limit, found in ((48, True), (47, False)):
        monkeypatch.setattr(transparency, "MAX_IMAGE_PIXELS", limit)
        assert is_transparent(TRANSPARENT["rgba.png"]) is found


def test_pages_that_others_have_read_are_theirs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(PageReader([Page(TRANSPARENT["rgba.png"])]))) == 1
