"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name beside it, and rename it.

    Args:
        path: the file; its folder is made if missing.
        write: writes to the path that it is given.

    Raises:
        OSError: it cannot be written; it names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(path, write)
    except OSError as error:
        # Without a number it is not the system's.
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        # mkstemp is for secrets; results are ordinary files.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
