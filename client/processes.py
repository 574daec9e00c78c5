"""What a forked process must not share with its parent: threads, which are not there, and connections."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Holds one thing for each process: made here at once, and in a forked process when it is asked for.

    The parent's is left alone there: closing it would close what the parent still uses, or wait for its threads.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made = {os.getpid(): make()}

    def get(self) -> T:
        """Return this process's."""
        process = os.getpid()
        if process not in self._made:
            # No lock: one that another thread held while the process forked stays locked here for ever.
            self._made.setdefault(process, self._make())
        return self._made[process]

    def made(self) -> T | None:
        """Return this process's if it has one."""
        return self._made.get(os.getpid())
