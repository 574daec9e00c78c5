"""The proof: it passes for a right edit, and no broken one gets through."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from detector_graphs import detector_yml, picodet, rt_detr
from keypoint_graphs import keypoint_yml, tiny_pose
from onnx import numpy_helper
from preparation_graphs import grid_graph, textline_orientation_graph, textline_orientation_yml, uvdoc_graph

from paddlex_triton.export import verify as verify_module
from paddlex_triton.export.errors import VerificationError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.inference_file.inference_settings import parse_inference
from paddlex_triton.export.verify import verify


def build(kit, family):
    model, yml = {
        "db_detection": (kit.detector(), kit.detector_yml()),
        "ctc_recognition": (kit.recognizer(), kit.recognizer_yml()),
        "dense_detection": (picodet(), detector_yml()),
        "detr_detection": (rt_detr(), detector_yml(arch="DETR")),
        "nms_detection": (picodet(), detector_yml(arch=None, nms=False)),
        "heatmap_keypoints": (tiny_pose(), keypoint_yml()),
        "image_classification": (textline_orientation_graph(), textline_orientation_yml()),
        "image_unwarping": (uvdoc_graph(), {}),
    }[family]
    settings = parse_inference(yml, "test")
    source = open_source(model.SerializeToString())
    return source, FAMILIES[family].edit(source, settings), settings


def node_of(model: onnx.ModelProto, op: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == op)


def change_constant(model: onnx.ModelProto, name: str, change) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), name))
            return
    raise AssertionError(name)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("images", [0, 1, 3])
def test_right_edits_are_equal_to_the_bit(kit, family, images):
    source, edited, settings = build(kit, family)
    pictures = [np.full((30 + index, 200, 3), 90 * index, np.uint8) for index in range(images)]
    report = verify(FAMILIES[family], source, edited.SerializeToString(), settings, pictures)
    assert report.max_edit_difference == 0
    assert report.max_row_difference <= 1e-6
    assert sum(case.name.startswith("image") for case in report.cases) == images
    batches = {case.shape[0] for case in report.cases}
    most = FAMILIES[family].max_batch_size
    assert batches == {1, 3, most} if most else batches == {1}


def break_beta(model):
    change_constant(model, node_of(model, "Add").input[1], lambda beta: beta + np.float32(1e-3))


def swap_channels(model):
    change_constant(model, node_of(model, "Mul").input[1], lambda alpha: alpha[:, ::-1])


def mirror(model):
    node_of(model, "Transpose").attribute[0].ints[:] = [0, 3, 2, 1]


def mask_one_column_late(model):
    node_of(model, "Less").op_type = "LessOrEqual"


def pad_with_grey(model):
    change_constant(model, node_of(model, "Where").input[2], lambda zero: zero + np.float32(1 / 255))


def last_of_equals(model):
    """With a constant answer every class is equal, and argmax must take the first."""
    change_constant(model, "source/w", lambda weights: weights * 0)
    node_of(model, "ArgMax").attribute.append(onnx.helper.make_attribute("select_last_index", 1))


@pytest.mark.parametrize(
    ("family", "damage"),
    [
        ("db_detection", break_beta),
        ("db_detection", swap_channels),
        ("db_detection", mirror),
        ("ctc_recognition", mask_one_column_late),
        ("ctc_recognition", pad_with_grey),
        ("ctc_recognition", last_of_equals),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_broken_edits_are_found(kit, family, damage):
    source, edited, settings = build(kit, family)
    damage(edited)
    with pytest.raises(VerificationError, match=r"the answer is .* is allowed\. Not installed|does not run"):
        verify(FAMILIES[family], source, edited.SerializeToString(), settings)


def test_rows_that_depend_on_their_batch_are_found(kit):
    """A network that mixes its rows is equal to its source, and still no network for a batching server."""
    model = kit.detector()
    sigmoid = model.graph.node[1]
    model.graph.node.insert(1, onnx.helper.make_node("ReduceMean", ["c"], ["m"], axes=[0], keepdims=1))
    model.graph.node.insert(2, onnx.helper.make_node("Add", ["c", "m"], ["d"]))
    model.graph.node[3].input[0] = "d"
    assert sigmoid.op_type == "Sigmoid"
    settings = parse_inference(kit.detector_yml(), "test")
    family = FAMILIES["db_detection"]
    source = open_source(model.SerializeToString())
    edited = family.edit(source, settings)
    with pytest.raises(VerificationError, match="from that of the same rows alone"):
        verify(family, source, edited.SerializeToString(), settings)


def test_hidden_fixed_batch_is_found(kit):
    """The outside says any batch, a Reshape inside says one."""
    model = kit.recognizer()
    change_constant(model, "shape", lambda shape: np.array([1, -1, shape[2]], np.int64))
    settings = parse_inference(kit.recognizer_yml(), "test")
    family = FAMILIES["ctc_recognition"]
    source = open_source(model.SerializeToString())
    edited = family.edit(source, settings)
    with pytest.raises(VerificationError, match=r"the output is \[1, 150, 10\]; \[3, steps, 10 classes\] is expected"):
        verify(family, source, edited.SerializeToString(), settings)


def test_map_of_another_size_is_found(kit):
    model = kit.detector()
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("strides", [2, 2]))
    settings = parse_inference(kit.detector_yml(), "test")
    family = FAMILIES["db_detection"]
    source = open_source(model.SerializeToString())
    edited = family.edit(source, settings)
    with pytest.raises(VerificationError, match=r"the map is \[1, 1, 32, 48\]; \[1, 1, 64, 96\] is expected"):
        verify(family, source, edited.SerializeToString(), settings)


def test_not_a_number_is_a_difference(kit):
    source, edited, settings = build(kit, "db_detection")
    change_constant(edited, node_of(edited, "Add").input[1], lambda beta: beta * np.float32("nan"))
    with pytest.raises(VerificationError, match="the answer is inf"):
        verify(FAMILIES["db_detection"], source, edited.SerializeToString(), settings)


def leave_only_biases(model: onnx.ModelProto) -> None:
    """Weights of nothing: what is left does not depend on the input."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and values.ndim > 1:
            tensor.CopyFrom(numpy_helper.from_array(values * 0, tensor.name))


def test_a_grid_that_does_not_depend_on_the_page_is_not_proved():
    """The flattened pages are different ones all the same."""
    model = grid_graph()
    leave_only_biases(model)
    family, settings = FAMILIES["image_unwarping"], parse_inference({}, "test")
    source = open_source(model.SerializeToString())
    edited = family.edit(source, settings)
    with pytest.raises(VerificationError, match=r"answers \d+ different inputs alike"):
        verify(family, source, edited.SerializeToString(), settings)


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"image_unwarping"}))
def test_a_network_that_answers_a_constant_is_not_proved(kit, family):
    source, _, settings = build(kit, family)
    model = onnx.load_from_string(source.content)
    leave_only_biases(model)
    constant = open_source(model.SerializeToString())
    edited = FAMILIES[family].edit(constant, settings)
    with pytest.raises(VerificationError, match=r"answers \d+ different inputs alike .*so nothing is proved"):
        verify(FAMILIES[family], constant, edited.SerializeToString(), settings)


class Moved:
    """A session whose answers are a little off."""

    def __init__(self, session, by: float) -> None:
        self.session, self.by = session, by
        self.get_inputs, self.get_outputs = session.get_inputs, session.get_outputs

    def run(self, names, feeds):
        return [value + np.float32(self.by) for value in self.session.run(names, feeds)]


@pytest.mark.parametrize(
    ("source_by", "served_by", "proved"),
    [
        (0.0, 5e-5, True),
        # More than is promised, and the optimiser does not do it to the source.
        (0.0, 5e-4, False),
        (1e-4, 5e-4, True),
        (1e-4, 2e-3, False),
        (1e-2, 1.5e-2, True),
        # However it came about, people would see it.
        (1e-2, 3e-2, False),
    ],
)
def test_rounding_is_what_the_optimiser_does_to_the_source_too(kit, monkeypatch, source_by, served_by, proved):
    open_session = verify_module._session

    def moved(which, content, *, optimised, **layout):
        session = open_session(which, content, optimised=optimised, **layout)
        return Moved(session, source_by if which == "source" else served_by) if optimised else session

    monkeypatch.setattr(verify_module, "_session", moved)
    source, edited, settings = build(kit, "db_detection")
    if proved:
        report = verify(FAMILIES["db_detection"], source, edited.SerializeToString(), settings)
        assert report.max_runtime_difference == pytest.approx(served_by, rel=1e-2)
        assert {round(case.rounding, 6) for case in report.cases} == {source_by}
        return
    with pytest.raises(VerificationError, match="once optimised"):
        verify(FAMILIES["db_detection"], source, edited.SerializeToString(), settings)


@pytest.mark.parametrize(
    ("wanted", "got", "exact", "loose"),
    [
        ([0.1, 0.9, 0.9, 0.1], [0.1, 0.9, 0.9, 0.1], 0, 0),
        # Far from the threshold a pixel is what it was; boxes are scored by the mean.
        ([0.1, 0.9, 0.9, 0.1], [0.1, 0.8, 0.9, 0.1], 0.1, 0.025),
        # On its other side it is no text any more.
        ([0.1, 0.9, 0.25, 0.1], [0.1, 0.9, 0.15, 0.1], 0.1, 0.1),
        ([0.1, 0.9, 0.9, 0.1], [0.1, 0.9, 0.9, np.nan], np.inf, np.inf),
    ],
)
def test_maps_of_text_are_compared_by_what_boxes_are_made_of(kit, wanted, got, exact, loose):
    settings = parse_inference(kit.detector_yml(), "test")
    assert settings.postprocess["thresh"] == 0.2
    first, second = ({"prob": np.array(values, np.float32).reshape(1, 2, 2)} for values in (wanted, got))
    for is_exact, apart in ((True, exact), (False, loose)):
        found = FAMILIES["db_detection"].difference(first, second, {}, settings, exact=is_exact)
        assert found == pytest.approx(apart, abs=1e-6)
