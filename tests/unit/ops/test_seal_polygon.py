"""Polygons of seals' text lines: validity, overlap with their rectangle, and main vertices."""

import numpy as np
import pytest

from paddlex_triton.bench.random_polygons import random_polygons
from paddlex_triton.ops.crop import min_area_quad
from paddlex_triton.ops.seal_polygon import (
    edge_lengths,
    fills_rectangle,
    is_simple,
    merge_short_edges,
    rectangle_iou,
)


def polygon(*points: tuple[int, int]) -> np.ndarray:
    return np.array(points, np.int32)


SQUARE = polygon((0, 0), (10, 0), (10, 10), (0, 10))


@pytest.mark.parametrize(
    ("points", "simple"),
    [
        (SQUARE, True),
        (SQUARE[::-1], True),
        (np.repeat(SQUARE, 3, axis=0), True),
        (np.concatenate((SQUARE, SQUARE[:1])), True),
        (polygon((0, 0), (10, 10), (10, 0), (0, 10)), False),
        (polygon((0, 0), (10, 0), (5, 0), (3, 0)), False),
        (polygon((0, 0), (10, 0), (10, 10), (10, 0)), False),
        (polygon((4, 4), (4, 4), (4, 4), (4, 4)), False),
    ],
)
def test_validity(points, simple):
    assert is_simple(points) is simple


def test_overlap():
    assert rectangle_iou(SQUARE, SQUARE) == pytest.approx(1)
    assert rectangle_iou(SQUARE, SQUARE + polygon((5, 0))) == pytest.approx(1 / 3)
    assert rectangle_iou(SQUARE, SQUARE + polygon((20, 0))) == 0


@pytest.mark.parametrize(("notch", "fills"), [(2, True), (3, True), (4, False), (9, False)])
def test_a_polygon_that_fills_its_rectangle(notch, fills):
    points = polygon((0, 0), (10, 0), (10, 10), (notch, 10), (notch, 1), (0, 1))
    assert (rectangle_iou(points, min_area_quad(points)) >= 0.7) is fills
    assert fills_rectangle(points, min_area_quad(points)) is fills


def test_the_short_cut_decides_as_the_overlap_does():
    polygons = random_polygons(np.random.default_rng(0), 700, (300, 400))
    simple = [points.astype(np.int32) for points in polygons if len(points) > 3 and is_simple(points)]
    decisions = [fills_rectangle(points, min_area_quad(points)) for points in simple]
    assert decisions == [rectangle_iou(points, min_area_quad(points)) >= 0.7 for points in simple]
    assert 20 < sum(decisions) < len(decisions) - 20


def test_edges_are_open():
    assert edge_lengths(polygon((0, 0), (3, 4), (3, 4), (3, 9))).tolist() == [5, 0, 5]


@pytest.mark.parametrize(
    ("points", "merged"),
    [
        # Equal edges: all stay.
        (SQUARE, SQUARE.tolist()),
        # A short edge joins its ends; 7 / 2 is cut off. So does the one from the last point to the first.
        ([(0, 0), (20, 0), (20, 7), (0, 7)], [[0, 3], [20, 3]]),
        # A short edge from the last point to the first joins the last run to the first.
        ([(0, 0), (20, 0), (20, 20), (0, 20), (0, 1)], [[0, 0], [20, 0], [20, 20], [0, 20]]),
        # The same with a run of two at the end.
        ([(0, 0), (20, 0), (20, 20), (0, 20), (0, 4), (0, 2)], [[0, 2], [20, 0], [20, 20], [0, 20]]),
        # Repeated points are a run.
        ([(0, 0), (0, 0), (0, 0), (30, 0), (30, 30), (0, 30)], [[0, 0], [30, 0], [30, 30], [0, 30]]),
    ],
)
def test_points_that_lie_close_together_are_merged(points, merged):
    result = merge_short_edges(np.array(points, np.int32))
    assert result.tolist() == merged
    assert result.dtype == np.int32
