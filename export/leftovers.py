"""What killed exports leave in folders that are kept, removed by exports that find all they need there."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from paddlex_triton.export.locks import lock_handle_if_free


def remove_leftovers(folder: Path, *patterns: str) -> None:
    """Remove what killed exports left in a folder, unless another one is at work there: then it is not known whose.

    Args:
        folder: whose lock exports hold while they are at work in it, see `locks`.
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
