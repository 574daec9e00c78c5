"""Scores of boxes on cases counted by hand."""

import numpy as np
import pytest

from training.metrics import box_overlaps, score_boxes


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
