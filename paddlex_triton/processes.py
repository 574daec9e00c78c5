"""Child processes: that they do not outlive this one, and how they end."""

from __future__ import annotations

import shutil
import subprocess
import threading
from typing import Literal


def die_with_parent(signal: Literal["TERM", "KILL"]) -> list[str]:
    """Return a prefix of a command that ends it when this process is killed; nothing where the system has none.

    The kernel watches the thread that started the child, so this is for the main thread only.

    Args:
        signal: what the child is sent.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", signal]


def end_process(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    """End a process in order if it can, and kill it if it has not ended after that; tell whether it was killed."""
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def exit_status(returncode: int) -> int:
    """Return what a shell makes of a process's end: its status, 128 and the signal's number if one ended it."""
    return returncode if returncode >= 0 else 128 - returncode
