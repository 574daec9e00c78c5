"""Blocking HTTP whose calls end when their time is over or when the client is closed, whatever the other side does.

httpx bounds every single reading and writing: an answer that trickles takes for ever.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import httpcore
import httpx

from paddlex_triton.client.exceptions import PaddleXTritonError
from paddlex_triton.client.wording import without_secrets

C = TypeVar("C", bound=httpx.Client | httpx.AsyncClient)

_WRITTEN_AT_ONCE = 64 * 1024


# What they raise for an environment that they cannot use.
_REFUSED = (ImportError, OSError, ValueError, httpx.InvalidURL)


def open_client(kind: type[C], failure: type[PaddleXTritonError], **settings: Any) -> C:
    """Make a client of httpx.

    Raises:
        PaddleXTritonError: the `failure`, if the environment names proxies or certificates that cannot be used.
    """
    try:
        return kind(**settings)
    except _REFUSED as error:
        raise failure(
            "the proxies or certificates that the environment names (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, "
            f"SSL_CERT_FILE, SSL_CERT_DIR) cannot be used: {without_secrets(str(error))}"
        ) from None


class BoundedClient(httpx.Client):
    """A client that knows the time that a whole call may take; may be closed while other threads wait for answers."""

    def __init__(self, **settings: Any) -> None:
        """Take what `httpx.Client` takes."""
        super().__init__(**settings)
        self._sockets = _Sockets()
        # httpx has no argument for it.
        for transport in (self._transport, *self._mounts.values()):
            if isinstance(transport, httpx.HTTPTransport):
                transport._pool._network_backend = self._sockets  # pyright: ignore[reportPrivateUsage]

    @contextmanager
    def within(self, timeout_s: float | None) -> Iterator[None]:
        """Let the calls that this thread makes inside take so many seconds together; None for no limit."""
        with self._sockets.within(timeout_s):
            yield

    def close(self) -> None:
        """Hang up, also on calls of other threads, which fail with an `httpx.HTTPError` or a RuntimeError."""
        self._sockets.hang_up()
        super().close()


class _Sockets(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()
        self._call = threading.local()
        self._open: weakref.WeakSet[_Stream] = weakref.WeakSet()
        self._closed = False

    @contextmanager
    def within(self, timeout_s: float | None) -> Iterator[None]:
        self._call.limit_s = timeout_s
        self._call.end = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            yield
        finally:
            self._call.end = None

    def left(self, timeout: float | None, late: type[Exception]) -> float | None:
        """Return what is left of a call's time, at most the given seconds, or raise if nothing is."""
        end = getattr(self._call, "end", None)
        if end is None:
            return timeout
        left = end - time.monotonic()
        if left <= 0:
            raise late(f"not finished within {self._call.limit_s:g} s")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self.left(timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return self.watch(stream)

    def watch(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        watched = _Stream(stream, self)
        self._open.add(watched)
        if self._closed:
            stream.close()
            raise httpcore.ConnectError("the client was closed")
        return watched

    def hang_up(self) -> None:
        self._closed = True
        for stream in list(self._open):
            stream.hang_up()


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, sockets: _Sockets) -> None:
        self._stream = stream
        self._sockets = sockets

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._sockets.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITTEN_AT_ONCE):
            part = buffer[start : start + _WRITTEN_AT_ONCE]
            self._stream.write(part, self._sockets.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._sockets.left(timeout, httpcore.ConnectTimeout)
        return self._sockets.watch(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def hang_up(self) -> None:
        """Wake whoever waits for the other side; closing alone would not."""
        connection = self.get_extra_info("socket")
        # TLS's own method would say good-bye first. What is closed already needs nothing.
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
