"""The backend `paddlex_openvino` in a live Triton: two instances of each network, pages up to a chosen size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton.client import create_pipeline
from paddlex_triton.client.exceptions import ImageTooLargeError
from paddlex_triton.server.host.launcher import EmbeddedServer

# Pixels of the sample page are less.
_MEGAPIXELS = 2.0
_WIDTH, _HEIGHT = 2000, 1000


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("triton") / "triton.log"


@pytest.fixture(scope="module")
def openvino_server(networks, log):
    with EmbeddedServer(
        ["OCR"], flavour="openvino", instances=2, max_megapixels=_MEGAPIXELS, networks=[networks], log_file=log
    ) as running:
        yield running


@pytest.fixture(scope="module")
def ocr(openvino_server):
    with create_pipeline("OCR", url=openvino_server.grpc_url) as pipeline:
        yield pipeline


def test_every_network_runs_in_openvino(openvino_server, log):
    assert set(openvino_server.assembly.flavours.values()) == {"openvino"}
    text = log.read_text()
    for name in openvino_server.assembly.networks:
        for number in range(2):
            assert f"{name}_0_{number}: OpenVINO " in text


def test_its_answers_are_those_of_onnx_runtime(ocr, server, sample):
    with create_pipeline("OCR", url=server.grpc_url) as other:
        for _ in range(5):
            (one,), (wanted,) = ocr.predict(sample), other.predict(sample)
            assert one["rec_texts"] == wanted["rec_texts"]
            np.testing.assert_array_equal(one["rec_polys"], wanted["rec_polys"])
            np.testing.assert_allclose(one["rec_scores"], wanted["rec_scores"], rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def small_pages(sample):
    image = cv2.imdecode(np.frombuffer(sample, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    sizes = ((192, 96), (224, 96), (160, 96), (64, 160))
    return [cv2.resize(image[:part], size) for part in (200, 400) for size in sizes]


@pytest.fixture(scope="module")
def boxes_of(small_pages):
    """`boxes_of(server)` -> those of text on the small pages."""

    def read(running):
        params = {"text_det_limit_side_len": 64, "text_det_limit_type": "min"}
        with create_pipeline("OCR", url=running.grpc_url) as pipeline:
            return [result["dt_polys"] for result in pipeline.predict(small_pages, **params)]

    return read


def test_pages_are_read_after_requests_that_a_network_cannot_run(openvino_server, server, networks, boxes_of, tmp_path):
    """OpenVINO fails in the middle of these: on two threads pages of other sizes had wrong answers from then on.

    On one, which each of two instances has here, it loses the error.
    """
    with EmbeddedServer(["OCR"], flavour="cpu", networks=[networks], log_file=tmp_path / "triton.log") as other:
        wanted = boxes_of(other)
    assert sum(map(len, wanted)) > 10
    wrong = grpcclient.InferInput("x", [1, 40, 40, 3], "UINT8")
    wrong.set_data_from_numpy(np.zeros((1, 40, 40, 3), np.uint8))
    for running in (openvino_server, server):
        with grpcclient.InferenceServerClient(running.grpc_url) as client:
            for _ in range(8):
                with pytest.raises(InferenceServerException, match=r"openvino error|onnx runtime error"):
                    client.infer("PP-OCRv4_mobile_det", [wrong])
        for _ in range(2):
            for boxes, those in zip(boxes_of(running), wanted, strict=True):
                np.testing.assert_array_equal(boxes, those)


def test_instances_answer_side_by_side(openvino_server, sample):
    with create_pipeline("OCR", url=openvino_server.grpc_url, max_in_flight=8) as pipeline:
        results = list(pipeline.predict([sample] * 16))
    assert all(result["rec_texts"] == results[0]["rec_texts"] for result in results)


def test_a_page_as_large_as_allowed_is_read_and_a_larger_one_refused(ocr):
    page = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    cv2.putText(page, "as large as allowed", (50, 500), cv2.FONT_HERSHEY_SIMPLEX, 3, (0, 0, 0), 5)
    (result,) = ocr.predict(page)
    assert result["rec_texts"]
    with pytest.raises(ImageTooLargeError, match=r"2002000 pixels; at most 2000000 are allowed"):
        list(ocr.predict(np.full((_HEIGHT + 1, _WIDTH, 3), 255, np.uint8)))
    assert len(list(ocr.predict(page))) == 1
