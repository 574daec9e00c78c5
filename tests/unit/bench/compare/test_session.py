"""Drivers: their protocol, and what becomes of those that fail. A real process, with a made-up contestant."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from paddlex_triton.bench.compare.session import DRIVERS, ContestantError, Session

DRIVER = """
    import os, sys, time
    sys.path.insert(0, {drivers!r})
    from driver_loop import Driver, serve

    class Example(Driver):
        packages = ("pip", "not installed")
        takes_callers = {takes_callers}

        def open(self, request):
            print("chatter of a library")
            os.system("echo chatter of a program")

        def read(self, path):
            if path == "bad":
                raise ValueError("cannot read bad")
            if path == "end":
                print("out of memory", file=sys.stderr)
                os._exit(9)
            if path == "hang":
                time.sleep(60)
            return [path, "\\u5370\\u7ae0"]

        def close(self):
            open({closed!r}, "w").close()

    serve(Example())
"""


@pytest.fixture
def start(tmp_path):
    """Starts drivers, and closes them at the end."""
    sessions = []

    def start(takes_callers: bool = False, answer_s: float = 30) -> Session:
        script = tmp_path / "driver.py"
        values = {"drivers": str(DRIVERS), "takes_callers": takes_callers, "closed": str(tmp_path / "closed")}
        script.write_text(textwrap.dedent(DRIVER.format(**values)))
        sessions.append(Session(Path(sys.executable), script, tmp_path / "driver.log", answer_s))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def test_pages_are_read_whatever_is_printed_meanwhile(start, tmp_path):
    session = start()
    opened = session.ask("open", pipeline="OCR")
    assert set(opened["versions"]) == {"pip"}
    answer = session.ask("page", path="one")
    assert answer["lines"] == ["one", "印章"]
    assert answer["ms"] >= 0
    assert session.cpu_seconds() > 0
    session.close()
    assert (tmp_path / "closed").exists()
    log = (tmp_path / "driver.log").read_text()
    assert "chatter of a library" in log
    assert "chatter of a program" in log


def test_a_failed_request_does_not_end_the_driver(start):
    session = start()
    with pytest.raises(ContestantError, match=r"^ValueError: cannot read bad$"):
        session.ask("page", path="bad")
    with pytest.raises(ContestantError, match="do is 'dance'"):
        session.ask("dance")
    assert session.ask("page", path="one")["lines"][0] == "one"


def test_several_callers(start):
    session = start(takes_callers=True)
    assert session.ask("pages", paths=["a", "b", "c"], callers=2)["seconds"] >= 0
    with pytest.raises(ContestantError, match="cannot read bad"):
        session.ask("pages", paths=["a", "bad"], callers=2)


def test_a_contestant_that_takes_one_caller_says_so(start):
    session = start()
    assert session.ask("pages", paths=["a", "b"], callers=1)["seconds"] >= 0
    with pytest.raises(ContestantError, match="takes one caller; 2 are wanted"):
        session.ask("pages", paths=["a"], callers=2)


def test_an_ended_driver_is_told_by_its_last_words(start):
    session = start()
    with pytest.raises(ContestantError, match=r"ended with status 9: .*out of memory"):
        session.ask("page", path="end")
    with pytest.raises(ContestantError, match="ended with status 9"):
        session.ask("page", path="one")


def test_a_driver_that_does_not_answer_is_ended(start):
    session = start(answer_s=1)
    session.ask("open")
    with pytest.raises(ContestantError, match="no answer within 1 s"):
        session.ask("page", path="hang")
    session.close()
    with pytest.raises(ProcessLookupError):
        os.kill(session.pid, 0)


def test_an_answer_of_another_request_is_not_taken(start):
    """Answers come in order: after one came too late, the session is of no use."""
    session = start(answer_s=1)
    session.ask("open")
    with pytest.raises(ContestantError, match="no answer"):
        session.ask("page", path="hang")
    with pytest.raises(ContestantError, match="an earlier request was not answered"):
        session.ask("page", path="one")
