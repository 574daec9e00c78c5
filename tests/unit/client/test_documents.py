"""PDF pages: scale, limits, forms, broken files."""

from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from paddlex_triton.client import documents
from paddlex_triton.client.documents import render_scale, scale_within_limits
from paddlex_triton.client.exceptions import ImageTooLargeError, InputError
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.pages import Page
from paddlex_triton.limits import MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE


@pytest.fixture
def pdf(tmp_path) -> Path:
    """Two pages, 100 x 50 and 30 x 60 points."""
    path = tmp_path / "two.pdf"
    document = pypdfium2.PdfDocument.new()
    document.new_page(100, 50)
    document.new_page(30, 60)
    document.save(path)
    document.close()
    return path


@pytest.mark.parametrize("as_bytes", [False, True])
def test_pages_are_rendered_at_two_pixels_a_point(pdf, as_bytes):
    name = None if as_bytes else str(pdf)
    reader = PageReader(pdf.read_bytes() if as_bytes else str(pdf))
    pages = list(reader)
    assert [(page.input_path, page.page_index) for page in pages] == [(name, 0), (name, 1)]
    assert [page.image().shape for page in pages] == [(100, 200, 3), (120, 60, 3)]
    assert np.array_equal(pages[0].image(), np.full((100, 200, 3), 255, np.uint8))
    assert reader.total == 2


def test_the_scale_of_the_environment(pdf, monkeypatch):
    monkeypatch.setenv("PADDLE_PDX_PDF_RENDER_SCALE", "1.5")
    assert next(iter(PageReader(str(pdf)))).image().shape == (75, 150, 3)


@pytest.mark.parametrize("value", ["0", "-1", "big", "nan", "inf"])
def test_a_scale_that_is_none_is_refused(value, monkeypatch):
    monkeypatch.setenv("PADDLE_PDX_PDF_RENDER_SCALE", value)
    with pytest.raises(InputError, match="positive number"):
        render_scale()


@pytest.mark.parametrize(("width", "height"), [(5000, 5000), (14400, 14400), (7000, 14400)])
def test_the_scale_shrinks_to_the_limit_and_no_further(width, height):
    scale = scale_within_limits(width, height, 4.0)
    pixels = np.ceil(width * scale) * np.ceil(height * scale)
    assert 0.1 <= scale < 4.0
    assert 0.999 * MAX_IMAGE_PIXELS < pixels <= MAX_IMAGE_PIXELS


@pytest.mark.parametrize(("width", "height"), [(10, 14400), (14400, 10), (1, 327000), (16384, 1)])
def test_the_scale_shrinks_to_the_longest_side_and_no_further(width, height):
    scale = scale_within_limits(width, height, 4.0)
    assert 0.1 <= scale < 4.0
    assert max(np.ceil(width * scale), np.ceil(height * scale)) == MAX_IMAGE_SIDE


def test_the_scale_stays_at_the_limits():
    assert scale_within_limits(10, 10, 2.0, max_pixels=400) == 2.0
    assert scale_within_limits(10, 10, 2.0, max_pixels=399) < 2.0
    assert scale_within_limits(10, 16, 2.0, max_side=32) == 2.0
    assert scale_within_limits(10, 16, 2.0, max_side=31) < 2.0


@pytest.mark.parametrize("limit", [{"max_pixels": 99}, {"max_side": 9}])
def test_a_page_too_large_at_any_scale(limit):
    assert scale_within_limits(100, 100, 2.0, **{name: most + 1 for name, most in limit.items()}) >= 0.1
    with pytest.raises(ImageTooLargeError, match=r"10 x 10 pixels even at scale 0\.1; at most"):
        scale_within_limits(100, 100, 2.0, **limit)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_pages_longer_than_a_side_may_be_are_scaled_which_is_said_once(tmp_path, as_bytes):
    path = tmp_path / "receipt.pdf"
    document = pypdfium2.PdfDocument.new()
    for height in (100, MAX_IMAGE_SIDE / 2, MAX_IMAGE_SIDE / 2 + 1, 20000):
        document.new_page(20, height)
    document.save(path)
    document.close()
    with pytest.warns(UserWarning) as warned:
        pages = list(PageReader(path.read_bytes() if as_bytes else str(path)))
    assert [page.image().shape[:2] for page in pages[:2]] == [(200, 40), (MAX_IMAGE_SIDE, 40)]
    # Widths shrink with heights.
    assert [page.image().shape[:2] for page in pages[2:]] == [(MAX_IMAGE_SIDE, 40), (MAX_IMAGE_SIDE, 33)]
    (warning,) = warned
    assert "page 3" in str(warning.message)
    assert f"instead of 2, to stay within {MAX_IMAGE_PIXELS} pixels and {MAX_IMAGE_SIDE} a side" in str(warning.message)


def test_a_page_too_large_is_named(pdf, monkeypatch):
    monkeypatch.setattr(documents, "scale_within_limits", lambda *size: scale_within_limits(*size, max_pixels=1))
    with pytest.raises(ImageTooLargeError, match=r"page 1 of .*two\.pdf"):
        list(PageReader(str(pdf)))


def test_a_password_is_said_to_be_missing(tmp_path):
    # An /Encrypt dictionary that no empty password opens.
    body = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
        b"3 0 obj<</Filter/Standard/V 1/R 2/P -4/O<" + b"00" * 32 + b">/U<" + b"11" * 32 + b">>>endobj\n"
        b"trailer<</Root 1 0 R/Size 4/Encrypt 3 0 R/ID[<00><00>]>>\n%%EOF"
    )
    path = tmp_path / "secret.pdf"
    path.write_bytes(body)
    with pytest.raises(InputError, match=r"secret\.pdf: the PDF cannot be opened: .*[Pp]assword"):
        list(PageReader(str(path)))


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_pdf_without_pages_is_said_to_have_none(tmp_path, as_bytes):
    path = tmp_path / "empty.pdf"
    document = pypdfium2.PdfDocument.new()
    document.save(path)
    document.close()
    with pytest.raises(InputError, match=r"the PDF cannot be opened: it has no pages$"):
        list(PageReader(path.read_bytes() if as_bytes else str(path)))


def test_leaving_early_closes_the_document(pdf):
    pages = iter(PageReader(str(pdf)))
    next(pages)
    pages.close()  # pyright: ignore[reportAttributeAccessIssue]
    pdf.unlink()


def test_pages_behind_a_bad_one_can_be_had(pdf, monkeypatch):
    def scale(width, height, wanted):
        return scale_within_limits(width, height, wanted, max_pixels=1 if width == 100 else MAX_IMAGE_PIXELS)

    monkeypatch.setattr(documents, "scale_within_limits", scale)
    reader = PageReader([str(pdf)])
    bad, good = reader.outcomes()
    assert isinstance(bad, ImageTooLargeError)
    assert bad.source == f"page 1 of {pdf}"
    assert isinstance(good, Page)
    assert good.page_index == 1
    assert reader.total == 2
