"""Graphs as PaddleX expects them: detectors with NMS inside, keypoint networks with their heatmaps first."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import compose, parser

# For one picture. Boxes are in pixels of the network's input, `scale_factor` is [y, x].
_TAIL = """
<ir_version: 8, opset_import: ["": {opset}]>
tail (float[N,A,4] boxes, float[N,C,A] scores, float[N,2] scale_factor) => (float[M,6] rows, int32[N] count)
<int64[4] turned = {{1, 0, 1, 0}}, int64[1] zero = {{0}}, int64[1] one = {{1}}, int64[1] two = {{2}},
 int64[1] flat = {{-1}}, int64[2] column = {{-1, 1}}, int64[2] corners = {{-1, 4}},
 int64[1] most = {{{nms_top_k}}}, int64[1] keep = {{{keep_top_k}}},
 float[1] overlap = {{{nms_threshold}}}, float[1] least = {{{score_threshold}}}>
{{
  scales = Gather <axis = 1> (scale_factor, turned)
  page_boxes = Div (boxes, scales)
  selected = NonMaxSuppression (page_boxes, scores, most, overlap, least)
  of_class = Gather <axis = 1> (selected, one)
  of_anchor = Gather <axis = 1> (selected, two)
  batch = Gather <axis = 1> (selected, zero)
  place = Concat <axis = 1> (batch, of_class, of_anchor)
  chosen = GatherND (scores, place)
  found = Shape (chosen)
  bounds = Concat <axis = 0> (found, keep)
  kept = ReduceMin (bounds)
  best, order = TopK (chosen, kept)
  class = Gather <axis = 0> (of_class, order)
  anchor = Gather <axis = 0> (of_anchor, order)
  anchors = Reshape (anchor, flat)
  all_corners = Reshape (page_boxes, corners)
  picked = Gather <axis = 0> (all_corners, anchors)
  class_column = Cast <to = 1> (class)
  score_column = Reshape (best, column)
  rows = Concat <axis = 1> (class_column, score_column, picked)
  count = Cast <to = 6> (kept)
}}
"""


def append_nms(content: bytes, nms: Mapping[str, float]) -> bytes:
    """Append NMS to a detector's graph, unless it has one.

    Args:
        content: the serialized ONNX model. Without NMS its outputs are boxes float32 [N, A, 4], x1, y1, x2, y2, and
            scores [N, C, A].
        nms: score_threshold, nms_threshold, nms_top_k and keep_top_k, as in PaddleX's inference.yml.

    Raises:
        ValueError: the graph has other outputs.
    """
    model = onnx.load_model_from_string(content)
    if any(node.op_type == "NonMaxSuppression" for node in model.graph.node):
        return content
    ranked = {output.name: len(output.type.tensor_type.shape.dim) for output in model.graph.output}
    boxes = [
        output.name
        for output in model.graph.output
        if ranked[output.name] == 3 and output.type.tensor_type.shape.dim[2].dim_value == 4
    ]
    scores = [name for name, rank in ranked.items() if rank == 3 and name not in boxes]
    if len(boxes) != 1 or len(scores) != 1:
        raise ValueError(
            f"a detector's outputs are {', '.join(ranked)}; boxes [N, A, 4] and scores [N, C, A] are expected"
        )
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    numbers = {name: nms[name] for name in ("score_threshold", "nms_threshold", "nms_top_k", "keep_top_k")}
    tail = parser.parse_model(_TAIL.format(opset=opset, **numbers))
    tail.ir_version = model.ir_version
    merged = compose.merge_models(model, tail, io_map=[(boxes[0], "boxes"), (scores[0], "scores")], prefix2="nms_")
    # The name that PaddleX feeds.
    for node in merged.graph.node:
        for index, name in enumerate(node.input):
            if name == "nms_scale_factor":
                node.input[index] = "scale_factor"
    for given in merged.graph.input:
        if given.name == "nms_scale_factor":
            given.name = "scale_factor"
    onnx.checker.check_model(merged)
    return merged.SerializeToString()


def put_heatmaps_first(content: bytes) -> bytes:
    """Order the outputs of a keypoint network: PaddleX takes the first one for heatmaps, [N, J, h, w].

    Args:
        content: the serialized ONNX model.
    """
    model = onnx.load_model_from_string(content)
    outputs = sorted(model.graph.output, key=lambda output: -len(output.type.tensor_type.shape.dim))
    copies = [onnx.ValueInfoProto.FromString(output.SerializeToString()) for output in outputs]
    del model.graph.output[:]
    model.graph.output.extend(copies)
    return model.SerializeToString()
