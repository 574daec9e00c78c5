"""The proof of a conversion: which inputs it takes, and which differences it lets pass."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from detector_graphs import HEIGHT, WIDTH, detector_yml, picodet
from keypoint_graphs import tiny_pose
from onnx import parser
from preparation_graphs import unwarping_graph

from paddlex_triton.export.errors import ConversionError
from paddlex_triton.export.graph.contract import SourceGraph, open_source, parse_model
from paddlex_triton.export.graph.cut import with_outputs
from paddlex_triton.export.graph.nms import nms_inputs
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings, parse_inference
from paddlex_triton.export.paddle.proof import MEAN_TOLERANCE, TOLERANCE, compare
from paddlex_triton.export.paddle.proof_inputs import ProofInput, proof_inputs

KEYPOINT_YML = {
    "Preprocess": [
        {"type": "TopDownEvalAffine", "trainsize": [48, 64]},
        {"type": "NormalizeImage", "is_scale": True, "mean": [0.5] * 3, "std": [0.5] * 3},
        {"type": "Permute"},
    ]
}


def source_of(model: onnx.ModelProto) -> SourceGraph:
    return open_source(model.SerializeToString())


def sizes(source: SourceGraph, yml: dict | None = None) -> list[list[int]]:
    settings = parse_inference(yml, "test") if yml else InferenceSettings()
    return [
        list(next(values.shape for values in case.feeds.values() if values.ndim == 4))
        for case in proof_inputs(source, settings)
    ]


def answers(source: SourceGraph, inputs: list[ProofInput]) -> list[list[np.ndarray]]:
    session = onnxruntime.InferenceSession(source.content, providers=["CPUExecutionProvider"])
    return [[np.array(value) for value in session.run(None, case.feeds)] for case in inputs]


def test_sizes_of_a_text_detector(kit):
    assert sizes(source_of(kit.detector())) == [[1, 3, 320, 416], [3, 3, 320, 416], [1, 3, 640, 480]]


@pytest.mark.parametrize("told", [True, False])
def test_sizes_of_a_recogniser(kit, told):
    yml = kit.recognizer_yml() if told else None
    assert sizes(source_of(kit.recognizer()), yml) == [[1, 3, 48, 320], [3, 3, 48, 320], [1, 3, 48, 480]]


def test_sizes_that_are_fixed_in_the_graph(kit):
    assert sizes(source_of(kit.detector(input_dims=(2, 3, 64, 32)))) == [[2, 3, 64, 32]] * 3


def test_sizes_of_keypoints():
    free = source_of(tiny_pose(size=(64, 48)))
    assert sizes(free, KEYPOINT_YML) == [[1, 3, 64, 48], [3, 3, 64, 48], [1, 3, 64, 48]]


@pytest.mark.parametrize("batch", [1, "N"])
def test_a_detector_with_its_nms_gets_one_page(batch):
    source = source_of(picodet(batch=batch))
    inputs = proof_inputs(source, parse_inference(detector_yml("layout", arch="GFL"), "test"))
    assert [case.feeds["image"].shape for case in inputs] == [(1, 3, HEIGHT, WIDTH)] * 3
    assert all(case.feeds["scale_factor"].shape == (1, 2) for case in inputs)


def test_noise_is_normalised_as_inference_yml_says(kit):
    source = source_of(kit.detector())
    plain = parse_inference(kit.detector_yml(mean=[0.0] * 3, std=[1.0] * 3), "test")
    noise = proof_inputs(source, plain)[0].feeds["x"]
    assert (noise.min(), noise.max()) == (0, 1)
    assert proof_inputs(source, InferenceSettings())[0].feeds["x"].min() < -2


@pytest.mark.parametrize(
    "declared",
    ["float[N,3,H,W] x, float[N,5] y", "float[N,3,H,W] x, float[N,3,H,W] y", "int64[N,3,H,W] x", "float[N] x"],
)
def test_inputs_of_no_network_served(declared):
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g ({declared}) => (float[N] z) {{ z = Identity (x) }}'
    )
    source = source_of(model)
    with pytest.raises(ConversionError, match=r"the model's inputs are .*; one float32 image"):
        proof_inputs(source, InferenceSettings())


@pytest.mark.parametrize(
    ("moved", "passes"),
    [
        (lambda values: values, True),
        (lambda values: values + np.float32(MEAN_TOLERANCE * 0.9), True),
        (lambda values: values + np.float32(MEAN_TOLERANCE * 1.1), False),
        (lambda values: outlier(values, TOLERANCE * 0.9), True),
        (lambda values: outlier(values, TOLERANCE * 1.1), False),
        (lambda values: outlier(values, np.nan), False),
        (lambda values: values[:, :, :-1], False),
        (lambda values: values.astype(np.int64), False),
    ],
)
def test_differences_of_a_map(kit, moved, passes):
    source = source_of(kit.detector())
    inputs = proof_inputs(source, InferenceSettings())
    wanted = [[moved(value) for value in outputs] for outputs in answers(source, inputs)]
    if passes:
        cases = compare(source, inputs, wanted, InferenceSettings())
        assert len(cases) == len(inputs)
    else:
        with pytest.raises(ConversionError, match="Not installed"):
            compare(source, inputs, wanted, InferenceSettings())


def outlier(values: np.ndarray, by: float) -> np.ndarray:
    changed = values.copy()
    changed.reshape(-1)[0] += by
    return changed


@pytest.mark.parametrize(("every", "passes"), [(200, True), (50, False)])
def test_a_page_that_comes_out_may_differ_at_few_pixels(every, passes):
    source = source_of(unwarping_graph())
    inputs = proof_inputs(source, InferenceSettings())
    wanted = answers(source, inputs)
    for (page,) in wanted:
        page.reshape(-1)[::every] += 0.03 * np.ptp(page)
    if passes:
        cases = compare(source, inputs, wanted, InferenceSettings())
        assert all(0 < output.beyond <= 0.01 for case in cases for output in case.outputs)
    else:
        with pytest.raises(ConversionError, match=r"0.0\d+ of its range .*; 0.02 is allowed"):
            compare(source, inputs, wanted, InferenceSettings())


def test_rows_are_matched_and_their_count_left_out():
    source = source_of(picodet(threshold=0.1))
    settings = parse_inference(detector_yml("layout", arch="GFL"), "test")
    inputs = proof_inputs(source, settings)
    wanted = answers(source, inputs)
    assert min(len(rows) for rows, _ in wanted) > 2, "rows to compare"
    turned = [[rows[::-1], count + 1] for rows, count in wanted]
    cases = compare(source, inputs, turned, settings)
    assert [len(case.outputs) for case in cases] == [1] * len(inputs)
    # A row of a score that nobody draws may be missing, one that counts may not.
    (rows, count), *others = wanted
    best, worst = int(rows[:, 1].argmax()), int(rows[:, 1].argmin())
    assert rows[worst, 1] < 0.2
    compare(source, inputs, [[np.delete(rows, worst, 0), count], *others], settings)
    with pytest.raises(ConversionError, match="Not installed"):
        compare(source, inputs, [[np.delete(rows, best, 0), count], *others], settings)


def test_what_an_nms_chooses_from_is_compared_and_a_tie_is_no_miss():
    source = source_of(picodet(threshold=0.1))
    inner = nms_inputs(source)
    assert inner is not None
    assert inner == ("nms_boxes", "scores")
    settings = parse_inference(detector_yml("layout", arch="GFL"), "test")
    inputs = proof_inputs(source, settings)
    shown = source_of(with_outputs(parse_model(source.content), inner, rank=3))
    wanted = answers(shown, inputs)
    cases = compare(source, inputs, wanted, settings, inner)
    assert [[output.name for output in case.outputs] for case in cases] == [["rows", "nms_boxes", "scores"]] * 3
    (rows, *others), *rest = wanted
    drawn = np.flatnonzero(rows[:, 1] > 0.2)
    assert len(drawn) > 20
    # Of two boxes that score alike the other one was kept.
    rows[drawn[0], 2:] += 40
    (case, *_) = compare(source, inputs, wanted, settings, inner)
    assert case.outputs[0].beyond == 0
    rows[drawn[1], 2:] += 40
    (case, *_) = compare(source, inputs, wanted, settings, inner)
    assert 0 < case.outputs[0].beyond < 0.05
    with pytest.raises(ConversionError, match="output rows"):
        compare(source, inputs, [[rows, others[0]], *[answer[:2] for answer in rest]], settings)
    spoilt = rows.copy()
    spoilt[drawn[: len(drawn) // 4], 2:] += 40
    with pytest.raises(ConversionError, match="output rows"):
        compare(source, inputs, [[spoilt, *others], *rest], settings, inner)
    others[2][0, 0, 0] += 0.05
    with pytest.raises(ConversionError, match="output scores"):
        compare(source, inputs, wanted, settings, inner)


def test_places_of_maxima_may_tip_now_and_then():
    source = source_of(tiny_pose(size=(64, 48)))
    settings = parse_inference(KEYPOINT_YML, "test")
    inputs = proof_inputs(source, settings)
    wanted = answers(source, inputs)
    (place,) = [index for index, value in enumerate(wanted[0]) if value.dtype.kind == "i"]
    wanted[0][place][0, 0] += 1
    compare(source, inputs, wanted, settings)
    wanted[0][place] += 1
    with pytest.raises(ConversionError, match=r"in 1 of its whole numbers; 0.1 of them is allowed"):
        compare(source, inputs, wanted, settings)


def test_another_number_of_outputs(kit):
    source = source_of(kit.detector())
    inputs = proof_inputs(source, InferenceSettings())
    wanted = [[value, value] for (value,) in answers(source, inputs)]
    with pytest.raises(ConversionError, match="has 2 outputs, the ONNX file 1"):
        compare(source, inputs, wanted, InferenceSettings())


def test_answers_that_are_no_numbers(kit):
    source = source_of(kit.detector())
    inputs = proof_inputs(source, InferenceSettings())
    wanted = [[np.full_like(value, np.inf)] for (value,) in answers(source, inputs)]
    with pytest.raises(ConversionError, match="values that are no numbers"):
        compare(source, inputs, wanted, InferenceSettings())
