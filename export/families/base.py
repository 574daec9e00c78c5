"""The base class of network families: the facts the exporter needs of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx

from paddlex_triton.export.graph.contract import SourceGraph
from paddlex_triton.export.graph.edits import affine_constants
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.network import FAMILY_OUTPUTS, Family

Tensors = Mapping[str, np.ndarray]
# A graph: its inputs by name to its outputs by name.
Run = Callable[[Tensors], dict[str, np.ndarray]]


class FormError(Exception):
    """A source's answer is not of the family's form; the message says what it is and what is expected."""


@dataclass(frozen=True)
class Case:
    """One input to prove a network on: the exported network's own inputs, and what its source needs besides."""

    name: str
    feeds: Tensors

    @property
    def batch(self) -> int:
        """Rows in it."""
        return len(self.feeds["x"])

    def row(self, index: int) -> Tensors:
        """Return one row as a batch of one."""
        return {name: values[index : index + 1] for name, values in self.feeds.items()}


class NetworkFamily(ABC):
    """One graph contract, and how a graph is brought to it and proved.

    Attributes:
        name: the family's name in network.json.
        max_batch_size: of the exported network; 0 for one that takes a single page at a time.
        edit_tolerance: largest difference allowed between the source graph and the edited one, both run as they are
            written on the same rows: what an edit changes shows here. Measured: 0 for all families. The rest is room
            for processors with other kernels.
        rounding_floor: what may always lie between two ways to compute the same, an optimised graph or rows in a
            batch: as much as the scores that are promised to be PaddleX's.
        rounding_bound: what never may, however much rounding moves the source itself, see `verify`. Scores are read,
            and thresholds set, with two digits: 0.02 changes what people see. Measured: 6e-3 (PP-OCRv5_server_rec,
            optimised). A kernel that computes something else is off by the whole range of an answer.
    """

    name: ClassVar[Family]
    max_batch_size: ClassVar[int]
    fixed_rows: ClassVar[bool] = False
    edit_tolerance: ClassVar[float] = 1e-6
    rounding_floor: ClassVar[float] = 1e-4
    rounding_bound: ClassVar[float] = 0.02

    def complete(self, settings: InferenceSettings, source: onnx.ModelProto, origin: str) -> InferenceSettings:
        """Fill in what inference.yml left open from the ONNX file.

        Args:
            settings: what inference.yml says.
            source: the ONNX file.
            origin: what to call the weights in messages.

        Raises:
            InferenceFileError: something the family needs is in neither.
        """
        del source, origin
        return settings

    @abstractmethod
    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Make the network's graph.

        Raises:
            GraphError: the source's input or output is not of the kind the family takes.
        """

    @abstractmethod
    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Yield inputs to prove the network on: random, realistic, and the given images (uint8 [H,W,3], BGR)."""

    @abstractmethod
    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the source's answer to an input, in the network's terms.

        Args:
            run: the source, or what `probe` made of it.
            feeds: the network's input.
            settings: what inference.yml says.
            source: the source graph.

        Returns:
            The network's outputs, and what else `difference` compares by. The first axis of all is the batch.

        Raises:
            FormError: the source's output is not of the family's form.
        """

    @abstractmethod
    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return how far two answers lie apart.

        Args:
            wanted: the answer to compare with, and what else `answer_of_source` gave for the same input.
            got: the answer in question.
            feeds: the input of both.
            settings: what inference.yml says.
            exact: both graphs ran as they are written, and what they choose (a class, a row) must be the same;
                otherwise the roundings of an optimised graph may tip a choice, which counts as how close it was.

        Returns:
            The largest absolute difference, infinite for other shapes or NaN.
        """

    def distinct(self, first: Tensors, second: Tensors) -> float:
        """Return how far the network's answers to two inputs of the same shape lie apart; infinite for other shapes."""
        return max(max_difference(first[name], second[name]) for name in FAMILY_OUTPUTS[self.name])

    def takes_one(self, source: SourceGraph) -> bool:
        """Return whether the source answers one row at a time."""
        return any(tensor.shape[:1] == (1,) for tensor in source.inputs)

    def host_difference(self, source: SourceGraph, settings: InferenceSettings, answer: Tensors) -> float:
        """Return how far the host's arithmetic lies from the part of the source that it takes the place of.

        Args:
            source: the source graph.
            settings: what inference.yml says.
            answer: of the source, see `answer_of_source`.

        Raises:
            FormError: that part does not answer in the family's form.
        """
        del source, settings, answer
        return 0.0

    def probe(self, source: SourceGraph) -> bytes:
        """Return the source as the proof runs it: as it came, and inner tensors that are compared shown as outputs."""
        return source.content

    def keeps_layout(self, source: SourceGraph) -> bool:
        """Return whether the graph is served in the layout it has: others add numbers up in another order."""
        del source
        return False

    def advice(self, source: SourceGraph) -> str | None:
        """Return what to try with a source that this family refuses."""
        del source
        return None

    def geometry(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return `geometry` of network.json."""
        del settings
        return {}

    def characters(self, settings: InferenceSettings) -> list[str] | None:
        """Return `characters` of network.json."""
        del settings
        return None

    def labels(self, settings: InferenceSettings) -> list[str] | None:
        """Return `labels` of network.json."""
        del settings
        return None

    def postprocess(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return `postprocess` of network.json."""
        return settings.postprocess

    def config_values(self, settings: InferenceSettings, output_dims: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """Return the values for the family's own places in its config.pbtxt template.

        Args:
            settings: of the source.
            output_dims: output -> dimensions of a row as they were seen, -1 where they differ.
        """
        del settings, output_dims
        return {}


def row_by_row(answer: Callable[[Tensors], dict[str, np.ndarray]], feeds: Tensors) -> dict[str, np.ndarray]:
    """Return the answer to a batch of a source that takes one row.

    Args:
        answer: of the source to a batch of one, the batch axis first.
        feeds: the batch.
    """
    found = [answer({name: values[row : row + 1] for name, values in feeds.items()}) for row in range(len(feeds["x"]))]
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def normalized_planar(image: np.ndarray, settings: InferenceSettings) -> np.ndarray:
    """Return PaddleX's NormalizeImage and ToCHWImage of uint8 [N,H,W,3] BGR: float32 [N,3,H,W]."""
    pixels = image if settings.img_mode == "BGR" else image[..., ::-1]
    alpha, beta = affine_constants(settings.normalization)
    normalized = pixels.astype(np.float32)
    normalized *= alpha
    normalized += beta
    return np.ascontiguousarray(normalized.transpose(0, 3, 1, 2))


def max_difference(wanted: np.ndarray, got: np.ndarray) -> float:
    """Return the largest difference of two arrays; infinite for other shapes or dtypes, or where one is NaN."""
    if wanted.shape != got.shape or wanted.dtype != got.dtype:
        return float("inf")
    if not wanted.size:
        return 0.0
    difference = float(np.max(np.abs(wanted.astype(np.float64) - got.astype(np.float64))))
    return difference if np.isfinite(difference) else float("inf")
