"""Keypoint networks: how they are told apart, what is freed and dropped, what the proof finds, what is refused."""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime
import pytest
from damage import change_weights, leave_bgr
from detector_graphs import detector_yml, picodet
from keypoint_graphs import HEIGHT, JOINTS, WIDTH, keypoint_yml, tiny_pose
from onnx import helper
from onnx_runs import run

from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import ExportError, GraphError, InferenceFileError, UsageError, VerificationError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.inference_file.inference_settings import parse_inference
from paddlex_triton.export.verify import verify
from paddlex_triton.limits import MAX_DETECTION_SIDE
from paddlex_triton.network import NetworkInfo
from paddlex_triton.server.host.model_config import read_config

MAP = (JOINTS, HEIGHT // 4, WIDTH // 4)
FAMILY = FAMILIES["heatmap_keypoints"]


def edit(model: onnx.ModelProto, yml: dict | None = None) -> onnx.ModelProto:
    return FAMILY.edit(open_source(model.SerializeToString()), parse_inference(yml or keypoint_yml(), "test"))


def people(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def normalized(images: np.ndarray) -> np.ndarray:
    """PaddleX's arithmetic: RGB, float32 pixels, float64 constants that numpy rounds to float32 on use."""
    planes = images[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    for channel, (mean, std) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        planes[:, channel] *= (1 / 255) / std
        planes[:, channel] += -mean / std
    return planes


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("arch", ["HRNet", "keypoint", None])
@pytest.mark.parametrize("given", [None, "heatmap_keypoints"])
def test_family_is_told(weights_folder, tmp_path, batch, arch, given):
    folder = weights_folder(tiny_pose(batch=batch), keypoint_yml(arch=arch))
    path = export_directory(folder, tmp_path / "repository", family=given)
    info = NetworkInfo.load(path / "network.json")
    assert (info.name, info.family, info.max_batch_size) == ("tiny_pose", "heatmap_keypoints", FAMILY.max_batch_size)
    assert info.geometry == {"target_size": [HEIGHT, WIDTH]}
    assert (info.labels, info.characters, info.postprocess) == (None, None, {})


@pytest.mark.parametrize("batch", ["N", 1])
def test_outputs_are_as_configured(weights_folder, tmp_path, batch):
    """Triton loads a network only if its configuration says of outputs just what ONNX Runtime makes out."""
    path = export_directory(weights_folder(tiny_pose(batch=batch), keypoint_yml()), tmp_path / "repository")
    for file in ("config.pbtxt", "configs/gpu.pbtxt"):
        config = read_config(path / file)
        assert {output.name: list(output.dims) for output in config.output} == {"heatmaps": list(MAP)}
        assert {value.name: list(value.dims) for value in config.input} == {"x": [HEIGHT, WIDTH, 3]}
    session = onnxruntime.InferenceSession(path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    assert [(output.name, output.shape) for output in session.get_outputs()] == [("heatmaps", ["N", *MAP])]


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("opset", [11, 13, 18, 20])
@pytest.mark.parametrize("count", [1, 3, FAMILY.max_batch_size])
def test_any_number_of_people(batch, opset, count):
    model = tiny_pose(batch=batch, opset=opset)
    crops = people(count)
    answer = run(edit(model), {"x": crops})
    assert {name: (value.shape, value.dtype) for name, value in answer.items()} == {
        "heatmaps": ((count, *MAP), np.float32)
    }
    for row in range(count):
        wanted = run(model, {"image": normalized(crops[row : row + 1])})["maps"]
        assert np.array_equal(answer["heatmaps"][row], wanted[0])


def test_network_is_fed_what_paddlex_feeds():
    """Bit for bit, for every pixel value."""
    image = np.random.default_rng(0).permutation(np.arange(HEIGHT * WIDTH * 3) % 256).astype(np.uint8)
    image = image.reshape(1, HEIGHT, WIDTH, 3)
    edited = edit(tiny_pose())
    edited.graph.output.append(helper.make_tensor_value_info("source/image", onnx.TensorProto.FLOAT, None))
    assert np.array_equal(run(edited, {"x": image})["source/image"], normalized(image))


@pytest.mark.parametrize("batch", ["N", 1])
def test_places_of_maxima_are_dropped(batch):
    edited = edit(tiny_pose(batch=batch))
    assert "ArgMax" not in {node.op_type for node in edited.graph.node}
    read = {name for node in edited.graph.node for name in node.input}
    outputs = {value.name for value in edited.graph.output}
    assert outputs == {"heatmaps"}
    assert {tensor.name for tensor in edited.graph.initializer} <= read
    assert all(set(node.output) & (read | outputs) for node in edited.graph.node)


def test_sizes_of_some_axes_are_left_alone():
    """From opset 18 on Resize may be told sizes of the height and the width alone; a height of 1 is no batch."""
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 18]>
        g (float[1,3,{HEIGHT},{WIDTH}] image) => (float[1,{JOINTS},1,8] maps)
          <float[0] none = {{}}, int64[2] sizes = {{1, 8}}>
        {{
          means = ReduceMean <keepdims = 1> (image)
          fives = Resize <mode = "nearest", axes = [2, 3]> (means, none, none, sizes)
          ones = Concat <axis = 1> ({", ".join(["fives"] * JOINTS)})
          maps = Identity (ones)
        }}"""
    )
    edited = edit(model)
    (resize,) = [node for node in edited.graph.node if node.op_type == "Resize"]
    assert resize.input[3] == "source/sizes"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (tiny_pose(joints=16), r"the output is \[\?,16,16,12\]; expected \[N,17,h,w\], one map per joint"),
        (tiny_pose(batch=2), r"the image is \[2,3,64,48\]; expected \[N,3,64,48\] as inference.yml says"),
        (tiny_pose(size=(WIDTH, HEIGHT)), r"the image is \[\?,3,48,64\]; expected \[N,3,64,48\]"),
        (picodet(), r"has inputs \['image', 'scale_factor'\] and .*; one image is the input expected"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(weights_folder, tmp_path, model, message):
    with pytest.raises(GraphError, match=message):
        export_directory(weights_folder(model, keypoint_yml()), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


def show(model: onnx.ModelProto, name: str, kind: int, dims: list) -> None:
    model.graph.output.append(helper.make_tensor_value_info(name, kind, dims))


def test_outputs_that_do_not_fit_are_refused():
    two, none, half = tiny_pose(), tiny_pose(), tiny_pose()
    show(two, "raw", onnx.TensorProto.FLOAT, ["N", *MAP])
    del none.graph.output[1]
    half.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    for model, message in (
        (two, r"outputs \['places', 'maps', 'raw'\]; one output of heatmaps \[N,17,h,w\] is expected"),
        (none, r"outputs \['places'\]; one output of heatmaps"),
        (half, "output 'maps' is FLOAT16; FLOAT is expected"),
    ):
        with pytest.raises(GraphError, match=message):
            edit(model)


@pytest.mark.parametrize(
    ("yml", "family", "error", "message"),
    [
        (keypoint_yml(), "dense_detection", UsageError, "says heatmap_keypoints, --family says dense_detection"),
        (keypoint_yml(), "nms_detection", UsageError, "says heatmap_keypoints, --family says nms_detection"),
        (detector_yml(arch=None), "heatmap_keypoints", UsageError, "is one of a detector of objects, --family says"),
        ({}, "heatmap_keypoints", InferenceFileError, "needs an inference.yml that has Preprocess with TopDownEvalAff"),
    ],
)
def test_contradictions_are_refused(weights_folder, tmp_path, yml, family, error, message):
    folder = weights_folder(tiny_pose(), yml)
    with pytest.raises(error, match=message) as caught:
        export_directory(folder, tmp_path / "repository", name="net", family=family)
    assert isinstance(caught.value, ExportError)
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("operator", "change", "message"),
    [
        (0, {"use_udp": True}, "TopDownEvalAffine.use_udp is true; only PaddleX's usual cut-out"),
        (0, {"trainsize": None}, "keypoint.trainsize"),
        (0, {"trainsize": [96]}, "keypoint.trainsize"),
        (0, {"trainsize": [0, 128]}, "keypoint.trainsize"),
        (0, {"trainsize": [96, MAX_DETECTION_SIDE + 1]}, f"less than or equal to {MAX_DETECTION_SIDE}"),
        (0, {"padding": 1.25}, "TopDownEvalAffine has unknown arguments: padding"),
        (1, {"norm_type": "minmax"}, "norm_type is 'minmax'; allowed: mean_std and none"),
        (1, {"order": "hwc"}, "NormalizeImage has unknown arguments: order"),
    ],
)
def test_preparation_that_is_not_served_is_refused(operator, change, message):
    yml = keypoint_yml()
    yml["Preprocess"][operator] |= change
    with pytest.raises(InferenceFileError, match=re.escape(message)):
        parse_inference(yml, "test")


def test_trainsize_is_width_and_height():
    yml = keypoint_yml()
    yml["Preprocess"][0] |= {"trainsize": [96, MAX_DETECTION_SIDE], "use_udp": False}
    settings = parse_inference(yml, "test")
    assert settings.keypoint is not None
    assert settings.keypoint.target_size == (MAX_DETECTION_SIDE, 96)
    assert (settings.family, settings.detection, settings.img_mode) == ("heatmap_keypoints", None, "RGB")


def negate(model: onnx.ModelProto) -> None:
    (identity,) = [node for node in model.graph.node if node.output[0] == "heatmaps"]
    identity.op_type = "Neg"


@pytest.mark.parametrize(
    "damage", [leave_bgr, negate, change_weights("source/w3", lambda weights: weights * np.float32(1.001))]
)
@pytest.mark.parametrize("batch", ["N", 1])
def test_broken_edits_are_found(damage, batch):
    settings = parse_inference(keypoint_yml(), "test")
    source = open_source(tiny_pose(batch=batch).SerializeToString())
    edited = FAMILY.edit(source, settings)
    damage(edited)
    with pytest.raises(VerificationError, match=r"the answer is .* from that of the source graph"):
        verify(FAMILY, source, edited.SerializeToString(), settings)


def test_people_that_are_mixed_are_found(weights_folder, tmp_path):
    """A network whose answer for a person depends on the others in the batch."""
    model = tiny_pose()
    place = [node.op_type for node in model.graph.node].index("Relu")
    model.graph.node[place].output[0] = "own"
    model.graph.node.insert(place + 1, helper.make_node("ReduceMean", ["own"], ["mean"], axes=[0], keepdims=1))
    model.graph.node.insert(place + 2, helper.make_node("Max", ["own", "mean"], ["f"]))
    with pytest.raises(VerificationError, match="from that of the same rows alone"):
        export_directory(weights_folder(model, keypoint_yml()), tmp_path / "repository")


def test_batch_that_is_fixed_elsewhere_is_found(weights_folder, tmp_path):
    """The outside says any batch, a Reshape inside says one."""
    model = tiny_pose()
    change_weights("shuffle_shape", lambda shape: np.array([1, -1, *shape[2:]], np.int64))(model)
    with pytest.raises(VerificationError):
        export_directory(weights_folder(model, keypoint_yml()), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()
