"""Human detection: a detector's rows to boxes around people."""

import numpy as np
import pytest

from paddlex_triton.limits import MAX_PEOPLE
from paddlex_triton.ops.human_detection import People, postprocess_people

PAGE_SIZE = (200, 100)
BOX = (10, 20, 30, 60)


def people_of(*rows, labels=("pedestrian",), threshold=0.5) -> People:
    """Of rows (class, score, x1, y1, x2, y2)."""
    return postprocess_people(np.array(rows, np.float32).reshape(-1, 6), PAGE_SIZE, labels, threshold)


@pytest.mark.parametrize("rows", [(), ((0, 0.4, *BOX),), ((-1, 0.9, *BOX),)])
def test_nobody(rows):
    found = people_of(*rows)
    np.testing.assert_array_equal(found.boxes, np.zeros((0, 4), np.float32), strict=True)
    np.testing.assert_array_equal(found.scores, np.zeros(0, np.float32), strict=True)


def test_one():
    found = people_of((0, 0.75, 1.5, 2.25, 30, 40))
    np.testing.assert_array_equal(found.boxes, np.array([[1.5, 2.25, 30, 40]], np.float32), strict=True)
    np.testing.assert_array_equal(found.scores, np.array([0.75], np.float32), strict=True)


def test_many_in_the_order_of_the_rows_whatever_their_overlap():
    scores = [0.625, 0.875, 0.75]
    found = people_of(*((0, score, *BOX) for score in scores))
    assert found.scores.tolist() == scores
    assert found.boxes.tolist() == [list(BOX)] * 3


def test_every_class_is_a_person():
    assert len(people_of((0, 0.9, *BOX), (1, 0.9, *BOX), labels=("man", "woman")).boxes) == 2


@pytest.mark.parametrize(("threshold", "kept"), [(0.5, 2), (0.6, 1), (0, 3), (0.0, 3), (1, 0), (1.0, 0)])
def test_the_threshold_is_strict_and_compared_as_float32(threshold, kept):
    rows = ((0, 0.6, *BOX), (0, 0.5, *BOX), (0, 0.75, *BOX), (-1, 0.9, *BOX), (float("nan"), 0.9, *BOX))
    assert len(people_of(*rows, threshold=threshold).boxes) == kept


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-5, -6, 250, 150), [0, 0, 200, 100]),
        ((-0.5, 10, 20, 100.5), [0, 10, 20, 100]),
        ((199.5, 0, 300, 1), [199.5, 0, 200, 1]),
        ((200, 0, 300, 10), None),
        ((-9, 0, 0, 10), None),
        ((10, 20, 10, 30), None),
        ((10, 30, 20, 20), None),
    ],
)
def test_boxes_are_clipped_and_empty_ones_dropped(box, clipped):
    found = people_of((0, 0.625, *box), (0, 0.75, *BOX))
    assert found.boxes.tolist() == ([clipped] if clipped else []) + [list(BOX)]
    assert found.scores.tolist() == ([0.625] if clipped else []) + [0.75]


def test_an_image_as_large_as_the_page_is_no_person():
    page, labels = (1, 0.9, 0, 0, *PAGE_SIZE), ("person", "image")
    assert people_of(page, (0, 0.9, *BOX), labels=labels).boxes.tolist() == [list(BOX)]
    assert len(people_of(page, labels=labels).boxes) == 1


@pytest.mark.parametrize("count", [MAX_PEOPLE, MAX_PEOPLE + 1])
def test_limit(count):
    rows = [(0, 0.75, *BOX)] * count + [(0, 0.25, *BOX)]
    if count <= MAX_PEOPLE:
        assert len(people_of(*rows).boxes) == count
    else:
        with pytest.raises(ValueError, match=f"{count} people are above det_threshold; at most {MAX_PEOPLE}"):
            people_of(*rows)


@pytest.mark.parametrize("row", [(1, 0.9, *BOX), (0.5, 0.9, *BOX), (0, 0.9, 1, 2, 3, float("nan"))])
def test_a_network_at_fault(row):
    with pytest.raises(RuntimeError, match="the detector gave"):
        people_of(row)
    assert len(people_of((row[0], 0.4, *row[2:])).boxes) == 0


def test_what_are_not_rows():
    with pytest.raises(ValueError, match=r"float32 \[M, 6\] is expected"):
        postprocess_people(np.zeros((1, 5), np.float32), PAGE_SIZE, ["pedestrian"], 0.5)
