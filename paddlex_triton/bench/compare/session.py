"""A contestant at work: its driver's process, and what is asked of it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from paddlex_triton.bench.compare.process_tree import cpu_seconds
from paddlex_triton.processes import die_with_parent

DRIVERS = Path(__file__).with_name("drivers")
# Loading networks, compiling them and the largest set of pages; nothing hangs for ever.
ANSWER_S = 1800.0
_CLOSE_S = 60.0
_LOG_LINES = 3


class ContestantError(RuntimeError):
    """A contestant's driver ended, did not answer, or answered with an error."""


class Session:
    """A driver's process. Usable as a context manager; safe to call from several threads, one request at a time."""

    def __init__(self, python: Path, driver: Path, log: Path, answer_s: float = ANSWER_S) -> None:
        """Start the driver.

        Args:
            python: of its environment.
            driver: its script.
            log: file for what it prints besides answers.
            answer_s: seconds to wait for an answer.
        """
        self._log, self._answer_s, self._lock, self._read = log, answer_s, threading.Lock(), b""
        self._late = False
        # Of this process's own packages none may be found there.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [*die_with_parent("TERM"), str(python), str(driver)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=variables | {"PYTHONDONTWRITEBYTECODE": "1"},
                # Ctrl-C reaches this process alone, which ends the drivers in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the driver."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time of the driver and all that it started."""
        return cpu_seconds(self.pid)

    def ask(self, kind: str, **values: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Args:
            kind: its `do`, see `drivers/driver_loop.py`.
            values: what it has besides.

        Raises:
            ContestantError: the driver ended, did not answer in time, or answered with an error.
        """
        with self._lock:
            if self._late:
                # What came next would be the answer to that one.
                raise ContestantError("an earlier request was not answered in time")
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps({"do": kind, **values}).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:
                raise ContestantError(self._ended()) from None
            answer = json.loads(self._line())
        if "error" in answer:
            raise ContestantError(answer["error"])
        return answer

    def close(self) -> None:
        """End the driver."""
        if self._process.poll() is None:
            with suppress(OSError):
                assert self._process.stdin is not None
                self._process.stdin.write(b'{"do": "close"}\n')
                self._process.stdin.flush()
            try:
                self._process.wait(0 if self._late else _CLOSE_S)
            except subprocess.TimeoutExpired:
                # All that it started and that is of its group, too.
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            # What an ended driver never read is still in the pipe.
            with suppress(OSError):
                assert pipe is not None
                pipe.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not selector.select(self._answer_s):
                    self._late = True
                    raise ContestantError(f"no answer within {self._answer_s:g} s")
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise ContestantError(self._ended())
                self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _ended(self) -> str:
        status = self._process.wait()
        lines: Sequence[str] = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"the driver ended with status {status}: {' '.join(lines[-_LOG_LINES:]) or 'it said nothing'}"
