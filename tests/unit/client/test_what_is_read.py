"""What docs/client.md says of formats, line by line. The picture is 40 x 24, white, its upper left quarter red."""

import io
import warnings

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from paddlex_triton.client.inputs import PageReader
from paddlex_triton.errors import InvalidImage
from paddlex_triton.ops.image import decode_image

RED, WHITE, GREY, TURNED, UPRIGHT = [0, 0, 255], [255, 255, 255], [18, 18, 18], (40, 24), (24, 40)


def picture(mode: str = "RGB") -> Image.Image:
    pixels = np.full((24, 40, 3), 255, np.uint8)
    pixels[:12, :20] = (255, 0, 0)
    return Image.fromarray(pixels).convert(mode)


def encoded(image_format: str, image: Image.Image | None = None, **options) -> bytes:
    with io.BytesIO() as file:
        (image or picture()).save(file, format=image_format, **options)
        return file.getvalue()


def on_its_side() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def wide(suffix: str) -> bytes:
    """16 bits a pixel, grey: 0x1234, which is 18 in 8 bits."""
    return cv2.imencode(suffix, np.full((24, 40), 0x1234, np.uint16))[1].tobytes()


def transparent(image_format: str, **options) -> bytes:
    image = picture("RGBA")
    image.putalpha(0)
    return encoded(image_format, image, **options)


def pdf(pages: int = 1, rotation: int = 0, crop: tuple[int, int, int, int] | None = None) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        page = document.new_page(100, 60)
        page.set_rotation(rotation)
        if crop is not None:
            page.set_cropbox(*crop)
    with io.BytesIO() as file:
        document.save(file)
        return file.getvalue()


# Of the first page: height and width, the colours at 2, 2 and at 2, 20 (x, y).
READ = {
    "JPEG, EXIF": (encoded("JPEG", quality=100, subsampling=0, exif=on_its_side()), 1, TURNED, WHITE, WHITE),
    "PNG, EXIF": (encoded("PNG", exif=on_its_side()), 1, TURNED, WHITE, WHITE),
    "TIFF, EXIF": (encoded("TIFF", exif=on_its_side()), 1, TURNED, WHITE, WHITE),
    "WebP, EXIF": (encoded("WEBP", lossless=True, exif=on_its_side()), 1, UPRIGHT, RED, WHITE),
    "PNG, alpha": (transparent("PNG"), 1, UPRIGHT, RED, WHITE),
    "WebP, alpha": (transparent("WEBP", lossless=True, exact=True), 1, UPRIGHT, RED, WHITE),
    "TIFF, alpha": (transparent("TIFF"), 1, UPRIGHT, RED, WHITE),
    "PNG, 16 bit": (wide(".png"), 1, UPRIGHT, GREY, GREY),
    "TIFF, 16 bit": (wide(".tiff"), 1, UPRIGHT, WHITE, WHITE),
    "JPEG, CMYK": (encoded("JPEG", picture("CMYK"), quality=100, subsampling=0), 1, UPRIGHT, RED, WHITE),
    "TIFF, CMYK": (encoded("TIFF", picture("CMYK")), 1, UPRIGHT, RED, WHITE),
    "PNG, palette": (encoded("PNG", picture("P")), 1, UPRIGHT, RED, WHITE),
    "TIFF, fax": (encoded("TIFF", Image.new("1", (40, 24), 1), compression="group4"), 1, UPRIGHT, WHITE, WHITE),
    "BMP": (encoded("BMP"), 1, UPRIGHT, RED, WHITE),
    "Netpbm": (encoded("PPM"), 1, UPRIGHT, RED, WHITE),
    "TIFF, frames": (
        encoded("TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))] * 2), 3, UPRIGHT, RED, WHITE
    ),
    "PDF": (pdf(2), 2, (120, 200), WHITE, WHITE),
    "PDF, rotation": (pdf(rotation=90), 1, (200, 120), WHITE, WHITE),
    "PDF, crop box": (pdf(crop=(10, 10, 60, 40)), 1, (60, 100), WHITE, WHITE),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_formats(name):
    data, count, size, upper, lower = READ[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pages = [page.image() for page in PageReader(data)]
    assert len(pages) == count
    assert pages[0].shape == (*size, 3)
    for place, wanted in ((pages[0][2, 2], upper), (pages[0][20, 2], lower)):
        assert np.abs(place.astype(int) - wanted).max() <= 3


@pytest.mark.parametrize(("image_format", "named"), [("GIF", "GIF"), ("JPEG2000", "JPEG 2000"), ("ICO", "ICO")])
def test_formats_that_servers_refuse(image_format, named):
    (page,) = PageReader(encoded(image_format))
    with pytest.raises(InvalidImage, match=f"{named} is not read here"):
        decode_image(page.payload)
