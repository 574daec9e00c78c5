"""Corners of rectangles, in PaddleX's order."""

import numpy as np
import pytest

from paddlex_triton.ops.geometry import min_area_rectangle

UPPER_END = np.array([500.0, 500.0])


def column(lean: float, width: float = 20, height: float = 200) -> np.ndarray:
    """Draw a column of text, its top leaning to the right by degrees; corners from its own top left, clockwise."""
    across = np.array([np.cos(np.deg2rad(lean)), np.sin(np.deg2rad(lean))])
    along = np.array([-across[1], across[0]])
    right, down = width * across, height * along
    return np.array([UPPER_END, UPPER_END + right, UPPER_END + right + down, UPPER_END + down]).astype(np.float32)


@pytest.mark.parametrize(
    ("lean", "first"),
    # Which of the column's own corners comes first. Up to about 5 degrees it counts as upright.
    [(0, 0), (3, 0), (-3, 0), (10, 3), (30, 3), (60, 3), (80, 3), (-10, 1), (-30, 1), (-60, 1), (-80, 1)],
)
def test_the_first_corner_is_the_upper_one_of_the_two_leftmost(lean, first):
    corners = column(lean)
    found, short_side = min_area_rectangle(corners)
    assert np.abs(found - np.roll(corners, -first, axis=0)).max() < 0.01
    assert short_side == pytest.approx(20, abs=0.01)
    left = sorted(found.tolist())[:2]
    assert found[0].tolist() == min(left, key=lambda corner: corner[1])


@pytest.mark.parametrize(
    ("lean", "upper"), [(10, False), (30, False), (60, False), (-10, True), (-30, True), (-60, True)]
)
def test_the_first_corner_of_a_leaning_column_is_at_the_end_that_is_documented(lean, upper):
    (found, _) = min_area_rectangle(column(lean))
    middle = column(lean)[:, 1].mean()
    assert (found[0][1] < middle) == upper
    first_edge = found[1] - found[0]
    assert np.hypot(*first_edge) == pytest.approx(200, abs=0.01)
    assert (first_edge[1] > 0) == upper


def test_a_single_point_is_a_rectangle_without_sides():
    found, short_side = min_area_rectangle(np.array([[3, 4]], np.int32))
    assert found.tolist() == [[3, 4]] * 4
    assert short_side == 0
