"""The edits that families share: uint8 image in, normalised as PaddleX does; argmax or pixels out."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.inference_file.inference_settings import Normalization

# The highest level of a pixel.
WHITE = 255.0


def affine_constants(normalization: Normalization) -> tuple[np.ndarray, np.ndarray]:
    """Return `NormalizeImage` as x * alpha + beta.

    PaddleX computes alpha = scale / std and beta = -mean / std in float64 and applies them, rounded, to float32
    pixels. Any other form of the same formula differs in the last bits.

    Returns:
        alpha and beta, float32 [3], in the order the channels are fed.
    """
    std = np.asarray(normalization.std, np.float64)
    mean = np.asarray(normalization.mean, np.float64)
    return (normalization.scale / std).astype(np.float32), (-mean / std).astype(np.float32)


def feed_planar_float(builder: GraphBuilder, image: str, img_mode: str) -> str:
    """Turn uint8 [N,H,W,3] BGR into float32 [N,3,H,W], in the channel order the network was trained on.

    The transpose comes first: it then moves bytes, not floats.
    """
    planar = builder.add("Transpose", image, perm=[0, 3, 1, 2])
    if img_mode == "RGB":
        planar = builder.add("Gather", planar, builder.constant(np.array([2, 1, 0], np.int64)), axis=1)
    return builder.add("Cast", planar, to=TensorProto.FLOAT)


def normalize_affine(builder: GraphBuilder, planar: str, normalization: Normalization, output: str) -> str:
    """Normalise as for detectors: x * alpha + beta, per channel."""
    alpha, beta = (values.reshape(1, 3, 1, 1) for values in affine_constants(normalization))
    scaled = builder.add("Mul", planar, builder.constant(alpha))
    return builder.add("Add", scaled, builder.constant(beta), output=output)


def normalize_centered(builder: GraphBuilder, planar: str) -> str:
    """Normalise as for recognisers: / 255, - 0.5, / 0.5, each rounded to float32 as in PaddleX."""
    unit = builder.add("Div", planar, builder.constant(np.array(255.0, np.float32)))
    centered = builder.add("Sub", unit, builder.constant(np.array(0.5, np.float32)))
    return builder.add("Div", centered, builder.constant(np.array(0.5, np.float32)))


def normalize_unit(builder: GraphBuilder, planar: str, output: str) -> str:
    """Normalise as for unwarping: * (1 / 255), which is not the same as / 255 in the last bit."""
    return builder.add("Mul", planar, builder.constant(np.array(1 / WHITE, np.float32)), output=output)


def pixels_of_unit(builder: GraphBuilder, planar: str, output: str) -> str:
    """Turn float32 [N,3,H,W], 1 is white, into uint8 [N,H,W,3]: cut towards 0, modulo 256 as numpy does it.

    A cast from float to uint8 does what it likes with numbers outside 0 to 255; from int32 it drops the upper bits.
    """
    levels = builder.add("Mul", planar, builder.constant(np.array(WHITE, np.float32)))
    whole = builder.add("Cast", levels, to=TensorProto.INT32)
    pixels = builder.add("Cast", whole, to=TensorProto.UINT8)
    return builder.add("Transpose", pixels, perm=[0, 2, 3, 1], output=output)


def zero_beyond_widths(builder: GraphBuilder, planar: str, widths: str, output: str) -> str:
    """Set the columns at and right of each row's width to 0.

    PaddleX pads with 0 after normalising, which is the grey 127.5: no uint8 stands for it.

    Args:
        builder: takes the nodes.
        planar: float32 [N,3,H,W].
        widths: int32 [N,1].
        output: name of the result.
    """
    shape = builder.add("Shape", planar)
    width = builder.add("Gather", shape, builder.constant(np.array(3, np.int64)), axis=0)
    start, step = (builder.constant(np.array(value, np.int64)) for value in (0, 1))
    columns = builder.add("Range", start, width, step)
    # 0 in the shape given to Reshape means: as it is.
    limits = builder.add("Reshape", widths, builder.constant(np.array([0, 1, 1, 1], np.int64)))
    limits = builder.add("Cast", limits, to=TensorProto.INT64)
    inside = builder.add("Less", columns, limits)
    return builder.add("Where", inside, planar, builder.constant(np.array(0.0, np.float32)), output=output)


def greedy_classes(builder: GraphBuilder, scores: str, indices: str, probs: str) -> None:
    """Reduce float32 [N,T,C] to the best class (int32 [N,T], the first of equals) and its score [N,T]."""
    best = builder.add("ArgMax", scores, axis=2, keepdims=0)
    builder.add("Cast", best, output=indices, to=TensorProto.INT32)
    builder.reduce_max(scores, 2, output=probs)
