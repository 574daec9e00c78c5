"""The comparison of FP16 with FP32: each family's measure, what passes and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.base import Case
from paddlex_triton.export.tensorrt.gate import MEASURES, compare
from paddlex_triton.export.tensorrt.gate_inputs import gate_cases
from paddlex_triton.export.tensorrt.profiles import WITHOUT_PLAN, plan_shapes
from paddlex_triton.network import NetworkInfo, Provenance

NMS = {"score_threshold": 0.3, "nms_threshold": 0.5, "nms_top_k": 100, "keep_top_k": 10}
GEOMETRY: dict[str, dict[str, Any]] = {
    "db_detection": {},
    "ctc_recognition": {"image_shape": [3, 48, 320]},
    "dense_detection": {"target_size": [64, 64], "interpolation": 2},
    "detr_detection": {"target_size": [64, 64], "interpolation": 2},
    "heatmap_keypoints": {"target_size": [64, 48]},
    "image_classification": {"target_size": [80, 160]},
}


def info(family: str) -> NetworkInfo:
    return NetworkInfo(
        name="net",
        family=family,  # type: ignore[arg-type]
        max_batch_size=FAMILIES[family].max_batch_size,  # type: ignore[index]
        sha256="0" * 64,
        geometry=GEOMETRY[family],
        postprocess={"thresh": 0.3, "draw_threshold": 0.5, "nms": NMS},
        characters=["blank", "a", "b", " "],
        labels=["one", "two"],
        provenance=Provenance(source="test", file="x", source_sha256="", opset=17, ir_version=8),
    )


def answer(family: str) -> dict[str, np.ndarray]:
    """An answer in which something is found."""
    if family == "db_detection":
        prob = np.zeros((1, 64, 64), np.float32)
        prob[0, 10:30, 10:60] = 0.9
        return {"prob": prob}
    if family == "ctc_recognition":
        return {"indices": np.array([[1, 0, 2, 2]], np.int32), "probs": np.full((1, 4), 0.9, np.float32)}
    if family == "dense_detection":
        boxes = np.array([[[0, 0, 20, 20], [30, 30, 60, 60]]], np.float32)
        return {"boxes": boxes, "scores": np.array([[[0.9, 0.1], [0.1, 0.8]]], np.float32)}
    if family == "detr_detection":
        return {"rows": np.array([[[0, 0.9, 0, 0, 20, 20], [1, 0.01, 5, 5, 6, 6]]], np.float32)}
    if family == "heatmap_keypoints":
        maps = np.zeros((1, 17, 16, 12), np.float32)
        maps[:, :, 8, 6] = 0.9
        return {"heatmaps": maps}
    return {"probs": np.array([[0.3, 0.7]], np.float32)}


FEEDS = {"x": np.zeros((1, 64, 64, 3), np.uint8), "scale_factor": np.array([[0.5, 0.5]], np.float32)}


def report(family: str, got: dict[str, np.ndarray], wanted: dict[str, np.ndarray] | None = None):
    first = answer(family) if wanted is None else wanted
    return compare(info(family), [Case("page", FEEDS)], lambda _: first, lambda _: got)


@pytest.mark.parametrize("family", sorted(MEASURES))
def test_the_same_answer_passes(family):
    result = report(family, answer(family))
    assert (result.passed, result.worst, result.why) == (True, 0.0, None)
    assert result.cases[0].found > 0


def changed(family: str, name: str, place: tuple, value: float) -> dict[str, np.ndarray]:
    got = {key: values.copy() for key, values in answer(family).items()}
    got[name][place] = value
    return got


SMALL = [
    ("db_detection", "prob", (0, 10, slice(10, 20)), 0.2),  # 10 of 1000 pixels
    ("db_detection", "prob", (0, slice(40, 60)), 0.29),
    ("ctc_recognition", "probs", (0, 0), 0.93),
    ("dense_detection", "scores", (0, 0, 0), 0.885),
    ("dense_detection", "boxes", (0, 0, 2), 20.2),
    ("dense_detection", "boxes", (0, 1, 0), 30.2),
    ("detr_detection", "rows", (0, 1, 2), 60),
    ("heatmap_keypoints", "heatmaps", (0, 3, 8, 6), 0.91),
    ("image_classification", "probs", (0, 1), 0.715),
]
LARGE = [
    ("db_detection", "prob", (0, 10, slice(10, 21)), 0.2),
    ("ctc_recognition", "probs", (0, slice(None)), 0.93),
    ("ctc_recognition", "indices", (0, 0), 2),
    ("dense_detection", "scores", (0, 0, 0), 0.87),
    ("dense_detection", "boxes", (0, 0, 2), 20.5),
    ("detr_detection", "rows", (0, 0, 0), 1),
    ("detr_detection", "rows", (0, 0, 1), 0.87),
    ("heatmap_keypoints", "heatmaps", (0, 3, 8, 6), 0.93),
    ("heatmap_keypoints", "heatmaps", (0, 3, 4, 6), 0.905),
    ("image_classification", "probs", (0, 0), 0.71),
    ("image_classification", "probs", (0, 1), 0.73),
]


@pytest.mark.parametrize(("family", "name", "place", "value"), SMALL)
def test_what_nobody_would_see_passes(family, name, place, value):
    result = report(family, changed(family, name, place, value))
    assert result.passed, result


@pytest.mark.parametrize(("family", "name", "place", "value"), LARGE)
def test_what_somebody_would_see_does_not(family, name, place, value):
    result = report(family, changed(family, name, place, value))
    assert not result.passed
    assert "is allowed" in str(result.why)


@pytest.mark.parametrize("family", sorted(MEASURES))
@pytest.mark.parametrize("spoil", ["nan", "shape", "dtype"])
def test_no_answer_at_all_does_not(family, spoil):
    got = answer(family)
    name = max(got, key=lambda key: got[key].dtype.kind == "f")
    if spoil == "nan":
        got[name] = np.full_like(got[name], np.nan)
    else:
        got[name] = got[name][..., :-1] if spoil == "shape" else got[name].astype(np.float64)
    result = report(family, got)
    assert (result.passed, result.worst) == (False, None)
    assert "the form is another one" in str(result.why)


@pytest.mark.parametrize("family", ["db_detection", "ctc_recognition", "dense_detection", "heatmap_keypoints"])
def test_nothing_found_proves_nothing(family):
    nothing = {name: np.zeros_like(values) for name, values in answer(family).items()}
    result = report(family, nothing, nothing)
    assert not result.passed
    assert "--check-image" in str(result.why)
    assert not compare(info(family), [], lambda _: nothing, lambda _: nothing).passed


def test_one_bad_place_in_a_batch_is_seen():
    """The last page of a batch is the one that was seen to lose its boxes."""
    good = {name: np.concatenate([values] * 4) for name, values in answer("dense_detection").items()}
    bad = {name: values.copy() for name, values in good.items()}
    bad["scores"][3] = 0.0
    feeds = {name: np.concatenate([values] * 4) for name, values in FEEDS.items()}
    result = compare(info("dense_detection"), [Case("pages", feeds)], lambda _: good, lambda _: bad)
    assert not result.passed


@pytest.mark.parametrize("family", sorted(MEASURES))
def test_inputs_are_what_the_plan_takes(family):
    """Full batches and given pictures are among them, noise is not."""
    network = info(family)
    shapes = plan_shapes(network.family, network.geometry, network.max_batch_size)
    assert shapes is not None
    picture = np.full((300, 200, 3), 128, np.uint8)
    cases = list(gate_cases(network, shapes.max_batch_size, [picture]))
    assert {case.batch for case in cases} >= {1, shapes.max_batch_size}
    assert "image 0" in {case.name for case in cases}
    assert "noise" not in {case.name for case in cases}
    for case in cases:
        taken = {name: case.feeds[name].shape for name in shapes.profiles[0]}
        assert shapes.profile_for(taken) is not None, case.name


def test_both_profiles_of_a_detector_are_run():
    shapes = plan_shapes("db_detection", {}, 4)
    assert shapes is not None
    cases = gate_cases(info("db_detection"), 1)
    assert {shapes.profile_for({"x": case.feeds["x"].shape}) for case in cases} == {0, 1}


def test_a_box_that_is_lost_is_named():
    result = report("dense_detection", changed("dense_detection", "scores", (0, 1, 1), 0.2))
    assert (result.passed, result.worst) == (False, None)
    assert "boxes are missing" in str(result.why)


def test_every_family_with_plans_has_a_measure():
    assert set(MEASURES) == set(FAMILIES) - WITHOUT_PLAN


def test_threshold_is_the_network_s_own():
    network = info("db_detection").model_copy(update={"postprocess": {"thresh": 0.95}})
    prob = answer("db_detection")
    result = compare(network, [replace(Case("page", FEEDS))], lambda _: prob, lambda _: prob)
    assert "--check-image" in str(result.why)
