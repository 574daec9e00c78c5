"""A small world of seals: pages to draw, and tiny networks that find seals and their text in such pages.

Text stands on pink bands; nothing else on a page is pink. The layout networks say "seal" of every quarter of a page
that has enough pink, the text detector marks every pink pixel. All have the outside of real networks, so that they are
exported like them; the layout networks differ in nothing but their family.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

LAYOUT, DENSE_LAYOUT, DETR_LAYOUT = "tiny_seal_layout", "tiny_seal_layout_dense", "tiny_seal_layout_detr"
DETECTOR, FEW = "tiny_seal_det", "tiny_seal_det_few"
LABELS = ["text", "seal"]
SIDE = 320
# Quarters in reading order: their boxes in pixels of the network's input. They overlap a little, as real ones do.
QUARTERS = ((0, 0, 170, 170), (150, 0, 320, 170), (0, 150, 170, 320), (150, 150, 320, 320))
SCORES = (0.9, 0.8, 0.7, 0.6)

_WHITE, _PINK, _BLACK = (255, 255, 255), (200, 200, 255), (0, 0, 0)


def draw_page(width: int, height: int, seals: Sequence[tuple[int, int, int, str]]) -> np.ndarray:
    """A white page with seals: an arc without text and a straight band with text below its middle.

    Args:
        width: pixels.
        height: pixels.
        seals: x and y of the middle, radius (pixels), text of each.

    Returns:
        uint8 [height, width, 3] BGR.
    """
    page = np.full((height, width, 3), _WHITE, np.uint8)
    for x, y, radius, text in seals:
        band = max(2, radius // 5)
        cv2.ellipse(page, (x, y), (radius, radius), 0, 180, 360, _PINK, band)
        half = radius * 3 // 4
        cv2.rectangle(page, (x - half, y + radius // 3), (x + half, y + radius // 3 + 2 * band), _PINK, cv2.FILLED)
        (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 2)
        scale = min(1.8 * half / wide, 1.2 * band / high)
        corner = (x - round(scale * wide / 2), y + radius // 3 + band + round(scale * high / 2))
        cv2.putText(page, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, _BLACK, max(1, round(2 * scale)), cv2.LINE_AA)
    return page


def write_weights(folder: Path) -> dict[str, Path]:
    """Write all networks as PaddleX would have them: name -> folder with model.onnx and inference.yml."""
    nms = {"score_threshold": 0.1, "nms_threshold": 0.5, "nms_top_k": 1000, "keep_top_k": 100}
    written = {}
    for name, model, settings in (
        (LAYOUT, _layout_with_rows(), _LAYOUT_SETTINGS),
        (DENSE_LAYOUT, _dense_layout(), {**_LAYOUT_SETTINGS, "arch": "GFL", "NMS": {"name": "MultiClassNMS", **nms}}),
        (DETR_LAYOUT, _detr_layout(), {**_LAYOUT_SETTINGS, "arch": "DETR"}),
        (DETECTOR, _detector(), _DETECTOR_SETTINGS),
        (FEW, _detector(), {**_DETECTOR_SETTINGS, "PostProcess": {**_POST, "max_candidates": 1}}),
    ):
        place = folder / name
        place.mkdir(parents=True)
        onnx.save(model, str(place / "model.onnx"))
        (place / "inference.yml").write_text(yaml.safe_dump({"Global": {"model_name": name}, **settings}))
        written[name] = place
    return written


_LAYOUT_SETTINGS = {
    "draw_threshold": 0.5,
    "Preprocess": [
        {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [SIDE, SIDE]},
        {"type": "NormalizeImage", "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "norm_type": "none"},
        {"type": "Permute"},
    ],
    "label_list": LABELS,
}
_POST = {"name": "DBPostProcess", "thresh": 0.2, "box_thresh": 0.6, "unclip_ratio": 0.5, "box_type": "poly"}
_DETECTOR_SETTINGS = {
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"DetResizeForTest": {"resize_long": 736}},
            {"NormalizeImage": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": "1./255."}},
            {"ToCHWImage": None},
        ]
    },
    "PostProcess": _POST,
}


# Mean of red less green of each quarter, [N,4]; those above a thousandth are found.
_FIND = [
    helper.make_node("Conv", ["image", "weights"], ["pink"]),
    helper.make_node("AveragePool", ["pink"], ["mean"], kernel_shape=[160, 160], strides=[160, 160]),
    helper.make_node("Reshape", ["mean", "by_page"], ["means"]),
    helper.make_node("Greater", ["means", "limit"], ["found"]),
]
# Height and width factors to those of x1, y1, x2, y2.
_SCALE = [helper.make_node("Gather", ["scale_factor", "swapped"], ["factors"], axis=1)]
_CONSTANTS = {
    "weights": np.array([1, -1, 0], np.float32).reshape(1, 3, 1, 1),
    "limit": np.array(0.001, np.float32),
    "by_page": np.array([-1, 4], np.int64),
    "quarters": np.array(QUARTERS, np.float32),
    "quarter_scores": np.array(SCORES, np.float32),
    "swapped": np.array([1, 0, 1, 0], np.int64),
    "zero": np.array(0, np.float32),
    "one": np.array([1], np.int64),
    "two": np.array([2], np.int64),
}


def _layout_with_rows() -> onnx.ModelProto:
    """A graph that keeps to itself which boxes it gives: those found, in pixels of the page."""
    heads = np.array([[LABELS.index("seal"), score] for score in SCORES], np.float32)
    constants = {**_CONSTANTS, "heads": heads, "row": np.array([-1], np.int64), "first": np.array([0], np.int64)}
    nodes = [
        *_FIND,
        *_SCALE,
        helper.make_node("Reshape", ["found", "row"], ["found_there"]),
        helper.make_node("NonZero", ["found_there"], ["places"]),
        helper.make_node("Reshape", ["places", "row"], ["which"]),
        helper.make_node("Gather", ["quarters", "which"], ["boxes_found"], axis=0),
        helper.make_node("Gather", ["heads", "which"], ["heads_found"], axis=0),
        helper.make_node("Div", ["boxes_found", "factors"], ["boxes_on_page"]),
        helper.make_node("Concat", ["heads_found", "boxes_on_page"], ["boxes"], axis=1),
        helper.make_node("Shape", ["which"], ["length"]),
        helper.make_node("Gather", ["length", "first"], ["number"]),
        helper.make_node("Cast", ["number"], ["count"], to=TensorProto.INT32),
    ]
    inputs = [_float("image", ["N", 3, SIDE, SIDE]), _float("scale_factor", ["N", 2])]
    outputs = [_float("boxes", ["M", 6]), helper.make_tensor_value_info("count", TensorProto.INT32, ["N"])]
    return _model(nodes, constants, inputs, outputs)


def _dense_layout() -> onnx.ModelProto:
    """The four boxes and one in a corner, in pixels of the input; those not found score zero."""
    boxes = np.array([*QUARTERS, (0, 0, 1, 1)], np.float32)
    constants = {**_CONSTANTS, "anchors": boxes, "pads": np.array([0, 0, 0, 1], np.int64)}
    nodes = [
        *_FIND,
        helper.make_node("Where", ["found", "quarter_scores", "zero"], ["of_quarters"]),
        helper.make_node("Pad", ["of_quarters", "pads"], ["of_seals"]),
        helper.make_node("Mul", ["of_seals", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "one"], ["of_texts_3"]),
        helper.make_node("Unsqueeze", ["of_seals", "one"], ["of_seals_3"]),
        helper.make_node("Concat", ["of_texts_3", "of_seals_3"], ["scores"], axis=1),
        helper.make_node("Unsqueeze", ["nothing", "two"], ["nothing_3"]),
        helper.make_node("Add", ["anchors", "nothing_3"], ["boxes"]),
    ]
    outputs = [_float("boxes", ["N", 5, 4]), _float("scores", ["N", 2, 5])]
    return _model(nodes, constants, [_float("image", ["N", 3, SIDE, SIDE])], outputs)


def _detr_layout() -> onnx.ModelProto:
    """Always four rows a page, in its pixels; those not found score zero."""
    constants = {
        **_CONSTANTS,
        "seal": np.array(LABELS.index("seal"), np.float32),
        "six": np.array([-1, 6], np.int64),
        "queries": np.array(4, np.int32),
    }
    nodes = [
        *_FIND,
        *_SCALE,
        helper.make_node("Where", ["found", "quarter_scores", "zero"], ["scores"]),
        helper.make_node("Unsqueeze", ["scores", "two"], ["scores_3"]),
        helper.make_node("Mul", ["scores_3", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "seal"], ["classes"]),
        helper.make_node("Unsqueeze", ["factors", "one"], ["factors_3"]),
        helper.make_node("Div", ["quarters", "factors_3"], ["boxes"]),
        helper.make_node("Concat", ["classes", "scores_3", "boxes"], ["table"], axis=2),
        helper.make_node("Reshape", ["table", "six"], ["rows"]),
        # One number for each page: as many as there are rows of im_shape.
        helper.make_node("Shape", ["im_shape"], ["shape"], end=1),
        helper.make_node("Expand", ["queries", "shape"], ["count"]),
    ]
    inputs = [_float("im_shape", ["N", 2]), _float("image", ["N", 3, SIDE, SIDE]), _float("scale_factor", ["N", 2])]
    outputs = [_float("rows", ["M", 6]), helper.make_tensor_value_info("count", TensorProto.INT32, ["N"])]
    return _model(nodes, constants, inputs, outputs)


def _detector() -> onnx.ModelProto:
    """A steep sigmoid of red less green above a tenth; the normalisation is taken back by weights and bias."""
    steep = 100.0
    weights = steep * np.array([0, -0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    constants = {"weights": weights, "bias": np.array([steep * (0.406 - 0.456 - 0.1)], np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "weights", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["prob"]),
    ]
    return _model(nodes, constants, [_float("x", ["N", 3, "H", "W"])], [_float("prob", ["N", 1, "H", "W"])])


def _float(name: str, dims: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def _model(nodes, constants, inputs, outputs) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
