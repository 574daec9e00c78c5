"""Any mixture of good and bad inputs: one outcome for each, in order, and never another library's error."""

import asyncio
import base64
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
from ensemble_answers import make_tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from paddlex_triton import cli
from paddlex_triton.client import NO_RETRIES, AsyncPipeline, BaseResult, Pipeline
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client.exceptions import InputError, InvalidImageError, PaddleXTritonError, ServerError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.transports.mock import AsyncMockTransport, MockTransport, Sent
from paddlex_triton.pipelines import find_pipeline

OCR = find_pipeline("OCR")
GOOD = cv2.imencode(".png", np.full((8, 8), 255, np.uint8))[1].tobytes()
REFUSED = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
FAILS = cv2.imencode(".png", np.full((8, 8), 7, np.uint8))[1].tobytes()


@dataclass
class World:
    """Where inputs are: a folder, and a web server."""

    folder: Path
    site: str

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


# Kind of input -> what is given, and what becomes of it.
KINDS: dict[str, tuple[Callable[[World], Any], type]] = {
    "array": (lambda world: np.full((8, 8), 255, np.uint8), BaseResult),
    "bytes": (lambda world: GOOD, BaseResult),
    "data URI": (lambda world: f"data:image/png;base64,{base64.b64encode(GOOD).decode()}", BaseResult),
    "file": (lambda world: world.file("good.png", GOOD), BaseResult),
    "file of another name": (lambda world: world.file("good.tmp", GOOD), BaseResult),
    "URL": (lambda world: f"{world.site}/good.png", BaseResult),
    "URL that is moved": (lambda world: f"{world.site}/moved", BaseResult),
    "refused by the server": (lambda world: world.file("refused.png", REFUSED), InvalidImageError),
    "failing on the server": (lambda world: world.file("fails.png", FAILS), ServerError),
    "no image": (lambda world: b"GIF89a", PaddleXTritonError),
    "no image in a file": (lambda world: world.file("text.png", b"text"), PaddleXTritonError),
    "empty file": (lambda world: world.file("empty.png", b""), PaddleXTritonError),
    "floats": (lambda world: np.zeros((4, 4)), InputError),
    "no pixels": (lambda world: np.zeros((0, 4), np.uint8), InputError),
    "no input": (lambda world: 3, InputError),
    "nowhere": (lambda world: world.folder / "nowhere.png", InputError),
    "broken PDF": (lambda world: world.file("broken.pdf", b"%PDF-1.7 broken"), InputError),
    "broken TIFF": (lambda world: world.file("broken.tif", b"II*\0broken"), PaddleXTritonError),
    "empty folder": (lambda world: world.folder / "empty", InputError),
    "NUL in the name": (lambda world: "a\0b.png", InputError),
    "half a letter": (lambda world: "a\ud800.png", InputError),
    "broken data URI": (lambda world: "data:image/png;base64,*", InputError),
    "base64": (lambda world: base64.b64encode(GOOD).decode(), InputError),
    "dead URL": (lambda world: "http://127.0.0.1:1/a.png", InputError),
    "URL without a host": (lambda world: "http:///a.png", InputError),
    "URL of nothing": (lambda world: f"{world.site}/nothing.png", InputError),
    "URL in a circle": (lambda world: f"{world.site}/circle", InputError),
    "URL that is cut short": (lambda world: f"{world.site}/short.png", InputError),
    "URL of a page": (lambda world: f"{world.site}/page.html", PaddleXTritonError),
}
# A command line has words alone.
WORDS = sorted(KINDS.keys() - {"array", "bytes", "no image", "floats", "no pixels", "no input", "NUL in the name"})
MIXTURES = st.lists(st.sampled_from(sorted(KINDS)), max_size=9)


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        moved = {"/moved": "/good.png", "/circle": "/circle"}
        files = {"/good.png": GOOD, "/short.png": GOOD[:20], "/page.html": b"<html></html>"}
        if self.path in moved:
            self.send_response(302)
            self.send_header("Location", moved[self.path])
            self.end_headers()
        elif self.path in files:
            self.send_response(200)
            length = len(GOOD) if self.path == "/short.png" else len(files[self.path])
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(files[self.path])
        else:
            self.send_error(404)

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def new_world(site: str) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "empty").mkdir()
        yield World(Path(name), site)


def answer(request: Sent) -> dict[str, np.ndarray]:
    shade = int(Page(request.inputs["image"][0]).image()[0, 0, 0])
    if shade == 0:
        raise InvalidImageError("black")
    if shade == 7:
        raise ServerError("seven")
    return make_tensors(["text"])


def inputs(kinds: list[str], world: World, *, fails: bool) -> Iterator[Any]:
    for kind in kinds:
        yield KINDS[kind][0](world)
    if fails:
        raise RuntimeError("the caller's own")


@settings(max_examples=40, deadline=None)
@given(kinds=MIXTURES, fails=st.booleans(), lazy=st.booleans())
def test_one_outcome_for_each_input(site, kinds, fails, lazy):
    with new_world(site) as world:

        def mixture() -> Any:
            return inputs(kinds, world, fails=fails) if lazy else list(inputs(kinds, world, fails=False))

        with Pipeline(OCR, MockTransport(answer), retry=NO_RETRIES) as pipeline:
            found = list(pipeline.predict_outcomes(mixture()))
        check(found, kinds, fails and lazy)
        check(asyncio.run(outcomes_of_the_twin(mixture())), kinds, fails and lazy)


@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(st.sampled_from(WORDS), min_size=1, max_size=9))
def test_one_line_for_each_input_of_the_command_line(site, kinds):
    def pipeline(*_: Any, **__: Any) -> Pipeline:
        return Pipeline(OCR, MockTransport(answer), retry=NO_RETRIES)

    with new_world(site) as world, mock.patch.object(pipeline_module, "create_pipeline", pipeline):
        given_inputs = list(map(str, inputs(kinds, world, fails=False)))
        saved = world.folder / "saved"
        result = CliRunner().invoke(cli.app, ["predict", "OCR", "--save_path", str(saved), "--", *given_inputs])
        wanted = ["{'res'" if KINDS[kind][1] is BaseResult else "Error:" for kind in kinds]
        lines = [line for line in result.output.splitlines() if line.startswith(("{'res'", "Error:", "Traceback"))]
        assert [line[:6] for line in lines] == wanted, result.output
        assert result.exit_code == ("Error:" in wanted)
        assert not isinstance(result.exception, Exception), result.exception
        # The same file given twice has one result; data URIs have none of their own names.
        assert len(list(saved.glob("*_res.json"))) <= wanted.count("{'res'")
        assert saved.is_dir() == ("{'res'" in wanted)


async def outcomes_of_the_twin(given_inputs: Any) -> list[Any]:
    transport = AsyncMockTransport(answer)
    async with AsyncPipeline(OCR, lambda: (lambda: transport, lambda: None), retry=NO_RETRIES) as pipeline:
        return [outcome async for outcome in pipeline.predict_outcomes(given_inputs)]


def check(found: list[Any], kinds: list[str], failed: bool) -> None:
    wanted = [KINDS[kind][1] for kind in kinds] + [InputError] * failed
    assert len(found) == len(wanted), found
    for outcome, kind in zip(found, wanted, strict=True):
        assert isinstance(outcome, kind), outcome
    if failed:
        assert isinstance(found[-1].__cause__, RuntimeError)
        assert "the caller's own" in str(found[-1])
