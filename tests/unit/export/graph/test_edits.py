"""Graph surgery: every edit bit for bit, uniform contracts, and refusal of graphs that do not fit."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from paddlex_triton.export.errors import GraphError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.base import normalized_planar
from paddlex_triton.export.families.ctc_recognition import CTCRecognition
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import IR_VERSION, MAX_OPSET, SOURCE_PREFIX, open_source, opset_of
from paddlex_triton.export.graph.edits import (
    affine_constants,
    feed_planar_float,
    greedy_classes,
    normalize_affine,
    normalize_centered,
    zero_beyond_widths,
)
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings, Normalization, parse_inference


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(value) for name, value in zip(names, session.run(names, feeds), strict=True)}


def identity(dims: list, opset: int = 17) -> onnx.ModelProto:
    """A network that answers with its input: shows what it is fed."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "id", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def fed(family: str, settings: InferenceSettings, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """Return the source network's input for one of the exported network."""
    dims = {"db_detection": ["B", 3, "H", "W"], "ctc_recognition": ["B", 3, 48, "W"]}[family]
    source = open_source(identity(dims).SerializeToString())
    builder = GraphBuilder(source)
    planar = feed_planar_float(builder, "x", settings.img_mode)
    if family == "db_detection":
        normalize_affine(builder, planar, settings.normalization, output=source.input.inner)
        inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", "H", "W", 3])]
    else:
        zero_beyond_widths(builder, normalize_centered(builder, planar), "widths", output=source.input.inner)
        inputs = [
            helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", 48, "W", 3]),
            helper.make_tensor_value_info("widths", TensorProto.INT32, ["N", 1]),
        ]
    outputs = [helper.make_tensor_value_info(source.output.inner, TensorProto.FLOAT, None)]
    answer = next(iter(run(builder.build(inputs, outputs, {}), feeds).values()))
    if family == "db_detection":
        reference = normalized_planar(feeds["x"], settings)
    else:
        reference = CTCRecognition().padded(feeds, settings)
    assert np.array_equal(answer, reference), "the family's own reference differs"
    return answer


EVERY_VALUE = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)


@pytest.mark.parametrize("img_mode", ["BGR", "RGB"])
def test_detector_is_fed_what_paddlex_feeds(img_mode):
    settings = InferenceSettings(img_mode=img_mode)
    image = np.random.default_rng(0).permuted(EVERY_VALUE.repeat(2, 0), axis=1)
    # PaddleX's arithmetic: float32 pixels, float64 constants that numpy rounds to float32 on use.
    pixels = image if img_mode == "BGR" else image[..., ::-1]
    wanted = np.empty((2, 3, 16, 16), np.float32)
    for channel, (mean, std) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        plane = pixels[..., channel].astype(np.float32)
        plane *= (1.0 / 255.0) / std
        plane += -mean / std
        wanted[:, channel] = plane
    assert np.array_equal(fed("db_detection", settings, {"x": image}), wanted)


def test_normalization_constants_are_rounded_once():
    alpha, beta = affine_constants(Normalization())
    assert alpha.dtype == beta.dtype == np.float32
    assert alpha[0] == np.float32(1 / 255 / 0.229)
    assert beta[2] == np.float32(-0.406 / 0.225)


@pytest.mark.parametrize("img_mode", ["BGR", "RGB"])
def test_recognizer_is_fed_what_paddlex_feeds(img_mode):
    image = np.tile(EVERY_VALUE.reshape(1, 1, 256, 3), (3, 48, 1, 1))
    widths = np.array([[256], [100], [0]], np.int32)
    pixels = image if img_mode == "BGR" else image[..., ::-1]
    wanted = pixels.astype("float32").transpose(0, 3, 1, 2) / 255
    wanted -= 0.5
    wanted /= 0.5
    wanted[1, :, :, 100:] = 0
    wanted[2] = 0
    got = fed("ctc_recognition", InferenceSettings(img_mode=img_mode), {"x": image, "widths": widths})
    assert np.array_equal(got, wanted)
    assert not np.signbit(got[1:, :, :, 100:]).any(), "padding is +0, as in PaddleX"


@pytest.mark.parametrize("opset", [11, 12, 13, 17, 18, MAX_OPSET])
def test_detector_contract(kit, opset):
    settings = parse_inference(kit.detector_yml(), "test")
    edited = FAMILIES["db_detection"].edit(open_source(kit.detector(opset=opset).SerializeToString()), settings)
    onnx.checker.check_model(edited, full_check=True)
    assert edited.ir_version == IR_VERSION
    assert opset_of(edited) == opset
    answer = run(edited, {"x": np.zeros((2, 64, 96, 3), np.uint8)})
    assert {name: (value.shape, value.dtype) for name, value in answer.items()} == {"prob": ((2, 64, 96), np.float32)}
    declared = edited.graph.input[0].type.tensor_type
    assert [dim.dim_param or dim.dim_value for dim in declared.shape.dim] == ["N", "H", "W", 3]
    assert declared.elem_type == TensorProto.UINT8


@pytest.mark.parametrize("opset", [11, 12, 13, 17, 18, MAX_OPSET])
def test_recognizer_contract(kit, opset):
    settings = parse_inference(kit.recognizer_yml(), "test")
    source = kit.recognizer(opset=opset).SerializeToString()
    edited = FAMILIES["ctc_recognition"].edit(open_source(source), settings)
    onnx.checker.check_model(edited, full_check=True)
    answer = run(edited, {"x": np.zeros((3, 48, 320, 3), np.uint8), "widths": np.full((3, 1), 320, np.int32)})
    assert {name: (value.shape, value.dtype) for name, value in answer.items()} == {
        "indices": ((3, 40), np.int32),
        "probs": ((3, 40), np.float32),
    }


@pytest.mark.parametrize("opset", [11, 12, 18])
def test_greedy_classes_take_the_first_of_equals(opset):
    scores = np.array([[[0.2, 0.4, 0.4], [0.5, 0.5, 0.5], [0.1, 0.2, 0.9]]], np.float32)
    source = open_source(identity(["N", "T", 3], opset).SerializeToString())
    builder = GraphBuilder(source)
    builder.add("Identity", "x", output=source.input.inner)
    builder.after_source()
    greedy_classes(builder, source.output.inner, "indices", "probs")
    model = builder.build(
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T", 3])],
        [
            helper.make_tensor_value_info("indices", TensorProto.INT32, ["N", "T"]),
            helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["N", "T"]),
        ],
        {},
    )
    answer = run(model, {"x": scores})
    assert answer["indices"].tolist() == [[1, 0, 2]] == scores.argmax(axis=2).tolist()
    assert np.array_equal(answer["probs"], scores.max(axis=2))


def test_names_of_the_source_cannot_collide(kit):
    """The tiny networks call their tensors as exported ones do: `x`, `prob`, even `widths`."""
    settings = parse_inference(kit.recognizer_yml(), "test")
    edited = FAMILIES["ctc_recognition"].edit(open_source(kit.recognizer().SerializeToString()), settings)
    written = [name for node in edited.graph.node for name in node.output]
    assert len(written) == len(set(written))
    assert {value.name for value in edited.graph.input}.isdisjoint(written)
    assert f"{SOURCE_PREFIX}widths" in written


def test_branches_of_the_source_survive_the_renaming():
    """An If node's branches read tensors of the graph around them."""
    true = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["a"])], "t", [], [helper.make_tensor_value_info("a", TensorProto.FLOAT, None)]
    )
    false = helper.make_graph(
        [helper.make_node("Abs", ["x"], ["b"])], "f", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    )
    nodes = [helper.make_node("If", ["flag"], ["y"], then_branch=true, else_branch=false)]
    graph = helper.make_graph(
        nodes,
        "branches",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(np.array(True), "flag")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    source = open_source(model.SerializeToString())
    assert run(source.model, {source.input.inner: np.array([2.0], np.float32)})[source.output.inner] == [-2.0]


def test_weights_listed_as_inputs_become_constants(kit):
    old = kit.detector(opset=11, ir_version=3)
    old.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [1, 3, 3, 3]))
    assert open_source(old.SerializeToString()).input.inner == f"{SOURCE_PREFIX}x"


def test_old_opset_is_raised(kit):
    source = open_source(kit.detector(opset=9).SerializeToString())
    assert source.opset == 11


def test_metadata_of_the_source_is_dropped(kit):
    model = kit.detector()
    helper.set_model_props(model, {"author": "someone"})
    edited = FAMILIES["db_detection"].edit(open_source(model.SerializeToString()), InferenceSettings())
    assert {entry.key: entry.value for entry in edited.metadata_props} == {"paddlex_triton.family": "db_detection"}


def test_same_source_gives_the_same_bytes(kit):
    source = kit.detector().SerializeToString()
    first, second = (
        FAMILIES["db_detection"].edit(open_source(source), InferenceSettings()).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_dims": (1, 3, "H", "W")}, r"the input is \[1,3,\?,\?\]; expected \[N,3,H,W\]"),
        ({"input_dims": ("N", 3, 640, 640)}, r"the input is \[\?,3,640,640\]"),
        ({"input_dims": ("N", 3, "W"), "output_dims": ("N", 1, "W")}, r"the input is \[\?,3,\?\]"),
        ({"output_dims": ("N", 2, "H", "W")}, r"the output is \[\?,2,\?,\?\]; expected \[N,1,H,W\]"),
        ({"output_dims": (1, 1, "H", "W")}, r"the output is \[1,1,\?,\?\]"),
        ({"opset": MAX_OPSET + 1, "ir_version": 10}, f"opset {MAX_OPSET + 1}; up to {MAX_OPSET}"),
    ],
)
def test_detectors_that_do_not_fit_are_refused(kit, changes, message):
    with pytest.raises(GraphError, match=message):
        FAMILIES["db_detection"].edit(open_source(kit.detector(**changes).SerializeToString()), InferenceSettings())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_dims": ("N", 3, 32, "W")}, r"the input is \[\?,3,32,\?\]; expected \[N,3,48,W\]"),
        ({"input_dims": ("N", 3, 48, 320)}, r"the input is \[\?,3,48,320\]"),
        ({"classes": 11}, "11 classes, but the dictionary gives 10: blank, 8 characters and the space"),
        ({"output_dims": ("N", 40, 10)}, r"the output is \[\?,40,10\]"),
    ],
)
def test_recognizers_that_do_not_fit_are_refused(kit, changes, message):
    settings = parse_inference(kit.recognizer_yml(), "test")
    with pytest.raises(GraphError, match=message):
        FAMILIES["ctc_recognition"].edit(open_source(kit.recognizer(**changes).SerializeToString()), settings)


def test_wrong_types_and_counts_are_refused(kit):
    model = kit.detector()
    model.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, ["B", 1, "H", "W"]))
    with pytest.raises(GraphError, match=r"outputs \['prob', 'c'\]; one of each"):
        FAMILIES["db_detection"].edit(open_source(model.SerializeToString()), InferenceSettings())
    half = identity(["N", 3, "H", "W"])
    for value in (half.graph.input[0], half.graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    with pytest.raises(GraphError, match="input 'x' is FLOAT16; FLOAT is expected"):
        FAMILIES["db_detection"].edit(open_source(half.SerializeToString()), InferenceSettings())


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08" * 40])
def test_bytes_that_are_no_model_are_refused(content):
    with pytest.raises(GraphError, match="not a valid ONNX model"):
        open_source(content)
