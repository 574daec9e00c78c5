"""Sessions of ONNX Runtime, as an export runs graphs: on the CPU, and silent."""

from __future__ import annotations

import onnxruntime

# A graph as it is written, as it is served, and as it is served in the layout it has: the highest level alone lays
# graphs out anew.
AS_WRITTEN = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
OPTIMISED = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
KEEPING_LAYOUT = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED


def open_session(
    content: bytes, level: onnxruntime.GraphOptimizationLevel = AS_WRITTEN
) -> onnxruntime.InferenceSession:
    """Load a graph.

    Args:
        content: the serialized model, weights inside.
        level: how far it is optimised.

    Raises:
        Exception: it does not load; ONNX Runtime has a type of its own for every cause.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    # Errors only: old graphs draw pages of warnings about unused weights.
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
