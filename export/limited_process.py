"""Commands that may talk, abort or hang: run to their end or stopped with all they started, and read for the reason."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.processes import die_with_parent

_LINES, _LINE_LENGTH = 4, 300

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What says nothing about the cause: warnings of the start, rulers, and what PaddlePaddle tells of an abort.
_CHATTER = re.compile(
    r"^-*$|UserWarning|warnings\.warn|WARNING|C\+\+ Traceback|Error Message Summary|TimeInfo|SignalInfo"
    r"|^\d+ +paddle|abort signal|^\[notice\]|New Executor"
    r"|^\[Paddle2ONNX\]( (Load|Get|Start getting|Finish getting|Model file|Parameters file) .*)?$"
)


@dataclass(frozen=True)
class CommandResult:
    """How a command ended.

    Attributes:
        status: its exit status; negative for the signal that ended it; None where it was stopped at its time limit.
        output: all it wrote.
        seconds: the limit it had.
    """

    status: int | None
    output: str
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself, with status 0."""
        return self.status == 0

    def reason(self) -> str:
        """Return how it ended, and its last lines, in one line."""
        lines = last_lines(self.output)
        return f"{self._end()}; {f'it said: {lines}' if lines else 'it said nothing'}"

    def _end(self) -> str:
        if self.status is None:
            return f"it was stopped after {self.seconds:g} s"
        if self.status in (-signal.SIGABRT, 128 + signal.SIGABRT):
            return "it aborted"
        if self.status in (-signal.SIGKILL, 128 + signal.SIGKILL):
            return "it was killed, as happens where memory is short"
        return f"it ended with status {self.status}"


def _silent(seconds: float) -> None:
    del seconds


def run_limited(
    command: Sequence[str | Path],
    *,
    seconds: float,
    log: Path,
    environment: Mapping[str, str] | None = None,
    tell: Callable[[float], None] = _silent,
    grace: float = 0.0,
) -> CommandResult:
    """Run a command in a process group of its own, and end that group with it; killed, this process takes it along.

    Args:
        command: its words.
        seconds: how long it may take.
        log: a file for what it writes.
        environment: in place of this process's own.
        tell: called with the seconds it has taken, about once a second.
        grace: seconds that it has to end by itself once it is told to; killed at once if there are none.

    Raises:
        OSError: it cannot be started.
    """
    # What is not there is for Popen to say.
    prefix = die_with_parent("TERM" if grace else "KILL") if shutil.which(command[0]) else []
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*prefix, *(str(word) for word in command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
        status: int | None = None
        try:
            while status is None and (left := started + seconds - time.monotonic()) > 0:
                try:
                    status = process.wait(min(1.0, left))
                except subprocess.TimeoutExpired:
                    tell(time.monotonic() - started)
        finally:
            _end_group(process, grace)
    return CommandResult(status, log.read_text(encoding="utf-8", errors="replace"), seconds)


def last_lines(output: str) -> str:
    """Return the last lines of an output that tell something, joined to one."""
    lines = [" ".join(_COLOURS.sub("", line).split()) for line in output.splitlines()]
    telling = [line[:_LINE_LENGTH] for line in lines if not _CHATTER.search(line)]
    return " | ".join(telling[-_LINES:])


def _end_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """End what is left of a command and its children: an interrupted export leaves none of them behind."""
    try:
        if grace and process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # All of them have ended; macOS says the latter of a group that waits to be buried.
        return
    finally:
        process.wait()
