"""Classifiers: how they are told apart, what is fed, what the proof finds, what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from damage import change_weights, leave_bgr
from detector_graphs import picodet
from onnx import helper
from onnx_runs import run
from preparation_graphs import (
    DOC_LABELS,
    DOC_SIZE,
    MEAN,
    PAPERS,
    STD,
    TEXTLINE_LABELS,
    TEXTLINE_SIZE,
    classifier_yml,
    doc_orientation_folder,
    doc_orientation_graph,
    doc_orientation_yml,
    textline_orientation_folder,
    textline_orientation_graph,
    textline_orientation_yml,
    tinted,
)

from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import ExportError, GraphError, InferenceFileError, UsageError, VerificationError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.inference_file.inference_settings import Normalization, parse_inference
from paddlex_triton.export.verify import verify
from paddlex_triton.limits import MAX_DETECTION_SIDE
from paddlex_triton.network import NetworkInfo
from paddlex_triton.proof_pictures import noise, text_page
from paddlex_triton.server.host.model_config import read_config

FAMILY = FAMILIES["image_classification"]


def edit(model: onnx.ModelProto, yml: dict | None = None) -> onnx.ModelProto:
    source = open_source(model.SerializeToString())
    return FAMILY.edit(source, parse_inference(yml or textline_orientation_yml(), "test"))


def lines(count: int) -> np.ndarray:
    return noise(count, count, *TEXTLINE_SIZE, 3) // 2 + np.linspace(0, 120, 160).astype(np.uint8)[:, None]


def normalized(images: np.ndarray) -> np.ndarray:
    """PaddleX's arithmetic: RGB, float32 pixels, float64 constants that numpy rounds to float32 on use."""
    planes = images[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    for channel, (mean, std) in enumerate(zip(MEAN, STD, strict=True)):
        planes[:, channel] *= 0.00392156862745098 / std
        planes[:, channel] += -mean / std
    return planes


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("given", [None, "image_classification"])
def test_family_is_told(weights_folder, tmp_path, batch, given):
    folder = weights_folder(textline_orientation_graph(batch=batch), textline_orientation_yml("lines"))
    path = export_directory(folder, tmp_path / "repository", family=given)
    info = NetworkInfo.load(path / "network.json")
    assert (info.name, info.family, info.max_batch_size) == ("lines", "image_classification", FAMILY.max_batch_size)
    assert info.geometry == {"target_size": list(TEXTLINE_SIZE)}
    assert (info.labels, info.characters, info.postprocess) == ([*TEXTLINE_LABELS], None, {})


def test_middle_of_a_page(tmp_path):
    path = export_directory(doc_orientation_folder(tmp_path / "weights"), tmp_path / "repository")
    info = NetworkInfo.load(path / "network.json")
    assert (info.name, info.geometry) == ("PP-LCNet_x1_0_doc_ori", {"target_size": [224, 224], "resize_short": 256})
    assert info.labels == [*DOC_LABELS]


@pytest.mark.parametrize("batch", ["N", 1])
def test_outputs_are_as_configured(weights_folder, tmp_path, batch):
    """Triton loads a network only if its configuration says of outputs just what ONNX Runtime makes out."""
    folder = weights_folder(textline_orientation_graph(batch=batch), textline_orientation_yml())
    path = export_directory(folder, tmp_path / "repository")
    for file in ("config.pbtxt", "configs/gpu.pbtxt"):
        config = read_config(path / file)
        assert {output.name: list(output.dims) for output in config.output} == {"probs": [2]}
        assert {value.name: list(value.dims) for value in config.input} == {"x": [*TEXTLINE_SIZE, 3]}
    session = onnxruntime.InferenceSession(path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    assert [(output.name, output.shape) for output in session.get_outputs()] == [("probs", ["N", 2])]


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("opset", [7, 11, 13, 18, 20])
@pytest.mark.parametrize("count", [1, 3, FAMILY.max_batch_size])
def test_any_number_of_lines(batch, opset, count):
    model = textline_orientation_graph(batch=batch, opset=opset)
    images = lines(count)
    answer = run(edit(model), {"x": images})
    assert {name: (value.shape, value.dtype) for name, value in answer.items()} == {"probs": ((count, 2), np.float32)}
    for row in range(count):
        wanted = run(model, {"x": normalized(images[row : row + 1])})["scores"]
        np.testing.assert_array_equal(answer["probs"][row], wanted[0])
    assert not np.allclose(answer["probs"], 0.5, atol=0.1)


@pytest.mark.parametrize("size", [DOC_SIZE, ("H", "W"), ("H", 224)])
def test_size_of_the_source_may_be_free(size):
    page = text_page(1, *DOC_SIZE)
    pages = np.stack([tinted(page, position) for position in range(len(PAPERS))])
    edited = edit(doc_orientation_graph(size=size), doc_orientation_yml())
    assert [dim.dim_value for dim in edited.graph.input[0].type.tensor_type.shape.dim] == [0, *DOC_SIZE, 3]
    assert run(edited, {"x": pages})["probs"].argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_network_is_fed_what_paddlex_feeds():
    """Bit for bit, for every pixel value."""
    count = 3 * np.prod(TEXTLINE_SIZE)
    image = np.random.default_rng(0).permutation(np.arange(count) % 256).astype(np.uint8)
    image = image.reshape(1, *TEXTLINE_SIZE, 3)
    edited = edit(textline_orientation_graph())
    edited.graph.output.append(helper.make_tensor_value_info("source/x", onnx.TensorProto.FLOAT, None))
    assert np.array_equal(run(edited, {"x": image})["source/x"], normalized(image))


@pytest.mark.parametrize(
    ("model", "yml", "message"),
    [
        (textline_orientation_graph(batch=2), None, r"the input is \[2,3,80,160\]; expected \[N,3,80,160\] as infer"),
        (
            doc_orientation_graph(),
            None,
            r"the input is \[\?,3,224,224\]; expected \[N,3,80,160\] as inference.yml says",
        ),
        (
            textline_orientation_graph(),
            textline_orientation_yml(labels=("a", "b", "c")),
            "the output has 2 classes, but label_list names 3",
        ),
        (picodet(), None, r"has inputs \['image', 'scale_factor'\] and .*; one of each is expected"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(weights_folder, tmp_path, model, yml, message):
    with pytest.raises(GraphError, match=message):
        export_directory(weights_folder(model, yml or textline_orientation_yml()), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("dims", "dtype", "message"),
    [
        (["N", 2, 1], onnx.TensorProto.FLOAT, r"the output is \[\?,2,1\]; expected \[N,classes\]"),
        (["N", 2], onnx.TensorProto.INT64, "output 'scores' is INT64; FLOAT is expected"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(dims, dtype, message):
    model = textline_orientation_graph()
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("scores", dtype, dims))
    with pytest.raises(GraphError, match=message):
        edit(model)


def test_classes_that_the_graph_leaves_open_are_counted(weights_folder, tmp_path):
    model = textline_orientation_graph()
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    path = export_directory(weights_folder(model, textline_orientation_yml()), tmp_path / "two")
    (output,) = read_config(path / "config.pbtxt").output
    assert list(output.dims) == [2]
    three = weights_folder(model, textline_orientation_yml(labels=("a", "b", "c")))
    with pytest.raises(VerificationError, match=r"the scores are \[1, 2\]; \[1, 3\] is expected, one per label"):
        export_directory(three, tmp_path / "three")
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize(
    ("yml", "family", "error", "message"),
    [
        (textline_orientation_yml(), "db_detection", UsageError, "says image_classification, --family says db_det"),
        ({}, "image_classification", InferenceFileError, "needs an inference.yml that has PostProcess.Topk"),
    ],
)
def test_contradictions_are_refused(weights_folder, tmp_path, yml, family, error, message):
    folder = weights_folder(textline_orientation_graph(), yml)
    with pytest.raises(error, match=message) as caught:
        export_directory(folder, tmp_path / "repository", name="net", family=family)
    assert isinstance(caught.value, ExportError)
    assert not (tmp_path / "repository").exists()


def changed(operator: str, arguments: dict[str, Any] | None) -> dict[str, Any]:
    """The file of a classifier of pages with other arguments of an operator; without arguments it goes away."""
    yml = doc_orientation_yml()
    operators = {name: given for entry in yml["PreProcess"]["transform_ops"] for name, given in entry.items()}
    operators |= {operator: arguments}
    listed = [{name: given} for name, given in operators.items() if given is not None or name == "ToCHWImage"]
    return yml | {"PreProcess": {"transform_ops": listed}}


@pytest.mark.parametrize(
    ("operator", "arguments", "message"),
    [
        ("ResizeImage", None, "PreProcess is CropImage > NormalizeImage > ToCHWImage; ResizeImage > NormalizeImage > "),
        ("NormalizeImage", None, "PreProcess is ResizeImage > CropImage > ToCHWImage; "),
        ("DecodeImage", {"img_mode": "RGB"}, "> DecodeImage; ResizeImage > NormalizeImage > ToCHWImage with CropImage"),
        ("ResizeImage", {}, "ResizeImage has neither resize_short and size; one of them is expected"),
        ("ResizeImage", {"resize_short": 256, "size": 224}, "ResizeImage has both resize_short and size"),
        ("ResizeImage", {"size": [224, 224]}, "CropImage after ResizeImage.size; only after resize_short"),
        ("ResizeImage", {"resize_short": 223}, "CropImage.size is [224, 224], more than the 223 of ResizeImage"),
        ("ResizeImage", {"resize_short": 0}, "CropImage.size is [224, 224], more than the 0 of"),
        ("ResizeImage", {"resize_short": "256px"}, "classification.resize_short"),
        ("ResizeImage", {"resize_short": MAX_DETECTION_SIDE + 1}, f"less than or equal to {MAX_DETECTION_SIDE}"),
        ("ResizeImage", {"resize_short": 256, "interpolation": "CUBIC"}, "ResizeImage.interpolation is 'CUBIC'; 'LIN"),
        ("ResizeImage", {"resize_short": 256, "backend": "pil"}, "ResizeImage.backend is 'pil'; 'cv2' is what is"),
        ("ResizeImage", {"resize_long": 256}, "ResizeImage has unknown arguments: resize_long"),
        ("CropImage", None, "ResizeImage.resize_short without CropImage: images would come in sizes of their own"),
        ("CropImage", {"size": [224, 257]}, "CropImage.size is [224, 257], more than the 256 of"),
        ("CropImage", {"size": [224]}, "classification.size"),
        ("CropImage", {"size": 224, "mode": "TL"}, "CropImage has unknown arguments: mode"),
        ("NormalizeImage", {"order": "hwc"}, "NormalizeImage.order is 'hwc'; '' is what is served"),
        ("NormalizeImage", {"channel_num": 4}, "NormalizeImage.channel_num is 4; 3 is what is served"),
        ("NormalizeImage", {"norm_type": "none"}, "NormalizeImage has unknown arguments: norm_type"),
        ("NormalizeImage", {"std": [0, 1, 1]}, "a zero cannot be divided by"),
        ("ToCHWImage", {"axis": 1}, "ToCHWImage has unknown arguments: axis"),
    ],
)
def test_preparation_that_is_not_served_is_refused(operator, arguments, message):
    with pytest.raises(InferenceFileError, match=re.escape(message)):
        parse_inference(changed(operator, arguments), "test")


@pytest.mark.parametrize(
    ("postprocess", "message"),
    [
        ({"Topk": None}, "PostProcess.Topk has no label_list: the classes have no names"),
        ({"Topk": {"topk": 1}}, "PostProcess.Topk has no label_list"),
        ({"Topk": {"label_list": []}}, "PostProcess.Topk has no label_list"),
        ({"Topk": {"label_list": "labels.txt"}}, "PostProcess.Topk has no label_list"),
        ({"Topk": {"label_list": ["yes", False]}}, "entry 1 of PostProcess.Topk.label_list is False, not a string"),
        ({"Topk": {"label_list": [None]}}, "entry 0 of PostProcess.Topk.label_list is None, not a string"),
        ({"Topk": {"label_list": ["a"]}, "name": "DBPostProcess"}, "PostProcess has name besides Topk"),
    ],
)
def test_classes_without_names_are_refused(postprocess, message):
    with pytest.raises(InferenceFileError, match=re.escape(message)):
        parse_inference(doc_orientation_yml() | {"PostProcess": postprocess}, "test")


@pytest.mark.parametrize(
    ("resize", "crop", "size", "short"),
    [
        ({"size": [160, 80]}, None, (80, 160), None),
        ({"size": 96}, None, (96, 96), None),
        ({"size": [MAX_DETECTION_SIDE, 1]}, None, (1, MAX_DETECTION_SIDE), None),
        ({"resize_short": 256}, 224, (224, 224), 256),
        ({"resize_short": 256, "interpolation": "LINEAR", "backend": "cv2"}, [192, 256], (256, 192), 256),
    ],
)
def test_sizes_are_width_and_height(resize, crop, size, short):
    yml = classifier_yml("net", [0, 90], resize=resize, crop=crop)  # type: ignore[list-item]  # as YAML reads them
    settings = parse_inference(yml, "test")
    assert settings.classification is not None
    found = settings.classification
    assert (found.target_size, found.resize_short, found.labels) == (size, short, ("0", "90"))
    assert (settings.family, settings.img_mode, settings.postprocess) == ("image_classification", "RGB", {})


def test_what_is_left_out_is_as_in_paddlex():
    yml = changed("NormalizeImage", {})
    yml["PreProcess"]["transform_ops"][1] = {"CropImage": None}
    settings = parse_inference(yml, "test")
    assert settings.normalization == Normalization()
    assert settings.classification is not None
    assert settings.classification.target_size == (224, 224)


def negate(model: onnx.ModelProto) -> None:
    (identity,) = [node for node in model.graph.node if node.output[0] == "probs"]
    identity.op_type = "Neg"


@pytest.mark.parametrize(
    "damage", [leave_bgr, negate, change_weights("source/w", lambda weights: weights * np.float32(1.001))]
)
@pytest.mark.parametrize("batch", ["N", 1])
def test_broken_edits_are_found(damage, batch):
    """On a classifier that weighs the channels unequally."""
    model = textline_orientation_graph(batch=batch)
    change_weights("w", lambda weights: weights * np.array([[1.0], [1], [0.2], [0.2], [0], [0]], np.float32))(model)
    change_weights("b", np.zeros_like)(model)
    settings = parse_inference(textline_orientation_yml(), "test")
    source = open_source(model.SerializeToString())
    edited = FAMILY.edit(source, settings)
    damage(edited)
    with pytest.raises(VerificationError, match=r"the answer is .* from that of the source graph"):
        verify(FAMILY, source, edited.SerializeToString(), settings)


def test_lines_that_are_mixed_are_found(weights_folder, tmp_path):
    """A network whose answer for a line depends on the others in the batch."""
    model = textline_orientation_graph()
    place = [node.op_type for node in model.graph.node].index("Gemm")
    model.graph.node[place].output[0] = "own"
    model.graph.node.insert(place + 1, helper.make_node("ReduceMean", ["own"], ["mean"], axes=[0], keepdims=1))
    model.graph.node.insert(place + 2, helper.make_node("Sub", ["own", "mean"], ["raw"]))
    with pytest.raises(VerificationError, match="from that of the same rows alone"):
        export_directory(weights_folder(model, textline_orientation_yml()), tmp_path / "repository")


def test_batch_that_is_fixed_elsewhere_is_found(tmp_path, weights_folder):
    """The outside says any batch, a Reshape inside says one."""
    model = textline_orientation_graph(batch=1)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    with pytest.raises(VerificationError):
        export_directory(weights_folder(model, textline_orientation_yml()), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


def test_folders_for_live_tests(tmp_path):
    for write in (doc_orientation_folder, textline_orientation_folder):
        path = export_directory(write(tmp_path / write.__name__, name="other"), tmp_path / "repository", force=True)
        assert NetworkInfo.load(path / "network.json").name == "other"
