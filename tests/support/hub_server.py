"""A hub of networks on this machine: an HTTP server with files, which can be told to misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Nothing listens there: connections are refused at once.
NOBODY = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Fault:
    """A fault of one answer.

    Attributes:
        status: answered instead of the file.
        breaks_after: bytes of the body after which the connection ends.
        silent_s: seconds in which nothing is said.
        headers: sent besides, or instead of the usual ones.
        body: sent instead of the file's.
    """

    status: int | None = None
    breaks_after: int | None = None
    silent_s: float = 0.0
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Asked:
    """One request for a file."""

    path: str
    range: str | None
    if_range: str | None


class HubServer:
    """Files by path. Answers to requests for parts as a good server does, unless told otherwise.

    Attributes:
        files: path -> content.
        faults: path -> faults of the answers to come, in their order.
        asked: requests for files, in their order.
        takes_ranges: whether requests for parts are understood.
        validators: headers that tell versions of a file apart: some of ETag, Last-Modified, W/ (a weak ETag).
        chunk: bytes written at once, with a pause of `pause_s` after each.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[Asked] = []
        self.takes_ranges = True
        self.validators = ("ETag", "Last-Modified")
        self.chunk, self.pause_s = 1 << 16, 0.0
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def paths_asked(self) -> list[str]:
        return [asked.path for asked in self.asked]

    @contextlib.contextmanager
    def running(self) -> Iterator[HubServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            hub.asked.append(Asked(self.path, self.headers.get("Range"), self.headers.get("If-Range")))
            faults = hub.faults.get(self.path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._answer(faults.pop(0) if faults else Fault())

        def _answer(self, fault: Fault) -> None:
            if fault.silent_s:
                hub.stopping.wait(fault.silent_s)
            content = fault.body if fault.body is not None else hub.files.get(self.path)
            status = fault.status or (404 if content is None else 200)
            content = content if content is not None and (status < 300 or fault.body is not None) else b""
            headers: dict[str, str | None] = dict(_validators(content, hub.validators)) if status == 200 else {}
            asked, start = self.headers.get("Range"), 0
            if status == 200 and hub.takes_ranges and asked and self.headers.get("If-Range") in headers.values():
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                status = 206
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            headers = {"Content-Length": str(len(content) - start), **headers, **fault.headers}
            self.send_response(status)
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.close_connection = True
            self.send_header("Connection", "close")
            self.end_headers()
            self._write(content[start:], fault.breaks_after)

        def _write(self, body: bytes, most: int | None) -> None:
            body = body if most is None else body[:most]
            for offset in range(0, len(body), hub.chunk):
                self.wfile.write(body[offset : offset + hub.chunk])
                self.wfile.flush()
                if hub.pause_s and hub.stopping.wait(hub.pause_s):
                    return

    return Handler


def _validators(content: bytes, wanted: tuple[str, ...]) -> dict[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    known = {
        "ETag": f'"{digest[:16]}"',
        "W/": f'W/"{digest[:16]}"',
        # A date that follows from the content.
        "Last-Modified": f"Thu, 01 Jan 2026 00:{int(digest[:4], 16) % 60:02}:{int(digest[4:8], 16) % 60:02} GMT",
    }
    return {"ETag" if name == "W/" else name: known[name] for name in wanted}


def tar_of(files: Mapping[str, bytes], folder: str = "net_infer") -> bytes:
    """A plain archive with a folder of files, as PaddleX's are."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:") as tar:
        top = tarfile.TarInfo(folder)
        top.type = tarfile.DIRTYPE
        tar.addfile(top)
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()
