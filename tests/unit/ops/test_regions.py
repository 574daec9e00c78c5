"""Regions: views into the page, polygons grouped, nonsense refused."""

import numpy as np
import pytest

from paddlex_triton.limits import MAX_CANDIDATES, MAX_REGIONS
from paddlex_triton.ops.regions import members_of_regions, region_views, regions_of_boxes

PAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


@pytest.mark.parametrize("boxes", [[], [[0, 0, 6, 4]], [[1, 1, 3, 4], [0, 0, 1, 1]]])
def test_views(boxes):
    views = region_views(PAGE, np.array(boxes, np.int32).reshape(-1, 4))
    assert len(views) == len(boxes)
    for (x1, y1, x2, y2), view in zip(boxes, views, strict=True):
        assert np.array_equal(view, PAGE[y1:y2, x1:x2])
        assert np.shares_memory(view, PAGE)


@pytest.mark.parametrize("box", [[0, 0, 7, 4], [0, 0, 6, 5], [-1, 0, 2, 2], [2, 0, 2, 4], [3, 3, 1, 4]])
def test_region_outside_the_page(box):
    with pytest.raises(ValueError, match="6x4"):
        region_views(PAGE, np.array([box], np.int32))


@pytest.mark.parametrize("shape", [(4,), (1, 5)])
def test_regions_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"\[S, 4\]"):
        region_views(PAGE, np.zeros(shape, np.int32))


@pytest.mark.parametrize(
    ("ids", "count", "expected"),
    [([], 0, []), ([], 2, [[], []]), ([0], 1, [[0]]), ([1, 0, 1, 1], 3, [[1], [0, 2, 3], []])],
)
def test_members(ids, count, expected):
    assert members_of_regions(np.array(ids, np.int32), count, len(ids)) == expected


@pytest.mark.parametrize("ids", [[2], [-1]])
def test_unknown_region(ids):
    with pytest.raises(ValueError, match="there are 2"):
        members_of_regions(np.array(ids, np.int32), 2, 1)


@pytest.mark.parametrize("ids", [[], [0, 0], [[0]]])
def test_another_number_of_ids(ids):
    with pytest.raises(ValueError, match="one per polygon"):
        members_of_regions(np.array(ids, np.int32), 1, 1)


@pytest.mark.parametrize("count", [MAX_REGIONS, MAX_REGIONS + 1])
def test_bound_on_regions(count):
    regions = np.tile(np.array([[0, 0, 6, 4]], np.int32), (count, 1))
    if count == MAX_REGIONS:
        assert len(region_views(PAGE, regions)) == count
    else:
        with pytest.raises(ValueError, match=f"there are {count} regions; at most {MAX_REGIONS}"):
            region_views(PAGE, regions)


@pytest.mark.parametrize("count", [MAX_CANDIDATES, MAX_CANDIDATES + 1])
def test_bound_on_polygons_of_a_region(count):
    ids = np.array([1] * count + [0], np.int32)
    if count == MAX_CANDIDATES:
        assert len(members_of_regions(ids, 2, count + 1)[1]) == count
    else:
        with pytest.raises(ValueError, match=f"region 1 has {count} polygons; at most {MAX_CANDIDATES}"):
            members_of_regions(ids, 2, count + 1)


@pytest.mark.parametrize(
    ("boxes", "labels", "expected"),
    [
        ([], [], []),
        ([[0, 0, 6, 4]], ["seal"], [[0, 0, 6, 4]]),
        ([[0, 0, 6, 4]], ["table"], []),
        ([[0.9, 1.5, 3.99, 4]], ["Seal"], [[0, 1, 3, 4]]),
        ([[2, 2, 3, 3], [0, 0, 6, 4], [1, 1, 2, 2]], ["SEAL", "seals", "seal"], [[2, 2, 3, 3], [1, 1, 2, 2]]),
        (
            [[1.1, 0, 1.9, 4], [0, 2.1, 6, 2.9], [3, 3, 2, 4], [6, 4, 6, 4], [5.5, 3.5, 6, 4]],
            ["seal"] * 5,
            [[5, 3, 6, 4]],
        ),
    ],
)
def test_boxes_to_regions(boxes, labels, expected):
    regions = regions_of_boxes(np.array(boxes, np.float32).reshape(-1, 4), labels, (6, 4))
    np.testing.assert_array_equal(regions, np.array(expected, np.int32).reshape(-1, 4), strict=True)
    assert len(region_views(PAGE, regions)) == len(expected)


def test_boxes_of_another_label():
    boxes = np.array([[0, 0, 6, 4], [1, 1, 2, 2]], np.float32)
    assert regions_of_boxes(boxes, ["seal", "Table"], (6, 4), wanted="table").tolist() == [[1, 1, 2, 2]]


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("value", [-0.5, 6.5, float("nan"), float("inf")])
def test_box_outside_the_page(column, value):
    box = np.array([[0, 0, 6, 4]], np.float32)
    box[0, column] = value
    for label in ("seal", "table"):
        with pytest.raises(ValueError, match="leaves the page of 6x4 px"):
            regions_of_boxes(box, [label], (6, 4))


@pytest.mark.parametrize("shape", [(4,), (1, 5), (1, 1, 4)])
def test_boxes_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"\[R, 4\] is expected"):
        regions_of_boxes(np.zeros(shape, np.float32), ["seal"], (6, 4))


@pytest.mark.parametrize("labels", [[], ["seal", "seal"]])
def test_another_number_of_labels(labels):
    with pytest.raises(ValueError, match=f"1 boxes and {len(labels)} labels"):
        regions_of_boxes(np.zeros((1, 4), np.float32), labels, (6, 4))


@pytest.mark.parametrize("count", [MAX_REGIONS, MAX_REGIONS + 1])
def test_bound_on_boxes(count):
    boxes = np.tile(np.array([[0, 0, 6, 4]], np.float32), (count, 1))
    if count == MAX_REGIONS:
        assert len(regions_of_boxes(boxes, ["seal"] * count, (6, 4))) == count
    else:
        with pytest.raises(ValueError, match=f"there are {count} boxes; at most {MAX_REGIONS}"):
            regions_of_boxes(boxes, ["seal"] * count, (6, 4))
