"""Several servers as one: requests are spread over them, and go to another one if a server does not answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from paddlex_triton.client.exceptions import PaddleXTritonError, ServerUnavailableError
from paddlex_triton.client.processes import PerProcess
from paddlex_triton.client.transports.base import AsyncTransport, Transport
from paddlex_triton.client.transports.endpoint import Endpoint
from paddlex_triton.client.transports.roster import Roster, Server


class SeveralServers(Transport):
    """Blocking transports as one; threads may share it."""

    def __init__(self, endpoints: Sequence[Endpoint], transports: Sequence[Transport]) -> None:
        """Spread requests.

        Args:
            endpoints: where the servers are.
            transports: one to each; closed with this one.
        """
        self._transports = tuple(transports)
        self._roster = PerProcess(lambda: Roster(endpoints, self._transports))

    def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Run a model once, see `Transport.infer`, on whichever server answers."""
        roster = self._roster.get()
        for server in roster.due():
            threading.Thread(target=_ask, args=(roster, server, model), daemon=True).start()
        for attempt in roster.attempts(timeout_s):
            with attempt:
                transport = attempt.server.transport
                return transport.infer(model, inputs, outputs, request_id=request_id, timeout_s=attempt.timeout_s)
        raise AssertionError("attempts end with an error")

    def server_ready(self) -> bool:
        """Tell whether one of the servers is ready."""
        return any(transport.server_ready() for transport in self._transports)

    def model_ready(self, model: str) -> bool:
        """Tell whether a model answers on one of the servers."""
        return any(transport.model_ready(model) for transport in self._transports)

    def metadata(self) -> dict[str, Any]:
        """Return name, version and extensions of the first server that answers."""
        error: PaddleXTritonError = ServerUnavailableError("no server answers")
        for transport in self._transports:
            try:
                return transport.metadata()
            except PaddleXTritonError as failure:
                error = failure
        raise error

    def close(self) -> None:
        """Close connections to all."""
        for transport in self._transports:
            transport.close()


class AsyncSeveralServers(AsyncTransport):
    """Asyncio's transports as one, for one event loop."""

    def __init__(self, endpoints: Sequence[Endpoint], transports: Sequence[AsyncTransport]) -> None:
        """Spread requests.

        Args:
            endpoints: where the servers are.
            transports: one to each; closed with this one.
        """
        self._transports = tuple(transports)
        self._roster = Roster(endpoints, self._transports)
        self._asking: set[asyncio.Task[None]] = set()

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Do as `SeveralServers.infer`."""
        for server in self._roster.due():
            task = asyncio.create_task(self._ask(server, model))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        for attempt in self._roster.attempts(timeout_s):
            with attempt:
                transport = attempt.server.transport
                return await transport.infer(model, inputs, outputs, request_id=request_id, timeout_s=attempt.timeout_s)
        raise AssertionError("attempts end with an error")

    async def server_ready(self) -> bool:
        """Do as `SeveralServers.server_ready`; all are asked at once."""
        return await _any(transport.server_ready() for transport in self._transports)

    async def model_ready(self, model: str) -> bool:
        """Do as `SeveralServers.model_ready`; all are asked at once."""
        return await _any(transport.model_ready(model) for transport in self._transports)

    async def metadata(self) -> dict[str, Any]:
        """Do as `SeveralServers.metadata`."""
        error: PaddleXTritonError = ServerUnavailableError("no server answers")
        for transport in self._transports:
            try:
                return await transport.metadata()
            except PaddleXTritonError as failure:
                error = failure
        raise error

    async def close(self) -> None:
        """Close connections to all."""
        for task in tuple(self._asking):
            task.cancel()
        for transport in self._transports:
            await transport.close()

    async def _ask(self, server: Server[AsyncTransport], model: str) -> None:
        ready = False
        try:
            ready = await server.transport.model_ready(model)
        finally:
            self._roster.told(server, ready=ready)


async def _any(answers: Iterable[Coroutine[Any, Any, bool]]) -> bool:
    """Tell whether one of the answers is yes; it is not waited for others."""
    tasks = [asyncio.ensure_future(answer) for answer in answers]
    try:
        for answer in asyncio.as_completed(tasks):
            if await answer:
                return True
        return False
    finally:
        for task in tasks:
            task.cancel()


def _ask(roster: Roster[Transport], server: Server[Transport], model: str) -> None:
    ready = False
    try:
        ready = server.transport.model_ready(model)
    finally:
        roster.told(server, ready=ready)
