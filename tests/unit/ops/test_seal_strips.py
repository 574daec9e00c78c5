"""Strips of a line: their sizes and pixels."""

import numpy as np
import pytest

from paddlex_triton.ops.seal_strips import has_extent, plan_strips, warp_strips, whole_extent

SIZE = (120, 200)
PAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def band(left: float, top: float, right: float, bottom: float, pieces: int = 15) -> np.ndarray:
    """An upright rectangle as an outline: along its top, and back along its bottom."""
    x = np.linspace(left, right, pieces + 1)
    upper, lower = np.stack((x, np.full_like(x, top)), 1), np.stack((x[::-1], np.full_like(x, bottom)), 1)
    return np.concatenate((upper, lower)).astype(np.float32)


def straighten(outline: np.ndarray) -> np.ndarray:
    strips = plan_strips(outline, SIZE)
    line = warp_strips(PAGE, strips)
    assert line.shape[:2] == strips.crop_size
    return line


@pytest.mark.parametrize("pieces", [8, 15])
def test_a_straight_line_is_a_slice(pieces):
    outline = band(10, 30, 10 + 10 * pieces, 70, pieces)
    np.testing.assert_array_equal(straighten(outline), PAGE[30:70, 10 : 10 + 10 * pieces])


def test_fractions_of_a_strip_are_cut_off():
    assert plan_strips(band(10, 30, 10 + 10.9 * 15, 70.2), SIZE).sizes == [(10, 40)] * 15


def test_beyond_the_page_it_is_black():
    line = straighten(band(80, 100, 230, 140))
    np.testing.assert_array_equal(line[:20, :119], PAGE[100:, 80:199])
    assert not line[21:].any()
    assert not line[:, 121:].any()


@pytest.mark.parametrize(("bottom", "turned"), [(60, False), (61, True)])
def test_an_upright_line_is_turned(bottom, turned):
    strips = plan_strips(band(10, 0, 50, bottom), SIZE)
    assert strips.turned is turned
    assert strips.crop_size == straighten(band(10, 0, 50, bottom)).shape[:2]
    assert len(strips.sizes) == 15


def test_a_strip_without_width_is_the_page():
    outline = band(10, 30, 10 + 0.9 * 15, 40)
    line = straighten(outline)
    assert line.shape == (120, 15 * 200, 3)
    # The strip's own ten rows stand at the top left of each.
    assert line.any(axis=(0, 2)).reshape(15, 200).any(axis=1).all()


def test_a_lower_strip_is_black_below():
    outline = band(10, 30, 160, 40)
    # One piece of each line shrinks to nothing.
    outline[15], outline[16], outline[0], outline[31] = outline[14], outline[17], outline[1], outline[30]
    strips = plan_strips(outline, SIZE)
    assert strips.sizes == [(200, 120), *[(10, 10)] * 13, (200, 120)]
    line = warp_strips(PAGE, strips)
    assert line.shape == (120, 530, 3)
    np.testing.assert_array_equal(line[:10, 200:330], PAGE[30:40, 20:150])
    assert not line[10:, 200:330].any()


def test_a_line_without_height_is_the_page_over_and_over():
    assert plan_strips(band(10, 30, 160, 30.4), SIZE).sizes == [(200, 120)] * 15


def test_a_quad_is_one_strip():
    corners = np.array([[10, 20], [60, 20], [60, 50], [10, 50]], np.float32)
    np.testing.assert_array_equal(straighten(corners), PAGE[20:50, 10:60])


@pytest.mark.parametrize(
    ("left", "right", "extent"), [(10.2, 10.9, False), (10.9, 11.0, True), (0, 0, False), (5, 90, True)]
)
def test_extent_is_of_whole_pixels(left, right, extent):
    outline = band(left, 0, right, 50)
    assert has_extent(outline) is extent
    assert whole_extent(outline) == (int(left), 0, int(right), 50)


def test_a_quad_needs_no_extent():
    assert has_extent(np.full((4, 2), 3, np.float32))
