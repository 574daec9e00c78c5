"""The asyncio twin of `Pipeline`."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from os import PathLike
from types import TracebackType
from typing import Any, NoReturn

from typing_extensions import Self

from paddlex_triton.client.configuration import configure
from paddlex_triton.client.exceptions import PaddleXTritonError, PipelineClosedError
from paddlex_triton.client.inputs import Input, PageReader, reader_of
from paddlex_triton.client.networks import Models, PresetWatch
from paddlex_triton.client.pages import Page
from paddlex_triton.client.pipeline import (
    DEFAULT_PAGES_IN_FLIGHT,
    DEFAULT_TIMEOUT_S,
    NOT_PICKLED,
    Outcome,
    check_options,
    warn_about_ignored,
)
from paddlex_triton.client.processes import PerProcess
from paddlex_triton.client.progress import PageProgress
from paddlex_triton.client.requests import (
    PredictRequest,
    attributed_to,
    choose_input,
    explained,
    name_positional,
    new_request_id,
    prepare_request,
)
from paddlex_triton.client.results import BaseResult
from paddlex_triton.client.retry import Deadline, RetryPolicy, call_with_retries_async
from paddlex_triton.client.transports import AsyncTransport, Url, open_async_transport
from paddlex_triton.pipelines import PipelineSpec


@dataclass
class _Connection:
    """What one event loop has of a pipeline."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    transport: AsyncTransport | None = None


class AsyncPipeline:
    """One pipeline, on one server or several; usable as an asynchronous context manager.

    Made by `create_async_pipeline`. Event loops and forked processes may share it, each with connections of its own.
    The server is looked for, and started if need be, with the first page.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        open_server: Callable[[], tuple[Callable[[], AsyncTransport], Callable[[], None]]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT_S,
        max_in_flight: int = DEFAULT_PAGES_IN_FLIGHT,
        retry: RetryPolicy | None = None,
        fault: Callable[[], str | None] = lambda: None,
        defaults: Mapping[str, Any] | None = None,
        watch: PresetWatch | None = None,
    ) -> None:
        """Put a pipeline on a server.

        Args:
            spec: which pipeline.
            open_server: finds the server, called in a thread; gives what opens a transport to it (called in the event
                loop) and what is to be called in the end.
            timeout: seconds for a page, all tries together; None for no limit.
            max_in_flight: pages on their way at once.
            retry: how often to try again.
            fault: says what is wrong with the server, if it knows.
            defaults: values of parameters that a call of `predict` does not give, instead of the server's.
            watch: looks at what every result says about its networks.

        Raises:
            InvalidParameterError: see `check_options`.
        """
        check_options(timeout, max_in_flight)
        self._spec = spec
        self._open_server = open_server
        self._timeout = timeout
        self._max_in_flight = max_in_flight
        self._retry = retry or RetryPolicy()
        self._fault = fault
        self._defaults = dict(defaults or {})
        self._watch = watch
        self._connections: PerProcess[dict[asyncio.AbstractEventLoop, _Connection]] = PerProcess(dict)
        self._opening = PerProcess(threading.Lock)
        self._opened: tuple[Callable[[], AsyncTransport], Callable[[], None]] | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """PaddleX's name of the pipeline."""
        return self._spec.name

    def predict(
        self, input: Input | None = None, *positional: Any, x: Input | None = None, **params: Any
    ) -> AsyncIterator[BaseResult]:
        """Read pages, for `async for`; otherwise as `Pipeline.predict`.

        Leaving the loop early cancels the requests that are on their way.
        """
        return self._results(self._outcomes(input, positional, x, params, go_on=False))

    __call__ = predict

    def predict_outcomes(
        self, input: Input | None = None, *positional: Any, x: Input | None = None, **params: Any
    ) -> AsyncIterator[Outcome]:
        """Read pages, and go on behind those that cannot be read, as `Pipeline.predict_outcomes`, for `async for`."""
        return self._outcomes(input, positional, x, params, go_on=True)

    async def close(self) -> None:
        """Close this event loop's connections, and stop the embedded server if nobody else uses it.

        Safe to call more than once.
        """
        self._closed = True
        connection = self._connection()
        # A server that is being started is waited for, and then stopped.
        async with connection.lock:
            transport, connection.transport = connection.transport, None
        if transport is not None:
            await transport.close()
        await asyncio.to_thread(self._release_server)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError(NOT_PICKLED)

    def _outcomes(
        self, input: Input | None, positional: Sequence[Any], x: Input | None, params: Mapping[str, Any], *, go_on: bool
    ) -> AsyncGenerator[Outcome, None]:
        """Check a call of `predict`, before anything is read."""
        self._check_open()
        reader = reader_of(choose_input(input, x))
        request = prepare_request(self._spec, name_positional(self._spec, positional, params), self._defaults)
        return self._send(reader, request, go_on=go_on)

    async def _results(self, given: AsyncGenerator[Outcome, None]) -> AsyncIterator[BaseResult]:
        async with aclosing(given) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, PaddleXTritonError):
                    raise outcome
                yield outcome

    async def _send(self, reader: PageReader, request: PredictRequest, *, go_on: bool) -> AsyncGenerator[Outcome, None]:
        """Keep pages on their way, and give their outcomes in order; the first error is the last one unless `go_on`."""
        transport = await self._connect()
        pages = reader.outcomes()
        waiting: deque[asyncio.Task[BaseResult] | PaddleXTritonError] = deque()
        progress = PageProgress(self.name)
        done, more = 0, True
        try:
            while True:
                while more and len(waiting) < self._max_in_flight:
                    page = await asyncio.to_thread(next, pages, None)
                    more = isinstance(page, Page) or (go_on and page is not None)
                    if isinstance(page, Page):
                        self._check_open()
                        waiting.append(asyncio.create_task(self._infer(transport, page, request)))
                    elif page is not None:
                        # An error's place is behind the pages that are still on their way.
                        waiting.append(page)
                progress.update(done, max(reader.total, done + len(waiting)))
                if not waiting:
                    break
                outcome = await self._settled(waiting[0])
                waiting.popleft()
                done += 1
                yield outcome
        finally:
            progress.close()
            tasks = [entry for entry in waiting if isinstance(entry, asyncio.Task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _settled(self, entry: asyncio.Task[BaseResult] | PaddleXTritonError) -> Outcome:
        if isinstance(entry, PaddleXTritonError):
            return entry
        # Unlike awaiting the task itself, this tells the caller's cancellation, which is raised here, from that of the
        # task: gRPC cancels the tasks of a channel that is closed.
        await asyncio.wait([entry])
        if entry.cancelled():
            self._check_open()
        try:
            return entry.result()
        except PaddleXTritonError as error:
            return error

    def _check_open(self) -> None:
        if self._closed:
            raise PipelineClosedError("the pipeline was closed")

    async def _connect(self) -> AsyncTransport:
        connection = self._connection()
        async with connection.lock:
            self._check_open()
            if connection.transport is None:
                open_transport = await asyncio.to_thread(self._find_server)
                connection.transport = open_transport()
            return connection.transport

    def _connection(self) -> _Connection:
        """Return the running event loop's. What loops that have ended left behind is dropped."""
        connections = self._connections.get()
        for loop in list(connections):
            if loop.is_closed():
                connections.pop(loop, None)
        return connections.setdefault(asyncio.get_running_loop(), _Connection())

    def _find_server(self) -> Callable[[], AsyncTransport]:
        with self._opening.get():
            self._check_open()
            self._opened = self._opened or self._open_server()
            return self._opened[0]

    def _release_server(self) -> None:
        with self._opening.get():
            opened, self._opened = self._opened, None
        if opened is not None:
            opened[1]()

    async def _infer(self, transport: AsyncTransport, page: Page, request: PredictRequest) -> BaseResult:
        request_id = page.request_id or new_request_id()

        async def call(timeout_s: float | None) -> BaseResult:
            tensors = await transport.infer(
                request.model, request.inputs(page), request.outputs, request_id=request_id, timeout_s=timeout_s
            )
            return request.result(tensors, page)

        with attributed_to(page), explained(self._fault):
            result = await call_with_retries_async(call, self._retry, Deadline(self._timeout))
        if self._watch is not None:
            self._watch.compare(result.settings, request.chosen_steps)
        return result


def create_async_pipeline(
    pipeline: str | PathLike[str] | None = None,
    config: Mapping[str, Any] | None = None,
    device: object = None,
    use_hpip: object = None,
    hpi_config: object = None,
    enable_hpi: object = None,
    *,
    engine: object = None,
    engine_config: object = None,
    pp_option: object = None,
    hpi_params: object = None,
    url: Url | None = None,
    protocol: str | None = None,
    timeout: float | None = DEFAULT_TIMEOUT_S,
    max_in_flight: int = DEFAULT_PAGES_IN_FLIGHT,
    retry: RetryPolicy | None = None,
    preset: str | None = None,
    models: Models | None = None,
) -> AsyncPipeline:
    """Make the asyncio twin of `create_pipeline`, with the same arguments; not a coroutine itself.

    Raises:
        UnsupportedError: the pipeline or the preset is not known.
        InvalidParameterError: `timeout`, `max_in_flight` or `models` is wrong, or the file cannot be honoured.
    """
    warn_about_ignored(
        device=device,
        use_hpip=use_hpip,
        hpi_config=hpi_config,
        enable_hpi=enable_hpi,
        engine=engine,
        engine_config=engine_config,
        pp_option=pp_option,
        hpi_params=hpi_params,
    )
    configured = configure(pipeline, config, preset, models, url)
    for remark in configured.remarks:
        warnings.warn(remark, UserWarning, stacklevel=2)

    faults: list[Callable[[], str | None]] = []

    def open_server() -> tuple[Callable[[], AsyncTransport], Callable[[], None]]:
        lease = configured.find_server(url, protocol)
        faults[:] = [lease.fault]
        return lambda: open_async_transport(*lease.endpoints), lease.release

    return AsyncPipeline(
        configured.spec,
        open_server,
        timeout=timeout,
        max_in_flight=max_in_flight,
        retry=retry,
        fault=lambda: faults[0]() if faults else None,
        defaults=configured.defaults,
        watch=configured.watch,
    )
