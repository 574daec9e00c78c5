"""CTC text recognisers: a cropped line in, the best class per step and its score out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.errors import GraphError, InferenceFileError
from paddlex_triton.export.families.base import Case, FormError, NetworkFamily, Run, Tensors, max_difference
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, require_dims, tensor_info
from paddlex_triton.export.graph.edits import (
    feed_planar_float,
    greedy_classes,
    normalize_centered,
    zero_beyond_widths,
)
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.limits import MAX_RECOGNITION_WIDTH
from paddlex_triton.network import Family
from paddlex_triton.proof_pictures import fit, noise, text_line

# Where some ONNX files carry their dictionary, one character a line.
_METADATA_KEY = "character"
_BLANK = "blank"
# PaddleX knows them by name.
_RIGHT_TO_LEFT = ("arabic_PP-OCRv3_mobile_rec", "arabic_PP-OCRv5_mobile_rec")


class CTCRecognition(NetworkFamily):
    """`x` UINT8 [N,48,W,3] BGR, `widths` INT32 [N,1] -> `indices` INT32 [N,T], `probs` FP32 [N,T]."""

    name: ClassVar[Family] = "ctc_recognition"
    max_batch_size: ClassVar[int] = 32

    def complete(self, settings: InferenceSettings, source: onnx.ModelProto, origin: str) -> InferenceSettings:
        """Take the characters from the ONNX metadata where inference.yml has none.

        Raises:
            InferenceFileError: there are none in either, or the image shape is not of three channels.
        """
        if settings.image_shape[0] != 3 or min(settings.image_shape) < 1:
            raise InferenceFileError(
                f"{origin}: RecResizeImg.image_shape is {list(settings.image_shape)}; [3, height, width] is expected"
            )
        if settings.characters is not None:
            return settings
        metadata = {entry.key: entry.value for entry in source.metadata_props}
        if _METADATA_KEY not in metadata:
            raise InferenceFileError(
                f"{origin}: no characters: inference.yml has no PostProcess.character_dict, and the ONNX file no "
                f"metadata {_METADATA_KEY!r}"
            )
        return settings.model_copy(update={"characters": tuple(metadata[_METADATA_KEY].split("\n"))})

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise and blank the padding in the graph, and end it in the best class and its score.

        Raises:
            GraphError: the input is not [N,3,height,W] or the output not [N,T,classes] with N, W, T left free, or
                the classes are not as many as the characters.
        """
        height = settings.image_shape[1]
        require_dims("the input", source.input.shape, (None, 3, height, None), f"[N,3,{height},W]")
        classes = len(self.characters(settings))
        if len(source.output.shape) == 3 and source.output.shape[2] not in (None, classes):
            raise GraphError(
                f"the output has {source.output.shape[2]} classes, but the dictionary gives {classes}: blank, "
                f"{classes - 2} characters and the space"
            )
        require_dims("the output", source.output.shape, (None, None, classes), "[N,T,classes]")
        builder = GraphBuilder(source)
        planar = normalize_centered(builder, feed_planar_float(builder, "x", settings.img_mode))
        zero_beyond_widths(builder, planar, "widths", output=source.input.inner)
        builder.after_source()
        greedy_classes(builder, source.output.inner, indices="indices", probs="probs")
        return builder.build(
            [
                tensor_info("x", TensorProto.UINT8, ["N", height, "W", 3]),
                tensor_info("widths", TensorProto.INT32, ["N", 1]),
            ],
            [
                tensor_info("indices", TensorProto.INT32, ["N", "T"]),
                tensor_info("probs", TensorProto.FLOAT, ["N", "T"]),
            ],
            {"paddlex_triton.family": self.name},
        )

    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Yield noise, lines of text and the given images, batches of 1, 3 and the maximum, rows of uneven widths.

        What lies beyond a row's width is noise, which must not show.
        """
        height = settings.image_shape[1]
        yield Case("noise", _feeds(noise(1, 1, height, 320, 3), [320]))
        yield Case("noise", _feeds(noise(2, 3, height, 400, 3), [400, 1, 233]))
        yield Case("text", _text_feeds(height, 480, [480]))
        yield Case("text", _text_feeds(height, 320, [97, 320, 208]))
        yield Case("text", _text_feeds(height, 960, [641, 960, 33]))
        most = [80 + 240 * row // (self.max_batch_size - 1) for row in range(self.max_batch_size)]
        yield Case("text", _text_feeds(height, 320, most))
        for index, image in enumerate(images):
            width = min(max(1, round(image.shape[1] * height / image.shape[0])), MAX_RECOGNITION_WIDTH)
            padded = noise(index, height, max(320, width), 3)
            padded[:, :width] = fit(image, height, width)
            yield Case(f"image {index}", _feeds(padded[None], [width]))

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the best class per step (the first of equals) and its score; `scores` are those of all classes."""
        scores = run({source.input.name: self.padded(feeds, settings)})[source.output.name]
        rows, classes = len(feeds["x"]), len(self.characters(settings))
        if scores.ndim != 3 or scores.shape[0] != rows or scores.shape[2] != classes:
            raise FormError(f"the output is {list(scores.shape)}; [{rows}, steps, {classes} classes] is expected")
        return {"indices": scores.argmax(axis=2).astype(np.int32), "probs": scores.max(axis=2), "scores": scores}

    def padded(self, feeds: Tensors, settings: InferenceSettings) -> np.ndarray:
        """Return PaddleX's normalising and padding, float32 [N,3,height,W]."""
        pixels = feeds["x"] if settings.img_mode == "BGR" else feeds["x"][..., ::-1]
        normalized = pixels.astype(np.float32).transpose(0, 3, 1, 2) / np.float32(255)
        normalized -= np.float32(0.5)
        normalized /= np.float32(0.5)
        padded = np.zeros(normalized.shape, np.float32)
        for row, width in enumerate(feeds["widths"][:, 0]):
            padded[row, :, :, :width] = normalized[row, :, :, :width]
        return padded

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of two scores; another class counts as how much less the source gave it."""
        del feeds, settings
        apart = max_difference(wanted["probs"], got["probs"])
        if wanted["indices"].shape != got["indices"].shape or wanted["indices"].dtype != got["indices"].dtype:
            return float("inf")
        rows, steps = np.nonzero(wanted["indices"] != got["indices"])
        if not len(rows):
            return apart
        if exact:
            return float("inf")
        scores = wanted["scores"][rows, steps]
        chosen = np.arange(len(rows))
        lost = scores[chosen, wanted["indices"][rows, steps]] - scores[chosen, got["indices"][rows, steps]]
        return max(apart, float(np.abs(lost).max()))

    def geometry(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return the shape PaddleX resizes lines to, [C,H,W]."""
        return {"image_shape": list(settings.image_shape)}

    def postprocess(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return inference.yml's, and `bidi` for networks of right-to-left scripts, whose lines PaddleX reorders."""
        bidi = {"bidi": True} if settings.model_name in _RIGHT_TO_LEFT else {}
        return {**settings.postprocess, **bidi}

    def characters(self, settings: InferenceSettings) -> list[str]:
        """Return one string per class: the blank, the dictionary, the space (PaddleX always appends it)."""
        return [_BLANK, *(settings.characters or ()), " "]

    def config_values(self, settings: InferenceSettings, output_dims: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """Return the height of a line."""
        del output_dims
        return {"height": str(settings.image_shape[1])}


def _feeds(lines: np.ndarray, widths: list[int]) -> Tensors:
    return {"x": lines, "widths": np.array(widths, np.int32)[:, None]}


def _text_feeds(height: int, width: int, widths: list[int]) -> Tensors:
    lines = noise(width, len(widths), height, width, 3)
    for row, text_width in enumerate(widths):
        lines[row, :, :text_width] = text_line(row, height, text_width)
    return _feeds(lines, widths)
