"""A short soak; the long one is a command."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import cv2
import pytest

from paddlex_triton.bench.soak.__main__ import soak
from paddlex_triton.bench.soak.callers import ClientCaller, RestCaller
from paddlex_triton.bench.soak.requests import make_pages
from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "page.png"


@pytest.fixture
def callers(server):
    with ExitStack() as stack:
        gateway = Gateway(GatewaySettings(server.grpc_url), "127.0.0.1", 0)
        gateway.start()
        stack.callback(gateway.stop)
        ways = [
            ClientCaller("grpc", server.grpc_url, server.http_url, ["OCR"]),
            ClientCaller("http", server.http_url, server.http_url, ["OCR"]),
            RestCaller(gateway.url),
        ]
        yield [stack.enter_context(closing(way)) for way in ways]


def test_500_requests(server, callers):
    image = cv2.imread(str(SAMPLE))
    assert image is not None
    report = soak(callers, {"OCR": make_pages(image, 0)}, server.pid, requests=500, hostile_share=0.2, look_every_s=1)
    assert report.failures == []
    assert sum(sum(of_way.values()) for of_way in report.outcomes.values()) >= 500
    assert report.outcomes.keys() == {"grpc", "http", "rest"}
    for way, answered in (("grpc", "answered"), ("http", "answered"), ("rest", "200")):
        assert report.outcomes[way][answered] > 50
        assert len(report.outcomes[way]) > 1
