"""CPU time of processes: clocks, names, sums."""

from __future__ import annotations

import os
import time

import pytest

from paddlex_triton.bench.cpu_time import CpuTime, model_of, process_cpu_ms


def test_the_clock_of_a_process_is_its_cpu_time():
    before, start = process_cpu_ms(os.getpid()), time.process_time()
    while time.process_time() < start + 0.05:
        pass
    time.sleep(0.05)
    spent_ms = (time.process_time() - start) * 1000
    assert process_cpu_ms(os.getpid()) - before == pytest.approx(spent_ms, abs=5)


def test_a_process_that_is_not_there():
    with pytest.raises(OSError):
        process_cpu_ms(2**22 + 1)


@pytest.mark.parametrize(
    ("command", "model"),
    [
        (["stub", "/models/ocr.doc_preprocessor/1/model.py", "16777216", "ocr.doc_preprocessor_0_1", "DEFAULT"], 1),
        (["stub", "/models/other/1/model.py", "other_0_0"], 0),
        (["sleep", "1"], 0),
    ],
)
def test_a_process_is_named_after_its_model(command, model):
    assert model_of(command, {"ocr.doc_preprocessor"}) == ("ocr.doc_preprocessor" if model else None)


def test_the_sum_leaves_client_and_networks_out():
    processes = {"client": 2.0, "tritonserver": 3.0, "text_detection": 4.0, "net": 100.0}
    report = CpuTime(1, processes, ["net"])
    assert (report.host_ms, report.outside_runs_ms) == (7.0, None)
    assert CpuTime(1, processes, ["net"], {**processes, "net": 0.5}).outside_runs_ms == 0.5
