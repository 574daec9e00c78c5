"""Something is done once nothing else was done for a while."""

import threading
import time
from pathlib import Path

import numpy as np

from paddlex_triton.idle import WhenIdle, trim_memory

_SHORT_S = 0.2


def test_it_is_called_once_after_the_last_touch():
    called, times = threading.Event(), []

    def call() -> None:
        times.append(time.monotonic())
        called.set()

    watch = WhenIdle(_SHORT_S, call)
    last = 0.0
    for _ in range(5):
        last = time.monotonic()
        watch.touch()
        time.sleep(_SHORT_S / 10)
    assert called.wait(20)
    time.sleep(3 * _SHORT_S)
    assert len(times) == 1
    assert times[0] - last >= _SHORT_S


def test_it_is_called_again_after_more_touches():
    called = threading.Event()
    watch = WhenIdle(_SHORT_S / 10, called.set)
    for _ in range(2):
        watch.touch()
        assert called.wait(20)
        called.clear()


def test_without_a_touch_it_is_not_called():
    called = threading.Event()
    WhenIdle(0, called.set)
    assert not called.wait(_SHORT_S)


def test_freed_memory_is_given_back():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    # Below glibc's threshold for mappings of their own, and with something behind them.
    blocks = [np.ones(100_000, np.uint8) for _ in range(2000)]
    kept = blocks[1::100]
    held = resident()
    del blocks
    trim_memory()
    assert held - resident() > 100_000_000
    assert len(kept) == 20
