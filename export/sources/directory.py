"""A folder with an ONNX file or a PaddlePaddle model, and PaddleX's inference.yml: people's own weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from paddlex_triton.checksums import sha256_of
from paddlex_triton.export.errors import GraphError, SourceError, UsageError
from paddlex_triton.export.inference_file.inference_settings import FILE_NAME, InferenceSettings, read_inference_yml
from paddlex_triton.export.paddle.convert import convert_folder
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.own_weights import LOCAL, PaddleModel, WeightsError, find_weights


def _silent(message: str) -> None:
    del message


class DirectorySource:
    """Weights in a local folder.

    Args:
        folder: holds `inference.onnx` or `model.onnx`, or `inference.json` or `inference.pdmodel` with
            `inference.pdiparams`; and, usually, `inference.yml`.
        progress: told what a conversion is doing, one short phrase at a time.
    """

    def __init__(self, folder: Path, progress: Callable[[str], None] = _silent) -> None:
        self.folder = folder
        self.progress = progress

    @property
    def label(self) -> str:
        """`dir:` and the folder's name, not its path: network.json must not tell where users keep things."""
        return f"{LOCAL}{self.folder.resolve().name}"

    def fetch(self) -> Weights:
        """Read the folder, and convert a PaddlePaddle model (once: conversions are kept).

        Raises:
            UsageError: it is no folder, or holds no model or two ONNX files.
            SourceError: the ONNX file cannot be read.
            ConversionError: the PaddlePaddle model cannot be turned into an ONNX file that answers as it does.
            InferenceFileError: its inference.yml cannot be read.
        """
        try:
            chosen = find_weights(self.folder)
        except WeightsError as error:
            raise UsageError(str(error)) from None
        settings_file = self.folder / FILE_NAME
        settings = read_inference_yml(settings_file) if settings_file.is_file() else InferenceSettings()
        if isinstance(chosen, PaddleModel):
            return self._converted(chosen, settings)
        try:
            content = chosen.read_bytes()
        except OSError as error:
            raise SourceError(f"{chosen} cannot be read: {error.strerror}") from error
        return Weights(_with_weights_inside(chosen, content), settings, self.label, chosen.name, sha256_of(content))

    def _converted(self, model: PaddleModel, settings: InferenceSettings) -> Weights:
        converted = convert_folder(self.folder, progress=self.progress)
        return Weights(
            converted.model,
            settings,
            self.label,
            model.graph.name,
            # Of the model's own files: what the converter writes may change with its version.
            converted.report.source_sha256,
            converters=converted.converters,
            conversion=converted.report,
        )


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
