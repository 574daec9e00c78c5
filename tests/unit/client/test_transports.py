"""The wire: what is sent and how answers and refusals are read, against small servers of our own."""

import asyncio
import contextlib
import dataclasses
import json
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from paddlex_triton.client import AsyncPipeline
from paddlex_triton.client.exceptions import (
    DeadlineExceededError,
    ImageTooLargeError,
    InvalidImageError,
    PaddleXTritonError,
    PipelineClosedError,
    PipelineNotLoadedError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
    UnsupportedError,
)
from paddlex_triton.client.transports import Endpoint, open_async_transport, open_transport
from paddlex_triton.client.transports.base import datatype, microseconds
from paddlex_triton.limits import MAX_TIMEOUT_S
from paddlex_triton.pipelines import find_pipeline

INPUTS = {"image": np.array([b"\0\x89bytes"], dtype=object), "params": np.array([b"{}"], dtype=object)}
OUTPUTS = ("texts", "scores", "kept", "points", "none")
TEXTS = ["你好".encode(), b""]


def lengths_in_front(values: list[bytes]) -> bytes:
    """KServe's BYTES: four bytes of length before each element."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


ANSWER: dict[str, tuple[str, list[int], bytes]] = {
    "texts": ("BYTES", [2], lengths_in_front(TEXTS)),
    "scores": ("FP32", [2], np.array([0.5, 0.25], "<f4").tobytes()),
    "kept": ("BOOL", [2], b"\x01\x00"),
    "points": ("INT32", [2, 2], np.array([1, 2, 3, 4], "<i4").tobytes()),
    "none": ("BYTES", [0], b""),
}
# What the small servers refuse with: HTTP status, gRPC status, message.
REFUSALS: dict[str, tuple[int, grpc.StatusCode, str, type[PaddleXTritonError]]] = {
    "bad_image": (
        400,
        grpc.StatusCode.INVALID_ARGUMENT,
        "in ensemble 'ocr', doc_preprocessor: INVALID_IMAGE: no image",
        InvalidImageError,
    ),
    "unknown": (404, grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'unknown'", PipelineNotLoadedError),
    "unsupported": (501, grpc.StatusCode.UNIMPLEMENTED, "no", UnsupportedError),
    "full": (503, grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size", ServerBusyError),
    "timeout": (503, grpc.StatusCode.UNAVAILABLE, "Request timeout expired", DeadlineExceededError),
    "away": (503, grpc.StatusCode.UNAVAILABLE, "not ready", ServerUnavailableError),
    "fault": (500, grpc.StatusCode.INTERNAL, "boom", ServerError),
    "stopping": (404, grpc.StatusCode.NOT_FOUND, "'ocr' has no available versions", ServerUnavailableError),
    "stub": (500, grpc.StatusCode.INTERNAL, "Stub process 'x' is not healthy.", ServerUnavailableError),
    "too_large": (
        413,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "Received message larger than max (5 vs. 4)",
        ImageTooLargeError,
    ),
}


@dataclass
class Seen:
    """The last request that came, taken apart by hand."""

    model: str = ""
    request_id: str = ""
    timeout_us: int | None = None
    inputs: dict[str, tuple[str, list[int], bytes]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)


SEEN = Seen()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        ready = self.path in ("/v2/health/ready", "/v2/models/ocr/ready")
        if self.path == "/v2":
            self._send(200, json.dumps({"name": "small"}).encode())
        else:
            self._send(200 if ready else 400, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        model = self.path.split("/")[3]
        header_length = int(self.headers["Inference-Header-Content-Length"])
        header, rest = json.loads(body[:header_length]), body[header_length:]
        SEEN.model, SEEN.request_id = model, header.get("id", "")
        SEEN.timeout_us = header.get("parameters", {}).get("timeout")
        SEEN.inputs, SEEN.outputs = {}, [output["name"] for output in header["outputs"]]
        for tensor in header["inputs"]:
            size = tensor["parameters"]["binary_data_size"]
            SEEN.inputs[tensor["name"]] = (tensor["datatype"], tensor["shape"], rest[:size])
            rest = rest[size:]
        assert rest == b""
        assert all(output["parameters"]["binary_data"] for output in header["outputs"])
        self._answer(model)

    def _answer(self, model):
        if model == "slow":
            time.sleep(1.0)
        if model == "proxy":
            return self._send(502, b"<html>Bad\n Gateway</html>")
        if model == "nonsense":
            return self._send(200, b"not json", {"Inference-Header-Content-Length": "8"})
        if model in REFUSALS:
            status, _, message, _ = REFUSALS[model]
            return self._send(status, json.dumps({"error": message}).encode())
        tensors = [
            {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
            for name, (kind, shape, raw) in ANSWER.items()
        ]
        header = json.dumps({"model_name": model, "model_version": "1", "outputs": tensors}).encode()
        body = header + b"".join(raw for _, _, raw in ANSWER.values())
        return self._send(200, body, {"Inference-Header-Content-Length": str(len(header))})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        # Some tests hang up early.
        with contextlib.suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format, *args):
        pass


# protobuf makes its classes when it is imported, out of a type checker's sight.
messages: Any = service_pb2


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    def ServerReady(self, request, context):
        return messages.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):
        return messages.ModelReadyResponse(ready=request.name == "ocr")

    def ServerMetadata(self, request, context):
        return messages.ServerMetadataResponse(name="small")

    def ModelInfer(self, request, context):
        SEEN.model, SEEN.request_id = request.model_name, request.id
        SEEN.timeout_us = request.parameters["timeout"].int64_param if "timeout" in request.parameters else None
        SEEN.inputs = {
            tensor.name: (tensor.datatype, list(tensor.shape), raw)
            for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True)
        }
        SEEN.outputs = [output.name for output in request.outputs]
        if request.model_name == "slow":
            time.sleep(1.0)
        if request.model_name in REFUSALS:
            _, status, message, _ = REFUSALS[request.model_name]
            context.abort(status, message)
        response = messages.ModelInferResponse(model_name=request.model_name)
        for name, (kind, shape, raw) in ANSWER.items():
            response.outputs.add(name=name, datatype=kind, shape=shape)
            response.raw_output_contents.append(raw)
        return response


@pytest.fixture(scope="module")
def http_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def grpc_url() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


class Twins:
    """Blocking and asyncio transport behind one blocking face."""

    def __init__(self, url: str, is_async: bool) -> None:
        self._url, self._async = url, is_async

    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        endpoint = Endpoint.parse(self._url)
        if not self._async:
            transport = open_transport(endpoint)
            try:
                return getattr(transport, method)(*arguments, **keywords)
            finally:
                transport.close()

        async def run() -> Any:
            transport = open_async_transport(endpoint)
            try:
                return await getattr(transport, method)(*arguments, **keywords)
            finally:
                await transport.close()

        return asyncio.run(run())

    def infer(self, model: str = "ocr", timeout_s: float | None = 30.0) -> dict[str, np.ndarray]:
        return self.call("infer", model, INPUTS, OUTPUTS, request_id="id-1", timeout_s=timeout_s)


@pytest.fixture(params=["http", "http async", "grpc", "grpc async"])
def twins(request, http_url, grpc_url) -> Twins:
    return Twins(http_url if "http" in request.param else grpc_url, "async" in request.param)


def test_a_request_and_its_answer(twins):
    arrays = twins.infer()
    assert arrays["texts"].tolist() == TEXTS
    assert arrays["scores"].tolist() == [0.5, 0.25]
    assert arrays["scores"].dtype == np.float32
    assert arrays["kept"].tolist() == [True, False]
    assert arrays["points"].tolist() == [[1, 2], [3, 4]]
    assert arrays["none"].shape == (0,)
    assert list(arrays) == list(OUTPUTS)
    assert (SEEN.model, SEEN.request_id, SEEN.outputs) == ("ocr", "id-1", list(OUTPUTS))
    assert SEEN.inputs == {
        "image": ("BYTES", [1], lengths_in_front([b"\0\x89bytes"])),
        "params": ("BYTES", [1], lengths_in_front([b"{}"])),
    }


@pytest.mark.parametrize(("timeout_s", "expected"), [(None, None), (2.5, 2_500_000)])
def test_the_timeout_travels_in_microseconds(twins, timeout_s, expected):
    twins.infer(timeout_s=timeout_s)
    assert SEEN.timeout_us == expected


@pytest.mark.parametrize("model", REFUSALS)
def test_refusals_become_their_class(twins, model):
    with pytest.raises(REFUSALS[model][3]) as caught:
        twins.infer(model)
    assert type(caught.value) is REFUSALS[model][3]
    assert caught.value.request_id == "id-1"


def test_the_timeout_is_the_client_s_own_deadline_too(twins):
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError, match="within the timeout"):
        twins.infer("slow", timeout_s=0.2)
    assert time.monotonic() - started < 0.9


def test_readiness_and_metadata(twins):
    assert twins.call("server_ready") is True
    assert twins.call("model_ready", "ocr") is True
    assert twins.call("model_ready", "seal_recognition") is False
    assert twins.call("metadata")["name"] == "small"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1"])
@pytest.mark.parametrize("is_async", [False, True])
def test_nobody_there(url, is_async):
    nobody = Twins(url, is_async)
    with pytest.raises(ServerUnavailableError, match=r"no server answers at .*127\.0\.0\.1:1"):
        nobody.infer()
    assert nobody.call("server_ready") is False
    assert nobody.call("model_ready", "ocr") is False
    with pytest.raises(ServerUnavailableError):
        nobody.call("metadata")


@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_no_triton(http_url, is_async):
    with pytest.raises(ServerUnavailableError, match="HTTP 502 Bad Gateway: <html>Bad Gateway"):
        Twins(http_url, is_async).infer("proxy")
    with pytest.raises(ServerError, match="cannot be read"):
        Twins(http_url, is_async).infer("nonsense")


def test_a_missing_output(twins):
    with pytest.raises(ServerError, match=r"no output '?more"):
        twins.call("infer", "ocr", INPUTS, ("texts", "more"), request_id="", timeout_s=None)


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_closed_transport(kind, http_url, grpc_url):
    transport = open_transport(Endpoint.parse(http_url if kind == "http" else grpc_url))
    transport.close()
    transport.close()
    with pytest.raises(PipelineClosedError):
        transport.infer("ocr", INPUTS, OUTPUTS, request_id="", timeout_s=None)
    with pytest.raises(PipelineClosedError):
        transport.metadata()
    assert transport.server_ready() is False
    assert transport.model_ready("ocr") is False


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_a_closed_transport_on_asyncio(kind, http_url, grpc_url):
    transport = open_async_transport(Endpoint.parse(http_url if kind == "http" else grpc_url))
    await transport.close()
    await transport.close()
    with pytest.raises(PipelineClosedError):
        await transport.infer("ocr", INPUTS, OUTPUTS, request_id="", timeout_s=None)
    with pytest.raises(PipelineClosedError):
        await transport.metadata()
    assert await transport.server_ready() is False
    assert await transport.model_ready("ocr") is False


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_closing_while_a_request_is_on_its_way(kind, http_url, grpc_url):
    endpoint = Endpoint.parse(http_url if kind == "http" else grpc_url)
    slow = dataclasses.replace(find_pipeline("OCR"), ensemble="slow")
    ocr = AsyncPipeline(slow, lambda: (lambda: open_async_transport(endpoint), lambda: None))

    async def consume():
        return [result async for result in ocr.predict(np.zeros((4, 4, 3), np.uint8))]

    SEEN.model = ""
    task = asyncio.create_task(consume())
    while SEEN.model != "slow":
        await asyncio.sleep(0.01)
    await ocr.close()
    with pytest.raises(PipelineClosedError):
        await task


def test_a_value_error_is_not_a_closed_connection(twins):
    with pytest.raises(ValueError, match="float64"):
        twins.call("infer", "ocr", {"image": np.zeros(1)}, OUTPUTS, request_id="", timeout_s=None)


def test_the_longest_timeout_is_taken(twins):
    assert twins.infer(timeout_s=MAX_TIMEOUT_S)["texts"].tolist() == TEXTS


@pytest.mark.parametrize("is_async", [False, True])
def test_a_port_of_the_other_protocol_is_hinted_at(http_url, grpc_url, is_async):
    http_port = http_url.removeprefix("http://")
    with pytest.raises(
        ServerUnavailableError, match=f"does not answer in gRPC; if it is the HTTP port, say {http_url} "
    ):
        Twins(http_port, is_async).infer()
    with pytest.raises(ServerUnavailableError, match=f"does not answer in HTTP .*say grpc://{grpc_url} "):
        Twins(f"http://{grpc_url}", is_async).infer()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1"])
def test_no_hint_where_nobody_listens(url):
    with pytest.raises(ServerUnavailableError) as caught:
        Twins(url, False).infer()
    assert "port" not in str(caught.value)


def test_threads_share_a_transport(http_url, grpc_url):
    for url in (http_url, grpc_url):
        transport = open_transport(Endpoint.parse(url))

        def infer(index: int, transport=transport) -> list[bytes]:
            arrays = transport.infer("ocr", INPUTS, OUTPUTS, request_id=str(index), timeout_s=30.0)
            return arrays["texts"].tolist()

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(infer, range(40))) == [TEXTS] * 40
        transport.close()


def test_types_on_the_wire():
    kinds: dict[type[np.generic], str] = {
        np.uint8: "UINT8",
        np.int32: "INT32",
        np.int64: "INT64",
        np.float32: "FP32",
        np.bool_: "BOOL",
    }
    assert {kind: datatype(np.zeros(1, kind)) for kind in kinds} == kinds
    with pytest.raises(ValueError, match="float64"):
        datatype(np.zeros(1))
    assert [microseconds(value) for value in (None, 1.5, 1e-9)] == [None, 1_500_000, 1]
