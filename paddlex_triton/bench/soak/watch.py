"""Processes, files and memory of a server over time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from paddlex_triton.bench.compare.process_tree import memory_of, tree_of

# Memory is level if it grows by no more between the third quarter and the last.
_GROWTH = 0.03
_LEAST_GROWTH_BYTES = 32_000_000
# Files that come and go: connections of callers, most of all.
_MORE_FILES = 64
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Sample:
    """One look at a server.

    Attributes:
        seconds: since the first look.
        processes: their ids.
        files: open in all of them.
        memory: resident, bytes; what several processes share counts once.
        shared: files in /dev/shm that they have mapped, bytes.
    """

    seconds: float
    processes: frozenset[int]
    files: int
    memory: int
    shared: int


@contextmanager
def watch(pid: int, every_s: float) -> Iterator[list[Sample]]:
    """Look at a process and all its descendants again and again, for as long as the context lasts; the list grows."""
    began, ended = time.monotonic(), threading.Event()
    samples = [_look(pid, began)]

    def look() -> None:
        while not ended.wait(every_s):
            samples.append(_look(pid, began))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
        samples.append(_look(pid, began))


def lasting_changes(samples: Sequence[Sample]) -> list[str]:
    """Describe what a server did not keep: processes that ended or were added, and files that were left open."""
    first, last = samples[0], samples[-1]
    found = []
    if gone := first.processes - last.processes:
        found.append(f"{len(gone)} processes ended")
    if new := last.processes - first.processes:
        found.append(f"{len(new)} processes were added")
    if last.files > first.files + _MORE_FILES:
        found.append(f"{last.files - first.files} files more are open than at the start")
    return found


def growth(samples: Sequence[Sample]) -> list[str]:
    """Describe memory that was not level in the second half of the time: medians of its two halves differ."""
    found = []
    for name in ("memory", "shared"):
        third, fourth = (median(getattr(each, name) for each in part) for part in _last_quarters(samples))
        if fourth - third > max(_GROWTH * third, _LEAST_GROWTH_BYTES):
            found.append(f"{name} grew from {third / _MEGABYTE:.0f} to {fourth / _MEGABYTE:.0f} MB in the second half")
    return found


def _last_quarters(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    end = samples[-1].seconds
    third = [each for each in samples if 0.5 * end <= each.seconds < 0.75 * end]
    return third or [samples[0]], [each for each in samples if each.seconds >= 0.75 * end]


def _look(pid: int, began: float) -> Sample:
    processes = tree_of(pid)
    files = sum(map(_open_files, processes))
    memory = memory_of(pid)
    return Sample(time.monotonic() - began, frozenset(processes), files, memory.proportional, memory.shared)


def _open_files(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0
