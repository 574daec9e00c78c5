"""Classifiers of whole images (orientation of pages and of lines): an image in, the score of every class out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.errors import GraphError, InferenceFileError
from paddlex_triton.export.families.base import Case, FormError, NetworkFamily, Run, Tensors, max_difference
from paddlex_triton.export.families.images import answer_for_images, cases_of_one_size
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, require_dims, tensor_info
from paddlex_triton.export.graph.cut import free_batch
from paddlex_triton.export.graph.edits import feed_planar_float, normalize_affine
from paddlex_triton.export.inference_file.classifier_section import ClassificationSettings
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.network import Family
from paddlex_triton.proof_pictures import text_line, text_page


class ImageClassification(NetworkFamily):
    """`x` UINT8 [N,H,W,3] BGR -> `probs` FP32 [N,C]."""

    name: ClassVar[Family] = "image_classification"
    max_batch_size: ClassVar[int] = 32
    fixed_rows: ClassVar[bool] = True

    def complete(self, settings: InferenceSettings, source: onnx.ModelProto, origin: str) -> InferenceSettings:
        """Return the settings as they are.

        Raises:
            InferenceFileError: inference.yml does not tell the network's size and classes.
        """
        del source
        if settings.classification is None:
            raise InferenceFileError(
                f"{origin}: a {self.name} network needs an inference.yml that has PostProcess.Topk"
            )
        return settings

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise in the graph, and free the batch.

        Raises:
            GraphError: the input is not an image of the size that inference.yml says, or the output not one score per
                class that it names.
        """
        height, width = _of(settings).target_size
        classes = len(_of(settings).labels)
        require_dims(
            "the input", source.input.shape, (1, 3, height, width), f"[N,3,{height},{width}] as inference.yml says"
        )
        if len(source.output.shape) == 2 and source.output.shape[1] not in (None, classes):
            raise GraphError(f"the output has {source.output.shape[1]} classes, but label_list names {classes}")
        require_dims("the output", source.output.shape, (1, classes), "[N,classes]")
        if source.input.shape[0] == 1:
            source = replace(source, model=free_batch(source.model, source.input.inner))
        builder = GraphBuilder(source)
        planar = feed_planar_float(builder, "x", settings.img_mode)
        normalize_affine(builder, planar, settings.normalization, output=source.input.inner)
        builder.after_source()
        builder.add("Identity", source.output.inner, output="probs")
        return builder.build(
            [tensor_info("x", TensorProto.UINT8, ["N", height, width, 3])],
            [tensor_info("probs", TensorProto.FLOAT, ["N", "C"])],
            {"paddlex_triton.family": self.name},
        )

    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Yield noise, lines and pages of text either way up, and the given images; batches of 1, 3 and the maximum."""
        return cases_of_one_size(_of(settings).target_size, _text, ("text", "text"), self.max_batch_size, images)

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the scores, of one image after the other where the source takes one."""
        probs = answer_for_images(run, feeds, settings, source.input, source.output)
        expected = (len(feeds["x"]), len(_of(settings).labels))
        if probs.shape != expected:
            raise FormError(f"the scores are {list(probs.shape)}; {list(expected)} is expected, one per label")
        return {"probs": probs}

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of two scores."""
        del feeds, settings, exact
        return max_difference(wanted["probs"], got["probs"])

    def geometry(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return the network's size and, where that is the image's middle, the length of the image's shorter side."""
        found = _of(settings)
        geometry: dict[str, Any] = {"target_size": list(found.target_size)}
        return geometry if found.resize_short is None else geometry | {"resize_short": found.resize_short}

    def labels(self, settings: InferenceSettings) -> list[str] | None:
        """Return the names of the classes."""
        return list(_of(settings).labels)

    def config_values(self, settings: InferenceSettings, output_dims: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """Return the size of the input and the number of classes."""
        del output_dims
        height, width = _of(settings).target_size
        return {"height": str(height), "width": str(width), "classes": str(len(_of(settings).labels))}


def _of(settings: InferenceSettings) -> ClassificationSettings:
    # `ImageClassification.complete` made sure of it.
    assert settings.classification is not None
    return settings.classification


def _text(seed: int, height: int, width: int) -> np.ndarray:
    """Draw a line of text where the image is wide, else a page of it; every other one upside down."""
    image = text_line(seed, height, width) if width > height else text_page(seed, height, width)
    return image[::-1, ::-1] if seed % 2 else image
