"""Input of classifiers and the class they give."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_CLASSIFICATION_PIXELS
from paddlex_triton.ops.classification import classifier_input, resize_exactly, resize_short_and_crop, top_class

SHORT = 256
# Width of a page one pixel high that has as many pixels as are allowed once it is resized.
LONGEST = MAX_CLASSIFICATION_PIXELS // SHORT**2


def image(h: int, w: int) -> np.ndarray:
    return np.random.default_rng(h * 10_000 + w).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (90, 130), (81, 160), (160, 320)])
def test_resized_exactly(size):
    resized = resize_exactly(image(*size), (80, 160))
    np.testing.assert_array_equal(resized, cv2.resize(image(*size), (160, 80)), strict=True)


def test_an_image_of_the_right_size_is_not_copied():
    line, page = image(80, 160), image(256, 300)
    assert resize_exactly(line, (80, 160)) is line
    assert np.shares_memory(resize_short_and_crop(page, SHORT, (224, 224)), page)


def test_a_view_of_one_pixel():
    view = np.broadcast_to(np.array([1, 2, 3], np.uint8), (60, 90, 3))
    for resized in (resize_exactly(view, (80, 160)), resize_short_and_crop(view, SHORT, (224, 224))):
        assert np.unique(resized.reshape(-1, 3), axis=0).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("size", "resized"),
    [
        ((301, 417), (256, 355)),
        ((417, 301), (355, 256)),
        ((1, 1), (256, 256)),
        ((256, 256), (256, 256)),
        ((256, 257), (256, 257)),
        ((512, 513), (256, 256)),  # 256.5: to the even neighbour
        ((512, 515), (256, 258)),  # 257.5
        ((3, 1000), (256, 85333)),
    ],
)
def test_the_middle_of_a_page(size, resized):
    h, w = resized
    whole = image(*size) if size == resized else cv2.resize(image(*size), (w, h))
    top, left = (h - 224) // 2, (w - 224) // 2
    middle = resize_short_and_crop(image(*size), SHORT, (224, 224))
    np.testing.assert_array_equal(middle, whole[top : top + 224, left : left + 224], strict=True)


@settings(max_examples=50, deadline=None)
@given(h=st.integers(1, 300), w=st.integers(1, 300), short=st.integers(1, 64))
def test_the_middle_is_in_the_middle(h, w, short):
    """Of a ramp from left to right and one from top to bottom."""
    page = np.zeros((h, w, 3), np.uint8)
    page[..., 0] = np.linspace(0, 255, w)
    page[..., 1] = np.linspace(0, 255, h)[:, None]
    middle = resize_short_and_crop(page, short, (short, short))
    assert middle.shape == (short, short, 3)
    long = round(max(h, w) * (short / min(h, w)))
    start = (long - short) // 2
    resized_h, resized_w = (short, long) if w >= h else (long, short)
    whole = cv2.resize(page, (resized_w, resized_h))
    expected = whole[:, start : start + short] if w >= h else whole[start : start + short]
    np.testing.assert_array_equal(middle, expected)


@pytest.mark.parametrize("turned", [False, True])
def test_the_longest_page(turned):
    """A ramp along the page: its middle is half as bright as its end."""
    page = np.repeat(np.linspace(0, 255, LONGEST).astype(np.uint8)[None, :, None], 3, axis=2)
    middle = resize_short_and_crop(page.transpose(1, 0, 2) if turned else page, SHORT, (224, 224))
    assert middle.shape == (224, 224, 3)
    assert np.abs(middle.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("size", [(1, LONGEST + 1), (LONGEST + 1, 1), (2, 32_766)])
def test_a_page_that_is_too_narrow(size):
    words = f"{size[1]}x{size[0]} .* at most {MAX_CLASSIFICATION_PIXELS} are .* use_doc_orientation_classify off"
    with pytest.raises(ImageTooLarge, match=words):
        resize_short_and_crop(np.zeros((*size, 3), np.uint8), SHORT, (224, 224))


def test_the_middle_must_be_there():
    with pytest.raises(ValueError, match="the middle of 224x257 is larger than the image, resized to 300x256"):
        resize_short_and_crop(image(256, 300), SHORT, (257, 224))


@pytest.mark.parametrize("geometry", [{"target_size": [80, 160]}, {"target_size": [224, 224], "resize_short": SHORT}])
def test_geometry_of_a_network(geometry):
    found = classifier_input(image(90, 130), **geometry)
    resize = resize_short_and_crop if "resize_short" in geometry else resize_exactly
    np.testing.assert_array_equal(found, resize(image(90, 130), **geometry), strict=True)


@pytest.mark.parametrize(("shape", "dtype"), [((0, 5, 3), "u1"), ((5, 5), "u1"), ((5, 5, 1), "u1"), ((5, 5, 3), "f4")])
@pytest.mark.parametrize("geometry", [{"target_size": [80, 160]}, {"target_size": [224, 224], "resize_short": SHORT}])
def test_what_is_not_an_image(shape, dtype, geometry):
    with pytest.raises(ValueError, match=r"expected a page of uint8 \[H, W, 3\]"):
        classifier_input(np.zeros(shape, dtype), **geometry)


@pytest.mark.parametrize(
    ("probs", "expected"),
    [
        ([1], (0, 1)),
        ([0.75, 0.25], (0, 0.75)),
        ([0.25, 0.75], (1, 0.75)),
        ([0.5, 0.5], (1, 0.5)),
        ([0.25, 0.25, 0.25, 0.25], (3, 0.25)),
        ([0.1, 0.7, 0.1, 0.1], (1, float(np.float32(0.7)))),
        ([0, 0.123456], (1, float(np.float32(0.12346)))),
    ],
)
def test_top_class(probs, expected):
    found = top_class(np.array(probs, np.float32))
    assert found == expected
    assert [type(value) for value in found] == [int, float]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_probabilities_that_mean_nothing(value):
    with pytest.raises(RuntimeError, match="not finite"):
        top_class(np.array([0.5, value], np.float32))


@pytest.mark.parametrize("probs", [np.zeros(0, np.float32), np.zeros((1, 2), np.float32), np.zeros(2)])
def test_what_are_not_probabilities(probs):
    with pytest.raises(ValueError, match=r"float32 \[C\] is expected"):
        top_class(probs)
