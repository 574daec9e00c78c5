"""`create_pipeline(...).predict(...)`, as in PaddleX, answered by a Triton server."""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import closing
from numbers import Integral, Real
from os import PathLike
from types import TracebackType
from typing import Any, NoReturn, TypeAlias

from typing_extensions import Self

from paddlex_triton.client.configuration import configure
from paddlex_triton.client.exceptions import InvalidParameterError, PaddleXTritonError, PipelineClosedError
from paddlex_triton.client.inputs import Input, PageReader, reader_of
from paddlex_triton.client.networks import Models, PresetWatch
from paddlex_triton.client.pages import Page
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
from paddlex_triton.client.retry import Deadline, RetryPolicy, call_with_retries
from paddlex_triton.client.transports import Transport, Url, open_transport
from paddlex_triton.client.workers import Workers
from paddlex_triton.limits import MAX_PAGES_IN_FLIGHT, MAX_TIMEOUT_S
from paddlex_triton.pipelines import PipelineSpec

# What became of a page.
Outcome: TypeAlias = BaseResult | PaddleXTritonError

DEFAULT_TIMEOUT_S = 300.0
DEFAULT_PAGES_IN_FLIGHT = 4
NOT_PICKLED = "a pipeline cannot be copied or sent to another process: make it there, or before the process is forked"


class Pipeline:
    """One pipeline, on one server or several. Threads and forked processes may share it; usable as a context manager.

    Made by `create_pipeline`. A forked process has threads and connections of its own, and closes only those.
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
        fault: Callable[[], str | None] = lambda: None,
        defaults: Mapping[str, Any] | None = None,
        watch: PresetWatch | None = None,
    ) -> None:
        """Put a pipeline on a transport.

        Args:
            spec: which pipeline.
            transport: how to reach the server; closed with the pipeline.
            timeout: seconds for a page, all tries together; None for no limit.
            max_in_flight: pages on their way at once.
            retry: how often to try again.
            release: called when the pipeline is closed.
            fault: says what is wrong with the server, if it knows.
            defaults: values of parameters that a call of `predict` does not give, instead of the server's.
            watch: looks at what every result says about its networks.

        Raises:
            InvalidParameterError: see `check_options`.
        """
        check_options(timeout, max_in_flight)
        self._spec = spec
        self._transport = transport
        self._timeout = timeout
        self._max_in_flight = max_in_flight
        self._retry = retry or RetryPolicy()
        self._defaults = dict(defaults or {})
        self._watch = watch
        self._release = release
        self._fault = fault
        self._closing = PerProcess(threading.Lock)
        self._closed = False
        # Ends the pauses between tries.
        self._ended = PerProcess(threading.Event)
        self._workers = PerProcess(lambda: Workers(max_in_flight))
        _OPEN.add(self)

    @property
    def name(self) -> str:
        """PaddleX's name of the pipeline."""
        return self._spec.name

    def predict(
        self, input: Input | None = None, *positional: Any, x: Input | None = None, **params: Any
    ) -> Iterator[BaseResult]:
        """Read pages.

        Args:
            input: a path, a URL, a directory (read in sorted order, subfolders included), an array (UINT8, BGR
                [H,W,3] or grey [H,W]), the bytes of a file, a file opened in binary mode, `{"img": ...}`, or a list
                of any of them. PDF and TIFF files give a result for every page.
            positional: parameters without their names, in PaddleX's order.
            x: the same as `input`, for callers that name it so.
            params: PaddleX's parameters of the pipeline; None means the default. A page that is flattened comes back
                with its result, unless `return_preprocessed_img` is False.

        Returns:
            An iterator over results, in the order of the pages. What is wrong with a page is raised in its place, and
            ends the iterator.

        Raises:
            InvalidParameterError: an unknown name, a wrong type, a value out of range.
            InputError: the input is of no kind that is read here.
            PipelineClosedError: the pipeline was closed.
            TypeError: no input or two, more positional parameters than there are, or one given twice.
        """
        return self._results(self._outcomes(input, positional, x, params, go_on=False))

    __call__ = predict

    def predict_outcomes(
        self, input: Input | None = None, *positional: Any, x: Input | None = None, **params: Any
    ) -> Iterator[Outcome]:
        """Read pages, and go on behind those that cannot be read: for batches in which one page may fail.

        Args:
            input, positional, x, params: see `predict`.

        Returns:
            An iterator over outcomes, in the order of the pages: a result, or in its place the error, a
            `PaddleXTritonError`, that `predict` would raise. An input that cannot be opened is one error.

        Raises:
            InvalidParameterError, InputError, PipelineClosedError, TypeError: see `predict`.
        """
        return self._outcomes(input, positional, x, params, go_on=True)

    def close(self) -> None:
        """Close connections, and stop the embedded server if nobody else uses it. Safe to call more than once.

        Pages that are on their way, in other threads say, are given up: their outcome is a `PipelineClosedError`.
        """
        with self._closing.get():
            if self._closed:
                return
            self._closed = True
        workers = self._workers.made()
        if workers is not None:
            workers.stop()
        self._ended.get().set()
        # What waits for the server fails with that.
        self._transport.close()
        if workers is not None:
            workers.join()
        if self._release is not None:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError(NOT_PICKLED)

    def _outcomes(
        self, input: Input | None, positional: Sequence[Any], x: Input | None, params: Mapping[str, Any], *, go_on: bool
    ) -> Generator[Outcome, None, None]:
        """Check a call of `predict`, before anything is read."""
        if self._closed:
            raise PipelineClosedError("the pipeline is closed")
        reader = reader_of(choose_input(input, x))
        request = prepare_request(self._spec, name_positional(self._spec, positional, params), self._defaults)
        return self._send(reader, request, go_on=go_on)

    def _results(self, given: Generator[Outcome, None, None]) -> Iterator[BaseResult]:
        with closing(given) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, PaddleXTritonError):
                    raise outcome
                yield outcome

    def _send(self, reader: PageReader, request: PredictRequest, *, go_on: bool) -> Generator[Outcome, None, None]:
        """Keep pages on their way, and give their outcomes in order; the first error is the last one unless `go_on`."""
        process = os.getpid()
        pages = reader.outcomes()
        waiting: deque[Future[BaseResult] | PaddleXTritonError] = deque()
        progress = PageProgress(self.name)
        done, more = 0, True
        try:
            while True:
                while more and len(waiting) < self._max_in_flight:
                    page = next(pages, None)
                    more = isinstance(page, Page) or (go_on and page is not None)
                    if page is not None:
                        # An error's place is behind the pages that are still on their way.
                        waiting.append(self._submit(page, request) if isinstance(page, Page) else page)
                progress.update(done, max(reader.total, done + len(waiting)))
                if not waiting:
                    break
                outcome = _wait(waiting.popleft())
                done += 1
                yield outcome
                if os.getpid() != process:
                    raise PipelineClosedError("these results are the parent process's; call predict again in this one")
        finally:
            # A forked process has none of the threads that these belong to.
            if os.getpid() == process:
                progress.close()
                pages.close()
                for entry in waiting:
                    if isinstance(entry, Future):
                        entry.cancel()

    def _submit(self, page: Page, request: PredictRequest) -> Future[BaseResult]:
        try:
            # The thread is in the caller's trace.
            return self._workers.get().submit(contextvars.copy_context().run, self._infer, page, request)
        except RuntimeError as error:
            if self._closed:
                raise PipelineClosedError("the pipeline was closed") from None
            raise PaddleXTritonError(f"the page cannot be sent: {error}", source=page.label) from None

    def _infer(self, page: Page, request: PredictRequest) -> BaseResult:
        request_id = page.request_id or new_request_id()

        def call(timeout_s: float | None) -> BaseResult:
            tensors = self._transport.infer(
                request.model, request.inputs(page), request.outputs, request_id=request_id, timeout_s=timeout_s
            )
            return request.result(tensors, page)

        with attributed_to(page), explained(self._fault):
            result = call_with_retries(call, self._retry, Deadline(self._timeout), self._pause)
        if self._watch is not None:
            self._watch.compare(result.settings, request.chosen_steps)
        return result

    def _pause(self, seconds: float) -> None:
        self._ended.get().wait(seconds)


# Pipelines that may still have threads and connections.
_OPEN: weakref.WeakSet[Pipeline] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Give up the pages that are on their way when a program ends, instead of waiting for them."""
    for pipeline in list(_OPEN):
        pipeline.close()


def create_pipeline(
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
) -> Pipeline:
    """Make a pipeline by PaddleX's name or from one of its files, on a Triton server.

    Args:
        pipeline: "OCR", "seal_recognition", "human_keypoint_detection" or "doc_preprocessor"; or the path of a pipeline
            file of PaddleX's, `my/seal_recognition.yaml`. Its switches and thresholds are what a call leaves out, its
            networks those of an embedded server, which is started even if another one is there; at `url` a warning
            tells if others answer. Other warnings tell what in the file has no meaning here.
        config: what such a file holds, as a dict; wins over `pipeline`.
        device, use_hpip, hpi_config, enable_hpi, engine, engine_config, pp_option, hpi_params: arguments of PaddleX
            that the server decides; they are ignored with a warning.
        url: `host:port`, `grpc://host:port` or `http://host:port`, or a list of them: requests are spread over the
            servers, and one that does not answer is left out until it does. Without it, a server on the default port
            of this machine is used if it serves the pipeline, and otherwise the embedded one is started for this
            process.
        protocol: "grpc" or "http"; by default what the URL says, else gRPC.
        timeout: seconds for a page, all tries together, told to the server too; at most a day, None for no limit.
        max_in_flight: pages on their way at once, at most 256.
        retry: how often to try again when the server is busy or away.
        preset: one of the pipeline's presets, such as "nopp-lightweight" of `seal_recognition`: the embedded server
            runs on its networks, and the steps it has none for are off unless a call turns them on. Without one it
            runs on the default preset, and optional steps beyond that are on where their networks are exported; which
            ones is logged. Which networks another server runs on was decided where it was started; a warning tells if
            they are others.
        models: step -> network, instead of the preset's, such as `{"layout_detection": "PP-DocLayout-S"}`. Several,
            `"A,B"` or a list, are all loaded: the first is the default, and a call chooses another with the parameter
            `<step>_model_name`. An empty name leaves an optional step off. With `models` an embedded server is started
            even if another one is there.

    Returns:
        The pipeline; close it, or use it in a `with` statement. It stays with the server it found: if an embedded one
        dies, or loses the process of a model, every further page may raise `ServerUnavailableError` or
        `DeadlineExceededError`, which say so; a new pipeline starts a new server.

    Raises:
        UnsupportedError: the pipeline or the preset is not known.
        InvalidParameterError: `url`, `protocol`, `timeout`, `max_in_flight` or `models` is wrong, or the file cannot
            be honoured; see `check_options` and `configure`.
        PipelineNotLoadedError: of several servers, one is ready and does not serve the pipeline.
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
    check_options(timeout, max_in_flight)
    configured = configure(pipeline, config, preset, models, url)
    for remark in configured.remarks:
        warnings.warn(remark, UserWarning, stacklevel=2)
    lease = configured.find_server(url, protocol)
    return Pipeline(
        configured.spec,
        open_transport(*lease.endpoints),
        timeout=timeout,
        max_in_flight=max_in_flight,
        retry=retry,
        release=lease.release,
        fault=lease.fault,
        defaults=configured.defaults,
        watch=configured.watch,
    )


def warn_about_ignored(**arguments: object) -> None:
    """Warn, once, of the given arguments that only mean something where the networks run."""
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
        InvalidParameterError: `timeout` is no number above 0 and up to `MAX_TIMEOUT_S`, or `max_in_flight` no whole
            number from 1 to `MAX_PAGES_IN_FLIGHT`.
    """
    # NaN is in no range, and True is a number only to Python.
    if timeout is not None and not (_is_a(Real, timeout) and 0 < timeout <= MAX_TIMEOUT_S):
        raise InvalidParameterError(
            f"timeout is {timeout!r}; it must be a number of seconds above 0 and at most {MAX_TIMEOUT_S}, "
            "or None for no limit"
        )
    if not (_is_a(Integral, max_in_flight) and 1 <= max_in_flight <= MAX_PAGES_IN_FLIGHT):
        raise InvalidParameterError(
            f"max_in_flight is {max_in_flight!r}; it must be a whole number from 1 to {MAX_PAGES_IN_FLIGHT}"
        )


def _is_a(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _wait(entry: Future[BaseResult] | PaddleXTritonError) -> Outcome:
    if isinstance(entry, PaddleXTritonError):
        return entry
    try:
        return entry.result()
    except CancelledError:
        return PipelineClosedError("the pipeline was closed")
    except PaddleXTritonError as error:
        return error
