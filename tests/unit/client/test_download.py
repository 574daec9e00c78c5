"""Inputs from a web server on this machine."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pypdfium2
import pytest

from paddlex_triton.client.download import download
from paddlex_triton.client.exceptions import InputError
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
