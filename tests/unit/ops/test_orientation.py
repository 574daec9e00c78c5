"""Turning pages: every pixel in its place, and PaddleX's black border."""

import numpy as np
import pytest

from paddlex_triton.ops.orientation import turn_page

PAGE = np.random.default_rng(0).integers(1, 256, (40, 60, 3)).astype(np.uint8)


def test_an_upright_page_stays_as_it_is():
    assert turn_page(PAGE, 0) is PAGE


@pytest.mark.parametrize(
    ("angle", "moved"),
    # Half a pixel at each side makes a whole one: the turned page is one pixel further down, to the right, or both.
    [(90, (1, 0)), (180, (1, 1)), (270, (0, 1))],
)
def test_turns_are_counterclockwise_with_a_black_border(angle, moved):
    turned = turn_page(PAGE, angle)
    down, right = moved
    expected = np.rot90(PAGE, angle // 90)
    assert turned.shape == expected.shape
    height, width = turned.shape[:2]
    assert np.array_equal(turned[down:, right:], expected[: height - down, : width - right])
    assert not turned[:down].any()
    assert not turned[:, :right].any()
