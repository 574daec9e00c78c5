"""Something is done once nothing else was done for a while."""

import threading
import time

from paddlex_triton.server.backends.common.idle import WhenIdle

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
