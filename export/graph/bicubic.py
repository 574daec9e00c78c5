"""Pillow's bicubic resize of 8-bit pictures as a graph, bit for bit.

ONNX's own Resize with `antialias` computes its weights in float32: of a picture of 350,000 pixels a hundred come out
one level off, and a fifth of the numbers that UVDoc answers then round to others. Pillow computes weights in float64,
rounds them to 22 bits behind the point, and brings pixels to whole levels after each of its two passes. Such whole
numbers are exact in float64, in whatever order they are added up. So a pass is a product of matrices here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.edits import WHITE

# Bits of a weight behind the point, in Pillow.
_PRECISION = 22
# Of the cubic; its reach is 2 pixels, of the result where that is the smaller picture.
_A, _REACH = -0.5, 2.0


def resize_bicubic(builder: GraphBuilder, planar: str, height: int, width: int, channels: Sequence[int]) -> str:
    """Resize uint8 [N,C,H,W] to whole levels float64 [N,len(channels),height,width], as Pillow 10 does.

    That is first across, then down. Later releases of Pillow go down first where that is less work, which gives other
    levels.

    Args:
        builder: takes the nodes.
        planar: the picture.
        height: of the result.
        width: of the result.
        channels: those of the picture that are wanted, in the order of the result.
    """
    sizes = builder.add("Cast", builder.add("Shape", planar), to=TensorProto.DOUBLE)
    down, across = (builder.add("Gather", sizes, builder.constant(np.array(axis, np.int64))) for axis in (2, 3))
    columns, narrow = _weights(builder, across, width, axis=0), []
    # One after the other: all channels of a large page take gigabytes in float64.
    for channel in channels:
        plane = builder.add("Gather", planar, builder.constant(np.array([channel], np.int64)), axis=1)
        plane = builder.add("Cast", plane, to=TensorProto.DOUBLE)
        narrow.append(_whole_levels(builder, builder.add("MatMul", plane, columns)))
    rows = _weights(builder, down, height, axis=1)
    return _whole_levels(builder, builder.add("MatMul", rows, builder.add("Concat", *narrow, axis=1)))


def _weights(builder: GraphBuilder, length: str, size: int, axis: int) -> str:
    """Return what each pixel of a side adds to each of the resized one, in 2^-22: whole numbers, float64.

    Args:
        builder: takes the nodes.
        length: of the side, float64 [].
        size: of the resized one.
        axis: the side's: 0 gives [length, size], 1 gives [size, length].
    """
    one = _number(builder, 1)
    scale = builder.add("Div", length, _number(builder, size))
    shrinks = builder.add("Max", scale, one)
    centres = builder.add("Mul", builder.constant(np.expand_dims(np.arange(size) + 0.5, axis)), scale)
    places = builder.add("Range", _number(builder, 0), length, one)
    places = builder.add("Unsqueeze", places, builder.constant(np.array([1 - axis], np.int64)))
    apart = builder.add("Add", builder.add("Sub", places, centres), _number(builder, 0.5))
    apart = builder.add("Abs", builder.add("Mul", apart, builder.add("Div", one, shrinks)))
    weights = _cubic(builder, builder.add("Min", apart, _number(builder, _REACH)))
    total = builder.add("ReduceSum", weights, builder.constant(np.array([axis], np.int64)), keepdims=1)
    share = builder.add("Div", weights, total)
    return builder.add("Round", builder.add("Mul", share, _number(builder, 2**_PRECISION)))


def _cubic(builder: GraphBuilder, apart: str) -> str:
    """Evaluate Keys' cubic at distances of 0 to 2, in Pillow's order of operations."""

    def step(value: str, op: str, number: float) -> str:
        return builder.add(op, value, _number(builder, number))

    near = step(step(apart, "Mul", _A + 2), "Sub", _A + 3)
    near = step(builder.add("Mul", builder.add("Mul", near, apart), apart), "Add", 1)
    far = step(builder.add("Mul", step(apart, "Sub", 5), apart), "Add", 8)
    far = step(step(builder.add("Mul", far, apart), "Sub", 4), "Mul", _A)
    return builder.add("Where", builder.add("Less", apart, _number(builder, 1)), near, far)


def _whole_levels(builder: GraphBuilder, sums: str) -> str:
    """Round sums of levels times weights to the nearest whole levels from 0 to 255, the higher one of two."""
    half = builder.add("Add", sums, _number(builder, 2 ** (_PRECISION - 1)))
    levels = builder.add("Floor", builder.add("Div", half, _number(builder, 2**_PRECISION)))
    return builder.add("Clip", levels, _number(builder, 0), _number(builder, WHITE))


def _number(builder: GraphBuilder, value: float) -> str:
    return builder.constant(np.array(value, np.float64))
