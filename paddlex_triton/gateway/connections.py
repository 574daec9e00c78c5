"""Callers that send or take nothing: uvicorn waits for their headers, and for them to take answers, for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# What a caller must take of an answer in the time that it has: a modem does.
_LEAST_TAKEN_BYTES = 64 * 1024


class ImpatientProtocol(H11Protocol):
    """uvicorn's own, on h11: httptools loses the body of requests that offer h2c, as Java's own client does.

    Attributes:
        patience_s: in which a request's headers must have come, and part of an answer must have been taken.
    """

    patience_s: float = 60.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._headers_due: asyncio.TimerHandle | None = None
        self._taking_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._headers_due = self.loop.call_later(self.patience_s, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        for due in (self._headers_due, self._taking_due):
            if due is not None:
                due.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; what is no whole head of a request must get whole in time."""
        super().data_received(data)
        # A body that does not come is the application's to answer.
        if self.cycle is not None and not self.cycle.response_complete:
            if self._headers_due is not None:
                self._headers_due.cancel()
                self._headers_due = None
        elif self._headers_due is None and not self.transport.is_closing():
            self._headers_due = self.loop.call_later(self.patience_s, self.transport.close)

    def pause_writing(self) -> None:
        """Wait for the caller to take what there is."""
        super().pause_writing()
        self._expect_taking()

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        if self._taking_due is not None:
            self._taking_due.cancel()
            self._taking_due = None

    def _expect_taking(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._taking_due = self.loop.call_later(self.patience_s, self._look_at_taking, waiting)

    def _look_at_taking(self, before: int) -> None:
        if self.transport.get_write_buffer_size() > before - _LEAST_TAKEN_BYTES:
            self.transport.abort()
        else:
            self._expect_taking()


def impatient(patience_s: float) -> type[ImpatientProtocol]:
    """Return the protocol of a gateway.

    Args:
        patience_s: see `ImpatientProtocol`.
    """
    return type("ImpatientProtocol", (ImpatientProtocol,), {"patience_s": patience_s})
