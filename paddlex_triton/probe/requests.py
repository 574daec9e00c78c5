"""Requests to a Triton over HTTP, with nothing but Python's own library."""

from __future__ import annotations

import json
import select
import struct
import time
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult

_HEADER_LENGTH = "Inference-Header-Content-Length"
# Characters of an answer that is no success.
_LONGEST_REASON = 300


class NoAnswer(Exception):
    """A server refused, was silent, or said something else than Triton does."""


class Connection:
    """A connection for one request after the other."""

    def __init__(self, url: SplitResult, deadline: float) -> None:
        """Prepare a connection; it is made with the first request.

        Args:
            url: http or https, with a host.
            deadline: on `time.monotonic`, for everything that is asked.
        """
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        self._connection = kind(url.hostname or "", url.port, timeout=max(0.001, deadline - time.monotonic()))
        self._address, self._prefix = f"{url.scheme}://{url.netloc}", url.path.rstrip("/")

    def fileno(self) -> int:
        """Return the number of its socket, -1 if there is none."""
        return self._connection.sock.fileno() if self._connection.sock else -1

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for something and return the status and the body.

        Raises:
            NoAnswer: the server refused the connection or was silent.
        """
        self._send("GET", path)
        response = self._response()
        return response.status, self._read(response)

    def send_page(self, model: str, picture: bytes, params: Mapping[str, Any], patience_s: float) -> None:
        """Send a page; `outputs` waits for the answer.

        Args:
            model: an ensemble.
            picture: a file's bytes.
            params: the pipeline's parameters.
            patience_s: seconds after which the server shall not begin with it any more.

        Raises:
            NoAnswer: the server refused the connection.
        """
        values = {"image": picture, "params": json.dumps(params).encode()}
        tensors = {name: struct.pack("<I", len(value)) + value for name, value in values.items()}
        header = json.dumps(
            {
                "parameters": {"binary_data_output": True, "timeout": int(patience_s * 1e6)},
                "inputs": [
                    {"name": name, "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(raw)}}
                    for name, raw in tensors.items()
                ],
            }
        ).encode()
        headers = {_HEADER_LENGTH: str(len(header)), "Content-Type": "application/octet-stream"}
        self._send("POST", f"/v2/models/{model}/infer", header + b"".join(tensors.values()), headers)

    def outputs(self) -> dict[str, list[int]]:
        """Wait for a page's answer and return the shapes of its outputs.

        Raises:
            NoAnswer: with what the server said instead.
        """
        response = self._response()
        body = self._read(response)
        if response.status != 200:
            raise NoAnswer(_reason(response.status, body))
        try:
            outputs = json.loads(body[: int(response.getheader(_HEADER_LENGTH) or len(body))])["outputs"]
            return {output["name"]: output["shape"] for output in outputs}
        except (ValueError, KeyError, TypeError):
            raise NoAnswer("the answer is none of Triton's") from None

    def _send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        try:
            self._connection.request(method, self._prefix + path, body, dict(headers or {}))
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"no connection to {self._address} ({error})") from None

    def _response(self) -> HTTPResponse:
        try:
            return self._connection.getresponse()
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"no answer ({error})") from None

    def _read(self, response: HTTPResponse) -> bytes:
        try:
            return response.read()
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"half an answer ({error})") from None


def wait_for_any(waiting: Iterable[Connection], until: float) -> list[Connection]:
    """Wait until one or more of the servers' answers come.

    Args:
        waiting: connections on which something was asked.
        until: on `time.monotonic`.

    Returns:
        Those with an answer, none if it took longer.
    """
    return select.select(list(waiting), [], [], max(0.0, until - time.monotonic()))[0]


def _reason(status: int, body: bytes) -> str:
    try:
        text = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        text = body.decode("utf-8", "replace")
    text = " ".join(text.split())
    return f"{text[:_LONGEST_REASON]} (HTTP {status})"
