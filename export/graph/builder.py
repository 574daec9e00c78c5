"""Adds nodes of ours around a source graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from paddlex_triton.export.graph.contract import SourceGraph
from paddlex_triton.version import __version__

# Our own nodes and tensors; the source's carry another prefix.
OWN_PREFIX = "paddlex_triton/"


class GraphBuilder:
    """Collects nodes to put before and after a source graph, then makes the edited model.

    Operators whose arguments moved between attributes and inputs in some opset have a method of their own.
    """

    def __init__(self, source: SourceGraph) -> None:
        self.source = source
        self._before: list[onnx.NodeProto] = []
        self._after: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._nodes = self._before
        self._count = 0

    def after_source(self) -> None:
        """Let nodes that are added from here on read the source's output."""
        self._nodes = self._after

    def constant(self, value: np.ndarray) -> str:
        """Add a constant.

        Returns:
            Its name.
        """
        name = f"{OWN_PREFIX}constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output.

        Args:
            op: ONNX operator.
            *inputs: names of its inputs.
            output: name of its output, one of our own making by default.
            **attributes: the operator's attributes.

        Returns:
            The name of its output.
        """
        name = f"{OWN_PREFIX}{op}_{self._count}"
        self._count += 1
        output = output or f"{name}_output"
        self._nodes.append(helper.make_node(op, list(inputs), [output], name=name, **attributes))
        return output

    def squeeze(self, tensor: str, axis: int, output: str | None = None) -> str:
        """Drop an axis of length 1 (its number is an input since opset 13)."""
        if self.source.opset >= 13:
            return self.add("Squeeze", tensor, self.constant(np.array([axis], np.int64)), output=output)
        return self.add("Squeeze", tensor, output=output, axes=[axis])

    def reduce_max(self, tensor: str, axis: int, output: str | None = None) -> str:
        """Add the maximum over an axis, which is dropped (its number is an input since opset 18)."""
        if self.source.opset >= 18:
            axes = self.constant(np.array([axis], np.int64))
            return self.add("ReduceMax", tensor, axes, output=output, keepdims=0)
        return self.add("ReduceMax", tensor, output=output, axes=[axis], keepdims=0)

    def build(
        self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto], metadata: dict[str, str]
    ) -> onnx.ModelProto:
        """Return the edited model: our first nodes, the source, our last nodes.

        Args:
            inputs: the network's inputs.
            outputs: its outputs.
            metadata: kept in the model file; what the source had there is dropped.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.source.model)
        graph = model.graph
        nodes = [*self._before, *graph.node, *self._after]
        del graph.node[:]
        graph.node.extend(nodes)
        graph.initializer.extend(self._constants)
        del graph.input[:]
        graph.input.extend(inputs)
        del graph.output[:]
        graph.output.extend(outputs)
        model.producer_name = "paddlex-triton"
        model.producer_version = __version__
        model.doc_string = ""
        helper.set_model_props(model, metadata)
        return model
