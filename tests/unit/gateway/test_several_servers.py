"""A gateway in front of two servers that are killed and started again, one after the other: no request fails."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from gateway_world import base64_of, picture
from killable_server import KillableServer, wait_for

from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings

CALLERS = 4


@pytest.fixture
def servers() -> Iterator[list[KillableServer]]:
    """Two that answer."""
    made = [KillableServer(0.02), KillableServer(0.02)]
    for server in made:
        server.start()
    wait_for(made)
    yield made
    for server in made:
        server.kill()


@pytest.fixture
def gateway(servers) -> Iterator[Gateway]:
    gateway = Gateway(GatewaySettings([server.url for server in servers]), "127.0.0.1", 0)
    gateway.start()
    yield gateway
    gateway.stop()


async def roll(servers: list[KillableServer], answers: Counter[int]) -> None:
    """Exchange the first server, then the second one, while requests are answered."""
    for server in servers:
        await until(answers, 20)
        server.kill()
        await until(answers, 20)
        server.start()
        await asyncio.to_thread(wait_for, [server])


async def until(answers: Counter[int], more: int) -> None:
    wanted = answers.total() + more
    deadline = time.monotonic() + 30
    while answers.total() < wanted:
        assert time.monotonic() < deadline, answers
        await asyncio.sleep(0.01)


async def test_no_request_fails_while_servers_are_exchanged(servers, gateway):
    answers: Counter[int] = Counter()
    body = {"file": base64_of(picture()), "fileType": 1, "visualize": False}

    async def call(client: httpx.AsyncClient) -> None:
        while True:
            response = await client.post("/ocr", json=body)
            answers[response.status_code] += 1

    async with httpx.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
        callers = [asyncio.create_task(call(client)) for _ in range(CALLERS)]
        await roll(servers, answers)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        assert set(answers) == {200}
        servers[0].kill()
        assert (await client.get("/health")).status_code == 200
        servers[1].kill()
        assert (await client.get("/health")).status_code == 503
        assert (await client.post("/ocr", json=body)).status_code == 503
