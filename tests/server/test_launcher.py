"""Starting and stopping the embedded server as users do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeoutError
from functools import partial
from pathlib import Path

import httpx
import pytest

from paddlex_triton.client import create_pipeline
from paddlex_triton.server.backends.common.turns import Turns
from paddlex_triton.server.host.errors import ServerEndedError, ServerStartError
from paddlex_triton.server.host.launcher import EmbeddedServer
from paddlex_triton.server.host.preflight import free_ports

COMMAND = Path(sys.executable).with_name("paddlex-triton")


def descendants(pid: int) -> set[int]:
    """A process and everything it started, from /proc."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, queue = set(), [pid]
    while queue:
        current = queue.pop()
        found.add(current)
        queue += children.get(current, [])
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; zombies are over."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            running.add(pid)
    return running


def wait_until(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def serve(networks, tmp_path):
    """Start `paddlex-triton serve` and wait until it says that it is ready."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], int, str]:
        http, grpc, metrics = free_ports("127.0.0.1", 3)
        log = tmp_path / "triton.log"
        arguments = ["--pipeline", "OCR", "--http-port", str(http), "--grpc-port", str(grpc)]
        arguments += ["--metrics-port", str(metrics), "--log-file", str(log), "--networks", str(networks)]
        process = subprocess.Popen(
            [COMMAND, "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # One that is killed leaves its folder behind.
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )
        started.append(process)
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        return process, http, said

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_what_it_serves_and_a_signal_ends_every_process(serve, sent):
    process, port, said = serve()
    assert "Ready" in said
    assert "OCR" in said
    assert "PP-OCRv4_mobile_rec" in said
    assert f"http://127.0.0.1:{port}" in said
    assert httpx.get(f"http://127.0.0.1:{port}/v2/models/ocr/ready", trust_env=False).status_code == 200
    processes = descendants(process.pid)
    assert len(processes) > 8
    process.send_signal(sent)
    assert process.wait(60) == 0
    assert wait_until(lambda: not alive(processes), 10), "processes left behind"


def test_a_killed_launcher_takes_its_server_along(serve):
    process, _, _ = serve()
    processes = descendants(process.pid)
    process.kill()
    assert wait_until(lambda: not alive(processes), 60), "processes left behind"


def test_a_proxy_in_the_environment_is_not_for_this_machine(networks, tmp_path, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with EmbeddedServer(["OCR"], log_file=tmp_path / "triton.log") as server:
        assert server.pid is not None


def test_networks_of_a_server_take_turns(networks, tmp_path, sample):
    with EmbeddedServer(["OCR"], log_file=tmp_path / "triton.log") as server, ThreadPoolExecutor(1) as aside:
        assert server._runtime is not None
        row = server._runtime / "turns"
        with create_pipeline("OCR", url=server.grpc_url) as pipeline:
            read = partial(list, pipeline.predict([sample]))
            with Turns(row).mine():
                results = aside.submit(read)
                with pytest.raises(FuturesTimeoutError):
                    results.result(timeout=1)
            assert results.result(timeout=60)[0]["rec_texts"]
    assert not row.exists()


def test_stop_clears_up_after_a_server_that_was_killed(networks, tmp_path):
    regions = set(Path("/dev/shm").iterdir())
    server = EmbeddedServer(["OCR"], log_file=tmp_path / "triton.log").start()
    assert server.pid is not None
    processes = descendants(server.pid)
    assert len(processes) > 8
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ServerEndedError, match="ended by SIGKILL") as told:
        server.wait()
    assert told.value.status == 137
    server.stop()
    assert wait_until(lambda: not alive(processes), 10), "processes left behind"
    left = {path.name for path in set(Path("/dev/shm").iterdir()) - regions} - mapped_regions()
    assert not {name for name in left if name.startswith("paddlex_triton_")}


def mapped_regions() -> set[str]:
    """Return what other servers of the session have in /dev/shm: theirs grow meanwhile."""
    found = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            found |= set(re.findall(r"/dev/shm/(\S+)", maps.read_text()))
    return found


def test_a_taken_port_is_refused_before_anything_starts(networks):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [COMMAND, "serve", "--http-port", str(port), "--networks", str(networks)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--http-port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_network_is_refused_with_the_command(tmp_path):
    environment = {**os.environ, "COLUMNS": "200"}
    code = (
        "import sys; from pathlib import Path; from paddlex_triton import paths; "
        "paths.networks_repository = lambda: Path(sys.argv[1]); "
        "from paddlex_triton.cli import main; sys.argv = ['paddlex-triton', 'assemble', sys.argv[2]]; main()"
    )
    target = tmp_path / "models"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, target],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 1
    assert "paddlex-triton export PP-OCRv4_mobile_det PP-OCRv4_mobile_rec" in done.stderr
    assert not target.exists()


def test_a_model_that_cannot_load_is_named(networks, tmp_path):
    models = tmp_path / "models"
    folder = models / "broken"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(b"not a network")
    (folder / "config.pbtxt").write_text(
        'name: "broken"\nbackend: "onnxruntime"\nmax_batch_size: 1\n'
        'input { name: "x" data_type: TYPE_FP32 dims: [1] }\noutput { name: "y" data_type: TYPE_FP32 dims: [1] }\n'
        "instance_group { kind: KIND_CPU }\n"
    )
    server = EmbeddedServer(directory=models, log_file=tmp_path / "triton.log")
    with pytest.raises(ServerStartError, match="broken"):
        server.start()
    assert server.pid is None


def test_a_server_that_is_not_ready_in_time_is_ended(networks, tmp_path):
    server = EmbeddedServer(["OCR"], log_file=tmp_path / "triton.log", start_timeout_s=0.2)
    with pytest.raises(ServerStartError, match=r"not ready within 0 s|not ready"):
        server.start()
    assert server.pid is None
