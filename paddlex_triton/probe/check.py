"""The check: ready, no model's process dead, and every pipeline answers a tiny page."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from urllib.parse import SplitResult

from paddlex_triton.errors import ErrorCode, parse_message
from paddlex_triton.probe.processes import model_processes
from paddlex_triton.probe.requests import Connection, NoAnswer, wait_for_any
from paddlex_triton.probe.tiny_pages import TINY_PAGES

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What a server at work says; the last are Triton's words, of a queue with a limit.
_BUSY_CODES = (ErrorCode.DEADLINE_EXCEEDED, ErrorCode.QUEUE_FULL)
_QUEUE_FULL = "exceeds maximum queue size"
# Of the time that there is: between the two, a server that has not answered must answer somebody.
_FIRST_LOOK, _LAST_LOOK = 0.45, 0.9


class Sick(Exception):
    """The server is not well; the message says why, in one line."""


class NotReady(Sick):
    """The server does not say that it is ready: it may be starting."""


def check(url: SplitResult, timeout_s: float, pages: int = 1) -> str:
    """Check a server.

    Args:
        url: of Triton's HTTP endpoint.
        timeout_s: after which nothing is waited for any more.
        pages: tiny pages at once for each pipeline: of a model's processes any one answers.

    Returns:
        What was seen, in one line.

    Raises:
        Sick: it is not well; NotReady where it may be starting.
    """
    with _Check(url, timeout_s) as running:
        try:
            return running.run(pages)
        except NoAnswer as error:
            raise Sick(str(error)) from None


class _Check:
    """One check, with its connections."""

    def __init__(self, url: SplitResult, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._start = time.monotonic()
        self._connections = ExitStack()
        # Whose answer is awaited: the pipeline, and how often the page was sent.
        self._waiting: dict[Connection, tuple[str, int]] = {}
        self._empty: set[str] = set()
        self._busy: set[str] = set()

    def __enter__(self) -> _Check:
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()

    def run(self, pages: int) -> str:
        """Check, and return what was seen."""
        questions = self._connect()
        _check_readiness(questions)
        _check_processes(self._url)
        loaded = [name for name in TINY_PAGES if questions.get(f"/v2/models/{name}/ready")[0] == 200]
        if not loaded:
            raise Sick("no pipeline is loaded")
        for ensemble in loaded:
            for _ in range(pages):
                self._send(self._connect(), ensemble, 0)
        self._gather(self._start + _FIRST_LOOK * self._timeout_s)
        if self._waiting:
            before = _pages_answered(questions)
            self._gather(self._start + _LAST_LOOK * self._timeout_s)
            if self._waiting and _pages_answered(questions) <= before:
                names = ", ".join(sorted({name for name, _ in self._waiting.values()}))
                raise Sick(f"{names}: no answer within {self._timeout_s:g} s, and nobody else got one")
        return self._told(loaded)

    def _connect(self) -> Connection:
        connection = Connection(self._url, self._start + self._timeout_s)
        self._connections.callback(connection.close)
        return connection

    def _send(self, connection: Connection, ensemble: str, attempt: int) -> None:
        page = TINY_PAGES[ensemble]
        connection.send_page(ensemble, page.read(), page.attempts[attempt], self._timeout_s)
        self._waiting[connection] = (ensemble, attempt)

    def _gather(self, until: float) -> None:
        """Take answers until all are there or the time is over."""
        while self._waiting and (ready := wait_for_any(self._waiting, until)):
            for connection in ready:
                self._take(connection, *self._waiting.pop(connection))

    def _take(self, connection: Connection, ensemble: str, attempt: int) -> None:
        page = TINY_PAGES[ensemble]
        try:
            shapes = connection.outputs()
        except NoAnswer as error:
            if not _is_busy(str(error)):
                raise Sick(f"{ensemble}: {error}") from None
            self._busy.add(ensemble)
            return
        if page.found and shapes.get(page.found, [0])[0] == 0:
            if attempt + 1 < len(page.attempts):
                self._send(connection, ensemble, attempt + 1)
            else:
                self._empty.add(ensemble)

    def _told(self, loaded: list[str]) -> str:
        busy = sorted(self._busy | {name for name, _ in self._waiting.values()})
        answered = [name for name in loaded if name not in busy]
        took = (time.monotonic() - self._start) * 1000
        parts = [
            f"well: {', '.join(answered)} answered in {took:.0f} ms" if answered else "",
            f"busy: {', '.join(busy)}" if busy else "",
        ]
        # Its last networks had nothing to do: they may be well or not.
        parts.append(f"nothing found on the page of {', '.join(sorted(self._empty))}" if self._empty else "")
        return "; ".join(part for part in parts if part)


def _check_readiness(questions: Connection) -> None:
    try:
        status, _ = questions.get("/v2/health/ready")
    except NoAnswer as error:
        raise NotReady(str(error)) from None
    if status != 200:
        raise NotReady(f"not ready (HTTP {status})")


def _check_processes(url: SplitResult) -> None:
    """Look at the processes of the models, where the server is on this machine and in sight."""
    seen = model_processes(url.port or 80) if url.hostname in _LOOPBACK else None
    if seen is None:
        return
    for count, word in ((seen.ended, "dead"), (seen.stopped, "stopped")):
        if count:
            raise Sick(f"{count} of {seen.all} processes of its models {'is' if count == 1 else 'are'} {word}")


def _is_busy(message: str) -> bool:
    said = parse_message(message)
    return (said is not None and said.code in _BUSY_CODES) or _QUEUE_FULL in message.lower()


def _pages_answered(questions: Connection) -> int:
    """Return how many pages the pipelines have answered since the server started."""
    status, body = questions.get("/v2/models/stats")
    try:
        models = json.loads(body)["model_stats"] if status == 200 else []
        return sum(model["inference_stats"]["success"]["count"] for model in models if model["name"] in TINY_PAGES)
    except (ValueError, KeyError, TypeError):
        raise NoAnswer("the statistics are none of Triton's") from None
