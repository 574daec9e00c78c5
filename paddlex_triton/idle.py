"""Giving memory back to the machine once a process has had nothing to do for a while."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

# Seconds without work after which memory is given back: longer than pauses between the pages of one caller.
IDLE_S = 20.0


def trim_memory() -> None:
    """Give the memory that this process has freed back to the machine, wherever it lies; nothing without glibc.

    By itself glibc gives back what lies at the end of its heap. Text detectors that had seen pages of 20 sizes kept
    0.35 GB in between; the next run took 20 ms longer.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


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
            while True:
                # Whoever touches it from here on is seen either below or by the next round.
                self._touched.clear()
                left = self._last + self._seconds - time.monotonic()
                if left <= 0:
                    break
                time.sleep(left)
            self._call()
