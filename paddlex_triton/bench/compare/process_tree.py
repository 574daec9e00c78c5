"""CPU time and memory of a process and all that it started, read off /proc."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_BLOCK_BYTES = 512
_SHARED = "/dev/shm/"


@dataclass(frozen=True)
class Memory:
    """Memory of a process tree, bytes.

    Attributes:
        proportional: what is resident; pages that several processes share count once (PSS), those in /dev/shm included.
        shared: files in /dev/shm that the processes have mapped, as far as they are filled.
    """

    proportional: int = 0
    shared: int = 0


def tree_of(pid: int, proc: Path = _PROC) -> list[int]:
    """List a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in proc.iterdir():
        if folder.name.isdigit() and (stat := _stat(folder)) is not None:
            children.setdefault(int(stat[1]), []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(children.get(found[-1], ()))
    return found


def cpu_seconds(pid: int, proc: Path = _PROC) -> float:
    """Add up the CPU time of a process tree, that of ended children included that were waited for."""
    stats = [stat for each in tree_of(pid, proc) if (stat := _stat(proc / str(each))) is not None]
    # Fields 14 to 17 of proc(5), counted from the third.
    return sum(int(value) for stat in stats for value in stat[11:15]) / _TICKS_A_SECOND


def memory_of(pid: int, proc: Path = _PROC) -> Memory:
    """Read the memory of a process tree."""
    total, files = 0, {}
    for each in tree_of(pid, proc):
        try:
            rollup, maps = (proc / str(each) / "smaps_rollup").read_text(), (proc / str(each) / "maps").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
        for line in maps.splitlines():
            if _SHARED in line:
                path = line[line.index(_SHARED) :]
                files[path] = _filled(path)
    return Memory(total, sum(files.values()))


@contextmanager
def watch_memory(pid: int, every_s: float = 0.1) -> Iterator[list[Memory]]:
    """Look at the memory of a process tree again and again, for as long as the context lasts; the list grows."""
    seen, ended = [memory_of(pid)], threading.Event()

    def look() -> None:
        while not ended.wait(every_s):
            seen.append(memory_of(pid))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
        seen.append(memory_of(pid))


def _stat(folder: Path) -> list[str] | None:
    """Return the fields of proc/PID/stat from the third on; None for a process that ended meanwhile."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _filled(path: str) -> int:
    try:
        return Path(path).stat().st_blocks * _BLOCK_BYTES
    except OSError:
        return 0
