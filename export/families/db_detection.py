"""DB text detectors (ordinary text and seals): a page in, the probability of text per pixel out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.families.base import Case, NetworkFamily, Tensors, max_difference
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, require_dims, tensor_info
from paddlex_triton.export.graph.edits import affine_constants, feed_planar_float, normalize_affine
from paddlex_triton.export.inference_yml import InferenceSettings
from paddlex_triton.export.samples import fit, noise, text_page
from paddlex_triton.network import Family

# PaddleX rounds a detector's input to this, the stride of its coarsest feature map.
_STRIDE = 32
_LONGEST_SIDE = 960


class DBDetection(NetworkFamily):
    """`x` UINT8 [N,H,W,3] BGR, H and W multiples of 32 -> `prob` FP32 [N,H,W]."""

    name: ClassVar[Family] = "db_detection"
    max_batch_size: ClassVar[int] = 4
    edit_tolerance: ClassVar[float] = 1e-6
    row_tolerance: ClassVar[float] = 1e-5

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise in the graph, and drop the channel axis of the map.

        Raises:
            GraphError: the input is not [N,3,H,W] or the output not [N,1,H,W], with N, H, W left free.
        """
        require_dims("the input", source.input_shape, (None, 3, None, None), "[N,3,H,W]")
        require_dims("the output", source.output_shape, (None, 1, None, None), "[N,1,H,W]")
        builder = GraphBuilder(source)
        planar = feed_planar_float(builder, "x", settings.img_mode)
        normalize_affine(builder, planar, settings.normalization, output=source.input)
        builder.after_source()
        builder.squeeze(source.output, 1, output="prob")
        return builder.build(
            [tensor_info("x", TensorProto.UINT8, ["N", "H", "W", 3])],
            [tensor_info("prob", TensorProto.FLOAT, ["N", "H", "W"])],
            {"paddlex_triton.family": self.name},
        )

    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Noise, pages of text and the given images, batches of 1, 3 and the maximum."""
        del settings
        yield Case("noise", {"x": noise(1, 1, 64, 96, 3)})
        yield Case("noise", {"x": noise(2, 3, 160, 96, 3)})
        yield Case("text", {"x": np.stack([text_page(3, 640, 480)])})
        yield Case("text", {"x": np.stack([text_page(seed, 320, 416) for seed in range(3)])})
        yield Case("text", {"x": np.stack([text_page(seed, 192, 256) for seed in range(self.max_batch_size)])})
        for index, image in enumerate(images):
            height, width = image.shape[:2]
            scale = min(1.0, _LONGEST_SIDE / max(height, width))
            size = [max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in (height, width)]
            yield Case(f"image {index}", {"x": fit(image, size[0], size[1])[None]})

    def source_input(self, feeds: Tensors, settings: InferenceSettings) -> np.ndarray:
        """PaddleX's NormalizeImage and ToCHWImage, float32 [N,3,H,W]."""
        pixels = feeds["x"] if settings.img_mode == "BGR" else feeds["x"][..., ::-1]
        alpha, beta = affine_constants(settings.normalization)
        normalized = pixels.astype(np.float32)
        normalized *= alpha
        normalized += beta
        return np.ascontiguousarray(normalized.transpose(0, 3, 1, 2))

    def answer_of_source(self, output: np.ndarray) -> Tensors:
        """The map without its channel axis."""
        return {"prob": output[:, 0]}

    def problem(self, feeds: Tensors, output: np.ndarray, settings: InferenceSettings) -> str | None:
        """The map must have the input's own size."""
        del settings
        rows, height, width = feeds["x"].shape[:3]
        wanted = (rows, 1, height, width)
        return None if output.shape == wanted else f"the map is {list(output.shape)}; {list(wanted)} is expected"

    def difference(self, wanted: Tensors, got: Tensors, source_output: np.ndarray, *, exact: bool) -> float:
        """Largest difference of two maps."""
        del source_output, exact
        return max_difference(wanted["prob"], got["prob"])
