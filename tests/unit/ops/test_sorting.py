"""Reading order of quads and polygons."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.ops.sorting import sort_polygons, sort_quads


def quad(x: int, y: int) -> np.ndarray:
    return np.array([[x, y], [x + 50, y], [x + 50, y + 20], [x, y + 20]], np.int16)


@pytest.mark.parametrize(
    ("corners", "order"),
    [
        ([], []),
        ([(5, 5)], [0]),
        ([(5, 100), (5, 5)], [1, 0]),
        ([(100, 0), (0, 9)], [1, 0]),  # 9 pixels apart: one line
        ([(100, 0), (0, 10)], [0, 1]),  # 10 pixels apart: two
        ([(5, 5), (5, 5)], [0, 1]),
        # A staircase: the second step passes the first; the third stops there, 18 pixels lower.
        ([(300, 0), (200, 9), (100, 18)], [1, 0, 2]),
        # It moves past neighbours on its line only, and stops at the first that is not.
        ([(200, 0), (0, 0), (100, 8)], [1, 2, 0]),
        ([(10, 30_000), (5, 0)], [1, 0]),
    ],
)
def test_quads(corners, order):
    assert sort_quads([quad(*corner) for corner in corners]) == order


def test_quads_as_one_array():
    assert sort_quads(np.stack([quad(100, 0), quad(0, 9)])) == [1, 0]


def test_a_thousand_quads_on_one_line():
    corners = [(x, 0) for x in range(1000)]
    assert sort_quads([quad(*corner) for corner in reversed(corners)]) == list(range(999, -1, -1))


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), max_size=30))
def test_quads_like_plain_bubbles(corners):
    quads = [quad(*corner) for corner in corners]
    expected = sorted(range(len(corners)), key=lambda index: corners[index][::-1])
    swapped = True
    for end in range(1, len(expected)):
        for right in range(end, 0, -1):
            (x1, y1), (x2, y2) = corners[expected[right - 1]], corners[expected[right]]
            swapped = abs(y2 - y1) < 10 and x2 < x1
            if not swapped:
                break
            expected[right - 1], expected[right] = expected[right], expected[right - 1]
    assert sort_quads(quads) == expected


@pytest.mark.parametrize(("tops", "order"), [([], []), ([7], [0]), ([30, 10, 20], [1, 2, 0])])
def test_polygons(tops, order):
    polygons = [np.array([[0, top + 5], [9, top], [4, top + 50]]) for top in tops]
    assert sort_polygons(polygons) == order
