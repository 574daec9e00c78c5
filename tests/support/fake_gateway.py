"""A stand-in for the gateway: it serves the page, and answers what a test tells it to."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

PAGE = Path(__file__).resolve().parents[2] / "paddlex_triton" / "gateway" / "page"
# As the gateway's: nothing inline, nothing from elsewhere.
POLICY = "default-src 'self'; img-src 'self' data: blob:"
MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
PATHS = {
    "OCR": "/ocr",
    "seal_recognition": "/seal-recognition",
    "human_keypoint_detection": "/human-keypoint-detection",
    "doc_preprocessor": "/document-preprocessing",
}


@dataclass
class Reply:
    """An answer to a request.

    Attributes:
        body: an answer's `result`, or the whole body as bytes.
        status: HTTP's.
        message: `errorMsg`.
        headers: sent besides the usual ones.
        wait: the answer is held back until it is set.
        breaks: the connection ends without an answer.
    """

    body: Any = None
    status: int = 200
    message: Any = "Success"
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None
    breaks: bool = False

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        answer = {"logId": "an-id", "errorCode": 0 if self.status == 200 else self.status, "errorMsg": self.message}
        return json.dumps(answer | ({} if self.body is None else {"result": self.body})).encode()


class FakeGateway:
    """The server's state.

    Attributes:
        info: what `/pipelines` says.
        replies: path -> replies, of which the last one is repeated.
        requests: (path, body, headers) of the requests to pipelines, in order.
        prefix: everything lies below it.
    """

    def __init__(self, prefix: str = "") -> None:
        pipelines = [{"name": name, "path": path, "ready": True} for name, path in PATHS.items()]
        self.info: dict[str, Any] = {
            "pipelines": pipelines,
            "version": "1.2.3",
            "maxBodyBytes": 134217728,
            "maxPages": 10,
            "keyNeeded": False,
            "urlsAllowed": False,
        }
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.prefix = prefix
        self.url = ""

    def reply(self, pipeline: str, *replies: Reply | dict[str, Any]) -> None:
        """Answer requests to a pipeline with these, one after another; a dictionary is a `result`."""
        self.replies[PATHS[pipeline]] = [each if isinstance(each, Reply) else Reply(each) for each in replies]

    @contextlib.contextmanager
    def serve(self) -> Iterator[FakeGateway]:
        """Serve on a free port of this machine."""
        handler = type("Handler", (_Handler,), {"gateway": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            self.url = f"http://127.0.0.1:{server.server_port}{self.prefix}/"
            yield self
            for replies in self.replies.values():
                for each in replies:
                    if each.wait is not None:
                        each.wait.set()
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    gateway: FakeGateway

    def do_GET(self) -> None:
        path = self.path.removeprefix(self.gateway.prefix)
        if path == "/pipelines":
            self._send(200, "application/json", json.dumps(self.gateway.info).encode())
            return
        file = PAGE / ("index.html" if path == "/" else path.removeprefix("/page/"))
        if self.path.startswith(f"{self.gateway.prefix}/") and file.is_file():
            self._send(200, MEDIA_TYPES[file.suffix], file.read_bytes())
        else:
            self._send(404, "application/json", b"{}")

    def do_POST(self) -> None:
        path = self.path.removeprefix(self.gateway.prefix)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.gateway.requests.append((path, body, dict(self.headers)))
        replies = self.gateway.replies[path]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply.wait is not None:
            reply.wait.wait(30)
        if reply.breaks:
            self.close_connection = True
            return
        # A page that has cancelled its request does not listen any more.
        with contextlib.suppress(ConnectionError):
            self._send(reply.status, "application/json", reply.encoded(), reply.headers)

    def _send(self, status: int, media_type: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        every = {"Content-Type": media_type, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
        for name, value in (every | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def picture(width: int, height: int, format: str = "JPEG", corner: str | None = None) -> bytes:
    """Return a white picture, encoded; corner colours the tenth of it at the top left."""
    image = Image.new("RGB", (width, height), "white")
    if corner:
        image.paste(corner, (0, 0, width // 10, height // 10))
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def in_base64(content: bytes) -> str:
    """Return base64 text."""
    return base64.b64encode(content).decode()


def lines_result(*lines: tuple[str, float, list[list[int]]], **more: Any) -> dict[str, Any]:
    """Return an OCR `prunedResult` of (text, score, polygon)s."""
    texts, scores, polygons = ([line[part] for line in lines] for part in range(3))
    return {
        "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": False},
        "dt_polys": polygons,
        "rec_texts": texts,
        "rec_scores": scores,
        "rec_polys": polygons,
        **more,
    }


def ocr_result(
    *pages: dict[str, Any], sizes: list[tuple[int, int]], shown: float = 1.0, kind: str = "pdf"
) -> dict[str, Any]:
    """Return the `result` of `/ocr` for pages of these sizes, whose pictures are scaled by `shown`."""
    results = [
        {"prunedResult": page, "ocrImage": "", "inputImage": in_base64(picture(int(w * shown), int(h * shown)))}
        for page, (w, h) in zip(pages, sizes, strict=True)
    ]
    return {"ocrResults": results, "dataInfo": data_info(sizes, kind)}


def data_info(sizes: list[tuple[int, int]], kind: str) -> dict[str, Any]:
    """Return `dataInfo` for pages of (width, height)."""
    pages = [{"width": width, "height": height} for width, height in sizes]
    return {**pages[0], "type": "image"} if kind == "image" else {"numPages": len(pages), "pages": pages, "type": kind}


def box(x1: int, y1: int, x2: int, y2: int) -> list[list[int]]:
    """Return a rectangle as a polygon."""
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
