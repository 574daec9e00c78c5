"""Inputs from a web server on this machine."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pypdfium2
import pytest

from paddlex_triton.client import create_async_pipeline, create_pipeline
from paddlex_triton.client import download as download_module
from paddlex_triton.client.download import download
from paddlex_triton.client.exceptions import InputError, ServerUnavailableError
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.pages import Page

PNG = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()


class Handler(BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}  # noqa: RUF012

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/a.png")
            self.end_headers()
        elif path == "/circle":
            self.send_response(302)
            self.send_header("Location", "/circle")
            self.end_headers()
        elif path == "/trickle":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.05)
        elif path == "/secret.png" and self.headers["Authorization"] != "Basic dXNlcjpzZWNyZXQ=":
            self.send_error(401)
        elif path in self.files:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.files[path])
        else:
            self.send_error(404)

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    document = pypdfium2.PdfDocument.new()
    for _ in range(2):
        document.new_page(10, 20)
    import io

    file = io.BytesIO()
    document.save(file)
    Handler.files = {"/a.png": PNG, "/plain": PNG, "/secret.png": PNG, "/b.pdf": file.getvalue()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/a.png", "/a.png?size=1", "/plain", "/moved"])
def test_an_image(site, path):
    assert list(PageReader(site + path)) == [Page(PNG, site + path)]


def test_a_pdf(site):
    pages = list(PageReader(f"{site}/b.pdf"))
    assert [(page.input_path, page.page_index) for page in pages] == [(f"{site}/b.pdf", 0), (f"{site}/b.pdf", 1)]


@pytest.mark.parametrize(("path", "says"), [("/none", "404"), ("/circle", "redirect")])
def test_answers_that_are_no_file(site, path, says):
    with pytest.raises(InputError, match=f"{path}.*{says}"):
        download(site + path)


def test_the_size_limit(site):
    assert download(f"{site}/a.png", max_bytes=len(PNG)) == PNG
    with pytest.raises(InputError, match=f"more than the {len(PNG) - 1} bytes"):
        download(f"{site}/a.png", max_bytes=len(PNG) - 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "http://[bad/a.png"])
def test_no_server_there(url):
    with pytest.raises(InputError, match="cannot be fetched"):
        download(url)


def test_a_user_and_a_password_are_sent_and_shown_nowhere(site):
    host = site.removeprefix("http://")
    (page,) = PageReader(f"http://user:secret@{host}/secret.png")
    assert page == Page(PNG, f"{site}/secret.png")
    for path, says in (("none", f"^{site}/none: the URL answered 404"), ("circle", "redirect")):
        with pytest.raises(InputError, match=says) as caught:
            list(PageReader(f"http://user:secret@{host}/{path}"))
        assert "secret" not in str(caught.value)


def test_a_body_that_trickles_ends_with_the_time(site, monkeypatch):
    monkeypatch.setattr(download_module, "_TOTAL_TIMEOUT_S", 0.5)
    with pytest.raises(InputError, match=r"/trickle: the URL cannot be fetched: it takes too long; .* 0\.5 s in all"):
        download(f"{site}/trickle")


@pytest.mark.parametrize("url", ["http://host/\ud800.png", "http://\udcff/a.png", "http://host:port/a.png"])
def test_urls_that_are_none(url):
    with pytest.raises(InputError, match="not a valid URL"):
        download(url)


def test_the_log_of_httpx_has_no_secrets(site, caplog):
    with caplog.at_level(logging.INFO, "httpx"):
        download(f"{site.replace('//', '//us:pass@')}/a.png?token=eyJ&size=1")
    (line,) = caplog.messages
    assert f"{site}/a.png?token=...&size=1" in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTP_PROXY", ":bad"),
        ("ALL_PROXY", "ftp://us:pass@host"),
        ("ALL_PROXY", "socks9://host"),
        ("SSL_CERT_FILE", "/nowhere"),
    ],
)
async def test_an_environment_that_cannot_be_used(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=r"^http://host/a\.png: the proxies or certificates .*SSL_CERT_FILE") as caught:
        download("http://host/a.png")
    assert "pass" not in str(caught.value)
    with pytest.raises(ServerUnavailableError, match="the proxies or certificates"):
        create_pipeline("OCR", url="http://triton.invalid:8000")
    async with create_async_pipeline("OCR", url="http://triton.invalid:8000") as twin:
        with pytest.raises(ServerUnavailableError, match="the proxies or certificates"):
            await anext(aiter(twin.predict(np.zeros((4, 4), np.uint8))))
