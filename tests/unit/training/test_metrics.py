"""Scores of polygons and boxes on cases counted by hand."""

import numpy as np
import pytest

from paddlex_triton.export.training.bands import glyph_height
from paddlex_triton.export.training.metrics import (
    MatchCounts,
    box_overlaps,
    match_polygons,
    score_boxes,
)


def rectangle(x: float, y: float, w: float, h: float) -> np.ndarray:
    return np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float64)


def test_nothing_expected_and_nothing_found():
    counts = match_polygons([], [], [])
    assert (counts.recall, counts.precision, counts.f1, counts.mean_overlap) == (0, 0, 0, 0)


def test_one_of_two_is_found_and_one_is_false():
    found = [rectangle(0, 0, 10, 8), rectangle(50, 50, 10, 10)]
    counts = match_polygons(found, [rectangle(0, 0, 10, 10), rectangle(20, 0, 10, 10)], [False, False])
    assert (counts.expected, counts.found, counts.matched) == (2, 2, 1)
    assert counts.mean_overlap == pytest.approx(0.8)
    assert counts.f1 == pytest.approx(0.5)


@pytest.mark.parametrize(("height", "matched"), [(5.0, 1), (4.9, 0)])
def test_the_least_overlap_counts(height, matched):
    assert match_polygons([rectangle(0, 0, 10, height)], [rectangle(0, 0, 10, 10)], [False]).matched == matched


def test_a_polygon_is_paired_once_and_with_the_best():
    found = [rectangle(0, 0, 10, 6), rectangle(0, 0, 10, 9)]
    counts = match_polygons(found, [rectangle(0, 0, 10, 10)], [False])
    assert (counts.found, counts.matched) == (2, 1)
    assert counts.overlap == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (rectangle(0, 0, 10, 10), 0),
        (rectangle(1, 1, 2, 2), 0),
        (rectangle(8, 0, 10, 10), 1),
    ],
)
def test_what_lies_on_an_ignored_polygon_counts_neither_way(found, left):
    counts = match_polygons([found], [rectangle(0, 0, 10, 10)], [True])
    assert (counts.expected, counts.found, counts.matched) == (0, left, 0)


def test_polygons_that_cross_themselves_or_have_no_area_are_scored():
    bow = np.array([(0, 0), (10, 10), (10, 0), (0, 10)])
    line = np.array([(0, 0), (5, 5)])
    counts = match_polygons([bow, line], [rectangle(0, 0, 10, 10)], [False])
    assert (counts.found, counts.matched) == (2, 1)


def test_counts_add_up():
    assert MatchCounts(2, 3, 1, 0.7) + MatchCounts(1, 1, 1, 0.9) == MatchCounts(3, 4, 2, 1.6)


@pytest.mark.parametrize("turns", range(4))
def test_glyph_height_of_a_band_wherever_its_outline_starts(turns):
    assert glyph_height(np.roll(rectangle(3, 4, 100, 21.6), turns, axis=0)) == pytest.approx(20, rel=1e-4)


@pytest.mark.parametrize("span", [1.0, 3.0, 6.0])
def test_glyph_height_of_a_bent_band(span):
    angles = np.linspace(0, span, 60)
    ray = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    assert glyph_height(np.concatenate((ray * 121.6, ray[::-1] * 100))) == pytest.approx(20, rel=0.01)


def test_glyph_height_of_a_square_and_of_nothing():
    assert glyph_height(rectangle(0, 0, 10.8, 10.8)) == pytest.approx(10, rel=1e-3)
    assert glyph_height(np.zeros((4, 2))) == 0


def test_overlaps_of_boxes():
    first = np.array([(0, 0, 10, 10), (0, 0, 0, 0)])
    second = np.array([(0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30), (0, 0, 0, 0)])
    np.testing.assert_allclose(box_overlaps(first, second), [[1, 1 / 3, 0, 0], [0, 0, 0, 0]])


def rows(*each: tuple[float, float]) -> np.ndarray:
    """Boxes of 10x10 pixels by their score and x."""
    return np.array([(score, x, 0, x + 10, 10) for score, x in each], np.float32).reshape(-1, 5)


def boxes(*xs: float) -> np.ndarray:
    return np.array([(x, 0, x + 10, 10) for x in xs], np.float32).reshape(-1, 4)


def test_average_precision_of_a_case_counted_by_hand():
    # By falling score: right, wrong, right, wrong, wrong (a second time); one of three is never found.
    found = [rows((0.9, 0), (0.6, 100), (0.3, 200)), rows((0.8, 50), (0.2, 100))]
    expected = [boxes(0, 100), boxes(300)]
    scores = score_boxes(found, expected)
    assert scores.expected == 3
    assert scores.average_precision == pytest.approx((1 + 2 / 3) / 3)
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.precision == pytest.approx(2 / 3)


def test_a_box_found_twice_is_wrong_the_second_time():
    scores = score_boxes([rows((0.9, 0), (0.8, 1), (0.7, 100))], [boxes(0, 100)])
    assert scores.precision == pytest.approx(2 / 3)
    # Precision is made monotonic: 1 for the first half of the recall, 2/3 for the second.
    assert scores.average_precision == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(("found", "expected"), [(rows(), boxes(0)), (rows((0.9, 0)), boxes()), (rows(), boxes())])
def test_none_found_or_none_expected(found, expected):
    scores = score_boxes([found], [expected])
    assert (scores.average_precision, scores.recall, scores.precision) == (0, 0, 0)


def test_no_pages():
    assert score_boxes([], []).average_precision == 0
