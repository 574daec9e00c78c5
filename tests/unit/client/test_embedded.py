"""Finding a server, or starting one."""

import logging
import socket
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from paddlex_triton.client import NO_RETRIES, create_async_pipeline, create_pipeline, embedded
from paddlex_triton.client.embedded import find_server, serves
from paddlex_triton.client.exceptions import (
    DeadlineExceededError,
    EmbeddedServerError,
    ServerError,
    ServerUnavailableError,
)
from paddlex_triton.client.transports import Endpoint
from paddlex_triton.client.transports.mock import MockTransport
from paddlex_triton.network import StandIn
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.pipelines import find_pipeline
from paddlex_triton.server.host.errors import ServerStartError

OCR = find_pipeline("OCR")
PAGE = np.zeros((8, 8), np.uint8)


class FakeServer:
    """Stands for the launcher's server."""

    made: list["FakeServer"] = []  # noqa: RUF012
    refusal: Exception | None = None
    # pipeline -> step -> the network in the place of another, and pipeline -> parameter -> networks
    stand_ins: dict[str, dict[str, StandIn]] = {}  # noqa: RUF012
    switches: dict[str, dict[str, tuple[str, ...]]] = {}  # noqa: RUF012

    # What is wrong with a server that was started.
    wrong: str | None = None
    grpc_url, http_url = "127.0.0.1:18001", "http://127.0.0.1:18000"

    def __init__(self, pipelines, *, presets, models, log_file):
        self.pipelines, self.presets, self.models = list(pipelines), presets, models
        self.log_file, self.pid, self.assembly = log_file, None, None
        FakeServer.made.append(self)

    def start(self):
        if self.refusal:
            raise self.refusal
        self.pid = 1
        self.assembly = SimpleNamespace(stand_ins=self.stand_ins, switches=self.switches)

    def stop(self):
        self.pid = None

    def fault(self):
        return self.wrong


@pytest.fixture(autouse=True)
def launcher(monkeypatch):
    module = ModuleType("paddlex_triton.server.host.launcher")
    module.EmbeddedServer = FakeServer  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "paddlex_triton.server.host.launcher", module)
    monkeypatch.setattr(FakeServer, "made", [])
    monkeypatch.setattr(FakeServer, "refusal", None)
    monkeypatch.setattr(embedded, "serves", lambda endpoint, spec: False)
    yield
    assert not embedded._running


def test_a_named_server_is_not_asked():
    found = find_server(OCR, "host:9000", None)
    assert str(found.endpoints[0]) == "grpc://host:9000"
    found.release()
    assert FakeServer.made == []


@pytest.mark.parametrize(("protocol", "port"), [(None, 8001), ("grpc", 8001), ("http", 8000)])
def test_a_server_on_the_default_port_is_used(monkeypatch, protocol, port):
    monkeypatch.setattr(embedded, "serves", lambda endpoint, spec: endpoint.port == port)
    assert find_server(OCR, None, protocol).endpoints[0].port == port
    assert FakeServer.made == []


@pytest.mark.parametrize(
    ("protocol", "expected"), [(None, "grpc://127.0.0.1:18001"), ("http", "http://127.0.0.1:18000")]
)
def test_otherwise_one_is_started_and_said_to_be(caplog, protocol, expected):
    found = find_server(OCR, None, protocol)
    (server,) = FakeServer.made
    assert str(found.endpoints[0]) == expected
    # Without a preset the server completes the default one.
    assert (server.pipelines, server.presets, server.models, server.pid) == (["OCR"], {}, {}, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "starting the embedded one" in caplog.text
    assert server.log_file.parent.is_dir()
    found.release()
    assert server.pid is None
    assert not server.log_file.parent.exists()


def test_one_process_shares_one_server():
    first, second = create_pipeline("OCR"), create_pipeline("OCR")
    (server,) = FakeServer.made
    first.close()
    first.close()
    assert server.pid == 1
    second.close()
    assert server.pid is None


def test_a_server_for_each_choice_of_networks():
    choices = [
        {},
        {"preset": "nopp"},
        {"preset": "seal_recognition-nopp"},
        {"preset": "nopp-nolayout"},
        {"models": {"layout_detection": "PP-DocLayout-S"}},
        {"models": {"layout_detection": "PP-DocLayout-S"}, "preset": "nopp"},
        {"models": {"layout_detection": "PP-DocLayout-S"}, "preset": "nopp-lightweight"},
        {"models": {"layout_detection": ["PP-DocLayout-S", "PP-DocLayout-L"]}},
        {"models": {"layout_detection": "PP-DocLayout-S, PP-DocLayout-L,PP-DocLayout-S"}},
        {"models": {"layout_detection": "PP-DocLayout-L,PP-DocLayout-S"}},
        {"models": {"layout_detection": ()}},
        {"models": {"layout_detection": ""}},
        {"models": {}},
    ]
    pipelines = [create_pipeline("seal_recognition", **choice) for choice in choices]
    assert [(server.presets, server.models) for server in FakeServer.made] == [
        ({}, {}),
        ({"seal_recognition": "nopp"}, {}),
        ({"seal_recognition": "nopp-nolayout"}, {}),
        ({}, NetworkChoice({"layout_detection": "PP-DocLayout-S"})),
        ({"seal_recognition": "nopp"}, NetworkChoice({"layout_detection": "PP-DocLayout-S"})),
        ({"seal_recognition": "nopp-lightweight"}, NetworkChoice({"layout_detection": "PP-DocLayout-S"})),
        ({}, NetworkChoice({"layout_detection": "PP-DocLayout-S,PP-DocLayout-L"})),
        ({}, NetworkChoice({"layout_detection": "PP-DocLayout-L,PP-DocLayout-S"})),
        ({}, NetworkChoice({"layout_detection": ""})),
    ]
    assert {tuple(server.pipelines) for server in FakeServer.made} == {("seal_recognition",)}
    for pipeline in pipelines:
        pipeline.close()
    assert {server.pid for server in FakeServer.made} == {None}


def test_a_fallback_is_told(monkeypatch, caplog):
    stand_in = StandIn(name="offline_seal_layout", instead_of="PP-DocLayout-L", reason="not exported")
    monkeypatch.setattr(FakeServer, "stand_ins", {"seal_recognition": {"layout_detection": stand_in}})
    with create_pipeline("seal_recognition"), create_pipeline("OCR"), create_pipeline("seal_recognition"):
        assert [server.presets for server in FakeServer.made] == [{}, {}]
    told = "layout_detection runs on offline_seal_layout instead of PP-DocLayout-L: not exported."
    assert (caplog.text.count(told), caplog.text.count("runs on")) == (1, 1)


def test_which_optional_steps_are_on_is_told(monkeypatch, caplog):
    switches = {
        "use_doc_orientation_classify": ("PP-LCNet_x1_0_doc_ori",),
        "use_doc_unwarping": (),
        "use_textline_orientation": ("PP-LCNet_x1_0_textline_ori", "PP-LCNet_x0_25_textline_ori"),
    }
    monkeypatch.setattr(FakeServer, "switches", {"OCR": switches, "human_keypoint_detection": {}})
    caplog.set_level(logging.INFO, "paddlex_triton")
    with create_pipeline("OCR"), create_pipeline("human_keypoint_detection"):
        pass
    assert [record.getMessage() for record in caplog.records if record.levelname == "INFO"] == [
        "Optional steps of OCR: use_doc_orientation_classify is on (PP-LCNet_x1_0_doc_ori), use_doc_unwarping is off, "
        "use_textline_orientation is on (PP-LCNet_x1_0_textline_ori, PP-LCNet_x0_25_textline_ori)."
    ]


def test_pipelines_have_servers_of_their_own():
    with create_pipeline("OCR"), create_pipeline("seal_recognition"):
        assert [server.pipelines for server in FakeServer.made] == [["OCR"], ["seal_recognition"]]


def test_single_networks_are_had_from_an_embedded_server_only(monkeypatch, caplog):
    monkeypatch.setattr(embedded, "serves", lambda endpoint, spec: True)
    create_pipeline("seal_recognition", preset="nopp").close()
    assert FakeServer.made == []
    create_pipeline("seal_recognition", models={"layout_detection": "PP-DocLayout-S"}).close()
    assert len(FakeServer.made) == 1
    assert "seal_recognition with layout_detection=PP-DocLayout-S" in caplog.text


def test_a_server_that_died_is_started_again():
    first = find_server(OCR, None, None)
    FakeServer.made[0].pid = None
    second = find_server(OCR, None, None)
    assert len(FakeServer.made) == 2
    first.release()
    assert FakeServer.made[1].pid == 1
    second.release()


@pytest.mark.parametrize(("pid", "wrong"), [(1, "text_detection_0_0 lost its process"), (None, "it was killed")])
def test_a_server_that_is_not_well_is_told_of_and_not_used_again(pid, wrong):
    first = create_pipeline("OCR", retry=NO_RETRIES)
    (server,) = FakeServer.made
    errors = [ServerUnavailableError("no answer"), DeadlineExceededError("late")]
    first._transport = MockTransport(raising([*errors, ServerError("internal error")]))
    server.pid, server.wrong = pid, wrong
    told = f": of the embedded server, {wrong}: close the pipeline and create it anew"
    for error, message in [(errors[0], "no answer" + told), (errors[1], "late" + told), (None, "internal error")]:
        with pytest.raises(type(error) if error else ServerError) as caught:
            list(first.predict(PAGE))
        assert caught.value.message == message
    with create_pipeline("OCR"):
        assert len(FakeServer.made) == 2
        first.close()
        assert [each.pid for each in FakeServer.made] == [None, 1]


async def test_the_asynchronous_twin_is_told_of_it_too(monkeypatch):
    monkeypatch.setattr(FakeServer, "grpc_url", "127.0.0.1:1")
    async with create_async_pipeline("OCR", retry=NO_RETRIES) as pipeline:
        monkeypatch.setattr(FakeServer, "wrong", "tritonserver was killed")
        with pytest.raises(ServerUnavailableError, match="tritonserver was killed: close the pipeline and create it"):
            await anext(aiter(pipeline.predict(PAGE)))


def raising(errors):
    def answer(request):
        raise errors.pop(0)

    return answer


def test_the_end_of_the_process_ends_the_server():
    found = find_server(OCR, None, None)
    embedded._stop_all()
    (server,) = FakeServer.made
    assert server.pid is None
    assert not server.log_file.parent.exists()
    found.release()


def test_a_server_that_cannot_start(monkeypatch):
    monkeypatch.setattr(FakeServer, "refusal", ServerStartError("numpy 2 is installed"))
    with pytest.raises(EmbeddedServerError, match="cannot start: numpy 2 is installed"):
        find_server(OCR, None, None)
    assert not FakeServer.made[0].log_file.parent.exists()


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "paddlex_triton.server.host.launcher", None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'paddlex-triton\[serve\]', or name a server with url="):
        find_server(OCR, None, None)


def test_probing(monkeypatch):
    monkeypatch.undo()
    assert serves(Endpoint.parse("127.0.0.1:1"), OCR) is False
    # Something else listens there, and hangs up.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        threading.Thread(target=lambda: [listener.accept()[0].close() for _ in range(2)], daemon=True).start()
        assert serves(Endpoint.parse(f"http://127.0.0.1:{listener.getsockname()[1]}"), OCR) is False
