"""A keypoint network that decodes its heatmaps itself: `ops.keypoint_decode.decode_heatmaps` as ONNX nodes.

Made to be measured against decoding on the host; nothing serves it.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.errors import GraphError
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, dims_text, open_source, require_float, tensor_info

# Rows and columns at the border of a map in which a joint stays at its whole pixel.
_BORDER = 2
# Smoothed values are raised to this ahead of the logarithm.
_LEAST_VALUE = np.array(1e-10, np.float32)
# One side of OpenCV's smoothing kernel of 3 x 3.
_SMOOTHING = np.array([0.25, 0.5, 0.25], np.float32)
# Places around a maximum, x, y in pixels, and what the values there count in each derivative: x, y, xx, yy, xy. In
# this order a sum from top to bottom rounds as the host's.
_STENCIL: tuple[tuple[tuple[int, int], tuple[float, ...]], ...] = (
    ((1, 0), (0.5, 0, 0, 0, 0)),
    ((-1, 0), (-0.5, 0, 0, 0, 0)),
    ((0, 1), (0, 0.5, 0, 0, 0)),
    ((0, -1), (0, -0.5, 0, 0, 0)),
    ((2, 0), (0, 0, 0.25, 0, 0)),
    ((0, 2), (0, 0, 0, 0.25, 0)),
    ((0, 0), (0, 0, -0.5, -0.5, 0)),
    ((-2, 0), (0, 0, 0.25, 0, 0)),
    ((0, -2), (0, 0, 0, 0.25, 0)),
    ((1, 1), (0, 0, 0, 0, 0.25)),
    ((1, -1), (0, 0, 0, 0, -0.25)),
    ((-1, 1), (0, 0, 0, 0, -0.25)),
    ((-1, -1), (0, 0, 0, 0, 0.25)),
)
_X, _Y, _XX, _YY, _XY = range(5)


def append_decoding(content: bytes) -> bytes:
    """Put the decoding behind a network's heatmaps.

    Points and scores agree with `decode_heatmaps` but for the rounding of logarithms and smoothing, and for heatmaps
    that are not finite: there the host refuses, the graph answers anything.

    Args:
        content: a serialized network: one input, one output float32 [N, J, h, w], of which N alone is free.

    Returns:
        The serialized variant: the same input; output `points`, float32 [N, J, 3]: x, y in heatmap pixels, score.

    Raises:
        GraphError: not ONNX, or other inputs and outputs than said above.
    """
    source = open_source(content)
    size = _map_size(source)
    builder = GraphBuilder(source)
    (given,) = source.inputs
    builder.add("Identity", given.name, output=given.inner)
    builder.after_source()
    heatmaps = source.outputs[0].inner
    joints, height, width = size
    flat = _reshape(builder, heatmaps, [0, joints, height * width])
    best, scores = _maxima(builder, flat)
    steps = _newton_steps(builder, _log_values(builder, heatmaps, best, scores, size))
    whole = builder.add("Gather", builder.constant(_places(height, width)), best, axis=0)
    moved = builder.add("Add", _reshape(builder, whole, [0, joints, 2]), steps)
    builder.add("Concat", moved, scores, output="points", axis=2)
    dims = ["N" if size is None else size for size in given.shape]
    model = builder.build(
        [tensor_info(given.name, given.dtype, dims)],
        [tensor_info("points", TensorProto.FLOAT, ["N", joints, 3])],
        {"paddlex_triton.decoding": "points"},
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _map_size(source: SourceGraph) -> tuple[int, int, int]:
    """Joints, height and width of the heatmaps."""
    if len(source.inputs) != 1 or len(source.outputs) != 1:
        raise GraphError(f"the graph has {source.outside()}; one of each is expected")
    (heatmaps,) = source.outputs
    require_float("output", heatmaps)
    if len(heatmaps.shape) == 4 and heatmaps.shape[0] is None:
        _, joints, height, width = heatmaps.shape
        if joints and height and width:
            return joints, height, width
    raise GraphError(
        f"output {heatmaps.name!r} is {dims_text(heatmaps.shape)}; expected [N,J,h,w], of which N alone is left free"
    )


def _maxima(builder: GraphBuilder, flat: str) -> tuple[str, str]:
    """Of maps [N, J, h w]: where the maxima are, int64 [N, J, 1], 0 where they are not above zero; float32 values."""
    found = builder.add("ArgMax", flat, axis=2, keepdims=1)
    scores = builder.add("GatherElements", flat, found, axis=2)
    above = builder.add("Greater", scores, builder.constant(np.array(0, np.float32)))
    return builder.add("Mul", found, builder.add("Cast", above, to=TensorProto.INT64)), scores


def _log_values(builder: GraphBuilder, heatmaps: str, best: str, scores: str, size: tuple[int, int, int]) -> str:
    """Logarithms of the smoothed, rescaled maps around their maxima: float32 [N, J, places of the stencil].

    Near the border all places are the maximum itself, whence the derivatives vanish and there is no step.
    """
    joints, height, width = size
    inner = np.zeros((height, width), np.int64)
    inner[_BORDER:-_BORDER, _BORDER:-_BORDER] = 1
    offsets = np.array([y * width + x for (x, y), _ in _STENCIL], np.int64)
    reach = builder.add("Gather", builder.constant(inner.ravel()), best, axis=0)
    around = builder.add("Add", best, builder.add("Mul", reach, builder.constant(offsets)))
    kernel = np.tile(np.outer(_SMOOTHING, _SMOOTHING), (joints, 1, 1, 1))
    smooth = builder.add("Conv", heatmaps, builder.constant(kernel), group=joints, pads=[1, 1, 1, 1])
    smooth = _reshape(builder, smooth, [0, joints, height * width])
    tops = _reshape(builder, builder.reduce_max(smooth, 2), [0, joints, 1])
    values = builder.add("GatherElements", smooth, around, axis=2)
    scaled = builder.add("Mul", values, builder.add("Div", scores, tops))
    return builder.add("Log", builder.add("Max", scaled, builder.constant(_LEAST_VALUE)))


def _newton_steps(builder: GraphBuilder, values: str) -> str:
    """From the maxima to those of the quadratics around them: float32 [N, J, 2], x, y.

    Zero where the determinant is zero in float32, or a step is not finite. Beyond that the matrices are inverted in
    float64, as on the host.
    """
    weights = np.array([weights for _, weights in _STENCIL], np.float32)
    single = builder.add("MatMul", values, builder.constant(weights))
    double = builder.add("Cast", single, to=TensorProto.DOUBLE)
    across = _pick(builder, double, _XY, _XY)
    raised = builder.add("Mul", across, _pick(builder, double, _Y, _X))
    lowered = builder.add("Mul", _pick(builder, double, _YY, _XX), _pick(builder, double, _X, _Y))
    steps = builder.add("Div", builder.add("Sub", raised, lowered), _determinants(builder, double))
    steps = builder.add("Cast", steps, to=TensorProto.FLOAT)
    curved = builder.add("Cast", _determinants(builder, single), to=TensorProto.BOOL)
    finite = builder.add("Less", builder.add("Abs", steps), builder.constant(np.array(np.inf, np.float32)))
    usable = builder.add("And", curved, finite)
    return builder.add("Where", usable, steps, builder.constant(np.array(0, np.float32)))


def _determinants(builder: GraphBuilder, derivatives: str) -> str:
    """Of the second derivatives: [N, J, 1]."""
    across = _pick(builder, derivatives, _XY)
    product = builder.add("Mul", _pick(builder, derivatives, _XX), _pick(builder, derivatives, _YY))
    return builder.add("Sub", product, builder.add("Mul", across, across))


def _pick(builder: GraphBuilder, derivatives: str, *which: int) -> str:
    return builder.add("Gather", derivatives, builder.constant(np.array(which, np.int64)), axis=2)


def _reshape(builder: GraphBuilder, tensor: str, shape: list[int]) -> str:
    """Another shape, in which 0 means: as it is."""
    return builder.add("Reshape", tensor, builder.constant(np.array(shape, np.int64)))


def _places(height: int, width: int) -> np.ndarray:
    """x, y of each pixel of a map, row by row: float32 [h w, 2]."""
    y, x = np.mgrid[:height, :width]
    return np.stack((x, y), axis=-1).reshape(-1, 2).astype(np.float32)
