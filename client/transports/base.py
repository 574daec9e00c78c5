"""The seam between the client and the wire. Tests put a transport of their own in here."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Readiness and metadata are answered at once or not at all.
PROBE_TIMEOUT_S = 5.0


class Transport(ABC):
    """Requests to one server, one after the other or from many threads."""

    @abstractmethod
    def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Run a model once.

        Args:
            model: its name on the server.
            inputs: name to array; BYTES as object arrays of `bytes`.
            outputs: names of the wanted outputs.
            request_id: the id for the server's log.
            timeout_s: time for the whole call, also told to the server; None for no limit.

        Returns:
            Name to array; BYTES as object arrays of `bytes`.

        Raises:
            PaddleXTritonError: the class says why.
        """

    @abstractmethod
    def server_ready(self) -> bool:
        """Tell whether the server and all its models are ready. False, not an error, if none answers."""

    @abstractmethod
    def model_ready(self, model: str) -> bool:
        """Tell whether a model answers. False, not an error, if the server or the model is not there."""

    @abstractmethod
    def metadata(self) -> dict[str, Any]:
        """Return the server's name, version and extensions.

        Raises:
            PaddleXTritonError: the class says why.
        """

    @abstractmethod
    def close(self) -> None:
        """Close connections. Safe to call more than once."""


class AsyncTransport(ABC):
    """The asyncio twin of `Transport`, method for method."""

    @abstractmethod
    async def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Do as `Transport.infer`."""

    @abstractmethod
    async def server_ready(self) -> bool:
        """Do as `Transport.server_ready`."""

    @abstractmethod
    async def model_ready(self, model: str) -> bool:
        """Do as `Transport.model_ready`."""

    @abstractmethod
    async def metadata(self) -> dict[str, Any]:
        """Do as `Transport.metadata`."""

    @abstractmethod
    async def close(self) -> None:
        """Do as `Transport.close`."""


class ThreadedTransport(AsyncTransport):
    """A blocking transport on asyncio, in threads. Cancelling a task leaves its request to end by itself."""

    def __init__(self, blocking: Transport) -> None:
        self._blocking = blocking

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Do as `Transport.infer`."""
        return await asyncio.to_thread(
            self._blocking.infer, model, inputs, outputs, request_id=request_id, timeout_s=timeout_s
        )

    async def server_ready(self) -> bool:
        """Do as `Transport.server_ready`."""
        return await asyncio.to_thread(self._blocking.server_ready)

    async def model_ready(self, model: str) -> bool:
        """Do as `Transport.model_ready`."""
        return await asyncio.to_thread(self._blocking.model_ready, model)

    async def metadata(self) -> dict[str, Any]:
        """Do as `Transport.metadata`."""
        return await asyncio.to_thread(self._blocking.metadata)

    async def close(self) -> None:
        """Do as `Transport.close`."""
        await asyncio.to_thread(self._blocking.close)


def microseconds(timeout_s: float | None) -> int | None:
    """Return Triton's request timeout: whole microseconds, at least one; None for no limit."""
    return None if timeout_s is None else max(1, int(timeout_s * 1_000_000))


def datatype(array: np.ndarray) -> str:
    """Return KServe's name of an array's type.

    Raises:
        ValueError: it has none here.
    """
    names = {"O": "BYTES", "b1": "BOOL", "u1": "UINT8", "i4": "INT32", "i8": "INT64", "f4": "FP32"}
    key = "O" if array.dtype.kind == "O" else array.dtype.kind + str(array.dtype.itemsize)
    if key not in names:
        raise ValueError(f"an array of dtype {array.dtype} cannot be sent")
    return names[key]
