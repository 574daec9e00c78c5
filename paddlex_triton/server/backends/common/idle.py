"""Doing something once nothing else has been done for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class WhenIdle:
    """Calls a function in a thread of its own, once after each time that `touch` was called, when that is long ago."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        """Start the thread, which ends with the process.

        Args:
            seconds: since the last touch.
            call: the function.
        """
        self._seconds, self._call = seconds, call
        self._touched = threading.Event()
        self._last = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def touch(self) -> None:
        """Say that something was done just now."""
        self._last = time.monotonic()
        self._touched.set()

    def _watch(self) -> None:
        while True:
            self._touched.wait()
            self._touched.clear()
            while (left := self._last + self._seconds - time.monotonic()) > 0:
                time.sleep(left)
            self._call()
