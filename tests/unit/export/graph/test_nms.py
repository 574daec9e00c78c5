"""The numbers of a graph's own NMS, read where inference.yml does not say it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from detector_graphs import HEIGHT, NMS, WIDTH, detector_yml, picodet, ppyoloe, rt_detr
from onnx import helper, numpy_helper

from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.export_report import ExportReport
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.base import normalized_planar
from paddlex_triton.export.families.rows import matched_difference
from paddlex_triton.export.graph.nms import nms_thresholds
from paddlex_triton.export.inference_file.inference_settings import parse_inference
from paddlex_triton.network import NetworkInfo
from paddlex_triton.ops.detection_nms import boxes_to_page, multiclass_nms

THRESHOLDS = {key: value for key, value in NMS.items() if key != "name"}
# What PaddleDetection writes of PP-YOLOE: more than is read, and no section NMS.
PPYOLOE = detector_yml(arch="YOLO", nms=False) | {"mode": "paddle", "metric": "COCO", "min_subgraph_size": 3}


def constant(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    (found,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    return found


def change(model: onnx.ModelProto, name: str, value) -> None:
    tensor = constant(model, name)
    tensor.CopyFrom(numpy_helper.from_array(np.array(value, numpy_helper.to_array(tensor).dtype), name))


def as_nodes(model: onnx.ModelProto) -> None:
    """Constants as nodes, and behind an Identity and a Cast, as Paddle2ONNX leaves them without its optimiser."""
    for name, kind in (("nms_threshold", onnx.TensorProto.FLOAT), ("keep_top_k", onnx.TensorProto.INT64)):
        tensor = constant(model, name)
        value = onnx.TensorProto()
        value.CopyFrom(tensor)
        model.graph.initializer.remove(tensor)
        model.graph.node.insert(0, helper.make_node("Cast", [f"{name}_same"], [name], to=kind))
        model.graph.node.insert(0, helper.make_node("Identity", [f"{name}_value"], [f"{name}_same"]))
        model.graph.node.insert(0, helper.make_node("Constant", [], [f"{name}_value"], value=value))


def leave(model: onnx.ModelProto) -> None:
    del model


@pytest.mark.parametrize("model", [picodet(), ppyoloe(), ppyoloe(classes=1)])
@pytest.mark.parametrize("form", [leave, as_nodes])
def test_numbers_are_read_as_they_were_written(model, form):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    change(copy, "score_threshold", [0.01])
    change(copy, "nms_threshold", [0.6])
    change(copy, "keep_top_k", [100])
    form(copy)
    assert nms_thresholds(copy) == {
        "score_threshold": 0.01,
        "nms_threshold": 0.6,
        "nms_top_k": 1000,
        "keep_top_k": 100,
    }


def threshold_of_the_page(model: onnx.ModelProto) -> None:
    model.graph.initializer.remove(constant(model, "nms_threshold"))
    model.graph.node.insert(0, helper.make_node("ReduceMax", ["scale_factor"], ["nms_threshold"], keepdims=0))


def unbounded(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "TopK":
            node.input[1] = "found"


def second_nms(model: onnx.ModelProto) -> None:
    (node,) = [node for node in model.graph.node if node.op_type == "NonMaxSuppression"]
    model.graph.node.append(helper.make_node("NonMaxSuppression", list(node.input), ["again"]))


def without_thresholds(model: onnx.ModelProto) -> None:
    (node,) = [node for node in model.graph.node if node.op_type == "NonMaxSuppression"]
    del node.input[3:]


@pytest.mark.parametrize("damage", [threshold_of_the_page, unbounded, second_nms, without_thresholds])
def test_numbers_that_are_not_there_are_not_made_up(damage):
    model = picodet()
    damage(model)
    assert nms_thresholds(model) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("keep_top_k", [0]), ("nms_top_k", [-1]), ("nms_threshold", [1.5]), ("score_threshold", [np.nan])],
)
def test_numbers_that_mean_nothing_are_not_taken(name, value):
    model = picodet()
    change(model, name, value)
    assert nms_thresholds(model) is None


def test_graph_without_nms_has_no_numbers():
    assert nms_thresholds(picodet(nms=False)) is None
    assert nms_thresholds(rt_detr()) is None


@pytest.mark.parametrize("classes", [1, 3])
def test_ppyoloe_is_cut_and_chooses_as_its_graph(weights_folder, tmp_path, classes):
    yml = PPYOLOE | {"label_list": ["pedestrian", "rider", "dog"][:classes]}
    path = export_directory(weights_folder(ppyoloe(classes=classes), yml), tmp_path / "repository")
    info = NetworkInfo.load(path / "network.json")
    assert (info.family, info.max_batch_size) == ("dense_detection", FAMILIES["dense_detection"].max_batch_size)
    assert info.postprocess == {"draw_threshold": 0.4, "nms": THRESHOLDS}


@pytest.mark.parametrize(("nms", "told"), [(True, NMS["nms_top_k"]), (False, 7)])
def test_the_graph_s_own_numbers_come_first(nms, told):
    settings = parse_inference(detector_yml() | {"NMS": NMS | {"nms_top_k": 7}}, "test")
    detection = FAMILIES["dense_detection"].complete(settings, picodet(nms=nms), "test").detection
    assert detection is not None
    assert detection.nms is not None
    assert detection.nms.nms_top_k == told


def test_a_file_that_contradicts_its_graph_does_not_stand_in_the_way(weights_folder, tmp_path):
    """As PaddleDetection writes it for every PicoDet: the file says 0.3 and 0.5, the graph 0.025 and 0.6."""
    model = picodet()
    change(model, "score_threshold", [0.025])
    change(model, "nms_threshold", [0.6])
    path = export_directory(weights_folder(model, detector_yml()), tmp_path / "repository")
    info, report = NetworkInfo.load(path / "network.json"), ExportReport.load(path / "export.json")
    wanted = {"score_threshold": 0.025, "nms_threshold": 0.6, "nms_top_k": 1000, "keep_top_k": 100}
    assert (info.family, info.postprocess["nms"]) == ("dense_detection", wanted)
    assert (report.verification.max_edit_difference, report.verification.host_difference) == (0, 0)
    images = np.random.default_rng(0).integers(0, 256, (4, HEIGHT, WIDTH, 3), dtype=np.uint8)
    answer = session(path / "1" / "model.onnx").run(["boxes", "scores"], {"x": images})
    scale = np.array([0.4, 0.7], np.float32)
    graph = session(model.SerializeToString())
    for row, (boxes, scores) in enumerate(zip(*answer, strict=True)):
        image = normalized_planar(images[row : row + 1], parse_inference(detector_yml(), "test"))
        rows = np.asarray(graph.run(["rows"], {"image": image, "scale_factor": scale[None]})[0])
        assert len(rows) > 50
        assert matched_difference(rows, multiclass_nms(boxes_to_page(boxes, scale), scores, **wanted), 1) < 1e-3


def session(model: Path | bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def test_nothing_that_tells_is_refused(weights_folder, tmp_path):
    folder = weights_folder(picodet(nms=False), PPYOLOE)
    with pytest.raises(InferenceFileError, match=r"no section NMS .*cannot be read from the graph; .*nms_detection"):
        export_directory(folder, tmp_path / "repository")
    assert not (tmp_path / "repository").exists()
