"""Straightened text lines: which polygons are straightened, which have no pixels, sizes, bounds."""

import time

import numpy as np
import pytest

from paddlex_triton.bench.random_polygons import random_polygons
from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_PASTED_PIXELS, MAX_POLYGON_POINTS
from paddlex_triton.ops import crop as crop_module
from paddlex_triton.ops import seal_crop as module
from paddlex_triton.ops.crop import crop_quad
from paddlex_triton.ops.seal_crop import (
    PolygonCrops,
    has_pixels,
    line_outline,
    plan_rectification,
    readable_polygons,
    rectify_polygon,
)

SIZE = (120, 200)
PAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
# A band bent at right angles, 20 wide.
BAND = np.array([(0, 99), (0, 0), (50, 0), (99, 0), (99, 99), (80, 99), (80, 20), (50, 20), (20, 20), (20, 99)])
# A pixel wide at its lower end: all of the straightened line lies between two columns.
SLIVER = np.array([(1, 48), (1, 57), (0, 57), (0, 39), (0, 21), (0, 7)])


def ring(count: int) -> np.ndarray:
    """A C of `count` points."""
    angles = np.linspace(0.3, 6, count // 2)
    circle = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return np.rint(np.concatenate((circle * 90, circle[::-1] * 60)) + 95).astype(np.int64)


@pytest.mark.parametrize(
    "points",
    [
        [(5, 5)],
        [(5, 5), (30, 40)],
        [(5, 5), (30, 40), (60, 10)],
        [(0, 0), (40, 40), (40, 0), (0, 40), (3, 20)],
        [(0, 0), (40, 0), (40, 30), (0, 30)],
        [(0, 0), (20, 0), (20, 7), (0, 7)],
        [(0, 0), (60, 0), (60, 60), (59, 60)],
    ],
    ids=["point", "line", "triangle", "crossing", "rectangle", "lying", "merged"],
)
def test_what_has_no_line_to_follow_is_cut_out_as_a_rectangle(points):
    polygon = np.array(points)
    assert line_outline(polygon.astype(np.int32)) is None
    np.testing.assert_array_equal(rectify_polygon(PAGE, polygon), crop_quad(PAGE, polygon))
    assert plan_rectification(PAGE, polygon).strips is None
    assert has_pixels(polygon)


def test_a_bent_band_is_straightened():
    plan = plan_rectification(PAGE, BAND)
    assert plan.strips is not None
    crop = rectify_polygon(PAGE, BAND)
    assert crop.shape == (*plan.size, 3)
    assert crop.flags.c_contiguous
    assert has_pixels(BAND)


def test_the_pixels_of_the_page_do_not_change_the_plan():
    assert plan_rectification(np.zeros_like(PAGE), BAND).size == plan_rectification(PAGE, BAND).size


def test_the_page_is_not_written_to():
    page = PAGE.copy()
    page.flags.writeable = False
    rectify_polygon(page, BAND)


def test_a_region_of_a_page_is_a_page():
    region = PAGE[10:115, 40:160]
    np.testing.assert_array_equal(rectify_polygon(region, BAND), rectify_polygon(np.ascontiguousarray(region), BAND))


def test_fractions_of_points_are_cut_off():
    np.testing.assert_array_equal(rectify_polygon(PAGE, BAND + 0.9), rectify_polygon(PAGE, BAND))


@pytest.mark.parametrize("left", [0, 57, 199])
def test_a_line_less_than_a_pixel_wide_has_no_pixels(left):
    polygon = SLIVER + np.array((left, 0))
    assert not has_pixels(polygon)
    size = plan_rectification(PAGE, polygon).size
    assert size[1] == 0
    assert rectify_polygon(PAGE, polygon).shape == (*size, 3)
    assert PolygonCrops([PAGE], [polygon]).sizes == [size]


@pytest.mark.parametrize(("page_height", "height"), [(80, 47), (55, 47), (54, 46), (40, 32)])
def test_the_last_row_of_a_page_bounds_what_has_no_pixels(page_height, height):
    assert plan_rectification(PAGE[:page_height], SLIVER).size == (height, 0)


def test_random_polygons():
    """No exception, and what was planned is what comes; this covers every branch."""
    seen = set()
    for seed, page_size in enumerate([(30, 40), (300, 200), (200, 700)]):
        rng = np.random.default_rng(seed)
        page = rng.integers(0, 256, (*page_size, 3), dtype=np.uint8)
        polygons = random_polygons(rng, 700, page_size)
        crops = PolygonCrops([page] * len(polygons), polygons)
        for polygon, crop, size in zip(polygons, crops, crops.sizes, strict=True):
            assert crop.dtype == np.uint8
            assert crop.shape == (*size, 3)
            assert has_pixels(polygon) == (crop.size > 0)
            assert max(size) <= 15 * max(page_size) + 1
            strips = plan_rectification(page, polygon).strips
            seen.add((strips and strips.turned, strips and int(strips.widths.min()) == 0, crop.size > 0))
    every = {(turned, pages, True) for turned in (False, True) for pages in (False, True)}
    assert seen == every | {(None, None, True), (None, None, False)}


@pytest.mark.parametrize("count", [0, 1, 30])
def test_crops_on_demand_are_the_crops(count):
    polygons = random_polygons(np.random.default_rng(count), count, SIZE)
    crops = PolygonCrops([PAGE] * count, polygons)
    assert len(crops) == len(crops.sizes) == count
    for index, polygon in enumerate(polygons):
        np.testing.assert_array_equal(crops[index], rectify_polygon(PAGE, polygon))
    assert [crop.shape for crop in crops[:2]] == [(*size, 3) for size in crops.sizes[:2]]


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        ([[0, 0], [201, 0], [201, 9], [0, 9]], "polygon 1 leaves its page of 200x120"),
        ([[0, 0], [9, 0], [9, 121]], "leaves its page of 200x120"),
        ([[-1, 0], [9, 0], [9, 9], [0, 9]], "leaves its page of 200x120"),
        (np.empty((0, 2)), "polygon 1 has no points"),
        ([1, 2, 3, 4], r"polygon 1 has shape \[4\]"),
        ([[1, 2, 3]], r"polygon 1 has shape \[1, 3\]"),
    ],
)
def test_polygons_that_do_not_fit_are_refused(polygon, words):
    with pytest.raises(ValueError, match=words):
        PolygonCrops([PAGE, PAGE], [BAND, np.array(polygon)])


def test_a_polygon_on_the_very_edge_is_taken():
    polygon = np.array([[0, 0], [200, 0], [200, 120], [0, 120]])
    assert PolygonCrops([PAGE], [polygon]).sizes == [(120, 200)]


def test_limit_of_points():
    page = np.zeros((200, 200, 3), np.uint8)
    begun = time.perf_counter()
    assert rectify_polygon(page, np.repeat(ring(64), MAX_POLYGON_POINTS // 64, axis=0)).size > 0
    assert time.perf_counter() - begun < 5
    longer = np.repeat(ring(64), MAX_POLYGON_POINTS // 64, axis=0)[[*range(MAX_POLYGON_POINTS), 0]]
    for refuse in (rectify_polygon, plan_rectification, lambda _, polygon: has_pixels(polygon)):
        with pytest.raises(ValueError, match=f"has {MAX_POLYGON_POINTS + 1} points; at most {MAX_POLYGON_POINTS}"):
            refuse(page, longer)
    with pytest.raises(ValueError, match=f"polygon 0 has {MAX_POLYGON_POINTS + 1} points"):
        PolygonCrops([page], [longer])


@pytest.mark.parametrize("fits", [True, False])
def test_limit_of_pixels(monkeypatch, fits):
    height, width = plan_rectification(PAGE, BAND).size
    monkeypatch.setattr(module, "MAX_IMAGE_PIXELS", height * width - (not fits))
    if fits:
        assert rectify_polygon(PAGE, BAND).shape == (height, width, 3)
    else:
        with pytest.raises(ImageTooLarge, match=f"{width}x{height} .* at most {height * width - 1} pixels"):
            rectify_polygon(PAGE, BAND)


@pytest.mark.parametrize("fits", [True, False])
def test_bound_on_all_crops_together(monkeypatch, fits):
    # A point is a view of the page: it does not count.
    polygons = [BAND, np.array([[0, 0], [100, 0], [100, 10], [0, 10]]), np.array([[3, 3]])]
    height, width = plan_rectification(PAGE, BAND).size
    pixels = height * width + 1000
    monkeypatch.setattr(crop_module, "MAX_CROP_PIXELS", pixels - (not fits))
    if fits:
        assert len(PolygonCrops([PAGE] * 3, polygons)) == 3
    else:
        with pytest.raises(ImageTooLarge, match=f"{pixels} pixels together; at most {pixels - 1} are allowed"):
            PolygonCrops([PAGE] * 3, polygons)


# So small that its strips are less than a pixel wide.
SPECK = BAND // 12


@pytest.mark.parametrize(
    ("polygons", "kept"),
    [([], []), ([BAND], [0]), ([SLIVER], []), ([SPECK, SLIVER, BAND, BAND], [0, 2, 3])],
    ids=["none", "one", "without pixels", "many"],
)
def test_polygons_with_pixels_are_read(polygons, kept):
    assert readable_polygons([PAGE] * len(polygons), polygons) == kept


def test_specks_are_read_up_to_a_bound_and_nothing_else_is_left_out():
    height, width = plan_rectification(PAGE, SPECK).size
    assert width > 2 * SIZE[1]
    count = MAX_PASTED_PIXELS // (height * width)
    polygons = [SPECK, BAND] * (count + 1)
    assert readable_polygons([PAGE] * len(polygons), polygons) == [*range(2 * count), 2 * count + 1]


def test_a_speck_on_a_large_page_is_left_out():
    large = np.broadcast_to(np.zeros(3, np.uint8), (7000, 5000, 3))
    assert readable_polygons([large, large, PAGE], [SPECK, BAND, SPECK]) == [1, 2]
