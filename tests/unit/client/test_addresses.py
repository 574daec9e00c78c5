"""A name with several addresses: gRPC asks the servers in turn, and leaves out those that do not answer."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from small_triton import serve

from paddlex_triton.client.transports.endpoint import Endpoint
from paddlex_triton.client.transports.grpc import AsyncGrpcTransport, GrpcTransport


@dataclass(frozen=True)
class Resolved(Endpoint):
    """A name, as gRPC has it when it was looked up."""

    addresses: str = ""

    @property
    def address(self) -> str:
        return self.addresses


@pytest.fixture
def answers() -> Counter[int]:
    return Counter()


@pytest.fixture
def endpoint(answers):
    def count(server: int) -> dict[str, np.ndarray]:
        answers[server] += 1
        return {"y": np.array([server], np.int32)}

    with contextlib.ExitStack() as servers:
        urls = [servers.enter_context(serve("grpc", lambda server=server: count(server))) for server in range(3)]
        # The last one is a port on which nobody listens any more.
        with serve("grpc", lambda: {}) as gone:
            pass
        yield Resolved("grpc", "triton.example", 8001, addresses="ipv4:" + ",".join([*urls, gone]))


REQUEST = {"inputs": {"x": np.zeros(1, np.int32)}, "outputs": ["y"], "request_id": "", "timeout_s": 10.0}


def test_servers_take_turns(endpoint, answers):
    transport = GrpcTransport(endpoint)
    for _ in range(60):
        transport.infer("m", **REQUEST)
    transport.close()
    assert sum(answers.values()) == 60
    assert min(answers[server] for server in range(3)) >= 12


async def test_servers_take_turns_under_asyncio(endpoint, answers):
    transport = AsyncGrpcTransport(endpoint)
    for _ in range(60):
        await transport.infer("m", **REQUEST)
    await transport.close()
    assert min(answers[server] for server in range(3)) >= 12
