"""Servers that are silent or answer a byte at a time, and callers that close, interrupt or end: nothing hangs."""

import asyncio
import contextlib
import copy
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import numpy as np
import pytest
from ensemble_answers import make_tensors
from small_triton import serve

from paddlex_triton.client import create_async_pipeline, create_pipeline
from paddlex_triton.client.exceptions import DeadlineExceededError, PaddleXTritonError, PipelineClosedError
from paddlex_triton.client.workers import Workers

PAGE = np.full((8, 8, 3), 255, np.uint8)
PROTOCOLS = pytest.mark.parametrize("scheme", ["grpc", "http"])
# Long enough for a test to hang by.
PATIENCE_S = 60
SOON_S = 25

HEAD = b"HTTP/1.1 200 OK\r\n"
ENDINGS = {"header": b"X-Long: ", "body": b"Content-Length: 100000\r\n\r\n"}


@pytest.fixture
def asked() -> threading.Event:
    """Set when a server of `listen` has got something."""
    return threading.Event()


@pytest.fixture
def listen(asked) -> Iterator[Callable[..., str]]:
    """Starts servers that take requests and say nothing; or the given bytes, and then a byte at a time."""
    listeners = []
    ended = threading.Event()

    def talk(connection: socket.socket, start: bytes) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                asked.set()
                if start:
                    break
            connection.sendall(start)
            while start and not ended.wait(0.05):
                connection.sendall(b"x")

    def make(start: bytes = b"") -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection, start), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield make
    ended.set()
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("part", sorted(ENDINGS))
def test_an_answer_that_trickles_ends_with_the_timeout(listen, part):
    url = f"http://{listen(HEAD + ENDINGS[part])}"
    started = time.monotonic()
    with create_pipeline("OCR", url=url, timeout=1) as ocr, pytest.raises(DeadlineExceededError):
        next(ocr.predict(PAGE))

    async def read() -> None:
        async with create_async_pipeline("OCR", url=url, timeout=1) as twin:
            await anext(aiter(twin.predict(PAGE)))

    with pytest.raises(DeadlineExceededError):
        asyncio.run(read())
    assert time.monotonic() - started < SOON_S


@PROTOCOLS
def test_close_gives_up_what_is_on_its_way(listen, scheme):
    ocr = create_pipeline("OCR", url=f"{scheme}://{listen()}", timeout=PATIENCE_S, max_in_flight=2)
    found = []

    def read() -> None:
        try:
            found.extend(ocr.predict_outcomes([PAGE] * 2))
        except PipelineClosedError as error:
            found.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.5)
    started = time.monotonic()
    ocr.close()
    reader.join(SOON_S)
    assert time.monotonic() - started < SOON_S
    assert not reader.is_alive()
    assert found
    assert all(isinstance(outcome, PipelineClosedError) for outcome in found)


PROGRAMS = {
    "interrupted without with": ("ocr = create_pipeline('OCR', url=sys.argv[1])\nnext(ocr.predict([PAGE] * 6))", True),
    "ends": (
        "ocr = create_pipeline('OCR', url=sys.argv[1])\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n"
        "next(ocr.predict([PAGE] * 6))",
        False,
    ),
}


@PROTOCOLS
@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_a_program_ends_at_once(listen, scheme, program):
    code, traceback = PROGRAMS[program]
    start = """
        import os, signal, sys, threading
        import numpy as np
        from paddlex_triton.client import create_pipeline

        PAGE = np.full((8, 8, 3), 255, np.uint8)
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    """
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(start) + code, f"{scheme}://{listen()}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert time.monotonic() - started < SOON_S
    assert (done.returncode != 0) == traceback
    assert done.stderr.strip().endswith("KeyboardInterrupt" if traceback else "")


@PROTOCOLS
def test_the_command_line_ends_at_once(listen, asked, scheme, tmp_path):
    (tmp_path / "page.ppm").write_bytes(b"P6 8 8 255\n" + PAGE.tobytes())
    program = [sys.executable, "-c", "from paddlex_triton.cli import main; main()", "predict", "OCR"]
    process = subprocess.Popen([*program, "--input", tmp_path / "page.ppm", "--url", f"{scheme}://{listen()}"])
    assert asked.wait(PATIENCE_S)
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 130
    assert time.monotonic() - started < SOON_S


def test_threads_that_the_main_one_leaves_behind_go_on():
    code = """
        import sys, threading, time
        import numpy as np
        from paddlex_triton.client import create_pipeline

        def read():
            time.sleep(0.5)
            print(len(list(ocr.predict([np.full((8, 8, 3), 255, np.uint8)] * 6))))

        ocr = create_pipeline("OCR", url=sys.argv[1], timeout=10)
        threading.Thread(target=read).start()
    """
    with serve("grpc", lambda: make_tensors(["read"])) as url:
        program = [sys.executable, "-c", textwrap.dedent(code), url]
        done = subprocess.run(program, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "6\n", "")


@pytest.mark.parametrize("create", [create_pipeline, create_async_pipeline])
@pytest.mark.parametrize("carry", [pickle.dumps, copy.deepcopy])
def test_a_pipeline_is_not_carried_to_another_process(create, carry):
    with pytest.raises(TypeError, match="make it there, or before the process is forked"):
        carry(create("OCR", url="127.0.0.1:1"))


def test_workers_take_calls_until_they_are_stopped():
    gate, begun = threading.Event(), threading.Event()
    workers = Workers(1)
    first = workers.submit(lambda: (begun.set(), gate.wait(PATIENCE_S))[1])
    second = workers.submit(int)
    assert begun.wait(SOON_S)
    workers.stop()
    gate.set()
    workers.join()
    assert first.result() is True
    with pytest.raises(CancelledError):
        second.result()
    with pytest.raises(RuntimeError):
        workers.submit(int)


def test_workers_end_when_nobody_has_them():
    before = set(threading.enumerate())
    workers = Workers(3)
    calls = [workers.submit(pow, 2, number) for number in range(9)]
    assert [call.result(SOON_S) for call in calls] == [2**number for number in range(9)]
    threads = set(threading.enumerate()) - before
    assert len(threads) == 3
    del workers
    for thread in threads:
        thread.join(SOON_S)
    assert not any(thread.is_alive() for thread in threads)


def test_a_system_without_threads(monkeypatch, pipeline):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ocr, _ = pipeline()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(PaddleXTritonError, match="the page cannot be sent: can't start new thread") as caught:
        list(ocr.predict(PAGE))
    assert not isinstance(caught.value, PipelineClosedError)
