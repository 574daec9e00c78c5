"""The straightening of seals' text lines against PaddleX's: every stored stage, stored digests, and PaddleX itself.

`data/seal_rectification.npz` was made by `python tests/parity/test_seal_rectification.py PYTHON`, where PYTHON is an
interpreter with PaddleX 3.7.2; `made_with` in it says with what. Its page is `golden_page()`. The comparison with
PaddleX itself runs where PADDLEX_TRITON_PEER names such an interpreter, or where the running one has PaddleX.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlex_triton.bench.random_polygons import random_polygons
from paddlex_triton.ops.crop import crop_quad, min_area_quad
from paddlex_triton.ops.polygons import pack_polygons, unpack_polygons
from paddlex_triton.ops.seal_crop import PolygonCrops, has_pixels, plan_rectification, rectify_polygon
from paddlex_triton.ops.seal_edges import divide_line, head_and_tail, side_lines
from paddlex_triton.ops.seal_polygon import fills_rectangle, is_simple, merge_short_edges, rectangle_iou

GOLDEN = Path(__file__).with_name("data") / "seal_rectification.npz"
GOLDEN_SIZE = (400, 500)
SCRIPT = Path(__file__).with_name("paddlex_rectification.py")
PEER = os.environ.get("PADDLEX_TRITON_PEER") or (sys.executable if importlib.util.find_spec("paddlex") else None)
# PaddleX 3.7.2 pins OpenCV 4.10. From 4.12 on the transform of a strip without area is another, and from 4.13 on
# rectangles of least area may be turned and the cubic warp that cuts them out gives other pixels.
OPENCV_AS_PADDLEX = tuple(map(int, cv2.__version__.split(".")[:2])) < (4, 12)


@pytest.fixture(scope="module")
def arrays(shared: Path):
    return np.load(shared / "reference" / "ops" / "cases.npz")


@pytest.fixture
def case(arrays, number: int) -> dict[str, np.ndarray]:
    """The arrays of a stored case by name."""
    prefix = f"crop_poly_{number}/"
    return {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}


all_cases = pytest.mark.parametrize("number", range(8))
# The others are cut out as rectangles: no lines are sought in them.
straightened_cases = pytest.mark.parametrize("number", [0, 1, 3, 4, 5])


def test_every_stored_case_is_tested(arrays):
    numbers = {name.split("/")[0] for name in arrays.files if name.startswith("crop_poly_")}
    assert numbers == {f"crop_poly_{number}" for number in range(8)}
    assert {f"crop_poly_{number}" for number in (0, 1, 3, 4, 5)} == {
        name.split("/")[0] for name in arrays.files if name.endswith("/sampled")
    }


@all_cases
def test_rectangle(case):
    np.testing.assert_allclose(min_area_quad(case["poly"]), case["minarea_box"], rtol=1e-5)
    np.testing.assert_array_equal(crop_quad(case["img"], case["poly"]), case["minarea_crop"])


@all_cases
def test_validity_and_overlap(case):
    assert is_simple(case["poly"]) == case["valid"]
    assert rectangle_iou(case["poly"], case["minarea_box"]) == pytest.approx(float(case["iou"]), rel=1e-5)
    assert fills_rectangle(case["poly"], case["minarea_box"]) == (case["iou"] >= 0.7)


@straightened_cases
def test_vertices(case):
    vertices = merge_short_edges(case["poly"])
    assert vertices.dtype == case["sampled"].dtype
    np.testing.assert_array_equal(vertices, case["sampled"])


@straightened_cases
def test_head_and_tail(case):
    head, tail = head_and_tail(case["sampled"])
    np.testing.assert_array_equal(case["sampled"][list(head)], case["head"])
    np.testing.assert_array_equal(case["sampled"][list(tail)], case["tail"])


@straightened_cases
def test_side_lines(case):
    sides = side_lines(case["sampled"], *head_and_tail(case["sampled"]))
    np.testing.assert_array_equal(sides[0], case["side1"])
    np.testing.assert_array_equal(sides[1], case["side2"])


@straightened_cases
def test_division(case):
    np.testing.assert_allclose(divide_line(case["side1"]), case["t15"], rtol=1e-5)
    np.testing.assert_allclose(divide_line(case["side2"]), case["b15"], rtol=1e-5)


@all_cases
def test_crop(case):
    np.testing.assert_array_equal(rectify_polygon(case["img"], case["poly"]), case["crop"])
    assert plan_rectification(case["img"], case["poly"]).size == case["crop"].shape[:2]
    assert (plan_rectification(case["img"], case["poly"]).strips is not None) == ("sampled" in case)


def test_golden_digests():
    golden = np.load(GOLDEN)
    compare(golden_page(), unpack_polygons(golden["points"].astype(np.int32), golden["offsets"]), golden)


# Not collected where there is no PaddleX: a skip would look like parity that was not tested.
if PEER:

    @pytest.mark.parametrize("python", [PEER])
    @pytest.mark.parametrize(("seed", "page_size"), [(1, (300, 200)), (2, (700, 900))])
    def test_paddlex_itself(tmp_path: Path, seed: int, page_size: tuple[int, int], python: str):
        rng = np.random.default_rng(seed)
        page = rng.integers(0, 256, (*page_size, 3), dtype=np.uint8)
        polygons = random_polygons(rng, 1400, page_size)
        compare(page, polygons, ask_paddlex(python, page, polygons, tmp_path))


def compare(page: np.ndarray, polygons: list[np.ndarray], theirs) -> None:
    """Our crops against PaddleX's sizes and digests."""
    sizes, digests = theirs["sizes"], theirs["digests"]
    compared = [i for i, polygon in enumerate(polygons) if OPENCV_AS_PADDLEX or has_solid_strips(page, polygon)]
    assert len(compared) > len(polygons) / 10
    crops = PolygonCrops([page] * len(polygons), polygons)
    assert [crops.sizes[i] for i in compared] == [tuple(sizes[i].tolist()) for i in compared]
    assert [has_pixels(polygons[i]) for i in compared] == [sizes[i].min() > 0 for i in compared]
    assert [i for i in compared if sha256(crops[i]) != digests[i].tobytes()] == []


def has_solid_strips(page: np.ndarray, polygon: np.ndarray) -> bool:
    """Whether a polygon is straightened, and in strips that all have an area."""
    strips = plan_rectification(page, polygon).strips
    return strips is not None and min(cv2.contourArea(quad) for quad in strips.quads) > 1e-3


def sha256(crop: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(crop).tobytes()).digest()[:8]


def ask_paddlex(python: str, page: np.ndarray, polygons: list[np.ndarray], folder: Path):
    """The answers of `paddlex_rectification.py`."""
    points, offsets = pack_polygons(polygons)
    np.savez(folder / "polygons.npz", page=page, points=points, offsets=offsets)
    command = [python, str(SCRIPT), str(folder / "polygons.npz"), str(folder / "digests.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.load(folder / "digests.npz")


def golden_page() -> np.ndarray:
    """A page of GOLDEN_SIZE (height and width, pixels) without a random number: generators change."""
    y, x, channel = np.indices((*GOLDEN_SIZE, 3))
    return ((x * 37 + y * 91 + channel * 53 + x * y) % 256).astype(np.uint8)


def make_golden(python: str) -> None:
    """Write the stored digests anew."""
    page = golden_page()
    candidates = random_polygons(np.random.default_rng(0), 2800, GOLDEN_SIZE)
    # Fewer of those that are cut out as rectangles.
    polygons = [
        points
        for index, points in enumerate(candidates)
        if index % 5 == 0 or plan_rectification(page, points).strips is not None or not has_pixels(points)
    ]
    with tempfile.TemporaryDirectory() as folder:
        answer = ask_paddlex(python, page, polygons, Path(folder))
        points, offsets = pack_polygons(polygons)
        np.savez_compressed(GOLDEN, points=points.astype(np.int16), offsets=offsets, **answer)


if __name__ == "__main__":
    make_golden(sys.argv[1])
