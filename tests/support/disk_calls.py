"""Killing a process at any of the calls by which it changes the disk."""

from __future__ import annotations

import os
import pathlib
import signal
from collections.abc import Callable
from typing import Any

# For scripts that are given to Python with `-c`: what they import this module with.
IMPORT = f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r}); from disk_calls import kill_at"


def kill_at(step: int) -> None:
    """Kill this process at one of its next calls that change the disk.

    Args:
        step: how many are let through.
    """
    left = [step]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counting

    # Python 3.10's pathlib has bound the functions when it was imported.
    bound = getattr(pathlib, "_NormalAccessor", None)
    for name in ("fsync", "mkdir", "rename", "unlink", "rmdir"):
        call = counted(getattr(os, name))
        setattr(os, name, call)
        if hasattr(bound, name):
            setattr(bound, name, staticmethod(call))
