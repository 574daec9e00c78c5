"""A graph of half-precision numbers brought to single precision."""

from __future__ import annotations

import onnx
from onnx import TensorProto, numpy_helper


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a model with float32 where it has float16: weights, constants, casts, inputs and outputs.

    The weights keep their values. ONNX Runtime computes float16 graphs in float32 on CPUs that have no arithmetic for
    them, so that answers stay what they were there, less the rounding of inputs and outputs. Graphs inside of nodes are
    left as they are.
    """
    raised = onnx.ModelProto()
    raised.CopyFrom(model)
    graph = raised.graph
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    for tensor in (*graph.initializer, *(each.t for each in attributes if each.type == onnx.AttributeProto.TENSOR)):
        if tensor.data_type == TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float32"), tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return raised
