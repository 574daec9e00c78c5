"""A small world of people: pages to draw, and tiny networks that find people and their joints in such pages.

A person is a pink upright box with 17 square dots, which differ in their blue alone; nothing else on a page is pink.
The detector says "person" of every cell of an 8 x 8 grid that has enough pink, the keypoint network knows each joint by
its blue. Both have the outside of real networks, so that they are exported like them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

DETECTOR, KEYPOINTS = "tiny_human_det", "tiny_keypoints"
LABELS = ["person"]
# Cells a side. A person takes the middle three quarters of a cell's width and a little more than its height: boxes in
# the outermost rows leave the page.
GRID = 8
JOINTS = 17
_SIDE = 320
_CROP = (128, 96)
_CELL = _SIDE // GRID
_WIDTH, _BEYOND = 0.75, 0.05
# Pink, but for the blue of the dots.
_RED, _GREEN, _WHITE = 255, 200, 255
_BLUES = 8 + 13 * np.arange(JOINTS)
# Four dots to a row, in the middle of the height: a crop shows a little of the neighbours, but none of their dots.
_COLUMNS, _ROWS = 4, 5
_TOP, _TALL = 0.2, 0.6
# Half a dot's side, in cells.
_HALF_DOT = 0.04


def draw_page(cell: int, people: Sequence[int]) -> np.ndarray:
    """A white page with people in some of its cells.

    Args:
        cell: side of a cell, pixels.
        people: numbers of cells, row by row.

    Returns:
        uint8 [8 cell, 8 cell, 3] BGR.
    """
    page = np.full((GRID * cell, GRID * cell, 3), _WHITE, np.uint8)
    for number in people:
        x1, y1, x2, y2 = np.rint(box_of(number, cell)).astype(int)
        page[max(y1, 0) : y2, x1:x2] = (_WHITE, _GREEN, _RED)
        half = round(cell * _HALF_DOT)
        for (x, y), blue in zip(np.rint(joints_of(number, cell)).astype(int), _BLUES, strict=True):
            page[y - half : y + half, x - half : x + half, 0] = blue
    return page


def box_of(number: int, cell: int) -> np.ndarray:
    """The box the detector answers with for a cell, not clipped: float [4], x1, y1, x2, y2, page pixels."""
    return _cell_box(number) * cell / _CELL


def joints_of(number: int, cell: int) -> np.ndarray:
    """Where a person's joints are: float [17, 2], x, y, page pixels."""
    x1, y1, x2, y2 = box_of(number, cell)
    row, column = np.divmod(np.arange(JOINTS), _COLUMNS)
    x = x1 + (column + 0.5) / _COLUMNS * (x2 - x1)
    y = y1 + (_TOP + _TALL * (row + 0.5) / _ROWS) * (y2 - y1)
    return np.stack((x, y), axis=1)


def write_weights(folder: Path) -> dict[str, Path]:
    """Write both networks as PaddleX would have them: name -> folder with model.onnx and inference.yml."""
    normalize = {
        "type": "NormalizeImage",
        "is_scale": True,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    size = {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [_SIDE, _SIDE]}
    affine = {"type": "TopDownEvalAffine", "trainsize": [_CROP[1], _CROP[0]]}
    nms = {"score_threshold": 0.1, "nms_threshold": 0.5, "nms_top_k": 1000, "keep_top_k": 100}
    permute = {"type": "Permute"}
    written = {}
    for name, model, settings in (
        (DETECTOR, _detector(), {"Preprocess": [size, normalize, permute], "label_list": LABELS, "NMS": nms}),
        (KEYPOINTS, _keypoints(), {"Preprocess": [affine, normalize, permute], "label_list": ["keypoint"]}),
    ):
        place = folder / name
        place.mkdir(parents=True)
        onnx.save(model, str(place / "model.onnx"))
        document = {"Global": {"model_name": name}, "draw_threshold": 0.5, **settings}
        (place / "inference.yml").write_text(yaml.safe_dump(document))
        written[name] = place
    return written


def _cell_box(number: int) -> np.ndarray:
    """In pixels of the detector's input."""
    row, column = divmod(number, GRID)
    margin = _CELL * (1 - _WIDTH) / 2
    left, right = column * _CELL + margin, (column + 1) * _CELL - margin
    return np.array([left, (row - _BEYOND) * _CELL, right, (row + 1 + _BEYOND) * _CELL])


def _detector() -> onnx.ModelProto:
    """A box for every cell; it scores 0.9 if the cell's mean of red less green is well above nothing, else 0."""
    anchors = np.array([_cell_box(number) for number in range(GRID**2)], np.float32)
    # The normalisation is taken back: red less green, 0 to 1.
    constants = {
        "weights": np.array([0.229, -0.224, 0], np.float32).reshape(1, 3, 1, 1),
        "bias": np.array([0.485 - 0.456], np.float32),
        "limit": np.array(0.05, np.float32),
        "score": np.array(0.9, np.float32),
        "zero": np.array(0, np.float32),
        "by_cell": np.array([0, 1, GRID**2], np.int64),
        "transposed": np.array([0, GRID**2, 1], np.int64),
        "anchors": anchors,
    }
    nodes = [
        helper.make_node("Conv", ["image", "weights", "bias"], ["pink"]),
        helper.make_node("AveragePool", ["pink"], ["mean"], kernel_shape=[_CELL, _CELL], strides=[_CELL, _CELL]),
        helper.make_node("Greater", ["mean", "limit"], ["found"]),
        helper.make_node("Where", ["found", "score", "zero"], ["of_cells"]),
        helper.make_node("Reshape", ["of_cells", "by_cell"], ["scores"]),
        helper.make_node("Reshape", ["of_cells", "transposed"], ["of_anchors"]),
        helper.make_node("Mul", ["of_anchors", "zero"], ["nothing"]),
        helper.make_node("Add", ["anchors", "nothing"], ["boxes"]),
    ]
    outputs = [_float("scores", ["N", 1, GRID**2]), _float("boxes", ["N", GRID**2, 4])]
    return _model(nodes, constants, [_float("image", ["N", 3, _SIDE, _SIDE])], outputs)


def _keypoints() -> onnx.ModelProto:
    """A heatmap for each joint: how near the blue of a pixel is to the joint's, averaged over 4 x 4 pixels."""
    height, width = _CROP
    constants = {
        "blue": np.array([2], np.int64),
        "deviation": np.array(0.225 * 255, np.float32),
        "mean": np.array(0.406 * 255, np.float32),
        "blues": _BLUES.astype(np.float32).reshape(1, JOINTS, 1, 1),
        "steepness": np.array(-1 / 16, np.float32),
        "in_a_row": np.array([0, JOINTS, -1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["image", "blue"], ["normal"], axis=1),
        helper.make_node("Mul", ["normal", "deviation"], ["stretched"]),
        helper.make_node("Add", ["stretched", "mean"], ["value"]),
        helper.make_node("Sub", ["value", "blues"], ["off"]),
        helper.make_node("Mul", ["off", "off"], ["square"]),
        helper.make_node("Mul", ["square", "steepness"], ["exponent"]),
        helper.make_node("Exp", ["exponent"], ["near"]),
        helper.make_node("AveragePool", ["near"], ["heatmaps"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Reshape", ["heatmaps", "in_a_row"], ["rows"]),
        helper.make_node("ArgMax", ["rows"], ["places"], axis=2, keepdims=0),
    ]
    places = helper.make_tensor_value_info("places", TensorProto.INT64, ["N", JOINTS])
    outputs = [places, _float("heatmaps", ["N", JOINTS, height // 4, width // 4])]
    return _model(nodes, constants, [_float("image", ["N", 3, height, width])], outputs)


def _float(name: str, dims: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def _model(nodes, constants, inputs, outputs) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
