"""Top-down keypoint networks (TinyPose): people cut out of a page in, one heatmap per joint out."""

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
from paddlex_triton.export.graph.contract import SourceGraph, SourceTensor, require_dims, require_float, tensor_info
from paddlex_triton.export.graph.cut import free_batch, keep_ancestors
from paddlex_triton.export.graph.edits import feed_planar_float, normalize_affine
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.inference_file.keypoint_section import KeypointSettings
from paddlex_triton.network import Family
from paddlex_triton.proof_pictures import person

# COCO's: skeletons and the flip test know no other ones.
JOINTS = 17


class HeatmapKeypoints(NetworkFamily):
    """`x` UINT8 [N,H,W,3] BGR -> `heatmaps` FP32 [N,17,h,w]."""

    name: ClassVar[Family] = "heatmap_keypoints"
    max_batch_size: ClassVar[int] = 32
    fixed_rows: ClassVar[bool] = True

    def complete(self, settings: InferenceSettings, source: onnx.ModelProto, origin: str) -> InferenceSettings:
        """Return the settings as they are.

        Raises:
            InferenceFileError: inference.yml does not tell the network's size.
        """
        del source
        if settings.keypoint is None:
            raise InferenceFileError(
                f"{origin}: a {self.name} network needs an inference.yml that has Preprocess with TopDownEvalAffine"
            )
        return settings

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise in the graph, keep the heatmaps alone, and free the batch.

        Raises:
            GraphError: the input is not one image of the size that inference.yml says, or none of the outputs, or
                several, can be heatmaps.
        """
        keypoint = _keypoint_of(settings)
        image, heatmaps = _image_of(source, keypoint), _heatmaps_of(source)
        model = free_batch(source.model, image.inner) if image.shape[0] == 1 else source.model
        builder = GraphBuilder(replace(source, model=keep_ancestors(model, [heatmaps.inner])))
        planar = feed_planar_float(builder, "x", settings.img_mode)
        normalize_affine(builder, planar, settings.normalization, output=image.inner)
        builder.after_source()
        builder.add("Identity", heatmaps.inner, output="heatmaps")
        height, width = keypoint.target_size
        return builder.build(
            [tensor_info("x", TensorProto.UINT8, ["N", height, width, 3])],
            [tensor_info("heatmaps", TensorProto.FLOAT, ["N", JOINTS, "h", "w"])],
            {"paddlex_triton.family": self.name},
        )

    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Yield noise, drawn people and the given images; batches of 1, 3 and the maximum."""
        size = _keypoint_of(settings).target_size
        return cases_of_one_size(size, person, ("person", "people"), self.max_batch_size, images)

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the heatmaps, of one person after the other where the source takes one."""
        image, output = _image_of(source, _keypoint_of(settings)), _heatmaps_of(source)
        heatmaps = answer_for_images(run, feeds, settings, image, output)
        shape, rows = heatmaps.shape, len(feeds["x"])
        if len(shape) != 4 or shape[:2] != (rows, JOINTS):
            raise FormError(f"the heatmaps are {list(shape)}; [{rows}, {JOINTS}, h, w] is expected")
        return {"heatmaps": heatmaps}

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of two heatmaps."""
        del feeds, settings, exact
        return max_difference(wanted["heatmaps"], got["heatmaps"])

    def geometry(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return the size people are cut out at."""
        return {"target_size": list(_keypoint_of(settings).target_size)}

    def config_values(self, settings: InferenceSettings, output_dims: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """Return the sizes of the input and of a heatmap."""
        height, width = _keypoint_of(settings).target_size
        joints, map_height, map_width = output_dims["heatmaps"]
        return {
            "height": str(height),
            "width": str(width),
            "joints": str(joints),
            "map_height": str(map_height),
            "map_width": str(map_width),
        }


def _keypoint_of(settings: InferenceSettings) -> KeypointSettings:
    # `HeatmapKeypoints.complete` made sure of it.
    assert settings.keypoint is not None
    return settings.keypoint


def _image_of(source: SourceGraph, keypoint: KeypointSettings) -> SourceTensor:
    """Return the only input.

    Raises:
        GraphError: there are several, or it is no image of the size that inference.yml says.
    """
    if len(source.inputs) != 1:
        raise GraphError(f"the graph has {source.outside()}; one image is the input expected")
    (image,) = source.inputs
    height, width = keypoint.target_size
    require_dims("the image", image.shape, (1, 3, height, width), f"[N,3,{height},{width}] as inference.yml says")
    require_float("input", image)
    return image


def _heatmaps_of(source: SourceGraph) -> SourceTensor:
    """Return the only output of rank 4; Paddle's graphs have the places of the maxima besides, in either order.

    Raises:
        GraphError: there is none, there are several, or it has not one map per joint.
    """
    found = [tensor for tensor in source.outputs if len(tensor.shape) == 4]
    if len(found) != 1:
        raise GraphError(f"the graph has {source.outside()}; one output of heatmaps [N,{JOINTS},h,w] is expected")
    (heatmaps,) = found
    require_float("output", heatmaps)
    height, width = heatmaps.shape[2:]
    require_dims("the output", heatmaps.shape, (1, JOINTS, height, width), f"[N,{JOINTS},h,w], one map per joint")
    return heatmaps
