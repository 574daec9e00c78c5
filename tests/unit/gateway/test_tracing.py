"""Spans of requests, under the caller's and above Triton's."""

import pytest
from gateway_world import MODELS, answer
from trace_collector import collect

from paddlex_triton.client.exceptions import ServerError
from paddlex_triton.client.tracing import trace_headers
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.gateway.app import create_app
from paddlex_triton.gateway.errors import GatewayError
from paddlex_triton.gateway.settings import GatewaySettings
from paddlex_triton.gateway.tracing import Tracing
from paddlex_triton.trace_url import spans_url

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@pytest.fixture
def sent(triton):
    """The headers with which requests reach Triton."""
    seen = []

    def note(request):
        seen.append(trace_headers())
        return answer(request)

    triton.transport = AsyncMockTransport(note, models=MODELS)
    return seen


async def test_a_request_its_parts_and_its_pages_are_one_trace(client, sent, page):
    with collect() as collector:
        body = {"file": page, "fileType": 1, "logId": "mine"}
        async with client(trace_url=collector.url) as http:
            response = await http.post("/ocr", json=body, headers=CALLER)
            await http._transport.app.state.service.close()  # pyright: ignore[reportAttributeAccessIssue]
        assert response.status_code == 200
        spans = {span.name: span for span in collector.wait(lambda spans: len(spans) >= 3)}
    assert spans.keys() == {"POST /ocr", "read", "draw"}
    root = spans["POST /ocr"]
    assert (root.service, root.trace, root.parent) == ("paddlex-triton-gateway", TRACE, PARENT)
    assert all((spans[name].trace, spans[name].parent) == (TRACE, root.id) for name in ("read", "draw"))
    assert root.attributes["paddlex.pipeline"] == "OCR"
    assert root.attributes["paddlex.log_id"] == root.attributes["paddlex.request_id"] == "mine"
    assert int(root.attributes["http.response.status_code"]) == 200
    assert int(root.attributes["paddlex.pages"]) == 1
    (header,) = sent
    assert header["traceparent"] == f"00-{TRACE}-{root.id}-01"


async def test_a_failure_says_what_kind_it_is(client, triton, page):
    def fail(request):
        raise ServerError("broken")

    triton.transport = AsyncMockTransport(fail, models=MODELS)
    with collect() as collector:
        async with client(trace_url=collector.url) as http:
            assert (await http.post("/ocr", json={"file": page, "fileType": 1})).status_code == 500
            await http._transport.app.state.service.close()  # pyright: ignore[reportAttributeAccessIssue]
        spans = {span.name: span for span in collector.wait(lambda spans: len(spans) >= 2)}
    assert spans["POST /ocr"].parent == ""
    assert spans["POST /ocr"].attributes["error.type"] == "internal"


async def test_without_a_collector_the_callers_trace_goes_on_to_triton(client, sent, page):
    async with client() as http:
        await http.post("/ocr", json={"file": page, "fileType": 1}, headers=CALLER)
        await http.post("/ocr", json={"file": page, "fileType": 1})
    assert [header.get("traceparent") for header in sent] == [CALLER["traceparent"], None]


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector", "http://", "http://collector:99999"])
def test_a_collector_without_a_url_is_refused(url):
    with pytest.raises(GatewayError, match=r"a URL such as http://127\.0\.0\.1:4318 is expected"):
        create_app(GatewaySettings("127.0.0.1:1", trace_url=url))


@pytest.mark.parametrize("url", ["http://a:4318", "http://a:4318/", "http://a:4318/v1/traces"])
def test_the_path_of_spans_may_be_left_out(url):
    assert spans_url(url) == "http://a:4318/v1/traces"


def test_nothing_is_sent_for_no_collector():
    tracing = Tracing(None)
    with tracing.request("name", {}) as span, tracing.part("part"):
        assert span is None
        assert trace_headers() == {}
    tracing.close()
