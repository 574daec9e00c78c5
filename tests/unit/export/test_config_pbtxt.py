"""config.pbtxt: Triton's own protobuf reads it, and it says what the exported graph does."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from detector_graphs import detector_yml
from google.protobuf import text_format
from keypoint_graphs import keypoint_yml
from preparation_graphs import textline_orientation_yml

from paddlex_triton.export.config_pbtxt import render_config
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.detector import Detector
from paddlex_triton.export.flavour_sections import SECTIONS
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings, parse_inference
from paddlex_triton.flavours import FLAVOURS
from paddlex_triton.network import FAMILY_OUTPUTS

# Generated code without types.
pb: Any = importlib.import_module("tritonclient.grpc.model_config_pb2")

# Those on ONNX files; configurations for plans are read in tensorrt/test_command_line.py.
ON_ONNX = [name for name, flavour in FLAVOURS.items() if flavour.find_plan is None]
CASES = [(flavour, family) for flavour in ON_ONNX for family in FAMILIES]


def render(flavour: str, family: str) -> tuple[str, Any]:
    kind = FAMILIES[family]  # type: ignore[index]
    settings = InferenceSettings()
    if isinstance(kind, Detector):
        settings = parse_inference(detector_yml(), "test")
    elif family == "heatmap_keypoints":
        settings = parse_inference(keypoint_yml(), "test")
    elif family == "image_classification":
        settings = parse_inference(textline_orientation_yml(), "test")
    seen = {"boxes": [2125, 4], "rows": [300, 6], "heatmaps": [17, 16, 12]}
    values = kind.config_values(settings, seen)
    text = render_config(FLAVOURS[flavour], kind.name, "net", kind.max_batch_size, values)
    return text, text_format.Parse(text, pb.ModelConfig())


def test_every_flavour_has_its_sections():
    assert SECTIONS.keys() == FLAVOURS.keys()


@pytest.mark.parametrize(("flavour", "family"), CASES)
def test_triton_reads_it(flavour, family):
    _, config = render(flavour, family)
    assert (config.name, config.backend) == ("net", FLAVOURS[flavour].backend)
    assert config.max_batch_size == FAMILIES[family].max_batch_size
    assert config.default_model_filename == "model.onnx"
    # A queue policy of any kind makes Triton's batcher sleep while work waits.
    assert not config.dynamic_batching.HasField("default_queue_policy")
    assert [group.count for group in config.instance_group] == [1]


@pytest.mark.parametrize(("flavour", "family"), CASES)
def test_every_number_has_its_reason(flavour, family):
    """A value that someone may want to tune stands under a comment."""
    lines = render(flavour, family)[0].splitlines()
    for key in ("max_batch_size:", "instance_group"):
        (index,) = [number for number, line in enumerate(lines) if line.strip().startswith(key)]
        assert lines[index - 1].strip().startswith("#"), key


def test_tensors_of_a_detector():
    _, config = render("cpu", "db_detection")
    assert [(x.name, x.data_type, list(x.dims)) for x in config.input] == [("x", pb.TYPE_UINT8, [-1, -1, 3])]
    assert [(y.name, y.data_type, list(y.dims)) for y in config.output] == [("prob", pb.TYPE_FP32, [-1, -1])]


def test_tensors_of_a_recognizer():
    _, config = render("cpu", "ctc_recognition")
    assert [(x.name, x.data_type, list(x.dims)) for x in config.input] == [
        ("x", pb.TYPE_UINT8, [48, -1, 3]),
        ("widths", pb.TYPE_INT32, [1]),
    ]
    assert [(y.name, y.data_type, list(y.dims)) for y in config.output] == [
        ("indices", pb.TYPE_INT32, [-1]),
        ("probs", pb.TYPE_FP32, [-1]),
    ]


PAGE = ("x", pb.TYPE_UINT8, [64, 96, 3])


@pytest.mark.parametrize(
    ("family", "inputs", "outputs"),
    [
        ("dense_detection", [PAGE], [("boxes", pb.TYPE_FP32, [2125, 4]), ("scores", pb.TYPE_FP32, [3, 2125])]),
        ("detr_detection", [PAGE, ("scale_factor", pb.TYPE_FP32, [2])], [("rows", pb.TYPE_FP32, [300, 6])]),
        (
            "nms_detection",
            [("x", pb.TYPE_UINT8, [1, 64, 96, 3]), ("scale_factor", pb.TYPE_FP32, [1, 2])],
            [("rows", pb.TYPE_FP32, [-1, 6]), ("count", pb.TYPE_INT32, [1])],
        ),
        (
            "heatmap_keypoints",
            [("x", pb.TYPE_UINT8, [64, 48, 3])],
            [("heatmaps", pb.TYPE_FP32, [17, 16, 12])],
        ),
        ("image_classification", [("x", pb.TYPE_UINT8, [80, 160, 3])], [("probs", pb.TYPE_FP32, [2])]),
        (
            "image_unwarping",
            [("x", pb.TYPE_UINT8, [1, -1, -1, 3])],
            [("unwarped", pb.TYPE_UINT8, [1, -1, -1, 3])],
        ),
    ],
)
def test_tensors_of_other_networks(family, inputs, outputs):
    for flavour in ON_ONNX:
        _, config = render(flavour, family)
        assert [(x.name, x.data_type, list(x.dims)) for x in config.input] == inputs
        assert [(y.name, y.data_type, list(y.dims)) for y in config.output] == outputs
        assert tuple(y.name for y in config.output) == FAMILY_OUTPUTS[family]


def test_networks_with_long_runs_take_turns_on_a_cpu():
    turns = {case for case in CASES if render(*case)[1].parameters["take_turns"].string_value == "1"}
    short = {"heatmap_keypoints", "image_classification"}
    assert turns == {(flavour, family) for flavour in ("cpu", "openvino") for family in FAMILIES if family not in short}
    for family in FAMILIES:
        parameters = render("cpu", family)[1].parameters
        for key in ("session.intra_op.allow_spinning", "session.force_spinning_stop"):
            assert parameters[key].string_value == "1"


def test_calls_are_joined_on_a_gpu_and_those_about_people_on_a_cpu_too():
    joined = {case for case in CASES if render(*case)[1].HasField("dynamic_batching")}
    one_by_one = {family for family, kind in FAMILIES.items() if kind.max_batch_size == 0}
    assert one_by_one == {"nms_detection", "image_unwarping"}
    on_gpu = {("gpu", family) for family in FAMILIES if family not in one_by_one}
    assert joined == on_gpu | {("cpu", "heatmap_keypoints"), ("openvino", "heatmap_keypoints")}


def test_openvino_computes_in_f32_and_keeps_shapes_but_those_of_lines():
    for family in FAMILIES:
        parameters = render("openvino", family)[1].parameters
        assert parameters["precision"].string_value == "f32"
        assert parameters["kept_shapes"].string_value == ("0" if family == "ctc_recognition" else "4")


def test_flavours_differ_in_their_hardware():
    _, cpu = render("cpu", "db_detection")
    _, gpu = render("gpu", "db_detection")
    assert cpu.instance_group[0].kind == pb.ModelInstanceGroup.KIND_CPU
    assert gpu.instance_group[0].kind == pb.ModelInstanceGroup.KIND_GPU
    assert not cpu.optimization.execution_accelerators.gpu_execution_accelerator
    (cuda,) = gpu.optimization.execution_accelerators.gpu_execution_accelerator
    assert cuda.name == "cuda"
    assert cuda.parameters["use_tf32"] == "0"
