"""Seal recognition on PaddleX's own mobile seal detector: against PaddleX's server, and what it reads on real seals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from same_result import assert_same

from paddlex_triton import create_pipeline
from paddlex_triton.bench.edit_distance import edits
from paddlex_triton.export.api import export_directory, export_network
from paddlex_triton.export.lookup import pipeline_networks
from paddlex_triton.server.host.launcher import EmbeddedServer

DETECTOR = "PP-OCRv4_mobile_seal_det"
PRESETS = {"seal_recognition": "offline"}
CLEAN = ["天津君和缘商贸有限公司", "发票专用章", "吗繁物", "5263647368706"]
# The ends of the four names: the rest is under mosaics.
TAILS = ["制冷设备有限公司", "农林服务有限公司", "集团有限公司", "网络安全和信息化委员会"]
# Request of PaddleX's server -> the same parameters here.
REQUESTS: dict[str, dict[str, Any]] = {
    "seal_clean": {},
    "seal_clean_nolayout": {"use_layout_detection": False},
    "seal_four": {
        "layout_threshold": 0.6,
        "layout_unclip_ratio": [1.1, 1.2],
        "layout_merge_bboxes_mode": "small",
    },
    "seal_pdf": {},
}


def tolerance(place: str) -> float:
    """Pixels of a box, else a score."""
    return 1e-3 if "coordinate" in place else 1e-4


@pytest.fixture(scope="module")
def server(shared, networks, tmp_path_factory) -> Iterator[EmbeddedServer]:
    """The networks that need none of PaddleX's hubs, and the layout network that its answers were made with."""
    repository = tmp_path_factory.mktemp("layout")
    export_directory(shared / "models" / "prototype_seal_layout", into=repository, name="prototype_seal_layout")
    for name in pipeline_networks("seal_recognition", "offline"):
        export_network(name)
    models = {"layout_detection": "offline_seal_layout,prototype_seal_layout"}
    log = repository.parent / "official.log"
    with EmbeddedServer(
        ["seal_recognition"], presets=PRESETS, models=models, networks=[repository], log_file=log
    ) as running:
        yield running


@pytest.fixture(scope="module")
def pipeline(server) -> Iterator[Any]:
    with create_pipeline("seal_recognition", url=server.grpc_url) as client:
        yield client


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_those_of_paddlex_s_server(shared, pipeline, name):
    """Less what its server leaves out: `input_path` and `page_index`."""
    folder = shared / "reference" / "serving"
    asked = json.loads((folder / "requests.json").read_text(encoding="utf-8"))[name]
    answered = json.loads((folder / "answers.json").read_text(encoding="utf-8"))[name]["body"]["result"]
    wanted = [seals["prunedResult"] for seals in answered["sealRecResults"]]
    path = str(shared / "images" / asked["file"])
    results = list(pipeline.predict(path, layout_detection_model_name="prototype_seal_layout", **REQUESTS[name]))
    assert len(results) == len(wanted)
    for result, stored in zip(results, wanted, strict=True):
        assert result.settings["seal_text_detection"]["networks"]["seal_text_detection"]["name"] == DETECTOR
        assert_same(pruned(result.json["res"]), stored, tolerance)
    assert any(seal["rec_texts"] for stored in wanted for seal in stored["seal_res_list"]), "something was read"


def pruned(value: Any) -> Any:
    if isinstance(value, list):
        return [pruned(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {key: pruned(inner) for key, inner in value.items() if key not in ("input_path", "page_index")}


@pytest.mark.parametrize("layout", [True, False])
def test_paddlex_s_demo_seal_is_read_as_its_page_prints_it(shared, pipeline, layout):
    path = shared / "images" / "seal" / "seal_text_det_clean_640.png"
    (result,) = pipeline.predict(str(path), use_layout_detection=layout)
    (seal,) = result["seal_res_list"]
    assert sorted(seal["rec_texts"]) == sorted(CLEAN)


def test_real_seals_are_read(shared, pipeline):
    path = shared / "images" / "seal" / "four_seals.png"
    (result,) = pipeline.predict(str(path), use_layout_detection=False)
    texts = [text for seal in result["seal_res_list"] for text in seal["rec_texts"]]
    read = [tail for tail in TAILS if any(edits(tail, text[-len(tail) :]) <= 1 for text in texts)]
    assert len(read) >= 3, texts
