"""DB postprocessing on drawn maps: what is found, what is dropped, and that nothing breaks it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddlex_triton.ops.db import _to_page, db_postprocess

DEFAULTS = {"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}


def prob_map(*rectangles: tuple[int, int, int, int], value: float = 0.9, size: tuple[int, int] = (160, 320)):
    """A map with rectangles x1, y1, x2, y2 (inclusive)."""
    prob = np.zeros(size, np.float32)
    for x1, y1, x2, y2 in rectangles:
        prob[y1 : y2 + 1, x1 : x2 + 1] = value
    return prob


def find(prob: np.ndarray, **options):
    options = {"src_h": prob.shape[0], "src_w": prob.shape[1], **DEFAULTS, **options}
    return db_postprocess(prob, **options)


@pytest.mark.parametrize("box_type", ["quad", "poly"])
def test_nothing(box_type):
    assert find(prob_map(), box_type=box_type) == ([], [])


def test_one_quad_grows_by_area_over_perimeter():
    quads, scores = find(prob_map((50, 40, 150, 60)))
    # Area 100 * 20, perimeter 240: 12.5 pixels to every side, within the clipper's whole pixels.
    assert len(quads) == 1
    np.testing.assert_allclose(quads[0], [[37.5, 27.5], [162.5, 27.5], [162.5, 72.5], [37.5, 72.5]], atol=1)
    assert quads[0].dtype == np.int16
    assert scores == [pytest.approx(0.9)]


def test_many_come_from_the_bottom_up():
    quads, scores = find(prob_map(*((20, y, 120, y + 8) for y in (10, 60, 110))))
    assert [int(quad[:, 1].mean()) for quad in quads] == [114, 64, 14]
    assert len(scores) == 3


def test_corners_are_scaled_to_the_page_and_clipped():
    quads, _ = find(prob_map((0, 0, 319, 20)), src_h=80, src_w=640)
    assert quads[0].min() == 0
    assert quads[0][:, 0].max() == 640  # the page's width itself, not one less
    assert quads[0][:, 1].max() <= 80


def test_halves_round_to_even_and_corners_are_clipped():
    points = np.array([[-3, 1], [3, 5], [7, 9], [99, 99]], np.float32)
    assert _to_page(points, (0.5, 0.5), (40, 30)).tolist() == [[0, 0], [2, 2], [4, 4], [40, 30]]


@pytest.mark.parametrize("box_type", ["quad", "poly"])
def test_threshold_is_strict_and_score_is_not(box_type):
    prob = prob_map((50, 40, 150, 60), value=0.5)
    assert len(find(prob, thresh=0.5, box_type=box_type)[0]) == 0
    assert len(find(prob, thresh=0.49, box_thresh=0.5, box_type=box_type)[0]) == 1
    assert len(find(prob, thresh=0.49, box_thresh=0.51, box_type=box_type)[0]) == 0


def test_slivers_are_dropped():
    assert len(find(prob_map((50, 40, 150, 42)))[0]) == 0  # 2 wide, as the contour runs through pixel centres
    assert len(find(prob_map((50, 40, 150, 43)))[0]) == 1


@pytest.mark.parametrize("candidates", [1, 2, 3])
def test_limit_of_candidates(candidates):
    prob = prob_map(*((20, y, 120, y + 8) for y in (10, 60, 110)))
    assert len(find(prob, max_candidates=candidates)[0]) == candidates


def test_more_contours_than_candidates_allowed():
    prob = prob_map(*((x, y, x + 4, y + 4) for x in range(0, 312, 6) for y in range(0, 154, 6)))
    assert len(find(prob, unclip_ratio=2.0)[0]) == 1000


def test_polygon_follows_a_ring():
    prob = np.zeros((300, 300), np.float32)
    cv2.ellipse(prob, (150, 150), (100, 100), 0, 180, 360, (0.9,), 20)
    (polygon,), (score,) = find(prob, box_type="poly")
    assert polygon.dtype == np.int64
    assert len(polygon) > 8
    assert 0.85 < score < 0.9  # the approximated outline cuts a few corners
    # Clockwise on screen, where y points down: positive signed area.
    assert cv2.contourArea(polygon.astype(np.int32), oriented=True) > 0


def test_polygon_whose_ends_grow_together_is_dropped():
    prob = np.zeros((300, 300), np.float32)
    cv2.ellipse(prob, (150, 150), (100, 100), 0, 0, 340, (0.9,), 20)
    assert len(find(prob, box_type="poly", unclip_ratio=0.5)[0]) == 1
    assert len(find(prob, box_type="poly", unclip_ratio=2.0)[0]) == 0  # an outline and a hole: two paths


@pytest.mark.parametrize(
    ("prob", "options", "message"),
    [
        (np.zeros((32, 32)), {}, "float32"),
        (np.zeros((1, 32, 32), np.float32), {}, r"\[H, W\]"),
        (np.zeros((0, 32), np.float32), {"src_h": 1}, "with pixels"),
        (np.zeros((32, 32), np.float32), {"box_type": "box"}, "box_type is 'box'"),
        (np.zeros((32, 32), np.float32), {"src_w": 0}, "a side must be 1..32767"),
        (np.zeros((32, 32), np.float32), {"src_w": 32_768}, "a side must be 1..32767"),
    ],
)
def test_refusals(prob, options, message):
    with pytest.raises(ValueError, match=message):
        find(prob, **options)


@st.composite
def maps(draw):
    h, w = draw(st.integers(1, 4)) * 32, draw(st.integers(1, 4)) * 32
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    prob = np.zeros((h, w), np.float32)
    for _ in range(draw(st.integers(0, 8))):
        points = rng.integers(-10, max(h, w) + 10, (draw(st.integers(1, 6)), 2)).astype(np.int32)
        if draw(st.booleans()):
            cv2.fillPoly(prob, [points], (float(rng.random()),))
        else:
            cv2.polylines(prob, [points], True, (float(rng.random()),), draw(st.integers(1, 9)))
    return np.maximum(prob, rng.random((h, w), np.float32)) if draw(st.booleans()) else prob


@settings(max_examples=150, deadline=None)
@given(
    prob=maps(),
    box_type=st.sampled_from(["quad", "poly"]),
    thresh=st.floats(0, 1),
    box_thresh=st.floats(0, 1),
    unclip_ratio=st.floats(1e-3, 10),
    src_h=st.integers(1, 5000),
    src_w=st.integers(1, 5000),
)
def test_any_map(prob, box_type, src_h, src_w, **options):
    boxes, scores = find(prob, box_type=box_type, src_h=src_h, src_w=src_w, **options)
    assert len(boxes) == len(scores) <= 1000
    for box, score in zip(boxes, scores, strict=True):
        assert box.dtype == (np.int16 if box_type == "quad" else np.int64)
        assert box.shape[1:] == (2,)
        assert box.shape[0] == 4 if box_type == "quad" else box.shape[0] >= 3
        assert box.min() >= 0
        assert (box.max(axis=0) <= (src_w, src_h)).all()
        assert options["box_thresh"] <= score <= 1
