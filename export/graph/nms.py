"""The numbers of a graph's own NMS, as Paddle2ONNX writes Paddle's multiclass_nms3 (read off one of version 2.1).

NonMaxSuppression takes its thresholds, and how many boxes it keeps of a class, as inputs. TopK behind it keeps the best
of all classes: as many as there are, but no more than a constant.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from paddlex_triton.export.errors import GraphError
from paddlex_triton.export.graph.contract import SOURCE_PREFIX, SourceGraph
from paddlex_triton.export.graph.cut import NMS, nodes_of

# Operators between the constant and TopK, and how many of their inputs carry on: all, or the first.
_PASS_ALL = ("Concat", "Min")
_PASS_FIRST = ("ReduceMin", "Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze")


def nms_thresholds(model: onnx.ModelProto) -> dict[str, int | float] | None:
    """Read the numbers of a graph's only NMS: score_threshold, nms_threshold, nms_top_k, keep_top_k.

    Returns:
        None where there is no NMS or there are several, or a number is no positive constant (thresholds: 0 to 1).
    """
    nodes = nodes_of(model, NMS)
    if len(nodes) != 1:
        return None
    makers = {output: node for node in model.graph.node for output in node.output}
    constants = _scalars(model)
    (node,) = nodes
    top_k, nms_threshold, score_threshold = (_constant(name, makers, constants) for name in _told(node))
    kept = _bounds_behind(node, model, makers, constants)
    if top_k is None or nms_threshold is None or score_threshold is None or len(kept) != 1:
        return None
    (keep_top_k,) = kept
    if min(top_k, keep_top_k) < 1 or not (0 <= nms_threshold <= 1 and 0 <= score_threshold <= 1):
        return None
    return {
        "score_threshold": score_threshold,
        "nms_threshold": nms_threshold,
        "nms_top_k": int(top_k),
        "keep_top_k": int(keep_top_k),
    }


def nms_inputs(source: SourceGraph) -> tuple[str, str] | None:
    """Return the boxes [N,A,4] and the scores [N,C,A] that a source's only NMS chooses from, by the source's own names.

    Returns:
        None without an NMS, or with several.

    Raises:
        GraphError: it takes boxes by their centres.
    """
    nodes = nodes_of(source.model, NMS)
    if len(nodes) != 1:
        return None
    (node,) = nodes
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if attributes.get("center_point_box", 0):
        raise GraphError(f"the graph's {NMS} takes boxes by their centres; corners are expected")
    boxes, scores = (name.removeprefix(SOURCE_PREFIX) for name in node.input[:2])
    return boxes, scores


def _told(node: onnx.NodeProto) -> tuple[str, ...]:
    """Return inputs max_output_boxes_per_class, iou_threshold and score_threshold, empty where they are left out."""
    return tuple(node.input[index] if index < len(node.input) else "" for index in (2, 3, 4))


def _constant(name: str, makers: Mapping[str, onnx.NodeProto], constants: Mapping[str, float]) -> float | None:
    """Return the only constant a tensor comes from."""
    found = _constants_of(name, makers, constants)
    return found.pop() if len(found) == 1 else None


def _constants_of(name: str, makers: Mapping[str, onnx.NodeProto], constants: Mapping[str, float]) -> set[float]:
    """Return the constants that a tensor is one of, or the least of."""
    if name in constants:
        return {constants[name]}
    node = makers.get(name)
    if node is None:
        return set()
    inputs = node.input if node.op_type in _PASS_ALL else node.input[:1] if node.op_type in _PASS_FIRST else ()
    return {value for each in inputs for value in _constants_of(each, makers, constants)}


def _bounds_behind(
    nms: onnx.NodeProto,
    model: onnx.ModelProto,
    makers: Mapping[str, onnx.NodeProto],
    constants: Mapping[str, float],
) -> set[float]:
    """Return the bound on the number of boxes that TopK keeps of those chosen."""
    made_from_choice, found = set(nms.output), set()
    for node in model.graph.node:
        if made_from_choice.isdisjoint(node.input):
            continue
        made_from_choice.update(node.output)
        if node.op_type == "TopK" and len(node.input) > 1:
            found |= _constants_of(node.input[1], makers, constants)
    return found


def _scalars(model: onnx.ModelProto) -> dict[str, float]:
    """Return the constants of one number by name."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in nodes_of(model, "Constant"):
        for attribute in node.attribute:
            if attribute.name == "value":
                tensors[node.output[0]] = attribute.t
    arrays = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items() if np.prod(tensor.dims) == 1}
    # The shortest decimal number that rounds to a float32 is the one that was written: 0.6, not 0.60000002.
    return {name: float(str(array.reshape(-1)[0])) for name, array in arrays.items() if array.dtype.kind in "fi"}
