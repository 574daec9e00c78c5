"""Inputs to compare PaddlePaddle and ONNX on: noise and pictures, in the sizes that inference.yml or the graph says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from paddlex_triton.export.errors import ConversionError
from paddlex_triton.export.families.base import normalized_planar
from paddlex_triton.export.families.detector import rows_and_count
from paddlex_triton.export.graph.contract import SourceGraph, SourceTensor, dims_text
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings, Normalization
from paddlex_triton.proof_pictures import noise, person, seal_page, text_line

# Height and width where neither inference.yml nor the graph says one: multiples of 32, as detectors want them.
_PAGE_SIZES = ((320, 416), (640, 480))
# Widths of a recogniser's lines, pixels.
_LINE_WIDTHS = (320, 480)
# Network height / page height, network width / page width.
_SCALE_FACTOR = (0.8, 0.625)
# Rows of a batch, where the graph takes any number.
_ROWS = 3


@dataclass(frozen=True)
class ProofInput:
    """One input of a model: name of the tensor -> its values."""

    name: str
    feeds: dict[str, np.ndarray]


def proof_inputs(source: SourceGraph, settings: InferenceSettings) -> list[ProofInput]:
    """Return noise alone, noise as a batch where the graph takes one, and a picture of the network's kind.

    Args:
        source: the converted graph: it names the inputs and their dimensions, free ones as None.
        settings: what inference.yml says.

    Raises:
        ConversionError: an input is neither an image nor one of those that tell a detector sizes.
    """
    image = _image_of(source)
    # A graph that chooses boxes itself takes one page, whatever it declares.
    rows = image.shape[0] or (_ROWS if rows_and_count(source) is None else 1)
    single = image.shape[0] or 1
    first, second = (_size_of(image, settings, index) for index in (0, 1))
    pictures = [
        ("noise", np.stack([noise(row, *first, 3) for row in range(single)])),
        ("noise", np.stack([noise(10 + row, *first, 3) for row in range(rows)])),
        ("picture", np.stack([_picture(row, second, settings) for row in range(single)])),
    ]
    return [ProofInput(name, _feeds(source, image, picture, settings)) for name, picture in pictures]


def _image_of(source: SourceGraph) -> SourceTensor:
    images = [tensor for tensor in source.inputs if len(tensor.shape) == 4 and tensor.shape[1] in (3, None)]
    others = [tensor for tensor in source.inputs if tensor not in images]
    known = all(tensor.name in ("scale_factor", "im_shape") and tensor.shape[1:] == (2,) for tensor in others)
    floats = all(tensor.dtype == TensorProto.FLOAT for tensor in source.inputs)
    if len(images) != 1 or not known or not floats:
        listed = ", ".join(f"{tensor.name} {dims_text(tensor.shape)}" for tensor in source.inputs)
        raise ConversionError(
            f"the model's inputs are {listed or 'none'}; one float32 image [N,3,H,W], and scale_factor and im_shape "
            "[N,2] beside it, are those of the networks served"
        )
    return images[0]


def _size_of(image: SourceTensor, settings: InferenceSettings, index: int) -> tuple[int, int]:
    """Return height and width of a picture: of the graph, else of inference.yml, else a usual one."""
    height, width = image.shape[2:]
    told = settings.detection or settings.keypoint or settings.classification
    if told is not None:
        usual = told.target_size
    elif _is_line(image, settings):
        usual = (settings.image_shape[1], _LINE_WIDTHS[index])
    else:
        usual = _PAGE_SIZES[index]
    return height or usual[0], width or usual[1]


def _is_line(image: SourceTensor, settings: InferenceSettings) -> bool:
    height, width = image.shape[2:]
    return settings.family == "ctc_recognition" or (height is not None and width is None)


def _picture(seed: int, size: tuple[int, int], settings: InferenceSettings) -> np.ndarray:
    """Draw a person, a line of text or a page with seals, uint8 [H,W,3], BGR."""
    height, width = size
    if settings.keypoint is not None:
        return person(seed, height, width)
    return text_line(seed, height, width) if width > 3 * height else seal_page(seed, height, width)


def _feeds(
    source: SourceGraph, image: SourceTensor, pictures: np.ndarray, settings: InferenceSettings
) -> dict[str, np.ndarray]:
    if settings.family == "ctc_recognition":
        # What PaddleX normalises lines with, whatever inference.yml says.
        half = (0.5, 0.5, 0.5)
        settings = settings.model_copy(update={"normalization": Normalization(mean=half, std=half)})
    feeds = {}
    for tensor in source.inputs:
        if tensor is image:
            feeds[tensor.name] = normalized_planar(pictures, settings)
        else:
            told: Sequence[float] = _SCALE_FACTOR if tensor.name == "scale_factor" else pictures.shape[1:3]
            feeds[tensor.name] = np.array([told] * len(pictures), np.float32)
    return feeds
