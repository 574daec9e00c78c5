"""ONNX files as they are written, run by ONNX Runtime without its optimisations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def run(model: onnx.ModelProto | Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a graph, or the one in the folder of an exported network: its outputs by name."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = model / "1" / "model.onnx" if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(value) for name, value in zip(names, session.run(names, feeds), strict=True)}
