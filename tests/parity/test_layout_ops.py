"""Layout detection against PaddleX: stored cases of its operators and its answers to random rows, bit for bit."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

from paddlex_triton.ops.detection_nms import multiclass_nms
from paddlex_triton.ops.layout import LayoutBoxes, postprocess_layout
from paddlex_triton.ops.object_detection import resize_for_detector
from paddlex_triton.ops.regions import region_views, regions_of_boxes

GOLDEN = Path(__file__).parent / "golden" / "layout.npz"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# `norm_type: none`: scaling alone.
PLAIN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
PAGE_SIZE = (1000, 1300)
PRE_CASES = ["picodet_480x480", "picodet_800x608", "picodet_640x640", "rtdetr_640x640"]
POST_CASES = ["plain", "thr_dict", "nms", "seal_default", "small", "union", "unclip_t", "unclip_d", "merge_d"]


@pytest.fixture(scope="module")
def cases(shared: Path) -> Any:
    return np.load(shared / "reference" / "ops" / "cases.npz")


@pytest.fixture(scope="module")
def labels() -> list[str]:
    """The 23 classes of PP-DocLayout."""
    with np.load(GOLDEN) as golden:
        return json.loads(str(golden["labels"]))["23 classes"]


def normalise(image: np.ndarray, constants: tuple[tuple[float, ...], tuple[float, ...]]) -> np.ndarray:
    """As a layout network's first nodes: RGB, one product and one sum in float32, constants made in float64."""
    mean, std = np.array(constants)
    alpha, beta = (1 / 255 / std).astype(np.float32), (-mean / std).astype(np.float32)
    return (image[:, :, ::-1].astype(np.float32) * alpha + beta).transpose(2, 0, 1)[None]


@pytest.mark.parametrize("case", PRE_CASES)
def test_input(cases, case: str):
    tensors = [cases[name] for name in (f"layout_pre_{case}/t{number}" for number in range(3)) if name in cases.files]
    # In alphabetical order of the network's inputs: im_shape (RT-DETR only), image, scale_factor.
    *im_shape, image, scale_factor = tensors
    target_size = (image.shape[2], image.shape[3])
    resized = resize_for_detector(cases[f"layout_pre_{case}/inp"], target_size)
    np.testing.assert_array_equal(normalise(resized.image, PLAIN if im_shape else IMAGENET), image, strict=True)
    np.testing.assert_array_equal(resized.scale_factor[None], scale_factor, strict=True)
    assert [shape.tolist() for shape in im_shape] == ([[list(target_size)]] if case.startswith("rtdetr") else [])


def read_option(value: Any) -> Any:
    """Arguments as JSON has them: keys of objects are strings, pairs are lists."""
    if isinstance(value, dict):
        return {int(key): read_option(of_class) for key, of_class in value.items()}
    return tuple(value) if isinstance(value, list) else value


def assert_answer(found: LayoutBoxes, boxes: np.ndarray, class_ids: np.ndarray, labels: list[str], scores: np.ndarray):
    np.testing.assert_array_equal(found.boxes, boxes.astype(np.float32), strict=True)
    np.testing.assert_array_equal(found.class_ids, class_ids)
    np.testing.assert_array_equal(found.scores, scores.astype(np.float32), strict=True)
    assert list(found.labels) == labels


@pytest.mark.parametrize("case", POST_CASES)
def test_postprocess(cases, labels: list[str], case: str):
    stored = {key: cases[f"det_post_{case}/{key}"] for key in ("inp", "args", "box", "cls", "label", "score")}
    options = {key: read_option(value) for key, value in json.loads(str(stored["args"])).items()}
    found = postprocess_layout(
        stored["inp"],
        PAGE_SIZE,
        labels,
        threshold=options["threshold"],
        nms=options.get("layout_nms", False),
        # A ratio for no class at all: nothing is grown, and nothing rounded.
        unclip_ratio=options.get("unclip", {}),
        merge_mode=options.get("merge", "union"),
    )
    assert len(found.labels) > 0
    assert_answer(found, stored["box"], stored["cls"], stored["label"].tolist(), stored["score"])


def test_an_int_threshold_filters(cases, labels: list[str]):
    """PaddleX takes no int: it keeps padding, and gives it the last class's label."""
    stored = {key: cases[f"det_post_int_threshold/{key}"] for key in ("inp", "box", "cls", "label", "score")}
    real = (stored["cls"] > -1) & (stored["score"] > 0)
    assert not real.all()
    for threshold in (0, 0.0):
        found = postprocess_layout(
            stored["inp"], PAGE_SIZE, labels, threshold=threshold, nms=False, unclip_ratio={}, merge_mode="union"
        )
        assert_answer(
            found, stored["box"][real], stored["cls"][real], stored["label"][real].tolist(), stored["score"][real]
        )


def test_crop_of_a_box(cases):
    page = cases["crop_poly_0/img"]
    height, width = page.shape[:2]
    boxes = np.array([[0, 0, 50, 50], [10.9, 20.2, 100.99, 90.5]], np.float32)
    regions = regions_of_boxes(boxes, ["table", "Seal"], (width, height))
    (crop,) = region_views(page, regions)
    np.testing.assert_array_equal(crop, cases["crop_box/out"], strict=True)


def test_every_case_of_these_operators_is_tested(cases):
    names = {name.split("/")[0] for name in cases.files}
    tested = {f"layout_pre_{case}" for case in PRE_CASES} | {f"det_post_{case}" for case in POST_CASES}
    tested |= {"det_post_int_threshold", "crop_box"}
    assert {name for name in names if name.startswith(("layout_", "det_post_", "crop_box"))} == tested


@pytest.mark.parametrize("name", ["four_seals", "seal_text_det_clean_640"])
def test_a_real_page(shared: Path, name: str):
    """A real network between the two halves, whose graph has its own suppression."""
    session = onnxruntime.InferenceSession(
        shared / "models" / "prototype_seal_layout" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    answer = json.loads((shared / "reference" / "e2e_real" / f"seal_{name}.json").read_text())
    expected = answer.get("res", answer)["layout_det_res"]["boxes"]
    (file,) = (shared / "images").rglob(f"{name}.*")
    page = cv2.imread(str(file))
    resized = resize_for_detector(page, (640, 640))
    inputs = {"image": normalise(resized.image, IMAGENET), "scale_factor": resized.scale_factor[None]}
    rows, counts = map(np.asarray, session.run(None, inputs))
    found = postprocess_layout(
        rows[: counts[0]],
        (page.shape[1], page.shape[0]),
        ["image", "table", "seal"],
        threshold=0.5,
        nms=True,
        unclip_ratio=1.0,
        merge_mode="large",
    )
    assert len(expected) > 0
    assert list(found.labels) == [box["label"] for box in expected]
    assert found.class_ids.tolist() == [box["cls_id"] for box in expected]
    # ONNX Runtime's kernels differ between processors in the last digits.
    np.testing.assert_allclose(found.scores, [box["score"] for box in expected], rtol=1e-5)
    np.testing.assert_allclose(found.boxes, [box["coordinate"] for box in expected], atol=1e-2)


def test_postprocess_of_random_rows():
    golden = np.load(GOLDEN)
    labels, sets = json.loads(str(golden["labels"])), json.loads(str(golden["layout_sets"]))
    rows, answers = golden["layout_rows"], golden["layout_answers"]
    for options in sets:
        given, rows = np.split(rows, [options["rows"]])
        expected, answers = np.split(answers, [options["boxes"]])
        names = labels[options["labels"]]
        found = postprocess_layout(
            given,
            tuple(options["page_size"]),
            names,
            threshold=read_option(options["threshold"]),
            nms=options["nms"],
            unclip_ratio=read_option(options["unclip_ratio"]),
            merge_mode=read_option(options["merge_mode"]),
        )
        class_ids = expected[:, 0].astype(int)
        assert_answer(found, expected[:, 2:], class_ids, [names[number] for number in class_ids], expected[:, 1])
    assert len(sets) >= 100
    assert len(rows) == len(answers) == 0


def test_suppression_of_random_anchors():
    golden = np.load(GOLDEN)
    sets = json.loads(str(golden["nms_sets"]))
    boxes, scores, answers = (golden[f"nms_{name}"] for name in ("boxes", "scores", "answers"))
    for options in sets:
        given_boxes, boxes = np.split(boxes, [options["anchors"]])
        given_scores, scores = np.split(scores, [options["anchors"] * options["classes"]])
        expected, answers = np.split(answers, [options["rows"]])
        rows = multiclass_nms(
            given_boxes,
            given_scores.reshape(options["classes"], -1),
            score_threshold=options["score_threshold"],
            nms_threshold=options["nms_threshold"],
            nms_top_k=options["nms_top_k"],
            keep_top_k=options["keep_top_k"],
        )
        np.testing.assert_array_equal(rows, expected, strict=True)
    assert len(sets) >= 100
    assert len(boxes) == len(scores) == len(answers) == 0
