"""A progress bar on a terminal, for more than one page."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from paddlex_triton.client.consoles import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress


class PageProgress:
    """Counts finished pages. Shows nothing unless the standard error is a terminal."""

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
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)

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
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # Results that the caller prints belong on the standard output, not above the bar.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.add_task(self._name, total=None)
        bar.start()
        return bar
