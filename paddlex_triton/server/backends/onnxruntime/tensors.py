"""A model's inputs and outputs, as its ONNX Runtime session tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnxruntime as ort

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.tensors import Interface, TensorInfo

# ONNX element type, as ONNX Runtime spells it -> Triton's type.
_TRITON_TYPES = {
    **{
        name: name.upper()
        for name in ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
    },
    "float16": "FP16",
    "float": "FP32",
    "double": "FP64",
    "string": "STRING",
}
_ONNX_KINDS = {
    "seq": "ONNX_TYPE_SEQUENCE",
    "map": "ONNX_TYPE_MAP",
    "sparse_tensor": "ONNX_TYPE_SPARSETENSOR",
}


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


def _tensor_infos(nodes: Iterable[Any]) -> dict[str, TensorInfo]:
    return {node.name: _tensor_info(node) for node in nodes}


def _tensor_info(node: Any) -> TensorInfo:
    kind, _, rest = node.type.partition("(")
    if kind != "tensor":
        onnx_kind = _ONNX_KINDS.get(kind, "ONNX_TYPE_UNKNOWN")
        raise LoadError(f"Unsupported ONNX Type '{onnx_kind}' for I/O '{node.name}', expected 'ONNX_TYPE_TENSOR'.")
    shape = tuple(dim if isinstance(dim, int) else -1 for dim in node.shape)
    return TensorInfo(node.name, _TRITON_TYPES.get(rest.removesuffix(")")), shape)
