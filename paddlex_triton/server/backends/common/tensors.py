"""A model's inputs and outputs, as its engine tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# No BF16: the C++ ONNX Runtime backend of 24.10 has none, and numpy neither.
_TRITON_TYPES = frozenset(
    ("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "STRING")
)
CONFIG_TYPES = frozenset(f"TYPE_{name}" for name in _TRITON_TYPES)


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a model.

    Attributes:
        name: its name in the graph.
        type: Triton's name of the element type, e.g. `FP32`; None if Triton has none.
        shape: dimensions, -1 for those that are symbolic or unknown; empty for a scalar.
    """

    name: str
    type: str | None
    shape: tuple[int, ...]

    @property
    def config_type(self) -> str:
        """The type as config.pbtxt spells it, `TYPE_INVALID` if Triton has none."""
        return f"TYPE_{self.type or 'INVALID'}"

    @property
    def reported_type(self) -> str:
        """The type as the C++ backend's messages spell it."""
        return "TYPE_" + {"STRING": "BYTES", None: "<invalid>"}.get(self.type, self.type or "")

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


def shape_text(shape: Iterable[int]) -> str:
    """Write a shape as Triton does: `[1,-1]`."""
    return f"[{','.join(str(dim) for dim in shape)}]"
