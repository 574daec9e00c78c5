"""Answers requests: from the body's bytes to the answer's."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from paddlex_triton.client.async_pipeline import AsyncPipeline, create_async_pipeline
from paddlex_triton.client.exceptions import PaddleXTritonError
from paddlex_triton.client.results import BaseResult
from paddlex_triton.client.retry import RetryPolicy
from paddlex_triton.client.transports import AsyncTransport, open_async_transport, parse_endpoints
from paddlex_triton.gateway import reading
from paddlex_triton.gateway.answers import Answer, Drawing, drawing_of, drop_missing
from paddlex_triton.gateway.bodies import Body, FileBody
from paddlex_triton.gateway.endpoints import ENDPOINTS, Endpoint
from paddlex_triton.gateway.errors import ApiError, internal, refusal_of
from paddlex_triton.gateway.fetching import Fetcher
from paddlex_triton.gateway.load import Admission, HungUp, check_key, read_body, work_while_awaited
from paddlex_triton.gateway.observing import GatewayMetrics, log
from paddlex_triton.gateway.parsing import read_form
from paddlex_triton.gateway.responses import error_response, to_json
from paddlex_triton.gateway.settings import GatewaySettings, cpu_threads
from paddlex_triton.gateway.tracing import Tracing
from paddlex_triton.pipelines import PIPELINES

T = TypeVar("T")

# A gateway turns callers away rather than have them wait for a server that is not there.
_RETRIES = RetryPolicy(attempts=3, busy_attempts=3, first_wait_s=0.1, longest_wait_s=0.5)
# Ids that Triton's log shows as they are; others stand in the answer alone.
_PLAIN_ID = re.compile(r"[\x21-\x7e]{1,128}")
# Characters of the caller's id that a log line shows.
_SHOWN_CHARACTERS = 128
# Where nobody waits for the answer. nginx's number.
_HUNG_UP = 499
# Threads beside those for pages: for names of hosts and what the client does in threads.
_SPARE_THREADS = 4
# Bytes whose decoding is worth a thread.
_LARGE = 256 * 1024


class Service:
    """The pipelines of one Triton or several, and the limits in front of them. For one event loop."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Prepare; nothing is connected yet.

        Args:
            settings: what the gateway was started with.

        Raises:
            PaddleXTritonError: the URL or a pipeline file cannot be used.
        """
        self.settings = settings
        self._endpoints = parse_endpoints(settings.url)
        self.metrics = GatewayMetrics()
        self._tracing = Tracing(settings.trace_url)
        self.admission = Admission(settings.max_in_flight)
        self.metrics.in_flight.set_function(lambda: self.admission.now)
        self.metrics.in_flight_limit.set(settings.max_in_flight)
        self._pipelines = {endpoint.pipeline: self._pipeline(endpoint.pipeline) for endpoint in ENDPOINTS}
        self._triton: AsyncTransport | None = None
        self._fetcher = Fetcher(settings.max_body_bytes) if settings.allow_urls else None
        self._threads = ThreadPoolExecutor(cpu_threads(), thread_name_prefix="gateway")

    async def answer(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer a request to a pipeline; whatever is wrong becomes an answer too."""
        with self._tracing.request(f"POST {endpoint.path}", request.headers) as span:
            job, response = await self._answer(endpoint, request)
            if span is not None:
                span.set_attributes(job.attributes(response.status_code))
        return response

    async def _answer(self, endpoint: Endpoint, request: Request) -> tuple[_Job, Response]:
        job = _Job(endpoint, self.metrics)
        try:
            check_key(request, self.settings.api_keys)
            with self.admission.place():
                raw = await read_body(request, self.settings.max_body_bytes, self.settings.max_upload_s)
                content = await work_while_awaited(request, self._work(job, raw), self.settings.timeout_s)
            response = Response(content, media_type="application/json")
            response.headers["Server-Timing"] = job.server_timing()
        except HungUp:
            response = Response(status_code=_HUNG_UP)
        except ApiError as error:
            response = job.refuse(error)
        except PaddleXTritonError as error:
            job.cause = error
            response = job.refuse(refusal_of(error, job.names, reads_documents=job.reads_documents))
        except Exception as error:
            job.cause = error
            response = job.refuse(internal())
        job.finish(response.status_code)
        return job, response

    def begin(self) -> None:
        """Prepare the event loop; called in it."""
        # Each request has a thread to wait in for its next page: rendering one does not hold up those of others.
        waiting = ThreadPoolExecutor(self.settings.max_in_flight + _SPARE_THREADS, thread_name_prefix="pages")
        asyncio.get_running_loop().set_default_executor(waiting)

    async def ready(self) -> bool:
        """Tell whether Triton and all its models answer; of several, one."""
        return await self._connection().server_ready()

    async def pipelines(self) -> list[dict[str, Any]]:
        """Return the paths, and whether their pipelines answer."""
        triton = self._connection()
        ready = await asyncio.gather(*(triton.model_ready(PIPELINES[each.pipeline].ensemble) for each in ENDPOINTS))
        return [
            {"name": endpoint.pipeline, "path": endpoint.path, "ready": there}
            for endpoint, there in zip(ENDPOINTS, ready, strict=True)
        ]

    async def close(self) -> None:
        """Close connections."""
        for pipeline in self._pipelines.values():
            await pipeline.close()
        if self._triton is not None:
            await self._triton.close()
        if self._fetcher is not None:
            await self._fetcher.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._tracing.close)

    def _pipeline(self, name: str) -> AsyncPipeline:
        file = self.settings.files.get(name)
        return create_async_pipeline(
            file.origin if file is not None else name,
            url=self.settings.url,
            timeout=self.settings.timeout_s,
            retry=_RETRIES,
        )

    def _connection(self) -> AsyncTransport:
        if self._triton is None:
            self._triton = open_async_transport(*self._endpoints)
        return self._triton

    async def _work(self, job: _Job, raw: bytes) -> bytes:
        body, answer = await self._off_loop(len(raw), read_form, job.endpoint, raw, job)
        serving = self.settings.serving(job.endpoint.pipeline)
        drawing = drawing_of(body, serving.visualize, serving.max_output_img_size)
        file_type = reading.file_type_of(body.source, body.file_type) if isinstance(body, FileBody) else reading.IMAGE
        pages = serving.max_num_input_imgs if answer.PAGES else 1
        with self._tracing.part("read"):
            data = await self._file(body)
            # Not among the threads that draw: it may have to wait until a page of another document is rendered.
            document = await asyncio.to_thread(reading.open_document, data, file_type, pages, job.request_id)
        job.stage("read", time.monotonic() - job.began)
        said = await self._read_pages(job, document, body, answer, drawing)
        job.pages = len(said)
        return await self._in_thread(_encode, job.log_id, answer.whole(said, document.data_info))

    async def _read_pages(
        self, job: _Job, document: reading.Document, body: Body, answer: Answer[Any], drawing: Drawing
    ) -> list[dict[str, Any]]:
        """Return what is said about each page; the next ones are on their way while one is drawn."""
        pipeline = self._pipelines[job.endpoint.pipeline]
        drawn: list[asyncio.Future[tuple[dict[str, Any], float]]] = []
        async with aclosing(pipeline.predict(document.pages, **body.params)) as results:  # pyright: ignore[reportArgumentType]
            async for result in results:
                for stage, milliseconds in result.stage_times.items():
                    job.stage(stage, milliseconds / 1000)
                drawn.append(asyncio.ensure_future(self._drawn(answer, result, drawing)))
        pages = await asyncio.gather(*drawn)
        job.stage("draw", sum(seconds for _, seconds in pages))
        return [said for said, _ in pages]

    async def _drawn(self, answer: Answer[Any], result: BaseResult, drawing: Drawing) -> tuple[dict[str, Any], float]:
        with self._tracing.part("draw"):
            return await self._in_thread(_draw, answer, result, drawing)

    async def _file(self, body: Body) -> bytes:
        if not reading.is_remote(body.source):
            return await self._off_loop(len(body.source), reading.decode_base64, body.source)
        if self._fetcher is None:
            raise ApiError(422, "URLs are not taken by this server: send the file in base64", reason="url")
        return await self._fetcher.fetch(body.source)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*arguments))

    async def _off_loop(self, size: int, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function, in a thread if that takes long enough to hold up others."""
        return await self._in_thread(function, *arguments) if size > _LARGE else function(*arguments)


class _Job:
    """What is known of a request while it is worked on.

    Attributes:
        log_id: the caller's, or one of ours.
        request_id: the same for Triton.
        cause: what the log says of a failure, and the caller is not told.
        pages: that were answered.
    """

    def __init__(self, endpoint: Endpoint, metrics: GatewayMetrics) -> None:
        self.endpoint, self._metrics = endpoint, metrics
        self.began = time.monotonic()
        self.log_id = self.request_id = str(uuid.uuid4())
        self.names: Mapping[str, str] = {}
        self.cause: BaseException | None = None
        self.refused: ApiError | None = None
        self.pages = 0
        self._stages: dict[str, float] = {}

    @property
    def reads_documents(self) -> bool:
        """Whether the path takes files of several pages."""
        return issubclass(self.endpoint.current.body, FileBody)

    def name(self, log_id: object) -> None:
        """Take the caller's id, if it is text."""
        if isinstance(log_id, str) and log_id:
            self.log_id = log_id
            self.request_id = log_id if _PLAIN_ID.fullmatch(log_id) else self.request_id

    def stage(self, name: str, seconds: float) -> None:
        """Add to the time of a stage."""
        self._stages[name] = self._stages.get(name, 0.0) + seconds

    def refuse(self, error: ApiError) -> Response:
        """Return the answer to a request that is refused."""
        self.refused = error
        return error_response(error, self.log_id)

    def server_timing(self) -> str:
        """Return the header of that name: milliseconds a stage."""
        stages = {**self._stages, "total": time.monotonic() - self.began}
        return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in stages.items())

    def attributes(self, status: int) -> dict[str, str | int]:
        """Return what a span says of the request; names as OpenTelemetry has them, ours where it has none."""
        refused = {"error.type": self.refused.reason} if self.refused else {}
        ids = {"paddlex.log_id": self.log_id[:_SHOWN_CHARACTERS], "paddlex.request_id": self.request_id}
        return {
            "http.request.method": "POST",
            "http.route": self.endpoint.path,
            "http.response.status_code": status,
            "paddlex.pipeline": self.endpoint.pipeline,
            "paddlex.pages": self.pages,
            **ids,
            **refused,
        }

    def finish(self, status: int) -> None:
        """Count the request, and write its line into the log."""
        metrics, pipeline, seconds = self._metrics, self.endpoint.pipeline, time.monotonic() - self.began
        if status == _HUNG_UP:
            metrics.hung_up.labels(pipeline).inc()
        else:
            metrics.requests.labels(pipeline, status).inc()
            metrics.seconds.labels(pipeline).observe(seconds)
        if self.refused is not None:
            metrics.refused.labels(pipeline, self.refused.reason).inc()
        metrics.pages.labels(pipeline).inc(self.pages)
        for name, taken in self._stages.items():
            metrics.stages.labels(pipeline, name).observe(taken)
        level = logging.ERROR if status == 500 else logging.INFO
        fields = {
            "logId": self.log_id[:_SHOWN_CHARACTERS],
            "requestId": self.request_id,
            "pipeline": pipeline,
            "status": status,
            "pages": self.pages,
            "milliseconds": round(seconds * 1000, 1),
            **({"error": self.refused.message} if self.refused else {}),
            **({"cause": str(self.cause)} if self.cause else {}),
        }
        log(level, "answered", fields, error=self.cause if status == 500 else None)


def _draw(answer: Answer[Any], result: BaseResult, drawing: Drawing) -> tuple[dict[str, Any], float]:
    """Return what is said about a page, and the seconds that took."""
    began = time.monotonic()
    said = answer.page(result, drawing)
    return said, time.monotonic() - began


def _encode(log_id: str, result: Mapping[str, Any]) -> bytes:
    content = {"logId": log_id, "result": drop_missing(result), "errorCode": 0, "errorMsg": "Success"}
    return to_json(content)
