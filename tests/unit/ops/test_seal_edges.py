"""Ends and side lines of curved text."""

import numpy as np
import pytest

from paddlex_triton.bench.random_polygons import random_arc
from paddlex_triton.ops import seal_edges
from paddlex_triton.ops.seal_edges import divide_line, head_and_tail, side_lines, text_outline


def polygon(*points: tuple[int, int]) -> np.ndarray:
    return np.array(points, np.int32)


# A band bent at a right angle, 20 wide: its ends are at the lower left and the lower right.
BAND = polygon((0, 100), (0, 0), (50, 0), (100, 0), (100, 100), (80, 100), (80, 20), (50, 20), (20, 20), (20, 100))


def ends(points: np.ndarray, edges) -> list:
    return sorted(points[list(edge)].tolist() for edge in edges)


def test_ends_of_a_band():
    assert ends(BAND, head_and_tail(BAND)) == [[[20, 100], [0, 100]], [[100, 100], [80, 100]]]


@pytest.mark.parametrize("shift", range(1, len(BAND)))
def test_the_head_ends_before_the_tail_does_wherever_the_polygon_begins(shift):
    head, tail = head_and_tail(np.roll(BAND, shift, axis=0))
    assert head[1] < tail[1]
    assert [(start + 1) % len(BAND) for start, _ in (head, tail)] == [head[1], tail[1]]
    sides = side_lines(np.roll(BAND, shift, axis=0), head, tail)
    assert min(map(len, sides)) >= 2
    assert sorted(np.concatenate(sides).tolist()) == sorted(BAND.tolist())


@pytest.mark.parametrize(
    ("points", "head", "tail"),
    [
        # Wider than high: the upright sides are the ends.
        (polygon((0, 0), (40, 0), (40, 10), (0, 10)), (3, 0), (1, 2)),
        # Up to twice as high as wide they still are.
        (polygon((0, 0), (10, 0), (10, 20), (0, 20)), (3, 0), (1, 2)),
        (polygon((0, 0), (10, 0), (10, 21), (0, 21)), (0, 1), (2, 3)),
        # Beginning at another corner.
        (polygon((40, 0), (40, 10), (0, 10), (0, 0)), (0, 1), (2, 3)),
        (polygon((10, 0), (10, 21), (0, 21), (0, 0)), (3, 0), (1, 2)),
    ],
)
def test_ends_of_a_quad(points, head, tail):
    assert head_and_tail(points) == (head, tail)


@pytest.mark.parametrize("count", [5, 6, 7])
def test_points_that_all_are_the_same(count):
    assert head_and_tail(np.full((count, 2), 7, np.int32)) == ((0, 1), (2, 3))


def test_pairs_are_scored_in_parts_of_any_size(monkeypatch):
    rng = np.random.default_rng(0)
    arcs = [random_arc(rng).astype(np.int32) for _ in range(20)]
    whole = [head_and_tail(arc) for arc in arcs]
    monkeypatch.setattr(seal_edges, "_PAIRS_AT_ONCE", 100)
    assert [head_and_tail(arc) for arc in arcs] == whole


def test_a_line_is_divided_into_equal_parts():
    points = divide_line(polygon((0, 0), (30, 0), (30, 30)), 4)
    np.testing.assert_allclose(points, [[0, 0], [15, 0], [30, 0], [30, 15], [30, 30]], atol=1e-6)


def test_points_repeated_in_a_line_do_not_matter():
    line = polygon((0, 0), (30, 0), (30, 30), (0, 90))
    np.testing.assert_array_equal(divide_line(np.repeat(line, 2, axis=0)), divide_line(line))


def test_a_line_without_length_is_its_two_points():
    assert divide_line(polygon((3, 4), (3, 4), (3, 4))).tolist() == [[3, 4], [3, 4]]


@pytest.mark.parametrize("flipped", [False, True])
def test_the_upper_line_comes_first(flipped):
    points = BAND * polygon((1, -1)) + polygon((0, 100)) if flipped else BAND
    outline = text_outline(points)
    assert outline.shape == (32, 2)
    assert outline.dtype == np.float32
    assert outline[:16, 1].mean() <= outline[16:, 1].mean()
