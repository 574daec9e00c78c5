"""Gateways in front of servers that answer by themselves."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gateway_world import MODELS, answer, base64_of, picture

from paddlex_triton.client import async_pipeline
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.gateway import service
from paddlex_triton.gateway.app import create_app
from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings


@pytest.fixture
def page() -> str:
    """A white picture of 200 x 120 pixels in base64."""
    return base64_of(picture())


@pytest.fixture
def triton(monkeypatch) -> SimpleNamespace:
    """What the gateway finds in Triton's place: `transport` can be exchanged until the gateway is made."""
    there = SimpleNamespace(transport=AsyncMockTransport(answer, models=MODELS))
    for module in (service, async_pipeline):
        monkeypatch.setattr(module, "open_async_transport", lambda endpoint: there.transport)
    return there


@pytest.fixture
def client(triton) -> Callable[..., httpx.AsyncClient]:
    """Makes clients of gateways, which take `GatewaySettings`."""

    def make(**settings: Any) -> httpx.AsyncClient:
        app = create_app(GatewaySettings("127.0.0.1:1", **settings))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")

    return make


@pytest.fixture
def running(triton) -> Iterator[Callable[..., Gateway]]:
    """Makes gateways on ports of their own, and stops them in the end."""
    made: list[Gateway] = []

    def make(**settings: Any) -> Gateway:
        made.append(Gateway(GatewaySettings("127.0.0.1:1", **settings), "127.0.0.1", 0))
        made[-1].start()
        return made[-1]

    yield make
    for gateway in made:
        gateway.stop()
