"""What every source gives: an ONNX file in memory and what its inference.yml says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Protocol

from paddlex_triton.export.inference_yml import InferenceSettings


@dataclass(frozen=True)
class Weights:
    """A network as it came, before any edit.

    Attributes:
        model: the serialized ONNX model, weights inside.
        settings: what inference.yml says, or the zoo in its place.
        label: the source, e.g. `wheel:rapidocr-onnxruntime==1.4.4` or `dir:<folder name>`.
        file: name of the ONNX file.
        sha256: of the ONNX file.
        converters: tool -> version, for sources that convert.
    """

    model: bytes
    settings: InferenceSettings
    label: str
    file: str
    sha256: str
    converters: dict[str, str] = field(default_factory=dict)


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


def sha256_of(content: bytes) -> str:
    """SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
