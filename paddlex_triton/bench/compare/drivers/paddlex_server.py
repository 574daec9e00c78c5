"""PaddleX's own server, `paddlex --serve` on ONNX Runtime, over HTTP."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
import yaml
from driver_loop import Driver, serve
from paddlex_pipeline import ENGINE, PACKAGES, configuration
from result_lines import lines_of

_START_S = 180.0
_REQUEST_S = 600.0
# Pipeline -> its address, the name of a request's picture, and what a request has besides.
_REQUESTS = {
    "OCR": ("/ocr", "file", {"fileType": 1}),
    "seal_recognition": ("/seal-recognition", "file", {"fileType": 1}),
    "human_keypoint_detection": ("/human-keypoint-detection", "image", {}),
}


class PaddleXServer(Driver):
    """A server of its own, and a connection for each caller."""

    packages = (*PACKAGES, "fastapi", "uvicorn")
    takes_callers = True

    def __init__(self) -> None:
        self._stack = ExitStack()

    def open(self, request: dict[str, Any]) -> None:
        """Start the server on `networks`; `params` go with each request."""
        self._name = request["pipeline"]
        path, self._picture, self._rest = _REQUESTS[self._name]
        # As JSON names them: text_det_limit_side_len is textDetLimitSideLen.
        params = {_camel(name): value for name, value in request["params"].items()}
        self._rest = {**self._rest, **params, "visualize": False}
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="paddlex-triton-compare-"))
        file = Path(folder) / "pipeline.yaml"
        # A dict of PaddleX's own is not YAML's.
        config = json.loads(json.dumps(configuration(self._name, request["networks"])))
        file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        port = _free_port()
        command = [sys.executable, str(Path(__file__).with_name("paddlex_command.py")), "--serve"]
        command += ["--pipeline", str(file), "--device", "cpu", "--engine", ENGINE]
        self._server = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=2)
        self._stack.callback(_end, self._server)
        self._url, self._connections = f"http://127.0.0.1:{port}{path}", threading.local()
        self._wait(port)

    def read(self, path: str) -> list[str]:
        """Send one file and wait for the answer."""
        picture = base64.b64encode(Path(path).read_bytes()).decode("ascii")
        response = self._connection().post(self._url, json={self._picture: picture, **self._rest}, timeout=_REQUEST_S)
        response.raise_for_status()
        result = response.json()["result"]
        if self._name == "OCR":
            return lines_of(self._name, result["ocrResults"][0]["prunedResult"])
        if self._name == "seal_recognition":
            return lines_of(self._name, result["sealRecResults"][0]["prunedResult"])
        return lines_of(self._name, {"boxes": [{"coordinate": person["bbox"]} for person in result["persons"]]})

    def close(self) -> None:
        """End the server."""
        self._stack.close()

    def _connection(self) -> requests.Session:
        if not hasattr(self._connections, "session"):
            self._connections.session = requests.Session()
            self._connections.session.trust_env = False
        return self._connections.session

    def _wait(self, port: int) -> None:
        end = time.monotonic() + _START_S
        while self._server.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.2)
        status = self._server.poll()
        if status is not None:
            raise RuntimeError(f"paddlex --serve ended with status {status} before it was ready; its log says why")
        raise RuntimeError(f"paddlex --serve was not ready within {_START_S:.0f} s")


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


if __name__ == "__main__":
    os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    serve(PaddleXServer())
