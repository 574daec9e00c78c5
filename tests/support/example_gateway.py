"""A REST server that gives the answers it was told to, and keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What is answered; `content` goes as JSON unless it is bytes."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """A request; `body` is what its JSON held."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class FakeGateway:
    """The server's address, the answers that are still to be given, and the requests so far."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)


def success(result: Any) -> Answer:
    """Return the answer to a request that went well."""
    return Answer({"logId": "log-1", "result": result, "errorCode": 0, "errorMsg": "Success"})


def failure(status: int, message: str, **headers: str) -> Answer:
    """Return the answer to one that did not; headers with _ for -."""
    content = {"logId": "log-2", "errorCode": status, "errorMsg": message}
    return Answer(content, status, {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def fake_gateway() -> Iterator[FakeGateway]:
    """Serve on a free port of 127.0.0.1."""
    gateway = FakeGateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            gateway.received.append(Received(self.path, dict(self.headers.items()), body))
            answer = gateway.answers.pop(0)
            content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gateway.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()
