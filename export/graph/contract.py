"""A source graph brought to a known form: checked, its names out of the way, opset and IR version pinned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx
from onnx import TensorProto, compose, helper, version_converter

from paddlex_triton.export.errors import GraphError

# The IR version written: ONNX Runtime 1.17 (Triton 24.04), the oldest one served on, reads up to 9.
IR_VERSION = 9
# ArgMax takes the first of equal values and Range exists from 11 on; ONNX Runtime 1.17 reads up to 20.
MIN_OPSET = 11
MAX_OPSET = 20

# Every name of the source gets this prefix, so that none can meet one of ours.
SOURCE_PREFIX = "source/"


@dataclass(frozen=True)
class SourceGraph:
    """A source graph with one input and one output, ready for edits.

    Attributes:
        model: its names carry `SOURCE_PREFIX`; inputs and outputs are still the source's.
        input: name of the float input.
        output: name of the float output.
        input_shape: declared dimensions, None where symbolic.
        output_shape: the same for the output.
        opset: of the default domain.
    """

    model: onnx.ModelProto
    input: str
    output: str
    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]
    opset: int


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
        raise GraphError(f"not a valid ONNX model: {_first_line(error)}") from error
    return model


def open_source(content: bytes) -> SourceGraph:
    """Read, check and prefix a source graph with one float input and one float output.

    Args:
        content: the serialized model, weights inside.

    Raises:
        GraphError: not ONNX, not one input and one output of float32, or an opset that cannot be used.
    """
    model = _pin_versions(parse_model(content))
    _drop_initializer_inputs(model.graph)
    graph = model.graph
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise GraphError(
            f"the graph has inputs {_names(graph.input)} and outputs {_names(graph.output)}; one of each is expected"
        )
    for role, value in (("input", graph.input[0]), ("output", graph.output[0])):
        if value.type.tensor_type.elem_type != TensorProto.FLOAT:
            kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type)
            raise GraphError(f"{role} {value.name!r} is {kind}; FLOAT is expected")
    # Shapes noted while the graph was traced may be those of one example: ONNX Runtime infers them anew.
    del graph.value_info[:]
    del model.metadata_props[:]
    shapes = _shape(graph.input[0]), _shape(graph.output[0])
    model = compose.add_prefix(model, SOURCE_PREFIX)
    return SourceGraph(model, model.graph.input[0].name, model.graph.output[0].name, *shapes, opset_of(model))


def opset_of(model: onnx.ModelProto) -> int:
    """The opset of ONNX's own operators that a model uses.

    Raises:
        GraphError: it names none.
    """
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            return entry.version
    raise GraphError("the model names no opset of ONNX's own operators")


def dims_text(shape: tuple[int | None, ...]) -> str:
    """A shape for messages: symbolic dimensions as `?`."""
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


def _pin_versions(model: onnx.ModelProto) -> onnx.ModelProto:
    opset = opset_of(model)
    if opset > MAX_OPSET:
        raise GraphError(f"the graph uses opset {opset}; up to {MAX_OPSET} is read by every supported server")
    if opset < MIN_OPSET:
        # Verification compares with the graph as it came, so a conversion that changed anything does not pass.
        try:
            model = version_converter.convert_version(model, MIN_OPSET)
        except Exception as error:
            raise GraphError(f"opset {opset} cannot be raised to {MIN_OPSET}: {_first_line(error)}") from error
    model.ir_version = IR_VERSION
    return model


def _drop_initializer_inputs(graph: onnx.GraphProto) -> None:
    """Old graphs list their weights as inputs too; since IR version 4 a weight that is no input is a constant."""
    weights = {tensor.name for tensor in graph.initializer}
    kept = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(kept)


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """Declared dimensions; paddle2onnx writes a free one as a name or as -1."""
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in dims)


def _names(values: Iterable[onnx.ValueInfoProto]) -> str:
    return "[" + ", ".join(repr(value.name) for value in values) + "]"


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def tensor_info(name: str, dtype: int, dims: list[int | str]) -> onnx.ValueInfoProto:
    """A graph input or output with named free dimensions."""
    return helper.make_tensor_value_info(name, dtype, dims)
