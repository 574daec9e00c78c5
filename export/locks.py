"""A lock on a folder that the system takes back from a killed process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock: exports that write into the same folder take turns.

    Raises:
        OSError: the folder cannot be opened.
    """
    if os.name == "nt":
        # No folder can be opened there, and no server runs either.
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        lock_handle(handle)
        yield
    finally:
        os.close(handle)


def lock_handle(handle: int) -> None:
    """Wait for the lock of an open folder. Closing the handle gives it back."""
    import fcntl

    # Some network file systems cannot lock a folder; a single export is still safe there.
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)


def lock_handle_if_free(handle: int) -> None:
    """Lock an open folder. Closing the handle gives it back.

    Raises:
        OSError: somebody else has its lock (BlockingIOError), or it cannot be locked.
    """
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
