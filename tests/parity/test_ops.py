"""Every stored case of PaddleX's own operators against ours: integers and images exact, floats within 1e-5."""

import json
from pathlib import Path

import numpy as np
import pytest

from paddlex_triton.client.results.ocr import boxes_around
from paddlex_triton.ops.classification import resize_exactly, resize_short_and_crop, top_class
from paddlex_triton.ops.crop import crop_quad
from paddlex_triton.ops.ctc import decode
from paddlex_triton.ops.db import db_postprocess
from paddlex_triton.ops.orientation import turn_page
from paddlex_triton.ops.recognition import build_batch, merge_batches, plan_batches
from paddlex_triton.ops.sorting import sort_polygons, sort_quads
from paddlex_triton.ops.text_detection import resize_for_detection

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])
DB_CASES = ("db_quad_a", "db_quad_b", "db_poly_a", "db_poly_b", "db_poly_d")
# Dilation, and slow scores of quads: no pipeline asks for them.
DB_CASES_OF_NO_PIPELINE = ("db_quad_c", "db_poly_c", "db_quad_d")


class Cases:
    """Arrays of `reference/ops/cases.npz`, by case and name."""

    def __init__(self, folder: Path):
        self.arrays = np.load(folder / "cases.npz")
        self.names = json.loads((folder / "cases.json").read_text())

    def __call__(self, case: str, array: str) -> np.ndarray:
        return self.arrays[f"{case}/{array}"]


@pytest.fixture(scope="module")
def cases(shared: Path) -> Cases:
    return Cases(shared / "reference" / "ops")


def normalise(image: np.ndarray) -> np.ndarray:
    """As the first nodes of detectors and classifiers: constants in float64, rounded once, float32 throughout."""
    alpha = (1 / 255 / IMAGENET_STD).astype(np.float32)
    beta = (-IMAGENET_MEAN / IMAGENET_STD).astype(np.float32)
    return (image.astype(np.float32) * alpha + beta).transpose(2, 0, 1)[None]


def normalise_for_recognition(x: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Do what the recognition network's first nodes do, blanking of the padding included."""
    values = (x.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    padding = np.arange(x.shape[2]) >= widths
    return np.where(padding[:, None, :, None], np.float32(0), values).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("number", range(9))
def test_detection_input(cases: Cases, number: int):
    case = f"textdet_pre_{number}"
    limit_side_len, max_side_limit = cases(case, "args").tolist()
    page = resize_for_detection(
        cases(case, "inp"),
        limit_side_len=limit_side_len,
        limit_type=str(cases(case, "typ")),
        max_side_limit=max_side_limit,
    )
    np.testing.assert_array_equal(normalise(page), cases(case, "out"))


@pytest.mark.parametrize("case", DB_CASES)
def test_db(cases: Cases, case: str):
    box_type = "poly" if case.startswith("db_poly") else "quad"
    (src_h, src_w, _, _), thresh, box_thresh, unclip_ratio, _ = json.loads(str(cases(case, "args")))
    boxes, scores = db_postprocess(
        cases(case, "inp"),
        src_h=int(src_h),
        src_w=int(src_w),
        thresh=thresh,
        box_thresh=box_thresh,
        unclip_ratio=unclip_ratio,
        box_type=box_type,
    )
    assert len(boxes) == int(cases(case, "n"))
    np.testing.assert_allclose(scores, cases(case, "scores"), rtol=1e-5)
    for index, box in enumerate(boxes):
        expected = cases(case, f"p{index}")
        assert box.dtype == expected.dtype
        np.testing.assert_array_equal(box, expected)


def test_sort_quads(cases: Cases):
    quads = cases("sort_quad", "inp")
    np.testing.assert_array_equal(quads[sort_quads(quads)], cases("sort_quad", "out"))


def test_sort_polygons(cases: Cases):
    polygons = [cases(f"crop_poly_{number}", "poly") for number in range(3)]
    assert sort_polygons(polygons) == cases("sort_poly", "order").tolist()


@pytest.mark.parametrize("number", range(4))
def test_crop_quad(cases: Cases, number: int):
    case = f"crop_quad_{number}"
    crop = crop_quad(cases(case, "img"), cases(case, "poly"))
    np.testing.assert_array_equal(crop, cases(case, "out"))


def test_recognition_input(cases: Cases):
    crops = [cases("rec_pre", f"i{number}") for number in range(5)]
    (batch,) = plan_batches([(crop.shape[0], crop.shape[1]) for crop in crops], batch_size=6)
    x, widths = build_batch(crops, batch)
    np.testing.assert_array_equal(normalise_for_recognition(x, widths), cases("rec_pre", "out")[list(batch.indices)])


def test_recognition_input_of_a_single_crop(cases: Cases):
    crop = cases("rec_pre", "i0")
    (batch,) = merge_batches(plan_batches([(crop.shape[0], crop.shape[1])], batch_size=1), max_rows=32)
    x, widths = build_batch([crop], batch)
    np.testing.assert_array_equal(normalise_for_recognition(x, widths), cases("rec_pre_single", "out"))


def test_ctc(cases: Cases):
    logits = cases("ctc", "inp")
    characters = ["blank", *cases("ctc", "chars").tolist(), " "]
    texts, scores = decode(logits.argmax(axis=-1), logits.max(axis=-1), characters)
    assert texts == cases("ctc", "texts").tolist()
    np.testing.assert_allclose(scores, cases("ctc", "scores"), rtol=1e-5)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_turned_page(cases: Cases, angle: int):
    turned = turn_page(cases(f"rotate_{angle}", "inp"), angle)
    np.testing.assert_array_equal(turned, cases(f"rotate_{angle}", "out"), strict=True)


def test_input_of_document_orientation(cases: Cases):
    # Classifiers read RGB: the graph swaps the channels.
    middle = resize_short_and_crop(cases("doc_ori_pre", "inp"), 256, (224, 224))
    np.testing.assert_array_equal(normalise(middle[..., ::-1]), cases("doc_ori_pre", "out"), strict=True)


def test_input_of_line_orientation(cases: Cases):
    resized = resize_exactly(cases("textline_ori_pre", "inp"), (80, 160))
    np.testing.assert_array_equal(normalise(resized[..., ::-1]), cases("textline_ori_pre", "out"), strict=True)


def test_top_class(cases: Cases):
    found = [top_class(probs) for probs in cases("topk", "inp")]
    assert [class_id for class_id, _ in found] == cases("topk", "ids")[:, 0].tolist()
    assert [score for _, score in found] == cases("topk", "scores")[:, 0].tolist()


def test_boxes_around_quads(cases: Cases):
    bounds = boxes_around(list(cases("sort_quad", "inp")))
    assert bounds.dtype == cases("rec_boxes", "out").dtype
    np.testing.assert_array_equal(bounds, cases("rec_boxes", "out"))


def test_every_case_of_these_operators_is_tested(cases: Cases):
    tested = {f"textdet_pre_{n}" for n in range(9)} | {f"crop_quad_{n}" for n in range(4)}
    tested |= {*DB_CASES, *DB_CASES_OF_NO_PIPELINE}
    tested |= {"sort_quad", "sort_poly", "rec_pre", "rec_pre_single", "rec_boxes", "ctc"}
    tested |= {f"rotate_{angle}" for angle in (0, 90, 180, 270)} | {"doc_ori_pre", "textline_ori_pre", "topk"}
    prefixes = ("textdet_", "crop_quad", "db_", "sort_", "rec_", "rotate_", "doc_ori", "textline_ori", "topk")
    assert {name for name in cases.names if name.startswith(prefixes) or name == "ctc"} == tested
