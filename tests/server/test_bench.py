"""The benchmark reports against a live server."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from paddlex_triton.bench.batching import measure_batching
from paddlex_triton.bench.cpu_time import CLIENT, TRITON, measure_cpu
from paddlex_triton.bench.hollow import make_hollow
from paddlex_triton.bench.make_inputs import read_pages
from paddlex_triton.bench.overhead import measure_overhead
from paddlex_triton.bench.target import Target


@pytest.fixture
def target(server):
    addresses = {"http_url": server.http_url, "grpc_url": server.grpc_url}
    with Target("OCR", **addresses, admin_key=server.admin_key) as target:
        yield target


def test_stages_are_read_off_the_server(target):
    assert target.stages().networks == {
        "ocr.doc_preprocessor": (),
        "text_detection": ("PP-OCRv4_mobile_det",),
        "text_recognition": ("PP-OCRv4_mobile_rec",),
    }


def test_without_the_key_the_remedy_is_told(server):
    with Target("OCR", http_url=server.http_url, grpc_url=server.grpc_url) as target:
        with pytest.raises(ValueError, match="asks for the server's key: --admin-key-file"):
            target.stages()
        assert target.statistics("ocr")


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
    # Eleven lines of two widths, as many to a run as 1920 columns hold.
    assert report.mean_batch_alone["PP-OCRv4_mobile_rec"] == pytest.approx(11 / 7)
    assert report.mean_batch["PP-OCRv4_mobile_rec"] == pytest.approx(11 / 7)


def test_cpu_time_of_every_process(networks):
    (page,) = read_pages([])
    report = measure_cpu("OCR", page, {}, pages=2, preset="PP-OCRv4_mobile", networks=[networks])
    modules = {"ocr.doc_preprocessor", "text_detection", "text_recognition"}
    assert set(report.networks) == {"PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"}
    assert report.processes.keys() == {CLIENT, TRITON, *modules, *report.networks}
    assert all(report.processes[name] > 0 for name in (TRITON, *modules, *report.networks))
    assert report.host_ms == pytest.approx(sum(report.processes[name] for name in (TRITON, *modules)))
    # Runs are what makes the difference.
    assert report.outside_runs_ms is not None
    assert report.outside_runs_ms < sum(report.processes[name] for name in report.networks) / 2


def test_hollow_networks_answer_in_the_shapes_of_real_ones(networks, tmp_path):
    page = np.full((64, 96, 3), 200, np.uint8)
    inputs = {
        "PP-OCRv4_mobile_det": {"x": page[None]},
        "PP-OCRv4_mobile_rec": {"x": np.zeros((3, 48, 360, 3), np.uint8), "widths": np.full((3, 1), 350, np.int32)},
    }
    for name, feed in inputs.items():
        make_hollow(networks / name, tmp_path, page)
        real, hollow = (
            ort.InferenceSession(str(folder / name / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
            for folder in (networks, tmp_path)
        )
        names = [output.name for output in real.get_outputs()]
        wanted, got = ([np.asarray(array) for array in one.run(names, feed)] for one in (real, hollow))
        assert [(a.shape, a.dtype) for a in got] == [(a.shape, a.dtype) for a in wanted]
        if name == "PP-OCRv4_mobile_det":
            np.testing.assert_array_equal(got[0], wanted[0])
