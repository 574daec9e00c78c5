"""Which of a folder's files are the weights that people mean. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from paddlex_triton.export.errors import UsageError
from paddlex_triton.export.paddle.model import GRAPH_FILES, PARAMETERS_FILE, PaddleModel, find_model
from paddlex_triton.export.sources.base import sha256_of_file

MODEL_FILES = ("inference.onnx", "model.onnx")


def find_weights(folder: Path) -> Path | PaddleModel:
    """The ONNX file or the PaddlePaddle model to export.

    Where a folder holds both, the newer one is taken, the ONNX file where they are of the same age: whoever trains
    again into a folder means the weights of today, not a conversion of yesterday's.

    Raises:
        UsageError: it is no folder, or holds no model or two ONNX files.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    files = [folder / name for name in MODEL_FILES if (folder / name).is_file()]
    model = find_model(folder)
    if len(files) > 1:
        raise UsageError(f"{folder} holds both {' and '.join(MODEL_FILES)}; keep the one to export")
    if files and (model is None or files[0].stat().st_mtime >= model.changed):
        return files[0]
    if model is not None:
        return model
    if (folder / PARAMETERS_FILE).is_file():
        raise UsageError(
            f"{folder} holds {PARAMETERS_FILE} and neither {' nor '.join(GRAPH_FILES)}: half of a PaddlePaddle model"
        )
    raise UsageError(
        f"{folder} holds no {' or '.join(MODEL_FILES)}, and no PaddlePaddle model ({' or '.join(GRAPH_FILES)} "
        f"with {PARAMETERS_FILE})"
    )


def weights_sha256(folder: Path) -> str:
    """The SHA-256 by which network.json knows the weights in a folder.

    Raises:
        UsageError: see `find_weights`.
        OSError: a file cannot be read.
    """
    found = find_weights(folder)
    return found.sha256() if isinstance(found, PaddleModel) else sha256_of_file(found)
