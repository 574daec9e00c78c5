"""The whole keypoint pipeline, through a live server and the client, against PaddleX's own results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from constant_networks import constants_allowed
from same_result import assert_same

from paddlex_triton import create_pipeline
from paddlex_triton.export.api import export_directory
from paddlex_triton.server.host.launcher import EmbeddedServer

STANDINS = ("PP-YOLOE-S_human", "PP-TinyPose_128x96")
DETECTOR = "picodet_s_320_lcnet_pedestrian"
SIZES = ("PP-TinyPose_128x96", "PP-TinyPose_256x192")
PIXELS, SCORE = 0.05, 1e-4


def tolerance(place: str) -> float | None:
    """Boxes are equal, keypoints and their scores near."""
    if "coordinate" in place or "det_score" in place:
        return None
    return SCORE if place.endswith(("[2]", "kpt_score")) else PIXELS


@pytest.fixture(scope="module")
def standin_server(shared, tmp_path_factory) -> Iterator[EmbeddedServer]:
    repository = tmp_path_factory.mktemp("standins")
    with constants_allowed():
        for name in STANDINS:
            export_directory(shared / "reference" / "e2e_standin" / "networks" / name, into=repository, name=name)
    log = repository.parent / "standins.log"
    with EmbeddedServer(["human_keypoint_detection"], networks=[repository], log_file=log) as server:
        yield server


@pytest.fixture(scope="module", params=["grpc", "http"])
def standin(request, standin_server) -> Iterator[Any]:
    url = standin_server.grpc_url if request.param == "grpc" else standin_server.http_url
    with create_pipeline("human_keypoint_detection", url=url, protocol=request.param) as pipeline:
        yield pipeline


@pytest.mark.parametrize(("stored", "params"), [("e2e_kpt", {}), ("e2e_kpt_none", {"det_threshold": 0.99})])
def test_standin_networks(shared, standin, stored, params):
    folder = shared / "reference" / "e2e_standin"
    page = cv2.resize(cv2.imread(str(folder / "page.png")), (480, 400))
    (result,) = standin.predict(page, **params)
    assert_same(result.json["res"], json.loads((folder / f"{stored}.json").read_text())["res"], tolerance)


@pytest.fixture(scope="module", params=SIZES)
def real_server(request, shared, tmp_path_factory) -> Iterator[tuple[str, EmbeddedServer]]:
    repository = tmp_path_factory.mktemp("real")
    for name in (DETECTOR, request.param):
        export_directory(shared / "models" / name, into=repository, name=name)
    models = {"human_detection": DETECTOR, "keypoint_detection": request.param}
    log = repository.parent / "real.log"
    with EmbeddedServer(["human_keypoint_detection"], models=models, networks=[repository], log_file=log) as server:
        yield request.param, server


def people_of(shared: Path, stem: str, network: str) -> list[dict[str, Any]]:
    """The people whose boxes were given to PaddleX's keypoint operators: box, keypoints, score."""
    return json.loads((shared / "reference" / "e2e_real" / f"kpt_{stem}.json").read_text())[network]


@pytest.mark.parametrize("stem", ["000000014439", "000000570688", "keypoint_detection_002_hrnet_demo"])
def test_keypoints_of_given_boxes(shared, real_server, stem):
    network, server = real_server
    people = people_of(shared, stem, network)
    page = cv2.imread(str(shared / "images" / "human" / f"{stem}.jpg"))
    boxes = np.array([person["box"] for person in people], np.float32)
    inputs = [tensor("page", page, "UINT8"), tensor("boxes", boxes, "FP32")]
    with grpcclient.InferenceServerClient(server.grpc_url) as client:
        answer = client.infer("keypoint_detection", inputs)
    assert answer is not None
    keypoints, scores = answer.as_numpy("keypoints"), answer.as_numpy("scores")
    assert keypoints is not None and scores is not None
    expected = np.array([person["keypoints"] for person in people])
    np.testing.assert_allclose(keypoints[..., :2], expected[..., :2], rtol=0, atol=PIXELS)
    np.testing.assert_allclose(keypoints[..., 2], expected[..., 2], rtol=0, atol=SCORE)
    np.testing.assert_allclose(scores, expected[..., 2].mean(axis=1), rtol=0, atol=SCORE)


def test_people_of_a_real_picture_are_found(shared, real_server):
    network, server = real_server
    people = people_of(shared, "000000014439", network)
    with create_pipeline("human_keypoint_detection", url=server.grpc_url) as pipeline:
        (result,) = pipeline.predict(str(shared / "images" / "human" / "000000014439.jpg"))
    found = [np.array(person["coordinate"], float) for person in result["boxes"]]
    assert len(people) == 9
    assert sum(max(overlap(box, np.array(person["box"])) for box in found) >= 0.5 for person in people) >= 8
    for person, (x1, y1, x2, y2) in zip(result["boxes"], found, strict=True):
        # The frame is 1.25 times the box, widened or heightened to 3 to 4.
        wide = 1.25 * max(x2 - x1, 0.75 * (y2 - y1))
        reach = np.array((wide, wide / 0.75)) / 2 + 1
        middle = np.array(((x1 + x2) / 2, (y1 + y2) / 2))
        assert (np.abs(person["keypoints"][:, :2] - middle) <= reach).all()


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    return common / float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - common)


def tensor(name: str, value: np.ndarray, kind: str) -> grpcclient.InferInput:
    made = grpcclient.InferInput(name, list(value.shape), kind)
    made.set_data_from_numpy(value)
    return made
