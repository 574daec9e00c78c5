"""Folders that several exports write into: a lock that ends with its process, and what killed exports left."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor

# The folder itself is locked: filelock's `FileLock` would leave a file in it, beside the models that Triton serves.


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
        lock_open_folder(handle, wait=True)
        yield
    finally:
        os.close(handle)


def lock_open_folder(handle: int, *, wait: bool) -> bool:
    """Lock an open folder. Closing the handle gives the lock back.

    Args:
        handle: of the folder.
        wait: until nobody else has the lock.

    Returns:
        Whether the caller may go on. Who waits always may: some network file systems cannot lock a folder, and a single
        export is still safe there.
    """
    try:
        return lock_descriptor(handle, blocking=wait)
    except OSError:
        return wait


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
            if not lock_open_folder(handle, wait=False):
                return
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
