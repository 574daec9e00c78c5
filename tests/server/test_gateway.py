"""REST in front of a live server: what it answers is what the client answers."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import httpx
import numpy as np
import people_world
import pytest
import seal_world
from trace_collector import CollectedSpan, collect

from paddlex_triton import create_pipeline
from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings

PATHS = {
    "OCR": "/ocr",
    "seal_recognition": "/seal-recognition",
    "human_keypoint_detection": "/human-keypoint-detection",
    "doc_preprocessor": "/document-preprocessing",
}
KEY = "a-key-of-a-caller"


@pytest.fixture(scope="module")
def rest():
    """Makes gateways to live servers, and stops them in the end."""
    made: list[Gateway] = []

    def start(server, **settings) -> str:
        made.append(Gateway(GatewaySettings(server.grpc_url, **settings), "127.0.0.1", 0))
        made[-1].start()
        return made[-1].url

    yield start
    for gateway in made:
        gateway.stop()


def ask(url: str, pipeline: str, data: bytes, *, headers: dict[str, str] | None = None, **body):
    source = {"image": None} if pipeline == "human_keypoint_detection" else {"file": None, "fileType": 1}
    sent = {**dict.fromkeys(source, base64.b64encode(data).decode()), **body}
    if "fileType" in source:
        sent["fileType"] = 1
    response = httpx.post(url + PATHS[pipeline], json=sent, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    return response


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def pruned(result):
    plain = json.loads(json.dumps(result.json["res"]))

    def without(value):
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key not in ("input_path", "page_index")}
        return [without(item) for item in value] if isinstance(value, list) else value

    return without(plain)


def jpeg(picture) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR))[1].tobytes()


def test_ocr_is_the_clients(server, sample, rest):
    answered = ask(rest(server), "OCR", sample, returnWordBox=True)
    (found,) = answered.json()["result"]["ocrResults"]
    with create_pipeline("OCR", url=server.grpc_url) as pipeline:
        (wanted,) = pipeline.predict(sample, return_word_box=True)
    assert found["prunedResult"] == pruned(wanted)
    assert base64.b64decode(found["ocrImage"]) == jpeg(wanted.img["ocr_res_img"])
    stages = {part.split(";")[0]: float(part.split("=")[1]) for part in answered.headers["server-timing"].split(", ")}
    assert list(stages)[:4] == ["read", "doc_preprocessor", "text_detection", "text_recognition"]
    assert all(0 < stages[name] < stages["total"] for name in ("text_detection", "text_recognition"))


def test_seals_are_the_clients(seal_server, rest):
    page = png(seal_world.draw_page(400, 300, [(20, 20, 120, "red"), (200, 100, 120, "red")]))
    answered = ask(rest(seal_server), "seal_recognition", page, layoutThreshold=0.4).json()
    (found,) = answered["result"]["sealRecResults"]
    with create_pipeline("seal_recognition", url=seal_server.grpc_url) as pipeline:
        (wanted,) = pipeline.predict(page, layout_threshold=0.4)
    assert found["prunedResult"] == pruned(wanted)
    assert {name: base64.b64decode(picture) for name, picture in found["outputImages"].items()} == {
        name: jpeg(picture) for name, picture in wanted.img.items()
    }


def test_people_are_the_clients(people_server, rest):
    page = png(people_world.draw_page(40, [9, 12, 42]))
    answered = ask(rest(people_server), "human_keypoint_detection", page).json()
    with create_pipeline("human_keypoint_detection", url=people_server.grpc_url) as pipeline:
        (wanted,) = pipeline.predict(page)
    assert len(answered["result"]["persons"]) == len(wanted["boxes"]) == 3
    for person, box in zip(answered["result"]["persons"], wanted["boxes"], strict=True):
        assert person["bbox"] == [float(number) for number in box["coordinate"]]
        assert person["kpts"] == box["keypoints"].tolist()
        assert (person["detScore"], person["kptScore"]) == (box["det_score"], box["kpt_score"])


def test_other_pipelines_are_said_not_to_be_there(server, sample, rest):
    url = rest(server)
    refused = httpx.post(
        f"{url}/seal-recognition", json={"file": base64.b64encode(sample).decode(), "fileType": 1}, timeout=30
    )
    assert (refused.status_code, refused.json()["errorMsg"]) == (404, "this pipeline is not loaded on this server")
    ready = {each["name"]: each["ready"] for each in httpx.get(f"{url}/pipelines").json()["pipelines"]}
    assert ready == dict.fromkeys(PATHS, False) | {"OCR": True}


def test_what_a_module_refuses_names_the_field(server, sample, rest):
    sent = {"file": base64.b64encode(sample).decode(), "fileType": 1, "useTextlineOrientation": True}
    refused = httpx.post(f"{rest(server)}/ocr", json=sent, timeout=30)
    assert refused.status_code == 422
    assert refused.json()["errorMsg"].startswith("useTextlineOrientation is true, but this server has no network for")


def test_nobody_behind_it(sample, rest):
    class Gone:
        grpc_url = "127.0.0.1:1"

    url = rest(Gone)
    refused = httpx.post(f"{url}/ocr", json={"file": base64.b64encode(sample).decode(), "fileType": 1}, timeout=30)
    assert (refused.status_code, refused.json()["errorMsg"]) == (503, "the inference server does not answer")
    assert refused.headers["retry-after"] == "1"
    assert httpx.get(f"{url}/health").status_code == 503


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def collector():
    with collect() as collector:
        yield collector


def test_serve_answers_rest_beside_triton(networks, sample, tmp_path, collector):
    http, grpc, metrics, rest = free_ports(4)
    arguments = [
        *("serve", "--pipeline", "OCR", "--preset", "PP-OCRv4_mobile", "--networks", str(networks)),
        *("--http-port", str(http), "--grpc-port", str(grpc), "--metrics-port", str(metrics), "--rest-port", str(rest)),
        *("--log-file", str(tmp_path / "triton.log"), "--trace-url", collector.url),
        *("--api-key-file", str(tmp_path / "keys")),
    ]
    (tmp_path / "keys").write_text(f"{KEY}\n")
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "paddlex_triton.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "COLUMNS": "300"},
    )
    try:
        url, deadline = f"http://127.0.0.1:{rest}", time.monotonic() + 120
        while not is_healthy(url):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert httpx.get(f"{url}/metrics").status_code == 401
        answered = ask(url, "OCR", sample, headers={"Authorization": f"Bearer {KEY}"}).json()
        assert answered["result"]["ocrResults"][0]["prunedResult"]["rec_texts"]
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"REST {url}" in out
    assert KEY not in out + err
    (line,) = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert (line["pipeline"], line["status"], line["pages"]) == ("OCR", 200, 1)
    check_trace(collector.spans)


def check_trace(spans: list[CollectedSpan]) -> None:
    """A request is one trace from the gateway through Triton and its modules to the networks."""
    (root,) = [span for span in spans if span.name == "POST /ocr"]
    by_id = {span.id: span for span in spans if span.trace == root.trace}

    def above(span: CollectedSpan) -> list[str]:
        parent = by_id.get(span.parent)
        return [] if parent is None else [parent.name, *above(parent)]

    path = {span.name: above(span) for span in by_id.values()}
    assert path["PP-OCRv4_mobile_det"] == ["text_detection", "ocr", "InferRequest", "POST /ocr"]
    assert path["PP-OCRv4_mobile_rec"] == ["text_recognition", "ocr", "InferRequest", "POST /ocr"]
    assert path["read"] == path["draw"] == ["POST /ocr"]
    assert {span.service for span in by_id.values()} == {"paddlex-triton-gateway", "paddlex-triton"}


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
