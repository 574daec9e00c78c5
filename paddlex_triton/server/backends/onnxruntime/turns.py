"""Runs of several networks, one at a time.

A run of ONNX Runtime spreads over all cores, and its threads wait for each other at every operator. Two such runs at
once take each other's cores away in the middle of operators: on two cores, four pages of text in flight took 1.28 times
as long as one after the other. Networks whose configuration says `take_turns` share a file, and a run holds its lock.
The lock ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paddlex_triton.server.backends.onnxruntime.errors import LoadError

# The file that the networks of one server share: whoever starts the server names it, and removes it afterwards.
TURNS_FILE = "PADDLEX_TRITON_TURNS_FILE"


class Turns:
    """A process's place in the row."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is created if it is not there.

        Args:
            path: the same for all that take turns.

        Raises:
            LoadError: it cannot be opened.
        """
        try:
            self._file: IO[bytes] = path.open("ab")
        except OSError as error:
            raise LoadError(f"{path}, named by {TURNS_FILE}, cannot be opened: {error.strerror}") from None

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Wait until nobody else runs, and keep others waiting inside."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def turns_of_server() -> Turns | None:
    """Return the turns of the server that this process belongs to; None if whoever started it named no file.

    Raises:
        LoadError: the file cannot be opened.
    """
    path = os.environ.get(TURNS_FILE)
    return Turns(Path(path)) if path else None
