"""A transport that answers by itself: the whole client without a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paddlex_triton.client.transports.base import ThreadedTransport, Transport


@dataclass(frozen=True)
class Sent:
    """One request as it was sent."""

    model: str
    inputs: dict[str, np.ndarray]
    outputs: tuple[str, ...]
    request_id: str
    timeout_s: float | None


Answer = Callable[[Sent], dict[str, np.ndarray]]


class MockTransport(Transport):
    """Answers with a function, which may raise, and remembers what it was sent.

    Attributes:
        sent: all requests, in the order they came.
        closed: whether `close` was called.
    """

    def __init__(self, answer: Answer, *, models: Sequence[str] = ("ocr",)) -> None:
        self._answer = answer
        self._models = tuple(models)
        self._lock = threading.Lock()
        self.sent: list[Sent] = []
        self.closed = False

    def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Hand the request to the function."""
        request = Sent(model, dict(inputs), tuple(outputs), request_id, timeout_s)
        with self._lock:
            self.sent.append(request)
        return self._answer(request)

    def server_ready(self) -> bool:
        """Return True."""
        return True

    def model_ready(self, model: str) -> bool:
        """Tell whether it is one of the models it was made with."""
        return model in self._models

    def metadata(self) -> dict[str, Any]:
        """Return a name."""
        return {"name": "mock"}

    def close(self) -> None:
        """Take note."""
        self.closed = True


class AsyncMockTransport(ThreadedTransport):
    """The asyncio twin: the same function, in a thread."""

    def __init__(self, answer: Answer, *, models: Sequence[str] = ("ocr",)) -> None:
        self._sync = MockTransport(answer, models=models)
        super().__init__(self._sync)

    @property
    def sent(self) -> list[Sent]:
        """All requests, in the order they came."""
        return self._sync.sent

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._sync.closed
