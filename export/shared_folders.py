"""Folders that several exports write into: a lock that ends with its process, and what killed exports left."""

from __future__ import annotations

import contextlib
import os
import shutil
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


def remove_leftovers(folder: Path, *patterns: str) -> None:
    """Remove what killed exports left in a folder, unless another one is at work there: then it is not known whose.

    Args:
        folder: whose lock exports hold while they are at work in it, see `locked`.
        patterns: of the names of what may be left.
    """
    if not any(any(folder.glob(pattern)) for pattern in patterns) or os.name == "nt":
        return
    # What cannot be removed harms nobody: the next export tries again.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            lock_handle_if_free(handle)
            for pattern in patterns:
                for left in folder.glob(pattern):
                    _remove(left)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
