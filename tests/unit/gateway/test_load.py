"""Limits: what is turned away, when, and that work ends with whoever waits for it."""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from gateway_world import MODELS, answer, base64_of, picture
from starlette.responses import Response

from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.gateway.errors import GatewayError
from paddlex_triton.gateway.settings import GatewaySettings

KEY = "0123456789abcdef"


class Waiting(AsyncMockTransport):
    """Answers once it is let go; counts who waits and who was cancelled."""

    def __init__(self):
        super().__init__(answer, models=MODELS)
        self.let_go = threading.Event()
        self.waiting = self.cancelled = 0

    async def infer(self, model, inputs, outputs, *, request_id, timeout_s):
        self.waiting += 1
        try:
            while not self.let_go.is_set():
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().infer(model, inputs, outputs, request_id=request_id, timeout_s=timeout_s)


@pytest.fixture
def waiting(triton) -> Waiting:
    triton.transport = Waiting()
    return triton.transport


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("most", [1, 3])
def test_requests_beyond_the_limit_are_turned_away_unread(running, waiting, page, most):
    gateway = running(max_in_flight=most)
    body = {"file": page, "fileType": 1, "visualize": False}
    with ThreadPoolExecutor(most) as callers:
        accepted = [callers.submit(httpx.post, f"{gateway.url}/ocr", json=body, timeout=30) for _ in range(most)]
        until(lambda: waiting.waiting == most)
        refused = httpx.post(f"{gateway.url}/ocr", json=body)
        metrics = httpx.get(f"{gateway.url}/metrics").text
        waiting.let_go.set()
        assert [each.result().status_code for each in accepted] == [200] * most
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["errorMsg"] == f"too many requests: {most} are worked on at once; try again"
    assert f"paddlex_gateway_in_flight {most}.0" in metrics
    assert f"paddlex_gateway_in_flight_limit {most}.0" in metrics
    assert "process_resident_memory_bytes" in metrics
    assert 'paddlex_gateway_refused_total{pipeline="OCR",reason="in_flight"} 1.0' in metrics
    assert httpx.post(f"{gateway.url}/ocr", json=body).status_code == 200


def test_the_work_of_a_caller_who_hangs_up_ends(running, waiting, page):
    gateway = running(max_in_flight=1)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway.url}/ocr", json={"file": page, "fileType": 1}, timeout=0.5)
    until(lambda: waiting.cancelled == 1)
    waiting.let_go.set()
    until(lambda: "paddlex_gateway_in_flight 0.0" in httpx.get(f"{gateway.url}/metrics").text)
    assert 'paddlex_gateway_hung_up_total{pipeline="OCR"} 1.0' in httpx.get(f"{gateway.url}/metrics").text


async def test_a_request_that_takes_too_long(client, waiting, page):
    async with client(timeout_s=0.2) as gateway:
        response = await gateway.post("/ocr", json={"file": page, "fileType": 1})
    assert response.status_code == 504
    assert waiting.cancelled == 1


async def test_the_time_is_told_to_triton(client, triton, page):
    async with client(timeout_s=7) as gateway:
        await gateway.post("/ocr", json={"file": page, "fileType": 1})
    assert 6 < triton.transport.sent[0].timeout_s <= 7


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
@pytest.mark.parametrize("told", [True, False])
async def test_bytes_of_a_body(client, page, more, status, told):
    body = json.dumps({"file": page, "fileType": 1, "visualize": False}).encode()

    async def chunks():
        yield body[:100]
        yield body[100:]

    async with client(max_body_bytes=len(body) - more) as gateway:
        response = await gateway.post("/ocr", content=body if told else chunks())
    assert response.status_code == status
    if status == 413:
        assert response.json()["errorMsg"] == f"the body has more than the {len(body) - 1} bytes that are allowed"


def test_a_body_that_does_not_come(running):
    gateway = running(max_upload_s=0.3, max_in_flight=1)
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        answered = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answered.startswith(b"HTTP/1.1 408")
    assert b"did not come within 0.3 s" in answered


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /ocr HTT", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", b"GET / HTTP/1.1\r\nHost: x\r\nA: "],
    ids=["nothing", "a word", "a second request", "headers"],
)
def test_headers_that_do_not_come(running, sent):
    gateway = running(max_upload_s=0.5)
    with connected(gateway) as connection:
        start = time.monotonic()
        connection.sendall(sent)
        connection.settimeout(30)
        answered = b"".join(iter(lambda: connection.recv(4096), b""))
        assert 0.3 < time.monotonic() - start < 20
    assert answered.count(b"HTTP/1.1 ") == sent.count(b"\r\n\r\n")
    assert httpx.get(f"{gateway.url}/health").status_code == 200


def test_headers_that_come_byte_by_byte(running):
    gateway = running(max_upload_s=0.5)
    with connected(gateway) as connection, pytest.raises(ConnectionError):
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.02)


@pytest.mark.parametrize("takes", [True, False])
def test_answers_that_are_not_taken(running, takes):
    gateway = running(max_upload_s=0.5)
    large = b"x" * 2**24
    gateway._server.config.app.add_api_route("/large", lambda: Response(large))
    with connected(gateway, small=True) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        came = 0
        connection.settimeout(10)
        time.sleep(0.0 if takes else 2.0)
        with suppress(ConnectionError):
            while piece := connection.recv(2**20):
                came += len(piece)
                # Slower than the gateway is patient, and not standing still.
                time.sleep(0.01)
    assert (came > len(large)) == takes


def connected(gateway, *, small=False):
    host, port = gateway.url.removeprefix("http://").split(":")
    connection = socket.socket()
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    connection.connect((host, int(port)))
    return connection


def test_what_is_in_flight_is_answered_when_the_gateway_stops(running, waiting, page):
    gateway = running()
    with ThreadPoolExecutor(2) as callers:
        asked = callers.submit(httpx.post, f"{gateway.url}/ocr", json={"file": page, "fileType": 1}, timeout=30)
        until(lambda: waiting.waiting == 1)
        stopping = callers.submit(gateway.stop)
        time.sleep(0.2)
        assert not stopping.done()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{gateway.url}/health")
        waiting.let_go.set()
        assert asked.result().status_code == 200
        stopping.result()


def test_slow_documents_hold_up_nobody(running, page, monkeypatch):
    from paddlex_triton.gateway import reading

    rendering = threading.Event()
    let_go = threading.Event()
    real = reading.open_document

    def slow(data, file_type, *others):
        if file_type == 0:
            rendering.set()
            assert let_go.wait(20)
            return real(picture(), 1, *others)
        return real(data, file_type, *others)

    monkeypatch.setattr(reading, "open_document", slow)
    gateway = running(max_in_flight=12)
    with ThreadPoolExecutor(11) as callers:
        slow_one = {"file": page, "fileType": 0, "visualize": False}
        held = [callers.submit(httpx.post, f"{gateway.url}/ocr", json=slow_one, timeout=30) for _ in range(11)]
        assert rendering.wait(10)
        quick = httpx.post(f"{gateway.url}/ocr", json={"file": page, "fileType": 1, "visualize": False}, timeout=10)
        let_go.set()
        assert [each.result().status_code for each in held] == [200] * 11
    assert quick.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "wrong"}, 401),
        ({"Authorization": f"Basic {KEY}"}, 401),
        ({"X-API-Key": KEY}, 200),
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"Authorization": "bearer another-key-of-16"}, 200),
    ],
)
async def test_keys(client, page, headers, status):
    async with client(api_keys=frozenset({KEY, "another-key-of-16"})) as gateway:
        response = await gateway.post("/ocr", json={"file": page, "fileType": 1, "visualize": False}, headers=headers)
        health = await gateway.get("/health")
    assert (response.status_code, health.status_code) == (status, 200)
    if status == 401:
        assert response.json()["errorCode"] == 401
        assert response.headers["www-authenticate"] == "Bearer"


async def test_numbers_are_for_those_with_a_key(client):
    async with client(api_keys=frozenset({KEY})) as gateway:
        refused, told = [await gateway.get("/metrics", headers=headers) for headers in ({}, {"X-API-Key": KEY})]
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "paddlex_gateway" not in refused.text
    assert "paddlex_gateway_in_flight" in told.text
    async with client(api_keys=frozenset({KEY}), open_metrics=True) as gateway:
        assert (await gateway.get("/metrics")).status_code == 200
        assert (await gateway.post("/ocr", json={})).status_code == 401


@pytest.mark.parametrize("wrong", [{"max_in_flight": 0}, {"max_body_bytes": 0}, {"api_keys": frozenset({KEY[:-1]})}])
def test_settings_that_cannot_be(wrong):
    with pytest.raises(GatewayError, match="at least"):
        GatewaySettings("127.0.0.1:1", **wrong)


@pytest.mark.parametrize(("origins", "allowed"), [((), None), (("https://a.example",), "https://a.example")])
async def test_web_pages_elsewhere(client, page, origins, allowed):
    async with client(cors_origins=origins) as gateway:
        response = await gateway.post(
            "/ocr", json={"file": page, "fileType": 1}, headers={"Origin": "https://a.example"}
        )
        other = await gateway.post("/ocr", json={"file": page}, headers={"Origin": "https://b.example"})
    assert response.headers.get("access-control-allow-origin") == allowed
    assert "access-control-allow-origin" not in other.headers


def test_large_and_small_requests_give_the_same(running, page):
    gateway = running()
    large = base64_of(picture(3000, 2000, ".bmp"))
    for body in (page, large):
        answered = httpx.post(f"{gateway.url}/ocr", json={"file": body, "fileType": 1, "visualize": False}, timeout=30)
        assert answered.json()["result"]["ocrResults"][0]["prunedResult"]["rec_texts"] == ["first", "第二"]


def test_a_caller_who_offers_another_protocol_has_a_body_all_the_same(running, page):
    headers = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    }
    answered = httpx.post(
        f"{running().url}/ocr", json={"file": page, "fileType": 1, "visualize": False}, headers=headers
    )
    assert answered.status_code == 200
