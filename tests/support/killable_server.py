"""A small OCR server in a process of its own, over HTTP: it can be killed, and started again on its port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from ensemble_answers import make_tensors
from small_triton import serve

_START_S = 30


class KillableServer:
    """The server from outside.

    Attributes:
        url: where it is, whether it runs or not.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        """Take a port.

        Args:
            seconds: for an answer.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait_for` returns when it answers."""
        command = [sys.executable, str(Path(__file__)), str(self._port), str(self._seconds)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def wait_for(servers: Sequence[KillableServer]) -> None:
    """Wait until servers that were started answer."""
    deadline = time.monotonic() + _START_S
    for server in servers:
        while True:
            try:
                httpx.get(f"{server.url}/v2/health/ready", trust_env=False)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the server does not come up"
                time.sleep(0.02)


def _main(port: int, seconds: float) -> None:
    answer = make_tensors(["read"])

    def work():
        time.sleep(seconds)
        return answer

    with serve("http", work, port):
        threading.Event().wait()


if __name__ == "__main__":
    _main(int(sys.argv[1]), float(sys.argv[2]))
