"""The whole seal pipeline, through a live server and the client, against PaddleX's own results."""

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

STANDINS = ("PP-DocLayout-L", "PP-OCRv4_server_seal_det", "PP-OCRv4_server_rec")
# Weights that are at hand, under the names PaddleX ran them by.
REAL = {"prototype_seal_layout": "PicoDet-S_layout_3cls", "prototype_seal_det": "PP-OCRv4_mobile_seal_det"}
REAL_MODELS = {
    "layout_detection": "PicoDet-S_layout_3cls",
    "seal_text_detection": "PP-OCRv4_mobile_seal_det",
    "text_recognition": "PP-OCRv4_mobile_rec",
}
# A preset that is named takes in nothing else that may be exported where the tests run.
PRESETS = {"seal_recognition": "nopp"}
OFF = {"use_doc_orientation_classify": False, "use_doc_unwarping": False}


def tolerance(place: str) -> float:
    """Pixels of a box, else a score."""
    return 1e-3 if "coordinate" in place else 1e-4


@pytest.fixture(scope="module")
def standin_server(shared, tmp_path_factory) -> Iterator[EmbeddedServer]:
    repository = tmp_path_factory.mktemp("standins")
    with constants_allowed():
        for name in STANDINS:
            export_directory(shared / "reference" / "e2e_standin" / "networks" / name, into=repository, name=name)
    log = repository.parent / "standins.log"
    with EmbeddedServer(["seal_recognition"], presets=PRESETS, networks=[repository], log_file=log) as server:
        yield server


@pytest.fixture(scope="module")
def real_server(shared, networks, tmp_path_factory) -> Iterator[EmbeddedServer]:
    repository = tmp_path_factory.mktemp("real")
    for folder, name in REAL.items():
        export_directory(shared / "models" / folder, into=repository, name=name)
    log = repository.parent / "real.log"
    with EmbeddedServer(
        ["seal_recognition"], presets=PRESETS, models=REAL_MODELS, networks=[repository], log_file=log
    ) as server:
        yield server


@pytest.fixture(scope="module", params=["grpc", "http"])
def standin(request, standin_server) -> Iterator[Any]:
    url = standin_server.grpc_url if request.param == "grpc" else standin_server.http_url
    with create_pipeline("seal_recognition", url=url, protocol=request.param) as pipeline:
        yield pipeline


@pytest.fixture(scope="module", params=["grpc", "http"])
def real(request, real_server) -> Iterator[Any]:
    url = real_server.grpc_url if request.param == "grpc" else real_server.http_url
    with create_pipeline("seal_recognition", url=url, protocol=request.param) as pipeline:
        yield pipeline


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_standin_networks_on_a_file(shared, standin):
    folder = shared / "reference" / "e2e_standin"
    (result,) = standin.predict(str(folder / "page.png"), **OFF)
    got = result.json["res"]
    assert got["input_path"] == str(folder / "page.png")
    assert_same({**got, "input_path": "page.png"}, load(folder / "e2e_seal_path.json")["res"], tolerance)


def test_standin_networks_without_layout(shared, standin):
    folder = shared / "reference" / "e2e_standin"
    page = cv2.imread(str(folder / "page.png"))[40:441, 60:461]
    (result,) = standin.predict(page, **OFF, use_layout_detection=False)
    assert_same(result.json["res"], load(folder / "e2e_seal_nopp_nolayout.json")["res"], tolerance)


@pytest.mark.parametrize("name", ["seal_text_det_clean_640", "four_seals"])
@pytest.mark.parametrize("layout", [True, False])
def test_real_networks_on_real_seals(shared, real, name, layout):
    path = shared / "images" / "seal" / f"{name}.png"
    (result,) = real.predict(str(path), use_layout_detection=layout)
    stored = load(shared / "reference" / "e2e_real" / f"seal_{name}{'' if layout else '_nolayout'}.json")
    assert_same({**result.json["res"], "input_path": path.name}, stored, tolerance)


def test_real_networks_on_a_pdf(shared, real):
    path = shared / "images" / "pdf" / "rapiddoc_han_yinzhang.pdf"
    results = list(real.predict(str(path)))
    assert [result["page_index"] for result in results] == [0, 1, 2, 3]
    for index, result in enumerate(results):
        stored = load(shared / "reference" / "e2e_real" / f"seal_rapiddoc_han_yinzhang_p{index}.json")
        assert_same({**result.json["res"], "input_path": stored["input_path"]}, stored, tolerance)


def test_networks_that_answered_are_named(shared, real):
    (result,) = real.predict(np.full((300, 300, 3), 255, np.uint8))
    named = {step: network["name"] for stage in result.settings.values() for step, network in stage["networks"].items()}
    assert named == REAL_MODELS
