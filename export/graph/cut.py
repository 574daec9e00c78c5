"""Cutting a source graph short: what comes after a tensor goes away, and a batch of one becomes a free one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

NMS = "NonMaxSuppression"

# Where operators are told the sizes of their output.
_SIZES_INPUT = {"Reshape": 1, "Resize": 3}


def nodes_of(model: onnx.ModelProto, op: str) -> list[onnx.NodeProto]:
    """Return the nodes of some operator, those in branches and loops left out."""
    return [node for node in model.graph.node if node.op_type == op]


def with_outputs(model: onnx.ModelProto, names: Sequence[str], rank: int) -> onnx.ModelProto:
    """Copy a model with inner float tensors of some rank as outputs after its own."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    present = {output.name for output in shown.graph.output}
    shown.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * rank)
        for name in dict.fromkeys(names)
        if name not in present
    )
    return shown


def keep_ancestors(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Copy a model with those nodes and weights alone that some tensors are made from; inputs and outputs stay.

    Args:
        model: its nodes are in the order they run in.
        names: of the tensors.
    """
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    wanted, kept = set(names), []
    for node in reversed(cut.graph.node):
        if wanted.intersection(node.output):
            wanted.update(_read_by(node))
            kept.append(node)
    weights = [tensor for tensor in cut.graph.initializer if tensor.name in wanted]
    nodes = list(reversed(kept))
    del cut.graph.node[:]
    cut.graph.node.extend(nodes)
    del cut.graph.initializer[:]
    cut.graph.initializer.extend(weights)
    return cut


def begin_at(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """Cut out the part of a graph between inner float tensors, which become its inputs, and some of its outputs.

    Args:
        model: its nodes are in the order they run in.
        inputs: names of inner tensors. What else the outputs are made from stays an input.
        outputs: names of outputs.
    """
    part = onnx.ModelProto()
    part.CopyFrom(model)
    nodes = [node for node in part.graph.node if not set(node.output) & set(inputs)]
    del part.graph.node[:]
    part.graph.node.extend(nodes)
    part = keep_ancestors(part, outputs)
    still_read = [value for value in part.graph.input if reads(part, value.name)]
    del part.graph.input[:]
    part.graph.input.extend(still_read)
    part.graph.input.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in inputs)
    kept = [value for value in part.graph.output if value.name in outputs]
    del part.graph.output[:]
    part.graph.output.extend(kept)
    del part.graph.value_info[:]
    return part


def reads(model: onnx.ModelProto, name: str) -> bool:
    """Return whether any node reads a tensor."""
    return any(name in _read_by(node) for node in model.graph.node)


def inferred_shapes(model: onnx.ModelProto) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes of inner tensors and outputs that follow from those declared, None for others."""
    inferred = shape_inference.infer_shapes(model, data_prop=True)
    found = {}
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            found[value.name] = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
    return found


def free_batch(model: onnx.ModelProto, image: str) -> onnx.ModelProto:
    """Copy a graph made for a batch of 1 so that it takes any, as far as sizes in Reshape and Resize prevent it.

    Whatever is made from the image and brought to [1, ...] gets the batch in place of the 1. Whether that was all
    shows in the proof, which runs rows together and alone.

    Args:
        model: declares its inputs with a batch of 1.
        image: the input whose first dimension is the batch.
    """
    freed = onnx.ModelProto()
    freed.CopyFrom(model)
    shapes = inferred_shapes(model)
    constants = _constants(model)
    made_from_image = {image}
    nodes: list[onnx.NodeProto] = []
    for original in model.graph.node:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        nodes.append(node)
        if made_from_image.isdisjoint(_read_by(node)):
            continue
        made_from_image.update(node.output)
        place = _SIZES_INPUT.get(node.op_type, 0)
        sizes = constants.get(node.input[place]) if 0 < place < len(node.input) else None
        if sizes is None or not sizes.size or sizes[0] != 1:
            continue
        if node.op_type == "Reshape":
            _free_shape(freed.graph, node, sizes, shapes.get(node.output[0], tuple(sizes)))
        else:
            nodes[-1:] = [*_free_sizes(freed.graph, node, sizes), node]
    del freed.graph.node[:]
    freed.graph.node.extend(nodes)
    return freed


def _free_shape(graph: onnx.GraphProto, node: onnx.NodeProto, shape: np.ndarray, told: tuple[int | None, ...]) -> None:
    """Give Reshape another shape, where its output is as told for a batch of one."""
    # Every other dimension as it is then: the first follows from the number of elements.
    free = [-1, *(int(given) if size is None else size for size, given in zip(told[1:], shape[1:], strict=True))]
    if free.count(-1) > 1:
        free[0] = 0
    node.input[1] = _new_constant(graph, f"{node.output[0]}/free_shape", free)


def _free_sizes(graph: onnx.GraphProto, node: onnx.NodeProto, sizes: np.ndarray) -> list[onnx.NodeProto]:
    """Give Resize sizes with the batch of its input.

    Returns:
        The nodes that make them.
    """
    if any(attribute.name == "axes" for attribute in node.attribute):
        # Sizes of some of the axes, of which the batch is none.
        return []
    name = f"{node.output[0]}/free_sizes"
    first = _new_constant(graph, f"{name}_first", [0])
    others = _new_constant(graph, f"{name}_others", [int(size) for size in sizes[1:]])
    node.input[_SIZES_INPUT["Resize"]] = name
    return [
        helper.make_node("Shape", [node.input[0]], [f"{name}_shape"]),
        helper.make_node("Gather", [f"{name}_shape", first], [f"{name}_batch"], axis=0),
        helper.make_node("Concat", [f"{name}_batch", others], [name], axis=0),
    ]


def _new_constant(graph: onnx.GraphProto, name: str, values: Sequence[int]) -> str:
    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    return name


def _read_by(node: onnx.NodeProto) -> set[str]:
    """Return the tensors that a node reads, in its branches too."""
    found = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                found |= _read_by(inner)
            found.update(output.name for output in graph.output)
    return found


def _constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return the integer constants by name: weights, Constant nodes, and those passed on by Identity or Cast."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in _integers(model.graph.initializer)}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for tensor in _integers(attribute.t for attribute in node.attribute if attribute.name == "value"):
                found[node.output[0]] = numpy_helper.to_array(tensor)
        elif node.op_type in ("Identity", "Cast") and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def _integers(tensors: Iterator[onnx.TensorProto] | Sequence[onnx.TensorProto]) -> Iterator[onnx.TensorProto]:
    kinds = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
    return (tensor for tensor in tensors if tensor.data_type in kinds and len(tensor.dims) == 1)
