"""What of a graph is put otherwise for OpenVINO: the same answers, in less time."""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as ops


def cheapen_argmax(model: ov.Model) -> None:
    """Replace ONNX's ArgMax, which OpenVINO reads as a TopK of one, by comparisons with the greatest value.

    TopK sorts: an eighth of the time of a recogniser with 6625 classes. Of equal values the first counts, as in ArgMax.

    Args:
        model: changed in place.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "TopK" and _is_argmax(node):
            _replace(node)
    model.validate_nodes_and_infer_types()


def _is_argmax(node: ov.Node) -> bool:
    """Tell whether a TopK is of one value, whose place alone is wanted, along an axis of known length."""
    data = node.input_value(0)
    count = node.input_value(1).get_node()
    return (
        node.get_attributes()["mode"] == "max"
        and count.get_type_name() == "Constant"
        and int(np.ravel(count.get_data())[0]) == 1
        and not node.output(0).get_target_inputs()
        and data.get_element_type() == ov.Type.f32
        and data.get_partial_shape().rank.is_static
        and data.get_partial_shape()[_axis(node)].is_static
    )


def _axis(node: ov.Node) -> int:
    axis = int(node.get_attributes()["axis"])
    return axis if axis >= 0 else axis + len(node.input_value(0).get_partial_shape())


def _replace(node: ov.Node) -> None:
    data, axis = node.input_value(0), _axis(node)
    dims = data.get_partial_shape()
    length = dims[axis].get_length()
    # The earlier a place, the higher; float32 counts as far as that.
    shape = [length if dim == axis else 1 for dim in range(len(dims))]
    heights = ops.constant((length - np.arange(length)).astype(np.float32).reshape(shape))
    axes = ops.constant(np.array([axis], np.int64))
    greatest = ops.equal(data, ops.reduce_max(data, axes, True))
    highest = ops.reduce_max(ops.select(greatest, heights, ops.constant(np.float32(0))), axes, True)
    wanted = node.output(1)
    # Where nothing equals the greatest, which is NaN then, it is the first, as in ONNX Runtime.
    nothing = ops.constant(np.float32(0))
    place = ops.subtract(ops.constant(np.float32(length)), highest)
    place = ops.select(ops.equal(highest, nothing), nothing, place)
    place = ops.convert(place, wanted.get_element_type().get_type_name())
    for target in list(wanted.get_target_inputs()):
        target.replace_source_output(place.output(0))
