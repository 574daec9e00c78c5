"""Callers of a REST server, counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from rich.console import Console

from paddlex_triton.bench.rest import load, print_load


@contextmanager
def site(statuses: list[int]) -> Iterator[str]:
    """Answers with those statuses in turn."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(statuses[(len(asked) - 1) % len(statuses)])
            self.send_header("Content-Length", "0")
            self.send_header("Retry-After", "0")
            self.end_headers()

        def log_message(self, format, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("statuses", "seen"), [([200], {200}), ([200, 503], {200, 503}), ([503], {503})])
async def test_answers_are_counted(statuses, seen):
    with site(statuses) as url:
        report = await load(f"{url}/ocr", b"{}", callers=3, seconds=0.3)
    assert set(report.statuses) == seen
    assert (report.a_second > 0) == (200 in seen)
    assert report.p50_ms <= report.p99_ms <= report.most_ms
    console = Console(record=True, width=200)
    print_load(report, console)
    shown = console.export_text()
    assert all(str(status) in shown for status in seen)


async def test_nobody_answers():
    report = await load("http://127.0.0.1:1/ocr", b"{}", callers=1, seconds=0.05)
    assert set(report.statuses) == {0}
    assert report.a_second == 0
