"""A source graph brought to a known form: checked, its names out of the way, opset and IR version pinned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx
from onnx import TensorProto, compose, helper, version_converter

from paddlex_triton.export.errors import GraphError, first_line

# The IR version written: ONNX Runtime 1.17 (Triton 24.04), the oldest one served on, reads up to 9.
IR_VERSION = 9
# ArgMax takes the first of equal values and Range exists from 11 on; ONNX Runtime 1.17 reads up to 20.
MIN_OPSET = 11
MAX_OPSET = 20

# Every name of the source gets this prefix, so that none can meet one of ours.
SOURCE_PREFIX = "source/"


@dataclass(frozen=True)
class SourceTensor:
    """An input or output of a source graph.

    Attributes:
        name: what the source calls it.
        inner: what it is called in `SourceGraph.model`.
        dtype: as in `TensorProto.DataType`.
        shape: declared dimensions, None where symbolic.
    """

    name: str
    inner: str
    dtype: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class SourceGraph:
    """A source graph ready for edits.

    Attributes:
        content: the model as it came: what the proof compares with.
        model: its names carry `SOURCE_PREFIX`; inputs and outputs are still the source's.
        inputs: in the source's order.
        outputs: in the source's order.
        opset: of the default domain.
    """

    content: bytes
    model: onnx.ModelProto
    inputs: tuple[SourceTensor, ...]
    outputs: tuple[SourceTensor, ...]
    opset: int

    @property
    def input(self) -> SourceTensor:
        """The only input.

        Raises:
            GraphError: there is not one input and one output, or one of them is not float32.
        """
        return self._only(self.inputs)

    @property
    def output(self) -> SourceTensor:
        """The only output.

        Raises:
            GraphError: see `input`.
        """
        return self._only(self.outputs)

    def _only(self, tensors: tuple[SourceTensor, ...]) -> SourceTensor:
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise GraphError(f"the graph has {self.outside()}; one of each is expected")
        for role, (value,) in (("input", self.inputs), ("output", self.outputs)):
            require_float(role, value)
        return tensors[0]

    def outside(self) -> str:
        """List inputs and outputs, for messages."""
        return f"inputs {_names(self.inputs)} and outputs {_names(self.outputs)}"


def parse_model(content: bytes) -> onnx.ModelProto:
    """Read a serialized model.

    Raises:
        GraphError: the bytes are not an ONNX model, or an invalid one.
    """
    try:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:
        # protobuf and the checker raise unrelated types, which differ between versions.
        raise GraphError(f"not a valid ONNX model: {first_line(error)}") from error
    return model


def open_source(content: bytes) -> SourceGraph:
    """Read, check and prefix a source graph.

    Args:
        content: the serialized model, weights inside.

    Raises:
        GraphError: not ONNX, or an opset that cannot be used.
    """
    model = _pin_versions(parse_model(content))
    _drop_initializer_inputs(model.graph)
    # Shapes noted while the graph was traced may be those of one example: ONNX Runtime infers them anew.
    del model.graph.value_info[:]
    del model.metadata_props[:]
    inputs, outputs = _tensors(model.graph.input), _tensors(model.graph.output)
    return SourceGraph(content, compose.add_prefix(model, SOURCE_PREFIX), inputs, outputs, opset_of(model))


def opset_of(model: onnx.ModelProto) -> int:
    """Return the opset of ONNX's own operators that a model uses.

    Raises:
        GraphError: it names none.
    """
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            return entry.version
    raise GraphError("the model names no opset of ONNX's own operators")


def dims_text(shape: tuple[int | None, ...]) -> str:
    """Write a shape for messages: symbolic dimensions as `?`."""
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"


def require_dims(what: str, shape: tuple[int | None, ...], allowed: tuple[int | None, ...], layout: str) -> None:
    """Refuse a shape that a family cannot work with.

    Args:
        what: the tensor, for the message.
        shape: its declared dimensions, None where symbolic.
        allowed: one entry per dimension: None for one that must be symbolic, a number for one that must be that
            number or symbolic.
        layout: the expected layout, for the message.

    Raises:
        GraphError: another rank, a fixed dimension that must be free, or another fixed size.
    """
    wrong = len(shape) != len(allowed) or any(
        size is not None and size != wanted for size, wanted in zip(shape, allowed, strict=True)
    )
    if wrong:
        raise GraphError(f"{what} is {dims_text(shape)}; expected {layout}, where letters are dimensions left free")


def require_float(role: str, tensor: SourceTensor) -> None:
    """Refuse an input or output that is not float32.

    Args:
        role: `input` or `output`, for the message.
        tensor: the tensor.

    Raises:
        GraphError: it is of another type.
    """
    if tensor.dtype != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(tensor.dtype)
        raise GraphError(f"{role} {tensor.name!r} is {kind}; FLOAT is expected")


def _pin_versions(model: onnx.ModelProto) -> onnx.ModelProto:
    opset = opset_of(model)
    if opset > MAX_OPSET:
        raise GraphError(f"the graph uses opset {opset}; up to {MAX_OPSET} is read by every supported server")
    if opset < MIN_OPSET:
        # Verification compares with the graph as it came, so a conversion that changed anything does not pass.
        try:
            model = version_converter.convert_version(model, MIN_OPSET)
        except Exception as error:
            raise GraphError(f"opset {opset} cannot be raised to {MIN_OPSET}: {first_line(error)}") from error
    model.ir_version = IR_VERSION
    return model


def _drop_initializer_inputs(graph: onnx.GraphProto) -> None:
    """Take weights out of the inputs, where old graphs list them: since IR version 4 others are constants."""
    weights = {tensor.name for tensor in graph.initializer}
    kept = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(kept)


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """Return the declared dimensions; paddle2onnx writes a free one as a name or as -1."""
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in dims)


def _tensors(values: Iterable[onnx.ValueInfoProto]) -> tuple[SourceTensor, ...]:
    return tuple(
        SourceTensor(value.name, SOURCE_PREFIX + value.name, value.type.tensor_type.elem_type, _shape(value))
        for value in values
    )


def _names(values: Iterable[SourceTensor]) -> str:
    return "[" + ", ".join(repr(value.name) for value in values) + "]"


def tensor_info(name: str, dtype: int, dims: list[int | str]) -> onnx.ValueInfoProto:
    """Make a graph input or output with named free dimensions."""
    return helper.make_tensor_value_info(name, dtype, dims)
