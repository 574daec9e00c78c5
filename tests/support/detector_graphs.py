"""Tiny detectors with the structure that Paddle2ONNX gives PicoDet, PP-YOLOE and RT-DETR, and their inference.yml."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, parser

HEIGHT, WIDTH = 64, 96
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LABELS = ["image", "table", "seal"]
NMS = {"name": "MultiClassNMS", "score_threshold": 0.3, "nms_threshold": 0.5, "nms_top_k": 1000, "keep_top_k": 100}

# One level of a head: 8 x 12 anchors of stride 8, distances as distributions over 8 bins.
_PICODET_HEAD = """
  c1 = Conv <kernel_shape = [3, 3], strides = [8, 8], pads = [1, 1, 1, 1]> (image, w1)
  f = Relu (c1)
  logits = Conv <kernel_shape = [1, 1]> (f, w_cls)
  sigmoid = Sigmoid (logits)
  scores = Reshape (sigmoid, score_shape)
  distances = Conv <kernel_shape = [1, 1]> (f, w_reg)
  last = Transpose <perm = [0, 2, 3, 1]> (distances)
  bins = Reshape (last, bins_shape)
  soft = Softmax <axis = 1> (bins)
  expected = MatMul (soft, project)
  sides = Reshape (expected, sides_shape)
  ltrb = Reshape (sides, boxes_shape)
"""
# PP-YOLOE weighs channels by their means, and reads distributions with a convolution. A map of half the size is brought
# back: Paddle2ONNX folds the sizes of Resize too, batch and all.
_PPYOLOE_HEAD = """
  c1 = Conv <kernel_shape = [3, 3], strides = [8, 8], pads = [1, 1, 1, 1]> (image, w1)
  fine = Relu (c1)
  half = Conv <kernel_shape = [1, 1], strides = [2, 2]> (fine, w_half)
  full = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">
    (half, none, none, sizes)
  f = Add (fine, full)
  mean = GlobalAveragePool (f)
  attention = Conv <kernel_shape = [1, 1]> (mean, w_attention)
  weight = Sigmoid (attention)
  stem = Mul (f, weight)
  more = Add (stem, f)
  logits = Conv <kernel_shape = [1, 1]> (more, w_cls)
  sigmoid = Sigmoid (logits)
  scores = Reshape (sigmoid, score_shape)
  distances = Conv <kernel_shape = [1, 1]> (stem, w_reg)
  bins = Reshape (distances, yoloe_bins_shape)
  last = Transpose <perm = [0, 3, 1, 2]> (bins)
  soft = Softmax <axis = 3> (last)
  first_bins = Transpose <perm = [0, 3, 1, 2]> (soft)
  expected = Conv <kernel_shape = [1, 1]> (first_bins, w_project)
  ltrb = Squeeze <axes = [1]> (expected)
"""
_CORNERS = """
  left_top, right_bottom = Split <axis = 2, split = [2, 2]> (ltrb)
  first = Sub (anchors, left_top)
  second = Add (anchors, right_bottom)
  corners = Concat <axis = 2> (first, second)
  boxes = Mul (corners, stride)
"""
_NMS_TAIL = """
  scale_y, scale_x = Split <axis = 1, split = [1, 1]> (scale_factor)
  scales = Concat <axis = 1> (scale_x, scale_y, scale_x, scale_y)
  scales3 = Reshape (scales, scale_shape)
  page_boxes = Div (boxes, scales3)
  nms_boxes = Identity (page_boxes)
  selected = NonMaxSuppression (nms_boxes, scores, nms_top_k, nms_threshold, score_threshold)
  of_class = Gather <axis = 1> (selected, one)
  of_anchor = Gather <axis = 1> (selected, two)
  flat_scores = Reshape (scores, flat)
  start = Mul (of_class, anchor_count)
  place = Add (start, of_anchor)
  flat_place = Reshape (place, flat)
  chosen = Gather <axis = 0> (flat_scores, flat_place)
  found = Shape (chosen)
  bounds = Concat <axis = 0> (found, keep_top_k)
  kept = ReduceMin <axes = [0], keepdims = 1> (bounds)
  best, order = TopK (chosen, kept)
  flat_class = Reshape (of_class, flat)
  class = Gather <axis = 0> (flat_class, order)
  flat_anchor = Reshape (of_anchor, flat)
  anchor = Gather <axis = 0> (flat_anchor, order)
  by_class, class_order = TopK <axis = 0, largest = 0> (class, kept)
  anchor_order = Gather (anchor, class_order)
  score_order = Gather (best, class_order)
  picked = Gather <axis = 1> (nms_boxes, anchor_order)
  class_float = Cast <to = 1> (by_class)
  score_column = Reshape (score_order, column)
  class_column = Reshape (class_float, column)
  table = Concat <axis = 2> (class_column, score_column, picked)
  rows = Squeeze <axes = [0]> (table)
  size = Shape (rows)
  size0 = Slice (size, zero, one, zero)
  count = Cast <to = 6> (size0)
"""
_DETR = """
  f = Conv <kernel_shape = [3, 3], strides = [16, 16], pads = [1, 1, 1, 1]> (image, w1)
  relu = Relu (f)
  flat = Reshape (relu, flat_shape)
  tokens = Transpose <perm = [0, 2, 1]> (flat)
  logits = MatMul (tokens, w_cls)
  reg = MatMul (tokens, w_reg)
  boxes = Sigmoid (reg)
  exact_size = Div (im_shape, scale_factor)
  more = Add (exact_size, half)
  page = Floor (more)
  page_h, page_w = Split <axis = 1> (page, one_each)
  sizes = Concat <axis = 1> (page_w, page_h, page_w, page_h)
  sizes3 = Unsqueeze (sizes, one)
  centre, extent = Split <axis = 2> (boxes, two_each)
  radius = Mul (extent, half)
  first = Sub (centre, radius)
  second = Add (centre, radius)
  corners = Concat <axis = 2> (first, second)
  page_boxes = Mul (corners, sizes3)
  scores = Sigmoid (logits)
  all_scores = Reshape (scores, row_shape)
  best, place = TopK <axis = -1> (all_scores, queries)
  class = Mod (place, classes)
  query = Div (place, classes)
  query3 = Unsqueeze (query, minus)
  four = Expand (query3, four_wide)
  picked = GatherElements <axis = 1> (page_boxes, four)
  class_float = Cast <to = 1> (class)
  class3 = Unsqueeze (class_float, minus)
  best3 = Unsqueeze (best, minus)
  table = Concat <axis = 2> (class3, best3, picked)
  rows = Reshape (table, six)
  shape = Shape (table)
  batch = Slice (shape, zero, one)
  queries32 = Cast <to = 6> (queries)
  count = Expand (queries32, batch)
"""


def picodet(
    *,
    batch: int | str = 1,
    baked: int = 1,
    nms: bool = True,
    classes: int = 3,
    threshold: float = NMS["score_threshold"],
    head: str = _PICODET_HEAD,
) -> onnx.ModelProto:
    """A PicoDet, or another detector of its kind.

    Args:
        batch: of the declared inputs; Paddle2ONNX says 1 where there is an NMS.
        baked: the batch in its reshapes: 1, or 0 for as it is.
        nms: with Paddle's multiclass_nms3; without, it ends in `boxes` and `scores`.
        classes: how many.
        threshold: scores in the graph's NMS are above it.
        head: what makes `scores` and `ltrb`, the distances of each anchor's sides.
    """
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[: HEIGHT // 8, : WIDTH // 8]
    anchors = rows.size
    constants = {
        "w1": rng.normal(size=(8, 3, 3, 3)) * 0.3,
        "w_cls": rng.normal(size=(classes, 8, 1, 1)) * 0.5,
        "w_reg": rng.normal(size=(32, 8, 1, 1)),
        "w_half": rng.normal(size=(8, 8, 1, 1)) * 0.3,
        "none": [],
        "w_attention": rng.normal(size=(8, 8, 1, 1)),
        "project": np.arange(8.0)[:, None],
        "w_project": np.arange(8.0)[None, :, None, None],
        "anchors": np.stack([columns, rows], -1).reshape(-1, 2) + 0.5,
        "stride": np.full((anchors, 1), 8.0),
        "score_threshold": [threshold],
        "nms_threshold": [NMS["nms_threshold"]],
    }
    shapes = {
        "score_shape": [baked, classes, anchors],
        "bins_shape": [-1, 8],
        "yoloe_bins_shape": [baked, 4, 8, anchors],
        "sizes": [baked, 8, *rows.shape],
        "sides_shape": [-1, 4],
        "boxes_shape": [baked or -1, anchors, 4],
        "scale_shape": [-1, 1, 4],
        "nms_top_k": [NMS["nms_top_k"]],
        "keep_top_k": [NMS["keep_top_k"]],
        "anchor_count": [anchors],
        "flat": [-1],
        "column": [1, -1, 1],
        "zero": [0],
        "one": [1],
        "two": [2],
    }
    inputs = f"float[{batch},3,{HEIGHT},{WIDTH}] image"
    if nms:
        outside = f"({inputs}, float[{batch},2] scale_factor) => (float[M,6] rows, int32[1] count)"
    else:
        outside = f"({inputs}) => (float[{batch},{classes},{anchors}] scores, float[{batch},{anchors},4] boxes)"
    return _parse(11, outside, head + _CORNERS + (_NMS_TAIL if nms else ""), constants, shapes)


def ppyoloe(*, classes: int = 3) -> onnx.ModelProto:
    """A PP-YOLOE with its NMS, for a batch of 1."""
    return picodet(classes=classes, head=_PPYOLOE_HEAD)


def rt_detr(*, batch: int | str = "N", queries: int = 10) -> onnx.ModelProto:
    """An RT-DETR with so many rows per page."""
    rng = np.random.default_rng(6)
    constants = {
        "w1": rng.normal(size=(8, 3, 3, 3)) * 0.3,
        "w_cls": rng.normal(size=(8, len(LABELS))),
        "w_reg": rng.normal(size=(8, 4)),
        "half": 0.5,
    }
    shapes = {
        "flat_shape": [0, 8, -1],
        "row_shape": [0, -1],
        "one_each": [1, 1],
        "two_each": [2, 2],
        "queries": [queries],
        "classes": len(LABELS),
        "four_wide": [1, 1, 4],
        "six": [-1, 6],
        "zero": [0],
        "one": [1],
        "minus": [-1],
    }
    head = (
        f"(float[{batch},2] im_shape, float[{batch},3,{HEIGHT},{WIDTH}] image, float[{batch},2] scale_factor) "
        "=> (float[M,6] rows, int32[K] count)"
    )
    return _parse(16, head, _DETR, constants, shapes)


def detector_yml(name: str = "tiny_layout", arch: str | None = "GFL", nms: bool = True) -> dict[str, Any]:
    """An inference.yml as PaddleDetection writes it; without an architecture as stand-ins have it."""
    normalize = {
        "type": "NormalizeImage",
        "is_scale": True,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    if arch == "DETR":
        normalize = {"type": "NormalizeImage", "norm_type": "none", "mean": [0.0] * 3, "std": [1.0] * 3}
    yml: dict[str, Any] = {
        "Global": {"model_name": name},
        "draw_threshold": 0.4,
        "Preprocess": [
            {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [HEIGHT, WIDTH]},
            normalize,
            {"type": "Permute"},
        ],
        "label_list": LABELS,
    }
    return yml | ({"arch": arch} if arch else {}) | ({"NMS": dict(NMS)} if nms else {})


def _parse(opset: int, head: str, body: str, constants: dict[str, Any], shapes: dict[str, Any]) -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> tiny {head} {{{body}}}')
    used = {name for node in model.graph.node for name in node.input}
    for values, dtype in ((constants, np.float32), (shapes, np.int64)):
        model.graph.initializer.extend(
            numpy_helper.from_array(np.array(value, dtype), name) for name, value in values.items() if name in used
        )
    onnx.checker.check_model(model)
    return model
