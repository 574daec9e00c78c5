"""The caller's trace goes with each page, whatever thread sends it."""

import subprocess
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from ensemble_answers import make_tensors
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from paddlex_triton.client import AsyncPipeline, Pipeline
from paddlex_triton.client.tracing import trace_headers
from paddlex_triton.client.transports import grpc, http
from paddlex_triton.client.transports.mock import AsyncMockTransport, MockTransport
from paddlex_triton.pipelines import find_pipeline

OCR = find_pipeline("OCR")
PNG = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()
TRACER = TracerProvider().get_tracer("tests")


@pytest.fixture
def parent() -> Iterator[str]:
    """The header that names the span around the test, without its flags."""
    with TRACER.start_as_current_span("test") as span:
        context = span.get_span_context()
        yield f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-"


def test_without_a_span_there_are_no_headers():
    assert trace_headers() == {}


def test_opentelemetry_is_imported_by_nobody_but_the_caller():
    code = (
        "import sys, paddlex_triton.client.pipeline, paddlex_triton.client.transports.http\n"
        "from paddlex_triton.client.tracing import trace_headers\n"
        "assert trace_headers() == {}\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-B", "-c", code], check=True)


@pytest.mark.parametrize(
    "request_of", [lambda: grpc._request("m", {}, [], "1", 1.0), lambda: http._request({}, [], "1", 1.0)]
)
def test_requests_carry_the_span(parent, request_of):
    assert request_of()["headers"]["traceparent"].startswith(parent)


def test_pages_are_sent_in_the_callers_trace(parent):
    seen = []

    def answer(request):
        seen.append(trace_headers()["traceparent"])
        return make_tensors(["text"])

    with Pipeline(OCR, MockTransport(answer)) as pipeline:
        assert len(list(pipeline.predict([PNG] * 3))) == 3
    assert [header.startswith(parent) for header in seen] == [True] * 3


async def test_pages_of_the_twin_are_too():
    seen = []

    def answer(request):
        seen.append(trace_headers()["traceparent"])
        return make_tensors(["text"])

    transport = AsyncMockTransport(answer)
    with TRACER.start_as_current_span("test") as span:
        async with AsyncPipeline(OCR, lambda: (lambda: transport, lambda: None)) as pipeline:
            assert len([result async for result in pipeline.predict([PNG] * 3)]) == 3
    assert [trace.format_trace_id(span.get_span_context().trace_id) in header for header in seen] == [True] * 3
