"""What callers see when processes of a live server hang or die; what comes back by itself, and what ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from paddlex_triton.client import create_async_pipeline, create_pipeline
from paddlex_triton.client.exceptions import DeadlineExceededError, PaddleXTritonError, ServerUnavailableError
from paddlex_triton.server.host.model_watch import ModelWatch
from paddlex_triton.server.host.preflight import free_ports

COMMAND = Path(sys.executable).with_name("paddlex-triton")
PAGE = str(Path(__file__).resolve().parent.parent.parent / "samples" / "page.png")
TIMEOUT_S = 3.0
# For threads that are late on a busy machine.
SLACK_S = 6.0


@pytest.fixture
def serving(networks, tmp_path):
    """`paddlex-triton serve` with REST, which may be harmed: its process and its ports."""
    ports = dict(zip(("http", "grpc", "metrics", "rest"), free_ports("127.0.0.1", 4), strict=True))
    arguments = [f"--{name}-port={port}" for name, port in ports.items()]
    arguments += ["--pipeline", "OCR", "--preset", "PP-OCRv4_mobile", "--networks", str(networks)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [COMMAND, "serve", *arguments, "--log-file", str(tmp_path / "triton.log")],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(tmp_path), "COLUMNS": "300"},
        )
    try:
        deadline = time.monotonic() + 120
        while "Ctrl-C" not in (tmp_path / "said").read_text():
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield process, ports
    finally:
        process.kill()
        process.wait()


def callers(ports):
    """Each kind of caller: its name, and what it does, which raises what it is told."""

    def read(url):
        with create_pipeline("OCR", url=url, timeout=TIMEOUT_S) as pipeline:
            return list(pipeline.predict(PAGE))

    async def read_asynchronously(url):
        async with create_async_pipeline("OCR", url=url, timeout=TIMEOUT_S) as pipeline:
            return [result async for result in pipeline.predict(PAGE)]

    def command():
        arguments = ["--input", PAGE, "--url", f"127.0.0.1:{ports['grpc']}", "--timeout", str(TIMEOUT_S)]
        done = subprocess.run(
            [COMMAND, "predict", "OCR", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        if done.returncode:
            assert done.stderr.startswith("Error: ")
            assert done.stderr.count("\n") == 1
            kind = DeadlineExceededError if "within the timeout" in done.stderr else ServerUnavailableError
            raise kind(done.stderr)
        return done.stdout

    grpc, http = f"127.0.0.1:{ports['grpc']}", f"http://127.0.0.1:{ports['http']}"
    yield "gRPC", lambda: read(grpc)
    yield "HTTP", lambda: read(http)
    yield "gRPC on asyncio", lambda: asyncio.run(read_asynchronously(grpc))
    yield "HTTP on asyncio", lambda: asyncio.run(read_asynchronously(http))
    yield "command", command


def ask_all(calls):
    """Make all calls at once: name -> what it was told, and after how many seconds."""

    def ask(call):
        start = time.monotonic()
        try:
            call()
        except PaddleXTritonError as error:
            return error, time.monotonic() - start
        return None, time.monotonic() - start

    named = dict(calls)
    with ThreadPoolExecutor(len(named)) as threads:
        return dict(zip(named, threads.map(ask, named.values()), strict=True))


def rest(ports):
    file = base64.b64encode(Path(PAGE).read_bytes()).decode()
    body = {"file": file, "fileType": 1, "visualize": False}
    return httpx.post(f"http://127.0.0.1:{ports['rest']}/ocr", json=body, timeout=60, trust_env=False)


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_a_server_that_hangs_and_a_network_that_dies(serving, tmp_path):
    process, ports = serving
    triton = child_of(process.pid)
    os.kill(triton, signal.SIGSTOP)
    try:
        for name, (error, seconds) in ask_all(callers(ports)).items():
            assert isinstance(error, DeadlineExceededError), (name, error)
            assert "no answer within the timeout" in str(error), name
            assert seconds < TIMEOUT_S + SLACK_S, name
    finally:
        os.kill(triton, signal.SIGCONT)
    # It comes back by itself, with open connections too.
    assert rest(ports).status_code == 200

    victims = {name: pid for pid, name in ModelWatch(triton).names.items()}
    os.kill(victims["PP-OCRv4_mobile_rec_0_0"], signal.SIGKILL)
    # Whoever asks before it has ended: one of the two, never another error, and a status that is worth trying again.
    for name, (error, seconds) in ask_all(callers(ports)).items():
        assert error is None or isinstance(error, DeadlineExceededError | ServerUnavailableError), (name, error)
        assert seconds < TIMEOUT_S + SLACK_S, name
    with contextlib.suppress(httpx.TransportError):
        assert rest(ports).status_code == 503
    assert process.wait(60) == 70
    said = (tmp_path / "said").read_text()
    assert "Error: PP-OCRv4_mobile_rec_0_0 lost its process. Triton starts no process again: `serve` ends" in said
    assert "Traceback" not in said
    assert not Path(f"/proc/{triton}").exists()
    assert not list(tmp_path.glob("paddlex-triton-*"))
