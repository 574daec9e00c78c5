"""The benchmark reports against a live server."""

from __future__ import annotations

import pytest

from paddlex_triton.bench.batching import measure_batching
from paddlex_triton.bench.make_inputs import read_pages
from paddlex_triton.bench.overhead import measure_overhead
from paddlex_triton.bench.target import Target


@pytest.fixture
def target(server):
    with Target("OCR", http_url=server.http_url, grpc_url=server.grpc_url) as target:
        yield target


def test_stages_are_read_off_the_server(target):
    assert target.stages().networks == {
        "ocr.doc_preprocessor": (),
        "text_detection": ("PP-OCRv4_mobile_det",),
        "text_recognition": ("PP-OCRv4_mobile_rec",),
    }


def test_overhead_and_network_time_make_up_the_request(target):
    (page,) = read_pages([])
    report = measure_overhead(target, page, b"{}", requests=2, runs=1, warmup=1)
    detector, recogniser = (report.networks[f"PP-OCRv4_mobile_{name}"] for name in ("det", "rec"))
    assert detector["executions"] == detector["rows"] == 1
    assert recogniser["rows"] >= recogniser["executions"] >= 1
    assert 0 < detector["infer_ms"] + recogniser["infer_ms"] < report.request_ms
    assert 0 < report.overhead_ms < report.request_ms
    assert report.several_instances == []


def test_batching_report(target):
    report = measure_batching(target, read_pages([]), b"{}", concurrency=8, requests=16)
    assert report.changed == 0
    # Eleven lines of two widths.
    assert report.mean_batch_alone["PP-OCRv4_mobile_rec"] == 5.5
    assert report.mean_batch["PP-OCRv4_mobile_rec"] >= 5.5
