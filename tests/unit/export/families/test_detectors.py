"""Detectors of objects: how they are told apart, what is cut and freed, what the proof finds, what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from damage import change_weights, leave_bgr
from detector_graphs import HEIGHT, LABELS, NMS, WIDTH, detector_yml, picodet, ppyoloe, rt_detr
from onnx import helper, numpy_helper
from onnx_runs import run

from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import GraphError, InferenceFileError, UsageError, VerificationError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.rows import matched_difference, rows_difference
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.graph.cut import free_batch, keep_ancestors
from paddlex_triton.export.inference_file.inference_settings import parse_inference
from paddlex_triton.export.verify import verify
from paddlex_triton.limits import MAX_DETECTION_SIDE
from paddlex_triton.network import NetworkInfo
from paddlex_triton.ops.detection_nms import boxes_to_page, multiclass_nms
from paddlex_triton.server.host.model_config import read_config

STAND_IN = {"arch": None, "nms": False}
RAW = {"nms": False, "batch": "N", "baked": 0}


def edit(family: str, model: onnx.ModelProto, yml: dict) -> onnx.ModelProto:
    return FAMILIES[family].edit(open_source(model.SerializeToString()), parse_inference(yml, "test"))  # type: ignore[index]


def pages(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def normalized(images: np.ndarray, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), scale=1 / 255) -> np.ndarray:
    """PaddleX's arithmetic: RGB, float32 pixels, float64 constants that numpy rounds to float32 on use."""
    planes = images[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    for channel in range(3):
        planes[:, channel] *= scale / std[channel]
        planes[:, channel] += -mean[channel] / std[channel]
    return planes


@pytest.mark.parametrize(
    ("model", "yml", "given", "family"),
    [
        (picodet(), detector_yml(), None, "dense_detection"),
        (ppyoloe(), detector_yml(arch="YOLO"), None, "dense_detection"),
        (ppyoloe(), detector_yml(arch="YOLO", nms=False), None, "dense_detection"),
        (picodet(), detector_yml(arch="PicoDet"), "dense_detection", "dense_detection"),
        (picodet(), detector_yml(arch=None), None, "dense_detection"),
        (picodet(), detector_yml(), "nms_detection", "nms_detection"),
        (picodet(), detector_yml(**STAND_IN), None, "nms_detection"),
        (picodet(**RAW), detector_yml(), None, "dense_detection"),
        (picodet(**RAW), detector_yml(arch=None), None, "dense_detection"),
        (rt_detr(), detector_yml(arch="DETR", nms=False), None, "detr_detection"),
        (rt_detr(), detector_yml(arch="DETR", nms=False), "nms_detection", "nms_detection"),
        (rt_detr(), detector_yml(**STAND_IN), None, "nms_detection"),
        (rt_detr(), detector_yml(**STAND_IN), "detr_detection", "detr_detection"),
    ],
)
def test_family_is_told(weights_folder, tmp_path, model, yml, given, family):
    path = export_directory(weights_folder(model, yml), tmp_path / "repository", family=given)
    info = NetworkInfo.load(path / "network.json")
    assert (info.family, info.labels, info.characters) == (family, LABELS, None)
    assert info.max_batch_size == FAMILIES[family].max_batch_size
    assert info.geometry == {"target_size": [HEIGHT, WIDTH], "interpolation": 2}
    thresholds = {key: value for key, value in NMS.items() if key != "name"}
    wanted = {"nms": thresholds} if family == "dense_detection" else {}
    assert info.postprocess == {"draw_threshold": 0.4, **wanted}
    assert_outputs_as_configured(path)


def assert_outputs_as_configured(network: Path) -> None:
    """Triton loads a network only if its configuration says of outputs just what ONNX Runtime makes out."""
    config = read_config(network / "config.pbtxt")
    batch = [-1] if config.max_batch_size else []
    configured = {output.name: [*batch, *output.dims] for output in config.output}
    session = onnxruntime.InferenceSession(network / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    assert configured == {
        output.name: [size if isinstance(size, int) else -1 for size in output.shape]
        for output in session.get_outputs()
    }


@pytest.mark.parametrize(
    ("yml", "given", "message"),
    [
        (detector_yml(), "detr_detection", "inference.yml says dense_detection, --family says detr_detection"),
        (detector_yml(arch="DETR"), "dense_detection", "inference.yml says detr_detection, --family says dense_det"),
        (detector_yml(), "db_detection", "inference.yml says dense_detection, --family says db_detection"),
        (detector_yml(**STAND_IN), "db_detection", "is one of a detector of objects, --family says db_detection"),
    ],
)
def test_contradictions_are_refused(weights_folder, tmp_path, yml, given, message):
    with pytest.raises(UsageError, match=message):
        export_directory(weights_folder(picodet(), yml), tmp_path / "repository", family=given)
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("normalize", "constants"),
    [
        ({"is_scale": True}, {}),
        ({}, {}),
        ({"is_scale": False, "mean": [103, 116, 123], "std": [57, 58, 59]}, {"scale": 1.0}),
        ({"norm_type": "none", "mean": [0.0] * 3, "std": [1.0] * 3}, {}),
        ({"norm_type": "mean_std", "mean": [0.5] * 3, "std": [0.25] * 3}, {}),
    ],
)
def test_detectors_are_fed_what_paddlex_feeds(normalize, constants):
    """A graph that hands on its image as boxes: bit for bit, for every pixel value."""
    yml = detector_yml()
    yml["Preprocess"][1] = {"type": "NormalizeImage", **normalize}
    image = np.random.default_rng(0).permutation(np.arange(HEIGHT * WIDTH * 3) % 256).astype(np.uint8)
    image = image.reshape(1, HEIGHT, WIDTH, 3)
    edited = edit("dense_detection", picodet(**RAW), yml)
    edited.graph.output.append(helper.make_tensor_value_info("source/image", onnx.TensorProto.FLOAT, None))
    lists = {key: normalize[key] for key in ("mean", "std") if key in normalize}
    assert np.array_equal(run(edited, {"x": image})["source/image"], normalized(image, **lists, **constants))


@pytest.mark.parametrize("baked", [1, 0])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_cut_graph_takes_any_batch(baked, count):
    model = picodet(baked=baked)
    edited = edit("dense_detection", model, detector_yml())
    images = pages(count)
    answer = run(edited, {"x": images})
    assert {name: (value.shape, value.dtype) for name, value in answer.items()} == {
        "boxes": ((count, 96, 4), np.float32),
        "scores": ((count, 3, 96), np.float32),
    }
    scale = np.array([[0.31, 1.7]], np.float32)
    thresholds = {key: value for key, value in NMS.items() if key != "name"}
    for row in range(count):
        feeds = {"image": normalized(images[row : row + 1]), "scale_factor": scale}
        wanted = run(model, feeds)["rows"]
        chosen = multiclass_nms(boxes_to_page(answer["boxes"][row], scale[0]), answer["scores"][row], **thresholds)
        assert len(chosen) > 20
        assert matched_difference(wanted, chosen, 1) < 1e-3


def test_cut_graph_has_nothing_dead():
    edited = edit("dense_detection", picodet(), detector_yml())
    assert not {"NonMaxSuppression", "TopK", "GatherND"} & {node.op_type for node in edited.graph.node}
    read = {name for node in edited.graph.node for name in node.input}
    outputs = {value.name for value in edited.graph.output}
    assert {tensor.name for tensor in edited.graph.initializer} <= read
    assert all(set(node.output) & (read | outputs) for node in edited.graph.node)


def test_ancestors_of_branches_are_kept():
    """An If node reads tensors of the graph around it that are not among its inputs."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        g (float[N] x, bool flag) => (float[N] y, float[N] z) {
          a = Neg (x)
          dead = Abs (x)
          y = If (flag) <
            then_branch = t () => (float[N] b) { b = Identity (a) },
            else_branch = e () => (float[N] c) { c = Identity (x) }
          >
          z = Exp (dead)
        }"""
    )
    assert [node.op_type for node in keep_ancestors(model, ["y"]).graph.node] == ["Neg", "If"]


def test_freed_shapes_leave_other_ones_alone():
    freed = free_batch(picodet(), "image")
    weights = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in freed.graph.initializer}
    shapes = {node.output[0]: weights[node.input[1]] for node in freed.graph.node if node.op_type == "Reshape"}
    assert shapes["scores"] == [-1, 3, 96]
    assert shapes["ltrb"] == [-1, 96, 4]
    assert shapes["bins"] == [-1, 8]
    assert shapes["scales3"] == [-1, 1, 4]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_detr_rows_are_split_by_page(count):
    model = rt_detr()
    edited = edit("detr_detection", model, detector_yml(arch="DETR"))
    images = pages(count)
    scale = np.random.default_rng(1).uniform(0.1, 3, (count, 2)).astype(np.float32)
    rows = run(edited, {"x": images, "scale_factor": scale})["rows"]
    planes = normalized(images, (0, 0, 0), (1, 1, 1))
    size = np.array([[HEIGHT, WIDTH]] * count, np.float32)
    wanted = run(model, {"im_shape": size, "image": planes, "scale_factor": scale})
    assert wanted["count"].tolist() == [10] * count
    assert rows.dtype == np.float32
    assert np.array_equal(rows, wanted["rows"].reshape(count, 10, 6))


def test_rows_of_a_graph_with_its_nms(weights_folder, tmp_path):
    path = export_directory(weights_folder(picodet(), detector_yml(**STAND_IN)), tmp_path / "repository")
    images, scale = pages(1), np.array([[0.5, 0.7]], np.float32)
    answer = run(path, {"x": images, "scale_factor": scale})
    wanted = run(picodet(), {"image": normalized(images), "scale_factor": scale})
    assert len(wanted["rows"])
    assert np.array_equal(answer["rows"], wanted["rows"])
    assert (answer["count"].dtype, answer["count"].tolist()) == (np.int32, [len(answer["rows"])])


def test_an_nms_that_cannot_be_run_by_itself_is_said(weights_folder, tmp_path):
    """A node behind it reads another output of the node that makes its boxes."""
    model = picodet()
    (identity,) = [node for node in model.graph.node if node.output[0] == "nms_boxes"]
    identity.op_type = "Dropout"
    identity.output.append("mask")
    flags = [helper.make_node("Cast", ["mask"], ["flags"], to=1), helper.make_node("ReduceMin", ["flags"], ["flag"])]
    (picked,) = [node for node in model.graph.node if node.output[0] == "rows"]
    picked.output[0] = "bare_rows"
    scaled = helper.make_node("Mul", ["bare_rows", "row_factor"], ["rows"])
    one = helper.make_node("Reshape", ["flag", "column_one"], ["row_factor"])
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1], np.int64), "column_one"))
    model.graph.node.extend([*flags, one, scaled])
    sort_nodes(model)
    with pytest.raises(VerificationError, match=r"from its NMS on does not run by itself: .*--family nms_detection"):
        export_directory(weights_folder(model, detector_yml()), tmp_path / "repository")


def sort_nodes(model: onnx.ModelProto) -> None:
    """Every node behind those it reads from."""
    known = {value.name for value in (*model.graph.input, *model.graph.initializer)} | {""}
    left, done = list(model.graph.node), []
    while left:
        ready = next(node for node in left if set(node.input) <= known)
        left.remove(ready)
        done.append(ready)
        known |= set(ready.output)
    del model.graph.node[:]
    model.graph.node.extend(done)


def test_a_graph_that_finds_nothing_in_any_picture_is_not_proved(weights_folder, tmp_path):
    """With its NMS inside; without, boxes and scores in front of it are compared, whatever they come to."""
    folder = weights_folder(picodet(threshold=1.0), detector_yml(**STAND_IN))
    with pytest.raises(VerificationError, match=r"answers 5 different inputs alike .*--check-image gives it other"):
        export_directory(folder, tmp_path / "repository")
    assert not list((tmp_path / "repository").glob("*"))


def test_detr_alone_is_told_its_size(weights_folder, tmp_path):
    path = export_directory(weights_folder(rt_detr(batch=1), detector_yml(**STAND_IN)), tmp_path / "repository")
    images, scale = pages(1), np.array([[0.5, 0.7]], np.float32)
    size = np.array([[HEIGHT, WIDTH]], np.float32)
    wanted = run(rt_detr(batch=1), {"im_shape": size, "image": normalized(images), "scale_factor": scale})
    assert np.array_equal(run(path, {"x": images, "scale_factor": scale})["rows"], wanted["rows"])


def refuse(family: str, model: onnx.ModelProto, yml: dict, error: type[Exception], message: str, tmp_path, folder):
    with pytest.raises(error, match=message):
        export_directory(folder(model, yml), tmp_path / "repository", family=family)  # type: ignore[arg-type]
    assert not (tmp_path / "repository").exists()


def without(yml: dict, key: str) -> dict:
    return {name: value for name, value in yml.items() if name != key}


@pytest.mark.parametrize(
    ("family", "model", "yml", "error", "message"),
    [
        ("detr_detection", rt_detr(batch=1), detector_yml(arch="DETR"), GraphError,
         r"im_shape is \[1,2\]: the graph is for a batch of 1\. If .*`--family nms_detection` exports"),
        ("detr_detection", picodet(), detector_yml(arch=None), GraphError, "for a batch of 1.*--family nms_detection"),
        ("detr_detection", picodet(batch="N"), detector_yml(arch=None), VerificationError, "--family nms_detection"),
        ("dense_detection", rt_detr(), detector_yml(arch=None), GraphError,
         "has 0 NonMaxSuppression nodes; one is expected.*--family nms_detection"),
        ("nms_detection", picodet(**RAW), detector_yml(), GraphError, r"rows FLOAT \[M,6\] and an integer count \[N\]"),
        ("dense_detection", picodet(classes=4), detector_yml(), GraphError,
         r"the scores are \[1,4,96\]; label_list has 3 classes: \[N,3,A\]"),
        ("dense_detection", picodet(**RAW, classes=2), detector_yml(), GraphError,
         r"the scores are \[\?,2,96\]; label_list has 3 classes"),
        ("nms_detection", picodet(classes=4), detector_yml(), VerificationError,
         "a row is of class 3; label_list has 3 classes"),
        ("nms_detection", picodet(), without(detector_yml(), "Preprocess"), InferenceFileError,
         "an inference.yml that has Preprocess and label_list"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused(weights_folder, tmp_path, family, model, yml, error, message):
    if error is InferenceFileError and "Preprocess" not in yml:
        yml = {"Global": yml["Global"]}
    refuse(family, model, yml, error, message, tmp_path, weights_folder)


def test_image_of_another_size_is_refused():
    yml = detector_yml()
    yml["Preprocess"][0]["target_size"] = [WIDTH, HEIGHT]
    with pytest.raises(GraphError, match=r"the image is \[1,3,64,96\]; expected \[N,3,96,64\] as inference.yml says"):
        edit("nms_detection", picodet(), yml)


@pytest.mark.parametrize("family", ["nms_detection", "detr_detection"])
def test_rows_that_are_not_on_the_page_are_refused(family):
    model = rt_detr()
    (scale_factor,) = [value for value in model.graph.input if value.name == "scale_factor"]
    model.graph.input.remove(scale_factor)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 2), np.float32), "scale_factor"))
    with pytest.raises(GraphError, match="without scale_factor its rows are not on the page"):
        edit(family, model, detector_yml(arch="DETR"))


def test_other_inputs_are_refused():
    model = picodet()
    model.graph.input.append(helper.make_tensor_value_info("image_id", onnx.TensorProto.FLOAT, [1]))
    with pytest.raises(GraphError, match=r"'image_id'.*; one image, and scale_factor and im_shape where it needs them"):
        edit("nms_detection", model, detector_yml())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draw_threshold": 2}, "detection.draw_threshold"),
        ({"label_list": []}, "detection.labels"),
        ({"label_list": [1]}, "detection.labels"),
        ({"label_list": None}, "detection.labels"),
        ({"NMS": {**NMS, "name": "MatrixNMS"}}, "detection.nms.name"),
        ({"NMS": {**NMS, "keep_top_k": 0}}, "detection.nms.keep_top_k"),
        ({"NMS": {**NMS, "normalized": False}}, "detection.nms.normalized"),
        ({"NMS": {"score_threshold": 0.3}}, "detection.nms.nms_threshold"),
        ({"Preprocess": "Resize"}, "Preprocess is not a list of operators"),
        ({"Preprocess": []}, "Preprocess is empty; Resize > NormalizeImage > Permute or TopDownEval"),
        ({"Preprocess": [{"type": "TopDownEvalAffine"}]}, "Preprocess is TopDownEvalAffine; Resize >"),
        ({"Preprocess": [{"type": "Permute"}, {"type": "Permute"}]}, "an operator twice: Permute, Permute"),
    ],
)
def test_inference_yml_that_is_not_as_expected_is_refused(change, message):
    with pytest.raises(InferenceFileError, match=re.escape(message)):
        parse_inference(detector_yml() | change, "test")


@pytest.mark.parametrize(
    ("operator", "change", "message"),
    [
        (0, {"keep_ratio": True}, "keep_ratio is true; only pages stretched to target_size"),
        (0, {"interp": 1}, "Resize.interp is 1; 2 (cubic) is what is served"),
        (0, {"target_size": 640}, "detection.target_size"),
        (0, {"target_size": [0, 640]}, "detection.target_size"),
        (0, {"target_size": [640, MAX_DETECTION_SIDE + 1]}, f"less than or equal to {MAX_DETECTION_SIDE}"),
        (0, {"backend": "pil"}, "Resize has unknown arguments: backend"),
        (1, {"norm_type": "minmax"}, "norm_type is 'minmax'; allowed: mean_std and none"),
        (1, {"std": [1, 0, 1]}, "a zero cannot be divided by"),
        (1, {"order": "hwc"}, "NormalizeImage has unknown arguments: order"),
    ],
)
def test_preparation_that_is_not_served_is_refused(operator, change, message):
    yml = detector_yml()
    yml["Preprocess"][operator] |= change
    with pytest.raises(InferenceFileError, match=re.escape(message)):
        parse_inference(yml, "test")


def test_largest_size_is_read():
    yml = detector_yml()
    yml["Preprocess"][0] |= {"target_size": [MAX_DETECTION_SIDE, MAX_DETECTION_SIDE]}
    detection = parse_inference(yml, "test").detection
    assert detection is not None
    assert detection.target_size == (MAX_DETECTION_SIDE, MAX_DETECTION_SIDE)


def prove(family: str, model: onnx.ModelProto, yml: dict, damage) -> None:
    settings = parse_inference(yml, "test")
    source = open_source(model.SerializeToString())
    edited = FAMILIES[family].edit(source, settings)  # type: ignore[index]
    damage(edited)
    verify(FAMILIES[family], source, edited.SerializeToString(), settings)  # type: ignore[index]


def scale_by_two(model: onnx.ModelProto) -> None:
    (ones,) = [node for node in model.graph.node if node.output[0] == "source/scale_factor"]
    change_weights(ones.input[0], lambda values: values * 2)(model)


def swap_sides(model: onnx.ModelProto) -> None:
    """The size of the network's input, width first."""
    expand = next(node for node in model.graph.node if node.output[0] == "source/im_shape")
    change_weights(expand.input[0], lambda size: size[:, ::-1].copy())(model)


DENSE, DETR, ALONE = detector_yml(), detector_yml(arch="DETR"), detector_yml(**STAND_IN)
SPOIL = change_weights("source/w_reg", lambda weights: weights * np.float32(1.001))


@pytest.mark.parametrize(
    ("family", "model", "yml", "damage"),
    [
        ("dense_detection", picodet(), DENSE, leave_bgr),
        ("dense_detection", picodet(), DENSE, scale_by_two),
        ("dense_detection", picodet(), DENSE, SPOIL),
        ("dense_detection", picodet(**RAW), DENSE, SPOIL),
        ("dense_detection", picodet(), DENSE | {"NMS": NMS | {"nms_threshold": 0.6}}, lambda model: None),
        ("dense_detection", picodet(), DENSE | {"NMS": NMS | {"score_threshold": 0.4}}, lambda model: None),
        ("dense_detection", picodet(), DENSE | {"NMS": NMS | {"keep_top_k": 90}}, lambda model: None),
        ("detr_detection", rt_detr(), DETR, leave_bgr),
        ("detr_detection", rt_detr(), DETR, swap_sides),
        ("detr_detection", rt_detr(), DETR, SPOIL),
        ("nms_detection", rt_detr(), ALONE, leave_bgr),
        ("nms_detection", rt_detr(), ALONE, swap_sides),
        ("nms_detection", picodet(), ALONE, SPOIL),
    ],
)
def test_broken_edits_are_found(family, model, yml, damage):
    with pytest.raises(VerificationError, match=r"the answer is .* from that of the source graph|graph's end answers"):
        prove(family, model, yml, damage)


def test_pages_that_are_mixed_are_found(weights_folder, tmp_path):
    """A network whose answer for a page depends on the others is equal to its source alone only."""
    model = picodet()
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.output[0] = "own"
    place = list(model.graph.node).index(relu) + 1
    model.graph.node.insert(place, helper.make_node("ReduceMean", ["own"], ["mean"], axes=[0], keepdims=1))
    model.graph.node.insert(place + 1, helper.make_node("Max", ["own", "mean"], ["f"]))
    folder = weights_folder(model, detector_yml())
    with pytest.raises(VerificationError, match=r"on noise \[3, 64, 96, 3\] .*the answer is .*--family nms_detection"):
        export_directory(folder, tmp_path / "repository")
    assert export_directory(folder, tmp_path / "repository", family="nms_detection").is_dir()


ROWS = np.array([[0, 0.9, 0, 0, 10, 10], [0, 0.5, 5, 5, 20, 20], [1, 0.1, 0, 0, 3, 3]], np.float32)


def test_same_rows_are_no_difference():
    assert rows_difference(ROWS, ROWS, side=100, draw_threshold=0.5, same_order=True) == 0
    assert rows_difference(ROWS, ROWS[[1, 0, 2]], side=100, draw_threshold=0.5, same_order=False) == 0
    assert matched_difference(ROWS, ROWS[[2, 1, 0]], 100) == 0
    assert matched_difference(ROWS[:0], ROWS[:0], 100) == 0


@pytest.mark.parametrize(
    ("got", "loose"),
    [
        (ROWS[[1, 0, 2]], 0),
        # Rows that nobody would draw may come and go, others not.
        (ROWS[:2], 0),
        (ROWS[1:], 0.5),
        (ROWS[:0], np.inf),
        (ROWS + np.array([0, 0, 2, 0, 0, 0], np.float32), 0.02),
        (ROWS + np.array([0, 0.05, 0, 0, 0, 0], np.float32), 0.05),
        (ROWS + np.array([1, 0, 0, 0, 0, 0], np.float32), 1),
        (ROWS * np.float32("nan"), np.inf),
        (ROWS.astype(np.float64), np.inf),
        (ROWS[:, :5], np.inf),
    ],
)
def test_other_rows_are_a_difference(got, loose):
    assert rows_difference(ROWS, got, side=100, draw_threshold=0.5, same_order=True) > 0
    apart = rows_difference(ROWS, got, side=100, draw_threshold=0.5, same_order=False)
    assert apart >= loose if loose == 0.5 else apart == pytest.approx(loose, abs=1e-6)


def test_one_row_is_the_partner_of_one():
    twice = ROWS[[0, 0]]
    assert rows_difference(twice, ROWS[:2], side=100, draw_threshold=0.5, same_order=False) > 0.1
    assert matched_difference(twice, ROWS[:2], 100) > 0.1
    assert matched_difference(twice, ROWS[:1], 100) == np.inf
