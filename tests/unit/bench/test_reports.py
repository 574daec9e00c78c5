"""The arithmetic of the benchmark reports, on statistics as Triton writes them."""

from __future__ import annotations

import numpy as np
import pytest

from paddlex_triton.bench.batching import float_difference, measure_batching
from paddlex_triton.bench.overhead import RequestCost, measure_overhead, summarise
from paddlex_triton.bench.statistics import ModelStatistics
from paddlex_triton.bench.target import Stages, Target

MS = 1_000_000
STAGES = Stages({"decode": (), "detect": ("det",), "read": ("rec",)})


def response(*, executions=2, infer_ms=30, requests=6) -> dict:
    """Two executions of three joined requests each; Triton counts the run once for every request."""
    return {
        "model_stats": [
            {
                "name": "rec",
                "version": "1",
                "inference_count": "36",
                "execution_count": str(executions),
                "inference_stats": {
                    "success": {"count": requests, "ns": 400 * MS},
                    "queue": {"count": requests, "ns": 50 * MS},
                    "compute_infer": {"count": requests, "ns": requests * infer_ms * MS},
                },
                "batch_stats": [
                    {
                        "batch_size": 18,
                        "compute_input": {"count": executions, "ns": 1 * MS},
                        "compute_infer": {"count": executions, "ns": executions * infer_ms * MS},
                        "compute_output": {"count": executions, "ns": 2 * MS},
                    }
                ],
            }
        ]
    }


def test_runs_are_counted_once_however_many_requests_share_them():
    statistics = ModelStatistics.from_response(response())
    assert statistics.infer_ms == 60
    assert statistics.mean_batch == 18
    assert (statistics.requests, statistics.request_ms, statistics.queue_ms) == (6, 400, 50)
    assert (statistics.input_ms, statistics.output_ms) == (1, 2)


@pytest.mark.parametrize("empty", [{}, {"model_stats": []}, {"model_stats": [{"name": "rec", "version": "1"}]}])
def test_a_model_that_did_nothing(empty):
    assert ModelStatistics.from_response(empty) == ModelStatistics()
    assert ModelStatistics().mean_batch == 0


def test_versions_add_up_and_readings_subtract():
    both = {"model_stats": response()["model_stats"] * 2}
    one = ModelStatistics.from_response(response())
    assert ModelStatistics.from_response(both) - one == one


def cost(request_ms: float) -> RequestCost:
    models = {
        "decode": ModelStatistics(requests=1, request_ms=5),
        "detect": ModelStatistics(requests=1, request_ms=110),
        "read": ModelStatistics(requests=1, request_ms=320),
        "det": ModelStatistics(requests=1, inferences=1, executions=1, infer_ms=100, input_ms=1, output_ms=1),
        # Three calls that waited for each other: their own times add up to more than the request took.
        "rec": ModelStatistics(requests=3, request_ms=600, queue_ms=300, inferences=35, executions=3, infer_ms=300),
    }
    return RequestCost(request_ms, models)


def test_overhead_is_the_request_without_the_runs_of_its_networks():
    one = cost(440)
    assert one.overhead_ms(STAGES) == 40
    assert [one.own_ms(module, STAGES) for module in STAGES.networks] == [5, 10, 20]
    assert one.outside_ms(STAGES) == 5


def test_report_is_the_median_of_the_runs_medians():
    runs = [[cost(440), cost(441), cost(900)], [cost(450)] * 3, [cost(430), cost(800), cost(800)]]
    report = summarise(runs, STAGES, ["rec"])
    assert report.runs == [41, 50, 400]
    assert report.overhead_ms == 50
    assert report.requests == 9
    assert report.networks["rec"] == {"infer_ms": 300, "executions": 3, "rows": 35, "input_output_ms": 0}
    assert report.stages == {"decode": 5, "detect": 10, "read": 20, "wire, client and ensemble": 15}
    assert report.several_instances == ["rec"]


class FakeTarget(Target):
    """A server whose recogniser joins two calls while several callers are there."""

    def __init__(self, *, instances=1, changes=False):
        self.requests = 0
        self._instances = instances
        self._changes = changes

    def stages(self):
        return STAGES

    def configuration(self, model):
        return {"instance_group": [{"count": self._instances if model == "rec" else 1}]}

    def statistics(self, model):
        return ModelStatistics(inferences=self.requests * 8, executions=self.requests, infer_ms=self.requests * 10)

    def infer(self, image, params):
        self.requests += 1
        late = self._changes and self.requests > 2
        return {
            "texts": np.array([image + (b"!" if late else b"")], dtype=object),
            "scores": np.array([0.5], np.float32),
        }


def test_measuring_sends_warmup_and_runs():
    target = FakeTarget(instances=2)
    report = measure_overhead(target, b"page", b"{}", requests=2, runs=3, warmup=1)
    assert (target.requests, report.requests, len(report.runs)) == (7, 6, 3)
    assert report.networks["det"]["infer_ms"] == 10
    assert report.several_instances == ["rec"]


@pytest.mark.parametrize("bad", [{"requests": 0}, {"runs": 0}])
def test_measuring_nothing_is_refused(bad):
    with pytest.raises(ValueError, match="at least 1"):
        measure_overhead(FakeTarget(), b"page", b"{}", **bad)


@pytest.mark.parametrize("changes", [False, True])
def test_batching_compares_every_answer_with_that_of_the_page_alone(changes):
    report = measure_batching(FakeTarget(changes=changes), [b"one", b"two"], b"{}", concurrency=3, requests=9)
    assert report.changed == (9 if changes else 0)
    assert report.mean_batch == {"det": 8, "rec": 8}
    assert report.pages_per_s > 0


@pytest.mark.parametrize("bad", [{"pages": []}, {"concurrency": 0}, {"requests": 0}])
def test_batching_of_nothing_is_refused(bad):
    with pytest.raises(ValueError, match="at least 1"):
        measure_batching(FakeTarget(), **{"pages": [b"one"], "params": b"{}", **bad})


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"scores": np.array([0.5, 0.25], np.float32), "points": np.array([1, 2], np.int32)}, 0.0),
        ({"scores": np.array([0.5, 0.5], np.float32), "points": np.array([1, 2], np.int32)}, 0.25),
        ({"scores": np.array([0.5, 0.25], np.float32), "points": np.array([1, 3], np.int32)}, float("inf")),
        ({"scores": np.array([0.5], np.float32), "points": np.array([1, 2], np.int32)}, float("inf")),
        ({"scores": np.array([0.5, 0.25], np.float64), "points": np.array([1, 2], np.int32)}, float("inf")),
        ({"points": np.array([1, 2], np.int32)}, float("inf")),
    ],
)
def test_only_floats_may_differ(other, difference):
    one = {"scores": np.array([0.5, 0.25], np.float32), "points": np.array([1, 2], np.int32)}
    assert float_difference(one, other) == difference


def test_answers_without_lines_are_equal():
    empty = {"scores": np.empty(0, np.float32), "texts": np.empty(0, object)}
    assert float_difference(empty, empty) == 0
