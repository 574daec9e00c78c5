"""Answers of PaddleX's own server to the same requests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from paddlex_triton.export.api import export_directory, export_network
from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings
from paddlex_triton.pipeline_file import read_pipeline_file
from paddlex_triton.server.host.launcher import EmbeddedServer

# The reference's layout network, under a name that its family is known by.
LAYOUT = "PicoDet-S_layout_3cls"
MODELS = {
    "layout_detection": LAYOUT,
    "seal_text_detection": "PP-OCRv4_mobile_seal_det",
    "text_recognition": "PP-OCRv4_mobile_rec",
}
# docs/rest.md says why.
DELIBERATE = {
    # A body with nothing but the file may be an older client's.
    "ocr_boardingpass": "keys ['image', 'texts']",
    # PaddleX fails on it.
    "err_seal_limit_type": ".status: 422, 500 wanted",
}


@pytest.fixture(scope="module")
def gateway(shared, networks, tmp_path_factory) -> Iterator[Gateway]:
    repository = tmp_path_factory.mktemp("rest")
    export_directory(shared / "models" / "prototype_seal_layout", into=repository, name=LAYOUT)
    export_network("PP-OCRv4_mobile_seal_det", into=repository)
    presets = {"OCR": "PP-OCRv4_mobile", "seal_recognition": "nopp"}
    files = [read_pipeline_file(shared / "reference" / "serving" / f"{name}.yaml") for name in ("ocr", "seal")]
    with EmbeddedServer(
        ["OCR", "seal_recognition"],
        presets=presets,
        models=MODELS,
        networks=[repository],
        log_file=repository.parent / "rest.log",
    ) as server:
        settings = GatewaySettings(server.grpc_url, {file.spec.name: file for file in files})
        gateway = Gateway(settings, "127.0.0.1", 0)
        gateway.start()
        yield gateway
        gateway.stop()


def test_answers_are_those_of_paddlexs_server(shared, gateway):
    serving = shared / "reference" / "serving"
    command = [
        *(sys.executable, serving / "ask.py", serving / "requests.json", shared / "images"),
        *("--ocr", gateway.url, "--seal", gateway.url, "--compare", serving / "answers.json"),
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=False)
    lines = [line.split(" | ") for line in done.stdout.splitlines()[:-1]]
    assert len(lines) == 19, done.stdout + done.stderr
    differing = {name: said for word, name, *said in lines if word.strip() == "DIFF"}
    assert differing.keys() == DELIBERATE.keys(), differing
    for name, (first, *_) in differing.items():
        assert DELIBERATE[name] in first
