"""A server that ends, or loses a process of its models: stand-ins for tritonserver, and for /proc."""

import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from paddlex_triton.cli import app
from paddlex_triton.server.host import launcher
from paddlex_triton.server.host.errors import ServerEndedError
from paddlex_triton.server.host.launcher import EmbeddedServer
from paddlex_triton.server.host.model_watch import ModelWatch

STUB = "triton_python_b"


@pytest.fixture
def proc(tmp_path):
    """`proc(pid, state, instance)` writes a process of a model of the server 10; gives the folder."""

    def write(pid, state="S", instance="", *, name=STUB, parent=10):
        folder = tmp_path / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(f"{pid} ({name}) {state} {parent} 0 0\n")
        (folder / "cmdline").write_text("\0".join(["stub", *"1234567", instance, "backend"] if instance else ["x"]))
        return tmp_path

    return write


def test_processes_that_ended_are_named(proc):
    proc(100, "S", "b_0_0")
    proc(101, "R", "a_0_1")
    proc(102)
    proc(103, "S", "other_0_0", parent=11)
    proc(104, "Z", "was dead before")
    folder = proc(105, name="sh")
    watch = ModelWatch(10, folder)
    assert watch.dead() == []
    # The kernel forgets the arguments of the dead.
    proc(100, "Z")
    proc(101, "T", "a_0_1")
    proc(102, "D")
    assert watch.dead() == ["b_0_0"]
    (folder / "101" / "stat").unlink()
    (folder / "102" / "stat").write_text(f"102 ({STUB}) S 1 0 0\n")
    assert watch.dead() == ["a_0_1", "b_0_0", "process 102"]


class Dead:
    def __init__(self, *names):
        self.names = list(names)

    def dead(self):
        return self.names


@pytest.fixture
def running(monkeypatch):
    """`running(code, *dead)`: a server that is a Python program."""
    monkeypatch.setattr(launcher, "_WATCH_S", 0.05)
    monkeypatch.setattr(launcher, "SICK_EXIT_S", 0.3)
    made = []

    def run(code, *dead):
        server = EmbeddedServer(["OCR"])
        server._process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        server._models_watch = Dead(*dead)  # pyright: ignore[reportAttributeAccessIssue]
        made.append(server)
        return server

    yield run
    for server in made:
        server.stop()


KILLED = "import os; os.kill(os.getpid(), 9)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("code", "dead", "message", "status"),
    [
        (KILLED, ["a_0_0"], "tritonserver was ended by SIGKILL, as happens where memory is short", 137),
        ("raise SystemExit(3)", ["a_0_0"], "tritonserver ended with status 3", 3),
        ("import time; time.sleep(60)", ["a_0_0"], "a_0_0 lost its process", 70),
        ("import time; time.sleep(60)", ["a_0_0", "b_0_1"], "a_0_0, b_0_1 lost their processes", 70),
    ],
)
def test_what_became_of_a_server(running, code, dead, message, status):
    server = running(code, *dead)
    if status != 70:
        server._process.wait()
    with pytest.raises(ServerEndedError) as caught:
        server.wait()
    assert (str(caught.value), caught.value.status, server.fault()) == (message, status, message)
    server.stop()
    assert server.fault() is None


def test_processes_that_go_before_their_server(running, monkeypatch):
    monkeypatch.setattr(launcher, "_WATCH_S", 5)
    server = running(f"import time; time.sleep(0.3); {KILLED}", "a_0_0")
    assert server.fault() == "tritonserver was ended by SIGKILL, as happens where memory is short"


def test_a_server_that_ends_in_order_is_no_fault(running):
    server = running("import time; time.sleep(0.3)")
    server.wait()
    assert server.fault() is None


def test_a_server_with_dead_processes_is_not_waited_for(running):
    server = running(STUBBORN, "a_0_0")
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("code", "dead", "message", "status"),
    [
        (KILLED, [], "tritonserver was ended by SIGKILL, as happens where memory is short. ", 137),
        ("import time; time.sleep(60)", ["a_0_0"], "a_0_0 lost its process. ", 70),
    ],
)
def test_serve_says_why_it_ends(running, monkeypatch, code, dead, message, status):
    server = running(code, *dead)
    server._ports = {"--http-port": 1, "--grpc-port": 2, "--metrics-port": 3}
    monkeypatch.setattr(server, "start", lambda: server)
    monkeypatch.setattr(launcher, "EmbeddedServer", lambda *arguments, **options: server)
    done = CliRunner().invoke(app, ["serve", "--pipeline", "OCR", "--no-rest"], env={"COLUMNS": "400", "TERM": "dumb"})
    assert done.exit_code == status
    assert f"Error: {message}Triton starts no process again" in done.output
    assert server.pid is None
