"""Child processes that do not outlive this one."""

from __future__ import annotations

import shutil
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
