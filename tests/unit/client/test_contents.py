"""What files are, whatever they are called."""

import struct

import cv2
import numpy as np
import pypdfium2
import pytest

from paddlex_triton.client.contents import is_pdf, suffix_by_content
from paddlex_triton.client.exceptions import ImageTooLargeError, InputError
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.transparency import is_transparent

PIXELS = np.full((24, 40, 3), 255, np.uint8)
JPEG, PNG = (cv2.imencode(suffix, PIXELS)[1].tobytes() for suffix in (".jpg", ".png"))
SPEAKS_OF_PDF = JPEG[:2] + b"\xff\xfe" + struct.pack(">H", 10) + b"%PDF-1.4" + JPEG[2:]


@pytest.fixture
def pdf(tmp_path):
    document = pypdfium2.PdfDocument.new()
    document.new_page(40, 24)
    document.save(tmp_path / "a.pdf")
    return (tmp_path / "a.pdf").read_bytes()


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.tmp", "a.png"])
def test_an_image_whose_comment_speaks_of_a_pdf_is_an_image(tmp_path, name):
    (tmp_path / name).write_bytes(SPEAKS_OF_PDF)
    for source in (str(tmp_path / name), SPEAKS_OF_PDF):
        (page,) = PageReader(source)
        assert page.page_index is None
        assert page.payload == SPEAKS_OF_PDF


@pytest.mark.parametrize("junk", [b"", b"\xef\xbb\xbf", b"\r\n", b"junk" * 200, b"\0" * 1019])
def test_a_pdf_behind_junk_is_a_pdf(pdf, tmp_path, junk):
    (tmp_path / "b.jpg").write_bytes(junk + pdf)
    for source in (str(tmp_path / "b.jpg"), junk + pdf):
        (page,) = PageReader(source)
        assert page.page_index == 0


def test_of_a_file_that_is_both_its_name_decides(pdf, tmp_path):
    assert not is_pdf(JPEG[:300] + pdf)
    for suffix, wanted in (("pdf", "pdf"), ("jpg", "jpeg"), ("", "jpeg")):
        assert suffix_by_content(JPEG[:300] + pdf[:100], suffix, "x") == wanted


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"PK\x03\x04" + bytes(20), "ZIP is not read here; allowed: JPEG, PNG, BMP, WebP, TIFF, PDF"),
        (b"\x1f\x8b\x08\0" + bytes(20), "gzip is not read here"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"OLE \(Word, Excel, Outlook\) is not read here"),
        (b"%!PS-Adobe-3.0\n", "PostScript is not read here"),
        (b"Rar!\x1a\x07", "RAR is not read here"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip is not read here"),
        (b"AT&TFORM", "DjVu is not read here"),
        (b'<?xml version="1.0"?><svg xmlns="">', "SVG is not read here"),
        (b"<html>not found</html>", "the bytes are text, not an image; allowed: JPEG, PNG, BMP, WebP, TIFF, PDF"),
        (b"", "the file is empty"),
    ],
)
@pytest.mark.parametrize("name", ["a.pdf", "a.tif", "a.bin", "a"])
def test_documents_that_are_none_are_said_to_be_what_they_are(tmp_path, start, reason, name):
    (tmp_path / name).write_bytes(start)
    with pytest.raises(InputError, match=rf"{name}: {reason}"):
        list(PageReader(str(tmp_path / name)))


def test_a_damaged_pdf_is_said_to_be_damaged(tmp_path, pdf):
    (tmp_path / "b.pdf").write_bytes(pdf[:40])
    with pytest.raises(InputError, match=r"b\.pdf: the PDF cannot be opened: it is damaged$"):
        list(PageReader(str(tmp_path / "b.pdf")))


@pytest.mark.parametrize("size", [b"100000 100000", b"2000000 1", b"1 2000000"])
def test_netpbm_images_beyond_what_opencv_takes(size):
    with pytest.raises(ImageTooLargeError, match="has more than the 178956970 pixels that are allowed"):
        list(PageReader(b"P6 " + size + b" 255\n" + bytes(99)))


def test_nothing_is_written_of_animated_pictures(capfd):
    # VP8X with alpha and animation.
    payload = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0" + bytes([0x12, 0, 0, 0, 9, 0, 0, 9, 0, 0]) + b"ANIM" + bytes(10)
    assert not is_transparent(payload)
    assert capfd.readouterr().err == ""
