"""A tiny keypoint network with the structure that Paddle2ONNX gives TinyPose, and its inference.yml."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, parser

HEIGHT, WIDTH = 64, 48
JOINTS = 17
_CHANNELS = 8
_MAP_HEIGHT, _MAP_WIDTH = HEIGHT // 4, WIDTH // 4

# Lite-HRNet in small: a shuffle of channels, a branch of half the resolution brought back, a map per joint; and the
# places of the maxima, which nobody reads.
_BODY = """
  c1 = Conv <kernel_shape = [3, 3], strides = [4, 4], pads = [1, 1, 0, 0]> (image, w1)
  f = Relu (c1)
  grouped = Reshape (f, group_shape)
  swapped = Transpose <perm = [0, 2, 1, 3, 4]> (grouped)
  shuffled = Reshape (swapped, shuffle_shape)
  half = Conv <kernel_shape = [1, 1], strides = [2, 2]> (shuffled, w2)
  full = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> ({resize})
  both = Add (shuffled, full)
  raw = Conv <kernel_shape = [1, 1]> (both, w3)
  maps = Sigmoid (raw)
  flat = Reshape (raw, flat_shape)
  places = ArgMax <axis = 2, keepdims = 0> (flat)
"""


def tiny_pose(
    *, batch: int | str = "N", opset: int = 11, joints: int = JOINTS, size: tuple[int, int] = (HEIGHT, WIDTH)
) -> onnx.ModelProto:
    """A TinyPose.

    Args:
        batch: of the declared input. With a number all sizes inside are fixed, as a converter folds them.
        opset: of ONNX's operators.
        joints: how many maps there are.
        size: height and width that the image is declared with.
    """
    rng = np.random.default_rng(9)
    fixed = batch if isinstance(batch, int) else 0
    floats = {
        "w1": rng.normal(size=(_CHANNELS, 3, 3, 3)) * 0.3,
        "w2": rng.normal(size=(_CHANNELS, _CHANNELS, 1, 1)) * 0.3,
        "w3": rng.normal(size=(joints, _CHANNELS, 1, 1)) * 0.3,
        "none": [],
        "scales": [1, 1, 2, 2],
    }
    integers = {
        "group_shape": [fixed, 2, _CHANNELS // 2, _MAP_HEIGHT, _MAP_WIDTH],
        "shuffle_shape": [fixed, _CHANNELS, _MAP_HEIGHT, _MAP_WIDTH],
        "flat_shape": [fixed, joints, -1],
        "sizes": [fixed, _CHANNELS, _MAP_HEIGHT, _MAP_WIDTH],
    }
    head = (
        f"(float[{batch},3,{size[0]},{size[1]}] image) => "
        f"(int64[{batch},{joints}] places, float[{batch},{joints},{_MAP_HEIGHT},{_MAP_WIDTH}] maps)"
    )
    body = _BODY.format(resize="half, none, none, sizes" if fixed else "half, none, scales")
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> tiny {head} {{{body}}}')
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, dtype), name)
        for values, dtype in ((floats, np.float32), (integers, np.int64))
        for name, value in values.items()
        if name in used
    )
    onnx.checker.check_model(model)
    return model


def keypoint_yml(name: str = "tiny_pose", arch: str | None = "HRNet") -> dict[str, Any]:
    """An inference.yml as PaddleDetection writes it; without an architecture as stand-ins have it."""
    yml: dict[str, Any] = {
        "mode": "paddle",
        "draw_threshold": 0.5,
        "metric": "KeyPointTopDownCOCOEval",
        "use_dynamic_shape": False,
        "Global": {"model_name": name},
        "min_subgraph_size": 3,
        "Preprocess": [
            {"type": "TopDownEvalAffine", "trainsize": [WIDTH, HEIGHT]},
            {"type": "NormalizeImage", "is_scale": True, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
            {"type": "Permute"},
        ],
        "label_list": ["keypoint"],
    }
    return yml | ({"arch": arch} if arch else {})
