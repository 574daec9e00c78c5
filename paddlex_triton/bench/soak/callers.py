"""Callers of a server over REST, gRPC and HTTP, who note what became of each request."""

from __future__ import annotations

import base64
import json
import socket
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from paddlex_triton.bench.soak.requests import Request
from paddlex_triton.client import BaseResult, create_pipeline
from paddlex_triton.client.exceptions import (
    InputError,
    PaddleXTritonError,
    RequestError,
    ServerBusyError,
)
from paddlex_triton.client.pipeline import Pipeline
from paddlex_triton.pipelines import find_pipeline

_TIMEOUT_S = 60.0
# Of the gateway.
_PATHS = {
    "OCR": "/ocr",
    "seal_recognition": "/seal-recognition",
    "human_keypoint_detection": "/human-keypoint-detection",
}
# Where a caller leaves: so much of the body is sent.
_SENT_BEFORE_LEAVING = 0.5


class Ledger:
    """What became of the requests so far; threads may share it.

    Attributes:
        outcomes: (way, outcome) -> how often.
        wrong: descriptions of what must not happen, the first ones.
        wrong_count: of all of them.
    """

    _MAX_WRONG = 20

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, int], Hashable] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []
        self.wrong_count = 0

    @property
    def total(self) -> int:
        """Requests that were sent."""
        return self.outcomes.total()

    def note(
        self, way: str, request: Request, outcome: str, *, wrong: str | None = None, answer: Hashable = None
    ) -> None:
        """Note an outcome; the answer to a page must be that to the same page before, whichever way it went.

        Args:
            way: the caller's.
            request: what was sent.
            outcome: what became of it, in a word.
            wrong: why that must not be, None if it may.
            answer: what must not change.
        """
        with self._lock:
            self.outcomes[way, outcome] += 1
            if answer is not None and request.page is not None:
                first = self._answers.setdefault((request.pipeline, request.page), answer)
                wrong = wrong or (f"{answer!r} after {first!r}" if first != answer else None)
            if wrong is not None:
                self.wrong_count += 1
                if len(self.wrong) < self._MAX_WRONG:
                    self.wrong.append(f"{way}, {request.pipeline}, {request.name}: {outcome}: {wrong}")


class Caller(ABC):
    """Sends requests one way.

    Attributes:
        way: its name.
        pipelines: PaddleX's names of those that can be called.
    """

    way: str

    @abstractmethod
    def send(self, request: Request, ledger: Ledger) -> None:
        """Send a request, and note what became of it."""

    @abstractmethod
    def close(self) -> None:
        """Close connections."""


class ClientCaller(Caller):
    """Calls Triton with this package's client; what the client would not send goes over HTTP."""

    def __init__(self, way: str, url: str, http_url: str, pipelines: Sequence[str]) -> None:
        """Connect.

        Args:
            way: "grpc" or "http".
            url: of the server, for that.
            http_url: of the server.
            pipelines: PaddleX's names.

        Raises:
            PaddleXTritonError: the server does not serve one.
        """
        self.way, self._url = way, http_url
        self._raw = httpx.Client(timeout=_TIMEOUT_S, trust_env=False)
        self._pipelines: dict[str, Pipeline] = {
            name: create_pipeline(name, url=url, protocol=way, timeout=_TIMEOUT_S) for name in pipelines
        }

    def send(self, request: Request, ledger: Ledger) -> None:
        """Send a request, and note what became of it."""
        path = f"/v2/models/{find_pipeline(request.pipeline).ensemble}/infer"
        if request.leaves:
            _leave(self._url + path, request.data)
            ledger.note(self.way, request, "left")
        elif request.body is not None:
            _post(self._raw, self._url + path, request.body, self.way, request, ledger)
        else:
            self._predict(request, ledger)

    def close(self) -> None:
        """Close connections."""
        self._raw.close()
        for pipeline in self._pipelines.values():
            pipeline.close()

    def _predict(self, request: Request, ledger: Ledger) -> None:
        try:
            (result,) = self._pipelines[request.pipeline].predict(request.data, **request.params)
        except PaddleXTritonError as error:
            refused = isinstance(error, InputError | RequestError) and request.page is None
            right = refused or isinstance(error, ServerBusyError)
            ledger.note(self.way, request, type(error).__name__, wrong=None if right else str(error))
        else:
            ledger.note(self.way, request, "answered", answer=_read_result(result))


class RestCaller(Caller):
    """Calls the gateway."""

    way = "rest"

    def __init__(self, url: str) -> None:
        """Take the gateway's URL."""
        self._url = url
        self._client = httpx.Client(timeout=_TIMEOUT_S, trust_env=False, limits=httpx.Limits(max_connections=None))

    def send(self, request: Request, ledger: Ledger) -> None:
        """Send a request, and note what became of it."""
        url = self._url + _PATHS[request.pipeline]
        source = "image" if request.pipeline == "human_keypoint_detection" else "file"
        body = {source: base64.b64encode(request.data).decode(), "visualize": False, **request.params}
        content = json.dumps({**body, **({"fileType": 1} if source == "file" else {})}).encode()
        if request.leaves:
            _leave(url, content)
            ledger.note(self.way, request, "left")
        else:
            _post(self._client, url, request.body or content, self.way, request, ledger)

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def _post(client: httpx.Client, url: str, content: bytes, way: str, request: Request, ledger: Ledger) -> None:
    """Post a body: pages must be answered, or turned away for want of room; others may be refused."""
    try:
        response = client.post(url, content=content, headers={"Content-Type": "application/json"})
    except httpx.TransportError as error:
        ledger.note(way, request, type(error).__name__, wrong=str(error))
        return
    status = response.status_code
    answer = _read_answer(response.json()["result"]) if status == httpx.codes.OK and request.body is None else None
    refused = request.page is None and httpx.codes.is_client_error(status)
    right = status in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE) or refused
    ledger.note(way, request, str(status), wrong=None if right else response.text[:300], answer=answer)


def _leave(url: str, body: bytes) -> None:
    """Send a part of a request and go away, with a reset."""
    parts = urlsplit(url)
    host, port, path = parts.hostname or "", parts.port or 80, parts.path
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(head.encode() + body[: int(len(body) * _SENT_BEFORE_LEAVING)])


def _read_result(result: BaseResult) -> Hashable:
    """Return what of a result must not change from call to call: the texts, or how many people there are."""
    found: Any = result.json["res"]
    if "boxes" in found:
        return len(found["boxes"])
    return _texts([found, *found.get("seal_res_list", [])])


def _read_answer(answer: dict[str, Any]) -> Hashable:
    """Return the same of an answer of the gateway."""
    if "persons" in answer:
        return len(answer["persons"])
    (page,) = answer.get("ocrResults") or answer["sealRecResults"]
    found = page["prunedResult"]
    return _texts([found, *found.get("seal_res_list", [])])


def _texts(parts: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(text for part in parts for text in part.get("rec_texts", ()))
