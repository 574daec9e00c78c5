"""Regions of a page, and which polygon belongs to which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddlex_triton.limits import MAX_CANDIDATES, MAX_REGIONS


def regions_of_boxes(
    boxes: np.ndarray, labels: Sequence[str], page_size: tuple[int, int], wanted: str = "seal"
) -> np.ndarray:
    """Select the boxes of one label, cut to whole pixels: fractions are dropped at both corners.

    Args:
        boxes: float32 [R, 4], x1, y1, x2, y2 in page pixels, within the page.
        labels: R labels; upper and lower case are the same.
        page_size: width and height of the page, pixels.
        wanted: the label, in lower case.

    Returns:
        int32 [S, 4], x2 and y2 exclusive, in the order of the boxes. Boxes without a whole pixel are left out.

    Raises:
        ValueError: `boxes` is not [R, 4], R is not the number of labels or above MAX_REGIONS, or a box leaves the page.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes has shape {list(boxes.shape)}; [R, 4] is expected")
    if len(labels) != len(boxes):
        raise ValueError(f"there are {len(boxes)} boxes and {len(labels)} labels; a label per box is expected")
    if len(boxes) > MAX_REGIONS:
        raise ValueError(f"there are {len(boxes)} boxes; at most {MAX_REGIONS} are allowed")
    width, height = page_size
    # NaN is not within either.
    within = ((boxes >= 0) & (boxes <= (width, height, width, height))).all(axis=1)
    if not within.all():
        raise ValueError(f"box {boxes[~within][0].tolist()} leaves the page of {width}x{height} px")
    pixels = boxes.astype(np.int32)
    has_label = np.array([label.lower() == wanted for label in labels], np.bool_)
    return pixels[has_label & (pixels[:, 2:] > pixels[:, :2]).all(axis=1)]


def region_views(page: np.ndarray, regions: np.ndarray) -> list[np.ndarray]:
    """Cut regions out of a page, without copying.

    Args:
        page: uint8 [H, W, 3].
        regions: int [S, 4], x1, y1, x2, y2 in page pixels, x2 and y2 exclusive.

    Returns:
        S views of the page.

    Raises:
        ValueError: `regions` is not [S, 4], there are more than MAX_REGIONS, or one is empty or leaves the page.
    """
    if regions.ndim != 2 or regions.shape[1] != 4:
        raise ValueError(f"regions has shape {list(regions.shape)}; [S, 4] is expected")
    height, width = page.shape[:2]
    if len(regions) > MAX_REGIONS:
        raise ValueError(f"there are {len(regions)} regions; at most {MAX_REGIONS} are allowed")
    views = []
    for x1, y1, x2, y2 in regions.tolist():
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise ValueError(f"region {[x1, y1, x2, y2]} is empty or leaves the page of {width}x{height} px")
        views.append(page[y1:y2, x1:x2])
    return views


def members_of_regions(region_ids: np.ndarray, region_count: int, polygon_count: int) -> list[list[int]]:
    """Group polygons by region.

    Args:
        region_ids: int [K], the region of each polygon.
        region_count: number of regions.
        polygon_count: K as the polygons have it.

    Returns:
        For each region the indices of its polygons, ascending.

    Raises:
        ValueError: another length than K, an id that is no region, or more than MAX_CANDIDATES polygons in one.
    """
    if region_ids.ndim != 1 or len(region_ids) != polygon_count:
        raise ValueError(
            f"region_ids has shape {list(region_ids.shape)}; one per polygon ({polygon_count}) is expected"
        )
    members: list[list[int]] = [[] for _ in range(region_count)]
    for index, region in enumerate(region_ids.tolist()):
        if not 0 <= region < region_count:
            raise ValueError(f"polygon {index} names region {region}; there are {region_count}")
        members[region].append(index)
    for region, polygons in enumerate(members):
        if len(polygons) > MAX_CANDIDATES:
            raise ValueError(f"region {region} has {len(polygons)} polygons; at most {MAX_CANDIDATES} are allowed")
    return members
