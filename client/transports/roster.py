"""Which of several servers gets a request: the one with the fewest in flight, and none that did not answer lately."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from typing_extensions import Self

from paddlex_triton.client.exceptions import (
    DeadlineExceededError,
    PaddleXTritonError,
    PipelineNotLoadedError,
    RequestCancelledError,
    RequestError,
    ServerBusyError,
    UnavailableError,
)
from paddlex_triton.client.retry import Deadline
from paddlex_triton.client.transports.endpoint import Endpoint

logger = logging.getLogger("paddlex_triton")

T = TypeVar("T")

# A server that did not answer is left out for so long; the pause doubles as long as it does not.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# What another server may well answer. A server that stops cancels what it has not answered.
_ELSEWHERE = (UnavailableError, PipelineNotLoadedError, RequestCancelledError)


@dataclass
class Server(Generic[T]):
    """One of several servers.

    Attributes:
        endpoint: where it is.
        transport: how it is reached.
        in_flight: requests that it has.
        last_turn: number of the last request that it got; of equals, the one whose turn is longest ago is next.
        failures: tries that it did not answer since it last answered.
        left_out_until: when it may be tried again, by the roster's clock; None while it is used.
        asked: whether somebody is asking it if it is ready.
    """

    endpoint: Endpoint
    transport: T
    in_flight: int = 0
    last_turn: int = 0
    failures: int = 0
    left_out_until: float | None = None
    asked: bool = False


class Roster(Generic[T]):
    """Keeps count of the servers. Threads may share it."""

    def __init__(
        self, endpoints: Sequence[Endpoint], transports: Sequence[T], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take all for servers that answer.

        Args:
            endpoints: where they are.
            transports: how each is reached.
            clock: seconds.
        """
        self.servers = [Server(*each) for each in zip(endpoints, transports, strict=True)]
        self._clock = clock
        self._lock = threading.Lock()
        self._turns = itertools.count(1)

    def attempts(self, timeout_s: float | None) -> Iterator[Attempt[T]]:
        """Give the servers that a request is to be tried on, one after the other, until one answers.

        Args:
            timeout_s: seconds for all tries; None for no limit.

        Raises:
            DeadlineExceededError: the time is up.
            PaddleXTritonError: none answered; the message has what each said.
        """
        deadline = Deadline(timeout_s, self._clock)
        failed: list[Attempt[T]] = []
        while (server := self._take([attempt.server for attempt in failed], _is_busy(failed))) is not None:
            try:
                attempt = Attempt(self, server, deadline.remaining_s())
            except DeadlineExceededError:
                self.give_back(server)
                raise
            yield attempt
            failed.append(attempt)
        raise _together(failed)

    def due(self) -> list[Server[T]]:
        """Return the servers that are to be asked whether they are ready; `told` must be called for each."""
        with self._lock:
            now = self._clock()
            due = [
                server
                for server in self.servers
                if server.left_out_until is not None and server.left_out_until <= now and not server.asked
            ]
            for server in due:
                server.asked = True
            return due

    def told(self, server: Server[T], *, ready: bool) -> None:
        """Take note of what a server said when it was asked."""
        with self._lock:
            server.asked = False
            if ready:
                # Only a real answer makes it as good as the others: it may say so and fail every request.
                self._use_again(server)
            else:
                self._leave_out(server)

    def answered(self, server: Server[T], failures: int) -> None:
        """Take note that a server works, which had so many failures when it was sent what it answered.

        Has it more by now, it is one that stops: it still answers what it has, and takes nothing more.
        """
        with self._lock:
            if server.failures == failures:
                server.failures = 0
                self._use_again(server)

    def failed(self, server: Server[T], error: PaddleXTritonError) -> None:
        """Leave a server out for a while."""
        with self._lock:
            if server.left_out_until is None:
                logger.warning("%s is left out: %s", server.endpoint, error.message)
            # Those that were on their way when it died are one failure together.
            if server.left_out_until is None or server.left_out_until <= self._clock():
                self._leave_out(server)

    def give_back(self, server: Server[T]) -> None:
        """Take note that a server has a request less."""
        with self._lock:
            server.in_flight -= 1

    def _take(self, tried: Sequence[Server[T]], busy: bool) -> Server[T] | None:
        """Return the server for the next try, which then has a request more; None if there is none left."""
        with self._lock:
            untried = [server for server in self.servers if not any(server is each for each in tried)]
            used = [server for server in untried if server.left_out_until is None]
            if used:
                server = min(used, key=lambda server: (server.in_flight, server.last_turn))
            elif untried and not busy:
                server = min(untried, key=lambda server: server.left_out_until or 0.0)
            else:
                return None
            server.in_flight += 1
            server.last_turn = next(self._turns)
            return server

    def _leave_out(self, server: Server[T]) -> None:
        pause_s = min(FIRST_PAUSE_S * 2**server.failures, LONGEST_PAUSE_S)
        server.failures += 1
        server.left_out_until = self._clock() + pause_s

    def _use_again(self, server: Server[T]) -> None:
        if server.left_out_until is not None:
            logger.warning("%s is used again", server.endpoint)
        server.left_out_until = None


class Attempt(Generic[T]):
    """One try of a request on one server, a context manager; errors that another server may not have do not leave it.

    Attributes:
        server: the server.
        timeout_s: seconds that are left, None for no limit.
        error: why there is no answer.
    """

    def __init__(self, roster: Roster[T], server: Server[T], timeout_s: float | None) -> None:
        self._roster = roster
        self.server = server
        self.timeout_s = timeout_s
        self._failures = server.failures
        self.error: PaddleXTritonError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._roster.give_back(self.server)
        if isinstance(error, _ELSEWHERE):
            self.error = error
            if not isinstance(error, ServerBusyError):
                self._roster.failed(self.server, error)
            return True
        if isinstance(error, DeadlineExceededError) and error.code is None:
            # A page that takes long, or a server that hangs: it is used again when it says that it is ready.
            self._roster.failed(self.server, error)
        elif error is None or isinstance(error, RequestError):
            self._roster.answered(self.server, self._failures)
        return False


def _is_busy(failed: Sequence[Attempt[T]]) -> bool:
    return any(isinstance(attempt.error, ServerBusyError) for attempt in failed)


def _together(failed: Sequence[Attempt[T]]) -> PaddleXTritonError:
    """Return one error for all: the kind that is worth most patience, with what each server said."""
    errors = [(attempt.server.endpoint, attempt.error) for attempt in failed if attempt.error is not None]
    kinds = (ServerBusyError, UnavailableError, PaddleXTritonError)
    chosen = next(error for kind in kinds for _, error in errors if isinstance(error, kind))
    said = [error.message if str(where) in error.message else f"{where}: {error.message}" for where, error in errors]
    chosen.message = "; ".join(said)
    return chosen
