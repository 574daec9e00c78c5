"""CSR of polygons, both ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.ops.polygons import pack_polygons, unpack_polygons

POINTS = np.arange(14, dtype=np.int32).reshape(7, 2)


@given(st.lists(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 40_000)), max_size=6), max_size=6))
def test_round_trip(polygons):
    arrays = [np.array(polygon, np.int64).reshape(-1, 2) for polygon in polygons]
    points, offsets = pack_polygons(arrays)
    assert points.dtype == offsets.dtype == np.int32
    assert points.shape == (sum(map(len, polygons)), 2)
    unpacked = unpack_polygons(points, offsets)
    assert len(unpacked) == len(arrays)
    for before, after in zip(arrays, unpacked, strict=True):
        np.testing.assert_array_equal(before, after)


def test_none():
    points, offsets = pack_polygons([])
    assert points.shape == (0, 2)
    assert offsets.tolist() == [0]
    assert unpack_polygons(points, offsets) == []


def test_no_points_are_of_any_dtype():
    """Triton's HTTP client makes floats of tensors without elements."""
    assert unpack_polygons(np.zeros((0, 2)), np.zeros(1, np.int32)) == []


def test_quads_of_int16():
    points, offsets = pack_polygons([np.full((4, 2), 32_766, np.int16)] * 2)
    assert points.max() == 32_766
    assert offsets.tolist() == [0, 4, 8]


@pytest.mark.parametrize("polygon", [np.zeros((4, 2)), np.zeros((4, 3), np.int32), np.zeros(8, np.int32)])
def test_pack_refuses(polygon):
    with pytest.raises(ValueError, match=r"polygon 1: expected integers of shape \[n, 2\]"):
        pack_polygons([POINTS, polygon])


@pytest.mark.parametrize(
    ("points", "offsets", "message"),
    [
        (POINTS.astype(float), [0, 7], "points: expected integers"),
        (POINTS.reshape(-1), [0, 7], "points: expected integers"),
        (POINTS, [], "offsets: expected integers"),
        (POINTS, [[0, 7]], "offsets: expected integers"),
        (POINTS, [0.0, 7.0], "offsets: expected integers"),
        (POINTS, [1, 7], r"expected 0 to 7 \(the points\), got 1 to 7"),
        (POINTS, [0, 6], r"expected 0 to 7 \(the points\), got 0 to 6"),
        (POINTS, [0, 8], r"expected 0 to 7 \(the points\), got 0 to 8"),
        (POINTS, [0, 5, 4, 7], "never falls"),
        (POINTS, [0, -1, 7], "never falls"),
    ],
)
def test_unpack_refuses(points, offsets, message):
    with pytest.raises(ValueError, match=message):
        unpack_polygons(points, np.array(offsets))
