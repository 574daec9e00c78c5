"""A folder with an ONNX file and PaddleX's inference.yml: people's own weights."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from paddlex_triton.export.errors import GraphError, SourceError, UsageError
from paddlex_triton.export.inference_yml import FILE_NAME, InferenceSettings, read_inference_yml
from paddlex_triton.export.sources.base import Weights, sha256_of

MODEL_FILES = ("inference.onnx", "model.onnx")


class DirectorySource:
    """Weights in a local folder.

    Args:
        folder: holds `inference.onnx` or `model.onnx` and, usually, `inference.yml`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def label(self) -> str:
        """`dir:` and the folder's name, not its path: network.json must not tell where users keep things."""
        return f"dir:{self.folder.resolve().name}"

    def fetch(self) -> Weights:
        """Read the folder.

        Raises:
            UsageError: it is no folder, or holds no ONNX file or two of them.
            SourceError: the ONNX file cannot be read.
            InferenceFileError: its inference.yml cannot be read.
        """
        path = self._model_file()
        settings_file = self.folder / FILE_NAME
        settings = read_inference_yml(settings_file) if settings_file.is_file() else InferenceSettings()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from error
        return Weights(_with_weights_inside(path, content), settings, self.label, path.name, sha256_of(content))

    def _model_file(self) -> Path:
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is not a folder")
        found = [self.folder / name for name in MODEL_FILES if (self.folder / name).is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{self.folder} holds both {' and '.join(MODEL_FILES)}; keep the one to export")
        if (self.folder / "inference.pdiparams").is_file():
            raise UsageError(
                f"{self.folder} holds a PaddlePaddle model and no ONNX file; convert it with paddle2onnx to "
                f"{MODEL_FILES[0]} in the same folder first"
            )
        raise UsageError(f"{self.folder} holds no {' or '.join(MODEL_FILES)}")


def _with_weights_inside(path: Path, content: bytes) -> bytes:
    """Pull external weight files into the model, so that one file is the whole network."""
    try:
        model = onnx.load_from_string(content)
    except DecodeError as error:
        raise GraphError(f"{path} is not an ONNX file: {error}") from error
    if not any(tensor.external_data for tensor in model.graph.initializer):
        return content
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, onnx.checker.ValidationError) as error:
        raise SourceError(f"the external weights of {path} cannot be read: {error}") from error
    return model.SerializeToString(deterministic=True)
