"""Graphs that are put otherwise for OpenVINO."""

from pathlib import Path

import numpy as np
import onnx
import openvino as ov
import pytest
from onnx import TensorProto, helper

from paddlex_triton.server.backends.paddlex_openvino.rewrites import cheapen_argmax, cheapen_hard_sigmoid

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def read(folder: Path, in_shape: list, axis: int, keep: int = 1, element: int = FLOAT) -> ov.Model:
    node = helper.make_node("ArgMax", ["x"], ["y"], axis=axis, keepdims=keep)
    rank = len(in_shape) if keep else len(in_shape) - 1
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", element, in_shape)],
        [helper.make_tensor_value_info("y", INT64, [None] * rank)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return ov.Core().read_model(folder / "model.onnx")


def operators(model: ov.Model) -> set[str]:
    return {node.get_type_name() for node in model.get_ordered_ops()}


def run(model: ov.Model, x: np.ndarray) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled({"x": x})[0]


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize(("shape", "axis"), [((3, 5, 700), 2), ((3, 5, 700), -1), ((1, 2, 1), 2), ((2, 9, 4), 1)])
def test_argmax_is_the_first_of_the_greatest(tmp_path, shape, axis, keep):
    dims: list = ["N", "T", "C"]
    dims[axis] = shape[axis]
    model = read(tmp_path, dims, axis, keep)
    assert "TopK" in operators(model)
    cheapen_argmax(model)
    assert "TopK" not in operators(model)
    random = np.random.default_rng(0)
    for x in (
        random.standard_normal(shape, np.float32),
        # Many equals, and nothing but equals.
        random.integers(0, 3, shape).astype(np.float32),
        np.zeros(shape, np.float32),
        -np.ones(shape, np.float32),
        np.full(shape, -np.inf, np.float32),
        np.full(shape, np.nan, np.float32),
    ):
        wanted = x.argmax(axis=axis, keepdims=bool(keep))
        np.testing.assert_array_equal(run(model, x), wanted)


def test_what_is_of_unknown_length_stays(tmp_path):
    model = read(tmp_path, ["N", "C"], 1)
    cheapen_argmax(model)
    assert "TopK" in operators(model)


def test_whole_numbers_stay(tmp_path):
    model = read(tmp_path, ["N", 5], 1, element=INT64)
    cheapen_argmax(model)
    assert "TopK" in operators(model)


def read_hard_sigmoid(folder: Path, alpha: float, beta: float, element: int = FLOAT) -> ov.Model:
    graph = helper.make_graph(
        [
            helper.make_node("HardSigmoid", ["x"], ["s"], alpha=alpha, beta=beta),
            helper.make_node("Mul", ["x", "s"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", element, ["N", 3, "H"])],
        [helper.make_tensor_value_info("y", element, ["N", 3, "H"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return ov.Core().read_model(folder / "model.onnx")


@pytest.mark.parametrize(("alpha", "beta"), [(1 / 6, 0.5), (0.2, 0.5), (1 / 6, 0.25), (-0.3, 1.5), (0.0, 0.5)])
def test_hard_sigmoid_has_its_values(tmp_path, alpha, beta):
    model = read_hard_sigmoid(tmp_path, alpha, beta)
    assert "HardSigmoid" in operators(model)
    cheapen_hard_sigmoid(model)
    assert "HardSigmoid" not in operators(model)
    edges = np.array([0, -3, 3, -2.5, 2.5, -np.inf, np.inf, 1e-30, 1e30], np.float32)
    for x in (np.tile(edges, (2, 3, 1)), np.random.default_rng(0).normal(0, 4, (2, 3, 500)).astype(np.float32)):
        with np.errstate(invalid="ignore"):
            wanted = x * np.clip(np.float32(alpha) * x + np.float32(beta), 0, 1)
        np.testing.assert_allclose(run(model, x), wanted, rtol=1e-6, atol=1e-6)


def test_hard_sigmoid_of_other_types_stays(tmp_path):
    model = read_hard_sigmoid(tmp_path, 0.2, 0.5, TensorProto.DOUBLE)
    cheapen_hard_sigmoid(model)
    assert "HardSigmoid" in operators(model)
