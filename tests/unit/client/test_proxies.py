"""Proxies of the environment: for other machines, not for this one."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from paddlex_triton.client.exceptions import ServerUnavailableError
from paddlex_triton.client.transports import Endpoint, open_async_transport, open_transport

INPUTS = {"image": np.array([b"x"], dtype=object)}


class Proxy(BaseHTTPRequestHandler):
    """Refuses everything and remembers what it was asked."""

    asked: list[str] = []  # noqa: RUF012

    def do_POST(self):
        self.asked.append(self.requestline)
        self.send_error(502)

    def do_CONNECT(self):
        self.do_POST()

    def log_message(self, format, *args):
        pass


@pytest.fixture
def proxy(monkeypatch) -> Iterator[list[str]]:
    """A proxy for everything in the environment; the requests that came to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(Proxy, "asked", [])
    yield Proxy.asked
    server.shutdown()
    server.server_close()


def infer(url: str, is_async: bool) -> None:
    endpoint = Endpoint.parse(url)
    request: dict[str, Any] = {"request_id": "", "timeout_s": 10.0}
    if not is_async:
        transport = open_transport(endpoint)
        try:
            transport.infer("ocr", INPUTS, (), **request)
        finally:
            transport.close()
        return

    async def run() -> None:
        transport = open_async_transport(endpoint)
        try:
            await transport.infer("ocr", INPUTS, (), **request)
        finally:
            await transport.close()

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("is_async", [False, True])
def test_proxies_are_not_asked_for_this_machine(proxy, scheme, host, is_async):
    # Nobody listens on port 1: whoever answers is the proxy.
    with pytest.raises(ServerUnavailableError, match="no server answers at"):
        infer(f"{scheme}://{host}:1", is_async)
    assert proxy == []


@pytest.mark.parametrize(
    ("url", "asked"), [("http://triton.test:8000", "POST http://triton.test:8000/"), ("triton.test:8001", "CONNECT ")]
)
@pytest.mark.parametrize("is_async", [False, True])
def test_proxies_are_asked_for_others(proxy, url, asked, is_async):
    with pytest.raises(ServerUnavailableError):
        infer(url, is_async)
    assert proxy
    assert proxy[0].startswith(asked)
