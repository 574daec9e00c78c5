"""The way drivers speak with whoever compares: one JSON object a line, requests on stdin, answers on stdout.

A driver runs under the Python of its contestant's environment and imports nothing of this package, but for those of
its own server and networks. Requests have a `do`:

| do | with | answer |
|---|---|---|
| open | pipeline, and what the driver wants besides | `versions` {package: version} |
| page | path | `ms` on a clock, `lines` [text] |
| pages | paths, callers | `seconds` for all of them |
| close | | none: the driver ends |

and others of a single driver. A request that fails is answered with `error`; the driver goes on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from typing import Any


class Driver(ABC):
    """A contestant. `open` and `read` are each one's own; one that takes several callers says so."""

    # Whose versions are reported, of those that are installed.
    packages: tuple[str, ...] = ()
    takes_callers = False

    @abstractmethod
    def open(self, request: dict[str, Any]) -> None:
        """Load what is needed to read pages."""

    @abstractmethod
    def read(self, path: str) -> list[str]:
        """Read one image file to its end: the lines found on it."""

    def read_all(self, paths: list[str], callers: int) -> None:
        """Read files, so many at a time."""
        if callers > 1 and not self.takes_callers:
            raise ValueError(f"{type(self).__name__} takes one caller; {callers} are wanted")
        if callers == 1:
            for path in paths:
                self.read(path)
            return
        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(self.read, paths))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the table above."""
        kind = request["do"]
        if kind == "open":
            self.open(request)
            return {"versions": _versions(self.packages)}
        if kind == "page":
            begun = time.perf_counter()
            lines = self.read(request["path"])
            return {"ms": (time.perf_counter() - begun) * 1000, "lines": lines}
        if kind == "pages":
            begun = time.perf_counter()
            self.read_all(request["paths"], request["callers"])
            return {"seconds": time.perf_counter() - begun}
        raise ValueError(f"do is {kind!r}; a driver does not know it")

    def close(self) -> None:
        """End what `open` began, as far as it came; most have nothing to end."""
        return


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those that are installed."""
    found = {}
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def serve(driver: Driver) -> None:
    """Answer requests until `close`, the end of stdin or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    # Libraries print: what is not an answer goes to stderr, prints of C++ included.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "close":
                break
            try:
                answer = driver.answer(request)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        driver.close()
        answers.close()
