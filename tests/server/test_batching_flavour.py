"""The modules of the `gpu` flavour, which take several requests at a time, on networks that run here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import people_world
import preparation_graphs
import pytest
import seal_world
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton.errors import ErrorCode, parse_message
from paddlex_triton.export.api import export_directory
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.host.assemble import assemble
from paddlex_triton.server.host.gpu_module_config import derive_gpu_config
from paddlex_triton.server.host.launcher import EmbeddedServer

PAGE = cv2.imread(str(Path(__file__).resolve().parents[2] / "samples" / "page.png"))

OFF = {"use_doc_orientation_classify": False}
LARGE, SMALL = {"text_det_limit_side_len": 736, **OFF}, {"text_det_limit_side_len": 64, **OFF}


@pytest.fixture(scope="module")
def client(
    networks, tiny_networks, people_networks, seal_models, people_models, tmp_path_factory
) -> Iterator[grpcclient.InferenceServerClient]:
    folder = tmp_path_factory.mktemp("batching")
    # A layout network of a family that can be batched; the other tests have one that cannot.
    models = {**seal_models, **people_models, "layout_detection": seal_world.DENSE_LAYOUT}
    models |= {"doc_orientation_classify": preparation_graphs.DOC_ORIENTATION, "doc_unwarping": ""}
    export_directory(preparation_graphs.doc_orientation_folder(folder / "weights"), into=folder / "networks")
    repositories = [networks, tiny_networks, people_networks, folder / "networks"]
    presets = {spec.name: spec.default_preset for spec in PIPELINES.values()}
    assembly = assemble(
        folder / "models", pipelines=list(PIPELINES), presets=presets, models=models, networks=repositories
    )
    assert assembly.pipelines == tuple(PIPELINES)
    for module in assembly.modules:
        config = folder / "models" / module / "config.pbtxt"
        config.write_text(derive_gpu_config(config.read_text(), config))
    # These join calls as they do on a GPU, where none waits for another's run; the keypoint network does so anyway.
    for network in ("PP-OCRv4_mobile_rec", preparation_graphs.DOC_ORIENTATION):
        config = folder / "models" / network / "config.pbtxt"
        config.write_text(without_turns(config.read_text()) + "dynamic_batching { }\n")
    with (
        EmbeddedServer(directory=folder / "models", log_file=folder / "triton.log") as server,
        grpcclient.InferenceServerClient(server.grpc_url) as created,
    ):
        yield created


def without_turns(text: str) -> str:
    """A network's configuration for the CPU, but for the row that its runs stand in."""
    return text.replace('"take_turns" value { string_value: "1" }', '"take_turns" value { string_value: "0" }')


def read(
    client: grpcclient.InferenceServerClient, image: bytes, params: dict[str, Any], ensemble: str = "ocr"
) -> tuple[list[str], list[list[int]]] | ErrorCode:
    """Texts and polygons of a page, or the code it was refused with."""
    tensors = []
    for name, value in (("image", image), ("params", json.dumps(params).encode())):
        tensors.append(grpcclient.InferInput(name, [1], "BYTES"))
        tensors[-1].set_data_from_numpy(np.array([value], dtype=object))
    try:
        result = client.infer(ensemble, tensors, client_timeout=120)
    except InferenceServerException as error:
        message = parse_message(str(error.message()))
        assert message is not None
        return message.code
    assert result is not None
    texts, points = result.as_numpy("texts"), result.as_numpy("points")
    assert texts is not None
    assert points is not None
    return [text.decode() for text in texts], points.tolist()


def test_pages_of_all_sizes_empty_ones_and_bad_ones_share_an_execution(client, statistics, count_runs):
    pages = (PAGE, np.full((200, 300, 3), 255, np.uint8), PAGE[180:420, :700])
    images = [cv2.imencode(".png", page)[1].tobytes() for page in pages] + [b"junk"]
    alone = [read(client, image, LARGE) for image in images]
    assert [len(answer[0]) if isinstance(answer, tuple) else answer for answer in alone] == [
        11, 0, 5, ErrorCode.INVALID_IMAGE,
    ]  # fmt: skip
    before = statistics(client, "text_recognition")
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda index: read(client, images[index % 4], LARGE), range(32)))
    assert together == alone * 8
    rows, runs = count_runs(client, "text_recognition", before, 24)
    assert rows == 24
    assert runs < 24


def test_lines_of_different_pages_share_the_recognisers_runs(client, statistics, count_runs):
    # Four lines, so one call of four rows a page: a fuller run can only come from several pages.
    image = cv2.imencode(".png", PAGE[360:490])[1].tobytes()
    alone = read(client, image, SMALL)
    assert isinstance(alone, tuple)
    assert len(alone[0]) == 4
    before = statistics(client, "PP-OCRv4_mobile_rec")
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: read(client, image, SMALL), range(48)))
    assert together == [alone] * 48
    rows, runs = count_runs(client, "PP-OCRv4_mobile_rec", before, 4 * 48)
    assert rows == 4 * 48
    assert rows / runs > 6


def test_pages_with_any_number_of_seals_and_bad_ones_share_an_execution(client, statistics, count_runs):
    seals = [(250, 180, 150, "FIRST 12"), (750, 580, 150, "FOURTH 6")]
    pages = [seal_world.draw_page(1000, 800, seals[:count]) for count in range(3)]
    images = [cv2.imencode(".png", page)[1].tobytes() for page in pages] + [b"junk"]

    def ask(index: int) -> tuple[list[str], list[list[int]]] | ErrorCode:
        # Every other page as one region: modules that skip their network share an execution with those that do not.
        return read(client, images[index % 4], {"use_layout_detection": index % 8 < 4, **OFF}, "seal_recognition")

    alone = [ask(index) for index in range(8)]
    assert alone[0] == ([], [])
    assert alone[3] == alone[7] == ErrorCode.INVALID_IMAGE
    assert isinstance(alone[2], tuple)
    assert {"FIRST 12", "FOURTH 6"} <= set(alone[2][0])
    before = statistics(client, "seal_text_detection")
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, range(32)))
    assert together == alone * 4
    rows, runs = count_runs(client, "seal_text_detection", before, 24)
    assert rows == 24
    assert runs < 24


def test_people_of_different_pages_share_the_keypoint_networks_runs(client, statistics, count_runs):
    pages = [people_world.draw_page(100, people) for people in ([5], [], [0, 63], [20, 21, 22])]
    images = [cv2.imencode(".png", page)[1].tobytes() for page in pages]

    def ask(index: int) -> tuple[list[float], list[float]]:
        image = grpcclient.InferInput("image", [1], "BYTES")
        image.set_data_from_numpy(np.array([images[index % 4]], dtype=object))
        answer = client.infer("human_keypoint_detection", [image], client_timeout=120)
        boxes, keypoints = answer.as_numpy("boxes"), answer.as_numpy("keypoints")
        assert boxes is not None and keypoints is not None
        return boxes.tolist(), keypoints.tolist()

    alone = [ask(index) for index in range(4)]
    assert [len(boxes) for boxes, _ in alone] == [1, 0, 2, 3]
    before = statistics(client, people_world.KEYPOINTS)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, range(64)))
    assert together == alone * 16
    rows, runs = count_runs(client, people_world.KEYPOINTS, before, 6 * 16)
    assert rows == 6 * 16
    # Three of four pages make a call.
    assert runs < 3 * 16


def test_pages_of_different_pipelines_share_the_classifiers_runs(client, statistics, count_runs):
    pages = [preparation_graphs.tinted(PAGE[:100, :160], position) for position in range(4)]
    images = [cv2.imencode(".png", page)[1].tobytes() for page in pages]

    def angle(index: int) -> int:
        params = b"{}" if index % 8 < 4 else b""
        tensors = []
        # Requests with and without parameters, for two ensembles, that give the image under different names.
        for name, value in (("image", images[index % 4]), ("params", params))[: 2 if params else 1]:
            tensors.append(grpcclient.InferInput(name, [1], "BYTES"))
            tensors[-1].set_data_from_numpy(np.array([value], dtype=object))
        answer = client.infer(("ocr", "seal_recognition")[index // 4 % 2], tensors, client_timeout=120)
        return int(answer.as_numpy("angle")[0])

    before = statistics(client, preparation_graphs.DOC_ORIENTATION)
    with ThreadPoolExecutor(16) as pool:
        angles = list(pool.map(angle, range(96)))
    assert angles == [90 * (index % 4) for index in range(96)]
    rows, runs = count_runs(client, preparation_graphs.DOC_ORIENTATION, before, 96)
    assert rows == 96
    assert runs < 96
