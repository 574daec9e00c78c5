"""Spans of OpenTelemetry for requests and their parts, under the caller's and above those of Triton and its models.

Where its packages are not installed there are none. A caller's trace goes on to Triton whether spans are sent or not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paddlex_triton.gateway.errors import GatewayError
from paddlex_triton.trace_url import spans_url

try:
    from opentelemetry import context, propagate, trace
except ImportError:  # An older FastAPI does not bring it along.
    context = propagate = trace = None

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_SERVICE = "paddlex-triton-gateway"
_MISSING = "traces are not installed ({error}): pip install 'paddlex-triton[tracing]'"


class Tracing:
    """The spans of one gateway."""

    def __init__(self, url: str | None) -> None:
        """Prepare; nothing is connected yet.

        Args:
            url: of a collector that takes OTLP over HTTP; None for no spans of this gateway.

        Raises:
            GatewayError: the URL cannot be used, or the extra `tracing` is not installed.
        """
        self._provider = _provider(url) if url else None

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str]) -> Iterator[Span | None]:
        """Be in the span of a request, or in that which its headers name."""
        if trace is None or context is None or propagate is None:
            yield None
            return
        token = context.attach(propagate.extract(headers))
        try:
            with self._span(name, trace.SpanKind.SERVER) as span:
                yield span
        finally:
            context.detach(token)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Be in the span of a part of the current request."""
        if trace is None:
            yield
            return
        with self._span(name, trace.SpanKind.INTERNAL):
            yield

    def close(self) -> None:
        """Send what has not been sent."""
        if self._provider is not None:
            self._provider.shutdown()

    @contextmanager
    def _span(self, name: str, kind: Any) -> Iterator[Span | None]:
        if self._provider is None:
            yield None
            return
        with self._provider.get_tracer("paddlex_triton.gateway").start_as_current_span(name, kind=kind) as span:
            yield span


def _provider(url: str) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise GatewayError(_MISSING.format(error=error)) from None
    try:
        endpoint = spans_url(url)
    except ValueError as error:
        raise GatewayError(str(error)) from None
    # The SDK reads $OTEL_SERVICE_NAME by itself.
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: _SERVICE}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider
