"""What callers are told when something goes wrong: nothing about the machine, its files and its environment."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton.bench.compare.process_tree import tree_of
from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings
from paddlex_triton.server.host.launcher import EmbeddedServer

ROOT = Path(__file__).resolve().parents[2]
# Absolute paths, folders of sources, files, tracebacks, addresses. Engines name files of their own sources. No request
# here holds any of these.
TELLING = re.compile(
    r"""(?<![\w.:/])/(?:[\w.+-]+/)+[\w.+-]* | [A-Z]:\\ | [\w.]/[\w./-]+\.(?:cc|cpp|h|hpp)\b | \w\.(?:py|so|pbtxt|onnx)\b
    | site-packages | Traceback | File\ " | 0x[0-9a-f]{6,} | [\w.-]+@[\w.-]+""",
    re.VERBOSE,
)
# Of this process, which has started the servers.
LEAST_TELLING_VALUE = 6
NAMES = {name for name in os.environ if "_" in name}
VALUES = {value for value in os.environ.values() if len(value) >= LEAST_TELLING_VALUE}
HOST = {str(ROOT), sys.prefix, str(Path.home()), socket.gethostname()} - {"/", "localhost"}


def check_message(message: str) -> None:
    """The caller is told something, and nothing about the machine."""
    assert message
    assert not TELLING.search(message), message
    assert not [text for text in NAMES | VALUES | HOST if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", message)], (
        message
    )


def images(sample: bytes) -> Iterator[bytes]:
    """Files that are no images, damaged ones, and ones that lie about their size."""
    yield from (b"", b"\0", b"no image", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"GIF89a\1\0\1\0")
    pixels = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
    files = [
        sample,
        *(cv2.imencode(suffix, pixels)[1].tobytes() for suffix in (".jpg", ".png", ".bmp", ".tiff", ".webp")),
    ]
    rng = np.random.default_rng(0)
    for file in files:
        yield file[: len(file) // 2]
        yield file[:20]
        damaged = np.frombuffer(file, np.uint8).copy()
        damaged[rng.integers(8, min(len(file), 400), 30)] = rng.integers(0, 256, 30)
        yield damaged.tobytes()
    # 65535 pixels a side.
    yield files[2][:16] + b"\0\0\xff\xff\0\0\xff\xff" + files[2][24:]


PARAMS = [
    b"", b"{", b"[]", b"null", b"\xff", b"{}{}", b'{"no_such": 1}', b'{"text_det_thresh": "x"}',
    b'{"text_det_limit_type": "middle"}', b'{"use_textline_orientation": true}', b'{"use_doc_unwarping": true}',
    b'{"text_rec_score_thresh": NaN}', b'{"text_detection_model_name": "other"}', b'{"text_det_limit_side_len": 1e99}',
    b'{"a": ' + b"[" * 2000, b"1" * 70_000,
]  # fmt: skip


def bytes_input(name: str, value: bytes, shape: tuple[int, ...] = (1,)) -> grpcclient.InferInput:
    tensor = grpcclient.InferInput(name, list(shape), "BYTES")
    tensor.set_data_from_numpy(np.full(shape, value, dtype=object))
    return tensor


def any_input(
    name: str, datatype: str, shape: list[int], sizes_of: list[int], rng: np.random.Generator
) -> grpcclient.InferInput:
    """A tensor of the right type and rank, with values of any kind, and sizes of some."""
    sizes = [int(rng.choice(sizes_of)) if size < 0 else size for size in shape]
    if datatype == "BYTES":
        value: Any = rng.choice([b"", b"x", b"{}", b'{"a": 1}', b"\xff\xfe", b"OCR", b"seal"])
        return bytes_input(name, bytes(value), tuple(sizes))
    kind = np.dtype({"FP32": "f4", "UINT8": "u1", "INT32": "i4", "INT64": "i8", "BOOL": "?"}[datatype])
    whole = [0, 1, 255] if kind.itemsize == 1 else [0, 1, -1, 2**31 - 1, -(2**31)]
    value = rng.choice([0, np.nan, np.inf, -1e30] if kind.kind == "f" else whole)
    tensor = grpcclient.InferInput(name, sizes, datatype)
    tensor.set_data_from_numpy(np.full(sizes, value).astype(kind))
    return tensor


@pytest.fixture(scope="module")
def refused(triton) -> Callable[..., str | None]:
    """`refused(model, inputs)` -> what the server says against it over gRPC, None if it answers."""

    def infer(model: str, inputs: list[grpcclient.InferInput], **options: Any) -> str | None:
        try:
            triton.infer(model, inputs, client_timeout=60, **options)
        except InferenceServerException as error:
            return error.message()
        return None

    return infer


def test_pages_that_are_refused(refused, sample):
    told = [refused("ocr", [bytes_input("image", image)]) for image in images(sample)]
    told += [refused("ocr", [bytes_input("image", sample), bytes_input("params", params)]) for params in PARAMS]
    messages = [message for message in told if message is not None]
    # A damaged file may still show something, and a number may be large enough.
    assert len(messages) > 25
    for message in messages:
        check_message(message)


def test_requests_that_are_refused(refused, sample):
    image = bytes_input("image", sample)
    whole = np.zeros(1, np.float32)
    wrong_type = grpcclient.InferInput("image", [1], "FP32")
    wrong_type.set_data_from_numpy(whole)
    unknown = [grpcclient.InferRequestedOutput("no_such")]
    for message in (
        refused("no_such", [image]),
        refused("ocr", [image], model_version="7"),
        refused("ocr", []),
        refused("ocr", [image, bytes_input("no_such", b"")]),
        refused("ocr", [bytes_input("image", sample, (2,))]),
        refused("ocr", [wrong_type]),
        refused("ocr", [image], outputs=unknown),
        refused("ocr", [image], timeout=1),
        refused("ocr", [image], parameters={"no_such": "x"}, sequence_id=5) or "answered",
    ):
        assert message is not None
        check_message(message)


def test_modules_and_networks_that_are_called_with_anything(refused, triton, server):
    rng = np.random.default_rng(1)
    assert server.assembly is not None
    messages = set()
    modules = ("ocr.doc_preprocessor", "text_detection", "text_recognition")
    for model in (*server.assembly.networks, *modules):
        wanted = triton.get_model_metadata(model).inputs
        # Triton 24.10 never answers a batch of no rows whose rows have no elements.
        sizes_of = [0, 1, 3, 40] if model in modules else [1, 3, 40]
        for _ in range(25):
            inputs = [any_input(each.name, each.datatype, list(each.shape), sizes_of, rng) for each in wanted]
            kept = [tensor for tensor in inputs if rng.random() < 0.9]
            messages.add(refused(model, kept))
    messages.discard(None)
    assert len(messages) > 15
    for message in messages:
        check_message(message)


@pytest.mark.parametrize("model", ["ocr", "text_detection", "no_such"])
def test_bodies_that_are_refused(server, model):
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES"}
    contents = [
        b"", b"{", b"[]", b"\xff", b'{"inputs": 1}', b'{"inputs": []}',
        *(json.dumps({"inputs": [given]}).encode() for given in (
            {}, tensor, {**tensor, "data": 1}, {**tensor, "data": [1]}, {**tensor, "data": ["a", "b"]},
            {**tensor, "shape": [-1], "data": []}, {**tensor, "datatype": "NONE", "data": ["a"]},
            {**tensor, "data": ["a"]},
            {**tensor, "parameters": {"binary_data_size": 10**9}},
            {**tensor, "parameters": {"shared_memory_region": "x", "shared_memory_byte_size": 1}},
        )),
    ]  # fmt: skip
    headers = [{}, {"Inference-Header-Content-Length": "5"}, {"Inference-Header-Content-Length": "x"}]
    headers += [{"Content-Encoding": coding} for coding in ("gzip", "br", "zstd")]
    with httpx.Client(base_url=server.http_url, trust_env=False, timeout=30) as client:
        for content in contents:
            for header in headers:
                answer = client.post(f"/v2/models/{model}/infer", content=content, headers=header)
                assert answer.status_code >= 400
                check_message(answer.text)
                check_message(" ".join(answer.headers.values()))
        for path in (
            "/",
            "/v2/models/ocr/versions/7",
            "/v2/models/no_such/stats",
            "/v2/no_such",
            "/v2/models/ocr/config",
        ):
            check_message(client.get(path).text)


@pytest.fixture(scope="module")
def rest(server):
    """The REST API in front of it."""
    gateway = Gateway(GatewaySettings(server.grpc_url), "127.0.0.1", 0)
    gateway.start()
    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=60) as client:
        yield client
    gateway.stop()


def test_rest_bodies_that_are_refused(rest, sample):
    page = base64.b64encode(sample).decode()
    bodies: list[Any] = [
        None, [], 1, {}, {"file": 1}, {"file": page}, {"file": page, "fileType": 7},
        {"file": "not base64!", "fileType": 1},
        {"file": "http://127.0.0.1:1/x", "fileType": 1}, {"file": "file:///no_such", "fileType": 1},
        {"file": page, "fileType": 0}, {"file": page, "fileType": 1, "useTextlineOrientation": True},
        {"file": page, "fileType": 1, "textDetThresh": "x"}, {"file": page, "fileType": 1, "noSuch": 1, "logId": []},
        {"image": page, "inferenceParams": {"maxLongSide": -1}}, {"image": 5},
    ]  # fmt: skip
    bodies += [
        {"file": base64.b64encode(image).decode(), "fileType": kind} for image in images(sample) for kind in (0, 1)
    ]
    refusals = 0
    for body in bodies:
        answer = rest.post("/ocr", json=body)
        refusals += answer.status_code >= 400
        if answer.status_code >= 400:
            check_message(answer.json()["errorMsg"])
            assert answer.status_code != 500
    assert refusals > 40
    for method, path in (("POST", "/seal-recognition"), ("GET", "/ocr"), ("GET", "/no_such"), ("GET", "/page/no_such")):
        answer = rest.request(method, path, json={"file": page, "fileType": 1} if method == "POST" else None)
        assert answer.status_code >= 400
        check_message(answer.json()["errorMsg"])


def test_processes_that_were_killed(networks, tmp_path, sample):
    body = {"file": base64.b64encode(sample).decode(), "fileType": 1}
    log = tmp_path / "triton.log"
    with EmbeddedServer(["OCR"], presets={"OCR": "PP-OCRv4_mobile"}, log_file=log) as server:
        gateway = Gateway(GatewaySettings(server.grpc_url), "127.0.0.1", 0)
        gateway.start()
        try:
            for lost in ("text_recognition", "PP-OCRv4_mobile_det", "tritonserver"):
                kill(server, lost)
                with grpcclient.InferenceServerClient(server.grpc_url) as client:
                    with pytest.raises(InferenceServerException) as told:
                        client.infer("ocr", [bytes_input("image", sample)], client_timeout=60)
                    # The last one is the channel's, which knows the address that was called.
                    if lost != "tritonserver":
                        check_message(told.value.message())
                answer = httpx.post(f"{gateway.url}/ocr", json=body, trust_env=False, timeout=60)
                assert answer.status_code in (500, 503)
                check_message(answer.json()["errorMsg"])
        finally:
            gateway.stop()


def kill(server: EmbeddedServer, lost: str) -> None:
    """Kill tritonserver, or all processes of a model."""
    assert server.pid is not None
    for pid in tree_of(server.pid):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        if f"/{lost}/" in command or (lost == "tritonserver" and pid == server.pid):
            os.kill(pid, signal.SIGKILL)
