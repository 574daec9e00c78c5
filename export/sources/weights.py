"""Weights as every source gives them: an ONNX file in memory and its inference.yml."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.paddle.conversion_report import ConversionReport


@dataclass(frozen=True)
class Weights:
    """A network as it came, before any edit.

    Attributes:
        model: the serialized ONNX model, weights inside.
        settings: what inference.yml says, or the zoo in its place.
        label: the source, e.g. `wheel:rapidocr-onnxruntime==1.4.4` or `dir:<folder name>`.
        file: name of the ONNX file, or of the graph that was converted.
        sha256: of the ONNX file, or of what was converted: see `PaddleModel.sha256`.
        converters: tool -> version, for sources that convert.
        conversion: what converting did and how it was proved, for sources that convert.
        url: where it was fetched from, nothing for what was there.
        url_sha256: of what came from there: of an archive, of an ONNX file, or of a list of files and their SHA-256.
    """

    model: bytes
    settings: InferenceSettings
    label: str
    file: str
    sha256: str
    converters: dict[str, str] = field(default_factory=dict)
    conversion: ConversionReport | None = None
    url: str | None = None
    url_sha256: str | None = None


class Source(Protocol):
    """One place weights can be had from."""

    @property
    def label(self) -> str:
        """The source in one word, as network.json records it."""
        ...

    def fetch(self) -> Weights:
        """Get the weights.

        Raises:
            SourceError: they cannot be had, or are not the ones expected.
            InferenceFileError: their inference.yml cannot be read.
        """
        ...
