"""perf_analyzer, the real one, against a live server on real input."""

from __future__ import annotations

import csv

import pytest

from paddlex_triton.bench.make_inputs import read_pages
from paddlex_triton.bench.perf_analyzer import run_perf_analyzer


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_throughput(server, tmp_path, protocol):
    url = server.grpc_url if protocol == "grpc" else server.http_url.removeprefix("http://")
    report = tmp_path / "report.csv"
    # Two short windows that count as stable whatever they say: this is about running at all.
    windows = ["--measurement-mode", "count_windows", "--measurement-request-count", "2", "--max-trials", "3"]
    status = run_perf_analyzer(
        read_pages([]),
        url=url,
        protocol=protocol,
        admin_key=server.admin_key,
        params='{"text_det_limit_side_len": 736}',
        arguments=["--concurrency-range", "1", *windows, "--stability-percentage", "999", "-f", str(report)],
    )
    assert status == 0
    with report.open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["Inferences/Second"]) > 0
    assert float(row["Client Recv"]) >= 0
