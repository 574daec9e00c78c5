"""The detector's input: size rules, padding of tiny pages, bounds."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.errors import ImageTooLarge, InvalidParameter
from paddlex_triton.limits import MAX_DETECTION_PIXELS, MAX_REGIONS_DETECTION_PIXELS
from paddlex_triton.ops.text_detection import check_regions, detection_size, resize_for_detection


def page(h: int, w: int) -> np.ndarray:
    return np.random.default_rng(h * 10_000 + w).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "limit_side_len", "limit_type", "max_side_limit", "expected"),
    [
        ((100, 3000), 64, "min", 4000, (96, 3008)),
        ((1000, 40), 736, "min", 4000, (4000, 160)),
        ((720, 1280), 960, "max", 4000, (544, 960)),
        ((720, 1280), 2000, "max", 4000, (704, 1280)),
        ((333, 777), 640, "resize_long", 4000, (288, 640)),
        ((48, 80), 32, "min", 4000, (64, 64)),  # 1.5 and 2.5 strides: halves go to the even neighbour
        ((1, 100_000), 64, "min", 4000, (32, 4000)),
        ((5000, 5000), 64, "min", 4000, (4000, 4000)),
        ((64, 64), 1, "max", 1, (32, 32)),
    ],
)
def test_size(size, limit_side_len, limit_type, max_side_limit, expected):
    options = {"limit_side_len": limit_side_len, "limit_type": limit_type, "max_side_limit": max_side_limit}
    assert detection_size(*size, **options) == expected


def test_resize_is_opencvs_bilinear():
    image = page(90, 130)
    resized = resize_for_detection(image, limit_side_len=200, limit_type="min", max_side_limit=4000)
    np.testing.assert_array_equal(resized, cv2.resize(image, (288, 192)))


def test_a_page_of_the_right_size_is_not_copied():
    image = page(64, 96)
    resized = resize_for_detection(image, limit_side_len=64, limit_type="min", max_side_limit=4000)
    assert resized is image


@pytest.mark.parametrize("size", [(1, 1), (20, 30), (37, 19), (1, 62)])
def test_a_tiny_page_is_padded_with_black(size):
    image = page(*size)
    h, w = max(size[0], 32), max(size[1], 32)
    resized = resize_for_detection(image, limit_side_len=32, limit_type="min", max_side_limit=4000)
    padded = np.zeros((h, w, 3), np.uint8)
    padded[: size[0], : size[1]] = image
    net_h, net_w = resized.shape[:2]
    np.testing.assert_array_equal(resized, cv2.resize(padded, (net_w, net_h)))


def test_a_page_at_the_bound_is_not_padded():
    image = page(1, 63)
    resized = resize_for_detection(image, limit_side_len=32, limit_type="max", max_side_limit=4000)
    np.testing.assert_array_equal(resized, cv2.resize(image, (32, 32)))


@given(
    h=st.integers(1, 20_000),
    w=st.integers(1, 20_000),
    limit_side_len=st.integers(1, 8000),
    limit_type=st.sampled_from(["min", "max", "resize_long"]),
    max_side_limit=st.integers(1, 8000),
)
def test_sides_are_bounded_multiples_of_32(h, w, limit_side_len, limit_type, max_side_limit):
    options = {"limit_side_len": limit_side_len, "limit_type": limit_type, "max_side_limit": max_side_limit}
    for side in detection_size(h, w, **options):
        assert side % 32 == 0
        assert 32 <= side <= max(max_side_limit + 16, 32)


def test_unknown_limit_type():
    with pytest.raises(ValueError, match=r"limit_type is 'long'; allowed: 'min', 'max', 'resize_long'"):
        resize_for_detection(page(64, 64), limit_side_len=64, limit_type="long", max_side_limit=4000)


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (5, 5), (5, 5, 1)])
def test_what_is_not_a_page(shape):
    with pytest.raises(ValueError, match=r"expected a page of uint8 \[H, W, 3\]"):
        resize_for_detection(np.zeros(shape, np.uint8), limit_side_len=64, limit_type="min", max_side_limit=4000)


@pytest.mark.parametrize("shape", [(4000, 4000), (2000, 8000)])
def test_the_largest_input_is_taken(shape):
    resized = resize_for_detection(
        np.zeros((*shape, 3), np.uint8), limit_side_len=1, limit_type="min", max_side_limit=8000
    )
    assert resized.shape[0] * resized.shape[1] <= MAX_DETECTION_PIXELS


@pytest.mark.parametrize("shape", [(4000, 4032), (8000, 8000)])
def test_one_step_more_than_the_largest_input_is_refused(shape):
    with pytest.raises(InvalidParameter, match=f"at most {MAX_DETECTION_PIXELS} are allowed"):
        resize_for_detection(np.zeros((*shape, 3), np.uint8), limit_side_len=1, limit_type="min", max_side_limit=8000)


LIMITS = {"limit_side_len": 736, "limit_type": "min", "max_side_limit": 4000}


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [(20, 20)],
        [(1, 40_000)],
        [(736, 736)] * (MAX_REGIONS_DETECTION_PIXELS // 736**2),
        [(4000, 4000)] * 8,
    ],
    ids=["none", "tiny", "a line", "many", "large"],
)
def test_regions_within_the_bound(sizes):
    check_regions(sizes, **LIMITS)


@pytest.mark.parametrize(
    "sizes",
    [[(20, 20)] * (MAX_REGIONS_DETECTION_PIXELS // 736**2 + 1), [(4000, 4000)] * 8 + [(1, 1)]],
    ids=["many", "large"],
)
def test_regions_beyond_the_bound_are_refused(sizes):
    with pytest.raises(ImageTooLarge, match=f"{len(sizes)} regions .* at most {MAX_REGIONS_DETECTION_PIXELS}"):
        check_regions(sizes, **LIMITS)


@pytest.mark.parametrize("size", [(1, 1), (31, 32), (20, 900), (500, 700), (5000, 200)])
def test_the_bound_counts_what_the_detector_is_fed(size):
    page = resize_for_detection(np.zeros((*size, 3), np.uint8), **LIMITS)
    count = MAX_REGIONS_DETECTION_PIXELS // (page.shape[0] * page.shape[1])
    check_regions([size] * count, **LIMITS)
    with pytest.raises(ImageTooLarge):
        check_regions([size] * (count + 1), **LIMITS)
