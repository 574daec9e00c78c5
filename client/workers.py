"""Threads for calls that wait for a server."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
_Call: TypeAlias = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]
# None is the end.
_Calls: TypeAlias = "SimpleQueue[_Call | None]"


class Workers:
    """Runs calls in a number of threads, which do not keep a program from ending.

    `ThreadPoolExecutor` waits for its calls when a program ends, and takes none from threads that the main one leaves
    behind.
    """

    def __init__(self, count: int) -> None:
        """Start nothing yet: every call starts a thread, until there are `count`."""
        self._count = count
        self._calls: _Calls = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stopped = False
        # Threads know the queue alone: they end when nobody has this any more.
        weakref.finalize(self, self._calls.put, None).atexit = False

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have a function called in a thread.

        Raises:
            RuntimeError: this was stopped, or the system gives no thread at all.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._stopped:
                raise RuntimeError("no more calls are taken")
            if len(self._threads) < self._count:
                self._start_thread()
            self._calls.put((future, function, arguments))
        return future

    def stop(self) -> None:
        """Take no more calls, and cancel those that no thread has begun."""
        with self._lock:
            self._stopped = True
        while True:
            try:
                call = self._calls.get_nowait()
            except Empty:
                break
            if call is not None:
                call[0].cancel()
        self._calls.put(None)

    def join(self) -> None:
        """Wait for the threads to end, once they were stopped."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=_work, args=(self._calls,), name="paddlex-triton", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The others will do, if there are any.
            if not self._threads:
                raise
        else:
            self._threads.append(thread)


def _work(calls: _Calls) -> None:
    while (call := calls.get()) is not None:
        future, function, arguments = call
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)
        # What was called, and came of it, is not kept until the next call.
        del call, future, function, arguments
    calls.put(None)
