"""What a network family must tell the exporter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx

from paddlex_triton.export.graph.contract import SourceGraph
from paddlex_triton.export.inference_yml import InferenceSettings
from paddlex_triton.network import Family

Tensors = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One input to prove a network on: the exported network's own inputs."""

    name: str
    feeds: Tensors

    @property
    def batch(self) -> int:
        """Rows in it."""
        return len(self.feeds["x"])

    def row(self, index: int) -> Tensors:
        """One row as a batch of one."""
        return {name: values[index : index + 1] for name, values in self.feeds.items()}


class NetworkFamily(ABC):
    """One graph contract, and how a graph is brought to it and proved.

    Attributes:
        name: the family's name in network.json.
        max_batch_size: of the exported network.
        edit_tolerance: largest difference allowed between the source graph and the edited one on the same input.
            Measured: 0. The rest is room for processors with other kernels.
        runtime_tolerance: largest difference allowed between the source graph as it is written and the edited one as
            ONNX Runtime optimises it. Measured: 1.3e-4, the same as between an optimised and an unoptimised source;
            it is there to catch a broken kernel, not rounding.
        row_tolerance: largest difference allowed between a row in a batch and the same row alone. Measured: 0.
            Matrix products may be blocked by the number of rows, which changes the order of their sums.
    """

    name: ClassVar[Family]
    max_batch_size: ClassVar[int]
    edit_tolerance: ClassVar[float]
    runtime_tolerance: ClassVar[float] = 1e-3
    row_tolerance: ClassVar[float]

    def complete(self, settings: InferenceSettings, metadata: Mapping[str, str], origin: str) -> InferenceSettings:
        """Fill in what inference.yml left open from the ONNX file's own metadata.

        Args:
            settings: what inference.yml says.
            metadata: key -> value, as in the ONNX file.
            origin: what to call the weights in messages.

        Raises:
            InferenceFileError: something the family needs is in neither.
        """
        del metadata, origin
        return settings

    @abstractmethod
    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Make the network's graph.

        Raises:
            GraphError: the source's input or output is not of the kind the family takes.
        """

    @abstractmethod
    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Inputs to prove the network on: random, realistic, and the given images (uint8 [H,W,3], BGR)."""

    @abstractmethod
    def source_input(self, feeds: Tensors, settings: InferenceSettings) -> np.ndarray:
        """What PaddleX would feed the source graph for the same input, float32 [N,3,H,W]."""

    @abstractmethod
    def answer_of_source(self, output: np.ndarray) -> Tensors:
        """The source graph's output in the exported network's terms."""

    @abstractmethod
    def problem(self, feeds: Tensors, output: np.ndarray, settings: InferenceSettings) -> str | None:
        """What is wrong with the source's output for an input, None if it is of the family's form."""

    @abstractmethod
    def difference(self, wanted: Tensors, got: Tensors, source_output: np.ndarray, *, exact: bool) -> float:
        """How far two answers lie apart.

        Args:
            wanted: the answer to compare with.
            got: the answer in question.
            source_output: the source graph's output for the same input.
            exact: classes must be the same ones; otherwise another class counts by how much worse it scored.

        Returns:
            The largest absolute difference, infinite for other shapes or NaN.
        """

    def geometry(self, settings: InferenceSettings) -> dict[str, Any]:
        """`geometry` of network.json."""
        del settings
        return {}

    def characters(self, settings: InferenceSettings) -> list[str] | None:
        """`characters` of network.json."""
        del settings
        return None

    def config_values(self, settings: InferenceSettings) -> dict[str, str]:
        """Values for the family's own places in its config.pbtxt template."""
        del settings
        return {}


def max_difference(wanted: np.ndarray, got: np.ndarray) -> float:
    """Largest absolute difference of two arrays; infinite for other shapes or dtypes, or where one is NaN."""
    if wanted.shape != got.shape or wanted.dtype != got.dtype:
        return float("inf")
    if not wanted.size:
        return 0.0
    difference = float(np.max(np.abs(wanted.astype(np.float64) - got.astype(np.float64))))
    return difference if np.isfinite(difference) else float("inf")
