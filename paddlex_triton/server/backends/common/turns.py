"""Runs of several networks, no more at a time than the cores have room for.

A run spreads over its threads, and these wait for each other at every operator. Runs with more threads together than
there are cores take each other's cores away in the middle of operators: on two cores, four pages of text in flight took
1.28 times as long as one after the other. Networks whose configuration says `take_turns` share the places of a row, a
file each, and a run holds the lock of one. A lock ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paddlex_triton.server.backends.common.errors import LoadError

# The file of the first place; that of the n-th has `.n` behind its name. Whoever starts the server names it, and
# removes them afterwards.
TURNS_FILE = "PADDLEX_TRITON_TURNS_FILE"


class Turns:
    """A process's place in the row."""

    def __init__(self, path: Path, places: int = 1, own: int = 0) -> None:
        """Open the files, which are created if they are not there.

        Args:
            path: the first, the same for all that take turns.
            places: how many may run at once.
            own: which of them this process would rather have, counted round.

        Raises:
            LoadError: one cannot be opened.
        """
        files = [path if place == 0 else path.with_name(f"{path.name}.{place}") for place in range(places)]
        own %= places
        try:
            self._files: list[IO[bytes]] = [file.open("ab") for file in files[own:] + files[:own]]
        except OSError as error:
            raise LoadError(f"{path}, named by {TURNS_FILE}, cannot be opened: {error.strerror}") from None

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Wait for a place, and keep others off it inside: a free one, else until its own is."""
        file = next(filter(_try_lock, self._files), None)
        if file is None:
            file = self._files[0]
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def turns_of_server(places: int, instance: str) -> Turns | None:
    """Return the turns of the server that this process belongs to; None if whoever started it named no file.

    Args:
        places: how many may run at once; none take no turns.
        instance: name of the model instance, which ends in its number.

    Raises:
        LoadError: a file cannot be opened.
    """
    path = os.environ.get(TURNS_FILE)
    number = instance.rpartition("_")[2]
    return Turns(Path(path), places, int(number) if number.isdigit() else 0) if path and places > 0 else None


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
