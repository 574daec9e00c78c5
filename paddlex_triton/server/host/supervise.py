"""Runs tritonserver in a container and ends it when it is not well any more, so that the container is started anew.

Docker restarts containers that end, not those that are unhealthy. Triton does not end when a model's process dies.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from types import FrameType
from urllib.parse import urlsplit

from paddlex_triton.probe.check import NotReady, Sick, check
from paddlex_triton.processes import end_process, exit_status
from paddlex_triton.server.host.errors import SICK_STATUS
from paddlex_triton.server.host.tritonserver_arguments import SICK_EXIT_S

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watching:
    """How a server is watched.

    Attributes:
        failures: checks in a row that fail until it is ended.
        interval_s: between checks.
        timeout_s: of a check.
        start_s: in which it must be ready for the first time.
    """

    failures: int
    interval_s: float = 10.0
    timeout_s: float = 5.0
    start_s: float = 900.0


def run_watched(
    command: Sequence[str],
    environment: Mapping[str, str],
    watching: Watching,
    look: Callable[[float], object] | None = None,
) -> int:
    """Run tritonserver until it ends, or until it is not well any more.

    Signals that end a container are handed on to it.

    Args:
        command: tritonserver's.
        environment: its.
        watching: how it is watched.
        look: checks the server within the seconds given and raises Sick; the probe at its HTTP port if None.

    Returns:
        Its exit status, 128 and the signal's number if one ended it; 70 if it was not well.
    """
    look = look or _looking_at(command)
    process = subprocess.Popen(command, env=dict(environment))
    with _handing_on(process) as stopping:
        sick = _watch(process, watching, look, stopping)
        if sick:
            logger.error("Ending a server that is not well: %s", sick)
            end_process(process, SICK_EXIT_S)
    return SICK_STATUS if sick else exit_status(process.returncode)


def _watch(
    process: subprocess.Popen[bytes], watching: Watching, look: Callable[[float], object], stopping: Event
) -> str | None:
    """Return why the server is to be ended, None when it ended by itself or was told to."""
    failures, patience = 0, time.monotonic() + watching.start_s
    while True:
        try:
            process.wait(None if stopping.is_set() else watching.interval_s)
            return None
        except subprocess.TimeoutExpired:
            pass
        try:
            look(watching.timeout_s)
            failures, patience = 0, 0.0
        except Sick as error:
            starting = isinstance(error, NotReady) and time.monotonic() < patience
            patience = patience if starting else 0.0
            # While it starts, or ends, it cannot be well.
            if starting or stopping.is_set() or process.poll() is not None:
                continue
            failures += 1
            logger.warning("Check %d of %d failed: %s", failures, watching.failures, error)
            if failures >= watching.failures:
                return str(error)


def _looking_at(command: Sequence[str]) -> Callable[[float], object]:
    ports = [argument.partition("=")[2] for argument in command if argument.startswith("--http-port=")]
    url = urlsplit(f"http://127.0.0.1:{ports[-1] if ports else 8000}")
    return lambda timeout_s: check(url, timeout_s)


@contextmanager
def _handing_on(process: subprocess.Popen[bytes]) -> Iterator[Event]:
    """Hand signals on to the server inside; the event says that one came."""
    stopping = Event()

    def hand_on(signum: int, frame: FrameType | None) -> None:
        stopping.set()
        process.send_signal(signum)

    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, hand_on) for number in signals]
    try:
        yield stopping
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
