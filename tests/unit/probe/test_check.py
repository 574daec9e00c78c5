"""The check against stand-ins for Triton, over real connections."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from paddlex_triton.cli import main as paddlex_triton
from paddlex_triton.ops.image import decode_image
from paddlex_triton.params import parse_params
from paddlex_triton.paths import ensembles_repository
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.probe import check
from paddlex_triton.probe.command import main
from paddlex_triton.probe.processes import ModelProcesses
from paddlex_triton.probe.tiny_pages import TINY_PAGES
from paddlex_triton.server.host.model_config import read_config

_HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass
class Triton:
    """What a stand-in answers, and what it was asked.

    Attributes:
        found: items on a page, for each of its requests in turn; the last number goes on.
        error: status and message instead of an answer.
        silent: answers no page until it is set.
        statistics: pages answered, asked again and again.
    """

    loaded: tuple[str, ...] = ("ocr",)
    ready: int = 200
    found: list[int] = field(default_factory=lambda: [1])
    error: tuple[int, str] | None = None
    silent: threading.Event | None = None
    statistics: Iterator[int] = field(default_factory=lambda: iter([0] * 9))
    params: list[dict] = field(default_factory=list)
    patience: list[int] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, Any]:
        if path == "/v2/health/ready":
            return self.ready, {}
        if path == "/v2/models/stats":
            one = {"name": "ocr", "inference_stats": {"success": {"count": next(self.statistics)}}}
            return 200, {"model_stats": [one, {"name": "network", "inference_stats": {"success": {"count": 7}}}]}
        return 200 if path.split("/")[3] in self.loaded else 400, {}

    def infer(self, model: str, header: dict, tensors: dict[str, bytes]) -> tuple[int, Any]:
        self.params.append(json.loads(tensors["params"]))
        self.patience.append(header["parameters"]["timeout"])
        assert decode_image(tensors["image"]).shape[2] == 3
        if self.silent is not None:
            self.silent.wait(10)
        if self.error:
            return self.error[0], {"error": self.error[1]}
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        outputs = {"angle": [1], TINY_PAGES[model].found or "page": [found]}
        return 200, {"outputs": [{"name": name, "datatype": "x", "shape": shape} for name, shape in outputs.items()]}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Say nothing of callers that went away."""


@contextmanager
def serving(triton: Triton) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(*triton.get(self.path))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            length = int(self.headers[_HEADER_LENGTH])
            header, rest, tensors = json.loads(body[:length]), body[length:], {}
            for tensor in header["inputs"]:
                size = tensor["parameters"]["binary_data_size"]
                tensors[tensor["name"]], rest = rest[4:size], rest[size:]
            assert not rest
            self.answer(*triton.infer(self.path.split("/")[3], header, tensors))

        def answer(self, status: int, content: Any):
            text = json.dumps(content).encode()
            binary = b"\xff" * 3 if "outputs" in content else b""
            self.send_response(status)
            if binary:
                self.send_header(_HEADER_LENGTH, str(len(text)))
            self.send_header("Content-Length", str(len(text + binary)))
            self.end_headers()
            self.wfile.write(text + binary)

        def log_message(self, format, *args):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        if triton.silent is not None:
            triton.silent.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def probe(capsys) -> Callable[..., tuple[int, str]]:
    """`probe(triton, *options)` -> exit status and what was said."""

    def run(triton: Triton, *options: str) -> tuple[int, str]:
        with serving(triton) as url:
            status = main([url, *options])
        said = capsys.readouterr()
        assert bool(said.err) == (status != 0)
        return status, said.out + said.err

    return run


def test_a_server_that_answers_is_well(probe):
    triton = Triton(loaded=tuple(TINY_PAGES))
    status, said = probe(triton)
    assert status == 0
    assert said.startswith("well: ocr, seal_recognition, human_keypoint_detection, doc_preprocessor answered in ")
    assert len(triton.params) == 4
    # What waits longer than the check is no more begun with.
    assert triton.patience == [5_000_000] * 4


def test_only_pipelines_that_are_loaded_are_asked_and_as_often_as_wanted(probe):
    triton = Triton(loaded=("human_keypoint_detection",))
    assert probe(triton, "--pages", "3", "--quiet") == (0, "")
    assert triton.params == [{"det_threshold": 0.1}] * 3


def test_a_page_on_which_nothing_is_found_is_sent_again_with_lower_thresholds(probe):
    triton = Triton(found=[0, 2])
    status, said = probe(triton)
    assert (status, triton.params) == (0, list(TINY_PAGES["ocr"].attempts))
    assert "nothing found" not in said
    triton = Triton(found=[0])
    status, said = probe(triton)
    assert (status, len(triton.params)) == (0, 2)
    assert "nothing found on the page of ocr" in said


@pytest.mark.parametrize(
    ("triton", "words"),
    [
        (Triton(ready=400), "not ready (HTTP 400)"),
        (Triton(loaded=()), "no pipeline is loaded"),
        (Triton(error=(500, "Stub process 'text_detection_0_0' is not healthy.")), "ocr: Stub process 'text_detection"),
        (Triton(error=(503, "text_detection: NETWORK_UNAVAILABLE: network N has lost")), "NETWORK_UNAVAILABLE"),
        (Triton(error=(500, "x" * 1000)), "x" * 300 + " (HTTP 500)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_server_that_cannot_answer_is_sick(probe, triton, words):
    status, said = probe(triton)
    assert status == 1
    assert said.startswith("sick: ")
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "message",
    [
        "in ensemble 'ocr', text_detection: DEADLINE_EXCEEDED: the request's timeout passed",
        "text_recognition: QUEUE_FULL: network N",
        "Exceeds maximum queue size",
    ],
)
def test_a_full_queue_is_not_sick(probe, message):
    status, said = probe(Triton(error=(503, message)))
    assert (status, said) == (0, "busy: ocr\n")


@pytest.mark.parametrize(("statistics", "status", "words"), [([5, 6], 0, "busy: ocr"), ([5, 5], 1, "nobody else")])
def test_a_silent_server_is_busy_if_it_answers_others(probe, statistics, status, words):
    start = time.monotonic()
    told = probe(Triton(silent=threading.Event(), statistics=iter(statistics)), "--timeout", "0.6")
    assert told[0] == status
    assert words in told[1]
    assert time.monotonic() - start < 0.6 + 0.3


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (ModelProcesses(28, 1, 0), "1 of 28 processes of its models is dead"),
        (ModelProcesses(28, 2, 1), "2 of 28 processes of its models are dead"),
        (ModelProcesses(28, 0, 1), "1 of 28 processes of its models is stopped"),
        (ModelProcesses(28, 0, 0), None),
        (None, None),
    ],
)
def test_a_dead_process_is_sick_whatever_is_answered(probe, monkeypatch, seen, words):
    monkeypatch.setattr(check, "model_processes", lambda port: seen)
    status, said = probe(Triton())
    assert (status == 1, words or "answered") == (words is not None, words or "answered")
    assert (words or "answered") in said


def test_nothing_takes_longer_than_the_timeout(capsys):
    """An answer that comes byte by byte passes every single wait."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
            for _ in range(40):
                self.wfile.write(b"x")
                time.sleep(0.05)

        def log_message(self, format, *args):
            pass

    server = Server(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    start = time.monotonic()
    assert main([f"127.0.0.1:{server.server_address[1]}", "--timeout", "0.3"]) == 1
    assert time.monotonic() - start < 0.6
    assert capsys.readouterr().err == "sick: it took longer than 0.3 s\n"
    server.shutdown()
    server.server_close()


def test_nobody_listens(capsys):
    with serving(Triton()) as url:
        pass
    assert main([url]) == 1
    assert capsys.readouterr().err.startswith(f"sick: no connection to {url} (")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ftp://x"], "'ftp://x' is no URL of Triton's HTTP endpoint"),
        (["http://x:99999"], "is no URL"),
        (["--timeout", "0.04"], "a number from 0.05 to 3600 is allowed"),
        (["--timeout", "3601"], "a number from 0.05 to 3600 is allowed"),
        (["--timeout", "nan"], "a number from 0.05 to 3600 is allowed"),
        (["--pages", "0"], "a whole number from 1 to 64 is allowed"),
        (["--pages", "65"], "a whole number from 1 to 64 is allowed"),
    ],
)
def test_wrong_arguments_are_named(capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_the_command_and_the_module_are_the_same(capsys):
    with serving(Triton(ready=400)) as url:
        with pytest.raises(SystemExit) as ended:
            paddlex_triton(["probe", url, "--timeout", "3"])
        assert ended.value.code == 1
        assert capsys.readouterr().err == "sick: not ready (HTTP 400)\n"
        command = [sys.executable, "-m", "paddlex_triton.probe", url]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (1, "sick: not ready (HTTP 400)\n")


def test_little_is_imported():
    code = "import sys, paddlex_triton.probe.command; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "cv2", "pydantic", "typer", "rich", "tritonclient", "grpc", "httpx"} & set(loaded)


def test_every_pipeline_has_a_page_with_parameters_that_it_takes():
    specs = {spec.ensemble: spec for spec in PIPELINES.values()}
    assert TINY_PAGES.keys() == specs.keys()
    for ensemble, page in TINY_PAGES.items():
        for params in page.attempts:
            parse_params(json.dumps(params).encode(), specs[ensemble].params)
        outputs = [output.name for output in read_config(ensembles_repository() / ensemble / "config.pbtxt").output]
        assert page.found is None or page.found in outputs
        assert len(page.read()) < 10_000
