"""Crops of quads: geometry, the turn of vertical lines, degenerate quads, bounds; lines that are upside down."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE
from paddlex_triton.ops import crop as crop_module
from paddlex_triton.ops.crop import QuadCrops, TurnedCrops, crop_quad, min_area_quad, quad_crop_size
from paddlex_triton.ops.orientation import turn_page

PAGE = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)


def upright(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.int16)


def warp(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The general way, whatever the quad."""
    corners = min_area_quad(quad)
    w, h = quad_crop_size(quad)
    target = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    transform = cv2.getPerspectiveTransform(corners, target)
    crop = cv2.warpPerspective(image, transform, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.rot90(crop) if h / w >= 1.5 else crop


def test_corners_are_ordered():
    shuffled = upright(20, 30, 90, 50)[[2, 0, 3, 1]]
    assert min_area_quad(shuffled).tolist() == [[20, 30], [90, 30], [90, 50], [20, 50]]
    assert min_area_quad(shuffled).dtype == np.float32


def test_fractions_of_points_are_cut_off():
    np.testing.assert_array_equal(min_area_quad(upright(20, 30, 90, 50) + 0.9), min_area_quad(upright(20, 30, 90, 50)))


def test_an_upright_quad_is_a_slice():
    np.testing.assert_array_equal(crop_quad(PAGE, upright(20, 30, 90, 50)), PAGE[30:50, 20:90])


@pytest.mark.parametrize(("height", "turned"), [(30, True), (29, False)])
def test_a_vertical_quad_is_turned(height, turned):
    quad = upright(20, 30, 40, 30 + height)
    assert quad_crop_size(quad) == (20, height)
    expected = PAGE[30 : 30 + height, 20:40]
    np.testing.assert_array_equal(crop_quad(PAGE, quad), np.rot90(expected) if turned else expected)


def test_beyond_the_page_its_edge_goes_on():
    crop = crop_quad(PAGE, upright(180, 100, 220, 110))
    assert crop.shape == (10, 40, 3)
    np.testing.assert_array_equal(crop[:, 20:], np.repeat(PAGE[100:110, -1:], 20, axis=1))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 205), st.integers(-5, 125)), min_size=4, max_size=4))
def test_any_quad_is_warped_bit_for_bit(points):
    quad = np.array(points, np.int16)
    crop = crop_quad(PAGE, quad)
    assert crop.dtype == np.uint8
    if min(quad_crop_size(quad)) > 0:
        np.testing.assert_array_equal(crop, warp(PAGE, quad))
    else:
        assert crop.shape == PAGE.shape


@settings(max_examples=300, deadline=None)
@given(
    x=st.integers(0, 190),
    y=st.integers(0, 110),
    w=st.integers(1, 200),
    h=st.integers(1, 120),
    jitter=st.lists(st.integers(-1, 1), min_size=8, max_size=8) | st.none(),
)
def test_nearly_upright_quads_are_warped_bit_for_bit(x, y, w, h, jitter):
    quad = upright(x, y, x + w, y + h) + np.reshape(jitter or [0] * 8, (4, 2)).astype(np.int16)
    if min(quad_crop_size(quad)) > 0:
        np.testing.assert_array_equal(crop_quad(PAGE, quad), warp(PAGE, quad))


@pytest.mark.parametrize("quad", [upright(5, 5, 5, 5), upright(5, 5, 30, 5), upright(5, 5, 5, 30)])
def test_a_quad_without_area_gives_the_first_pixel_as_large_as_the_page(quad):
    assert min(quad_crop_size(quad)) == 0
    for page in (PAGE, np.ascontiguousarray(PAGE.transpose(1, 0, 2))):
        crop = crop_quad(page, quad)
        np.testing.assert_array_equal(crop, np.full((120, 200, 3), page[0, 0]))
        assert crop.base is not None  # a view: no memory for a page of any size


def test_limit_of_crop_sides():
    assert crop_quad(PAGE, np.array([[0, 0], [MAX_IMAGE_SIDE, 0], [MAX_IMAGE_SIDE, 2], [0, 2]])).shape[0] == 2
    longer = MAX_IMAGE_SIDE + 1
    with pytest.raises(ImageTooLarge, match=f"{longer}x2 .* at most {MAX_IMAGE_SIDE} a side"):
        crop_quad(PAGE, np.array([[0, 0], [longer, 0], [longer, 2], [0, 2]]))


def test_limit_of_crop_pixels():
    with pytest.raises(ImageTooLarge, match=f"{MAX_IMAGE_PIXELS} pixels are allowed"):
        crop_quad(PAGE, upright(0, 0, 20_000, MAX_IMAGE_PIXELS // 20_000 + 1))


def quads_on(page: np.ndarray, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    bound = (page.shape[1], page.shape[0])
    return [(rng.random((4, 2)) * bound).astype(np.int32) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_crops_on_demand_are_the_crops_and_know_their_sizes(count):
    page = np.random.default_rng(0).integers(0, 256, (90, 200, 3), np.uint8)
    quads = quads_on(page, count)
    quads[:1] = [np.array([[5, 5], [5, 5], [5, 60], [5, 60]], np.int32)][:count]
    crops = QuadCrops([page] * count, quads)
    assert len(crops) == len(crops.sizes) == count
    for index, quad in enumerate(quads):
        expected = crop_quad(page, quad)
        assert np.array_equal(crops[index], expected)
        assert crops.sizes[index] == expected.shape[:2]
    assert [crop.shape for crop in crops[:2]] == [crop_quad(page, quad).shape for quad in quads[:2]]


@pytest.mark.parametrize(
    ("quad", "words"),
    [
        ([[0, 0], [201, 0], [201, 9], [0, 9]], "leaves its page of 200x90"),
        ([[0, 0], [9, 0], [9, 91], [0, 91]], "leaves its page of 200x90"),
        ([[-1, 0], [9, 0], [9, 9], [0, 9]], "leaves its page of 200x90"),
        ([[0, 0], [9, 0], [9, 9]], "has 3 points"),
        (np.empty((0, 2)), "has 0 points"),
    ],
)
def test_quads_that_do_not_fit_are_refused(quad, words):
    with pytest.raises(ValueError, match=words):
        QuadCrops([np.zeros((90, 200, 3), np.uint8)], [np.array(quad, np.int32)])


def test_a_quad_on_the_very_edge_is_taken():
    page = np.zeros((90, 200, 3), np.uint8)
    assert QuadCrops([page], [np.array([[0, 0], [200, 0], [200, 90], [0, 90]])]).sizes == [(90, 200)]


@pytest.mark.parametrize("fits", [True, False])
def test_bound_on_all_crops_together(monkeypatch, fits):
    page = np.zeros((90, 200, 3), np.uint8)
    quads = [np.array([[0, 0], [100, 0], [100, 10], [0, 10]])] * 3
    monkeypatch.setattr(crop_module, "MAX_CROP_PIXELS", 3000 if fits else 2999)
    if fits:
        assert len(QuadCrops([page] * 3, quads)) == 3
    else:
        with pytest.raises(ImageTooLarge, match="3000 pixels together; at most 2999 are allowed"):
            QuadCrops([page] * 3, quads)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_lines_that_are_upside_down_are_turned(count):
    crops = QuadCrops([PAGE] * count, quads_on(PAGE, count))
    class_ids = np.random.default_rng(0).integers(0, 2, count).tolist()
    turned = TurnedCrops(crops, class_ids)
    assert len(turned) == count
    assert turned.sizes == crops.sizes
    for index, class_id in enumerate(class_ids):
        expected = turn_page(crops[index], 180) if class_id else crops[index]
        np.testing.assert_array_equal(turned[index], expected, strict=True)
        assert turned.sizes[index] == turned[index].shape[:2]
    assert [line.shape for line in turned[:2]] == [line.shape for line in crops[:2]]


@pytest.mark.parametrize("class_id", [0, 1])
def test_the_first_pixel_is_turned_too(class_id):
    """A crop that is a view of one pixel, as large as the page: in its colour, with the black row and column."""
    turned = TurnedCrops(QuadCrops([PAGE], [upright(5, 5, 5, 5)]), [class_id])
    expected = np.full((120, 200, 3), PAGE[0, 0])
    expected[:class_id] = expected[:, :class_id] = 0
    np.testing.assert_array_equal(turned[0], expected, strict=True)


def test_lines_are_turned_when_they_are_looked_at(monkeypatch):
    monkeypatch.setattr(crop_module, "turn_page", lambda line, angle: pytest.fail("turned before"))
    assert len(TurnedCrops(QuadCrops([PAGE], [upright(5, 5, 50, 15)]), [1])) == 1


@pytest.mark.parametrize("count", [0, 2])
def test_a_class_per_line(count):
    with pytest.raises(ValueError, match=f"there are 1 text lines and {count} classes"):
        TurnedCrops(QuadCrops([PAGE], [upright(5, 5, 50, 15)]), [0] * count)


@pytest.mark.parametrize("class_id", [-1, 2])
def test_classes_are_upright_and_upside_down(class_id):
    with pytest.raises(RuntimeError, match=rf"gave classes \[{class_id}\]; 0 and 1 are expected"):
        TurnedCrops(QuadCrops([PAGE] * 2, [upright(5, 5, 50, 15)] * 2), [1, class_id])
