"""Servers that hang, trickle, die and come back: over real connections, without Triton."""

import asyncio
import contextlib
import socket
import threading
import time

import numpy as np
import pytest
from ensemble_answers import make_tensors
from killable_server import KillableServer, wait_for
from small_triton import serve

from paddlex_triton.client import NO_RETRIES, create_async_pipeline, create_pipeline
from paddlex_triton.client.exceptions import DeadlineExceededError, ServerUnavailableError

PAGE = np.zeros((8, 8), np.uint8)
# More than sockets hold by themselves.
LARGE_PAGE = np.zeros((4000, 4000), np.uint8)
TIMEOUT_S = 0.5
HEADER = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@contextlib.contextmanager
def listener(answer):
    """A server on a socket: `answer(connection)` in a thread for each connection; gives its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listening:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def silent(connection):
    """Reads nothing and says nothing, as a stopped process."""
    time.sleep(5)


def trickling(connection):
    """Answers byte by byte: each comes in time, the whole never."""
    connection.recv(1 << 16)
    with contextlib.suppress(OSError):
        connection.sendall(HEADER)
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.02)


def sipping(connection):
    """Takes the request by small bites."""
    with contextlib.suppress(OSError):
        while connection.recv(1 << 14):
            time.sleep(0.02)


def predict(url, page):
    with create_pipeline("OCR", url=url, timeout=TIMEOUT_S, retry=NO_RETRIES) as pipeline:
        return list(pipeline.predict(page))


def predict_asynchronously(url, page):
    async def run():
        async with create_async_pipeline("OCR", url=url, timeout=TIMEOUT_S, retry=NO_RETRIES) as pipeline:
            return [result async for result in pipeline.predict(page)]

    return asyncio.run(run())


@pytest.mark.parametrize("call", [predict, predict_asynchronously])
@pytest.mark.parametrize(
    ("scheme", "answer", "page"),
    [
        ("http", silent, PAGE),
        ("http", silent, LARGE_PAGE),
        ("http", trickling, PAGE),
        ("http", sipping, LARGE_PAGE),
        ("grpc", silent, PAGE),
    ],
)
def test_no_server_takes_longer_than_the_timeout(call, scheme, answer, page):
    with listener(answer) as address:
        start = time.monotonic()
        # gRPC's connection is not made: nobody has greeted.
        with pytest.raises(
            (DeadlineExceededError, ServerUnavailableError) if scheme == "grpc" else DeadlineExceededError
        ):
            call(f"{scheme}://{address}", page)
        assert time.monotonic() - start < TIMEOUT_S + 1.5


@pytest.mark.parametrize("call", [predict, predict_asynchronously])
@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_clock_that_is_set_changes_no_timeout(monkeypatch, call, jump_s):
    real, first = time.time, time.time()
    monkeypatch.setattr(time, "time", lambda: real() + (jump_s if real() > first + TIMEOUT_S / 2 else 0))
    with listener(silent) as address:
        start = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            call(f"http://{address}", PAGE)
        assert TIMEOUT_S * 0.9 < time.monotonic() - start < TIMEOUT_S + 1.5


@pytest.mark.parametrize("call", [predict, predict_asynchronously])
def test_a_server_that_dies_in_the_middle_of_its_answer(call):
    def die(connection):
        connection.recv(1 << 16)
        connection.sendall(HEADER + b"x")
        connection.close()

    with listener(die) as address, pytest.raises(ServerUnavailableError, match=f"connection to http://{address} broke"):
        call(f"http://{address}", PAGE)


def test_open_connections_find_a_server_that_was_started_again():
    server = KillableServer()
    with create_pipeline("OCR", url=server.url, retry=NO_RETRIES) as pipeline:
        for _ in range(2):
            server.start()
            wait_for([server])
            assert len(list(pipeline.predict(PAGE))) == 1
            server.kill()
            with pytest.raises(ServerUnavailableError, match=r"no server answers at|broke"):
                list(pipeline.predict(PAGE))


def test_an_open_channel_finds_a_server_that_was_started_again():
    with serve("grpc", lambda: make_tensors(["read"])) as url:
        port = int(url.rpartition(":")[2])
        pipeline = create_pipeline("OCR", url=url)
        assert len(list(pipeline.predict(PAGE))) == 1
    with pipeline:
        with pytest.raises(ServerUnavailableError, match="no server answers at"):
            list(pipeline.predict(PAGE))
        with serve("grpc", lambda: make_tensors(["read"]), port):
            assert len(list(pipeline.predict(PAGE))) == 1
