"""Damage to exported graphs, which a proof has to find."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper

Damage = Callable[[onnx.ModelProto], None]


def change_weights(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    """Replace the initializer of this name by what `change` makes of it."""

    def damage(model: onnx.ModelProto) -> None:
        (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
        tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), name))

    return damage


def leave_bgr(model: onnx.ModelProto) -> None:
    """Do not bring the channels into the source's order."""
    (gather,) = [node for node in model.graph.node if node.name.startswith("paddlex_triton/Gather_1")]
    change_weights(gather.input[1], lambda order: order[::-1].copy())(model)
