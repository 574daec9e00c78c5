"""`create_pipeline(...).predict(...)`, as in PaddleX, answered by a Triton server."""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from typing_extensions import Self

from paddlex_triton.client.embedded import find_server
from paddlex_triton.client.exceptions import InvalidParameterError, PaddleXTritonError, PipelineClosedError
from paddlex_triton.client.inputs import Input, PageReader
from paddlex_triton.client.pages import Page
from paddlex_triton.client.progress import PageProgress
from paddlex_triton.client.requests import Work, about, choose_input, find_spec, new_request_id, plan_work
from paddlex_triton.client.results import BaseResult
from paddlex_triton.client.retry import Deadline, RetryPolicy, call_with_retries
from paddlex_triton.client.transports import Transport, open_transport
from paddlex_triton.pipelines import PipelineSpec

DEFAULT_TIMEOUT_S = 300.0
DEFAULT_PAGES_IN_FLIGHT = 4


class Pipeline:
    """One pipeline on one server. Threads may share it; usable as a context manager.

    Made by `create_pipeline`.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        transport: Transport,
        *,
        timeout: float | None = DEFAULT_TIMEOUT_S,
        max_in_flight: int = DEFAULT_PAGES_IN_FLIGHT,
        retry: RetryPolicy | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        """Put a pipeline on a transport.

        Args:
            spec: which pipeline.
            transport: how to reach the server; closed with the pipeline.
            timeout: seconds for a page, all tries together; None for no limit.
            max_in_flight: pages on their way at once.
            retry: how often to try again.
            release: called when the pipeline is closed.

        Raises:
            InvalidParameterError: `timeout` or `max_in_flight` is not positive.
        """
        check_options(timeout, max_in_flight)
        self._spec = spec
        self._transport = transport
        self._timeout = timeout
        self._max_in_flight = max_in_flight
        self._retry = retry or RetryPolicy()
        self._release = release
        self._closing = threading.Lock()
        self._closed = False
        self._workers = ThreadPoolExecutor(max_in_flight, thread_name_prefix="paddlex-triton")

    @property
    def name(self) -> str:
        """PaddleX's name of the pipeline."""
        return self._spec.name

    def predict(self, input: Input | None = None, *, x: Input | None = None, **params: Any) -> Iterator[BaseResult]:
        """Read pages.

        Args:
            input: a path, a URL, a directory (read in sorted order, subfolders included), an array (UINT8, BGR
                [H,W,3] or grey [H,W]), the bytes of a file, `{"img": ...}`, or a list of any of them. PDF and TIFF
                files give a result for every page.
            x: the same, for callers that name it so.
            params: PaddleX's parameters of the pipeline; None means the default.

        Returns:
            An iterator over results, in the order of the pages. What is wrong with a page is raised in its place, and
            ends the iterator.

        Raises:
            InvalidParameterError: an unknown name, a wrong type, a value out of range.
            InputError: the input is of no kind that is read here.
            PipelineClosedError: the pipeline was closed.
        """
        if self._closed:
            raise PipelineClosedError("the pipeline is closed")
        reader = PageReader(choose_input(input, x))
        return self._predict(reader, plan_work(self._spec, params))

    __call__ = predict

    def close(self) -> None:
        """Close connections, and stop the embedded server if nobody else uses it. Safe to call more than once."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._transport.close()
        if self._release is not None:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _predict(self, reader: PageReader, work: Work) -> Iterator[BaseResult]:
        pages: Iterator[Page] = iter(reader)
        waiting: deque[Future[BaseResult]] = deque()
        progress = PageProgress(self.name)
        failure: PaddleXTritonError | None = None
        done, more = 0, True
        try:
            while True:
                while more and len(waiting) < self._max_in_flight:
                    try:
                        page = next(pages, None)
                    except PaddleXTritonError as error:
                        # Its place is behind the pages that are still on their way.
                        failure, page = error, None
                    more = page is not None
                    if page is not None:
                        waiting.append(self._submit(page, work))
                progress.update(done, max(reader.total, done + len(waiting)))
                if not waiting:
                    break
                result = _wait(waiting.popleft())
                done += 1
                yield result
            if failure is not None:
                raise failure
        finally:
            progress.close()
            for future in waiting:
                future.cancel()

    def _submit(self, page: Page, work: Work) -> Future[BaseResult]:
        try:
            return self._workers.submit(self._infer, page, work)
        except RuntimeError:
            raise PipelineClosedError("the pipeline was closed") from None

    def _infer(self, page: Page, work: Work) -> BaseResult:
        request_id = new_request_id()

        def call(timeout_s: float | None) -> BaseResult:
            tensors = self._transport.infer(
                work.model, work.inputs(page), work.outputs, request_id=request_id, timeout_s=timeout_s
            )
            return work.result_type.from_tensors(tensors, page)

        with about(page):
            return call_with_retries(call, self._retry, Deadline(self._timeout))


def create_pipeline(
    pipeline: str | None = None,
    config: object = None,
    device: object = None,
    use_hpip: object = None,
    hpi_config: object = None,
    enable_hpi: object = None,
    *,
    engine: object = None,
    engine_config: object = None,
    pp_option: object = None,
    hpi_params: object = None,
    url: str | None = None,
    protocol: str | None = None,
    timeout: float | None = DEFAULT_TIMEOUT_S,
    max_in_flight: int = DEFAULT_PAGES_IN_FLIGHT,
    retry: RetryPolicy | None = None,
) -> Pipeline:
    """A pipeline by PaddleX's name, on a Triton server.

    Args:
        pipeline: "OCR".
        config: not supported.
        device, use_hpip, hpi_config, enable_hpi, engine, engine_config, pp_option, hpi_params: arguments of PaddleX
            that the server decides; they are ignored with a warning.
        url: `host:port`, `grpc://host:port` or `http://host:port`. Without it, a server on the default port of this
            machine is used if it serves the pipeline, and otherwise the embedded one is started for this process.
        protocol: "grpc" or "http"; by default what the URL says, else gRPC.
        timeout: seconds for a page, all tries together, told to the server too; None for no limit.
        max_in_flight: pages on their way at once.
        retry: how often to try again when the server is busy or away.

    Returns:
        The pipeline; close it, or use it in a `with` statement.

    Raises:
        UnsupportedError: the pipeline is not known, or `config` was given.
        InvalidParameterError: `url`, `protocol`, `timeout` or `max_in_flight` is wrong.
        EmbeddedServerError: no server answers and none can be started.
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
    spec = find_spec(pipeline, config)
    check_options(timeout, max_in_flight)
    found = find_server(spec, url, protocol)
    return Pipeline(
        spec,
        open_transport(found.endpoint),
        timeout=timeout,
        max_in_flight=max_in_flight,
        retry=retry,
        release=found.release,
    )


def warn_about_ignored(**arguments: object) -> None:
    """One warning that names the given arguments which only mean something where the networks run."""
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None)
    if given:
        warnings.warn(
            f"{given}: ignored. Device and acceleration are decided where the server is started, not by its callers.",
            UserWarning,
            stacklevel=3,
        )


def check_options(timeout: float | None, max_in_flight: int) -> None:
    """Refuse options that make no sense.

    Raises:
        InvalidParameterError: one is not positive.
    """
    if timeout is not None and not timeout > 0:
        raise InvalidParameterError(f"timeout is {timeout!r}; it must be a positive number of seconds, or None")
    if not max_in_flight >= 1:
        raise InvalidParameterError(f"max_in_flight is {max_in_flight!r}; it must be at least 1")


def _wait(future: Future[BaseResult]) -> BaseResult:
    try:
        return future.result()
    except CancelledError:
        raise PipelineClosedError("the pipeline was closed") from None
