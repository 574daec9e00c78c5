"""Human keypoints against PaddleX: stored cases, answers to random boxes and heatmaps, real networks in between."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

from paddlex_triton.ops.human_detection import postprocess_people
from paddlex_triton.ops.keypoint_crop import crop_people, frames_of_boxes
from paddlex_triton.ops.keypoint_decode import (
    Keypoints,
    decode_heatmaps,
    keypoints_on_page,
)
from paddlex_triton.ops.object_detection import resize_for_detector

GOLDEN = Path(__file__).parent / "golden" / "keypoint_ops.npz"
CROP_CASES = [f"kpt_pre_{width}_{number}" for width in (96, 192) for number in range(3)]
HEATMAP_CASES = [f"kpt_post_{width}_{number}" for width in (96, 192) for number in range(3)]
NETWORKS = {"PP-TinyPose_128x96": (128, 96), "PP-TinyPose_256x192": (256, 192)}


@pytest.fixture(scope="module")
def cases(shared: Path) -> Any:
    return np.load(shared / "reference" / "ops" / "cases.npz")


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def normalise(images: np.ndarray) -> np.ndarray:
    """As the networks' first nodes: RGB, one product and one sum in float32, constants made in float64."""
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
    alpha, beta = (1 / 255 / std).astype(np.float32), (-mean / std).astype(np.float32)
    return (images[..., ::-1].astype(np.float32) * alpha + beta).transpose(0, 3, 1, 2)


def open_network(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def heatmaps_of(network: onnxruntime.InferenceSession, crops: np.ndarray) -> np.ndarray:
    outputs = map(np.asarray, network.run(None, {"image": normalise(crops)}))
    return next(output for output in outputs if output.ndim == 4)


def keypoints_of(network: onnxruntime.InferenceSession, page: np.ndarray, boxes: np.ndarray, size) -> Keypoints:
    frames = frames_of_boxes(boxes, size)
    return keypoints_on_page(heatmaps_of(network, crop_people(page, frames, size)), frames)


def assert_keypoints(found: Keypoints, expected: list[dict[str, Any]]):
    points = np.array([person["keypoints"] for person in expected])
    assert found.keypoints.shape == points.shape
    np.testing.assert_allclose(found.keypoints[..., :2], points[..., :2], rtol=0, atol=0.05)
    np.testing.assert_allclose(found.keypoints[..., 2], points[..., 2], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.scores, [person["kpt_score"] for person in expected], rtol=0, atol=1e-4)


def frames_of_case(cases: Any, case: str, width: int) -> np.ndarray:
    box = cases[f"{case.replace('post', 'pre')}/box"].astype(np.float32)
    return frames_of_boxes(box[None], (width // 3 * 4, width))


@pytest.mark.parametrize("case", CROP_CASES)
def test_network_input(cases, case: str):
    expected = cases[f"{case}/out"]
    height, width = expected.shape[2:]
    crops = crop_people(cases[f"{case}/img"], frames_of_case(cases, case, width), (height, width))
    np.testing.assert_array_equal(normalise(crops), expected, strict=True)


@pytest.mark.parametrize("case", HEATMAP_CASES)
def test_decoding(cases, case: str):
    heatmaps = cases[f"{case}/hm"][None]
    found = keypoints_on_page(heatmaps, frames_of_case(cases, case, heatmaps.shape[3] * 4))
    # Numpy's logarithm and LAPACK differ between versions in the last digit.
    np.testing.assert_allclose(found.keypoints[0], cases[f"{case}/kpts"], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.scores, cases[f"{case}/score"], rtol=1e-6)


def test_every_case_of_these_operators_is_tested(cases):
    names = {name.split("/")[0] for name in cases.files if name.startswith("kpt_")}
    # The pipeline has no flip test.
    assert names - {"kpt_flip"} == {*CROP_CASES, *HEATMAP_CASES}


class TestRandomPeople:
    """PaddleX's pipeline from a detector's rows to keypoints, networks left out."""

    def test_boxes(self, golden):
        height, width = golden["page"].shape[:2]
        found = postprocess_people(golden["rows"], (width, height), ["pedestrian"], 0.5)
        np.testing.assert_array_equal(found.boxes, golden["boxes"], strict=True)
        np.testing.assert_array_equal(found.scores, golden["det_scores"], strict=True)
        # Some were clipped at both ends, where PaddleX goes on with Python's ints.
        spans = (found.boxes[:, :2] == 0) & (found.boxes[:, 2:] == (width, height))
        assert spans.any(axis=0).all()

    def test_crops(self, golden):
        frames = frames_of_boxes(golden["boxes"], golden["crops"].shape[1:3])
        crops = crop_people(golden["page"], frames, golden["crops"].shape[1:3])
        np.testing.assert_array_equal(crops, golden["crops"], strict=True)

    def test_keypoints(self, golden):
        heatmaps = golden["maps"] * golden["factors"][:, None, None, None]
        found = keypoints_on_page(heatmaps, frames_of_boxes(golden["boxes"], golden["crops"].shape[1:3]))
        assert np.isfinite(found.keypoints).all()
        answered = np.isfinite(golden["keypoints"]).all(axis=2)
        assert answered.sum() > 900 and not answered.all()
        # Steps of maps that hardly peak are large and magnify the last digit.
        np.testing.assert_allclose(found.keypoints[answered], golden["keypoints"][answered], rtol=1e-4, atol=1e-3)
        scored = np.isfinite(golden["scores"])
        assert scored.sum() > 40
        np.testing.assert_allclose(found.scores[scored], golden["scores"][scored], rtol=1e-6)

    def test_a_joint_that_paddlex_fails_at_stays_at_its_maximum(self, golden):
        heatmaps = golden["maps"] * golden["factors"][:, None, None, None]
        points, scores = decode_heatmaps(heatmaps)
        failed = np.argwhere(np.isnan(golden["keypoints"][..., 2]))
        assert len(failed) > 0
        for person, joint in failed:
            x, y = points[person, joint].astype(int)
            assert points[person, joint].tolist() == [x, y]
            assert heatmaps[person, joint, y, x] == heatmaps[person, joint].max() == scores[person, joint]


@pytest.mark.parametrize("name", ["000000014439", "000000570688", "keypoint_detection_002_hrnet_demo"])
@pytest.mark.parametrize("network", NETWORKS)
def test_real_networks(shared: Path, name: str, network: str):
    """Boxes given, all people of a picture in one batch; PaddleX ran them one by one."""
    expected = json.loads((shared / "reference" / "e2e_real" / f"kpt_{name}.json").read_text())[network]
    page = cv2.imread(str(shared / "images" / "human" / f"{name}.jpg"))
    boxes = np.array([person["box"] for person in expected], np.float32)
    session = open_network(shared / "models" / network / "model.onnx")
    assert_keypoints(keypoints_of(session, page, boxes, NETWORKS[network]), expected)


@pytest.mark.parametrize(("name", "threshold"), [("e2e_kpt", 0.5), ("e2e_kpt_none", 0.99)])
def test_both_networks_of_the_stand_in(shared: Path, name: str, threshold: float):
    folder = shared / "reference" / "e2e_standin"
    expected = json.loads((folder / f"{name}.json").read_text())["res"]["boxes"]
    page = cv2.resize(cv2.imread(str(folder / "page.png")), (480, 400))
    resized = resize_for_detector(page, (640, 640))
    detector = open_network(folder / "networks" / "PP-YOLOE-S_human" / "inference.onnx")
    inputs = {"image": normalise(resized.image[None]), "scale_factor": resized.scale_factor[None]}
    rows, counts = map(np.asarray, detector.run(None, inputs))
    people = postprocess_people(rows[: counts[0]], (480, 400), ["pedestrian"], threshold)
    assert people.boxes.tolist() == [person["coordinate"] for person in expected]
    assert people.scores.tolist() == [person["det_score"] for person in expected]
    # Nobody is above the higher threshold.
    assert bool(expected) == (threshold < 0.9)
    if expected:
        network = open_network(folder / "networks" / "PP-TinyPose_128x96" / "inference.onnx")
        assert_keypoints(keypoints_of(network, page, people.boxes, (128, 96)), expected)
