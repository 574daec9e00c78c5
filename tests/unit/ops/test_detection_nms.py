"""Suppression class by class: order, limits, overlaps, and boxes that are hardly boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from paddlex_triton.ops.detection_nms import boxes_to_page, keep_greedily, multiclass_nms

NAN = float("nan")
# Two boxes that share a third of their union, one apart.
BOXES = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [50, 50, 60, 60]], np.float32)


def nms(boxes, scores, **options) -> np.ndarray:
    """With every limit off that an option does not set."""
    limits = {"score_threshold": 0.0, "nms_threshold": 0.25, "nms_top_k": -1, "keep_top_k": -1, **options}
    return multiclass_nms(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), **limits)


def anchors_of(rows: np.ndarray, boxes=BOXES) -> list[tuple[int, int]]:
    """Class and anchor of each row, by its box."""
    return [(int(row[0]), int(np.flatnonzero((boxes == row[2:]).all(axis=1))[0])) for row in rows]


@pytest.mark.parametrize("shape", [(3, 0), (0, 0)])
def test_no_anchors(shape):
    np.testing.assert_array_equal(nms([], np.zeros(shape)), np.zeros((0, 6), np.float32), strict=True)


def test_nothing_above_the_threshold():
    found = nms(BOXES, [[0.5, 0.25, 0.5]], score_threshold=0.5)
    np.testing.assert_array_equal(found, np.zeros((0, 6), np.float32), strict=True)


def test_one():
    expected = np.array([[1, 0.75, 0, 0, 10, 10]], np.float32)
    np.testing.assert_array_equal(nms(BOXES, [[0, 0, 0], [0.75, 0, 0]]), expected, strict=True)


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([[0.5, 0.75, 0.25]], [(0, 1), (0, 2)]),
        ([[0.5, 0.5, 0.5]], [(0, 0), (0, 2)]),  # the first of equals is the better one
        ([[0.25, 0.25, 0.75]], [(0, 2), (0, 0)]),
        ([[0.75, 0, 0], [0, 0.5, 0], [0, 0, 1]], [(0, 0), (1, 1), (2, 2)]),  # classes do not suppress each other
        ([[NAN, 0.5, 0.25]], [(0, 1), (0, 2)]),
    ],
)
def test_order_and_suppression(scores, kept):
    assert anchors_of(nms(BOXES, scores)) == kept


@pytest.mark.parametrize(("threshold", "kept"), [(1 / 3, 3), (0.333, 2), (0.0, 2), (1.0, 3)])
def test_an_overlap_at_the_threshold_stays(threshold, kept):
    assert len(nms(BOXES, [[0.5, 0.5, 0.5]], nms_threshold=threshold)) == kept


def test_what_a_dropped_box_overlaps_stays():
    boxes = [[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]]
    assert nms(boxes, [[0.75, 0.5, 0.25]])[:, 1].tolist() == [0.75, 0.25]


@pytest.mark.parametrize(("top_k", "kept"), [(-1, 2), (0, 0), (1, 1), (2, 1), (3, 2), (4, 2)])
def test_candidates_are_cut_before_suppression(top_k, kept):
    assert len(nms(BOXES, [[0.75, 0.5, 0.25]], nms_top_k=top_k)) == kept


@pytest.mark.parametrize(
    ("top_k", "kept"),
    [
        (-1, [(0, 2), (0, 0), (1, 2), (1, 0)]),
        (5, [(0, 2), (0, 0), (1, 2), (1, 0)]),
        (4, [(0, 2), (0, 0), (1, 2), (1, 0)]),
        (3, [(0, 2), (1, 2), (1, 0)]),
        (2, [(0, 2), (1, 2)]),  # of equal scores the lower class
        (1, [(1, 2)]),
        (0, []),
    ],
)
def test_rows_are_cut_over_all_classes(top_k, kept):
    assert anchors_of(nms(BOXES, [[0.25, 0, 0.5], [0.5, 0, 0.75]], keep_top_k=top_k)) == kept


@pytest.mark.parametrize(
    ("box", "other", "kept"),
    [
        ((5, 5, 5, 5), (5, 5, 5, 5), 1),  # no area in either: 0 / 0
        ((5, 5, 5, 5), (6, 6, 6, 6), 2),
        ((5, 5, 5, 5), (0, 0, 10, 10), 2),
        ((10, 10, 0, 0), (10, 10, 0, 0), 2),  # inside out: apart from itself
        ((NAN, 0, 10, 10), (0, 0, 10, 10), 1),
        ((NAN, 0, 10, 10), (0, 50, 10, 60), 2),
    ],
)
def test_boxes_that_are_hardly_boxes(box, other, kept):
    assert len(nms([box, other], [[0.75, 0.5]])) == kept


@pytest.mark.parametrize("between", [0, 100, 300])
def test_what_a_dropped_box_overlaps_stays_however_far_down(between):
    apart = np.arange(between, dtype=np.float32)[:, None] * 20 + np.array([0, 50, 10, 60], np.float32)
    boxes = np.concatenate(([[0, 0, 10, 10], [4, 0, 14, 10]], apart, [[8, 0, 18, 10], [0, 0, 10, 10]]))
    kept = anchors_of(nms(boxes, np.linspace(1, 0.1, len(boxes))[None]), boxes)
    assert kept == [(0, anchor) for anchor in (0, *range(2, between + 3))]


@pytest.mark.parametrize("count", [127, 128, 129, 400])
def test_many_candidates(count):
    apart = np.arange(count, dtype=np.float32)[:, None] * 20 + np.array([0, 0, 10, 10], np.float32)
    twice = np.concatenate((apart, apart))
    assert len(nms(twice, np.ones((1, 2 * count)))) == count
    together = np.tile(BOXES[:1], (count, 1))
    assert len(nms(together, np.linspace(0.1, 1, count)[None])) == 1


@given(
    boxes=npst.arrays(np.float32, st.tuples(st.integers(0, 40), st.just(4)), elements=st.integers(0, 12)),
    data=st.data(),
    nms_threshold=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    top_ks=st.tuples(st.integers(-1, 50), st.integers(-1, 50)),
)
def test_every_candidate_is_kept_or_suppressed(boxes, data, nms_threshold, top_ks):
    scores = data.draw(npst.arrays(np.float32, (2, len(boxes)), elements=st.integers(0, 4).map(lambda n: n / 4)))
    rows = nms(boxes, scores, nms_threshold=nms_threshold, nms_top_k=top_ks[0], keep_top_k=top_ks[1])
    expected = []
    for class_id in range(2):
        order = sorted(np.flatnonzero(scores[class_id] > 0), key=lambda anchor: -scores[class_id, anchor])
        kept = []
        for anchor in order if top_ks[0] < 0 else order[: top_ks[0]]:
            if all(overlap(boxes[anchor], boxes[other]) <= nms_threshold for other in kept):
                kept.append(anchor)
        expected += [[class_id, scores[class_id, anchor], *boxes[anchor]] for anchor in kept]
    if top_ks[1] >= 0:
        best = sorted(range(len(expected)), key=lambda index: -expected[index][1])[: top_ks[1]]
        expected = [expected[index] for index in sorted(best)]
    np.testing.assert_array_equal(rows, np.array(expected, np.float32).reshape(-1, 6), strict=True)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes of small whole numbers."""
    if b[0] > a[2] or b[2] < a[0] or b[1] > a[3] or b[3] < a[1]:
        return 0.0
    shared = (min(a[2], b[2]) - max(a[0], b[0])) * (min(a[3], b[3]) - max(a[1], b[1]))
    first, second = ((max(x2 - x1, 0) * max(y2 - y1, 0)) for x1, y1, x2, y2 in (a, b))
    union = first + second - shared
    return float(shared / union) if union else NAN


def test_keep_greedily():
    assert keep_greedily(np.zeros((0, 0), bool)).tolist() == []
    assert keep_greedily(np.ones((3, 3), bool)).tolist() == [0]
    assert keep_greedily(np.zeros((3, 3), bool)).tolist() == [0, 1, 2]
    chain = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
    assert keep_greedily(chain).tolist() == [0, 2]


class TestToPage:
    @pytest.mark.parametrize("count", [0, 1, 7])
    def test_divides_in_float32(self, count):
        boxes = np.random.default_rng(count).uniform(-5, 640, (count, 4)).astype(np.float32)
        scale_y, scale_x = np.array([640 / 1301, 640 / 901], np.float32)
        page = boxes_to_page(boxes, np.array([scale_y, scale_x]))
        np.testing.assert_array_equal(page[:, ::2], boxes[:, ::2] / scale_x, strict=True)
        np.testing.assert_array_equal(page[:, 1::2], boxes[:, 1::2] / scale_y, strict=True)

    @pytest.mark.parametrize(
        "factor", [[0.0, 1.0], [1.0, -1.0], [1.0, NAN], [1.0], [[1.0, 1.0]], np.array([1.0, 1.0], np.float64)]
    )
    def test_factors_that_are_none(self, factor):
        with pytest.raises(ValueError, match="two float32 above zero are expected"):
            boxes_to_page(BOXES, factor if isinstance(factor, np.ndarray) else np.array(factor, np.float32))


@pytest.mark.parametrize(
    "boxes", [np.zeros((3, 5), np.float32), np.zeros((1, 3, 4), np.float32), np.zeros((3, 4), np.float64)]
)
def test_what_are_not_boxes(boxes):
    with pytest.raises(ValueError, match=r"float32 \[A, 4\] is expected"):
        multiclass_nms(
            boxes, np.zeros((1, 3), np.float32), score_threshold=0, nms_threshold=0.5, nms_top_k=-1, keep_top_k=-1
        )
    with pytest.raises(ValueError, match=r"float32 \[A, 4\] is expected"):
        boxes_to_page(boxes, np.ones(2, np.float32))


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((1, 2)), np.zeros((1, 4)), np.zeros((1, 1, 3))])
def test_what_are_not_scores(scores):
    with pytest.raises(ValueError, match=r"float32 \[C, 3\]"):
        nms(BOXES, scores)


@pytest.mark.parametrize("option", ["nms_top_k", "keep_top_k"])
def test_limits_below_all(option):
    with pytest.raises(ValueError, match=f"{option}.* -2"):
        nms(BOXES, [[0, 0, 0]], **{option: -2})
