"""A model's inputs and outputs, as its ONNX Runtime session tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort

from paddlex_triton.server.backends.onnxruntime.errors import LoadError

# ONNX element type, as ONNX Runtime spells it -> Triton's type. No BF16: the C++ backend of 24.10 has none.
_TRITON_TYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float": "FP32",
    "double": "FP64",
    "string": "STRING",
}
CONFIG_TYPES = frozenset(f"TYPE_{name}" for name in _TRITON_TYPES.values())
_ONNX_KINDS = {
    "seq": "ONNX_TYPE_SEQUENCE",
    "map": "ONNX_TYPE_MAP",
    "sparse_tensor": "ONNX_TYPE_SPARSETENSOR",
}


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a model.

    Attributes:
        name: its name in the graph.
        element: ONNX Runtime's name of the element type, e.g. `float`.
        shape: dimensions, -1 for those that are symbolic or unknown; empty for a scalar.
    """

    name: str
    element: str
    shape: tuple[int, ...]

    @property
    def config_type(self) -> str:
        """The type as config.pbtxt spells it, `TYPE_INVALID` if Triton has none."""
        return f"TYPE_{_TRITON_TYPES.get(self.element, 'INVALID')}"

    @property
    def reported_type(self) -> str:
        """The type as the C++ backend's messages spell it."""
        return "TYPE_" + {"STRING": "BYTES"}.get(name := _TRITON_TYPES.get(self.element, "<invalid>"), name)

    @property
    def has_batch_dimension(self) -> bool:
        """Whether the first dimension is there and dynamic."""
        return bool(self.shape) and self.shape[0] == -1


@dataclass(frozen=True)
class Interface:
    """All tensors of a model by name.

    Attributes:
        inputs: inputs that every run needs.
        overridable: initializers that a run may replace (optional inputs).
        outputs: outputs.
    """

    inputs: Mapping[str, TensorInfo]
    overridable: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


def interface_of(session: ort.InferenceSession) -> Interface:
    """Read the interface of a loaded model.

    Raises:
        LoadError: an input or output is not a dense tensor.
    """
    return Interface(
        inputs=_tensor_infos(session.get_inputs()),
        overridable=_tensor_infos(session.get_overridable_initializers()),
        outputs=_tensor_infos(session.get_outputs()),
    )


def shape_text(shape: Iterable[int]) -> str:
    """Write a shape as Triton does: `[1,-1]`."""
    return f"[{','.join(str(dim) for dim in shape)}]"


def _tensor_infos(nodes: Iterable[Any]) -> dict[str, TensorInfo]:
    return {node.name: _tensor_info(node) for node in nodes}


def _tensor_info(node: Any) -> TensorInfo:
    kind, _, rest = node.type.partition("(")
    if kind != "tensor":
        onnx_kind = _ONNX_KINDS.get(kind, "ONNX_TYPE_UNKNOWN")
        raise LoadError(f"Unsupported ONNX Type '{onnx_kind}' for I/O '{node.name}', expected 'ONNX_TYPE_TENSOR'.")
    shape = tuple(dim if isinstance(dim, int) else -1 for dim in node.shape)
    return TensorInfo(node.name, rest.removesuffix(")"), shape)
