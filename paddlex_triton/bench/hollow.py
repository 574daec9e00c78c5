"""Networks of text pipelines that cost nothing: the same inputs and outputs, answered with what was computed before.

A detector answers with its map of one page; a recogniser with the same made-up line for every row. What the server
then costs, it costs beside the networks.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from paddlex_triton.checksums import sha256_of_file
from paddlex_triton.limits import MAX_RECOGNITION_WIDTH
from paddlex_triton.network import FILE_NAME, NetworkInfo

# A character at every third step, about as many as there are on a printed line.
_STEPS_PER_CHARACTER = 3
_PIXELS_PER_STEP = 8
_OPSET, _IR_VERSION = 13, 9


def can_be_hollow(info: NetworkInfo) -> bool:
    """Tell whether a network finds or reads text, and nothing else."""
    return info.family in ("db_detection", "ctc_recognition")


def make_hollow(network: Path, folder: Path, page: np.ndarray) -> None:
    """Copy an exported network and empty the copy.

    Args:
        network: its folder.
        folder: where the copy is made, under the same name.
        page: uint8 [h, w, 3], what a detector will be asked about, in the size that it is given.

    Raises:
        ValueError: it is of a family that text pipelines do not need.
    """
    info = NetworkInfo.load(network / FILE_NAME)
    copy = folder / network.name
    shutil.copytree(network, copy)
    model = copy / "1" / "model.onnx"
    if info.family == "db_detection":
        session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        graph = _detector(np.asarray(session.run(["prob"], {"x": page[None]})[0]))
    elif info.family == "ctc_recognition":
        graph = _recogniser(info.geometry["image_shape"][1], len(info.characters or []))
    else:
        raise ValueError(
            f"{network.name} is of the family {info.family}; there are hollow ones of text pipelines alone"
        )
    emptied = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(emptied)
    model.unlink()
    onnx.save(emptied, model)
    described = info.model_copy(update={"sha256": sha256_of_file(model)})
    (copy / FILE_NAME).write_text(described.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _detector(prob: np.ndarray) -> onnx.GraphProto:
    """Return `prob` [1, h, w] for `x` [1, h, w, 3]: the map of one page."""
    return helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Gather", ["shape", "places"], ["wanted"]),
            helper.make_node("Reshape", ["map", "wanted"], ["prob"]),
        ],
        "hollow_detector",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("prob", TensorProto.FLOAT, ["n", "h", "w"])],
        [numpy_helper.from_array(prob.reshape(-1), "map"), numpy_helper.from_array(np.array([0, 1, 2]), "places")],
    )


def _recogniser(height: int, classes: int) -> onnx.GraphProto:
    """Return `indices` and `probs` [n, w / 8] for `x` [n, height, w, 3]: rows cut off from one long line."""
    steps = np.arange(MAX_RECOGNITION_WIDTH // _PIXELS_PER_STEP + 1)
    line = np.where(steps % _STEPS_PER_CHARACTER == 1, steps % (classes - 1) + 1, 0).astype(np.int32)
    constants = {
        "line": line[None],
        "certainty": np.full((1, len(steps)), 0.9, np.float32),
        "zero": np.array([0]),
        "rows_at": np.array([0]),
        "width_at": np.array([2]),
        "pixels_per_step": np.array([_PIXELS_PER_STEP]),
        "along": np.array([1]),
    }
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "rows_at"], ["rows"]),
        helper.make_node("Gather", ["shape", "width_at"], ["width"]),
        helper.make_node("Div", ["width", "pixels_per_step"], ["steps"]),
        helper.make_node("Concat", ["rows", "steps"], ["wanted"], axis=0),
    ]
    for source, output in (("line", "indices"), ("certainty", "probs")):
        nodes += [
            helper.make_node("Slice", [source, "zero", "steps", "along"], [f"{output}_row"]),
            helper.make_node("Expand", [f"{output}_row", "wanted"], [output]),
        ]
    return helper.make_graph(
        nodes,
        "hollow_recogniser",
        [
            helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", height, "w", 3]),
            helper.make_tensor_value_info("widths", TensorProto.INT32, ["n", 1]),
        ],
        [
            helper.make_tensor_value_info("indices", TensorProto.INT32, ["n", "t"]),
            helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["n", "t"]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
