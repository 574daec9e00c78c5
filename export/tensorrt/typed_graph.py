"""The graph as TensorRT is given it: the network's own, with its types arranged.

From version 11 on TensorRT has no precision of its own choice, and from 10 on it can be told to have none: what a graph
says is computed as it says it. So FP16 is written into the graph, and one way serves all versions.
"""

from __future__ import annotations

import logging

import onnx
from onnx import TensorProto, helper

from paddlex_triton.export.graph.builder import OWN_PREFIX
from paddlex_triton.export.graph.contract import SOURCE_PREFIX, parse_model
from paddlex_triton.tensorrt_plans import PrecisionName

# Goes up when the same network becomes another graph: plans are then made anew.
VERSION = 1
# Stay FP32 in an FP16 graph: sums over many values, what divides or exponentiates them, and the normalising of batches,
# whose variances may be smaller than FP16's least number (PP-OCRv4_mobile_det: 41 % more pixels became text).
_SENSITIVE = (
    "BatchNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "Softmax",
    "ReduceMean",
    "ReduceSum",
    "Pow",
    "Exp",
    "Log",
)


def graph_for_tensorrt(content: bytes, precision: PrecisionName) -> bytes:
    """Prepare a network's graph.

    Args:
        content: 1/model.onnx.
        precision: fp16 converts the source's nodes; what export added around them, the normalising and the choice of
            classes, stays as it is.

    Raises:
        GraphError: it is no ONNX model.
    """
    model = parse_model(content)
    _name_nodes(model.graph)
    if precision == "fp16":
        _hoist_constants(model.graph)
        model = _to_fp16(model)
    _cast_bytes_first(model.graph)
    return model.SerializeToString(deterministic=True)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name of its own, which a graph may leave out or use twice."""
    for index, node in enumerate(graph.node):
        own = node.name.startswith(OWN_PREFIX)
        node.name = f"{OWN_PREFIX if own else SOURCE_PREFIX}node_{index}"


def _hoist_constants(graph: onnx.GraphProto) -> None:
    """Make weights of nodes that hold one: only so do those of a node that stays FP32 stay FP32 as well."""
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        (attribute,) = node.attribute
        if attribute.type == onnx.AttributeProto.TENSOR:
            weight = graph.initializer.add()
            weight.CopyFrom(attribute.t)
            weight.name = node.output[0]
            graph.node.remove(node)


def _to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnxruntime.transformers import float16

    own = [node.name for node in model.graph.node if node.name.startswith(OWN_PREFIX)]
    before = logging.getLogger().manager.disable
    # It warns of every weight that becomes a denormal number.
    logging.disable(logging.WARNING)
    try:
        converted = float16.convert_float_to_float16(
            model,
            keep_io_types=True,
            op_block_list=[*float16.DEFAULT_OP_BLOCK_LIST, *_SENSITIVE],
            node_block_list=own,
        )
    finally:
        logging.disable(before)
    _drop_detours(converted.graph)
    _sort(converted.graph)
    return converted


def _drop_detours(graph: onnx.GraphProto) -> None:
    """Drop the converter's ways by FP16 between two nodes that stay FP32: they would round what need not be."""
    made_by = {name: node for node in graph.node for name in node.output}
    direct = {}
    for node in graph.node:
        before = made_by.get(node.input[0]) if _casts_to(node, TensorProto.FLOAT) else None
        if before is not None and _casts_to(before, TensorProto.FLOAT16):
            direct[node.output[0]] = before.input[0]
            # An output of the graph keeps the node that gives it its name.
            node.input[0] = before.input[0]
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = direct.get(name, name)
    read = {name for node in graph.node for name in node.input} | outputs
    idle = [node for node in graph.node if node.op_type == "Cast" and node.output[0] not in read]
    for node in idle:
        graph.node.remove(node)


def _casts_to(node: onnx.NodeProto, dtype: int) -> bool:
    return node.op_type == "Cast" and helper.get_attribute_value(node.attribute[0]) == dtype


def _sort(graph: onnx.GraphProto) -> None:
    """Put every node behind those whose outputs it reads: the converter puts its casts last."""
    made_by = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    nodes = list(graph.node)
    placed: set[int] = set()
    order: list[onnx.NodeProto] = []
    # From the back to the front of what is still to be placed, without recursion: graphs have thousands of nodes.
    waiting = list(range(len(nodes) - 1, -1, -1))
    while waiting:
        index = waiting[-1]
        needed = [made_by[name] for name in _read_by(nodes[index]) if name in made_by]
        missing = [other for other in needed if other not in placed]
        if missing and index not in placed:
            waiting.extend(missing)
            continue
        waiting.pop()
        if index not in placed:
            placed.add(index)
            order.append(nodes[index])
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in order]
    del graph.node[:]
    graph.node.extend(copies)


def _read_by(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node reads, in the graphs it holds too."""
    held = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return [*node.input, *(name for graph in held for inner in graph.node for name in _read_by(inner))]


def _cast_bytes_first(graph: onnx.GraphProto) -> None:
    """Make a page float before anything else: TensorRT does nothing with bytes but convert them.

    ONNX Runtime is given the transpose first, as it then moves bytes. The values are the same.
    """
    for value in graph.input:
        if value.type.tensor_type.elem_type != TensorProto.UINT8:
            continue
        floats = f"{OWN_PREFIX}{value.name}_float"
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name == value.name:
                    node.input[index] = floats
        cast = helper.make_node("Cast", [value.name], [floats], name=f"{OWN_PREFIX}{value.name}_cast", to=1)
        graph.node.insert(0, cast)
    # Types that were noted for the bytes are not those of the floats: they are inferred anew.
    del graph.value_info[:]
