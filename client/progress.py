"""How far a run is: a bar on a terminal, or a line in a log now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from paddlex_triton.client.consoles import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress

# Seconds between two lines in a log.
_LINES_APART_S = 60.0


class PageProgress:
    """Counts finished pages, for more than one. Shows nothing unless the standard error is a terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: Progress | None = None
        self._enabled = is_terminal(sys.stderr)

    def update(self, done: int, total: int) -> None:
        """Show how far it is; `total` may grow from call to call."""
        if not self._enabled or (total <= 1 and self._bar is None):
            return
        if self._bar is None:
            self._bar = self._start()
        task = self._bar.tasks[0]
        self._bar.update(task.id, completed=done, total=total, rate=f"{task.speed:.1f} pages/s" if task.speed else "")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # Results that the caller prints belong on the standard output, not above the bar.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.add_task(self._name, total=None, rate="")
        bar.start()
        return bar


class ProgressLines:
    """Says once a minute how far a run is. Says nothing if the standard error is a terminal, which has the bar."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock.

        Args:
            name: of the pipeline.
            clock: seconds.
        """
        self._name = name
        self._clock = clock
        self._enabled = not is_terminal(sys.stderr)
        self._began = self._told = clock()

    def lines(self, done: int, total: int) -> Iterator[str]:
        """Yield a line if it is time for one.

        Args:
            done: pages that are finished.
            total: pages that are known of.
        """
        now = self._clock()
        if not self._enabled or not done or now - self._told < _LINES_APART_S:
            return
        self._told = now
        rate = done / (now - self._began)
        left = timedelta(seconds=round((total - done) / rate))
        yield f"{self._name}: {done} of {total} pages, {rate:.1f} pages/s, {left} left"
