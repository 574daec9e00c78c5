"""The `human_keypoint_detection` ensemble on a live server, on networks that know pink people: fan-out, refusals."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import people_world
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton import create_pipeline
from paddlex_triton.admin_api import key_headers
from paddlex_triton.errors import ErrorCode, parse_message

CELL = 150
# A dot fills more than a pixel of the heatmap, all of them as good. They are found to within 1.5: 6 pixels of the crop,
# which is 128 high and shows 1.25 boxes. The dots are twice as far from each other.
TOLERANCE = 6 * 1.25 * 1.1 * CELL / 128


def encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def tensor(name: str, value: np.ndarray, kind: str) -> grpcclient.InferInput:
    made = grpcclient.InferInput(name, list(value.shape), kind)
    made.set_data_from_numpy(value)
    return made


def check_people(outputs: dict[str, np.ndarray], people: list[int]) -> None:
    """Everybody was found, in order, with all joints."""
    assert outputs["boxes"].shape == (len(people), 4)
    assert outputs["keypoints"].shape == (len(people), people_world.JOINTS, 3)
    assert outputs["det_scores"].shape == outputs["keypoint_scores"].shape == (len(people),)
    side = people_world.GRID * CELL
    for number, box, joints in zip(people, outputs["boxes"], outputs["keypoints"], strict=True):
        np.testing.assert_allclose(box, np.clip(people_world.box_of(number, CELL), 0, side), atol=1e-3)
        assert np.abs(joints[:, :2] - people_world.joints_of(number, CELL)).max() < TOLERANCE
        assert (joints[:, 2] > 0.9).all()
    np.testing.assert_allclose(outputs["keypoint_scores"], outputs["keypoints"][..., 2].mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 9, 30, 64], ids=["none", "one", "nine", "thirty", "all"])
def test_everybody_on_a_page_is_found_in_few_calls(
    ask_people, people_triton, people_server, statistics, count_runs, count
):
    people = list(range(0, 64, max(1, 64 // count) if count else 1))[:count]
    headers = key_headers(people_server.admin_key, grpc=True)
    config = people_triton.get_model_config(people_world.KEYPOINTS, headers=headers, as_json=True)["config"]
    before = statistics(people_triton, people_world.KEYPOINTS)
    outputs = ask_people(encode(people_world.draw_page(CELL, people)))
    check_people(outputs, people)
    rows, calls = count_runs(people_triton, people_world.KEYPOINTS, before, count)
    assert rows == count
    assert calls <= -(-count // config["max_batch_size"])


def test_people_of_different_requests_share_runs(people_triton, statistics, count_runs):
    page, number = people_world.draw_page(CELL, [9]), 9
    inputs = [
        tensor("page", page, "UINT8"),
        tensor("boxes", people_world.box_of(number, CELL)[None].astype(np.float32), "FP32"),
    ]
    before = statistics(people_triton, people_world.KEYPOINTS)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: people_triton.infer("keypoint_detection", inputs), range(160)))
    rows, runs = count_runs(people_triton, people_world.KEYPOINTS, before, len(answers))
    assert rows == len(answers)
    assert runs < rows
    for answer in answers:
        (joints,) = answer.as_numpy("keypoints")
        assert np.abs(joints[:, :2] - people_world.joints_of(number, CELL)).max() < TOLERANCE


def test_settings_name_the_networks_and_the_threshold(ask_people, people_server):
    outputs = ask_people(encode(people_world.draw_page(CELL, [3])), {"det_threshold": 0.25})
    detection, keypoints = (
        json.loads(outputs[f"{stage}_settings"][0]) for stage in ("human_detection", "keypoint_detection")
    )
    assert (detection["threshold"], detection["page_size"]) == (0.25, [8 * CELL, 8 * CELL])
    assert detection["networks"]["human_detection"]["name"] == people_world.DETECTOR
    assert keypoints["networks"]["keypoint_detection"] == {
        "name": people_world.KEYPOINTS,
        "sha256": people_server.assembly.networks[people_world.KEYPOINTS],
    }


@pytest.mark.parametrize(
    ("threshold", "found"), [(None, 1), (0, 1), (0.89, 1), (0.91, 0), (1, 0)], ids=["default", "0", "0.89", "0.91", "1"]
)
def test_threshold(ask_people, threshold, found):
    outputs = ask_people(encode(people_world.draw_page(CELL, [9])), {"det_threshold": threshold})
    assert len(outputs["boxes"]) == found


@pytest.mark.parametrize(
    ("image", "params", "stage", "code", "says"),
    [
        (b"no picture", None, "doc_preprocessor", ErrorCode.INVALID_IMAGE, ""),
        (None, {"det_threshold": 1.5}, "doc_preprocessor", ErrorCode.INVALID_PARAMETER, "det_threshold is 1.5"),
        (None, {"layout_nms": True}, "doc_preprocessor", ErrorCode.INVALID_PARAMETER, "layout_nms"),
    ],
    ids=["image", "value", "name"],
)
def test_refusals_name_the_stage_and_the_server_goes_on(ask_people, image, params, stage, code, says):
    page = encode(people_world.draw_page(CELL, [0]))
    with pytest.raises(InferenceServerException) as refused:
        ask_people(image or page, params)
    error = parse_message(refused.value.message())
    assert error is not None
    assert (error.stage, error.code) == (stage, code)
    assert says in error.text
    check_people(ask_people(page), [0])


def test_pages_at_the_same_time_keep_apart(ask_people):
    pages = [[0], [], [5, 17, 40], list(range(64)), [63]]
    with ThreadPoolExecutor(len(pages)) as pool:
        answers = list(pool.map(lambda people: ask_people(encode(people_world.draw_page(CELL, people))), pages))
    for people, outputs in zip(pages, answers, strict=True):
        check_people(outputs, people)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_client_gives_paddlex_s_result(people_server, protocol, tmp_path):
    url = people_server.grpc_url if protocol == "grpc" else people_server.http_url
    page = people_world.draw_page(CELL, [0, 20])
    with create_pipeline("human_keypoint_detection", url=url, protocol=protocol) as pipeline:
        (result,) = pipeline.predict(page)
    assert list(result.json["res"]) == ["input_path", "boxes"]
    first, second = result["boxes"]
    assert list(first) == ["coordinate", "det_score", "keypoints", "kpt_score"]
    # Clipped at the page's upper edge.
    assert (type(first["coordinate"][1]), type(second["coordinate"][1])) == (int, np.float32)
    assert result.img["res"].size == (8 * CELL, 8 * CELL)
