"""Watching a server: stand-ins for tritonserver, in processes of their own."""

import os
import signal
import sys
import time

import pytest

from paddlex_triton.probe.check import NotReady, Sick
from paddlex_triton.server.host import supervise
from paddlex_triton.server.host.supervise import Watching, run_watched

SLEEPS = "import time; time.sleep(30)"
QUICK = Watching(failures=3, interval_s=0.05, start_s=0.0)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class Looks:
    """Answers in turn: True for well; the last one goes on."""

    def __init__(self, *answers: bool, error: type[Sick] = Sick) -> None:
        self.answers, self.error, self.count = list(answers), error, 0

    def __call__(self, timeout_s: float) -> None:
        self.count += 1
        if not (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]):
            raise self.error("ocr: no answer")


@pytest.mark.parametrize(
    ("code", "status"), [("0", 0), ("3", 3), ("__import__('os').kill(__import__('os').getpid(), 9)", 137)]
)
def test_a_server_that_ends_gives_its_status(code, status):
    assert run_watched(python(f"raise SystemExit({code})"), os.environ, Watching(3), Looks(True)) == status


def test_failures_in_a_row_end_the_server(caplog):
    looks = Looks(True, False, False, True, False)
    assert run_watched(python(SLEEPS), os.environ, QUICK, looks) == 70
    assert looks.count == 4 + 3
    assert caplog.messages[-2:] == [
        "Check 3 of 3 failed: ocr: no answer",
        "Ending a server that is not well: ocr: no answer",
    ]


def test_failures_while_it_starts_do_not_count():
    looks = Looks(False, error=NotReady)
    ends = "import time; time.sleep(0.6)"
    assert run_watched(python(ends), os.environ, Watching(2, interval_s=0.05, start_s=60.0), looks) == 0
    assert looks.count > 2


@pytest.mark.parametrize(
    "looks", [Looks(False), Looks(True, False, error=NotReady)], ids=["ready but sick", "ready no more"]
)
def test_once_it_was_ready_failures_count(looks):
    assert run_watched(python(SLEEPS), os.environ, Watching(2, interval_s=0.05, start_s=60.0), looks) == 70


def test_a_server_that_never_gets_ready_is_ended():
    looks = Looks(False, error=NotReady)
    assert run_watched(python(SLEEPS), os.environ, Watching(2, interval_s=0.05, start_s=0.2), looks) == 70
    assert looks.count > 3


def test_a_server_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(supervise, "SICK_EXIT_S", 0.3)
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
    start = time.monotonic()
    # Time to begin to ignore.
    assert run_watched(python(stubborn), os.environ, Watching(1, interval_s=1.0, start_s=0.0), Looks(False)) == 70
    assert time.monotonic() - start < 10


def test_signals_are_handed_on_and_what_ends_is_not_sick(tmp_path):
    ready = tmp_path / "ready"
    ends = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.4), sys.exit(5))); "
        f"pathlib.Path({str(ready)!r}).touch(); {SLEEPS}"
    )
    before, sent = signal.getsignal(signal.SIGTERM), []

    def look(timeout_s):
        # Only now do signals to this process reach the server.
        if ready.exists() and not sent:
            sent.append(signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_watched(python(ends), os.environ, QUICK, look) == 5
    assert sent
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_servers_own_port_is_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(supervise, "check", lambda url, timeout_s: asked.append((url.port, timeout_s)))
    for ports in ([], ["--http-port=1"], ["--http-port=1", "--http-port=2"]):
        supervise._looking_at(["tritonserver", *ports])(7.0)
    assert asked == [(8000, 7.0), (1, 7.0), (2, 7.0)]


def test_the_environment_is_the_servers():
    code = "import os; raise SystemExit(int(os.environ['STATUS']))"
    assert run_watched(python(code), {"STATUS": "4"}, Watching(1), Looks(True)) == 4


def test_a_server_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        run_watched(["/nowhere/tritonserver"], os.environ, QUICK, Looks(True))
