"""Runs of networks out of Triton's trace, which is not always JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from paddlex_triton.bench.compare.network_runs import (
    NetworkRun,
    SentTensor,
    read_trace,
    run_from_json,
    total_runs,
)


def model(number: int, name: str) -> bytes:
    return b'{"id":%d,"model_name":"%s","model_version":1,"request_id":"a"}' % (number, name.encode())


def tensor(number: int, name: str, data: bytes, shape: str, dtype: str, kind: str = "QUEUE_INPUT") -> bytes:
    return b'{"id":%d,"activity":"TENSOR_%s","tensor":{"name":"%s","data":"%s","shape":"%s","dtype":"%s"}}' % (
        number,
        kind.encode(),
        name.encode(),
        data,
        shape.encode(),
        dtype.encode(),
    )


# Bytes as Triton writes them: quotes, braces and halves of UTF-8 among them.
PIXELS = b'",\xe5,\\,{,},"id":,\x00'
TRACE = b"[%s]" % b",".join(
    (
        model(10, "rec"),
        tensor(10, "x", PIXELS, "2,48,320,3", "UINT8"),
        tensor(10, "widths", b"320,100", "2,1", "INT32"),
        tensor(10, "probs", b"0.5", "1,1", "FP32", "BACKEND_OUTPUT"),
        model(9, "det"),
        tensor(9, "x", PIXELS, "1,736,992,3", "UINT8"),
        model(11, "rec"),
        tensor(11, "x", PIXELS, "1,48,400,3", "UINT8"),
        tensor(11, "widths", b"380", "1,1", "INT32"),
        model(3, "text_recognition"),
        tensor(3, "page", PIXELS, "528,896,3", "UINT8"),
    )
)


def test_runs_are_read_in_their_order():
    runs = read_trace(TRACE, ["rec", "det", "never called"])
    assert runs == [
        NetworkRun("det", (SentTensor("x", (1, 736, 992, 3), "UINT8"),)),
        NetworkRun(
            "rec", (SentTensor("x", (2, 48, 320, 3), "UINT8"), SentTensor("widths", (2, 1), "INT32", (320, 100)))
        ),
        NetworkRun("rec", (SentTensor("x", (1, 48, 400, 3), "UINT8"), SentTensor("widths", (1, 1), "INT32", (380,)))),
    ]
    assert [run.rows for run in runs] == [1, 2, 1]
    assert [run_from_json(json.loads(json.dumps(asdict(run)))) for run in runs] == runs


def test_totals():
    totals = total_runs(read_trace(TRACE, ["rec", "det"]))
    assert totals.rows_a_run == {"det": 1, "rec": 1.5}
    assert totals.runs == {"det": 1, "rec": 2}
    # Of 2 * 320 + 400 columns 320 + 100 + 380 are lines.
    assert totals.padding == pytest.approx(1 - 800 / 1040)


def test_pages_without_a_recogniser_have_no_padding():
    assert total_runs(read_trace(TRACE, ["det"])).padding is None


@pytest.mark.parametrize(
    ("trace", "text"),
    [
        (TRACE, "no run of layout"),
        (b"[]", "no run of layout"),
        (model(1, "layout") + tensor(1, "x", PIXELS, "1", "UINT8")[:-10], "ends within tensor x"),
        (model(1, "layout") + tensor(1, "scale_factor", b"1,2,3", "1,2", "FP32"), "3 numbers of tensor scale_factor"),
    ],
)
def test_broken_traces_are_refused(trace, text):
    with pytest.raises(ValueError, match=text):
        read_trace(trace, ["layout"])
