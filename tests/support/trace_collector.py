"""A collector of OpenTelemetry that keeps the spans it is sent in JSON."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class CollectedSpan:
    """A span; ids are hexadecimal, a root's parent is empty."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]


@dataclass
class Collector:
    """Where to send spans, and those that came."""

    url: str
    spans: list[CollectedSpan]

    def wait(self, enough: Callable[[list[CollectedSpan]], bool], timeout_s: float = 20.0) -> list[CollectedSpan]:
        """Return the spans when there are enough."""
        end = time.monotonic() + timeout_s
        while not enough(self.spans):
            assert time.monotonic() < end, [(span.service, span.name) for span in self.spans]
            time.sleep(0.05)
        return list(self.spans)


@contextmanager
def collect() -> Iterator[Collector]:
    """Collect spans for as long as the context lasts."""
    spans: list[CollectedSpan] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            spans.extend(_spans(json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Collector(f"http://127.0.0.1:{server.server_port}", spans)
        server.shutdown()


def _spans(document: dict[str, Any]) -> Iterator[CollectedSpan]:
    for resource in document["resourceSpans"]:
        service = _attributes(resource["resource"]).get("service.name", "")
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                ids = (span["traceId"], span["spanId"], span.get("parentSpanId", ""))
                yield CollectedSpan(service, span["name"], *ids, _attributes(span))


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in holder.get("attributes", ())}
